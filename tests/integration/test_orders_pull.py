"""Taking orders over from a shop: ours only, the newest telling only, each once, by webhook and by sweep."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.orders import Buyer, ShopOrderLine
from core.database import Database
from core.errors import Refused, Temporary
from models.events import OrderNoticed, OrdersDue
from pipelines.orders.pull import OVERLAP, pull, sweep
from pipelines.routes import ROUTES
from tests.orders import MORNING, Market, ToldShop, another_shop, lines_of, market, refunded, told
from tests.stepping import one, pending, rows

NOT_OURS = ShopOrderLine("X1", "777", "OWN-1", "The seller's own mug", 3)


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


def noticed(db: Database, of: Market, external_id: str = "1001") -> None:
    """The step, twice: the second must find everything done."""
    for _ in range(2):
        pull(
            OrderNoticed(tenant=of.seller, lane=f"shop:{of.shop}", shop_id=of.shop, external_id=external_id),
            db,
        )


def swept(db: Database, of: Market) -> None:
    for _ in range(2):
        sweep(OrdersDue(tenant=of.seller, lane=f"shop:{of.shop}", shop_id=of.shop), db)


def changes(db: Database) -> list[int]:
    """Orders named by OrderChanged, and forgets the messages; both steps of the event get one each."""
    found = [message for message in pending(db) if message["event"] == "OrderChanged"]
    db.run("DELETE FROM message")
    assert {message["step"] for message in found} <= {"orders.reserve.reserve", "orders.release.release"}
    return [
        message["payload"]["order_id"] for message in found if message["step"] == "orders.reserve.reserve"
    ]


def story(db: Database) -> list[tuple[str, str]]:
    return rows(db, "SELECT what, text FROM order_event ORDER BY id")


def test_an_order_is_stored_whole_and_once(db: Database, shop: ToldShop) -> None:
    of = market(db, 5, 5)
    whole = told(of, 2, 1)
    shop.holds(replace(whole, lines=(*whole.lines, NOT_OURS)))
    noticed(db, of)
    assert rows(
        db, "SELECT shop_id, seller_id, external_id, number, currency, standing, test, total_minor, placed_at, version FROM shop_order"
    ) == [(of.shop, of.seller, "1001", "#1001", "EUR", "open", False, 4050, MORNING, 2)]  # fmt: skip
    assert rows(db, "SELECT external_id, variant_id, sku, kind, unit_price_minor, state FROM order_line ORDER BY id") == [
        ("L0", of.variants[0], of.skus[0], "goods", 1350, "received"),
        ("L1", of.variants[1], of.skus[1], "goods", 1350, "received"),
    ]  # fmt: skip
    assert lines_of(db) == [("received", 2, 2, 0, 0, 0), ("received", 1, 1, 0, 0, 0)]
    assert one(db, "SELECT address->>'city' FROM order_buyer") == "Berlin"
    assert [what for what, _ in story(db)] == ["received"]
    assert "Ada" not in str(story(db))
    assert changes(db) == [1]


def test_an_order_with_nothing_of_ours_is_not_stored(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    shop.holds(replace(told(of, 1), lines=(NOT_OURS,)))
    noticed(db, of)
    swept(db, of)
    assert (rows(db, "SELECT id FROM shop_order"), rows(db, "SELECT * FROM order_buyer"), changes(db)) == (
        [],
        [],
        [],
    )


def test_another_shops_listing_is_not_ours_here(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    other = another_shop(db, of)
    shop.holds(told(replace(of, skus=("",), ids=other.ids), 1))
    noticed(db, of)
    assert rows(db, "SELECT id FROM shop_order") == []
    noticed(db, other)
    assert rows(db, "SELECT shop_id, seller_id FROM shop_order") == [(other.shop, other.seller)]


def test_a_product_made_anew_in_the_shop_is_known_by_its_sku(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    db.run("UPDATE listing SET former_ids = '{999999}'")  # its first page was deleted there
    shop.holds(told(replace(of, ids=("999999",), skus=(of.skus[0].lower(),)), 1))
    noticed(db, of)
    assert rows(db, "SELECT variant_id, sku FROM order_line") == [(of.variants[0], of.skus[0])]


def test_a_listing_that_was_never_sent_gives_no_line_by_its_sku(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    db.run("UPDATE listing SET external_id = NULL")
    shop.holds(told(of, 1))
    noticed(db, of)
    assert rows(db, "SELECT id FROM shop_order") == []


def test_an_older_telling_is_dropped_and_the_newest_wins_in_any_order(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    for quantity, minutes in ((3, 0), (1, 20), (2, 10)):
        shop.holds(told(of, quantity, minutes=minutes))
        noticed(db, of)
    assert lines_of(db) == [("received", 1, 1, 0, 0, 0)]
    assert one(db, "SELECT external_updated_at FROM shop_order") == MORNING + timedelta(minutes=20)
    assert changes(db) == [1, 1]
    assert story(db)[1:] == [("changed", f"The buyer wants 1 × {of.skus[0]} instead of 3.")]


def test_what_does_not_differ_wakes_nobody_but_the_address_follows(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    shop.holds(told(of, 1))
    noticed(db, of)
    changes(db)
    shop.holds(told(of, 1, minutes=5, buyer=Buyer(name="Ada Beispiel", city="Potsdam")))
    noticed(db, of)
    assert changes(db) == []
    assert one(db, "SELECT address->>'city' FROM order_buyer") == "Potsdam"
    assert one(db, "SELECT version FROM order_line") == 1


def test_what_was_taken_back_or_refunded_in_the_shop_is_no_longer_wanted(
    db: Database, shop: ToldShop
) -> None:
    of = market(db, 9, 9)
    edited = told(of, 5, 2, minutes=1)
    first, second = edited.lines
    edited = replace(
        edited, lines=(replace(first, removed=1), second), refunds=(refunded(("L0", 2), ("L1", 2)),)
    )
    shop.holds(edited)
    noticed(db, of)
    assert lines_of(db) == [("received", 5, 2, 0, 0, 0), ("received", 2, 0, 0, 0, 0)]
    shop.holds(replace(edited, lines=(replace(first, removed=1),), updated_at=MORNING + timedelta(minutes=2)))
    noticed(db, of)
    assert [line[2] for line in lines_of(db)] == [2, 0]


def test_a_line_that_left_the_order_is_no_longer_wanted(db: Database, shop: ToldShop) -> None:
    of = market(db, 9, 9)
    shop.holds(told(of, 1, 1))
    noticed(db, of)
    shop.holds(told(of, 1, minutes=1))
    noticed(db, of)
    assert [(ordered, wanted) for _, ordered, wanted, *_ in lines_of(db)] == [(1, 1), (1, 0)]


def test_a_line_added_later_comes_along(db: Database, shop: ToldShop) -> None:
    of = market(db, 9, 9)
    shop.holds(told(of, 1))
    noticed(db, of)
    changes(db)
    shop.holds(told(of, 1, 4, minutes=1))
    noticed(db, of)
    assert [(ordered, wanted) for _, ordered, wanted, *_ in lines_of(db)] == [(1, 1), (4, 4)]
    assert changes(db) == [1]


def test_a_refund_by_amount_alone_is_told_once_and_changes_no_quantity(db: Database, shop: ToldShop) -> None:
    of = market(db, 9)
    shop.holds(told(of, 2))
    noticed(db, of)
    changes(db)
    shop.holds(told(of, 2, minutes=1, refunds=(refunded(cents=500),)))
    noticed(db, of)
    shop.holds(told(of, 2, minutes=2, refunds=(refunded(cents=500),)))
    noticed(db, of)
    assert lines_of(db) == [("received", 2, 2, 0, 0, 0)]
    assert [text for what, text in story(db) if what == "refund_told"] == [
        "The shop paid 5.00 EUR back without naming pieces: nothing of the order changes."
    ]
    assert changes(db) == []


def test_unpaid_waits_paid_goes_on_cancelled_ends(db: Database, shop: ToldShop) -> None:
    of = market(db, 9)
    standings: tuple[Any, ...] = ("unpaid", "open", "cancelled", "open")
    seen = []
    for minutes, standing in enumerate(standings):
        shop.holds(told(of, 2, minutes=minutes, standing=standing))
        noticed(db, of)
        seen.append((lines_of(db)[0][0], lines_of(db)[0][2]))
        assert changes(db) == [1]
    assert seen == [("unpaid", 2), ("received", 2), ("received", 0), ("received", 2)]


def test_what_is_never_bought_says_why(db: Database, shop: ToldShop) -> None:
    of, reason = market(db, 9), "It is a test order: nothing is bought for it."
    shop.holds(told(of, 2, test=True))
    noticed(db, of)
    assert rows(db, "SELECT state, reason FROM order_line") == [("received", reason)]
    assert story(db)[0][1].endswith(reason)


def test_an_order_that_left_the_shop_is_wanted_no_longer(db: Database, shop: ToldShop) -> None:
    of = market(db, 9)
    shop.holds(told(of, 2))
    noticed(db, of)
    changes(db)
    shop.orders.clear()
    noticed(db, of)
    noticed(db, of, "never-ours")
    assert lines_of(db) == [("received", 2, 0, 0, 0, 0)]
    assert one(db, "SELECT standing FROM shop_order") == "cancelled"
    assert changes(db) == [1]


def test_the_sweep_finds_what_no_webhook_told_and_moves_its_watermark_when_all_is_stored(
    db: Database, shop: ToldShop
) -> None:
    of = market(db, 9)
    db.run("UPDATE shop SET live_since = %s", [MORNING - timedelta(days=1)])
    shop.holds(*(told(of, n, external_id=str(n), minutes=n) for n in (3, 1, 2)))
    swept(db, of)
    assert rows(db, "SELECT external_id FROM shop_order ORDER BY id") == [("1",), ("2",), ("3",)]
    assert one(db, "SELECT orders_watermark FROM shop") == MORNING + timedelta(minutes=3)
    assert [moment for _, moment in shop.asked] == [
        MORNING - timedelta(days=1),
        MORNING + timedelta(minutes=3) - OVERLAP,
    ]
    assert len(changes(db)) == 3


def test_a_sweep_that_breaks_off_keeps_what_it_stored_and_comes_again_from_the_old_watermark(
    db: Database, shop: ToldShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = market(db, 9)
    db.run("UPDATE shop SET live_since = %s", [MORNING - timedelta(days=1)])
    first = told(of, 1, external_id="1", minutes=1)

    def breaks(moment: object) -> Iterator[Any]:
        yield first
        raise Temporary("The shop answers 503.")

    monkeypatch.setattr(shop, "orders_since", breaks)
    with pytest.raises(Temporary, match="503"):
        sweep(OrdersDue(tenant=of.seller, lane="shop:1", shop_id=of.shop), db)
    assert rows(db, "SELECT external_id FROM shop_order") == [("1",)]
    assert one(db, "SELECT orders_watermark FROM shop") is None


def test_a_long_sweep_that_breaks_off_goes_on_near_where_it_stopped(
    db: Database, shop: ToldShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = market(db, 9)
    db.run("UPDATE shop SET live_since = %s", [MORNING - timedelta(days=1)])
    monkeypatch.setattr("pipelines.orders.pull.MILESTONE", 2)

    def breaks(moment: object) -> Iterator[Any]:
        yield from (told(of, 1, external_id=str(n), minutes=n) for n in range(5))
        raise Temporary("The shop answers 503.")

    monkeypatch.setattr(shop, "orders_since", breaks)
    with pytest.raises(Temporary, match="503"):
        sweep(OrdersDue(tenant=of.seller, lane="shop:1", shop_id=of.shop), db)
    assert one(db, "SELECT count(*) FROM shop_order") == 5
    assert one(db, "SELECT orders_watermark FROM shop") == MORNING + timedelta(minutes=3)


def test_an_order_that_makes_no_sense_is_asked_for_once_and_stops_no_other(
    db: Database, shop: ToldShop
) -> None:
    of = market(db, 9)
    db.run("UPDATE shop SET live_since = %s", [MORNING - timedelta(days=1)])
    shop.holds(*(told(of, 1, external_id=str(n), minutes=n) for n in (1, 2, 3)))
    shop.unreadable = ["2"]
    swept(db, of)
    swept(db, of)
    assert rows(db, "SELECT external_id FROM shop_order ORDER BY id") == [("1",), ("3",)]
    asked = [message["payload"] for message in pending(db) if message["event"] == "OrderNoticed"]
    assert asked == [{"shop_id": of.shop, "external_id": "2"}]
    db.run(
        "WITH gone AS (DELETE FROM message WHERE event = 'OrderNoticed' RETURNING *)"
        " INSERT INTO dead_letter (message_id, tenant, lane, queue, step, event, payload, attempts, error, traceback, created_at)"
        " SELECT id, tenant, lane, queue, step, event, payload, 1, 'It has no date.', '', created_at FROM gone"
    )
    swept(db, of)
    assert [message for message in pending(db) if message["event"] == "OrderNoticed"] == []


def test_the_watermark_never_goes_back_and_stays_behind_the_present(db: Database, shop: ToldShop) -> None:
    of = market(db, 9)
    db.run(
        "UPDATE shop SET live_since = %s, orders_watermark = %s", [MORNING, MORNING + timedelta(minutes=9)]
    )
    shop.holds(told(of, 1, minutes=8))
    swept(db, of)
    assert one(db, "SELECT orders_watermark FROM shop") == MORNING + timedelta(minutes=9)
    shop.holds(told(of, 1, minutes=60 * 24 * 36500))
    swept(db, of)
    assert one(db, "SELECT orders_watermark < now() - interval '4 seconds' FROM shop") is True


def test_an_order_that_the_shop_hides_stays_as_it_is(
    db: Database, shop: ToldShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too old to be shown is not deleted: nothing is cancelled, and a person is told where it is one of ours."""
    of = market(db, 5, 5)
    shop.holds(told(of, 2))
    noticed(db, of)
    before = rows(db, "SELECT standing, version FROM shop_order"), lines_of(db)
    assert changes(db) == [1]

    def hidden(external_id: str) -> None:
        raise Refused("The order is older than what the shop shows.", rule="hidden")

    monkeypatch.setattr(shop, "order", hidden)
    noticed(db, of, "none of ours")
    with pytest.raises(Refused, match="older than what the shop shows"):
        noticed(db, of)
    assert (rows(db, "SELECT standing, version FROM shop_order"), lines_of(db)) == before
    assert changes(db) == []


def test_four_tellings_of_a_new_order_at_once_make_one(db: Database, shop: ToldShop) -> None:
    of = market(db, 9, 9)
    shop.holds(told(of, 2, 1))
    gate = threading.Barrier(4)

    def hear(_: int) -> None:
        gate.wait(timeout=10)
        pull(OrderNoticed(tenant=of.seller, lane=f"shop:{of.shop}", shop_id=of.shop, external_id="1001"), db)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hear, range(4)))
    assert one(db, "SELECT count(*) FROM shop_order") == 1
    assert lines_of(db) == [("received", 2, 2, 0, 0, 0), ("received", 1, 1, 0, 0, 0)]
    assert [what for what, _ in story(db)] == ["received"]
    assert changes(db) == [1]


def restocked(db: Database) -> list[int]:
    """Variants named by ShopStockMoved, and forgets the messages."""
    found = [m["payload"]["variant_id"] for m in pending(db) if m["event"] == "ShopStockMoved"]
    db.run("DELETE FROM message")
    return found


def test_the_shops_shelf_is_looked_at_once_for_each_line_of_which_less_is_wanted(
    db: Database, shop: ToldShop
) -> None:
    of = market(db, 5, 5, 5)
    shop.holds(told(of, 2, 1, 3))
    noticed(db, of)
    assert restocked(db) == [], "a new order takes nothing back"
    back = refunded(("L0", 1), ("L2", 3))
    shop.holds(told(of, 2, 1, 3, minutes=1, refunds=(back,)))
    noticed(db, of)
    assert restocked(db) == [of.variants[0], of.variants[2]]
    shop.holds(told(of, 2, 1, 3, minutes=2, refunds=(back,)))
    noticed(db, of)
    assert restocked(db) == [], "told again, nothing moved"
