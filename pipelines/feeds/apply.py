"""Applies an approved run: only differences are written into the feed's offers, and each is remembered."""

from core.clock import now
from core.database import SET_SECONDS, Database
from models.events import OffersChanged, RunApproved
from models.mappings import pin_mapping
from models.runs import overtaken, policy_of
from models.suppliers import Feed, FeedRun
from pipelines.feeds.plan import COMPARED, FREE, MATTERS, POLICY, STATED, differs, emptied
from pipelines.feeds.staging import COLUMNS

COPIED = tuple(name for name in COLUMNS if name != "supplier_sku")


def apply(event: RunApproved, db: Database) -> None:
    """Writes new and changed offers, treats the absent ones as the policy says, and empties the run's staging.

    A run that a later one of the same feed has overtaken is superseded and changes nothing: an old file must not
    undo a new one.
    """
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
        uow.session.refresh(run)  # as it is now that nobody else works at this feed
        if run.state != "approved" or emptied(uow, run, feed):
            return
        cursor = uow.cursor()
        if overtaken(uow.session, run):
            run.state = "superseded"
        else:
            policy = policy_of(run, {**POLICY, **feed.policy})
            facts = {
                "run": run.id,
                "feed": feed.id,
                "supplier": feed.supplier_id,
                "assumed": policy["assumed_stock"],
                "absence": policy["absence"],
                "as_of": run.as_of,
            }
            for statement in (*REMEMBER, UPDATE, RESTATE, INSERT, *ABSENCE[policy["absence"]], *OVERTAKE):
                cursor.execute(statement, facts)
            run.state, run.applied_at = "applied", now()
            # Read by another mapping or other settings than the feed has by now, the same file would make other offers.
            as_read = (
                pin_mapping(uow.session, feed, run) and (run.facts or {}).get("settings") == feed.settings
            )
            whole = as_read and run.mends is None  # mended records alone are not what the offers show
            feed.applied_fingerprint = feed.fingerprint(run.file_sha256) if whole else None
            uow.emit(OffersChanged(tenant=event.tenant, lane=event.lane, run_id=run.id))
        cursor.execute("DELETE FROM staged_offer WHERE run_id = %s", [run.id])


PAIRS = "FROM staged_offer s JOIN offer o ON o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku WHERE s.run_id = %(run)s"
STEPS = " || ".join(
    f"CASE WHEN o.{name} IS DISTINCT FROM s.{name} THEN jsonb_build_object('{name}', jsonb_build_array(o.{name}, s.{name})) ELSE '{{}}' END"
    for name in COMPARED
)
BEFORE = "jsonb_build_object({})".format(
    ", ".join(
        f"'{name}', o.{name}" for name in ("feed_run_id", "state", "locator", "content_hash", "record_hash")
    )
)
"""What an undo puts back beside the fields, see feeds/undo.py."""
GOING = """CASE %(absence)s WHEN 'out_of_stock' THEN jsonb_build_object('stock', jsonb_build_array(o.stock, 0)) ELSE '{}' END"""
REMEMBER = (
    f"""INSERT INTO offer_change (run_id, supplier_sku, kind, fields, before)
        SELECT %(run)s, s.supplier_sku, 'changed', {STEPS}, {BEFORE} {PAIRS} AND ({differs()})""",
    """INSERT INTO offer_change (run_id, supplier_sku, kind, fields)
       SELECT %(run)s, s.supplier_sku, 'new', '{}' FROM staged_offer s
       WHERE s.run_id = %(run)s AND NOT EXISTS (SELECT FROM offer o WHERE o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku)""",
    f"""INSERT INTO offer_change (run_id, supplier_sku, kind, fields, before)
       SELECT %(run)s, o.supplier_sku, 'gone', {GOING}, {BEFORE} FROM offer o
       WHERE o.feed_id = %(feed)s AND {MATTERS}
         AND NOT EXISTS (SELECT FROM staged_offer s WHERE s.run_id = %(run)s AND s.supplier_sku = o.supplier_sku)""",
)
UPDATE = f"""UPDATE offer o SET ({", ".join(COPIED)}) = ({", ".join(f"s.{name}" for name in COPIED)}),
      free = {STATED}, state = 'offered', feed_run_id = %(run)s, changed_at = now()
    FROM staged_offer s WHERE s.run_id = %(run)s AND o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku AND ({differs()})"""
# Afterwards and by itself: now that the rows are ours, this statement sees every reservation there is, and no new one comes.
RESTATE = f"""UPDATE offer o SET free = {FREE}
    FROM staged_offer s, (SELECT DISTINCT offer_id FROM reservation WHERE quantity > 0 OR sold_at > %(as_of)s) t
    WHERE s.run_id = %(run)s AND o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku AND o.id = t.offer_id AND o.feed_run_id = %(run)s"""
INSERT = f"""INSERT INTO offer (supplier_id, feed_id, feed_run_id, first_run_id, supplier_sku, free, {", ".join(COPIED)})
    SELECT %(supplier)s, %(feed)s, %(run)s, %(run)s, s.supplier_sku, {STATED}, {", ".join(f"s.{name}" for name in COPIED)}
    FROM staged_offer s WHERE s.run_id = %(run)s
      AND NOT EXISTS (SELECT FROM offer o WHERE o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku)
    ORDER BY s.place"""
OVERTAKE = (  # an earlier file that waits for a person need not wait any longer
    """DELETE FROM staged_offer WHERE run_id IN (
         SELECT id FROM feed_run WHERE feed_id = %(feed)s AND id < %(run)s AND state = 'waiting')""",
    "UPDATE feed_run SET state = 'superseded' WHERE feed_id = %(feed)s AND id < %(run)s AND state = 'waiting'",
)
ABSENT = "FROM offer_change c WHERE c.run_id = %(run)s AND c.kind = 'gone' AND o.feed_id = %(feed)s AND o.supplier_sku = c.supplier_sku"
ABSENCE = {
    "keep": (),
    "out_of_stock": (
        f"UPDATE offer o SET free = 0, stock = 0, feed_run_id = %(run)s, changed_at = now() {ABSENT}",
    ),
    "withdraw": (
        f"UPDATE offer o SET free = 0, state = 'gone', feed_run_id = %(run)s, changed_at = now() {ABSENT}",
    ),
}
