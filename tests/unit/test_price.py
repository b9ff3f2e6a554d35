"""Prices: exact on examples, and true to their definition on anything hypothesis can think of."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Money, exponent
from pipelines.listings.price import Blocked, Cost, decide


@pytest.mark.parametrize(
    ("cost", "margin", "currency", "expected"),
    [
        ("10.00", "50", "EUR", 1500),
        ("0.01", "49", "EUR", 1),
        ("0.01", "50", "EUR", 2),
        ("17.23", "0", "EUR", 1723),
        ("10.333333", "12.5", "EUR", 1162),
        ("1000", "10", "JPY", 1100),
        ("1.2345", "0", "KWD", 1235),
        ("9.99", "-10", "EUR", 899),
    ],
)
def test_examples(cost: str, margin: str, currency: str, expected: int) -> None:
    assert decide(Cost(Decimal(cost), currency), Decimal(margin), currency) == Money(expected, currency)


@pytest.mark.parametrize(
    ("cost", "word"),
    [
        (Cost(None, "EUR"), "no cost"),
        (Cost(Decimal(5), None), "no currency"),
        (Cost(Decimal(5), "USD"), "USD"),
        (Cost(Decimal(0), "EUR"), "nothing"),
    ],
)
def test_what_cannot_be_priced_says_why(cost: Cost, word: str) -> None:
    decided = decide(cost, Decimal(30), "EUR")
    assert isinstance(decided, Blocked)
    assert word in decided.problem


@given(
    cost=st.decimals(min_value="0.000001", max_value="99999999", places=6),
    margin=st.decimals(min_value=-90, max_value=1000, places=2),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_the_price_is_the_nearest_minor_unit_half_up(cost: Decimal, margin: Decimal, currency: str) -> None:
    decided = decide(Cost(cost, currency), margin, currency)
    exact = cost * (100 + margin) / 100 * 10 ** exponent(currency)
    if isinstance(decided, Blocked):
        assert exact < Decimal("0.5")
    else:
        assert decided.minor - exact <= Decimal("0.5")
        assert exact - decided.minor < Decimal("0.5")


@given(
    cost=st.decimals(min_value="0.01", max_value="99999", places=4),
    margins=st.tuples(*[st.decimals(min_value=0, max_value=500, places=2)] * 2),
)
def test_a_greater_margin_never_makes_a_smaller_price(
    cost: Decimal, margins: tuple[Decimal, Decimal]
) -> None:
    low, high = sorted(margins)
    cheap, dear = decide(Cost(cost, "EUR"), low, "EUR"), decide(Cost(cost, "EUR"), high, "EUR")
    assert isinstance(cheap, Money)
    assert isinstance(dear, Money)
    assert cheap.minor <= dear.minor
