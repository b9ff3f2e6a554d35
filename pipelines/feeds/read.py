"""Reads a landed file into staging: a child process parses, this step only carries its lines into COPY."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import orjson
from psycopg import Cursor
from sqlalchemy.orm import Session

from connectors.sources.archive import archived
from core.clock import now
from core.database import Database
from core.errors import Refused, Temporary
from core.settings import CHECKOUT, load
from models.events import FeedStaged, FileLanded
from models.mappings import mapping_for
from models.staged import count_staged
from models.suppliers import Feed, FeedRun
from pipelines.feeds.base import base_of, forget, known_path
from pipelines.feeds.staging import COLUMNS


def read(event: FileLanded, db: Database) -> None:
    """Answers every record of the run's file. A file that cannot be used ends the run as refused, with its sentence."""
    with db.unit_of_work() as uow:
        run = uow.session.get_one(FeedRun, event.run_id, with_for_update={"key_share": True})
        read_before = run.state != "landed"
        feed = uow.session.get_one(Feed, run.feed_id)
        mapping = mapping_for(uow.session, feed, run)
        order = {
            "file": str(archived(load().archive, run.file_sha256)), "sha256": run.file_sha256, "name": run.file_name, "profile": feed.profile,
            "document": with_policy(feed, mapping), "currency": feed.currency, "run_id": run.id, **remembered(uow.session, feed, run, mapping),
        }  # fmt: skip
        settings = feed.settings
        if not read_before:
            clear(uow.cursor(), run.id)
    if read_before:
        with db.unit_of_work(last=True):
            return
    told: dict[str, Any] = {}
    try:
        for head, body in frames(order):
            if head["kind"] == "error":
                told_why = orjson.loads(body)
                raise Refused(told_why["message"], rule=told_why["rule"])
            if head["kind"] in ("facts", "summary"):
                told[head["kind"]] = orjson.loads(body)
            else:
                stage(db, event.run_id, head, body)
    except Refused as error:
        with db.unit_of_work(last=True) as uow:
            run = uow.session.get_one(FeedRun, event.run_id)
            run.state, run.problem, run.staged_at = "refused", str(error), now()
            clear(uow.cursor(), run.id)
        return
    with db.unit_of_work(last=True) as uow:
        run = uow.session.get_one(FeedRun, event.run_id)
        staged = count_staged(uow.cursor(), run.id)
        counted = told["summary"].pop("staged")
        run.facts = {**told["facts"]["facts"], "staged": staged, "settings": settings, **counted}
        run.document = told["facts"]["document"]
        if (stated := told["summary"].pop("as_of")) and run.mends is None:
            run.as_of = min(datetime.fromisoformat(stated), now())  # a file may be dated ahead
        run.summary, run.records_done = told["summary"], told["summary"]["records"]
        run.state, run.staged_at = "staged", now()
        uow.emit(FeedStaged(tenant=event.tenant, lane=event.lane, run_id=run.id))


def remembered(session: Session, feed: Feed, run: FeedRun, mapping: dict[str, Any] | None) -> dict[str, Any]:
    """What the order says of records known before: the run that the offers show and its file, and the file to be written."""
    settings = load()
    forget(session, settings, feed)
    base = base_of(session, settings, feed, run, mapping)
    known = str(known_path(settings, base)) if base is not None else None
    return {"base": base, "known": known, "known_out": str(known_path(settings, run.id))}


def clear(cursor: Cursor[Any], run_id: int) -> None:
    """Takes away what an earlier reading of the run left: half of it, or all of a file that was refused at its end."""
    for table in ("staged_offer", "staged_unseen"):
        cursor.execute(f"DELETE FROM {table} WHERE run_id = %s", [run_id])
    cursor.execute("DELETE FROM reject WHERE run_id = %s", [run_id])


def with_policy(feed: Feed, document: dict[str, Any] | None) -> dict[str, Any] | None:
    """A version of the feed's mapping with its policy; before the first run only the policy, and all else is detected."""
    if document is None:
        return {"policy": feed.policy} if feed.policy else None
    return {**document, "policy": feed.policy}


def frames(order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The child's frames as they come. Raises Temporary where it died in the middle; it is ended whatever happens."""
    # glibc would keep a heap for each of its threads, and what was large and is free again.
    one_heap = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(1 << 21)}
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelines.feeds.parse"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": str(CHECKOUT), **one_heap},
    )  # fmt: skip
    assert child.stdin and child.stdout
    try:
        with child.stdin as pipe:
            pipe.write(json.dumps(order).encode())
        yield from _frames(child.stdout)
        if child.wait(timeout=60) != 0:
            raise Temporary(
                f"The parser of {order['name']} ended with code {child.returncode} before it was done."
            )
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _frames(stream: BinaryIO | Any) -> Iterator[tuple[dict[str, Any], bytes]]:
    while line := stream.readline():
        head = orjson.loads(line)
        body = stream.read(head["bytes"])
        if len(body) < head["bytes"]:
            return
        yield head, body


def stage(db: Database, run_id: int, head: dict[str, Any], body: bytes) -> None:
    """Writes one frame into staging, in a short unit of work of its own: nothing reads it before the run is staged.

    The disk is not waited for: what a crash takes of it is read again, and the run's end is written behind it.
    """
    with db.unit_of_work() as uow:
        cursor = uow.cursor()
        cursor.execute("SET LOCAL synchronous_commit = off")
        if head["kind"] == "offers":
            with cursor.copy(
                f"COPY staged_offer (run_id, place, {', '.join(COLUMNS)}) FROM STDIN (FORMAT csv)"
            ) as copy:
                copy.write(body)
            return
        if head["kind"] == "unseen":
            with cursor.copy("COPY staged_unseen (run_id, record_hash) FROM STDIN (FORMAT csv)") as copy:
                copy.write(body)
            return
        cursor.executemany(
            "INSERT INTO reject (run_id, place, locator, verdict, reasons, supplier_sku, message, raw)"
            " VALUES (%(run)s, %(place)s, %(locator)s, %(verdict)s, %(reasons)s, %(supplier_sku)s, %(message)s, %(raw)s)",
            [
                {**row, "run": run_id, "reasons": json.dumps(row["reasons"]), "raw": json.dumps(row["raw"])}
                for row in map(orjson.loads, body.splitlines())
            ],
        )
        cursor.execute("UPDATE feed_run SET records_done = %s WHERE id = %s", [head["records"], run_id])
