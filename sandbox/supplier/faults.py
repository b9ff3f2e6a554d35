"""What can be made to go wrong at the supplier's, and the record of what he was asked."""

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = (
    "hang",  # never answered: held for `seconds`, then cut; nothing is done
    "late",  # done at once, answered after `seconds`: the client has given up, the order is there
    "drop_before",  # connection cut before anything is done
    "drop_after",  # connection cut after everything is done: the reply is lost
    "status",  # `status` as a proxy in front answers; nothing is done
    "refuse",  # `status` 422 with the supplier's words; nothing is done
)


@dataclass
class Fault:
    """One switch. It strikes each `every`-th request that it fits, `times` times; None: until it is cleared."""

    kind: str
    times: int | None = 1
    every: int = 1
    method: str = ""
    path: str = ""
    seconds: float = 30.0
    status: int = 500
    message: str = "This article is no longer made."
    met: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Counts a request that it fits, and tells whether it is its turn."""
        if (self.method and self.method != method) or not path.startswith(self.path):
            return False
        self.met += 1
        return self.met % self.every == 0


@dataclass
class Faults:
    """The switches now turned on, first come first served, and what arrived."""

    _waiting: list[Fault] = field(default_factory=list)
    _seen: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, **details: Any) -> None:
        """Raises ValueError for an unknown kind, TypeError for an unknown detail."""
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}; there are {', '.join(KINDS)}.")
        with self._lock:
            self._waiting.append(Fault(kind, **details))

    def clear(self) -> None:
        """Nothing fails any more."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """The switches still turned on."""
        with self._lock:
            return [asdict(fault) for fault in self._waiting]

    def take(self, method: str, path: str, reference: str) -> Fault | None:
        """Notes the request; the fault that strikes it, if any."""
        with self._lock:
            struck = next((fault for fault in self._waiting if fault.strikes(method, path)), None)
            if struck is not None and struck.times is not None:
                struck.times -= 1
                if struck.times <= 0:
                    self._waiting.remove(struck)
            self._seen.append(
                {
                    "method": method,
                    "path": path,
                    "reference": reference,
                    "fault": struck.kind if struck else None,
                }
            )
            return struck

    def seen(self) -> list[dict[str, Any]]:
        """Every request since the start or the last forgetting, in order."""
        with self._lock:
            return [dict(entry) for entry in self._seen]

    def forget(self) -> None:
        """The record begins anew."""
        with self._lock:
            self._seen.clear()
