"""EDIFACT as a stream: each LIN group of a price catalogue becomes a row, its segments the columns."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from connectors.base import Dialect
from connectors.readers.detection import UNDECODABLE, encoding_of
from connectors.readers.edifact_segments import Segment, segments
from connectors.readers.frames import FRAME_CHARACTERS, FRAME_ROWS, MAX_COLUMNS, MAX_NAME, OUTER, frame, plain
from core.errors import Refused

READ = ("PRICAT", "PRODAT", "INVRPT")
"""Messages that list articles: prices and names, product facts, stock."""
# Level of the character repertoire -> Python codec (source: ISO 9735-1 annex A, service code list 0001). UNOA and
# UNOB are parts of ASCII: what goes beyond it is told by the bytes.
CODECS = {
    "UNOC": "iso8859-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5", "UNOF": "iso8859-7", "UNOG": "iso8859-3", "UNOH": "iso8859-4",
    "UNOI": "iso8859-6", "UNOJ": "iso8859-8", "UNOK": "iso8859-9", "UNOL": "iso8859-15", "UNOW": "utf-8", "UNOY": "utf-8",
}  # fmt: skip
_LEVEL = re.compile(rb"UNB.(UNO[A-Z])")
_UNQUALIFIED = {"LIN", "BGM", "ALI", "PAC", "PGI", "UNB", "UNH", "FTX", "HAN", "TOD"}
_OPENING, _CLOSING = ("UNH", "PGI"), ("UNT", "UNZ", "UNS", "CNT")
_LOOKED_AT = 1000  # records whose segments make the header


class EdifactReader:
    """FeedReader for EDIFACT (ISO 9735, UN/EDIFACT D.96A and D.01B PRICAT, EANCOM).

    A column is the segment, its qualifier, and the places of the element and component in it, both from 1:
    "LIN/3.1" is the article's number, "PRI+AAA/1.2" the amount of the price qualified AAA, "IMD+F/3.4" a free text.
    What stands before the LIN groups of a message (or of its PGI group) is a column of every record with "/" in
    front: "/CUX+2/1.2" is the currency, "/NAD+SU/2.1" the supplier. Segments of one qualifier that come several times
    are joined by U+001E, place by place.
    """

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of `file`. Raises Refused: `not_a_feed` for other messages, `no_records`, `too_long`."""
        with file.open("rb") as stream:
            level = _LEVEL.search(stream.read(4096))
        proved = encoding_of(file, encoding)
        declared = CODECS.get(level[1].decode()) if level else None
        name = proved.name if declared is None or (proved.certain and not proved.ascii) else declared
        dialect = Dialect("edifact", name, quote_char=None, record_path="LIN")
        names: dict[str, None] = {}
        for place, (_, cells, _) in enumerate(self._records(file, dialect)):
            names.update(dict.fromkeys(cells))
            if place >= _LOOKED_AT:
                break
        if not names:
            raise Refused(
                f"{file.name} has no LIN segment; an empty list changes nothing.", rule="no_records"
            )
        _check_width(file, names)
        return Dialect("edifact", name, quote_char=None, record_path="LIN", header=tuple(names))

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "LIN 3" (the third of the file) and `_fault`: "truncated" where a message does not end."""
        names = dict.fromkeys(dialect.header)
        rows: list[dict[str, str]] = []
        locators: list[str] = []
        faults: list[str] = []
        size = 0

        def whole() -> pd.DataFrame:
            _check_width(file, names)
            return frame(list(names), [[row.get(name) for row in rows] for name in names], locators, faults)

        for locator, cells, fault in self._records(file, dialect):
            rows.append(cells)
            locators.append(locator)
            faults.append(fault)
            names.update(dict.fromkeys(cells))
            size += sum(map(len, cells.values()))
            if len(rows) >= FRAME_ROWS or size > FRAME_CHARACTERS:
                yield whole()
                rows, locators, faults, size = [], [], [], 0
        if rows:
            yield whole()

    def _records(self, file: Path, dialect: Dialect) -> Iterator[tuple[str, dict[str, str], str]]:
        """(locator, column -> value, fault) of each LIN group."""
        number, inside = 0, False
        message, group = _Cells("/"), _Cells("/")  # before the LIN groups, and before those of a PGI group
        around: dict[str, str] = {}
        own: _Cells | None = None
        with file.open(encoding=dialect.encoding, errors=UNDECODABLE, newline="") as stream:
            for segment in segments(stream, file.name):
                tag = segment[0][0]
                if own is not None and (tag == "LIN" or tag in _OPENING or tag in _CLOSING):
                    yield f"LIN {number}", {**own.cells(), **around}, ""
                    own = None
                if tag == "LIN":
                    number += 1
                    own = _Cells("")
                    around = {**message.cells(), **group.cells()}
                elif tag == "UNH":
                    _check_message(file, segment)
                    inside, message, group = True, _Cells("/"), _Cells("/")
                elif tag == "PGI":
                    group = _Cells("/")
                elif tag in _CLOSING:
                    inside = inside and tag not in ("UNT", "UNZ")
                    continue
                if own is not None:
                    own.add(segment)
                elif inside and tag != "UNH":
                    (message if group.empty and tag != "PGI" else group).add(segment)
        if own is not None:
            yield f"LIN {number}", {**own.cells(), **around}, "truncated" if inside else ""


class _Cells:
    """The columns of some segments; those of one name and qualifier stay in step, place by place."""

    def __init__(self, before: str) -> None:
        self._before = before
        self._times: dict[str, int] = {}
        self._found: dict[str, list[str]] = {}

    @property
    def empty(self) -> bool:
        """Whether no segment was taken in."""
        return not self._times

    def add(self, segment: Segment) -> None:
        """Takes a segment in."""
        tag, elements = segment[0][0], segment[1:]
        qualifier = elements[0][0] if elements and tag not in _UNQUALIFIED else ""
        name = plain(f"{self._before}{tag}+{qualifier}" if qualifier else self._before + tag)[:MAX_NAME]
        times = self._times[name] = self._times.get(name, 0) + 1
        for place, element in enumerate(elements, start=1):
            for component, text in enumerate(element, start=1):
                if text:
                    values = self._found.setdefault(f"{name}/{place}.{component}", [])
                    values += [""] * (times - 1 - len(values))
                    values.append(text)

    def cells(self) -> dict[str, str]:
        """Column -> value."""
        return {name: OUTER.join(values) for name, values in self._found.items()}


def _check_message(file: Path, segment: Segment) -> None:
    kind = " ".join(segment[2][0].split())[:20] if len(segment) > 2 else ""
    if kind not in READ:
        raise Refused(
            f"{file.name} is the EDIFACT message {kind or 'without a type'}, not a price catalogue; send PRICAT.",
            rule="not_a_feed",
        )


def _check_width(file: Path, names: dict[str, None]) -> None:
    if len(names) > MAX_COLUMNS:
        raise Refused(
            f"{file.name} has over {MAX_COLUMNS} kinds of segments; {MAX_COLUMNS} at most are read.",
            rule="too_wide",
        )
