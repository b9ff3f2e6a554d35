"""Matches a run's offers to variants: by valid GTIN, else brand and MPN, else the supplier's own SKU."""

from psycopg import Cursor

from core.database import SET_SECONDS, Database
from models.events import OffersChanged, OffersMatched
from models.suppliers import FeedRun

CATALOGUE_LOCK = 0x656E7472
"""One matcher or merger at a time: two suppliers' files with the same GTIN make one variant, not two."""

# A shop strips tags, percent signs, doubled blanks and what cannot be printed from a SKU, keeps a hundred characters and
# says nothing: what it would alter is left out here, with room for a number behind it.
KEYS = r"""
CREATE TEMP TABLE candidate ON COMMIT DROP AS
WITH fresh AS (
  SELECT o.id, o.supplier_id, o.supplier_sku, o.title, o.options,
         CASE WHEN length(o.group_key) > 500 THEN md5(o.group_key) ELSE o.group_key END AS group_key, o.gtin_verdict,
         btrim(c.code || '-' || regexp_replace(o.supplier_sku, '[<>%%\s\u0001-\u001f\u007f-\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]+', ' ', 'g')) AS plain,
         CASE WHEN o.gtin_verdict IN ('valid', 'repaired') THEN lpad(o.gtin, 14, '0') END AS gtin,
         CASE WHEN o.brand <> '' AND o.mpn <> '' AND length(o.brand || o.mpn) < 500 THEN lower(o.brand) || '|' || lower(o.mpn) END AS mpn
  FROM offer o JOIN company c ON c.id = o.supplier_id
  WHERE o.feed_id = %(feed)s AND o.variant_id IS NULL AND o.state = 'offered'),
gtin_use AS (  -- for how many of his numbers a supplier uses an identifier: two mean that it does not identify
  SELECT lpad(gtin, 14, '0') AS gtin, count(DISTINCT supplier_sku) AS uses FROM offer
  WHERE supplier_id = %(supplier)s AND gtin_verdict IN ('valid', 'repaired') GROUP BY 1),
mpn_use AS (
  SELECT lower(brand) || '|' || lower(mpn) AS mpn, count(DISTINCT supplier_sku) AS uses FROM offer
  WHERE supplier_id = %(supplier)s AND brand <> '' AND mpn <> '' GROUP BY 1),
own AS (  -- `known`: the same supplier's number has a variant by another of his feeds
  SELECT f.*, g.uses = 1 AS by_gtin, m.uses = 1 AS by_mpn, (
    SELECT v.key FROM feed JOIN offer x ON x.feed_id = feed.id AND x.supplier_sku = f.supplier_sku JOIN variant v ON v.id = x.variant_id
    WHERE feed.supplier_id = f.supplier_id ORDER BY x.id LIMIT 1) AS known
  FROM fresh f LEFT JOIN gtin_use g USING (gtin) LEFT JOIN mpn_use m USING (mpn))
SELECT id, supplier_id, title, options, group_key,
  CASE WHEN length(plain) <= 88 THEN plain ELSE left(plain, 71) || '-' || left(md5(supplier_sku), 16) END AS sku,
  CASE WHEN known IS NOT NULL THEN known WHEN by_gtin THEN 'gtin:' || gtin WHEN by_mpn THEN 'mpn:' || mpn
       ELSE 'sku:' || supplier_id || ':' || supplier_sku END AS key,
  CASE WHEN known IS NOT NULL THEN 'supplier_sku' WHEN by_gtin THEN 'gtin' WHEN by_mpn THEN 'brand_mpn'
       ELSE 'supplier_sku' END AS reason
FROM own"""

PRODUCTS = """
INSERT INTO product (key, title, kind, images)
SELECT product_key, title, 'goods', '[]' FROM (
  SELECT DISTINCT ON (product_key) product_key, title, id
  FROM (SELECT *, coalesce('group:' || supplier_id || ':' || group_key, key) AS product_key FROM candidate) c
  WHERE NOT EXISTS (SELECT FROM variant v WHERE v.key = c.key)
  ORDER BY product_key, id) first
ORDER BY id
ON CONFLICT (key) DO NOTHING"""

# A SKU that differs from another only by case gets the offer's number; where that is somebody's SKU too, a hash as well.
VARIANTS = """
INSERT INTO variant (product_id, key, sku, title, options, images)
SELECT p.id, c.key,
  CASE WHEN rank = 1 AND NOT EXISTS (SELECT FROM variant v WHERE lower(v.sku) = lower(c.sku)) THEN c.sku ELSE c.sku || '-' || c.id END,
  c.title, c.options, '[]'
FROM (SELECT *, row_number() OVER (PARTITION BY lower(sku) ORDER BY id) AS rank,
             coalesce('group:' || supplier_id || ':' || group_key, key) AS product_key FROM candidate) c
JOIN product p ON p.key = c.product_key
WHERE NOT EXISTS (SELECT FROM variant v WHERE v.key = c.key)
ORDER BY c.id
ON CONFLICT DO NOTHING"""
HASHED = VARIANTS.replace("c.sku || '-' || c.id", "left(c.sku, 71) || '-' || left(md5(c.key), 16)")

OFFERS = """
UPDATE offer o SET variant_id = v.id, match_reason = c.reason
FROM candidate c JOIN variant v ON v.key = c.key WHERE o.id = c.id"""


def match(event: OffersChanged, db: Database) -> None:
    """Gives every offer of the run's feed that has none its variant, making products and variants where needed.

    A match once made stays, so that a listing never changes its product under a buyer.
    """
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        cursor = uow.cursor()
        lock_catalogue(cursor)
        for statement in (KEYS, PRODUCTS, VARIANTS, HASHED, OFFERS):
            cursor.execute(statement, {"feed": run.feed_id, "supplier": event.tenant})
        uow.emit(OffersMatched(tenant=event.tenant, lane=event.lane, run_id=run.id))


def lock_catalogue(cursor: Cursor[tuple[object, ...]]) -> None:
    """Holds the catalogue until the unit of work ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOGUE_LOCK])
