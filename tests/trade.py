"""What tests of purchases stand on: suppliers with offers, buyers' orders covered by the real steps, and the rows read back."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from core.clock import now
from core.database import Database
from core.money import Money
from core.settings import load
from ledger import chart
from ledger.deposits import top_up
from models.catalogue import Offer, Variant
from models.events import OrderChanged
from models.orders import Order, OrderBuyer, OrderLine
from models.shops import Shop
from models.suppliers import FeedRun
from pipelines.orders.terms import set_terms
from tests import builders
from tests.stepping import one, pending, rows, run_message

ADDRESS = {"name": "Ada Byron", "street": "Torstr. 1", "postcode": "10119", "city": "Berlin", "country": "DE"}


@dataclass
class Trade:
    """A seller with a shop and 100.00 EUR of deposit; suppliers take 10 % commission and 4.90 EUR an order."""

    db: Database
    seller_id: int = 0
    shop_id: int = 0
    _runs: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.db.unit_of_work() as uow:
            seller = builders.company(uow.session, "seller")
            self.seller_id, self.shop_id = seller.id, builders.shop(uow.session, seller).id
        self.deposit(10_000)

    def deposit(self, minor: int) -> None:
        """Money of the seller by card, in cents: no bank statement has to say so."""
        with self.db.unit_of_work() as uow:
            key = f"top:{builders.unique()}"
            top_up(
                uow,
                seller_id=self.seller_id,
                amount=Money(minor, "EUR"),
                key=key,
                happened_at=now(),
                via=chart.PSP,
            )

    def supplier(self, name: str = "Norden", **terms: Any) -> int:
        """A supplier with a feed; `terms` as pipelines.orders.terms.set_terms takes them."""
        with self.db.unit_of_work() as uow:
            company = builders.company(uow.session, name=name)
            run = builders.run(uow.session, builders.feed(uow.session, company))
            self._runs[company.id] = run.id
            agreed = {"commission_percent": Decimal(10), "shipping": Money(490, "EUR"), **terms}
            set_terms(uow, load(), company.id, **agreed)
            return company.id

    def offer(
        self,
        supplier_id: int,
        cost: str = "10.00",
        stock: int = 5,
        kind: str = "goods",
        of: int | None = None,
    ) -> int:
        """An offer; `of` is another offer whose variant it is too."""
        with self.db.unit_of_work() as uow:
            run = uow.session.get_one(FeedRun, self._runs[supplier_id])
            made = builders.offer(uow.session, run, cost=cost, stock=stock, free=stock, kind=kind)
            if of is not None:
                made.variant_id = uow.session.get_one(Offer, of).variant_id
            return made.id

    def order(self, *lines: tuple[int, int]) -> int:
        """A paid order of (offer, quantity) lines; its OrderChanged waits."""
        with self.db.unit_of_work() as uow:
            session = uow.session
            shop = session.get_one(Shop, self.shop_id)
            number = str(builders.unique())
            order = Order(
                shop_id=shop.id, seller_id=shop.seller_id, external_id=number, number=number, currency="EUR", standing="open",
                test=False, total_minor=0, placed_at=now(), external_updated_at=now(),
            )  # fmt: skip
            session.add(order)
            session.flush()
            session.add(OrderBuyer(order_id=order.id, address=ADDRESS))
            for offer_id, quantity in lines:
                offer = session.get_one(Offer, offer_id)
                variant = session.get_one(Variant, offer.variant_id)
                session.add(
                    OrderLine(
                        order_id=order.id, external_id=f"L{builders.unique()}", variant_id=variant.id, sku=variant.sku,
                        title=variant.title, kind=offer.kind, ordered=quantity, wanted=quantity, state="received",
                    )
                )  # fmt: skip
            uow.emit(OrderChanged(tenant=shop.seller_id, lane=shop.lane, order_id=order.id))
            return order.id

    def funded(self, *lines: tuple[int, int]) -> int:
        """An order covered by stock and deposit; its LinesFunded waits."""
        order_id = self.order(*lines)
        self.until("orders.purchase.purchase")
        return order_id

    def made(self, *lines: tuple[int, int]) -> int:
        """A purchase order whose PurchaseOrderMade waits; its id."""
        self.funded(*lines)
        self.until("orders.submit.submit")
        return int(one(self.db, "SELECT max(id) FROM purchase_order"))

    def placed(self, *lines: tuple[int, int]) -> int:
        """A purchase order that its supplier has."""
        po_id = self.made(*lines)
        self.run("orders.submit.submit")
        return po_id

    def want(self, order_id: int, *wanted: int, run: bool = True) -> None:
        """The buyer wants other quantities: the order's lines in turn; runs the steps up to the supplier being asked."""
        with self.db.unit_of_work() as uow:
            order = uow.session.get_one(Order, order_id)
            lines = uow.session.scalars(select(OrderLine).filter_by(order_id=order_id).order_by(OrderLine.id))
            for line, quantity in zip(lines, wanted, strict=True):
                line.wanted = quantity
            uow.emit(OrderChanged(tenant=order.seller_id, lane=order.lane, order_id=order.id))
        if run:
            self.run("orders.reserve.reserve")
            self.run("orders.release.release")

    def until(self, step: str) -> None:
        """Runs what waits until a message of `step` is there."""
        while messages := [m for m in pending(self.db) if m["step"] != step]:
            if len(messages) < len(pending(self.db)):
                break
            run_message(self.db, messages[0])

    def run(self, step: str, *, twice: bool = False) -> None:
        """Runs every waiting message of one step; `twice` each is run, and run again as if it came a second time."""
        for message in [m for m in pending(self.db) if m["step"] == step]:
            if twice:
                route = next(
                    r for r in self.db.routes if (r.name, r.event.__name__) == (step, message["event"])
                )
                route.step(
                    route.event(tenant=message["tenant"], lane=message["lane"], **message["payload"]), self.db
                )
            run_message(self.db, message)

    def waiting(self, step: str) -> int:
        """How many messages of a step wait."""
        return sum(message["step"] == step for message in pending(self.db))

    def lines(self, order_id: int) -> list[tuple[str, int, int, int]]:
        """(state, wanted, covered, shipped) of each line."""
        return rows(
            self.db,
            "SELECT state, wanted, covered, shipped FROM order_line WHERE order_id = %s ORDER BY id",
            order_id,
        )

    def line_ids(self, po_id: int) -> list[int]:
        """The lines of a purchase order."""
        return [
            row[0]
            for row in rows(
                self.db,
                "SELECT line_id FROM purchase_order_line WHERE purchase_order_id = %s ORDER BY 1",
                po_id,
            )
        ]

    def po(self, po_id: int) -> str:
        """The state of a purchase order."""
        return str(one(self.db, "SELECT state FROM purchase_order WHERE id = %s", po_id))

    def stock(self, offer_id: int) -> tuple[int, int, int]:
        """(free, set aside, sold) of an offer."""
        ((free, aside, sold),) = rows(
            self.db,
            "SELECT free, coalesce((SELECT sum(quantity) FROM reservation WHERE offer_id = o.id), 0)::int,"
            " coalesce((SELECT sum(sold) FROM reservation WHERE offer_id = o.id), 0)::int FROM offer o WHERE id = %s",
            offer_id,
        )
        return free, aside, sold

    def money(self) -> tuple[int, int]:
        """The seller's deposit and what is held of it, in cents."""
        found = dict(rows(self.db, "SELECT name, balance FROM account WHERE company_id = %s", self.seller_id))
        return found[f"seller:{self.seller_id}:deposit"], found.get(f"seller:{self.seller_id}:held", 0)

    def story(self, order_id: int) -> list[str]:
        """What happened to an order, in its order."""
        return [
            row[0]
            for row in rows(self.db, "SELECT what FROM order_event WHERE order_id = %s ORDER BY id", order_id)
        ]
