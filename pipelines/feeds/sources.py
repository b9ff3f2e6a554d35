"""Where a feed's files come from, as people tell it: checked, stored with its credentials sealed, and tried."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from posixpath import join
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.base import FeedSource, SourceAccess, SourceFacts
from connectors.registry import SOURCES
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Misconfigured, Refused, Temporary, there_is
from core.log import masked
from core.settings import Settings
from core.vault import load_vault
from models.suppliers import Feed

Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
AFAR = ("url", "sftp", "api")
SELDOM = "*/15 * * * *"
"""When a source on another's machine is looked at where nobody says: each minute is for folders of our own."""
FINGERPRINT = r"^SHA256:[A-Za-z0-9+/]{43}$"
Param = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-\[\]]{1,100}$")]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(_Options):
    """How a server lets the hub in. `name` is the user (basic), the header, the query's parameter, or the client's id."""

    kind: Literal["none", "basic", "header", "query", "bearer", "oauth2"] = "none"
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)] = ""
    token_url: Address = ""
    scope: Annotated[str, StringConstraints(max_length=500)] = ""


class Paging(_Options):
    """How the pages of an API follow each other; connectors/sources/paging.py says what each value means."""

    kind: Literal["none", "page", "offset", "cursor", "link", "next"] = "none"
    param: Param | Literal[""] = ""
    start: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    size: Annotated[int, Field(ge=0, le=100_000)] = 0
    size_param: Param | Literal[""] = ""
    next: Annotated[str, StringConstraints(max_length=500)] = ""


class UploadSource(_Options):
    """Files are sent, by the console or the API."""

    kind: Literal["upload"] = "upload"


class FolderSource(_Options):
    """A drop folder on the hub's machine."""

    kind: Literal["folder"]
    path: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class UrlSource(_Options):
    """A file at an https address. `ca_file` is a file on the hub's machine: the authority of a certificate of its own."""

    kind: Literal["url"]
    url: Address
    auth: Login = Login()
    ca_file: Annotated[str, StringConstraints(max_length=1000)] | None = None


class SftpSource(_Options):
    """The newest file of a folder that matches `pattern`; `fingerprint` pins the server's key."""

    kind: Literal["sftp"]
    host: Short
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    user: Short
    path: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)] = "."
    pattern: Short = "*"
    fingerprint: Annotated[str, StringConstraints(pattern=FINGERPRINT)] | None = None
    after: Literal["keep", "move", "delete"] = "keep"
    move_to: Short = "taken"


class ApiSource(_Options):
    """A paged JSON API. `records` is the JMESPath of the list of records in an answer."""

    kind: Literal["api"]
    url: Address
    records: Annotated[str, StringConstraints(max_length=500)] = ""
    paging: Paging = Paging()
    auth: Login = Login()
    ca_file: Annotated[str, StringConstraints(max_length=1000)] | None = None
    per_second: Annotated[float, Field(gt=0, le=50)] = 5.0
    pages: Annotated[int, Field(ge=1, le=100_000)] = 10_000


Source = Annotated[
    UploadSource | FolderSource | UrlSource | SftpSource | ApiSource, Field(discriminator="kind")
]


class SourceSecret(_Options):
    """What opens the source; stored sealed, never shown. `secret` is the password, key, token or passphrase."""

    secret: str | None = Field(None, max_length=10_000, repr=False)
    private_key: str | None = Field(None, max_length=20_000, repr=False)


class SourceChange(_Options):
    """What is given replaces what was; `cron` has five fields and means UTC."""

    source: Source | None = None
    secret: SourceSecret | None = None
    cron: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] | None = None


def set_source(uow: UnitOfWork, settings: Settings, feed_id: int, asked: SourceChange) -> Feed:
    """Stores a feed's source, credentials and schedule; what was remembered of another source is forgotten.

    Stored credentials stay only with the server they were entered for: nobody can have them sent elsewhere by
    changing the address. Raises Refused where the source cannot be so.
    """
    feed = there_is(uow.session.get(Feed, feed_id, with_for_update={"key_share": True}), f"Feed {feed_id}")
    if asked.cron is not None:
        feed.cron = checked_cron(asked.cron)
    elif asked.source is not None and asked.source.kind in AFAR and feed.source["kind"] not in AFAR:
        feed.cron = SELDOM
    if asked.source is not None:
        _check(asked.source)
        new = asked.source.model_dump(exclude_none=True)
        if _server(new) != _server(feed.source):
            feed.secret = None
        elif feed.source.get("fingerprint") and "fingerprint" not in asked.source.model_fields_set:
            new["fingerprint"] = feed.source["fingerprint"]
        if new != feed.source:
            feed.source, feed.source_state = new, {}
    if asked.secret is not None:
        given = {name: value for name, value in asked.secret.model_dump().items() if value}
        _check_key(given)
        feed.secret = load_vault(settings).seal(given) if given else None
        feed.source_state = {name: value for name, value in feed.source_state.items() if name == "remembered"}
    return feed


def pin(uow: UnitOfWork, feed_id: int, fingerprint: str) -> None:
    """Pins the key of an SFTP server that a person has compared. Raises Refused for any other source."""
    feed = there_is(uow.session.get(Feed, feed_id, with_for_update={"key_share": True}), f"Feed {feed_id}")
    if feed.source["kind"] != "sftp":
        raise Refused("Only an SFTP server has a fingerprint to pin.", rule="usage")
    if not re.fullmatch(FINGERPRINT, fingerprint.strip()):
        raise Refused(
            f"{fingerprint[:60]!r} is no fingerprint: it is SHA256: and 43 letters, digits, + and /, as the test shows it.",
            rule="fingerprint",
        )
    feed.source, feed.source_state = {**feed.source, "fingerprint": fingerprint.strip()}, {}


def source_of(feed: Feed, settings: Settings) -> FeedSource:
    """The source of a feed with its credentials opened. Raises Misconfigured where there is none of its kind."""
    from core.guard import Guard

    options = dict(feed.source)
    kind = options.pop("kind")
    if kind not in SOURCES:
        raise Misconfigured(
            f"Feed {feed.id} has a source of kind {kind!r}; those looked into are {', '.join(sorted(SOURCES))}."
        )
    secret = load_vault(settings).open(feed.secret) if feed.secret else {}
    access = SourceAccess(
        guard=Guard(settings.private_host_names),
        secret=secret,
        state=feed.source_state.get("remembered") or {},
        limit=settings.upload_limit_mb * 1_000_000,
    )
    if "paging" in options:  # a start that was not given is the paging's own
        options["paging"] = {
            name: value for name, value in options["paging"].items() if value not in ("", None)
        }
    return SOURCES[kind](**options, access=access)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test of a source brought: facts, or the problem in words for its owner."""

    facts: SourceFacts | None = None
    problem: str | None = None


def tried(db: Database, settings: Settings, feed_id: int) -> Tried:
    """As `try_source`, for whoever shows the outcome either way."""
    try:
        return Tried(facts=try_source(db, settings, feed_id))
    except (Misconfigured, Temporary) as error:
        return Tried(problem=masked(str(error)))


def try_source(db: Database, settings: Settings, feed_id: int) -> SourceFacts:
    """Connects to a feed's stored source and says what is there; nothing is landed. Raises Misconfigured, Temporary."""
    with db.unit_of_work() as uow:
        feed = there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
        if feed.source["kind"] == "upload":
            raise Refused("Files are sent to this feed: there is no source to test.", rule="usage")
        uow.session.expunge_all()
    return source_of(feed, settings).test()


def described_source(feed: Feed) -> dict[str, Any]:
    """A feed's source as an answer: everything but its credentials, of which only is told whether they are there."""
    told = feed.source_state
    return {
        "source": feed.source, "place": place_of(feed.source), "has_secret": feed.secret is not None,
        "cron": feed.cron, "often": in_words(feed.cron), "looked_at": _moment(told.get("looked_at")),
        "problem": told.get("problem"), "failures": int(told.get("failures", 0)), "since": _moment(told.get("since")),
        "again_at": _moment(told.get("again_at")),
    }  # fmt: skip


def checked_cron(text: str) -> str:
    """The schedule. Raises Refused where it is none."""
    try:
        CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise Refused(
            f"{text!r} is no schedule ({error}): give five fields, like */15 * * * * for each quarter of an hour.",
            rule="cron",
        ) from None
    return " ".join(text.split())


def in_words(cron: str) -> str:
    """ "* * * * *" → "every minute"; what cannot be read stays as it is."""
    try:
        words = CronSim(cron, now()).explain()
    except CronSimError:
        return cron
    return words[:1].lower() + words[1:] if words else cron


def place_of(source: dict[str, Any]) -> str:
    """Where a source is, in a few words without its query."""
    if source["kind"] == "upload":
        return "files sent here"
    if source["kind"] == "folder":
        return str(source["path"])
    if source["kind"] == "sftp":
        return f"{source['host']}:{join(source['path'], source['pattern'])}"
    parts = urlsplit(source["url"])
    return f"{parts.hostname}{parts.path}"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _check(source: Any) -> None:
    """What only the connectors know. Raises Refused with their sentence."""
    from connectors.sources.entry import entry_of
    from connectors.sources.paging import expression, paging_of
    from connectors.sources.web import parsed

    try:
        if isinstance(source, UrlSource | ApiSource):
            parsed(source.url)
            if source.auth.kind == "oauth2":
                parsed(source.auth.token_url)
            if source.auth.kind in ("basic", "header", "query", "oauth2") and not source.auth.name:
                raise Misconfigured(
                    f"Logging in by {source.auth.kind} needs a name: {NAMES[source.auth.kind]}."
                )
            entry_of(source.auth.model_dump(), {"secret": "its own is checked when it is used"})
        if isinstance(source, ApiSource):
            if source.records:
                expression(source.records)
            paging_of(source.paging.model_dump(exclude_none=True))
    except Misconfigured as error:
        raise Refused(str(error), rule="source") from None


NAMES = {
    "basic": "the user",
    "header": "the header, like X-Api-Key",
    "query": "the parameter, like key",
    "oauth2": "the client's id",
}
"""What Login.name is for each way in."""


def _check_key(secret: dict[str, str]) -> None:
    if "private_key" in secret:
        from connectors.sources.sftp import private_key

        try:
            private_key(secret["private_key"], secret.get("secret", ""))
        except Misconfigured as error:
            raise Refused(str(error), rule="private_key") from None


def _server(source: dict[str, Any]) -> tuple[Any, ...]:
    """What credentials were entered for: the same server, way in and token server."""
    auth = source.get("auth") or {}
    if source["kind"] == "sftp":
        return "sftp", source["host"], source["port"]
    if source["kind"] in ("url", "api"):
        parts, token = urlsplit(source["url"]), urlsplit(auth.get("token_url") or "")
        return parts.scheme, parts.netloc.lower(), auth.get("kind"), token.scheme, token.netloc.lower()
    return (source["kind"],)
