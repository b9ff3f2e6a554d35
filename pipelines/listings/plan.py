"""Plans a shop's listings: what the seller chose, priced, against what the shop was sent."""

from collections import defaultdict
from typing import Any

import orjson
from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from sqlalchemy import text

from core.database import SET_SECONDS, Database, UnitOfWork
from models.events import ListingsDue, ProductsMerged, PushDue, SharesMoved
from models.shelves import UNKNOWN
from models.shops import Push, Shop
from pipelines.listings.concerned import CHOOSES, products_concerned, shops_concerned
from pipelines.listings.draft import distinct_options, shown_pictures, wanted_product, wanted_variant
from pipelines.listings.guard import reasons_to_wait, start_stock, wait_for_undo
from pipelines.listings.pricing.price import Blocked
from pipelines.listings.pricing.prices import pricing_of
from pipelines.listings.settings import settings_of
from pipelines.listings.stock import allot, lock
from pipelines.listings.undecided import WAITS_FOR_WORD, mark
from pipelines.listings.written import store

CHOSEN = f"""
SELECT DISTINCT ON (v.id) v.id AS variant_id, v.product_id, v.sku, v.gtin, v.options, v.images AS variant_images, v.weight_g,
  p.title AS product_title, p.description, p.brand, p.category, p.kind, p.images AS product_images,
  o.id AS offer_id, o.cost, o.currency, o.free, s.id AS selection_id, s.margin_percent,
  o.price, o.rrp, (o.details->>'map_price')::numeric AS lowest, (o.details->>'price_includes_tax')::bool AS taxed,
  o.details->>'hs_code' AS hs_code, o.details->>'origin' AS origin, o.supplier_id, c.name AS supplier
FROM selection s
JOIN {{variants}} v ON true JOIN product p ON p.id = v.product_id
JOIN LATERAL (
  SELECT * FROM offer x WHERE x.variant_id = v.id AND x.state = 'offered'
  ORDER BY (x.currency = %(currency)s) IS TRUE DESC, x.free > 0 DESC, x.cost IS NULL, x.cost, x.id LIMIT 1) o ON true
JOIN company c ON c.id = o.supplier_id
WHERE s.shop_id = %(shop)s AND {CHOOSES}
ORDER BY v.id, s.id"""
"""What the selections choose, the earliest first, each with its best offer by the catalogue's rule (catalogue/merge.py)
among those in the shop's currency, where there are such. `variants` are all, or those of some products."""

SOME = "(SELECT * FROM variant WHERE product_id = ANY(%(products)s))"


def fan_out(event: ProductsMerged, db: Database) -> None:
    """Rings for every shop that a run can concern: which listings change is each shop's own plan."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run_id = 0 if event.whole else event.run_id
        for shop_id, seller_id in shops_concerned(uow, run_id):
            uow.emit(ListingsDue(tenant=seller_id, lane=f"shop:{shop_id}", shop_id=shop_id, run_id=run_id))


def plan_listings(event: ListingsDue, db: Database) -> None:
    """Writes what the shop should hold now; where it is live already, its push follows by itself.

    Stock comes last and by itself: until it is decided, reservations and orders are not held up by a plan's length.
    """
    with db.unit_of_work() as uow:
        uow.allow(SET_SECONDS)
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        wait_for_undo(running_push(uow, shop))
        variants = want(uow, shop, products_concerned(uow, shop.id, event.run_id))
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        ring_others(uow, shop, allot(uow.cursor(), variants))
        if shop.live_since is not None:
            start_push(uow, shop, asked_by="hub", limit=True)


def want(uow: UnitOfWork, shop: Shop, products_of: list[int] | None) -> list[int]:
    """Upserts `wanted` of the shop's products and listings; what is no longer chosen is wanted no longer.

    Only listings of `products_of` are looked at, None: all. The variants whose stock is to be decided now.
    """
    cursor = uow.cursor()
    query = CHOSEN.format(variants="variant" if products_of is None else SOME)
    facts = {"shop": shop.id, "currency": shop.currency, "products": products_of}
    reading = cursor.connection.cursor(row_factory=dict_row)
    set_json_loads(orjson.loads, reading)  # five documents a row: a third of a long plan's time
    rows = reading.execute(query.encode(), facts).fetchall()
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
            page = products.get(row["product_id"])
            shown = page["images"] if page else ()
            if page is None:
                page = products[row["product_id"]] = wanted_product(row, settings)
            page["images"] = shown_pictures(row, shown)
            listings[row["product_id"]].append((row["variant_id"], record["wanted"]))
        records[row["variant_id"]] = record
    for variants in listings.values():
        distinct_options([wanted for _, wanted in variants])
    unchosen = store(cursor, shop.id, products, list(records.values()), products_of)
    mark(cursor, shop.id, products_of)
    return [*records, *unchosen]


def share(uow: UnitOfWork, shop: Shop) -> None:
    """Gives a locked shop that goes live its part of scarce stock: until then it showed what it could have, and took nothing."""
    found = uow.cursor().execute(
        "SELECT variant_id FROM listing WHERE shop_id = %s AND wanted IS NOT NULL", [shop.id]
    )
    ring_others(uow, shop, allot(uow.cursor(), [variant_id for (variant_id,) in found.fetchall()]))


def ring_others(uow: UnitOfWork, shop: Shop, moved: set[int]) -> None:
    """Lets the other live shops send what was decided for them; `moved` are shops with a new figure."""
    others = uow.session.query(Shop).filter(Shop.id.in_(moved - {shop.id}), Shop.live_since.is_not(None))
    for other in others.order_by(Shop.id):
        uow.emit(SharesMoved(tenant=other.seller_id, lane=other.lane, shop_id=other.id))


WAITS = f"l.unsettled AND {UNKNOWN} AND l.seen_at >= l.sent_at"
"""Whether nobody knows what the shop can still sell of listing `l` until its orders are swept: it is left alone till then."""

AGAIN = "l.state = 'drifted' AND l.seen ? 'again' AND l.wanted - 'stock' = l.sent - 'stock' AND NOT p.differs"
"""Whether something in the shop changed listing `l` back right after a push: sent with each of them it would go on for ever.
Its stock goes all the same; the rest with the next check by the clock, or when a person pushes."""

DIFFERENCES = f"""
SELECT * FROM (
  SELECT l.id, l.product_id, l.variant_id, l.state, l.external_id, l.wanted, l.sent, l.seen, v.title,
    CASE WHEN l.wanted IS NULL THEN 'withdraw'
         WHEN l.state = 'refused' THEN 'stock'
         WHEN l.external_id IS NULL OR l.sent IS NULL THEN 'create'
         WHEN ({AGAIN}) IS TRUE THEN 'stock'
         WHEN l.state IN ('drifted', 'withdrawn', 'waiting') OR p.differs
              OR l.wanted - 'stock' IS DISTINCT FROM l.sent - 'stock' THEN 'update'
         ELSE 'stock' END AS difference
  FROM (
    SELECT id FROM listing WHERE shop_id = %(shop)s AND differs
    UNION
    SELECT l.id FROM shop_product p JOIN listing l ON l.shop_id = p.shop_id AND l.product_id = p.product_id
    WHERE p.shop_id = %(shop)s AND p.differs AND l.wanted IS NOT NULL AND l.state <> 'refused') d
  JOIN listing l ON l.id = d.id JOIN variant v ON v.id = l.variant_id
  JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
  WHERE ({WAITS}) IS NOT TRUE AND NOT {WAITS_FOR_WORD} AND ({AGAIN} AND l.wanted = l.sent) IS NOT TRUE) every
WHERE difference NOT IN ('create', 'update') OR product_id NOT IN (
  SELECT l.product_id FROM listing l WHERE l.shop_id = %(shop)s AND l.wanted IS NOT NULL AND {WAITS})"""
"""Every listing whose shop does not show what is wanted, in no order. A refused one waits until what is wanted changes, or a
person pushes, but for the stock of what is there; a product waits whole where one of its listings does. What an owner sells
already waits for his word."""

KINDS = ("withdraw", "create", "update", "stock")
"""The unusual first."""

COUNTED = f"SELECT difference, count(*) FROM ({DIFFERENCES}) AS d GROUP BY difference"

# The unusual first, then those whose price moves furthest; what has no price before or after comes behind.
ONE_PAGE = f"""
SELECT * FROM ({DIFFERENCES}) AS d WHERE %(kind)s = '' OR difference = %(kind)s
ORDER BY array_position(%(kinds)s::text[], difference),
  abs(((wanted->>'price')::numeric - (sent->>'price')::numeric) / nullif((sent->>'price')::numeric, 0)) DESC NULLS LAST, id
LIMIT %(limit)s OFFSET %(skipped)s"""


def differences(cursor: Cursor[Any], shop_id: int) -> list[dict[str, Any]]:
    """What a push would do now, one row a listing: `difference` is create, update, stock or withdraw."""
    query = f"{DIFFERENCES} ORDER BY product_id, variant_id"
    return cursor.connection.cursor(row_factory=dict_row).execute(query.encode(), {"shop": shop_id}).fetchall()  # fmt: skip


def count_differences(cursor: Cursor[Any], shop_id: int) -> dict[str, int]:
    """How many listings each kind of difference concerns, without reading them."""
    found = dict(cursor.execute(COUNTED.encode(), {"shop": shop_id}).fetchall())
    return {kind: found.get(kind, 0) for kind in ("create", "update", "stock", "withdraw")}


def page_of_differences(
    cursor: Cursor[Any], shop_id: int, *, kind: str = "", limit: int = 50, skipped: int = 0
) -> list[dict[str, Any]]:
    """Rows of `differences` for a person: the unusual first; of one `kind` where it is given, behind the first `skipped`."""
    facts = {"shop": shop_id, "kind": kind, "kinds": list(KINDS), "limit": limit, "skipped": skipped}
    return cursor.connection.cursor(row_factory=dict_row).execute(ONE_PAGE.encode(), facts).fetchall()


def counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many of these rows each kind of difference has."""
    kinds = ("create", "update", "stock", "withdraw")
    return {kind: sum(row["difference"] == kind for row in rows) for kind in kinds}


def start_push(uow: UnitOfWork, shop: Shop, *, asked_by: str, limit: bool) -> Push | None:
    """Makes a push of what differs and lets it go, or holds it for a person where `limit` says so; None: all is true.

    One push of a shop at a time: while one runs nothing is started, since it plans again at its end, without a limit
    where a person asked meanwhile. A push that still waits is replaced: there is one plan, the present one. A person's
    push tries again what the shop refused.
    """
    cursor = uow.cursor()
    if running := running_push(uow, shop):
        if not limit:
            cursor.execute(LET_GO, [running.id])
        return running
    cursor.execute(GIVEN_UP, [shop.id])
    cursor.execute("DELETE FROM push WHERE shop_id = %s AND state = 'waiting'", [shop.id])
    if not limit:
        _try_refused(uow, shop)
        cursor.execute(TRY_AGAIN, [shop.id])
    planned = count_differences(cursor, shop.id)
    if not any(planned.values()):
        return None
    limits = reasons_to_wait(uow, shop, planned) if limit else []
    push = Push(
        shop_id=shop.id,
        state="waiting" if limits else "running",
        plan={
            **planned,
            "limits": limits,
            **({} if limit or asked_by == "hub" else _left_out(cursor, shop.id)),
        },
        asked_by=asked_by,
    )
    uow.session.add(push)
    uow.session.flush()
    if limits:
        start_stock(uow, shop)
    else:
        uow.emit(PushDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, push_id=push.id))
    return push


REFUSED = "SELECT variant_id FROM listing WHERE shop_id = %s AND state = 'refused'"


def _try_refused(uow: UnitOfWork, shop: Shop) -> None:
    """What was refused gets its part of scarce stock again, which others have meanwhile: as far as they have let go of it."""
    cursor = uow.cursor()
    variants = [variant_id for (variant_id,) in cursor.execute(REFUSED, [shop.id]).fetchall()]
    lock(cursor, variants)
    cursor.execute("UPDATE listing SET state = 'waiting' WHERE shop_id = %s AND state = 'refused'", [shop.id])
    ring_others(uow, shop, allot(cursor, variants))


LEFT_OUT = f"SELECT FROM listing l WHERE l.shop_id = %s AND l.unsettled AND {UNKNOWN} AND l.wanted IS NOT NULL LIMIT 1"


def _left_out(cursor: Cursor[Any], shop_id: int) -> dict[str, bool]:
    """What a person lets go while nobody knows its stock goes after the sweep that tells it (pipelines/listings/settle.py)."""
    return {} if cursor.execute(LEFT_OUT.encode(), [shop_id]).fetchone() is None else {"left_out": True}


TRY_AGAIN = (
    "UPDATE listing SET seen = seen - 'again' WHERE shop_id = %s AND state = 'drifted' AND seen ? 'again'"
)

LET_GO = "UPDATE push SET plan = plan || '{\"let_go\": true}' WHERE id = %s"
"""A person lets go what differs when this push ends."""

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
