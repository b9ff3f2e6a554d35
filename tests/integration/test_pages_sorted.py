"""What a page no longer is goes from it in real sandbox shops: tags that came back or went away, and pictures of variants that left."""

import pytest

from core.database import Database
from models.events import ListingsDue, VerifyDue
from models.shops import Shop
from pipelines.making import let_push
from tests.contract.shopify_rig import ShopifyRig
from tests.integration.test_adopted_shops import connected
from tests.integration.test_adopted_shops import db as db
from tests.integration.test_adopted_shops import rig as rig
from tests.stepping import one, rows, run_all


def verify(db: Database, shop_id: int, *, repairs: bool) -> None:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(VerifyDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, repairs=int(repairs)))
    run_all(db)


def tagged(db: Database, shop_id: int, *tags: str) -> None:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.settings = {"tags": list(tags)}
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    run_all(db)


@pytest.mark.parametrize("rig", ["shopify"], indirect=True)
def test_a_tag_of_ours_that_went_away_is_drift_and_comes_back(db: Database, rig: ShopifyRig) -> None:
    shop_id = connected(db, rig, {"supplier_sku": "A"})
    tagged(db, shop_id, "hub", "{brand}")
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    page = one(db, "SELECT external_id FROM shop_product")
    assert rig.page(page, "EUR").tags == {"hub", "Norden"}
    rig.edit(page, tags=["hub", "his"])
    verify(db, shop_id, repairs=False)
    assert rows(db, "SELECT state, seen->'tags' FROM listing") == [("drifted", ["Norden"])]
    verify(db, shop_id, repairs=True)
    assert rig.page(page, "EUR").tags == {"hub", "his", "Norden"}
    assert rows(db, "SELECT state, seen->'tags' FROM listing") == [("live", None)]
    tagged(db, shop_id, "{brand}")
    assert rig.page(page, "EUR").tags == {"his", "Norden"}
    rig.edit(page, tags=["his", "Norden", "hub"])  # from his hand it is his
    verify(db, shop_id, repairs=True)
    assert rig.page(page, "EUR").tags == {"hub", "his", "Norden"}
    assert rows(db, "SELECT state FROM listing") == [("live",)]
