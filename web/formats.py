"""Numbers, sizes and times as a person reads them: pure functions, by the browser's language."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

# Decimal and grouping signs (source: Unicode CLDR, numbers/symbols). What is not listed reads like English.
_POINT_COMMA = {
    "de": ".",
    "nl": ".",
    "es": ".",
    "it": ".",
    "da": ".",
    "pt": ".",
    "tr": ".",
    "el": ".",
    "ro": ".",
    "sl": ".",
    "hr": ".",
}
_SPACE_COMMA = {"fr", "cs", "sk", "pl", "sv", "nb", "no", "fi", "ru", "uk", "bg", "hu", "lt", "lv", "et"}
THIN = "\u202f"
MINUTE, HOUR, DAY = 60, 3600, 86400


def language(header: str | None) -> str:
    """The first language of an Accept-Language header, "en" where it says none: "de-AT,de;q=0.9" → "de"."""
    first = (header or "").split(",")[0].split(";")[0].strip().lower()
    return first.split("-")[0] if first[:2].isalpha() else "en"


def number(value: int | float | Decimal | None, locale: str = "en", places: int | None = None) -> str:
    """12345.5 → "12,345.5" (en), "12.345,5" (de), "12 345,5" (fr); None → "–"."""
    if value is None:
        return "–"
    if places is not None:
        plain = f"{value:,.{places}f}"
    else:
        plain = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"  # a Decimal of 40 may be 4E+1
    if locale in _POINT_COMMA:
        return plain.translate({ord(","): ".", ord("."): ","})
    if locale in _SPACE_COMMA:
        return plain.translate({ord(","): THIN, ord("."): ","})
    return plain


def money(amount: str | Decimal | None, currency: str | None, locale: str = "en") -> str:
    """ "12.5", "EUR" → "12.50 EUR": at least two places where there is a fraction or none is usual, never rounded."""
    if amount is None:
        return "–"
    value = Decimal(amount)
    _, _, exponent = value.as_tuple()
    places = max(-exponent if isinstance(exponent, int) else 0, 0)
    return f"{number(value, locale, places)}{' ' + currency if currency else ''}"


def size(count: int | None, locale: str = "en") -> str:
    """Bytes as "812 B", "4.2 kB", "38 MB"."""
    if count is None:
        return "–"
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{number(value, locale, 1 if unit != 'B' and value < 10 else 0)} {unit}"


def duration(seconds: float | None, locale: str = "en") -> str:
    """A span as its greatest unit or two: "340 ms", "12 s", "3 min", "2 h 5 min", "4 days"."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{number(seconds, locale, 1)} s"
    if seconds < MINUTE:
        return f"{round(seconds)} s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min"
    if seconds < DAY:
        hours, minutes = int(seconds // HOUR), int(seconds % HOUR // MINUTE)
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    days = int(seconds // DAY)
    return f"{days} day{'s' if days != 1 else ''}"


def ago(moment: datetime | None, present: datetime) -> str:
    """ "just now", "5 min ago", "in 20 min", "yesterday", "12 Mar" (this year), "12 Mar 2025"; None → "never"."""
    if moment is None:
        return "never"
    past = (present - moment).total_seconds()
    if abs(past) < 5:
        return "just now"
    if past < 0:
        return f"in {duration(-past)}"
    if past < DAY:
        return f"{duration(int(past))} ago".replace(".0 s", " s")
    if past < 2 * DAY:
        return "yesterday"
    if past < 7 * DAY:
        return f"{int(past // DAY)} days ago"
    return f"{moment.day} {moment:%b}" + ("" if moment.year == present.year else f" {moment.year}")


def exact(moment: datetime | None) -> str:
    """ "23 Nov 2026, 02:35:10 UTC": what stands behind a relative time until the browser puts its own zone."""
    if moment is None:
        return ""
    local = moment.astimezone(UTC)
    return f"{local.day} {local:%b %Y, %H:%M:%S} UTC"


def percent(part: int, whole: int, locale: str = "en") -> str:
    """98.44 of 100 → "98.4 %"; never "100 %" unless it is all, never "0 %" unless it is nothing; whole 0 → "–"."""
    if not whole:
        return "–"
    exactly = part * 100 / whole
    shown = min(exactly, 99.9) if part < whole else 100.0
    shown = max(shown, 0.1) if part else 0.0
    return f"{number(shown, locale, 0 if shown in (0, 100) else 1)} %"


def move(old: Any, new: Any) -> float | None:
    """By how many per cent a number moves; None where it is none, or comes from nothing."""
    try:
        before, after = Decimal(str(old)), Decimal(str(new))
    except InvalidOperation:
        return None
    return float((after / before - 1) * 100) if before and before.is_finite() and after.is_finite() else None
