"""Adoption: what a shop has already and is ours (pipelines/listings/look.py) is taken over, or left, as a person says."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Literal

from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core.database import SET_SECONDS, UnitOfWork
from core.errors import Refused, there_is
from models.events import ListingsDue
from models.shops import Shop
from pipelines.listings.undecided import mark, products_with

Page = Literal["stays", "ours"]
"""Whether an adopted product's page stays its owner's (only price and stock are sent) or becomes ours."""

# Of a product that several things there are matched to, all that is proposed goes together: a page is one page.
CHOSEN = """
SELECT a.external_id, a.product_external_id, a.stock_id, a.seen, l.id AS listing_id, l.product_id, l.wanted,
  EXISTS (SELECT FROM listing x WHERE x.shop_id = l.shop_id AND x.product_id = l.product_id AND x.external_id IS NULL
    AND x.sending IS NOT NULL) AS making
FROM adoption a
JOIN listing l ON l.shop_id = a.shop_id AND l.variant_id = a.variant_id AND l.external_id IS NULL AND l.wanted IS NOT NULL
JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE a.shop_id = %(shop)s
  AND (a.external_id = ANY(%(chosen)s) OR a.state = 'proposed' AND (%(all)s OR a.product_external_id IN (
    SELECT product_external_id FROM adoption c WHERE c.shop_id = a.shop_id AND c.external_id = ANY(%(chosen)s))))
  AND coalesce(p.external_id, a.product_external_id) = a.product_external_id
  AND NOT EXISTS (SELECT FROM listing x WHERE x.shop_id = a.shop_id AND x.external_id = a.external_id)
  AND NOT EXISTS (SELECT FROM shop_product x WHERE x.shop_id = a.shop_id AND x.external_id = a.product_external_id
                  AND x.product_id <> l.product_id)
ORDER BY a.external_id"""

SHAPES = """
SELECT product_id, count(*) AS variants, bool_or(wanted->'options' <> '{}') AS options
FROM listing WHERE shop_id = %s AND product_id = ANY(%s) AND wanted IS NOT NULL GROUP BY product_id"""

# Its stock is not known: it is read, and what was sold there taken over, before it is set (models/shelves.py).
TAKE = """
UPDATE listing SET external_id = %(external)s, stock_id = %(stock_id)s, state = 'waiting', problem = NULL, undecided = false,
  sent = wanted || %(seen)s, sent_at = clock_timestamp(), seen = NULL, seen_at = NULL WHERE id = %(id)s"""

TAKE_PAGE = """
UPDATE shop_product SET external_id = %(external)s, trade_only = %(trade_only)s, problem = NULL,
  sent = CASE WHEN %(trade_only)s THEN wanted || %(seen)s END
WHERE shop_id = %(shop)s AND product_id = %(product)s"""


def adopt(uow: UnitOfWork, shop_id: int, chosen: Collection[str] | None, page: Page) -> dict[str, int]:
    """Takes over what is chosen (the shop's ids; None: all that is proposed): the next push changes it there.

    {"adopted": variants, "ours": products whose page becomes ours, "stays": those whose page stays, "passed": chosen ones
    that cannot be}. A page whose variants are not exactly those of our product stays its owner's in any case: a push of it
    would take out what we do not know. Of several that fit one of ours only one may be chosen ("several"), and what is one product here
    must be one there ("cut"). Refused also where something chosen is not in the plan ("not_found"), or is being made in the
    shop in this moment ("making"): then nothing is changed.
    """
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    uow.allow(SET_SECONDS)
    cursor = uow.cursor()
    _refuse_unknown(cursor, shop_id, chosen)
    rows = _named(cursor, CHOSEN, {"shop": shop_id, "chosen": list(chosen or ()), "all": chosen is None})
    if any(row["making"] for row in rows):
        raise Refused(
            "A push is making one of the chosen in the shop right now: choose again when it is over.",
            rule="making",
        )
    listings = [row["listing_id"] for row in rows]
    if len(set(listings)) < len(listings):
        raise Refused("Several of the chosen are the same thing of ours: choose one of them.", rule="several")
    pairs = {(row["product_id"], row["product_external_id"]) for row in rows}
    if len({product for product, _ in pairs}) < len(pairs) or len({page for _, page in pairs}) < len(pairs):
        raise Refused(
            "The chosen are cut into products otherwise in the shop than here: choose those of one product there that are one "
            "product here.",
            rule="cut",
        )
    shapes = {
        row["product_id"]: row
        for row in _named(cursor, SHAPES, [shop_id, [row["product_id"] for row in rows]])
    }
    by_product: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_product[row["product_id"]].append(row)
    trade_only = {
        product: page == "stays" or not same_cut(shapes[product], of_it)
        for product, of_it in by_product.items()
    }
    for product, (first, *_) in by_product.items():
        cursor.execute(
            TAKE_PAGE,
            {
                "external": first["product_external_id"], "trade_only": trade_only[product],
                "seen": Jsonb({"title": first["seen"]["title"]}), "shop": shop_id, "product": product,
            },
        )  # fmt: skip
    for row in rows:
        there = {"sku": row["seen"]["sku"], "price": row["seen"]["price"], "stock": None}
        cursor.execute(
            TAKE,
            {
                "external": row["external_id"], "stock_id": row["stock_id"], "seen": Jsonb(there), "id": row["listing_id"],
            },
        )  # fmt: skip
    decided = cursor.execute(ADOPTED, [shop_id, [row["external_id"] for row in rows]]).fetchall()
    # Others that fitted what is adopted now are none of ours.
    decided += cursor.execute(RIVALS, {"shop": shop_id}).fetchall()
    mark(cursor, shop_id, products_with(cursor, shop_id, {each for (fits,) in decided for each in fits}))
    if rows:
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    stays = sum(trade_only.values())
    passed = len(set(chosen or ()) - {row["external_id"] for row in rows})
    return {"adopted": len(rows), "ours": len(trade_only) - stays, "stays": stays, "passed": passed}


# What was ordered before sold the seller's own pieces (pipelines/orders/take_over.py).
ADOPTED = """
UPDATE adoption SET state = 'adopted', problem = NULL, found_at = clock_timestamp() WHERE shop_id = %s AND external_id = ANY(%s)
RETURNING fits"""

RIVALS = """
UPDATE adoption a SET state = 'left' WHERE shop_id = %(shop)s AND state IN ('proposed', 'unclear') AND EXISTS (
  SELECT FROM adoption b WHERE b.shop_id = a.shop_id AND b.variant_id = a.variant_id AND b.state = 'adopted') RETURNING fits"""


def leave(uow: UnitOfWork, shop_id: int, chosen: Collection[str] | None) -> int:
    """Notes that these are none of ours (None: all that is open); how many. What waited for it is made. They can still be
    adopted by name, as long as nothing of ours stands beside them.

    Raises Refused ("not_found") where one of them is not in the plan.
    """
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    cursor = uow.cursor()
    _refuse_unknown(cursor, shop_id, chosen)
    left = cursor.execute(
        "UPDATE adoption SET state = 'left' WHERE shop_id = %s AND state IN ('proposed', 'unclear')"
        " AND (%s OR external_id = ANY(%s)) RETURNING fits",
        [shop_id, chosen is None, list(chosen or ())],
    ).fetchall()
    products = products_with(cursor, shop_id, {each for (fits,) in left for each in fits})
    if mark(cursor, shop_id, products) and shop.live_since is not None:
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return len(left)


def same_cut(ours: dict[str, Any], theirs: list[dict[str, Any]]) -> bool:
    """Pure: whether the shop's product has just the variants of ours, and is sold with a choice where ours is."""
    seen = theirs[0]["seen"]
    simple = ours["variants"] == 1 and not ours["options"]
    return bool(len(theirs) == seen["variants"] == ours["variants"] and simple == seen["alone"])


def _refuse_unknown(cursor: Cursor[Any], shop_id: int, chosen: Collection[str] | None) -> None:
    found = cursor.execute("SELECT external_id FROM adoption WHERE shop_id = %s", [shop_id]) if chosen else ()
    if unknown := sorted(set(chosen or ()) - {external_id for (external_id,) in found}):
        names = ", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else "")
        raise Refused(
            f"Not in the plan of adoption: {names}. `entrepot adoption list` shows what is in it.",
            rule="not_found",
        )


def _named(cursor: Cursor[Any], statement: str, values: Any) -> list[dict[str, Any]]:
    return cursor.connection.cursor(row_factory=dict_row).execute(statement, values).fetchall()
