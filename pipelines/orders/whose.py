"""Asks a shop whose a thing is that it sold under one of our SKUs and that the hub never put there."""

from typing import Any

from psycopg.types.json import Jsonb

from connectors.base import ShopConnector, ShopListing
from connectors.orders import ShopOrder, ShopOrderLine
from core.database import Database
from models.shops import Shop
from pipelines.pacing import patience

# What nobody decided of yet: neither a listing's id, nor found by a look into the shop, nor a line of an order that is stored.
STRANGE = """
SELECT t.line, w.id, w.product_id
FROM unnest(%(lines)s::text[], %(variants)s::text[], %(skus)s::text[]) AS t(line, variant, sku)
JOIN variant w ON lower(w.sku) = lower(t.sku) JOIN listing l ON l.shop_id = %(shop)s AND l.variant_id = w.id
WHERE t.sku <> '' AND t.variant IS NOT NULL AND (l.external_id IS NOT NULL OR l.sending IS NOT NULL)
  AND NOT EXISTS (SELECT FROM listing k WHERE k.shop_id = %(shop)s AND k.external_id = t.variant)
  AND NOT EXISTS (SELECT FROM adoption a WHERE a.shop_id = %(shop)s AND a.external_id = t.variant)
  AND NOT EXISTS (SELECT FROM shop_order h JOIN order_line o ON o.order_id = h.id
    WHERE h.shop_id = %(shop)s AND h.external_id = %(order)s AND o.external_id = t.line)"""

NOT_OURS = """
INSERT INTO adoption (shop_id, external_id, product_external_id, variant_id, fits, reason, state, problem, seen)
VALUES (%s, %s, %s, %s, ARRAY[%s::int], 'sku', 'left', %s, %s) ON CONFLICT DO NOTHING"""

BESIDE = "The shop sells it beside ours, under the same SKU: what it sells of it is its owner's own."


def tell_apart(db: Database, shop: Shop, connector: ShopConnector, told: ShopOrder) -> None:
    """Before an order is taken over: what the shop has under our SKU without our key is its owner's, and noted as such (an
    adoption that is left), so that nothing is bought for it (pipelines/orders/take_over.py). What it has no longer, or
    bears our key (a call whose answer is still out made it), is ours.

    Seldom asks the shop anything: only for a SKU of ours under an id that nobody knows. Raises what the connector raises.
    """
    strange = _strange(db, shop, told)
    if not strange:
        return
    skus = list(dict.fromkeys(line.sku for line, _, _ in strange))
    with patience(db, shop.id):
        held = {one.external_id: one for one in connector.holders(skus, [])}
    theirs = [
        (held[str(line.variant_id)], line, variant_id)
        for line, variant_id, product_id in strange
        if line.variant_id in held and held[line.variant_id].key not in (str(variant_id), str(product_id))
    ]
    if theirs:
        with db.unit_of_work() as uow:
            for one, line, variant_id in theirs:
                page = one.parent_id or one.external_id
                row = [
                    shop.id,
                    one.external_id,
                    page,
                    variant_id,
                    variant_id,
                    BESIDE,
                    Jsonb(_seen(one, line)),
                ]
                uow.cursor().execute(NOT_OURS, row)


def _strange(db: Database, shop: Shop, told: ShopOrder) -> list[tuple[ShopOrderLine, int, int]]:
    lines = {line.external_id: line for line in told.lines if line.sku and line.variant_id}
    if not lines:
        return []
    facts = {
        "shop": shop.id, "order": told.external_id, "lines": list(lines), "variants": [line.variant_id for line in lines.values()],
        "skus": [line.sku for line in lines.values()],
    }  # fmt: skip
    with db.unit_of_work() as uow:
        found = uow.cursor().execute(STRANGE, facts).fetchall()
    return [(lines[name], variant_id, product_id) for name, variant_id, product_id in found]


def _seen(one: ShopListing, line: ShopOrderLine) -> dict[str, Any]:
    """As a look into the shop stores it (pipelines/listings/own.py), as far as an order tells it. Nobody counted its page's
    variants, so that the page can never become ours by this."""
    return {
        "title": line.title, "sku": one.sku, "gtin": one.gtin, "status": one.status, "stock": None, "price": None,
        "variants": 0, "options": {}, "alone": False,
    }  # fmt: skip
