"""Takes in a shop's verified call: stored once, worked later, since a shop waits five seconds and promises nothing."""

from sqlalchemy.dialects.postgresql import insert

from connectors.orders import Notice
from core.database import UnitOfWork
from models.events import OrderNoticed
from models.orders import WebhookDelivery
from models.shops import Shop

UNINSTALLED = (
    "The shop removed the hub's app: connect the shop anew, or its orders and listings stay as they are."
)


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
    if notice.kind == "uninstalled":
        shop.problem = UNINSTALLED
    if notice.kind == "order" and notice.external_id:
        uow.emit(
            OrderNoticed(
                tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, external_id=notice.external_id
            )
        )
    return True
