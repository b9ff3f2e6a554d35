"""Undo of an applied run: every offer it changed goes back to what it was, and its file may be taken in again."""

from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Refused, there_is
from core.tables import AuditRecord
from models.catalogue import RESTATED
from models.events import RunUndone, UndoDue
from models.modes import PARTIAL, mode_of, target_of
from models.runs import last_applied
from models.staged import another_is_taken
from models.suppliers import Feed, FeedRun
from pipelines.feeds.staging import COLUMNS

RESTORED = (*(name for name in COLUMNS if name != "supplier_sku"), "state", "feed_run_id")
"""What goes back; `free` is counted anew, since buyers went on buying meanwhile."""

# Each change has [from, to] for every field that it changed; what it does not name was not changed. A run that told
# stock or prices alone left the rest to others, who may have written it since: only its own fields go back.
BACK = f"""
UPDATE offer o SET ({", ".join(RESTORED)}) = ({", ".join(f"r.{name}" for name in RESTORED)}), changed_at = now()
FROM (SELECT supplier_sku, (SELECT coalesce(jsonb_object_agg(key, value->0), '{{}}') FROM jsonb_each(fields))
        || CASE WHEN %(whole)s THEN before ELSE '{{}}' END AS was
      FROM offer_change WHERE run_id = %(run)s AND kind IN ('changed', 'gone')) c
JOIN offer x ON x.feed_id = %(feed)s AND x.supplier_sku = c.supplier_sku
CROSS JOIN LATERAL jsonb_populate_record(x, c.was) r
WHERE o.id = x.id"""
# What the run brought stays as a gone offer, for orders may know it; its pictures leave its product's page, and the
# same record is news when it comes again.
GONE = """
UPDATE offer SET state = 'gone', free = 0, images = '[]', content_hash = '', record_hash = NULL, changed_at = now()
WHERE feed_id = %(feed)s AND first_run_id = %(run)s AND state = 'offered'"""
# Afterwards and by itself: now that the rows are ours, it sees every reservation there is, and no new one comes.
RESTATE = f"""
UPDATE offer o SET free = {RESTATED}
WHERE o.feed_id = %(feed)s AND o.supplier_sku IN (
  SELECT supplier_sku FROM offer_change WHERE run_id = %(run)s AND kind IN ('changed', 'gone'))"""


def ask_undo(uow: UnitOfWork, run_id: int, actor: str) -> FeedRun:
    """Asks for the undo of an applied run; it happens as soon as a worker has time.

    Raises Refused, saying what to do, where the run is not applied or a later run of the feed is.
    """
    run = there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}")
    if sentence := why_not(uow, run):
        raise Refused(sentence, rule="wrong_state")
    feed = uow.session.get_one(Feed, run.feed_id)
    uow.session.add(
        AuditRecord(
            actor=actor, act="undo asked", subject=f"run:{run.id}", facts={"feed": feed.id},
            words=f"Run {run.id} of {feed.name} is to be undone.",
        )
    )  # fmt: skip
    uow.emit(UndoDue(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))
    return run


def why_not(uow: UnitOfWork, run: FeedRun) -> str | None:
    """The sentence that says why this run cannot be undone now; None where it can."""
    if run.state != "applied":
        return f"Run {run.id} is {run.state}: only a run that is applied can be undone."
    if another_is_taken(uow.cursor(), run, begun=True):
        return f"Another run of this feed is on its way into the catalogue: wait for its end, then undo it before run {run.id}."
    later = last_applied(uow.session, run.feed_id)
    if later is not None and later.id != run.id:
        return f"Run {later.id} of this feed was applied after run {run.id}: undo run {later.id} first."
    return None


def undo(event: UndoDue, db: Database) -> None:
    """Puts the offers back, unless a later run was applied in the meantime: that one must be undone first."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
        uow.session.refresh(run)  # as it is now that nobody else works at this feed
        if why_not(uow, run) is not None:
            return
        run.state = "undone"
        feed.applied_fingerprint = None
        uow.session.flush()  # the figures of the run before count again
        cursor = uow.cursor()
        whole = mode_of(feed) not in PARTIAL
        for statement in (BACK, GONE, RESTATE):
            cursor.execute(statement, {"run": run.id, "feed": target_of(feed), "whole": whole})
        uow.emit(RunUndone(tenant=event.tenant, lane=event.lane, run_id=run.id))
