"""How the steps fared: counted in memory, added to one row per step and minute, so that it costs a step nothing."""

import threading
from dataclasses import dataclass
from datetime import datetime

from core import clock, log
from core.database import Database
from core.errors import Temporary, Unknown

EVERY = 5.0  # seconds between two writings

_ADD = """
INSERT INTO step_run (minute, step, count, failed, total_ms, max_ms)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::int[], %s::int[], %s::bigint[], %s::int[])
ORDER BY 1, 2
ON CONFLICT (minute, step) DO UPDATE SET
  count = step_run.count + excluded.count, failed = step_run.failed + excluded.failed,
  total_ms = step_run.total_ms + excluded.total_ms, max_ms = greatest(step_run.max_ms, excluded.max_ms)"""

_log = log.logger("history")


@dataclass(slots=True)
class _Tally:
    count: int = 0
    failed: int = 0
    total: float = 0.0
    longest: float = 0.0


class History:
    """Adds up the runs of this process. A killed process loses its last few seconds: these are for the eye."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tallies: dict[tuple[datetime, str], _Tally] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_for_ever, name="history", daemon=True)

    def start(self) -> None:
        """Starts writing every few seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        self.write()

    def add(self, step: str, seconds: float, *, failed: bool) -> None:
        """One run of a step ended after `seconds`."""
        minute = clock.now().replace(second=0, microsecond=0)
        with self._lock:
            tally = self._tallies.setdefault((minute, step), _Tally())
            tally.count += 1
            tally.failed += failed
            tally.total += seconds
            tally.longest = max(tally.longest, seconds)

    def write(self) -> None:
        """Adds what was counted since the last writing to the table; dropped where the database is away."""
        with self._lock:
            tallies, self._tallies = self._tallies, {}
        if not tallies:
            return
        rows = [
            (minute, step, x.count, x.failed, round(x.total * 1000), round(x.longest * 1000))
            for (minute, step), x in tallies.items()
        ]
        try:
            self._database.run(_ADD, [list(column) for column in zip(*rows, strict=True)])
        except (Temporary, Unknown) as error:
            _log.warning("runs not counted", runs=sum(x.count for x in tallies.values()), error=str(error))

    def _write_for_ever(self) -> None:
        while not self._stop.wait(EVERY):
            self.write()
