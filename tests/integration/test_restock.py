"""A reservation moves the stock that shops show: that figure only, at once, and without pushes that pile up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from models.catalogue import Offer, give_back, take
from models.events import DemandMoved, SharesMoved, ShopStockMoved, StockMoved
from models.shelves import moved_by_orders
from pipelines.listings.restock import follow, resend, restock
from pipelines.routes import ROUTES
from schedules.jobs import stocks_age
from tests import builders as make
from tests.orders import Market, another_shop, market
from tests.orders import line as order_line
from tests.orders import order as new_order
from tests.stepping import one, pending, rows


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_SCARCE_STOCK", "0")
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def moved(db: Database, offer_id: int, quantity: int) -> None:
    """So much of the offer is taken, and the step runs twice."""
    with db.unit_of_work() as uow:
        assert take(uow.cursor(), offer_id, quantity)
    again(db, offer_id)


def again(db: Database, offer_id: int) -> None:
    for _ in range(2):
        restock(StockMoved(tenant=1, lane="x", offer_id=offer_id), db)


def rival(db: Database, of: Market, cost: str, free: int) -> int:
    """Another supplier's offer of the market's first variant."""
    with db.unit_of_work() as uow:
        run = make.run(uow.session, make.feed(uow.session))
        made: Offer = make.offer(uow.session, run, cost=cost, free=free, stock=free)
        made.variant_id = of.variants[0]
        return made.id


def wanted(db: Database) -> list[dict[str, Any]]:
    return [row for (row,) in rows(db, "SELECT wanted FROM listing ORDER BY id")]


def events(db: Database) -> list[str]:
    return [message["event"] for message in pending(db)]


def test_only_the_stock_of_that_variant_follows_in_every_live_shop(db: Database) -> None:
    of = market(db, 5, 5)
    another_shop(db, of)
    idle = another_shop(db, of)
    db.run("UPDATE shop SET live_since = NULL WHERE id = %s", [idle.shop])
    before = wanted(db)
    moved(db, of.offers[0], 2)
    expected = [{**each, "stock": 3} if place in (0, 2, 4) else each for place, each in enumerate(before)]
    assert wanted(db) == expected
    assert events(db) == ["PushDue", "PushDue"]
    assert (
        rows(db, "SELECT plan - 'limits', state FROM push ORDER BY id")
        == [({"create": 0, "update": 0, "stock": 1, "withdraw": 0}, "running")] * 2
    )


def test_many_moves_in_a_row_make_one_push(db: Database) -> None:
    of = market(db, 9)
    for _ in range(7):
        moved(db, of.offers[0], 1)
    assert [each["stock"] for each in wanted(db)] == [2]
    assert events(db) == ["PushDue"]


def test_what_shows_the_figure_already_pushes_nothing(db: Database) -> None:
    of = market(db, 9)
    again(db, of.offers[0])
    assert (events(db), one(db, "SELECT count(*) FROM push")) == ([], 0)


def test_stock_given_back_is_shown_again(db: Database) -> None:
    of = market(db, 5)
    moved(db, of.offers[0], 5)
    assert [each["stock"] for each in wanted(db)] == [0]
    with db.unit_of_work() as uow:
        give_back(uow.cursor(), of.offers[0], 5)
    again(db, of.offers[0])
    assert [each["stock"] for each in wanted(db)] == [5]


def test_where_another_supplier_takes_over_the_shop_is_planned_once(db: Database) -> None:
    of = market(db, 1)
    rival(db, of, "12.00", 7)
    moved(db, of.offers[0], 1)
    assert events(db) == ["ListingsDue"]
    assert [each["stock"] for each in wanted(db)] == [
        1
    ]  # the plan prices it anew; the stock alone would be half a truth
    assert one(db, "SELECT count(*) FROM push") == 0


def test_a_plan_that_has_begun_is_not_taken_for_one_that_will(db: Database) -> None:
    of = market(db, 1)
    rival(db, of, "12.00", 7)
    moved(db, of.offers[0], 1)
    db.run("UPDATE message SET state = 2")
    restock(StockMoved(tenant=1, lane="x", offer_id=of.offers[0]), db)
    assert events(db) == ["ListingsDue", "ListingsDue"]


def test_a_dearer_offer_moves_nothing_in_a_shop_that_shows_the_cheaper(db: Database) -> None:
    of = market(db, 5)
    dearer = rival(db, of, "12.00", 7)
    moved(db, dearer, 3)
    assert ([each["stock"] for each in wanted(db)], events(db)) == ([5], [])


def test_a_listing_no_longer_wanted_and_an_offer_without_listing_are_left_alone(db: Database) -> None:
    of = market(db, 5)
    db.run("UPDATE listing SET wanted = NULL")
    moved(db, of.offers[0], 1)
    assert (wanted(db), events(db)) == ([None], [])


def test_what_a_shop_put_back_on_its_own_shelf_is_unknown_there_and_nowhere_else(db: Database) -> None:
    of = market(db, 5, 5)
    another_shop(db, of)
    before = wanted(db)
    sent = rows(db, "SELECT id, sent->'stock' FROM listing ORDER BY id")
    with db.unit_of_work() as uow:
        moved_by_orders(uow.cursor(), of.shop, {of.variants[0]: -2})
    for _ in range(2):
        resend(ShopStockMoved(tenant=1, lane="x", shop_id=of.shop, variant_id=of.variants[0]), db)
    assert wanted(db) == before
    assert rows(db, "SELECT id, sent->'stock' FROM listing ORDER BY id") == [(sent[0][0], None), *sent[1:]]
    assert rows(db, "SELECT sending, seen FROM listing ORDER BY id LIMIT 1") == [(7, None)]
    assert events(db) == ["PushDue"]


def test_a_sale_lowers_what_is_sent_wanted_and_on_its_way_once_and_pushes_nothing(db: Database) -> None:
    of = market(db, 5)
    db.run("UPDATE listing SET sending = 6")
    with db.unit_of_work() as uow:
        moved_by_orders(uow.cursor(), of.shop, {of.variants[0]: 2})
    query = "SELECT sent->'stock', wanted->'stock', sending, differs FROM listing"
    assert rows(db, query) == [(3, 3, 4, False)]
    assert events(db) == []


def test_scarce_stock_is_lowered_first_and_raised_elsewhere_when_that_is_confirmed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_SCARCE_STOCK", "50")
    of = market(db, 10)
    other = another_shop(db, of)
    db.run(
        "UPDATE listing SET sent = jsonb_set(sent, '{stock}', '0'), wanted = jsonb_set(wanted, '{stock}', '0') WHERE shop_id = %s",
        [other.shop],
    )
    again(db, of.offers[0])
    assert [each["stock"] for each in wanted(db)] == [5, 0]
    assert rows(db, "SELECT shop_id FROM push") == [(of.shop,)]
    db.run("UPDATE listing SET sent = wanted")  # the lowering is confirmed
    again(db, of.offers[0])
    assert [each["stock"] for each in wanted(db)] == [5, 5]
    assert rows(db, "SELECT shop_id FROM push ORDER BY id") == [(of.shop,), (other.shop,)]


def test_what_buyers_were_promised_is_shown_by_nobody(db: Database) -> None:
    of = market(db, 9)
    with db.unit_of_work() as uow:
        placed = new_order(uow.session, of, standing="unpaid")
        order_line(uow.session, placed, of, quantity=4, state="unpaid")
    for _ in range(2):
        restock(DemandMoved(tenant=1, lane="x", variant_id=of.variants[0]), db)
    assert [each["stock"] for each in wanted(db)] == [5]
    assert events(db) == ["PushDue"]


def test_settings_keep_pieces_back_and_an_old_figure_is_nothing(db: Database) -> None:
    of = market(db, 9)
    change = "UPDATE shop SET settings = %s::jsonb"
    db.run(change, ['{"buffer": 2}'])
    again(db, of.offers[0])
    assert [each["stock"] for each in wanted(db)] == [7]
    db.run(change, ['{"buffer": 2, "show_at_most": 3}'])
    again(db, of.offers[0])
    assert [each["stock"] for each in wanted(db)] == [3]
    db.run("UPDATE feed_run SET as_of = now() - interval '5 hours'")
    db.run(change, ['{"stale_hours": 6}'])
    again(db, of.offers[0])
    assert [each["stock"] for each in wanted(db)] == [9]
    db.run(change, ['{"stale_hours": 4}'])
    again(db, of.offers[0])
    assert [each["stock"] for each in wanted(db)] == [0]


def test_a_shop_follows_what_another_shops_plan_decided(db: Database) -> None:
    of = market(db, 9)
    for _ in range(2):
        follow(SharesMoved(tenant=1, lane="x", shop_id=of.shop), db)
    assert events(db) == []
    db.run("UPDATE listing SET wanted = jsonb_set(wanted, '{stock}', '4')")
    for _ in range(2):
        follow(SharesMoved(tenant=1, lane="x", shop_id=of.shop), db)
    assert events(db) == ["PushDue"]


def test_the_clock_plans_the_shops_whose_figures_grow_old_and_each_once(db: Database) -> None:
    of = market(db, 9)
    another_shop(db, of)
    db.run("UPDATE shop SET settings = '{\"stale_hours\": 6}' WHERE id = %s", [of.shop])
    for _ in range(2):
        with db.unit_of_work() as uow:
            stocks_age(uow, now())
    assert [message["payload"] for message in pending(db)] == [{"shop_id": of.shop, "run_id": 0}]
