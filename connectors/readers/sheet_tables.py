"""Where the table is in a spreadsheet: its sheet, its header block and its columns, told from the first rows."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from connectors.readers.sheet_rows import Cells

PREAMBLE_ROWS = 60
_BELOW = 60
"""Rows below a header that are looked at."""
_NEARLY_BEST = 0.75
Merged = tuple[tuple[int, int], tuple[int, int]]
"""((top row, left column), (bottom row, right column)), all from 0."""

_FIGURE = re.compile(r"[-+]?[\d.,'\s]*\d[\d.,'\s]*%?$|\d{4}-\d\d-\d\d|[-+]?\d+:\d\d")
_ADDRESS = re.compile(r"https?://", re.I)
_NO_LIST = re.compile(
    r"anleitung|hinweis|hilfe|instruction|read.?me|legende?\b|valid values|werte|lookup|definition|beispiel|example"
    r"|change.?log|impressum|deckblatt|cover|auswahl|dropdown|help",
    re.I,
)
_DUTY = re.compile(
    r"(m|k|o|s|r|x|c|muss|kann|soll|pflicht(feld)?|optional|required|mandatory|conditional|recommended|obligatorisch"
    r"|preferred|desired|ja|nein|yes|no)[*!.]?$",
    re.I,
)
_TYPE = re.compile(
    r"(an?|n|d|t)(\.\.)?\d+([.,]\d+)?$|(text|string|zahl|number|numeric|numerisch|alphanumerisch|alphanumeric|decimal"
    r"|dezimal|integer|int|float|date|datum|datetime|boolean|bool|url|enum|liste?|varchar)\s*(\(?\d+([.,]\d+)?\)?)?$"
    r"|max\.?\s*\d+.*$",
    re.I,
)
_NUMBERED = re.compile(r"([A-Za-z]{1,8}(?:[-_.:][A-Za-z]{1,8})*[-_.: ]?)\d+$")
_TECHNICAL = re.compile(r"[a-z][a-z0-9]*(?:[_.:-][a-z0-9]+)*$")
_UNIT = re.compile(
    r"[(\[]?(kg|g|mg|t|lbs?|oz|mm|cm|m|m²|m2|m³|m3|cm³|in|inch|ft|ml|l|cl|€|\$|£|eur|usd|gbp|chf|pln|czk|%|stk?\.?|pcs\.?"
    r"|st(ü|ue)ck|tage|days?|jahre?|years?|watt|w|v|volt|kwh)[)\]]?$|[(\[][^)\]]{1,40}[)\]]$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the child told of a sheet. `sample` holds its first rows that are not blank; `filled` counts cells a column."""

    place: int
    name: str
    hidden: bool
    rows: int
    sample: Sequence[tuple[int, Cells]]
    filled: dict[int, int]
    merged: Sequence[Merged]


@dataclass(frozen=True, slots=True)
class Table:
    """`header_row` counts from 0 (-1: none), `first` is the number of the first row below the header block.

    `columns` are the places of the columns that hold anything, `header` their names, blank where they have none.
    """

    sheet: Sheet
    header_row: int
    first: int
    columns: tuple[int, ...]
    header: tuple[str, ...]
    records: int
    weight: float


def table_of(sheet: Sheet) -> Table | None:
    """The table of a sheet, None where it has no two columns."""
    rows = [cells for _, cells in sheet.sample]
    numbers = [number for number, _ in sheet.sample]
    widest = max((_count(row) for row in rows[:PREAMBLE_ROWS]), default=0)
    if widest < 2:
        return None
    at = _header_at(rows, numbers, widest, sheet.merged)
    if at < 0:
        begin = next(place for place, row in enumerate(rows) if _count(row) >= 0.6 * widest)
        names: dict[int, str] = {}
        end = begin
    else:
        names, end = _block(rows, numbers, at, sheet.merged)
    above: Counter[int] = Counter(
        column for row in rows[:end] for column, cell in enumerate(row) if cell is not None
    )
    columns = sorted(
        {column for column, count in sheet.filled.items() if count > above[column]} | names.keys()
    )
    records = sheet.rows - end
    first = numbers[end] if end < len(numbers) else numbers[-1] + 1
    return Table(
        sheet, numbers[at] - 1 if at >= 0 else -1, first, tuple(columns),
        tuple(names.get(column, "") for column in columns), records,
        _weight(sheet, len(names) or len(columns), records, rows[end:]),
    )  # fmt: skip


def chosen(tables: Sequence[Table]) -> list[Table]:
    """The table that looks most like a list of products, and those that go on with it under the same header."""
    best = max(tables, key=lambda table: table.weight)
    alike = [
        table
        for table in tables
        if table is best
        or (table.header == best.header and table.records and table.sheet.hidden == best.sheet.hidden)
    ]
    return alike if best.header_row >= 0 else [best]


def _weight(sheet: Sheet, width: int, records: int, body: Sequence[Cells]) -> float:
    """Wide and long counts; article numbers with check digits or prices count more; hidden sheets and help less."""
    weight = width * math.log2(records + 2)
    cells = [cell for row in body for cell in row if cell is not None]
    if any(_has_check_digit(cell) for cell in cells):
        weight *= 3
    if any(re.fullmatch(r"\d+[.,]\d\d?", cell) for cell in cells):
        weight *= 1.5
    if _NO_LIST.search(sheet.name):
        weight *= 0.3
    return weight * (0.01 if sheet.hidden else 1)


def _has_check_digit(cell: str) -> bool:
    """True for a GTIN of 8, 12, 13 or 14 digits (GS1 General Specifications 7.9)."""
    if not cell.isascii() or not cell.isdigit() or len(cell) not in (8, 12, 13, 14):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(cell))) % 10 == 0


def _count(row: Cells) -> int:
    return sum(cell is not None for cell in row)


def _header_at(rows: Sequence[Cells], numbers: Sequence[int], widest: int, merged: Sequence[Merged]) -> int:
    """The row of names above the table, -1 where it begins with a record.

    It is nearly as wide as the table and made of names, and its names stand over figures where the table has them: a
    preamble of words does not.
    """
    for share in (0.7, 0.5):
        wide = [at for at, row in enumerate(rows[:PREAMBLE_ROWS]) if _count(row) >= max(2, share * widest)]
        named = [at for at in wide if all(_is_name(cell) for cell in rows[at] if cell is not None)][:20]
        if named:
            contrasts = [_contrast(rows, at) for at in named]
            best = next(
                at
                for at, found in zip(named, contrasts, strict=True)
                if found >= _NEARLY_BEST * max(contrasts)
            )
            return next(at for at in named if at == best or _block(rows, numbers, at, merged)[1] > best)
        if wide and _is_scale(rows[wide[0]]) and _contrast(rows, wide[0]):
            return wide[0]
    return -1


def _contrast(rows: Sequence[Cells], at: int) -> int:
    """How many names stand above figures, or without a digit above numbers like "A1"."""
    found = 0
    for column, cell in enumerate(rows[at]):
        if cell is None or _is_figure(cell):
            continue
        below = _below(rows, at + 1, column)
        figures = sum(map(_is_figure, below))
        if (below and figures >= 0.6 * len(below)) or (
            len(below) > 1 and not _has_digit(cell) and sum(map(_has_digit, below)) >= 0.8 * len(below)
        ):
            found += 1
    return found


def _is_scale(row: Cells) -> bool:
    """Names and beside them rising whole numbers: years, or quantities that a price is for."""
    cells = [cell for cell in row if cell is not None]
    figures = [cell for cell in cells if _is_figure(cell)]
    names = [cell for cell in cells if not _is_figure(cell)]
    rising = all(figure.isdecimal() for figure in figures) and figures == sorted(
        set(figures), key=lambda figure: (len(figure), figure)
    )
    return rising and len(names) >= 2 and all(map(_is_name, names))


def _below(rows: Sequence[Cells], begin: int, column: int) -> list[str]:
    return [
        cell
        for row in rows[begin : begin + _BELOW]
        if column < len(row) and (cell := row[column]) is not None
    ]


def _has_digit(cell: str) -> bool:
    return any(character.isdigit() for character in cell[:100])


@lru_cache(1 << 16)
def _is_figure(cell: str) -> bool:
    return len(cell) <= 40 and _FIGURE.match(cell.strip()) is not None


def _is_name(cell: str) -> bool:
    return not _is_figure(cell) and not _ADDRESS.match(cell.strip()) and cell not in ("true", "false")


def _block(
    rows: Sequence[Cells], numbers: Sequence[int], at: int, merged: Sequence[Merged]
) -> tuple[dict[int, str], int]:
    """(name of each named column, place of the first row behind the header block that begins at `at`)."""
    names = {column: _name(cell) for column, cell in enumerate(rows[at]) if cell is not None}
    groups = _groups(rows[at - 1], numbers[at - 1] - 1, merged, fill=_doubles(names)) if at else {}
    end = at + 1
    if end < len(rows) and _is_lower_half(rows, at, numbers[at] - 1, merged):
        groups = _groups(rows[at], numbers[at] - 1, merged, fill=True)
        for column, cell in enumerate(rows[end]):
            if cell is not None:
                names[column] = _name(cell)
        end += 1
    counts = Counter(names.values())
    for column, name in names.items():
        group = groups.get(column)
        if group and group != name and (counts[name] > 1 or len(name) <= 3):
            names[column] = f"{group} {name}"
    while end < len(rows) and _explains(rows, at, end):
        if all(_UNIT.match(cell.strip()) for cell in rows[end] if cell is not None):
            for column, cell in enumerate(rows[end]):
                if cell is not None and column in names and column < len(rows[end]):
                    names[column] += f" ({cell.strip().strip('()[]')})"
        end += 1
    return names, end


def _name(cell: str) -> str:
    """What stands behind a blank line in a header cell explains the name."""
    return " ".join(re.split(r"\n\s*\n", cell.strip(), maxsplit=1)[0].split())


def _doubles(names: dict[int, str]) -> bool:
    return len(set(names.values())) < len(names)


def _groups(row: Cells, number: int, merged: Sequence[Merged], *, fill: bool) -> dict[int, str]:
    """The heading above each column: over its merged range, or with `fill` up to the next heading."""
    groups: dict[int, str] = {}
    for (top, left), (_, right) in merged:
        if top == number and right > left and left < len(row) and (cell := row[left]) is not None:
            groups.update(dict.fromkeys(range(left, min(right, left + 1000) + 1), _name(cell)))
    if fill and not groups:
        name = ""
        for column in range(len(row) + 20):
            name = _name(cell) if column < len(row) and (cell := row[column]) is not None else name
            groups[column] = name
    return groups


def _is_lower_half(rows: Sequence[Cells], at: int, number: int, merged: Sequence[Merged]) -> bool:
    """Whether the row below the header names the columns under its wider headings."""
    upper, lower = rows[at], rows[at + 1]
    named = [column for column, cell in enumerate(lower) if cell is not None]
    if not named or not all(_is_name(cell) for cell in lower if cell is not None):
        return False
    if any(top == number and bottom == number + 1 for (top, _), (bottom, _) in merged):
        return True
    over = _groups(upper, number, merged, fill=False)
    if sum(column in over for column in named) >= 2 and over:
        return len(over) >= 2 and _looks_below(rows, at + 2, [column for column in named if column in over])
    blank = {column for column in named if column >= len(upper) or upper[column] is None}
    beside = {column for column in named if column + 1 in blank}
    return bool(blank) and len(blank | beside) == len(named) < _count(upper) + len(blank) and 0 not in named


def _looks_below(rows: Sequence[Cells], begin: int, columns: Sequence[int]) -> bool:
    """Whether some of the columns hold figures below, or nothing stands there at all."""
    below = [_below(rows, begin, column) for column in columns]
    return not any(below) or any(cells and all(map(_is_figure, cells)) for cells in below)


def _explains(rows: Sequence[Cells], at: int, place: int) -> bool:
    """Whether the row explains the header: duties, types, numbers, units or technical names of the columns."""
    cells = [cell.strip() for cell in rows[place] if cell is not None]
    if len(cells) < 2:
        return False

    def most(pattern: re.Pattern[str], share: float = 0.8) -> bool:
        return sum(bool(pattern.match(cell)) for cell in cells) >= share * len(cells)

    if most(_DUTY, 1.0) or most(_TYPE) or most(_UNIT, 1.0):
        return True
    if [*map(str, range(1, len(cells) + 1))] == cells and len(cells) > 3:
        return True
    prefixes = Counter(found[1] for cell in cells if (found := _NUMBERED.match(cell)))
    alike = max(prefixes.values(), default=0)
    if (len(cells) >= 5 and alike >= 0.8 * len(cells)) or (len(cells) >= 3 and alike == len(cells)):
        return len(set(cells)) == len(cells)
    if len(cells) >= 3 and most(_TECHNICAL, 1.0) and sum("_" in cell for cell in cells) * 2 >= len(cells):
        return len(set(cells)) == len(cells)
    return _is_told(rows, place)


def _is_told(rows: Sequence[Cells], place: int) -> bool:
    """Whether it has words in three or more columns that hold figures in all rows below."""
    told = 0
    for column, cell in enumerate(rows[place]):
        below = _below(rows, place + 1, column)
        if len(below) < 2 or not all(map(_is_figure, below)):
            continue
        if cell is not None and not _is_figure(cell) and len(cell) > 3:
            told += 1
        elif cell is not None:
            return False
    return told >= 3
