"""How long a shop has been answering, and how often: what a bench compares with the time that went by."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Meter:
    """Counts answers and their seconds. `steady` counts seconds and never runs back."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady, self._lock = steady, threading.Lock()
        self._under_way = 0
        self.clear()

    @contextmanager
    def answering(self) -> Iterator[int]:
        """Around the making of one answer; gives how many are under way, this one among them."""
        began = self._begin()
        try:
            yield began[1]
        finally:
            self._end(began[0])

    def clear(self) -> None:
        """Begins anew; what is under way counts from now."""
        with self._lock:
            self._calls, self._seconds, self._busy = 0, 0.0, 0.0
            self._since = self._busy_since = self._steady()

    def figures(self) -> dict[str, float]:
        """`calls` answered; `seconds` of all answers together; `busy_seconds` in which at least one was under way;
        `since_seconds` that went by since the last `clear`."""
        with self._lock:
            now = self._steady()
            busy = self._busy + (now - self._busy_since if self._under_way else 0)
            return {
                "calls": self._calls,
                "seconds": round(self._seconds, 6),
                "busy_seconds": round(busy, 6),
                "since_seconds": round(now - self._since, 6),
            }

    def _begin(self) -> tuple[float, int]:
        with self._lock:
            now = self._steady()
            if self._under_way == 0:
                self._busy_since = now
            self._under_way += 1
            return now, self._under_way

    def _end(self, began: float) -> None:
        with self._lock:
            now = self._steady()
            self._under_way -= 1
            self._calls += 1
            self._seconds += now - max(began, self._since)
            if self._under_way == 0:
                self._busy += now - self._busy_since
