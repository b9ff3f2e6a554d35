"""Streams a run's report out of a process of its own: parsing holds the interpreter and may meet hostile input."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

from fastapi.responses import StreamingResponse

from core.database import Database
from core.errors import Refused, there_is
from core.settings import CHECKOUT, Settings
from models.suppliers import FeedRun

PIECE = 64 * 1024


KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "rejects": "text/csv; charset=utf-8",
}
"""kind of report -> its media type."""


def download(db: Database, settings: Settings, run_id: int, kind: str) -> StreamingResponse:
    """A report as an attachment. Raises Refused where the run is not there or has none."""
    with db.unit_of_work() as uow:
        name = report_name(there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}"), kind)
    return StreamingResponse(
        stream_report(db, settings, run_id, kind), media_type=KINDS[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip


def stream_report(db: Database, settings: Settings, run_id: int, kind: str = "csv") -> Iterator[bytes]:
    """The report, piece by piece; the process ends with whoever reads it. Raises Refused before the first piece."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "ENTREPOT_DATABASE_URL": db.url,
        "ENTREPOT_DATA": str(settings.data),
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelines.feeds.report_download", str(run_id), kind],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT, env=environment,
    )  # fmt: skip
    assert child.stdout and child.stderr
    first = child.stdout.read(PIECE)
    if not first:
        said = child.stderr.read().decode(errors="replace").strip().splitlines()
        _end(child)
        raise Refused(said[-1] if said else f"The report of run {run_id} cannot be made.", rule="no_report")
    return _rest(child, first)


def report_name(run: FeedRun, kind: str = "csv") -> str:
    """A plain file name: "preisliste-run-12-report.csv"."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", run.file_name.rsplit(".", 1)[0]).strip("-.")[:60]
    return f"{stem or 'feed'}-run-{run.id}-{'rejects.csv' if kind == 'rejects' else f'report.{kind}'}"


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
