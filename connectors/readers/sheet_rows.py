"""The child that turns a workbook into rows of text: what a hostile one does to memory or time ends with this process.

`python -m connectors.readers.sheet_rows FILE FOLDER SECONDS` writes into FOLDER one `N.jsonl` for each sheet that
holds anything (a line is [row number as the spreadsheet counts, [text or null, …]], blank rows left out) and
`sheets.json`, a list of what is known of each. It exits with 0, or with one of the codes below.
"""

import datetime
import math
import re
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import orjson
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

PROTECTED, DAMAGED, TOO_LARGE = 3, 4, 5
MEMORY_BYTES = 1500 << 20
"""Address space of the child at most; a million cells take about 100 MB."""
LEAST_BYTES, BYTES_A_BYTE = 450 << 20, 40
"""What a small workbook may take, and how much more for each byte of it: one cell far outside a table is no reason for all."""
OUTPUT_BYTES = 2 << 30
SAMPLE_ROWS = 200
MERGED_CELLS = 2_000_000
"""Cells that are filled from merged ranges; beyond that they stay blank."""

Cells = list[str | None]
Value = (
    int | float | str | bool | datetime.time | datetime.date | datetime.datetime | datetime.timedelta | None
)
_ESCAPED = re.compile(r"_x00(5F|[01][0-9A-F])_", re.I)  # ECMA-376 part 1, 22.9.2.19: ST_Xstring
_EXACT = 2**53  # integers below are held exactly by a float


def main(file: str, folder: str, seconds: str) -> int:
    """Converts within the limits of this process."""
    for limit, most in (
        (resource.RLIMIT_AS, min(MEMORY_BYTES, LEAST_BYTES + BYTES_A_BYTE * Path(file).stat().st_size)),
        (resource.RLIMIT_CPU, int(seconds)),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    try:
        convert(Path(file), Path(folder))
    except PasswordError:
        return PROTECTED
    except CalamineError as error:
        sys.stderr.write(f"{error}\n")
        return DAMAGED
    except (MemoryError, OSError) as error:  # OSError: the file written grows beyond RLIMIT_FSIZE
        sys.stderr.write(f"{error}\n")
        return TOO_LARGE
    return 0


def convert(file: Path, folder: Path) -> None:
    """Writes every sheet's rows. Raises CalamineError where the workbook is damaged."""
    with CalamineWorkbook.from_path(file) as workbook:
        sheets = []
        for place, told in enumerate(workbook.sheets_metadata):
            if told.typ not in (SheetTypeEnum.WorkSheet, SheetTypeEnum.MacroSheet):
                continue
            sheet = workbook.get_sheet_by_index(place)
            if sheet.start is None:
                continue
            known = _written(sheet, folder / f"{place}.jsonl")
            visible = told.visible == SheetVisibleEnum.Visible
            sheets.append({"place": place, "name": told.name, "hidden": not visible, **known})
        (folder / "sheets.json").write_bytes(orjson.dumps(sheets, option=orjson.OPT_NON_STR_KEYS))


def text_of(value: Value) -> str | None:
    """A cell as text: numbers as a person would type them, dates ISO 8601; None where there is nothing."""
    if isinstance(value, str):
        if "_x00" in value:
            value = _ESCAPED.sub(_unescaped, value)
        return value if value and not value.isspace() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _figure(value)
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.replace(microsecond=0).isoformat()
    if isinstance(value, datetime.timedelta):
        seconds = round(abs(value.total_seconds()))
        sign = "-" if value < datetime.timedelta() else ""
        return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if value is None:
        return None
    return value.isoformat()


def _figure(value: float) -> str | None:
    """Whole numbers exactly; others with the 15 digits a spreadsheet keeps, never with an exponent."""
    if not math.isfinite(value):
        return None
    if value == int(value) and abs(value) < _EXACT:
        return str(int(value))
    plain = format(Decimal(f"{value:.15g}"), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in "_\n\t" else ""


def _written(sheet: CalamineSheet, file: Path) -> dict[str, object]:
    """Writes the rows and tells: how many, the first of them, cells filled per column, merged ranges near the top."""
    merged = sheet.merged_cell_ranges or []
    sample: list[tuple[int, Cells]] = []
    filled: Counter[int] = Counter()
    rows = 0
    with file.open("wb") as stream:
        for number, cells in enumerate(_filled_down(_texts(sheet), merged), start=1):
            while cells and cells[-1] is None:
                cells.pop()
            if not cells:
                continue
            rows += 1
            filled.update(column for column, cell in enumerate(cells) if cell is not None)
            if len(sample) < SAMPLE_ROWS:
                sample.append((number, cells))
            stream.write(orjson.dumps((number, cells)))
            stream.write(b"\n")
    last = sample[-1][0] if sample else 0
    top = [one for one in merged if one[0][0] < last][:10_000]
    return {"rows": rows, "sample": sample, "filled": dict(filled), "merged": top}


def _texts(sheet: CalamineSheet) -> Iterator[Cells]:
    """Rows from the first one and cells from the first column on; calamine leaves out blank columns at the left."""
    left: Cells = [None] * (sheet.start[1] if sheet.start else 0)
    for row in sheet.iter_rows():
        yield left + [None if value == "" else text_of(value) for value in row]


def _filled_down(
    rows: Iterator[Cells], merged: list[tuple[tuple[int, int], tuple[int, int]]]
) -> Iterator[Cells]:
    """A cell merged over several rows says the same of each of them."""
    begins: dict[int, list[tuple[int, int]]] = {}
    budget = MERGED_CELLS
    for (top, left), (bottom, _) in merged:
        budget -= bottom - top
        if bottom > top and budget >= 0:
            begins.setdefault(top, []).append((left, bottom))
    open_ranges: dict[int, tuple[int, str | None]] = {}
    for number, cells in enumerate(rows):
        for column, (bottom, value) in list(open_ranges.items()):
            if number > bottom:
                del open_ranges[column]
            elif column < len(cells) and cells[column] is None:
                cells[column] = value
        for column, bottom in begins.get(number, ()):
            if column < len(cells):
                open_ranges[column] = (bottom, cells[column])
        yield cells


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
