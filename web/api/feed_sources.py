"""/api/v1: where a feed's files come from: its source, credentials and schedule, the test, and looking now."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, StringConstraints

from core.errors import Refused, there_is
from models.suppliers import Feed
from pipelines.feeds.land import ask_to_look
from pipelines.feeds.sources import FINGERPRINT, SourceChange, described_source, pin, set_source, tried
from web.deps import Db, settings_of

router = APIRouter(tags=["Feeds"])


class SourceView(BaseModel):
    """A feed's source without its credentials; `often` says `cron` in words.

    `problem` is why the last look failed; it has failed so often (`failures`) `since`, and the clock looks `again_at`.
    """

    source: dict[str, Any]
    place: str
    has_secret: bool
    cron: str
    often: str
    looked_at: datetime | None
    problem: str | None
    failures: int
    since: datetime | None
    again_at: datetime | None


class Test(BaseModel):
    """`pin` is the fingerprint of an SFTP server that a person has compared: it is stored before the test."""

    pin: Annotated[str, StringConstraints(pattern=FINGERPRINT)] | None = None


class FactsView(BaseModel):
    """What was found; nothing was landed. `looks` judges the first bytes, `start` shows them."""

    name: str | None
    bytes: int | None
    changed_at: datetime | None
    content_type: str | None
    looks: str | None
    start: str | None
    fingerprint: str | None
    warnings: list[str]


class Tested(BaseModel):
    """The outcome of a test: `facts`, or the `problem` in words for the owner of the source."""

    problem: str | None
    facts: FactsView | None


@router.get("/feeds/{feed_id}/source")
def get_source(db: Db, feed_id: int) -> SourceView:
    """A feed's source, its schedule, and how the last look went."""
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        return SourceView.model_validate(described_source(feed))


@router.put("/feeds/{feed_id}/source")
def put_source(request: Request, db: Db, feed_id: int, body: SourceChange) -> SourceView:
    """Replaces source, credentials or schedule; what is not given stays. Credentials stay only with their server."""
    with db.unit_of_work() as uow:
        return SourceView.model_validate(
            described_source(set_source(uow, settings_of(request), feed_id, body))
        )


@router.post("/feeds/{feed_id}/source/test")
def test_source(request: Request, db: Db, feed_id: int, body: Test = Test()) -> Tested:
    """Connects to the stored source and says what is there, without landing it. At most 20 s."""
    if body.pin:
        with db.unit_of_work() as uow:
            pin(uow, feed_id, body.pin)
    outcome = tried(db, settings_of(request), feed_id)
    return Tested.model_validate(outcome, from_attributes=True)


@router.post("/feeds/{feed_id}/look", status_code=202)
def look(db: Db, feed_id: int) -> SourceView:
    """Has the source looked at now."""
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        if feed.source["kind"] == "upload":
            raise Refused("Files are sent to this feed: there is no source to look at.", rule="usage")
        ask_to_look(uow, feed)
        return SourceView.model_validate(described_source(feed))
