"""What plans, people and other shops do while a shop is being asked: nothing that they decided gets lost behind its answer."""

# ruff: noqa: F811 - fixtures are asked for by their names

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from core.database import Database
from models.events import OrdersSwept, PushUndoDue
from pipelines.connecting import DISCONNECTED, disconnect
from pipelines.listings.settle import settle
from pipelines.listings.undo import undo
from pipelines.making import let_push
from pipelines.opening import connect
from sandbox.woocommerce.shop import Shop
from tests.pushing import db, held, open_shop, sandbox, states  # noqa: F401 - fixtures
from tests.staged import stage
from tests.stepping import one, pending, rows, run_all, run_message

LAMPS: list[dict[str, Any]] = [
    {"supplier_sku": f"L{number}", "title": f"Lampe {number}"} for number in range(6)
]


@pytest.fixture
def shop_id(db: Database, sandbox: Shop) -> int:
    """A live shop that holds six lamps at 15.00, five of each."""
    opened = open_shop(db, sandbox, *LAMPS)
    run_all(db)
    assert states(db) == {"live": 6}
    return opened


class Meanwhile:
    """A connector behind whose first answer to `call` something else happens before the hub stores it."""

    def __init__(self, real: Any, call: str, happens: Callable[[], None]) -> None:
        self._real, self._call, self._happens = real, call, happens

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._real, name)
        if name != self._call:
            return asked

        def answered(*given: Any) -> Iterator[Any]:
            answers = list(asked(*given))
            self._happens()
            yield from answers

        return answered


def meanwhile(monkeypatch: pytest.MonkeyPatch, call: str, happens: Callable[[], None]) -> None:
    """Once."""
    left = [happens]

    def once() -> None:
        if left:
            left.pop()()

    def opened(*given: Any, **more: Any) -> Meanwhile:
        return Meanwhile(connect(*given, **more), call, once)

    monkeypatch.setattr("pipelines.listings.push.connect", opened)


def planned(db: Database, shop_id: int, *offers: dict[str, Any]) -> None:
    """The supplier's list in the catalogue and the shop planned, with all pushes left for later."""
    before = {message["id"] for message in pending(db)}
    stage(db, 1, *offers)
    while todo := [m for m in pending(db) if m["id"] not in before and m["step"] != "listings.push.push"]:
        run_message(db, todo[0])


def test_what_is_wanted_again_while_it_is_taken_out_of_sale_comes_back(
    db: Database, sandbox: Shop, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(db, shop_id, *LAMPS[:5])
    meanwhile(monkeypatch, "withdraw", lambda: planned(db, shop_id, *LAMPS))
    run_all(db)
    assert held(sandbox)["NORDEN-L5"] == ("15.00", 5, "publish")
    assert states(db) == {"live": 6}


def test_a_refusal_of_what_is_no_longer_wanted_keeps_nothing_new_back(
    db: Database, sandbox: Shop, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(db, shop_id, {**LAMPS[0], "cost": "11.00"}, *LAMPS[1:])
    sandbox.faults.add("status", times=None, method="POST", path="/products/batch", status=400)

    def mended() -> None:
        sandbox.faults.clear()
        planned(db, shop_id, {**LAMPS[0], "cost": "12.00"}, *LAMPS[1:])

    meanwhile(monkeypatch, "push", mended)
    run_all(db)
    assert held(sandbox)["NORDEN-L0"][0] == "18.00"
    assert states(db) == {"live": 6}


def test_a_push_that_a_person_lets_go_while_stock_is_sent_follows(
    db: Database, sandbox: Shop, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(db, shop_id, {**LAMPS[0], "cost": "5.00"}, {**LAMPS[1], "stock": 2}, *LAMPS[2:])
    assert rows(db, "SELECT state, plan->>'only' FROM push ORDER BY id DESC LIMIT 2") == [
        ("running", "stock"), ("waiting", None),
    ]  # fmt: skip

    def person() -> None:
        with db.unit_of_work() as uow:
            let_push(uow, shop_id)

    meanwhile(monkeypatch, "set_stock", person)
    run_all(db)
    assert held(sandbox)["NORDEN-L0"][0] == "7.50"
    assert held(sandbox)["NORDEN-L1"][1] == 2


def test_a_shop_that_is_disconnected_while_it_is_sent_to_stays_so(
    db: Database, sandbox: Shop, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(db, shop_id, {**LAMPS[0], "stock": 3}, *LAMPS[1:])

    def person() -> None:
        with db.unit_of_work() as uow:
            disconnect(uow, shop_id)

    meanwhile(monkeypatch, "set_stock", person)
    run_message(db, pending(db)[0])
    assert rows(db, "SELECT problem, live_since FROM shop") == [(DISCONNECTED, None)]
    assert pending(db) == []
    assert held(sandbox)["NORDEN-L0"][1] == 3


def test_a_page_that_is_its_owners_is_not_hidden_and_sells_again(
    db: Database, sandbox: Shop, shop_id: int
) -> None:
    db.run(
        "UPDATE shop_product p SET trade_only = true FROM listing l JOIN variant v ON v.id = l.variant_id"
        " WHERE l.product_id = p.product_id AND v.sku = 'NORDEN-L5'"
    )
    stage(db, 1, *LAMPS[:5])
    run_all(db)
    assert (held(sandbox)["NORDEN-L5"], states(db)) == (("15.00", 0, "publish"), {"live": 5, "withdrawn": 1})
    stage(db, 1, *LAMPS)
    run_all(db)
    assert (held(sandbox)["NORDEN-L5"], states(db)) == (("15.00", 5, "publish"), {"live": 6})


@pytest.mark.parametrize("step", ["settle", "undo"])
def test_nobody_holds_listings_while_he_waits_for_an_offer(
    db: Database, database_url: str, sandbox: Shop, shop_id: int, step: str
) -> None:
    planned(db, shop_id, {**LAMPS[0], "cost": "11.00"}, *LAMPS[1:])
    run_all(db)
    number = one(db, "SELECT push_id FROM push_change ORDER BY push_id DESC LIMIT 1")
    db.run("UPDATE listing SET lowered_from = 9, sent_at = now() - interval '1 hour'")
    db.run("UPDATE shop SET swept_at = now()")
    events = {
        "settle": lambda: settle(OrdersSwept(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id), db),
        "undo": lambda: undo(PushUndoDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, push_id=number), db),
    }  # fmt: skip
    listing = one(
        db,
        "SELECT l.id FROM listing l JOIN offer o ON o.variant_id = l.variant_id WHERE o.supplier_sku = 'L0'",
    )
    with psycopg.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT FROM offer WHERE supplier_sku = 'L0' FOR NO KEY UPDATE")
        worked = pool.submit(events[step])
        until_blocked(other)
        free = "SELECT id FROM listing WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"
        assert other.execute(free, [listing]).fetchall() == [(listing,)]
        assert not worked.done(), "it waits for the offer"
        other.commit()
        worked.result(timeout=30)


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
