"""The only sender: rings RabbitMQ for due messages, in fair turns and only a few ahead of the workers.

What lies in RabbitMQ is first in, first out; keeping little there is what keeps a small lane from waiting behind a
large one. One relay works at a time, the others stand by on an advisory lock.
"""

import signal
import time
from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Any

import psycopg
from pika.adapters.select_connection import IOLoop

from core import log
from core.broker import messages
from core.broker.face import message_of
from core.broker.publisher import Key, Publisher
from core.broker.running import index
from core.database import CHANNEL, Database, Route, connect
from core.errors import EntrepotError, Misconfigured
from core.settings import Settings, load

AHEAD = 8  # messages published and unfinished, per worker thread
LEASE = 120.0  # seconds after which a message RabbitMQ lost is published again; workers renew what they hold
TICK = 1.0  # seconds between two looks at everything
GOODBYE = 3.0  # seconds RabbitMQ has to close the connection
PAUSE = 0.005  # seconds from one take to the next
LOCK = 6_303_421  # the advisory lock of the relay that works
STALLED = "30s"  # a relay that is stopped for so long loses its session, and with it the lock

_UNFINISHED = "SELECT id, queue FROM message WHERE state > 0 AND due_at > now()"
_STILL = "SELECT id FROM message WHERE id = ANY(%s) AND state > 0 AND due_at > now()"

_log = log.logger("relay")


def room(queue: str, unfinished: Counter[str], window: int, queues: int) -> int:
    """How many more messages of `queue` may be published, where `window` may be unfinished over all queues.

    Half of the window belongs to the queues in equal parts, the rest to whoever comes first: a queue of slow
    steps cannot keep the others out, and a single busy one gets more than its part.
    """
    part = window // (2 * queues)
    lent = sum(max(0, count - part) for count in unfinished.values())
    return max(0, part - unfinished[queue]) + max(0, window - part * queues - lent)


class Relay:
    """One connection to PostgreSQL, one to RabbitMQ, one thread. Losing PostgreSQL ends it: it must be restarted."""

    def __init__(self, settings: Settings, database: Database, *, lease: float = LEASE) -> None:
        self._threads = settings.threads
        self._database = database
        self._lease = lease
        self._routes = index(database.routes)
        self._loop = IOLoop()
        self._sql = database.connection(autocommit=True)
        self._sql.execute(f"SET idle_session_timeout = '{STALLED}'")
        self._sql.execute(f"LISTEN {CHANNEL}")
        queues = {route.queue for route in database.routes}
        self._publisher = Publisher(
            self._loop, settings.amqp_url, settings.amqp_queue_type, queues, self._give_back
        )
        self._leads = False
        self._wanted: set[str] = set()  # queues that may have something due
        self._after = dict.fromkeys(queues, "")
        self._unfinished: dict[int, str] = {}
        self._timer: object = None
        self._pumped = 0.0
        self.stopping = False

    def run(self) -> None:
        """Works until `stopping`. Raises psycopg.OperationalError where PostgreSQL is lost."""
        self._publisher.connect()
        self._loop.add_handler(self._sql.fileno(), self._rung, self._loop.READ)
        self._tick()
        self._loop.start()
        self._sql.close()

    def _tick(self) -> None:
        if self.stopping:
            self._give_back(self._publisher.close())
            self._loop.call_later(GOODBYE, self._loop.stop)
            return
        self._lead()
        self._publisher.look()
        self._wanted.update(self._after)
        self._rung()
        self._loop.call_later(TICK, self._tick)

    def _lead(self) -> None:
        """Asking again while leading tells, too, whether PostgreSQL is still there."""
        if self._leads:
            self._refresh()
            return
        row = self._sql.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
        if row and row[0]:
            self._leads = True
            self._unfinished = dict(self._sql.execute(_UNFINISHED).fetchall())
            _log.info("relaying", unfinished=len(self._unfinished))

    def _rung(self, *_: Any) -> None:
        """Bells are answered at once, but not more often than every PAUSE."""
        self._hear()
        if self._wanted and self._timer is None:
            self._timer = self._loop.call_later(max(0.0, self._pumped + PAUSE - time.monotonic()), self._pump)

    def _hear(self) -> None:
        for notice in self._sql.notifies(timeout=0):
            if notice.payload in self._after:
                self._wanted.add(notice.payload)

    def _pump(self) -> None:
        self._timer = None
        self._pumped = time.monotonic()
        if self._leads and not self.stopping:
            for queue in sorted(self._wanted):
                self._publish_due(queue)
            self._rung()  # what was rung meanwhile, and what is left

    def _publish_due(self, queue: str) -> None:
        consumers = self._publisher.consumers
        if not consumers[queue]:
            self._wanted.discard(queue)  # nobody listens; what lies unread would only grow old
            return
        window = AHEAD * self._threads * max(consumers.values())
        free = self._room(queue, window)
        if free < window // 2 and self._unfinished:
            self._refresh()
            free = self._room(queue, window)
        if not free:
            return
        taken = messages.take(self._sql, queue, free, self._lease, self._after[queue])
        if not taken:
            self._wanted.discard(queue)
            return
        self._after[queue] = taken[-1].lane
        for one in taken:
            self._unfinished[one.id] = queue
            self._publisher.publish((one.id, one.fence), message_of(queue, one, self._routes))

    def _room(self, queue: str, window: int) -> int:
        return room(queue, Counter(self._unfinished.values()), window, len(self._after))

    def _refresh(self) -> None:
        """Forgets what is finished, given back or overdue."""
        still = {row[0] for row in self._sql.execute(_STILL, (list(self._unfinished),)).fetchall()}
        self._unfinished = {key: queue for key, queue in self._unfinished.items() if key in still}

    def _give_back(self, keys: list[Key]) -> None:
        """Messages that may not have arrived are due again; should they arrive all the same, the fence tells."""
        messages.give_back(self._database, keys)
        self._wanted.update(self._after)


def relay(settings: Settings, routes: Sequence[Route], *, lease: float = LEASE) -> int:
    """Relays until SIGTERM or SIGINT: 0. PostgreSQL was lost: 1, and whoever started this starts it again."""
    if not settings.amqp_url:
        raise Misconfigured("There is nothing to relay to: ENTREPOT_AMQP_URL names no RabbitMQ.")
    database = connect(settings, routes, pool_size=1)
    try:
        working = Relay(settings, database, lease=lease)

        def stop(_number: int, _frame: FrameType | None) -> None:
            working.stopping = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        began = time.monotonic()
        working.run()
        _log.info("stopped", after=round(time.monotonic() - began))
        return 0
    except (psycopg.OperationalError, EntrepotError) as error:
        _log.critical("the relay ends, to be started again", error=str(error).strip())
        return error.exit_code if isinstance(error, EntrepotError) else 1
    finally:
        database.close()


def main(settings: Settings | None = None) -> int:
    """The process `python -m pipelines.relay`."""
    from pipelines.routes import ROUTES

    settings = settings or load()
    log.configure(settings.log_level)
    return relay(settings, ROUTES, lease=2 * settings.lease_seconds)


if __name__ == "__main__":
    raise SystemExit(main())
