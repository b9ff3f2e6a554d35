"""/api/v1: what people do with runs: undo, replay with another mapping, workbooks, rejects to mend and send again."""

import io
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from pipelines.feeds.replay import replay
from pipelines.feeds.undo import ask_undo
from pipelines.making import take_in_mended
from web.api.feeds import Body, RunView, get_run
from web.api.keys import gives_file, takes_file
from web.deps import Db, settings_of
from web.reports import KINDS, download

router = APIRouter(tags=["Feeds"])
API = "the API"


class Replay(BaseModel):
    """At most one of the two; with neither the feed's present mapping is used."""

    model_config = ConfigDict(extra="forbid")
    version: int | None = Field(None, ge=1, description="A version of the feed's mapping.")
    document: dict[str, Any] | None = Field(
        None, description="A mapping, or only the sections that differ from those the run was read with."
    )


@router.post("/runs/{run_id}/undo", status_code=202)
def undo_run(db: Db, run_id: int) -> RunView:
    """Puts the offers back to what they were before an applied run; only the feed's last one can be undone. Watch the run."""
    with db.unit_of_work() as uow:
        ask_undo(uow, run_id, API)
    return get_run(db, run_id)


@router.post("/runs/{run_id}/replay", status_code=202)
def replay_run(request: Request, db: Db, run_id: int, body: Replay) -> RunView:
    """Reads the run's archived file again with another mapping: a new run, which waits for a person after its plan."""
    with db.unit_of_work() as uow:
        made = replay(uow, settings_of(request), run_id, API, version=body.version, document=body.document).id
    return get_run(db, made)


@router.post("/runs/{run_id}/mended", status_code=202, openapi_extra=takes_file("text/csv"))
def send_mended(
    request: Request, db: Db, run_id: int,
    name: Annotated[str, Query(max_length=255, description="The file's own name.")] = "mended.csv",
) -> RunView:  # fmt: skip
    """Takes the mended rejects of an applied run: a new run that only adds to what that one offered."""
    body = io.BufferedReader(Body(request.stream()), 1 << 20)
    return get_run(db, take_in_mended(db, settings_of(request), run_id, body, name, API))


@router.get(
    "/runs/{run_id}/report.xlsx", response_class=StreamingResponse, responses=gives_file(KINDS["xlsx"], "The workbook.")
)  # fmt: skip
def get_workbook(request: Request, db: Db, run_id: int) -> StreamingResponse:
    """The report as a workbook: every cell a text, each verdict in its colour."""
    return download(db, settings_of(request), run_id, "xlsx")


@router.get(
    "/runs/{run_id}/rejects.csv", response_class=StreamingResponse, responses=gives_file("text/csv", "The records.")
)  # fmt: skip
def get_rejects(request: Request, db: Db, run_id: int) -> StreamingResponse:
    """The records that were not accepted, in the supplier's own columns alone: to be mended and sent again."""
    return download(db, settings_of(request), run_id, "rejects")
