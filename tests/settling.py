"""What tests of settlement stand on: parcels that were sold, runs from draft to payment file, and a sandbox bank's word."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database, on
from core.money import Money
from core.settings import load
from ledger import holds
from ledger.proof import prove
from models.companies import Company
from models.events import (
    BankStatementReceived,
    DepositCredited,
    MaturityDue,
    SettlementApproved,
    ShipmentReported,
)
from models.orders import Reservation
from models.purchasing import BankDetails, ShipmentLine
from pipelines.settlement import close, deposits
from pipelines.settlement.capture import capture
from pipelines.settlement.mature import mature, ring
from pipelines.settlement.pay import pay, payment_file
from pipelines.settlement.reconcile import receive_statement, reconcile
from pipelines.settlement.withdraw import ask
from sandbox.bank import payment_file as bank_file
from sandbox.bank.books import OUR_IBAN
from sandbox.bank.books import Books as Bank
from sandbox.bank.statement import render
from tests import builders
from tests.books import Books, euros
from tests.stepping import one, rows, run_all

# Of payees; from the register of examples of SWIFT's IBAN registry and well-formed ones beside them.
IBANS = (
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "AT611904300234573201",
)
CREDITED: list[int] = []
"""The sellers of every DepositCredited that was emitted, as the steps ran."""


def noted(event: DepositCredited, db: Database) -> None:
    """Stands for the lines that wait for a deposit."""
    with db.unit_of_work(last=True):
        CREDITED.append(event.seller_id)


ROUTES = (
    on(ShipmentReported, capture, queue="money", one_unit=True),
    on(MaturityDue, mature, queue="money", one_unit=True),
    on(SettlementApproved, pay, queue="money", one_unit=True),
    on(BankStatementReceived, reconcile, queue="money", one_unit=True),
    on(DepositCredited, noted, queue="money", one_unit=True),
)


@contextmanager
def settling(database_url: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator["Settling"]:
    """A hub with a bank account at the sandbox bank."""
    for name, value in {"IBAN": OUR_IBAN, "TOWN": "Berlin", "COUNTRY": "DE"}.items():
        patch.setenv(f"ENTREPOT_BANK_{name}", value)
    CREDITED.clear()
    db, bank = Database(database_url, ROUTES), Bank(folder / "bank", date(2026, 11, 2))
    try:
        yield Settling(db, bank, folder)
    finally:
        bank.close()
        db.close()


@dataclass
class Settling:
    """Amounts are euro cents. `twice`: every step runs two times."""

    db: Database
    bank: Bank
    folder: Path
    twice: bool = True
    books: Books = field(init=False)
    _files: int = 0
    _offers: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.books = Books(self.db)

    def seller(self, deposit: int = 0) -> int:
        """A seller; his deposit comes over the bank, as he would pay it."""
        seller_id = self.books.seller()
        if deposit:
            self.bank.topup(deposit, f"deposit {self.reference(seller_id)}", "Seller")
            self.bank_speaks()
        return seller_id

    def reference(self, seller_id: int) -> str:
        """What he writes on a transfer."""
        with self.db.unit_of_work() as uow:
            return deposits.reference(uow.session.get_one(Company, seller_id))

    def supplier(self, shipping: int = 490, account: bool = True) -> int:
        """A supplier with 10 % commission, and bank details unless there is no `account`."""
        supplier_id = self.books.supplier(shipping=shipping)
        with self.db.unit_of_work() as uow:
            feed = builders.feed(uow.session, uow.session.get_one(Company, supplier_id))
            self._offers[supplier_id] = builders.offer(uow.session, builders.run(uow.session, feed)).id
        if account:
            self.account(supplier_id)
        return supplier_id

    def account(self, company_id: int, iban: str = IBANS[0]) -> None:
        """Bank details of a company."""
        details = BankDetails(
            company_id=company_id, holder="Norden GmbH", iban=iban, town="Hamburg", country="DE"
        )
        with self.db.unit_of_work() as uow:
            uow.session.merge(details)

    def shipped(
        self, seller: int, supplier: int, quantity: int = 1, cost: str = "10.00", days: int = 30
    ) -> int:
        """A line sold, covered and sent whole so many days ago, its capture waiting as a message; the line's id."""
        hold = self.books.held(seller, supplier, quantity, cost)
        shipment = self.books.shipment(hold.order_id, supplier)
        with self.db.unit_of_work() as uow:
            moment = now() - timedelta(days=days)
            uow.cursor().execute("UPDATE shipment SET shipped_at = %s WHERE id = %s", [moment, shipment])
            uow.session.add(ShipmentLine(shipment_id=shipment, line_id=hold.line_id, quantity=quantity))
            uow.session.add(
                Reservation(line_id=hold.line_id, offer_id=self._offers[supplier], quantity=0, sold=quantity)
            )
            uow.emit(ShipmentReported(tenant=supplier, lane="shop:1", shipment_id=shipment))
        return hold.line_id

    def sold(self, seller: int, supplier: int, quantity: int = 1, cost: str = "10.00", days: int = 30) -> int:
        """As `shipped`, and captured; matured as well where the return window is over."""
        line_id = self.shipped(seller, supplier, quantity, cost, days)
        with self.db.unit_of_work() as uow:
            ring(uow)
        self.run()
        return line_id

    def refund(self, line_id: int, quantity: int = 1) -> None:
        """Captured pieces come back."""
        key = f"refund:{line_id}:{one(self.db, 'SELECT sum(refunded) FROM hold WHERE line_id = %s', line_id)}"
        with self.db.unit_of_work() as uow:
            holds.refund(uow, line_id=line_id, quantity=quantity, key=key, happened_at=now())

    def run(self) -> list[str]:
        """All messages."""
        return run_all(self.db, twice=self.twice)

    def draft(self) -> int:
        """A run over everything until now."""
        with self.db.unit_of_work() as uow:
            return close.draft(uow).id

    def approve(self, run_id: int) -> None:
        """Locks and approves; the payment file is not made yet."""
        with self.db.unit_of_work() as uow:
            close.lock(uow, run_id)
            close.approve(uow, run_id, "test")

    def paid_run(self) -> int:
        """A run from its draft to the bank's counter: its file is made and the bank has taken it."""
        run_id = self.draft()
        self.approve(run_id)
        self.run()
        self.bank_takes(run_id)
        return run_id

    def file(self, run_id: int) -> bytes:
        """The run's payment file."""
        with self.db.unit_of_work() as uow:
            return payment_file(uow, run_id)

    def bank_takes(self, run_id: int) -> None:
        """The bank is given the run's file."""
        self.bank.pay(bank_file.read(self.file(run_id)))

    def statement_file(self) -> Path:
        """The bank ends its day: the file of its statement."""
        self._files += 1
        file = self.folder / f"statement-{self._files}.xml"
        file.write_bytes(render(self.bank.close_day()))
        return file

    def receive(self, file: Path) -> list[int]:
        """The hub is given a bank statement; the ids of what it holds then."""
        with self.db.unit_of_work() as uow:
            return [each.id for each in receive_statement(uow, load(), file)]

    def bank_speaks(self) -> None:
        """The bank ends its day, the hub takes its statement in and matches it."""
        self.receive(self.statement_file())
        self.run()

    def balances(self) -> dict[str, int]:
        """Every account that is not at zero."""
        return self.books.balances()

    def state(self, run_id: int) -> str:
        """Of a settlement run."""
        return str(one(self.db, "SELECT state FROM settlement_run WHERE id = %s", run_id))

    def statements(self, run_id: int) -> list[tuple[Any, ...]]:
        """(company, opening, total, closing, payout) of a run."""
        return rows(
            self.db,
            "SELECT company_id, opening_minor, total_minor, closing_minor, payout_minor FROM statement"
            " WHERE run_id = %s ORDER BY company_id",
            run_id,
        )

    def payouts(self) -> list[tuple[Any, ...]]:
        """(kind, company, amount, state) of every payout."""
        return rows(self.db, "SELECT kind, company_id, amount_minor, state FROM payout ORDER BY id")

    def lines(self) -> list[tuple[Any, ...]]:
        """(kind, amount, state) of every bank line."""
        return rows(self.db, "SELECT kind, amount_minor, state FROM bank_line ORDER BY id")

    def hash(self) -> Any:
        """Over every posting and balance: equal where nothing was posted between."""
        return one(
            self.db,
            "SELECT md5((SELECT string_agg(p::text, ';' ORDER BY id) FROM posting p) ||"
            " (SELECT string_agg(a::text, ';' ORDER BY id) FROM account a))",
        )

    def top_up(self, seller_id: int, cents: int, key: str) -> int:
        """Card money."""
        with self.db.unit_of_work() as uow:
            return deposits.top_up(uow, seller_id, euros(cents), key).id

    def withdraw(self, seller_id: int, cents: int, key: str) -> int:
        """A seller asks for deposit back; the payout's id."""
        with self.db.unit_of_work() as uow:
            return ask(uow, seller_id, Money(cents, "EUR"), key).id


def proven(hub: Settling) -> None:
    """Every claim holds and nothing is left over."""
    with hub.db.unit_of_work() as uow:
        proof = prove(uow)
    wrong = [check for check in proof.checks if not check.ok]
    assert wrong == [], wrong
    assert str(proof.remainder.amount) == "0.00"
