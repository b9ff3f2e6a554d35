"""Lets waiting lines go on, the oldest first: a deposit grew, or stock came."""

from typing import LiteralString

from core.database import Database
from core.settings import load
from models.events import DepositCredited, ProductsMerged, StockMoved
from pipelines.orders.reserve import cover

OF_SELLER = """
SELECT l.order_id FROM order_line l JOIN shop_order o ON o.id = l.order_id
WHERE l.state = 'awaiting_deposit' AND o.seller_id = %(number)s GROUP BY 1 ORDER BY min(l.since), 1"""

OF_OFFER = """
SELECT l.order_id FROM order_line l WHERE l.state = 'awaiting_stock'
  AND EXISTS (SELECT FROM offer f WHERE f.variant_id = l.variant_id AND f.free > 0 AND f.id = %(number)s)
GROUP BY 1 ORDER BY min(l.since), 1"""

# What an undone run had changed is known by its changes: the offers name the runs before it again.
OF_RUN = """
SELECT l.order_id FROM order_line l WHERE l.state = 'awaiting_stock'
  AND EXISTS (SELECT FROM offer f WHERE f.variant_id = l.variant_id AND f.free > 0 AND (f.feed_run_id = %(number)s OR EXISTS (
    SELECT FROM feed_run r JOIN feed d ON d.id = r.feed_id JOIN offer_change c ON c.run_id = r.id
    WHERE r.id = %(number)s AND r.state = 'undone' AND d.supplier_id = f.supplier_id AND c.supplier_sku = f.supplier_sku)))
GROUP BY 1 ORDER BY min(l.since), 1"""

HOPELESS = """
SELECT NOT EXISTS (SELECT FROM order_line l JOIN offer f ON f.variant_id = l.variant_id
  WHERE l.order_id = %s AND l.state = 'awaiting_stock' AND f.free > 0)"""
"""Whether nothing is left for an order by the time it has its turn: the one before it took the last piece."""


def resume(event: DepositCredited, db: Database) -> None:
    """The seller's lines that wait for his deposit; one that still does not fit leaves the way to the next."""
    _cover_each(db, OF_SELLER, event.seller_id)


def resume_stock(event: StockMoved | ProductsMerged, db: Database) -> None:
    """Lines that wait for a variant of which something is free now."""
    if isinstance(event, StockMoved):
        _cover_each(db, OF_OFFER, event.offer_id, unless=HOPELESS)
    else:
        _cover_each(db, OF_RUN, event.run_id, unless=HOPELESS)


def _cover_each(
    db: Database, query: LiteralString, number: int, *, unless: LiteralString | None = None
) -> None:
    """Each order in a unit of work of its own: locks are held briefly, and two of these at once find each other's work."""
    with db.unit_of_work() as uow:
        waiting = [order_id for (order_id,) in uow.cursor().execute(query, {"number": number}).fetchall()]
    settings = load()
    for order_id in waiting:
        with db.unit_of_work() as uow:
            if unless is None or uow.cursor().execute(unless, [order_id]).fetchone() == (False,):
                cover(uow, order_id, settings)
    with db.unit_of_work(last=True):
        return
