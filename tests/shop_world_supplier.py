"""The supplier of a property test: a real order server that may fail, and the people behind it who answer, ship and refuse."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.settings import load
from models.purchasing import PurchaseOrder
from pipelines.orders import answers
from pipelines.orders.ship import ship
from pipelines.orders.terms import set_terms
from sandbox.supplier import SupplierServer
from sandbox.supplier.desk import Request
from tests.shop_world_hub import Mortal
from tests.stepping import rows

FAULTS = ("drop_before", "drop_after", "status", "refuse")
LINES = """
SELECT b.supplier_sku, b.line_id, b.quantity, b.shipped FROM purchase_order_line b WHERE b.purchase_order_id = %s"""
OURS = """
SELECT p.id, p.reference, h.shop_id, h.external_id, p.state FROM purchase_order p JOIN shop_order h ON h.id = p.order_id
WHERE p.supplier_id = %s ORDER BY p.id"""


@dataclass
class Ordered:
    """A purchase order in his books: what he still has to ship, by his SKU. `shop` and `order` are the buyer's."""

    id: int
    number: str
    shop: int
    order: str
    open: Counter[str]
    parcels: dict[str, Counter[str]] = field(default_factory=dict)
    ended: bool = False


class Office:
    """Answers one order at a time; `left` is told of each parcel: shop id, the buyer's order, his SKU and pieces."""

    def __init__(
        self, server: SupplierServer, db: Mortal, left: Callable[[int, str, str, int], None]
    ) -> None:
        self._server, self._db, self._left = server, db, left
        self._supplier = 0
        self._boss = {"authorization": f"Bearer {server.desk.admin_token}"}
        self.books: dict[str, Ordered] = {}
        server.desk.twice = True  # whoever is asked twice has two orders
        server.faults.clear()

    def begin(self, supplier_id: int) -> None:
        """From now on the supplier's orders come to the server."""
        self._supplier = supplier_id
        told = self._server.description()
        with self._db.unit_of_work() as uow:
            keys = {"key": told["key"], "ca_file": told["ca_file"]}
            set_terms(uow, load(), supplier_id, transport="api", url=told["url"], credentials=keys)

    def fails(self, kind: str) -> None:
        """The server does, once, when an order is placed or cancelled."""
        self._server.faults.add(kind, method="POST")

    def calm(self) -> None:
        """It fails no more."""
        self._server.faults.clear()

    def mail(self) -> list[dict[str, Any]]:
        """The orders that reached the server, those of this supplier; new ones go into the books."""
        known = {reference: row for row in rows(self._db, OURS, self._supplier) for reference in [row[1]]}
        found = [order for order in self._server.orders() if order["reference"] in known]
        for order in found:
            number, _, shop, buyers, _ = known[order["reference"]]
            wanted = Counter({line["sku"]: line["quantity"] for line in order["lines"]})
            self.books.setdefault(order["reference"], Ordered(number, order["number"], shop, buyers, wanted))
        return found

    def acts(self, which: int, what: str, *, twice: bool = False) -> None:
        """Confirms, ships (whole or a piece), rejects the rest, or answers a cancellation that was asked for.

        `twice`: he tells the hub the same again.
        """
        waiting = [one for one in self.mail() if one["state"] != "cancelled" and not self.books[one["reference"]].ended]  # fmt: skip
        if not waiting:
            return
        order = self.books[waiting[which % len(waiting)]["reference"]]
        if what in ("ship", "part"):
            self._ships(order, whole=what == "ship", twice=twice)
            return
        with self._db.unit_of_work() as uow:
            asked = uow.session.get_one(PurchaseOrder, order.id).state == "cancel_requested"
        for _ in range(1 + (twice and what != "cancel")):
            with self._db.unit_of_work() as uow:
                if what == "confirm":
                    answers.confirm(uow, order.id, order.number)
                elif what == "reject":
                    answers.reject(uow, order.id, "It is broken.")
                elif asked and what == "cancel":
                    answers.cancelled(uow, order.id)
                elif asked and what == "keep":
                    answers.cancel_refused(uow, order.id, "It is packed.")
        if what == "reject":
            order.open.clear()
        elif asked and what == "cancel":
            order.open = Counter({sku: bought - gone for sku, _, bought, gone in rows(self._db, LINES, order.id) if bought > gone})  # fmt: skip
        order.ended = not order.open.total()

    def clears_his_desk(self) -> None:
        """Ships whatever he still owes."""
        for place in range(len(self.mail())):
            self.acts(0, "ship", twice=place % 2 == 0)

    def parcels(self) -> dict[tuple[int, str], dict[str, Counter[str]]]:
        """What left for each buyer's order: by parcel number, the pieces of each of his SKUs."""
        found: dict[tuple[int, str], dict[str, Counter[str]]] = {}
        for order in self.books.values():
            found.setdefault((order.shop, order.order), {}).update(order.parcels)
        return found

    def _ships(self, order: Ordered, *, whole: bool, twice: bool) -> None:
        sku = next(sku for sku, pieces in sorted(order.open.items()) if pieces)
        packed = +order.open if whole else Counter({sku: 1})
        number = f"P{order.id}-{len(order.parcels)}"
        answer, _ = self._server.desk.switch(Request("POST", "/sandbox/ship", {}, self._boss, {"number": order.number}))  # fmt: skip
        assert answer == 200
        order.parcels[number] = packed
        order.open -= packed
        order.ended = not order.open.total()
        for each, pieces in packed.items():
            self._left(order.shop, order.order, each, pieces)
        lines = {each: line for each, line, _, _ in rows(self._db, LINES, order.id)}
        for _ in range(1 + twice):
            with self._db.unit_of_work() as uow:
                chosen = {lines[each]: pieces for each, pieces in packed.items()}
                ship(uow, order.id, number, chosen, "DHL", number)
