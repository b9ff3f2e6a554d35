"""Emit, take, claim, finish: what the unit of work and the statements on the message table promise, exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select

from core import queues
from core.broker import messages
from core.database import CHANNEL, Database, Event, UnitOfWork, on
from core.errors import Permanent, Refused, Temporary, Unknown
from core.tables import JobRun, Message
from tests.broker_map import Caught, Thrown, catch, keep, routes
from tests.stepping import one, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Lonely(Event):
    """An event that no route names."""


def also(event: Thrown, db: Database) -> None:
    """A second step for the same event."""


ROUTES = (*routes("ring"), on(Thrown, also, queue="other"))


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


@pytest.fixture
def sql(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.connection(autocommit=True) as connection:
        yield connection


def fill(db: Database, lane: str, count: int, *, queue: str = "ring", step: str = "s") -> None:
    db.run(
        "INSERT INTO message (tenant, lane, queue, step, event, payload) "
        "SELECT 1, %s, %s, %s, 'Thrown', jsonb_build_object('n', n) FROM generate_series(1, %s) AS n",
        (lane, queue, step, count),
    )


# ---------------------------------------------------------------- the unit of work
def test_emit_writes_one_row_for_each_route(db: Database) -> None:
    with db.unit_of_work() as uow:
        uow.emit(Thrown(tenant=7, lane="feed:3", n=42))
    assert rows(
        db,
        "SELECT tenant, lane, queue, step, event, payload, state, attempts, fence, last_error, "
        "due_at BETWEEN now() - interval '1 minute' AND now() FROM message ORDER BY id",
    ) == [
        (7, "feed:3", "ring", "tests.broker_map.catch", "Thrown", {"n": 42}, 0, 0, 0, None, True),
        (7, "feed:3", "other", also.__module__ + ".also", "Thrown", {"n": 42}, 0, 0, 0, None, True),
    ]


def test_an_event_without_a_route_is_refused_and_its_unit_of_work_with_it(db: Database) -> None:
    with (
        pytest.raises(Permanent, match=r"Lonely has no route; add one to pipelines/routes\.py"),
        db.unit_of_work() as uow,
    ):
        uow.emit(Thrown(tenant=1, lane="a", n=1))
        uow.emit(Lonely(tenant=1, lane="a"))
    assert one(db, "SELECT count(*) FROM message") == 0


def test_an_error_in_the_block_stores_nothing_and_rings_nobody(
    db: Database, sql: psycopg.Connection[Any]
) -> None:
    sql.execute(f"LISTEN {CHANNEL}")
    with pytest.raises(ZeroDivisionError), db.unit_of_work() as uow:
        uow.session.add(JobRun(job="j", slot=func.now()))
        uow.session.commit()  # cannot end the unit of work early
        uow.cursor().execute("INSERT INTO job_run (job, slot) VALUES ('k', now())")
        uow.emit(Thrown(tenant=1, lane="a", n=1))
        _ = 1 / 0
    assert one(db, "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM job_run)") == 0
    db.run("SELECT pg_notify('message', 'end')")
    assert [notice.payload for notice in sql.notifies(timeout=10, stop_after=1)] == ["end"]


def test_session_cursor_and_copy_share_one_unit_of_work(db: Database) -> None:
    with db.unit_of_work() as uow:
        uow.cursor().execute("CREATE TEMP TABLE staged (n int)")
        with uow.cursor().copy("COPY staged FROM STDIN") as copy:
            copy.write_row((5,))
        ours = uow.cursor().execute("SELECT pg_current_xact_id()::text").fetchone()
        assert (
            uow.session.execute(select(func.pg_current_xact_id().cast(Message.lane.type))).one()[0] == ours[0]
        )
        uow.emit(Thrown(tenant=1, lane="a", n=1))
    with db.unit_of_work() as uow:
        assert [message.payload for message in uow.session.scalars(select(Message))] == [{"n": 1}, {"n": 1}]


def test_listeners_are_told_after_the_rows_can_be_seen(db: Database, sql: psycopg.Connection[Any]) -> None:
    sql.execute(f"LISTEN {CHANNEL}")
    with db.unit_of_work() as uow:
        uow.emit(Thrown(tenant=1, lane="a", n=1))
        assert list(sql.notifies(timeout=0)) == []
    heard = set()
    for notice in sql.notifies(timeout=10, stop_after=2):
        heard.add(notice.payload)
        assert one(db, "SELECT count(*) FROM message") == 2
    assert heard == {"ring", "other"}


def test_a_unit_of_work_ends_with_its_block(db: Database) -> None:
    with db.unit_of_work() as uow:
        pass
    with pytest.raises(Permanent, match="inside its own"):
        uow.cursor()


def test_a_connection_that_broke_is_temporary_and_the_next_one_works(
    db: Database, sql: psycopg.Connection[Any]
) -> None:
    def pid(uow: UnitOfWork) -> int:
        row = uow.cursor().execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return int(row[0])

    with pytest.raises(Temporary, match="terminating connection"), db.unit_of_work() as uow:
        uow.emit(Thrown(tenant=1, lane="a", n=1))
        sql.execute("SELECT pg_terminate_backend(%s, 5000)", (pid(uow),))
        uow.cursor().execute("SELECT 1")
    with db.unit_of_work() as uow:  # goes back to the pool, then dies there
        idle = pid(uow)
    sql.execute("SELECT pg_terminate_backend(%s, 5000)", (idle,))
    with db.unit_of_work() as uow:
        assert pid(uow) != idle
    assert one(db, "SELECT count(*) FROM message") == 0


def test_a_connection_that_breaks_in_the_commit_is_unknown(
    db: Database, sql: psycopg.Connection[Any]
) -> None:
    with pytest.raises(Unknown, match="Look before repeating"), db.unit_of_work() as uow:
        uow.session.execute(select(1))
        row = uow.cursor().execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        sql.execute("SELECT pg_terminate_backend(%s, 5000)", row)


def test_waiting_for_a_lock_ends_as_temporary(database_url: str) -> None:
    impatient = Database(database_url, ROUTES, lock_timeout=0.05, statement_timeout=0.3)
    with impatient.connection() as other:
        other.execute("LOCK TABLE job_run")
        with pytest.raises(Temporary, match="lock timeout"), impatient.unit_of_work() as uow:
            uow.cursor().execute("SELECT * FROM job_run")
    with pytest.raises(Temporary, match="statement timeout"), impatient.unit_of_work() as uow:
        uow.cursor().execute("SELECT pg_sleep(5)")
    impatient.close()


def test_a_silent_unit_of_work_is_ended_by_the_server(database_url: str, db: Database) -> None:
    frozen = Database(database_url, ROUTES, silence=0.2)
    with pytest.raises(Temporary, match="idle-in-transaction timeout"), frozen.unit_of_work() as uow:
        uow.cursor().execute("LOCK TABLE job_run")
        db.run(
            "SELECT count(*) FROM job_run"
        )  # waits for the lock, which the server takes from the silent one
        uow.cursor().execute("SELECT 1")
    frozen.close()


def test_no_database_is_temporary() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", ROUTES)
    with pytest.raises(Temporary, match="cannot be reached"), nowhere.unit_of_work():
        pass


# ---------------------------------------------------------------- taking in turns
def test_a_small_lane_comes_second_however_many_messages_wait_before_it(
    db: Database, sql: psycopg.Connection[Any]
) -> None:
    fill(db, "feed:1", 5_000)
    fill(db, "feed:2", 1)
    taken = messages.take(sql, "ring", 16, 60, "")
    assert [one.lane for one in taken[:3]] == ["feed:1", "feed:2", "feed:1"]
    assert len([one for one in taken if one.lane == "feed:1"]) == 8  # 16 / 2 lanes


def test_fifty_small_lanes_are_served_in_the_first_takes(db: Database, sql: psycopg.Connection[Any]) -> None:
    fill(db, "feed:big", 5_000)
    for number in range(50):
        fill(db, f"shop:{number:02}", 1)
    served: list[str] = []
    after = ""
    for _ in range(4):  # 51 lanes, 16 a take
        taken = messages.take(sql, "ring", 16, 60, after)
        after = taken[-1].lane
        served += [one.lane for one in taken]
    assert {lane for lane in served if lane != "feed:big"} == {f"shop:{number:02}" for number in range(50)}
    assert served.count("feed:big") == 1 + 4  # its turn in the first take, and 16 / 4 lanes in the last
    assert served[:16] == ["feed:big", *(f"shop:{number:02}" for number in range(15))]


def test_a_lane_is_first_in_first_out(db: Database, sql: psycopg.Connection[Any]) -> None:
    fill(db, "feed:1", 40)
    ids = [message for (message,) in rows(db, "SELECT id FROM message ORDER BY id")]
    got = [one.id for _ in range(4) for one in messages.take(sql, "ring", 10, 60, "feed:1")]
    assert got == ids
    assert messages.take(sql, "ring", 10, 60, "") == []


def test_queues_and_later_messages_are_left_alone(db: Database, sql: psycopg.Connection[Any]) -> None:
    fill(db, "feed:1", 3, queue="other")
    fill(db, "feed:1", 2)
    db.run(
        "UPDATE message SET due_at = now() + interval '1 hour' WHERE queue = 'ring' AND payload->>'n' = '1'"
    )
    assert len(messages.take(sql, "ring", 10, 60, "")) == 1
    assert one(db, "SELECT count(*) FROM message WHERE queue = 'other' AND state = 0 AND fence = 0") == 3


def test_two_takers_never_get_the_same_message(db: Database, sql: psycopg.Connection[Any]) -> None:
    fill(db, "feed:1", 10)
    with db.connection() as other:
        first = messages.take(other, "ring", 4, 60, "")  # not committed yet: the rows are locked
        second = messages.take(sql, "ring", 10, 60, "")
        other.commit()
    assert len(first) == 4
    assert len(second) == 6
    assert {one.id for one in first}.isdisjoint(one.id for one in second)


def test_a_passed_lease_makes_a_message_due_again_under_a_new_fence(
    db: Database, sql: psycopg.Connection[Any]
) -> None:
    fill(db, "feed:1", 1)
    (first,) = messages.take(sql, "ring", 1, 60, "")
    assert (first.fence, first.again) == (1, False)
    assert messages.take(sql, "ring", 1, 60, "") == []
    db.run("UPDATE message SET due_at = now() - interval '1 second'")
    (second,) = messages.take(sql, "ring", 1, 60, "")
    assert (second.id, second.fence, second.again) == (first.id, 2, True)
    assert messages.claim(db, first.id, first.fence, 60) is None
    assert messages.claim(db, second.id, second.fence, 60) is not None


# ---------------------------------------------------------------- fences
def test_only_one_of_two_deliveries_is_claimed_and_finished(
    db: Database, sql: psycopg.Connection[Any]
) -> None:
    fill(db, "feed:1", 1)
    (taken,) = messages.take(sql, "ring", 1, 60, "")
    claimed = messages.claim(db, taken.id, taken.fence, 60)
    assert claimed is not None
    assert (claimed.fence, claimed.attempts, claimed.payload) == (2, 1, {"n": 1})
    assert messages.claim(db, taken.id, taken.fence, 60) is None
    assert messages.claim(db, taken.id, claimed.fence, 60) is None  # running, not sent
    with db.unit_of_work() as uow:
        assert not messages.finish(uow.cursor(), taken.id, taken.fence)
        assert messages.claim_and_finish(uow.cursor(), taken.id, taken.fence) is None
        assert messages.finish(uow.cursor(), taken.id, claimed.fence)
    assert one(db, "SELECT count(*) FROM message") == 0


def test_renewing_extends_what_is_ours_and_skips_what_is_locked(
    db: Database, sql: psycopg.Connection[Any]
) -> None:
    fill(db, "feed:1", 3)
    mine, foreign, locked = messages.take(sql, "ring", 3, 1, "")
    db.run("UPDATE message SET fence = fence + 1 WHERE id = %s", (foreign.id,))
    with db.connection() as other:
        other.execute("SELECT FROM message WHERE id = %s FOR UPDATE", (locked.id,))
        held = [(one.id, one.fence) for one in (mine, foreign, locked)]
        assert messages.renew(db, held, 1000) == {mine.id}
    assert rows(db, "SELECT id FROM message WHERE due_at > now() + interval '900 seconds'") == [(mine.id,)]


def test_giving_back_is_due_at_once_and_counts_no_attempt(db: Database, sql: psycopg.Connection[Any]) -> None:
    fill(db, "feed:1", 3)
    waiting, running, foreign = messages.take(sql, "ring", 3, 60, "")
    claimed = messages.claim(db, running.id, running.fence, 60)
    assert claimed is not None
    back = messages.give_back(
        db, [(waiting.id, waiting.fence), (running.id, claimed.fence), (foreign.id, foreign.fence - 1)]
    )
    assert back == {waiting.id, running.id}
    assert rows(db, "SELECT state, attempts, due_at <= now() FROM message ORDER BY id") == [
        (0, 0, True),
        (0, 0, True),
        (1, 0, False),
    ]
    again = messages.take(sql, "ring", 3, 60, "")
    assert [(one.id, one.again) for one in again] == [(waiting.id, False), (running.id, False)]


# ---------------------------------------------------------------- what operators see
def test_depths_by_queue_and_lane(db: Database, sql: psycopg.Connection[Any]) -> None:
    fill(db, "feed:1", 4)
    fill(db, "feed:2", 2)
    fill(db, "shop:1", 1, queue="other")
    db.run(
        "UPDATE message SET due_at = now() - interval '90 seconds' WHERE lane = 'feed:1' AND payload->>'n' = '1'"
    )
    db.run(
        "UPDATE message SET due_at = now() + interval '90 seconds' WHERE lane = 'feed:2' AND payload->>'n' = '1'"
    )
    taken = messages.take(sql, "ring", 4, 60, "")  # two of each lane, but one of feed:2 is not due
    assert [one.lane for one in taken] == ["feed:1", "feed:2", "feed:1"]
    messages.claim(db, taken[0].id, taken[0].fence, 60)
    db.run(
        "UPDATE message SET due_at = now() - interval '30 seconds' WHERE lane = 'feed:1' AND payload->>'n' = '3'"
    )
    with db.unit_of_work() as uow:
        other, ring = queues.queue_depths(uow)
        assert (ring.queue, ring.waiting, ring.delayed, ring.sent, ring.running) == ("ring", 3, 1, 2, 1)
        assert ring.oldest_due is not None
        assert 30 <= ring.oldest_due < 60
        assert (other.queue, other.waiting, other.delayed) == ("other", 1, 0)
        assert [(lane.lane, lane.waiting, lane.running) for lane in queues.lane_depths(uow, "ring")] == [
            ("feed:1", 2, 1),
            ("feed:2", 1, 0),
        ]


def test_messages_are_listed_filtered_and_paged(db: Database) -> None:
    fill(db, "feed:1", 3)
    fill(db, "feed:2", 2, step="t")
    with db.unit_of_work() as uow:
        page = queues.messages(uow, limit=2)
        assert [view.payload["n"] for view in page] == [1, 2]
        assert [view.payload["n"] for view in queues.messages(uow, after=page[-1].id, lane="feed:1")] == [3]
        assert [view.lane for view in queues.messages(uow, step="t", state="waiting")] == ["feed:2"] * 2
        assert queues.messages(uow, state="running") == []
        assert queues.message(uow, page[0].id) == page[0]
        assert (page[0].state, page[0].attempts, page[0].last_error) == ("waiting", 0, None)
        with pytest.raises(Refused, match="'late' is no state of a message"):
            queues.messages(uow, state="late")
        with pytest.raises(Refused, match="no message 4711"):
            queues.message(uow, 4711)


def test_names_of_steps_come_from_their_modules() -> None:
    def land(event: Thrown, db: Database) -> None:
        """A step of the real map, by its module."""

    land.__module__, land.__qualname__ = "pipelines.feeds.land", "land"
    assert on(Thrown, land, queue="feeds").name == "feeds.land.land"
    assert on(Caught, keep, queue="ring").name == "tests.broker_map.keep"
    assert on(Thrown, catch, queue="ring").retries == 8
