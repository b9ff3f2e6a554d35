"""What of a WooCommerce shop is told to be there at all."""

from collections.abc import Iterator
from typing import Any

from connectors.shops.woocommerce.client import BY_ID
from connectors.shops.woocommerce.facts import Facts
from connectors.shops.woocommerce.shelf import Shelf

PRODUCTS = [
    {"id": 1, "type": "simple", "status": "publish", "sku": "A"},
    {"id": 2, "type": "variable", "status": "private", "sku": "B"},
    {"id": 3, "type": "external", "status": "publish", "sku": "C"},
    {"id": 4, "type": "grouped", "status": "publish", "sku": "D"},
    {"id": 5, "type": "bundle", "status": "publish", "sku": "E"},
    {"id": 6, "type": "simple", "status": "draft", "sku": ""},
]
VARIATIONS = [{"id": 22, "status": "publish", "sku": "B-M"}, {"id": 21, "status": "publish", "sku": "B-S"}]


class Told:
    """The lists of a shop, by path, and the currency."""

    asked: list[tuple[str, dict[str, Any]]]

    def __init__(self) -> None:
        self.asked = []

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        self.asked.append((path, params))
        yield from {"products": PRODUCTS, "products/2/variations": VARIATIONS}[path]

    def one(self, path: str) -> dict[str, Any]:
        assert path == "data/currencies/current"
        return {"code": "EUR"}


def test_other_kinds_than_simple_and_variable_are_left_out() -> None:
    """A push would turn an external product, a set or a plugin's own kind into what it is not."""
    told: Any = Told()
    found = [(one.external_id, one.parent_id, one.status) for one in Shelf(told, Facts(told)).everything()]
    assert found == [("1", None, "live"), ("21", "2", "draft"), ("22", "2", "draft"), ("6", None, "draft")]
    assert told.asked == [("products", BY_ID), ("products/2/variations", BY_ID)]
