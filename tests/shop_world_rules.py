"""What may happen in the world of a property test of shops, in any order, and what must be true at its end whatever did."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from connectors.suppliers.api import ApiSupplier
from models.events import ListingsDue, OrdersDue, VerifyDue
from pipelines.routes import ROUTES
from sandbox.supplier import SupplierServer
from tests.contract import shopify_rig, woocommerce_order_rig
from tests.contract.shops import PATIENCE
from tests.shop_world import COLOURS, World, dated
from tests.shop_world_hands import ShopifyHands, WooHands
from tests.shop_world_hub import Free, Killer, Mortal
from tests.shop_world_supplier import FAULTS
from tests.stepping import rows

ANSWERS = ("confirm", "ship", "ship", "part", "part", "reject", "cancel", "keep")
NAMES = ("A", *COLOURS)
WANTED = """
SELECT v.sku, l.wanted FROM listing l JOIN variant v ON v.id = l.variant_id WHERE l.shop_id = %s AND l.wanted IS NOT NULL"""
TAKEN = """
SELECT o.sku, sum(o.wanted)::int FROM order_line o JOIN shop_order h ON h.id = o.order_id
WHERE h.shop_id = %s AND h.external_id = %s GROUP BY 1"""
REFUSED = """
SELECT s.number FROM shipment s JOIN purchase_order p ON p.id = s.purchase_order_id JOIN shop_order h ON h.id = p.order_id
WHERE s.reported_at IS NULL AND s.problem IS NOT NULL AND h.shop_id = %s AND h.external_id = %s"""
"""Parcels that the shop would not show, and that the seller is told of."""
REFUSED_THERE = """
SELECT v.sku FROM listing l JOIN variant v ON v.id = l.variant_id
JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
WHERE l.shop_id = %s AND l.wanted IS NOT NULL AND l.state = 'refused' AND l.external_id IS NULL AND l.problem IS NOT NULL
  AND (p.trade_only OR l.problem LIKE '%%already used by another product%%')"""
place = st.integers(0, 1)
name = st.sampled_from(["A", *NAMES])
some = st.integers(0, 10**6)
owns = st.sampled_from(["", "", "A", "V", "AV"])
lists = st.dictionaries(
    name, st.tuples(st.sampled_from([0, 1, 2, 5, 9, 20, 60]), st.integers(5, 30)), min_size=1
)


class Truth(RuleBasedStateMachine):
    """What happens in the world, in any order."""

    db: Mortal
    hands: list[Any]
    server: SupplierServer
    current: dict[str, Any]

    @initialize(
        told=lists,
        has=st.tuples(owns, owns),
        page=st.sampled_from(["stays", "ours"]),
        strange=st.booleans(),
        at_once=st.booleans(),
    )
    def begins(
        self,
        told: dict[str, tuple[int, int]],
        has: tuple[str, str] = ("", ""),
        page: str = "stays",
        strange: bool = False,
        at_once: bool = False,
    ) -> None:
        self.world = World(self.db, self.hands, self.server, dated())
        self.current["world"] = self.world
        self.world.begin(has, page, strange=strange, at_once=at_once, names=sorted(told))
        self.supplier_tells(told)
        self.world.works_off()

    @rule(told=lists)
    def supplier_tells(self, told: dict[str, tuple[int, int]]) -> None:
        self.world.supplies(
            {key: stock for key, (stock, _) in told.items()}, {key: cost for key, (_, cost) in told.items()}
        )

    @rule(name=name, told=st.tuples(st.sampled_from([0, 1, 2, 5, 9, 20, 60]), st.integers(5, 30)))
    def supplier_tells_another_figure_of_one(self, name: str, told: tuple[int, int]) -> None:
        self.world.supplies(self.world.stock | {name: told[0]}, self.world.price | {name: told[1]})

    @rule(place=place, wishes=st.dictionaries(name, st.integers(1, 6), min_size=1, max_size=2), paid=st.sampled_from([True, True, False]))  # fmt: skip
    def buyer_buys(self, place: int, wishes: dict[str, int], paid: bool) -> None:
        self.world.buys(place, wishes, paid=paid)

    @rule(place=place, name=name)
    def buyers_empty_a_shelf(self, place: int, name: str) -> None:
        self.world.empties(place, name)

    @rule(name=name)
    def buyers_rush(self, name: str) -> None:
        for place in (0, 1):
            self.world.empties(place, name)

    @rule(place=place, name=name)
    def a_shelf_is_empty_and_its_shop_is_served_first(self, place: int, name: str) -> None:
        self.world.empties(place, name)
        self.world.ask(place, OrdersDue)
        for _ in range(20):
            if not self.world.works(0, shop=place):
                break

    @rule(which=some, of=some, what=st.sampled_from(["cancel", "pay", "refund", "edit"]))
    def order_changes(self, which: int, of: int, what: str) -> None:
        if self.world.orders:
            order = self.world.orders[which % len(self.world.orders)]
            if wanted := sorted(key for key, number in order.lines.items() if number):
                self.world.changes(order, wanted[of % len(wanted)], what)

    @rule(which=some, what=st.sampled_from(ANSWERS), twice=st.booleans())
    def supplier_acts(self, which: int, what: str, twice: bool) -> None:
        self.world.office.acts(which, what, twice=twice)

    @rule(kind=st.sampled_from(FAULTS))
    def supplier_fails(self, kind: str) -> None:
        self.world.office.fails(kind)

    @rule(place=place, what=st.sampled_from(["ship", "part"]))
    def orders_are_taken_over_and_leave(self, place: int, what: str) -> None:
        self.world.ask(place, OrdersDue)
        self.workers_work_on()
        self.world.office.acts(0, what)

    @rule(place=place, name=name, stock=st.integers(0, 12))
    def owner_recounts(self, place: int, name: str, stock: int) -> None:
        self.world.recounts(place, name, stock)

    @rule(place=place, name=name, what=st.sampled_from(["title", "price"]))
    def owner_edits(self, place: int, name: str, what: str) -> None:
        self.world.edits(place, name, what)

    @rule(place=place, group=st.sampled_from("AV"))
    def owner_opens_a_page_of_his_own(self, place: int, group: str) -> None:
        self.world.owners[place].opens_one(group, sorted(self.world.stock), COLOURS)

    @rule(place=place)
    def owner_adopts(self, place: int) -> None:
        self.world.adopts(place)

    @rule(place=place, which=some, back=st.booleans())
    def owner_sells_or_takes_back_his_own(self, place: int, which: int, back: bool) -> None:
        if back:
            self.world.gives_back(place)
        else:
            self.world.owners[place].sells(which)

    @rule(place=place, which=some, on_stock=st.booleans())
    def shop_fails(self, place: int, which: int, on_stock: bool) -> None:
        kinds = self.hands[place].faults
        self.hands[place].fail(kinds[which % len(kinds)], stock=on_stock)

    @rule(place=place, order=st.lists(st.integers(0, 9), max_size=6))
    def webhooks_arrive(self, place: int, order: list[int]) -> None:
        self.world.webhooks(place, order)

    @rule(place=place, kind=st.sampled_from([OrdersDue, OrdersDue, VerifyDue, ListingsDue]))
    def clock_strikes(self, place: int, kind: Any) -> None:
        self.world.ask(place, kind)

    @rule(place=place, number=st.integers(1, 12))
    def workers_serve_one_shop(self, place: int, number: int) -> None:
        for _ in range(number):
            self.world.works(0, shop=place)

    @rule(places=st.lists(some, min_size=1, max_size=8), twice=st.sampled_from([False, False, True]))
    def workers_work(self, places: list[int], twice: bool) -> None:
        for one in places:
            self.world.works(one, twice=twice)

    @rule()
    def workers_work_on(self) -> None:
        for _ in range(25):
            if not self.world.works(0):
                break

    workers_go_on = workers_keep_on = workers_work_on  # most of what happens is work

    @rule(life=st.integers(0, 3), places=st.lists(some, min_size=1, max_size=6))
    def worker_is_killed(self, life: int, places: list[int]) -> None:
        self.world.life = life
        for one in places:
            self.world.works(one)
        self.world.life = None

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.calms_down()
        self.owners_get_through()
        self.shops_are_true()
        self.no_order_is_lost()
        self.what_is_only_the_owners_is_not_taken()
        self.nothing_is_sold_twice()
        self.what_left_is_told_once()

    def owners_get_through(self) -> None:
        """Owners adopt in the end what they have; the supplier has to have it for that."""
        world = self.world
        late = {name for owner in world.owners if set(owner.names) for name in owner.names} - set(world.stock)
        if late and any(owner.beside(COLOURS) for owner in world.owners):
            world.supplies(world.stock | dict.fromkeys(late, 3), world.price | dict.fromkeys(late, 7))
            world.works_off()
        for place in (0, 1):
            world.adopts(place)
            world.owners[place].leaves()
            assert world.owners[place].live
        if any(owner.has for owner in world.owners):
            world.calms_down()

    def shops_are_true(self) -> None:
        world = self.world
        colours = {key: (("Farbe", colour),) for key, colour in COLOURS.items()}
        for place, shop_id in enumerate(world.shops):
            owner = world.owners[place]
            stays = {sku.rpartition("-")[2].upper() for sku, his in owner.adopted().items() if his}
            his = {"V" if key in COLOURS else key for key in stays}
            assert owner.page == "ours" or his == {
                "V" if sku in COLOURS else sku for sku in self.adopted(place)
            }
            beside = owner.beside(COLOURS)
            assert "A" not in beside - owner.twice, f"shop {place}: A was doubled"
            every = self.hands[place].look(world.code)
            pages = {"V" if key in COLOURS else key for key in world.offered} | set(owner.has)
            there = self.hands[place].pages()
            assert len(there) <= len(pages) + len(beside), f"shop {place}: {there} for {pages}"
            assert {shown.page for _, shown in every} == set(there), f"shop {place}: a page of nothing"
            found = world.look(place)
            of_group = {shown.page for key, (_, shown) in found.items() if key in COLOURS}
            assert len(of_group) <= 1, f"shop {place}: {of_group} are one product"
            for group in owner.has:
                known = {shown.page for key, (_, shown) in found.items() if key in self.of(group)}
                assert group in beside or known <= {owner.pages[group]}, f"shop {place}: {group} was doubled: {known}"  # fmt: skip
            wanted = {sku.rpartition("-")[2]: each for sku, each in rows(self.db, WANTED, shop_id)}
            assert set(wanted) == set(world.price)
            for key in self.not_there(place):
                group = "V" if key in COLOURS else key
                assert (his >= {"V"} and key in COLOURS) or group in beside, f"shop {place} refuses {key}"
                del wanted[key]
            on_sale = {key: shown for key, (_, shown) in found.items() if shown.on_sale}
            gone = {key: shown.stock for key, shown in on_sale.items() if key not in wanted}
            assert not any(gone.values()), f"shop {place} still sells {gone}"
            assert self.hands[place].keeps_gone or set(gone) <= stays, f"shop {place} still shows {gone}"
            shows = {key: (one.title, one.price, one.stock, one.options) for key, one in on_sale.items() if key in wanted}  # fmt: skip
            should = {
                key: (
                    owner.titles[group] if (group := "V" if key in COLOURS else key) in his else world.title(key),
                    each["price"], each["stock"], colours.get(key, ()),
                )
                for key, each in wanted.items()
            }  # fmt: skip
            assert shows == should, f"shop {place} shows {shows}, not {should}"

    @staticmethod
    def of(group: str) -> tuple[str, ...]:
        return tuple(COLOURS) if group == "V" else (group,)

    def adopted(self, place: int) -> set[str]:
        return {sku.rpartition("-")[2].upper() for sku in self.world.owners[place].adopted()}

    def not_there(self, place: int) -> list[str]:
        """What a page that stays its owner's has no room for, and says so."""
        found = rows(self.db, REFUSED_THERE, self.world.shops[place])
        return [sku.rpartition("-")[2] for (sku,) in found]

    def no_order_is_lost(self) -> None:
        for order in self.world.orders:
            stored = rows(self.db, TAKEN, self.world.shops[order.shop], order.id)
            left = {sku: number for sku, number in stored if number}
            assert left == {self.world.sku(key): number for key, number in order.lines.items() if number}, f"{left}: {order}"  # fmt: skip

    def what_is_only_the_owners_is_not_taken(self) -> None:
        """No order of his own, from before an adoption or of what stands beside ours, is the hub's."""
        for owner in self.world.owners:
            taken = "SELECT external_id FROM shop_order WHERE shop_id = %s AND external_id = ANY(%s)"
            assert rows(self.db, taken, owner.shop, owner.sold) == []

    def nothing_is_sold_twice(self, *, quiet: bool = True) -> None:
        for key in NAMES:
            has = self.world.stock.get(key, 0)
            sold, shown = self.world.sold(key), self.world.on_shelves(key)
            assert sold <= has + self.world.excuse[key], f"{key}: {sold} sold of {has}"
            if quiet and any(key in self.not_there(place) for place in (0, 1)):
                assert shown <= max(0, has - sold), f"{key}: {sold} sold, {shown} shown of {has}"
            elif quiet:
                assert shown == max(0, has - sold), f"{key}: {sold} sold, {shown} shown of {has}"

    def what_left_is_told_once(self) -> None:
        """Nothing is bought twice, and each parcel is in its buyer's order once: all of them where nobody took anything back."""
        mail = Counter(order["reference"] for order in self.world.office.mail())
        assert not [reference for reference, times in mail.items() if times > 1], mail
        left = self.world.office.parcels()
        for order in self.world.orders:
            assert order.left <= order.bought, f"more left than was bought: {order}"
            parcels = {
                number: {self.world.sku(key): pieces for key, pieces in packed.items()}
                for number, packed in left.get((self.world.shops[order.shop], order.id), {}).items()
            }
            told = [
                (number, {sku.upper(): pieces for sku, pieces in packed.items()})
                for number, packed in self.hands[order.shop].parcels(order.id)
            ]
            numbers = [number for number, _ in told]
            assert len(numbers) == len(set(numbers)), f"told twice: {numbers}"
            refused = rows(self.db, REFUSED, self.world.shops[order.shop], order.id)
            assert {*numbers, *(number for (number,) in refused)} == set(parcels), f"{order}: {numbers}"
            assert order.touched or not refused, f"{order}: {refused}"
            assert [(number, pieces) for number, pieces in told if pieces not in ({}, parcels[number])] == []


@contextmanager
def world_machine(database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Truth]]:
    """The rules bound to two sandbox shops, a database, and a hub that opens nothing but these."""
    monkeypatch.setenv("ENTREPOT_DATA", str(folder))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    monkeypatch.setenv(
        "ENTREPOT_SCARCE_STOCK", "1000"
    )  # always split: above it shops may sell the same twice
    current: dict[str, Any] = {}
    with (
        woocommerce_order_rig.order_rig(folder / "woo") as woo,
        shopify_rig.order_rig(folder / "spf") as spf,
        SupplierServer("Norden", folder / "supplier") as server,
    ):
        rigs: dict[str, Any] = {"woocommerce": woo, "shopify": spf}

        def opener(channel: str) -> Any:
            def opened(url: str, *, pace: Any, **_: Any) -> Killer:
                return Killer(current["world"].perhaps_dies, rigs[channel].connect(pace=pace))

            return opened

        def supplier(url: str, **keys: Any) -> Killer:
            connector = ApiSupplier(url, **keys, patience=PATIENCE, sleep=lambda seconds: None)
            return Killer(current["world"].perhaps_dies, connector)

        monkeypatch.setattr("pipelines.opening.SHOPS", {channel: opener(channel) for channel in rigs})
        monkeypatch.setattr("pipelines.opening.SqlPace", Free)
        monkeypatch.setattr("pipelines.orders.transport.SUPPLIERS", {"api": supplier})
        database = Mortal(database_url, ROUTES)
        yield type("Truth", (Truth,), {"db": database, "hands": [WooHands(woo), ShopifyHands(spf)], "server": server, "current": current})  # fmt: skip
        database.close()
