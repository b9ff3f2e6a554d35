"""How long a real shop takes to answer: the times of woocommerce.md, measured on two shared cores, times a factor."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sandbox.shops.meter import Meter
from sandbox.woocommerce.answers import Answer, Call

WORKERS = 5  # PHP-FPM's own pm.max_children
_ALL = 1.45  # measured: 1, 2 and 4 parallel PUTs are 12, 19 and 20 a second, so two or more share so many times one
_SPREAD = 0.6  # what is left of a batch's time is the sandbox's own work, and the answer
_READ, _ROW = 0.046, 0.00344  # an empty poll; 100 orders take 0.39 s
_SINGLE = {"POST": 0.101, "PUT": 0.076, "PATCH": 0.076, "DELETE": 0.076}
_BATCH = 0.06
_EACH = {
    "create": 0.0425,
    "update": 0.024,
    "delete": 0.024,
}  # 10, 50, 100: 0.5, 2.2, 4.2 s and 0.3, 1.3, 2.4 s


def seconds(call: Call, batch: dict[str, int], rows: int) -> float:
    """What a request takes that has the shop for itself. `batch` counts its changes, `rows` what a list shows."""
    if call.path.endswith("/batch"):
        return _BATCH + sum(_EACH[name] * number for name, number in batch.items())
    return _SINGLE.get(call.method, _READ + _ROW * rows)


class Latency:
    """Lets answers take their time. `factor` 0 answers as fast as it can and any number at once."""

    def __init__(self, factor: float, meter: Meter) -> None:
        self.factor, self._meter = factor, meter
        self._stopped = False
        self._workers = threading.BoundedSemaphore(WORKERS)
        self._changed = threading.Condition()
        self._busy, self._work, self._at = 0, 0.0, time.monotonic()

    def stop(self) -> None:
        """Nothing waits any longer."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def answered(self, call: Call, batch: dict[str, int], make: Callable[[Call], Answer]) -> Answer:
        """The answer, when a real shop would have it ready; the changes of a batch are spread over its time.

        Waits for a free worker first, as a shop's web server does. The time counts as answering from then on.
        """
        factor = self.factor
        if factor == 0:
            with self._meter.answering():
                return make(call)
        with self._workers, self._meter.answering():
            began = self._count(+1)
            try:
                if batch:
                    call = replace(call, pause=seconds(call, batch, 0) * factor * _SPREAD / self._share())
                made = make(call)
                rows = len(made.body) if isinstance(made.body, list) else 0
                self._wait_for(began + seconds(call, batch, rows) * factor)
            finally:
                self._count(-1)
            return made

    def _count(self, change: int) -> float:
        """One more or one less is under way; gives how much work each of them has been given so far, in seconds."""
        with self._changed:
            self._settle()
            self._busy += change
            self._changed.notify_all()
            return self._work

    def _wait_for(self, work: float) -> None:
        with self._changed:
            while not self._stopped:
                self._settle()
                if self._work >= work:
                    return
                self._changed.wait((work - self._work) / self._share() + 0.0001)

    def _settle(self) -> None:
        now = time.monotonic()
        self._work += (now - self._at) * self._share()
        self._at = now

    def _share(self) -> float:
        """What each request under way gets of one worker that is alone."""
        return 1.0 if self._busy < 2 else _ALL / self._busy
