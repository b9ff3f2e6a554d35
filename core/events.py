"""Events and routes: the vocabulary in which the map (pipelines/routes.py) is written."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A committed fact. Subclasses are frozen dataclasses whose own fields are ints and strs: ids, not contents.

    `tenant` is the company it belongs to (1 is the hub); `lane` says whose turn it is: "feed:3", "shop:7".
    """

    tenant: int
    lane: str

    def payload(self) -> dict[str, int | str]:
        """The event's own fields, without tenant and lane."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("tenant", "lane")}


Step = Callable[..., None]  # step(event, db) -> None


@dataclass(frozen=True)
class Route:
    """One line of the map: this event wakes this step in this queue.

    `retries` failures are forgiven before the message becomes a dead letter. `one_unit` marks a step that does
    everything in a single unit of work and calls nobody outside. `seconds` is how long one run may take.
    """

    event: type[Event]
    step: Step
    queue: str
    retries: int = 8
    one_unit: bool = False
    seconds: int = 600
    name: str = field(init=False)

    def __post_init__(self) -> None:
        step: Any = self.step
        object.__setattr__(self, "name", f"{step.__module__.removeprefix('pipelines.')}.{step.__qualname__}")


def on(
    event: type[Event],
    step: Step,
    *,
    queue: str,
    retries: int = 8,
    one_unit: bool = False,
    seconds: int = 600,
) -> Route:
    """A route: `on(FeedLanded, read, queue="feeds")`. `seconds` stays under 1,200: RabbitMQ waits 30 minutes."""
    return Route(event, step, queue, retries, one_unit, seconds)
