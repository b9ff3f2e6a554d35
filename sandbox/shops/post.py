"""How a sandbox shop sends what its webhooks tell: in the background, and never off this machine."""

import http.client
import ipaddress
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from urllib.parse import urlsplit

TIMEOUT = 5.0  # seconds


class Post(ABC):
    """A thread that sends when it is woken. `_turn` is held by whoever is sending."""

    def __init__(self) -> None:
        self._wake, self._stopped, self._turn = threading.Event(), threading.Event(), threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()
        with self._turn:  # what is being sent is finished first
            return

    def wake(self) -> None:
        self._wake.set()

    @abstractmethod
    def _send_due(self) -> None:
        """Sends what there is to send now."""

    @abstractmethod
    def _patience(self) -> float | None:
        """Seconds until it looks again without being woken; None: never."""

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(self._patience())
            self._wake.clear()
            if not self._stopped.is_set():
                self._send_due()


def deliver(address: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a POST to an address of this machine was answered with 2xx in time; elsewhere nothing is sent."""
    parts = urlsplit(address)
    if not loopback(parts.hostname):
        return False
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    line = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    try:
        line.request("POST", target, body, dict(headers))
        return 200 <= line.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
