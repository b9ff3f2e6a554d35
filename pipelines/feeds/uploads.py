"""Files sent in pieces: begun, continued where they broke off, finished into a run; whatever restarts in between."""

import fcntl
import hashlib
import io
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.sources.archive import archive, drop_drafts
from core.database import Database, UnitOfWork
from core.errors import Refused, Temporary, there_is
from core.settings import Settings
from models.suppliers import Feed, FeedRun
from models.uploads import Upload
from pipelines.feeds.land import receive

PIECE = 1024 * 1024
MOST_OPEN = 20
"""Uploads a feed may have under way: each may hold as many bytes as a file may have."""


class NewUpload(BaseModel):
    """`size` in bytes; with `sha256` (64 hex digits) the hub checks that what came is what was meant."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(max_length=1000)] = ""
    size: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")] | None = None


def begin(uow: UnitOfWork, settings: Settings, feed_id: int, asked: NewUpload) -> Upload:
    """Announces a file. Raises Refused where it is too large, or too many are under way."""
    feed = there_is(uow.session.get(Feed, feed_id, with_for_update={"key_share": True}), f"Feed {feed_id}")
    if asked.size > settings.upload_limit_mb * 1_000_000:
        raise Refused(
            f"The file has {asked.size:,} bytes; the most is {settings.upload_limit_mb:,} MB (ENTREPOT_UPLOAD_LIMIT_MB).",
            rule="too_large",
        )
    under_way = uow.session.query(Upload).filter_by(feed_id=feed.id, run_id=None).count()
    if under_way >= MOST_OPEN:
        raise Refused(
            f"{MOST_OPEN} uploads to this feed are under way: finish or drop one first.", rule="too_many"
        )
    upload = Upload(
        id=secrets.token_hex(16), feed_id=feed.id, name=own_name(asked.name), size=asked.size,
        sha256=asked.sha256.lower() if asked.sha256 else None, received=0,
    )  # fmt: skip
    uow.session.add(upload)
    uow.session.flush()
    uow.session.refresh(upload)
    return upload


def add(db: Database, settings: Settings, upload_id: str, offset: int, stream: BinaryIO) -> int:
    """Stores the bytes from `offset` on as they come, and returns how many are there now.

    Where the stream breaks off, what came is kept. Raises Refused ("wrong_state") where `offset` is not how many are
    there, or another piece is just being written, and ("too_large") where more comes than was announced.
    """
    with db.unit_of_work() as uow:
        upload = found(uow, upload_id)
        size, received, finished = upload.size, upload.received, upload.run_id is not None
    if finished:
        raise Refused("This upload is finished: there is nothing to add.", rule="wrong_state")
    path = place(settings, upload_id)
    with _alone(path) as file:
        there = os.fstat(file.fileno()).st_size
        if there < received:  # the file was lost, or a disk brought back from a backup: what is there counts
            received = _note(db, upload_id, received, there)
        if offset != received:
            raise Refused(
                f"{received:,} bytes of the file are there: go on from {received}.", rule="wrong_state"
            )
        file.truncate(received)  # of a piece that was cut off before it was noted
        file.seek(received)
        end = received
        try:
            while piece := stream.read(PIECE):
                if end + len(piece) > size:
                    raise Refused(
                        f"More comes than the {size:,} bytes that were announced.", rule="too_large"
                    )
                file.write(piece)
                end += len(piece)
        finally:
            file.flush()
            os.fsync(file.fileno())
            end = _note(db, upload_id, received, end)
    return end


def finish(db: Database, settings: Settings, upload_id: str) -> tuple[int, str]:
    """Makes the run of a file that is wholly there: its number and state. Again: the same run.

    Raises Refused where bytes are missing or the SHA-256 is another one; then the upload is begun anew.
    """
    with db.unit_of_work() as uow:
        upload = found(uow, upload_id)
        if upload.run_id is not None:
            return upload.run_id, uow.session.get_one(FeedRun, upload.run_id).state
        if upload.received < upload.size:
            raise Refused(
                f"{upload.received:,} of {upload.size:,} bytes are there: send the rest first.",
                rule="wrong_state",
            )
        uow.session.expunge_all()
    path = place(settings, upload_id)
    with _alone(path) as file:
        if upload.sha256 and hashlib.file_digest(file, "sha256").hexdigest() != upload.sha256:
            file.truncate(0)
            _note(db, upload_id, upload.received, 0)
            raise Refused(
                "What came is not the file that was meant: its SHA-256 differs. Send it anew, from its first byte.",
                rule="sha256",
            )
        landed = archive(path, settings.archive, upload.name)
        with db.unit_of_work() as uow:
            feed = uow.session.get_one(Feed, upload.feed_id)
            held = uow.session.get_one(Upload, upload_id, with_for_update=True)
            if held.run_id is None:
                held.run_id = receive(uow, feed, landed).id
            state = uow.session.get_one(FeedRun, held.run_id).state
            run_id = held.run_id
        path.unlink(missing_ok=True)
    return run_id, state


def drop(uow: UnitOfWork, settings: Settings, upload_id: str) -> None:
    """Gives an upload up; a run it became stays."""
    uow.session.delete(found(uow, upload_id))
    place(settings, upload_id).unlink(missing_ok=True)


def drop_stale(uow: UnitOfWork, settings: Settings, before: datetime) -> int:
    """Gives up what nobody has touched since `before`, and copies that a kill left half; how many uploads."""
    rows = uow.cursor().execute("DELETE FROM upload WHERE touched_at < %s RETURNING id", [before]).fetchall()
    for (upload_id,) in rows:
        place(settings, upload_id).unlink(missing_ok=True)
    drop_drafts(settings.archive, before.timestamp())
    return len(rows)


def found(uow: UnitOfWork, upload_id: str) -> Upload:
    """The upload. Raises Refused ("not_found")."""
    return there_is(uow.session.get(Upload, upload_id[:33]), "This upload")


def place(settings: Settings, upload_id: str) -> Path:
    """Where the bytes of an upload lie: beside the archive's files, so that every machine of the hub sees them."""
    return settings.archive / "uploads" / f"{upload_id}.part"


def own_name(name: str) -> str:
    """A sent file's own name without any folder or control character, at most 255 long."""
    plain = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1]).strip()
    return plain[-255:] or "file"


@contextmanager
def _alone(path: Path) -> Iterator[io.BufferedRandom]:
    """The open file, with nobody else writing it. Raises Refused where somebody is, Temporary where the disk fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(
                    "Another piece of this file is just being written: look how much is there, then go on.",
                    rule="wrong_state",
                ) from None
            yield file
    except OSError as error:
        raise Temporary(f"The upload cannot be written: {error.strerror or error}. Go on later.") from None


def _note(db: Database, upload_id: str, before: int, now: int) -> int:
    """Notes how many bytes are there; whoever noted something else meanwhile keeps the word."""
    with db.unit_of_work() as uow:
        rows = uow.cursor().execute(
            "UPDATE upload SET received = %s, touched_at = now() WHERE id = %s AND received = %s AND run_id IS NULL RETURNING received",
            [now, upload_id, before],
        )  # fmt: skip
        noted = rows.fetchone()
        return int(noted[0]) if noted else found(uow, upload_id).received
