"""Reads a supplier's file of answers into rows: pure, and every row of the file is either understood or told why not."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass

from core.errors import Refused

LARGEST, MOST = 10 * 1024 * 1024, 20_000
"""Bytes of a file and rows in it: more is no day's work of a supplier."""
ANSWERS = ("confirmed", "cancelled", "shipped")
COLUMNS = ("reference", "line", "number", *ANSWERS, "reason", "carrier", "tracking", "tracking_url", "parcel")
YES, NO = frozenset({"yes", "y", "true", "1", "ja", "x"}), frozenset({"no", "n", "false", "0", "nein"})
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula at the beginning of a cell (OWASP, CSV injection)."""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One row. `place` is its number in the file, the header being 1; `fault` is why it cannot be understood."""

    place: int
    reference: str = ""
    line: int | None = None
    number: str = ""
    confirmed: bool | None = None
    cancelled: bool | None = None
    shipped: int | None = None
    reason: str = ""
    carrier: str = ""
    tracking: str = ""
    tracking_url: str = ""
    parcel: str = ""
    fault: str = ""

    @property
    def empty(self) -> bool:
        """Whether it answers nothing: a row of the exported list that was left as it was."""
        return self.confirmed is None and self.cancelled is None and self.shipped is None


def answer_rows(content: bytes) -> list[AnswerRow]:
    """The rows of a CSV file: UTF-8 or Windows-1252; comma, semicolon or tab; columns by name, in any order.

    Raises Refused for the whole file: "too_large", "not_csv", "columns".
    """
    if len(content) > LARGEST:
        raise Refused(f"The file has more than {LARGEST // 1024**2} MB: send it in parts.", rule="too_large")
    text = _decoded(content)
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if "reference" not in header or not set(ANSWERS) & set(header) or len(set(header)) < len(header):
            raise Refused(
                "The file needs a column `reference`, one of `confirmed`, `cancelled` and `shipped`, and each name once; "
                f"it has {', '.join(header)[:200] or 'no header'}.",
                rule="columns",
            )
        rows = [
            _row(place, header, cells) for place, cells in enumerate(reader, 2) if any(map(str.strip, cells))
        ]
    except csv.Error as error:
        raise Refused(
            f"The file is not a CSV file, line {reader.line_num}: {error}.", rule="not_csv"
        ) from None
    if len(rows) > MOST:
        raise Refused(f"The file has more than {MOST} rows: send it in parts.", rule="too_large")
    return rows


def parcel_key(rows: list[AnswerRow]) -> str:
    """The key of a parcel that the rows describe: the supplier's own, else its tracking number, else what is in it.

    So the same file again means the same parcels.
    """
    named = rows[0].parcel or rows[0].tracking
    if named:
        return f"csv:{named}"[:100]
    content = sorted((row.line or 0, row.shipped or 0) for row in rows)
    return "csv:" + hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before it."""
    return "'" + text if text.startswith(FORMULA) else text


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _row(place: int, header: list[str], cells: list[str]) -> AnswerRow:
    if len(cells) > len(header) and any(map(str.strip, cells[len(header) :])):
        return AnswerRow(place, fault=f"The row has {len(cells)} cells, the header {len(header)}.")
    found = {name: _plain(cell) for name, cell in zip(header, cells, strict=False) if name in COLUMNS}
    texts = {name: found.get(name, "") for name in COLUMNS}
    try:
        return AnswerRow(
            place=place,
            reference=texts["reference"].upper(),
            line=_whole("line", texts["line"]),
            number=texts["number"],
            confirmed=_said("confirmed", texts["confirmed"]),
            cancelled=_said("cancelled", texts["cancelled"]),
            shipped=_whole("shipped", texts["shipped"]) or None,
            reason=texts["reason"],
            carrier=texts["carrier"],
            tracking=texts["tracking"],
            tracking_url=texts["tracking_url"],
            parcel=texts["parcel"],
        )
    except Refused as error:
        return AnswerRow(place, reference=texts["reference"].upper(), fault=str(error))


def _plain(cell: str) -> str:
    """Without the apostrophe that `safe` put there."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _said(name: str, text: str) -> bool | None:
    if not text:
        return None
    if text.lower() in YES | NO:
        return text.lower() in YES
    raise Refused(f"The column {name} says {text[:40]!r}: write yes or no.", rule="value")


def _whole(name: str, text: str) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    raise Refused(f"The column {name} says {text[:40]!r}: write a whole number.", rule="value")
