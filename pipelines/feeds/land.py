"""Lands a supplier's file: its bytes go to the archive once, by hash, and a run is made for it."""

from sqlalchemy.orm import Session

from connectors.base import LandedFile
from connectors.registry import SOURCES
from core.database import Database, UnitOfWork
from core.errors import Misconfigured
from core.settings import load
from models.events import FeedDue, FileLanded
from models.suppliers import Feed, FeedRun

UNFINISHED = ("landed", "staged", "waiting", "approved")


def land(event: FeedDue, db: Database) -> None:
    """Looks at the feed's source until it has nothing new; a new file becomes a run, an unchanged one leaves no trace."""
    with db.unit_of_work() as uow:
        feed = uow.session.get_one(Feed, event.feed_id)
        source, last = dict(feed.source), last_landed(uow.session, feed)
    kind = source.pop("kind")
    if kind not in SOURCES:
        raise Misconfigured(
            f"Feed {event.feed_id} has a source of kind {kind!r}; there are {', '.join(sorted(SOURCES))}."
        )
    landed = SOURCES[kind](**source).fetch(load().archive, last)
    with db.unit_of_work(last=True) as uow:
        if landed is not None:
            feed = uow.session.get_one(Feed, event.feed_id, with_for_update={"key_share": True})
            if last_landed(uow.session, feed) == last:  # else somebody looked at the same time and came first
                receive(uow, feed, landed)
            uow.emit(event)  # there may be another file, and this one is to be put aside


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
