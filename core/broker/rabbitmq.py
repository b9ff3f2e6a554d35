"""Dramatiq's RabbitMQ broker with what it lacks: quorum queues, no delay queues, leases of what was delivered."""

from collections.abc import Iterable
from typing import Any

import pika
from dramatiq import Message, MessageProxy
from dramatiq.brokers.rabbitmq import DEAD_MESSAGE_TTL, RabbitmqBroker, _RabbitmqConsumer
from dramatiq.common import xq_name
from dramatiq.middleware import Middleware

from core import log
from core.broker.leases import Leases
from core.errors import Misconfigured, Permanent

HEARTBEAT = 60  # seconds: a step that parses holds the interpreter for a while


def parameters(url: str) -> pika.URLParameters:
    """Connection parameters for an amqp:// address. Raises Misconfigured where it is none."""
    try:
        found = pika.URLParameters(url)
    except (ValueError, TypeError, IndexError) as error:
        raise Misconfigured(
            f"ENTREPOT_AMQP_URL is not usable ({error}); write it like amqp://user:password@host:5672/vhost."
        ) from None
    found.heartbeat = HEARTBEAT
    found.blocked_connection_timeout = 30
    found.socket_timeout = found.stack_timeout = 10
    return found


def queue_arguments(queue: str, queue_type: str) -> dict[str, Any]:
    """The arguments every declaration of `queue` must repeat; another type for an existing queue is refused (406)."""
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": xq_name(queue),
        "x-queue-type": queue_type,
    }


def grave_arguments(queue_type: str) -> dict[str, Any]:
    """The arguments of a queue's .XQ, where RabbitMQ puts aside what nobody could take."""
    return {"x-message-ttl": DEAD_MESSAGE_TTL, "x-queue-type": queue_type}


class RabbitBroker(RabbitmqBroker):
    """Consumes what the relay published. Delays live in SQL, so no delay queue is declared."""

    def __init__(self, url: str, queue_type: str, leases: Leases, middleware: list[Middleware]) -> None:
        super().__init__(url="amqp://", confirm_delivery=True, middleware=middleware)
        self.parameters = parameters(url)
        self.queue_type = queue_type
        self.leases = leases

    @property
    def consumer_class(self) -> type["RabbitConsumer"]:
        """Ours knows about leases."""
        return RabbitConsumer

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Makes a queue known; with `ensure` it and its .XQ are declared in RabbitMQ."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.queues_pending.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self._ensure_queue(queue_name)  # type: ignore[no-untyped-call]

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Refused: the relay is the only sender."""
        raise Permanent("Messages are emitted in a unit of work (uow.emit); the relay sends them.")

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return queue_arguments(queue_name, self.queue_type)

    def _declare_dq_queue(self, queue_name: str) -> None:
        """No delay queue."""

    def _declare_xq_queue(self, queue_name: str) -> Any:
        return self.channel.queue_declare(
            queue=xq_name(queue_name), durable=True, arguments=grave_arguments(self.queue_type)
        )


class RabbitConsumer(_RabbitmqConsumer):
    """Holds a lease on everything RabbitMQ has handed to this process."""

    def __next__(self) -> MessageProxy | None:
        """The next delivery. One that was delivered before is claimed before it is run, whatever its step, so
        that a step that kills its worker is counted."""
        delivered: Any = super().__next__()  # type: ignore[no-untyped-call]
        if delivered is None:
            return None
        if delivered.actor_name != self.queue_name or len(delivered.args) != 3:
            log.logger("worker").error("a foreign message was put aside", queue=self.queue_name)
            self.nack(delivered)
            return None
        message_id, fence, _ = delivered.args
        if delivered.redelivered:
            delivered._message = delivered._message.copy(args=(message_id, fence, False))
        self.broker.leases.hold(self.queue_name, message_id, fence)
        held: MessageProxy = delivered
        return held

    def nack(self, message: MessageProxy) -> None:
        """Puts a message into the queue's .XQ."""
        super().nack(message)  # type: ignore[no-untyped-call]

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """RabbitMQ gives what was not acknowledged to another consumer when the connection closes."""
        for message in messages:
            self.broker.leases.drop(message.args[0], message.args[1])
