"""JSON and JSON lines as a stream: each repeating object becomes a row of text, its paths columns."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd

from connectors.base import Dialect
from connectors.readers.detection import UNDECODABLE, encoding_of
from connectors.readers.frames import FRAME_CHARACTERS, FRAME_ROWS, MAX_COLUMNS, frame
from connectors.readers.json_records import Cells, inside, records, steps_of
from connectors.readers.json_shape import record_paths_of
from connectors.readers.json_text import MAX_VALUE, Broken, Cursor, decoded
from core.errors import Refused

_LOOKED_AT = 1000  # records whose paths make the header
_SAMPLE_CHARACTERS = 16 << 20
Placed = tuple[str, Cells, str]  # locator, cells, fault


class JsonReader:
    """FeedReader for JSON. Columns are paths inside a record ("brand/name", "variants/price"), "../" what is around it.

    `record_path` names the lists and objects to go through ("products", "products[].variants[]", "*" for objects
    keyed by their id, "@" for one record alone): the path part of JMESPath, so that large files can be streamed;
    its filters and functions are not read here, `records.where` of the mapping does that.
    """

    format = "json"

    def detect(self, file: Path, encoding: str | None = None, *, record_path: str | None = None) -> Dialect:
        """The dialect of `file`, its records at `record_path` where one is pinned.

        Raises Refused: `not_well_formed`, `no_records`, `too_wide`.
        """
        if record_path is not None:
            return self._at(file, encoding_of(file, encoding).name, record_path)
        return next(self.shapes(file, encoding, most=1))

    def shapes(self, file: Path, encoding: str | None = None, most: int = 4) -> Iterator[Dialect]:
        """The dialects in which the file could be read, each with other objects as records, the likeliest first.

        What the objects are called is no business of a reader: the mapping chooses among these.
        """
        encoding = encoding_of(file, encoding).name
        with file.open(encoding=encoding, errors=UNDECODABLE, newline="") as stream:
            paths = record_paths_of(self._sample(stream.read(_SAMPLE_CHARACTERS)))
        if not paths:
            raise Refused(
                f"{file.name} has no records: there is no object with fields in it; an empty list changes nothing.",
                rule="no_records",
            )
        yield from (self._at(file, encoding, path) for path in paths[:most])

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "item 3" (JSON lines: "line 7") and `_fault`.

        Lists of plain values are joined by U+001F, values of repeated objects by U+001E. A record that is no JSON
        is "not_well_formed", one with a value over MAX_CELL "too_long", the one at which the file ends "truncated".
        """
        found = self._records(file, dialect)
        while True:
            rows: list[Cells] = []
            locators: list[str] = []
            faults: list[str] = []
            names = dict.fromkeys(dialect.header)
            size = 0
            for locator, cells, fault in islice(found, FRAME_ROWS):
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

    def _at(self, file: Path, encoding: str, path: str) -> Dialect:
        """The dialect with the records at `path`. Raises Refused as `detect` does."""
        dialect = Dialect(self.format, encoding, quote_char=None, record_path=path)
        names: dict[str, None] = {}
        whole = False
        for _, cells, fault in islice(self._records(file, dialect), _LOOKED_AT):
            whole |= not fault
            names.update(dict.fromkeys(cells))
            _check_width(file, names)
        if not names or not whole:
            raise Refused(
                f"{file.name} is not well-formed JSON: no record can be read at {path}; write it with a JSON library.",
                rule="not_well_formed",
            )
        return Dialect(self.format, encoding, quote_char=None, header=tuple(names), record_path=path)

    def _sample(self, text: str) -> str:
        return text

    def _records(self, file: Path, dialect: Dialect) -> Iterator[Placed]:
        cursor = Cursor(file, dialect.encoding)
        try:
            for number, (cells, fault) in enumerate(records(cursor, steps_of(dialect.record_path)), start=1):
                yield f"item {number}", cells, fault
        finally:
            cursor.close()


class JsonLinesReader(JsonReader):
    """FeedReader for JSON lines: every line is a value of its own, a broken one harms no other."""

    format = "jsonl"

    def _sample(self, text: str) -> str:
        return "[" + text.lstrip("\ufeff") + "]"

    def _records(self, file: Path, dialect: Dialect) -> Iterator[Placed]:
        steps = steps_of(dialect.record_path)
        with file.open(encoding=dialect.encoding, errors=UNDECODABLE) as stream:
            number = 0
            while line := stream.readline(MAX_VALUE):
                number += 1
                if not line.strip("\ufeff\0 \t\r\n,[]"):
                    continue
                if len(line) >= MAX_VALUE and not line.endswith("\n"):
                    raise Refused(
                        f"{file.name} line {number} is over 32 MB; that is no record.", rule="too_long"
                    )
                yield from _of_line(line, number, steps)


def _of_line(line: str, number: int, steps: list[str]) -> Iterator[Placed]:
    """The records of one line: usually one."""
    try:
        value = decoded(line.rstrip().rstrip(","))
    except Broken as broken:
        yield f"line {number}", {}, broken.rule if not line.endswith("\n") else "not_well_formed"
        return
    found = list(inside(value, steps))
    for place, (cells, fault) in enumerate(found, start=1):
        yield f"line {number}" if len(found) == 1 else f"line {number} item {place}", cells, fault


def _check_width(file: Path, names: dict[str, None]) -> None:
    if len(names) > MAX_COLUMNS:
        raise Refused(
            f"{file.name} has over {MAX_COLUMNS} kinds of fields; {MAX_COLUMNS} at most are read.",
            rule="too_wide",
        )
