"""Looks whether a shop still calls the hub: WooCommerce switches a webhook off after a few failures and says nothing."""

from core.database import Database
from core.errors import Misconfigured
from core.settings import load
from models.events import HooksDue, OrdersDue
from models.shops import Shop
from pipelines.opening import connect
from pipelines.pacing import patience


def watch_hooks(event: HooksDue, db: Database) -> None:
    """Mends the shop's webhooks; where one was off, a sweep finds what it did not tell.

    Where its owner must act the shop says so; a dead letter each hour would say no more.
    """
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id)
        uow.session.expunge_all()
    mended, problem = False, None
    try:
        with patience(db, shop.id):
            mended = bool(connect(db, shop).subscribe(f"{load().own_url}/hooks/{shop.id}"))
    except Misconfigured as error:
        problem = str(error)
    with db.unit_of_work(last=True) as uow:
        if problem is not None:
            uow.session.get_one(Shop, event.shop_id).problem = problem
        if mended:
            uow.emit(OrdersDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
