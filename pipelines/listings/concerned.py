"""Says what a feed run can have changed for shops, so that a plan looks at that alone."""

from typing import Any

from psycopg import Cursor

from core.database import UnitOfWork
from models.modes import target_of
from models.suppliers import Feed, FeedRun

CHOOSES = """CASE s.by
  WHEN 'supplier' THEN EXISTS (SELECT FROM offer x WHERE x.variant_id = v.id AND x.supplier_id = (s.what->>'supplier')::int AND x.state = 'offered')
  WHEN 'category' THEN p.category = s.what->>'category' OR starts_with(p.category, (s.what->>'category') || ' > ')
  ELSE s.what->'skus' ? v.sku END"""
"""Whether selection `s` chooses variant `v` of product `p`."""

# What was changed or is gone stands in the run's changes, what it brought names it. An undone run had changed the same.
VARIANTS = """
CREATE TEMP TABLE concerned ON COMMIT DROP AS
SELECT DISTINCT o.variant_id FROM offer_change c JOIN offer o ON o.feed_id = %(feed)s AND o.supplier_sku = c.supplier_sku
WHERE c.run_id = %(run)s AND o.variant_id IS NOT NULL
UNION
SELECT o.variant_id FROM offer o
WHERE %(brought)s AND o.feed_id = %(feed)s AND o.first_run_id = %(run)s AND o.variant_id IS NOT NULL"""

PRODUCTS = """
SELECT v.product_id FROM concerned c JOIN variant v ON v.id = c.variant_id
UNION
SELECT l.product_id FROM concerned c JOIN listing l ON l.variant_id = c.variant_id AND l.shop_id = %s"""

SHOPS = f"""
SELECT h.id, h.seller_id FROM shop h WHERE EXISTS (SELECT FROM selection WHERE shop_id = h.id) AND (
  EXISTS (SELECT FROM concerned c JOIN listing l ON l.variant_id = c.variant_id WHERE l.shop_id = h.id)
  OR EXISTS (SELECT FROM concerned c JOIN variant v ON v.id = c.variant_id JOIN product p ON p.id = v.product_id
             JOIN selection s ON s.shop_id = h.id WHERE {CHOOSES}))
ORDER BY h.id"""
"""Those that list what the run changed, and those whose selections choose it."""

ALL = (
    "SELECT id, seller_id FROM shop WHERE EXISTS (SELECT FROM selection WHERE shop_id = shop.id) ORDER BY id"
)


def shops_concerned(uow: UnitOfWork, run_id: int) -> list[tuple[int, int]]:
    """(shop, seller) of every shop that a run can concern; `run_id` 0: every shop that selected something."""
    cursor = uow.cursor()
    if run_id == 0:
        return cursor.execute(ALL).fetchall()
    _look_up(uow, cursor, run_id)
    return cursor.execute(SHOPS.encode()).fetchall()


def products_concerned(uow: UnitOfWork, shop_id: int, run_id: int) -> list[int] | None:
    """The products that a plan of the shop must look at after a run; None for all of them (`run_id` 0)."""
    if run_id == 0:
        return None
    cursor = uow.cursor()
    _look_up(uow, cursor, run_id)
    return [product_id for (product_id,) in cursor.execute(PRODUCTS, [shop_id]).fetchall()]


def _look_up(uow: UnitOfWork, cursor: Cursor[Any], run_id: int) -> None:
    run = uow.session.get_one(FeedRun, run_id)
    feed = uow.session.get_one(Feed, run.feed_id)
    brought = bool((run.plan or {"new": 1}).get("new", 1))
    cursor.execute(VARIANTS, {"feed": target_of(feed), "run": run_id, "brought": brought})
    cursor.execute("ANALYZE concerned")
