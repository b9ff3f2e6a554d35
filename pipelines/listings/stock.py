"""Decides what each shop shows of a variant's stock, and writes it: the one place where plans, sales and answers agree."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row

from core.clock import now
from core.settings import load
from models.catalogue import STOCK_AS_OF
from models.shelves import EXPOSED, SENT, UNKNOWN
from pipelines.listings.settings import ShopSettings
from pipelines.listings.shares import THOUSANDTHS, Part, allocate
from pipelines.listings.undecided import WAITS_FOR_WORD

BEST = """LATERAL (
  SELECT x.id, x.free, x.feed_id FROM offer x WHERE x.variant_id = {variant} AND x.state = 'offered'
  ORDER BY (x.currency = {currency}) IS TRUE DESC, x.free > 0 DESC, x.cost IS NULL, x.cost, x.id LIMIT 1)"""
"""The offer that a plan chooses (pipelines/listings/plan.py, CHOSEN)."""

# What buyers were promised and nothing is set aside for yet. What the hub never buys takes nothing from it.
PROMISED = """
SELECT o.variant_id, sum(greatest(0, o.wanted - (o.covered - o.refunded) - coalesce(r.quantity, 0))) AS pieces
FROM order_line o JOIN shop_order h ON h.id = o.order_id
LEFT JOIN reservation r ON r.line_id = o.id AND o.covered = 0
WHERE o.variant_id = ANY(%(variants)s) AND o.wanted > o.covered - o.refunded
  AND h.standing <> 'cancelled' AND NOT h.test
GROUP BY o.variant_id"""

SHELVES = f"""
WITH promised AS ({PROMISED})
SELECT l.id, l.variant_id, l.shop_id, s.live_since IS NOT NULL AS live, (l.wanted->>'stock')::int AS wanted,
  {EXPOSED} AS shows, CASE WHEN ({UNKNOWN}) IS NOT TRUE THEN {SENT} END AS sent, best.id AS offer_id, best.feed_id, (l.why->>'offer')::int AS priced_by,
  {WAITS_FOR_WORD} OR l.state = 'refused' AND l.sent IS NULL AS stuck,
  greatest(0, coalesce(best.free, 0) - coalesce(p.pieces, 0))::int AS free
FROM listing l JOIN shop s ON s.id = l.shop_id
LEFT JOIN {BEST.format(variant="l.variant_id", currency="s.currency")} best ON true
LEFT JOIN promised p ON p.variant_id = l.variant_id
WHERE l.variant_id = ANY(%(variants)s) AND (l.wanted IS NOT NULL OR l.sent IS NOT NULL OR l.sending IS NOT NULL)
ORDER BY l.variant_id, l.shop_id"""

SETTINGS = "SELECT id, settings FROM shop WHERE id = ANY(%s)"

OFFERS = "SELECT FROM offer WHERE variant_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
LISTINGS = "SELECT FROM listing WHERE variant_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

AS_OF = f"""
SELECT o.feed_id, {STOCK_AS_OF} FROM (SELECT unnest(%s::int[]) AS feed_id) o"""

WRITTEN = """
UPDATE listing l SET wanted = jsonb_set(l.wanted, '{stock}', to_jsonb(n.stock))
FROM unnest(%(ids)s::int[], %(stocks)s::int[]) AS n(id, stock)
WHERE l.id = n.id AND l.wanted IS NOT NULL AND l.wanted->'stock' <> to_jsonb(n.stock)
RETURNING l.shop_id"""

FEW = 200
"""So many variants are locked and looked at at once; of more it is first seen, without locks, which ones move at all."""


@dataclass(frozen=True, slots=True)
class Decided:
    """`stocks` is what each listing is to show, by id, where that is another figure than now; `variants` are theirs."""

    stocks: Mapping[int, int]
    variants: frozenset[int]


def allot(cursor: Cursor[Any], variant_ids: Collection[int]) -> set[int]:
    """Writes the wanted stock of every listing of these variants, in all shops; the shops where one changed.

    Free stock, promises and what shops show are read under locks of the variants' offers and listings, in this order; a
    shop whose own push follows locks it before. What a shop refused to take, and what waits for its owner's word, gets
    nothing. A listing whose best offer is another than the one it was priced by is left to its plan. Repeating it changes nothing.
    """
    variants = sorted(set(variant_ids))
    if len(variants) > FEW:
        variants = sorted(_decided(cursor, variants).variants)
    if not variants:
        return set()
    lock(cursor, variants)
    stocks = _decided(cursor, variants).stocks
    if not stocks:
        return set()
    facts = {"ids": list(stocks), "stocks": list(stocks.values())}
    return {shop_id for (shop_id,) in cursor.execute(WRITTEN, facts).fetchall()}


def lock(cursor: Cursor[Any], variant_ids: Collection[int]) -> None:
    """Locks the offers of these variants, then all their listings: for whoever writes listings before he allots."""
    variants = sorted(set(variant_ids))
    cursor.execute(OFFERS, [variants])
    cursor.execute(LISTINGS, [variants])


def may_show(settings: ShopSettings, free: int, told_at: datetime | None, moment: datetime) -> int:
    """Pure: the most that a shop may show of `free` pieces, whose supplier told of them at `told_at`.

    Nothing where that is too long ago; a figure of unknown age counts as fresh.
    """
    hours = settings.stale_hours
    if hours is not None and told_at is not None and told_at < moment - timedelta(hours=hours):
        return 0
    most = max(0, free - settings.buffer)
    return most if settings.show_at_most is None else min(most, settings.show_at_most)


def _decided(cursor: Cursor[Any], variants: list[int]) -> Decided:
    facts = {"variants": variants}
    rows = cursor.connection.cursor(row_factory=dict_row).execute(SHELVES.encode(), facts).fetchall()
    stored = cursor.execute(SETTINGS, [list({row["shop_id"] for row in rows})]).fetchall()
    settings = {shop_id: ShopSettings.read(own) for shop_id, own in stored}
    told = _told_at(cursor, rows) if any(each.stale_hours for each in settings.values()) else {}
    pools: dict[tuple[int, int | None], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        pools[row["variant_id"], row["offer_id"]].append(row)
    scarce, moment = load().scarce_stock, now()
    stocks: dict[int, int] = {}
    moved: set[int] = set()
    for (variant_id, _), shelves in pools.items():
        for row, stock in _allotted(shelves, settings, told, scarce, moment):
            if stock != row["wanted"]:
                stocks[row["id"]] = stock
                moved.add(variant_id)
    return Decided(stocks, frozenset(moved))


def _allotted(
    shelves: list[dict[str, Any]], settings: Mapping[int, ShopSettings], told: Mapping[int, datetime | None], scarce: int, moment: datetime
) -> list[tuple[dict[str, Any], int]]:  # fmt: skip
    """The listings of one offer that show something, each with its figure. A shop that is not live yet sees what it could
    show, and takes nothing from the others."""
    free = shelves[0]["free"]
    parts, others = [], []
    for row in shelves:
        own = settings[row["shop_id"]]
        most = may_show(own, free, told.get(row["feed_id"]), moment)
        if row["stuck"]:  # it is not there and is not to be made: others may show its part
            most = min(most, row["sent"] or 0)
        weight = int(own.weight * THOUSANDTHS)
        part = Part(row["shop_id"], most, row["wanted"] or 0, row["shows"], weight, row["sent"])
        if row["live"] and row["wanted"] is not None:
            parts.append(part)
        else:
            others.append(part)
    elsewhere = (
        None if any(part.shows is None for part in others) else sum(part.shows or 0 for part in others)
    )
    shown = allocate(free, parts, scarce=scarce, elsewhere=elsewhere, turn=shelves[0]["variant_id"])
    shown |= {part.shop: part.most for part in others}
    ours = [row for row in shelves if row["wanted"] is not None and row["priced_by"] == row["offer_id"]]
    return [(row, shown[row["shop_id"]]) for row in ours]


def _told_at(cursor: Cursor[Any], rows: list[dict[str, Any]]) -> dict[int, datetime | None]:
    feeds = sorted({row["feed_id"] for row in rows if row["feed_id"] is not None})
    return dict(cursor.execute(AS_OF.encode(), [feeds]).fetchall())
