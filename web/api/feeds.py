"""/api/v1: feeds, files sent to them, their runs, approval, rejects and reports."""

import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

from anyio.from_thread import run as wait_for
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from core.errors import Refused, there_is
from models.staged import POLICY
from models.suppliers import Feed, FeedRun
from pipelines.feeds.plan import approve
from pipelines.making import FeedChange, NewFeed, change_feed, make_feed, read_again, take_in
from web.api.keys import After, Limit, Page
from web.deps import Db, settings_of
from web.queries.feeds import feed_rows, one_run, rejects, run_rows
from web.reports import download
from web.tables import Ask

router = APIRouter(tags=["Feeds"])
RunState = Literal[
    "landed", "staged", "waiting", "approved", "applied", "refused", "unchanged", "superseded", "undone"
]


class FeedView(BaseModel):
    """One feed; `policy` with what is silent filled in."""

    id: int
    name: str
    supplier_id: int
    source: dict[str, Any]
    profile: str | None
    currency: str | None
    policy: dict[str, Any]
    cron: str
    created_at: datetime


class FeedRow(BaseModel):
    """A feed in a list, with its last run."""

    id: int
    name: str
    supplier: str
    offers: int
    run_id: int | None
    state: RunState | Literal["none"]
    landed_at: datetime | None


class Feeds(Page):
    """A page of feeds."""

    feeds: list[FeedRow]


class RunView(BaseModel):
    """A run: `summary` counts the records, `plan` the differences, `facts` says how the file was read.

    `as_of` is the moment its figures are true for; `replay_of` the run whose file it read again, `mends` the one whose
    rejects it brought again.
    """

    id: int
    feed_id: int
    state: RunState
    file_name: str
    file_bytes: int
    file_sha256: str
    records_done: int
    summary: dict[str, Any] | None
    plan: dict[str, Any] | None
    facts: dict[str, Any] | None
    problem: str | None
    mapping_version: int | None
    replay_of: int | None
    mends: int | None
    as_of: datetime
    landed_at: datetime
    staged_at: datetime | None
    applied_at: datetime | None


class RunRow(BaseModel):
    """A run in a list."""

    id: int
    state: RunState
    file_name: str
    file_bytes: int
    records_done: int
    summary: dict[str, Any] | None
    problem: str | None
    landed_at: datetime


class Runs(Page):
    """A page of runs, the newest first."""

    runs: list[RunRow]


class RejectView(BaseModel):
    """A record that was not accepted, in the supplier's own words, with what he can do."""

    place: int
    locator: str
    verdict: Literal["rejected", "quarantined"]
    reasons: list[str]
    supplier_sku: str | None
    message: str | None
    raw: dict[str, Any]


class Rejects(Page):
    """A page of rejects in file order."""

    rejects: list[RejectView]


@router.get("/feeds")
def list_feeds(
    request: Request, db: Db, state: RunState | None = None, limit: Limit = 50, after: After = None
) -> Feeds:
    """Every feed with its last run; `state` is that of the last run."""
    ask = Ask(request, ("state",), default="feed")
    with db.unit_of_work() as uow:
        rows = feed_rows(uow.session, ask, limit)
    return Feeds(feeds=[FeedRow.model_validate(dict(row)) for row in rows.rows], after=rows.after)


@router.post("/feeds", status_code=201)
def add_feed(db: Db, body: NewFeed) -> FeedView:
    """Makes a feed of a supplier."""
    with db.unit_of_work() as uow:
        feed = make_feed(uow, body)
        uow.session.refresh(feed)
        return _feed(feed)


@router.get("/feeds/{feed_id}")
def get_feed(db: Db, feed_id: int) -> FeedView:
    """One feed."""
    with db.unit_of_work() as uow:
        return _feed(there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}"))


@router.patch("/feeds/{feed_id}")
def change(db: Db, feed_id: int, body: FeedChange) -> FeedView:
    """Changes currency and policy; the next run follows them. What is not given stays, a null goes back to the default."""
    with db.unit_of_work() as uow:
        return _feed(change_feed(uow, feed_id, body))


@router.post(
    "/feeds/{feed_id}/files", status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "multipart/form-data": {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}},
            },
        }
    },
)  # fmt: skip
def send_file(
    request: Request, db: Db, feed_id: int,
    name: Annotated[str, Query(max_length=255, description="The file's own name, where the body is the file itself.")] = "",
) -> RunView:  # fmt: skip
    """Takes a file in: the body is the file, or a form with the field `file`. It is read later: watch the run."""
    settings = settings_of(request)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        form = wait_for(_form, request)
        try:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise Refused("The form has no file in its field `file`.", rule="missing")
            run_id, _ = take_in(db, settings, feed_id, file.file, name or file.filename or "file")
        finally:
            wait_for(form.close)
    else:
        body = io.BufferedReader(Body(request.stream()), 1 << 20)
        run_id, _ = take_in(db, settings, feed_id, body, name or "file")
    return get_run(db, run_id)


@router.get("/feeds/{feed_id}/runs")
def list_runs(
    request: Request,
    db: Db,
    feed_id: int,
    state: RunState | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Runs:
    """A feed's runs, the newest first."""
    ask = Ask(request, ("state",), default="-run")
    with db.unit_of_work() as uow:
        there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        rows = run_rows(uow.session, feed_id, ask, limit)
    return Runs(runs=[RunRow.model_validate(dict(row)) for row in rows.rows], after=rows.after)


@router.get("/runs/{run_id}")
def get_run(db: Db, run_id: int) -> RunView:
    """One run with its counts and its plan."""
    with db.unit_of_work() as uow:
        run: FeedRun = there_is(one_run(uow.session, run_id), f"Run {run_id}")["FeedRun"]
        return RunView.model_validate(run, from_attributes=True)


@router.post("/runs/{run_id}/approve", status_code=202)
def approve_run(db: Db, run_id: int) -> RunView:
    """Lets a waiting run pass."""
    with db.unit_of_work() as uow:
        run = there_is(uow.session.get(FeedRun, run_id, with_for_update={"key_share": True}), f"Run {run_id}")
        approve(uow, run, uow.session.get_one(Feed, run.feed_id))
    return get_run(db, run_id)


@router.post("/runs/{run_id}/again", status_code=202)
def again(request: Request, db: Db, run_id: int) -> RunView:
    """Reads the same archived file once more, by the feed's present settings: a new run."""
    with db.unit_of_work() as uow:
        made = read_again(uow, settings_of(request), run_id).id
    return get_run(db, made)


@router.get("/runs/{run_id}/rejects")
def list_rejects(
    request: Request, db: Db, run_id: int, rule: str | None = None, limit: Limit = 50, after: After = None
) -> Rejects:
    """The records of a run that were not accepted; `rule` is one of the summary's reasons."""
    ask = Ask(request, ("rule",), default="place")
    with db.unit_of_work() as uow:
        there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}")
        rows = rejects(uow.session, run_id, ask, limit)
    return Rejects(rejects=[RejectView.model_validate(dict(row)) for row in rows.rows], after=rows.after)


@router.get(
    "/runs/{run_id}/report", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}}
)
def get_report(request: Request, db: Db, run_id: int) -> StreamingResponse:
    """Every record in the supplier's own columns with its verdict, change, reason, notes, advice and place, as CSV."""
    return download(db, settings_of(request), run_id, "csv")


class Body(io.RawIOBase):
    """A request's body as a file for a worker thread: nothing of it waits in memory or in a temporary file."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream, self._rest = stream, b""

    def readable(self) -> bool:
        """It is for reading only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end."""
        while not self._rest:
            piece = wait_for(_next, self._stream)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    return await anext(stream, None)


async def _form(request: Request) -> Any:
    return await request.form(max_files=1, max_fields=5)


def _feed(feed: Feed) -> FeedView:
    facts = {
        name: getattr(feed, name)
        for name in ("id", "name", "supplier_id", "source", "profile", "currency", "cron", "created_at")
    }
    return FeedView(**facts, policy={**POLICY, **feed.policy})
