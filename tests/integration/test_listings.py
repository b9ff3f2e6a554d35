"""What a shop is planned to hold, when things change behind a listing: refusals mended, choices ended, currencies mixed."""

from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from core.database import Database
from core.errors import Misconfigured
from models.events import ListingsDue, PushDue
from models.shops import Shop
from pipelines.listings.plan import start_push
from pipelines.listings.push import push
from pipelines.routes import ROUTES
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all, run_message

GTIN = {"gtin": "4006381333931", "gtin_verdict": "valid"}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def change(db: Database, statement: str, *values: Any) -> None:
    with db.unit_of_work() as uow:
        uow.cursor().execute(statement, values)


def plan_again(db: Database, shop_id: int) -> None:
    with db.unit_of_work() as uow:
        uow.emit(ListingsDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id))
    run_all(db)


def listings(db: Database) -> list[tuple[str, str, str | None]]:
    """SKU, state and problem of each."""
    query = (
        "SELECT v.sku, l.state, l.problem FROM listing l JOIN variant v ON v.id = variant_id ORDER BY l.id"
    )
    return rows(db, query)


def test_what_a_shop_refused_waits_again_when_its_page_is_mended(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, {"supplier_sku": "A", "title": "Lampe"}, {"supplier_sku": "B"})
    run_all(db)
    shop_of(db, supplier={"supplier": 2})
    run_all(db)
    change(db, "UPDATE listing SET state = 'refused', problem = 'The title will not do.'")
    stage(db, feed, {"supplier_sku": "A", "title": "Lampe Oslo"}, {"supplier_sku": "B"})
    run_all(db)
    assert listings(db) == [
        ("NORDEN-A", "waiting", None),
        ("NORDEN-B", "refused", "The title will not do."),
    ]


def test_what_a_shop_refused_waits_again_when_a_sibling_changes_but_not_for_stock(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    red = {"supplier_sku": "R", "group_key": "S", "options": {"Farbe": "Rot"}}
    blue = {"supplier_sku": "B", "group_key": "S", "options": {"Farbe": "Rot."}}
    stage(db, feed, red, blue)
    run_all(db)
    shop_of(db, supplier={"supplier": 2})
    run_all(db)
    change(db, "UPDATE listing SET state = 'refused', problem = 'Two variants have the same options.'")
    stage(db, feed, red, {**blue, "stock": 4})
    run_all(db)
    assert [state for _, state, _ in listings(db)] == ["refused", "refused"]
    stage(db, feed, red, {**blue, "stock": 4, "options": {"Farbe": "Blau"}})
    run_all(db)
    assert listings(db) == [("NORDEN-R", "waiting", None), ("NORDEN-B", "waiting", None)]


def test_a_blocked_listing_that_nobody_chooses_any_more_says_so(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A", "cost": None})
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    run_all(db)
    assert [state for _, state, _ in listings(db)] == ["blocked"]
    change(db, "DELETE FROM selection")
    plan_again(db, shop_id)
    assert listings(db) == [("NORDEN-A", "withdrawn", "No longer chosen, or no supplier offers it any more.")]


def test_planning_again_and_again_uses_up_no_numbers_and_writes_nothing(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A"}, {"supplier_sku": "B", "cost": None})
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    run_all(db)
    change(db, "UPDATE listing SET problem = 'A picture was left out.' WHERE problem IS NULL")
    before = rows(db, "SELECT id, xmin::text FROM listing ORDER BY id")
    plan_again(db, shop_id)
    assert rows(db, "SELECT id, xmin::text FROM listing ORDER BY id") == before
    assert one(db, "SELECT last_value FROM listing_id_seq") == 2


def test_an_offer_in_another_currency_does_not_hide_one_in_the_shops_own(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A", "cost": "10", "stock": 3, **GTIN})
    stage(db, supplier(db, "SUEDEN"), {"supplier_sku": "Z", "cost": "8", "currency": "USD", **GTIN})
    run_all(db)
    shop_of(db, margin="50", supplier={"supplier": 2})
    run_all(db)
    assert rows(db, "SELECT state, wanted->>'price', wanted->'stock', why->>'currency' FROM listing") == [
        ("waiting", "15.00", 3, "EUR")
    ]


def test_a_replayed_push_leaves_the_shop_to_the_one_that_runs_and_holds_it_where_none_does(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A"})
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    run_all(db)

    def start() -> int:
        with db.unit_of_work() as uow:
            started = start_push(uow, uow.session.get_one(Shop, shop_id), asked_by="operator", limit=False)
            assert started is not None
            return started.id

    first = start()
    (lost,) = pending(db)
    change(db, "DELETE FROM message")
    second = start()
    replayed = PushDue(tenant=3, lane=f"shop:{shop_id}", shop_id=shop_id, push_id=first)
    push(replayed, db)
    assert rows(db, "SELECT id, state FROM push ORDER BY id") == [(first, "done"), (second, "running")]
    assert lost["payload"]["push_id"] == first
    change(db, "UPDATE push SET state = 'done'")
    seen: list[Any] = []

    def refuse(*_: object, **__: object) -> NoReturn:
        seen.append(one(db, "SELECT state FROM push WHERE id = %s", first))
        raise Misconfigured("No key.")

    monkeypatch.setattr("pipelines.listings.push.connect", refuse)
    with pytest.raises(Misconfigured):
        push(replayed, db)
    assert seen == ["running"], "else another push of the same shop could start beside it"


def test_a_plan_after_a_run_looks_at_what_the_run_changed_and_leaves_the_rest(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, {"supplier_sku": "A", "cost": "10"}, {"supplier_sku": "B", "cost": "10"})
    run_all(db)
    shop_of(db, margin="50", supplier={"supplier": 2})
    run_all(db)
    change(db, "UPDATE offer SET cost = 20")  # nobody tells: a plan of everything would see it
    run_id = stage(
        db,
        feed,
        {"supplier_sku": "A", "cost": "30"},
        {"supplier_sku": "B", "cost": "10"},
        {"supplier_sku": "C"},
    )
    change(db, "UPDATE offer SET content_hash = s.content_hash FROM staged_offer s WHERE s.run_id = %s AND s.supplier_sku = 'B' AND offer.supplier_sku = 'B'", run_id)  # fmt: skip
    planned = []
    while messages := pending(db):
        planned += [each["payload"] for each in messages[:1] if each["event"] == "ListingsDue"]
        run_message(db, messages[0])
    assert planned == [{"shop_id": 1, "run_id": run_id}]
    prices = (
        "SELECT v.sku, l.wanted->>'price' FROM listing l JOIN variant v ON v.id = l.variant_id ORDER BY 1"
    )
    assert rows(db, prices) == [("NORDEN-A", "45.00"), ("NORDEN-B", "15.00"), ("NORDEN-C", "15.00")]
    plan_again(db, 1)
    assert rows(db, prices)[1] == ("NORDEN-B", "30.00")


def test_an_offer_that_is_gone_is_unchosen_by_its_run_alone(db: Database) -> None:
    feed = supplier(db, "NORDEN", absence="withdraw", min_offers_percent=0, max_zero_stock_percent=100)
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db)
    shop_of(db, supplier={"supplier": 2})
    run_all(db)
    stage(db, feed, {"supplier_sku": "A"})
    run_all(db)
    assert [(sku, state) for sku, state, _ in listings(db)] == [
        ("NORDEN-A", "waiting"),
        ("NORDEN-B", "withdrawn"),
    ]


def test_a_run_rings_no_shop_that_it_cannot_concern(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db)
    for skus in (["NORDEN-A"], ["NORDEN-B"]):
        shop_of(db, list={"skus": skus})
    run_all(db)
    run_id = stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B", "cost": "12"})
    ringing = []
    while messages := pending(db):
        ringing += [each["payload"] for each in messages[:1] if each["event"] == "ListingsDue"]
        run_message(db, messages[0])
    assert ringing == [{"shop_id": 2, "run_id": run_id}]
