"""What a page no longer is goes from it in real sandbox shops: tags that came back or went away, and pictures of variants that left."""

# ruff: noqa: F811 - fixtures are asked for by their names

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from core.database import Database
from models.events import ListingsDue, VerifyDue
from models.shops import Shop
from pipelines.making import let_push
from tests.contract.shopify_rig import ShopifyRig
from tests.contract.shops import WooRig
from tests.integration.test_adopted_shops import connected, db, rig  # noqa: F401 - fixtures
from tests.staged import stage
from tests.stepping import one, rows, run_all

PICTURES = "query ($id: ID!) { product(id: $id) { media(first: 20) { nodes { id } } } }"
POLICY = {"absence": "withdraw", "min_offers_percent": 0, "max_zero_stock_percent": 100}
FILES = """mutation ($id: ID!, $files: [FileSetInput!]!) {
  productSet(identifier: {id: $id}, input: {files: $files}, synchronous: true) { userErrors { message } } }"""


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


def withdrawn(db: Database, *offers: dict[str, Any]) -> None:
    """The supplier has no more than these."""
    stage(db, 1, *offers)
    run_all(db)


def pictured(rig: Any, page: str) -> int:
    """How many pictures the page shows."""
    if isinstance(rig, WooRig):
        return len(rig.rest("GET", f"products/{page}")["images"])
    return len(rig.graphql(PICTURES, id=page)["media"]["nodes"])


def own_picture(rig: Any, page: str) -> None:
    """The owner puts one of his own behind those there are."""
    if isinstance(rig, WooRig):
        there = rig.rest("GET", f"products/{page}")["images"]
        images = [*({"id": one["id"]} for one in there), {"src": "https://his.example/his.png"}]
        rig.edit(page, images=images)
    else:
        there = rig.graphql(PICTURES, id=page)["media"]["nodes"]
        files = [*({"id": one["id"]} for one in there), {"originalSource": "https://his.example/his.png"}]
        rig.graphql(FILES, id=page, files=files)


def test_pictures_of_a_variant_that_left_leave_the_page_with_it(db: Database, rig: Any) -> None:
    group = {"group_key": "S", "group_title": "Regenschirm"}
    red, blue = (
        {
            "supplier_sku": f"S-{word[0]}",
            "options": {"Farbe": word},
            "images": [f"https://i.example/{word}-{n}.png" for n in (1, 2)],
            **group,
        }
        for word in ("Rot", "Blau")
    )
    if isinstance(rig, WooRig) and rig.sandbox is not None:
        rig.sandbox.site.images = "accept"
    shop_id = connected(db, rig, red, blue)
    rows(db, "UPDATE feed SET policy = policy || %s RETURNING id", Jsonb(POLICY))
    rows(db, "UPDATE shop SET settings = settings || %s RETURNING id", Jsonb({"withdraw_limit_percent": 100}))
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    page = one(db, "SELECT external_id FROM shop_product")
    assert pictured(rig, page) == 4
    own_picture(rig, page)
    withdrawn(db, red)
    assert rows(db, "SELECT state FROM listing ORDER BY id") == [("live",), ("withdrawn",)]
    assert pictured(rig, page) == 3, "two of the variant that stays, and the owner's"
    stage(db, 1, {**red, "images": []}, blue)
    run_all(db)
    assert rows(db, "SELECT state FROM listing ORDER BY id") == [("live",), ("live",)]
    assert pictured(rig, page) == 3, "two of the variant that came back, and the owner's"
    withdrawn(db, {**red, "images": []})
    assert pictured(rig, page) == 1, "the owner's"


@pytest.mark.parametrize("rig", ["shopify"], indirect=True)
def test_a_picture_that_could_not_be_fetched_later_is_left_out_and_told(
    db: Database, rig: ShopifyRig
) -> None:
    good, bad = "https://i.example/good.png", "https://i.example/bad.png"
    shop_id = connected(db, rig, {"supplier_sku": "A", "images": [good, bad]})
    rig.switch("pictures", later=True)
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    page = one(db, "SELECT external_id FROM shop_product")
    assert rows(db, "SELECT state FROM listing") == [("live",)] and pictured(rig, page) == 2
    site = rig.shop.site
    with site.lock, site.store.work():
        for picture in site.all("MediaImage"):
            site.put("MediaImage", {**picture, "status": "FAILED" if picture["source"] == bad else "READY"})
    verify(db, shop_id, repairs=False)
    assert rows(db, "SELECT state, seen->'pictures' FROM listing") == [("drifted", [bad])]
    for _ in range(2):
        verify(db, shop_id, repairs=True)
        assert rows(db, "SELECT state, seen->'pictures' FROM listing") == [("live", None)]
        assert bad in one(db, "SELECT problem FROM shop_product") and pictured(rig, page) == 1
    assert one(db, "SELECT count(*) FROM push") == 2, "it is not sent again each hour"
