"""Covering an order: stock and deposit together or not at all, waiting with a reason, going on by itself, never twice."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.settings import Settings
from models.catalogue import Offer
from models.events import DepositCredited, OrderChanged, ProductsMerged, StockMoved
from models.orders import Order
from models.purchasing import PurchaseOrder, PurchaseOrderLine
from pipelines.orders.choose import Ask, Candidate, choose
from pipelines.orders.release import release
from pipelines.orders.reserve import cover, reserve
from pipelines.orders.resume import resume, resume_stock
from pipelines.routes import ROUTES
from schedules.jobs import reservations_expire
from tests import builders as make
from tests.orders import Market, another_shop, line, lines_of, market, order, pay_in
from tests.stepping import one, pending, rows


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def ordered(db: Database, of: Market, *quantities: int, **values: Any) -> int:
    """A paid order of so many of each of the market's offers; its id."""
    with db.unit_of_work() as uow:
        made: Order = order(uow.session, of, **values)
        for place, quantity in enumerate(quantities):
            if quantity:
                line(uow.session, made, of, place, quantity)
        return made.id


def reserved(db: Database, of: Market, order_id: int) -> None:
    """The step, twice: the second must find everything done."""
    for _ in range(2):
        reserve(OrderChanged(tenant=of.seller, lane=f"shop:{of.shop}", order_id=order_id), db)


def resumed(db: Database, of: Market) -> None:
    for _ in range(2):
        resume(DepositCredited(tenant=of.seller, lane=f"seller:{of.seller}", seller_id=of.seller), db)


def top_up(db: Database, of: Market, cents: int) -> None:
    with db.unit_of_work() as uow:
        pay_in(uow, of.seller, cents)


def free(db: Database) -> list[int]:
    return [n for (n,) in rows(db, "SELECT free FROM offer ORDER BY id")]


def balances(db: Database, of: Market) -> tuple[int, int]:
    """(deposit, held) of the market's seller, in cents."""
    found = dict(
        rows(db, "SELECT split_part(name, ':', 3), balance FROM account WHERE company_id = %s", of.seller)
    )
    return found.get("deposit", 0), found.get("held", 0)


def set_aside(db: Database) -> list[tuple[int, int, bool]]:
    """(offer, quantity, whether it ends by itself) of each reservation."""
    return rows(db, "SELECT offer_id, quantity, expires_at IS NOT NULL FROM reservation ORDER BY line_id")


def emitted(db: Database) -> list[tuple[str, Any]]:
    """Events with their id, once each, and forgets the messages."""
    found = [(message["event"], *message["payload"].values()) for message in pending(db)]
    db.run("DELETE FROM message")
    return list(dict.fromkeys(found))  # type: ignore[arg-type]


def states(db: Database) -> list[str]:
    return [state for state, *_ in lines_of(db)]


def test_stock_and_deposit_are_set_aside_together(db: Database) -> None:
    of = market(db, 5, 5, deposit=10_000)
    order_id = ordered(db, of, 2, 1)
    reserved(db, of, order_id)
    assert lines_of(db) == [("funded", 2, 2, 2, 0, 0), ("funded", 1, 1, 1, 0, 0)]
    assert (free(db), balances(db, of)) == ([3, 4], (7_000, 3_000))
    assert set_aside(db) == [(of.offers[0], 2, False), (of.offers[1], 1, False)]
    assert rows(db, "SELECT offer_id, unit_cost::text, reason, version FROM order_line ORDER BY id") == [
        (of.offers[0], "10.000000", None, 2),
        (of.offers[1], "10.000000", None, 2),
    ]
    assert emitted(db) == [
        ("StockMoved", of.offers[0]),
        ("StockMoved", of.offers[1]),
        ("LinesFunded", order_id),
    ]
    assert rows(db, "SELECT what, text FROM order_event ORDER BY id")[0] == (
        "funded",
        f"2 × {of.skus[0]} are reserved and covered by the deposit.",
    )


def test_commission_its_vat_and_the_suppliers_shipping_are_held_as_well(db: Database) -> None:
    of = market(db, 5, deposit=10_000, commission="10", shipping=490)
    reserved(db, of, ordered(db, of, 2))
    assert balances(db, of) == (10_000 - 2_728, 2_728)  # 20.00 + 4.90 + 2.00 + 19 % of 2.00


def test_too_little_deposit_reserves_alone_says_what_is_missing_and_goes_on_after_a_top_up(
    db: Database,
) -> None:
    of = market(db, 5, deposit=1_500)
    order_id = ordered(db, of, 2)
    reserved(db, of, order_id)
    assert lines_of(db) == [("awaiting_deposit", 2, 2, 0, 0, 0)]
    assert one(db, "SELECT reason FROM order_line") == (
        "The deposit lacks 5.00 EUR of the 20.00 EUR that this needs: top it up, and it goes on by itself."
    )
    assert (free(db), balances(db, of), set_aside(db)) == ([3], (1_500, 0), [(of.offers[0], 2, True)])
    left = one(db, "SELECT expires_at - now() FROM reservation")
    assert timedelta(hours=47, minutes=59) < left <= timedelta(hours=48)
    assert emitted(db) == [("StockMoved", of.offers[0])]
    resumed(db, of)
    assert (states(db), emitted(db)) == (["awaiting_deposit"], [])
    top_up(db, of, 500)
    resumed(db, of)
    assert lines_of(db) == [("funded", 2, 2, 2, 0, 0)]
    assert (free(db), balances(db, of), set_aside(db)) == ([3], (0, 2_000), [(of.offers[0], 2, False)])
    assert emitted(db) == [("LinesFunded", order_id)]
    assert [what for (what,) in rows(db, "SELECT what FROM order_event ORDER BY id")] == ["parked", "funded"]


def test_a_deposit_goes_to_the_oldest_first(db: Database) -> None:
    of = market(db, 9, deposit=100)
    first, second = ordered(db, of, 1), ordered(db, of, 1)
    reserved(db, of, second)
    reserved(db, of, first)
    db.run("UPDATE order_line SET since = now() - interval '1 hour' WHERE order_id = %s", [first])
    top_up(db, of, 1_000)
    resumed(db, of)
    assert rows(db, "SELECT order_id FROM order_line WHERE state = 'funded'") == [(first,)]


def test_one_supplier_is_covered_where_the_other_is_too_dear(db: Database) -> None:
    of = market(db, 5, deposit=1_500)
    dear = market(db, 5, cost="90.00")
    order_id = ordered(db, of, 1)
    with db.unit_of_work() as uow:
        line(uow.session, uow.session.get_one(Order, order_id), dear)
    reserved(db, of, order_id)
    assert (states(db), free(db), balances(db, of)) == (["funded", "awaiting_deposit"], [4, 4], (500, 1_000))


def test_without_stock_nothing_is_set_aside_and_it_goes_on_when_some_comes(db: Database) -> None:
    of = market(db, 1, deposit=9_000)
    order_id = ordered(db, of, 2)
    reserved(db, of, order_id)
    assert (states(db), free(db), balances(db, of), set_aside(db)) == (
        ["awaiting_stock"],
        [1],
        (9_000, 0),
        [],
    )
    assert one(db, "SELECT reason FROM order_line") == (
        f"No supplier has 2 × {of.skus[0]} free in EUR: it goes on when one has."
    )
    assert emitted(db) == []
    came = StockMoved(tenant=of.seller, lane="x", offer_id=of.offers[0])
    resume_stock(came, db)
    assert (states(db), one(db, "SELECT count(*) FROM order_event"), emitted(db)) == (
        ["awaiting_stock"],
        1,
        [],
    )
    db.run("UPDATE offer SET free = 3, stock = 3")
    for _ in range(2):
        resume_stock(came, db)
    assert (states(db), free(db), balances(db, of)) == (["funded"], [1], (7_000, 2_000))
    assert emitted(db) == [("StockMoved", of.offers[0]), ("LinesFunded", order_id)]


@pytest.mark.parametrize(
    ("values", "standing"),
    [({"standing": "unpaid"}, "unpaid"), ({"standing": "cancelled"}, "received"), ({"test": True}, "received")],
)  # fmt: skip
def test_what_is_unpaid_cancelled_or_a_test_is_not_covered(
    db: Database, values: dict[str, Any], standing: str
) -> None:
    of = market(db, 5, deposit=9_000)
    order_id = ordered(db, of, 1, **values)
    db.run("UPDATE order_line SET state = %s", [standing])
    reserved(db, of, order_id)
    assert (states(db), free(db), balances(db, of), set_aside(db), emitted(db)) == (
        [standing],
        [5],
        (9_000, 0),
        [],
        [],
    )


def test_a_reservation_alone_ends_after_its_time_and_is_made_anew_with_the_hold(db: Database) -> None:
    of = market(db, 5, deposit=100)
    order_id = ordered(db, of, 2)
    reserved(db, of, order_id)
    with db.unit_of_work() as uow:
        reservations_expire(uow, now() + timedelta(hours=47))
    emitted(db)
    assert free(db) == [3]
    db.run("UPDATE reservation SET expires_at = now() - interval '1 second'")
    with db.unit_of_work() as uow:
        reservations_expire(uow, now())
    assert emitted(db) == [("OrderChanged", order_id)]
    for _ in range(2):
        release(OrderChanged(tenant=of.seller, lane="x", order_id=order_id), db)
        reserve(OrderChanged(tenant=of.seller, lane="x", order_id=order_id), db)
    assert (states(db), free(db), set_aside(db)) == (["awaiting_deposit"], [5], [(of.offers[0], 0, False)])
    assert emitted(db) == [("StockMoved", of.offers[0])]
    with db.unit_of_work() as uow:
        reservations_expire(uow, now() + timedelta(days=9))
    assert emitted(db) == []
    top_up(db, of, 1_900)
    resumed(db, of)
    assert (states(db), free(db), balances(db, of)) == (["funded"], [3], (0, 2_000))


def test_a_reservation_follows_a_buyer_who_wants_another_number(db: Database) -> None:
    of = market(db, 5, deposit=100)
    order_id = ordered(db, of, 2)
    reserved(db, of, order_id)
    db.run("UPDATE order_line SET wanted = 4, ordered = 4")
    reserved(db, of, order_id)
    assert (free(db), set_aside(db)) == ([1], [(of.offers[0], 4, True)])


def test_more_pieces_wanted_after_the_cover_are_told_once_and_not_bought(db: Database) -> None:
    of = market(db, 9, deposit=9_000)
    order_id = ordered(db, of, 2)
    reserved(db, of, order_id)
    emitted(db)
    db.run("UPDATE order_line SET wanted = 5, ordered = 5")
    reserved(db, of, order_id)
    assert (lines_of(db), free(db), emitted(db)) == ([("funded", 5, 5, 2, 0, 0)], [7], [])
    assert rows(db, "SELECT text FROM order_event WHERE what = 'beyond'") == [
        (f"The buyer wants 3 × {of.skus[0]} more than were covered: let him order them anew.",)
    ]


def test_a_supplier_who_rejected_a_line_is_not_asked_for_it_again(db: Database) -> None:
    of = market(db, 5, 5, deposit=9_000)
    db.run("UPDATE offer SET variant_id = %s, cost = 12 WHERE id = %s", [of.variants[0], of.offers[1]])
    with db.unit_of_work() as uow:
        other = make.company(uow.session)
        uow.session.get_one(Offer, of.offers[1]).supplier_id = other.id
    order_id = ordered(db, of, 1)
    with db.unit_of_work() as uow:
        refusal = PurchaseOrder(
            order_id=order_id, supplier_id=of.supplier, reference="EP-1", state="rejected", shipping_minor=0, currency="EUR"
        )  # fmt: skip
        uow.session.add(refusal)
        uow.session.flush()
        line_id = one(db, "SELECT id FROM order_line")
        uow.session.add(
            PurchaseOrderLine(
                purchase_order_id=refusal.id, line_id=line_id, supplier_sku="A", quantity=1, unit_cost=10
            )
        )
    reserved(db, of, order_id)
    assert rows(db, "SELECT offer_id, state, unit_cost::int FROM order_line") == [
        (of.offers[1], "funded", 12)
    ]
    assert free(db) == [5, 4]


def test_of_two_orders_racing_for_the_last_one_exactly_one_is_funded(db: Database) -> None:
    of = market(db, 1, deposit=9_000)
    orders = [ordered(db, of, 1) for _ in range(2)]
    gate = threading.Barrier(2)

    def race(order_id: int) -> None:
        gate.wait(timeout=10)
        reserve(OrderChanged(tenant=of.seller, lane="x", order_id=order_id), db)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(race, orders))
    assert sorted(states(db)) == ["awaiting_stock", "funded"]
    assert (free(db), balances(db, of)) == ([0], (8_000, 1_000))


def test_200_buyers_for_20_units_of_two_shops_make_exactly_20_funded(db: Database) -> None:
    of = market(db, 20, deposit=1_000_000)
    shops = (of, another_shop(db, of, deposit=1_000_000))
    orders = [ordered(db, shops[n % 2], 1) for n in range(200)]
    db.run("DELETE FROM message")

    def buy(order_id: int) -> None:
        reserve(OrderChanged(tenant=of.seller, lane="x", order_id=order_id), db)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(buy, orders))
    assert dict(rows(db, "SELECT state, count(*) FROM order_line GROUP BY 1")) == {
        "funded": 20,
        "awaiting_stock": 180,
    }
    assert free(db) == [0]
    assert sum(balances(db, shop)[1] for shop in shops) == 20_000
    assert [sum(balances(db, shop)) for shop in shops] == [1_000_000, 1_000_000]
    assert one(db, "SELECT sum(quantity) FROM reservation") == 20
    assert one(db, "SELECT count(*) FROM hold") == 20


def test_two_resumes_at_once_cover_each_line_once(db: Database) -> None:
    of = market(db, 99, deposit=100)
    for _ in range(12):
        reserved(db, of, ordered(db, of, 1))
    top_up(db, of, 6_900)  # for seven of twelve
    gate = threading.Barrier(4)

    def go_on(_: int) -> None:
        gate.wait(timeout=10)
        resume(DepositCredited(tenant=of.seller, lane="x", seller_id=of.seller), db)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(go_on, range(4)))
    assert dict(rows(db, "SELECT state, count(*) FROM order_line GROUP BY 1")) == {
        "funded": 7,
        "awaiting_deposit": 5,
    }
    assert (free(db), balances(db, of)) == ([87], (0, 7_000))
    assert one(db, "SELECT count(*) FROM hold") == 7


def test_what_fails_in_the_middle_leaves_neither_stock_nor_hold(db: Database) -> None:
    of = market(db, 5, deposit=9_000)
    order_id = ordered(db, of, 1)
    with pytest.raises(RuntimeError, match="the machine stops"), db.unit_of_work() as uow:
        cover(uow, order_id, Settings())
        raise RuntimeError("the machine stops")
    assert (states(db), free(db), balances(db, of), set_aside(db), emitted(db)) == (
        ["received"],
        [5],
        (9_000, 0),
        [],
        [],
    )


def test_the_choice_is_the_cheapest_that_has_all_then_the_oldest() -> None:
    def offer(id: int, free: int, cost: int, variant: int = 1, supplier: int = 1) -> Candidate:
        return Candidate(id, variant, supplier, free, cost)  # type: ignore[arg-type]

    offers = [offer(1, 9, 7), offer(2, 3, 5), offer(3, 9, 5, supplier=2), offer(4, 99, 1, variant=2)]
    picked = choose([Ask(10, 1, 2), Ask(11, 1, 2), Ask(12, 1, 9), Ask(13, 1, 10), Ask(14, 3, 1)], offers)
    assert {line: each.offer_id for line, each in picked.items()} == {10: 2, 11: 3, 12: 1}
    kept = choose([Ask(10, 1, 99, reserved_offer=1), Ask(11, 1, 9)], offers)
    assert {line: each.offer_id for line, each in kept.items()} == {10: 1, 11: 3}
    assert choose([Ask(10, 1, 1, reserved_offer=77)], offers) == {}
    assert choose([Ask(10, 1, 1, refused_by=frozenset({1}))], offers)[10].offer_id == 3


def test_when_some_stock_comes_the_oldest_waiting_line_gets_it_and_a_new_list_wakes_them_too(
    db: Database,
) -> None:
    of = market(db, 0, deposit=9_000)
    orders = [ordered(db, of, 1) for _ in range(3)]
    for order_id in reversed(orders):
        reserved(db, of, order_id)
    db.run("UPDATE order_line SET since = now() - make_interval(hours => 9 - order_id)")
    db.run("UPDATE offer SET free = 2, stock = 2")
    merged = ProductsMerged(
        tenant=of.supplier, lane="feed:1", run_id=one(db, "SELECT feed_run_id FROM offer")
    )
    for _ in range(2):
        resume_stock(merged, db)
    assert rows(db, "SELECT order_id FROM order_line WHERE state = 'funded' ORDER BY 1") == [
        (orders[0],),
        (orders[1],),
    ]
    assert (states(db).count("awaiting_stock"), free(db)) == (1, [0])
