"""Where a feed's files come from: the form for each kind of source, its test, its schedule, and how the last look went."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import select

from core.database import Database
from core.errors import Refused, there_is
from models.companies import Company
from models.suppliers import Feed
from pipelines.feeds.sources import (
    AFAR,
    NAMES,
    SELDOM,
    SourceChange,
    Tried,
    described_source,
    pin,
    set_source,
    tried,
)
from pipelines.making import asked_for
from web.deps import CheckedForm, Db, Session, go, page, settings_of

router = APIRouter(prefix="/feeds/{feed_id}/source")

KINDS = {"upload": "Files sent here", "folder": "Folder", "url": "Address", "sftp": "SFTP", "api": "API"}
"""kind → its word."""

SCHEDULES = (
    ("* * * * *", "each minute"),
    ("*/15 * * * *", "each quarter of an hour"),
    ("7 * * * *", "each hour"),
    ("7 */6 * * *", "each six hours"),
    ("30 4 * * *", "each night at 4:30 UTC"),
    ("30 4 * * 1-5", "on workdays at 4:30 UTC"),
)
LOGINS = {
    "none": "without a login",
    "basic": "user and password",
    "header": "a key in a header",
    "query": "a key in the address",
    "bearer": "a bearer token",
    "oauth2": "OAuth 2, client credentials",
}
PAGINGS = {
    "none": "all in one answer",
    "page": "pages by number",
    "offset": "pages by offset",
    "cursor": "a cursor in the answer",
    "link": "a Link header",
    "next": "the next address in the answer",
}
_AUTH = {"kind": "auth_kind", "name": "auth_name", "token_url": "token_url", "scope": "scope"}
_PAGING = {
    "kind": "paging_kind", "param": "param", "start": "start", "size": "size", "size_param": "size_param", "next": "next_at",
}  # fmt: skip
_PLAIN = {
    "upload": (),
    "folder": ("path",),
    "url": ("url", "ca_file"),
    "sftp": ("host", "port", "user", "path", "pattern", "after"),
    "api": ("url", "ca_file", "records", "per_second"),
}


class Blanks(dict[str, Any]):
    """Options of which those that are not there are empty, as a form shows them."""

    def __missing__(self, name: str) -> str:
        return ""


@router.get("")
def show(request: Request, db: Db, session: Session, feed_id: int, kind: str = "") -> Response:
    """The source as it is, or the empty form of another kind."""
    return _page(request, db, feed_id, kind)


@router.post("")
async def store(request: Request, db: Db, session: CheckedForm, feed_id: int) -> Response:
    """Stores source, credentials and schedule; with `then` they are tested at once."""
    form = {name: str(value).strip() for name, value in (await request.form()).items()}
    made: Response = await run_in_threadpool(_store, request, db, feed_id, form)
    return made


@router.post("/test")
def test(
    request: Request, db: Db, session: CheckedForm, feed_id: int, fingerprint: Annotated[str, Form()] = ""
) -> Response:
    """Tests the stored source and shows what it said; with `fingerprint` that key is pinned first."""
    if fingerprint:
        with db.unit_of_work() as uow:
            pin(uow, feed_id, fingerprint)
    return _page(request, db, feed_id, answer=tried(db, settings_of(request), feed_id))


def source_in(form: dict[str, str]) -> dict[str, Any]:
    """A source's options from the fields of its form; empty ones are left to their defaults."""
    kind = form.get("kind", "")
    if kind not in KINDS:
        raise Refused("Choose where the files come from.", rule="missing")
    made: dict[str, Any] = {"kind": kind, **_filled(form, {name: name for name in _PLAIN[kind]})}
    if kind in ("url", "api"):
        made["auth"] = _filled(form, _AUTH)
    if kind == "api":
        made["paging"] = _filled(form, _PAGING)
    return made


def _store(request: Request, db: Database, feed_id: int, form: dict[str, str]) -> Response:
    wish: dict[str, Any] = {
        "source": source_in(form),
        "cron": form.get("cron_own") or form.get("cron") or None,
    }
    secret = {name: form[name] for name in ("secret", "private_key") if form.get(name)}
    if secret:
        wish["secret"] = secret
    with db.unit_of_work() as uow:
        set_source(uow, settings_of(request), feed_id, asked_for(SourceChange, wish))
    if form.get("then") == "test":
        return _page(request, db, feed_id, answer=tried(db, settings_of(request), feed_id))
    return go(f"/feeds/{feed_id}/source", "sourced")


def _filled(form: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    return {name: form[field] for name, field in names.items() if form.get(field)}


def _page(
    request: Request, db: Database, feed_id: int, kind: str = "", answer: Tried | None = None
) -> Response:
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        supplier = uow.session.scalar(select(Company.name).where(Company.id == feed.supplier_id))
        told = described_source(feed)
    shown = kind if kind in KINDS else feed.source["kind"]
    present = Blanks(feed.source)
    afar = shown in AFAR and present["kind"] not in AFAR
    source = present if shown == present["kind"] else Blanks()
    return page(
        request, "feed_source.html", title=f"{feed.name}: source", feed=feed, supplier=supplier, told=told, kinds=KINDS, kind=shown,
        source=source, present=present, auth=Blanks(source["auth"] or {}), paging=Blanks(source["paging"] or {}), logins=LOGINS, pagings=PAGINGS, names=NAMES,
        schedules=SCHEDULES, cron=SELDOM if afar else feed.cron, answer=answer,
    )  # fmt: skip
