"""Prices: each step on examples, and what must hold of every price hypothesis can think of."""

from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.money import Money, exponent
from pipelines.listings.formula import Formula
from pipelines.listings.price import Blocked, Cost, Priced, Rate, Step, Terms, decide, plain, written

EUR = Terms("EUR")
GROSS = Terms("EUR", taxed=True, tax_percent=Decimal(19))
DAY = date(2026, 11, 26)
RATES = {
    "USD": Rate(Decimal("1.08"), DAY),
    "GBP": Rate(Decimal("0.86"), DAY),
    "JPY": Rate(Decimal("170.3"), DAY),
}


def cost(amount: str | None, currency: str | None = "EUR", **told: Any) -> Cost:
    return Cost(None if amount is None else Decimal(amount), currency, **told)


def price(offer: Cost, terms: Terms = EUR, **document: Any) -> str:
    """The price as text, or the sentence that says why there is none."""
    decided = decide(offer, Formula.read(document), terms)
    return str(decided.price) if isinstance(decided, Priced) else decided.problem


@pytest.mark.parametrize(
    ("amount", "margin", "currency", "expected"),
    [
        ("10.00", "50", "EUR", "15.00 EUR"),
        ("0.01", "49", "EUR", "0.01 EUR"),
        ("0.01", "50", "EUR", "0.02 EUR"),
        ("17.23", "0", "EUR", "17.23 EUR"),
        ("10.333333", "12.5", "EUR", "11.62 EUR"),
        ("1000", "10", "JPY", "1100 JPY"),
        ("1.2345", "0", "KWD", "1.235 KWD"),
        ("9.99", "-10", "EUR", "8.99 EUR"),
    ],
)
def test_a_margin(amount: str, margin: str, currency: str, expected: str) -> None:
    assert price(cost(amount, currency), Terms(currency), margin_percent=margin) == expected


TIERS = [{"from": "0", "percent": "50"}, {"from": "10", "percent": "20"}, {"from": "100", "percent": "15"}]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("5", "7.50 EUR"), ("9.99", "14.99 EUR"), ("10", "15.00 EUR"), ("12.5", "15.00 EUR"), ("20", "24.00 EUR"),
        ("100", "120.00 EUR"), ("200", "230.00 EUR"),
    ],
)  # fmt: skip
def test_what_costs_more_never_sells_for_less_where_a_tier_begins(amount: str, expected: str) -> None:
    assert price(cost(amount), tiers=TIERS) == expected


def test_a_tier_is_never_below_any_that_came_before() -> None:
    tiers = [{"from": 0, "percent": 100}, {"from": 10, "percent": 0}, {"from": 18, "percent": 0}]
    assert [price(cost(amount), tiers=tiers) for amount in ("9.99", "17", "19", "21")] == [
        "19.98 EUR", "20.00 EUR", "20.00 EUR", "21.00 EUR",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "to", "way", "expected"),
    [
        ("12.30", "0.99", "nearest", "11.99 EUR"), ("12.50", "0.99", "nearest", "12.99 EUR"), ("12.49", "0.99", "nearest", "12.99 EUR"),
        ("12.30", "0.99", "up", "12.99 EUR"), ("12.99", "0.99", "up", "12.99 EUR"), ("0.30", "0.99", "nearest", "0.99 EUR"),
        ("12.32", "0.05", "nearest", "12.30 EUR"), ("12.32", "0.05", "up", "12.35 EUR"), ("12.32", "1", "nearest", "12.00 EUR"),
        ("12.32", "5", "up", "15.00 EUR"), ("12.32", "9.90", "up", "19.90 EUR"), ("12.32", "0.95", "nearest", "11.95 EUR"),
        ("12.32", "0.9", "nearest", "11.90 EUR"), ("102.32", "99", "nearest", "99.00 EUR"),
    ],
)  # fmt: skip
def test_rounding_to_prices_that_look_well(amount: str, to: str, way: str, expected: str) -> None:
    assert price(cost(amount), rounding={"to": to, "way": way}) == expected


def test_a_pattern_that_a_currency_has_no_coin_for_says_so() -> None:
    assert "JPY has no coin" in price(cost("1000", "JPY"), Terms("JPY"), rounding={"to": "0.99"})
    assert price(cost("1234", "JPY"), Terms("JPY"), rounding={"to": "100"}) == "1200 JPY"


def test_the_recommended_price_caps_and_is_struck_through() -> None:
    offer = cost("10", rrp=Decimal("14.50"))
    assert price(offer, margin_percent="50", rrp_cap=True) == "14.50 EUR"
    assert price(offer, margin_percent="50", rrp_cap=True, rounding={"to": "0.99"}) == "13.99 EUR"
    decided = decide(offer, Formula.read({"margin_percent": "30", "compare_at": "rrp"}), EUR)
    assert isinstance(decided, Priced)
    assert (decided.price, decided.compare_at) == (Money(1300, "EUR"), Money(1450, "EUR"))
    decided = decide(offer, Formula.read({"margin_percent": "45", "compare_at": "rrp"}), EUR)
    assert isinstance(decided, Priced)
    assert decided.compare_at is None, "a price is not struck through by itself"


def test_the_lowest_price_that_the_supplier_allows_is_kept_unless_the_rule_says_otherwise() -> None:
    offer = cost("10", lowest=Decimal("12.34"))
    assert price(offer, margin_percent="5") == "12.34 EUR"
    assert price(offer, margin_percent="5", rounding={"to": "0.99"}) == "12.99 EUR"
    assert price(offer, margin_percent="5", map_floor=False) == "10.50 EUR"


def test_where_no_price_of_the_pattern_lies_between_the_limits_the_pattern_gives_way() -> None:
    offer = cost("10", lowest=Decimal("12.10"), rrp=Decimal("12.80"))
    assert price(offer, margin_percent="25", rrp_cap=True, rounding={"to": "0.99"}) == "12.50 EUR"


def test_a_minimum_margin_holds_against_a_cheap_base_and_against_rounding() -> None:
    offer = cost("10", rrp=Decimal("11.90"), taxed=False)
    assert price(offer, base="rrp", margin_percent="-5", minimum_margin_percent="15") == "11.50 EUR"
    assert (
        price(cost("10.5"), margin_percent="20", minimum_margin_percent="20", rounding={"to": "0.99"})
        == "12.99 EUR"
    )
    # 12.00 and 19 % are 14.28, and 13.99 would be the nearest.
    assert (
        price(cost("10"), GROSS, margin_percent="20", minimum_margin_percent="20", rounding={"to": "0.99"})
        == "14.99 EUR"
    )


def test_limits_are_told_as_steps_of_their_own() -> None:
    def steps(offer: Cost, **document: Any) -> list[str]:
        decided = decide(offer, Formula.read(document), EUR)
        assert isinstance(decided, Priced)
        return [step[0] for step in decided.steps]

    offer = cost("10", lowest=Decimal(13), rrp=Decimal(14))
    assert steps(offer, margin_percent="35", minimum_margin_percent="35") == ["base", "margin", "rounding"]
    assert steps(offer, margin_percent="32", minimum_margin_percent="35") == [
        "base",
        "margin",
        "minimum",
        "rounding",
    ]
    assert steps(offer, margin_percent="10") == ["base", "margin", "floor", "rounding"]
    assert steps(offer, margin_percent="50", rrp_cap=True) == ["base", "margin", "cap", "rounding"]


def test_a_limit_between_two_coins_is_kept_too() -> None:
    assert price(cost("10", rrp=Decimal("14.505")), margin_percent="50", rrp_cap=True) == "14.50 EUR"
    assert price(cost("10", lowest=Decimal("14.501")), margin_percent="5") == "14.51 EUR"


def test_limits_that_exclude_each_other_block_with_both_figures() -> None:
    told = price(cost("10", rrp=Decimal(11)), margin_percent="5", minimum_margin_percent="20", rrp_cap=True)
    assert "less than 12 EUR" in told
    assert "recommended price of 11 or below" in told


def test_tax_is_put_on_before_the_pattern_where_the_shops_prices_include_it() -> None:
    assert price(cost("10"), GROSS, margin_percent="50") == "17.85 EUR"
    assert price(cost("10"), GROSS, margin_percent="50", rounding={"to": "0.99"}) == "17.99 EUR"
    assert price(cost("10"), GROSS, margin_percent="50", tax_percent="7") == "16.05 EUR"
    assert price(cost("10"), GROSS, margin_percent="50", tax_percent="0") == "15.00 EUR"
    assert price(cost("10"), Terms("EUR", taxed=True), margin_percent="50") == "15.00 EUR"
    assert price(cost("10"), Terms("EUR", tax_percent=Decimal(19)), margin_percent="50") == "15.00 EUR"


def test_amounts_for_buyers_are_compared_with_the_tax_that_the_shop_shows() -> None:
    net = Terms("EUR", tax_percent=Decimal(19))
    gross_offer, net_offer = cost("10", rrp=Decimal("11.90")), cost("10", rrp=Decimal("11.90"), taxed=False)
    assert price(gross_offer, net, margin_percent="50", rrp_cap=True) == "10.00 EUR"
    assert price(gross_offer, GROSS, margin_percent="50", rrp_cap=True) == "11.90 EUR"
    assert price(net_offer, net, margin_percent="50", rrp_cap=True) == "11.90 EUR"
    assert price(net_offer, GROSS, margin_percent="50", rrp_cap=True) == "14.16 EUR"


def test_a_price_less_its_tax_and_with_it_again_is_itself() -> None:
    assert (
        price(cost(None, rrp=Decimal("14.99")), GROSS, base="rrp", rounding={"to": "0.99", "way": "up"})
        == "14.99 EUR"
    )
    offer = cost(None, price=Decimal("14.99"), taxed=True)
    assert price(offer, GROSS, base="price", rounding={"to": "0.99", "way": "up"}) == "14.99 EUR"
    assert price(cost(None, price=Decimal("14.99")), GROSS, base="price") == "17.84 EUR"


def test_another_currency_is_converted_by_the_stored_rates() -> None:
    assert price(cost("10.80", "USD"), Terms("EUR", rates=RATES)) == "10.00 EUR"
    assert price(cost("10", "EUR"), Terms("USD", rates=RATES)) == "10.80 USD"
    assert price(cost("10.80", "USD"), Terms("GBP", rates=RATES), margin_percent="10") == "9.46 GBP"
    offer = cost("10.80", "USD", rrp=Decimal("21.60"))
    assert price(offer, Terms("EUR", rates=RATES), margin_percent="300", rrp_cap=True) == "20.00 EUR"


def test_a_rate_that_is_missing_or_too_old_blocks_and_says_what_to_do() -> None:
    assert "no rate of USD is known: load" in price(cost("10", "USD"))
    old = Terms("EUR", rates=RATES, oldest=date(2026, 11, 27))
    assert "the newest rate of USD is of 2026-11-26: load" in price(cost("10", "USD"), old)
    assert price(cost("10.80", "USD"), Terms("EUR", rates=RATES, oldest=DAY)) == "10.00 EUR"


@pytest.mark.parametrize(
    ("offer", "document", "word"),
    [
        (cost(None), {}, "gives no cost"),
        (cost("5", None), {}, "names no currency"),
        (cost("0"), {}, "nothing"),
        (cost("5"), {"add_on": "-6"}, "nothing"),
        (cost("5"), {"base": "rrp"}, "gives no recommended price"),
        (cost("5"), {"base": "price"}, "gives no price"),
        (
            cost(None, rrp=Decimal(5)),
            {"base": "rrp", "minimum_margin_percent": "5"},
            "minimum margin is not known",
        ),
    ],
)
def test_what_cannot_be_priced_says_why(offer: Cost, document: dict[str, Any], word: str) -> None:
    assert word in price(offer, **document)


def test_each_step_is_told_in_its_order() -> None:
    decided = decide(
        cost("10.80", "USD", rrp=Decimal("40")),
        Formula.read({"margin_percent": "50", "add_on": "1.50", "rounding": {"to": "0.99"}, "rrp_cap": True}),
        Terms("EUR", True, Decimal(19), RATES),
    )
    assert isinstance(decided, Priced)
    assert decided.price == Money(1999, "EUR")
    assert list(decided.steps) == [
        ("base", None, "10.8", "cost"),
        ("currency", "10.8", "10", "1.08 USD = 1 EUR, 2026-11-26"),
        ("margin", "10", "15", "50"),
        ("add_on", "15", "16.5", "1.5"),
        ("tax", "16.5", "19.635", "19"),
        ("rounding", "19.635", "19.99", "0.99 nearest"),
    ]


# ---------------------------------------------------------------- whatever hypothesis can think of
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


def test_decimals_are_written_plainly() -> None:
    assert [plain(Decimal(one)) for one in ("1E+2", "10.500", "0", "-0.10", "0.00000000000049", "3")] == [
        "100", "10.5", "0", "-0.1", "0", "3",
    ]  # fmt: skip
    assert written(Money(5, "EUR")) == "0.05"
    assert written(Money(5, "JPY")) == "5"
    assert written(Money(12345, "KWD")) == "12.345"
