"""Split and join by hand: an offer changes its variant, shops follow, and no later file undoes what a person said."""

from collections.abc import Iterator

import pytest

from core.database import Database
from core.errors import Refused
from pipelines.catalogue.by_hand import move, rejoin, split
from pipelines.routes import ROUTES
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, rows, run_all

GTIN = {"gtin": "4006381333931", "gtin_verdict": "valid"}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def offers(db: Database) -> dict[str, tuple[str, str]]:
    """supplier's number -> its variant's SKU and the reason."""
    query = "SELECT o.supplier_sku, v.sku, o.match_reason FROM offer o JOIN variant v ON v.id = o.variant_id"
    return {number: (sku, reason) for number, sku, reason in rows(db, query)}


def best(db: Database) -> dict[str, tuple[str | None, str]]:
    """SKU -> the supplier's number of the best offer, and the title."""
    query = "SELECT v.sku, o.supplier_sku, v.title FROM variant v LEFT JOIN offer o ON o.id = v.best_offer_id"
    return {sku: (offer, title) for sku, offer, title in rows(db, query)}


def offer(db: Database, number: str) -> int:
    return int(one(db, "SELECT id FROM offer WHERE supplier_sku = %s", number))


def variant(db: Database, sku: str) -> int:
    return int(one(db, "SELECT id FROM variant WHERE sku = %s", sku))


@pytest.fixture
def shared(db: Database) -> tuple[int, int]:
    """Two suppliers' offers with one GTIN, the second's cheaper; the feeds' ids."""
    first, second = supplier(db, "NORDEN"), supplier(db, "VELO")
    stage(db, first, {"supplier_sku": "A", "title": "Lampe Oslo", **GTIN})
    run_all(db)
    stage(db, second, {"supplier_sku": "V", "title": "Schraube", "cost": "1.00", **GTIN})
    run_all(db)
    return first, second


def test_a_split_offer_has_a_variant_and_product_of_its_own_and_a_later_file_leaves_it(
    db: Database, shared: tuple[int, int]
) -> None:
    assert offers(db) == {"A": ("NORDEN-A", "gtin"), "V": ("NORDEN-A", "gtin")}
    assert best(db) == {"NORDEN-A": ("V", "Schraube")}
    number, before = offer(db, "V"), variant(db, "NORDEN-A")
    with db.unit_of_work() as uow:
        moved = split(uow, number, "operator")
    own = f"NORDEN-A-{number}"
    assert (moved.before, moved.after) == (before, variant(db, own))
    assert "catalogue.by_hand.rejoin" in run_all(db, twice=True)
    assert offers(db) == {"A": ("NORDEN-A", "gtin"), "V": (own, "by_hand")}
    assert best(db) == {"NORDEN-A": ("A", "Lampe Oslo"), own: ("V", "Schraube")}
    assert rows(db, "SELECT title FROM product ORDER BY 1") == [("Lampe Oslo",), ("Schraube",)]
    stage(db, shared[1], {"supplier_sku": "V", "title": "Schraube M4", "cost": "1.10", **GTIN})
    run_all(db)
    assert offers(db)["V"] == (own, "by_hand")
    assert best(db)[own] == ("V", "Schraube M4")
    assert rows(db, "SELECT actor, act, subject, facts FROM audit_record") == [
        ("operator", "offer moved", f"offer:{number}", {"from": before, "to": moved.after, "reason": "gtin"})
    ]


def test_an_offer_joined_to_another_variant_leaves_its_old_one_without_an_offer(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    shop = shop_of(db, supplier={"supplier": 2})
    stage(db, feed, {"supplier_sku": "A", "cost": "12.00"}, {"supplier_sku": "B", "cost": "9.00"})
    run_all(db)
    live = "SELECT v.sku, l.wanted->>'price' FROM listing l JOIN variant v ON v.id = l.variant_id WHERE l.wanted IS NOT NULL AND shop_id = %s ORDER BY 1"
    assert rows(db, live, shop) == [("NORDEN-A", "18.00"), ("NORDEN-B", "13.50")]
    moving, to = offer(db, "B"), variant(db, "NORDEN-A")
    with db.unit_of_work() as uow:
        move(uow, moving, to, "operator")
    run_all(db)
    assert offers(db) == {"A": ("NORDEN-A", "supplier_sku"), "B": ("NORDEN-A", "by_hand")}
    assert best(db) == {"NORDEN-A": ("B", "Lampe"), "NORDEN-B": (None, "Lampe")}
    assert rows(db, live, shop) == [("NORDEN-A", "13.50")]
    with db.unit_of_work() as uow:
        move(uow, moving, to, "operator")  # said before: nothing to write down
    assert run_all(db) == []
    assert one(db, "SELECT count(*) FROM audit_record") == 1
    with db.unit_of_work() as uow:
        own = split(uow, moving, "operator").after
    run_all(db)
    with db.unit_of_work() as uow:
        move(uow, moving, to, "operator")
    run_all(db)
    with db.unit_of_work() as uow:
        assert split(uow, moving, "operator").after == own, "its own variant waited for it"


def test_a_split_variant_of_a_group_stays_in_its_product(db: Database) -> None:
    group = {"group_key": "G", "group_title": "Lampen"}
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A", **group, **GTIN}, {"supplier_sku": "B", **group})
    run_all(db)
    stage(db, supplier(db, "VELO"), {"supplier_sku": "V", **GTIN})
    run_all(db)
    number = offer(db, "A")
    with db.unit_of_work() as uow:
        split(uow, number, "operator")
    run_all(db)
    assert rows(db, "SELECT array_agg(sku ORDER BY sku) FROM variant GROUP BY product_id") == [
        (["NORDEN-A", f"NORDEN-A-{number}", "NORDEN-B"],)
    ]
    assert rejoin  # the step that did it


def test_what_cannot_be_moved_says_why(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A"})
    run_all(db)
    number = offer(db, "A")
    for wrong, words in (
        (lambda uow: split(uow, number, "x"), "shares its variant NORDEN-A with no other"),
        (lambda uow: split(uow, 99, "x"), "Offer 99 is not there"),
        (lambda uow: move(uow, number, 99, "x"), "Variant 99 is not there"),
    ):
        with pytest.raises(Refused, match=words), db.unit_of_work() as uow:
            wrong(uow)
    assert run_all(db) == []
    assert one(db, "SELECT count(*) FROM audit_record") == 0
