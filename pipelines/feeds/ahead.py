"""Makes the next thing in a thread while the one before is in use: Arrow and pipes leave the interpreter to others."""

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def ahead(source: Iterator[T]) -> Iterator[T]:
    """The same things in the same order, one made ahead of its use. What the source raises is raised at its turn.

    The source is used by one other thread alone, and is closed whatever happens.
    """
    made: queue.Queue[object] = queue.Queue(1)
    stopped = threading.Event()

    def give(thing: object) -> bool:
        """Waits for room; false where nobody takes anything any more."""
        while not stopped.is_set():
            try:
                made.put(thing, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for thing in source:
                if not give(thing):
                    return
            give(_END)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the thing was wanted
            give(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while (thing := made.get()) is not _END:
            if isinstance(thing, BaseException):
                raise thing
            yield thing  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
        close = getattr(source, "close", None)
        if close is not None:
            close()
