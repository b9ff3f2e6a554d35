"""A shop's calls: verified, stored once, answered at once, worked later; and the look whether it still calls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.errors import Refused
from models.events import HooksDue
from pipelines.making import let_push
from pipelines.orders.receive import UNINSTALLED
from pipelines.orders.watch import watch_hooks
from schedules.jobs import hooks_watch, orders_sweep
from tests.console import Console, console
from tests.orders import Market, ToldShop, market, told
from tests.stepping import one, pending, rows, run_all


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ToldShop:
    made = ToldShop()
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PUBLIC_URL", "https://hub.example/")
    monkeypatch.setattr("pipelines.opening.SHOPS", {"woocommerce": made})
    return made


@pytest.fixture
def opened(database_url: str, tmp_path: Path, shop: ToldShop) -> Iterator[Console]:
    with console(database_url, tmp_path, sign_in=False) as made:
        yield made


@pytest.fixture
def db(opened: Console) -> Database:
    return opened.db


def call(opened: Console, shop_id: object, body: str = "1001", delivery: str = "d-1", kind: str = "order", **headers: str) -> Any:  # fmt: skip
    """What a shop sends: no cookie, no form token, no key."""
    sent = {"X-Signature": "right", "X-Kind": kind, "X-Delivery": delivery, **headers}
    return opened.client.post(f"/hooks/{shop_id}", content=body, headers=sent)


def waiting(db: Database) -> list[tuple[str, Any]]:
    return [(message["event"], message["payload"]) for message in pending(db)]


def test_a_call_is_stored_once_answered_at_once_and_worked_later(
    opened: Console, db: Database, shop: ToldShop
) -> None:
    of = market(db, 5, deposit=9_000)
    shop.holds(told(of, 2))
    for delivery in ("d-1", "d-1", "d-2"):
        answer = call(opened, of.shop, delivery=delivery)
        assert (answer.status_code, answer.text) == (200, "")
    assert shop.asked == []  # nobody waits for the shop while the shop waits for us
    assert rows(db, "SELECT shop_id, delivery_id, topic, external_id FROM webhook_delivery ORDER BY id") == [
        (of.shop, "d-1 1001", "order.updated", "1001"),
        (of.shop, "d-2 1001", "order.updated", "1001"),
    ]
    asked = ("OrderNoticed", {"shop_id": of.shop, "external_id": "1001"})
    assert waiting(db) == [asked, asked]
    first = pending(db)[0]
    assert (first["tenant"], first["lane"]) == (of.seller, f"shop:{of.shop}")


def test_two_orders_of_one_second_under_one_delivery_id_are_both_worked(
    opened: Console, db: Database
) -> None:
    of = market(db, 5)
    for order in ("1001", "1002", "1001"):
        assert call(opened, of.shop, body=order).status_code == 200
    assert [payload["external_id"] for _, payload in waiting(db)] == ["1001", "1002"]


def test_a_wrong_signature_and_an_unknown_shop_leave_nothing(opened: Console, db: Database) -> None:
    of = market(db, 5)
    wrong = call(opened, of.shop, **{"X-Signature": "wrong"})
    assert wrong.status_code == 401
    for unknown in (of.shop + 1, 0, -1, 2**31, 2**70):
        there = call(opened, unknown)
        assert (there.status_code, there.text) == (401, wrong.text)
    assert call(opened, "x").status_code == 404
    assert (rows(db, "SELECT * FROM webhook_delivery"), waiting(db)) == ([], [])


def test_a_refusal_that_is_not_about_the_signature_is_not_answered_with_200(
    opened: Console, db: Database, shop: ToldShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = market(db, 5)

    def refuses(headers: object, body: object) -> None:
        raise Refused("The body is no JSON.", rule="invalid")

    monkeypatch.setattr(shop, "read_webhook", refuses)
    assert call(opened, of.shop).status_code == 422
    assert rows(db, "SELECT * FROM webhook_delivery") == []


def test_a_body_beyond_the_limit_is_refused(opened: Console, db: Database) -> None:
    of = market(db, 5)
    assert call(opened, of.shop, body="x" * 1_100_000).status_code == 413
    assert rows(db, "SELECT * FROM webhook_delivery") == []


def test_a_ping_is_answered_and_what_is_of_no_order_wakes_nobody(opened: Console, db: Database) -> None:
    of = market(db, 5)
    assert call(opened, of.shop, kind="ping", body="", delivery="").status_code == 200
    assert rows(db, "SELECT * FROM webhook_delivery") == []
    assert call(opened, of.shop, kind="other").status_code == 200
    assert call(opened, of.shop, kind="order", body="", delivery="d-9").status_code == 200
    assert one(db, "SELECT count(*) FROM webhook_delivery") == 2
    assert waiting(db) == []


def test_an_uninstalled_app_is_said_at_the_shop(opened: Console, db: Database) -> None:
    of = market(db, 5)
    assert call(opened, of.shop, kind="uninstalled").status_code == 200
    assert one(db, "SELECT problem FROM shop WHERE id = %s", of.shop) == UNINSTALLED
    assert waiting(db) == []


def test_webhooks_lost_doubled_and_shuffled_leave_every_order_once(
    opened: Console, db: Database, shop: ToldShop
) -> None:
    of = market(db, 50, deposit=100_000)
    db.run("UPDATE shop SET live_since = '2026-01-01'")
    for number in range(12):
        shop.holds(told(of, 1, external_id=str(number), minutes=number))
    for number in (7, 3, 7, 11, 3, 0, 5):  # the others were lost
        call(opened, of.shop, body=str(number), delivery=f"d-{number}")
    with db.unit_of_work() as uow:
        orders_sweep(uow, this_minute())
    run_only_orders(db)
    assert one(db, "SELECT count(*) FROM shop_order") == 12
    assert rows(db, "SELECT state, count(*), sum(covered) FROM order_line GROUP BY 1") == [("funded", 12, 12)]
    assert one(db, "SELECT free FROM offer") == 38


def run_only_orders(db: Database) -> None:
    """Runs pulls, sweeps, reservations and releases, each twice; what they cause beyond is not of this test."""
    mine = ("orders.pull.", "orders.reserve.", "orders.release.")
    while messages := [message for message in pending(db) if message["step"].startswith(mine)]:
        for message in messages:
            route = next(each for each in db.routes if each.name == message["step"])
            for _ in range(2):
                event = route.event(tenant=message["tenant"], lane=message["lane"], **message["payload"])
                route.step(event, db)
            db.run("DELETE FROM message WHERE id = %s", [message["id"]])


def this_minute() -> Any:
    """A slot of the timetable."""
    return now().replace(second=0, microsecond=0)


def watch(db: Database, of: Market) -> None:
    for _ in range(2):
        watch_hooks(HooksDue(tenant=of.seller, lane=f"shop:{of.shop}", shop_id=of.shop), db)


def test_a_mended_webhook_is_followed_by_a_sweep_and_one_that_stood_is_not(
    db: Database, shop: ToldShop
) -> None:
    of = market(db, 5)
    watch(db, of)
    assert shop.asked == [("subscribe", f"https://hub.example/hooks/{of.shop}")] * 2
    assert waiting(db) == []
    shop.mended = ("order.updated",)
    watch(db, of)
    assert waiting(db) == [("OrdersDue", {"shop_id": of.shop})] * 2


def test_the_timetable_asks_live_shops_and_does_not_pile_up_questions(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    market(db, 5)
    db.run("UPDATE shop SET live_since = NULL WHERE id <> %s", [of.shop])
    for job in (orders_sweep, orders_sweep, hooks_watch):
        with db.unit_of_work() as uow:
            job(uow, this_minute())
    assert waiting(db) == [("OrdersDue", {"shop_id": of.shop}), ("HooksDue", {"shop_id": of.shop})]


def test_the_first_push_of_a_shop_has_its_webhooks_made(db: Database, shop: ToldShop) -> None:
    of = market(db, 5)
    db.run("UPDATE shop SET live_since = NULL")

    for _ in range(2):
        with db.unit_of_work() as uow:
            let_push(uow, of.shop)
    assert [event for event, _ in waiting(db)] == ["HooksDue"]
    assert run_all(db) == ["orders.watch.watch_hooks"]
