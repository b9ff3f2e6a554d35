"""The row-level report: every record of a run's file in the supplier's own columns, with its verdict and advice.

It is made from the archived file when somebody asks, so nothing of a million rows is kept twice.
"""

import csv
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from connectors.sources.archive import archived
from core.database import Database
from core.errors import Refused
from core.settings import load
from models.suppliers import Feed, FeedRun
from pipelines.feeds.normalise import Batch, Normalised, normalise

OURS = ("verdict", "change", "reason", "notes", "advice", "place")
"""The hub's columns, after the supplier's own."""

NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
FREE_FORM = ("xml", "json")
"""Formats whose header names what a sample had; what no record has gets no column."""

Record = tuple[dict[str, str], list[str]]
"""A record's raw cells by column, and OURS."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A report before its first row: the supplier's columns, and the records that follow."""

    names: list[str]
    records: Iterator[Record]


def report(db: Database, run_id: int) -> Iterator[list[str]]:
    """A header, then a row for each record in file order.

    `change` is "new", "changed" or "unchanged" once the run is applied, else empty. A text that a spreadsheet could
    take for a formula begins with an apostrophe. Raises Refused as `open_report` does.
    """
    found = open_report(db, run_id)
    yield [safe(name) for name in header(found.names)]
    for raw, ours in found.records:
        yield [safe(raw.get(name, "")) for name in found.names] + [safe(text) for text in ours]


def open_report(db: Database, run_id: int) -> Columns:
    """The report's columns and records as received. Raises Refused where the run is not there, was not read yet, or
    its file is no longer in the archive."""
    with db.unit_of_work() as uow:
        run = uow.session.get(FeedRun, run_id)
        if run is None:
            raise Refused(
                f"There is no run {run_id}. `entrepot feed runs FEED` shows those there are.",
                rule="not_found",
            )
        if run.document is None or run.summary is None:
            raise Refused(
                f"Run {run_id} is {run.state}: its file has not been read, so there is no report.",
                rule="wrong_state",
            )
        file = archived(load().archive, run.file_sha256)
        currency = uow.session.get_one(Feed, run.feed_id).currency
        document, name, applied = run.document, run.file_name, run.state == "applied"
    if not file.is_file():
        raise Refused(f"The file of run {run_id} is no longer in the archive ({file}).", rule="not_found")
    found = normalise(file, name=name, mapping=document, currency=currency)
    records = answers(db, run_id, found, applied)
    own = list(document["dialect"].get("header") or [])
    if found.facts.format == "csv" and not document.get("records"):
        return Columns(own, records)
    return collected(records, own if found.facts.format not in FREE_FORM else [])


def answers(
    db: Database, run_id: int, found: Normalised, applied: bool
) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Each record's raw cells and the hub's columns; one short query a batch, no transaction left open meanwhile."""
    for batch in found.batches():
        kinds = changes(db, run_id, batch) if applied else {}
        for record in batch.answers.to_dict("records"):
            sku, accepted = record["supplier_sku"], record["verdict"] == "accepted"
            change = kinds.get(sku, "unchanged") if applied and accepted and isinstance(sku, str) else ""
            advice = record["message"] if isinstance(record["message"], str) else ""
            ours = [
                record["verdict"],
                change,
                ", ".join(record["reasons"]),
                ", ".join(record["notes"]),
                advice,
                record["locator"],
            ]
            yield record["raw"], ours


def changes(db: Database, run_id: int, batch: Batch) -> dict[str, str]:
    """What the run did to the offers of one batch: supplier SKU → "new" or "changed"."""
    keys = [key for key in batch.answers["supplier_sku"].tolist() if isinstance(key, str)]
    rows = db.run(
        """SELECT supplier_sku, kind FROM offer_change WHERE run_id = %s AND supplier_sku = ANY(%s)
           UNION ALL SELECT o.supplier_sku, 'new' FROM feed_run r JOIN offer o ON o.feed_id = r.feed_id
           WHERE r.id = %s AND o.first_run_id = r.id AND o.supplier_sku = ANY(%s)""",
        [run_id, keys, run_id, keys],
    )
    return {str(key): str(kind) for key, kind in rows}


def collected(records: Iterator[Record], first: list[str]) -> Columns:
    """For files whose records differ in their fields (XML): the columns are `first` and those that any record has, so all are read before the first row."""
    names: dict[str, None] = dict.fromkeys(first)
    aside = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by the reader of its lines
    for raw, ours in records:
        names.update(dict.fromkeys(raw))
        aside.write(json.dumps([raw, ours]) + "\n")

    def again() -> Iterator[Record]:
        with aside:
            aside.seek(0)
            for line in aside:
                raw, ours = json.loads(line)
                yield raw, ours

    return Columns(list(names), again())


def header(names: list[str]) -> list[str]:
    """The supplier's column names and ours; one of ours that he uses himself is told apart."""
    return names + [f"{name} (hub)" if name in names else name for name in OURS]


def safe(text: str) -> str:
    """`text`, with an apostrophe before it where a spreadsheet would take it for a formula; numbers are none."""
    return "'" + text if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text


def write(rows: Iterator[list[str]], out: TextIO) -> None:
    """The rows as CSV that a spreadsheet opens as UTF-8: a byte order mark first, lines end in CRLF."""
    first: Any = next(rows)  # before anything is written: a report that cannot be made leaves no half of one
    out.write("\ufeff")
    lines = csv.writer(out)
    lines.writerow(first)
    lines.writerows(rows)
