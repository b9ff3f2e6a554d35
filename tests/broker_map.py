"""A small map of its own for tests of the machinery, and a bench to run its messages on in the test's own thread."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dramatiq import Message, MessageProxy

from core.broker import messages
from core.broker.failures import Failures
from core.broker.history import History
from core.broker.leases import Leases
from core.broker.messages import Taken
from core.broker.running import Runner
from core.database import Database, Event, Route, on

QUEUE = os.environ.get("TEST_QUEUE", "ring")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrown(Event):
    """First hop: one unit of work."""

    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught(Event):
    """Second hop: claimed, in two units of work."""

    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck(Event):
    """Wakes a step that hangs."""

    n: int


def catch(event: Thrown, db: Database) -> None:
    """Records the first hop and causes the second."""
    with db.unit_of_work(last=True) as uow:
        record(uow, 1, event.n)
        uow.emit(Caught(tenant=event.tenant, lane=event.lane, n=event.n))


def keep(event: Caught, db: Database) -> None:
    """Records the second hop in its last unit of work; the first one only reads."""
    with db.unit_of_work() as uow:
        uow.cursor().execute("SELECT 1")
    if pause := os.environ.get("TEST_PAUSE"):
        threading.Event().wait(float(pause))
    with db.unit_of_work(last=True) as uow:
        record(uow, 2, event.n)


def spin(event: Stuck, db: Database) -> None:
    """Never ends by itself."""
    with db.unit_of_work() as uow:
        uow.cursor().execute("INSERT INTO done (hop, n, pid) VALUES (3, %s, %s)", (event.n, os.getpid()))
    while True:
        threading.Event().wait(0.01)


def record(uow: Any, hop: int, n: int) -> None:
    """One row a run; a second run of the same hop would be a second row."""
    uow.cursor().execute("INSERT INTO done (hop, n, pid) VALUES (%s, %s, %s)", (hop, n, os.getpid()))


def routes(queue: str = QUEUE) -> tuple[Route, ...]:
    return (
        on(Thrown, catch, queue=queue, one_unit=True),
        on(Caught, keep, queue=queue),
        on(Stuck, spin, queue=queue, retries=0, seconds=int(os.environ.get("TEST_SECONDS", "1"))),
    )


def prepare(db: Database) -> None:
    """The table the steps write to. No key: doubles must be visible."""
    db.run("CREATE TABLE done (hop int, n int, pid int, at timestamptz DEFAULT clock_timestamp())")


def throw(db: Database, count: int, *, lanes: int = 3, first: int = 0) -> None:
    """Emits `count` first hops in one unit of work."""
    with db.unit_of_work() as uow:
        for n in range(first, first + count):
            uow.emit(Thrown(tenant=1, lane=f"feed:{n % lanes}", n=n))


@dataclass
class Bench:
    """Runs deliveries in the test's own thread exactly as a worker's thread would, Failures included."""

    db: Database
    lease: float = 60.0
    leases: Leases = field(init=False)
    history: History = field(init=False)
    runner: Runner = field(init=False)
    failures: Failures = field(init=False)

    def __post_init__(self) -> None:
        self.leases = Leases(self.db, self.lease)
        self.history = History(self.db)
        self.runner = Runner(self.db, self.leases, self.history)
        self.failures = Failures(self.db, self.leases, self.runner)

    def take(self, queue: str = QUEUE, count: int = 100, after: str = "") -> list[Taken]:
        with self.db.connection(autocommit=True) as connection:
            return messages.take(connection, queue, count, self.lease, after)

    def deliver(self, taken: Taken, *, fast: bool) -> None:
        self.leases.hold(QUEUE, taken.id, taken.fence)
        proxy = MessageProxy(
            Message(
                queue_name=QUEUE, actor_name=QUEUE, args=(taken.id, taken.fence, fast), kwargs={}, options={}
            )
        )
        try:
            self.runner(taken.id, taken.fence, fast)
        except BaseException as error:
            self.failures.after_process_message(None, proxy, exception=error)  # type: ignore[arg-type]
        else:
            self.failures.after_process_message(None, proxy)  # type: ignore[arg-type]

    def until_empty(self, moved: Callable[[], None] = lambda: None) -> None:
        while found := self.take():
            for taken in found:
                self.deliver(taken, fast=not taken.again)
                moved()
