"""Where a benchmark works: a migrated database of its own, and a hub's worker with its memory watched."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

from core.database import migrate
from core.postgres import EmbeddedPostgres
from core.settings import CHECKOUT, load


@contextlib.contextmanager
def database() -> Iterator[str]:
    """A migrated database of our own: in the server that was named to us, else in an embedded one."""
    if not (given := load().database_url.replace("+psycopg", "", 1)):
        with tempfile.TemporaryDirectory(prefix="ep-", dir="/tmp") as name:
            with EmbeddedPostgres(Path(name)) as url:
                migrate(url)
                yield url
            shutil.rmtree(
                (Path(name) / "postgres").resolve(), ignore_errors=True
            )  # as root it lies elsewhere
        return
    name = f"entrepot_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(given, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            url = psycopg.conninfo.make_conninfo(given, dbname=name)
            migrate(url)
            yield url
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Worker:
    """The hub's worker process with the embedded broker, as it is started everywhere; `with Worker(url, data)`."""

    def __init__(self, url: str, data: Path) -> None:
        self._environment = os.environ | {
            "ENTREPOT_DATABASE_URL": url,
            "ENTREPOT_DATA": str(data),
            "ENTREPOT_AMQP_URL": "",
            "ENTREPOT_LOG_LEVEL": "WARNING",
        }
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0.0
        """MB of the worker and its parsers together, the most that was seen; a looker may set it back to 0."""

    def __enter__(self) -> "Worker":
        command = [sys.executable, "-m", "pipelines.worker"]
        self._process = subprocess.Popen(command, cwd=CHECKOUT, env=self._environment)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._watcher.join()
        self._process.terminate()
        self._process.wait(timeout=40)

    def _watch(self) -> None:
        worker = psutil.Process(self._process.pid)
        while not self._stop.wait(0.05):
            with contextlib.suppress(psutil.NoSuchProcess):
                total = 0
                for process in (worker, *worker.children(recursive=True)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        total += process.memory_info().rss
                self.peak = max(self.peak, total / 1e6)
