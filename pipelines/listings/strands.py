"""Sends to a shop side by side: a call takes a real shop most of a second, in which its meter could pay for several."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from math import ceil
from threading import Event
from typing import TypeVar

from core.errors import Permanent, Temporary, Unknown

Work = TypeVar("Work")

POINTS = 12.0
"""Points a second that one strand uses at least: its calls cost some twenty, and a slow shop takes a second and a half."""
MOST = 10
"""Calls of one push that are out at once, at most."""
LOOK = 0.2
"""Seconds between two looks at the strands, so that what ends the step ends them too."""
GRAVEST = (Permanent, Unknown, Temporary)


def strands(a_second: float, work: int) -> int:
    """How many strands so many pieces of work are sent in, to a shop that restores `a_second` points.

    One where it counts no points: such a shop answers as fast as it can, and suffers from callers at once.
    """
    return max(1, min(MOST, work, ceil(a_second / POINTS)))


def pieces(work: Sequence[Work], strands: int, most: int) -> list[Sequence[Work]]:
    """The work in pieces of at most `most`: in one strand all alike, in several the later the smaller, so that all strands end
    at about the same time. A piece costs a look of its own, so none is smaller than a quarter of `most` without need."""
    rounds, smallest = ceil(len(work) / most), min(ceil(most / 4), ceil(len(work) / strands))
    found: list[Sequence[Work]] = []
    start = 0
    while start < len(work):
        size = ceil((len(work) - start) / (2 * strands)) if strands > 1 else ceil(len(work) / rounds)
        found.append(work[start : start + min(most, max(size, smallest))])
        start += len(found[-1])
    return found


def side_by_side(work: Sequence[Work], senders: Sequence[Callable[[Work], None]], halted: Event) -> None:
    """Each sender, in a thread of its own, takes the next piece of work until none is left.

    Where one fails no other piece is begun, but those that are begun are ended: what one call met with spoils no other.
    Then the gravest of what was raised is raised. Where the step itself is ended from outside `halted` is set: who sends
    looks at it before each call, and gives up.
    """
    left, failed = iter(work), Event()

    def strand(send: Callable[[Work], None]) -> None:
        well = False
        try:
            while not (failed.is_set() or halted.is_set()):
                try:
                    piece = next(left)
                except StopIteration:
                    break
                send(piece)
            well = True
        finally:
            if not well:
                failed.set()

    with ThreadPoolExecutor(len(senders), "strand") as threads:
        running = [threads.submit(strand, send) for send in senders]
        calm = False
        try:
            while wait(running, LOOK).not_done:
                pass
            calm = True
        finally:
            if not calm:
                halted.set()
    if errors := _raised(running):
        raise errors[0]


def _raised(running: Sequence[Future[None]]) -> list[BaseException]:
    """What the strands raised, the gravest first: what is no error of ours, then what nothing helps, then what waiting helps."""
    errors = [error for one in running if (error := one.exception()) is not None]
    return sorted(
        errors,
        key=lambda error: next(
            (place for place, kind in enumerate(GRAVEST, 1) if isinstance(error, kind)), 0
        ),
    )
