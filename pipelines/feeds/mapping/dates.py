"""Dates as suppliers write them -> ISO 8601 dates: with names of months in many languages, packed, as Excel counts days."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

_LONGEST = 64  # characters; a longer text is no date
_EXCEL_ZERO = date(
    1899, 12, 30
)  # day 0 of Excel's calendar of 1900, with its leap day of 1900 that never was
_EXCEL_DAYS = range(20_000, 73_051)  # 1954 to 2099: other numbers are years, prices or counts
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4}|\d{2})(?!\d)")
_PACKED = re.compile(r"(\d{4})(\d\d)(\d\d)(?:\d{4}(?:\d\d)?)?")
_CHARACTERS = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]?")
_DAY_MONTH = re.compile(
    r"(?:\w+,\s*)?(\d{1,2})(?:st|nd|rd|th|\.|er|º)?\s*[-\s]?\s*(?:de\s+)?([^\W\d]{3,})\.?[-\s,]*(?:de\s+|del\s+)?(\d{4}|\d{2})\b"
)
_MONTH_DAY = re.compile(r"(?:\w+,\s*)?([^\W\d]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b")
# Beginnings of the months' names, long enough to tell them apart: en de fr es it pt nl pl cs sk sv, then Russian, Ukrainian.
_MONTHS = (
    "jan janv ene gen sty led янв січ", "feb fév fev lut úno uno фев лют", "mar mär maer mrz maart mrt bře bre мар бер",
    "apr avr abr kwi dub апр кві", "may mai mei maj mag maggio kvě kve máj май мая трав", "jun jui juin giu cze červen června čvn jún июн черв",
    "jul juil lug lip červenec července čvc júl июл лип", "aug aoû aou ago sie srp авг серп", "sep set wrz zář zar сен вер",
    "oct okt out ott paź paz říj rij окт жов", "nov lis listopad ноя лист", "dec dez déc dic dis gru pro дек груд",
)  # fmt: skip
_NAMES = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}


def read_date(text: str, order: str = "") -> str | None:
    """ "27.11.2026", "Nov 27, 2026", "20261127", "46353" (Excel) -> "2026-11-27"; None where it is no date.

    `order` ("dmy" or "mdy") tells how 03/04/2026 is meant; without it that is no date, since only a guess could tell.
    With dots the day always comes first.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if len(plain) > _LONGEST:
        return None
    if plain.isdecimal():
        return _packed(plain)
    if found := _YEAR_FIRST.match(plain) or _CHARACTERS.match(plain):
        return _iso(found[1], found[2], found[3])
    if found := _YEAR_LAST.match(plain):
        one, two, year = found[1], found[3], found[4]
        if found[2] == "." or int(one) > 12 or (order == "dmy" and int(two) <= 12) or one == two:
            return _iso(year, two, one)
        if int(two) > 12 or order == "mdy":
            return _iso(year, one, two)
        return None
    if found := _DAY_MONTH.match(plain):
        return _iso(found[3], _month(found[2]), found[1])
    if found := _MONTH_DAY.match(plain):
        return _iso(found[3], _month(found[1]), found[2])
    return None


def date_order(values: Iterable[str]) -> str:
    """How a column writes 03/04/2026: "dmy" or "mdy" where its other values prove one of them, else ""."""
    seen = set()
    for value in values:
        found = _YEAR_LAST.match(value.strip())
        if found and found[2] != "." and (int(found[1]) > 12) != (int(found[3]) > 12):
            seen.add("dmy" if int(found[1]) > 12 else "mdy")
    return seen.pop() if len(seen) == 1 else ""


def _packed(digits: str) -> str | None:
    """Digits alone: 20261127 (with a time behind it, EDIFACT's 203 and 204), Excel's days, seconds of Unix."""
    if len(digits) == 5 and int(digits) in _EXCEL_DAYS:
        return (_EXCEL_ZERO + timedelta(days=int(digits))).isoformat()
    if len(digits) in (8, 12, 14) and (found := _PACKED.fullmatch(digits)):
        return _iso(found[1], found[2], found[3])
    if len(digits) in (10, 13):
        return datetime.fromtimestamp(int(digits[:10]), UTC).date().isoformat()
    return None


def _iso(year: str, month: str | int | None, day: str) -> str | None:
    if month is None:
        return None
    whole = int(year) + (0 if len(year) > 2 else 2000 if int(year) < 70 else 1900)
    try:
        return date(whole, int(month), int(day)).isoformat()
    except ValueError:  # 31.02., or a month 13: no date there is
        return None


def _month(name: str) -> int | None:
    """The month that begins like `name`: the longest beginning counts ("červenec" is July, "červen" June)."""
    plain = name.casefold()
    return next((_NAMES[plain[:size]] for size in range(len(plain), 2, -1) if plain[:size] in _NAMES), None)
