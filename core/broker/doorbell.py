"""Listens for "something new in this queue", so that a worker need not ask all the time."""

import threading
from collections.abc import Iterable

import psycopg

from core import log
from core.database import CHANNEL, Database
from core.errors import Temporary

_log = log.logger("doorbell")


class Doorbell:
    """One connection of its own that hears NOTIFY for all queues. A ring that is lost costs a poll, no more."""

    def __init__(self, database: Database, queues: Iterable[str]) -> None:
        self._database = database
        self._bells = {queue: threading.Event() for queue in queues}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen_for_ever, name="doorbell", daemon=True)

    def start(self) -> None:
        """Starts listening."""
        self._thread.start()

    def stop(self) -> None:
        """Stops listening, within a second."""
        self._stop.set()
        self._thread.join(timeout=5)

    def bell(self, queue: str) -> threading.Event:
        """Set whenever the queue may have something new; whoever waits for it clears it."""
        return self._bells[queue]

    def _listen_for_ever(self) -> None:
        while not self._stop.is_set():
            try:
                with self._database.connection(autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    for bell in self._bells.values():
                        bell.set()  # whatever came while nobody listened
                    while not self._stop.is_set():
                        for notice in connection.notifies(timeout=1):
                            if notice.payload in self._bells:
                                self._bells[notice.payload].set()
            except (psycopg.OperationalError, Temporary) as error:
                _log.warning("not listening, polling instead", error=str(error).strip())
                self._stop.wait(1)
