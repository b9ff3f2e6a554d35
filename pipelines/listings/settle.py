"""Finds out what a shop can still sell where nobody knows: it is read, its orders are swept after that, and then it is known."""

from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from connectors.base import ShopConnector, ShopListing
from core.database import Database, UnitOfWork
from models.events import OrdersDue, OrdersSwept
from models.shelves import UNKNOWN
from models.shops import Shop
from pipelines.listings.draft import seen
from pipelines.listings.plan import ring_others
from pipelines.listings.restock import send
from pipelines.listings.stock import allot

PRODUCTS_A_CALL = 50
"""Products read and recorded together."""

# A push begins alone: a call that is still out is one whose process died, or whose answer got lost. It may have happened.
CUT_OFF = f"""
UPDATE listing l SET sending = greatest((l.sent->>'stock')::int, l.sending, l.lowered_from), lowered_from = NULL,
  sent = jsonb_set(l.sent, '{{stock}}', 'null'), seen = NULL, seen_at = NULL, sent_at = clock_timestamp()
FROM (SELECT id FROM listing WHERE shop_id = %(shop)s AND unsettled AND sending IS NOT NULL ORDER BY id FOR NO KEY UPDATE) c
WHERE l.id = c.id AND l.sent IS NOT NULL AND ({UNKNOWN}) IS NOT TRUE"""

UNREAD = f"""
SELECT l.id, l.external_id, p.external_id AS product_external_id, l.sent_at
FROM listing l JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.shop_id = %(shop)s AND l.unsettled AND {UNKNOWN} AND l.external_id IS NOT NULL AND (l.seen_at >= l.sent_at) IS NOT TRUE
ORDER BY p.product_id, l.id"""

READ = """
UPDATE listing SET seen = %s, seen_at = clock_timestamp() WHERE id = %s AND sent_at = %s"""

# The shop shows more than we ever sent: what it sold in the meantime is not known either.
HIGHER = f"""
UPDATE listing l SET sending = greatest((l.seen->>'stock')::int, l.sending, l.lowered_from), lowered_from = NULL, sent = jsonb_set(l.sent, '{{stock}}', 'null')
FROM (SELECT id FROM listing WHERE shop_id = %(shop)s AND state = 'drifted' ORDER BY id FOR NO KEY UPDATE) c
WHERE l.id = c.id AND l.seen_at >= l.sent_at AND ({UNKNOWN}) IS NOT TRUE AND (l.seen->>'stock')::int > (l.sent->>'stock')::int"""

TO_SETTLE = """
SELECT FROM listing WHERE shop_id = %(shop)s AND unsettled AND (seen_at >= sent_at OR lowered_from IS NOT NULL) LIMIT 1"""
ASKED = "SELECT FROM message WHERE event = 'OrdersDue' AND lane = %s AND state < 2 LIMIT 1"
"""A sweep that has not begun."""

# Before any listing, as `allot` does it, since two shops may settle the same variants.
OFFERS = """
SELECT FROM offer WHERE variant_id IN (SELECT variant_id FROM listing WHERE shop_id = %(shop)s AND unsettled)
ORDER BY id FOR NO KEY UPDATE"""

HELD = "CASE WHEN l.seen->>'status' = 'live' THEN coalesce((l.seen->>'stock')::int, 0) ELSE 0 END"

# Less than was sent, and still after every order from before the reading was taken over: nobody bought it, it is gone.
# What was lowered or withdrawn before the sweep has told all that it sold.
SETTLED = f"""
UPDATE listing l SET
  sending = CASE WHEN c.read AND {UNKNOWN} THEN NULL ELSE l.sending END, lowered_from = CASE WHEN c.read OR c.told THEN NULL ELSE l.lowered_from END,
  sent = CASE WHEN NOT c.read THEN l.sent WHEN {UNKNOWN} THEN jsonb_set(l.sent, '{{stock}}', to_jsonb({HELD}))
    ELSE jsonb_set(l.sent, '{{stock}}', to_jsonb(least((l.sent->>'stock')::int, {HELD}))) END
FROM (
  SELECT l.id, l.sent_at < s.swept_at AND l.lowered_from IS NOT NULL AS told,
    coalesce(l.seen_at >= l.sent_at AND l.seen_at < s.swept_at AND l.sent IS NOT NULL AND (({UNKNOWN}) IS TRUE OR l.sending IS NULL), false) AS read
  FROM listing l JOIN shop s ON s.id = l.shop_id WHERE l.shop_id = %(shop)s AND l.unsettled ORDER BY l.id FOR NO KEY UPDATE OF l) c
WHERE l.id = c.id AND (c.told OR c.read)
RETURNING l.variant_id"""

# Once, and not for long: a person let go what he saw then.
LET_GO = """
UPDATE push SET plan = plan - 'left_out' WHERE started_at > now() - interval '1 hour' AND id = (
  SELECT id FROM push WHERE shop_id = %s AND plan ? 'left_out' ORDER BY id DESC LIMIT 1) RETURNING id"""
"""Whether the last push of a person left out what had to be settled first: then he let that go too."""


def known_again(db: Database, shop: Shop, connector: ShopConnector) -> None:
    """Before a push sends: reads the listings of which nobody knows what they show, and asks for a sweep of the orders.

    They are sent once that sweep is over; `pipelines.listings.plan.differences` leaves them, and products that have
    one, out until then. What an earlier push left without an answer is among them. Raises what the connector raises.
    """
    with db.unit_of_work() as uow:
        uow.cursor().execute(CUT_OFF.encode(), {"shop": shop.id})
        rows = _rows(uow.cursor(), UNREAD, shop.id)
    products = list(dict.fromkeys(row["product_external_id"] for row in rows))
    for start in range(0, len(products), PRODUCTS_A_CALL):
        piece = products[start : start + PRODUCTS_A_CALL]
        held = {listing.external_id: listing for listing in connector.read_back(piece)}
        with db.unit_of_work() as uow:
            for row in rows:
                if row["product_external_id"] in piece:
                    missing = ShopListing(row["external_id"], row["product_external_id"], "missing")
                    there = seen(held.get(row["external_id"], missing))
                    uow.cursor().execute(READ, [Jsonb(there), row["id"], row["sent_at"]])
    with db.unit_of_work() as uow:
        look_into(uow, shop)


def look_into(uow: UnitOfWork, shop: Shop) -> None:
    """After listings were read: where one shows another stock than was sent, the shop's orders are swept, which tells why.

    More than was sent is drift; less may be sales that no webhook told yet, see `judge`.
    """
    facts = {"shop": shop.id}
    uow.cursor().execute(HIGHER.encode(), facts)
    if uow.cursor().execute(TO_SETTLE, facts).fetchone() is None:
        return
    if uow.cursor().execute(ASKED, [shop.lane]).fetchone() is None:
        uow.emit(OrdersDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def judge(sent: int | None, held: int | None) -> bool:
    """Pure: whether a shop's stock `held` is drift from `sent`, at once and without asking anybody.

    More is, and none where we keep count. Less is not: a sale may lie between, and the sweep will tell (`settle` then
    takes what is there for what was sent, and it is raised). Where nothing is known of what was sent nothing is drift.
    """
    return sent is not None and (held is None or held > sent)


def settle(event: OrdersSwept, db: Database) -> None:
    """Takes what was read before the sweep for what the shop can still sell, and decides anew what shops show."""
    with db.unit_of_work(last=True) as uow:
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        cursor = uow.cursor()
        cursor.execute(OFFERS.encode(), {"shop": shop.id})
        settled = [row[0] for row in cursor.execute(SETTLED.encode(), {"shop": shop.id}).fetchall()]
        if not settled:
            return
        ring_others(uow, shop, allot(cursor, settled))
        send(uow, shop.id, limit=cursor.execute(LET_GO, [shop.id]).fetchone() is None)


def _rows(cursor: Cursor[Any], statement: str, shop_id: int) -> list[dict[str, Any]]:
    return cursor.connection.cursor(row_factory=dict_row).execute(statement.encode(), {"shop": shop_id}).fetchall()  # fmt: skip
