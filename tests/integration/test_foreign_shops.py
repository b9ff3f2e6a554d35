"""A shop that sells in another currency than the hub's: its orders are bought like any other, and the ledger never sees its money."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.rates import ReferenceRate
from core.clock import now
from core.database import Database
from core.money import Money
from core.settings import load
from core.vault import load_vault
from ledger import chart
from ledger.deposits import top_up
from ledger.proof import prove
from models.events import OrdersDue
from models.shops import Shop
from pipelines.listings.pricing.rates import store
from pipelines.making import let_push
from pipelines.orders.ship import ship
from pipelines.orders.terms import set_terms
from pipelines.routes import ROUTES
from tests.commands import Shell
from tests.contract.woocommerce_order_rig import WooOrderRig, order_rig
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, rows, run_all

BALANCES = "SELECT name, balance FROM account WHERE balance <> 0 ORDER BY name"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    database = Database(database_url, ROUTES)
    yield database
    database.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WooOrderRig]:
    with order_rig(tmp_path / "shop", currency="CHF") as made:
        yield made


def opened(db: Database, rig: WooOrderRig) -> int:
    """A live shop in Swiss francs that sells a lamp which costs the hub 10.00 EUR; its seller paid 100.00 EUR in."""
    supplier(db, "NORDEN")
    with db.unit_of_work() as uow:
        store(uow, [ReferenceRate(now().date() - timedelta(days=1), "CHF", Decimal("0.95"))])
        set_terms(uow, load(), 2, commission_percent=Decimal(10), shipping=Money(490, "EUR"))
    stage(db, 1, {"supplier_sku": "A", "stock": 5})
    run_all(db)
    shop_id = shop_of(db, currency="CHF", supplier={"supplier": 2})
    told = rig.shop.description()
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.url = rig.shop.url
        shop.credentials = load_vault(load()).seal(
            {name: told[name] for name in ("key", "secret", "ca_file")}
        )
        paid = Money(10_000, "EUR")
        top_up(uow, seller_id=shop.seller_id, amount=paid, key="first", happened_at=now(), via=chart.PSP)
    run_all(db)
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    return shop_id


def pulled(db: Database, shop_id: int) -> None:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(OrdersDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    run_all(db, twice=True)


def test_an_order_in_francs_is_bought_shipped_and_paid_in_euros(
    db: Database, rig: WooOrderRig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_id = opened(db, rig)
    (thing,) = rig.woo.rest("GET", "products")
    assert (thing["regular_price"], thing["stock_quantity"]) == ("14.25", 5)  # 10.00 EUR, 50 % on it
    bought = rig.buy([("NORDEN-A", 2)])
    pulled(db, shop_id)
    assert rows(db, "SELECT state, covered, unit_cost FROM order_line") == [
        ("submitting", 2, Decimal("10.000000"))
    ]
    assert rows(db, "SELECT currency, total_minor FROM shop_order") == [("CHF", 2850)]
    # Goods 20.00, shipping 4.90, commission 2.00 and 19 % on that: held in the hub's own currency, not a franc among it.
    assert rows(db, "SELECT DISTINCT currency FROM hold") == [("EUR",)]
    assert rows(db, "SELECT currency, shipping_minor FROM purchase_order") == [("EUR", 490)]
    assert one(db, "SELECT count(*) FROM account WHERE currency <> 'EUR'") == 0
    assert dict(rows(db, BALANCES)) == {"psp": -10_000, "seller:3:deposit": 7_272, "seller:3:held": 2_728}

    with db.unit_of_work() as uow:
        ship(uow, one(db, "SELECT id FROM purchase_order"), "parcel-1", carrier="DHL", number="00340")
    run_all(db, twice=True)
    assert dict(rows(db, BALANCES)) == {
        "psp": -10_000, "seller:3:deposit": 7_272, "supplier:2:pending": 2_490, "commission": 200, "vat": 38,
    }  # fmt: skip
    assert rows(db, "SELECT state, shipped FROM order_line") == [("shipped", 2)]
    assert [each["number"] for each in rig.shipments(bought)] == ["00340"]
    with db.unit_of_work() as uow:
        proof = prove(uow)
    assert (proof.ok, proof.as_json()["remainder"], proof.as_json()["currency"]) == (True, "0.00", "EUR")

    shell = Shell(capsys, monkeypatch)
    capsys.readouterr()
    (told,) = shell.ask("order", "list")["orders"]
    shown: Any = shell.ask("order", "show", told["id"])
    assert {hold["currency"] for hold in shown["holds"]} == {"EUR"}
    assert (shown["total"], shown["currency"]) == ("28.50", "CHF")
    assert [po["shipping"] for po in shown["purchase_orders"]] == ["4.90"]


def test_what_francs_promised_is_not_sold_again_and_a_refund_goes_back_in_euros(
    db: Database, rig: WooOrderRig
) -> None:
    shop_id = opened(db, rig)
    db.run("UPDATE supplier_terms SET shipping_minor = 0")
    order = rig.buy([("NORDEN-A", 4)], paid=False)
    pulled(db, shop_id)
    assert rows(db, "SELECT state, wanted FROM order_line") == [("unpaid", 4)]
    assert rows(db, "SELECT wanted->'stock' FROM listing") == [(1,)]  # four are promised to the buyer
    rig.pay(order)
    pulled(db, shop_id)
    assert rows(db, "SELECT state, covered FROM order_line") == [("submitting", 4)]
    rig.cancel(order)
    pulled(db, shop_id)
    assert one(db, "SELECT wanted FROM order_line") == 0
    assert rows(db, "SELECT currency, total_minor FROM shop_order") == [("CHF", 5700)]
    with db.unit_of_work() as uow:
        assert prove(uow).ok
