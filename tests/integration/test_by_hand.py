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


def offers(db: Database) -> list[tuple[int, str, str]]:
    """Each offer with its variant's SKU and the reason."""
    return rows(
        db,
        "SELECT o.id, v.sku, o.match_reason FROM offer o JOIN variant v ON v.id = o.variant_id ORDER BY o.id",
    )


def best(db: Database) -> dict[str, tuple[int | None, str]]:
    return {
        sku: (offer, title) for sku, offer, title in rows(db, "SELECT sku, best_offer_id, title FROM variant")
    }


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
    assert offers(db) == [(1, "NORDEN-A", "gtin"), (2, "NORDEN-A", "gtin")]
    assert best(db) == {"NORDEN-A": (2, "Schraube")}
    with db.unit_of_work() as uow:
        moved = split(uow, 2, "operator")
    assert (moved.before, moved.after) == (1, 2)
    assert "catalogue.by_hand.rejoin" in run_all(db, twice=True)
    assert offers(db) == [(1, "NORDEN-A", "gtin"), (2, "NORDEN-A-2", "by_hand")]
    assert best(db) == {"NORDEN-A": (1, "Lampe Oslo"), "NORDEN-A-2": (2, "Schraube")}
    assert rows(db, "SELECT id, title FROM product ORDER BY id") == [(1, "Lampe Oslo"), (2, "Schraube")]
    stage(db, shared[1], {"supplier_sku": "V", "title": "Schraube M4", "cost": "1.10", **GTIN})
    run_all(db)
    assert offers(db)[1] == (2, "NORDEN-A-2", "by_hand")
    assert best(db)["NORDEN-A-2"] == (2, "Schraube M4")
    assert rows(db, "SELECT actor, act, subject, facts FROM audit_record") == [
        ("operator", "offer moved", "offer:2", {"from": 1, "to": 2, "reason": "gtin"})
    ]


def test_an_offer_joined_to_another_variant_leaves_its_old_one_without_an_offer(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    shop = shop_of(db, supplier={"supplier": 2})
    stage(db, feed, {"supplier_sku": "A", "cost": "12.00"}, {"supplier_sku": "B", "cost": "9.00"})
    run_all(db)
    live = "SELECT v.sku, l.wanted->>'price' FROM listing l JOIN variant v ON v.id = l.variant_id WHERE l.wanted IS NOT NULL AND shop_id = %s ORDER BY 1"
    assert rows(db, live, shop) == [("NORDEN-A", "18.00"), ("NORDEN-B", "13.50")]
    with db.unit_of_work() as uow:
        move(uow, 2, 1, "operator")
    run_all(db)
    assert offers(db) == [(1, "NORDEN-A", "supplier_sku"), (2, "NORDEN-A", "by_hand")]
    assert best(db) == {"NORDEN-A": (2, "Lampe"), "NORDEN-B": (None, "Lampe")}
    assert rows(db, live, shop) == [("NORDEN-A", "13.50")]
    with db.unit_of_work() as uow:
        move(uow, 2, 1, "operator")  # said before: nothing to write down
    assert run_all(db) == []
    assert one(db, "SELECT count(*) FROM audit_record") == 1
    with db.unit_of_work() as uow:
        assert split(uow, 2, "operator").after == 3
    run_all(db)
    with db.unit_of_work() as uow:
        move(uow, 2, 1, "operator")
    run_all(db)
    with db.unit_of_work() as uow:
        assert split(uow, 2, "operator").after == 3, "its own variant waited for it"


def test_a_split_variant_of_a_group_stays_in_its_product(db: Database) -> None:
    group = {"group_key": "G", "group_title": "Lampen"}
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A", **group, **GTIN}, {"supplier_sku": "B", **group})
    run_all(db)
    stage(db, supplier(db, "VELO"), {"supplier_sku": "V", **GTIN})
    run_all(db)
    with db.unit_of_work() as uow:
        split(uow, 1, "operator")
    run_all(db)
    assert rows(db, "SELECT sku, product_id FROM variant ORDER BY id") == [
        ("NORDEN-A", 1), ("NORDEN-B", 1), ("NORDEN-A-1", 1),
    ]  # fmt: skip
    assert rejoin  # the step that did it


def test_what_cannot_be_moved_says_why(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A"})
    run_all(db)
    for wrong, words in (
        (lambda uow: split(uow, 1, "x"), "shares its variant NORDEN-A with no other"),
        (lambda uow: split(uow, 9, "x"), "Offer 9 is not there"),
        (lambda uow: move(uow, 1, 9, "x"), "Variant 9 is not there"),
    ):
        with pytest.raises(Refused, match=words), db.unit_of_work() as uow:
            wrong(uow)
    assert run_all(db) == []
    assert one(db, "SELECT count(*) FROM audit_record") == 0
