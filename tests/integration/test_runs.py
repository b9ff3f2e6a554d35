"""Runs of a feed when things go wrong: staging that a crash emptied, the same message twice at once, files out of order."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from connectors.base import LandedFile
from core.database import Database
from core.errors import Refused
from models.events import RunApproved
from models.suppliers import Feed, FeedRun
from pipelines.catalogue.begin import begin
from pipelines.feeds.land import receive
from pipelines.feeds.plan import approve
from pipelines.routes import ROUTES
from tests.staged import stage, supplier
from tests.stepping import one, pending, rows, run_all, run_message


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def state(db: Database, run_id: int) -> str:
    return str(one(db, "SELECT state FROM feed_run WHERE id = %s", run_id))


def offers(db: Database) -> list[tuple[str, int]]:
    return rows(db, "SELECT supplier_sku, free FROM offer ORDER BY 1")


def let_pass(db: Database, run_id: int) -> None:
    with db.unit_of_work() as uow:
        run = uow.session.get_one(FeedRun, run_id)
        approve(uow, run, uow.session.get_one(Feed, run.feed_id))


def landed(name: str, sha256: str) -> LandedFile:
    return LandedFile(path=Path("unused"), name=name, bytes=1, sha256=sha256)


@pytest.mark.parametrize("step", ["feeds.plan.plan", "catalogue.begin.begin", "catalogue.apply.apply"])
def test_staging_that_a_crash_emptied_is_read_again_and_wipes_nothing(db: Database, step: str) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db)
    run = stage(db, feed, {"supplier_sku": "A", "stock": 7}, {"supplier_sku": "B"})
    while (message := pending(db)[0])["step"] != step:
        run_message(db, message)
    with db.unit_of_work() as uow:
        uow.cursor().execute(
            "TRUNCATE staged_offer"
        )  # what PostgreSQL does to an unlogged table after a crash
    run_message(db, message)
    assert state(db, run) == "landed"
    assert [(waiting["step"], waiting["payload"]) for waiting in pending(db)] == [
        ("feeds.read.read", {"run_id": run})
    ]
    assert offers(db) == [("A", 5), ("B", 5)]


def test_one_run_applied_by_two_threads_at_once_changes_the_catalogue_once(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    while (message := pending(db)[0])["step"] != "catalogue.begin.begin":
        run_message(db, message)
    event = RunApproved(tenant=2, lane=f"feed:{feed}", **message["payload"])
    with psycopg.connect(db.url) as blocker:
        blocker.execute("SELECT FROM feed WHERE id = %s FOR UPDATE", [feed])
        threads = [threading.Thread(target=begin, args=(event, db)) for _ in range(2)]
        for thread in threads:
            thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        for _ in range(10_000):
            if one(db, waiting) == 2:
                break
        assert one(db, waiting) == 2
    for thread in threads:
        thread.join(20)
    assert one(db, "SELECT count(*) FROM message WHERE event = 'PieceDue'") == 1
    run_all(db)
    assert offers(db) == [("A", 5), ("B", 5)]


def test_a_run_approved_twice_at_once_is_approved_once(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, *({"supplier_sku": f"A{i}"} for i in range(20)))
    run_all(db)
    run = stage(db, feed, {"supplier_sku": "A1"})
    run_all(db)
    assert state(db, run) == "waiting"
    with db.unit_of_work() as late:
        seen = late.session.get_one(FeedRun, run)
        let_pass(db, run)
        run_all(db)
        with pytest.raises(Refused, match="only a waiting run can be approved"):
            approve(late, seen, late.session.get_one(Feed, feed))
    assert state(db, run) == "applied"


def arrive(db: Database, feed: int, name: str, sha256: str) -> int:
    with db.unit_of_work() as uow:
        return receive(uow, uow.session.get_one(Feed, feed), landed(name, sha256)).id


def test_an_applied_file_that_comes_again_behind_another_is_taken_in_again(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    with db.unit_of_work() as uow:
        owner = uow.session.get_one(Feed, feed)
        owner.applied_fingerprint = owner.fingerprint("a" * 64)
    assert state(db, arrive(db, feed, "a.csv", "a" * 64)) == "unchanged"
    between = arrive(db, feed, "b.csv", "b" * 64)
    assert state(db, between) == "landed"
    assert state(db, arrive(db, feed, "a.csv", "a" * 64)) == "landed", (
        "else b.csv, which is older, would have the last word"
    )


def test_a_policy_changed_while_a_run_waits_has_the_same_file_read_anew(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    run = stage(db, feed, {"supplier_sku": "A"})
    run_message(db, pending(db)[0])
    with db.unit_of_work() as uow:
        uow.session.get_one(Feed, feed).policy = {"cost": {"from": "price", "minus_percent": 30}}
    run_all(db)
    assert state(db, run) == "applied"
    assert state(db, arrive(db, feed, "f.csv", "0" * 64)) == "landed"


def test_a_name_that_no_text_can_hold_is_still_a_file(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    run = arrive(db, feed, os.fsdecode(b"liste-\xff\xfe.csv"), "a" * 64)
    assert one(db, "SELECT file_name FROM feed_run WHERE id = %s", run) == "liste-??.csv"


def test_a_later_file_ends_the_wait_of_an_earlier_one(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    many = [{"supplier_sku": f"A{i}"} for i in range(20)]
    stage(db, feed, *many)
    run_all(db)
    held = stage(db, feed, {"supplier_sku": "A1"})
    run_all(db)
    assert state(db, held) == "waiting"
    mended = stage(db, feed, *many)
    run_all(db)
    assert (state(db, held), state(db, mended)) == ("superseded", "applied")
    assert one(db, "SELECT count(*) FROM staged_offer") == 0


def test_many_runs_use_up_no_numbers_of_offers(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    for number in range(3):
        stage(db, feed, {"supplier_sku": "A", "stock": number}, {"supplier_sku": "B"})
        run_all(db)
    assert one(db, "SELECT last_value FROM offer_id_seq") == 2, (
        "two thousand million are soon used up by a large feed"
    )


def test_another_currency_is_another_price_and_the_first_cost_is_no_change(db: Database) -> None:
    feed = supplier(db, "NORDEN")
    many = [{"supplier_sku": f"A{i}", "cost": None, "currency": None} for i in range(10)]
    stage(db, feed, *many)
    run_all(db)
    told = [{**offer, "cost": "10.00", "currency": "EUR"} for offer in many]
    first = stage(db, feed, *told)
    run_all(db)
    assert state(db, first) == "applied"
    run = stage(db, feed, *({**offer, "currency": "SEK"} for offer in told))
    run_all(db)
    assert state(db, run) == "waiting"
    assert one(db, "SELECT plan->'limits' FROM feed_run WHERE id = %s", run) == [
        "10 of 10 offers change their price: more than 30 %."
    ]
