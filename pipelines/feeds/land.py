"""Lands a supplier's file: its bytes go to the archive once, by hash, and a run is made for it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from connectors.base import LandedFile
from core import log
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Misconfigured, Temporary
from core.settings import load
from models.events import FeedDue, FileLanded
from models.suppliers import Feed, FeedRun
from pipelines.feeds.sources import source_of

UNFINISHED = ("landed", "staged", "waiting", "approved")
FIRST_REST, LONGEST_REST = 50.0, 3600.0
"""Seconds the clock leaves a source alone after its first failure, doubling, and at most. A person may look any time."""

_log = log.logger("feeds")


def land(event: FeedDue, db: Database) -> None:
    """Looks at the feed's source until it has nothing new; a new file becomes a run, an unchanged one leaves no trace.

    A source that fails is no failed step: its problem is noted at the feed for its owner, and the clock looks again
    with growing pauses. What a source asks to remember is stored together with the run, so that a kill in between
    only has the same file fetched again.
    """
    settings = load()
    with db.unit_of_work() as uow:
        feed = uow.session.get_one(Feed, event.feed_id)
        last = last_landed(uow.session, feed)
        uow.session.expunge_all()
    if feed.source["kind"] == "upload":  # by now files are sent: nothing is looked at
        with db.unit_of_work(last=True):
            return
    try:
        source = source_of(feed, settings)
        landed = source.fetch(settings.archive, last)
    except (Misconfigured, Temporary) as error:
        with db.unit_of_work(last=True) as uow:
            _note_problem(uow, feed, error)
        return
    with db.unit_of_work(last=True) as uow:
        if landed is None:
            if (free := _unlocked(uow, feed)) is not None:
                free.source_state = looked(source.remembered)
            return
        stored = uow.session.get_one(Feed, feed.id, with_for_update={"key_share": True})
        if last_landed(uow.session, stored) != last or stored.source != feed.source:
            uow.emit(event)  # somebody came first, or it is another source by now
            return
        receive(uow, stored, landed)
        stored.source_state = looked(source.remembered)
        if source.many:
            uow.emit(event)  # there may be another file, and this one is to be put aside


def ask_to_look(uow: UnitOfWork, feed: Feed) -> None:
    """Has a feed's source looked at now, unless that is about to happen anyway: one due message a feed is enough."""
    waiting = uow.cursor().execute(
        "SELECT FROM message WHERE event = 'FeedDue' AND lane = %s AND state = 0 AND due_at <= clock_timestamp()",
        [feed.lane],
    )
    if waiting.fetchone() is None:
        uow.emit(FeedDue(tenant=feed.supplier_id, lane=feed.lane, feed_id=feed.id))


def receive(uow: UnitOfWork, feed: Feed, landed: LandedFile) -> FeedRun:
    """Makes the run for a landed file and rings for it, unless the offers show exactly this file already.

    Where another file is still on its way the same file is taken in once more: the one that came last has the last word.
    """
    on_its_way = uow.session.query(FeedRun.id).filter(
        FeedRun.feed_id == feed.id, FeedRun.state.in_(UNFINISHED)
    )
    unchanged = feed.applied_fingerprint == feed.fingerprint(landed.sha256) and on_its_way.first() is None
    run = FeedRun(
        feed_id=feed.id,
        state="unchanged" if unchanged else "landed",
        file_name=landed.name.encode(errors="replace").decode()[:255],  # a name on disk may be no text at all
        file_bytes=landed.bytes,
        file_sha256=landed.sha256,
        **({"as_of": min(landed.as_of, now())} if landed.as_of else {}),  # a clock may be ahead of ours
    )
    uow.session.add(run)
    uow.session.flush()
    if not unchanged:
        uow.emit(FileLanded(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))
    return run


def last_landed(session: Session, feed: Feed) -> str | None:
    """The SHA-256 of the file that came last, whatever became of it."""
    last = session.query(FeedRun.file_sha256).filter_by(feed_id=feed.id).order_by(FeedRun.id.desc()).first()
    return last[0] if last else None


def looked(remembered: Mapping[str, Any]) -> dict[str, Any]:
    """Feed.source_state after a look that went well."""
    return {"looked_at": now().isoformat(), **({"remembered": dict(remembered)} if remembered else {})}


def _note_problem(uow: UnitOfWork, feed: Feed, error: Misconfigured | Temporary) -> None:
    sentence = log.masked(str(error))
    stored = _unlocked(uow, feed)
    if stored is None:
        return
    before, moment = stored.source_state, now()
    failures = int(before.get("failures", 0)) + 1
    wish = error.retry_after if isinstance(error, Temporary) else None
    rest = max(min(FIRST_REST * 2.0 ** min(failures - 1, 12), LONGEST_REST), min(wish or 0.0, 86_400.0))
    stored.source_state = {
        "looked_at": moment.isoformat(), "problem": sentence, "failures": failures,
        "since": before.get("since") or moment.isoformat(), "again_at": (moment + timedelta(seconds=rest)).isoformat(),
        **({"remembered": before["remembered"]} if before.get("remembered") else {}),
    }  # fmt: skip
    if before.get("problem") != sentence:
        _log.warning("source failed", feed=feed.id, problem=sentence)


def _unlocked(uow: UnitOfWork, feed: Feed) -> Feed | None:
    """The feed's row to note something in: None where a run holds it just now, or its source was changed meanwhile."""
    query = uow.session.query(Feed).filter_by(id=feed.id).with_for_update(key_share=True, skip_locked=True)
    found = query.one_or_none()
    return found if found is not None and found.source == feed.source else None
