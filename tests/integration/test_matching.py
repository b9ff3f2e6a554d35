"""Matching offers to variants where identifiers are unlucky: SKUs that meet, two feeds of one supplier, odd characters."""

import random
import string
import threading
from collections.abc import Iterator

import psycopg
import pytest

from core.database import Database
from models.suppliers import Feed
from pipelines.catalogue.lock import CATALOGUE_LOCK
from pipelines.routes import ROUTES
from tests.staged import stage, supplier
from tests.stepping import one, pending, rows, run_all, run_message

GTIN = {"gtin": "4006381333931", "gtin_verdict": "valid"}


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def second_feed(db: Database, first: int) -> int:
    with db.unit_of_work() as uow:
        owner = uow.session.get_one(Feed, first).supplier_id
        feed = Feed(supplier_id=owner, name="second", source={"kind": "upload"}, policy={})
        uow.session.add(feed)
        uow.session.flush()
        return feed.id


def test_a_sku_that_looks_like_a_numbered_one_does_not_stop_the_feed(db: Database) -> None:
    stage(
        db, supplier(db, "NORDEN"), {"supplier_sku": "ab"}, {"supplier_sku": "AB"}, {"supplier_sku": "AB-2"}
    )
    run_all(db)
    skus = [
        sku
        for (sku,) in rows(db, "SELECT v.sku FROM offer o JOIN variant v ON v.id = variant_id ORDER BY o.id")
    ]
    assert len(skus) == 3
    assert len({sku.lower() for sku in skus}) == 3
    assert skus[0] == "NORDEN-ab"


@pytest.mark.parametrize("identified", [GTIN, {}, {"mpn": "M-1"}])
def test_two_feeds_of_one_supplier_that_share_a_number_speak_of_one_variant(
    db: Database, identified: dict[str, str]
) -> None:
    first = supplier(db, "NORDEN")
    stage(db, first, {"supplier_sku": "A", **identified})
    run_all(db)
    stage(db, second_feed(db, first), {"supplier_sku": "A", **identified})
    run_all(db)
    assert one(db, "SELECT count(*) FROM variant") == 1
    assert one(db, "SELECT count(DISTINCT variant_id) FROM offer") == 1


def test_a_second_feed_without_the_gtin_meets_its_variant_by_the_suppliers_number(db: Database) -> None:
    first = supplier(db, "NORDEN")
    stage(db, first, {"supplier_sku": "A", **GTIN})
    run_all(db)
    stage(db, second_feed(db, first), {"supplier_sku": "A"})
    run_all(db)
    assert rows(db, "SELECT variant_id, match_reason FROM offer ORDER BY id") == [
        (1, "gtin"),
        (1, "supplier_sku"),
    ]


def test_a_sku_is_printable_and_short_enough_for_a_shop(db: Database) -> None:
    address = "https://supplier.example/" + "x" * 200
    stage(
        db, supplier(db, "NORDEN"),
        {"supplier_sku": "A\u00a0B\u200b"}, {"supplier_sku": f"{address}1"}, {"supplier_sku": f"{address}2"},
    )  # fmt: skip
    run_all(db)
    skus = [sku for (sku,) in rows(db, "SELECT sku FROM variant ORDER BY id")]
    assert skus[0] == "NORDEN-A B"
    assert [len(sku) for sku in skus[1:]] == [88, 88]
    assert skus[1] != skus[2]


def test_pictures_keep_their_order_however_many_variants_there_are(db: Database) -> None:
    with db.unit_of_work() as uow:
        uow.cursor().execute("SELECT setval('variant_id_seq', 2200000)")
    stage(
        db,
        supplier(db, "NORDEN"),
        {"supplier_sku": "A", "images": ["https://i.example/2", "https://i.example/1"]},
    )
    run_all(db)
    assert one(db, "SELECT images FROM product") == ["https://i.example/2", "https://i.example/1"]


def test_identifiers_longer_than_an_index_takes_stop_no_feed(db: Database) -> None:
    long = "".join(random.Random(1).choices(string.ascii_letters, k=9000))
    stage(
        db,
        supplier(db, "NORDEN"),
        {"supplier_sku": "A", "group_key": long},
        {"supplier_sku": "B", "mpn": long},
    )
    run_all(db)
    assert rows(db, "SELECT match_reason FROM offer ORDER BY id") == [("supplier_sku",), ("supplier_sku",)]


def test_a_feed_waits_for_a_larger_ones_turn_and_may_take_its_time(database_url: str, db: Database) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A"})
    while (message := pending(db)[0])["step"] != "catalogue.apply.apply":
        run_message(db, message)
    hasty = Database(database_url, ROUTES, statement_timeout=0.2, lock_timeout=0.1)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOGUE_LOCK])
        step = threading.Thread(target=run_message, args=(hasty, message))
        step.start()
        other.execute("SELECT pg_sleep(0.5)")
    step.join(20)
    hasty.close()
    assert rows(db, "SELECT match_reason FROM offer") == [("supplier_sku",)]
