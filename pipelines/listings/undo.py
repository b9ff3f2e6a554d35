"""Puts a shop back as it was before a push: pages, prices and what was in sale; its stock stays what it is now."""

from core.database import Database, UnitOfWork
from core.errors import Temporary
from models.events import PushDue, PushUndoDue
from models.shops import Push, Shop
from pipelines.listings.plan import count_differences, running_push
from pipelines.listings.stock import allot, lock

KEPT_DAYS = 30
"""How long the way back of a push is kept."""
PATIENCE = 5.0
"""Seconds until it is looked again whether the push that runs has ended."""

UNDONE = "SELECT FROM push WHERE undoes = %(push)s"
CHANGES = "SELECT FROM push_change WHERE push_id = %(push)s LIMIT 1"

VARIANTS = (
    "SELECT l.variant_id FROM push_change c JOIN listing l ON l.id = c.listing_id WHERE c.push_id = %(push)s"
)

PAGES = """
UPDATE shop_product p SET wanted = c.page
FROM (SELECT DISTINCT ON (l.product_id) l.product_id, c.page FROM push_change c JOIN listing l ON l.id = c.listing_id
      WHERE c.push_id = %(push)s AND c.page IS NOT NULL ORDER BY l.product_id) c
WHERE p.shop_id = %(shop)s AND p.product_id = c.product_id"""

# The figure is nobody's until it is decided anew: nothing, so that an old one is never sent.
LISTINGS = """
UPDATE listing l SET
  wanted = CASE WHEN c.sent IS NOT NULL THEN c.sent || jsonb_build_object('stock', coalesce(l.wanted->'stock', '0')) END,
  state = CASE WHEN c.sent IS NULL THEN CASE WHEN l.external_id IS NULL THEN 'withdrawn' ELSE l.state END
               WHEN l.state IN ('withdrawn', 'blocked', 'refused') THEN 'waiting' ELSE l.state END,
  problem = CASE WHEN c.sent IS NULL THEN %(why)s END
FROM push_change c
WHERE c.push_id = %(push)s AND c.listing_id = l.id AND l.shop_id = %(shop)s
RETURNING l.variant_id"""

TRIM = "DELETE FROM push_change WHERE push_id IN (SELECT id FROM push WHERE started_at < %(before)s)"


def undo(event: PushUndoDue, db: Database) -> None:
    """Sends what the shop was sent before the push, as a push of its own, and takes out of sale what the push brought.

    The shop is held first, so that nothing follows by itself but stock until a person lets a push go. Raises Temporary,
    which counts as no attempt, while another push runs. Undone twice is undone once.
    """
    facts = {"push": event.push_id, "shop": event.shop_id, "why": f"Push {event.push_id}, which brought it, was undone."}  # fmt: skip
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        cursor = uow.cursor()
        undone = cursor.execute(UNDONE, facts).fetchone() is not None
        over = undone or cursor.execute(CHANGES, facts).fetchone() is None
        if not over:
            shop.held_why = f"Push {event.push_id} was undone: nothing but stock goes in by itself until a person lets a push go."
    with db.unit_of_work(last=True) as uow:
        if over:
            return
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        if running := running_push(uow, shop):
            raise Temporary(
                f"Push {running.id} of shop {shop.id} is still running; push {event.push_id} is undone after it.",
                retry_after=PATIENCE,
                counts=False,
            )
        cursor = uow.cursor()
        lock(cursor, [row[0] for row in cursor.execute(VARIANTS, facts).fetchall()])
        cursor.execute(PAGES, facts)
        variants = [row[0] for row in cursor.execute(LISTINGS, facts).fetchall()]
        allot(cursor, variants)
        cursor.execute("DELETE FROM push WHERE shop_id = %s AND state = 'waiting'", [shop.id])
        _start(uow, shop, event.push_id)


def _start(uow: UnitOfWork, shop: Shop, push_id: int) -> None:
    planned = count_differences(uow.cursor(), shop.id)
    push = Push(
        shop_id=shop.id, state="running", plan={**planned, "limits": []}, asked_by="operator", undoes=push_id
    )
    uow.session.add(push)
    uow.session.flush()
    uow.emit(PushDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, push_id=push.id))
