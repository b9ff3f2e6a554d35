"""Sold + reserved + free = stock, whatever comes between what: orders, shipments, and suppliers' lists fresh or late."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database
from models.catalogue import give_back, take
from models.events import PieceDue
from pipelines.catalogue.apply import apply
from pipelines.feeds.plan import plan
from pipelines.routes import ROUTES
from tests import builders as make
from tests.orders import Market, line, order
from tests.staged import stage, supplier
from tests.stepping import one, pending, rows, run_message

TAKES = ("feeds.plan.plan", "catalogue.begin.begin", "catalogue.apply.apply")


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def listed(db: Database, feed: int, *offers: dict[str, Any], landed: str = "now()") -> int:
    """A supplier's list is planned and applied; it came at `landed`. Its run's id."""
    run = stage(db, feed, *offers)
    db.run(f"UPDATE feed_run SET landed_at = least(landed_at, {landed}), as_of = least(as_of, {landed}) WHERE id <= %s", [run])  # type: ignore[arg-type]  # fmt: skip
    for _ in range(4):  # what is absent is a piece of its own
        for message in pending(db):
            if message["step"] in TAKES:
                run_message(db, message)
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "applied"
    return run


@pytest.fixture
def goods(db: Database) -> "Goods":
    return Goods(db)


class Goods:
    """One supplier's one offer A, buyers who want it, and what the test knows of it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.feed = supplier(db, "NORDEN", absence="out_of_stock", max_zero_stock_percent=100)
        with db.unit_of_work() as uow:
            seller = make.company(uow.session, "seller")
            shop = make.shop(uow.session, seller)
            self.market = Market(2, seller.id, shop.id, (1,), (), ("A",), ("1",))

    def list(self, stock: int | None, landed: str = "now()", **more: Any) -> None:
        """The supplier says how many he has."""
        listed(self.db, self.feed, {"supplier_sku": "A", "stock": stock, **more}, landed=landed)

    def absent(self) -> None:
        """The supplier's list no longer has it."""
        listed(self.db, self.feed, {"supplier_sku": "B"})

    def reserve(self, quantity: int) -> int | None:
        """The line that has so much set aside, or None where there is too little."""
        if not self.market.variants:
            with self.db.unit_of_work() as uow:
                row = uow.cursor().execute(VARIANT).fetchone()
                assert row is not None
                self.market = Market(2, self.market.seller, self.market.shop, (1,), (row[0],), ("A",), ("1",))
        with self.db.unit_of_work() as uow:
            if not take(uow.cursor(), 1, quantity):
                return None
            wants = line(uow.session, order(uow.session, self.market), self.market, quantity=quantity)
            uow.cursor().execute(
                "INSERT INTO reservation (line_id, offer_id, quantity) VALUES (%s, 1, %s)",
                [wants.id, quantity],
            )
            return wants.id

    def release(self, line_id: int) -> None:
        with self.db.unit_of_work() as uow:
            cursor = uow.cursor()
            cursor.execute("SELECT quantity FROM reservation WHERE line_id = %s", [line_id])
            ((quantity,),) = cursor.fetchall()
            cursor.execute("UPDATE reservation SET quantity = 0 WHERE line_id = %s", [line_id])
            give_back(cursor, 1, quantity)

    def ship(self, line_id: int) -> None:
        self.db.run(
            "UPDATE reservation SET sold = sold + quantity, quantity = 0, sold_at = now() WHERE line_id = %s", [line_id]
        )  # fmt: skip

    @property
    def free(self) -> int:
        return int(one(self.db, "SELECT free FROM offer WHERE supplier_sku = 'A'"))


VARIANT = """
WITH p AS (INSERT INTO product (key, title, kind, images) VALUES ('p', 'Lampe', 'goods', '[]') RETURNING id),
v AS (INSERT INTO variant (product_id, key, sku, title, options, images) SELECT id, 'v', 'A', 'Lampe', '{}', '[]' FROM p RETURNING id)
SELECT id FROM v"""


def test_a_list_leaves_what_is_set_aside_and_what_left_after_it_came(goods: Goods) -> None:
    goods.list(10)
    first, second = goods.reserve(2), goods.reserve(3)
    assert goods.free == 5
    goods.list(10)
    assert goods.free == 5
    goods.list(12)
    assert goods.free == 7
    assert first is not None
    goods.ship(first)
    assert goods.free == 7
    goods.list(11, landed="now() - interval '1 minute'")  # from before the parcel left: its 11 still count it
    assert goods.free == 6
    goods.list(9)  # the parcel is off his figure
    assert goods.free == 6
    assert second is not None
    goods.release(second)
    assert goods.free == 9


def test_the_same_list_again_finds_what_was_shipped_in_between(goods: Goods) -> None:
    goods.list(10)
    sold = goods.reserve(4)
    assert sold is not None
    goods.ship(sold)
    goods.list(10, landed="now() - interval '1 minute'")
    assert goods.free == 6
    goods.list(10)  # he put four more there
    assert goods.free == 10


def test_an_offer_with_reservations_alone_is_no_change_of_a_run(goods: Goods) -> None:
    goods.list(10)
    goods.reserve(2)
    goods.list(10)
    assert one(goods.db, "SELECT (plan->>'changed')::int FROM feed_run ORDER BY id DESC LIMIT 1") == 0
    assert one(goods.db, "SELECT count(*) FROM offer_change WHERE kind = 'changed'") == 0


def test_a_list_with_less_than_is_set_aside_gives_nothing_free_and_no_more_back_than_there_is(
    goods: Goods,
) -> None:
    goods.list(5)
    lines = [goods.reserve(2), goods.reserve(3)]
    goods.list(2)
    assert goods.free == 0
    assert lines[0] is not None and lines[1] is not None
    goods.release(lines[1])
    assert goods.free == 0
    goods.release(lines[0])
    assert goods.free == 2


def test_what_left_the_list_does_not_come_back_by_a_cancellation(goods: Goods) -> None:
    goods.list(5)
    kept = goods.reserve(5)
    goods.absent()
    assert goods.free == 0
    assert kept is not None
    goods.release(kept)
    assert goods.free == 0
    goods.list(5)
    assert goods.free == 5


def test_a_stock_that_is_only_assumed_is_lowered_by_what_is_set_aside(goods: Goods) -> None:
    goods.db.run("""UPDATE feed SET policy = policy || '{"assumed_stock": 4}'""")
    goods.list(None)
    kept = goods.reserve(3)
    assert goods.free == 1
    goods.list(None)
    assert goods.free == 1
    goods.db.run("""UPDATE feed SET policy = policy || '{"assumed_stock": 1}'""")
    goods.list(None)
    assert goods.free == 0
    assert kept is not None
    goods.release(kept)
    assert goods.free == 1


def test_a_reservation_made_while_a_list_is_written_is_not_erased(goods: Goods) -> None:
    """The list's own statement began before the reservation was stored: it must see it all the same."""
    goods.list(10)
    run = stage(goods.db, goods.feed, {"supplier_sku": "A", "stock": 8})
    (planned,) = [message for message in pending(goods.db) if message["step"] == "feeds.plan.plan"]
    run_message(goods.db, planned)
    (begun,) = [message for message in pending(goods.db) if message["step"] == "catalogue.begin.begin"]
    run_message(goods.db, begun)
    with psycopg.connect(goods.db.url) as buyer, ThreadPoolExecutor(1) as pool:
        line_id = goods.reserve(1)
        buyer.execute("UPDATE offer SET free = free - 2 WHERE id = 1")
        buyer.execute("UPDATE reservation SET quantity = 3 WHERE line_id = %s", [line_id])
        applied = pool.submit(apply, PieceDue(tenant=2, lane="feed:1", run_id=run, after=0), goods.db)
        until_blocked(buyer)
        buyer.commit()
        applied.result(timeout=30)
    assert goods.free == 5


def until_blocked(holder: psycopg.Connection[Any]) -> None:
    """Until somebody waits for a lock that `holder` has."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    pause = threading.Event()
    for _ in range(1_000):
        found = holder.execute(query).fetchone()
        if found and found[0]:
            return
        pause.wait(0.01)
    pytest.fail("nobody came to wait")


MOVES = st.lists(
    st.tuples(st.sampled_from(["reserve", "release", "ship", "list", "late"]), st.integers(1, 4)), min_size=3, max_size=14
)  # fmt: skip


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, stock=st.integers(0, 12))
def test_any_order_of_events_adds_up(db: Database, moves: list[tuple[str, int]], stock: int) -> None:
    """`held` is what lies at the supplier. A late list was written before the last parcel left, and comes after it."""
    for table in (
        "reservation",
        "order_line",
        "order_buyer",
        "shop_order",
        "listing",
        "message",
        "offer",
        "staged_offer",
    ):
        db.run(f"DELETE FROM {table}")  # type: ignore[arg-type]
    for table in ("offer_change", "feed_run", "feed", "shop", "variant", "product"):
        db.run(f"DELETE FROM {table}")  # type: ignore[arg-type]
    db.run("DELETE FROM company WHERE id > 1")
    for table in ("offer", "company", "feed"):
        db.run(f"ALTER TABLE {table} ALTER id RESTART WITH {2 if table == 'company' else 1}")  # type: ignore[arg-type]
    goods = Goods(db)
    goods.list(stock)
    held, before, reserved = stock, stock, {}
    for what, number in moves:
        if what == "reserve":
            possible = held - sum(reserved.values()) >= number
            line_id = goods.reserve(number)
            assert (line_id is not None) == possible
            if line_id is not None:
                reserved[line_id] = number
        elif what == "release" and reserved:
            line_id = sorted(reserved)[number % len(reserved)]
            goods.release(line_id)
            del reserved[line_id]
        elif what == "ship" and reserved:
            line_id = sorted(reserved)[number % len(reserved)]
            db.run("UPDATE reservation SET sold_at = sold_at - interval '1 hour'")
            goods.ship(line_id)
            before, held = held, held - reserved.pop(line_id)
        elif what == "list":
            goods.list(held)
        elif what == "late":
            goods.list(before, landed="now() - interval '1 minute'")
        assert goods.free == held - sum(reserved.values())
    assert rows(db, "SELECT count(*) FROM offer WHERE free < 0") == [(0,)]


def test_a_plan_counts_what_the_supplier_himself_has_no_longer(goods: Goods) -> None:
    goods.list(3)
    goods.reserve(3)
    run = stage(goods.db, goods.feed, {"supplier_sku": "A", "stock": 3})
    for message in pending(goods.db):
        if message["payload"].get("run_id") == run:
            plan_event = next(route for route in ROUTES if route.step is plan).event
            plan(plan_event(tenant=2, lane="feed:1", **message["payload"]), goods.db)
    assert one(goods.db, "SELECT (plan->>'to_zero')::int FROM feed_run WHERE id = %s", run) == 0
