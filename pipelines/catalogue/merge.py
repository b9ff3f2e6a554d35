"""Merges offers into the catalogue: each variant's best offer speaks for it, each product's first for the page."""

from typing import Any

from psycopg import Cursor

from pipelines.catalogue.taxonomy import classify

CHEAPEST = "o.state = 'offered' DESC, o.free > 0 DESC, o.cost IS NULL, o.cost, o.id"
"""The rule of the best offer, as an ORDER BY over offers `o` of one variant: one that is still offered, then one that can
be sold, then one with a cost, then the cheapest, then the oldest."""

# By number, one variant after the other: few of very many are touched.
BEST = f"""
CREATE TEMP TABLE best ON COMMIT DROP AS
SELECT b.* FROM touched t CROSS JOIN LATERAL (
  SELECT * FROM offer o WHERE o.variant_id = t.id ORDER BY {CHEAPEST} LIMIT 1) b"""

VARIANTS = """
UPDATE variant v SET best_offer_id = b.id, gtin = b.valid_gtin, title = b.title, options = b.options, images = b.images, weight_g = b.weight_g
FROM (SELECT *, CASE WHEN gtin_verdict IN ('valid', 'repaired') THEN gtin END AS valid_gtin FROM best) b
WHERE v.id = b.variant_id
  AND (v.best_offer_id, v.gtin, v.title, v.options, v.images, v.weight_g)
    IS DISTINCT FROM (b.id, b.valid_gtin, b.title, b.options, b.images, b.weight_g)"""

BEREFT = """
UPDATE variant v SET best_offer_id = NULL
WHERE best_offer_id IS NOT NULL AND id IN (SELECT id FROM touched EXCEPT SELECT variant_id FROM best)"""

# `v.id + 0`: else PostgreSQL may walk through all variants in their order until it meets the product's first. One that
# nobody offers any more speaks for no page that others are on.
PRODUCTS = """
UPDATE product p SET title = f.title, description = f.description, brand = f.brand, category = f.category, kind = f.kind, images = f.images
FROM (
  SELECT t.product_id, s.*,
    (SELECT coalesce(jsonb_agg(image ORDER BY first), '[]') FROM (
       SELECT image, min(w.id::bigint * 1000 + place) AS first
       FROM variant w CROSS JOIN jsonb_array_elements(w.images) WITH ORDINALITY AS i(image, place)
       WHERE w.product_id = t.product_id GROUP BY image) pictures) AS images
  FROM (SELECT DISTINCT v.product_id FROM touched CROSS JOIN LATERAL (SELECT product_id FROM variant WHERE variant.id = touched.id LIMIT 1) v) t
  CROSS JOIN LATERAL (
    SELECT coalesce(o.group_title, o.title) AS title, o.description, o.brand, o.category, o.kind
    FROM variant v JOIN offer o ON o.id = v.best_offer_id WHERE v.product_id = t.product_id
    ORDER BY o.state = 'offered' DESC, v.id + 0 LIMIT 1) s) f
WHERE p.id = f.product_id
  AND (p.title, p.description, p.brand, p.category, p.kind, p.images)
    IS DISTINCT FROM (f.title, f.description, f.brand, f.category, f.kind, f.images)"""


def merge_variants(cursor: Cursor[Any]) -> None:
    """Merges the variants of the temporary table `touched`; the catalogue is locked by the caller."""
    for statement in (BEST, BEREFT, VARIANTS, PRODUCTS):
        cursor.execute(statement)
    classify(cursor, "best", "p.id IN (SELECT product_id FROM variant JOIN touched USING (id))")
