"""/api/v1: a feed's mapping in versions, the hub's proposal, and a preview on the feed's last file."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from core.errors import Refused, there_is
from models.mappings import one_version
from models.suppliers import Feed, FeedMapping
from pipelines.feeds.mapping.checking import schema
from pipelines.feeds.mappings import columns_left, differences, go_back, store_mapping, versions, whole
from pipelines.feeds.preview import ask, order_for
from web.deps import Db, settings_of

router = APIRouter(tags=["Feeds"])
AUTHOR = "operator"

IfMatch = Annotated[
    str | None,
    Header(description='The version that was seen, like "3" ("0": there was none). Another one by now: 409.'),
]


class VersionRow(BaseModel):
    """A version in a list."""

    version: int
    author: str
    note: str
    created_at: datetime
    present: bool


class Versions(BaseModel):
    """The newest versions first."""

    versions: list[VersionRow]


class MappingView(BaseModel):
    """A version with its document; `columns_left` are the file's columns that nothing is read from."""

    version: int
    author: str
    note: str
    created_at: datetime | None
    document: dict[str, Any] | None
    columns_left: list[str]


class MappingChange(BaseModel):
    """A whole document, or only sections (`fields`, `rules`, …) that replace the present ones; a field given as null goes."""

    model_config = ConfigDict(extra="forbid")
    mapping: dict[str, Any]
    note: str = Field("", max_length=1000)


class PreviewAsked(BaseModel):
    """The mapping to try: whole, or sections. `everything`: rejects beyond the first 20,000 records too, which takes longer."""

    model_config = ConfigDict(extra="forbid")
    mapping: dict[str, Any]
    everything: bool = False


class Difference(BaseModel):
    """One place of two documents, like "fields.title.from"."""

    place: str
    old: Any
    new: Any


class Differences(BaseModel):
    """What version `new` says otherwise than version `old`."""

    old: int
    new: int
    differences: list[Difference]


class Candidate(BaseModel):
    """A column that a field could be; `score` from 0 to 1, some of its values."""

    column: str
    score: float
    values: list[str]


class Doubt(BaseModel):
    """A field the hub asks about; `from` is what it would take, null where it takes nothing."""

    model_config = ConfigDict(populate_by_name=True)
    field: str
    source: str | None = Field(alias="from")
    confidence: float | None
    candidates: list[Candidate]


class Proposal(BaseModel):
    """What the hub proposes for the feed's last file; nothing of it is stored."""

    document: dict[str, Any]
    unsure: list[Doubt]
    unmapped: list[str]


class Answered(BaseModel):
    """How a mapping answers a record; `offer` has the fields that are known."""

    locator: str
    verdict: str
    reasons: list[str]
    notes: list[str]
    message: str | None
    offer: dict[str, Any]


class PreviewRecord(BaseModel):
    """A record before and after; `before` is null where nothing is pinned yet, `reject` says the last run refused it."""

    place: int
    locator: str
    reject: bool
    raw: dict[str, Any]
    before: Answered | None
    after: Answered
    changed: dict[str, list[Any]]


class Preview(BaseModel):
    """The first 50 records and the last run's rejects, both ways; `rejects`: how many there are, how many were looked at."""

    records: list[PreviewRecord]
    looked_at: int
    rejects: list[int]
    counts: dict[str, dict[str, Any]]


@router.get("/mapping/schema")
def get_schema() -> dict[str, Any]:
    """The JSON Schema of a mapping: every section, field, operation and rule with what it is for."""
    return schema()


@router.get("/feeds/{feed_id}/mapping")
def get_mapping(
    response: Response, db: Db, feed_id: int, version: Annotated[int | None, Query(ge=1, description="This one, not the present one.")] = None
) -> MappingView:  # fmt: skip
    """How a feed's files are read; version 0 where the first file has not come yet. The ETag is for If-Match."""
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        view = _view(uow.session, feed, version)
    response.headers["ETag"] = f'"{view.version}"'
    return view


@router.put("/feeds/{feed_id}/mapping")
def put_mapping(
    response: Response, db: Db, feed_id: int, body: MappingChange, if_match: IfMatch = None
) -> MappingView:
    """Makes a new version; the next run is read by it. The same content again makes none."""
    base = seen_version(if_match)
    with db.unit_of_work() as uow:
        feed = store_mapping(uow, feed_id, body.mapping, author=AUTHOR, note=body.note, base=base)
        uow.session.flush()
        view = _view(uow.session, feed, None)
    response.headers["ETag"] = f'"{view.version}"'
    return view


@router.get("/feeds/{feed_id}/mapping/versions")
def list_versions(db: Db, feed_id: int) -> Versions:
    """The last 50 versions: who made them, when and why."""
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        rows = [
            VersionRow(version=one.version, author=one.author, note=one.note, created_at=one.created_at, present=one.version == feed.mapping_version)
            for one in versions(uow.session, feed_id)
        ]  # fmt: skip
    return Versions(versions=rows)


@router.get("/feeds/{feed_id}/mapping/versions/{version}/differences")
def get_differences(
    db: Db, feed_id: int, version: int, to: Annotated[int | None, Query(ge=1, description="Another version; without it the present one.")] = None
) -> Differences:  # fmt: skip
    """What another version says otherwise than this one, place by place."""
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        old = one_version(uow.session, feed, version)
        new = one_version(uow.session, feed, to or feed.mapping_version or version)
        found = differences(old.document, new.document)
        return Differences(old=old.version, new=new.version, differences=[Difference(**one) for one in found])


@router.post("/feeds/{feed_id}/mapping/versions/{version}/restore")
def restore(db: Db, feed_id: int, version: int, if_match: IfMatch = None) -> MappingView:
    """Goes back: a new version with this one's content."""
    with db.unit_of_work() as uow:
        feed = go_back(
            uow, feed_id, version, author=AUTHOR, base=seen_version(if_match) if if_match else None
        )
        uow.session.flush()
        return _view(uow.session, feed, None)


@router.post("/feeds/{feed_id}/mapping/propose")
def propose(request: Request, db: Db, feed_id: int) -> Proposal:
    """What the hub would propose for the feed's last file, and the questions it would ask."""
    with db.unit_of_work() as uow:
        order = order_for(uow, settings_of(request), feed_id)
    return Proposal.model_validate(ask(order, "proposal"))


@router.post("/feeds/{feed_id}/mapping/preview")
def preview(request: Request, db: Db, feed_id: int, body: PreviewAsked) -> Preview:
    """What a mapping would make of the last file's first records and of its rejects, beside what the present one makes."""
    with db.unit_of_work() as uow:
        order = order_for(uow, settings_of(request), feed_id)
        document = whole(uow.session.get_one(Feed, feed_id), body.mapping)
    return Preview.model_validate(ask(order, "records", after=document, everything=body.everything))


def seen_version(if_match: str | None) -> int:
    """The version in an If-Match header. Raises Refused where there is none."""
    plain = (if_match or "").strip().removeprefix("W/").strip('"')
    if not plain.isdecimal() or len(plain) > 9:
        raise Refused(
            'Say in If-Match which version you saw, like If-Match: "3"; GET gives it as ETag, "0" where there is none.',
            rule="missing",
        )
    return int(plain)


def _view(session: Session, feed: Feed, version: int | None) -> MappingView:
    number = version or feed.mapping_version
    if number is None:
        return MappingView(version=0, author="", note="", created_at=None, document=None, columns_left=[])
    one: FeedMapping = one_version(session, feed, number)
    return MappingView(
        version=one.version, author=one.author, note=one.note, created_at=one.created_at, document=one.document,
        columns_left=columns_left(one.document),
    )  # fmt: skip
