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
        self.refill(plan)

    def refill(self, plan: str) -> None:
        """Another plan, with a full bucket. Raises ValueError for an unknown one."""
        if plan not in PLANS:
            raise ValueError(f"plan is one of {', '.join(PLANS)}, not {plan!r}.")
        with self._lock:
            self.rate, self.size = PLANS[plan], PLANS[plan] * SECONDS_HELD
            self._left, self._at = float(self.size), self._now()

    def drain(self, left: float) -> None:
        """So many points are left now."""
        with self._lock:
            self._left, self._at = left, self._now()

    def take(self, points: float) -> bool:
        """Whether there were enough; only then they are gone."""
        with self._lock:
            self._restore()
            if self._left < points:
                return False
            self._left -= points
            return True

    def give_back(self, points: float) -> None:
        with self._lock:
            self._restore()
            self._left = min(float(self.size), self._left + points)

    def status(self) -> Fields:
        """`extensions.cost.throttleStatus`."""
        with self._lock:
            self._restore()
            return {
                "maximumAvailable": float(self.size),
                "currentlyAvailable": int(self._left),
                "restoreRate": float(self.rate),
            }

    def _restore(self) -> None:
        now = self._now()
        self._left = min(float(self.size), self._left + (now - self._at) * self.rate)
        self._at = now
