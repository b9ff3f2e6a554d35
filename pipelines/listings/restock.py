"""Lets shops show a stock that a reservation moved: only that figure, and at once."""

from core.database import Database, UnitOfWork
from models.events import ListingsDue, ShopStockMoved, StockMoved
from models.shops import Shop
from pipelines.listings.plan import start_push

SHOPS = """
SELECT l.shop_id FROM listing l JOIN shop s ON s.id = l.shop_id JOIN offer o ON o.id = %s AND o.variant_id = l.variant_id
WHERE l.wanted IS NOT NULL AND s.live_since IS NOT NULL ORDER BY l.shop_id"""

# The offer that a plan would choose now (pipelines/listings/plan.py, CHOSEN), beside the one that the listing shows.
PRESENT = """
SELECT l.id, l.wanted->'stock' IS DISTINCT FROM to_jsonb(best.free) AS differs,
  (l.why->>'offer')::int IS DISTINCT FROM best.id AS other
FROM offer moved JOIN listing l ON l.variant_id = moved.variant_id AND l.shop_id = %(shop)s AND l.wanted IS NOT NULL
JOIN LATERAL (
  SELECT x.id, x.free FROM offer x WHERE x.variant_id = l.variant_id AND x.state = 'offered'
  ORDER BY (x.currency = %(currency)s) IS TRUE DESC, x.free > 0 DESC, x.cost IS NULL, x.cost, x.id LIMIT 1) best ON true
WHERE moved.id = %(offer)s"""

STOCK = """
UPDATE listing l SET wanted = jsonb_set(wanted, '{stock}', to_jsonb(o.free))
FROM offer o WHERE l.id = %s AND o.id = (l.why->>'offer')::int"""

ASKED = "SELECT FROM message WHERE event = 'ListingsDue' AND lane = %s AND state < 2 LIMIT 1"
"""A plan that has not begun will see what moved now."""


FORGOTTEN = """
UPDATE listing SET sent = jsonb_set(sent, '{stock}', 'null')
WHERE shop_id = %s AND variant_id = %s AND sent IS NOT NULL AND wanted IS NOT NULL"""
"""What was sent no longer says what the shop shows, so that the push sends the figure again."""


def restock(event: StockMoved, db: Database) -> None:
    """Sets the wanted stock of the variant's listings; where another supplier takes over, the shop is planned anew."""
    with db.unit_of_work(last=True) as uow:
        for (shop_id,) in uow.cursor().execute(SHOPS, [event.offer_id]).fetchall():
            shop = uow.session.get_one(
                Shop, shop_id, with_for_update={"key_share": True}, populate_existing=True
            )
            follow(uow, shop, event.offer_id)


def resend(event: ShopStockMoved, db: Database) -> None:
    """Sends the stock of a listing again that its shop moved by itself."""
    with db.unit_of_work(last=True) as uow:
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        uow.cursor().execute(FORGOTTEN, [event.shop_id, event.variant_id])
        if shop.live_since is not None:
            start_push(uow, shop, asked_by="hub", limit=True)


def follow(uow: UnitOfWork, shop: Shop, offer_id: int) -> None:
    """One locked shop. Its push is not started twice: one that runs looks again at its end."""
    cursor = uow.cursor()
    facts = {"shop": shop.id, "currency": shop.currency, "offer": offer_id}
    found = cursor.execute(PRESENT, facts).fetchone()
    if found is None:
        return
    listing_id, differs, other = found
    if other:
        if cursor.execute(ASKED, [shop.lane]).fetchone() is None:
            uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    elif differs:
        cursor.execute(STOCK, [listing_id])
        start_push(uow, shop, asked_by="hub", limit=True)
