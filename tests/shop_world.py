"""Two real sandbox shops of two channels, one supplier and the hub's steps in one process: what a property test plays with.

The shops are looked at and moved by hands of their own, never by the hub's connectors; whoever is killed leaves what he
had stored, and nothing else.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.clock import now
from core.errors import EntrepotError
from core.settings import load
from core.vault import load_vault
from models.companies import Company
from models.events import ListingsDue, OrdersDue, VerifyDue
from models.shops import Selection
from models.shops import Shop as StoredShop
from models.suppliers import Feed
from pipelines.opening import connect
from pipelines.orders.receive import receive
from sandbox.supplier import SupplierServer
from tests import builders as make
from tests.orders import pay_in
from tests.shop_world_hands import Hands, Shown
from tests.shop_world_hub import Killed, Mortal
from tests.shop_world_owner import STRANGE, Owner
from tests.shop_world_supplier import Office
from tests.staged import stage
from tests.stepping import pending, rows, run_message

COLOURS = {"V1": "Rot", "V2": "Blau", "V3": "Grün"}
"""The variants of the one product that comes in several; every other name is a product of its own."""
LIMITS = {"absence": "withdraw", "min_offers_percent": 0, "max_zero_stock_percent": 100, "max_price_changes_percent": 100}  # fmt: skip
CHANNELS = ("woocommerce", "shopify")
SHELF = "SELECT shop_id, variant_id, wanted, sent, seen - 'x', state, sending FROM listing WHERE shop_id = ANY(%s) ORDER BY id"


@dataclass
class Bought:
    """An order in a shop: pieces a name, as they were bought, as they are wanted now, and as they left the supplier.

    `touched`: something of it was cancelled, refunded or taken out, so that a shop may refuse to show a parcel of it.
    """

    shop: int
    id: str
    paid: bool
    bought: Counter[str]
    lines: Counter[str]
    left: Counter[str] = field(default_factory=Counter)
    touched: bool = False

    def open(self, name: str) -> int:
        """Pieces that are wanted and have not left yet."""
        return max(0, self.lines[name] - self.left[name])


@dataclass
class World:
    """Everything of one example. `stock` is what the supplier has, `excuse` what he or an owner took back after shops showed it."""

    db: Mortal
    hands: Sequence[Hands]
    server: SupplierServer
    code: str
    supplier: int = 0
    feed: int = 0
    shops: list[int] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)
    price: dict[str, int] = field(default_factory=dict)
    offered: set[str] = field(default_factory=set)
    orders: list[Bought] = field(default_factory=list)
    excuse: Counter[str] = field(default_factory=Counter)
    life: int | None = None

    def begin(
        self, has: Sequence[str] = ("", ""), page: Any = "stays", *, strange: bool = False, at_once: bool = False, names: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Shops with nothing but their owners' own pages of what `has` says and the supplier has (`names`), a supplier with a feed, a shop of each channel that lists all of it, deposits, and webhooks."""
        self.office = Office(self.server, self.db, self._left)
        self.db.run("DELETE FROM message")
        self.db.run("UPDATE shop SET live_since = NULL")
        for hand, own in zip(self.hands, has, strict=True):
            hand.clear()
            owner = Owner(self.db, hand, self.code, own, page, strange, at_once)
            owner.opens(names, COLOURS)
            self.owners.append(owner)
        with self.db.unit_of_work() as uow:
            session = uow.session
            supplier = Company(kind="supplier", code=self.code, name=self.code.title())
            session.add(supplier)
            session.flush()
            feed = Feed(supplier_id=supplier.id, name=self.code, source={"kind": "upload"}, policy=LIMITS)
            session.add(feed)
            session.flush()
            self.supplier, self.feed = supplier.id, feed.id
            for hand, channel, owner in zip(self.hands, CHANNELS, self.owners, strict=True):
                seller = make.company(session, "seller", code=f"{self.code}{channel[:1].upper()}")
                keys = {"key": "k", "secret": "s", "ca_file": hand.told["ca_file"]}
                shop = make.shop(
                    session, seller, channel=channel, url=hand.told["url"], credentials=load_vault(load()).seal(keys),
                    settings={"price_fall_limit_percent": 100, "withdraw_limit_percent": 100},
                    live_since=now() if owner.live else None,
                )  # fmt: skip
                chosen = {"supplier": supplier.id}
                session.add(Selection(shop_id=shop.id, by="supplier", what=chosen, margin_percent=Decimal(50)))  # fmt: skip
                pay_in(uow, seller.id, 10_000_000)
                self.shops.append(shop.id)
                owner.shop = shop.id
        self.office.begin(self.supplier)
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

    def title(self, name: str) -> str:
        """As the supplier's last list has it: variants of one product say the same."""
        if name in COLOURS:
            return f"Schirm {sum(cost for each, cost in self.price.items() if each in COLOURS)}"
        return f"Lampe {name} {self.price[name]}"

    def supplies(self, stock: Mapping[str, int], price: Mapping[str, int]) -> None:
        """The supplier's next list; what it takes back of what shops may have sold or show is nobody's fault."""
        for name in {*self.stock, *stock}:
            before, after = self.stock.get(name, 0), stock.get(name, 0)
            if after < before:
                self.excuse[name] += max(0, self.sold(name) + self.on_shelves(name) - after)
        self.stock, self.price = dict(stock), dict(price)
        self.offered |= set(stock)
        offers = []
        for name, pieces in stock.items():
            offer = {
                "supplier_sku": name,
                "title": self.title(name),
                "cost": f"{price[name]}.00",
                "stock": pieces,
            }
            if name in COLOURS:
                offer |= {"group_key": "V", "group_title": self.title(name), "options": {"Farbe": COLOURS[name]}}  # fmt: skip
            offers.append(offer)
        stage(self.db, self.feed, *offers)
        # A list is taken in whole: how shops follow it is what is asked here.
        while arriving := [each for each in pending(self.db) if each["step"].startswith(("feeds.", "catalogue."))]:  # fmt: skip
            run_message(self.db, arriving[0])

    def look(self, place: int) -> dict[str, tuple[str, Shown]]:
        """By its name, what a shop shows of what is the hub's there: with its SKU as it is written there."""
        owner = self.owners[place]
        his = {owner.sku(name) for name in [*owner.names, STRANGE]} - set(owner.adopted())
        found = [(sku, shown) for sku, shown in self.hands[place].look(self.code) if sku not in his]
        by_name = {sku.rpartition("-")[2].upper(): (sku, shown) for sku, shown in found}
        assert len(by_name) == len(found), f"doubled: {found}"
        return by_name

    def shelf(self, place: int, name: str) -> Shown | None:
        """What one shop shows of it, on sale or not."""
        found = self.look(place).get(name)
        return found[1] if found else None

    def on_shelves(self, name: str) -> int:
        """What visitors of all shops could buy now."""
        shelves = [self.shelf(place, name) for place in range(len(self.hands))]
        return sum(shown.stock for shown in shelves if shown and shown.on_sale)

    def sold(self, name: str) -> int:
        """Pieces that buyers bought, did not give back, and that have not left the supplier yet."""
        return sum(order.open(name) for order in self.orders)

    def buys(self, place: int, wishes: Mapping[str, int], *, paid: bool) -> None:
        """A buyer, where the shop shows so many of each on sale."""
        shelf = self.look(place)
        for name, number in wishes.items():
            if name not in shelf or not shelf[name][1].on_sale or shelf[name][1].stock < number:
                return
        if self.owners[place].fresh:
            return
        lines = [(shelf[name][0], number) for name, number in wishes.items()]
        order = self.hands[place].rig.buy(lines, paid=paid)
        self.orders.append(Bought(place, order, paid, Counter(wishes), Counter(wishes)))

    def empties(self, place: int, name: str) -> None:
        """Buyers take everything that a shop shows of it."""
        there = self.shelf(place, name)
        if there and there.on_sale and there.stock > 0:
            self.buys(place, {name: there.stock}, paid=True)

    def changes(self, order: Bought, name: str, what: str) -> None:
        """The buyer pays or cancels the order, gives a piece of `name` back, or the owner takes one out of the order.

        What has left is put on the shop's shelf again though its supplier has it no longer: that is nobody's fault.
        """
        hand, before = self.hands[order.shop], Counter(order.lines)
        sent = hand.parcels(order.id)
        if what == "pay" and not order.paid:
            hand.rig.pay(order.id)
            order.paid = True
        elif what == "cancel" and not sent:
            hand.rig.cancel(order.id)
            order.lines.clear()
        elif what in ("refund", "edit") and order.paid and order.lines[name]:
            told = hand.rig.connect().order(order.id)
            line = next(each.external_id for each in told.lines if each.sku.upper() == self.sku(name))
            if what == "refund":
                hand.rig.refund(order.id, [(line, 1)])
            elif order.lines[name] > 1 and not sent:
                hand.takes_out(order.id, line, order.lines[name])
            else:
                return
            order.lines[name] -= 1
        for each in before:
            back = before[each] - order.lines[each]
            order.touched |= back > 0
            self.excuse[each] += max(0, back - max(0, before[each] - order.left[each]))

    def recounts(self, place: int, name: str, stock: int) -> None:
        """The owner writes another stock; what he invents is his own fault."""
        there = self.look(place).get(name)
        if there:
            self.excuse[name] += max(0, stock - there[1].stock)
            self.hands[place].recount(there[0], stock)

    def edits(self, place: int, name: str, what: str) -> None:
        """The owner writes another title or price; where the page is his, so it shall stay."""
        owner, group = self.owners[place], "V" if name in COLOURS else name
        found = [sku for sku, _ in self.hands[place].look(self.sku(name))]
        if found:
            self.hands[place].edit(found[0], what)
            if what == "title":
                owner.titles[group] = "Mine"

    def adopts(self, place: int) -> None:
        """The owner has what he had taken over; the pieces that his pages show then are his own fault."""
        owner = self.owners[place]
        before = set(owner.adopted())
        owner.adopts(self.runs)
        shown = owner.pieces()
        for sku in set(owner.adopted()) - before:
            name = sku.rpartition("-")[2].upper()
            self.excuse[name] += shown[name]

    def gives_back(self, place: int) -> None:
        """A sale from before the adoption is cancelled: its piece is on the shelf again, and the supplier has it not."""
        if name := self.owners[place].gives_back():
            self.excuse[name] += 1

    def works(self, place: int, *, twice: bool = False, shop: int | None = None) -> bool:
        """Runs one waiting message, the `place`th in turn; False where there is none. One that fails stays.

        Only those of a `shop` where one is given: the workers are slow for everybody else.
        """
        lanes = None if shop is None else f"shop:{self.shops[shop]}"
        messages = [each for each in self.waiting() if lanes in (None, each["lane"])]
        if not messages:
            return False
        self.runs(messages[place % len(messages)], twice=twice)
        return True

    def waiting(self) -> list[dict[str, Any]]:
        """Messages that may be run now."""
        return pending(self.db)

    def runs(self, message: dict[str, Any], *, twice: bool = False) -> None:
        """Runs a message, `twice` as one that was delivered twice. One that fails stays."""
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
        """No more faults; the supplier ships what he owes and tells what is left; everybody sweeps, plans, pushes and reads back
        until nothing moves any more."""
        self.life = None
        for hand in self.hands:
            hand.calm()
        self.office.calm()
        still = 0
        for _ in range(14):
            before = self._state()
            self.office.clears_his_desk()
            self.supplies(self.stock, self.price)
            for kind in (OrdersDue, VerifyDue, ListingsDue):
                for place in range(len(self.hands)):
                    self.ask(place, kind)
                self.works_off()
            still = still + 1 if self._state() == before else 0
            if still == 2:
                return
        raise AssertionError(f"it does not come to rest: {self._state()}")

    def works_off(self) -> None:
        """Runs what waits, and what follows, until nothing does: one that fails lets the others go first."""
        for _ in range(60):
            messages = self.waiting()
            if not messages:
                return
            for message in messages:
                self.runs(message)
        raise AssertionError(f"the steps go round in circles: {[(m['event'], m['step']) for m in self.waiting()]}")  # fmt: skip

    def _left(self, shop: int, order: str, name: str, pieces: int) -> None:
        """Pieces left the supplier; what nobody wants any more, or what his list did not have, is his own fault."""
        bought = next(each for each in self.orders if (self.shops[each.shop], each.id) == (shop, order))
        bought.left[name] += pieces
        has = self.stock.get(name, 0)
        self.excuse[name] += max(0, bought.left[name] - bought.lines[name]) + max(0, pieces - has)
        if name in self.stock:
            self.stock[name] = max(0, has - pieces)

    def _state(self) -> list[tuple[Any, ...]]:
        return rows(self.db, SHELF, self.shops)

    def _opened(self, place: int) -> Any:
        with self.db.unit_of_work() as uow:
            shop = uow.session.get_one(StoredShop, self.shops[place])
            uow.session.expunge_all()
        return connect(self.db, shop, renew=False)


def dated() -> str:
    """A code that no other example has."""
    return f"W{now():%H%M%S%f}"[:12]
