"""One delivery at a time: finished once, failed with a reason, retried, buried, replayed; second deliveries find nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dramatiq.middleware import TimeLimitExceeded

from core import queues
from core.broker import messages
from core.broker.failures import Stopping
from core.database import Database, Route, on
from core.errors import Permanent, Refused, Temporary, Unknown
from tests.broker_map import QUEUE, Bench, Caught, Thrown, catch, keep, prepare, record, throw
from tests.stepping import one, rows

Open = Callable[..., Bench]


@pytest.fixture
def bench(database_url: str) -> Iterator[Open]:
    """Makes a bench with the routes a test names."""
    opened: list[Database] = []

    def make(*routes: Route) -> Bench:
        db = Database(database_url, routes)
        opened.append(db)
        prepare(db)
        return Bench(db)

    yield make
    for db in opened:
        db.close()


def throwing(error: BaseException) -> Callable[[Any, Database], None]:
    """A step that writes, then fails."""

    def fail(event: Thrown, db: Database) -> None:
        with db.unit_of_work(last=True) as uow:
            record(uow, 1, event.n)
            raise error

    return fail


def deliver_one(bench: Bench, *, fast: bool) -> int:
    throw(bench.db, 1)
    (taken,) = bench.take()
    bench.deliver(taken, fast=fast)
    return taken.id


def test_both_hops_run_once_and_leave_nothing(bench: Open) -> None:
    hub = bench(on(Thrown, catch, queue=QUEUE, one_unit=True), on(Caught, keep, queue=QUEUE))
    throw(hub.db, 5)
    for taken in hub.take():
        hub.deliver(taken, fast=True)
    for taken in hub.take():
        hub.deliver(taken, fast=False)
    assert rows(hub.db, "SELECT hop, n FROM done ORDER BY hop, n") == [
        *((1, n) for n in range(5)),
        *((2, n) for n in range(5)),
    ]
    assert one(hub.db, "SELECT count(*) FROM message") == 0
    assert hub.leases.held() == []


@pytest.mark.parametrize("fast", [True, False], ids=["one unit", "claimed"])
def test_a_second_delivery_finds_nothing(bench: Open, fast: bool) -> None:
    hub = bench(on(Thrown, catch, queue=QUEUE, one_unit=fast), on(Caught, keep, queue="later"))
    throw(hub.db, 1)
    (taken,) = hub.take()
    for _ in range(3):
        hub.deliver(taken, fast=fast)
    assert one(hub.db, "SELECT count(*) FROM done") == 1
    assert one(hub.db, "SELECT count(*) FROM message") == 1  # the second hop, caused once
    assert one(hub.db, "SELECT count(*) FROM dead_letter") == 0


def test_a_step_that_lost_its_message_stores_nothing_and_stops_quietly(bench: Open) -> None:
    inner: list[int] = []

    def slow(event: Thrown, db: Database) -> None:
        if not inner:
            inner.append(1)  # its lease passes while it works: another takes the message and finishes it
            hub.db.run("UPDATE message SET due_at = now() - interval '1 second'")
            (again,) = hub.take()
            assert again.again
            Bench(hub.db).deliver(again, fast=False)
            assert one(hub.db, "SELECT count(*) FROM done") == 1
        with db.unit_of_work(last=True) as uow:
            record(uow, 1, event.n)

    hub = bench(on(Thrown, slow, queue=QUEUE))
    deliver_one(hub, fast=False)
    assert one(hub.db, "SELECT count(*) FROM done") == 1
    assert one(hub.db, "SELECT count(*) FROM message") == 0
    assert one(hub.db, "SELECT count(*) FROM dead_letter") == 0


def test_nobody_can_take_a_message_inside_its_last_unit_of_work(bench: Open) -> None:
    def step(event: Thrown, db: Database) -> None:
        hub.db.run("UPDATE message SET due_at = now() - interval '1 second'")
        with db.unit_of_work(last=True) as uow:
            assert hub.take() == []
            record(uow, 1, event.n)

    hub = bench(on(Thrown, step, queue=QUEUE))
    deliver_one(hub, fast=False)
    assert one(hub.db, "SELECT count(*) FROM done") == 1


@pytest.mark.parametrize("fast", [True, False], ids=["one unit", "claimed"])
@pytest.mark.parametrize(
    "error",
    [Temporary("the shop is away"), Unknown("no answer"), KeyError("bug")],
    ids=lambda e: type(e).__name__,
)
def test_a_failure_is_tried_again_later(bench: Open, fast: bool, error: Exception) -> None:
    hub = bench(on(Thrown, throwing(error), queue=QUEUE, one_unit=fast, retries=2))
    deliver_one(hub, fast=fast)
    assert one(hub.db, "SELECT count(*) FROM done") == 0
    ((state, attempts, fence, text, delay),) = rows(
        hub.db,
        "SELECT state, attempts, fence, last_error, extract(epoch FROM due_at - now())::float FROM message",
    )
    assert (state, attempts, fence) == (0, 1, 2 if fast else 3)
    assert text == ("KeyError: 'bug'" if isinstance(error, KeyError) else str(error))
    assert -1 < delay <= 4
    assert hub.leases.held() == []
    assert one(hub.db, "SELECT count(*) FROM dead_letter") == 0


def test_the_other_sides_wish_to_wait_is_honoured(bench: Open) -> None:
    hub = bench(on(Thrown, throwing(Temporary("429", retry_after=300)), queue=QUEUE))
    deliver_one(hub, fast=False)
    assert 299 < one(hub.db, "SELECT extract(epoch FROM due_at - now())::float FROM message") <= 300


@pytest.mark.parametrize("fast", [True, False], ids=["one unit", "claimed"])
def test_permanent_becomes_a_dead_letter_at_once(bench: Open, fast: bool) -> None:
    error = Permanent("This will never do: ck_0123456789abcdef.")
    hub = bench(on(Thrown, throwing(error), queue=QUEUE, one_unit=fast))
    with hub.db.unit_of_work() as uow:
        uow.emit(Thrown(tenant=4, lane="feed:9", n=77))
    (taken,) = hub.take()
    hub.deliver(taken, fast=fast)
    assert one(hub.db, "SELECT count(*) FROM message") == 0
    assert one(hub.db, "SELECT count(*) FROM done") == 0
    with hub.db.unit_of_work() as uow:
        (letter,) = queues.dead_letters(uow)
        assert queues.count_dead_letters(uow) == 1
    assert (letter.message_id, letter.tenant, letter.lane, letter.queue) == (taken.id, 4, "feed:9", QUEUE)
    assert (letter.event, letter.payload, letter.attempts) == ("Thrown", {"n": 77}, 1)
    assert letter.error == "This will never do: ***."
    assert "raise error" in letter.traceback
    assert "ck_0123456789abcdef" not in letter.traceback
    assert letter.replayed_at is None


def test_an_exhausted_message_is_given_up_after_its_retries(bench: Open) -> None:
    hub = bench(on(Thrown, throwing(Temporary("away")), queue=QUEUE, one_unit=True, retries=2))
    throw(hub.db, 1)
    seen = []
    for _ in range(3):
        (taken,) = hub.take()
        hub.deliver(taken, fast=not taken.again)
        seen.append(rows(hub.db, "SELECT attempts FROM message"))
        hub.db.run("UPDATE message SET due_at = now()")
    assert seen == [[(1,)], [(2,)], []]
    assert rows(hub.db, "SELECT attempts, error FROM dead_letter") == [(3, "away")]


def test_replay_puts_the_message_back_once(bench: Open) -> None:
    broken = [Refused("no")]

    def step(event: Thrown, db: Database) -> None:
        if broken:
            raise broken.pop()
        with db.unit_of_work(last=True) as uow:
            record(uow, 1, event.n)

    hub = bench(on(Thrown, step, queue=QUEUE))
    died = deliver_one(hub, fast=False)
    with hub.db.unit_of_work() as uow:
        (letter,) = queues.dead_letters(uow)
        back = queues.replay(uow, letter.id)
    assert back != died
    assert rows(hub.db, "SELECT id, state, attempts, last_error FROM message") == [(back, 0, 0, None)]
    with pytest.raises(Refused, match="was replayed already"), hub.db.unit_of_work() as uow:
        queues.replay(uow, letter.id)
    (taken,) = hub.take()
    hub.deliver(taken, fast=False)
    assert rows(hub.db, "SELECT hop, n FROM done") == [(1, 0)]
    with hub.db.unit_of_work() as uow:
        assert queues.dead_letters(uow) == []
        (kept,) = queues.dead_letters(uow, replayed=True)
        assert kept.replayed_at is not None
        queues.drop(uow, kept.id)
        with pytest.raises(Refused, match="no dead letter"):
            queues.drop(uow, kept.id)


def test_a_step_without_a_last_unit_of_work_is_told_so(bench: Open) -> None:
    def forgetful(event: Thrown, db: Database) -> None:
        with db.unit_of_work() as uow:
            record(uow, 1, event.n)

    def idle(event: Caught, db: Database) -> None:
        """Returns without any."""

    hub = bench(on(Thrown, forgetful, queue=QUEUE), on(Caught, idle, queue=QUEUE, one_unit=True))
    deliver_one(hub, fast=False)
    with hub.db.unit_of_work() as uow:
        uow.emit(Caught(tenant=1, lane="a", n=1))
    (taken,) = hub.take()
    hub.deliver(taken, fast=True)
    errors = [text for (text,) in rows(hub.db, "SELECT error FROM dead_letter ORDER BY id")]
    assert len(errors) == 2
    assert all("returned without a last unit of work" in text for text in errors)


def test_a_one_unit_step_cannot_open_two_or_hide_its_error(bench: Open) -> None:
    def twice(event: Thrown, db: Database) -> None:
        with db.unit_of_work() as uow:
            record(uow, 1, event.n)

    def hiding(event: Caught, db: Database) -> None:
        try:
            with db.unit_of_work(last=True) as uow:
                record(uow, 2, event.n)
                raise KeyError("hidden")
        except KeyError:
            pass

    hub = bench(on(Thrown, twice, queue=QUEUE, one_unit=True), on(Caught, hiding, queue=QUEUE, one_unit=True))
    deliver_one(hub, fast=True)
    with hub.db.unit_of_work() as uow:
        uow.emit(Caught(tenant=1, lane="a", n=1))
    (taken,) = hub.take()
    hub.deliver(taken, fast=True)
    assert one(hub.db, "SELECT count(*) FROM done") == 0
    assert [text[:40] for (text,) in rows(hub.db, "SELECT error FROM dead_letter ORDER BY id")] == [
        "A step whose route says one_unit opens e",
        f"The step {hiding.__module__}."[:40],
    ]


def test_a_step_that_kills_its_worker_is_counted_and_given_up(bench: Open) -> None:
    """A crash leaves the row as it was claimed; here the crash is a delivery that never comes to its end."""
    hub = bench(on(Thrown, catch, queue=QUEUE, one_unit=True, retries=1))
    throw(hub.db, 1)
    (taken,) = hub.take()  # first crash: inside the one statement, which PostgreSQL rolls back
    for crash in (1, 2):
        hub.db.run("UPDATE message SET due_at = now() - interval '1 second'")
        (taken,) = hub.take()
        assert taken.again  # so it is not run fast, but claimed
        claimed = messages.claim(hub.db, taken.id, taken.fence, 60)
        assert claimed is not None
        assert claimed.attempts == crash
    hub.db.run("UPDATE message SET due_at = now() - interval '1 second'")
    (taken,) = hub.take()
    hub.deliver(taken, fast=False)
    assert one(hub.db, "SELECT count(*) FROM done") == 0
    ((attempts, error),) = rows(hub.db, "SELECT attempts, error FROM dead_letter")
    assert attempts == 3
    assert error.startswith("The worker died 2 times while it ran tests.broker_map.catch")


@pytest.mark.parametrize("fast", [True, False], ids=["one unit", "claimed"])
def test_an_interrupted_step_is_given_back_uncounted(bench: Open, fast: bool) -> None:
    hub = bench(on(Thrown, throwing(Stopping()), queue=QUEUE, one_unit=fast))
    deliver_one(hub, fast=fast)
    assert rows(hub.db, "SELECT state, attempts, due_at <= now() FROM message") == [(0, 0, True)]
    assert hub.leases.held() == []


def test_running_out_of_time_counts_as_a_failure(bench: Open) -> None:
    hub = bench(on(Thrown, throwing(TimeLimitExceeded()), queue=QUEUE, retries=0))
    deliver_one(hub, fast=False)
    assert rows(hub.db, "SELECT attempts, error FROM dead_letter") == [
        (1, "The step ran longer than its time limit and was interrupted.")
    ]


def test_a_message_for_another_version_waits_for_it(bench: Open) -> None:
    hub = bench(on(Thrown, catch, queue=QUEUE))
    throw(hub.db, 2)
    hub.db.run("UPDATE message SET step = 'feeds.later' WHERE payload->>'n' = '0'")
    hub.db.run("UPDATE message SET payload = '{\"m\": 1}' WHERE payload->>'n' = '1'")
    for taken in hub.take():
        hub.deliver(taken, fast=False)
    texts = [
        text for (text,) in rows(hub.db, "SELECT last_error FROM message WHERE attempts = 1 ORDER BY id")
    ]
    assert texts[0].startswith("This worker's map has no step feeds.later for the event Thrown")
    assert texts[1].startswith("This worker does not understand the payload of Thrown")


def test_a_failure_the_database_could_not_record_leaves_the_lease(bench: Open, database_url: str) -> None:
    hub = bench(on(Thrown, catch, queue=QUEUE))
    throw(hub.db, 1)
    (taken,) = hub.take()
    away = Bench(Database("postgresql://nobody@127.0.0.1:1/none", hub.db.routes))
    away.deliver(taken, fast=False)
    assert away.leases.held() == []
    assert rows(hub.db, "SELECT state, attempts FROM message") == [(1, 0)]


def test_runs_are_added_up_by_step_and_minute(bench: Open) -> None:
    hub = bench(
        on(Thrown, catch, queue=QUEUE, one_unit=True),
        on(Caught, throwing(Temporary("x")), queue="bad", one_unit=True),
    )
    throw(hub.db, 3)
    for taken in hub.take():
        hub.deliver(taken, fast=True)
    hub.history.write()
    for taken in hub.take("bad"):
        hub.deliver(taken, fast=True)
    hub.history.write()
    hub.history.write()
    with hub.db.unit_of_work() as uow:
        found = queues.step_minutes(uow)
    totals: dict[str, tuple[int, int]] = {}
    for entry in found:
        count, failed = totals.get(entry.step, (0, 0))
        totals[entry.step] = (count + entry.count, failed + entry.failed)
        assert entry.max_ms >= entry.mean_ms >= 0
    assert totals["tests.broker_map.catch"] == (3, 0)
    (bad,) = [step for step in totals if step.endswith("fail")]
    assert totals[bad] == (3, 3)
