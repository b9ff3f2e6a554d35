"""How long a real shop takes to answer: the times of woocommerce.md, measured on two shared cores, times a factor."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sandbox.shops.meter import Meter
from sandbox.woocommerce.answers import Answer, Call

WORKERS = 2  # measured: 1, 2 and 4 parallel PUTs are 12, 19 and 20 a second
_SPREAD = 0.6  # what is left of a batch's time is the sandbox's own work, and the answer
CROWDED = 1.38  # so many times longer takes an answer while the other worker is busy
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
        self._stopped = threading.Event()
        self._workers = threading.BoundedSemaphore(WORKERS)

    def stop(self) -> None:
        """Nothing waits any longer."""
        self._stopped.set()

    def answered(self, call: Call, batch: dict[str, int], make: Callable[[Call], Answer]) -> Answer:
        """The answer, when a real shop would have it ready; the changes of a batch are spread over its time.

        Waits for a free worker first, as a shop's web server does. The time counts as answering from then on.
        """
        factor = self.factor
        if factor == 0:
            with self._meter.answering():
                return make(call)
        with self._workers, self._meter.answering() as under_way:
            began, stretch = time.monotonic(), factor * (CROWDED if under_way > 1 else 1)
            if batch:
                call = replace(call, pause=seconds(call, batch, 0) * stretch * _SPREAD)
            made = make(call)
            rows = len(made.body) if isinstance(made.body, list) else 0
            due = seconds(call, batch, rows) * stretch
            self._stopped.wait(max(0.0, began + due - time.monotonic()))
            return made
