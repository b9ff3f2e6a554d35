"""Runs that go into the catalogue in several pieces: right at every seam, on a second run, and when something comes between."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.database import Database
from pipelines.catalogue import apply as applying
from pipelines.catalogue import begin as beginning
from pipelines.routes import ROUTES
from tests.staged import stage, supplier
from tests.stepping import one, pending, rows, run_all, run_message

GTIN = {"gtin": "4006381333931", "gtin_verdict": "valid"}


@pytest.fixture
def db(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(applying, "PIECE", 2)
    monkeypatch.setattr(beginning, "WORTH_HALVING", 3)
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def state(db: Database, run_id: int) -> str:
    return str(one(db, "SELECT state FROM feed_run WHERE id = %s", run_id))


def up_to_piece(db: Database, number: int) -> None:
    """Runs messages until so many pieces are taken."""
    while number >= 0:
        message = next(m for m in pending(db) if m["step"].split(".")[-1] in ("plan", "begin", "apply"))
        number -= message["step"] == "catalogue.apply.apply"
        if number >= 0:
            run_message(db, message)


@pytest.mark.parametrize("twice", [False, True])
def test_a_first_load_in_two_halves_and_many_pieces_makes_each_offer_once(db: Database, twice: bool) -> None:
    run = stage(db, supplier(db, "NORDEN"), *({"supplier_sku": f"A{n:02d}", "stock": n} for n in range(9)))
    steps = run_all(db, twice=twice)
    assert twice or steps.count("catalogue.apply.apply") == 5, "two pieces of four offers, three of five"
    assert state(db, run) == "applied"
    assert one(db, "SELECT taken FROM feed_run") == 9
    expected = [(f"A{n:02d}", n, f"NORDEN-A{n:02d}", True) for n in range(9)]
    assert (
        rows(
            db,
            "SELECT o.supplier_sku, o.free, v.sku, v.best_offer_id = o.id FROM offer o JOIN variant v ON v.id = o.variant_id JOIN product p ON p.id = v.product_id ORDER BY 1",
        )
        == expected
    )
    assert one(db, "SELECT count(*) FROM product") == one(db, "SELECT count(*) FROM variant") == 9


def test_a_group_that_lies_in_two_pieces_is_one_product_with_all_pictures(db: Database) -> None:
    group = {"group_key": "S", "group_title": "Schirm"}
    stage(
        db, supplier(db, "NORDEN"), {"supplier_sku": "A"},
        *({"supplier_sku": f"S{n}", "title": f"Schirm {n}", "images": [f"https://i.example/{n}"], "options": {"Farbe": str(n)}, **group} for n in range(5)),
    )  # fmt: skip
    run_all(db)
    assert rows(db, "SELECT title, images, key FROM product ORDER BY title") == [
        ("Lampe", [], None), ("Schirm", [f"https://i.example/{n}" for n in range(5)], "group:2:S"),
    ]  # fmt: skip
    assert one(db, "SELECT count(DISTINCT product_id) FROM variant") == 2


def test_an_identifier_used_in_two_pieces_identifies_nothing(db: Database) -> None:
    others = [{"supplier_sku": f"A{n}"} for n in range(5)]
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "X", **GTIN}, *others, {"supplier_sku": "Y", **GTIN})
    run_all(db)
    assert rows(db, "SELECT key FROM variant WHERE sku IN ('NORDEN-X', 'NORDEN-Y') ORDER BY 1") == [("sku:2:X",), ("sku:2:Y",)]  # fmt: skip


def test_goods_that_somebody_offers_already_are_met_in_the_middle_of_a_first_load(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "N", "cost": "9", "title": "Theirs", **GTIN})
    run_all(db)
    many = [{"supplier_sku": f"Z{n}"} for n in range(8)]
    many[5] = {"supplier_sku": "Z5", "cost": "8", "title": "Ours", **GTIN}
    stage(db, supplier(db, "SUEDEN"), *many)
    run_all(db)
    assert one(db, "SELECT count(*) FROM variant") == 8
    assert rows(db, "SELECT sku, title FROM variant WHERE gtin IS NOT NULL") == [("NORDEN-N", "Ours")]


def test_absent_offers_are_taken_piece_by_piece_behind_the_file(db: Database) -> None:
    feed = supplier(db, "NORDEN", absence="withdraw", min_offers_percent=0, max_zero_stock_percent=100)
    stage(db, feed, *({"supplier_sku": f"A{n}"} for n in range(8)))
    run_all(db)
    run = stage(db, feed, {"supplier_sku": "A1"}, {"supplier_sku": "A2", "stock": 1}, {"supplier_sku": "B"})
    steps = run_all(db, twice=True)
    assert state(db, run) == "applied"
    assert "catalogue.apply.apply" in steps
    assert rows(db, "SELECT supplier_sku, state FROM offer WHERE state = 'gone' OR supplier_sku = 'B' ORDER BY 1") == [
        ("A0", "gone"), *((f"A{n}", "gone") for n in range(3, 8)), ("B", "offered"),
    ]  # fmt: skip
    assert rows(db, "SELECT kind, count(*) FROM offer_change WHERE run_id = %s GROUP BY 1 ORDER BY 1", run) == [("changed", 1), ("gone", 6)]  # fmt: skip
    assert one(db, "SELECT count(*) FROM staged_gone") == 0


def test_a_crash_that_empties_staging_in_the_middle_has_the_file_read_again_and_loses_nothing(
    db: Database,
) -> None:
    feed = supplier(db, "NORDEN", absence="withdraw")
    offers: list[dict[str, Any]] = [{"supplier_sku": f"A{n}"} for n in range(8)]
    stage(db, feed, *offers)
    run_all(db)
    run = stage(db, feed, *({**offer, "stock": 7} for offer in offers))
    up_to_piece(db, 2)
    with db.unit_of_work() as uow:
        uow.cursor().execute("TRUNCATE staged_offer")
    run_message(db, next(m for m in pending(db) if m["step"] == "catalogue.apply.apply"))
    assert state(db, run) == "landed"
    assert rows(db, "SELECT free, count(*) FROM offer WHERE state = 'offered' GROUP BY 1 ORDER BY 1") == [
        (5, 4),
        (7, 4),
    ]
    assert [m["step"] for m in pending(db) if m["payload"].get("run_id") == run] == ["feeds.read.read"]


def test_a_later_file_waits_for_the_end_of_the_one_before_and_is_planned_then(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    first = stage(db, feed, *({"supplier_sku": f"A{n}"} for n in range(7)))
    up_to_piece(db, 1)
    second = stage(db, feed, *({"supplier_sku": f"A{n}", "stock": 2} for n in range(7)))
    (planned,) = [m for m in pending(db) if m["step"] == "feeds.plan.plan"]
    run_message(db, planned)
    assert (state(db, first), state(db, second)) == ("approved", "staged")
    run_all(db)
    assert (state(db, first), state(db, second)) == ("applied", "applied")
    assert one(db, "SELECT (plan->>'changed')::int FROM feed_run WHERE id = %s", second) == 7
    assert rows(db, "SELECT DISTINCT free FROM offer") == [(2,)]


def test_a_small_feed_comes_between_the_pieces_of_a_large_one(db: Database) -> None:
    large = stage(db, supplier(db, "NORDEN"), *({"supplier_sku": f"A{n}"} for n in range(9)))
    up_to_piece(db, 1)
    small = stage(db, supplier(db, "SUEDEN"), {"supplier_sku": "A1"})
    while state(db, small) != "applied":
        mine = next(m for m in pending(db) if m["payload"].get("run_id") == small)
        run_message(db, mine)
    assert state(db, large) == "approved"
    run_all(db)
    assert one(db, "SELECT count(*) FROM offer") == one(db, "SELECT count(*) FROM variant") == 10
