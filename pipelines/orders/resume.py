"""Lets waiting lines go on, the oldest first: a deposit grew, or stock came."""

from core.database import Database
from core.settings import load
from models.events import DepositCredited, ProductsMerged, StockMoved
from pipelines.orders.reserve import cover

SHORT = """
SELECT l.order_id FROM order_line l JOIN shop_order o ON o.id = l.order_id
WHERE l.state = 'awaiting_deposit' AND o.seller_id = %s GROUP BY 1 ORDER BY min(l.since), 1"""

OUT_OF_STOCK = """
SELECT l.order_id FROM order_line l
WHERE l.state = 'awaiting_stock' AND EXISTS (SELECT FROM offer f WHERE f.variant_id = l.variant_id AND f.free > 0 AND {whose})
GROUP BY 1 ORDER BY min(l.since), 1"""


def resume(event: DepositCredited, db: Database) -> None:
    """The seller's lines that wait for his deposit; one that still does not fit leaves the way to the next."""
    _cover_each(db, SHORT, event.seller_id)


def resume_stock(event: StockMoved | ProductsMerged, db: Database) -> None:
    """Lines that wait for a variant of which something is free now."""
    if isinstance(event, StockMoved):
        _cover_each(db, OUT_OF_STOCK.format(whose="f.id = %s"), event.offer_id)
    else:
        _cover_each(db, OUT_OF_STOCK.format(whose="f.feed_run_id = %s"), event.run_id)


def _cover_each(db: Database, query: str, id: int) -> None:
    """Each order in a unit of work of its own: locks are held briefly, and two of these at once find each other's work."""
    with db.unit_of_work() as uow:
        waiting = [row[0] for row in uow.cursor().execute(query.encode(), [id]).fetchall()]
    settings = load()
    for order_id in waiting:
        with db.unit_of_work() as uow:
            cover(uow, order_id, settings)
    with db.unit_of_work(last=True):
        return
