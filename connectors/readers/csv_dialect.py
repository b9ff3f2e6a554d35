"""How a text table is written: delimiter, quotes, escape and header row, told from its first rows alone."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import _csv

Rows = list[list[str]]

_DELIMITERS = (",", ";", "\t", "|")
_FIGURE = re.compile(r"[-+]?[\d.,'\s]*\d[\d.,'\s]*%?$")
_ADDRESS = re.compile(r"https?://", re.I)
PREAMBLE_ROWS = 30


@dataclass(frozen=True, slots=True)
class Shape:
    """`width` is the usual number of cells of a row, `header_row` counts from 0 (-1: no header)."""

    delimiter: str
    quote_char: str | None
    escape_char: str | None
    width: int
    header_row: int
    header: tuple[str, ...]


def shape_of(sample: str, *, whole: bool) -> Shape | None:
    """The likeliest shape of `sample`, None where no delimiter makes a table of it.

    `whole` says that the sample is the file to its end; else its last row may be cut and is left out.
    """
    best: tuple[float, str, str | None, str | None, Rows] | None = None
    for quote, escape in _quotings(sample):
        for delimiter in _DELIMITERS:
            if delimiter not in sample:
                continue
            rows = parse(sample, delimiter, quote, escape)
            if not whole and len(rows) > 1:
                rows.pop()
            score = _score(rows, quote)
            if score > 0 and (best is None or score > best[0] * 1.001):
                best = (score, delimiter, quote, escape, rows)
    if best is None:
        return None
    _, delimiter, quote, escape, rows = best
    width = usual_width(rows)
    at = _header_row(rows, width)
    header = _trimmed(rows[at]) if at >= 0 else [""] * width
    if len(header) < width:
        header += [""] * (width - len(header))  # rows hold more than the header names: "column 13"
    return Shape(delimiter, quote, escape, width, at, tuple(header))


def parse(text: str, delimiter: str, quote: str | None, escape: str | None) -> Rows:
    """All rows of `text`, blank ones as []; a row that the limits of csv refuse ends it."""
    rows: Rows = []
    with suppress(csv.Error):  # an endless field: what was read so far decides
        rows.extend(reader(io.StringIO(text, newline=""), delimiter, quote, escape))
    return rows


def reader(lines: Iterable[str], delimiter: str, quote: str | None, escape: str | None) -> "_csv.Reader":
    """csv.reader in this dialect."""
    if quote is None:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, escapechar=escape)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote, doublequote=True, escapechar=escape)


def usual_width(rows: Rows) -> int:
    """The commonest number of cells of the rows that hold more than one, the first of them on a tie."""
    widths = Counter(len(row) for row in rows if len(row) > 1)
    return widths.most_common(1)[0][0] if widths else 1


def _quotings(sample: str) -> list[tuple[str | None, str | None]]:
    """Which quote and escape characters are worth trying, the usual first."""
    quotings: list[tuple[str | None, str | None]] = [('"', None)]
    if '\\"' in sample:
        quotings.append(('"', "\\"))
    if '"' not in sample and len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n])", sample, re.M)) > 2:
        quotings.insert(0, ("'", None))
    if sample.count('"') % 2:
        quotings.append((None, None))
    return quotings


def _score(rows: Rows, quote: str | None) -> float:
    """How much of a table these rows are: the share of rows as wide as most, times a little for width.

    Where quotes count for nothing, a cell that opens one and does not close it speaks against that.
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    width = usual_width(filled)
    if not filled or width < 2:
        return 0.0
    alike = sum(len(row) == width for row in filled) / len(filled)
    lines = sum(any("\n" in cell or "\r" in cell for cell in row) for row in filled) / len(filled)
    cut = (
        sum(any(c.startswith('"') and not c.endswith('"') for c in row) for row in filled)
        if quote is None
        else 0
    )
    return alike * alike * math.log2(width + 1) * (1.0 - 0.1 * lines) * (1.0 - cut / len(filled))


def _header_row(rows: Rows, width: int) -> int:
    """The first row that is nearly as wide as the table and made of names; -1 where the first wide row is a record."""
    wide = [
        at
        for at, row in enumerate(rows[:PREAMBLE_ROWS])
        if len(_trimmed(row)) > 1 and len(_trimmed(row)) >= 0.7 * width - 1 and not _is_comment(row)
    ]
    for at in wide:
        names = [cell.strip() for cell in _trimmed(rows[at])]
        if sum(map(bool, names)) * 2 >= width and not any(
            _is_figure(name) or _ADDRESS.match(name) for name in names
        ):
            return at
    first = next((at for at in wide if len(rows[at]) == width), wide[0] if wide else 0)
    return -1 if _is_record(rows[first], rows[first + 1 : first + 101], width) else first


def _is_comment(row: list[str]) -> bool:
    """Meta's templates explain every column above its name: "# Required | A unique content ID"."""
    return all(cell.lstrip().startswith("#") for cell in row if cell.strip())


def _is_record(row: list[str], following: Rows, width: int) -> bool:
    """A header has no figure or address where the rows below have them."""
    if any(_ADDRESS.match(cell.strip()) for cell in row):
        return True
    below = [other for other in following if len(other) == width]
    for column, cell in enumerate(row):
        if _is_figure(cell):
            same = [other[column].strip() for other in below if column < len(other) and other[column].strip()]
            if same and sum(map(_is_figure, same)) * 2 > len(same):
                return True
    return False


def _is_figure(cell: str) -> bool:
    return len(cell) <= 40 and _FIGURE.match(cell.strip()) is not None


def _trimmed(row: list[str]) -> list[str]:
    """Without the blank cells at its end."""
    end = len(row)
    while end and not row[end - 1].strip():
        end -= 1
    return row[:end]
