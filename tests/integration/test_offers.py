"""From staging to listings, on real PostgreSQL: what plan, apply, match, merge and the listing plan write, exactly."""

from collections.abc import Iterator

import pytest

from core.database import Database
from models.suppliers import Feed, FeedRun
from pipelines.feeds.plan import approve
from pipelines.routes import ROUTES as ALL
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all

ROUTES = tuple(route for route in ALL if route.queue in ("feeds", "catalogue"))


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def state(db: Database, run_id: int) -> str:
    return str(one(db, "SELECT state FROM feed_run WHERE id = %s", run_id))


def test_a_first_run_makes_offers_products_and_variants(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    run = stage(
        db, feed,
        {"supplier_sku": "L1", "gtin": "4006381333931", "gtin_verdict": "valid"},
        {"supplier_sku": "S-R", "group_key": "S", "group_title": "Schirm", "title": "Schirm rot", "options": {"Farbe": "Rot"}, "images": ["https://i.example/r"]},
        {"supplier_sku": "S-B", "group_key": "S", "group_title": "Schirm", "title": "Schirm blau", "options": {"Farbe": "Blau"}, "images": ["https://i.example/b"]},
    )  # fmt: skip
    assert run_all(db) == [
        "feeds.plan.plan",
        "catalogue.begin.begin",
        "catalogue.apply.apply",
        "feeds.clear.clear",
        "listings.plan.fan_out",
    ]
    assert state(db, run) == "applied"
    assert rows(db, "SELECT supplier_sku, free, match_reason FROM offer ORDER BY id") == [
        ("L1", 5, "gtin"), ("S-R", 5, "supplier_sku"), ("S-B", 5, "supplier_sku"),
    ]  # fmt: skip
    assert rows(
        db,
        "SELECT v.sku, v.key, v.gtin, p.title FROM variant v JOIN product p ON p.id = product_id ORDER BY v.id",
    ) == [
        ("NORDEN-L1", "gtin:04006381333931", "4006381333931", "Lampe"),
        ("NORDEN-S-R", "sku:2:S-R", None, "Schirm"),
        ("NORDEN-S-B", "sku:2:S-B", None, "Schirm"),
    ]
    assert one(db, "SELECT images FROM product WHERE title = 'Schirm'") == [
        "https://i.example/r",
        "https://i.example/b",
    ]
    assert one(db, "SELECT count(*) FROM staged_offer") == 0


def test_every_step_may_run_twice(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    shop_of(db, supplier={"supplier": 2})
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B", "stock": None})
    run_all(db, twice=True)
    assert rows(db, "SELECT supplier_sku, free FROM offer ORDER BY id") == [("A", 5), ("B", 0)]


def test_only_differences_are_written_and_remembered(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"}, {"supplier_sku": "C"})
    run_all(db)
    written = rows(db, "SELECT id, xmin::text FROM offer WHERE supplier_sku = 'A'")
    second = stage(
        db,
        feed,
        {"supplier_sku": "A"},
        {"supplier_sku": "B", "cost": "11.5", "stock": 0},
        {"supplier_sku": "D"},
    )
    run_all(db)
    assert rows(db, "SELECT id, xmin::text FROM offer WHERE supplier_sku = 'A'") == written
    plan_ = one(db, "SELECT plan FROM feed_run WHERE id = %s", second)
    assert {name: plan_[name] for name in ("new", "changed", "unchanged", "gone", "price_changes")} == {
        "new": 1, "changed": 1, "unchanged": 1, "gone": 1, "price_changes": 1,
    }  # fmt: skip
    assert plan_["fields"] == {"cost": 1, "stock": 1}
    assert rows(db, "SELECT supplier_sku, kind, fields FROM offer_change WHERE run_id = %s ORDER BY 1", second) == [
        ("B", "changed", {"cost": [10.0, 11.5], "stock": [5, 0]}), ("C", "gone", {"stock": [5, 0]}),
    ]  # fmt: skip
    assert rows(db, "SELECT supplier_sku, state, free FROM offer ORDER BY 1") == [
        ("A", "offered", 5), ("B", "offered", 0), ("C", "offered", 0), ("D", "offered", 5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("absence", "expected"),
    [("keep", ("offered", 5)), ("out_of_stock", ("offered", 0)), ("withdraw", ("gone", 0))],
)
def test_absence_means_what_the_policy_says(db: Database, absence: str, expected: tuple[str, int]) -> None:
    feed = supplier(db, "NORDEN", absence=absence)
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db)
    stage(db, feed, {"supplier_sku": "A"})
    run_all(db)
    assert rows(db, "SELECT state, free FROM offer WHERE supplier_sku = 'B'") == [expected]


def test_a_shrunken_file_waits_for_a_person_and_goes_on_when_approved(db: Database) -> None:
    feed = supplier(db, "NORDEN", absence="withdraw")
    stage(db, feed, *({"supplier_sku": f"A{i}"} for i in range(20)))
    run_all(db)
    run = stage(db, feed, {"supplier_sku": "A1"})
    assert run_all(db) == ["feeds.plan.plan"]
    assert state(db, run) == "waiting"
    assert one(db, "SELECT plan->'limits' FROM feed_run WHERE id = %s", run) == [
        "The file has 1 usable offers where there were 20: fewer than 50 %.",
        "19 of 20 offers in stock would have none: more than 50 %.",
    ]
    assert one(db, "SELECT count(*) FROM offer WHERE free > 0") == 20, (
        "nothing is written before a person looked"
    )
    with db.unit_of_work() as uow:
        found = uow.session.get_one(FeedRun, run)
        approve(uow, found, uow.session.get_one(Feed, found.feed_id))
    run_all(db)
    assert state(db, run) == "applied"
    assert one(db, "SELECT count(*) FROM offer WHERE state = 'gone'") == 19


def test_an_older_file_does_not_undo_a_newer_one(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    older = stage(db, feed, {"supplier_sku": "A", "cost": "1"})
    newer = stage(db, feed, {"supplier_sku": "A", "cost": "2"})
    from tests.stepping import run_message

    first, second = pending(db)
    run_message(db, second)
    run_message(db, next(message for message in pending(db) if message["step"] == "catalogue.begin.begin"))
    run_message(db, first)
    run_all(db)
    assert (state(db, older), state(db, newer)) == ("superseded", "applied")
    assert one(db, "SELECT cost FROM offer") == 2
    assert one(db, "SELECT count(*) FROM staged_offer") == 0


def test_two_suppliers_of_one_gtin_share_a_variant_and_the_cheapest_in_stock_speaks(db: Database) -> None:
    gtin = {"gtin": "4006381333931", "gtin_verdict": "valid"}
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A", "cost": "10", "title": "Dear", **gtin})
    stage(db, supplier(db, "SUEDEN"), {"supplier_sku": "Z", "cost": "8", "title": "Cheap", **gtin})
    run_all(db)
    assert rows(
        db, "SELECT v.sku, v.title, o.supplier_sku FROM variant v JOIN offer o ON o.id = v.best_offer_id"
    ) == [("NORDEN-A", "Cheap", "Z")]
    stage(db, 2, {"supplier_sku": "Z", "cost": "8", "title": "Cheap", "stock": 0, **gtin})
    run_all(db)
    assert rows(db, "SELECT o.supplier_sku FROM variant v JOIN offer o ON o.id = v.best_offer_id") == [("A",)]


def test_a_gtin_that_a_supplier_uses_twice_identifies_nothing(db: Database) -> None:
    gtin = {"gtin": "4006381333931", "gtin_verdict": "valid"}
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A", **gtin}, {"supplier_sku": "B", **gtin})
    run_all(db)
    assert rows(db, "SELECT key FROM variant ORDER BY id") == [("sku:2:A",), ("sku:2:B",)]


def test_skus_that_differ_only_by_case_get_a_number(db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "ab"}, {"supplier_sku": "AB"})
    run_all(db)
    (lower, _), (upper, number) = rows(
        db, "SELECT sku, o.id FROM variant v JOIN offer o ON o.variant_id = v.id ORDER BY o.id"
    )
    assert (lower, upper) == ("NORDEN-ab", f"NORDEN-AB-{number}")


def test_a_sku_carries_nothing_that_a_shop_would_silently_alter(db: Database) -> None:
    stage(
        db,
        supplier(db, "NORDEN"),
        {"supplier_sku": "Walnut -  Black"},
        {"supplier_sku": "Walnut - Black"},
        {"supplier_sku": "50% <b>"},
    )
    run_all(db)
    second = one(db, "SELECT id FROM offer WHERE supplier_sku = 'Walnut - Black'")
    assert rows(
        db, "SELECT supplier_sku, sku FROM offer JOIN variant v ON v.id = variant_id ORDER BY offer.id"
    ) == [
        ("Walnut -  Black", "NORDEN-Walnut - Black"),
        ("Walnut - Black", f"NORDEN-Walnut - Black-{second}"),
        ("50% <b>", "NORDEN-50 b"),
    ]


def test_a_selection_is_priced_once_and_explains_itself(db: Database) -> None:
    stage(
        db,
        supplier(db, "NORDEN"),
        {"supplier_sku": "A", "cost": "10.333333"},
        {"supplier_sku": "B", "cost": None},
        {"supplier_sku": "C", "currency": "USD"},
    )
    run_all(db)
    shop = shop_of(db, margin="12.5", supplier={"supplier": 2})
    run_all(db)
    listed = rows(
        db,
        "SELECT v.sku, l.state, l.wanted->>'price', l.problem FROM listing l JOIN variant v ON v.id = variant_id WHERE shop_id = %s ORDER BY l.id",
        shop,
    )
    assert listed[0] == ("NORDEN-A", "waiting", "11.62", None)
    assert listed[1][1:3] == ("blocked", None)
    assert "gives no cost" in listed[1][3]
    assert listed[2][1:3] == ("blocked", None)
    assert "USD" in listed[2][3]
    assert one(db, "SELECT why FROM listing ORDER BY id LIMIT 1") == {
        "cost": "10.333333", "currency": "EUR", "margin_percent": "12.50", "selection": 1, "offer": 1,
        "steps": [
            ["base", None, "10.333333", "cost"], ["margin", "10.333333", "11.624999625", "12.5"],
            ["rounding", "11.624999625", "11.62", None],
        ],
    }  # fmt: skip
    assert one(db, "SELECT count(*) FROM push") == 0, "a shop that nobody has set live is sent nothing"


def test_selections_by_category_and_by_list(db: Database) -> None:
    stage(
        db,
        supplier(db, "NORDEN"),
        {"supplier_sku": "A"},
        {"supplier_sku": "B", "category": "Licht"},
        {"supplier_sku": "C", "category": "Lichterkette"},
    )
    run_all(db)
    by_category, by_list = (
        shop_of(db, category={"category": "Licht"}),
        shop_of(db, list={"skus": ["NORDEN-C", "NORDEN-X"]}),
    )
    run_all(db)
    skus = "SELECT v.sku FROM listing l JOIN variant v ON v.id = variant_id WHERE shop_id = %s ORDER BY 1"
    assert rows(db, skus, by_category) == [("NORDEN-A",), ("NORDEN-B",)]
    assert rows(db, skus, by_list) == [("NORDEN-C",)]
