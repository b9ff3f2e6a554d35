"""Both kinds of sandbox shops have the same hands: buyers buy, sellers cancel and refund, anybody looks."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import people
from sandbox.people import Shopfront, ShopifyServer, ShopServer, Trouble
from tests.unit.shopify_client import Client


def woocommerce(folder: Path) -> Shopfront:
    shop = ShopServer(folder, "Woo", "--tax-included")
    pair = base64.b64encode(f"{shop.told['key']}:{shop.told['secret']}".encode()).decode()
    for sku, price in (("BOWL-B", "10.00"), ("BOWL-R", "12.50")):
        fields = {"name": sku, "sku": sku, "regular_price": price, "manage_stock": True, "stock_quantity": 10}
        shop._call("POST", "/wp-json/wc/v3/products", {"Authorization": f"Basic {pair}"}, fields)
    return shop


def shopify(folder: Path) -> Shopfront:
    shop = ShopifyServer(folder, "Shopify", "--tax-included")
    Client(shop.told).offered()
    return shop


@pytest.fixture(params=[woocommerce, shopify], ids=["woocommerce", "shopify"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shopfront]:
    made: Shopfront = request.param(tmp_path)
    yield made
    people.stop(made.child)
    Shopfront.running.remove(made)


def test_buyers_and_sellers_have_the_same_hands_in_every_shop(shop: Shopfront) -> None:
    assert set(shop.keys) == {"ENTREPOT_SHOP_KEY", "ENTREPOT_SHOP_SECRET"}
    assert shop.held() == {"BOWL-B": ("10.00", 10), "BOWL-R": ("12.50", 10)}
    first, second = shop.buy([("BOWL-B", 2), ("BOWL-R", 1)]), shop.buy([("BOWL-R", 3)], paid=False)
    assert shop.held() == {"BOWL-B": ("10.00", 8), "BOWL-R": ("12.50", 6)}
    with pytest.raises(Trouble, match="stock"):
        shop.buy([("BOWL-B", 9)])
    assert [one["lines"] for one in shop.orders()] == [[("BOWL-B", 2), ("BOWL-R", 1)], [("BOWL-R", 3)]]
    before = {one["id"]: one["status"] for one in shop.orders()}
    shop.pay(second)
    shop.cancel(second)
    shop.refund(first, [("BOWL-B", 1)])
    after = {one["id"]: one["status"] for one in shop.orders()}
    assert list(before) == [first, second]
    assert (before[second] != after[second], after[second]) == (True, "cancelled")
    assert shop.held()["BOWL-R"] == ("12.50", 9)
    assert (shop.shipments(first), shop.shipments(second)) == ([], [])
