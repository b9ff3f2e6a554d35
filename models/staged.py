"""Staged offers beside the offers they belong to: the SQL words that a plan and the catalogue share."""

from typing import Any

from psycopg import Cursor

from core.unit_of_work import UnitOfWork
from models.catalogue import OUT
from models.events import FileLanded
from models.runs import last_applied
from models.suppliers import Feed, FeedRun, StagedOffer

POLICY: dict[str, Any] = {
    "mode": "full",
    "absence": "out_of_stock",
    "assumed_stock": 0,
    "min_offers_percent": 50,
    "max_price_changes_percent": 30,
    "max_zero_stock_percent": 50,
}
"""What a feed's policy says where it is silent. `absence` (keep | out_of_stock | withdraw): what an offer that is no
longer in the file means. The three limits hold a run for a person; they are per cent of the offers there were.
`cost` ({"from": "price", "minus_percent": 30}) is applied while reading. `mode`: see models/modes.py."""

COLUMNS = tuple(
    column.name for column in StagedOffer.__table__.columns if column.name not in ("run_id", "place")
)
"""What staging and offers have in common, in no order that matters."""

STATED = """CASE WHEN s.availability IN ('out_of_stock', 'discontinued') THEN 0 WHEN s.stock IS NOT NULL THEN greatest(s.stock, 0)
          WHEN s.availability IS NOT NULL THEN %(assumed)s ELSE 0 END"""
"""What the supplier has of a staged offer: his stock, or the assumed stock where he only says that he has it."""

FREE = f"greatest(0, {STATED} - {OUT.format(as_of='%(as_of)s')})"
"""What may be sold of it: without what is set aside or was sold since the file came, which its figure still counts."""

PRICE_CHANGES = " OR ".join(
    f"o.{name} IS NOT NULL AND o.{name} IS DISTINCT FROM s.{name}" for name in ("price", "cost", "currency")
)
"""Whether an offer would cost something else; a first price, cost or currency is no change."""

MATTERS = """o.state = 'offered' AND (%(absence)s = 'withdraw' OR %(absence)s = 'out_of_stock' AND (o.free > 0
       OR o.stock IS DISTINCT FROM 0 AND EXISTS (SELECT FROM reservation r WHERE r.offer_id = o.id AND r.quantity > 0)))"""
"""Whether an offer's absence from the file would change anything under the policy."""

COMPARED = (
    "gtin", "mpn", "brand", "title", "description", "category", "kind", "cost", "price", "rrp", "currency", "stock",
    "availability", "lead_time_days", "weight_g", "condition", "group_key", "group_title", "options", "attributes", "images", "details",
)  # fmt: skip
"""What a change is told of, field by field."""

DIFFERS = f"""(o.content_hash <> s.content_hash OR o.state <> 'offered' OR o.stock IS DISTINCT FROM s.stock
      OR (s.stock IS NULL OR o.free <> {STATED}) AND o.free <> {FREE})"""
"""True where staging `s` says something else than offer `o` shows.

Reservations are looked up only where the plain figure would not do: most offers have none.
"""

ON_THEIR_WAY = """
SELECT r.id FROM feed_run r JOIN feed f ON f.id = r.feed_id JOIN message m ON m.lane = 'feed:' || f.id AND m.event IN ('RunApproved', 'PieceDue')
WHERE r.feed_id = %(feed)s AND r.id <> %(run)s AND r.state = 'approved' AND (m.payload->>'run_id')::int = r.id
  AND (NOT %(begun)s OR r.taken IS NOT NULL)"""


def beside(offers: str) -> str:
    """SQL for the offer `o` of each staged offer `s` in feed %(target)s, looked up by its number one by one: a piece of a
    file is little beside all offers. `offers` is "LEFT JOIN" or "JOIN"."""
    return f"{offers} LATERAL (SELECT * FROM offer x WHERE x.feed_id = %(target)s AND x.supplier_sku = s.supplier_sku LIMIT 1) o ON true"  # noqa: S608 - our own words


def based(run: FeedRun) -> bool:
    """Whether only what is new or different since an earlier run was staged (`facts.base`)."""
    return (run.facts or {}).get("base") is not None


def unchanged(run: FeedRun) -> int:
    """How many offers of the file were known already and not staged."""
    return int((run.facts or {}).get("unchanged") or 0)


def count_staged(cursor: Cursor[Any], run_id: int, table: str = "staged_offer") -> int:
    """How many lines of the run lie in staging."""
    row = cursor.execute(f"SELECT count(*) FROM {table} WHERE run_id = %s", [run_id]).fetchone()  # noqa: S608 - a table of ours
    return int(row[0]) if row else 0


def emptied(uow: UnitOfWork, run: FeedRun, feed: Feed) -> bool:
    """True where staging is not what reading left there, or stands on a run that the offers do not show any more; the
    run is then sent back to be read again.

    PostgreSQL empties an unlogged table when it starts after a crash, and to apply nothing would mean that nothing is
    offered any more.
    """
    facts, cursor = run.facts or {}, uow.cursor()
    shown = last_applied(uow.session, feed.id) if based(run) else None
    if (
        count_staged(cursor, run.id) == facts.get("staged")
        and count_staged(cursor, run.id, "staged_unseen") == facts.get("unseen", 0)
        and (not based(run) or (shown is not None and shown.id == facts["base"]))
    ):
        return False
    send_back(uow, run, feed)
    return True


def send_back(uow: UnitOfWork, run: FeedRun, feed: Feed) -> None:
    """Has the run's file read again; what the catalogue has taken of it already will read as unchanged."""
    run.state, run.taken = "landed", None
    uow.emit(FileLanded(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))


def another_is_taken(cursor: Cursor[Any], run: FeedRun, *, begun: bool = False) -> bool:
    """Whether another run of the feed is on its way into the catalogue (`begun`: and in part is there already); its
    last piece has this one planned.

    One whose message was given up does not count: the next run that begins supersedes it.
    """
    return bool(cursor.execute(ON_THEIR_WAY, {"feed": run.feed_id, "run": run.id, "begun": begun}).fetchall())
