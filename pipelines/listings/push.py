"""Pushes what differs into a shop: withdrawals, then stock alone, then products; new stock goes first between any two calls."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from psycopg.rows import dict_row

from connectors.base import ProductDraft, StockLevel
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Permanent, Temporary, Unknown
from models.events import ListingsSent, PushDue
from models.shops import Push, Shop
from pipelines.connecting import AWAY
from pipelines.listings.draft import draft
from pipelines.listings.guard import STOCK_DIFFERS
from pipelines.listings.look import before_making
from pipelines.listings.plan import DIFFERENCES, running_push, start_push
from pipelines.listings.recorder import Outcome, Recorder
from pipelines.listings.settle import known_again
from pipelines.listings.strands import pieces, side_by_side, strands
from pipelines.opening import Channel, connect
from pipelines.pacing import patience, restored

STOCKS_A_TURN = 1_000
"""Listings whose stock is read and sent together: what moves meanwhile is seen with the next."""
PRODUCTS_A_TURN = 100
"""Known products read and sent together."""
NEW_A_TURN = 2_000
"""New ones: many at once, so that a channel that loads in bulk can."""
TOGETHER = 500
"""New products from which on they go in one strand, for that reason."""
KNOWN_IN_A_STRAND, NEW_IN_A_STRAND = 4, 20
"""Products that one of several strands reads and sends together; whether new ones are there is asked for 20 at once."""
LOOK_SECONDS = 0.5
"""How often a push that sends products looks for new stock, at most; it does so only before a call."""

BEGUN = "UPDATE push SET state = 'running' WHERE id = %s AND NOT %s RETURNING plan->>'only'"

LET_GO = "SELECT FROM push WHERE id = %s AND plan ? 'let_go'"
"""Whether a person let a push go while this one ran."""

WORK = f"""
SELECT d.product_id, bool_or(p.external_id IS NULL) AS new FROM ({DIFFERENCES}) AS d
JOIN shop_product p ON p.shop_id = %(shop)s AND p.product_id = d.product_id
WHERE d.difference IN ('create', 'update') GROUP BY d.product_id ORDER BY new, d.product_id"""

LEAVING = f"""
SELECT d.id, d.external_id, p.external_id AS page, d.product_id, p.trade_only,
  nullif(p.external_id, d.external_id) AS parent,
  EXISTS (SELECT FROM listing x WHERE x.shop_id = %(shop)s AND x.product_id = d.product_id AND x.wanted IS NOT NULL
    AND x.state <> 'refused' AND NOT (x.undecided AND x.external_id IS NULL)) AS stays,
  d.external_id <> p.external_id AND (d.sent->'options' <> '{{}}' OR EXISTS (SELECT FROM listing x WHERE x.shop_id = %(shop)s
    AND x.product_id = d.product_id AND x.id <> d.id AND x.external_id IS NOT NULL)) AS among
FROM ({DIFFERENCES}) AS d JOIN shop_product p ON p.shop_id = %(shop)s AND p.product_id = d.product_id
WHERE d.difference = 'withdraw' ORDER BY d.id"""

LEVELS = f"""
SELECT l.id, l.variant_id, l.external_id, nullif(p.external_id, l.external_id) AS parent, l.stock_id,
  (l.wanted->>'stock')::int AS stock, (l.sent->>'stock')::int AS before
FROM listing l JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE {STOCK_DIFFERS} AND (l.sending IS NULL OR NOT %(loading)s) AND l.id > %(after)s ORDER BY l.id LIMIT %(most)s FOR NO KEY UPDATE OF l"""

PRODUCTS = """
SELECT product_id, wanted, external_id, image_ids, trade_only FROM shop_product
WHERE shop_id = %(shop)s AND product_id = ANY(%(products)s)"""

VARIANTS = """
SELECT product_id, variant_id::text AS key, external_id, wanted, sent, sending, (sent->>'stock')::int AS before FROM listing
WHERE shop_id = %(shop)s AND product_id = ANY(%(products)s) AND wanted IS NOT NULL AND state <> 'refused'
  AND NOT (undecided AND external_id IS NULL)
ORDER BY id FOR NO KEY UPDATE"""

# Before the call: until it is answered the shop may show that much, and nobody else may show it too.
ON_ITS_WAY = """
UPDATE listing SET sending = (wanted->>'stock')::int
WHERE shop_id = %(shop)s AND variant_id = ANY(%(variants)s)
  AND (wanted->>'stock')::int > coalesce((sent->>'stock')::int, 0)"""

WAY_BACK = """
INSERT INTO push_change (push_id, listing_id, page, sent)
SELECT %(push)s, l.id, p.sent, l.sent FROM listing l JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.shop_id = %(shop)s AND (l.differs OR p.differs)
  AND (l.id = ANY(%(leaving)s) OR l.product_id = ANY(%(products)s) AND l.wanted IS NOT NULL)
ON CONFLICT DO NOTHING"""
"""What is only stock has no way back: an old figure is never true again."""


def push(event: PushDue, db: Database) -> None:
    """Sends what differs. Repeating it sends what is still different, and nothing twice.

    Where the shop cannot be used at all the push ends, its shop says why, and the message becomes a dead letter; where
    it does not answer for long, the message waits for it. One that is replayed while another push of the shop runs
    leaves everything to that one.
    """
    with db.unit_of_work() as uow:
        opened = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        running = running_push(uow, opened)
        elsewhere = running is not None and running.id != event.push_id
        begun = uow.cursor().execute(BEGUN, [event.push_id, elsewhere]).fetchone()
        uow.session.expunge_all()
    if elsewhere:
        with db.unit_of_work(last=True):
            return
    sending = Sending(db, opened, event.push_id)
    try:
        with patience(db, event.shop_id):
            sending.run(only_stock=begun == ("stock",))
    except Permanent as error:
        with db.unit_of_work() as uow:
            close(uow, event.push_id, sending.outcome, problem=str(error))
        raise
    if sending.outcome.unknown:
        raise Unknown(
            f"{sending.outcome.unknown} listings of shop {event.shop_id} were sent without a clear answer; they are looked up and sent again."
        )
    with db.unit_of_work(last=True) as uow:
        shop = uow.session.get_one(Shop, event.shop_id, with_for_update={"key_share": True})
        close(uow, event.push_id, sending.outcome, problem=None)
        if shop.problem not in AWAY:
            uow.emit(ListingsSent(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
            asked = uow.cursor().execute(LET_GO, [event.push_id]).fetchone() is not None
            start_push(uow, shop, asked_by="operator" if asked else "hub", limit=not asked)


class Sending:
    """One push at work. Every piece is read afresh right before it is sent, and every answer is stored before the next call
    of the strand that got it. What is read and stored is read and stored by one strand at a time.
    """

    def __init__(self, db: Database, shop: Shop, push_id: int) -> None:
        self._db, self._shop, self._push_id = db, shop, push_id
        self.outcome = Outcome()
        self._record = Recorder(db, shop.id, shop.seller_id, shop.lane, self.outcome)
        self._looked = 0.0
        self._turn, self._halted = threading.RLock(), threading.Event()
        self._beside: list[Channel] = []

    def run(self, *, only_stock: bool) -> None:
        """Every network call of a push. Raises what the connector raises; what was answered before is stored."""
        self._connector = connect(self._db, self._shop, before=self._between)
        # Its own connection: the other one may be in the middle of a load.
        self._fast = connect(self._db, self._shop, before=self._record.flush)
        try:
            known_again(self._db, self._shop, self._fast)
            if not only_stock:
                self._withdraw()
            self._send_stock()
            if not only_stock:
                # A look may be long: new stock goes between its calls.
                before_making(self._db, self._shop, self._connector)
                self._send_products()
        finally:
            self._record.flush()

    def _between(self) -> None:
        """Before each call: what was answered is stored, and new stock goes first."""
        with self._turn:
            if self._halted.is_set():
                raise Temporary(f"The push of shop {self._shop.id} was broken off; it goes on later.")
            self._record.flush()
            if time.monotonic() - self._looked > LOOK_SECONDS:
                self._send_stock(loading=True)

    def _withdraw(self) -> None:
        with self._db.unit_of_work() as uow:
            rows = self._rows(uow, LEAVING)
            self._keep_way_back(uow, leaving=[row["id"] for row in rows])
        # A page that is its owner's stays as he shows it: there is only nothing left to sell.
        emptied = [
            StockLevel(key=str(row["id"]), external_id=row["external_id"], parent_id=row["parent"], stock=0)
            for row in rows if row["trade_only"]
        ]  # fmt: skip
        for result in self._fast.set_stock(emptied):
            self._record.withdrawn([int(result.key)], result)
        leaving = withdrawals([row for row in rows if not row["trade_only"]])
        # A page may come back for one of its variants alone: the others are not on sale with it then.
        single = {f"{row['page']}/{row['external_id']}": row["id"] for row in rows if row["among"] and not row["trade_only"]}  # fmt: skip
        there: set[int] = set()
        for result in self._fast.withdraw([each for each in single if each not in leaving]):
            if result.problem or result.unknown:
                self._record.withdrawn([single[result.key]], result)
                there.add(single[result.key])
        for result in self._fast.withdraw(list(leaving)):
            self._record.withdrawn([each for each in leaving[result.key] if each not in there], result)
        self._record.flush()

    def _send_stock(self, *, loading: bool = False) -> None:
        """Stock alone. While products are `loading`, what is on its way with them is left out: its answer comes first."""
        self._looked = time.monotonic()
        after = 0
        while True:
            with self._db.unit_of_work() as uow:
                rows = self._rows(uow, LEVELS, after=after, most=STOCKS_A_TURN, loading=loading)
                self._mark(uow, [row["variant_id"] for row in rows])
            if not rows:
                return
            after = rows[-1]["id"]
            by_key = {str(row["variant_id"]): row for row in rows}
            levels = [
                StockLevel(
                    key=key, external_id=row["external_id"], parent_id=row["parent"], stock=row["stock"],
                    before=row["before"], stock_id=row["stock_id"],
                )
                for key, row in by_key.items()
            ]  # fmt: skip
            for result in self._fast.set_stock(levels):
                self._record.stock(result, by_key[result.key])
            self._record.flush()
            self._looked = time.monotonic()
            if len(rows) < STOCKS_A_TURN:
                return

    def _send_products(self) -> None:
        with self._db.unit_of_work() as uow:
            work = self._rows(uow, WORK)
        known = [row["product_id"] for row in work if not row["new"]]
        new = [row["product_id"] for row in work if row["new"]]
        if len(known) < len(work) < TOGETHER and restored(self._db, self._shop.id) is None:
            # It was never asked: with the answer to one product it tells how many may be out at once.
            self._send_piece(self._connector, [new.pop(0)])
        a_second = restored(self._db, self._shop.id) or 0.0
        self._send(known, strands(a_second, len(known)), PRODUCTS_A_TURN, KNOWN_IN_A_STRAND)
        self._send(
            new, 1 if len(new) >= TOGETHER else strands(a_second, len(new)), NEW_A_TURN, NEW_IN_A_STRAND
        )

    def _send(self, products: list[int], number: int, alone: int, beside: int) -> None:
        """Products in so many strands; a piece is at most `alone` products where there is one strand, else `beside`."""
        if number == 1:
            for piece in pieces(products, 1, alone):
                self._send_piece(self._connector, piece)
            return
        while len(self._beside) < number:
            # They go last: stock and orders wait for no more than the calls that are out.
            self._beside.append(connect(self._db, self._shop, before=self._between, last=True))
        senders = [self._sender(connector) for connector in self._beside[:number]]
        side_by_side(pieces(products, number, beside), senders, self._halted)

    def _sender(self, connector: Channel) -> Callable[[Sequence[int]], None]:
        return lambda piece: self._send_piece(connector, piece)

    def _send_piece(self, connector: Channel, products: Sequence[int]) -> None:
        with self._turn:
            found = self._pages(list(products))
        drafts: dict[str, ProductDraft] = {
            str(product_id): draft(
                page["wanted"], page["external_id"], page["image_ids"], str(product_id), page["listings"],
                trade_only=page["trade_only"],
            )
            for product_id, page in found.items() if page["listings"]
        }  # fmt: skip
        for result in connector.push(list(drafts.values())):
            with self._turn:
                self._record.product(result, drafts[result.key], found[int(result.key)])
        with self._turn:
            self._record.flush()

    def _pages(self, products: list[int]) -> dict[int, dict[str, Any]]:
        """The products as they are wanted now, each with all its wanted listings: a shop takes a product whole."""
        with self._db.unit_of_work() as uow:
            pages = {
                row["product_id"]: {**row, "listings": []}
                for row in self._rows(uow, PRODUCTS, products=products)
            }
            rows = self._rows(uow, VARIANTS, products=products)
            self._mark(uow, [int(row["key"]) for row in rows])
            self._keep_way_back(uow, products=products)
        for row in rows:
            pages[row["product_id"]]["listings"].append(row)
        # What the shop moved itself since the plan is to be read first, and a product goes whole.
        unknown = {row["product_id"] for row in rows if row["sent"] is not None and row["before"] is None}
        return {each: pages[each] for each in products if each in pages and each not in unknown}

    def _mark(self, uow: UnitOfWork, variants: list[int]) -> None:
        uow.cursor().execute(ON_ITS_WAY, {"shop": self._shop.id, "variants": variants})

    def _keep_way_back(self, uow: UnitOfWork, **which: list[int]) -> None:
        facts = {"push": self._push_id, "shop": self._shop.id, "leaving": [], "products": [], **which}
        uow.cursor().execute(WAY_BACK, facts)

    def _rows(self, uow: UnitOfWork, statement: str, **facts: Any) -> list[dict[str, Any]]:
        cursor = uow.cursor().connection.cursor(row_factory=dict_row)
        return cursor.execute(statement.encode(), {"shop": self._shop.id, **facts}).fetchall()


def withdrawals(rows: list[dict[str, Any]]) -> dict[str, list[int]]:
    """What to take out of sale, and the listings that go with it: a product whole where nothing of it is wanted any more,
    else its single variants."""
    targets: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row["page"] == row["external_id"] or not row["stays"]:
            targets[row["page"] or row["external_id"]].append(row["id"])
        else:
            targets[f"{row['page']}/{row['external_id']}"].append(row["id"])
    return targets


def close(uow: UnitOfWork, push_id: int, outcome: Outcome, *, problem: str | None) -> None:
    """Ends the push in its own row and says at the shop whether it can be used."""
    ended = uow.session.get(Push, push_id)
    if ended is None:
        return
    shop = uow.session.get_one(
        Shop, ended.shop_id, with_for_update={"key_share": True}, populate_existing=True
    )
    ended.state, ended.ended_at, ended.outcome = "done", now(), outcome.stored(problem)
    if shop.problem not in AWAY:
        shop.problem = problem
