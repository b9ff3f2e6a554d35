"""What a shop's owner sells already is never made a second time, though nobody asked for the plan of an adoption first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import ShopListing
from core.database import Database
from core.settings import load
from core.vault import load_vault
from models.events import ProductNoticed, VerifyDue
from models.shops import Shop
from pipelines.listings.adopt import adopt, leave
from pipelines.listings.verify import verify_one
from pipelines.making import let_push
from pipelines.opening import connect
from pipelines.routes import ROUTES
from sandbox.shopify.shop import Shop as Shopify
from sandbox.woocommerce.shop import Shop as Woo
from tests.contract.shopify_rig import ShopifyRig
from tests.contract.shops import WooRig
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, rows, run_all

SENTENCE = "The shop already has a product with this SKU: adopt it or leave it, `entrepot adoption list 1`."
LISTED = "SELECT v.sku, l.state, l.undecided FROM listing l JOIN variant v ON v.id = l.variant_id ORDER BY 1"
GROUP = {"group_key": "S", "group_title": "Schirm"}


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


def live(db: Database, rig: Any, *offers: dict[str, Any]) -> int:
    """A shop that wants these offers, right after a person let its first push go."""
    supplier(db, "NORDEN", absence="withdraw", min_offers_percent=0)
    stage(db, 1, *offers)
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    shopify = isinstance(rig, ShopifyRig)
    told = rig.told if shopify else rig.sandbox.description()
    key, secret = ("access_token", "client_secret") if shopify else ("key", "secret")
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.url, shop.channel = told["url"], "shopify" if shopify else "woocommerce"
        shop.settings = {"price_fall_limit_percent": 100}
        shop.credentials = load_vault(load()).seal(
            {"key": told[key], "secret": told[secret], "ca_file": told["ca_file"]}
        )
    run_all(db)
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db, twice=True)
    return shop_id


def there(db: Database, shop_id: int) -> list[tuple[str, str]]:
    """(SKU, price) of all that the shop has."""
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.session.expunge_all()
    return sorted(
        (each.sku, str(each.price.amount) if each.price else "") for each in connect(db, shop).everything()
    )


def noticed(db: Database, shop_id: int, page: str) -> None:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        event = ProductNoticed(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, external_id=page)
    verify_one(event, db)
    run_all(db)


def test_the_first_push_looks_by_itself_and_leaves_the_owners_alone(db: Database, rig: Any) -> None:
    own = rig.stranger("norden-a")
    before = rig.page(own, "EUR")
    shop_id = live(db, rig, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    assert rows(db, LISTED) == [("NORDEN-A", "waiting", True), ("NORDEN-B", "live", False)]
    assert one(db, "SELECT problem FROM listing WHERE undecided") == SENTENCE
    assert there(db, shop_id) == [("NORDEN-B", "15.00"), ("norden-a", "5.00")]
    assert rig.page(own, "EUR") == before
    assert rows(db, "SELECT product_external_id, state FROM adoption") == [(own, "proposed")]
    assert one(db, "SELECT count(*) FROM push WHERE state <> 'done'") == 0
    looked_at = one(db, "SELECT looked_at FROM shop")
    stage(db, 1, {"supplier_sku": "A", "cost": "11.00"}, {"supplier_sku": "B"}, {"supplier_sku": "C"})
    run_all(db)
    assert rows(db, LISTED)[::2] == [("NORDEN-A", "waiting", True), ("NORDEN-C", "live", False)]
    assert one(db, "SELECT problem FROM listing WHERE undecided") == SENTENCE  # a plan does not forget it
    assert one(db, "SELECT looked_at FROM shop") == looked_at  # it was not read whole again
    with db.unit_of_work() as uow:
        assert adopt(uow, shop_id, None, "stays")["adopted"] == 1
    run_all(db)
    assert rows(db, LISTED) == [(f"NORDEN-{name}", "live", False) for name in "ABC"]
    assert there(db, shop_id) == [("NORDEN-B", "15.00"), ("NORDEN-C", "15.00"), ("norden-a", "16.50")]
    assert one(db, "SELECT external_id = %s FROM shop_product WHERE trade_only", own)


def test_an_empty_shop_is_looked_at_in_one_call_and_its_later_pushes_ask_for_what_is_new_alone(
    db: Database, rig: Any
) -> None:
    live(db, rig, {"supplier_sku": "A"})
    first = len(rig.calls())
    stage(db, 1, {"supplier_sku": "A", "stock": 4})
    run_all(db)
    assert len(rig.calls()) - first <= 3  # a figure that moves asks for nothing that the shop may have
    assert not [call for call in rig.calls()[first:] if "Holders" in str(call) or "sku=" in str(call)]


@pytest.mark.deep
def test_what_is_left_is_made_beside_it_where_the_shop_lets_us(db: Database, rig: Any) -> None:
    rig.stranger("norden-a")
    shop_id = live(db, rig, {"supplier_sku": "A"})
    with db.unit_of_work() as uow:
        assert leave(uow, shop_id, None) == 1
    run_all(db)
    if rig.unique_skus:
        assert rows(db, LISTED) == [("NORDEN-A", "refused", False)]
        assert there(db, shop_id) == [("norden-a", "5.00")]
    else:
        assert rows(db, LISTED) == [("NORDEN-A", "live", False)]
        assert there(db, shop_id) == [("NORDEN-A", "15.00"), ("norden-a", "5.00")]


def test_what_appears_later_is_found_before_ours_is_made(db: Database, rig: Any) -> None:
    shop_id = live(db, rig, {"supplier_sku": "B"})
    own = rig.stranger("norden-a")
    stage(db, 1, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db, twice=True)
    assert rows(db, LISTED) == [("NORDEN-A", "waiting", True), ("NORDEN-B", "live", False)]
    assert there(db, shop_id) == [("NORDEN-B", "15.00"), ("norden-a", "5.00")]
    rig.delete(own)
    noticed(db, shop_id, own)  # the owner took it away again: nothing stands in the way of ours
    assert rows(db, LISTED) == [("NORDEN-A", "live", False), ("NORDEN-B", "live", False)]
    assert rows(db, "SELECT * FROM adoption") == []


def test_a_page_is_not_made_without_the_variant_that_waits(db: Database, rig: Any) -> None:
    rig.stranger("norden-s-r")
    red, blue = ({"supplier_sku": f"S-{word[0]}", "options": {"Farbe": word}, **GROUP} for word in ("Rot", "Blau"))  # fmt: skip
    shop_id = live(db, rig, red, blue)
    assert rows(db, LISTED) == [("NORDEN-S-B", "waiting", True), ("NORDEN-S-R", "waiting", True)]
    assert [problem for (problem,) in rows(db, "SELECT problem FROM listing ORDER BY variant_id")] == [
        SENTENCE,
        "It waits for its product: the shop already has one with the SKU of NORDEN-S-R, adopt that or leave it, "
        "`entrepot adoption list 1`.",
    ]
    assert there(db, shop_id) == [("norden-s-r", "5.00")]


@pytest.mark.deep
def test_a_variant_that_waits_does_not_hold_back_the_page_that_is_there(db: Database, rig: Any) -> None:
    red, blue = ({"supplier_sku": f"S-{word[0]}", "options": {"Farbe": word}, **GROUP} for word in ("Rot", "Blau"))  # fmt: skip
    green = {"supplier_sku": "S-G", "options": {"Farbe": "Grün"}, **GROUP}
    shop_id = live(db, rig, red, blue)
    rig.stranger("norden-s-g")
    stage(db, 1, {**red, "cost": "20.00"}, blue, green)
    run_all(db)
    assert rows(db, LISTED) == [
        ("NORDEN-S-B", "live", False), ("NORDEN-S-G", "waiting", True), ("NORDEN-S-R", "live", False),
    ]  # fmt: skip
    assert there(db, shop_id) == [("NORDEN-S-B", "15.00"), ("NORDEN-S-R", "30.00"), ("norden-s-g", "5.00")]


def test_what_the_owner_sells_under_the_suppliers_own_number_waits_for_a_word(db: Database, rig: Any) -> None:
    own = rig.stranger("a")  # NORDEN's number of what is NORDEN-A here
    shop_id = live(db, rig, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    later = rig.stranger("C")  # what is new is asked for under both
    stage(db, 1, *({"supplier_sku": each} for each in "ABC"))
    run_all(db)
    assert rows(db, LISTED) == [
        ("NORDEN-A", "waiting", True), ("NORDEN-B", "live", False), ("NORDEN-C", "waiting", True),
    ]  # fmt: skip
    assert there(db, shop_id) == [("C", "5.00"), ("NORDEN-B", "15.00"), ("a", "5.00")]
    assert rows(db, "SELECT reason, state, problem FROM adoption ORDER BY product_external_id = %s", later) == [
        ("code", "unclear", f"Its SKU is NORDEN's own number of NORDEN-{name}: adopt it if it is the same.") for name in "AC"
    ]  # fmt: skip
    told = SENTENCE.replace("SKU", "supplier's number")
    assert rows(db, "SELECT problem FROM listing WHERE undecided") == [(told,), (told,)]
    with db.unit_of_work() as uow:
        assert adopt(uow, shop_id, None, "stays")["adopted"] == 0  # never by itself
        (mine,) = uow.cursor().execute(
            "SELECT external_id FROM adoption WHERE product_external_id = %s", [own]
        )
        assert adopt(uow, shop_id, mine, "stays") == {"adopted": 1, "ours": 0, "stays": 1, "passed": 0}
    run_all(db)
    assert rows(db, LISTED)[0] == ("NORDEN-A", "live", False)
    assert there(db, shop_id) == [("C", "5.00"), ("NORDEN-B", "15.00"), ("a", "15.00")]


def test_a_gtin_counts_as_well_and_so_does_the_upc_it_is(db: Database, rig: Any) -> None:
    gtin, upc = "0036000291452", "036000291452"
    own = rig.stranger("other")
    if isinstance(rig, WooRig):
        rig.edit(own, global_unique_id=upc)
    else:
        rig.switch("edit", sku="other", set={"barcode": upc})
    shop_id = live(db, rig, {"supplier_sku": "B"})
    stage(db, 1, {"supplier_sku": "A", "gtin": gtin, "gtin_verdict": "valid"}, {"supplier_sku": "B"})
    run_all(db)
    assert rows(db, LISTED) == [("NORDEN-A", "waiting", True), ("NORDEN-B", "live", False)]
    assert one(db, "SELECT problem FROM listing WHERE undecided") == SENTENCE.replace("SKU", "GTIN")
    assert there(db, shop_id) == [("NORDEN-B", "15.00"), ("other", "5.00")]


def test_ours_whose_answer_got_lost_is_not_taken_for_the_owners(db: Database, rig: Any) -> None:
    """It was made and the hub was never told: the look before the next push finds our key on it."""
    shop_id = live(db, rig, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    with db.unit_of_work() as uow:
        for table in ("shop_product", "listing"):
            uow.cursor().execute(f"UPDATE {table} SET external_id = NULL, sent = NULL".encode())
        uow.cursor().execute("UPDATE listing SET state = 'waiting', stock_id = NULL")
        uow.cursor().execute("UPDATE shop SET looked_at = NULL")
    for _ in range(2):  # read whole, then searched for
        with db.unit_of_work() as uow:
            let_push(uow, shop_id)
        run_all(db)
        assert rows(db, LISTED) == [("NORDEN-A", "live", False), ("NORDEN-B", "live", False)]
        assert there(db, shop_id) == [("NORDEN-A", "15.00"), ("NORDEN-B", "15.00")]
        assert rows(db, "SELECT * FROM adoption") == []
        with db.unit_of_work() as uow:
            uow.cursor().execute("UPDATE shop_product SET external_id = NULL, sent = NULL")
            uow.cursor().execute(
                "UPDATE listing SET external_id = NULL, sent = NULL, stock_id = NULL, state = 'waiting'"
            )


@pytest.mark.deep
def test_the_hourly_check_sees_that_the_owner_renamed_his(db: Database, rig: Any) -> None:
    own = rig.stranger("norden-a")
    shop_id = live(db, rig, {"supplier_sku": "A"})
    assert rows(db, LISTED) == [("NORDEN-A", "waiting", True)]
    if isinstance(rig, WooRig):
        rig.edit(own, sku="his-own")
    else:
        rig.switch("edit", sku="norden-a", set={"sku": "his-own"})
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(VerifyDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    run_all(db)
    assert rows(db, LISTED) == [("NORDEN-A", "live", False)]
    assert [sku for sku, _ in there(db, shop_id)] == ["NORDEN-A", "his-own"]


@pytest.mark.deep
def test_a_look_that_breaks_off_is_begun_again_and_nothing_was_made(
    db: Database, rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(Exception):
        pass

    def dies(*_: Any, **__: Any) -> Iterator[ShopListing]:
        raise Died
        yield

    rig.stranger("norden-a")
    with monkeypatch.context() as broken:
        for kind in ("woocommerce.shelf.Shelf", "shopify.connector.ShopifyShop"):
            broken.setattr(f"connectors.shops.{kind}.everything", dies)
        with pytest.raises(Died):
            live(db, rig, {"supplier_sku": "A"}, {"supplier_sku": "B"})
        assert one(db, "SELECT looked_at FROM shop") is None
    shop_id = int(one(db, "SELECT id FROM shop"))
    assert there(db, shop_id) == [("norden-a", "5.00")]
    run_all(db)
    assert there(db, shop_id) == [("NORDEN-B", "15.00"), ("norden-a", "5.00")]
