"""Prices: each step on examples, and what is told of it."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.money import Money
from pipelines.listings.pricing.formula import Formula
from pipelines.listings.pricing.price import Cost, Priced, Rate, Terms, decide, plain, written

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


def test_decimals_are_written_plainly() -> None:
    assert [plain(Decimal(one)) for one in ("1E+2", "10.500", "0", "-0.10", "0.00000000000049", "3")] == [
        "100", "10.5", "0", "-0.1", "0", "3",
    ]  # fmt: skip
    assert written(Money(5, "EUR")) == "0.05"
    assert written(Money(5, "JPY")) == "5"
    assert written(Money(12345, "KWD")) == "12.345"
