"""XML as a stream: each repeating element becomes a row of text, its children columns; nothing is fetched or expanded."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
from lxml import etree

from connectors.base import Dialect
from connectors.readers.frames import FRAME_CHARACTERS, FRAME_ROWS, MAX_COLUMNS, frame
from connectors.readers.xml_records import PREFIXES, Cells, Records
from connectors.readers.xml_shape import Shape, shape_of
from connectors.readers.xml_text import Mending, Utf8Stream, encoding_of_xml, refuse_unsafe
from core.errors import Refused

_LOOKED_AT = 1000  # records whose elements make the header
_NS_ERROR, _MENDABLE = (
    201,
    {9, 26, 68, 88},
)  # libxml2's parser/xmlerror.h: invalid char, undeclared entity, no name …
_UNDECLARED = re.compile(r"prefix (\S+) (?:on|for)")


class XmlReader:
    """FeedReader for XML. Columns are child paths ("PARAM/VAL", "g:shipping/g:price", "link/@href")."""

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of `file`. Raises Refused: `unsafe_xml`, `not_a_feed`, `not_well_formed`, `no_records`."""
        encoding = encoding_of_xml(file, encoding)
        refuse_unsafe(file, encoding)
        shape = self._shape(file, encoding)
        dialect = Dialect("xml", encoding, quote_char=None, record_path=shape.record_path)
        names: dict[str, None] = {}
        for _, cells, _ in islice(self._records(file, dialect), _LOOKED_AT):
            names.update(dict.fromkeys(cells))
        if not names:
            raise Refused(
                f"{file.name} has no records below {shape.root}; an empty list changes nothing.",
                rule="no_records",
            )
        _check_width(file, names)
        return Dialect("xml", encoding, quote_char=None, header=tuple(names), record_path=shape.record_path)

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "item 3" and `_fault`; repeated values are joined by U+001F inside a parent
        and by U+001E between parents. Where the file ends too early, one last record is "truncated"."""
        records = self._records(file, dialect)
        while True:
            rows: list[Cells] = []
            locators: list[str] = []
            faults: list[str] = []
            names = dict.fromkeys(dialect.header)
            size = 0
            for locator, cells, fault in islice(records, FRAME_ROWS):
                rows.append(cells)
                locators.append(locator)
                faults.append(fault)
                if not cells.keys() <= names.keys():
                    names.update(dict.fromkeys(cells))
                    _check_width(file, names)
                size += len(names) + sum(map(len, cells.values()))
                if size > FRAME_CHARACTERS:
                    break
            if not rows:
                return
            columns = [[cells.get(name) for cells in rows] for name in names]
            yield frame(list(names), columns, locators, faults)

    def _shape(self, file: Path, encoding: str) -> Shape:
        mending = Mending()
        while True:
            stream = Utf8Stream(file, encoding, mending)
            try:
                shape = shape_of(stream)
            except etree.XMLSyntaxError as error:
                if _mend(mending, error):
                    continue
                raise Refused(
                    f"{file.name} is not well-formed XML: {error.msg}.", rule="not_well_formed"
                ) from None
            finally:
                stream.close()
            if shape.root.lower() == "html":
                raise Refused(
                    f"{file.name} is a web page, not a feed; check the address it was fetched from.",
                    rule="not_a_feed",
                )
            if not shape.record_path:
                raise Refused(
                    f"{file.name} has no records below {shape.root}; an empty list changes nothing.",
                    rule="no_records",
                )
            return shape

    def _records(self, file: Path, dialect: Dialect) -> Iterator[tuple[str, Cells, str]]:
        """(locator, column -> per parent -> values, fault) of each record; flaws the parser stops at are mended."""
        mending, done = Mending(), 0
        while True:
            stream = Utf8Stream(file, dialect.encoding, mending)
            parser = Records(stream, (dialect.record_path or "").split("/"), file.name)
            try:
                for cells in islice(parser, done, None):
                    done += 1
                    yield f"item {done}", cells, ""
                return
            except etree.XMLSyntaxError as error:
                if _mend(mending, error):
                    continue
                yield f"item {done + 1}", parser.unfinished(), "truncated"
                return
            finally:
                stream.close()


def _check_width(file: Path, names: dict[str, None]) -> None:
    if len(names) > MAX_COLUMNS:
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
