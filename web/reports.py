"""Streams a run's report out of a process of its own: parsing holds the interpreter and may meet hostile input."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

from core.database import Database
from core.errors import Refused
from core.settings import CHECKOUT, Settings
from models.suppliers import FeedRun

PIECE = 64 * 1024


def stream_report(db: Database, settings: Settings, run_id: int) -> Iterator[bytes]:
    """The report as CSV, piece by piece; the process ends with whoever reads it. Raises Refused before the first piece."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "ENTREPOT_DATABASE_URL": db.url,
        "ENTREPOT_DATA": str(settings.data),
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelines.feeds.report", str(run_id)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT, env=environment,
    )  # fmt: skip
    assert child.stdout and child.stderr
    first = child.stdout.read(PIECE)
    if not first:
        said = child.stderr.read().decode(errors="replace").strip().splitlines()
        _end(child)
        raise Refused(said[-1] if said else f"The report of run {run_id} cannot be made.", rule="no_report")
    return _rest(child, first)


def report_name(run: FeedRun) -> str:
    """A plain file name: "preisliste-run-12-report.csv"."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", run.file_name.rsplit(".", 1)[0]).strip("-.")[:60]
    return f"{stem or 'feed'}-run-{run.id}-report.csv"


def _rest(child: subprocess.Popen[bytes], first: bytes) -> Iterator[bytes]:
    assert child.stdout
    try:
        yield first
        while piece := child.stdout.read(PIECE):
            yield piece
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()
