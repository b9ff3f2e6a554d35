"""Workbooks (XLSX, XLS, ODS): the sheet and its header are found, every cell becomes the text a person would type."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import orjson
import pandas as pd

from connectors.base import Dialect
from connectors.readers.detection import format_of
from connectors.readers.frames import (
    FRAME_CELLS,
    FRAME_CHARACTERS,
    FRAME_ROWS,
    MAX_CELL,
    MAX_COLUMNS,
    frame,
    listed,
    unique_names,
)
from connectors.readers.packing_zip import check_sizes
from connectors.readers.sheet_rows import DAMAGED, PROTECTED
from connectors.readers.sheet_tables import Sheet, Table, chosen, table_of
from core.errors import Refused

SECONDS_AT_LEAST, BYTES_A_SECOND = 6, 1 << 20
"""Processor time a workbook may take: a real one of 6 MB takes 3 s."""
_CHECKOUT = Path(__file__).resolve().parents[2]


class SheetReader:
    """FeedReader for workbooks. `sheet` is the pinned one; where it is not there any more, one is found anew.

    `notices` are sentences about what else the workbook holds; `detect` fills them.
    """

    def __init__(self, sheet: str | None = None) -> None:
        self.notices: list[str] = []
        self._wanted = sheet
        self._converted: tuple[Path, list[tuple[Sheet, Table | None]]] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of `file`: `sheet` is None where several sheets with the same header are read one after another.

        A header without rows is a list of no records, said in `notices`. Raises Refused: `not_a_table`, `no_records`,
        `too_wide`, `too_large`, `protected`, `damaged`.
        """
        tables = self._tables(file, self._wanted)
        table = tables[0]
        self.notices = self._told(file, tables)
        return Dialect(
            format_of(file),
            "utf-8",
            quote_char=None,
            header_row=table.header_row,
            header=_names(table),
            sheet=table.sheet.name if len(tables) == 1 else None,
        )

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "row 12" (with several sheets "Lamps row 12") and `_fault` "too_long"."""
        tables = self._tables(file, dialect.sheet)
        names = list(_names(tables[0]))
        if not any(table.records for table in tables):
            yield frame(names, [[] for _ in names], [], [])
            return
        rows = self._rows(tables)
        while True:
            cells: list[list[str | None]] = []
            locators: list[str] = []
            faults: list[str] = []
            size = 0
            for place, row in islice(rows, FRAME_ROWS):
                length = sum(map(len, filter(None, row)))
                long = length > MAX_CELL and any(len(cell or "") > MAX_CELL for cell in row)
                fault = "too_long" if long else ""
                cells.append([cell[:MAX_CELL] if cell else cell for cell in row] if long else row)
                locators.append(place)
                faults.append(fault)
                size += length
                if size > FRAME_CHARACTERS or len(cells) * len(names) > FRAME_CELLS:
                    break
            if not cells:
                return
            yield frame(names, [list(column) for column in zip(*cells, strict=True)], locators, faults)

    def _rows(self, tables: list[Table]) -> Iterator[tuple[str, list[str | None]]]:
        """(locator, cells of the table's columns) of every row of all tables."""
        assert self._folder
        places = unique_names([table.sheet.name for table in tables])
        for table, name in zip(tables, places, strict=True):
            before = f"{name} row" if len(tables) > 1 else "row"
            with (Path(self._folder.name) / f"{table.sheet.place}.jsonl").open("rb") as stream:
                for line in stream:
                    number, cells = orjson.loads(line)
                    if number >= table.first:
                        kept = [cells[column] if column < len(cells) else None for column in table.columns]
                        yield f"{before} {number}", kept

    def _tables(self, file: Path, wanted: str | None) -> list[Table]:
        """The tables to read, in the workbook's order; `wanted` alone where it is there."""
        sheets = self._sheets(file)
        tables = [table for _, table in sheets if table]
        if not tables:
            rule, told = (
                ("not_a_table", "no sheet with a table") if sheets else ("no_records", "no cell filled")
            )
            raise Refused(
                f"{file.name} has {told}; write a header row and a row for each article.", rule=rule
            )
        found = [table for table in tables if table.sheet.name == wanted] or chosen(tables)
        widest = max(len(table.columns) for table in found)
        if widest > MAX_COLUMNS:
            raise Refused(
                f"{file.name} has {widest} columns; {MAX_COLUMNS} at most are read.", rule="too_wide"
            )
        return found

    def _told(self, file: Path, found: list[Table]) -> list[str]:
        read = {table.sheet.name for table in found}
        others = [
            sheet.name
            for sheet, other in self._sheets(file)
            if sheet.name not in read and not sheet.hidden and other and other.records
        ]
        told = []
        if not any(table.records for table in found):
            told.append(
                f"The sheet {found[0].sheet.name!r} has a header of {len(found[0].header)} columns and no row below it; "
                "an empty list changes nothing."
            )
        if others:
            told.append(
                f"Read: {listed(sorted(read))}. Not read: {listed(others)}; "
                "name another sheet in the mapping (dialect.sheet) to read that one."
            )
        return told

    def _sheets(self, file: Path) -> list[tuple[Sheet, Table | None]]:
        """All sheets that hold anything and their tables, converted once by a child with limits of its own."""
        if self._converted and self._converted[0] == file:
            return self._converted[1]
        check_sizes(file)
        self._folder = tempfile.TemporaryDirectory(prefix="entrepot-feed-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        with ExitStack() as refused:
            refused.callback(self._folder.cleanup)
            _convert(file, folder)
            refused.pop_all()
        sheets = [
            Sheet(
                told["place"], told["name"], told["hidden"], told["rows"], told["sample"],
                {int(column): count for column, count in told["filled"].items()}, told["merged"],
            )
            for told in orjson.loads((folder / "sheets.json").read_bytes())
        ]  # fmt: skip
        self._converted = (file, [(sheet, table_of(sheet)) for sheet in sheets])
        return self._converted[1]


def _names(table: Table) -> tuple[str, ...]:
    """Blank names as "column 3", counted as the spreadsheet does."""
    named = zip(table.columns, table.header, strict=True)
    return tuple(unique_names([name or f"column {column + 1}" for column, name in named]))


def _convert(file: Path, folder: Path) -> None:
    """Runs the child. Raises Refused where it could not end well."""
    seconds = SECONDS_AT_LEAST + file.stat().st_size // BYTES_A_SECOND
    command = [
        sys.executable,
        "-P",
        "-m",
        "connectors.readers.sheet_rows",
        str(file.resolve()),
        str(folder.resolve()),
        str(seconds),
    ]
    try:
        done = subprocess.run(
            command, cwd=_CHECKOUT, env={**os.environ, "PYTHONPATH": str(_CHECKOUT)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=seconds * 10, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Refused(_sentence(file, -signal.SIGXCPU), rule="too_large") from None
    if done.returncode:
        rule = {PROTECTED: "protected", DAMAGED: "damaged"}.get(done.returncode, "too_large")
        if b"panicked" in done.stderr:
            rule = "damaged"
        raise Refused(_sentence(file, PROTECTED if rule == "protected" else done.returncode, rule), rule=rule)


def _sentence(file: Path, code: int, rule: str = "too_large") -> str:
    if rule == "protected":
        return f"{file.name} is protected with a password; save it without one."
    if rule == "damaged":
        return f"{file.name} is a damaged workbook; open it in a spreadsheet program and save it anew."
    what = "time" if code in (-signal.SIGXCPU, -signal.SIGKILL) else "memory"
    return (
        f"{file.name} needs more {what} than a workbook may take, as a single cell far outside the table can cause; "
        "delete what lies around the table, or save the sheet as CSV."
    )
