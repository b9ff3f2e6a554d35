"""Matches a run's offers to variants: by valid GTIN, else brand and MPN, else the supplier's own SKU."""

from psycopg import Cursor

from core.database import Database
from models.events import OffersChanged, OffersMatched
from models.suppliers import FeedRun

CATALOGUE_LOCK = 0x656E7472
"""One matcher or merger at a time: two suppliers' files with the same GTIN make one variant, not two."""

# A shop strips tags, percent signs and doubled blanks from a SKU and says nothing: what it would alter is left out here.
KEYS = r"""
CREATE TEMP TABLE candidate ON COMMIT DROP AS
WITH fresh AS (
  SELECT o.id, o.supplier_id, o.supplier_sku, o.title, o.group_key, o.options, o.gtin_verdict, c.code,
         CASE WHEN o.gtin_verdict IN ('valid', 'repaired') THEN lpad(o.gtin, 14, '0') END AS gtin,
         CASE WHEN o.brand <> '' AND o.mpn <> '' THEN lower(o.brand) || '|' || lower(o.mpn) END AS mpn
  FROM offer o JOIN company c ON c.id = o.supplier_id
  WHERE o.feed_id = %(feed)s AND o.variant_id IS NULL AND o.state = 'offered'),
gtin_use AS (  -- how often the supplier himself uses an identifier: twice means that it does not identify
  SELECT lpad(gtin, 14, '0') AS gtin, count(*) AS uses FROM offer
  WHERE supplier_id = %(supplier)s AND gtin_verdict IN ('valid', 'repaired') GROUP BY 1),
mpn_use AS (
  SELECT lower(brand) || '|' || lower(mpn) AS mpn, count(*) AS uses FROM offer
  WHERE supplier_id = %(supplier)s AND brand <> '' AND mpn <> '' GROUP BY 1),
own AS (
  SELECT f.*, g.uses AS gtin_uses, m.uses AS mpn_uses
  FROM fresh f LEFT JOIN gtin_use g USING (gtin) LEFT JOIN mpn_use m USING (mpn))
SELECT id, supplier_id, title, options, group_key, code || '-' || btrim(regexp_replace(supplier_sku, '[<>%%\s]+', ' ', 'g')) AS sku,
  CASE WHEN gtin IS NOT NULL AND gtin_uses = 1 THEN 'gtin:' || gtin
       WHEN mpn IS NOT NULL AND mpn_uses = 1 THEN 'mpn:' || mpn
       ELSE 'sku:' || supplier_id || ':' || supplier_sku END AS key,
  CASE WHEN gtin IS NOT NULL AND gtin_uses = 1 THEN 'gtin'
       WHEN mpn IS NOT NULL AND mpn_uses = 1 THEN 'brand_mpn' ELSE 'supplier_sku' END AS reason
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

# A SKU that differs from another only by case, or that another supplier's happens to spell, gets the offer's number.
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
ON CONFLICT (key) DO NOTHING"""

OFFERS = """
UPDATE offer o SET variant_id = v.id, match_reason = c.reason
FROM candidate c JOIN variant v ON v.key = c.key WHERE o.id = c.id"""


def match(event: OffersChanged, db: Database) -> None:
    """Gives every offer of the run's feed that has none its variant, making products and variants where needed.

    A match once made stays, so that a listing never changes its product under a buyer.
    """
    with db.unit_of_work(last=True) as uow:
        run = uow.session.get_one(FeedRun, event.run_id)
        cursor = uow.cursor()
        lock_catalogue(cursor)
        for statement in (KEYS, PRODUCTS, VARIANTS, OFFERS):
            cursor.execute(statement, {"feed": run.feed_id, "supplier": event.tenant})
        uow.emit(OffersMatched(tenant=event.tenant, lane=event.lane, run_id=run.id))


def lock_catalogue(cursor: Cursor[tuple[object, ...]]) -> None:
    """Holds the catalogue until the unit of work ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOGUE_LOCK])
