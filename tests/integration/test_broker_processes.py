"""Real workers and relays on both brokers: killed, stopped and restarted in the middle; nothing lost, nothing twice."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pika.exceptions import ChannelClosedByBroker

from core.broker.rabbitmq import parameters, queue_arguments
from tests.broker_map import Stuck, throw
from tests.stepping import one, rows
from tests.workers import Works, rabbit, until

Make = Callable[..., Works]


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def works(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes the works of a test, on each broker."""
    url = request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else ""
    yield from _made(database_url, url, tmp_path)


@pytest.fixture
def on_rabbit(database_url: str, amqp_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes the works of a test on RabbitMQ alone."""
    yield from _made(database_url, amqp_url, tmp_path)


def _made(database_url: str, amqp_url: str, folder: Path) -> Iterator[Make]:
    made: list[Works] = []

    def make(**settings: object) -> Works:
        made.append(Works(database_url, amqp_url, folder, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one_works in made:
        one_works.stop()


def test_two_hops_run_once_each(works: Make) -> None:
    hub = works()
    hub.start_all(workers=2)
    throw(hub.db, 300)
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(300)


def test_workers_killed_in_the_middle_lose_and_double_nothing(works: Make) -> None:
    hub = works(pause=0.01)
    first, second, *_ = hub.start_all(workers=2)
    throw(hub.db, 400)
    for victim, reached in ((first, 40), (second, 250)):
        until(lambda reached=reached: hub.done() >= reached)
        victim.kill()
        victim.wait()
        hub.start("worker")
    assert hub.left() > 0  # they were killed with work before them
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(400)
    assert len(rows(hub.db, "SELECT DISTINCT pid FROM done")) >= 3


def test_a_stopped_worker_gives_back_and_leaves(works: Make) -> None:
    hub = works(pause=0.5, lease=60.0)
    process = hub.start_all(threads=2)[0]
    throw(hub.db, 40)
    until(lambda: one(hub.db, "SELECT count(*) FROM message WHERE state = 2") > 0)
    began = time.monotonic()
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - began < 30
    assert one(hub.db, "SELECT count(*) FROM message WHERE state = 2") == 0  # what ran was finished
    assert hub.left() > 20
    if not hub.amqp_url:
        assert one(hub.db, "SELECT count(*) FROM message WHERE state > 0") == 0  # what waited was given back
    assert one(hub.db, "SELECT count(*) FROM message WHERE attempts > 0") == 0
    hub.pause = 0.0
    hub.start("worker")
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(40)


def test_a_frozen_worker_is_overtaken_and_finds_nothing_when_it_wakes(works: Make) -> None:
    hub = works(pause=0.3, lease=1.0)
    process = hub.start_all()[0]
    throw(hub.db, 8)
    until(lambda: one(hub.db, "SELECT count(*) FROM message WHERE state = 2") > 0)
    process.send_signal(signal.SIGSTOP)
    hub.start("worker")
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(8)
    process.send_signal(signal.SIGCONT)
    throw(hub.db, 8, first=8)
    until(lambda: hub.left() == 0)
    process.terminate()
    assert process.wait(timeout=30) == 0
    hub.assert_exactly_once(16)


def test_a_step_that_hangs_is_interrupted_and_given_up(works: Make) -> None:
    hub = works()
    process = hub.start_all(threads=1)[0]
    with hub.db.unit_of_work() as uow:
        uow.emit(Stuck(tenant=1, lane="shop:1", n=5))
    until(lambda: one(hub.db, "SELECT count(*) FROM dead_letter") == 1)
    assert rows(hub.db, "SELECT event, payload, attempts, error FROM dead_letter") == [
        ("Stuck", {"n": 5}, 1, "The step ran longer than its time limit and was interrupted.")
    ]
    throw(hub.db, 3)  # its thread works on
    until(lambda: hub.left() == 0)
    assert process.poll() is None


def test_a_step_that_hangs_is_given_back_when_its_worker_stops(works: Make) -> None:
    hub = works(seconds=600, finish=0.5, lease=60.0)
    process = hub.start_all(threads=1)[0]
    with hub.db.unit_of_work() as uow:
        uow.emit(Stuck(tenant=1, lane="shop:1", n=5))
    until(lambda: hub.done() == 1)
    process.terminate()
    assert process.wait(timeout=15) == 0
    # Given back uncounted; a relay may have published it anew since.
    assert rows(hub.db, "SELECT state < 2, attempts, fence >= 3 FROM message") == [(True, 0, True)]


def test_workers_survive_lost_connections_to_the_database(works: Make) -> None:
    hub = works()
    process = hub.start_all()[0]
    throw(hub.db, 200)
    until(lambda: hub.done() > 20)
    hub.db.run("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", (hub.backends(process),))
    throw(hub.db, 100, first=200)
    until(lambda: hub.left() == 0)
    assert process.poll() is None
    hub.assert_exactly_once(300)


# ---------------------------------------------------------------- RabbitMQ alone
@pytest.mark.rabbitmq
def test_the_relay_stays_a_few_messages_ahead(on_rabbit: Make) -> None:
    hub = on_rabbit(pause=0.02)
    hub.start_all(threads=2)
    throw(hub.db, 100, lanes=1)
    most = 0
    while hub.left():
        most = max(most, one(hub.db, "SELECT count(*) FROM message WHERE state > 0"))
    assert 8 < most <= 16  # 8 for each of one process's 2 threads
    hub.assert_exactly_once(100)


@pytest.mark.rabbitmq
def test_without_workers_nothing_is_published(on_rabbit: Make) -> None:
    hub = on_rabbit()
    relay = hub.start("relay")
    throw(hub.db, 10)
    until(lambda: _consumers(hub) == 0)  # declared by the relay
    with rabbit(hub.amqp_url) as channel:
        until(lambda: _ticks(hub, relay.pid) >= 2)
        assert channel.queue_declare(hub.queue, passive=True).method.message_count == 0
    assert one(hub.db, "SELECT count(*) FROM message WHERE state = 0 AND fence = 0") == 10
    hub.start("worker")
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(10)


def _ticks(hub: Works, pid: int, seen: set[object] = set()) -> int:  # noqa: B006 - remembers between calls
    """How many different statements the relay's session was seen to end: it looks once a second."""
    seen.update(
        rows(
            hub.db, "SELECT state_change FROM pg_stat_activity WHERE application_name = %s", f"entrepot {pid}"
        )
    )
    return len(seen) - 1


@pytest.mark.rabbitmq
def test_a_relay_that_lost_the_database_ends(on_rabbit: Make) -> None:
    hub = on_rabbit()
    worker, relay = hub.start_all()
    throw(hub.db, 5)
    until(lambda: hub.left() == 0)
    hub.db.run("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", (hub.backends(relay),))
    assert relay.wait(timeout=10) == 1
    assert "the relay ends, to be started again" in hub.said()
    throw(hub.db, 5, first=5)
    hub.start("relay")
    until(lambda: hub.left() == 0)
    assert worker.poll() is None
    hub.assert_exactly_once(10)


@pytest.mark.rabbitmq
def test_of_several_relays_one_works_and_another_takes_over(on_rabbit: Make) -> None:
    hub = on_rabbit(pause=0.005)
    _, *relays = hub.start_all(relays=3)
    throw(hub.db, 200)
    until(lambda: hub.done() > 20)
    ((holder,),) = rows(
        hub.db,
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
        "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted",
    )
    (leader,) = [relay for relay in relays if holder == f"entrepot {relay.pid}"]
    leader.kill()
    leader.wait()
    assert hub.left() > 0
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(200)
    for relay in relays:
        if relay is not leader:
            relay.terminate()
            assert relay.wait(timeout=10) == 0


@pytest.mark.rabbitmq
def test_quorum_queues_by_setting_and_no_delay_queue(on_rabbit: Make) -> None:
    hub = on_rabbit(queue_type="quorum")
    hub.start_all()
    throw(hub.db, 50)
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(50)
    with rabbit(hub.amqp_url) as channel:
        for name in (hub.queue, f"{hub.queue}.XQ"):
            channel.queue_declare(name, durable=True, passive=True)
    with rabbit(hub.amqp_url) as channel, pytest.raises(Exception, match="404"):
        channel.queue_declare(f"{hub.queue}.DQ", passive=True)
    with rabbit(hub.amqp_url) as channel, pytest.raises(Exception, match="inequivalent arg 'x-queue-type'"):
        channel.queue_declare(hub.queue, durable=True, arguments=queue_arguments(hub.queue, "classic"))


@pytest.mark.rabbitmq
def test_a_queue_of_another_type_is_told_in_one_sentence(on_rabbit: Make) -> None:
    hub = on_rabbit()
    with rabbit(hub.amqp_url) as channel:
        channel.queue_declare(hub.queue, durable=True, arguments={"x-max-length": 5})
    assert hub.start("relay").wait(timeout=20) == 2
    assert "delete it there, or set ENTREPOT_AMQP_QUEUE_TYPE" in hub.said()


@pytest.mark.rabbitmq
def test_a_foreign_message_is_put_aside_and_the_rest_goes_on(on_rabbit: Make) -> None:
    hub = on_rabbit()
    hub.start("worker")
    with rabbit(hub.amqp_url) as channel:
        until(lambda: _consumers(hub) == 1)
        channel.confirm_delivery()
        for body in (b"nonsense", b'{"queue_name":"q","actor_name":"x","args":[1],"kwargs":{},"options":{}}'):
            channel.basic_publish("", hub.queue, body)
        hub.start("relay")
        throw(hub.db, 20)
        until(lambda: hub.left() == 0)
        until(lambda: channel.queue_declare(f"{hub.queue}.XQ", passive=True).method.message_count == 2)
    hub.assert_exactly_once(20)


def _consumers(hub: Works) -> int | None:
    """How many listen to the queue; None while it is not declared."""
    with rabbit(hub.amqp_url) as channel:
        try:
            return int(channel.queue_declare(hub.queue, passive=True).method.consumer_count)
        except ChannelClosedByBroker:
            return None


@pytest.mark.rabbitmq
def test_a_deleted_queue_is_declared_again(on_rabbit: Make) -> None:
    hub = on_rabbit(lease=1.0)
    hub.start_all()
    throw(hub.db, 20)
    until(lambda: hub.left() == 0)
    with rabbit(hub.amqp_url) as channel:
        channel.queue_delete(hub.queue)
    throw(hub.db, 20, first=20)
    until(lambda: hub.left() == 0)
    hub.assert_exactly_once(40)


def test_an_address_that_is_none_is_told() -> None:
    from core.errors import Misconfigured

    with pytest.raises(Misconfigured, match="ENTREPOT_AMQP_URL is not usable"):
        parameters("http://localhost:notaport")
