"""What a person does with a run on its page: undo it, replay it with another mapping, send its rejects again, mended."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from core.errors import Refused
from pipelines.feeds.replay import replay
from pipelines.feeds.undo import ask_undo
from pipelines.making import take_in_mended
from web.deps import CheckedForm, Db, Session, check_token, go, settings_of
from web.reports import download

router = APIRouter(prefix="/runs")
OPERATOR = "the operator"


@router.post("/{run_id}/undo")
def undo(request: Request, db: Db, session: CheckedForm, run_id: int) -> Response:
    """Puts the offers back to what they were before the run."""
    with db.unit_of_work() as uow:
        ask_undo(uow, run_id, OPERATOR)
    return go(f"/runs/{run_id}", "undoing")


@router.post("/{run_id}/replay")
def read_otherwise(
    request: Request, db: Db, session: CheckedForm, run_id: int, version: Annotated[str, Form()] = ""
) -> Response:
    """Reads the same file with another version of the feed's mapping; the new run waits after its plan."""
    if version and not (version.isdecimal() and len(version) < 10):
        raise Refused(f"{version!r} is no version of a mapping.", rule="usage")
    with db.unit_of_work() as uow:
        made = replay(uow, settings_of(request), run_id, OPERATOR, version=int(version) if version else None).id  # fmt: skip
    return go(f"/runs/{made}", "replaying")


@router.post("/{run_id}/mended")
async def send_mended(request: Request, db: Db, session: Session, run_id: int) -> Response:
    """Takes the mended rejects. The session is checked before the file is read, the form's token before it is archived."""
    async with request.form(max_files=1, max_fields=5) as form:
        check_token(session, str(form.get("csrf", "")))
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refused("No file was chosen: choose the file with the mended records first.", rule="missing")  # fmt: skip
        made = await run_in_threadpool(
            take_in_mended, db, settings_of(request), run_id, file.file, file.filename, OPERATOR
        )
    return go(f"/runs/{made}", "mending")


@router.get("/{run_id}/rejects.csv")
def get_rejects(request: Request, db: Db, session: Session, run_id: int) -> Response:
    """The records that were not accepted, in the supplier's own columns alone."""
    return download(db, settings_of(request), run_id, "rejects")
