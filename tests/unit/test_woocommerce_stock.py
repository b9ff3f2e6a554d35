"""The law of stock in WooCommerce's words: what is sent for a level and what an answer leaves to be set."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import StockLevel
from connectors.shops.woocommerce.stock import mend, wish


def level(stock: int, before: int | None) -> StockLevel:
    return StockLevel("v", "15", None, stock, before)


@pytest.mark.parametrize(
    ("stock", "before", "sent"),
    [
        (7, None, {"id": 15, "manage_stock": True, "stock_quantity": 7}),
        (7, 10, {"id": 15, "inventory_delta": -3}),
        (10, 7, {"id": 15, "inventory_delta": 3}),
        (3, 0, {"id": 15, "inventory_delta": 3}),
        # Nothing more is to be sold, whatever was: the figure may be sent twice.
        (0, 4, {"id": 15, "manage_stock": True, "stock_quantity": 0}),
    ],
)
def test_what_is_sent(stock: int, before: int | None, sent: dict[str, Any]) -> None:
    assert wish(level(stock, before)) == sent


@pytest.mark.parametrize(
    ("stock", "before", "answer", "left"),
    [
        (7, 10, {"manage_stock": True, "stock_quantity": 7}, None),
        (7, 10, {"manage_stock": True, "stock_quantity": 5}, None),  # two were sold unseen
        (7, 10, {"manage_stock": True, "stock_quantity": -1}, level(0, None)),
        (7, 10, {"manage_stock": True, "stock_quantity": 9}, level(7, 9)),  # somebody raised it by two
        (7, 10, {"manage_stock": False, "stock_quantity": None}, level(7, None)),
        (7, 10, {"manage_stock": "parent", "stock_quantity": 30}, level(7, None)),
        (7, None, {"manage_stock": False, "stock_quantity": None}, None),
        (7, 10, {"error": {"code": "x"}}, None),
    ],
)
def test_what_an_answer_leaves_to_be_set(
    stock: int, before: int | None, answer: dict[str, Any], left: StockLevel | None
) -> None:
    assert mend(level(stock, before), answer) == left


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 80), st.integers(-30, 30))
def test_the_shop_ends_as_the_law_wants(stock: int, before: int, sold: int, raised: int) -> None:
    """Whatever was sold unseen, and whatever somebody raised."""
    shown = before - sold + raised
    wanted: StockLevel | None = level(stock, before)
    rounds = 0
    while wanted is not None and rounds < 3:
        sent = wish(wanted)
        shown = sent["stock_quantity"] if "stock_quantity" in sent else shown + sent["inventory_delta"]
        wanted, rounds = mend(wanted, {"manage_stock": True, "stock_quantity": shown}), rounds + 1
    assert wanted is None and rounds <= 2
    assert shown == (0 if stock == 0 else max(0, min(stock, stock - (sold - raised))))
