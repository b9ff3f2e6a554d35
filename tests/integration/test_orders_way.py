"""A buyer at the till of a real sandbox shop: his order is pulled, covered, shown in the shops' stock, and let go again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.settings import load
from core.vault import load_vault
from models.events import HooksDue, OrdersDue
from models.shops import Shop as StoredShop
from pipelines.opening import connect
from pipelines.orders.receive import receive
from pipelines.routes import ROUTES
from tests.contract.woocommerce_order_rig import WooOrderRig, order_rig
from tests.orders import lines_of, pay_in
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all, run_message


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WooOrderRig]:
    with order_rig(tmp_path / "shop") as made:
        yield made


@pytest.fixture
def db(
    database_url: str, tmp_path: Path, rig: WooOrderRig, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    monkeypatch.setenv("ENTREPOT_PUBLIC_URL", rig.ear.url.partition("/hooks")[0])
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def opened(db: Database, rig: WooOrderRig, *stocks: int) -> int:
    """A live shop that shows offers with these stocks, and a seller with a deposit; the shop's id."""
    supplier(db, "NORDEN")
    stage(db, 1, *({"supplier_sku": f"A{place}", "stock": stock} for place, stock in enumerate(stocks)))
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(StoredShop, shop_id)
        shop.url, shop.live_since = rig.shop.url, now()
        told = rig.shop.description()
        shop.credentials = load_vault(load()).seal(
            {"key": told["key"], "secret": told["secret"], "ca_file": told["ca_file"]}
        )
        pay_in(uow, shop.seller_id, 100_000)
    run_all(db)
    return shop_id


def swept(db: Database, shop_id: int) -> None:
    with db.unit_of_work() as uow:
        uow.emit(OrdersDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id))
    run_but_purchases(db)


def run_but_purchases(db: Database) -> None:
    """Everything but what goes to a supplier, so that lines stay funded."""
    while messages := [each for each in pending(db) if each["event"] != "LinesFunded"]:
        run_message(db, messages[0])


def held(rig: WooOrderRig) -> dict[str, Any]:
    """What the shop itself shows: SKU → stock."""
    return {product["sku"]: product["stock_quantity"] for product in rig.woo.rest("GET", "products")}


def test_an_order_is_covered_the_stock_follows_and_a_cancellation_gives_it_back(
    db: Database, rig: WooOrderRig
) -> None:
    shop_id = opened(db, rig, 5, 5)
    assert held(rig) == {"NORDEN-A0": 5, "NORDEN-A1": 5}
    bought = rig.buy([("NORDEN-A0", 2), ("NORDEN-A1", 1)])
    swept(db, shop_id)
    assert lines_of(db) == [("funded", 2, 2, 2, 0, 0), ("funded", 1, 1, 1, 0, 0)]
    assert rows(db, "SELECT free FROM offer ORDER BY id") == [(3,), (4,)]
    assert held(rig) == {"NORDEN-A0": 3, "NORDEN-A1": 4}
    swept(db, shop_id)
    assert one(db, "SELECT count(*) FROM reservation") == 2
    first = one(db, "SELECT external_id FROM order_line ORDER BY id LIMIT 1")
    rig.refund(bought, [(first, 1)])
    swept(db, shop_id)
    assert lines_of(db) == [("funded", 2, 1, 1, 0, 0), ("funded", 1, 1, 1, 0, 0)]
    rig.cancel(bought)
    swept(db, shop_id)
    assert {state for state, *_ in lines_of(db)} == {"cancelled"}
    assert rows(db, "SELECT free FROM offer ORDER BY id") == [(5,), (5,)]
    assert held(rig) == {"NORDEN-A0": 5, "NORDEN-A1": 5}
    assert one(db, "SELECT balance FROM account WHERE name = 'seller:3:deposit'") == 100_000


def test_the_shops_own_webhook_is_made_verified_and_followed(db: Database, rig: WooOrderRig) -> None:
    shop_id = opened(db, rig, 5)
    with db.unit_of_work() as uow:
        uow.emit(HooksDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id))
    run_but_purchases(db)
    rig.webhooks()
    bought = rig.buy([("NORDEN-A0", 2)])
    calls = rig.webhooks()
    assert calls
    for headers, body in calls * 2:  # each delivery comes twice
        with db.unit_of_work() as uow:
            shop = uow.session.get_one(StoredShop, shop_id)
            receive(uow, shop, connect(db, shop).read_webhook(headers, body))
    run_but_purchases(db)
    assert rows(db, "SELECT external_id FROM shop_order") == [(bought,)]
    assert lines_of(db) == [("funded", 2, 2, 2, 0, 0)]
    assert one(db, "SELECT free FROM offer") == 3


def test_buyers_in_a_row_beyond_the_stock_are_covered_up_to_it(db: Database, rig: WooOrderRig) -> None:
    shop_id = opened(db, rig, 3)
    for _ in range(3):
        rig.buy([("NORDEN-A0", 1)])
    db.run("UPDATE offer SET free = 2, stock = 2")  # another shop was faster
    swept(db, shop_id)
    assert sorted(state for state, *_ in lines_of(db)) == ["awaiting_stock", "funded", "funded"]
    assert rows(db, "SELECT free FROM offer") == [(0,)]
    assert held(rig) == {"NORDEN-A0": 0}
