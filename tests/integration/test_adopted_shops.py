"""Adoption in real sandbox shops of both channels: what the seller had is kept true and never made a second time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.settings import load
from core.vault import load_vault
from models.events import AdoptionDue, VerifyDue
from models.shops import Shop
from pipelines.listings.adopt import adopt
from pipelines.making import let_push
from pipelines.opening import connect
from pipelines.routes import ROUTES
from sandbox.shopify.shop import Shop as Shopify
from sandbox.woocommerce.shop import Shop as Woo
from tests.contract.shopify_rig import MAKE, ShopifyRig
from tests.contract.shops import WooRig
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, rows, run_all


@pytest.fixture(params=["woocommerce", "shopify"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "shopify":
        with Shopify(tmp_path / "shop") as shop:
            yield ShopifyRig(shop, shop.description())
        return
    with Woo(tmp_path / "shop") as woo:
        told = woo.description()
        yield WooRig(woo.url, told["key"], told["secret"], told["ca_file"], woo)


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def connected(db: Database, rig: Any, *offers: dict[str, Any]) -> int:
    """A shop that is not live, with A and B wanted in it, or these `offers`."""
    supplier(db, "NORDEN")
    stage(db, 1, *(offers or ({"supplier_sku": "A"}, {"supplier_sku": "B"})))
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    shopify = isinstance(rig, ShopifyRig)
    told = rig.told if shopify else rig.sandbox.description()
    key, secret = ("access_token", "client_secret") if shopify else ("key", "secret")
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.url, shop.channel = told["url"], "shopify" if shopify else "woocommerce"
        shop.credentials = load_vault(load()).seal(
            {"key": told[key], "secret": told[secret], "ca_file": told["ca_file"]}
        )
    run_all(db)
    return shop_id


def look(db: Database, shop_id: int) -> None:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(AdoptionDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    run_all(db)


def sold(db: Database, shop_id: int) -> dict[str, tuple[str, int | None]]:
    """SKU → (price, stock) of everything the shop sells; no SKU twice."""
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.session.expunge_all()
    found: dict[str, tuple[str, int | None]] = {}
    for there in connect(db, shop).everything():
        assert there.sku.lower() not in found, f"{there.sku} is there twice"
        found[there.sku.lower()] = (str(there.price.amount) if there.price else "", there.stock)
    return found


@pytest.mark.parametrize("page", ["stays", "ours"])
def test_what_was_there_is_kept_true_and_not_made_again(db: Database, rig: Any, page: Any) -> None:
    own = rig.stranger("norden-a")
    strange = rig.stranger("ELSE")
    shop_id = connected(db, rig)
    look(db, shop_id)
    assert rows(db, "SELECT product_external_id, state, reason FROM adoption") == [(own, "proposed", "sku")]
    before = rig.page(strange, "EUR")
    with db.unit_of_work() as uow:
        assert adopt(uow, shop_id, None, page)["adopted"] == 1
        let_push(uow, shop_id)
    run_all(db)
    assert sold(db, shop_id) == {
        "norden-a": ("15.00", 5), "norden-b": ("15.00", 5), "else": ("5.00", None),
    }  # fmt: skip
    assert rows(db, "SELECT state, problem FROM listing") == [("live", None)] * 2
    assert one(db, "SELECT count(*) FROM shop_product WHERE external_id = %s", own) == 1
    title = rig.page(own, "EUR").title
    assert title == ("Seller's own norden-a" if page == "stays" else "Lampe")
    assert rig.page(strange, "EUR") == before  # what is not ours is not touched
    # From now on it is one of ours: a new figure goes there, and nothing drifts.
    stage(db, 1, {"supplier_sku": "A", "stock": 2, "cost": "20.00"}, {"supplier_sku": "B"})
    run_all(db)
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(VerifyDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    run_all(db)
    assert sold(db, shop_id)["norden-a"] == ("30.00", 2)
    assert rig.page(own, "EUR").title == title
    assert rows(db, "SELECT state, problem FROM listing") == [("live", None)] * 2
    assert one(db, "SELECT count(*) FROM message") == 0
    assert one(db, "SELECT live_since <= %s FROM shop", now())


def umbrella(rig: Any) -> str:
    """A product of the seller's own with a red and a blue variant, and one that is none of ours; its id."""
    colours = {"Rot": "NORDEN-S-R", "Blau": "norden-s-b"}
    if isinstance(rig, WooRig):
        choice = {"name": "Farbe", "variation": True, "options": list(colours)}
        made = rig.rest(
            "POST",
            "products",
            json={"name": "Schirm", "type": "variable", "sku": "OWN", "attributes": [choice]},
        )
        for colour, sku in colours.items():
            one_of = {
                "sku": sku,
                "regular_price": "9.00",
                "attributes": [{"name": "Farbe", "option": colour}],
            }
            rig.rest("POST", f"products/{made['id']}/variations", json=one_of)
        return str(made["id"])
    variants = [
        {"sku": sku, "price": "9.00", "optionValues": [{"optionName": "Farbe", "name": colour}]}
        for colour, sku in colours.items()
    ]
    options = [{"name": "Farbe", "values": [{"name": colour} for colour in colours]}]
    fields = {"title": "Schirm", "productOptions": options, "variants": variants}
    return str(rig.graphql(MAKE, input=fields)["product"]["id"])


@pytest.mark.parametrize("page", ["stays", "ours"])
def test_a_product_with_variants_is_adopted_whole(db: Database, rig: Any, page: Any) -> None:
    own = umbrella(rig)
    group = {"group_key": "S", "group_title": "Regenschirm"}
    red, blue = (
        {"supplier_sku": f"S-{word[0]}", "options": {"Farbe": word}, **group} for word in ("Rot", "Blau")
    )
    shop_id = connected(db, rig, red, blue)
    look(db, shop_id)
    assert rows(db, "SELECT DISTINCT product_external_id, state FROM adoption") == [(own, "proposed")]
    with db.unit_of_work() as uow:
        answer = adopt(uow, shop_id, None, page)
        assert answer == {
            "adopted": 2,
            "ours": int(page == "ours"),
            "stays": int(page == "stays"),
            "passed": 0,
        }
        let_push(uow, shop_id)
    run_all(db)
    assert sold(db, shop_id) == {"norden-s-r": ("15.00", 5), "norden-s-b": ("15.00", 5)}
    assert rows(db, "SELECT state, problem FROM listing") == [("live", None)] * 2
    assert rig.page(own, "EUR").title == ("Schirm" if page == "stays" else "Regenschirm")
    assert one(db, "SELECT count(*) FROM shop_product WHERE external_id = %s", own) == 1


def test_what_a_person_let_go_is_sent_once_its_stock_is_known_and_only_that_once(
    db: Database, rig: Any
) -> None:
    rig.stranger("norden-a")
    shop_id = connected(db, rig, {"supplier_sku": "A", "cost": "2.00"})
    look(db, shop_id)
    with db.unit_of_work() as uow:
        adopt(uow, shop_id, None, "stays")
        let_push(uow, shop_id)
    run_all(db)
    assert sold(db, shop_id) == {"norden-a": ("3.00", 5)}  # 40 % below the owner's own price: he said yes
    assert one(db, "SELECT count(*) FROM push WHERE state <> 'done' OR plan ? 'left_out'") == 0
    stage(db, 1, {"supplier_sku": "A", "cost": "1.00"})  # nobody said yes to that
    run_all(db)
    assert sold(db, shop_id) == {"norden-a": ("3.00", 5)}
    assert one(db, "SELECT count(*) FROM push WHERE state = 'waiting'") == 1
