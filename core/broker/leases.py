"""What this process holds of each queue, and the thread that keeps those messages from falling due meanwhile."""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from core import log
from core.broker import messages
from core.database import Database
from core.errors import Temporary, Unknown

_log = log.logger("leases")


@dataclass(slots=True)
class _Lease:
    queue: str
    fence: int
    until: float | None = None  # monotonic seconds; None while it waits for a thread


class Leases:
    """The messages this process has taken and not finished. Kept here rather than in a consumer, because a
    consumer that restarts would forget them while they still wait for a thread.
    """

    def __init__(self, database: Database, seconds: float) -> None:
        self.seconds = seconds
        self._database = database
        self._held: dict[int, _Lease] = {}
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_for_ever, name="leases", daemon=True)

    def start(self) -> None:
        """Starts renewing, three times a lease."""
        self._thread.start()

    def stop(self) -> None:
        """Stops renewing; what is still held falls due when its lease passes."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def hold(self, queue: str, message_id: int, fence: int) -> None:
        """A message arrived in this process."""
        with self._changed:
            if message_id not in self._held:
                self._counts[queue] += 1
            self._held[message_id] = _Lease(queue, fence)

    def running(self, message_id: int, fence: int, seconds: float) -> None:
        """Its step has begun under a new fence. It is not renewed past `seconds`: then it hangs, and others may."""
        with self._changed:
            if lease := self._held.get(message_id):
                lease.fence, lease.until = fence, time.monotonic() + seconds

    def drop(self, message_id: int, fence: int) -> None:
        """A message left this process: finished, failed or given back. A younger delivery of it stays."""
        with self._changed:
            lease = self._held.get(message_id)
            if lease is not None and lease.fence <= fence:
                del self._held[message_id]
                self._counts[lease.queue] -= 1
                self._changed.notify_all()

    def wait_for_room(self, queue: str, limit: int, refill_below: int, timeout: float) -> int:
        """How many more messages of `queue` may come, waiting up to `timeout` seconds until it holds fewer than
        `refill_below`: taking several at a time is cheaper than one by one."""
        with self._changed:
            self._changed.wait_for(lambda: self._counts[queue] < refill_below, timeout)
            held = self._counts[queue]
            return limit - held if held < refill_below else 0

    def held(self) -> list[tuple[int, int]]:
        """The (id, fence) of everything to renew now."""
        moment = time.monotonic()
        with self._changed:
            return [(key, x.fence) for key, x in self._held.items() if x.until is None or x.until > moment]

    def _renew_for_ever(self) -> None:
        while not self._stop.wait(self.seconds / 3):
            held = self.held()
            if not held:
                continue
            try:
                messages.renew(self._database, held, self.seconds)
            except (Temporary, Unknown) as error:
                _log.warning("leases not renewed", held=len(held), error=str(error))
