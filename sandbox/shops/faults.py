"""What can be made to go wrong on purpose in any shop, and the record of what it was asked."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from sandbox.shops.answers import Fields

KINDS = (
    "hang",  # never answered: held for `seconds`, then dropped; nothing is done
    "late",  # done at once, answered after `seconds`: the client has timed out, the thing is done
    "drop_before",  # connection cut before anything is done
    "drop_after",  # connection cut after everything is done
    "status",  # `status` with Retry-After `retry_after`, as a proxy in front answers; nothing is done
    "cut",  # done, and the JSON ends in the middle
)


@dataclass
class Fault:
    """One switch. `times` None: until cleared. Each channel adds what narrows it."""

    kind: str
    times: int | None = 1
    seconds: float = 30.0
    status: int = 503
    retry_after: float | None = None


F = TypeVar("F", bound=Fault)


class Faults(Generic[F]):
    """The switches now turned on, first come first served. `kinds` are those of the channel beside KINDS."""

    def __init__(self, make: type[F], kinds: tuple[str, ...]) -> None:
        self._make, self._kinds = make, (*KINDS, *kinds)
        self._waiting = list[F]()
        self._lock = threading.Lock()

    def add(self, kind: str, **details: Any) -> None:
        """Raises ValueError for an unknown kind, TypeError for an unknown detail."""
        if kind not in self._kinds:
            raise ValueError(f"There is no fault {kind!r}; there are {', '.join(self._kinds)}.")
        with self._lock:
            self._waiting.append(self._make(kind, **details))

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, hits: Callable[[F], bool]) -> F | None:
        """The first fault that hits this request, if any; it is counted as used."""
        with self._lock:
            for fault in self._waiting:
                if hits(fault):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._waiting.remove(fault)
                    return fault
        return None

    def waiting(self) -> list[Fields]:
        with self._lock:
            return [asdict(fault) for fault in self._waiting]


class Record:
    """The last 20,000 requests that arrived, in order, so that a test can say what was *not* asked."""

    def __init__(self) -> None:
        self._seen = deque[Fields](maxlen=20_000)
        self._lock = threading.Lock()

    def arrived(self, told: Fields, fault: Fault | None) -> Fields:
        """Noted at once, with `status` None until it is answered. `told` is what the channel says of a request."""
        kind = fault.kind if fault else None
        entry: Fields = {"at": time.time(), **told, "fault": kind, "status": None, "seconds": None}
        with self._lock:
            self._seen.append(entry)
        return entry

    def answered(self, entry: Fields, status: int | None) -> None:
        with self._lock:
            entry["status"], entry["seconds"] = status, round(time.time() - entry["at"], 6)

    def seen(self) -> list[Fields]:
        with self._lock:
            return [dict(entry) for entry in self._seen]

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()
