"""Privacy requests: what buyers want to know of their data, by when, and the data itself as a file to pass on."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipelines.privacy import answered
from web.deps import CheckedForm, Db, Session, go, page
from web.queries.privacy import PRIVACY_COLUMNS, as_file, kept_of, one_request, privacy_counts, privacy_rows
from web.tables import Ask

router = APIRouter(prefix="/privacy")


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """Every request, those that wait first."""
    ask = Ask(request, ("state", "shop"), default="urgent")
    with db.unit_of_work() as uow:
        rows, counts = privacy_rows(uow.session, ask), privacy_counts(uow.session)
    return page(
        request,
        "privacy.html",
        title="Privacy requests",
        ask=ask,
        rows=rows,
        counts=counts,
        columns=PRIVACY_COLUMNS,
    )


@router.get("/{request_id}")
def show(request: Request, db: Db, session: Session, request_id: int) -> Response:
    """One request with what is kept of the buyer; of an address only that it is there: the file has it."""
    with db.unit_of_work() as uow:
        wish, kept = one_request(uow.session, request_id), kept_of(uow.session, request_id)
    return page(request, "privacy_request.html", title="A buyer asks for his data", wish=wish, kept=kept)


@router.get("/{request_id}/data.json")
def download(db: Db, session: Session, request_id: int) -> Response:
    """What is kept of the buyer, as a file."""
    with db.unit_of_work() as uow:
        kept = kept_of(uow.session, request_id)
    headers = {
        "Content-Disposition": f'attachment; filename="privacy-{request_id}.json"', "Cache-Control": "no-store",
    }  # fmt: skip
    return Response(as_file(kept), media_type="application/json", headers=headers)


@router.post("/{request_id}/answered")
def mark(db: Db, session: CheckedForm, request_id: int) -> Response:
    """A person sent the data to the shop's owner."""
    with db.unit_of_work() as uow:
        answered(uow, request_id, "operator")
    return go(f"/privacy/{request_id}", "privacy_answered")
