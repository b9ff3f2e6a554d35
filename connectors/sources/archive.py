"""Received files are kept once each, under the hash of their bytes, so that every run can be done again."""

import hashlib
import io
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from connectors.base import LandedFile
from core.errors import Refused

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
    into.mkdir(parents=True, exist_ok=True)
    draft = into / f".incoming-{secrets.token_hex(8)}"
    digest, size = hashlib.sha256(), 0
    try:
        with draft.open("xb") as copy:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                copy.write(chunk)
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
