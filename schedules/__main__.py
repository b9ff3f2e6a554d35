"""The scheduler `python -m schedules`: claims due slots of the timetable. Several may run at once."""

import signal
import threading
from collections.abc import Sequence

from core import clock, log
from core.database import Database, connect
from core.errors import EntrepotError
from core.settings import Settings, load
from schedules.slots import Job, run_if_due

TICK = 1.0  # seconds between two looks at the clock
REST = 30  # looks a job that failed is left alone

_log = log.logger("schedules")


def run_for_ever(
    database: Database, jobs: Sequence[Job], stop: threading.Event, *, tick: float = TICK
) -> None:
    """Looks at the clock every `tick` seconds until `stop`; a job that fails is tried again after a while."""
    seen: dict[str, object] = {}
    resting: dict[str, int] = {}
    while not stop.wait(tick):
        moment = clock.now()
        minute = moment.replace(second=0, microsecond=0)
        for line in jobs:
            resting[line.name] = max(0, resting.get(line.name, 0) - 1)
            if seen.get(line.name) == minute or resting[line.name]:
                continue
            try:
                slot = run_if_due(database, line, moment)
            except EntrepotError as error:
                resting[line.name] = REST
                _log.error("job failed", job=line.name, error=str(error))
                continue
            except Exception:  # noqa: BLE001 - logged in full; a mistake in one job must not keep the others from running
                resting[line.name] = REST
                _log.exception("job is broken", job=line.name)
                continue
            seen[line.name] = minute
            if slot is not None:
                _log.info("job ran", job=line.name, slot=slot.isoformat())


def main(settings: Settings | None = None) -> int:
    """Runs the timetable until SIGTERM or SIGINT."""
    from pipelines.routes import ROUTES
    from schedules.jobs import JOBS

    settings = settings or load()
    log.configure(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database = connect(settings, ROUTES, pool_size=1)
    try:
        run_for_ever(database, JOBS, stop)
    finally:
        database.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
