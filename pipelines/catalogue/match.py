"""Matches new offers to variants: by the supplier's own number, a valid GTIN, brand and MPN; writes each row once."""

from typing import Any

from psycopg import Cursor
from psycopg.errors import DeadlockDetected, UniqueViolation

from models.staged import COLUMNS, STATED
from pipelines.catalogue.begin import GTIN, MPN
from pipelines.catalogue.lock import share_catalogue
from pipelines.catalogue.taxonomy import classify

# A shop strips tags, percent signs, doubled blanks and what cannot be printed from a SKU, keeps a hundred characters and
# says nothing: what it would alter is left out here, with room for a number behind it.
PLAIN = r"""btrim(%(code)s || '-' || regexp_replace(s.supplier_sku, '[<>%%\s\u0001-\u001f\u007f-\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]+', ' ', 'g'))"""

KNOWN = """(SELECT v.key FROM feed JOIN offer x ON x.feed_id = feed.id AND x.supplier_sku = s.supplier_sku JOIN variant v ON v.id = x.variant_id
    WHERE feed.supplier_id = %(supplier)s ORDER BY x.id LIMIT 1)"""
"""The same supplier's number has a variant by another of his feeds."""

SHARED = "(SELECT key FROM staged_shared WHERE run_id = %(run)s)"
BY_GTIN, BY_MPN = (f"by_{name} IS NOT NULL AND by_{name} NOT IN {SHARED}" for name in ("gtin", "mpn"))
# Of the staged offers as they lie, in the order of the file: nothing is joined, so nothing has to be sorted.
KEYED = f"""
SELECT {{columns}},
  CASE WHEN length(plain) <= 88 THEN plain ELSE left(plain, 71) || '-' || left(md5(supplier_sku), 16) END AS sku,
  CASE WHEN known IS NOT NULL THEN known WHEN {BY_GTIN} THEN by_gtin WHEN {BY_MPN} THEN by_mpn
       ELSE 'sku:' || %(supplier)s || ':' || supplier_sku END AS key,
  CASE WHEN known IS NOT NULL THEN 'supplier_sku' WHEN {BY_GTIN} THEN 'gtin' WHEN {BY_MPN} THEN 'brand_mpn' ELSE 'supplier_sku' END AS reason,
  'group:' || %(supplier)s || ':' || CASE WHEN length(group_key) > 500 THEN md5(group_key) ELSE group_key END AS product_key
FROM (
  SELECT s.*, {PLAIN} AS plain, {{known}} AS known, {GTIN.format("s")} AS by_gtin, {MPN.format("s")} AS by_mpn FROM staged_offer s
  WHERE s.run_id = %(run)s AND s.place > %(after)s AND s.place <= %(last)s AND {{new}} ORDER BY s.place OFFSET 0) s"""
FRESH = f"""
CREATE TEMP TABLE fresh ON COMMIT DROP AS
WITH found AS (
  SELECT k.*, v.id AS variant_id, v.product_id FROM ({KEYED.replace("{columns}", "place")}) k
  LEFT JOIN LATERAL (SELECT id, product_id FROM variant WHERE variant.key = k.key LIMIT 1) v ON true ORDER BY place)
SELECT place, key, sku, reason, product_key, variant_id IS NULL AS made, nextval('offer_id_seq')::int AS offer_id,
  coalesce(variant_id, nextval('variant_id_seq')::int) AS variant_id,
  CASE WHEN variant_id IS NOT NULL THEN product_id WHEN product_key IS NULL THEN nextval('product_id_seq')::int END AS product_id
FROM found"""

# A SKU that differs from another only by case gets the offer's number; where that is somebody's SKU too, a hash.
NUMBERED = """
UPDATE fresh f SET sku = f.sku || '-' || f.offer_id FROM (
  SELECT place FROM (SELECT place, row_number() OVER (PARTITION BY lower(sku) ORDER BY place) AS nth FROM fresh WHERE made) r WHERE nth > 1
  UNION SELECT e.place FROM fresh e JOIN LATERAL (SELECT FROM variant v WHERE lower(v.sku) = lower(e.sku) LIMIT 1) v ON true WHERE e.made) t
WHERE f.place = t.place RETURNING f.place"""
HASHED = """
UPDATE fresh f SET sku = left(sku, 71) || '-' || left(md5(key), 16)
WHERE place = ANY(%s) AND (EXISTS (SELECT FROM variant v WHERE lower(v.sku) = lower(f.sku))
  OR lower(sku) IN (SELECT lower(sku) FROM fresh WHERE made GROUP BY 1 HAVING count(*) > 1))"""

GROUPS = """
INSERT INTO product (key, title, kind, images)
SELECT product_key, s.title, 'goods', '[]' FROM (
  SELECT DISTINCT ON (product_key) product_key, place FROM fresh WHERE made AND product_key IS NOT NULL
    AND NOT EXISTS (SELECT FROM product p WHERE p.key = product_key) ORDER BY product_key, place) f
JOIN staged_offer s ON s.run_id = %(run)s AND s.place = f.place ORDER BY f.place
ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING"""
IN_GROUPS = "UPDATE fresh f SET product_id = p.id FROM product p WHERE f.made AND f.product_key IS NOT NULL AND p.key = f.product_key"

STAGED = "FROM fresh f JOIN staged_offer s ON s.run_id = %(run)s AND s.place = f.place"
PIECE = "s.place > %(after)s AND s.place <= %(last)s"
TAXONOMY = "(SELECT c.taxonomy_id FROM taxonomy_choice c WHERE c.supplier_id = %(supplier)s AND c.path = s.category AND c.how <> 'proposal')"
PRODUCTS = f"""
INSERT INTO product (id, title, description, brand, category, kind, images, taxonomy_id)
OVERRIDING SYSTEM VALUE
SELECT f.product_id, coalesce(s.group_title, s.title), s.description, s.brand, s.category, s.kind, s.images, {TAXONOMY}"""
VARIANTS = """
INSERT INTO variant (id, product_id, key, sku, gtin, title, options, images, weight_g, best_offer_id)
OVERRIDING SYSTEM VALUE
SELECT f.variant_id, f.product_id, f.key, f.sku, CASE WHEN s.gtin_verdict IN ('valid', 'repaired') THEN s.gtin END, s.title, s.options,
  s.images, s.weight_g, f.offer_id"""
OFFERS = f"""
INSERT INTO offer (id, supplier_id, feed_id, feed_run_id, first_run_id, variant_id, match_reason, free, {", ".join(COLUMNS)})
OVERRIDING SYSTEM VALUE
SELECT f.offer_id, %(supplier)s, %(feed)s, %(run)s, %(run)s, f.variant_id, f.reason, {STATED}, {", ".join(f"s.{name}" for name in COLUMNS)}"""
# In the order of the file: the hash is made of the narrow table, and the staged offers come as they lie.
WRITTEN = (
    f"{PRODUCTS} {STAGED} AND {PIECE} WHERE f.made AND f.product_key IS NULL",
    f"{VARIANTS} {STAGED} AND {PIECE} WHERE f.made",
    f"{OFFERS} {STAGED} AND {PIECE}",
)

# All at once: each row is looked at a single time. The two names stand for the same row.
NUMBERS = ", ".join(f"nextval('{name}_id_seq')::int AS {name}_id" for name in ("offer", "variant", "product"))
ALONE = f"""
WITH fresh AS MATERIALIZED ({KEYED.format(columns=f"s.*, {NUMBERS}", known="NULL::text", new="true")}),
products AS ({PRODUCTS} FROM fresh f, LATERAL (SELECT f.*) s),
variants AS ({VARIANTS} FROM fresh f, LATERAL (SELECT f.*) s)
{OFFERS} FROM fresh f, LATERAL (SELECT f.*) s"""


def match_alone(cursor: Cursor[Any], facts: dict[str, Any]) -> bool:
    """Writes a piece of new offers that nobody else's goods meet, beside others who do the same; False, and nothing is
    written, where they do meet somebody's, by a key or by a SKU. None of them is in a group."""
    try:
        with cursor.connection.transaction():
            share_catalogue(cursor)
            learn_categories(cursor, facts, f"FROM staged_offer s WHERE s.run_id = %(run)s AND {PIECE}")
            cursor.execute("SET LOCAL enable_nestloop = off")
            cursor.execute("SET LOCAL work_mem = '128MB'")  # a piece is held once, in memory
            cursor.execute(ALONE, facts)
            cursor.execute("SET LOCAL enable_nestloop = on")
    except (UniqueViolation, DeadlockDetected):
        return False
    return True


def match(cursor: Cursor[Any], facts: dict[str, Any], *, new: str, known: bool) -> None:
    """Writes a piece's new offers, each with its variant, and the products and variants that they are the first of.

    `new` is SQL for which of the piece's staged offers `s` are new, `known` tells whether the supplier has other
    offers. A match once made stays, so that a listing never changes its product under a buyer. What was found is left
    in the temporary table `fresh`. The catalogue is locked by the caller.
    """
    # What is shared is looked up in memory, be it some million keys.
    cursor.execute("SET LOCAL work_mem = '128MB'")
    cursor.execute(FRESH.format(new=new, known=KNOWN if known else "NULL::text"), facts)
    numbered = cursor.execute(NUMBERED).fetchall()
    if numbered:
        cursor.execute(HASHED, [[place for (place,) in numbered]])
    cursor.execute(GROUPS, facts)
    if (
        cursor.execute("SELECT FROM fresh WHERE made AND product_key IS NOT NULL LIMIT 1").fetchone()
        is not None
    ):
        cursor.execute(IN_GROUPS)
    learn_categories(cursor, facts, STAGED)
    cursor.execute("SET LOCAL enable_nestloop = off")
    for statement in WRITTEN:
        cursor.execute(statement, facts)
    cursor.execute("SET LOCAL enable_nestloop = on")


def learn_categories(cursor: Cursor[Any], facts: dict[str, Any], offers: str) -> None:
    """Takes down the categories that new offers bring; `offers` is SQL of our own from FROM on."""
    classify(cursor, f"(SELECT {facts['supplier']:d} AS supplier_id, s.category {offers % facts}) brought", "false")  # fmt: skip
