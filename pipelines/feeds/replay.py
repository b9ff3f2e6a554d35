"""Runs that a person starts from an earlier one: its file read with another mapping, or its rejects sent again, mended."""

import csv
from collections.abc import Mapping
from typing import Any, TextIO

from sqlalchemy import func, select

from connectors.base import LandedFile
from connectors.sources.archive import archived
from core.database import Database, UnitOfWork
from core.errors import Refused, there_is
from core.settings import Settings
from core.tables import AuditRecord
from models.events import FileLanded
from models.suppliers import Feed, FeedMapping, FeedRun
from pipelines.feeds.mapping import document as documents
from pipelines.feeds.shaping import is_made


def replay(
    uow: UnitOfWork, settings: Settings, run_id: int, actor: str, *,
    version: int | None = None, document: Mapping[str, Any] | None = None,
) -> FeedRun:  # fmt: skip
    """A new run from the archived file of an earlier one, read with a version of the feed's mapping or with `document`.

    With neither it is the feed's present mapping. `document` may hold only the sections that differ from those the run
    was read with; it becomes a version of the feed's mapping that the feed does not use by itself. The run always
    waits for a person after its plan is made. Raises Refused where the file is gone or the mapping is not usable.
    """
    run = there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}")
    feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
    if not archived(settings.archive, run.file_sha256).is_file():
        raise Refused(f"The file of run {run_id} is no longer in the archive: send it again.", rule="no_file")
    if document is not None and version is not None:
        raise Refused("A replay takes a version or a document, not both.", rule="usage")
    if document is not None:
        version = _kept(uow, feed, run, document, actor)
    elif version is not None:
        there_is(uow.session.get(FeedMapping, (feed.id, version)), f"Version {version} of the mapping of {feed.name}")  # fmt: skip
    made = FeedRun(
        feed_id=feed.id, state="landed", file_name=run.file_name, file_bytes=run.file_bytes, file_sha256=run.file_sha256,
        mapping_version=version or feed.mapping_version, replay_of=run.id, as_of=run.as_of,
    )  # fmt: skip
    by = f"mapping version {made.mapping_version}" if made.mapping_version else "a mapping proposed anew"
    return _started(uow, feed, made, actor, "run replayed", f"The file of run {run.id} is read again with {by}.")  # fmt: skip


def mend(uow: UnitOfWork, run_id: int, landed: LandedFile, actor: str) -> FeedRun:
    """The run for a file with the mended rejects of an earlier run: it adds to what that run offered, and nothing is
    missing because it is not in it. Raises Refused where that run is not applied."""
    run = there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}")
    feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
    if run.state != "applied":
        raise Refused(f"Run {run_id} is {run.state}: mended records are added to a run that is applied.", rule="wrong_state")  # fmt: skip
    made = FeedRun(
        feed_id=feed.id, state="landed", file_name=landed.name.encode(errors="replace").decode()[:255], file_bytes=landed.bytes,
        file_sha256=landed.sha256, mapping_version=run.mapping_version, mends=run.id, as_of=run.as_of,
    )  # fmt: skip
    return _started(uow, feed, made, actor, "rejects mended", f"Mended records of run {run.id} came as {made.file_name}.")  # fmt: skip


def write_rejects(db: Database, run_id: int, out: TextIO) -> None:
    """The records of a run that were not accepted, as CSV in the supplier's own columns and nothing else, as they
    came: to be mended and sent again. Raises Refused where the run is not there or was not read."""
    with db.unit_of_work() as uow:
        run = there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}")
        if run.document is None or run.summary is None:
            raise Refused(f"Run {run_id} is {run.state}: its file has not been read.", rule="wrong_state")
        dialect, shape = run.document["dialect"], run.document.get("records")
        cursor = uow.cursor()
        used = cursor.execute(
            "SELECT DISTINCT name FROM reject, jsonb_object_keys(raw) AS name WHERE run_id = %s", [run_id]
        ).fetchall()
        names = {name for (name,) in used if not is_made(name, shape)}
        header = [name for name in dialect.get("header") or [] if dialect["format"] == "csv" or name in names]
        header += sorted(names.difference(header))
        out.write("\ufeff")  # says for every program that it is UTF-8
        lines = csv.DictWriter(out, header, extrasaction="ignore", delimiter=dialect.get("delimiter") or ",")
        lines.writeheader()
        with cursor.connection.cursor(name="rejects") as rows:
            rows.execute("SELECT raw FROM reject WHERE run_id = %s ORDER BY place", [run_id])
            for (raw,) in rows:
                lines.writerow(raw)


def _kept(uow: UnitOfWork, feed: Feed, run: FeedRun, given: Mapping[str, Any], actor: str) -> int:
    """The document as a version of its own; the feed goes on with the one it has."""
    if run.document is None and "dialect" not in given:
        raise Refused(f"Run {run.id} was not read: give a whole mapping, with its dialect.", rule="mapping_invalid")  # fmt: skip
    whole = dict(given) if "dialect" in given else documents.merged(run.document or {}, given)
    whole = {name: section for name, section in whole.items() if name != "policy"}
    documents.check(whole)
    newest = uow.session.scalar(select(func.max(FeedMapping.version)).where(FeedMapping.feed_id == feed.id))
    number = (newest or 0) + 1
    uow.session.add(
        FeedMapping(feed_id=feed.id, version=number, document=whole, author=actor, note=f"For a replay of run {run.id}.")
    )  # fmt: skip
    return number


def _started(uow: UnitOfWork, feed: Feed, run: FeedRun, actor: str, act: str, words: str) -> FeedRun:
    uow.session.add(run)
    uow.session.flush()
    uow.session.add(
        AuditRecord(actor=actor, act=act, subject=f"run:{run.id}", words=words, facts={"of": run.replay_of or run.mends})
    )  # fmt: skip
    uow.emit(FileLanded(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))
    return run
