"""Categories: which of suppliers' own paths wait for a category of the taxonomy, with a proposal and a search."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core.errors import Refused
from pipelines.catalogue.taxonomy import LONGEST_PATH, choose
from web.deps import CheckedForm, Db, Session, go, page
from web.queries.taxonomy import found_categories, how_many, path_states, paths
from web.tables import ROWS, Ask

router = APIRouter(prefix="/products/categories")
OPERATOR = "the operator"
HOWS = ("proposal", "person", "learned", "exact")


@router.get("")
def show(request: Request, db: Db, session: Session) -> Response:
    """The paths that wait, those with most products first; others by filter. `for` is the path a category is sought for."""
    ask = Ask(request, ("how", "q", "words", "start"))
    sought = request.query_params.get("for", "").strip()[:LONGEST_PATH]
    how = {"": "proposal", "all": ""}.get(ask["how"], ask["how"])
    start = int(ask["start"]) if ask["start"].isdecimal() and len(ask["start"]) < 7 else 0
    with db.unit_of_work() as uow:
        whole = how_many(uow.session)
        rows = paths(uow.cursor(), how if how in HOWS else "", ask["q"], start, ROWS + 1)
        states = path_states(uow.cursor())
        found = found_categories(uow.session, ask["words"]) if sought else []
    return page(
        request, "categories.html", title="Categories", ask=ask, rows=rows[:ROWS], more=len(rows) > ROWS, start=start, per_page=ROWS,
        states=states, whole=whole, found=found, hows=HOWS, sought=sought,
    )  # fmt: skip


@router.post("")
def say(
    request: Request, db: Db, session: CheckedForm, path: Annotated[str, Form()] = "", category: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Says what a path means, for all suppliers that use it; 0: no category fits."""
    if not (category.isdecimal() and len(category) < 10):
        raise Refused("Choose a category by its number: search for words of its path.", rule="usage")
    with db.unit_of_work() as uow:
        choose(uow, path, int(category) or None, OPERATOR)
    return go("/products/categories", "category")
