"""The hands that a live Shopify is tested with: their documents are right by its schema, and they wait where it makes them."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sandbox.shopify.shop import Shop
from sandbox.shopify.site import SCOPES
from tests.contract import shopify_live_rig, shopify_rig
from tests.contract.shopify_live_rig import NEEDED, LiveShopifyOrderRig
from tests.contract.shopify_rig import ShopifyRig
from tests.contract.shops import Make, push
from tests.unit.test_shopify_documents import faults


def documents(module: ModuleType) -> Iterator[str]:
    kept = (value for name, value in vars(module).items() if name.isupper() and isinstance(value, str))
    return (text for text in kept if text.lstrip().startswith(("query", "mutation", "{")))


class Clock:
    """A shop's clock that goes on only while somebody waits."""

    def __init__(self) -> None:
        self.now, self.waits = 1_800_000_000.0, 0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now, self.waits = self.now + seconds, self.waits + 1


@pytest.mark.parametrize("module", [shopify_live_rig, shopify_rig])
def test_its_documents_are_right_by_the_schema(module: ModuleType) -> None:
    found = list(documents(module))
    assert len(found) > 8
    assert {text: faults(text) for text in found if faults(text)} == {}


def test_it_waits_where_a_trial_shop_takes_five_orders_a_minute_and_leaves_nothing(tmp_path: Path) -> None:
    clock = Clock()
    with Shop(tmp_path, clock=clock) as shop:
        owner = ShopifyRig(shop, shop.description())
        rig = LiveShopifyOrderRig(ShopifyRig(None, shop.description()), pause=clock.wait)
        assert rig.lacking() == NEEDED
        owner.switch("settings", scopes=[*SCOPES, *NEEDED], orders_a_minute=5)
        assert rig.lacking() == set()
        mug = Make("LV", "EUR").simple(1, stock=50)
        push(rig.connect(), mug)
        numbers = [rig.buy([("LV-1", 1)]) for _ in range(5)]
        assert clock.waits == 0
        numbers.append(rig.buy([("LV-1", 1)]))
        assert clock.waits == 60 and len(set(numbers)) == 6
        assert [order["id"] for order in owner.kept("orders")] == numbers
        rig.forget("LV")
        assert owner.kept("orders") == [] and owner.held("LV") == []
