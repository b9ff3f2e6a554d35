"""What can be made to go wrong on purpose, and the record of what was asked: the switches that tests turn."""

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.shopify.answers import HTML, Answer, Call, Fields

KINDS = (
    "hang",  # never answered: held for `seconds`, then dropped; nothing is done
    "late",  # done at once, answered after `seconds`: the client has timed out, the thing is done
    "drop_before",  # connection cut before anything is done
    "drop_after",  # connection cut after everything is done
    "status",  # `status` with Retry-After `retry_after`; nothing is done
    "throttled",  # HTTP 200 with THROTTLED; nothing is done
    "internal",  # HTTP 200 with INTERNAL_SERVER_ERROR; nothing is done
    "html",  # a page instead of JSON, with 200; nothing is done
    "cut",  # done, and the JSON ends in the middle
)


@dataclass
class Fault:
    """One switch. `times` None: until cleared. `field` narrows it to documents that ask for that field, e.g.
    `fulfillmentCreate`."""

    kind: str
    times: int | None = 1
    field: str = ""
    seconds: float = 30.0
    status: int = 503
    retry_after: float | None = None

    def hits(self, fields: list[str]) -> bool:
        return not self.field or self.field in fields


@dataclass
class Faults:
    """The switches now turned on, first come first served."""

    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, **details: Any) -> None:
        """Raises ValueError for an unknown kind, TypeError for an unknown detail."""
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}; there are {', '.join(KINDS)}.")
        with self._lock:
            self._waiting.append(Fault(kind, **details))

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, fields: list[str]) -> Fault | None:
        """The fault that strikes this request, if any; it is counted as used."""
        with self._lock:
            for fault in self._waiting:
                if fault.hits(fields):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._waiting.remove(fault)
                    return fault
        return None

    def waiting(self) -> list[Fields]:
        with self._lock:
            return [asdict(fault) for fault in self._waiting]


def instead(fault: Fault, throttle: Fields) -> Answer | None:
    """The answer in place of the shop's own, for the kinds where nothing is done."""
    if fault.kind == "status":
        retry = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:.1f}"}
        words = (
            "Exceeded 2 calls per second for api client." if fault.status == 429 else "Service unavailable"
        )
        return Answer(fault.status, {"errors": words}, retry)
    if fault.kind == "throttled":
        return Answer(200, throttle)
    if fault.kind == "internal":
        message = "Internal error. Looks like something went wrong on our end."
        extensions = {"code": "INTERNAL_SERVER_ERROR", "requestId": "00000000-0000-4000-8000-000000000000"}
        return Answer(200, {"errors": [{"message": message, "extensions": extensions}]})
    if fault.kind == "html":
        page = b"<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>"
        return Answer(200, page, content_type=HTML)
    return None


def spoiled(fault: Fault, answer: Answer) -> Answer:
    """The shop's own answer as the fault lets it through."""
    if fault.kind == "cut":
        whole = answer.encoded()
        return Answer(answer.status, whole[: len(whole) // 2], answer.headers)
    return answer


@dataclass
class Record:
    """The last 20,000 requests that arrived, in order, so that a test can say what was *not* asked."""

    _seen: deque[Fields] = field(default_factory=lambda: deque(maxlen=20_000))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrived(self, call: Call, fields: list[str], fault: Fault | None) -> Fields:
        """Noted at once, with `status` None until it is answered. `fields` are the document's root fields."""
        entry: Fields = {
            "at": time.time(),
            "path": call.path,
            "fields": fields,
            "bytes": len(call.body),
            "fault": fault.kind if fault else None,
            "status": None,
            "seconds": None,
        }
        with self._lock:
            self._seen.append(entry)
        return entry

    def answered(self, entry: Fields, status: int | None) -> None:
        with self._lock:
            entry["status"], entry["seconds"] = status, round(time.time() - entry["at"], 6)

    def seen(self) -> list[Fields]:
        with self._lock:
            return [dict(entry) for entry in self._seen]

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()
