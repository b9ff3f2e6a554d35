"""The Overview: the whole hub on one screen."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from web.deps import Db, Session, page, settings_of
from web.queries.overview import overview

router = APIRouter()


@router.get("/")
def show(request: Request, db: Db, session: Session) -> Response:
    """Figures first, then what waits for a person, then what happened last."""
    with db.unit_of_work() as uow:
        found = overview(uow, settings_of(request).currency)
    return page(request, "overview.html", title="Overview", o=found)
