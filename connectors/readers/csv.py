"""CSV in any dialect and encoding: every row comes out, split and with its place, or with the rule it breaks."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd

from connectors.base import Dialect
from connectors.readers.csv_dialect import parse, reader, shape_of, usual_width
from connectors.readers.detection import SAMPLE_BYTES, decode_sample, encoding_of
from connectors.readers.frames import (
    FRAME_CHARACTERS,
    FRAME_ROWS,
    MAX_CELL,
    MAX_COLUMNS,
    frame,
    unique_names,
)
from core.errors import Refused

MAX_LINE = 16 << 20  # characters; a longer one is no table
MAX_MENDED = 100  # stray quotes are mended so often in one file, then the rest counts as truncated
_END = (
    "\0end of file"  # a line of our own behind the last one: swallowed only by a quote that is never closed
)


class CsvReader:
    """FeedReader for delimited text (CSV, TSV, pipe)."""

    def detect(self, file: Path) -> Dialect:
        """The dialect of `file`. Raises Refused: `not_a_table`, `no_records`, `too_wide`."""
        encoding = encoding_of(file).name
        with file.open("rb") as stream:
            head = stream.read(SAMPLE_BYTES)
            whole = not stream.read(1)
        shape = shape_of(decode_sample(head, encoding), whole=whole)
        if shape is None:
            raise Refused(
                f"{file.name} has no columns: none of comma, semicolon, tab and | separates its rows; "
                "save it as CSV with a header row.",
                rule="not_a_table",
            )
        if max(len(shape.header), shape.width) > MAX_COLUMNS:
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
        if next(self._rows(file, dialect), None) is None:
            raise Refused(
                f"{file.name} has a header but no records; an empty list changes nothing.", rule="no_records"
            )
        return dialect

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "row 12" (as a spreadsheet counts) and `_fault`.

        A row too short or too long is "ragged_row", bytes that are no text "undecodable", a row whose
        quote is never closed "truncated"; its text is kept in the first columns.
        """
        names = list(dialect.header)
        rows = self._rows(file, dialect)
        while True:
            cells: list[list[str]] = []
            locators: list[str] = []
            faults: list[str] = []
            size = 0
            for number, row, fault in islice(rows, FRAME_ROWS):
                cells.append(row)
                locators.append(f"row {number}")
                faults.append(fault)
                size += sum(map(len, row))
                if size > FRAME_CHARACTERS:
                    break
            if not cells:
                return
            yield frame(names, [list(column) for column in zip(*cells, strict=True)], locators, faults)

    def _rows(self, file: Path, dialect: Dialect) -> Iterator[tuple[int, list[str], str]]:
        """(row number from 1, as many cells as the header, fault) of each row that is not blank."""
        width = len(dialect.header)
        usual = self._usual_width(file, dialect)
        number, line, mended = 0, 0, 0  # rows and physical lines that are behind us
        while True:
            csv.field_size_limit(MAX_CELL)
            rows = reader(
                self._lines(file, dialect.encoding, line),
                dialect.delimiter or ",",
                dialect.quote_char,
                dialect.escape_char,
            )
            start, unclosed = line, False
            while True:
                before = rows.line_num
                try:
                    row = next(rows)
                except StopIteration:
                    return
                except csv.Error:
                    unclosed = True
                    break
                if row and row[-1].endswith(_END):
                    if len(row) == 1 and row[0] == _END:
                        return
                    unclosed = True
                    break
                number += 1
                if number <= dialect.header_row + 1:
                    continue
                found = len(row)
                if found == width:
                    if any(row):
                        yield number, row, ""
                elif any(cell.strip() for cell in row):
                    yield number, *_fitted(row, width, usual)
            if unclosed:  # the row that began on line start+before has no end
                number += 1
                line = start + before
                first, follows = self._after(file, dialect, line, width)
                mended += 1
                row, _ = _fitted(parse(first, dialect.delimiter or ",", None, None)[0], width, usual)[:2]
                yield number, row, "truncated"
                if not follows or mended > MAX_MENDED:
                    return
                line += 1

    def _usual_width(self, file: Path, dialect: Dialect) -> int:
        """How wide most rows of the sample are: a header one column longer than all its rows is no raggedness."""
        with file.open("rb") as stream:
            text = decode_sample(stream.read(SAMPLE_BYTES), dialect.encoding)
        rows = parse(text, dialect.delimiter or ",", dialect.quote_char, dialect.escape_char)
        return usual_width(rows[dialect.header_row + 1 :])

    def _after(self, file: Path, dialect: Dialect, line: int, width: int) -> tuple[str, bool]:
        """The line with the open quote, and whether the lines behind it are rows again (a stray quote, no cut)."""
        lines = list(islice(self._lines(file, dialect.encoding, line), 101))
        first, following = lines[0], [other for other in lines[1:] if other != _END]
        rows = parse("".join(following), dialect.delimiter or ",", dialect.quote_char, dialect.escape_char)
        fitting = sum(len(row) == width for row in rows)
        return first.replace("\n", "").replace("\r", ""), fitting * 2 > len([row for row in rows if row])

    def _lines(self, file: Path, encoding: str, skip: int) -> Iterator[str]:
        """Lines of at most MAX_LINE characters without NULs and BOM, then our end mark."""
        with file.open(encoding=encoding, errors="surrogateescape", newline="") as stream:
            first = True
            while line := stream.readline(MAX_LINE):
                if len(line) >= MAX_LINE:
                    raise Refused(
                        f"{file.name} has a line of over {MAX_LINE} characters; that is no table.",
                        rule="too_long",
                    )
                if first:
                    line, first = line.removeprefix("\ufeff"), False
                if skip:
                    skip -= 1
                    continue
                yield line.replace("\0", "") if "\0" in line else line
        yield _END


def _fitted(row: list[str], width: int, usual: int) -> tuple[list[str], str]:
    """The row cut or filled to `width` cells, and "ragged_row" where that was not just blank cells at its end."""
    if len(row) > width:
        surplus = any(cell.strip() for cell in row[width:])
        return row[:width], "ragged_row" if surplus else ""
    return row + [""] * (width - len(row)), "" if len(row) == usual else "ragged_row"
