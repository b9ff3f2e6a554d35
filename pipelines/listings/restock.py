"""Lets shops show a stock that an order, a reservation or another shop moved: only that figure, and at once."""

from core.database import Database, UnitOfWork
from models.events import DemandMoved, ListingsDue, SharesMoved, ShopStockMoved, StockMoved
from models.shops import Shop
from pipelines.listings.plan import start_push
from pipelines.listings.stock import BEST, allot

VARIANT = "SELECT variant_id FROM offer WHERE id = %s"

# Beside each live shop that lists the variant: whether a plan would choose another offer now than the one it shows.
SHOPS = f"""
SELECT l.shop_id, (l.why->>'offer')::int IS DISTINCT FROM best.id AS other
FROM listing l JOIN shop s ON s.id = l.shop_id
CROSS JOIN {BEST.format(variant="l.variant_id", currency="s.currency")} best
WHERE l.variant_id = %s AND l.wanted IS NOT NULL AND s.live_since IS NOT NULL ORDER BY l.shop_id"""

LOCKED = "SELECT FROM shop WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

ASKED = "SELECT FROM message WHERE event = 'ListingsDue' AND lane = %s AND (payload->>'run_id')::int = 0 AND state < 2 LIMIT 1"
"""A plan that has not begun will see what moved now."""


def restock(event: StockMoved | DemandMoved, db: Database) -> None:
    """Decides anew what shops show of the variant; where another supplier takes over, the shop is planned anew."""
    with db.unit_of_work(last=True) as uow:
        cursor = uow.cursor()
        if isinstance(event, DemandMoved):
            variant_id = event.variant_id
        else:
            found = cursor.execute(VARIANT, [event.offer_id]).fetchone()
            if found is None or found[0] is None:
                return
            variant_id = int(found[0])
        shops = [shop_id for shop_id, _ in cursor.execute(SHOPS.encode(), [variant_id]).fetchall()]
        cursor.execute(LOCKED, [shops])
        moved = allot(cursor, [variant_id])
        for shop_id, other in cursor.execute(SHOPS.encode(), [variant_id]).fetchall():
            if other:
                _plan(uow, uow.session.get_one(Shop, shop_id))
            elif shop_id in moved and shop_id in shops:
                send(uow, shop_id)


def resend(event: ShopStockMoved, db: Database) -> None:
    """Has a listing read and sent again whose stock its shop moved by itself; what it shows is unknown since then."""
    with db.unit_of_work(last=True) as uow:
        send(uow, event.shop_id)


def follow(event: SharesMoved, db: Database) -> None:
    """Sends what another shop's plan decided for this one."""
    with db.unit_of_work(last=True) as uow:
        send(uow, event.shop_id)


def send(uow: UnitOfWork, shop_id: int, *, limit: bool = True) -> None:
    """Starts the push of a live shop where something differs; one that runs looks again at its end. Without `limit` a person
    let it go."""
    shop = uow.session.get_one(Shop, shop_id, with_for_update={"key_share": True}, populate_existing=True)
    if shop.live_since is not None:
        start_push(uow, shop, asked_by="hub", limit=limit)


def _plan(uow: UnitOfWork, shop: Shop) -> None:
    if uow.cursor().execute(ASKED, [shop.lane]).fetchone() is None:
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
