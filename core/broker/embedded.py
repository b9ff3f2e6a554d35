"""A Dramatiq broker that is the message table itself: for every installation without a RabbitMQ."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import psycopg
from dramatiq import Broker, Consumer, Message, MessageProxy
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware

from core.broker import messages
from core.broker.doorbell import Doorbell
from core.broker.face import message_of
from core.broker.leases import Leases
from core.broker.messages import Taken
from core.broker.running import index
from core.database import Database
from core.errors import Permanent, Temporary, Unknown

POLL = 1.0  # seconds: how late a lost ring or a passed delay may be noticed


class EmbeddedBroker(Broker):
    """Takes due messages in fair turns, straight into the worker's threads."""

    def __init__(self, database: Database, leases: Leases, middleware: list[Middleware]) -> None:
        super().__init__(middleware=middleware)
        self.database = database
        self.leases = leases
        self.routes = index(database.routes)
        self.doorbell = Doorbell(database, {route.queue for route in database.routes})

    def start(self) -> None:
        """Starts listening for new messages."""
        self.doorbell.start()

    def close(self) -> None:
        """Stops listening."""
        self.doorbell.stop()

    def declare_queue(self, queue_name: str) -> None:
        """Makes a queue known; it lives in the rows of the message table."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:
        """A consumer of one queue; `timeout` is in milliseconds."""
        if queue_name not in self.queues:
            raise Permanent(f"No step waits in the queue {queue_name}.")
        return EmbeddedConsumer(self, queue_name, prefetch, timeout / 1000)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Refused: what is to be done begins as a row, stored with the work that caused it."""
        raise Permanent("Messages are emitted in a unit of work (uow.emit), never enqueued.")

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Refused: wait for the rows themselves, which also know of messages that come later."""
        raise Permanent("Wait for the message table to be empty instead of joining the broker.")


class EmbeddedConsumer(Consumer):
    """Holds at most `prefetch` messages of its queue in this process, waiting or running."""

    def __init__(self, broker: EmbeddedBroker, queue: str, prefetch: int, timeout: float) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._timeout = timeout
        self._bell = broker.doorbell.bell(queue)
        self._after = ""  # the lane served last
        self._taken: deque[Taken] = deque()
        try:
            self._connection = broker.database.connection(autocommit=True)
        except (psycopg.OperationalError, Temporary) as error:
            raise _closed(error) from None

    def __next__(self) -> MessageProxy | None:
        """The next message, or None after the time-out; ConnectionClosed where PostgreSQL is gone."""
        if not self._taken:
            self._take()
        if not self._taken:
            return None
        taken = self._taken.popleft()
        return MessageProxy(message_of(self._queue, taken, self._broker.routes))

    def ack(self, message: MessageProxy) -> None:
        """Nothing to do: the row says whether the message is finished."""

    def nack(self, message: MessageProxy) -> None:
        """Refused in our own way: it comes again when its lease passes."""
        self._broker.leases.drop(message.args[0], message.args[1])

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Gives messages back that no thread has begun."""
        self._give_back([(message.args[0], message.args[1]) for message in messages])

    def close(self) -> None:
        """Gives back what was taken and not handed out."""
        try:
            self._give_back([(taken.id, taken.fence) for taken in self._taken])
        finally:
            self._taken.clear()
            self._connection.close()

    def _take(self) -> None:
        room = self._broker.leases.wait_for_room(
            self._queue, self._prefetch, 1 + self._prefetch * 3 // 4, self._timeout
        )
        if not room:
            return
        self._bell.clear()  # before looking: a ring from now on is for something this look may miss
        try:
            taken = messages.take(
                self._connection, self._queue, room, self._broker.leases.seconds, self._after
            )
        except psycopg.OperationalError as error:
            raise _closed(error) from None
        for one in taken:
            self._broker.leases.hold(self._queue, one.id, one.fence)
        self._taken.extend(taken)
        if taken:
            self._after = taken[-1].lane
        else:
            self._bell.wait(min(self._timeout, POLL))

    def _give_back(self, held: list[tuple[int, int]]) -> None:
        if not held:
            return
        try:
            messages.give_back(self._broker.database, held)
        except (Temporary, Unknown) as error:
            raise _closed(error) from None
        finally:
            for message_id, fence in held:
                self._broker.leases.drop(message_id, fence)


def _closed(error: Exception) -> ConnectionClosed:
    """What makes Dramatiq start the consumer again in three seconds."""
    return ConnectionClosed(error)  # type: ignore[no-untyped-call]
