"""Where nobody knows what a shop can still sell: it is read, its orders are swept after that, and only then it is sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.base import ShopConnector, ShopListing
from core.clock import now
from core.database import Database
from models.events import OrdersDue, OrdersSwept
from models.shelves import forget
from models.shops import Shop
from pipelines.listings.plan import differences
from pipelines.listings.settle import judge, known_again, look_into, settle
from pipelines.listings.stock import allot
from pipelines.orders.pull import sweep
from pipelines.routes import ROUTES
from tests.orders import Market, ToldShop, another_shop, market, told
from tests.stepping import one, pending, rows


@dataclass
class Shown:
    """A connector whose shop shows `stock` of every product it is asked for."""

    ids: Sequence[tuple[str, str]]
    stock: int
    asked: list[str] = field(default_factory=list)

    def read_back(self, products: Sequence[str]) -> Iterator[ShopListing]:
        self.asked += products
        for product, variant in self.ids:
            if product in products:
                yield ShopListing(variant, product, "live", stock=self.stock)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ToldShop:
    made = ToldShop()
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setattr("pipelines.opening.SHOPS", {"woocommerce": made})
    return made


@pytest.fixture
def db(database_url: str, shop: ToldShop) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def look(db: Database, of: Market, stock: int) -> Shown:
    """What a push does at its beginning."""
    ids = rows(
        db,
        "SELECT p.external_id, l.external_id FROM listing l JOIN shop_product p USING (shop_id, product_id)",
    )
    shown = Shown([(str(product), str(variant)) for product, variant in ids], stock)
    with db.unit_of_work() as uow:
        stored = uow.session.get_one(Shop, of.shop)
        uow.session.expunge_all()
    known_again(db, stored, cast(ShopConnector, shown))
    return shown


def swept(db: Database, of: Market) -> None:
    db.run("UPDATE shop SET live_since = '2026-11-01'")  # the orders of these tests are from that month
    sweep(OrdersDue(tenant=1, lane=f"shop:{of.shop}", shop_id=of.shop), db)


def settled(db: Database, of: Market) -> None:
    for _ in range(2):
        settle(OrdersSwept(tenant=1, lane=f"shop:{of.shop}", shop_id=of.shop), db)


def state(db: Database) -> list[tuple[Any, ...]]:
    """(sent stock, on its way, wanted stock) of each listing."""
    return rows(db, "SELECT sent->'stock', sending, wanted->'stock' FROM listing ORDER BY id")


def events(db: Database) -> list[str]:
    return [message["event"] for message in pending(db) if message["event"] != "OrderChanged"]


def differing(db: Database, of: Market) -> list[str]:
    with db.unit_of_work() as uow:
        return [row["difference"] for row in differences(uow.cursor(), of.shop)]


def forgotten(db: Database, of: Market) -> None:
    with db.unit_of_work() as uow:
        forget(uow.cursor(), of.shop, [of.variants[0]])


def test_an_unknown_listing_is_read_once_and_waits_for_the_sweep(db: Database) -> None:
    of = market(db, 9)
    forgotten(db, of)
    assert (state(db), differing(db, of)) == ([(None, 9, 9)], ["stock"])
    assert len(look(db, of, 4).asked) == 1
    assert look(db, of, 4).asked == []
    assert (state(db), differing(db, of)) == ([(None, 9, 9)], [])
    assert events(db) == ["OrdersDue"]
    settled(db, of)  # no sweep began since it was read
    assert (state(db), events(db)) == ([(None, 9, 9)], ["OrdersDue"])


def test_sales_that_no_webhook_told_are_known_before_it_is_sent(db: Database, shop: ToldShop) -> None:
    of = market(db, 9)
    forgotten(db, of)
    look(db, of, 4)
    shop.holds(told(of, 5))
    swept(db, of)
    assert "OrdersSwept" in events(db)
    settled(db, of)
    # Nine less the five that are promised; the shop shows these four already.
    assert (state(db), differing(db, of)) == ([(4, None, 4)], [])


def test_what_is_still_missing_after_the_sweep_is_put_back(db: Database) -> None:
    of = market(db, 9)
    forgotten(db, of)
    look(db, of, 4)
    swept(db, of)
    settled(db, of)
    assert (state(db), differing(db, of)) == ([(4, None, 9)], ["stock"])
    assert rows(db, "SELECT state FROM push") == [("running",)]


def test_less_than_was_sent_is_taken_for_a_sale_until_a_sweep_that_began_after_it(
    db: Database, shop: ToldShop
) -> None:
    of = market(db, 9)
    with db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE listing SET seen = jsonb_set(seen, '{stock}', '6'), seen_at = now()")
        look_into(uow, uow.session.get_one(Shop, of.shop))
    assert (events(db), differing(db, of)) == (["OrdersDue"], [])
    settled(db, of)
    assert state(db) == [(9, None, 9)]
    shop.holds(told(of, 2))
    swept(db, of)
    assert state(db) == [(7, None, 7)]
    settled(db, of)
    assert state(db) == [(6, None, 7)]  # two were sold; one is gone without an order, and is put back
    assert differing(db, of) == ["stock"]


def test_more_than_was_sent_is_unknown_at_once(db: Database) -> None:
    of = market(db, 9)
    for _ in range(2):
        with db.unit_of_work() as uow:
            uow.cursor().execute(
                "UPDATE listing SET seen = jsonb_set(seen, '{stock}', '12'), seen_at = now(), state = 'drifted'"
            )
            look_into(uow, uow.session.get_one(Shop, of.shop))
        assert (state(db), differing(db, of)) == ([(None, 12, 9)], [])
    swept(db, of)
    settled(db, of)
    assert (state(db), differing(db, of)) == ([(12, None, 9)], ["update"])


def test_a_call_that_was_cut_off_may_have_happened(db: Database) -> None:
    of = market(db, 9)
    db.run("UPDATE listing SET sending = 9, sent = jsonb_set(sent, '{stock}', '3')")
    look(db, of, 8)
    assert state(db) == [(None, 9, 9)]
    swept(db, of)
    settled(db, of)
    assert state(db) == [(8, None, 9)]


def test_a_reading_from_before_the_shop_moved_it_is_not_believed(db: Database) -> None:
    of = market(db, 9)
    (before,) = rows(db, "SELECT sent_at FROM listing")
    forgotten(db, of)
    stale = 'UPDATE listing SET seen = \'{"stock": 4, "status": "live"}\', seen_at = now() WHERE sent_at = %s'
    db.run(stale, [before[0]])
    swept(db, of)
    settled(db, of)
    assert state(db) == [(None, 9, 9)]


def test_what_left_the_sale_may_have_sold_until_its_shop_was_swept(db: Database) -> None:
    of = market(db, 10)
    other = another_shop(db, of)
    db.run(
        "UPDATE listing SET wanted = NULL, sent = NULL, lowered_from = 6, state = 'withdrawn', sent_at = now() WHERE shop_id = %s",
        [of.shop],
    )
    db.run("UPDATE listing SET sent = jsonb_set(sent, '{stock}', '4'), wanted = jsonb_set(wanted, '{stock}', '4') WHERE shop_id = %s", [other.shop])  # fmt: skip
    settled(db, of)
    assert state(db)[1] == (4, None, 4)
    swept(db, of)
    settled(db, of)
    assert state(db) == [(None, None, None), (4, None, 10)]
    assert [m["payload"] for m in pending(db) if m["event"] == "SharesMoved"] == [{"shop_id": other.shop}]


def test_what_was_lowered_may_have_been_sold_before_until_a_sweep_told_it(
    db: Database, shop: ToldShop
) -> None:
    of = market(db, 20)
    other = another_shop(db, of)
    db.run("UPDATE listing SET sent = jsonb_set(sent, '{stock}', '4'), wanted = jsonb_set(wanted, '{stock}', '4'), lowered_from = 16 WHERE shop_id = %s", [of.shop])  # fmt: skip
    db.run("UPDATE listing SET sent = jsonb_set(sent, '{stock}', '0'), wanted = jsonb_set(wanted, '{stock}', '0') WHERE shop_id = %s", [other.shop])  # fmt: skip
    with db.unit_of_work() as uow:
        allot(uow.cursor(), of.variants)
    assert rows(db, "SELECT wanted->'stock' FROM listing ORDER BY id") == [(4,), (4,)]
    shop.holds(told(of, 10))
    swept(db, of)
    assert rows(db, "SELECT sent->'stock', lowered_from FROM listing ORDER BY id") == [(0, 6), (0, None)]
    settled(db, of)
    # Ten of twenty are promised. The first sold all it had, so both have what is left.
    assert rows(db, "SELECT wanted->'stock', lowered_from FROM listing ORDER BY id") == [(5, None), (5, None)]


def test_a_sweep_that_could_not_read_an_order_settles_nothing(db: Database, shop: ToldShop) -> None:
    of = market(db, 9)
    began = now()
    shop.holds(told(of, 2))
    shop.unreadable = ["1001"]
    swept(db, of)
    assert one(db, "SELECT swept_at FROM shop WHERE id = %s", of.shop) is None
    shop.unreadable = []
    swept(db, of)
    assert one(db, "SELECT swept_at FROM shop WHERE id = %s", of.shop) > began
    assert "OrdersSwept" not in events(db)  # nobody waits for it


@pytest.mark.parametrize(
    ("sent", "held", "expected"),
    [(5, 5, False), (5, 3, False), (5, 6, True), (5, None, True), (None, 6, False)],
)
def test_only_more_than_was_sent_is_drift_at_once(sent: int | None, held: int | None, expected: bool) -> None:
    assert judge(sent, held) is expected
