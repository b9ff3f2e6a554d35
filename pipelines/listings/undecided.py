"""Marks the listings that wait until their shop's owner says whose his own product with their SKU or GTIN is."""

from typing import Any

from psycopg import Cursor

WAITS_FOR_WORD = "(l.undecided AND l.external_id IS NULL)"
"""Whether listing `l` is left out of the shop, and shows and takes nothing there, until its owner decided."""

WAITING = f"SELECT count(*) FROM listing l WHERE l.shop_id = %s AND {WAITS_FOR_WORD} AND l.wanted IS NOT NULL"

ANY_TO_MARK = """
SELECT EXISTS (SELECT FROM adoption WHERE shop_id = %(shop)s AND state IN ('proposed', 'unclear'))
  OR EXISTS (SELECT FROM listing WHERE shop_id = %(shop)s AND undecided)"""

# A page that is not there yet is not made without one of its variants: it could not be adopted as a whole afterwards.
MARK = """
WITH found AS MATERIALIZED (
  SELECT DISTINCT ON (l.variant_id) l.variant_id, l.product_id, v.sku,
    CASE a.reason WHEN 'sku' THEN 'SKU' ELSE 'GTIN' END AS word
  FROM adoption a CROSS JOIN unnest(a.fits) AS f(variant_id)
  JOIN listing l ON l.shop_id = a.shop_id AND l.variant_id = f.variant_id JOIN variant v ON v.id = l.variant_id
  WHERE a.shop_id = %(shop)s AND a.state IN ('proposed', 'unclear') AND l.external_id IS NULL AND l.wanted IS NOT NULL
  ORDER BY l.variant_id, a.reason DESC, a.external_id),
pages AS MATERIALIZED (SELECT DISTINCT ON (product_id) * FROM found ORDER BY product_id, variant_id),
told AS (
  SELECT l.id, CASE
    WHEN f.variant_id IS NOT NULL THEN
      'The shop already has a product with this ' || f.word || ': adopt it or leave it, `entrepot adoption list ' || l.shop_id || '`.'
    WHEN g.product_id IS NOT NULL AND p.external_id IS NULL AND l.wanted IS NOT NULL THEN
      'It waits for its product: the shop already has one with the ' || g.word || ' of ' || g.sku
      || ', adopt that or leave it, `entrepot adoption list ' || l.shop_id || '`.' END AS why
  FROM listing l LEFT JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
  LEFT JOIN found f ON f.variant_id = l.variant_id LEFT JOIN pages g ON g.product_id = l.product_id
  WHERE l.shop_id = %(shop)s AND (l.undecided OR l.external_id IS NULL AND l.wanted IS NOT NULL)
  ORDER BY l.id FOR NO KEY UPDATE OF l)
UPDATE listing l SET undecided = t.why IS NOT NULL,
  problem = CASE WHEN t.why IS NOT NULL THEN t.why WHEN l.wanted IS NULL OR l.state = 'refused' THEN l.problem END,
  state = CASE WHEN t.why IS NOT NULL AND l.state = 'refused' THEN 'waiting' ELSE l.state END
FROM told t WHERE t.id = l.id AND (l.undecided <> (t.why IS NOT NULL) OR l.undecided AND l.problem IS DISTINCT FROM t.why)
RETURNING l.variant_id"""


def waiting_for_word(cursor: Cursor[Any], shop_id: int) -> int:
    """How many listings of the shop stay out of it until its owner says whose something of his is. Reads only."""
    row = cursor.execute(WAITING, [shop_id]).fetchone()
    assert row is not None
    return int(row[0])


def mark(cursor: Cursor[Any], shop_id: int) -> list[int]:
    """Says of a locked shop's listings which wait for a word; the variants of those that do now and did not, or the other
    way round. Repeating it changes nothing."""
    facts = {"shop": shop_id}
    if cursor.execute(ANY_TO_MARK, facts).fetchone() != (True,):
        return []
    return [variant_id for (variant_id,) in cursor.execute(MARK, facts).fetchall()]
