"""Takes in a shop's verified call: stored once, worked later, since a shop waits five seconds and promises nothing."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from connectors.orders import Notice
from core.database import UnitOfWork
from models.events import OrderNoticed, ProductNoticed
from models.orders import WebhookDelivery
from models.shops import ConnectionRequest, Shop
from pipelines.connecting import UNINSTALLED, put_away
from pipelines.orders.forget import forget


def receive(uow: UnitOfWork, shop: Shop, notice: Notice) -> bool:
    """Stores the delivery and has the order it names looked at; False where the same delivery was received before.

    The order belongs to what makes a delivery one: WooCommerce makes its id of the webhook and the second alone
    (WC_Webhook::get_new_delivery_id), so two orders of one second come under one id.
    """
    if notice.kind == "ping":
        return False
    stored = uow.session.execute(
        insert(WebhookDelivery)
        .values(
            shop_id=shop.id,
            delivery_id=" ".join(filter(None, (notice.delivery_id, notice.external_id)))[:200],
            topic=notice.topic,
            external_id=notice.external_id,
        )
        .on_conflict_do_nothing()
        .returning(WebhookDelivery.id)
    ).first()
    if stored is None:
        return False
    if notice.kind == "uninstalled" and not _connected_since(uow, shop, notice.told_at):
        put_away(shop, UNINSTALLED)
    if notice.kind == "redact":
        redact(uow, shop, notice.external_id)
    if notice.kind in ("product", "stock") and notice.external_id:
        uow.emit(
            ProductNoticed(
                tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, external_id=notice.external_id,
                stock=int(notice.kind == "stock"),
            )
        )  # fmt: skip
    if notice.kind == "order" and notice.external_id:
        uow.emit(
            OrderNoticed(
                tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, external_id=notice.external_id
            )
        )
    return True


def _connected_since(uow: UnitOfWork, shop: Shop, told_at: datetime | None) -> bool:
    """Whether its owner let the app in once more after he had removed it: the call of the removal came late."""
    if told_at is None:
        return False
    asked = select(ConnectionRequest.shop_id).where(
        ConnectionRequest.shop_id == shop.id, ConnectionRequest.used_at > told_at
    )
    return uow.session.scalars(asked.limit(1)).first() is not None


BUYERS = """
SELECT o.id FROM shop_order o
WHERE o.shop_id = %s AND (%s::text IS NULL OR o.external_id = %s) AND o.buyer_forgotten_at IS NULL ORDER BY o.id FOR UPDATE OF o"""


def redact(uow: UnitOfWork, shop: Shop, external_id: str | None) -> int:
    """Forgets who bought an order of the shop (None: all of them); the order and its money stay. How many were forgotten."""
    cursor = uow.cursor()
    found = [number for (number,) in cursor.execute(BUYERS, [shop.id, external_id, external_id]).fetchall()]
    forget(uow, found, "The shop asked to forget the buyer: name and address are removed.")
    return len(found)
