"""CSV in any dialect and encoding: every row comes out, split and with its place, or with the rule it breaks."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd

from connectors.base import Dialect
from connectors.readers.csv_dialect import Rows, parse, reader, shape_of, usual_width
from connectors.readers.detection import SAMPLE_BYTES, UNDECODABLE, decode_sample, encoding_of
from connectors.readers.frames import FRAME_CHARACTERS, FRAME_ROWS, MAX_CELL, MAX_COLUMNS, frame, unique_names
from core.errors import Refused

MAX_LINE = 16 << 20  # characters; a longer one is no table
_END = "\0end of file"  # a line of our own behind the last one: only a quote that is never closed swallows it
_PROBED_LINES = 300  # behind an open quote, to find where rows begin again
_SHOWN = 10_000  # characters kept of a row that has no end
_MAX_MENDED = 100  # open quotes of one file; after that the rest counts as truncated


class CsvReader:
    """FeedReader for delimited text (CSV, TSV, pipe)."""

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of `file`. Raises Refused: `not_a_table`, `no_records`, `too_wide`, `too_long`."""
        encoding = encoding_of(file, encoding).name
        text, whole = _sample(file, encoding)
        shape = shape_of(text, whole=whole)
        if shape is None:
            raise Refused(
                f"{file.name} has no columns: none of comma, semicolon, tab and | separates its rows; "
                "save it as CSV with a header row.",
                rule="not_a_table",
            )
        if len(shape.header) > MAX_COLUMNS:
            raise Refused(
                f"{file.name} has {len(shape.header)} columns; {MAX_COLUMNS} at most are read.",
                rule="too_wide",
            )
        dialect = Dialect(
            "csv",
            encoding,
            shape.delimiter,
            shape.quote_char,
            shape.header_row,
            tuple(unique_names(list(shape.header))),
            escape_char=shape.escape_char,
        )
        if next(_rows(file, dialect), None) is None:
            raise Refused(
                f"{file.name} has a header but no records; an empty list changes nothing.", rule="no_records"
            )
        return dialect

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "row 12" (as a spreadsheet counts) and `_fault`.

        A row too short or too long is "ragged_row", bytes that are no text "undecodable", a value over MAX_CELL
        "too_long", a row whose quote is never closed or at which the file breaks off "truncated"; what is there of
        it stands in its first columns.
        """
        rows = _rows(file, dialect)
        while True:
            cells: Rows = []
            locators: list[str] = []
            faults: list[str] = []
            size = 0
            for number, row, fault in islice(rows, FRAME_ROWS):
                cells.append(row)
                locators.append(f"row {number}")
                faults.append(fault)
                size += len(row) + sum(map(len, row))
                if size > FRAME_CHARACTERS:
                    break
            if not cells:
                return
            columns: list[list[str | None]] = [list(column) for column in zip(*cells, strict=True)]
            yield frame(list(dialect.header), columns, locators, faults)


def _rows(file: Path, dialect: Dialect) -> Iterator[tuple[int, list[str], str]]:
    """(row number from 1, as many cells as the header, fault) of each row that is not blank."""
    width = len(dialect.header)
    usual = _usual_width(file, dialect)
    number = line = mended = 0  # rows and physical lines that are behind us
    while True:
        csv.field_size_limit(MAX_CELL)
        lines = _Lines(file, dialect.encoding, line)
        rows = reader(lines, dialect.delimiter or ",", dialect.quote_char, dialect.escape_char)
        last: tuple[int, list[str], str] | None = (
            None  # a ragged row waits: it may be where the file breaks off
        )
        while True:
            before = rows.line_num
            try:
                row = next(rows)
            except csv.Error:
                fault = "too_long"
                break
            if row and row[-1].endswith(_END):
                if len(row) == 1 and row[0] == _END:
                    if last:
                        yield last if lines.whole else (*last[:2], "truncated")
                    return
                fault = "truncated"
                break
            if last:
                yield last
                last = None
            number += 1
            if number <= dialect.header_row + 1:
                continue
            if len(row) == width:
                if any(row):
                    yield number, row, ""
            elif any(cell.strip() for cell in row):
                cells, ragged = _fitted(row, width, usual)
                if ragged and rows.line_num - before > 1 and mended < _MAX_MENDED:
                    skip = _resumed(file, dialect, line + before, width)[1]
                    if (
                        skip is not None and skip < rows.line_num - before
                    ):  # a stray quote joined several rows
                        fault, number = ragged, number - 1
                        break
                if ragged:
                    last = number, cells, ragged
                else:
                    yield number, cells, ""
        if last:
            yield last
        number, mended, line = number + 1, mended + 1, line + before  # the row that begins here has no end
        opening, skip = _resumed(file, dialect, line, width)
        if fault == "too_long" and skip is None:
            raise Refused(
                f"{file.name} has a value of over 1 MB in row {number}, or a quote there that never closes.",
                rule="too_long",
            )
        yield number, _fitted(opening, width, usual)[0], fault
        if skip is None or mended > _MAX_MENDED:
            return
        line += skip


def _resumed(file: Path, dialect: Dialect, line: int, width: int) -> tuple[list[str], int | None]:
    """(cells of the row whose quote stays open, how many lines on whole rows begin again; None: nowhere).

    A stray quote would swallow everything behind it; a file that was cut has nothing behind it to find.
    """
    lines = [one for one in islice(_Lines(file, dialect.encoding, line), _PROBED_LINES) if one != _END]
    delimiter = dialect.delimiter or ","
    opening = parse(lines[0][:_SHOWN].rstrip("\r\n"), delimiter, None, None)[0]
    for skip in range(1, len(lines)):
        rows = [
            row
            for row in parse(
                "".join(lines[skip : skip + 50]), delimiter, dialect.quote_char, dialect.escape_char
            )
            if row
        ]
        if rows and len(rows[0]) == width and sum(len(row) == width for row in rows) >= 0.8 * len(rows):
            return opening, skip
    return opening, None


class _Lines:
    """Lines of at most MAX_LINE characters without NULs and BOM, from line `skip` on, then our end mark.

    `whole` tells, after the last line, whether it had an end.
    """

    def __init__(self, file: Path, encoding: str, skip: int) -> None:
        self.whole = True
        self._file, self._encoding, self._skip = file, encoding, skip

    def __iter__(self) -> Iterator[str]:
        with self._file.open(encoding=self._encoding, errors=UNDECODABLE, newline="") as stream:
            for count, line in enumerate(iter(lambda: stream.readline(MAX_LINE), "")):
                if len(line) >= MAX_LINE:
                    raise Refused(
                        f"{self._file.name} has a line of over {MAX_LINE} characters; that is no table.",
                        rule="too_long",
                    )
                self.whole = line[-1] in "\r\n"
                if count < self._skip:
                    continue
                plain = line if count else line.removeprefix("\ufeff")
                yield plain.replace("\0", "") if "\0" in plain else plain
        yield _END


def _sample(file: Path, encoding: str) -> tuple[str, bool]:
    """The file's beginning as text, and whether that is all of it."""
    with file.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
        return decode_sample(head, encoding), not stream.read(1)


def _usual_width(file: Path, dialect: Dialect) -> int:
    """How wide most rows are: a header one column longer than all its rows is no raggedness."""
    rows = parse(
        _sample(file, dialect.encoding)[0], dialect.delimiter or ",", dialect.quote_char, dialect.escape_char
    )
    return usual_width(rows[dialect.header_row + 1 :])


def _fitted(row: list[str], width: int, usual: int) -> tuple[list[str], str]:
    """The row cut or filled to `width` cells, and "ragged_row" where that was not just blank cells at its end."""
    if len(row) > width:
        surplus = any(cell.strip() for cell in row[width:])
        return row[:width], "ragged_row" if surplus else ""
    return row + [""] * (width - len(row)), "" if len(row) == usual else "ragged_row"
