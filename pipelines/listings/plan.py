"""Plans a shop's listings: what the seller chose, priced, against what the shop was sent."""

from collections import defaultdict
from typing import Any

import orjson
from psycopg import Cursor
from psycopg.rows import dict_row
from sqlalchemy import text

from core.database import SET_SECONDS, Database, UnitOfWork
from models.events import ListingsDue, ProductsMerged, PushDue
from models.shops import Push, Shop
from pipelines.listings.draft import distinct_options, wanted_product, wanted_variant
from pipelines.listings.guard import reasons_to_wait, start_stock
from pipelines.listings.price import Blocked
from pipelines.listings.prices import pricing_of
from pipelines.listings.settings import settings_of

CHOSEN = """
SELECT DISTINCT ON (v.id) v.id AS variant_id, v.product_id, v.sku, v.gtin, v.options, v.images AS variant_images, v.weight_g,
  p.title AS product_title, p.description, p.brand, p.category, p.kind, p.images AS product_images,
  o.id AS offer_id, o.cost, o.currency, o.free, s.id AS selection_id, s.margin_percent,
  o.price, o.rrp, (o.details->>'map_price')::numeric AS lowest, (o.details->>'price_includes_tax')::bool AS taxed,
  o.details->>'hs_code' AS hs_code, o.details->>'origin' AS origin, o.supplier_id, c.name AS supplier
FROM selection s
JOIN variant v ON true JOIN product p ON p.id = v.product_id
JOIN LATERAL (
  SELECT * FROM offer x WHERE x.variant_id = v.id AND x.state = 'offered'
  ORDER BY (x.currency = %(currency)s) IS TRUE DESC, x.free > 0 DESC, x.cost IS NULL, x.cost, x.id LIMIT 1) o ON true
JOIN company c ON c.id = o.supplier_id
WHERE s.shop_id = %(shop)s AND CASE s.by
  WHEN 'supplier' THEN EXISTS (SELECT FROM offer x WHERE x.variant_id = v.id AND x.supplier_id = (s.what->>'supplier')::int AND x.state = 'offered')
  WHEN 'category' THEN p.category = s.what->>'category' OR starts_with(p.category, (s.what->>'category') || ' > ')
  ELSE s.what->'skus' ? v.sku END
ORDER BY v.id, s.id"""
"""What the selections choose, the earliest first, each with its best offer by the catalogue's rule (catalogue/merge.py)
among those in the shop's currency, where there are such."""


def fan_out(event: ProductsMerged, db: Database) -> None:
    """Rings for every shop that selected something: which listings change is each shop's own plan."""
    with db.unit_of_work(last=True) as uow:
        rows = uow.cursor().execute(
            "SELECT id, seller_id FROM shop WHERE EXISTS (SELECT FROM selection WHERE shop_id = shop.id) ORDER BY id"
        )
        for shop_id, seller_id in rows.fetchall():
            uow.emit(ListingsDue(tenant=seller_id, lane=f"shop:{shop_id}", shop_id=shop_id))


def plan_listings(event: ListingsDue, db: Database) -> None:
    """Writes what the shop should hold now; where it is live already, its push follows by itself."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        want(uow.cursor(), shop)
        if shop.live_since is not None:
            start_push(uow, shop, asked_by="hub", limit=True)


def want(cursor: Cursor[Any], shop: Shop) -> None:
    """Upserts `wanted` of the shop's products and listings; what is no longer chosen is wanted no longer."""
    rows = (
        cursor.connection.cursor(row_factory=dict_row)
        .execute(CHOSEN, {"shop": shop.id, "currency": shop.currency})
        .fetchall()
    )
    products: dict[int, dict[str, Any]] = {}
    listings: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    records: dict[int, dict[str, Any]] = {}
    settings, pricing = settings_of(shop), pricing_of(cursor, shop)
    for row in rows:
        priced, why = pricing.of(row)
        record = {
            "variant": row["variant_id"], "product": row["product_id"], "selection": row["selection_id"], "wanted": None,
            "problem": None, "why": why,
        }  # fmt: skip
        if isinstance(priced, Blocked):
            record["problem"] = priced.problem
        else:
            record["wanted"] = wanted_variant(row, priced.price, priced.compare_at)
            if row["product_id"] not in products:
                products[row["product_id"]] = wanted_product(row, settings)
            listings[row["product_id"]].append((row["variant_id"], record["wanted"]))
        records[row["variant_id"]] = record
    for variants in listings.values():
        distinct_options([wanted for _, wanted in variants])
    store(cursor, shop.id, products, list(records.values()))


def store(
    cursor: Cursor[Any], shop_id: int, products: dict[int, dict[str, Any]], records: list[dict[str, Any]]
) -> None:
    """Writes only what differs, set by set; nobody else plans this shop meanwhile: its row is locked."""
    pages = [{"product": product_id, "wanted": wanted} for product_id, wanted in products.items()]
    facts = {
        "shop": shop_id,
        "products": orjson.dumps(pages).decode(),
        "listings": orjson.dumps(records).decode(),
    }
    for statement in (PLANNED, MENDED, PAGES, CHANGED, NEW, UNCHOSEN):
        cursor.execute(statement, facts)


PLANNED = """
CREATE TEMP TABLE planned ON COMMIT DROP AS
SELECT * FROM jsonb_to_recordset(%(listings)s::jsonb)
  AS r(product int, variant int, selection int, wanted jsonb, problem text, why jsonb)"""

# A shop takes or refuses a product whole: what changes on its page or among its variants may mend a refusal.
MENDED = """
UPDATE listing SET state = 'waiting', problem = NULL
WHERE shop_id = %(shop)s AND state = 'refused' AND product_id IN (
  SELECT r.product FROM jsonb_to_recordset(%(products)s::jsonb) AS r(product int, wanted jsonb)
  JOIN shop_product p ON p.shop_id = %(shop)s AND p.product_id = r.product AND p.wanted <> r.wanted
  UNION
  SELECT coalesce(r.product, l.product_id)
  FROM planned r FULL JOIN (SELECT * FROM listing WHERE shop_id = %(shop)s) l ON l.variant_id = r.variant
  WHERE l.wanted - 'stock' IS DISTINCT FROM r.wanted - 'stock')"""

PAGES = """
INSERT INTO shop_product (shop_id, product_id, wanted)
SELECT %(shop)s, product, wanted FROM jsonb_to_recordset(%(products)s::jsonb) AS r(product int, wanted jsonb)
ON CONFLICT (shop_id, product_id) DO UPDATE SET wanted = excluded.wanted WHERE shop_product.wanted <> excluded.wanted"""

CHANGED = """
UPDATE listing l SET wanted = r.wanted, selection_id = r.selection, why = r.why,
  problem = CASE WHEN r.wanted IS NULL THEN r.problem
                 WHEN l.wanted IS DISTINCT FROM r.wanted THEN NULL ELSE l.problem END,
  state = CASE WHEN r.wanted IS NULL AND l.external_id IS NULL THEN 'blocked'
               WHEN r.wanted IS NOT NULL AND l.state IN ('blocked', 'withdrawn') THEN 'waiting'
               WHEN l.state = 'refused' AND l.wanted IS DISTINCT FROM r.wanted THEN 'waiting'
               ELSE l.state END
FROM planned r
WHERE l.shop_id = %(shop)s AND l.variant_id = r.variant
  AND ((l.wanted, l.why) IS DISTINCT FROM (r.wanted, r.why) OR r.wanted IS NULL AND l.problem IS DISTINCT FROM r.problem)"""

# Not ON CONFLICT: that would use up a number for each listing there is, at each plan.
NEW = """
INSERT INTO listing (shop_id, product_id, variant_id, selection_id, state, wanted, problem, why)
SELECT %(shop)s, product, variant, selection, CASE WHEN wanted IS NULL THEN 'blocked' ELSE 'waiting' END, wanted, problem, why
FROM planned r WHERE NOT EXISTS (SELECT FROM listing l WHERE l.shop_id = %(shop)s AND l.variant_id = r.variant)
ORDER BY variant"""

UNCHOSEN = """
UPDATE listing l SET wanted = NULL, problem = 'No longer chosen, or no supplier offers it any more.',
  state = CASE WHEN external_id IS NULL THEN 'withdrawn' WHEN state = 'refused' THEN 'waiting' ELSE state END
WHERE shop_id = %(shop)s AND (wanted IS NOT NULL OR state = 'blocked')
  AND NOT EXISTS (SELECT FROM planned r WHERE r.variant = l.variant_id)"""


DIFFERENCES = """
SELECT l.id, l.product_id, l.variant_id, l.state, l.external_id, l.wanted, l.sent, l.seen, v.title,
  CASE WHEN l.wanted IS NULL THEN 'withdraw'
       WHEN l.external_id IS NULL OR l.sent IS NULL THEN 'create'
       WHEN l.state IN ('drifted', 'withdrawn', 'waiting') OR p.wanted IS DISTINCT FROM p.sent
            OR l.wanted - 'stock' IS DISTINCT FROM l.sent - 'stock' THEN 'update'
       ELSE 'stock' END AS difference
FROM listing l JOIN variant v ON v.id = l.variant_id JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.shop_id = %(shop)s AND CASE
  WHEN l.wanted IS NULL THEN l.external_id IS NOT NULL AND l.state NOT IN ('withdrawn', 'refused')
  ELSE l.state <> 'refused' AND (l.wanted IS DISTINCT FROM l.sent OR p.wanted IS DISTINCT FROM p.sent
       OR l.external_id IS NULL OR l.state IN ('drifted', 'waiting')) END
ORDER BY l.product_id, l.variant_id"""
"""Every listing whose shop does not show what is wanted. A refused one waits until what is wanted changes, or a person pushes."""


def differences(cursor: Cursor[Any], shop_id: int) -> list[dict[str, Any]]:
    """What a push would do now, one row a listing: `difference` is create, update, stock or withdraw."""
    return cursor.connection.cursor(row_factory=dict_row).execute(DIFFERENCES, {"shop": shop_id}).fetchall()


def counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many listings each kind of difference concerns."""
    kinds = ("create", "update", "stock", "withdraw")
    return {kind: sum(row["difference"] == kind for row in rows) for kind in kinds}


def start_push(uow: UnitOfWork, shop: Shop, *, asked_by: str, limit: bool) -> Push | None:
    """Makes a push of what differs and lets it go, or holds it for a person where `limit` says so; None: all is true.

    One push of a shop at a time: while one runs nothing is started, since it plans again at its end. A push that
    still waits is replaced: there is one plan, the present one. A person's push tries again what the shop refused.
    """
    cursor = uow.cursor()
    if running := running_push(uow, shop):
        return running
    cursor.execute(GIVEN_UP, [shop.id])
    cursor.execute("DELETE FROM push WHERE shop_id = %s AND state = 'waiting'", [shop.id])
    if not limit:
        cursor.execute(
            "UPDATE listing SET state = 'waiting' WHERE shop_id = %s AND state = 'refused'", [shop.id]
        )
    planned = counts(differences(cursor, shop.id))
    if not any(planned.values()):
        return None
    limits = reasons_to_wait(uow, shop, planned) if limit else []
    push = Push(
        shop_id=shop.id,
        state="waiting" if limits else "running",
        plan={**planned, "limits": limits},
        asked_by=asked_by,
    )
    uow.session.add(push)
    uow.session.flush()
    if limits:
        start_stock(uow, shop)
    else:
        uow.emit(PushDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, push_id=push.id))
    return push


GIVEN_UP = """
UPDATE push SET state = 'done', ended_at = now(),
  outcome = outcome || '{"problem": "It was given up; `entrepot dead-letter list` says why."}'
WHERE shop_id = %s AND state = 'running'"""
"""For pushes that say they run though none does: their message became a dead letter."""


def running_push(uow: UnitOfWork, shop: Shop) -> Push | None:
    """The shop's push whose message is still under way; one whose message was given up does not count."""
    under_way = text(
        "EXISTS (SELECT FROM message m WHERE m.queue = 'shops' AND m.lane = :lane AND m.payload->'push_id' = to_jsonb(push.id))"
    )
    pushes = uow.session.query(Push).filter(Push.shop_id == shop.id, Push.state == "running")
    return pushes.filter(under_way.bindparams(lane=shop.lane)).first()
