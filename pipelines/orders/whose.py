"""Asks a shop whose a thing is that it sold under one of our SKUs and that the hub never put there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg.types.json import Jsonb

from connectors.base import ShopConnector, ShopListing
from connectors.orders import ShopOrder, ShopOrderLine
from core.database import Database
from models.shops import Shop
from pipelines.pacing import patience

# What nobody decided of yet: neither a listing's id, nor found by a look into the shop, nor a line of an order that is stored.
STRANGE = """
SELECT t.line, w.id, w.product_id, l.external_id, l.former_ids
FROM unnest(%(lines)s::text[], %(variants)s::text[], %(skus)s::text[]) AS t(line, variant, sku)
JOIN variant w ON lower(w.sku) = lower(t.sku) JOIN listing l ON l.shop_id = %(shop)s AND l.variant_id = w.id
WHERE (l.external_id IS NOT NULL OR l.sending IS NOT NULL)
  AND NOT EXISTS (SELECT FROM listing k WHERE k.shop_id = %(shop)s AND k.external_id = t.variant)
  AND NOT EXISTS (SELECT FROM adoption a WHERE a.shop_id = %(shop)s AND a.external_id = t.variant)
  AND NOT EXISTS (SELECT FROM shop_order h JOIN order_line o ON o.order_id = h.id
    WHERE h.shop_id = %(shop)s AND h.external_id = %(order)s AND o.external_id = t.line)"""

NOT_OURS = """
INSERT INTO adoption (shop_id, external_id, product_external_id, variant_id, fits, reason, state, problem, seen)
VALUES (%s, %s, %s, %s, ARRAY[%s::int], 'sku', 'left', %s, %s) ON CONFLICT DO NOTHING"""

BESIDE = "The shop sells it beside ours, under the same SKU: what it sells of it is its owner's own."


@dataclass(frozen=True, slots=True)
class Strange:
    """A line under a SKU of ours that nobody decided of. `ours` is our listing's id in the shop (None: it is being made),
    `former` are those it had before it was made anew."""

    line: ShopOrderLine
    variant_id: int
    product_id: int
    ours: str | None
    former: Sequence[str]

    @property
    def asked(self) -> str | None:
        """Whose id tells it: the line's own, else that of our listing."""
        return self.line.variant_id or self.ours


def tell_apart(db: Database, shop: Shop, connector: ShopConnector, told: ShopOrder) -> ShopOrder:
    """Before an order is taken over: the order, in which what its owner sold of his own under a SKU of ours bears no SKU, so
    that nothing is bought for it (pipelines/orders/take_over.py). What can be named is noted too, as an adoption that is left.

    Seldom asks the shop anything: only for a SKU of ours under an id that nobody knows. Raises what the connector raises.
    """
    strange = _strange(db, shop, told)
    ids = list(dict.fromkeys(one.asked for one in strange if one.asked))
    if not ids:
        return told
    with patience(db, shop.id):
        held = {one.external_id: one for one in connector.variants(ids)}
    theirs = [one for one in strange if not is_ours(one, held)]
    named = [(one, one.line.variant_id) for one in theirs if one.line.variant_id]
    if named:
        with db.unit_of_work() as uow:
            for one, name in named:
                there = held.get(name) or ShopListing(name, None, "missing", sku=one.line.sku)
                page = there.parent_id or name
                seen = Jsonb(_seen(there, one.line))
                row = [shop.id, name, page, one.variant_id, one.variant_id, BESIDE, seen]
                uow.cursor().execute(NOT_OURS, row)
    gone = {one.line.external_id for one in theirs}
    lines = tuple(replace(each, sku="") if each.external_id in gone else each for each in told.lines)
    return replace(told, lines=lines)


def is_ours(one: Strange, held: Mapping[str, ShopListing]) -> bool:
    """Pure: what is there is ours by its key alone, whatever its SKU is by now; what is gone where it was ours once, or ours
    is being made. Where the shop does not even tell its id, ours can only have been it where ours is gone as well, or was
    once."""
    if one.ours is None and one.line.variant_id not in held:
        return True
    if one.line.variant_id is None:
        return one.ours not in held or bool(one.former)
    there = held.get(one.line.variant_id)
    if there is None:
        return one.line.variant_id in one.former
    return there.key in (str(one.variant_id), str(one.product_id))


def _strange(db: Database, shop: Shop, told: ShopOrder) -> list[Strange]:
    lines = {line.external_id: line for line in told.lines if line.sku}
    if not lines:
        return []
    facts = {
        "shop": shop.id, "order": told.external_id, "lines": list(lines), "variants": [line.variant_id for line in lines.values()],
        "skus": [line.sku for line in lines.values()],
    }  # fmt: skip
    with db.unit_of_work() as uow:
        found = uow.cursor().execute(STRANGE, facts).fetchall()
    return [Strange(lines[name], *of) for name, *of in found]


def _seen(one: ShopListing, line: ShopOrderLine) -> dict[str, Any]:
    """As a look into the shop stores it (pipelines/listings/own.py), as far as an order tells it. Nobody counted its page's
    variants, so that the page can never become ours by this."""
    return {
        "title": line.title, "sku": one.sku, "gtin": one.gtin, "status": one.status, "stock": None, "price": None,
        "variants": 0, "options": {}, "alone": False,
    }  # fmt: skip
