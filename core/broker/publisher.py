"""Publishes to RabbitMQ with confirms in a window: many messages are on their way before the first is confirmed."""

from collections.abc import Callable, Iterable
from typing import Any

import pika
from dramatiq import Message
from dramatiq.common import xq_name
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from core import log
from core.broker.rabbitmq import grave_arguments, parameters, queue_arguments
from core.errors import Misconfigured

FIRST_WAIT, LONGEST_WAIT = 1.0, 10.0  # seconds between attempts to connect

Key = tuple[int, int]  # a message's (id, fence)

_log = log.logger("relay")


class Publisher:
    """One connection to RabbitMQ on an event loop, made again whenever it is lost.

    `on_lost` gets the keys RabbitMQ did not confirm or could not route: they may have arrived or not.
    `consumers` is how many worker processes listen to each queue, as of the last look().
    """

    def __init__(
        self,
        loop: IOLoop,
        url: str,
        queue_type: str,
        queues: Iterable[str],
        on_lost: Callable[[list[Key]], None],
    ) -> None:
        self._loop = loop
        self._parameters = parameters(url)
        self._queue_type = queue_type
        self._on_lost = on_lost
        self._connection: SelectConnection | None = None
        self._channel: Any = None
        self._unconfirmed: dict[int, Key] = {}
        self._tag = 0
        self._wait = FIRST_WAIT
        self._closing = False
        self.consumers = dict.fromkeys(sorted(queues), 0)

    def connect(self) -> None:
        """Begins to connect; look() and publish() work once that is done."""
        self._connection = SelectConnection(
            self._parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=self._lost,
            on_close_callback=self._lost,
            custom_ioloop=self._loop,
        )

    def close(self) -> list[Key]:
        """Ends the connection, and then the loop; the keys that were not confirmed so far."""
        self._closing = True
        keys = list(self._unconfirmed.values())
        if self._connection is not None and self._connection.is_open:
            self._connection.close()
        else:
            self._loop.stop()
        return keys

    def look(self) -> None:
        """Asks how many workers listen to each queue, declaring it where it is missing."""
        if self._channel is None:
            return
        for queue in self.consumers:
            self._channel.queue_declare(
                queue,
                durable=True,
                arguments=queue_arguments(queue, self._queue_type),
                callback=lambda frame: self.consumers.update(
                    {frame.method.queue: frame.method.consumer_count}
                ),
            )

    def publish(self, key: Key, message: "Message[None]") -> None:
        """Sends one message of (id, fence) `key`. Only where `consumers` says that somebody listens."""
        try:
            self._channel.basic_publish(
                exchange="",
                routing_key=message.queue_name,
                body=message.encode(),
                properties=pika.BasicProperties(delivery_mode=2, message_id=f"{key[0]}.{key[1]}"),
                mandatory=True,
            )
        except AMQPError:  # the channel is closing; _lost will follow
            self._soon(self._on_lost, [key])
            return
        self._tag += 1
        self._unconfirmed[self._tag] = key

    def _opened(self, channel: Any) -> None:
        self._channel = channel
        self._wait = FIRST_WAIT
        self._tag = 0
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._confirmed)
        for queue in self.consumers:
            channel.queue_declare(xq_name(queue), durable=True, arguments=grave_arguments(self._queue_type))
        self.look()
        _log.info("connected to RabbitMQ", host=self._parameters.host, port=self._parameters.port)

    def _confirmed(self, frame: Any) -> None:
        last = frame.method.delivery_tag
        tags = [tag for tag in self._unconfirmed if tag <= last] if frame.method.multiple else [last]
        keys = [self._unconfirmed.pop(tag) for tag in tags if tag in self._unconfirmed]
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self._soon(self._on_lost, keys)

    def _returned(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        """The queue is gone; the next look() declares it. RabbitMQ confirms a returned message afterwards."""
        message_id, fence = properties.message_id.split(".")
        self._soon(self._on_lost, [(int(message_id), int(fence))])

    def _channel_closed(self, _channel: Any, reason: BaseException) -> None:
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code == 406:
            self._soon(_refuse, reason.reply_text)
        self._channel = None
        self.consumers = dict.fromkeys(self.consumers, 0)
        if self._connection is not None and self._connection.is_open:
            self._connection.close()

    def _lost(self, _connection: Any, reason: BaseException) -> None:
        self._channel = None
        self.consumers = dict.fromkeys(self.consumers, 0)
        keys, self._unconfirmed = list(self._unconfirmed.values()), {}
        if self._closing:
            self._loop.stop()
            return
        _log.warning(
            "no connection to RabbitMQ", again_in=self._wait, error=str(reason) or type(reason).__name__
        )
        self._loop.call_later(self._wait, self.connect)
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        self._soon(self._on_lost, keys)

    def _soon(self, call: Callable[..., None], *values: Any) -> None:
        """From the loop itself: Pika takes what is raised in its callbacks for a broken connection."""
        self._loop.call_later(0, lambda: call(*values))


def _refuse(reason: str) -> None:
    raise Misconfigured(
        f"RabbitMQ has this queue with other arguments ({reason}); delete it there, "
        "or set ENTREPOT_AMQP_QUEUE_TYPE to its type."
    )
