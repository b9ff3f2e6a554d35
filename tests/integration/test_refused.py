"""What a shop refuses takes no piece of scarce stock from others, and what it refuses and has all the same keeps its stock true."""

# ruff: noqa: F811 - fixtures are asked for by their names

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.settings import load
from core.vault import load_vault
from models.events import OrdersDue
from models.shops import Shop as StoredShop
from pipelines.listings.adopt import leave
from pipelines.listings.stock import allot
from pipelines.making import let_push
from sandbox.woocommerce.shop import Shop
from tests.contract.shops import WooRig
from tests.pushing import db, held, open_shop, sandbox  # noqa: F401 - fixtures
from tests.staged import shop_of, stage
from tests.stepping import one, rows, run_all

STOCKS = "SELECT shop_id, state, wanted->'stock', sent->'stock' FROM listing ORDER BY shop_id"


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path / "second", images="accept") as shop:
        yield shop


def hands(shop: Shop) -> WooRig:
    told = shop.description()
    return WooRig(shop.url, told["key"], told["secret"], told["ca_file"], shop)


def another(db: Database, second: Shop) -> int:
    """A second live shop that lists the same."""
    told = second.description()
    shop_id = shop_of(db, supplier={"supplier": 2})
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(StoredShop, shop_id)
        shop.url, shop.live_since = second.url, now()
        keys = {"key": told["key"], "secret": told["secret"], "ca_file": told["ca_file"]}
        shop.credentials = load_vault(load()).seal(keys)
    return shop_id


def swept(db: Database) -> None:
    """All shops are asked for their orders: what was lowered may be shown by others after that."""
    for _ in range(2):
        with db.unit_of_work() as uow:
            for shop in uow.session.query(StoredShop).order_by(StoredShop.id):
                uow.emit(OrdersDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
        run_all(db)


def test_what_is_refused_is_shown_whole_by_the_other_shop_and_shared_again_once_it_is_taken(
    db: Database, sandbox: Shop, second: Shop
) -> None:
    own = hands(sandbox).stranger("norden-a")
    first = open_shop(db, sandbox, {"supplier_sku": "A", "stock": 10})
    other = another(db, second)
    run_all(db)
    swept(db)
    # While it waits for its owner's word it takes nothing.
    assert rows(db, STOCKS) == [(first, "waiting", 0, None), (other, "live", 10, 10)]
    with db.unit_of_work() as uow:
        leave(uow, first, None)
    run_all(db)
    swept(db)
    # For a moment it was to get its part: that is lost again with the shop's refusal.
    assert rows(db, STOCKS) == [(first, "refused", 0, None), (other, "live", 10, 10)]
    assert held(second)["NORDEN-A"][1] == 10
    hands(sandbox).delete(own)
    with db.unit_of_work() as uow:
        let_push(uow, first)
    run_all(db)
    swept(db)
    assert rows(db, STOCKS) == [(first, "live", 5, 5), (other, "live", 5, 5)]
    assert (held(sandbox)["NORDEN-A"][1], held(second)["NORDEN-A"][1]) == (5, 5)


@pytest.mark.deep
def test_what_may_have_been_made_keeps_its_share(db: Database, sandbox: Shop, second: Shop) -> None:
    first = open_shop(db, sandbox, {"supplier_sku": "A", "stock": 10})
    other = another(db, second)
    run_all(db)
    swept(db)
    assert rows(db, STOCKS) == [(first, "live", 5, 5), (other, "live", 5, 5)]
    variant = one(db, "SELECT DISTINCT variant_id FROM listing")
    for sending, state, shown in ((5, "waiting", 5), (5, "refused", 5), (None, "refused", 10)):
        db.run(
            "UPDATE listing SET external_id = NULL, sent = NULL, sending = %s, state = %s WHERE shop_id = %s",
            [sending, state, first],
        )
        with db.unit_of_work() as uow:
            allot(uow.cursor(), [variant])
        assert one(db, "SELECT wanted->'stock' FROM listing WHERE shop_id = %s", other) == shown


def test_a_page_that_is_refused_keeps_its_stock_true(
    db: Database, sandbox: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(db, sandbox, {"supplier_sku": "A", "stock": 60}, {"supplier_sku": "B"})
    run_all(db)

    def refuses(draft: Any) -> str | None:
        return "That title will not do." if "Oslo" in draft.title else None

    monkeypatch.setattr("connectors.shops.woocommerce.mapping.why_not", refuses)
    stage(db, 1, {"supplier_sku": "A", "stock": 60, "title": "Lampe Oslo"}, {"supplier_sku": "B"})
    run_all(db)
    told = "SELECT state, problem, wanted->'stock', sent->'stock' FROM listing ORDER BY id LIMIT 1"
    assert rows(db, told) == [("refused", "That title will not do.", 60, 60)]
    stage(db, 1, {"supplier_sku": "A", "stock": 3, "title": "Lampe Oslo"}, {"supplier_sku": "B"})
    run_all(db, twice=True)
    assert rows(db, told) == [("refused", "That title will not do.", 3, 3)]
    assert held(sandbox)["NORDEN-A"] == ("15.00", 3, "publish")
    # Nor does it go round for ever where the shop has not even that any more.
    (thing,) = hands(sandbox).rest("GET", "products", params={"sku": "NORDEN-A"})
    hands(sandbox).delete(str(thing["id"]))
    stage(db, 1, {"supplier_sku": "A", "stock": 2, "title": "Lampe Oslo"}, {"supplier_sku": "B"})
    run_all(db)
    assert rows(db, told) == [("refused", "That title will not do.", 3, 3)]
    assert one(db, "SELECT count(*) FROM message") == 0
    stage(db, 1, {"supplier_sku": "A", "stock": 2, "title": "Lampe Bergen"}, {"supplier_sku": "B"})
    run_all(db)
    assert rows(db, told) == [("live", None, 2, 2)]
    assert held(sandbox)["NORDEN-A"] == ("15.00", 2, "publish")
