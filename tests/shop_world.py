"""Two real sandbox shops of two channels, one supplier and the hub's steps in one process: what a property test plays with.

The shops are looked at and moved by hands of their own, never by the hub's connectors; whoever is killed leaves what he
had stored, and nothing else.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from connectors.base import Unpaced
from core.clock import now
from core.database import Database
from core.errors import EntrepotError
from core.settings import load
from core.unit_of_work import UnitOfWork
from core.vault import load_vault
from models.companies import Company
from models.events import ListingsDue, OrdersDue, VerifyDue
from models.shops import Selection
from models.shops import Shop as StoredShop
from models.suppliers import Feed
from pipelines.opening import connect
from pipelines.orders.receive import receive
from tests import builders as make
from tests.contract.shopify_rig import ShopifyOrderRig
from tests.contract.woocommerce_order_rig import WooOrderRig
from tests.orders import pay_in
from tests.staged import stage
from tests.stepping import pending, rows, run_message

EYES = """query ($after: String) { products(first: 50, after: $after) { pageInfo { hasNextPage endCursor } nodes {
  id title status variants(first: 5) { nodes { sku price inventoryQuantity } } } } }"""
HELD_BACK = ("LinesFunded",)
"""Nothing is bought: what buyers are promised stays where it can be counted."""


class Killed(Exception):
    """Ours: the process ended here."""


class Mortal(Database):
    """A database that a killed process reaches no more."""

    dead = False

    def unit_of_work(self, *, last: bool = False) -> UnitOfWork:
        """None for the dead."""
        if self.dead:
            raise Killed
        return super().unit_of_work(last=last)


class Free(Unpaced):
    """No waiting; what is to be stored before each call is."""

    def __init__(self, db: Database, shop_id: int, *, before: Any = None) -> None:
        self._before = before

    def take(self, cost: float) -> None:
        """Takes nothing."""
        if self._before is not None:
            self._before()


@dataclass(frozen=True)
class Shown:
    """A product as a visitor of the shop sees it; `on_sale` False for a draft."""

    title: str
    price: str
    stock: int
    on_sale: bool


class Hands(Protocol):
    """One sandbox shop, moved and looked at from outside."""

    rig: Any

    def look(self, prefix: str) -> list[tuple[str, Shown]]: ...
    def recount(self, sku: str, stock: int) -> None: ...
    def edit(self, sku: str, what: str) -> None: ...
    def fail(self, kind: str, *, stock: bool) -> None: ...


class WooHands:
    """A WooCommerce."""

    faults = ("hang", "late", "drop_before", "drop_after", "stray", "cut", "php_fatal", "maintenance")

    def __init__(self, rig: WooOrderRig) -> None:
        self.rig = rig

    def look(self, prefix: str) -> list[tuple[str, Shown]]:
        return [
            (one["sku"], Shown(one["name"], one["regular_price"], one["stock_quantity"] or 0, one["status"] == "publish"))
            for one in self.rig.woo.products() if one["sku"].startswith(prefix) and one["status"] != "trash"
        ]  # fmt: skip

    def recount(self, sku: str, stock: int) -> None:
        self.rig.woo.recount(sku, stock)

    def edit(self, sku: str, what: str) -> None:
        (thing,) = self.rig.woo.rest("GET", "products", params={"sku": sku})
        self.rig.woo.edit(str(thing["id"]), **({"name": "Mine"} if what == "title" else {"regular_price": "1.00"}))  # fmt: skip

    def fail(self, kind: str, *, stock: bool) -> None:
        self.rig.woo.fail(kind)

    def calm(self) -> None:
        self.rig.shop.faults.clear()


class ShopifyHands:
    """A Shopify."""

    faults = ("hang", "late", "drop_before", "drop_after", "cut", "throttled", "internal", "html")

    def __init__(self, rig: ShopifyOrderRig) -> None:
        self.rig = rig

    def _nodes(self) -> Iterator[dict[str, Any]]:
        after = None
        while True:
            page = self.rig.rig.graphql(EYES, after=after)
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def look(self, prefix: str) -> list[tuple[str, Shown]]:
        return [
            (variant["sku"], Shown(one["title"], variant["price"], variant["inventoryQuantity"], one["status"] == "ACTIVE"))
            for one in self._nodes() for variant in one["variants"]["nodes"] if (variant["sku"] or "").startswith(prefix)
        ]  # fmt: skip

    def recount(self, sku: str, stock: int) -> None:
        self.rig.rig.recount(sku, stock)

    def edit(self, sku: str, what: str) -> None:
        for one in self._nodes():
            if one["variants"]["nodes"][0]["sku"] == sku:
                self.rig.rig.edit(one["id"], title="Mine")

    def fail(self, kind: str, *, stock: bool) -> None:
        self.rig.rig.fail(kind, **({"field": "inventorySetQuantities"} if stock else {}))

    def calm(self) -> None:
        self.rig.rig.shop.faults.clear()


class Killer:
    """A connector whose caller is killed after a call and before its answer is stored, when the world says so."""

    def __init__(self, world: "World", connector: Any) -> None:
        self._world, self._connector = world, connector

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connector, name)
        return self._watched(found) if name in ("push", "set_stock", "withdraw") else found

    def _watched(self, method: Any) -> Any:
        def call(*given: Any) -> Iterator[Any]:
            for answer in method(*given):
                self._world.perhaps_dies()
                yield answer

        return call


@dataclass
class Bought:
    """An order in a shop: pieces a SKU, as they are wanted now."""

    shop: int
    id: str
    paid: bool
    lines: Counter[str]


@dataclass
class World:
    """Everything of one example. `stock` is what the supplier has, `excuse` what he or an owner took back after shops showed it."""

    db: Mortal
    hands: Sequence[Any]
    code: str
    feed: int = 0
    shops: list[int] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)
    price: dict[str, int] = field(default_factory=dict)
    orders: list[Bought] = field(default_factory=list)
    excuse: Counter[str] = field(default_factory=Counter)
    life: int | None = None

    def begin(self) -> None:
        """A supplier with a feed, a shop of each channel that lists all of it, deposits, and webhooks."""
        self.db.run("DELETE FROM message")
        self.db.run("UPDATE shop SET live_since = NULL")
        with self.db.unit_of_work() as uow:
            session = uow.session
            supplier = Company(kind="supplier", code=self.code, name=self.code.title())
            session.add(supplier)
            session.flush()
            limits = {"absence": "withdraw", "min_offers_percent": 0, "max_zero_stock_percent": 100, "max_price_changes_percent": 100}  # fmt: skip
            feed = Feed(supplier_id=supplier.id, name=self.code, source={"kind": "upload"}, policy=limits)
            session.add(feed)
            session.flush()
            self.feed = feed.id
            for hand, channel in zip(self.hands, ("woocommerce", "shopify"), strict=True):
                told = hand.rig.shop.description() if channel == "woocommerce" else hand.rig.rig.told
                seller = make.company(session, "seller", code=f"{self.code}{channel[:1].upper()}")
                keys = {"key": "k", "secret": "s", "ca_file": told["ca_file"]}
                shop = make.shop(
                    session, seller, channel=channel, url=told["url"], credentials=load_vault(load()).seal(keys),
                    settings={"price_fall_limit_percent": 100, "withdraw_limit_percent": 100},
                )  # fmt: skip
                session.add(
                    Selection(
                        shop_id=shop.id,
                        by="supplier",
                        what={"supplier": supplier.id},
                        margin_percent=Decimal(50),
                    )
                )
                pay_in(uow, seller.id, 10_000_000)
                self.shops.append(shop.id)
        for place, hand in enumerate(self.hands):
            self._opened(place).subscribe(hand.rig.address)
            hand.rig.webhooks()

    def perhaps_dies(self) -> None:
        """Counts a life down by one answer of a shop."""
        if self.life is not None:
            self.life -= 1
            if self.life < 0:
                self.life, self.db.dead = None, True
                raise Killed

    def sku(self, name: str) -> str:
        return f"{self.code}-{name}"

    def supplies(self, stock: dict[str, int], price: dict[str, int]) -> None:
        """The supplier's next list; what it takes back of what shops may have sold or show is nobody's fault."""
        for name in {*self.stock, *stock}:
            before, after = self.stock.get(name, 0), stock.get(name, 0)
            if after < before:
                self.excuse[name] += max(0, self.sold(name) + self.on_shelves(name) - after)
        self.stock, self.price = dict(stock), dict(price)
        offers = [
            {
                "supplier_sku": name,
                "title": f"Lampe {name} {price[name]}",
                "cost": f"{price[name]}.00",
                "stock": n,
            }
            for name, n in stock.items()
        ]
        stage(self.db, self.feed, *offers)
        while arriving := [
            each for each in pending(self.db) if each["step"].startswith(("feeds.", "catalogue."))
        ]:
            run_message(
                self.db, arriving[0]
            )  # a list is taken in whole: how shops follow it is what is asked here

    def on_shelves(self, name: str) -> int:
        """What visitors of all shops could buy now."""
        return sum(shown.stock for hand in self.hands for sku, shown in hand.look(self.sku(name)) if sku == self.sku(name))  # fmt: skip

    def sold(self, name: str) -> int:
        """Pieces that buyers bought and did not give back."""
        return sum(order.lines[name] for order in self.orders)

    def buys(self, place: int, name: str, number: int, *, paid: bool) -> None:
        """A buyer, where the shop shows so many on sale."""
        there = [
            shown for sku, shown in self.hands[place].look(self.sku(name)) if sku == self.sku(name) and shown.on_sale
        ]  # fmt: skip
        if there and there[0].stock >= number:
            order = self.hands[place].rig.buy([(self.sku(name), number)], paid=paid)
            self.orders.append(Bought(place, order, paid, Counter({name: number})))

    def recounts(self, place: int, name: str, stock: int) -> None:
        """The owner writes another stock; what he invents is his own fault."""
        there = [shown for sku, shown in self.hands[place].look(self.sku(name)) if sku == self.sku(name)]
        if there:
            self.excuse[name] += max(0, stock - there[0].stock)
            self.hands[place].recount(self.sku(name), stock)

    def works(self, place: int, *, twice: bool = False, shop: int | None = None) -> bool:
        """Runs one waiting message, the `place`th in turn; False where there is none. One that fails stays.

        Only those of a `shop` where one is given: the workers are slow for everybody else.
        """
        lanes = None if shop is None else f"shop:{self.shops[shop]}"
        messages = [
            each for each in pending(self.db) if each["event"] not in HELD_BACK and lanes in (None, each["lane"])
        ]  # fmt: skip
        if not messages:
            return False
        message = messages[place % len(messages)]
        try:
            if twice:
                route = next(
                    r for r in self.db.routes if (r.name, r.event.__name__) == (message["step"], message["event"])
                )  # fmt: skip
                event = route.event(tenant=message["tenant"], lane=message["lane"], **message["payload"])
                route.step(event, self.db)
            run_message(self.db, message)
        except (EntrepotError, Killed):
            self.db.dead = False
            self.failed = getattr(self, "failed", 0) + 1
        return True

    def webhooks(self, place: int, order: Sequence[int]) -> None:
        """The calls of a shop arrive as `order` says: each number is one of them; left out, doubled, shuffled."""
        calls = self.hands[place].rig.webhooks()
        for number in order:
            if calls:
                headers, body = calls[number % len(calls)]
                with self.db.unit_of_work() as uow:
                    shop = uow.session.get_one(StoredShop, self.shops[place])
                    notice = connect(self.db, shop, renew=False).read_webhook(headers, body)
                    receive(uow, shop, notice)

    def ask(self, place: int, kind: Any) -> None:
        """The clock or a person asks for something of a shop."""
        with self.db.unit_of_work() as uow:
            shop = uow.session.get_one(StoredShop, self.shops[place])
            uow.emit(kind(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))

    def calms_down(self) -> None:
        """No more faults; everybody sweeps, plans, pushes and reads back until nothing moves any more."""
        self.life = None
        for hand in self.hands:
            hand.calm()
        still = 0
        for _ in range(14):
            before = self._state()
            for kind in (OrdersDue, VerifyDue, ListingsDue):
                for place in range(len(self.hands)):
                    self.ask(place, kind)
                tries = 0
                while self.works(0):
                    tries += 1
                    assert tries < 400, f"the steps go round in circles: {[m['event'] for m in pending(self.db)]}"  # fmt: skip
            still = still + 1 if self._state() == before else 0
            if still == 2:
                return
        raise AssertionError(f"it does not come to rest: {self._state()}")

    def _state(self) -> list[tuple[Any, ...]]:
        return rows(self.db, "SELECT shop_id, variant_id, wanted, sent, seen - 'x', state, sending FROM listing WHERE shop_id = ANY(%s) ORDER BY id", self.shops)  # fmt: skip

    def _opened(self, place: int) -> Any:
        with self.db.unit_of_work() as uow:
            shop = uow.session.get_one(StoredShop, self.shops[place])
            uow.session.expunge_all()
        return connect(self.db, shop, renew=False)


def dated() -> str:
    """A code that no other example has."""
    return f"W{now():%H%M%S%f}"[:12]
