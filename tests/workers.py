"""Real worker and relay processes for tests, and waiting for conditions instead of time."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pika
import psycopg

from core.broker.rabbitmq import parameters
from core.database import CHANNEL, Database
from tests.broker_map import prepare, routes
from tests.stepping import one, rows

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0


def pause(seconds: float = 0.02) -> None:
    """Leaves the processor to others between two looks."""
    select.select([], [], [], seconds)


def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Waits until `condition` holds; fails when it takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        pause()


@dataclass
class Works:
    """A database, a queue of its own, and the processes that work on it. `amqp_url` "" means embedded."""

    database_url: str
    amqp_url: str
    folder: Path
    lease: float = 2.0
    queue_type: str = "classic"
    pause: float = 0.0
    seconds: int = 1  # the time limit of the step that hangs
    finish: float = 18.0
    queue: str = field(default_factory=lambda: f"ring-{uuid.uuid4().hex[:12]}")
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.db = Database(self.database_url, routes(self.queue))
        prepare(self.db)

    def start(self, what: str = "worker", *, threads: int = 4) -> subprocess.Popen[bytes]:
        """A process of its own: `worker` or `relay`. Its log goes to the test's folder."""
        environment = os.environ | {
            "ENTREPOT_DATABASE_URL": self.database_url,
            "ENTREPOT_AMQP_URL": self.amqp_url,
            "ENTREPOT_AMQP_QUEUE_TYPE": self.queue_type,
            "ENTREPOT_THREADS": str(threads),
            "TEST_QUEUE": self.queue,
            "TEST_LEASE": str(self.lease),
            "TEST_SECONDS": str(self.seconds),
            "TEST_FINISH": str(self.finish),
            "TEST_PAUSE": str(self.pause) if self.pause else "",
        }
        with (self.folder / f"{len(self.running)}-{what}.log").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.broker_process", what],
                cwd=CHECKOUT,
                env=environment,
                stderr=said,
            )
        self.running.append(process)
        return process

    def start_all(
        self, *, workers: int = 1, relays: int = 1, threads: int = 4
    ) -> list[subprocess.Popen[bytes]]:
        """Workers, and with RabbitMQ relays."""
        found = [self.start("worker", threads=threads) for _ in range(workers)]
        if self.amqp_url:
            found += [self.start("relay", threads=threads) for _ in range(relays)]
        return found

    def said(self) -> str:
        """Everything the processes have logged."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))

    def left(self) -> int:
        return int(one(self.db, "SELECT count(*) FROM message"))

    def done(self) -> int:
        return int(one(self.db, "SELECT count(*) FROM done"))

    def assert_exactly_once(self, count: int) -> None:
        """0 lost, 0 double, 0 stuck: both hops of every message ran once and nothing is left."""
        assert rows(
            self.db,
            "SELECT hop, count(*), count(DISTINCT n), min(n), max(n) FROM done GROUP BY hop ORDER BY hop",
        ) == [(1, count, count, 0, count - 1), (2, count, count, 0, count - 1)], self.said()[-4000:]
        assert self.left() == 0
        assert one(self.db, "SELECT count(*) FROM dead_letter") == 0

    def backends(self, of: subprocess.Popen[bytes]) -> list[int]:
        """The PostgreSQL connections of one of our processes."""
        name = f"entrepot {of.pid}"
        return [
            pid
            for (pid,) in rows(self.db, "SELECT pid FROM pg_stat_activity WHERE application_name = %s", name)
        ]

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self.db.close()
        if self.amqp_url:
            with contextlib.suppress(pika.exceptions.AMQPError), rabbit(self.amqp_url) as channel:
                for name in (self.queue, f"{self.queue}.XQ"):
                    channel.queue_delete(name)


@contextlib.contextmanager
def rabbit(url: str) -> Iterator["pika.adapters.blocking_connection.BlockingChannel"]:
    """A channel to look into RabbitMQ with."""
    connection = pika.BlockingConnection(parameters(url))
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


def listener(database_url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that hears what is rung."""
    connection = psycopg.connect(database_url, autocommit=True)
    connection.execute(f"LISTEN {CHANNEL}")
    return connection
