"""Forgets buyers: when a shop asks for it, and by itself once nothing of an order can come back any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.database import UnitOfWork
from core.settings import load
from pipelines.orders.stored import tell

OVER = """
SELECT b.order_id FROM order_buyer b
WHERE NOT EXISTS (SELECT FROM order_line l WHERE l.order_id = b.order_id
  AND (l.since > %(before)s OR l.state NOT IN ('unpaid', 'rejected', 'shipped', 'cancelled', 'refunded')))
ORDER BY b.order_id FOR UPDATE OF b SKIP LOCKED LIMIT 1000"""
"""Orders whose every line ended long ago; the rest of many comes with the next slot."""


def forget_over(uow: UnitOfWork, slot: datetime) -> None:
    """Forgets the buyers of orders whose return window and ENTREPOT_BUYER_DAYS are over. A job (schedules/jobs.py)."""
    settings = load()
    before = slot - timedelta(days=settings.return_days + settings.buyer_days)
    found = uow.cursor().execute(OVER, {"before": before}).fetchall()
    words = f"Nothing of the order has moved for {settings.return_days + settings.buyer_days} days: the buyer's name and address are removed."
    forget(uow, [order_id for (order_id,) in found], words)


def forget(uow: UnitOfWork, order_ids: Sequence[int], words: str) -> None:
    """Removes whom these orders went to, for good; the orders and their money stay. `words` says why in their story."""
    cursor = uow.cursor()
    cursor.execute("DELETE FROM order_buyer WHERE order_id = ANY(%s)", [list(order_ids)])
    cursor.execute(
        "UPDATE shop_order SET buyer_forgotten_at = now() WHERE id = ANY(%s) AND buyer_forgotten_at IS NULL",
        [list(order_ids)],
    )
    for order_id in order_ids:
        tell(uow, order_id, "forgotten", words)
