"""How fast a shop may be asked: one bucket, one pause and one breaker per shop, kept in SQL and shared by all workers."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from core.clock import now
from core.database import Database
from core.errors import Temporary, Unknown

Told = TypeVar("Told")

LONGEST_WAIT = 10.0
"""Seconds worth waiting inside a step; a longer wait is left to the message's `due_at`, and the thread to others."""
LONGEST_OF_LAST = 30.0
"""Seconds that one waits who lets others go first."""
FAILURES = 5
"""Failed calls in a row after which a shop is left alone."""
FIRST_REST, LONGEST_REST = 30.0, 600.0
"""Seconds it is left alone, the first time and at most; each probe that fails doubles them."""
PROBE = 150.0
"""Seconds the one call has that looks whether a shop is back; a worker that died with it lets the next one look."""
FORGOTTEN = 60.0
"""Seconds after which calls that never said how they ended are no longer counted as out."""
AWAY = "The shop does not answer"
"""Begins what `shop.problem` says while the shop is left alone."""

# The debt is allowed: whoever takes first waits first, and nobody has to look again and again.
TAKE = """
UPDATE shop_meter AS m SET at = clock_timestamp(),
  points = least(m.most, m.points + m.a_second * past.seconds) - CASE WHEN m.a_second > 0 THEN %(cost)s ELSE 0 END,
  out = CASE WHEN m.a_second = 0 THEN 0 WHEN past.seconds > %(forgotten)s THEN %(cost)s ELSE m.out + %(cost)s END,
  paused_until = CASE WHEN m.failures >= %(failures)s THEN clock_timestamp() + make_interval(secs => %(probe)s) END
FROM (SELECT extract(epoch FROM clock_timestamp() - at)::float AS seconds FROM shop_meter
      WHERE shop_id = %(shop)s FOR UPDATE) AS past
WHERE m.shop_id = %(shop)s AND (m.paused_until IS NULL OR m.paused_until <= clock_timestamp())
  AND (m.a_second = 0 OR least(m.most, m.points + m.a_second * past.seconds) - least(m.most, %(cost)s) >= -m.a_second * %(debt)s)
RETURNING CASE WHEN m.a_second > 0 THEN greatest(0, -m.points / m.a_second) ELSE 0 END, m.failures"""

WAIT = """
SELECT greatest(0, extract(epoch FROM paused_until - clock_timestamp())::float,
    CASE WHEN a_second > 0 THEN
      (least(most, %(cost)s) - least(most, points + a_second * extract(epoch FROM clock_timestamp() - at)::float)) / a_second END), failures
FROM shop_meter WHERE shop_id = %(shop)s"""

A_SECOND = "SELECT a_second FROM shop_meter WHERE shop_id = %(shop)s"

TOLD = """
UPDATE shop_meter SET most = %(most)s, a_second = %(a_second)s, at = clock_timestamp(),
  points = least(%(most)s, %(left)s) - greatest(0, out - %(mine)s), out = greatest(0, out - %(mine)s)
WHERE shop_id = %(shop)s"""

PAUSE = """
UPDATE shop_meter SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => %(seconds)s))
WHERE shop_id = %(shop)s"""

FAILED = """
UPDATE shop_meter SET failures = failures + 1, out = greatest(0, out - %(mine)s),
  paused_until = CASE WHEN failures + 1 >= %(failures)s THEN clock_timestamp() + make_interval(secs =>
    least(%(longest)s, %(first)s * 2 ^ least(failures + 1 - %(failures)s, 10))) ELSE paused_until END
WHERE shop_id = %(shop)s"""

WELL = """
UPDATE shop_meter SET failures = 0, out = greatest(0, out - %(mine)s),
  paused_until = CASE WHEN failures >= %(failures)s THEN NULL ELSE paused_until END
WHERE shop_id = %(shop)s"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a shop stands: `rest` in seconds until it may be asked again, 0 where it may; `failures` in a row."""

    rest: float
    failures: int

    @property
    def away(self) -> bool:
        """Whether the breaker is open: it failed so often that only a probe goes through."""
        return self.failures >= FAILURES


class SqlPace:
    """connectors.base.Pace over the table shop_meter. No unit of work is open while it waits.

    `before` is called ahead of every call of the shop: for what must be stored before it. One that goes `last` takes only
    what is there, never in advance: whoever else asks the shop waits for none of its calls but those that are out. One
    thread at a time; `sleep` is replaced in tests.
    """

    def __init__(
        self,
        db: Database,
        shop_id: int,
        *,
        before: Callable[[], None] | None = None,
        last: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._db, self._shop_id, self._before, self._sleep = db, shop_id, before, sleep
        self._longest, self._debt = (LONGEST_OF_LAST, 0.0) if last else (LONGEST_WAIT, LONGEST_WAIT)
        self._mine = 0.0
        self._failures = 0
        self._known = False

    def take(self, cost: float) -> None:
        """Waits until the shop has `cost` left. Raises Temporary that counts as no attempt where that takes too long,
        or where the shop is left alone."""
        if self._before is not None:
            self._before()
        while (wait := self._taken(cost)) is None:
            standing = self._standing(cost)
            if standing.away:
                raise away(standing)
            if standing.rest > self._longest:
                raise Temporary(
                    f"The shop asks for patience: the hub goes on in {standing.rest:.0f} s.",
                    retry_after=standing.rest,
                    counts=False,
                )
            self._sleep(standing.rest)
        if wait > 0:
            self._sleep(wait)

    def told(self, *, left: float, most: float, a_second: float) -> None:
        """The shop's own meter. What others have taken and not yet been told is still to come off it."""
        self._run(TOLD, left=left, most=most, a_second=a_second, mine=self._mine)
        self._mine = 0.0

    def pause(self, seconds: float) -> None:
        """Nobody asks the shop for so long."""
        self._run(PAUSE, seconds=max(0.0, seconds))

    def ended(self, *, well: bool) -> None:
        """Counts failures in a row; one good answer closes the breaker and takes back what the shop's page said of it."""
        if not well:
            self._run(FAILED, mine=self._mine, failures=FAILURES, first=FIRST_REST, longest=LONGEST_REST)
        elif self._failures or self._mine:
            self._run(WELL, mine=self._mine, failures=FAILURES)
            if self._failures >= FAILURES:
                with self._db.unit_of_work() as uow:
                    uow.cursor().execute(
                        "UPDATE shop SET problem = NULL WHERE id = %s AND starts_with(problem, %s)",
                        [self._shop_id, AWAY],
                    )
            self._failures = 0
        self._mine = 0.0

    def _taken(self, cost: float) -> float | None:
        """Seconds to wait for what was taken; None where nothing could be taken."""
        with self._db.unit_of_work() as uow:
            cursor = uow.cursor()
            if not self._known:
                cursor.execute(
                    "INSERT INTO shop_meter (shop_id, points, most, a_second) VALUES (%s, 0, 0, 0) ON CONFLICT DO NOTHING",
                    [self._shop_id],
                )
            cursor.execute(
                TAKE,
                {
                    "shop": self._shop_id, "cost": cost, "failures": FAILURES, "probe": PROBE,
                    "forgotten": FORGOTTEN, "debt": self._debt,
                },
            )  # fmt: skip
            found = cursor.fetchone()
        self._known = found is not None  # a row that is gone with a server's last moments is made anew
        if found is None:
            return None
        self._mine, self._failures = cost, found[1]
        return float(found[0])

    def _standing(self, cost: float) -> Standing:
        with self._db.unit_of_work() as uow:
            found = uow.cursor().execute(WAIT, {"shop": self._shop_id, "cost": cost}).fetchone()
        return Standing(float(found[0]), found[1]) if found else Standing(0, 0)

    def _run(self, statement: str, **values: float) -> None:
        with self._db.unit_of_work() as uow:
            uow.cursor().execute(statement, {"shop": self._shop_id, **values})


def standing_of(db: Database, shop_id: int) -> Standing:
    """How the shop stands now."""
    with db.unit_of_work() as uow:
        found = uow.cursor().execute(WAIT, {"shop": shop_id, "cost": 0}).fetchone()
    return Standing(float(found[0]), found[1]) if found else Standing(0, 0)


def restored(db: Database, shop_id: int) -> float | None:
    """Points that the shop gives back a second; 0 where it counts none, None where it was never asked."""
    with db.unit_of_work() as uow:
        found = uow.cursor().execute(A_SECOND, {"shop": shop_id}).fetchone()
    return float(found[0]) if found else None


def away(standing: Standing) -> Temporary:
    """What is raised for a shop that is left alone; it is no attempt, so that nothing is given up over a shop's outage."""
    return Temporary(
        f"{AWAY}: {standing.failures} calls in a row failed. The hub looks again in {standing.rest:.0f} s.",
        retry_after=standing.rest,
        counts=False,
    )


def patiently(db: Database, shop_id: int, told: Iterable[Told]) -> Iterator[Told]:
    """What a shop tells piece by piece, each asked for with `patience`; what its reader raises in between stays his own."""
    with patience(db, shop_id):
        yield from told


@contextmanager
def patience(db: Database, shop_id: int) -> Iterator[None]:
    """Around every call of a shop in a step: where the breaker is open the shop says so, and the message waits for it
    without being given up. Raises Temporary then, else what the block raises."""
    try:
        yield
    except (Temporary, Unknown) as error:
        standing = standing_of(db, shop_id)
        if not standing.away:
            raise
        with db.unit_of_work() as uow:
            uow.cursor().execute(
                "UPDATE shop SET problem = %s, checked_at = %s WHERE id = %s",
                [f"{AWAY} ({standing.failures} calls in a row failed): {error}", now(), shop_id],
            )
        raise away(standing) from error
