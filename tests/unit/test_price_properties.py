"""What must hold of every price that hypothesis can think of: dearer is never cheaper, limits, patterns, and its steps."""

from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from core.money import Money, exponent
from pipelines.listings.pricing.formula import Formula
from pipelines.listings.pricing.price import Blocked, Cost, Priced, Rate, Step, Terms, decide, written

GROSS = Terms("EUR", taxed=True, tax_percent=Decimal(19))
DAY = date(2026, 11, 26)
RATES = {
    "USD": Rate(Decimal("1.08"), DAY),
    "GBP": Rate(Decimal("0.86"), DAY),
    "JPY": Rate(Decimal("170.3"), DAY),
}


def amounts(least: str = "0.000001", most: str = "99999") -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value=least, max_value=most, places=6)


def percents(least: int = -50, most: int = 500) -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value=least, max_value=most, places=2)


@st.composite
def formulas(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = {
        "base": draw(st.sampled_from(["cost", "cost", "price", "rrp"])), "add_on": draw(st.decimals(-5, 50, places=2)),
        "rrp_cap": draw(st.booleans()), "map_floor": draw(st.booleans()), "compare_at": draw(st.sampled_from(["none", "rrp"])),
        "minimum_margin_percent": draw(st.none() | percents()), "tax_percent": draw(st.none() | st.sampled_from([0, 7, 19])),
    }  # fmt: skip
    if draw(st.booleans()):
        starts = [0, *sorted(draw(st.sets(st.integers(1, 5000), max_size=3)))]
        document["tiers"] = [{"from": start, "percent": draw(percents())} for start in starts]
    else:
        document["margin_percent"] = draw(percents())
    if draw(st.booleans()):
        to = draw(st.sampled_from(["0.99", "0.95", "0.05", "0.5", "1", "9.90", "99"]))
        document["rounding"] = {"to": to, "way": draw(st.sampled_from(["up", "nearest"]))}
    return document


@st.composite
def offers(draw: st.DrawFn) -> Cost:
    return Cost(
        draw(amounts()), draw(st.sampled_from(["EUR", "USD", "JPY"])), price=draw(amounts()), rrp=draw(amounts()),
        lowest=draw(st.none() | amounts()), taxed=draw(st.sampled_from([None, True, False])),
    )  # fmt: skip


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    tax = draw(st.none() | st.sampled_from([Decimal(0), Decimal("5.5"), Decimal(19)]))
    return Terms(draw(st.sampled_from(["EUR", "GBP", "JPY"])), draw(st.booleans()), tax, RATES)


@given(offers(), formulas(), terms(), st.data())
def test_what_costs_more_never_sells_for_less(
    offer: Cost, document: dict[str, Any], of: Terms, data: st.DataObject
) -> None:
    formula = Formula.read(document)
    base = "amount" if formula.base == "cost" else formula.base
    if base == "rrp" and (formula.rrp_cap or formula.minimum_margin_percent is not None):
        base = "amount"
    dearer = offer._replace(**{base: getattr(offer, base) + data.draw(amounts())})
    one, two = decide(offer, formula, of), decide(dearer, formula, of)
    if isinstance(one, Priced) and isinstance(two, Priced):
        assert one.price.minor <= two.price.minor


@given(offers(), formulas(), terms())
def test_every_limit_is_kept_and_the_pattern_is_hit_where_one_lies_between_them(
    offer: Cost, document: dict[str, Any], of: Terms
) -> None:
    formula = Formula.read(document)
    decided = decide(offer, formula, of)
    assert decided == decide(offer, formula, of), "the same facts give the same price"
    if isinstance(decided, Blocked):
        assert decided.problem.endswith((".", "`."))
        return
    assert decided.price.minor > 0
    if decided.compare_at is not None:
        assert decided.compare_at.minor > decided.price.minor
    floor, cap = limits(offer, formula, of)
    assert floor is None or decided.price.minor >= floor
    assert cap is None or decided.price.minor <= cap
    if formula.rounding and not on_grid(decided.price, formula.rounding.to):
        assert cap is not None, "only a cap can keep a price off its pattern"
        assert first_on_grid(max(floor or 1, 1), of.currency, formula.rounding.to) > cap


@given(offers(), formulas(), terms())
@example(
    Cost(Decimal("14.99"), "EUR"), {"margin_percent": "0", "rounding": {"to": "0.99", "way": "up"}}, GROSS
)
def test_the_steps_that_are_told_lead_to_the_price(offer: Cost, document: dict[str, Any], of: Terms) -> None:
    decided = decide(offer, Formula.read(document), of)
    if isinstance(decided, Blocked):
        return
    before: str | None = None
    for step in decided.steps:
        assert step[1] == before, "each step goes on from where the last one ended"
        assert_follows(step, Formula.read(document))
        before = step[2]
    assert before == written(decided.price)
    assert before == str(decided.price.amount)


def assert_follows(step: Step, formula: Formula) -> None:
    """A step's end follows from its beginning and what it names, to the twelve places that are told."""
    what, told, after, note = step
    before = Decimal(told or 0)
    with localcontext(Context(prec=60)):
        percent = Decimal(note) if what in ("net", "margin", "tax", "add_on") and note else Decimal(0)
        if what == "net":
            expected = before / (100 + percent) * 100
        elif what == "currency" and note:
            theirs, ours = (Decimal(side.split()[0]) for side in note.split(", ")[0].split(" = "))
            expected = before * ours / theirs
        elif what == "margin":
            expected = before * (100 + percent) / 100
            if formula.tiers:
                least = zip(formula.tiers, formula.floors, strict=True)
                expected = max([expected, *(floor for tier, floor in least if tier.start <= before)])
        elif what == "add_on":
            expected = before + percent
        elif what == "tax":
            expected = before * (100 + percent) / 100
        else:
            return
        assert abs(expected - Decimal(after)) <= Decimal("2E-8") * max(Decimal(1), abs(before))


def limits(offer: Cost, formula: Formula, of: Terms) -> tuple[int | None, int | None]:
    """The limits in minor units, from their definition."""
    with localcontext(Context(prec=60)):
        tax = formula.tax_percent if formula.tax_percent is not None else of.tax_percent
        gross = 1 + (tax or Decimal(0)) / 100
        per = {"EUR": Decimal(1), **{name: rate.per_euro for name, rate in RATES.items()}}
        rate = per[of.currency] / per[offer.currency or "EUR"]
        assert offer.amount is not None
        assert offer.rrp is not None
        for_buyers = (
            (Decimal(1) if offer.taxed is not False else gross)
            if of.taxed
            else (1 / gross if offer.taxed is not False else 1)
        )
        unit = Decimal(10) ** exponent(of.currency)
        floors = []
        if formula.minimum_margin_percent is not None:
            least = offer.amount * rate * (100 + formula.minimum_margin_percent) / 100
            floors.append(least * (gross if of.taxed else 1))
        if formula.map_floor and offer.lowest is not None:
            floors.append(offer.lowest * rate * for_buyers)
        nearly = Decimal("1E-11")
        floor = -int(((-max(floors) + nearly) * unit).to_integral_value(ROUND_FLOOR)) if floors else None
        cap = int(((offer.rrp * rate * for_buyers + nearly) * unit).to_integral_value(ROUND_FLOOR))
        return floor, cap if formula.rrp_cap else None


def on_grid(amount: Money, to: Decimal) -> bool:
    """Whether a price ends as the pattern says."""
    span = Decimal(10) ** (to.adjusted() + 1)
    return amount.amount % to == 0 if span % to == 0 else amount.amount % span == to


def first_on_grid(least: int, currency: str, to: Decimal) -> int:
    """The lowest price in minor units, not below `least`, that ends as the pattern says."""
    unit = Decimal(10) ** exponent(currency)
    span = Decimal(10) ** (to.adjusted() + 1)
    step = int((to if span % to == 0 else span) * unit)
    return least + (int(to * unit) - least) % step
