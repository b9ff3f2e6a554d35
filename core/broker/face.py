"""What both brokers share: how a taken message looks to Dramatiq, and the one actor behind each queue."""

from collections.abc import Iterable, Mapping

from dramatiq import Actor, Broker, Message

from core.broker.messages import Taken
from core.broker.running import Runner
from core.database import Route

UNKNOWN_SECONDS = 600  # the time limit of a step that is not in this process's map


def message_of(queue: str, taken: Taken, routes: Mapping[tuple[str, str], Route]) -> "Message[None]":
    """The delivery of a taken message: (id, fence, fast), where `fast` lets a step of one unit of work skip its
    claim. A message that was taken before and never finished is claimed first, so that crashes are counted."""
    route = routes.get((taken.step, taken.event))
    return Message(
        queue_name=queue,
        actor_name=queue,
        args=(taken.id, taken.fence, route is not None and route.one_unit and not taken.again),
        kwargs={},
        options={"time_limit": (route.seconds if route else UNKNOWN_SECONDS) * 1000},
        message_id=f"{taken.id}.{taken.fence}",
    )


def declare_actors(broker: Broker, runner: Runner, queues: Iterable[str]) -> None:
    """One generic actor a queue. Failures writes one line about an error, so Dramatiq's own report is hushed."""
    for queue in sorted(queues):
        Actor(
            runner,
            broker=broker,
            actor_name=queue,
            queue_name=queue,
            priority=0,
            options={"throws": BaseException},
        )
