"""Exact arithmetic of rules: amounts as decimal text, times, plus, minus, rounded to steps or to an ending."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from pipelines.feeds.mapping.numbers import PLACES, read_number

_ROUNDINGS = {"nearest": ROUND_HALF_UP, "up": ROUND_CEILING, "down": ROUND_FLOOR}
_TOO_MUCH = Decimal(10) ** 12  # offers have no room for more, see models.suppliers.StagedOffer
_PLACES = Decimal(1).scaleb(-PLACES)


def decimal_of(text: str) -> Decimal | None:
    """The number in `text` ("12,5", "12.50 EUR", "-3"); None where there is none, or only a guess could tell it."""
    figure = read_number(text, "," if "," in text and "." not in text else "")
    return None if figure.text is None or figure.ambiguous else Decimal(figure.text)


def calculated(amounts: Iterable[str | None], steps: Mapping[str, Any], *, whole: bool) -> list[str | None]:
    """Each amount after the steps, always in this order: times, plus, minus, at_least, at_most, round.

    Decimal text of at most six places, at least as many as were there; `whole` numbers are rounded down and never
    below zero. None stays None, and what has more than twelve digits before the point is no amount.
    """
    known: dict[str, str | None] = {}
    answers: list[str | None] = []
    for amount in amounts:
        if amount is None:
            answers.append(None)
            continue
        if amount not in known:
            known[amount] = _calculated(Decimal(amount), steps, whole)
        answers.append(known[amount])
    return answers


def rounded(amount: Decimal, how: Mapping[str, str]) -> Decimal:
    """`{"to": "0.05", "way": "up"}`: the nearest (or next) multiple; `{"ending": "0.99"}`: the next amount that ends so.

    An ending of "9.99" is reached every ten: 12.34 -> 19.99.
    """
    if "ending" in how:
        ending = Decimal(how["ending"])
        whole = int(ending)
        every = Decimal(10) ** (len(str(whole)) if whole else 0)
        return ending + ((amount - ending) / every).to_integral_value(ROUND_CEILING) * every
    step = Decimal(how["to"])
    return (amount / step).to_integral_value(_ROUNDINGS[how.get("way", "nearest")]) * step


def _calculated(amount: Decimal, steps: Mapping[str, Any], whole: bool) -> str | None:
    with localcontext() as context:
        context.prec = 60
        result = amount
        if "times" in steps:
            result *= Decimal(str(steps["times"]))
        if "plus" in steps:
            result += Decimal(str(steps["plus"]))
        if "minus" in steps:
            result -= Decimal(str(steps["minus"]))
        if "at_least" in steps:
            result = max(result, Decimal(str(steps["at_least"])))
        if "at_most" in steps:
            result = min(result, Decimal(str(steps["at_most"])))
        if "round" in steps:
            result = rounded(result, steps["round"])
        if abs(result) >= _TOO_MUCH:
            return None
        if whole:
            return str(max(int(result.to_integral_value(ROUND_FLOOR)), 0))
        places = min(max(-int(amount.as_tuple().exponent), 2), PLACES)
        exact = result.quantize(_PLACES, ROUND_HALF_UP).normalize()
        least = Decimal(1).scaleb(-places)
        return f"{exact if -int(exact.as_tuple().exponent) > places else exact.quantize(least):f}"
