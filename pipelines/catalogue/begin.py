"""Begins to apply an approved run: what is absent is noted, identifiers that identify nothing are, then piece by piece."""

from typing import Any

from psycopg import Cursor

from core.database import SET_SECONDS, Database, UnitOfWork
from models.absence import note_absent
from models.events import PieceDue, RunApproved
from models.modes import scope_of
from models.runs import overtaken, policy_of
from models.staged import POLICY, emptied
from models.suppliers import Feed, FeedRun

WORTH_HALVING = 50_000
"""Offers of a half: a first load this large is written by two at a time, unless groups need the order of the file."""

NEW = """NOT EXISTS (SELECT FROM offer o WHERE o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku)"""
GTIN = "CASE WHEN {0}.gtin_verdict IN ('valid', 'repaired') THEN 'gtin:' || lpad({0}.gtin, 14, '0') END"
MPN = "CASE WHEN {0}.brand <> '' AND {0}.mpn <> '' AND length({0}.brand || {0}.mpn) < 500 THEN 'mpn:' || lower({0}.brand) || '|' || lower({0}.mpn) END"
"""The key by which an offer's goods are known everywhere; NULL where it has none."""

# For how many of his numbers a supplier uses an identifier: two mean that it does not identify. In a file every number
# is there once; his other offers count as well, in what they say after this run.
SHARED_IN_FILE = """
INSERT INTO staged_shared (run_id, key)
SELECT %(run)s, {written} FROM (SELECT {key} AS key FROM staged_offer s WHERE s.run_id = %(run)s) f
WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1
ON CONFLICT DO NOTHING"""
FIGURES, FIGURES_WRITTEN = (
    "CASE WHEN s.gtin_verdict IN ('valid', 'repaired') THEN s.gtin::bigint END",
    "'gtin:' || lpad(key::text, 14, '0')",
)
"""GTIN as a number: a million of them are grouped in half the time that their texts take."""
SHARED_WITH_OTHERS = f"""
INSERT INTO staged_shared (run_id, key)
WITH new AS (SELECT DISTINCT {{key}} AS key FROM staged_offer s WHERE s.run_id = %(run)s AND {NEW}),
used AS (
  SELECT {{key}} AS key, s.supplier_sku FROM staged_offer s WHERE s.run_id = %(run)s
  UNION ALL
  SELECT {{other}}, x.supplier_sku FROM offer x
  LEFT JOIN staged_offer t ON t.run_id = %(run)s AND t.supplier_sku = x.supplier_sku AND x.feed_id = %(feed)s
  WHERE x.supplier_id = %(supplier)s AND t.run_id IS NULL)
SELECT %(run)s, key FROM used JOIN new USING (key) GROUP BY key HAVING min(supplier_sku) <> max(supplier_sku)
ON CONFLICT DO NOTHING"""
WITHOUT_GTIN = f"""
staged_offer s WHERE s.run_id = %(run)s AND s.brand <> '' AND s.mpn <> ''
  AND coalesce({GTIN.format("s")} IN (SELECT key FROM staged_shared WHERE run_id = %(run)s), true)"""

OVERTAKE = (  # an earlier file that waits for a person, or is on its way, need not come to its end
    "DELETE FROM staged_offer WHERE run_id IN (SELECT id FROM feed_run WHERE feed_id = %(feed)s AND id < %(run)s AND state IN ('waiting', 'approved'))",
    "UPDATE feed_run SET state = 'superseded' WHERE feed_id = %(feed)s AND id < %(run)s AND state IN ('waiting', 'approved')",
)


def begin(event: RunApproved, db: Database) -> None:
    """Makes ready what all pieces of the run need, and asks for the first.

    A run that a later one of the same feed has overtaken is superseded and changes nothing: an old file must not
    undo a new one.
    """
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
        uow.session.refresh(run)  # as it is now that nobody else works at this feed
        if run.state != "approved" or run.taken is not None or emptied(uow, run, feed):
            return
        cursor = uow.cursor()
        if overtaken(uow.session, run) or later_approved(uow, run):
            run.state = "superseded"
            cursor.execute("DELETE FROM staged_offer WHERE run_id = %s", [run.id])
            return
        staged, scope = int((run.facts or {})["staged"]), scope_of(uow.session, feed)
        facts = {"run": run.id, "feed": feed.id, "supplier": feed.supplier_id}
        cursor.execute("DELETE FROM staged_shared WHERE run_id = %(run)s", facts)
        for statement in OVERTAKE:
            cursor.execute(statement, facts)
        if scope.whole:
            note_shared(cursor, facts, run.facts or {})
        if (run.plan or {}).get("limits"):  # it waited for a person: what is absent is looked at anew
            note_absent(cursor, run, scope, policy_of(run, {**POLICY, **feed.policy}))
        run.taken = 0
        empty = scope.whole and not there_is_any(cursor, "offer WHERE feed_id = %(feed)s", facts)
        half = staged // 2
        grouped = "staged_offer WHERE run_id = %(run)s AND group_key IS NOT NULL"
        counted = (run.facts or {}).get("grouped")
        alone = empty and not (there_is_any(cursor, grouped, facts) if counted is None else counted)
        parts = ((0, half), (half, staged)) if alone and half >= WORTH_HALVING else ((0, 0),)
        for after, until in parts:
            uow.emit(
                PieceDue(
                    tenant=event.tenant, lane=event.lane, run_id=run.id, after=after, until=until,
                    into_empty=int(empty), alone=int(alone),
                )
            )  # fmt: skip


def later_approved(uow: UnitOfWork, run: FeedRun) -> bool:
    """Whether a later run of the feed may pass already: it has the last word."""
    approved = uow.session.query(FeedRun.id).filter_by(feed_id=run.feed_id, state="approved")
    return approved.filter(FeedRun.id > run.id).first() is not None


def note_shared(cursor: Cursor[Any], facts: dict[str, Any], staged: dict[str, Any]) -> None:
    """Notes the identifiers of new offers that their supplier uses more than once; what reading saw of those `staged` is
    not looked for again (pipelines/feeds/staged_facts.py).

    A brand's part number is asked for only where a GTIN does not identify.
    """
    cursor.execute("SET LOCAL work_mem = '128MB'")
    if not there_is_any(cursor, "offer WHERE supplier_id = %(supplier)s", facts):
        each_once = staged.get("gtin_twice") is False
        if not each_once:
            cursor.execute(SHARED_IN_FILE.format(key=FIGURES, written=FIGURES_WRITTEN), facts)
        if not (each_once and staged["without_gtin"] == 0) and there_is_any(cursor, WITHOUT_GTIN, facts):
            cursor.execute(SHARED_IN_FILE.format(key=MPN.format("s"), written="key"), facts)
    elif there_is_any(cursor, f"staged_offer s WHERE s.run_id = %(run)s AND {NEW}", facts):
        cursor.execute(SHARED_WITH_OTHERS.format(key=GTIN.format("s"), other=GTIN.format("x")), facts)
        if there_is_any(cursor, WITHOUT_GTIN, facts):
            cursor.execute(SHARED_WITH_OTHERS.format(key=MPN.format("s"), other=MPN.format("x")), facts)


def there_is_any(cursor: Cursor[Any], what: str, facts: dict[str, Any]) -> bool:
    """Whether there is a row; `what` is SQL of our own behind FROM."""
    return cursor.execute(f"SELECT FROM {what} LIMIT 1", facts).fetchone() is not None
