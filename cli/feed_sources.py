"""`entrepot feed`: the options that say where files come from, credentials that never stand in a command line, and `test`."""

import os
import sys
from dataclasses import asdict
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import typer

from cli.output import AsJson, hub, show
from core.database import UnitOfWork
from core.errors import Refused
from core.settings import load
from models.suppliers import Feed, find_feed
from pipelines.feeds.sources import SourceChange, described_source, pin, set_source, try_source
from pipelines.making import asked_for

Url = Annotated[str | None, typer.Option(help="Files come from this address: https://files.example/list.csv")]
Api = Annotated[str | None, typer.Option(help="Records come from this paged JSON API.")]
Sftp = Annotated[
    str | None,
    typer.Option(help="The newest file of an SFTP folder: 'sftp://user@host:22/folder/*.csv'"),
]
Auth = Annotated[
    str | None,
    typer.Option(
        help="How to log in: none, basic, header, query, bearer or oauth2; with the name of the user, header, parameter or client after a colon: basic:nord"
    ),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="Another option of the source, repeatable: records=items, paging.kind=page, paging.param=page, auth.token_url=…, after=move, ca_file=…",
    ),
]
Cron = Annotated[
    str | None,
    typer.Option(
        help="When to look, in UTC: '30 4 * * 1-5'. Where nothing is said: each minute for a folder, else each quarter of an hour."
    ),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(help="A file with the password, key or token; - reads standard input.", allow_dash=True),
]
AskSecret = Annotated[
    bool,
    typer.Option(
        "--ask-secret",
        help="Ask for the password, key or token here. (ENTREPOT_FEED_SECRET in the environment does as well.)",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(help="A file with the private key for SFTP; its passphrase is the secret.", allow_dash=True),
]


def folder_of(text: str | None) -> Path | None:
    """A drop folder as the option names it. Raises Refused where there is none."""
    if text is None:
        return None
    folder = Path(text).resolve()
    try:
        there = bool(text.strip()) and folder.is_dir()
    except OSError:  # a name that no file system takes
        there = False
    if not there:
        raise Refused(f"{text[:200]!r} is not a folder on the hub's machine: make it first.", rule="folder")
    return folder


def store_source(
    uow: UnitOfWork,
    feed: Feed,
    *,
    folder: Path | None = None,
    url: str | None = None,
    api: str | None = None,
    sftp: str | None = None,
    auth: str | None = None,
    options: list[str] | None = None,
    cron: str | None = None,
    secret_file: Path | None = None,
    ask_secret: bool = False,
    key_file: Path | None = None,
) -> None:
    """Stores what was given of a source. Raises Refused where it contradicts itself."""
    if sum(place is not None for place in (folder, url, api, sftp)) > 1:
        raise Refused("A feed has one source: give one of --folder, --url, --api and --sftp.", rule="usage")
    wish: dict[str, Any] = {"cron": cron} if cron is not None else {}
    source = wished(feed.source, folder=folder, url=url, api=api, sftp=sftp, auth=auth, options=options or [])
    if source != feed.source:
        wish["source"] = source
    secret = secret_given(secret_file, ask_secret)
    key = _read(key_file) if key_file else None
    if secret or key:
        wish["secret"] = {"secret": secret, "private_key": key}
    if wish:
        set_source(uow, load(), feed.id, asked_for(SourceChange, wish))


def wished(
    present: dict[str, Any],
    *,
    folder: Path | None,
    url: str | None,
    api: str | None,
    sftp: str | None,
    auth: str | None,
    options: list[str],
) -> dict[str, Any]:
    """The source as the options describe it, on top of the present one where they name no other kind."""
    if folder is not None:
        made: dict[str, Any] = {"kind": "folder", "path": str(folder.resolve())}
    elif sftp is not None:
        made = {**_kept(present, "sftp"), **_sftp(sftp)}
    elif url is not None or api is not None:
        kind = "url" if url is not None else "api"
        made = {**_kept(present, kind), "kind": kind, "url": url or api}
    else:
        made = {name: dict(value) if isinstance(value, dict) else value for name, value in present.items()}
    if auth is not None:
        kind, _, name = auth.partition(":")
        made["auth"] = {**(made.get("auth") or {}), "kind": kind, "name": name}
    for option in options:
        path, sign, value = option.partition("=")
        if not sign:
            raise Refused(f"{option!r} is no option of a source: write NAME=VALUE.", rule="usage")
        at = made
        *above, last = path.strip().split(".")
        for name in above:
            at[name] = at = dict(at.get(name) or {})
        at[last] = value
    return made


def secret_given(file: Path | None, ask: bool) -> str | None:
    """The secret from a file, standard input, a prompt or the environment; never from the command line."""
    if file is not None:
        return _read(file).strip()
    if ask:
        return getpass("Password, key or token: ")
    return os.environ.get("ENTREPOT_FEED_SECRET") or None


def test(
    feed: Annotated[str, typer.Argument(help="The feed's name or number.")],
    pin_key: Annotated[
        str | None,
        typer.Option(
            "--pin",
            help="The SFTP server's fingerprint, once you have compared it with what the supplier told you.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Connects to the feed's source and says what is there, without landing it. Exit 1 or 2 where it cannot be used."""
    with hub() as db:
        with db.unit_of_work() as uow:
            feed_id = find_feed(uow.session, feed).id
            if pin_key:
                pin(uow, feed_id, pin_key)
        facts = try_source(db, load(), feed_id)
    show({"feed": feed_id, **{name: value for name, value in asdict(facts).items() if value}}, as_json)


def source(
    feed: Annotated[str, typer.Argument(help="The feed's name or number.")],
    as_json: AsJson = False,
) -> None:
    """Where a feed's files come from, when it is looked, and how the last look went."""
    with hub() as db, db.unit_of_work() as uow:
        found = find_feed(uow.session, feed)
        answer = {"feed": found.id, "name": found.name, **described_source(found)}
    show(answer, as_json)


def _kept(present: dict[str, Any], kind: str) -> dict[str, Any]:
    """The present source's options, where it is of the same kind already."""
    return dict(present) if present.get("kind") == kind else {}


def _sftp(text: str) -> dict[str, Any]:
    """ "sftp://user@host:22/folder/*.csv" as options. Raises Refused where it is no such address, or has a password."""
    parts = urlsplit(text)
    try:
        port = parts.port or 22
    except ValueError:
        port = 0
    if parts.scheme != "sftp" or not parts.hostname or not parts.username or not port:
        raise Refused(
            f"{text.partition('@')[2] or text!r} is no SFTP address: write sftp://user@host/folder/*.csv.",
            rule="usage",
        )
    if parts.password:
        raise Refused("A password does not belong into the address: give it by --secret-file.", rule="usage")
    folder, _, pattern = unquote(parts.path + (f"?{parts.query}" if parts.query else "")).rpartition("/")
    return {
        "kind": "sftp", "host": parts.hostname, "port": port, "user": unquote(parts.username),
        "path": folder or ".", "pattern": pattern or "*",
    }  # fmt: skip


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read: {error}.", rule="file") from None
