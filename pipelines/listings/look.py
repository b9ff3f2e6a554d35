"""Looks what a shop has already before anything is made there: what its owner sells under a SKU or GTIN of ours waits for his word."""

from collections.abc import Collection, Sequence
from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from connectors.base import ShopConnector, ShopListing
from core.clock import now
from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Misconfigured
from models.events import AdoptionDue, ListingsDue
from models.shops import Shop
from pipelines.listings.own import Match, Ours, gtin_forms, matches
from pipelines.listings.undecided import mark, products_with
from pipelines.opening import connect
from pipelines.pacing import patience

PAGES_A_CALL = 50
"""Products of the owner's that are read together."""

# Only what some of the shop's things may be, or are known to be: a big shop is not read whole for one of its pages.
OURS = """
WITH near AS MATERIALIZED (
  SELECT v.id FROM unnest(%(skus)s::text[]) AS t(sku) JOIN variant v ON lower(v.sku) = lower(t.sku)
  UNION SELECT o.variant_id FROM feed f CROSS JOIN (
      SELECT unnest(ARRAY[sku, lower(sku), upper(sku)]) AS sku FROM unnest(%(skus)s::text[]) AS s(sku)) t
    JOIN offer o ON o.feed_id = f.id AND o.supplier_sku = t.sku WHERE o.state = 'offered'
  UNION SELECT id FROM variant WHERE cardinality(%(gtins)s::text[]) > 0 AND gtin = ANY(%(gtins)s)
  UNION SELECT variant_id FROM listing WHERE shop_id = %(shop)s AND external_id = ANY(%(ids)s)
  UNION SELECT l.variant_id FROM shop_product p JOIN listing l ON l.shop_id = p.shop_id AND l.product_id = p.product_id
    WHERE p.shop_id = %(shop)s AND p.external_id = ANY(%(pages)s))
SELECT l.variant_id, l.product_id, v.sku, v.gtin, v.title, l.external_id, p.external_id AS page, CASE WHEN l.external_id IS NULL THEN
  ARRAY(SELECT ARRAY[s.code, o.supplier_sku] FROM offer o JOIN company s ON s.id = o.supplier_id
    WHERE o.variant_id = l.variant_id AND o.state = 'offered' ORDER BY o.id) ELSE '{}' END AS numbers
FROM near JOIN listing l ON l.shop_id = %(shop)s AND l.variant_id = near.id JOIN variant v ON v.id = l.variant_id
LEFT JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.wanted IS NOT NULL OR l.external_id IS NOT NULL ORDER BY l.variant_id"""

# What a person decided stays decided as long as it is still the case. Of what was not looked at nothing is said.
FORGET = """
DELETE FROM adoption a WHERE shop_id = %(shop)s AND (%(pages)s::text[] IS NULL OR product_external_id = ANY(%(pages)s))
  AND CASE a.state
  WHEN 'adopted' THEN NOT EXISTS (SELECT FROM listing l WHERE l.shop_id = a.shop_id AND l.external_id = a.external_id)
  WHEN 'left' THEN a.external_id <> ALL(%(there)s) ELSE true END RETURNING a.fits"""

# What stands on other pages is judged anew and shows what it showed.
FOUND = """
INSERT INTO adoption (shop_id, external_id, product_external_id, stock_id, variant_id, fits, reason, state, problem, seen)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (shop_id, external_id) DO UPDATE
SET variant_id = excluded.variant_id, fits = excluded.fits, reason = excluded.reason, state = excluded.state, problem = excluded.problem
WHERE adoption.state IN ('proposed', 'unclear')"""

RIVALS = """
SELECT DISTINCT a.product_external_id FROM adoption a CROSS JOIN unnest(a.fits) AS f(variant_id)
WHERE a.shop_id = %(shop)s AND a.state <> 'adopted' AND a.product_external_id <> ALL(%(pages)s) AND f.variant_id = ANY(ARRAY(
  SELECT y.variant_id FROM listing x JOIN listing y ON y.shop_id = x.shop_id AND y.product_id = x.product_id
  WHERE x.shop_id = %(shop)s AND x.variant_id = ANY(%(fits)s)))"""

ON_PAGES = """
SELECT external_id, product_external_id, fits, seen FROM adoption
WHERE shop_id = %s AND state <> 'adopted' AND product_external_id = ANY(%s) ORDER BY external_id"""

NO_MORE = """
DELETE FROM adoption WHERE shop_id = %s AND state IN ('proposed', 'unclear') AND external_id = ANY(%s) RETURNING fits"""

TO_MAKE = """
SELECT v.sku, v.gtin, ARRAY(SELECT supplier_sku FROM offer WHERE variant_id = v.id AND state = 'offered' ORDER BY id)
FROM listing l JOIN variant v ON v.id = l.variant_id
WHERE l.shop_id = %s AND l.differs AND l.wanted IS NOT NULL AND l.external_id IS NULL AND NOT l.undecided ORDER BY l.id"""

OPEN = """
SELECT DISTINCT product_external_id FROM adoption
WHERE shop_id = %(shop)s AND state IN ('proposed', 'unclear') AND (%(page)s::text IS NULL OR %(page)s IN (product_external_id, external_id))"""


def plan_adoption(event: AdoptionDue, db: Database) -> None:
    """Reads everything the shop sells and stores which of it is ours; nothing is changed in the shop."""
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, event.shop_id)
        uow.session.expunge_all()
    try:
        with patience(db, shop.id):
            theirs = list(connect(db, shop).everything())
    except Misconfigured as error:
        with db.unit_of_work() as uow:
            uow.session.get_one(Shop, event.shop_id).problem = str(error)
        raise
    with db.unit_of_work(last=True) as uow:
        store(uow, shop.id, theirs, whole=True)


def before_making(db: Database, shop: Shop, connector: ShopConnector) -> None:
    """For a push, before it makes anything new. A shop that was never looked at is read whole (an empty one is a call);
    in another one only what has a SKU or GTIN of what is to be made, or its supplier's number, is looked for.

    Raises what the connector raises. What was found is stored, and what waits for it is left out from then on.
    """
    with db.unit_of_work() as uow:
        new = uow.cursor().execute(TO_MAKE, [shop.id]).fetchall()
        looked_at = uow.session.get_one(Shop, shop.id).looked_at
    if not new:
        return
    if looked_at is None:
        theirs = list(connector.everything())
        with db.unit_of_work() as uow:
            store(uow, shop.id, theirs, whole=True)
        return
    skus = list(dict.fromkeys(word for sku, _, numbers in new for word in (sku, *numbers)))
    # As it is, and as a UPC of it is written; nobody writes a GTIN-13 with a zero before it.
    gtins = list(
        dict.fromkeys(
            form for _, gtin, _ in new for form in gtin_forms(gtin) if len(form) < 14 or form == gtin
        )
    )
    look_into_pages(db, shop, connector, strangers(db, shop.id, list(connector.holders(skus, gtins))))


def strangers(db: Database, shop_id: int, held: Sequence[ShopListing]) -> list[str]:
    """The products of what is `held` under SKUs and GTINs that are not known to be ours, nor decided about."""
    if not held:
        return []
    with db.unit_of_work() as uow:
        cursor = uow.cursor()
        ours = _ours(cursor, shop_id, held)
        decided = cursor.execute(
            "SELECT external_id FROM adoption WHERE shop_id = %s AND state IN ('adopted', 'left')", [shop_id]
        )
        settled = {external_id for (external_id,) in decided.fetchall()}
    found = matches(ours, [one for one in held if one.external_id not in settled])
    return list(dict.fromkeys(match.page for match in found))


def look_into_pages(db: Database, shop: Shop, connector: ShopConnector, pages: Sequence[str]) -> None:
    """Reads these products of the shop's whole, and stores which of their variants are ours. They are read in pieces and
    judged together: what fits the same of ours may stand on any two of them."""
    theirs: list[ShopListing] = []
    for start in range(0, len(pages), PAGES_A_CALL):
        theirs += connector.read_back(pages[start : start + PAGES_A_CALL])
    if pages:
        with db.unit_of_work() as uow:
            store(uow, shop.id, theirs, pages=pages)


def look_again(db: Database, shop: Shop, page: str | None = None) -> bool:
    """Reads what was found and nothing was decided of once more (only the product `page` where one is given), since its owner
    may have changed it; whether there was anything to read."""
    with db.unit_of_work() as uow:
        pages = [each for (each,) in uow.cursor().execute(OPEN, {"shop": shop.id, "page": page}).fetchall()]
    if pages:
        with patience(db, shop.id):
            look_into_pages(db, shop, connect(db, shop), sorted(pages))
    return bool(pages)


def store(
    uow: UnitOfWork, shop_id: int, theirs: Sequence[ShopListing], *, whole: bool = False, pages: Collection[str] | None = None
) -> None:  # fmt: skip
    """Writes what is ours of `theirs` in place of what was found before: of the `whole` shop, or of these `pages`. What was
    found on other pages and may be the same of ours is judged with them.

    Where other listings wait for a word now than before, a live shop is planned anew: what they keep of scarce stock is
    for others.
    """
    uow.allow(SET_SECONDS)
    shop = uow.session.get_one(Shop, shop_id, with_for_update={"key_share": True}, populate_existing=True)
    if whole:
        shop.looked_at = now()
        uow.session.flush()
    cursor = uow.cursor()
    there = [one.external_id for one in theirs if one.status not in ("trash", "missing")]
    forgotten = {"shop": shop_id, "there": there, "pages": None if pages is None else list(pages)}
    fits = {variant for (some,) in cursor.execute(FORGET, forgotten).fetchall() for variant in some}
    others: list[ShopListing] = []
    if pages is not None:
        some = matches(_ours(cursor, shop_id, theirs), theirs)
        others = _rivals(cursor, shop_id, pages, fits | {each for match in some for each in match.fits})
    every = [*theirs, *others]
    found = matches(_ours(cursor, shop_id, every), every)
    gone = {one.external_id for one in others} - {match.held.external_id for match in found}
    for (some_fits,) in cursor.execute(NO_MORE, [shop_id, list(gone)]).fetchall():
        fits |= set(some_fits)
    cursor.executemany(FOUND, [_row(shop_id, match) for match in found])
    fits |= {each for match in found for each in match.fits}
    if (
        mark(cursor, shop_id, None if whole else products_with(cursor, shop_id, fits))
        and shop.live_since is not None
    ):
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def _ours(cursor: Cursor[Any], shop_id: int, theirs: Sequence[ShopListing]) -> list[Ours]:
    """Of our listings those that some of `theirs` may be, that they are known as, and that stand on the same products."""
    facts = {
        "shop": shop_id, "skus": list({one.sku.strip() for one in theirs if one.sku.strip()}),
        "gtins": list({form for one in theirs for form in gtin_forms(one.gtin)}),
        "ids": [one.external_id for one in theirs], "pages": list({one.parent_id or one.external_id for one in theirs}),
    }  # fmt: skip
    return [Ours(**row) for row in _named(cursor, OURS, facts)] if theirs else []


def _rivals(
    cursor: Cursor[Any], shop_id: int, pages: Collection[str], fits: Collection[int]
) -> list[ShopListing]:
    """What was found on other pages and may be of the products of `fits`, what else these pages may be, and so on: as much
    of it as a judgement needs."""
    read, others = set(pages), list[ShopListing]()
    while fits:
        facts = {"shop": shop_id, "pages": list(read), "fits": list(fits)}
        more = [page for (page,) in cursor.execute(RIVALS, facts).fetchall()]
        rows = _named(cursor, ON_PAGES, [shop_id, more]) if more else []
        others += [_as_seen(row) for row in rows]
        read |= set(more)
        fits = {variant for row in rows for variant in row["fits"]}
    return others


def _as_seen(row: dict[str, Any]) -> ShopListing:
    seen, page = row["seen"], row["product_external_id"]
    return ShopListing(
        row["external_id"], None if page == row["external_id"] else page, str(seen.get("status") or "live"),
        sku=seen.get("sku") or "", title=seen.get("title") or "", gtin=seen.get("gtin"),
    )  # fmt: skip


def _row(shop_id: int, match: Match) -> list[Any]:
    return [
        shop_id, match.held.external_id, match.page, match.held.stock_id, match.variant_id, list(match.fits), match.reason,
        "unclear" if match.problem else "proposed", match.problem, Jsonb(match.seen),
    ]  # fmt: skip


def _named(cursor: Cursor[Any], statement: str, values: Any) -> list[dict[str, Any]]:
    return cursor.connection.cursor(row_factory=dict_row).execute(statement, values).fetchall()
