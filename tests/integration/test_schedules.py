"""Slots of the timetable: claimed once by however many schedulers, the latest missed one run once, together with its events."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.database import Database, UnitOfWork, on
from core.errors import Misconfigured, Temporary
from schedules.__main__ import run_for_ever
from schedules.slots import Job, job, latest_slot, run_if_due
from tests.broker_map import Thrown, catch
from tests.stepping import one, rows

CHECKOUT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 3, 29, 12, 0, 30, tzinfo=UTC)
ROUTES = (on(Thrown, catch, queue="ring", one_unit=True),)

# One of several schedulers: it waits for the others, then goes through the same minutes as they do.
SCHEDULER = """
import sys
from datetime import datetime, timedelta
from core.database import Database
from schedules.slots import Job, run_if_due
from tests.integration.test_schedules import NOON, ROUTES, emit
db = Database(sys.argv[1], ROUTES)
print("ready", flush=True)
sys.stdin.readline()
line = Job("each minute", "* * * * *", emit)
print(sum(run_if_due(db, line, NOON + timedelta(minutes=n)) is not None for n in range(60)))
"""


def emit(uow: UnitOfWork, slot: datetime) -> None:
    """A job whose event tells which slot it was run for."""
    uow.emit(Thrown(tenant=1, lane="clock", n=int(slot.timestamp())))


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def emitted(db: Database) -> list[datetime]:
    return [
        datetime.fromtimestamp(n, UTC)
        for (n,) in rows(db, "SELECT (payload->>'n')::int FROM message ORDER BY id")
    ]


@pytest.mark.parametrize(
    ("cron", "slot"),
    [
        ("* * * * *", datetime(2026, 3, 29, 12, 0, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 3, 29, 12, 0, tzinfo=UTC)),
        ("1 * * * *", datetime(2026, 3, 29, 11, 1, tzinfo=UTC)),
        ("30 2 * * *", datetime(2026, 3, 29, 2, 30, tzinfo=UTC)),
        ("0 0 1 * *", datetime(2026, 3, 1, 0, 0, tzinfo=UTC)),
    ],
)
def test_the_latest_slot_of_a_cron_line(cron: str, slot: datetime) -> None:
    assert latest_slot(cron, NOON) == slot


def test_a_wrong_cron_line_is_told_at_once() -> None:
    with pytest.raises(Misconfigured, match="The job bad has the cron line '61 \\* \\* \\* \\*'"):
        job("bad", "61 * * * *", emit)


def test_a_new_job_begins_with_its_next_slot_and_runs_each_once(db: Database) -> None:
    line = Job("hourly", "0 * * * *", emit)
    assert run_if_due(db, line, NOON) is None
    assert run_if_due(db, line, NOON) is None
    slot = datetime(2026, 3, 29, 13, 0, tzinfo=UTC)
    assert run_if_due(db, line, slot - timedelta(seconds=1)) is None
    assert run_if_due(db, line, slot) == slot
    assert run_if_due(db, line, slot + timedelta(seconds=1)) is None
    assert emitted(db) == [slot]


def test_of_missed_slots_the_latest_is_run_once_and_none_comes_back(db: Database) -> None:
    line = Job("hourly", "0 * * * *", emit)
    run_if_due(db, line, NOON)
    late = NOON + timedelta(hours=9, minutes=20)
    assert run_if_due(db, line, late) == datetime(2026, 3, 29, 21, 0, tzinfo=UTC)
    assert run_if_due(db, line, late) is None
    assert run_if_due(db, line, NOON + timedelta(hours=5)) is None  # a scheduler whose clock lags
    assert emitted(db) == [datetime(2026, 3, 29, 21, 0, tzinfo=UTC)]


def test_a_job_that_fails_leaves_its_slot_unclaimed_and_nothing_emitted(db: Database) -> None:
    broken = [Temporary("no")]

    def sometimes(uow: UnitOfWork, slot: datetime) -> None:
        emit(uow, slot)
        if broken:
            raise broken.pop()

    line = Job("hourly", "0 * * * *", sometimes)
    run_if_due(db, line, NOON)
    later = NOON + timedelta(hours=1)
    with pytest.raises(Temporary, match="no"):
        run_if_due(db, line, later)
    assert (emitted(db), one(db, "SELECT count(*) FROM job_run")) == ([], 1)
    assert run_if_due(db, line, later) == datetime(2026, 3, 29, 13, 0, tzinfo=UTC)
    assert len(emitted(db)) == 1


def test_four_schedulers_claim_each_slot_once(database_url: str, db: Database) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCHEDULER, database_url],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    claimed = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(claimed) == 59
    first = NOON.replace(second=0)
    assert emitted(db) == [first + timedelta(minutes=n) for n in range(1, 60)]
    assert one(db, "SELECT count(*) FROM job_run") == 60


@pytest.mark.parametrize(
    "error", [Temporary("the database is busy"), KeyError("a mistake")], ids=["busy", "broken"]
)
def test_the_scheduler_goes_on_after_a_job_that_fails(db: Database, error: Exception) -> None:
    stop = threading.Event()
    order: list[str] = []

    def fails(uow: UnitOfWork, slot: datetime) -> None:
        order.append("fails")
        raise error

    def works(uow: UnitOfWork, slot: datetime) -> None:
        order.append("works")
        emit(uow, slot)
        stop.set()

    jobs = [Job("fails", "* * * * *", fails), Job("works", "* * * * *", works)]
    for line in jobs:
        db.run("INSERT INTO job_run (job, slot) VALUES (%s, '2026-01-01')", (line.name,))
    watchdog = threading.Timer(30, stop.set)
    watchdog.start()
    run_for_ever(db, jobs, stop, tick=0.01)
    watchdog.cancel()
    assert order == ["fails", "works"]
    assert len(emitted(db)) == 1
    assert rows(db, "SELECT job FROM job_run WHERE slot > '2026-01-02'") == [("works",)]
