"""One order that makes no sense is told as such, on both channels, and those beside it are read."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.orders import UnreadableOrder
from connectors.shops.shopify import orders as shopify
from connectors.shops.woocommerce import orders as woocommerce
from core.errors import Refused

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def refuse_the_second(found: Any, *more: Any) -> Any:
    if str(found["id"]) == "2":
        raise Refused("Order 2 has no date.")
    return found["id"]


class Pages:
    """Answers both channels' lists with three orders."""

    def ask(self, *words: Any, **options: Any) -> Any:
        raise AssertionError("nothing else is asked")

    def page(self, path: str, page: int, **params: Any) -> Any:
        return [{"id": n, "date_modified_gmt": f"2026-01-02T00:00:0{n}"} for n in (1, 2, 3)], False

    def read(self, name: str, **values: Any) -> Any:
        connection = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
        nodes = [{"id": str(n), "lineItems": connection, "refunds": []} for n in (1, 2, 3)]
        return {"orders": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}}


def test_woocommerce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(woocommerce.order_mapping, "order", refuse_the_second)
    orders = woocommerce.Orders(Pages())  # type: ignore[arg-type]
    assert list(orders.since(EPOCH)) == [1, UnreadableOrder("2", "Order 2 has no date."), 3]


def test_shopify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopify, "shop_order", refuse_the_second)
    orders = shopify.Orders(Pages(), None)  # type: ignore[arg-type]
    assert list(orders.since(EPOCH)) == ["1", UnreadableOrder("2", "Order 2 has no date."), "3"]
