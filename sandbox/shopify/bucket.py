"""The leaky bucket of query points: what a plan restores each second, and what is left of it now."""

import threading
from collections.abc import Callable

from sandbox.shopify.answers import Fields

# Points restored each second by plan (shopify.dev, "API limits"); a bucket holds twenty seconds of them.
PLANS = {"basic": 100, "advanced": 200, "plus": 1000, "enterprise": 2000}
SECONDS_HELD = 20


class Bucket:
    """`take` before an execution, `give_back` what it did not use. `now` counts seconds."""

    def __init__(self, plan: str, now: Callable[[], float]) -> None:
        self._lock, self._now = threading.Lock(), now
        self.plan = ""
        self._spent, self._taken, self._refused = 0.0, 0, 0
        self.refill(plan)

    def refill(self, plan: str, rate: float | None = None) -> None:
        """Another plan, with a full bucket; a `rate` of points a second stands in for the plan's own. Raises
        ValueError for an unknown plan or a rate that restores nothing."""
        if plan not in PLANS:
            raise ValueError(f"plan is one of {', '.join(PLANS)}, not {plan!r}.")
        if rate is not None and rate <= 0:
            raise ValueError(f"rate is a number of points a second above 0, not {rate}.")
        with self._lock:
            self.plan, self.rate = plan, float(rate or PLANS[plan])
            self.size = self.rate * SECONDS_HELD
            self._left, self._at = self.size, self._now()

    def drain(self, left: float) -> None:
        """So many points are left now."""
        with self._lock:
            self._left, self._at = left, self._now()

    def take(self, points: float) -> bool:
        """Whether there were enough; only then they are gone."""
        with self._lock:
            self._restore()
            if self._left < points:
                self._refused += 1
                return False
            self._left -= points
            self._spent += points
            self._taken += 1
            return True

    def give_back(self, points: float) -> None:
        with self._lock:
            self._restore()
            self._left = min(self.size, self._left + points)
            self._spent -= points

    def status(self) -> Fields:
        """`extensions.cost.throttleStatus`."""
        with self._lock:
            self._restore()
            return {
                "maximumAvailable": self.size,
                "currentlyAvailable": int(self._left),
                "restoreRate": self.rate,
            }

    def figures(self) -> Fields:
        """What a bench reads: points `spent` since the start (what was given back taken off), points `left`, `rate`
        a second, `size`, answers `taken` and `throttled`, and the bucket's own clock `at` in seconds."""
        with self._lock:
            self._restore()
            return {
                "plan": self.plan,
                "rate": self.rate,
                "size": self.size,
                "left": self._left,
                "spent": self._spent,
                "taken": self._taken,
                "throttled": self._refused,
                "at": self._at,
            }

    def _restore(self) -> None:
        now = self._now()
        self._left = min(self.size, self._left + (now - self._at) * self.rate)
        self._at = now
