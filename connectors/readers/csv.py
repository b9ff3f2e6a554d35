"""CSV in any dialect and encoding: every row comes out, split and with its place, or with the rule it breaks."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.base import Dialect
from connectors.readers import csv_blocks
from connectors.readers.csv_dialect import Rows, parse, reader, shape_of, usual_width
from connectors.readers.detection import SAMPLE_BYTES, UNDECODABLE, decode_sample, encoding_of
from connectors.readers.frames import (
    FRAME_CHARACTERS,
    FRAME_ROWS,
    MAX_CELL,
    MAX_COLUMNS,
    frame,
    text_frame,
    unique_names,
)
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
        if next(iter(_Rows(file, dialect)), None) is None:
            raise Refused(
                f"{file.name} has a header but no records; an empty list changes nothing.", rule="no_records"
            )
        return dialect

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "row 12" (as a spreadsheet counts) and `_fault`.

        A row too short or too long is "ragged_row", bytes that are no text "undecodable", a value over MAX_CELL
        "too_long", a row whose quote is never closed or at which the file breaks off "truncated"; what is there of
        it stands in its first columns. Blocks without any oddity are parsed by Arrow, all others row by row.
        """
        if not csv_blocks.suits(dialect):
            yield from _framed(_Rows(file, dialect), dialect)
            return
        rows = _Rows(file, dialect)
        for block in csv_blocks.blocks(file, dialect):
            if not block.offset:
                start = _start(block, dialect)
            else:
                start = 0 if rows.number > dialect.header_row else None  # None: the header is still to come
            table = None if start is None else csv_blocks.table_of(block, dialect, rows.usual, start)
            if table is not None:
                before = rows.number if block.offset else dialect.header_row + 1
                rows.number = before + len(table)
                yield from _sliced(table, before, dialect, narrow=rows.usual < len(dialect.header))
            else:
                yield from _framed(rows.between(block), dialect)
                if rows.over:
                    return


def _start(block: csv_blocks.Block, dialect: Dialect) -> int | None:
    return csv_blocks.behind_header(block, dialect) if block.text is not None else None


def _sliced(table: pa.Table, before: int, dialect: Dialect, *, narrow: bool) -> Iterator[pd.DataFrame]:
    """Frames of a parsed block; `before` rows of the file are behind us."""
    numbers = np.arange(before + 1, before + 1 + len(table))
    blank = csv_blocks.blank_rows(table, narrow=narrow)
    if len(blank):
        kept = np.ones(len(table), dtype=bool)
        kept[blank] = False
        table, numbers = table.filter(pa.array(kept)), numbers[kept]
    for first in range(0, len(table), FRAME_ROWS):
        part = table.slice(first, FRAME_ROWS)
        yield text_frame(list(dialect.header), part, numbers[first : first + FRAME_ROWS])


def _framed(rows: Iterable[tuple[int, list[str], str]], dialect: Dialect) -> Iterator[pd.DataFrame]:
    """Frames of rows that came one by one."""
    each = iter(rows)
    while True:
        cells: Rows = []
        locators: list[str] = []
        faults: list[str] = []
        size = 0
        for number, row, fault in islice(each, FRAME_ROWS):
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


class _Rows:
    """(row number from 1, as many cells as the header, fault) of each row that is not blank, read by csv.reader.

    `number` rows are behind us. `over`: nothing is left of the file.
    """

    def __init__(self, file: Path, dialect: Dialect) -> None:
        self.file, self.dialect = file, dialect
        self.usual = _usual_width(file, dialect)
        self.number = self._mended = self._probed = 0
        self.over = False

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        return self._read(0, None)

    def between(self, block: csv_blocks.Block) -> Iterator[tuple[int, list[str], str]]:
        """The rows of one block; where they do not end with it, all that is left."""
        ends = not block.final and block.raw.endswith(("\n".encode(self.dialect.encoding), b"\r"))
        return self._read(block.offset, block.lines(self.dialect.encoding) if ends else None)

    def _read(self, offset: int, until: int | None) -> Iterator[tuple[int, list[str], str]]:
        """Rows from the byte `offset` on, up to where `until` physical lines are read, if a row ends there."""
        dialect, width = self.dialect, len(self.dialect.header)
        line = 0  # physical lines that are behind us
        while True:
            csv.field_size_limit(MAX_CELL)
            lines = _Lines(self.file, dialect.encoding, offset, line)
            rows = reader(lines, dialect.delimiter or ",", dialect.quote_char, dialect.escape_char)
            last: tuple[int, list[str], str] | None = (
                None  # a ragged row waits: it may be where the file breaks off
            )
            while True:
                before = rows.line_num
                if until is not None and line + before == until:
                    if last:
                        yield last
                    return
                try:
                    row = next(rows)
                except csv.Error:
                    fault = "too_long"
                    break
                if row and row[-1].endswith(_END):
                    if len(row) == 1 and row[0] == _END:
                        self.over = True
                        if last:
                            yield last if lines.whole else (*last[:2], "truncated")
                        return
                    fault = "truncated"
                    break
                if last:
                    yield last
                    last = None
                self.number += 1
                if self.number <= dialect.header_row + 1:
                    continue
                if len(row) == width:
                    if any(row):
                        yield self.number, row, ""
                elif any(cell.strip() for cell in row):
                    cells, ragged = _fitted(row, width, self.usual)
                    if ragged and rows.line_num - before > 1 and self._probed < _MAX_MENDED:
                        self._probed += 1
                        skip = _resumed(self.file, dialect, offset, line + before, width)[1]
                        if (
                            skip is not None and skip < rows.line_num - before
                        ):  # a stray quote joined several rows
                            fault, self.number = ragged, self.number - 1
                            break
                    if ragged:
                        last = self.number, cells, ragged
                    else:
                        yield self.number, cells, ""
            if last:
                yield last
            self.number, self._mended, line = (
                self.number + 1, self._mended + 1, line + before
            )  # the row that begins here has no end  # fmt: skip
            opening, skip = _resumed(self.file, dialect, offset, line, width)
            if fault == "too_long" and skip is None:
                raise Refused(
                    f"{self.file.name} has a value of over 1 MB in row {self.number}, or a quote there that never closes.",
                    rule="too_long",
                )
            yield self.number, _fitted(opening, width, self.usual)[0], fault
            if skip is None or self._mended > _MAX_MENDED:
                self.over = True
                return
            line += skip


def _resumed(
    file: Path, dialect: Dialect, offset: int, line: int, width: int
) -> tuple[list[str], int | None]:
    """`line` lines behind the byte `offset`: (cells of the row whose quote stays open, how many lines on whole rows begin again; None: nowhere).

    A stray quote would swallow everything behind it; a file that was cut has nothing behind it to find.
    """
    lines = [
        one for one in islice(_Lines(file, dialect.encoding, offset, line), _PROBED_LINES) if one != _END
    ]
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
    """Lines of at most MAX_LINE characters without NULs and BOM, from the byte `offset` and there line `skip` on, then our end mark.

    `whole` tells, after the last line, whether it had an end.
    """

    def __init__(self, file: Path, encoding: str, offset: int, skip: int) -> None:
        self.whole = True
        self._file, self._encoding, self._offset, self._skip = file, encoding, offset, skip

    def __iter__(self) -> Iterator[str]:
        with (
            self._file.open("rb") as raw,
            io.TextIOWrapper(raw, self._encoding, errors=UNDECODABLE, newline="") as stream,
        ):
            raw.seek(self._offset)
            for count, line in enumerate(iter(lambda: stream.readline(MAX_LINE), "")):
                if len(line) >= MAX_LINE:
                    raise Refused(
                        f"{self._file.name} has a line of over {MAX_LINE} characters; that is no table.",
                        rule="too_long",
                    )
                self.whole = line[-1] in "\r\n"
                if count < self._skip:
                    continue
                plain = line if count or self._offset else line.removeprefix("\ufeff")
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
