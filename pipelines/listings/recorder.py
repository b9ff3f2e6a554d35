"""Writes what a shop answered, in sets: everything answered so far is stored before the shop is asked again."""

from dataclasses import dataclass
from typing import Any

import orjson

from connectors.base import ProductDraft, PushResult
from core.database import Database, UnitOfWork
from core.settings import load
from models.events import DemandMoved, OrdersDue
from models.shelves import lock_listings

Row = dict[str, Any]

# What a stock became is told relatively: orders taken over while the call was out stay taken off, and a figure that
# the shop moved meanwhile (null) stays to be read.
HELD = """CASE WHEN a.before IS NULL THEN to_jsonb(a.stock) WHEN jsonb_typeof(l.sent->'stock') = 'number'
    THEN to_jsonb(greatest(0, (l.sent->>'stock')::int + a.stock - a.before)) ELSE 'null'::jsonb END"""

# Before it was lowered it may have sold unseen what it showed then: other shops wait for a sweep (pipelines/listings/settle.py).
LOWERED = """CASE WHEN a.stock < a.before THEN greatest((l.sent->>'stock')::int, l.sending, l.lowered_from)
    ELSE l.lowered_from + a.stock - coalesce(a.before, 0) END"""

STOCK = f"""
UPDATE listing l SET lowered_from = {LOWERED}, sent = jsonb_set(l.sent, '{{stock}}', {HELD}), stock_id = coalesce(a.stock_id, l.stock_id), sending = NULL,
  seen = CASE WHEN l.seen IS NOT NULL THEN jsonb_set(l.seen, '{{stock}}', {HELD}) END, problem = CASE WHEN l.state = 'refused' THEN l.problem END, sent_at = now()
FROM jsonb_to_recordset(%(rows)s::jsonb) AS a(variant int, stock int, before int, stock_id text)
WHERE l.shop_id = %(shop)s AND l.variant_id = a.variant AND l.sent IS NOT NULL"""
"""Only the figure: whatever else differs is still to be sent. The connector looked at what the shop answered, so that it
counts as seen."""

PAGES = """
UPDATE shop_product p SET external_id = coalesce(a.external, p.external_id), image_ids = p.image_ids || a.images,
  sent = CASE WHEN a.done AND NOT p.trade_only THEN a.wanted ELSE p.sent END, problem = a.problem
FROM jsonb_to_recordset(%(rows)s::jsonb) AS a(product int, external text, images jsonb, done bool, wanted jsonb, problem text)
WHERE p.shop_id = %(shop)s AND p.product_id = a.product"""

VARIANTS = f"""
UPDATE listing l SET lowered_from = {LOWERED}, external_id = a.external,
  former_ids = CASE WHEN l.external_id <> a.external THEN l.former_ids || l.external_id ELSE l.former_ids END,
  stock_id = coalesce(a.stock_id, l.stock_id), sending = NULL, state = 'sent',
  sent = jsonb_set(a.wanted, '{{stock}}', {HELD}), problem = a.problem, sent_at = now()
FROM jsonb_to_recordset(%(rows)s::jsonb)
  AS a(variant int, external text, wanted jsonb, stock int, before int, stock_id text, problem text)
WHERE l.shop_id = %(shop)s AND l.variant_id = a.variant"""

# It is out of sale there also where a plan wants it again since it was asked for: then it is brought back.
LEFT = """
UPDATE listing SET state = CASE WHEN wanted IS NULL THEN 'withdrawn' ELSE 'waiting' END, sent = NULL, sending = NULL, sent_at = now(),
  lowered_from = nullif(greatest((sent->>'stock')::int, sending, lowered_from), 0)
WHERE shop_id = %(shop)s AND id = ANY(%(rows)s)"""

# What is wanted otherwise by now was not refused: it is still to be sent. A figure that the shop does not take of what it
# refused before is not asked of it again until another one is decided.
SAID = """
UPDATE listing l SET problem = CASE WHEN l.state = 'refused' AND a.state = 'waiting' THEN l.problem ELSE a.problem END,
  sending = CASE WHEN a.unknown THEN l.sending END,
  wanted = CASE WHEN l.state = 'refused' AND a.state = 'waiting' AND NOT a.unknown AND l.wanted IS NOT NULL
    THEN jsonb_set(l.wanted, '{stock}', l.sent->'stock') ELSE l.wanted END,
  state = CASE WHEN a.unknown OR l.state = 'refused' AND a.state = 'waiting' THEN l.state
    WHEN a.state <> 'refused' OR l.wanted - 'stock' IS NOT DISTINCT FROM a.wanted - 'stock' AND (a.page IS NULL OR a.page = (
      SELECT p.wanted FROM shop_product p WHERE p.shop_id = l.shop_id AND p.product_id = l.product_id)) THEN a.state
    WHEN l.wanted IS NULL THEN l.state ELSE 'waiting' END
FROM jsonb_to_recordset(%(rows)s::jsonb)
  AS a(id int, variant int, state text, problem text, unknown bool, wanted jsonb, page jsonb)
WHERE l.shop_id = %(shop)s AND (l.id = a.id OR l.variant_id = a.variant)
RETURNING CASE WHEN l.state = 'refused' AND NOT a.unknown THEN l.variant_id END"""

# Units that one shop let go may be shown by another, once a sweep told that they were not sold here: only where there is
# one, and only where units are counted out.
FREED = """
SELECT FROM listing l JOIN offer o ON o.id = (l.why->>'offer')::int
WHERE l.shop_id = %(shop)s AND (l.variant_id = ANY(%(variants)s) OR l.id = ANY(%(left)s)) AND o.free <= %(scarce)s
  AND EXISTS (SELECT FROM listing x JOIN shop s ON s.id = x.shop_id
    WHERE x.variant_id = l.variant_id AND x.shop_id <> l.shop_id AND x.wanted IS NOT NULL AND s.live_since IS NOT NULL)
  AND NOT EXISTS (SELECT FROM message WHERE event = 'OrdersDue' AND lane = %(lane)s AND state < 2)
LIMIT 1"""

# What a shop surely does not take may be shown by others at once: nothing of it can have been sold there.
PASSED_ON = """
SELECT DISTINCT l.variant_id FROM listing l JOIN offer o ON o.id = (l.why->>'offer')::int
WHERE l.shop_id = %(shop)s AND l.variant_id = ANY(%(variants)s) AND l.sent IS NULL AND o.free <= %(scarce)s
  AND EXISTS (SELECT FROM listing x JOIN shop s ON s.id = x.shop_id
    WHERE x.variant_id = l.variant_id AND x.shop_id <> l.shop_id AND x.wanted IS NOT NULL AND s.live_since IS NOT NULL)
ORDER BY 1"""


@dataclass
class Outcome:
    """What a push did so far, counted in listings; `unknown` are those whose answer got lost."""

    sent: int = 0
    refused: int = 0
    withdrawn: int = 0
    unknown: int = 0

    def stored(self, problem: str | None) -> dict[str, Any]:
        """As Push.outcome has it."""
        return {
            "sent": self.sent, "refused": self.refused, "withdrawn": self.withdrawn, "problem": problem,
        }  # fmt: skip


class Recorder:
    """Takes answers one by one; `flush` stores them in one unit of work. Used by one thread.

    `tenant` and `lane` are the shop's, for the events that freed units ring.
    """

    def __init__(self, db: Database, shop_id: int, tenant: int, lane: str, outcome: Outcome) -> None:
        self._db, self._shop_id, self._tenant, self._lane, self.outcome = db, shop_id, tenant, lane, outcome
        self._empty()

    def _empty(self) -> None:
        self._stock: list[Row] = []
        self._pages: dict[str, Row] = {}
        self._variants: dict[str, Row] = {}
        self._left: list[int] = []
        self._said: list[Row] = []
        self._lowered: list[int] = []

    def withdrawn(self, listing_ids: list[int], result: PushResult) -> None:
        """A product or variant left the sale."""
        self._count(result, len(listing_ids), result.problem)
        if result.problem or result.unknown:
            self._said += [self._saying("refused", result, id=number) for number in listing_ids]
            return
        self.outcome.withdrawn += len(listing_ids)
        self._left += listing_ids

    def stock(self, result: PushResult, row: Row) -> None:
        """A variant's stock was set, and nothing else. Refused, it waits to be sent whole: it may no longer be there.

        `row` has "stock" and "before" as they were sent.
        """
        self._count(result, 1, result.problem)
        variant = int(result.key)
        if result.problem or result.unknown:
            self._said.append(self._saying("waiting", result, variant=variant))
            return
        self.outcome.sent += 1
        self._stock.append(
            {
                "variant": variant, "stock": row["stock"], "before": row["before"],
                "stock_id": result.stock_ids.get(result.key),
            }
        )  # fmt: skip
        self._lower(variant, row)

    def product(self, result: PushResult, sent: ProductDraft, page: Row) -> None:
        """A product was answered: with its own id, then with its variants' ids; what each variant holds now.

        `page` has "wanted" and "listings": rows with "key", "wanted", "before".
        """
        rows = {row["key"]: row for row in page["listings"]}
        known = self._pages.get(result.key)
        self._pages[result.key] = {
            "product": int(result.key), "external": result.external_id or (known and known["external"]),
            "images": {**(known["images"] if known else {}), **result.image_ids},
            "done": bool(result.variant_ids) or bool(known and known["done"]), "wanted": page["wanted"], "problem": remarks(result),
        }  # fmt: skip
        for key, external_id in result.variant_ids.items():
            row = rows[key]
            self._variants[key] = {
                "variant": int(key), "external": external_id, "wanted": row["wanted"], "stock": row["wanted"]["stock"],
                "before": row["before"], "stock_id": result.stock_ids.get(key), "problem": result.problems.get(key),
            }  # fmt: skip
            self._lower(int(key), {"stock": row["wanted"]["stock"], "before": row["before"]})
        self.outcome.sent += len(result.variant_ids)
        if result.problem is not None or result.unknown:
            missing = [one.key for one in sent.variants if one.key not in result.variant_ids]
            problems = dict.fromkeys(missing, result.problem or "")
        else:
            problems = {
                key: text
                for key, text in result.problems.items()
                if key in rows and key not in result.variant_ids
            }
        self._count(result, len(problems), "refused" if problems else None)
        for key, text in problems.items():
            saying = self._saying("refused", result, variant=int(key))
            wanted = rows[key]["wanted"] if key in rows else None
            self._said.append({**saying, "problem": text, "wanted": wanted, "page": page["wanted"]})

    def flush(self) -> None:
        """Stores what was answered since the last time; what could not be stored is kept for the next."""
        statements: list[tuple[str, Any]] = [
            (PAGES, list(self._pages.values())), (VARIANTS, list(self._variants.values())), (STOCK, self._stock),
            (SAID, self._said),
        ]  # fmt: skip
        if not (self._left or any(rows for _, rows in statements)):
            return
        with self._db.unit_of_work() as uow:
            cursor = uow.cursor()
            answered = [*self._variants.values(), *self._stock]
            lock_listings(cursor, self._shop_id, [row["variant"] for row in answered])
            for statement, rows in statements:
                if rows:
                    cursor.execute(statement, {"shop": self._shop_id, "rows": orjson.dumps(rows).decode()})
                    if statement is SAID:
                        self._pass_on(uow, [row[0] for row in cursor.fetchall() if row[0] is not None])
            if self._left:
                cursor.execute(LEFT, {"shop": self._shop_id, "rows": self._left})
            if self._lowered or self._left:
                self._ring(uow)
        self._empty()

    def _ring(self, uow: UnitOfWork) -> None:
        """Other shops may show what this one no longer does, as soon as its orders are swept."""
        facts = {
            "shop": self._shop_id, "variants": self._lowered, "left": self._left, "scarce": load().scarce_stock, "lane": self._lane,
        }  # fmt: skip
        if uow.cursor().execute(FREED, facts).fetchone() is not None:
            uow.emit(OrdersDue(tenant=self._tenant, lane=self._lane, shop_id=self._shop_id))

    def _pass_on(self, uow: UnitOfWork, refused: list[int]) -> None:
        """Shares of what was refused are for the other shops."""
        facts = {"shop": self._shop_id, "variants": refused, "scarce": load().scarce_stock}
        for (variant_id,) in uow.cursor().execute(PASSED_ON, facts).fetchall() if refused else ():
            uow.emit(DemandMoved(tenant=self._tenant, lane=self._lane, variant_id=variant_id))

    def _lower(self, variant: int, row: Row) -> None:
        if row["before"] is not None and row["stock"] < row["before"]:
            self._lowered.append(variant)

    def _count(self, result: PushResult, number: int, problem: str | None) -> None:
        if result.unknown:
            self.outcome.unknown += number
        elif problem:
            self.outcome.refused += number

    @staticmethod
    def _saying(state: str, result: PushResult, **which: int) -> Row:
        return {"state": state, "problem": result.problem, "unknown": result.unknown, **which}


def remarks(result: PushResult) -> str | None:
    """What the shop said of the product as a whole: its own problem, else those that name no variant (a dead picture)."""
    if result.problem:
        return result.problem
    return " ".join(sentence for key, sentence in result.problems.items() if not key.isdigit()) or None
