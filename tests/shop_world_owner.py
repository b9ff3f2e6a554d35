"""The owner of a shop that sold some of the goods before the hub came: his own pages, his own buyers, and the adoption."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from core.clock import now
from models.events import AdoptionDue
from models.shops import Shop
from pipelines.listings.adopt import adopt, leave
from pipelines.making import let_push
from tests.shop_world_hands import Hands
from tests.shop_world_hub import Mortal
from tests.stepping import pending, rows

STRANGE = "x9"
"""A colour that no supplier has: with it the page stays his."""
TAKEN = """
SELECT v.sku, p.trade_only FROM listing l JOIN variant v ON v.id = l.variant_id
JOIN shop_product p ON p.shop_id = l.shop_id AND p.product_id = l.product_id
JOIN adoption a ON a.shop_id = l.shop_id AND a.external_id = l.external_id AND a.state = 'adopted'
WHERE l.shop_id = %s"""
WANTED = "SELECT v.sku FROM listing l JOIN variant v ON v.id = l.variant_id WHERE l.shop_id = %s AND l.wanted IS NOT NULL"


@dataclass
class Owner:
    """One shop's. `has` says of what he has pages: "A", a product of one, "V", one that comes in colours; `page` is what he lets
    the hub do with them, `strange` whether he has a colour more. He writes the SKUs his own way. With `at_once` he lets the hub
    go to work before he was asked for anything."""

    db: Mortal
    hand: Hands
    code: str
    has: str = ""
    page: Literal["stays", "ours"] = "stays"
    strange: bool = False
    at_once: bool = False
    shop: int = 0
    titles: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    sales: list[tuple[str, str]] = field(default_factory=list)
    sold: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    twice: set[str] = field(default_factory=set)
    """Groups that he opened a page of though the hub's stood there already."""
    live: bool = True
    since: datetime | None = None

    def opens(self, names: Collection[str], colours: Mapping[str, str]) -> None:
        """His pages of what the supplier has, before he knows the hub."""
        groups = {"V" if name in colours else name for name in names}
        wished, self.has = sorted(set(self.has) & groups), ""
        self.live = not wished or self.at_once
        for group in wished:
            self.opens_one(group, names, colours)

    def opens_one(self, group: str, names: Collection[str], colours: Mapping[str, str]) -> None:
        """A page of his own of what he has none of yet; nothing where his shop does not let him use a SKU twice."""
        mine = sorted(name for name in names if name == group or (group == "V" and name in colours))
        there = {sku.lower() for sku, _ in self.hand.look(self.code)}
        skus = {self.sku(each): colours.get(each, "") for each in mine}
        if group in self.has or not mine or (self.hand.unique_skus and there & set(skus)):
            return
        if there & set(skus):
            self.twice.add(group)
        self.has += group
        self.names += mine
        if group == "V" and self.strange:
            skus[self.sku(STRANGE)] = "Lila"
        self.titles[group] = f"Own {group}"
        self.pages[group] = self.hand.own(f"Own {group}", "5.00", skus)

    def sku(self, name: str) -> str:
        """As he writes it."""
        return f"{self.code}-{name}".lower()

    def sells(self, which: int) -> None:
        """A buyer takes a piece of his own from a page that is only his: none of the hub's business, then or later."""
        mine = [sku for sku in self._own() if sku not in self.adopted()]
        if mine:
            sku = mine[which % len(mine)]
            there = [shown for each, shown in self.hand.look(sku) if each == sku and shown.on_sale and shown.stock]  # fmt: skip
            if there:
                self.sales.append((sku, self.hand.rig.buy([(sku, 1)], paid=True)))
                self.sold.append(self.sales[-1][1])

    def gives_back(self) -> str | None:
        """A sale of his own is cancelled, and its piece is on the shelf again; the name it has at the hub, if it is adopted."""
        if not self.sales:
            return None
        sku, order = self.sales.pop()
        self.hand.rig.cancel(order)
        return sku.rpartition("-")[2].upper() if sku in self.adopted() else None

    def adopts(self, run: Any) -> None:
        """Has the plan of adoption made, applies it, and lets the hub go to work once everything he has was found.

        `run` runs a message. Nothing where the hub does not want all of it yet, or he is through.
        """
        wanted = {sku.lower() for (sku,) in rows(self.db, WANTED, self.shop)}
        left = set(self._ours()) - set(self.adopted())
        if (self.live and not left) or (not self.live and not left <= wanted):
            return
        with self.db.unit_of_work() as uow:
            shop = uow.session.get_one(Shop, self.shop)
            uow.emit(AdoptionDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
        for message in [each for each in pending(self.db) if each["event"] == "AdoptionDue"]:
            run(message)
        with self.db.unit_of_work() as uow:
            self.since = now() if adopt(uow, self.shop, None, self.page)["adopted"] else self.since
        if not self.live and set(self._ours()) <= set(self.adopted()):
            with self.db.unit_of_work() as uow:
                let_push(uow, self.shop)
            self.live = True

    def leaves(self) -> None:
        """What cannot be adopted he keeps for himself."""
        with self.db.unit_of_work() as uow:
            leave(uow, self.shop, None)

    def beside(self, colours: Collection[str]) -> set[str]:
        """Groups of which something is still only his."""
        return {
            "V" if name in colours else name for name in self.names if self.sku(name) not in self.adopted()
        }

    @property
    def fresh(self) -> bool:
        """Whether something was adopted in this very second: shops date orders by seconds, so nobody knows which came first."""
        return self.since is not None and now().replace(microsecond=0) <= self.since

    def adopted(self) -> dict[str, bool]:
        """By his SKU, what of it the hub has taken over: whether the page stays his."""
        found = {sku.lower(): stays for sku, stays in rows(self.db, TAKEN, self.shop)}
        return {sku: found[sku] for sku in self._ours() if sku in found}

    def pieces(self) -> Counter[str]:
        """What his shop shows of what is adopted, by its name at the hub."""
        found = {sku: shown.stock for sku, shown in self.hand.look(self.code.lower())}
        return Counter({sku.rpartition("-")[2].upper(): found.get(sku, 0) for sku in self.adopted()})

    def _ours(self) -> list[str]:
        return [self.sku(name) for name in self.names]

    def _own(self) -> list[str]:
        return [*self._ours(), *([self.sku(STRANGE)] if self.strange and "V" in self.has else [])]
