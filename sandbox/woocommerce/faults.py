"""What can be made to go wrong on purpose, and the record of what was asked: the switches that tests turn."""

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.woocommerce.answers import Answer, Call, Fields

KINDS = (
    "hang",  # never answered: held for `seconds`, then dropped; nothing is done
    "late",  # done at once, answered after `seconds`: the client has timed out, the products are made
    "drop_before",  # connection cut before anything is done
    "drop_after",  # connection cut after everything is done
    "status",  # `status` with Retry-After `retry_after`, as a proxy in front answers; nothing is done
    "maintenance",  # WordPress' own 503
    "database_down",  # WordPress' own 500
    "php_fatal",  # a plugin threw before anything was done
    "stray",  # done, and a plugin's text stands before the JSON
    "content_type",  # done, and labelled text/plain
    "cut",  # done, and the JSON ends in the middle
)
STRAY = b"<br />Warning: something deprecated in plugin.php on line 3<br />"
_MAINTENANCE = "Briefly unavailable for scheduled maintenance. Check back in a minute."
_FATAL = (
    "<p>There has been a critical error on this website.</p>"
    '<p><a href="https://wordpress.org/documentation/article/faq-troubleshooting/">'
    "Learn more about troubleshooting WordPress.</a></p>"
)


@dataclass
class Fault:
    """One switch. `times` None: until cleared. `method` and `path` narrow it; a path matches from its start
    below `/wp-json/wc/v3`, e.g. `/products/batch`."""

    kind: str
    times: int | None = 1
    method: str = ""
    path: str = ""
    seconds: float = 30.0
    status: int = 503
    retry_after: int | None = None

    def hits(self, call: Call) -> bool:
        below = call.path.removeprefix("/wp-json/wc/v3")
        return (not self.method or self.method == call.method) and below.startswith(self.path)


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

    def take(self, call: Call) -> Fault | None:
        """The fault that strikes this request, if any; it is counted as used."""
        with self._lock:
            for fault in self._waiting:
                if fault.hits(call):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._waiting.remove(fault)
                    return fault
        return None

    def waiting(self) -> list[Fields]:
        with self._lock:
            return [asdict(fault) for fault in self._waiting]


def instead(fault: Fault, call: Call) -> Answer | None:
    """The answer that stands in place of the shop's own, for the kinds where nothing is done."""
    if fault.kind == "maintenance":
        retry = {"Retry-After": "600"}
        if "application/json" not in call.headers.get("accept", ""):
            page = f'<!DOCTYPE html>\n<html dir="ltr"><head><title>Maintenance</title></head>\n<body id="error-page">\n\t<div class="wp-die-message">{_MAINTENANCE}</div></body>\n</html>\n'
            return Answer(503, page.encode(), retry, "text/html; charset=UTF-8", "died")
        return Answer(503, _died("wp_die", _MAINTENANCE, 503), retry, envelope="died")
    if fault.kind == "database_down":
        message = "<h1>Error establishing a database connection</h1>"
        return Answer(500, _died("wp_die", message, 500), envelope="died")
    if fault.kind == "php_fatal":
        return Answer(500, _died("internal_server_error", _FATAL, 500), envelope="died")
    if fault.kind == "status":
        retry = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return Answer(fault.status, b"", retry, "text/html", "proxy")
    return None


def spoiled(fault: Fault, answer: Answer) -> Answer:
    """The shop's own answer as the fault lets it through."""
    if fault.kind == "stray":
        return Answer(200, STRAY + answer.encoded(), {}, "text/html; charset=UTF-8", "stray")
    if fault.kind == "content_type":
        return Answer(answer.status, answer.encoded(), answer.headers, "text/plain", answer.envelope)
    if fault.kind == "cut":
        whole = answer.encoded()
        return Answer(answer.status, whole[: len(whole) // 2], answer.headers, envelope=answer.envelope)
    return answer


def _died(code: str, message: str, status: int) -> Fields:
    return {"code": code, "message": message, "data": {"status": status}, "additional_errors": []}


@dataclass
class Record:
    """The last 20,000 requests that arrived, in order, so that a test can say what was *not* asked."""

    _seen: deque[Fields] = field(default_factory=lambda: deque(maxlen=20_000))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrived(self, call: Call, batch: dict[str, int], fault: Fault | None) -> Fields:
        """Noted at once, with `status` None until it is answered."""
        entry: Fields = {
            "at": time.time(),
            "method": call.method,
            "path": call.path,
            "query": dict(call.query),
            "bytes": len(call.body),
            "batch": batch,
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
