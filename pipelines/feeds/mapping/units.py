"""Measures with units -> whole SI numbers: grams, millimetres, days."""

import re
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from pipelines.feeds.mapping.numbers import read_number

# How many of the first unit one of the second is (sources: SI brochure; NIST Handbook 44 for the avoirdupois ones).
FACTORS: dict[str, dict[str, str]] = {
    "g": {"g": "1", "gr": "1", "gram": "1", "grams": "1", "gramm": "1", "г": "1", "grm": "1", "kg": "1000",
          "kgs": "1000", "kgm": "1000", "kilogramm": "1000", "kilogram": "1000", "kilograms": "1000", "кг": "1000",
          "mg": "0.001", "mgm": "0.001", "tne": "1000000", "t": "1000000", "lb": "453.59237", "lbs": "453.59237", "lbr": "453.59237",
          "pound": "453.59237", "pounds": "453.59237", "oz": "28.349523125", "onz": "28.349523125",
          "ounce": "28.349523125", "ounces": "28.349523125", "千克": "1000", "公斤": "1000", "克": "1"},
    "mm": {"mm": "1", "mmt": "1", "cm": "10", "cmt": "10", "dm": "100", "dmt": "100", "fot": "304.8", "m": "1000", "mtr": "1000", "in": "25.4",
           "inh": "25.4", "inch": "25.4", "inches": "25.4", '"': "25.4", "zoll": "25.4", "ft": "304.8",
           "yd": "914.4", "мм": "1", "см": "10", "м": "1000"},
    "days": {"day": "1", "days": "1", "d": "1", "tag": "1", "tage": "1", "tagen": "1", "werktag": "1",
             "werktage": "1", "arbeitstage": "1", "jour": "1", "jours": "1", "día": "1", "dia": "1", "días": "1",
             "dias": "1", "giorno": "1", "giorni": "1", "dag": "1", "dagen": "1", "dni": "1", "dzień": "1",
             "den": "1", "dnů": "1", "dny": "1", "дней": "1", "дня": "1", "день": "1", "日": "1", "天": "1",
             "일": "1", "business days": "1", "working days": "1", "jours ouvrés": "1", "week": "7", "weeks": "7", "wee": "7", "mon": "30", "ann": "365",
             "woche": "7", "wochen": "7", "semaine": "7", "semaines": "7", "semana": "7", "semanas": "7",
             "settimana": "7", "settimane": "7", "týden": "7", "týdny": "7", "tydzień": "7", "tygodnie": "7",
             "month": "30", "months": "30", "monat": "30", "monate": "30", "h": "0.0416666667", "hur": "0.0416666667",
             "std": "0.0416666667", "stunden": "0.0416666667", "hours": "0.0416666667", "hrs": "0.0416666667",
             "heures": "0.0416666667"},
}  # fmt: skip
_BRACKETED = re.compile(r"[(\[]\s*([^)\]]+?)\s*[)\]]")
_LAST_WORD = re.compile(r"[_\s]([^\W\d_]+)$")
_RANGE = re.compile(r"\d+\s*(?:-|–|bis|to|à|a|do|до|~|～|/)\s*(?=\d)", re.I)


def read_measure(
    text: str, to: str, of: str | None = None, assume: str | None = None
) -> tuple[int | None, bool]:
    """(whole number of `to`, assumed). `of` is the unit the column states, `assume` what else is taken for granted.

    (None, False) where the text is no measure. Of a range of days the later one counts.
    """
    plain = _RANGE.sub("", text) if to == "days" and len(text) <= 64 else text
    figure = read_number(plain, "," if "," in plain and "." not in plain else ".")
    if figure.text is None or figure.text.startswith("-"):
        return None, False
    name = unit_name(figure.tail, to)
    if figure.tail and name is None:
        return None, False
    unit = name or of or assume
    if unit is None or unit not in FACTORS[to]:
        return None, False
    rounding = ROUND_CEILING if to == "days" else ROUND_HALF_UP
    value = Decimal(figure.text) * Decimal(FACTORS[to][unit])
    return int(value.quantize(Decimal("0.0001")).quantize(Decimal(1), rounding)), not (name or of)


def unit_name(text: str, to: str) -> str | None:
    """The unit of kind `to` that `text` names ("Weight (lbs)" -> "lbs" for "g"), None where it names none."""
    plain = text.strip(" .:").casefold()
    named = [plain, *_BRACKETED.findall(plain), *_LAST_WORD.findall(plain)]
    return next((name for name in named if name in FACTORS[to]), None)
