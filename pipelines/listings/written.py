"""Writes what a plan decided, set by set and only what differs; each listing's stock stays what it was until it is allotted."""

from typing import Any

import orjson
from psycopg import Cursor

PLANNED = """
CREATE TEMP TABLE planned ON COMMIT DROP AS
SELECT product, variant, selection, wanted - 'stock' AS wanted, problem, why FROM jsonb_to_recordset(%(listings)s::jsonb)
  AS r(product int, variant int, selection int, wanted jsonb, problem text, why jsonb)"""

MANY = 1_000
"""New listings of which the database is told at once: of a shop it never heard of it expects one row, and compares each
listing with each other one (measured: minutes for 10,000)."""

SCOPE = "(%(products_of)s::int[] IS NULL OR l.product_id = ANY(%(products_of)s))"
"""Only listings of the products that were planned; NULL: all of the shop."""

# In id order, as everybody does who writes several: buyers' orders and answers of shops come in between.
LOCKED = f"""
SELECT FROM listing l WHERE l.id IN (
  SELECT l.id FROM listing l LEFT JOIN planned r ON r.variant = l.variant_id
  WHERE l.shop_id = %(shop)s AND {SCOPE}
    AND (l.state = 'refused' OR (l.wanted - 'stock', l.why) IS DISTINCT FROM (r.wanted, r.why)))
ORDER BY l.id FOR NO KEY UPDATE"""

# A shop takes or refuses a product whole: what changes on its page or among its variants may mend a refusal.
MENDED = f"""
UPDATE listing l SET state = 'waiting', problem = NULL
WHERE l.shop_id = %(shop)s AND l.state = 'refused' AND {SCOPE} AND l.product_id IN (
  SELECT r.product FROM jsonb_to_recordset(%(products)s::jsonb) AS r(product int, wanted jsonb)
  JOIN shop_product p ON p.shop_id = %(shop)s AND p.product_id = r.product AND p.wanted <> r.wanted
  UNION
  SELECT coalesce(r.product, l.product_id)
  FROM planned r FULL JOIN (SELECT * FROM listing l WHERE l.shop_id = %(shop)s AND {SCOPE}) l ON l.variant_id = r.variant
  WHERE l.wanted - 'stock' IS DISTINCT FROM r.wanted)"""

PAGES = """
INSERT INTO shop_product (shop_id, product_id, wanted)
SELECT %(shop)s, product, wanted FROM jsonb_to_recordset(%(products)s::jsonb) AS r(product int, wanted jsonb)
ON CONFLICT (shop_id, product_id) DO UPDATE SET wanted = excluded.wanted WHERE shop_product.wanted <> excluded.wanted"""

CHANGED = """
UPDATE listing l SET selection_id = r.selection, why = r.why,
  wanted = r.wanted || jsonb_build_object('stock', coalesce(l.wanted->'stock', '0')),
  problem = CASE WHEN r.wanted IS NULL THEN r.problem
                 WHEN l.wanted - 'stock' IS DISTINCT FROM r.wanted THEN NULL ELSE l.problem END,
  state = CASE WHEN r.wanted IS NULL AND l.external_id IS NULL THEN 'blocked'
               WHEN r.wanted IS NOT NULL AND l.state IN ('blocked', 'withdrawn') THEN 'waiting'
               WHEN l.state = 'refused' AND l.wanted - 'stock' IS DISTINCT FROM r.wanted THEN 'waiting'
               ELSE l.state END
FROM planned r
WHERE l.shop_id = %(shop)s AND l.variant_id = r.variant
  AND ((l.wanted - 'stock', l.why) IS DISTINCT FROM (r.wanted, r.why) OR r.wanted IS NULL AND l.problem IS DISTINCT FROM r.problem)"""

# Not ON CONFLICT: that would use up a number for each listing there is, at each plan.
NEW = """
INSERT INTO listing (shop_id, product_id, variant_id, selection_id, state, wanted, problem, why)
SELECT %(shop)s, product, variant, selection, CASE WHEN wanted IS NULL THEN 'blocked' ELSE 'waiting' END,
  wanted || '{"stock": 0}', problem, why
FROM planned r WHERE NOT EXISTS (SELECT FROM listing l WHERE l.shop_id = %(shop)s AND l.variant_id = r.variant)
ORDER BY variant"""

UNCHOSEN = f"""
UPDATE listing l SET wanted = NULL, problem = 'No longer chosen, or no supplier offers it any more.',
  state = CASE WHEN external_id IS NULL THEN 'withdrawn' WHEN state = 'refused' THEN 'waiting' ELSE state END
WHERE l.shop_id = %(shop)s AND {SCOPE} AND (wanted IS NOT NULL OR state = 'blocked')
  AND NOT EXISTS (SELECT FROM planned r WHERE r.variant = l.variant_id)
RETURNING l.variant_id"""


def store(
    cursor: Cursor[Any], shop_id: int, products: dict[int, dict[str, Any]], records: list[dict[str, Any]], scope: list[int] | None
) -> list[int]:  # fmt: skip
    """Stores pages by product and `records` of listings; the variants whose listings are no longer wanted.

    Nobody else plans this shop meanwhile: its row is locked. `scope` are the products that were planned, None: all.
    """
    pages = [{"product": product_id, "wanted": wanted} for product_id, wanted in products.items()]
    facts = {
        "shop": shop_id,
        "products": orjson.dumps(pages).decode(),
        "listings": orjson.dumps(records).decode(),
        "products_of": scope,
    }
    cursor.execute(PLANNED, facts)
    cursor.execute("ANALYZE planned")
    for statement in (LOCKED, MENDED, PAGES, CHANGED, NEW):
        cursor.execute(statement.encode(), facts)
    if cursor.rowcount >= MANY:
        cursor.execute("ANALYZE listing, shop_product")
    return [variant_id for (variant_id,) in cursor.execute(UNCHOSEN.encode(), facts).fetchall()]
