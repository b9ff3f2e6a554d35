"""Reads back what a shop holds and says where it differs from what was sent: HTTP 200 is not taken for success."""

from collections.abc import Iterator
from typing import Any

import orjson
from psycopg.rows import dict_row

from connectors.base import ShopListing
from core.clock import now
from core.database import Database
from core.errors import Misconfigured
from models.events import ListingsSent, ProductNoticed, VerifyDue
from models.shops import Shop
from pipelines.connecting import AWAY
from pipelines.listings.draft import drift, seen
from pipelines.listings.look import look_again
from pipelines.listings.plan import start_push
from pipelines.listings.settle import judge, look_into
from pipelines.opening import connect
from pipelines.pacing import patience

PRODUCTS_A_CALL = 50
"""Products read and recorded together: a crash loses at most one such piece of reading."""

READABLE = """
SELECT l.id, l.external_id, p.external_id AS product_external_id, p.sent->>'title' AS title, p.sent->'tags' AS tags, p.trade_only, l.sent, l.sent_at
FROM listing l JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.shop_id = %(shop)s AND l.external_id IS NOT NULL AND l.sent IS NOT NULL AND l.state = ANY(%(states)s)
ORDER BY p.product_id, l.id"""

CHANGED_BACK = (
    "The shop shows another {} than it was just sent: an app or a plugin there may change it. It is sent again with the next "
    "hourly check, or when you push."
)

NOTICED = """
SELECT l.id, l.external_id, p.external_id AS product_external_id, p.sent->>'title' AS title, p.sent->'tags' AS tags, p.trade_only, l.sent, l.sent_at
FROM listing l JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.shop_id = %(shop)s AND l.sent IS NOT NULL AND l.state IN ('sent', 'live', 'drifted')
  AND (p.external_id = %(external)s OR l.external_id = %(external)s OR l.stock_id = %(external)s) AND NOT (
    l.state = 'sent' AND EXISTS (SELECT FROM message WHERE queue = 'shops' AND lane = %(lane)s
      AND event IN ('PushDue', 'ListingsSent', 'VerifyDue'))
    OR l.state <> 'drifted' AND l.sent_at > clock_timestamp() - interval '1 minute'
      AND l.seen->'stock' = l.sent->'stock' AND (%(stock)s OR l.seen_at >= l.sent_at)
    OR l.state = 'drifted' AND l.sent_at > clock_timestamp() - interval '1 minute' AND l.seen_at >= l.sent_at)
ORDER BY l.id"""
"""A shop calls for each of our own writes too: what is read back anyway, or was sent a moment ago and read since, is left."""

LATER = """
SELECT FROM message WHERE queue = 'shops' AND lane = %(lane)s AND event = 'ProductNoticed' AND state < 2
  AND payload->>'external_id' = %(external)s LIMIT 1"""
"""Another call about the same product waits: one reading does for both."""

PICTURES = """
SELECT l.id, p.image_ids FROM listing l JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.id = ANY(%s)"""
"""The ids of our pictures: looked up only where a page has some that could not be fetched."""

READ = """
UPDATE listing l SET seen = a.seen, state = a.state, seen_at = clock_timestamp(), stock_id = coalesce(l.stock_id, a.stock_id),
  problem = CASE WHEN a.problem IS NOT NULL OR l.seen ? 'again' THEN a.problem ELSE l.problem END
FROM jsonb_to_recordset(%(rows)s::jsonb) AS a(id int, sent_at timestamptz, seen jsonb, state text, stock_id text, problem text)
WHERE l.id = a.id AND l.sent_at = a.sent_at AND l.state IN ('sent', 'live', 'drifted')"""
"""What was sent anew meanwhile is left for its own reading."""


def verify(event: ListingsSent | VerifyDue, db: Database) -> None:
    """After a push reads back what was sent, by the clock everything that is there; the difference is the drift.

    What the clock finds is repaired by a push; what a person asked for stays to be looked at first. What a push itself
    left is not: a shop that changes whatever it is sent would be sent to for ever.
    """
    states = ["sent"] if isinstance(event, ListingsSent) else ["sent", "live", "drifted"]
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id)
        cursor = uow.cursor().connection.cursor(row_factory=dict_row)
        rows = cursor.execute(READABLE, {"shop": shop.id, "states": states}).fetchall()
        uow.session.expunge_all()
    problem = None
    try:
        if not isinstance(event, ListingsSent):
            look_again(db, shop)
        read_back(db, shop, rows, just_sent=isinstance(event, ListingsSent))
    except Misconfigured as error:
        problem = str(error)
        if isinstance(event, ListingsSent):
            with db.unit_of_work() as uow:
                uow.session.get_one(Shop, event.shop_id).problem = problem
            raise
    with db.unit_of_work(last=True) as uow:
        stored = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        if stored.problem not in AWAY:
            stored.problem, stored.checked_at = problem, now()
        look_into(uow, stored)
        repairs = isinstance(event, VerifyDue) and event.repairs
        if repairs and stored.live_since is not None and problem is None:
            start_push(uow, stored, asked_by="hub", limit=True)


def verify_one(event: ProductNoticed, db: Database) -> None:
    """Reads back the product that a shop spoke of, and repairs it; one of its owner's that may be ours is looked at again,
    and all else is left alone."""
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id)
        facts = {
            "shop": shop.id, "lane": shop.lane, "external": event.external_id, "stock": bool(event.stock),
        }  # fmt: skip
        later = uow.cursor().execute(LATER, facts).fetchone() is not None
        cursor = uow.cursor().connection.cursor(row_factory=dict_row)
        rows = [] if later else cursor.execute(NOTICED, facts).fetchall()
        uow.session.expunge_all()
    if rows:
        read_back(db, shop, rows)
    elif not later:
        look_again(db, shop, event.external_id)
    with db.unit_of_work(last=True) as uow:
        if rows:
            stored = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
            look_into(uow, stored)
            if stored.live_since is not None:
                start_push(uow, stored, asked_by="hub", limit=True)


def read_back(db: Database, shop: Shop, rows: list[dict[str, Any]], *, just_sent: bool = False) -> None:
    """Asks for the products piece by piece and records each piece before the next. What differs though it was `just_sent` is
    marked: something in the shop changes it (plan.py, AGAIN)."""
    if not rows:
        return
    products = list(dict.fromkeys(row["product_external_id"] for row in rows))
    with patience(db, shop.id):
        connector = connect(db, shop)
        for start in range(0, len(products), PRODUCTS_A_CALL):
            piece = set(products[start : start + PRODUCTS_A_CALL])
            held = {listing.external_id: listing for listing in connector.read_back(sorted(piece))}
            record(db, [row for row in rows if row["product_external_id"] in piece], held, just_sent)


def record(
    db: Database, rows: list[dict[str, Any]], held: dict[str, ShopListing], just_sent: bool = False
) -> None:
    """Live where the shop holds what was sent, else drifted."""
    with_failed = [
        row["id"]
        for row in rows
        if (there := held.get(row["external_id"])) and there.failed_images and not row.get("trade_only")
    ]
    with db.unit_of_work() as uow:
        pictures = dict(uow.cursor().execute(PICTURES, [with_failed]).fetchall()) if with_failed else {}
        read = list(_judged(rows, held, pictures, just_sent))
        uow.cursor().execute(READ, {"rows": orjson.dumps(read).decode()})


def _judged(
    rows: list[dict[str, Any]],
    held: dict[str, ShopListing],
    pictures: dict[int, dict[str, str]],
    just_sent: bool,
) -> Iterator[dict[str, Any]]:
    for row in rows:
        listing = held.get(row["external_id"]) or ShopListing(
            row["external_id"], row["product_external_id"], "missing"
        )
        tags = () if row.get("trade_only") else row["tags"] or ()
        there = seen(listing, tags, pictures.get(row["id"]))
        found = [field for field, _, _ in drift(row["title"], row["sent"], there)]
        if row.get("trade_only"):  # the page is its owner's, and whether he shows it
            theirs = ("title", "sku", "status") if there["status"] == "draft" else ("title", "sku")
            found = [field for field in found if field not in theirs]
        if "stock" in found and not judge(row["sent"]["stock"], there["stock"]):
            found.remove("stock")
        # Pictures are fetched after they were taken: what fails then is left out and told by the next push.
        again = [field for field in found if field not in ("stock", "pictures")] if just_sent else []
        yield {
            "id": row["id"], "sent_at": row["sent_at"], "seen": there | ({"again": again} if again else {}),
            "state": "drifted" if found else "live", "stock_id": listing.stock_id,
            "problem": CHANGED_BACK.format(", ".join(again)) if again else None,
        }  # fmt: skip
