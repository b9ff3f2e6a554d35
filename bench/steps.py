"""How many steps a second one worker process runs on each broker, and how soon after a commit a step begins.

A step is one small insert in one unit of work. The rate is that of one worker process with 8 threads over 6,000
messages that wait in 8 lanes, without the first and last twentieth. The denominator is one process with 8 threads and
8 bare psycopg connections that does the same for each message: delete it by id and fence, insert the row, commit; it
need not find the messages, share them fairly or survive anything. Latency is measured at 100 emits a second for ten
seconds on an otherwise idle hub: from the moment between commit and NOTIFY to the step's first line. Each figure is the
median of ROUNDS rounds in which all candidates take turns.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pika
import psycopg

from bench.places import database
from core.broker.messages import claim_and_finish
from core.broker.rabbitmq import parameters
from core.database import Database, Event, UnitOfWork, on
from core.settings import CHECKOUT, load
from sandbox.rabbitmq import NoRabbit, OwnRabbit
from sandbox.services import folder as services_folder
from sandbox.services import up as rabbit_up

ROUNDS = 3
MESSAGES = 6_000
THREADS = 8
EMITS, EMIT_SECONDS = 100, 10  # a second, for so many seconds
QUEUE = os.environ.get("BENCH_QUEUE", "bench")
PATIENCE = 180.0

INSERT = "INSERT INTO bench_step (n, began) VALUES (%s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped(Event):
    """The event of the step that is measured."""

    n: int


def insert_one(event: Stepped, db: Database) -> None:
    """One small insert in one unit of work."""
    began = time.time()
    with db.unit_of_work(last=True) as uow:
        uow.cursor().execute(INSERT, (event.n, began))


class Stamped(UnitOfWork):
    """Notes the moment between its commit and its NOTIFY."""

    committed: float = 0.0

    def _notify(self) -> None:
        self.committed = time.time()
        super()._notify()


def routes() -> tuple[Any, ...]:
    step: Any = insert_one
    step.__module__ = "bench.steps"  # also where this file is __main__
    return (on(Stepped, insert_one, queue=QUEUE, one_unit=True),)


def measure() -> dict[str, Any]:
    """{"rabbitmq": {"steps_per_s", "p50_ms", "p99_ms", "ratio"}, "embedded": {…}}; null without RabbitMQ."""
    figures: dict[str, list[dict[str, float]]] = {"rabbitmq": [], "embedded": []}
    with database() as url, _rabbit() as amqp_url:
        candidates = {"embedded": ""} | ({"rabbitmq": amqp_url} if amqp_url else {})
        for number in range(1, ROUNDS + 1):
            bare = _bare_rate(url)
            for name, address in candidates.items():
                rate = _rate(url, address)
                p50, p99 = _latency(url, address)
                figures[name].append(
                    {"steps_per_s": rate, "p50_ms": p50, "p99_ms": p99, "ratio": rate / bare}
                )
                _say(
                    f"round {number} of {ROUNDS}, {name}: {rate:.0f} steps/s, bare loop {bare:.0f}/s, "
                    f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
                )
    return {name: _medians(rounds) for name, rounds in figures.items()}


def _medians(rounds: list[dict[str, float]]) -> dict[str, float | None]:
    digits = {"steps_per_s": 0, "p50_ms": 2, "p99_ms": 2, "ratio": 2}
    return {
        key: round(statistics.median(entry[key] for entry in rounds), places or None) if rounds else None
        for key, places in digits.items()
    }


# ---------------------------------------------------------------- the three measurements
def _rate(url: str, amqp_url: str) -> float:
    with _fresh(url) as db, _processes(url, amqp_url):
        _emit(db, 1)  # until everything is up
        _until_empty(db)
        db.run("TRUNCATE bench_step")
        _emit(db, MESSAGES)
        _until_empty(db)
        ((count, distinct, rate),) = db.run(
            "WITH middle AS (SELECT n, stored, percent_rank() OVER (ORDER BY stored) AS part FROM bench_step) "
            "SELECT (SELECT count(*) FROM bench_step), (SELECT count(DISTINCT n) FROM bench_step), "
            "(count(*) - 1) / extract(epoch FROM max(stored) - min(stored)) FROM middle WHERE part BETWEEN 0.05 AND 0.95"
        )
        assert (count, distinct) == (MESSAGES, MESSAGES), f"{count} runs of {distinct} messages"
        return float(rate)


def _latency(url: str, amqp_url: str) -> tuple[float, float]:
    committed: dict[int, float] = {}
    with _fresh(url) as db, _processes(url, amqp_url):
        _emit(db, 1)
        _until_empty(db)
        pause = threading.Event()
        began = time.monotonic()
        for n in range(1, EMITS * EMIT_SECONDS + 1):
            pause.wait(max(0.0, began + n / EMITS - time.monotonic()))
            with Stamped(db._engine, db._routes_of) as uow:
                uow.emit(Stepped(tenant=1, lane="feed:1", n=n))
            committed[n] = uow.committed
        _until_empty(db)
        waits = sorted(
            began - committed[n] for n, began in db.run("SELECT n, began FROM bench_step WHERE n > 0")
        )
    assert len(waits) == len(committed), f"{len(waits)} runs of {len(committed)} messages"
    centiles = statistics.quantiles(waits, n=100)
    return centiles[49] * 1000, centiles[98] * 1000


def _bare_rate(url: str) -> float:
    with _fresh(url) as db:
        _emit(db, MESSAGES)
        done = subprocess.run(
            [sys.executable, "-m", "bench.steps", "bare", url],
            cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=PATIENCE,
        )  # fmt: skip
        return float(done.stdout)


def _bare(url: str) -> float:
    with psycopg.connect(url) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM message ORDER BY id").fetchall()]
    ready, ends = threading.Barrier(THREADS + 1), []

    def loop(part: list[int]) -> None:
        with psycopg.connect(url) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT 1")
            connection.commit()
            ready.wait()
            for message_id in part:
                found = claim_and_finish(cursor, message_id, 0)
                assert found is not None
                cursor.execute(INSERT, (found.payload["n"], time.time()))
                connection.commit()
            ends.append(time.monotonic())

    threads = [threading.Thread(target=loop, args=(ids[part::THREADS],)) for part in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return len(ids) / (max(ends) - began)


# ---------------------------------------------------------------- what they stand on
@contextlib.contextmanager
def _rabbit() -> Iterator[str]:
    """The AMQP address of the broker named to us or of our own, which is stopped if we started it; else ""."""
    own = OwnRabbit(services_folder())
    ours = not os.environ.get("ENTREPOT_AMQP_URL") and not own.running()
    try:
        url = rabbit_up()
    except NoRabbit as error:
        _say(f"without RabbitMQ, its figures stay empty: {error}")
        yield ""
        return
    try:
        yield url
    finally:
        with contextlib.suppress(pika.exceptions.AMQPError):
            connection = pika.BlockingConnection(parameters(url))
            for queue in (QUEUE, f"{QUEUE}.XQ"):
                connection.channel().queue_delete(queue)
            connection.close()
        if ours:
            own.down()


@contextlib.contextmanager
def _fresh(url: str) -> Iterator[Database]:
    db = Database(url, routes())
    db.run("DROP TABLE IF EXISTS bench_step")
    db.run("CREATE TABLE bench_step (n int, began float, stored timestamptz DEFAULT clock_timestamp())")
    db.run("TRUNCATE message")
    try:
        yield db
    finally:
        db.close()


@contextlib.contextmanager
def _processes(url: str, amqp_url: str) -> Iterator[None]:
    environment = os.environ | {
        "ENTREPOT_DATABASE_URL": url,
        "ENTREPOT_AMQP_URL": amqp_url,
        "ENTREPOT_THREADS": str(THREADS),
        "ENTREPOT_LOG_LEVEL": "WARNING",
        "BENCH_QUEUE": QUEUE,
    }
    running = [
        subprocess.Popen([sys.executable, "-m", "bench.steps", what], cwd=CHECKOUT, env=environment)
        for what in (["worker", "relay"] if amqp_url else ["worker"])
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=40)


def _emit(db: Database, count: int) -> None:
    with db.unit_of_work() as uow:
        for n in range(count):
            uow.emit(Stepped(tenant=1, lane=f"feed:{n % 8}", n=n))


def _until_empty(db: Database) -> None:
    deadline, pause = time.monotonic() + PATIENCE, threading.Event()
    while db.run("SELECT EXISTS (SELECT FROM message)") != [(False,)]:
        assert time.monotonic() < deadline, "the messages are not finished in time"
        pause.wait(0.05)


def _say(what: str) -> None:
    print(f"entrepot: {what}", file=sys.stderr)


def _run(what: str, *arguments: str) -> int:
    from core import log

    log.configure(load().log_level)
    if what == "bare":
        print(_bare(*arguments))
        return 0
    if what == "worker":
        from pipelines.worker import work

        work(load(), routes())
        sys.stderr.flush()
        os._exit(0)
    from pipelines.relay import relay

    return relay(load(), routes())


if __name__ == "__main__":
    sys.exit(_run(*sys.argv[1:]))
