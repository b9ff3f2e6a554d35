"""Feeds that tell part of the facts: differences only, stock alone, prices alone, and a stock feed beside a content feed."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.database import Database
from models.suppliers import Feed, FeedRun
from pipelines.feeds.plan import approve
from pipelines.routes import ROUTES
from tests.staged import stage, supplier
from tests.stepping import one, rows, run_all

BARE: dict[str, Any] = {
    "title": None,
    "brand": None,
    "category": None,
    "cost": None,
    "currency": None,
    "weight_g": None,
}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def beside(db: Database, first: int, **policy: Any) -> int:
    """Another feed of the same supplier; its id."""
    with db.unit_of_work() as uow:
        owner = uow.session.get_one(Feed, first).supplier_id
        feed = Feed(supplier_id=owner, name="second", source={"kind": "upload"}, policy=policy)
        uow.session.add(feed)
        uow.session.flush()
        return feed.id


def applied(db: Database, feed: int, *offers: dict[str, Any]) -> dict[str, Any]:
    """A run of these offers goes into the catalogue; its plan."""
    run = stage(db, feed, *offers)
    run_all(db)
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "applied"
    plan: dict[str, Any] = one(db, "SELECT plan FROM feed_run WHERE id = %s", run)
    return plan


def told(plan: dict[str, Any]) -> dict[str, int]:
    return {name: plan[name] for name in ("new", "changed", "unchanged", "unknown", "gone")}


def test_a_file_of_differences_says_nothing_of_what_is_not_in_it(db: Database) -> None:
    feed = supplier(db, "NORDEN", mode="delta", absence="withdraw")
    applied(db, feed, *({"supplier_sku": f"A{number}"} for number in range(20)))
    plan = applied(db, feed, {"supplier_sku": "A1", "stock": 2}, {"supplier_sku": "B"})
    assert told(plan) == {"new": 1, "changed": 1, "unchanged": 0, "unknown": 0, "gone": 0}
    assert one(db, "SELECT count(*) FROM offer WHERE state = 'offered' AND free = 5") == 20
    assert one(db, "SELECT free FROM offer WHERE supplier_sku = 'A1'") == 2


def test_a_stock_file_moves_stock_and_makes_nothing(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    applied(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"}, {"supplier_sku": "C"})
    content = rows(
        db, "SELECT supplier_sku, title, cost, content_hash, feed_run_id, locator FROM offer ORDER BY 1"
    )
    with db.unit_of_work() as uow:
        uow.session.get_one(Feed, feed).policy = {"mode": "stock-only"}
    plan = applied(
        db, feed,
        {**BARE, "supplier_sku": "A", "stock": 9, "availability": None}, {**BARE, "supplier_sku": "B", "stock": 5, "availability": "in_stock"},
        {**BARE, "supplier_sku": "X", "stock": 1},
    )  # fmt: skip
    assert told(plan) == {"new": 0, "changed": 1, "unchanged": 1, "unknown": 1, "gone": 0}
    assert plan["fields"] == {"stock": 1, "availability": 1}
    assert plan["asks"] == []
    assert rows(db, "SELECT supplier_sku, stock, free, availability FROM offer ORDER BY 1") == [
        ("A", 9, 9, None), ("B", 5, 5, "in_stock"), ("C", 5, 5, "in_stock"),
    ]  # fmt: skip
    assert (
        rows(db, "SELECT supplier_sku, title, cost, content_hash, feed_run_id, locator FROM offer ORDER BY 1")
        == content
    )
    assert rows(db, "SELECT supplier_sku, kind, fields FROM offer_change") == [
        ("A", "changed", {"stock": [5, 9], "availability": ["in_stock", None]})
    ]
    assert one(db, "SELECT count(*) FROM variant") == 3
    assert one(db, "SELECT applied_fingerprint FROM feed") is None, (
        "the number it did not know may be there tomorrow"
    )


def test_a_price_file_moves_prices_and_leaves_the_shelf_alone(db: Database) -> None:
    feed = supplier(db, "NORDEN", max_price_changes_percent=100)
    applied(
        db, feed, {"supplier_sku": "A", "details": {"origin": "DE", "tax_rate": "19"}}, {"supplier_sku": "B"}
    )
    prices = beside(db, feed, mode="price-only", of_feed=feed)
    plan = applied(
        db, prices,
        {**BARE, "supplier_sku": "A", "cost": "12.50", "stock": None, "availability": None, "details": {"tax_rate": "7", "source_url": "x"}},
        {**BARE, "supplier_sku": "B", "cost": None, "rrp": "30", "stock": None, "availability": None},
    )  # fmt: skip
    assert told(plan) == {"new": 0, "changed": 2, "unchanged": 0, "unknown": 0, "gone": 0}
    assert rows(db, "SELECT supplier_sku, cost::text, rrp::text, currency, stock, free, details FROM offer ORDER BY 1") == [
        ("A", "12.500000", None, "EUR", 5, 5, {"origin": "DE", "tax_rate": "7"}),
        ("B", "10.000000", "30.000000", "EUR", 5, 5, None),
    ]  # fmt: skip
    assert one(db, "SELECT count(*) FROM offer WHERE feed_id <> %s", feed) == 0


def test_a_content_file_leaves_the_stock_to_the_stock_feed(db: Database) -> None:
    content = supplier(db, "NORDEN", absence="withdraw")
    stock = beside(db, content, mode="stock-only", of_feed=content)
    bare = {"stock": None, "availability": None}
    applied(db, content, {"supplier_sku": "A", **bare}, {"supplier_sku": "B", **bare})
    assert one(db, "SELECT sum(free) FROM offer") == 0
    applied(db, stock, {**BARE, "supplier_sku": "A", "stock": 8}, {**BARE, "supplier_sku": "B", "stock": 3})
    plan = applied(db, content, {"supplier_sku": "A", "title": "Lampe neu", **bare})
    assert (plan["changed"], plan["fields"], plan["to_zero"], plan["gone"]) == (1, {"title": 1}, 0, 1)
    assert rows(db, "SELECT supplier_sku, title, state, stock, free FROM offer ORDER BY 1") == [
        ("A", "Lampe neu", "offered", 8, 8), ("B", "Lampe", "gone", 3, 0),
    ]  # fmt: skip
    applied(db, content, {"supplier_sku": "A", "title": "Lampe neu", **bare}, {"supplier_sku": "B", **bare})
    assert rows(db, "SELECT supplier_sku, state, free FROM offer ORDER BY 1") == [
        ("A", "offered", 8),
        ("B", "offered", 3),
    ]


def test_an_emptying_stock_file_waits_for_a_person(db: Database) -> None:
    content = supplier(db, "NORDEN")
    applied(db, content, *({"supplier_sku": f"A{number}"} for number in range(12)))
    stock = beside(db, content, mode="stock-only", of_feed=content)
    run = stage(db, stock, *({**BARE, "supplier_sku": f"A{number}", "stock": 0} for number in range(7)))
    run_all(db)
    assert one(db, "SELECT plan->'limits' FROM feed_run WHERE id = %s", run) == [
        "7 of 12 offers in stock would have none: more than 50 %."
    ]
    assert one(db, "SELECT sum(free) FROM offer") == 60
    with db.unit_of_work() as uow:
        approve(uow, uow.session.get_one(FeedRun, run), uow.session.get_one(Feed, stock))
    run_all(db)
    assert one(db, "SELECT sum(free) FROM offer") == 25
