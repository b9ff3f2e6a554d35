"""Trade for the scenes: orders in every state, money in and out, runs paid in part; made by the hub's own steps and a sandbox bank."""

import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from core.clock import now
from core.database import Database
from core.money import Money
from core.settings import load
from models.catalogue import Offer, Variant
from models.companies import Company
from models.events import OrderChanged
from models.orders import Order, OrderBuyer, OrderLine
from models.purchasing import BankDetails
from models.shops import Shop
from pipelines.orders import answers
from pipelines.orders.forget import forget
from pipelines.orders.ship import ship
from pipelines.orders.terms import set_terms
from pipelines.routes import ROUTES
from pipelines.settlement import close, deposits
from pipelines.settlement.mature import ring
from pipelines.settlement.pay import payment_file
from pipelines.settlement.receive import receive_statement
from pipelines.settlement.withdraw import ask
from sandbox.bank import payment_file as bank_file
from sandbox.bank.books import OUR_IBAN
from sandbox.bank.books import Books as Bank
from sandbox.bank.statement import render
from tests import builders as make
from tests.stepping import one, pending, rows, run_message

IBANS = ("DE89370400440532013000", "FR1420041010050500013M02606")
PLACES = (("Berlin", "DE"), ("Wien", "AT"), ("Lyon", "FR"), ("Aachen", "DE"), ("Groningen", "NL"), ("", "CH"))
STEPS = ("orders.reserve", "orders.release", "orders.purchase", "orders.submit", "settlement.")
LISTED = text(
    "SELECT variant_id FROM listing WHERE shop_id = :shop AND state IN ('live', 'drifted', 'refused')"
)
OURS = {"ENTREPOT_BANK_IBAN": OUR_IBAN, "ENTREPOT_BANK_TOWN": "Berlin", "ENTREPOT_BANK_COUNTRY": "DE"}


def rich(db: Database) -> None:
    """What the busy hub traded: Casa pays in enough, Lichtblick too little; Nordlicht's last payout came back."""
    with trade(db) as t:
        t.agree("NORD", "10", 490, IBANS[0])
        t.agree("ATEL", "12.5", 0, IBANS[1])
        t.transfer("CASA", 880_000)
        t.transfer("LICHT", 9_000)
        t.bank.topup(12_000, "Rechnung 4711 danke", "H. Sommer & Söhne OHG")
        t.bank_speaks()
        sold = [t.order("casa-und-co.de", 2 + number % 2, days=20 - number) for number in range(8)]
        t.run()
        for number, order in enumerate(sold):
            t.deliver(order, days=18 - number)
        t.run()
        t.settle(mature_days=60)
        t.bank.close_account(IBANS[1])
        t.bank_takes()
        t.bank_speaks()
        t.bank_speaks()
        _present(t)
        t.settle(mature_days=60, approve=False)
        with t.db.unit_of_work() as uow:
            forget(uow, sold[:1], "The shop asked to forget the buyer: name and address are removed.")
        with t.db.unit_of_work() as uow:
            ask(uow, t.company("CASA"), Money(25_000, "EUR"), "scene:withdraw")


def _present(t: "Trading") -> None:
    """Orders of today, each further or less far."""
    fresh = [t.order("casa-und-co.de", 1 + number % 3, days=0, hours=number) for number in range(6)]
    short = [t.order("Lichtblick", 2, days=0, hours=number) for number in range(3)]
    t.run()
    confirmed, rejected, doubted, unwanted, parcel, _ = [t.purchase_orders(order) for order in fresh]
    with t.db.unit_of_work() as uow:
        for po in (*confirmed, *unwanted, *parcel):
            answers.confirm(uow, po, f"AB-{po:05}")
    with t.db.unit_of_work() as uow:
        for po in rejected:
            answers.reject(uow, po, "The last one fell off the shelf this morning.")
    t.sql("UPDATE purchase_order SET state = 'unknown' WHERE id = ANY(%s)", doubted)
    t.sql(
        "UPDATE order_line SET state = 'submit_unknown', reason = 'The supplier''s server hung up before it answered.' WHERE id IN "
        "(SELECT line_id FROM purchase_order_line WHERE purchase_order_id = ANY(%s))", doubted,
    )  # fmt: skip
    t.want_nothing(fresh[3])
    t.run()
    with t.db.unit_of_work() as uow:
        ship(
            uow,
            parcel[0],
            "SHIP-1",
            None,
            "DHL",
            "00340434161094042557",
            "https://www.dhl.example/00340434161094042557",
        )
    t.none_left(short[0])
    t.run()
    t.sql("UPDATE shipment SET reported_at = now(), external_id = 'F-' || id WHERE id % 3 > 0")
    t.sql(
        "UPDATE shipment SET problem = 'The shop does not know this order any more (404).' WHERE id % 7 = 3"
    )


def long_names(db: Database) -> None:
    """Trade where every name is too long and every amount has twelve digits."""
    words = "The supplier's system refuses it with a message that never seems to come to an end at all, and once more from the start"
    with trade(db) as t:
        t.agree("LONGLONGLONGLONGLONG", "99.99", 9_876_543_210, IBANS[0])
        with t.db.unit_of_work() as uow:
            uow.session.query(Offer).update({Offer.cost: Decimal("98765432.123456")})
        t.transfer("LANG", 987_654_321_098_765)
        t.bank.topup(123_456_789_012, "R" * 130, "Verwendungszweckverfasserinnenvereinigung " * 2)
        t.bank_speaks()
        shop = one(db, "SELECT name FROM shop")
        orders = [
            t.order(shop, 3, days=3, pieces=1, number="#" + "9" * 60, value=999_999_999_999) for _ in range(4)
        ]
        t.order(shop, 1, days=1, pieces=2_000_000, number="N" * 200, value=999_999_999_999)
        t.run()
        t.deliver(orders[0], days=2, carrier="C" * 100, number="9" * 100)
        for po in t.purchase_orders(orders[1]):
            with t.db.unit_of_work() as uow:
                answers.reject(uow, po, words)
        t.sql("UPDATE order_line SET reason = %s WHERE order_id > 1", words * 2)
        t.sql("UPDATE shipment SET problem = %s", words)
        t.run()
        t.settle(mature_days=60)
        t.bank_takes()
        t.bank_speaks()


@contextmanager
def trade(db: Database) -> Iterator["Trading"]:
    """Trade in the database of `db`, with a bank of its own in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="scene-") as folder, patch.dict(os.environ, OURS):
        stepped = Database(db.url, ROUTES)
        bank = Bank(Path(folder) / "bank", date(2026, 11, 2))
        try:
            made = Trading(stepped, bank, Path(folder))
            made.sql("UPDATE listing SET why = jsonb_set(why, '{selection}', '1')")
            yield made
        finally:
            bank.close()
            stepped.close()


@dataclass
class Trading:
    """Amounts are euro cents; moments are so many days ago."""

    db: Database
    bank: Bank
    folder: Path
    dice: random.Random = field(default_factory=lambda: random.Random(11))
    _files: int = 0
    _run: int = 0

    def company(self, code: str) -> int:
        """A company's id."""
        return int(one(self.db, "SELECT id FROM company WHERE code = %s", code))

    def agree(self, code: str, commission: str, shipping: int, iban: str) -> None:
        """A supplier's terms and bank account."""
        with self.db.unit_of_work() as uow:
            supplier = self.company(code)
            set_terms(
                uow, load(), supplier, commission_percent=Decimal(commission), shipping=Money(shipping, "EUR")
            )
            name = uow.session.get_one(Company, supplier).name[:70]
            uow.session.add(
                BankDetails(company_id=supplier, holder=name, iban=iban, town="Hamburg", country="DE")
            )

    def transfer(self, code: str, cents: int) -> None:
        """A seller pays into his deposit; the bank tells of it when it speaks."""
        with self.db.unit_of_work() as uow:
            seller = uow.session.get_one(Company, self.company(code))
            self.bank.topup(cents, f"Guthaben {deposits.reference(seller)}", seller.name[:70])

    def bank_speaks(self) -> None:
        """The bank ends its day, and the hub takes its statement in."""
        self._files += 1
        file = self.folder / f"statement-{self._files}.xml"
        file.write_bytes(render(self.bank.close_day()))
        with self.db.unit_of_work() as uow:
            receive_statement(uow, load(), file)
        self.run()

    def bank_takes(self) -> None:
        """The bank is given the last run's payment file."""
        with self.db.unit_of_work() as uow:
            self.bank.pay(bank_file.read(payment_file(uow, self._run)))

    def order(
        self,
        shop: str,
        lines: int,
        days: int,
        hours: int = 0,
        pieces: int = 0,
        number: str = "",
        value: int = 0,
    ) -> int:
        """A paid order of some of the shop's listings; it is covered when the steps run."""
        with self.db.unit_of_work() as uow:
            session = uow.session
            of = session.query(Shop).filter_by(name=shop).one()
            moment, unique = now() - timedelta(days=days, hours=hours, minutes=7), make.unique()
            order = Order(
                shop_id=of.id, seller_id=of.seller_id, external_id=str(unique), number=number or f"#{1000 + unique}", currency="EUR",
                standing="open", test=False, total_minor=value or self.dice.randrange(3_000, 90_000), placed_at=moment,
                external_updated_at=moment,
            )  # fmt: skip
            session.add(order)
            session.flush()
            city, country = self.dice.choice(PLACES)
            session.add(
                OrderBuyer(
                    order_id=order.id,
                    address={"name": "Ada Byron", "street": "Torstr. 1", "city": city, "country": country},
                )
            )
            for offer in self._offers(session, of, lines):
                variant = session.get_one(Variant, offer.variant_id)
                quantity = pieces or self.dice.choice((1, 1, 2))
                session.add(
                    OrderLine(
                        order_id=order.id, external_id=f"L{make.unique()}", variant_id=variant.id, sku=variant.sku, title=variant.title, kind=offer.kind,
                        ordered=quantity, wanted=quantity, state="received", unit_price_minor=4_990,
                    )
                )  # fmt: skip
            uow.emit(OrderChanged(tenant=of.seller_id, lane=of.lane, order_id=order.id))
            return order.id

    def deliver(self, order_id: int, days: int, carrier: str = "DHL", number: str = "") -> None:
        """Its suppliers confirm and ship all of it, so many days ago."""
        for po in self.purchase_orders(order_id):
            with self.db.unit_of_work() as uow:
                answers.confirm(uow, po, f"AB-{po:05}")
                parcel = ship(uow, po, f"SHIP-{po}", None, carrier, number or f"0034043416{po:010}")
                parcel.shipped_at = now() - timedelta(days=days)

    def settle(self, mature_days: int, approve: bool = True) -> None:
        """All that was shipped is old enough; a run over it is drafted, and paid where `approve` says so."""
        self.sql(
            "UPDATE capture SET matures_at = matures_at - make_interval(days => %s) WHERE matured_at IS NULL",
            mature_days,
        )
        with self.db.unit_of_work() as uow:
            ring(uow)
        self.run()
        with self.db.unit_of_work() as uow:
            self._run = close.draft(uow).id
        if approve:
            with self.db.unit_of_work() as uow:
                close.lock(uow, self._run)
                close.approve(uow, self._run, "operator")
            self.run()

    def want_nothing(self, order_id: int) -> None:
        """The buyer cancels."""
        with self.db.unit_of_work() as uow:
            order = uow.session.get_one(Order, order_id)
            uow.session.query(OrderLine).filter_by(order_id=order_id).update({OrderLine.wanted: 0})
            order.standing = "cancelled"
            uow.emit(OrderChanged(tenant=order.seller_id, lane=f"shop:{order.shop_id}", order_id=order_id))

    def none_left(self, order_id: int) -> None:
        """One line of an order waits for stock."""
        self.sql(
            "UPDATE order_line SET state = 'awaiting_stock', reason = 'No supplier has 2 pieces of it now.' WHERE id = "
            "(SELECT max(id) FROM order_line WHERE order_id = %s)", order_id,
        )  # fmt: skip

    def purchase_orders(self, order_id: int) -> list[int]:
        """An order's purchase orders."""
        return [
            row[0]
            for row in rows(
                self.db, "SELECT id FROM purchase_order WHERE order_id = %s ORDER BY id", order_id
            )
        ]

    def run(self) -> None:
        """Runs what waits of orders and money; the scene's own messages stay."""
        while messages := [message for message in pending(self.db) if message["step"].startswith(STEPS)]:
            for message in messages:
                run_message(self.db, message)
        self.sql("DELETE FROM message WHERE step LIKE 'orders.%' OR step LIKE 'listings.restock%'")

    def sql(self, statement: str, *values: Any) -> None:
        """A statement of the scene's own."""
        with self.db.unit_of_work() as uow:
            uow.cursor().execute(statement, values or None)

    def _offers(self, session: Any, shop: Shop, count: int) -> Sequence[Offer]:
        listed = (
            session.query(Offer)
            .filter(
                Offer.variant_id.in_(row[0] for row in session.execute(LISTED, {"shop": shop.id})),
                Offer.cost.is_not(None),
                Offer.free > 5,
            )
            .order_by(Offer.id)
            .all()
        )
        return self.dice.sample(listed, count)
