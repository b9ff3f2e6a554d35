"""Takes an approved run into the catalogue, a piece at a time: each piece is whole in itself, and others come in between."""

import dataclasses
from typing import Any

from psycopg import Cursor

from core.clock import now
from core.database import SET_SECONDS, Database, UnitOfWork
from models.catalogue import RESTATED
from models.companies import Company
from models.events import FeedStaged, PieceDue, ProductsMerged
from models.mappings import pin_mapping
from models.modes import Scope, scope_of
from models.runs import policy_of
from models.staged import FREE, MATTERS, POLICY, beside, send_back
from models.suppliers import Feed, FeedRun
from pipelines.catalogue.begin import NEW, there_is_any
from pipelines.catalogue.lock import lock_catalogue
from pipelines.catalogue.match import match, match_alone
from pipelines.catalogue.merge import merge_variants

PIECE = 50_000
"""Offers of one unit of work: about a second."""

PAIRS = f"""staged_offer s {beside("JOIN")}
    WHERE s.run_id = %(run)s AND s.place > %(after)s AND s.place <= %(last)s"""
CHANGED = f"""
CREATE TEMP TABLE changed ON COMMIT DROP AS
SELECT s.place, o.id AS offer_id, o.variant_id, {{differs}} AS differs FROM {PAIRS}
  AND ({{differs}} OR %(whole)s AND o.record_hash IS DISTINCT FROM s.record_hash)"""
LOCKED = "SELECT FROM offer WHERE id IN (SELECT offer_id FROM changed) ORDER BY id FOR NO KEY UPDATE"
BEHIND = "FROM changed c JOIN staged_offer s ON s.run_id = %(run)s AND s.place = c.place"
BEFORE = "jsonb_build_object({})".format(
    ", ".join(
        f"'{name}', o.{name}" for name in ("feed_run_id", "state", "locator", "content_hash", "record_hash")
    )
)
"""What an undo puts back beside the fields, see feeds/undo.py."""
REMEMBER = f"""
INSERT INTO offer_change (run_id, supplier_sku, kind, fields, before)
SELECT %(run)s, s.supplier_sku, 'changed', {{steps}}, {BEFORE} {BEHIND} JOIN offer o ON o.id = c.offer_id WHERE c.differs"""
UPDATE = f"""
UPDATE offer o SET {{sets}}, changed_at = now() {BEHIND} WHERE o.id = c.offer_id AND c.differs"""
SAME = f"""
UPDATE offer o SET record_hash = s.record_hash {BEHIND} WHERE o.id = c.offer_id AND NOT c.differs"""
# Afterwards and by itself: now that the rows are ours, this statement sees every reservation there is, and no new one comes.
RESTATE = f"""
UPDATE offer o SET free = {FREE} {BEHIND}
WHERE o.id = c.offer_id AND c.differs AND o.state = 'offered'
  AND EXISTS (SELECT FROM reservation r WHERE r.offer_id = o.id AND (r.quantity > 0 OR r.sold_at > %(as_of)s))"""
COME_BACK = f"""
UPDATE offer o SET free = {RESTATED} FROM changed c WHERE o.id = c.offer_id AND c.differs AND o.free <> {RESTATED}"""
"""For offers whose stock another feed tells: one that is offered again has what that feed said last."""

OTHER_FEEDS = """
feed f WHERE f.supplier_id = %(supplier)s AND f.id <> %(feed)s AND EXISTS (SELECT FROM offer o WHERE o.feed_id = f.id)"""

GOING = """CASE %(absence)s WHEN 'out_of_stock' THEN jsonb_build_object('stock', jsonb_build_array(o.stock, 0)) ELSE '{}' END"""
ABSENT = f"""
CREATE TEMP TABLE changed ON COMMIT DROP AS
SELECT o.id AS offer_id, o.variant_id, true AS differs FROM staged_gone g JOIN offer o ON o.id = g.offer_id
WHERE g.run_id = %(run)s AND g.place > %(after)s AND g.place <= %(last)s AND {MATTERS}"""
REMEMBER_ABSENT = f"""
INSERT INTO offer_change (run_id, supplier_sku, kind, fields, before)
SELECT %(run)s, o.supplier_sku, 'gone', {GOING}, {BEFORE} FROM changed c JOIN offer o ON o.id = c.offer_id"""
ABSENCE = {
    "out_of_stock": "UPDATE offer SET free = 0, stock = 0, feed_run_id = %(run)s, changed_at = now() WHERE id IN (SELECT offer_id FROM changed)",
    "withdraw": "UPDATE offer SET free = 0, state = 'gone', feed_run_id = %(run)s, changed_at = now() WHERE id IN (SELECT offer_id FROM changed)",
}


def apply(event: PieceDue, db: Database) -> None:
    """Takes one piece: its new and changed offers with their variants and products, or what is absent, as the policy says.

    Only differences are written, and each change is remembered. After the last piece the run is applied. A run that
    another has overtaken meanwhile goes no further; one whose staging a crash emptied is read again.
    """
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        beside = {"read": True} if event.into_empty else {"key_share": True}  # two parts of a first load
        feed = uow.session.get_one(Feed, run.feed_id, with_for_update=beside)
        uow.session.refresh(run)  # as it is now that nobody else works at this feed
        cursor = uow.cursor()
        if run.state != "approved" or run.taken is None or is_taken(cursor, run, event):
            return
        staged = int((run.facts or {})["staged"])
        end = staged + count(cursor, "staged_gone WHERE run_id = %(run)s", {"run": run.id})
        until = event.until or end
        last = min(event.after + PIECE, until, staged if event.after < staged else end)
        policy, scope = policy_of(run, {**POLICY, **feed.policy}), scope_of(uow.session, feed)
        facts = {
            "run": run.id, "feed": feed.id, "supplier": feed.supplier_id, "code": uow.session.get_one(Company, feed.supplier_id).code,
            "assumed": policy["assumed_stock"], "absence": policy["absence"], "as_of": run.as_of, "after": event.after, "last": last,
            "target": scope.target, "whole": scope.whole,
        }  # fmt: skip
        alone = False
        if event.after < staged:
            there = "staged_offer WHERE run_id = %(run)s AND place > %(after)s AND place <= %(last)s"
            if count(cursor, there, facts) < last - event.after:
                send_back(uow, run, feed)
                return
            alone = take(cursor, facts, event, scope)
        elif event.after < end:
            lock_catalogue(cursor)
            take_absent(cursor, facts)
        added = cursor.execute("UPDATE feed_run SET taken = taken + %s WHERE id = %s RETURNING taken", [last - event.after, run.id])  # fmt: skip
        taken = added.fetchone()
        if last < until:
            # The disk is not waited for: a crash takes the piece together with the message of the next, and it is done again.
            cursor.execute("SET LOCAL synchronous_commit = off")
            uow.emit(dataclasses.replace(event, after=last, alone=int(alone)))
        elif taken is not None and taken[0] == end:
            finish(uow, run, feed)


def is_taken(cursor: Cursor[Any], run: FeedRun, event: PieceDue) -> bool:
    """Whether this piece was taken before: a first load by its first offer, every other run by how far it has come."""
    if not event.into_empty:
        return run.taken != event.after
    first = "offer o JOIN staged_offer s ON s.supplier_sku = o.supplier_sku WHERE o.feed_id = %(feed)s AND s.run_id = %(run)s AND s.place = %(place)s"
    return count(cursor, first, {"feed": run.feed_id, "run": run.id, "place": event.after + 1}) > 0


def count(cursor: Cursor[Any], what: str, facts: dict[str, Any]) -> int:
    """How many rows: `what` is SQL of our own behind FROM."""
    row = cursor.execute(f"SELECT count(*) FROM {what}", facts).fetchone()
    return int(row[0]) if row else 0


def take(cursor: Cursor[Any], facts: dict[str, Any], event: PieceDue, scope: Scope) -> bool:
    """Writes a piece's staged offers; the variants that it touched speak anew. Whether it met nobody else's goods."""
    others = scope.whole and there_is_any(cursor, OTHER_FEEDS, facts)
    if event.alone and not others and match_alone(cursor, facts):
        return True
    lock_catalogue(cursor)
    touched = []
    if not event.into_empty:
        change(cursor, facts, scope)
        touched.append("SELECT variant_id FROM changed WHERE differs")
    if scope.whole:
        match(cursor, facts, new="true" if event.into_empty else NEW, known=others)
        touched.append("SELECT variant_id FROM fresh WHERE NOT made OR product_key IS NOT NULL")
    merge_touched(cursor, " UNION ".join(touched))
    return False


def change(cursor: Cursor[Any], facts: dict[str, Any], scope: Scope) -> None:
    """Writes what a piece's staged offers say otherwise than the offers there are, as far as it is theirs to say."""
    cursor.execute(CHANGED.format(differs=scope.differs), facts)
    cursor.execute(LOCKED)
    cursor.execute(REMEMBER.format(steps=steps(scope)), facts)
    cursor.execute(
        UPDATE.format(sets=", ".join(f"{name} = {value}" for name, value in scope.sets.items())), facts
    )
    if scope.whole:
        cursor.execute(SAME, facts)
    if scope.stock:
        cursor.execute(RESTATE, facts)
    elif scope.whole:
        cursor.execute(COME_BACK, facts)


def steps(scope: Scope) -> str:
    """SQL for {field: [from, to]} of what would change of offer `o` by staging `s`."""
    to = {name: scope.sets[name] for name in scope.compared}
    return " || ".join(
        f"CASE WHEN o.{name} IS DISTINCT FROM {value} THEN jsonb_build_object('{name}', jsonb_build_array(o.{name}, {value})) ELSE '{{}}' END"
        for name, value in to.items()
    )


def take_absent(cursor: Cursor[Any], facts: dict[str, Any]) -> None:
    """Treats a piece of the offers that the file does not have any more."""
    cursor.execute(ABSENT, facts)
    cursor.execute(LOCKED)
    for statement in (REMEMBER_ABSENT, ABSENCE[facts["absence"]]):
        cursor.execute(statement, facts)
    merge_touched(cursor, "SELECT variant_id FROM changed")


def merge_touched(cursor: Cursor[Any], variants: str) -> None:
    """Lets the variants speak anew; `variants` is SQL of our own for their ids."""
    cursor.execute(f"CREATE TEMP TABLE touched ON COMMIT DROP AS SELECT DISTINCT variant_id AS id FROM ({variants}) t WHERE variant_id IS NOT NULL")  # fmt: skip
    if cursor.rowcount:
        merge_variants(cursor)


def finish(uow: UnitOfWork, run: FeedRun, feed: Feed) -> None:
    """The run is applied: its mapping is pinned, and a later run that waited for its end is planned."""
    run.state, run.applied_at = "applied", now()
    # Read by another mapping or other settings than the feed has by now, the same file would make other offers.
    as_read = pin_mapping(uow.session, feed, run) and (run.facts or {}).get("settings") == feed.settings
    # Mended records alone are not what the offers show; a number unknown today may be there when the file comes again.
    whole = as_read and run.mends is None and not (run.plan or {}).get("unknown")
    feed.applied_fingerprint = feed.fingerprint(run.file_sha256) if whole else None
    uow.emit(ProductsMerged(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))
    for (waiting,) in (
        uow.session.query(FeedRun.id).filter_by(feed_id=feed.id, state="staged").order_by(FeedRun.id)
    ):
        uow.emit(FeedStaged(tenant=feed.supplier_id, lane=feed.lane, run_id=waiting))
