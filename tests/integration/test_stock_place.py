"""Where a Shopify keeps our stock stays where it is: a place that its owner opens later gets none on top of it."""

# ruff: noqa: F811 - fixtures are asked for by their names

from dataclasses import asdict

import pytest

from core.database import Database
from models.shops import Shop
from pipelines.making import let_push
from pipelines.opening import connect
from tests.contract.shopify_rig import ShopifyRig
from tests.integration.test_adopted_shops import connected, db, rig, sold  # noqa: F401 - fixtures
from tests.integration.test_pages_sorted import verify
from tests.staged import stage
from tests.stepping import rows, run_all


def opened(rig: ShopifyRig, *names: str) -> None:
    """The places that fulfil online orders."""
    site = rig.shop.site
    with site.lock, site.store.work():
        for place in site.all("Location"):
            site.put("Location", {**place, "fulfillsOnlineOrders": place["name"] in names})


def checked(db: Database, shop_id: int) -> None:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.session.expunge_all()
    facts = connect(db, shop).check()
    with db.unit_of_work() as uow:
        uow.session.get_one(Shop, shop_id).facts = asdict(facts)


def levels(rig: ShopifyRig, sku: str) -> dict[str, int]:
    """Pieces by the name of the place."""
    site = rig.shop.site
    with site.lock:
        names = {str(place["id"]): place["name"] for place in site.all("Location")}
        (item,) = (one for one in site.all("InventoryItem") if one["sku"] == sku)
        return {names[str(place)]: level["available"] for place, level in item["levels"].items()}


@pytest.mark.parametrize("rig", ["shopify"], indirect=True)
def test_an_older_place_that_is_opened_later_gets_no_stock_on_top(db: Database, rig: ShopifyRig) -> None:
    opened(rig, "Boutique")
    shop_id = connected(db, rig, {"supplier_sku": "A"})
    checked(db, shop_id)
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    assert levels(rig, "NORDEN-A") == {"Boutique": 5}
    opened(rig, "Boutique", "Warehouse")
    checked(db, shop_id)
    verify(db, shop_id, repairs=True)
    stage(db, 1, {"supplier_sku": "A", "stock": 3})
    run_all(db)
    assert levels(rig, "NORDEN-A") == {"Boutique": 3}
    assert sold(db, shop_id)["norden-a"] == ("15.00", 3)
    assert rows(db, "SELECT state, problem FROM listing") == [("live", None)]
