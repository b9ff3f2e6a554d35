"""Marks the listings that wait until their shop's owner says whose his own product with their SKU or GTIN is."""

from collections.abc import Collection
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
  SELECT DISTINCT ON (l.variant_id) l.id, l.variant_id, l.product_id, v.sku,
    CASE a.reason WHEN 'sku' THEN 'SKU' WHEN 'gtin' THEN 'GTIN' ELSE 'supplier''s number' END AS word
  FROM adoption a CROSS JOIN unnest(a.fits) AS f(variant_id)
  JOIN listing l ON l.shop_id = a.shop_id AND l.variant_id = f.variant_id JOIN variant v ON v.id = l.variant_id
  WHERE a.shop_id = %(shop)s AND a.state IN ('proposed', 'unclear') AND l.external_id IS NULL AND l.wanted IS NOT NULL
    AND {fitting} ORDER BY l.variant_id, a.reason DESC, a.external_id),
concerned AS MATERIALIZED (
  SELECT id, 'own' AS of, word, sku FROM found
  UNION ALL SELECT l.id, 'page', g.word, g.sku FROM (SELECT DISTINCT ON (product_id) * FROM found ORDER BY product_id, variant_id) g
  JOIN listing l ON l.shop_id = %(shop)s AND l.product_id = g.product_id
  WHERE l.external_id IS NULL AND l.wanted IS NOT NULL
  UNION ALL SELECT l.id, 'was', NULL, NULL FROM listing l WHERE l.shop_id = %(shop)s AND l.undecided AND {scope}),
told AS MATERIALIZED (
  SELECT l.id, l.undecided, l.problem, CASE
    WHEN c.of = 'own' THEN
      'The shop already has a product with this ' || c.word || ': adopt it or leave it, `entrepot adoption list ' || l.shop_id || '`.'
    WHEN c.of = 'page' AND p.external_id IS NULL THEN
      'It waits for its product: the shop already has one with the ' || c.word || ' of ' || c.sku
      || ', adopt that or leave it, `entrepot adoption list ' || l.shop_id || '`.' END AS why
  FROM (SELECT DISTINCT ON (id) * FROM concerned ORDER BY id, of) c JOIN listing l ON l.id = c.id
  LEFT JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id),
changed AS MATERIALIZED (
  SELECT l.id, t.why FROM told t JOIN listing l ON l.id = t.id
  WHERE t.undecided <> (t.why IS NOT NULL) OR t.undecided AND t.problem IS DISTINCT FROM t.why
  ORDER BY l.id FOR NO KEY UPDATE OF l)
UPDATE listing l SET undecided = t.why IS NOT NULL,
  problem = CASE WHEN t.why IS NOT NULL THEN t.why WHEN l.wanted IS NULL OR l.state = 'refused' THEN l.problem END,
  state = CASE WHEN t.why IS NOT NULL AND l.state = 'refused' THEN 'waiting' ELSE l.state END
FROM changed t WHERE t.id = l.id
RETURNING l.variant_id"""

ALL = MARK.format(fitting="true", scope="true")
SOME = MARK.format(
    fitting="""f.variant_id = ANY(ARRAY(
      SELECT variant_id FROM listing WHERE shop_id = %(shop)s AND product_id = ANY(%(products)s)))""",
    scope="l.product_id = ANY(%(products)s)",
)


def waiting_for_word(cursor: Cursor[Any], shop_id: int) -> int:
    """How many listings of the shop stay out of it until its owner says whose something of his is. Reads only."""
    row = cursor.execute(WAITING, [shop_id]).fetchone()
    assert row is not None
    return int(row[0])


def products_with(cursor: Cursor[Any], shop_id: int, variants: Collection[int]) -> list[int]:
    """The products whose listings in this shop have these variants."""
    found = cursor.execute(
        "SELECT DISTINCT product_id FROM listing WHERE shop_id = %s AND variant_id = ANY(%s)",
        [shop_id, list(variants)],
    )
    return [product_id for (product_id,) in found.fetchall()]


def mark(cursor: Cursor[Any], shop_id: int, products: Collection[int] | None) -> list[int]:
    """Says of a locked shop's listings of these products (None: of all) which wait for a word; the variants of those that
    do now and did not, or the other way round. Repeating it changes nothing, and locks only what changes."""
    facts = {"shop": shop_id, "products": list(products or ())}
    if (products is not None and not products) or cursor.execute(ANY_TO_MARK, facts).fetchone() != (True,):
        return []
    statement = ALL if products is None else SOME
    return [variant_id for (variant_id,) in cursor.execute(statement.encode(), facts).fetchall()]
