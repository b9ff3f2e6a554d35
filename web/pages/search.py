"""What the search at the top finds."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from web.deps import Db, Session, page
from web.queries.search import LIMIT, search

router = APIRouter()


@router.get("/search")
def show(request: Request, db: Db, session: Session, q: str = "") -> Response:
    """Everything whose name or number is like the word."""
    asked = " ".join(q.split())[:200]
    with db.unit_of_work() as uow:
        found = search(uow.session, asked)
    return page(request, "search.html", title="Search", asked=asked, found=found, limit=LIMIT)
