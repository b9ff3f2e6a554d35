"""The row-level report as a workbook: everything stays the text it was, verdicts have their colour, memory stays small."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from xlsxwriter import Workbook

from pipelines.feeds.report import OURS, Columns, header

SHEET_ROWS = 1_048_576
"""What a sheet holds with its header (support.microsoft.com, "Excel specifications and limits"); the rest goes on in a next one."""
LONGEST = 32_767
"""Characters in a cell, from the same page."""
WIDEST, NARROWEST = 60, 8
"""Width of columns, in characters."""
TONES = {"accepted": ("#E6F4EA", "#1E6B34"), "rejected": ("#FBE4E4", "#9B1C1C"), "quarantined": ("#FFF3D6", "#7A4B00")}  # fmt: skip
"""verdict -> ground and letters."""

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_xlsx(found: Columns, out: Path, *, sheet_rows: int = SHEET_ROWS) -> None:
    """Writes the workbook: a sheet "Records" with a frozen header, each cell a text and no cell a formula."""
    book = Workbook(str(out), {"constant_memory": True, "tmpdir": str(out.parent)})
    book.set_properties({"title": "Every record, answered", "author": "Entrepot"})
    paper = _Paper(book, header(found.names), len(found.names), sheet_rows)
    for raw, ours in found.records:
        paper.add([raw.get(name, "") for name in found.names] + ours)
    paper.close()
    book.close()


def stream_xlsx(found: Columns, out: BinaryIO) -> None:
    """The same to a pipe: a workbook is a zip, which is only whole at its end."""
    with tempfile.TemporaryDirectory(prefix="entrepot-report-") as folder:
        file = Path(folder) / "report.xlsx"
        write_xlsx(found, file)
        with file.open("rb") as made:
            shutil.copyfileobj(made, out)


class _Paper:
    """The rows on as many sheets as they need; a column is as wide as its longest text, within reason."""

    def __init__(self, book: Any, names: list[str], own: int, sheet_rows: int) -> None:
        self._book, self._names, self._sheet_rows = book, names, sheet_rows
        self._verdict = own + OURS.index("verdict")
        self._head = book.add_format({"bold": True, "bg_color": "#E9EDF2", "bottom": 1})
        self._ours = book.add_format({"bold": True, "bg_color": "#D5E3F5", "bottom": 1})
        self._text = book.add_format({"num_format": "@"})
        self._tones = {
            verdict: book.add_format({"bold": True, "bg_color": ground, "font_color": letters})
            for verdict, (ground, letters) in TONES.items()
        }
        self._own = own
        self._sheets = 0
        self._begin()

    def add(self, cells: list[str]) -> None:
        if self._row == self._sheet_rows:
            self.close()
            self._begin()
        for column, text in enumerate(cells):
            if text:
                shown = _NO_XML.sub("\ufffd", text)
                shown = shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
                tone = self._tones.get(text, self._text) if column == self._verdict else self._text
                self._sheet.write_string(self._row, column, shown, tone)
                self._widths[column] = max(self._widths[column], len(shown))
        self._row += 1

    def close(self) -> None:
        """Ends the sheet: its filter and the widths that its texts want."""
        for column, width in enumerate(self._widths):
            self._sheet.set_column(column, column, min(max(width + 2, NARROWEST), WIDEST))
        self._sheet.autofilter(0, 0, max(self._row - 1, 1), len(self._names) - 1)

    def _begin(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet("Records" if self._sheets == 1 else f"Records {self._sheets}")
        self._sheet.freeze_panes(1, 0)
        self._sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        self._widths = [len(name) for name in self._names]
        for column, name in enumerate(self._names):
            shown = _NO_XML.sub("\ufffd", name)[:LONGEST]
            self._sheet.write_string(0, column, shown, self._head if column < self._own else self._ours)
        self._row = 1
