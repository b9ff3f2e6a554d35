"""Received files are kept once each, under the hash of their bytes, so that every run can be done again."""

import hashlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from connectors.base import LandedFile
from core.errors import Misconfigured, Refused, Temporary

CHUNK = 1024 * 1024


def archived(into: Path, sha256: str) -> Path:
    """Where a file with this SHA-256 (hex) lies in the archive `into`: `into/ab/abcd….bin`."""
    return into / sha256[:2] / f"{sha256}.bin"


def archive(file: Path, into: Path, name: str | None = None) -> LandedFile:
    """Copies `file` into the archive; `name` is what its sender called it, by default the file's own name.

    The copy appears whole or not at all; a file that is there already is not written again. Raises Refused where
    `file` is no regular file or cannot be read.
    """
    try:
        with open_regular(file.resolve()) as source:
            return archive_stream(source, into, name or file.name)
    except OSError as error:
        raise Refused(f"{file} cannot be taken in: {error.strerror or error}.", rule="unreadable") from None


def archive_stream(source: BinaryIO, into: Path, name: str) -> LandedFile:
    """As `archive`, from an open binary stream read to its end. Raises OSError where the archive cannot be written."""
    return archive_pieces(iter(lambda: source.read(CHUNK), b""), into, name)


def archive_pieces(pieces: Iterable[bytes], into: Path, name: str) -> LandedFile:
    """As `archive_stream`, from pieces as they come: whatever they raise goes on, and nothing of them is kept."""
    into.mkdir(parents=True, exist_ok=True)
    draft = into / f".incoming-{secrets.token_hex(8)}"
    digest, size = hashlib.sha256(), 0
    try:
        with draft.open("xb") as copy:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        path = archived(into, digest.hexdigest())
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            draft.replace(path)
            _keep(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    return LandedFile(path=path, name=name, bytes=size, sha256=digest.hexdigest())


def drop_drafts(into: Path, before: float) -> int:
    """Removes copies that a kill left unfinished, last written before `before` (seconds since 1970); how many."""
    old = [draft for draft in into.glob(".incoming-*") if draft.stat().st_mtime < before]
    for draft in old:
        draft.unlink(missing_ok=True)
    return len(old)


def archive_fetched(
    pieces: Iterable[bytes], into: Path, name: str, limit: int, as_of: datetime | None = None
) -> LandedFile:
    """As `archive_pieces`, for a source of another machine; `limit` in bytes.

    Raises Misconfigured where more comes, Temporary where the archive cannot be written.
    """
    try:
        return replace(archive_pieces(_limited(pieces, limit, name), into, name), as_of=as_of)
    except OSError as error:
        raise Temporary(f"The archive {into} cannot be written: {error.strerror or error}.") from None


def _limited(pieces: Iterable[bytes], limit: int, name: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise Misconfigured(
                f"{name} is larger than {limit / 1e6:,.0f} MB, the most that is taken. Ask for a smaller list, or have "
                "the operator raise ENTREPOT_UPLOAD_LIMIT_MB."
            )
        yield piece


def open_regular(file: Path) -> io.BufferedReader:
    """Opens a regular file for reading. Raises OSError for links, pipes, devices and folders, without waiting."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    stream = os.fdopen(descriptor, "rb")
    if not os.path.isfile(descriptor):  # noqa: PTH113 - the open file itself, not whatever bears its name by now
        stream.close()
        raise OSError("it is not a regular file")
    return stream


def _keep(folder: Path) -> None:
    """A new name survives a power cut only when its folder was written as well."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
