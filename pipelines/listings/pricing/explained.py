"""A price in sentences: each stored step in words, for the listing's page, the command line and the API."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

_SHOWN = Decimal("0.0001")
_BASES = {"cost": "supplier's cost", "price": "supplier's own price", "rrp": "recommended retail price"}


def told(why: Mapping[str, Any], currency: str) -> list[str]:
    """What made the price of a listing's `why`, in a shop of this currency; [] where its steps were not kept."""
    steps = why.get("steps") or []
    if not steps:
        return []
    return [_who(why), *sentences(steps, str(why["currency"]), currency)]


def sentences(steps: Sequence[Sequence[str | None]], theirs: str, ours: str) -> list[str]:
    """One sentence a step; `theirs` is the currency of the supplier, `ours` the shop's."""
    said = []
    spoken = theirs
    for what, before, after, note in steps:
        if what == "currency":
            spoken = ours
        said.append(_sentence(str(what), before or "0", after or "0", note or "", spoken))
    return said


def amount(text: str) -> str:
    """ "9.259259259259" → "9.2593": at most four places, at least two where there are any."""
    value = Decimal(text)
    if value == value.to_integral_value():
        return f"{value:.2f}" if "." in text else text
    shown = f"{value.quantize(_SHOWN, ROUND_HALF_EVEN):f}".rstrip("0")
    whole, _, rest = shown.partition(".")
    return f"{whole}.{rest.ljust(2, '0')}"


def _who(why: Mapping[str, Any]) -> str:
    if why.get("rule"):
        return f"Price rule {why['rule']}, “{why['rule_name']}”, makes the price."
    if "rule" in why:
        return "The rule that is tried out makes the price."
    if why.get("selection"):
        return f"No price rule fits: the margin of selection {why['selection']} makes the price."
    return "No price rule fits, and no selection chose it: nothing is put on it."


def _sentence(what: str, before: str, after: str, note: str, currency: str) -> str:
    end = f"{amount(after)} {currency}"
    if what == "base":
        return f"The {_BASES[note]} is {end}."
    if what == "net":
        return f"Without its {note} % tax it is {end}."
    if what == "currency":
        return f"By the rate {note}, it is {end}."
    if what == "margin":
        percent = Decimal(note)
        put = f"{note} % on top" if percent >= 0 else f"{-percent} % off"
        plain = Decimal(before) * (100 + percent) / 100
        more = ", but no less than the dearest of the tier before" if Decimal(after) - plain > _SHOWN else ""
        return f"{put}{more} makes {end}."
    if what == "add_on":
        fixed = Decimal(note)
        return f"{amount(str(abs(fixed)))} {'more' if fixed >= 0 else 'less'} makes {end}."
    if what == "minimum":
        return f"The minimum margin of {note} % on the cost raises it to {end}."
    if what == "tax":
        return f"{note} % tax on top makes {end}."
    if what == "floor":
        return f"The lowest price that the supplier allows raises it to {end}."
    if what == "cap":
        return f"The recommended retail price keeps it at {end}."
    pattern, _, way = note.partition(" ")
    if not pattern:
        return f"Rounded half-up once, the price is {end}."
    return f"Rounded {'up ' if way == 'up' else ''}to the pattern {pattern}, the price is {end}."
