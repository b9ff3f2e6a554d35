"""An order that waits for its payment takes nothing off a WooCommerce's shelf: what the hub knows of the shelf stays true."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.settings import load
from core.vault import load_vault
from models.events import OrdersDue
from models.shops import Shop
from pipelines.making import let_push
from pipelines.routes import ROUTES
from tests.contract.woocommerce_order_rig import WooOrderRig, order_rig
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, rows, run_all

SHELF = "SELECT wanted->'stock', sent->'stock' FROM listing"
LINE = "SELECT wanted, taken, state FROM order_line"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    database = Database(database_url, ROUTES)
    yield database
    database.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WooOrderRig]:
    with order_rig(tmp_path / "shop") as made:
        yield made


def listed(db: Database, rig: WooOrderRig, stock: int) -> int:
    """A shop that shows one product with so many pieces; its number."""
    supplier(db, "NORDEN", absence="withdraw", min_offers_percent=0, max_zero_stock_percent=100)
    stage(db, 1, {"supplier_sku": "A", "stock": stock})
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    told = rig.shop.description()
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.url = told["url"]
        shop.credentials = load_vault(load()).seal(
            {name: told[name] for name in ("key", "secret", "ca_file")}
        )
    run_all(db)
    with db.unit_of_work() as uow:
        let_push(uow, shop_id)
    run_all(db)
    return shop_id


def due(db: Database, shop_id: int, event: type[OrdersDue]) -> list[str]:
    """The steps that ran."""
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(event(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return run_all(db, twice=True)


def test_what_is_promised_leaves_the_shelf_once(db: Database, rig: WooOrderRig) -> None:
    shop_id = listed(db, rig, stock=3)
    product = one(db, "SELECT external_id FROM listing")

    def shown() -> Any:
        return rig.woo.rest("GET", f"products/{product}")["stock_quantity"]

    lines = [{"product_id": int(product), "quantity": 2}]
    order = rig.woo.rest("POST", "orders", json={"status": "pending", "line_items": lines})
    assert shown() == 3
    due(db, shop_id, OrdersDue)
    assert rows(db, LINE) == [(2, 0, "unpaid")]
    assert (rows(db, SHELF), shown()) == (
        [(1, 1)],
        1,
    )  # two are kept for him: the hub took them off the shelf

    rig.woo.rest("PUT", f"orders/{order['id']}", json={"status": "processing"})
    assert shown() == -1  # the shop counts them off for itself
    # No hourly check is needed: it is read at once, and its orders asked for once more.
    assert "listings.restock.resend" in due(db, shop_id, OrdersDue)
    (line,) = rows(db, LINE)
    assert line[:2] == (2, 2)
    assert (rows(db, SHELF), shown()) == ([(1, 1)], 1)
    assert one(db, "SELECT free FROM offer") == 1
    before = one(db, "SELECT max(id) FROM push")
    due(db, shop_id, OrdersDue)
    assert (rows(db, SHELF), shown(), one(db, "SELECT max(id) FROM push")) == ([(1, 1)], 1, before)


def test_where_enough_is_left_the_shelf_follows_without_a_look(db: Database, rig: WooOrderRig) -> None:
    shop_id = listed(db, rig, stock=9)
    product = one(db, "SELECT external_id FROM listing")
    lines = [{"product_id": int(product), "quantity": 2}]
    order = rig.woo.rest("POST", "orders", json={"status": "pending", "line_items": lines})
    due(db, shop_id, OrdersDue)
    assert rows(db, SHELF) == [(7, 7)]
    rig.woo.rest("PUT", f"orders/{order['id']}", json={"status": "processing"})
    assert "listings.restock.resend" not in due(db, shop_id, OrdersDue)
    assert rows(db, LINE)[0][:2] == (2, 2)
    assert rows(db, SHELF) == [(7, 7)]
    assert rig.woo.rest("GET", f"products/{product}")["stock_quantity"] == 7
