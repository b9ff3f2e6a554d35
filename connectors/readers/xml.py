"""XML as a stream: each repeating element becomes a row of text, its children columns; nothing is fetched or expanded."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree

from connectors.base import Dialect
from connectors.readers.frames import FRAME_ROWS, MAX_CELL, MAX_COLUMNS, frame
from connectors.readers.xml_columns import PREFIXES
from connectors.readers.xml_records import Records
from connectors.readers.xml_shape import SCANNED, Shape, late_paths, shape_of
from connectors.readers.xml_text import Mending, Utf8Stream, encoding_of_xml, refuse_unsafe
from core.errors import Refused

_LOOKED_AT = 1000  # records whose elements make the header
_LATE = 12  # paths that only a second look at a large file finds
_NS_ERROR, _MENDABLE = (
    201,
    {9, 26, 68, 81, 88},
)  # libxml2's parser/xmlerror.h: invalid char, undeclared entity, no name, no UTF-8, …
_UNDECLARED = re.compile(r"prefix (\S+) (?:on|for)")
T = TypeVar("T")
Block = tuple[int, dict[str, pa.Array], list[str], list[str]]
"""Rows, name -> values, locators, faults."""


class XmlReader:
    """FeedReader for XML. Columns are child paths ("PARAM/VAL", "g:shipping/g:price", "link/@href")."""

    def detect(self, file: Path, encoding: str | None = None, *, record_path: str | None = None) -> Dialect:
        """The dialect of `file`, its records at `record_path` (see RecordPath) where one is pinned.

        Raises Refused: `unsafe_xml`, `not_a_feed`, `not_well_formed`, `no_records`.
        """
        encoding = encoding_of_xml(file, encoding)
        refuse_unsafe(file, encoding)
        return self._at(file, encoding, record_path or self._shape(file, encoding).record_paths[0])

    def shapes(self, file: Path, encoding: str | None = None) -> Iterator[Dialect]:
        """The dialects in which the file could be read, each with other elements as records, the likeliest first."""
        encoding = encoding_of_xml(file, encoding)
        refuse_unsafe(file, encoding)
        shape = self._shape(file, encoding)
        for path in self._paths(file, encoding, shape):
            with suppress(Refused):
                yield self._at(file, encoding, path, limit=SCANNED)

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "item 3" and `_fault`; repeated values are joined by U+001F inside a parent
        and by U+001E between parents. Where the file ends too early, one last record is "truncated".

        Each name in `dialect.context` ("/BMECAT/HEADER/CATALOG/CURRENCY") is a column with the value that stands there.
        """
        names = dict.fromkeys(dialect.header)
        for rows, columns, locators, faults in self._blocks(file, dialect, FRAME_ROWS):
            names.update(dict.fromkeys(columns))
            _check_width(file, names)
            _check_cells(file, columns)
            nothing = pa.nulls(rows, pa.large_string())
            yield frame(list(names), [columns.get(name, nothing) for name in names], locators, faults)

    def _paths(self, file: Path, encoding: str, shape: Shape) -> Iterator[str]:
        """The paths its beginning shows, then those that only a look through a large file does."""
        yield from shape.record_paths
        if shape.whole:
            return
        late = self._parsed(file, encoding, late_paths)
        # What surrounds a known list of records would have to be held whole to be read as one record.
        yield from [
            path
            for path in late
            if path not in shape.record_paths
            and not any(known.startswith(f"{path}/") for known in shape.record_paths)
        ][:_LATE]

    def _at(self, file: Path, encoding: str, record_path: str, limit: int | None = None) -> Dialect:
        """The dialect with the columns of the first records at that path, no more than `limit` bytes of the file read."""
        dialect = Dialect("xml", encoding, quote_char=None, record_path=record_path)
        _, names, _, _ = next(self._blocks(file, dialect, _LOOKED_AT, limit), (0, {}, [], []))
        if not names:
            raise Refused(
                f"{file.name} has no records at {record_path}; an empty list changes nothing.",
                rule="no_records",
            )
        _check_width(file, names)
        return replace(dialect, header=tuple(names))

    def _shape(self, file: Path, encoding: str) -> Shape:
        shape = self._parsed(file, encoding, shape_of)
        if shape.root.lower() == "html":
            raise Refused(
                f"{file.name} is a web page, not a feed; check the address it was fetched from.",
                rule="not_a_feed",
            )
        if not shape.record_paths:
            raise Refused(
                f"{file.name} has no records below {shape.root}; an empty list changes nothing.",
                rule="no_records",
            )
        return shape

    def _parsed(self, file: Path, encoding: str, look: Callable[[Utf8Stream], T]) -> T:
        """What `look` finds, flaws the parser stops at mended."""
        mending = Mending()
        while True:
            stream = Utf8Stream(file, encoding, mending)
            try:
                return look(stream)
            except etree.XMLSyntaxError as error:
                if not _mend(mending, error):
                    raise Refused(
                        f"{file.name} is not well-formed XML: {' '.join((error.msg or '').split())[:200]}.",
                        rule="not_well_formed",
                    ) from None
            finally:
                stream.close()

    def _blocks(self, file: Path, dialect: Dialect, most: int, limit: int | None = None) -> Iterator[Block]:
        """At most `most` records at a time; flaws the parser stops at are mended, and the file read again up to there."""
        mending, done = Mending(), 0
        while True:
            stream = Utf8Stream(file, dialect.encoding, mending)
            records = Records(stream, dialect.record_path or "", file.name, dialect.context, limit)
            try:
                for rows, columns in records.blocks(most, done):
                    yield rows, columns, [f"item {done + row}" for row in range(1, rows + 1)], [""] * rows
                    done += rows
                return
            except etree.XMLSyntaxError as error:
                if _mend(mending, error):
                    continue
                rows, columns = records.rest()
                faults = [""] * (rows - 1) + ["truncated"]
                yield rows, columns, [f"item {done + row}" for row in range(1, rows + 1)], faults
                return
            finally:
                stream.close()


def _check_cells(file: Path, columns: Mapping[str, pa.Array]) -> None:
    """Raises Refused for a value over MAX_CELL."""
    for name, values in columns.items():
        long = values.filter(pc.greater(pc.binary_length(values), MAX_CELL))
        if len(long) and pc.max(pc.utf8_length(long)).as_py() > MAX_CELL:
            raise Refused(
                f"{file.name} has a value of over 1 MB in {name}; that is no catalogue field.",
                rule="too_long",
            )


def _check_width(file: Path, names: Iterable[str]) -> None:
    if len(list(names)) > MAX_COLUMNS:
        raise Refused(
            f"{file.name} has over {MAX_COLUMNS} kinds of elements; {MAX_COLUMNS} at most are read.",
            rule="too_wide",
        )


def _mend(mending: Mending, error: etree.XMLSyntaxError) -> bool:
    """Whether reading once more, mended, can get further than this error."""
    if (
        error.code == _NS_ERROR
        and (found := _UNDECLARED.search(error.msg or ""))
        and found[1] not in mending.prefixes
    ):
        known = {prefix: uri for uri, prefix in PREFIXES.items()}
        mending.prefixes[found[1]] = known.get(found[1], f"undeclared:{found[1]}")
        return len(mending.prefixes) <= 20
    flawed = error.code in _MENDABLE or any(entry.type in _MENDABLE for entry in error.error_log)
    if flawed and not mending.characters:
        mending.characters = True
        return True
    return False
