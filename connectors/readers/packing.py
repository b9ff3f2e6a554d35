"""Files as they are sent, packed or not, become one list to read: archives are unpacked within limits, never trusted."""

import bz2
import gzip
import lzma
import re
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pandas as pd

from connectors.base import Dialect, FeedReader, TreeReader
from connectors.readers.detection import ARCHIVES, WORKBOOKS, ZIP, format_of
from connectors.readers.frames import LOCATOR, joined, listed, unique_names
from connectors.readers.packing_zip import FREE_BYTES, MAX_RATIO, check_safe, opened
from connectors.readers.sheets import SheetReader
from connectors.registry import READERS
from core.errors import Refused

MAX_UNPACKED = 8 << 30
"""Bytes of all that is unpacked from one archive."""
_PIECE = 1 << 18
_PREFIX = "entrepot-feed-"
FORGOTTEN_SECONDS = 24 * 3600
_OPENERS: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
_BROKEN = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
           NotImplementedError, ValueError)  # fmt: skip
_NO_FEED = re.compile(
    r"\.(jpe?g|png|gif|webp|bmp|tiff?|svg|ico|pdf|docx?|mp4|mov|avi|exe|dll|html?|md|log|xsd|dtd|xslt?|css|js|sig|asc"
    r"|md5|sha\d+)$|^(\.|~\$|readme|liesmich|licen[sc]e)|^(thumbs\.db|desktop\.ini)$",
    re.I,
)
_BESIDE = frozenset(("not_a_feed", "not_a_table", "no_records", "empty_file", "unsupported_format"))
"""Why a member is no feed at all, and may lie beside one."""
_NESTED = re.compile(r"\.(zip|gz|bz2|xz|7z|rar|tar|tgz|zst|lz4|jar)$", re.I)


@dataclass
class _Member:
    """A feed inside an archive: its name there, where it lies now, and how it is read."""

    name: str
    file: Path
    reader: FeedReader
    dialect: Dialect


class FileReader:
    """FeedReader for any file: finds its format, unpacks it where it is an archive, and has it read.

    `pinned` is the dialect of the feed's mapping: its `sheet` and `member` are kept where they are there. `notices`
    are sentences about what else was in the file; `detect` fills them. What was unpacked is removed when the reader
    is no longer in use.
    """

    def __init__(self, pinned: Mapping[str, Any] | None = None) -> None:
        self.notices: list[str] = []
        self._pinned = pinned or {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._members: list[_Member] = []

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of the feed, `format` being that of the file inside an archive.

        `member` is its name where the archive holds other feeds as well. Raises Refused where there is no feed.
        """
        kind = format_of(file)
        if kind not in ARCHIVES:
            self._members = [self._member(file.name, file, kind, encoding)]
        else:
            _sweep()
            self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
            folder = Path(self._folder.name)
            with ExitStack() as refused:
                refused.callback(self._folder.cleanup)
                many = self._zipped(file, folder, encoding) if kind == ZIP else None
                self._members = many or [self._single(file, folder, kind, encoding)]
                refused.pop_all()
        for member in self._members:
            self.notices += getattr(member.reader, "notices", [])
        return self._members[0].dialect

    def shapes(self) -> Iterator[Dialect]:
        """The dialects in which the feed could be read, each with other objects as its records, the likeliest first.

        Each is looked for only when it is asked for: a large file is not read again for what nobody needs.
        """
        member = self._members[0]
        yield member.dialect
        if isinstance(member.reader, TreeReader):
            for other in member.reader.shapes(member.file, member.dialect.encoding):
                if other.record_path != member.dialect.record_path:
                    yield other

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """All frames; where several members are read as one list, each locator begins with the member's name."""
        if not self._members:
            self.detect(file, dialect.encoding)
        if len(self._members) == 1:
            yield from self._members[0].reader.frames(self._members[0].file, dialect)
        else:
            yield from joined(self._parts(dialect))

    def _parts(self, dialect: Dialect) -> Iterator[pd.DataFrame]:
        short = [PurePosixPath(member.name).name for member in self._members]
        places = [
            name if short.count(name) == 1 else member.name
            for member, name in zip(self._members, short, strict=True)
        ]
        for member, place in zip(self._members, unique_names(places), strict=True):
            own = replace(
                member.dialect,
                record_path=dialect.record_path,
                escape_char=dialect.escape_char,
                context=dialect.context,
            )
            for frame in member.reader.frames(member.file, own):
                yield frame.assign(**{LOCATOR: place + " " + frame[LOCATOR]})

    def _member(self, name: str, file: Path, kind: str, encoding: str | None) -> _Member:
        reader = SheetReader(self._pinned.get("sheet")) if kind in WORKBOOKS else READERS[kind]()
        return _Member(name, file, reader, self._dialect(reader, file, kind, encoding))

    def _dialect(self, reader: FeedReader, file: Path, kind: str, encoding: str | None) -> Dialect:
        """The file's dialect, its records at the pinned path where they still are there."""
        if isinstance(reader, TreeReader) and self._pinned.get("recordPath"):
            with suppress(Refused):
                return reader.detect(file, encoding, record_path=self._pinned["recordPath"])
        return reader.detect(file, encoding)

    def _single(self, file: Path, folder: Path, kind: str, encoding: str | None) -> _Member:
        """The one file inside gz, bz2 or xz, under its own name without the ending."""
        name = file.name
        into = folder / (name[: -len(kind) - 1] if name.lower().endswith(f".{kind}") else name)
        budget = _Budget(file)
        try:
            with _OPENERS[kind](file, "rb") as stream:
                _copy(stream, into, budget)
        except _BROKEN as error:
            raise _damaged(file, error) from None
        return self._member(into.name, into, _unnested(file, format_of(into)), encoding)

    def _zipped(self, file: Path, folder: Path, encoding: str | None) -> list[_Member]:
        """The members to read: of several different feeds the largest, of parts with one header all of them.

        A member that is a feed and broken refuses the whole: a list with a part missing would withdraw what is in it.
        """
        found: list[_Member] = []
        problems: list[tuple[str, str]] = []  # rule, sentence
        nested: list[str] = []
        for name, inner in _unpacked(file, folder):
            if _NESTED.search(name):
                nested.append(name)
                continue
            try:
                kind = format_of(inner)
                if kind in ARCHIVES:
                    nested.append(name)
                else:
                    found.append(self._member(name, inner, kind, encoding))
            except Refused as problem:
                if problem.rule not in _BESIDE:
                    raise Refused(f"In {file.name}: {problem}", rule=problem.rule) from None
                problems.append((problem.rule, str(problem)))
        if not found:
            raise _no_feed(file, problems, nested)
        if nested:
            self.notices.append(f"Not opened: {listed(nested)}, being archives inside the archive.")
        return self._selected(found)

    def _selected(self, found: list[_Member]) -> list[_Member]:
        kinds: dict[tuple[Any, ...], list[_Member]] = {}
        for member in found:
            kinds.setdefault(_likeness(member.dialect), []).append(member)
        wanted = [member for member in found if member.name == self._pinned.get("member")]
        read = wanted or max(kinds.values(), key=lambda many: sum(one.file.stat().st_size for one in many))
        others = [member.name for member in found if member not in read]
        if not others:
            return read
        if len(read) == 1:
            read[0].dialect = replace(read[0].dialect, member=read[0].name)
        self.notices.append(
            f"Read: {listed([member.name for member in read])}. Not read: {listed(others)}; "
            "name another file of the archive in the mapping (dialect.member) to read that one."
        )
        return read


class _Budget:
    """How much may still come out of an archive: so many bytes, and so many times its own size."""

    def __init__(self, file: Path) -> None:
        self._name, self._size = file.name, file.stat().st_size
        self._spent = 0

    def spend(self, size: int) -> None:
        """Raises Refused where the archive unpacks to more than it may."""
        self._spent += size
        if self._spent > MAX_UNPACKED or (
            self._spent > FREE_BYTES // 16 and self._spent > MAX_RATIO * self._size
        ):
            raise Refused(
                f"{self._name} unpacks to over {self._spent >> 20} MB from {self._size:,} bytes; that is no feed, "
                "nothing of it was read.",
                rule="archive_unsafe",
            )


def _unpacked(file: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """(name, where it lies now) of every member that may be a feed."""
    budget = _Budget(file)
    with opened(file) as archive:
        check_safe(file, archive)
        for place, member in enumerate(archive.infolist()):
            if member.is_dir() or _is_ignored(member.filename):
                continue
            into = folder / str(place)
            into.mkdir()
            into /= PurePosixPath(member.filename.replace("\\", "/")).name[-100:]
            try:
                with archive.open(member) as stream:
                    _copy(stream, into, budget)
            except _BROKEN as error:
                raise _damaged(file, error) from None
            yield member.filename, into


def _copy(stream: IO[bytes], into: Path, budget: _Budget) -> None:
    with into.open("xb") as out:
        while piece := stream.read(_PIECE):
            budget.spend(len(piece))
            out.write(piece)


def _is_ignored(name: str) -> bool:
    """Pictures, readme files and what operating systems add are no feeds."""
    path = PurePosixPath(name.replace("\\", "/"))
    return "__MACOSX" in path.parts or _NO_FEED.search(path.name) is not None


def _likeness(dialect: Dialect) -> tuple[Any, ...]:
    """What two members share when they are parts of one list."""
    if dialect.format in ("csv", *WORKBOOKS):
        return (dialect.format, *sorted(dialect.header))
    return dialect.format, dialect.record_path


def _unnested(file: Path, kind: str) -> str:
    if kind in ARCHIVES:
        raise Refused(
            f"{file.name} is an archive inside an archive; pack the feed only once.", rule="archive_unsafe"
        )
    return kind


def _no_feed(file: Path, problems: list[tuple[str, str]], nested: list[str]) -> Refused:
    if nested:
        return Refused(
            f"{file.name} is an archive inside an archive; pack the feed only once.", rule="archive_unsafe"
        )
    if len(problems) == 1:
        return Refused(f"In {file.name}: {problems[0][1]}", rule=problems[0][0])
    return Refused(
        f"{file.name} holds no file that is a feed; put the CSV, XML or workbook in it.", rule="not_a_feed"
    )


def _damaged(file: Path, error: BaseException) -> Refused:
    broken = isinstance(error, EOFError)
    told = (
        "breaks off in the middle"
        if broken
        else f"is a damaged archive ({' '.join(str(error).split())[:100]})"
    )
    return Refused(f"{file.name} {told}; send it again.", rule="truncated" if broken else "archive_damaged")


def _sweep() -> None:
    """Removes what readers that were killed left behind: it is a day old."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > FORGOTTEN_SECONDS:
                shutil.rmtree(folder)
