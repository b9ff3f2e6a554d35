"""Pushes what differs into a shop: withdrawals first, then stock alone, then products; every answer is stored at once."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from psycopg.types.json import Jsonb

from connectors.base import ProductDraft, PushResult, ShopConnector, StockLevel
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Permanent, Unknown
from models.events import ListingsSent, PushDue
from models.shops import Listing, Push, Shop, ShopProduct
from pipelines.listings.draft import draft
from pipelines.listings.plan import differences, running_push, start_push
from pipelines.opening import connect


class Outcome:
    """What a push did so far, counted in listings; `unknown` are those whose answer got lost."""

    def __init__(self) -> None:
        self.sent = self.refused = self.withdrawn = self.unknown = 0


def push(event: PushDue, db: Database) -> None:
    """Sends the differences there are when it starts. Repeating it sends what is still different, and nothing twice.

    Where the shop cannot be used at all the push ends, its shop says why, and the message becomes a dead letter. One
    that is replayed while another push of the shop runs leaves everything to that one.
    """
    with db.unit_of_work() as uow:
        opened = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        running = running_push(uow, opened)
        elsewhere = running is not None and running.id != event.push_id
        uow.cursor().execute(
            "UPDATE push SET state = 'running' WHERE id = %s AND NOT %s", [event.push_id, elsewhere]
        )
        rows = differences(uow.cursor(), opened.id)
        pages = load_pages(uow, opened.id, {row["product_id"] for row in rows})
        uow.session.expunge_all()
    if elsewhere:
        with db.unit_of_work(last=True):
            return
    outcome = Outcome()
    try:
        send(connect(db, opened), db, event.shop_id, rows, pages, outcome)
    except Permanent as error:
        with db.unit_of_work() as uow:
            close(uow, event.push_id, outcome, problem=str(error))
        raise
    if outcome.unknown:
        raise Unknown(
            f"{outcome.unknown} listings of shop {event.shop_id} were sent without a clear answer; they are looked up and sent again."
        )
    with db.unit_of_work(last=True) as uow:
        close(uow, event.push_id, outcome, problem=None)
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        uow.emit(ListingsSent(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
        start_push(uow, shop, asked_by="hub", limit=True)


def load_pages(uow: UnitOfWork, shop_id: int, product_ids: set[int]) -> dict[int, dict[str, Any]]:
    """The products concerned, each with all its wanted listings: a shop takes a product whole."""
    pages: dict[int, dict[str, Any]] = {}
    for page in uow.session.query(ShopProduct).filter(
        ShopProduct.shop_id == shop_id, ShopProduct.product_id.in_(product_ids)
    ):
        pages[page.product_id] = {
            "wanted": page.wanted,
            "external_id": page.external_id,
            "image_ids": page.image_ids,
            "listings": [],
        }
    for listing in (
        uow.session.query(Listing)
        .filter(Listing.shop_id == shop_id, Listing.product_id.in_(product_ids))
        .order_by(Listing.id)
    ):
        if listing.wanted is not None and listing.state != "refused":
            pages[listing.product_id]["listings"].append(
                {"key": str(listing.variant_id), "external_id": listing.external_id, "wanted": listing.wanted}
            )
    return pages


def send(
    connector: ShopConnector,
    db: Database,
    shop_id: int,
    rows: list[dict[str, Any]],
    pages: dict[int, dict[str, Any]],
    outcome: Outcome,
) -> None:
    """Every network call of a push; each result is recorded in a unit of work of its own before the next call."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_kind[row["difference"]].append(row)
    record = Recorder(db, shop_id, outcome)
    leaving = withdrawals(by_kind["withdraw"], pages)
    for result in connector.withdraw(list(leaving)):
        record.withdrawn(leaving[result.key], result)
    whole = {row["product_id"] for kind in ("create", "update") for row in by_kind[kind]}
    fast = [row for row in by_kind["stock"] if row["product_id"] not in whole]
    levels = [
        StockLevel(key=str(row["variant_id"]), external_id=row["external_id"], parent_id=parent(row, pages), stock=row["wanted"]["stock"])
        for row in fast
    ]  # fmt: skip
    wanted = {str(row["variant_id"]): row["wanted"] for row in fast}
    for result in connector.set_stock(levels):
        record.stock(result, wanted[result.key])
    drafts = {
        str(product_id): draft(page["wanted"], page["external_id"], page["image_ids"], str(product_id), page["listings"])
        for product_id, page in pages.items() if product_id in whole and page["listings"]
    }  # fmt: skip
    for result in connector.push(list(drafts.values())):
        record.product(result, drafts[result.key], pages[int(result.key)])


def parent(row: dict[str, Any], pages: dict[int, dict[str, Any]]) -> str | None:
    """The product's id in the shop where the variant lies below it; None for a simple product."""
    product_id: str | None = pages[row["product_id"]]["external_id"]
    return product_id if product_id != row["external_id"] else None


def withdrawals(rows: list[dict[str, Any]], pages: dict[int, dict[str, Any]]) -> dict[str, list[int]]:
    """What to take out of sale, and the listings that go with it: a product whole where nothing of it is wanted any more, else its single variants."""
    targets: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        page, above = pages[row["product_id"]], parent(row, pages)
        if above is None or not page["listings"]:
            targets[page["external_id"] or row["external_id"]].append(row["id"])
        else:
            targets[f"{above}/{row['external_id']}"].append(row["id"])
    return targets


class Recorder:
    """Writes each answer of the shop as soon as it is known."""

    def __init__(self, db: Database, shop_id: int, outcome: Outcome) -> None:
        self.db, self.shop_id, self.outcome = db, shop_id, outcome

    def _count(self, result: PushResult, number: int, problem: str | None) -> None:
        if result.unknown:
            self.outcome.unknown += number
        elif problem:
            self.outcome.refused += number

    def withdrawn(self, listing_ids: list[int], result: PushResult) -> None:
        """A product or variant left the sale."""
        self._count(result, len(listing_ids), result.problem)
        if result.problem or result.unknown:
            self._problem("id = ANY(%(ids)s)", {"ids": listing_ids}, result, "refused")
            return
        self.outcome.withdrawn += len(listing_ids)
        with self.db.unit_of_work() as uow:
            uow.cursor().execute(
                "UPDATE listing SET state = 'withdrawn', sent = NULL, sent_at = now() WHERE id = ANY(%s) AND wanted IS NULL",
                [listing_ids],
            )

    def stock(self, result: PushResult, wanted: dict[str, Any]) -> None:
        """A variant's stock was set, and nothing else. Refused, it waits to be sent whole: it may no longer be there."""
        self._count(result, 1, result.problem)
        where = {"ids": [int(result.key)]}
        if result.problem or result.unknown:
            self._problem("shop_id = %(shop)s AND variant_id = ANY(%(ids)s)", where, result, "waiting")
            return
        self.outcome.sent += 1
        with self.db.unit_of_work() as uow:
            uow.cursor().execute(
                "UPDATE listing SET sent = %s, state = 'sent', problem = NULL, sent_at = now() WHERE shop_id = %s AND variant_id = %s",
                [Jsonb(wanted), self.shop_id, int(result.key)],
            )

    def product(self, result: PushResult, sent: ProductDraft, page: dict[str, Any]) -> None:
        """A product was answered: its ids are stored before anything else, then what each variant holds now."""
        wanted = {row["key"]: row["wanted"] for row in page["listings"]}
        with self.db.unit_of_work() as uow:
            cursor = uow.cursor()
            cursor.execute(
                """UPDATE shop_product SET external_id = coalesce(%(external)s, external_id), image_ids = image_ids || %(images)s,
                     sent = CASE WHEN %(done)s THEN %(wanted)s ELSE sent END, problem = %(problem)s
                   WHERE shop_id = %(shop)s AND product_id = %(product)s""",
                {
                    "external": result.external_id, "images": Jsonb(result.image_ids), "wanted": Jsonb(page["wanted"]),
                    "done": bool(result.variant_ids), "problem": remarks(result), "shop": self.shop_id, "product": int(result.key),
                },
            )  # fmt: skip
            for key, external_id in result.variant_ids.items():
                cursor.execute(
                    """UPDATE listing SET external_id = %s, sent = %s, state = 'sent', problem = %s, sent_at = now()
                       WHERE shop_id = %s AND variant_id = %s""",
                    [external_id, Jsonb(wanted[key]), result.problems.get(key), self.shop_id, int(key)],
                )
            self.outcome.sent += len(result.variant_ids)
            if result.problem is not None or result.unknown:
                missing = [variant.key for variant in sent.variants if variant.key not in result.variant_ids]
                self._refuse(cursor.execute, dict.fromkeys(missing, result.problem or ""), result)
            else:
                self._refuse(
                    cursor.execute,
                    {
                        key: text
                        for key, text in result.problems.items()
                        if key in wanted and key not in result.variant_ids
                    },
                    result,
                )

    def _refuse(self, execute: Callable[..., Any], problems: dict[str, str], result: PushResult) -> None:
        self._count(result, len(problems), "refused" if problems else None)
        for key, problem in problems.items():
            execute(
                "UPDATE listing SET state = CASE WHEN %s THEN state ELSE 'refused' END, problem = %s WHERE shop_id = %s AND variant_id = %s",
                [result.unknown, problem, self.shop_id, int(key)],
            )

    def _problem(self, where: str, facts: dict[str, Any], result: PushResult, state: str) -> None:
        with self.db.unit_of_work() as uow:
            uow.cursor().execute(
                f"UPDATE listing SET state = CASE WHEN %(unknown)s THEN state ELSE %(state)s END, problem = %(problem)s WHERE {where}",
                {
                    **facts,
                    "state": state,
                    "unknown": result.unknown,
                    "problem": result.problem,
                    "shop": self.shop_id,
                },
            )


def remarks(result: PushResult) -> str | None:
    """What the shop said of the product as a whole: its own problem, else those that name no variant (a dead picture)."""
    if result.problem:
        return result.problem
    return " ".join(sentence for key, sentence in result.problems.items() if not key.isdigit()) or None


def close(uow: UnitOfWork, push_id: int, outcome: Outcome, *, problem: str | None) -> None:
    """Ends the push in its own row and says at the shop whether it can be used."""
    ended = uow.session.get(Push, push_id)
    if ended is None:
        return
    ended.state, ended.ended_at = "done", now()
    ended.outcome = {
        "sent": outcome.sent,
        "refused": outcome.refused,
        "withdrawn": outcome.withdrawn,
        "problem": problem,
    }
    shop = uow.session.get_one(Shop, ended.shop_id)
    shop.problem = problem
