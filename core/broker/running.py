"""Runs one delivery of a message: claims it, wakes its step, and sees that it is finished exactly once."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from core.broker import messages
from core.broker.history import History
from core.broker.leases import Leases
from core.broker.messages import Claimed
from core.database import Database, Event, Route, UnitOfWork
from core.errors import Permanent, Temporary

SLACK = 60.0  # seconds a step may overrun its limit before its lease is let go


class Superseded(BaseException):
    """Somebody else holds the message by now; the step stops and nothing of its last block is stored.

    Control flow like GeneratorExit, not an error: a step has no business catching it.
    """


@dataclass(slots=True)
class Delivery:
    """What is known of the message a thread is running; `claimed` is None until it was found."""

    id: int
    fence: int
    began: float
    claimed: Claimed | None = None
    route: Route | None = None


class _InPieces:
    """The face of the database for a step of several units of work: the last one finishes the message."""

    def __init__(self, database: Database, delivery: Delivery) -> None:
        self._database = database
        self._delivery = delivery
        self.finished = False

    @contextmanager
    def unit_of_work(self, *, last: bool = False) -> Iterator[UnitOfWork]:
        """A unit of work; with `last` the message goes in it, or the block does not begin."""
        if self.finished:
            raise Permanent("A step opened a unit of work after its last one.")
        with self._database.unit_of_work() as uow:
            # First, not at the end: from here on the row is locked, and nobody can take the message meanwhile.
            if last and not messages.finish(uow.cursor(), self._delivery.id, self._delivery.fence):
                raise Superseded
            yield uow
        self.finished = last


class _InOne:
    """The face for a step of one unit of work, which is open already: the message was removed in it."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self.opened = self.finished = False

    @contextmanager
    def unit_of_work(self, *, last: bool = False) -> Iterator[UnitOfWork]:
        """The only unit of work."""
        if self.opened or not last:
            raise Permanent(
                "A step whose route says one_unit opens exactly one unit of work, with last=True."
            )
        self.opened = True
        yield self._uow
        self.finished = True


class Runner:
    """The function behind every actor. What it is running in this thread is `current()`, for Failures to see."""

    def __init__(self, database: Database, leases: Leases, history: History) -> None:
        self._database = database
        self._leases = leases
        self._history = history
        self._routes = index(database.routes)
        self._here = threading.local()
        self.threads: set[int] = set()

    def __call__(self, message_id: int, fence: int, fast: bool) -> None:
        """Runs the delivery (id, fence). `fast`: its step is one unit of work, and nobody has tried it before."""
        self._here.delivery = delivery = Delivery(message_id, fence, time.monotonic())
        self.threads.add(threading.get_ident())
        try:
            if fast:
                self._in_one(delivery)
            else:
                self._in_pieces(delivery)
        except Superseded:
            delivery.claimed = None

    def ended(self, *, failed: bool) -> Delivery | None:
        """Forgets what this thread was running, counts it, and tells what it was."""
        delivery: Delivery | None = getattr(self._here, "delivery", None)
        self._here.delivery = None
        self.threads.discard(threading.get_ident())
        if delivery is not None and delivery.claimed is not None:
            self._history.add(delivery.claimed.step, time.monotonic() - delivery.began, failed=failed)
        return delivery

    def _in_one(self, delivery: Delivery) -> None:
        with self._database.unit_of_work() as uow:
            found = messages.claim_and_finish(uow.cursor(), delivery.id, delivery.fence)
            if found is None:
                return
            face = _InOne(uow)
            self._wake(delivery, found, face)
            if not face.finished:
                raise Permanent(_unfinished(found.step))

    def _in_pieces(self, delivery: Delivery) -> None:
        found = messages.claim(self._database, delivery.id, delivery.fence, self._leases.seconds)
        if found is None:
            return
        delivery.fence = found.fence
        face = _InPieces(self._database, delivery)
        self._wake(delivery, found, face)
        if not face.finished:
            raise Permanent(_unfinished(found.step))

    def _wake(self, delivery: Delivery, found: Claimed, face: _InOne | _InPieces) -> None:
        delivery.claimed = found
        route = delivery.route = self._routes.get((found.step, found.event))
        if route is None:
            raise Temporary(
                f"This worker's map has no step {found.step} for the event {found.event}; "
                "it waits for a worker of another version."
            )
        if found.attempts > route.retries + 1:
            raise Permanent(
                f"The worker died {found.attempts - 1} times while it ran {found.step}; "
                "look for a crash or a lack of memory."
            )
        self._leases.running(delivery.id, delivery.fence, route.seconds + SLACK)
        route.step(_event(route, found), face)


def index(routes: tuple[Route, ...]) -> Mapping[tuple[str, str], Route]:
    """Routes by the names in a message's row: (step, event)."""
    return {(route.name, route.event.__name__): route for route in routes}


def _event(route: Route, found: Claimed) -> Event:
    try:
        return route.event(tenant=found.tenant, lane=found.lane, **found.payload)
    except TypeError as error:
        raise Temporary(f"This worker does not understand the payload of {found.event}: {error}.") from None


def _unfinished(step: str) -> str:
    return f"The step {step} returned without a last unit of work; open one with unit_of_work(last=True)."
