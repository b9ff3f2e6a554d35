"""Numbers as suppliers write them: decimal comma or point, groups, currency signs, never a float."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml

PLACES = 6  # decimals kept of a supplier's amount
_LONGEST = 64  # characters; a longer text is no number, however it is built
_DIGITS = 12  # more before the point is no price and no weight, and offers have no room for it

_NUMBER = re.compile(
    r"(?P<lead>[^0-9+\-.,(]*?)\s*(?P<open>\()?\s*(?P<sign>[+-]?)\s*(?P<mid>[^0-9+\-.,()\s]{0,4}?)\s*"
    r"(?P<digits>(?:[.,][0-9]|[0-9])[0-9.,\s'’`]*)(?P<dash>-{0,2})(?P<close>\))?\s*(?P<tail>[^0-9]*)$"
)
_GROUPS = re.compile(r"[0-9]{1,3}(?:[\s'’`][0-9]{3})+(?:[.,][0-9]*)?$")
_SPACES = re.compile(r"[\s'’`]")
_DASHES = str.maketrans({"−": "-", "–": "-", "—": "-", "‐": "-", "\u2009": " ", "\u202f": " "})


class Number(NamedTuple):
    """`text` is a decimal with a point, None where there is no number; `ambiguous` where only a guess could tell."""

    text: str | None
    lead: str = ""
    tail: str = ""
    ambiguous: bool = False


def read_number(text: str, decimal: str = "") -> Number:
    """The number in `text`. `decimal` is the column's decimal character, "" where the column tells nothing.

    "1,234" is the only hard form: thousands, unless the column uses the comma for decimals.
    """
    found = _NUMBER.match(_ascii(text)) if len(text) <= _LONGEST else None
    if not found or bool(found["open"]) != bool(found["close"]):
        return Number(None)
    digits, tail = found["digits"].strip(), found["tail"].strip()
    trailing_minus = found["dash"] == "-" and digits[-1] not in ".,"  # "12,-" and "12.--" are whole amounts
    if found["dash"] == "--" and digits[-1] not in ".,":
        return Number(None)
    if _SPACES.search(digits):
        if not _GROUPS.match(digits):
            return Number(None)
        digits = _SPACES.sub("", digits)
    whole, fraction, ambiguous = _split(digits, decimal)
    if whole is None or len(whole) > _DIGITS:
        return Number(None)
    negative = trailing_minus or found["sign"] == "-" or bool(found["open"])
    return Number(
        _written(whole, fraction, negative), (found["lead"] + found["mid"]).strip(), tail, ambiguous
    )


def decimal_character(values: Iterable[str]) -> str:
    """ "," or "." where the column's clear values agree, "mixed" where both occur, "" where nothing tells.

    Where only forms like "1,500" occur, whole numbers below 1000 beside them (and none above written
    without a separator) show that it groups thousands.
    """
    votes: Counter[str] = Counter()
    groups: set[str] = set()
    small = large = False
    for value in values:
        found = _NUMBER.match(_ascii(value)) if len(value) <= _LONGEST else None
        if not found:
            continue
        digits = _SPACES.sub("", found["digits"]).rstrip(".,")
        comma, point = digits.count(","), digits.count(".")
        if comma and point:
            votes["," if digits.rfind(",") > digits.rfind(".") else "."] += 1
        elif comma > 1 or point > 1:
            votes["." if comma else ","] += 1
        elif comma or point:
            sign = "," if comma else "."
            before, after = digits.split(sign)
            if len(after) != 3 or len(before) > 3 or before in ("", "0"):
                votes[sign] += 1
            else:
                groups.add(sign)
        elif len(digits) > 3:
            large = True
        else:
            small = True
    if not votes:
        return {",": ".", ".": ","}[groups.pop()] if len(groups) == 1 and small and not large else ""
    return next(iter(votes)) if len(votes) == 1 else "mixed"


@lru_cache(1)
def currencies() -> tuple[frozenset[str], dict[str, str]]:
    """(ISO 4217 codes in use, sign or word -> code where it can mean only one)."""
    table = yaml.load((Path(__file__).parent / "currencies.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
    return frozenset(f"{table['codes']} {table['withdrawn']}".split()), {
        str(k).casefold(): v for k, v in table["signs"].items()
    }


def currency_of(text: str) -> str | None:
    """The ISO code that `text` ("EUR", "€", "zł") names, "" for none at all, None where it is no known currency."""
    bare = text.strip(" .,:-/'’")
    if not bare:
        return ""
    codes, signs = currencies()
    if bare.upper() in codes:
        return bare.upper()
    return signs.get(bare.casefold())


def _ascii(text: str) -> str:
    """Full-width and other scripts' digits, all kinds of blanks and dashes, as ASCII writes them."""
    if text.isascii():
        return text.strip()
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).strip()
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in plain)


def _split(digits: str, decimal: str) -> tuple[str | None, str, bool]:
    """(whole, fraction, ambiguous) of digits with points and commas; whole None where they do not fit."""
    comma, point = digits.count(","), digits.count(".")
    if comma and point:
        sign = "," if digits.rfind(",") > digits.rfind(".") else "."
        group = "." if sign == "," else ","
        whole, _, fraction = digits.rpartition(sign)
        if sign in whole or not _grouped(whole, group):
            return None, "", False
        return whole.replace(group, ""), fraction, False
    if not comma and not point:
        return digits, "", False
    sign = "," if comma else "."
    if comma + point > 1:
        return (digits.replace(sign, ""), "", False) if _grouped(digits, sign) else (None, "", False)
    whole, _, fraction = digits.partition(sign)
    if len(fraction) == 3 and 1 <= len(whole) <= 3 and whole != "0" and decimal != sign:
        other = "." if sign == "," else ","
        return whole + fraction, "", decimal != other
    return whole or "0", fraction, False


def _grouped(text: str, sign: str) -> bool:
    """Thousands groups, also India's 12,34,567."""
    first, *groups = text.split(sign)
    return (
        bool(groups)
        and 1 <= len(first) <= 3
        and len(groups[-1]) == 3
        and all(len(g) in (2, 3) for g in groups)
    )


def _written(whole: str, fraction: str, negative: bool) -> str:
    if len(fraction) > PLACES:
        rounded = Decimal(f"{whole}.{fraction}").quantize(Decimal(1).scaleb(-PLACES), ROUND_HALF_EVEN)
        whole, _, fraction = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0") or "0"
    text = f"{whole}.{fraction}" if fraction else whole
    return f"-{text}" if negative and text.strip("0.") else text
