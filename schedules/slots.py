"""Slots of the timetable: which one is due, and claiming it so that only one scheduler runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from core.database import Database, UnitOfWork
from core.errors import Misconfigured

# Only a slot younger than all claimed ones may be claimed: a scheduler whose clock lags cannot bring an old one back.
_CLAIM = """
INSERT INTO job_run (job, slot)
SELECT %(job)s, %(slot)s WHERE NOT EXISTS (SELECT FROM job_run WHERE job = %(job)s AND slot >= %(slot)s)
ON CONFLICT DO NOTHING RETURNING slot"""

_KNOWN = "SELECT EXISTS (SELECT FROM job_run WHERE job = %s)"


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the timetable. `run(uow, slot)` only emits events; `cron` has five fields and means UTC."""

    name: str
    cron: str
    run: Callable[[UnitOfWork, datetime], None]

    def __post_init__(self) -> None:
        try:
            CronSim(self.cron, datetime(2000, 1, 1))
        except CronSimError as error:
            raise Misconfigured(
                f"The job {self.name} has the cron line {self.cron!r}: {error}. Mend schedules/jobs.py."
            ) from None


def job(name: str, cron: str, run: Callable[[UnitOfWork, datetime], None]) -> Job:
    """A line of the timetable: `job("feeds_due", "*/5 * * * *", feeds_due)`."""
    return Job(name, cron, run)


def latest_slot(cron: str, moment: datetime) -> datetime:
    """The last minute that `cron` names, not after `moment` (aware, UTC)."""
    return next(CronSim(cron, moment.replace(second=0, microsecond=0) + timedelta(minutes=1), reverse=True))


def run_if_due(database: Database, line: Job, moment: datetime) -> datetime | None:
    """Claims the job's latest slot and runs it in the same unit of work; the slot, or None where it was not ours.

    Of several missed slots only the latest is run. A job seen for the first time begins with its next slot.
    """
    slot = latest_slot(line.cron, moment)
    with database.unit_of_work() as uow:
        cursor = uow.cursor()
        ((known,),) = cursor.execute(_KNOWN, (line.name,)).fetchall()
        if not cursor.execute(_CLAIM, {"job": line.name, "slot": slot}).fetchone() or not known:
            return None
        line.run(uow, slot)
        return slot
