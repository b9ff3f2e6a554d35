"""Reads back what a shop holds and says where it differs from what was sent: HTTP 200 is not taken for success."""

from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from connectors.base import ShopListing
from core.clock import now
from core.database import Database
from core.errors import Misconfigured
from models.events import ListingsSent, VerifyDue
from models.shops import Shop
from pipelines.listings.draft import drift, seen
from pipelines.opening import connect

PRODUCTS_A_CALL = 50
"""Products read and recorded together: a crash loses at most one such piece of reading."""

READABLE = """
SELECT l.id, l.external_id, p.external_id AS product_external_id, p.sent->>'title' AS title, l.sent, l.sent_at
FROM listing l JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.shop_id = %(shop)s AND l.external_id IS NOT NULL AND l.sent IS NOT NULL AND l.state = ANY(%(states)s)
ORDER BY p.product_id, l.id"""


def verify(event: ListingsSent | VerifyDue, db: Database) -> None:
    """After a push reads back what was sent, by the clock everything that is there; the difference is the drift."""
    states = ["sent"] if isinstance(event, ListingsSent) else ["sent", "live", "drifted"]
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id)
        rows = (
            uow.cursor()
            .connection.cursor(row_factory=dict_row)
            .execute(READABLE, {"shop": shop.id, "states": states})
            .fetchall()
        )
        uow.session.expunge_all()
    try:
        read_back(db, shop, rows)
    except Misconfigured as error:
        with db.unit_of_work() as uow:
            uow.session.get_one(Shop, event.shop_id).problem = str(error)
        raise
    with db.unit_of_work(last=True) as uow:
        stored = uow.session.get_one(Shop, event.shop_id)
        stored.problem, stored.checked_at = None, now()


def read_back(db: Database, shop: Shop, rows: list[dict[str, Any]]) -> None:
    """Asks for the products piece by piece and records each piece before the next."""
    connector = connect(db, shop)
    products = list(dict.fromkeys(row["product_external_id"] for row in rows))
    for start in range(0, len(products), PRODUCTS_A_CALL):
        piece = products[start : start + PRODUCTS_A_CALL]
        held = {listing.external_id: listing for listing in connector.read_back(piece)}
        record(db, [row for row in rows if row["product_external_id"] in piece], held)


def record(db: Database, rows: list[dict[str, Any]], held: dict[str, ShopListing]) -> None:
    """Live where the shop holds what was sent, else drifted. What was sent anew meanwhile is left for its own reading."""
    with db.unit_of_work() as uow:
        for row in rows:
            missing = ShopListing(row["external_id"], row["product_external_id"], "missing")
            now_there = seen(held.get(row["external_id"], missing))
            state = "drifted" if drift(row["title"], row["sent"], now_there) else "live"
            uow.cursor().execute(
                "UPDATE listing SET seen = %s, state = %s, seen_at = now()"
                " WHERE id = %s AND sent_at = %s AND state IN ('sent', 'live', 'drifted')",
                [Jsonb(now_there), state, row["id"], row["sent_at"]],
            )
