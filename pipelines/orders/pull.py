"""Fetches orders whole: a webhook is only a hint, and what no webhook told the sweep finds."""

from datetime import timedelta

from connectors.orders import UnreadableOrder
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Refused
from models.events import OrderNoticed, OrdersDue, OrdersSwept
from models.shops import Shop
from pipelines.opening import connect
from pipelines.orders.take_over import gone, take_over
from pipelines.orders.whose import tell_apart
from pipelines.pacing import patience, patiently

OVERLAP = timedelta(seconds=120)
"""How far a sweep looks back behind its watermark: a shop may show a change later than it dates it."""
LAG = timedelta(seconds=5)
"""The watermark keeps so far behind the present: orders of these seconds may still be in the making."""

OURS = "SELECT FROM shop_order WHERE shop_id = %s AND external_id = %s"

MILESTONE = 100
"""Orders after which a sweep stores how far it came."""


def pull(event: OrderNoticed, db: Database) -> None:
    """Asks for the noticed order as it stands now and takes it over."""
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id)
        uow.session.expunge_all()
    try:
        with patience(db, shop.id):
            connector = connect(db, shop)
            told = connector.order(event.external_id)
    except Refused as error:
        with db.unit_of_work() as uow:
            ours = uow.cursor().execute(OURS, [event.shop_id, event.external_id]).fetchone() is not None
        if ours or error.rule != "hidden":
            raise
        with db.unit_of_work(last=True):
            return
    if told is not None:
        told = tell_apart(db, shop, connector, told)
    with db.unit_of_work(last=True) as uow:
        if told is None:
            gone(uow, shop, event.external_id)
        else:
            take_over(uow, shop, told)


def sweep(event: OrdersDue, db: Database) -> None:
    """Takes over every order changed since the watermark, each by itself; the watermark follows what is stored.

    Shops tell the earliest change first, so a sweep that breaks off goes on near where it stopped. One that ends whole
    says when it began: what was sold before is taken over.
    """
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id)
        uow.session.expunge_all()
    began = now()
    since = shop.orders_watermark - OVERLAP if shop.orders_watermark else shop.live_since or shop.created_at
    latest, whole = None, True
    connector = connect(db, shop)
    for count, told in enumerate(patiently(db, shop.id, connector.orders_since(since)), 1):
        if isinstance(told, UnreadableOrder):
            with db.unit_of_work() as uow:
                ask_alone(uow, shop, told.external_id)
            whole = False
            continue
        ours = tell_apart(db, shop, connector, told)
        with db.unit_of_work() as uow:
            take_over(uow, shop, ours)
            latest = min(max(latest or told.updated_at, told.updated_at), began - LAG)
            if count % MILESTONE == 0:
                uow.cursor().execute(MOVE, [latest, shop.id])
    with db.unit_of_work(last=True) as uow:
        uow.cursor().execute(MOVE, [latest, shop.id])
        if whole:
            uow.cursor().execute(SWEPT, [began, shop.id])
            if uow.cursor().execute(UNSETTLED, [shop.id]).fetchone() is not None:
                uow.emit(OrdersSwept(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def ask_alone(uow: UnitOfWork, shop: Shop, external_id: str) -> None:
    """One order that makes no sense does not stop the others: asked for by itself it ends as a dead letter that says
    why, and no second one comes while a person has not looked at the first."""
    if uow.cursor().execute(KNOWN, {"shop": shop.id, "order": external_id}).fetchone() is None:
        uow.emit(
            OrderNoticed(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, external_id=external_id)
        )


KNOWN = """
SELECT FROM dead_letter WHERE event = 'OrderNoticed' AND replayed_at IS NULL
  AND payload @> jsonb_build_object('shop_id', %(shop)s::int, 'external_id', %(order)s::text)
UNION ALL
SELECT FROM message WHERE event = 'OrderNoticed'
  AND payload @> jsonb_build_object('shop_id', %(shop)s::int, 'external_id', %(order)s::text)"""

MOVE = "UPDATE shop SET orders_watermark = greatest(orders_watermark, %s) WHERE id = %s"

SWEPT = "UPDATE shop SET swept_at = greatest(swept_at, %s) WHERE id = %s"
UNSETTLED = "SELECT FROM listing WHERE shop_id = %s AND unsettled LIMIT 1"
"""Somebody waits for the end of a sweep, see pipelines/listings/settle.py."""
