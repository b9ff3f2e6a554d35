"""Runs of a feed when things go wrong: staging that a crash emptied, the same message twice at once, files out of order."""

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
from pipelines.feeds.apply import apply
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


@pytest.mark.parametrize("step", ["plan", "apply"])
def test_staging_that_a_crash_emptied_is_read_again_and_wipes_nothing(db: Database, step: str) -> None:
    feed = supplier(db, "NORDEN")
    stage(db, feed, {"supplier_sku": "A"}, {"supplier_sku": "B"})
    run_all(db)
    run = stage(db, feed, {"supplier_sku": "A", "stock": 7}, {"supplier_sku": "B"})
    while (message := pending(db)[0])["step"] != f"feeds.{step}.{step}":
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
    while (message := pending(db)[0])["step"] != "feeds.apply.apply":
        run_message(db, message)
    event = RunApproved(tenant=2, lane=f"feed:{feed}", **message["payload"])
    with psycopg.connect(db.url) as blocker:
        blocker.execute("SELECT FROM feed WHERE id = %s FOR UPDATE", [feed])
        threads = [threading.Thread(target=apply, args=(event, db)) for _ in range(2)]
        for thread in threads:
            thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        for _ in range(10_000):
            if one(db, waiting) == 2:
                break
        assert one(db, waiting) == 2
    for thread in threads:
        thread.join(20)
    assert offers(db) == [("A", 5), ("B", 5)]
    assert one(db, "SELECT count(*) FROM message WHERE event = 'OffersChanged'") == 1


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
