"""Prices a listing: a pure function from what a supplier asks and a seller's formula, which explains each of its steps.

The steps, always in this order; one that changes nothing is left out, but for `base`, `margin` and `rounding`:

1. `base`      the formula's base, in the supplier's currency
2. `net`       its tax taken off, where it includes tax
3. `currency`  by the stored rates
4. `margin`    the formula's per cent, or its tier's; never less than the dearest of the tier before
5. `add_on`    the formula's fixed amount
6. `minimum`   at least the minimum margin on the cost
7. `tax`       put on, where the shop's prices include it
8. `floor`     at least the lowest price that the supplier allows
9. `cap`       at most the recommended price
10. `rounding` once, to the formula's pattern or half-up to the currency's coin, within the limits of 6, 8 and 9
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import NamedTuple

from core.money import Money, exponent
from pipelines.listings.pricing.formula import Formula, below, near

_EXACT = Context(prec=60)
_HALF, _ONE, _HUNDRED = Decimal("0.5"), Decimal(1), Decimal(100)
_SETTLED = Decimal("1E-12")
"""Amounts that were divided are settled to so many places before they meet a limit: 14.99 less its tax and with it again
is 14.99."""

Step = tuple[str, str | None, str, str | None]
"""(what, before, after, by what): amounts as plain decimals, in the shop's currency from `currency` on."""


class Cost(NamedTuple):
    """What a supplier says of an offer, in major units of `currency`, as exact as his file; None where he says nothing.

    `lowest` is the lowest price that he allows. `taxed` says whether his price, rrp and lowest include tax; where he
    does not say it, rrp and lowest do and his price does not. What he asks never does.
    """

    amount: Decimal | None
    currency: str | None
    price: Decimal | None = None
    rrp: Decimal | None = None
    lowest: Decimal | None = None
    taxed: bool | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of a currency one euro was on a day."""

    per_euro: Decimal
    day: date


@dataclass(frozen=True, slots=True)
class Terms:
    """What all prices of a shop have in common. `taxed`: they include tax, `tax_percent` of it (None: nobody said how
    much, so nothing is added). Rates of days before `oldest` are not used."""

    currency: str
    taxed: bool = False
    tax_percent: Decimal | None = None
    rates: Mapping[str, Rate] = field(default_factory=dict)
    oldest: date = date.min


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a listing is not sent, in a sentence for the seller, and how far its price had come."""

    problem: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Priced:
    """The price in the shop, the one that is struck through beside it, how it was made, and the per cent that was put on."""

    price: Money
    compare_at: Money | None
    steps: tuple[Step, ...]
    margin_percent: Decimal


def decide(cost: Cost, formula: Formula, terms: Terms) -> Priced | Blocked:
    """The price by the formula, or why there is none. The same values always give the same answer."""
    return Calculation(formula, terms).price(cost)


class Calculation:
    """A formula for one shop: what is the same for each of its listings is worked out once."""

    def __init__(self, formula: Formula, terms: Terms) -> None:
        self._formula, self._terms = formula, terms
        tax = formula.tax_percent if formula.tax_percent is not None else terms.tax_percent
        self._tax = plain(tax) if tax else None
        self._gross = (_HUNDRED + tax) / _HUNDRED if tax else None
        self._places = exponent(terms.currency)
        self._grid = formula.rounding.grid(terms.currency) if formula.rounding else None
        self._pattern = f"{plain(formula.rounding.to)} {formula.rounding.way}" if formula.rounding else None
        percents = [tier.percent for tier in formula.tiers] or [formula.margin_percent]
        self._factors = [((_HUNDRED + one) / _HUNDRED, plain(one), one) for one in percents]
        least = formula.minimum_margin_percent
        self._minimum = None if least is None else ((_HUNDRED + least) / _HUNDRED, plain(least))
        self._rates: dict[str, tuple[Decimal, str]] = {}
        self._known: dict[Cost, Priced | Blocked] = {}

    def price(self, cost: Cost) -> Priced | Blocked:
        """The price, or why there is none. What is asked again, as many listings of a shop are, is not worked out again."""
        if cost not in self._known:
            steps: list[Step] = []
            with localcontext(_EXACT):
                try:
                    self._known[cost] = self._priced(cost, steps)
                except _Stop as stop:
                    self._known[cost] = Blocked(str(stop), tuple(steps))
        return self._known[cost]

    def _priced(self, cost: Cost, steps: list[Step]) -> Priced:
        formula, gross = self._formula, self._gross
        if cost.currency is None:
            raise _Stop("The supplier's feed names no currency: its settings must say it.")
        amount = _base(cost, formula.base)
        text = plain(amount)
        steps.append(("base", None, text, formula.base))

        def step(what: str, after: Decimal, note: str | None) -> Decimal:
            nonlocal text
            before, text = text, plain(after)
            steps.append((what, before, text, note))
            return after

        if gross is not None and formula.base != "cost" and _taxed(cost, formula.base):
            amount = step("net", amount / gross, self._tax)
        rate = None
        if cost.currency != self._terms.currency:
            rate, note = self._rate(cost.currency)
            amount = step("currency", amount * rate, note)
        factor, said, percent = self._factors[0]
        raised = amount * factor
        if formula.tiers:
            place = max(0, sum(tier.start <= amount for tier in formula.tiers) - 1)
            factor, said, percent = self._factors[place]
            raised = max(amount * factor, formula.floors[place])
        amount = step("margin", raised, said)
        if formula.add_on:
            amount = step("add_on", amount + formula.add_on, plain(formula.add_on))
        minimum = None
        if self._minimum is not None:
            minimum = self._least(cost, rate)
            if amount < minimum:
                amount = step("minimum", minimum, self._minimum[1])
        if self._terms.taxed and gross is not None:
            amount = step("tax", amount * gross, self._tax)
            minimum = minimum and minimum * gross
        if rate is not None or gross is not None:
            amount, minimum = _settled(amount), minimum and _settled(minimum)
        return self._limited(cost, steps, amount, minimum, rate, percent)

    def _limited(
        self,
        cost: Cost,
        steps: list[Step],
        amount: Decimal,
        floor: Decimal | None,
        rate: Decimal | None,
        percent: Decimal,
    ) -> Priced:
        """The steps from `floor` on: all amounts are in the shop's own terms now."""
        formula, currency = self._formula, self._terms.currency
        rrp = self._shown(cost.rrp, cost, rate) if cost.rrp is not None else None
        cap = rrp if formula.rrp_cap else None
        if formula.map_floor and cost.lowest is not None:
            lowest = self._shown(cost.lowest, cost, rate)
            floor = lowest if floor is None else max(floor, lowest)
        if floor is not None and cap is not None and floor > cap:
            raise _Stop(
                f"It may not cost less than {plain(floor)} {currency}, which is the minimum margin or the lowest price that the"
                f" supplier allows, and the rule keeps it at the recommended price of {plain(cap)} or below: change the rule."
            )
        if floor is not None and amount < floor:
            steps.append(("floor", plain(amount), plain(floor), None))
            amount = floor
        if cap is not None and amount > cap:
            steps.append(("cap", plain(amount), plain(cap), None))
            amount = cap
        minor = self._rounded(amount, floor, cap)
        price = Money(minor, currency)
        steps.append(("rounding", plain(amount), written(price), self._pattern))
        struck = None
        if rrp is not None and formula.compare_at == "rrp":
            struck = Money(_half_up(rrp.scaleb(self._places)), currency)
        return Priced(price, struck if struck and struck.minor > minor else None, tuple(steps), percent)

    def _least(self, cost: Cost, rate: Decimal | None) -> Decimal:
        """The cost with the minimum margin, without tax, in the shop's currency."""
        if cost.amount is None:
            raise _Stop(
                "The supplier's feed gives no cost for this product, so its minimum margin is not known."
            )
        assert self._minimum is not None
        least = cost.amount * self._minimum[0]
        return least if rate is None else least * rate

    def _shown(self, told: Decimal, cost: Cost, rate: Decimal | None) -> Decimal:
        """An amount that the supplier gives for buyers, in the shop's terms."""
        told = told if rate is None else told * rate
        if self._gross is not None and self._terms.taxed != (cost.taxed is not False):
            told = told * self._gross if self._terms.taxed else told / self._gross
        return told if rate is None and self._gross is None else _settled(told)

    def _rate(self, currency: str) -> tuple[Decimal, str]:
        """How many of the shop's currency one of `currency` is, and that in words."""
        if currency not in self._rates:
            self._rates[currency] = _exchange(currency, self._terms)
        return self._rates[currency]

    def _rounded(self, amount: Decimal, floor: Decimal | None, cap: Decimal | None) -> int:
        """Minor units, within the limits; where no price of the pattern lies between them, without the pattern."""
        exact = amount.scaleb(self._places)
        least = (
            1 if floor is None else max(1, int(floor.scaleb(self._places).to_integral_value(ROUND_CEILING)))
        )
        most = None if cap is None else int(cap.scaleb(self._places).to_integral_value(ROUND_FLOOR))
        if exact < _HALF or (most is not None and most < least):
            raise _Stop("The price would be nothing: look at the cost, the margin and the limits.")
        minor: int | None = None
        if self._formula.rounding:
            if self._grid is None:
                raise _Stop(
                    f"The rule rounds to {self._pattern}, for which {self._terms.currency} has no coin."
                )
            minor = near(exact, self._grid, self._formula.rounding.way)
            if minor < least:
                minor = near(Decimal(least), self._grid, "up")
            if most is not None and minor > most:
                minor = below(most, self._grid)
        if minor is None or minor < least:
            minor = max(least, _half_up(exact))
            minor = minor if most is None else min(minor, most)
        return minor


class _Stop(Exception):
    """The sentence that ends a calculation; no error."""


def plain(amount: Decimal) -> str:
    """ "15", "0.125": a decimal without an exponent and without zeros at its end; at most twelve places."""
    text = f"{amount:f}"
    if "." not in text:
        return text
    if len(text) - text.index(".") > 13:
        text = f"{_settled(amount):f}"
    return text.rstrip("0").rstrip(".")


def written(price: Money) -> str:
    """ "15.00": the price with all places of its currency; as `str(price.amount)`, in a fifth of the time."""
    places = exponent(price.currency)
    if not places:
        return str(price.minor)
    whole, rest = divmod(price.minor, 10**places)
    return f"{whole}.{rest:0{places}}"


def _base(cost: Cost, base: str) -> Decimal:
    found = cost.amount if base == "cost" else cost.price if base == "price" else cost.rrp
    if found is None:
        raise _Stop(
            "The supplier's feed gives no cost for this product: its policy must say what he asks."
            if base == "cost"
            else f"The supplier's feed gives no {'recommended price' if base == 'rrp' else 'price'} for this product,"
            " and the rule starts from it: let another rule price it."
        )
    return found


def _taxed(cost: Cost, base: str) -> bool:
    return cost.taxed is True or (base == "rrp" and cost.taxed is None)


def _exchange(currency: str, terms: Terms) -> tuple[Decimal, str]:
    sides = []
    for side in (currency, terms.currency):
        rate = Rate(_ONE, date.max) if side == "EUR" else terms.rates.get(side)
        if rate is None or rate.day < terms.oldest:
            known = f"the newest rate of {side} is of {rate.day}" if rate else f"no rate of {side} is known"
            raise _Stop(
                f"The supplier asks {currency}, the shop sells in {terms.currency}, and {known}: load the European"
                " Central Bank's file with `entrepot rates load`."
            )
        sides.append(rate)
    theirs, ours = sides
    note = f"{plain(theirs.per_euro)} {currency} = {plain(ours.per_euro)} {terms.currency}, {min(theirs.day, ours.day)}"
    return ours.per_euro / theirs.per_euro, note


def _half_up(amount: Decimal) -> int:
    return int((amount + _HALF).to_integral_value(ROUND_FLOOR))


def _settled(amount: Decimal) -> Decimal:
    return amount.quantize(_SETTLED, ROUND_HALF_EVEN, _EXACT)
