"""Random journeys of money with a sandbox bank at the other end: whatever happens, the proof's remainder is 0.00."""

import contextlib
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from stdnum import iban

from core.errors import Refused
from ledger import chart
from ledger.proof import prove
from pipelines.settlement import close
from pipelines.settlement.pay import reject
from pipelines.settlement.reconcile import allocate
from sandbox.bank.payment_file import Rejected
from tests.settling import Settling, settling
from tests.stepping import one, rows

ACTS = 60


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    with settling(database_url, tmp_path, monkeypatch) as made:
        yield made


class Journey:
    """Acts of sellers, suppliers, operators and the bank, drawn by a seed."""

    def __init__(self, hub: Settling, seed: int) -> None:
        self.hub, self.random = hub, random.Random(seed)
        self.numbers = 0
        self.sellers = [hub.seller(self.random.randrange(5_000, 50_000)) for _ in range(2)]
        self.suppliers = [hub.supplier(self.random.choice((0, 490)), account=False) for _ in range(3)]
        self.accounts = {company: self.iban() for company in (*self.sellers, *self.suppliers[:2])}
        for company, number in self.accounts.items():
            hub.account(company, number)
        self.sold: list[int] = []
        self.at_bank: set[int] = set()

    def iban(self) -> str:
        """A fresh account number."""
        self.numbers += 1
        number = f"{self.numbers:018d}"
        return f"DE{iban.calc_check_digits(f'DE00{number}')}{number}"

    def acts(self) -> list[Callable[[], None]]:
        """The likely ones stand there more than once."""
        return [
            self.pay_in, self.pay_in, self.sell, self.sell, self.sell, self.sell, self.refund, self.refund, self.withdraw,
            self.move_account, self.draft, self.approve, self.cancel, self.export, self.carry, self.settle, self.settle,
            self.settle, self.send_back, self.send_back, self.reject, self.speak, self.speak, self.speak, self.allocate,
            self.finish, self.fee,
        ]  # fmt: skip

    def pay_in(self) -> None:
        seller = self.random.choice(self.sellers)
        text = self.hub.reference(seller) if self.random.random() < 0.8 else "for the lamps"
        self.hub.bank.topup(self.random.randrange(1, 20_000), text, "Payer")

    def sell(self) -> None:
        seller, supplier = self.random.choice(self.sellers), self.random.choice(self.suppliers)
        quantity, cost = self.random.randrange(1, 5), Decimal(self.random.randrange(10, 40_000)) / 1000
        needed = int(quantity * cost * 112) + 500  # goods, commission and its VAT, shipping
        if self.deposit(seller) >= needed:
            days = self.random.choice((30, 30, 3))
            self.sold.append(self.hub.sold(seller, supplier, quantity, str(cost), days))

    def refund(self) -> None:
        if self.sold:
            line = self.random.choice(self.sold)
            left = one(self.hub.db, "SELECT sum(captured - refunded)::int FROM hold WHERE line_id = %s", line)
            if left:
                self.hub.refund(line, self.random.randint(1, left))

    def withdraw(self) -> None:
        seller = self.random.choice(self.sellers)
        with contextlib.suppress(Refused):
            self.hub.withdraw(seller, self.random.randrange(1, 8_000), f"wish:{self.random.getrandbits(40)}")

    def move_account(self) -> None:
        company = self.random.choice([*self.sellers, *self.suppliers])
        if company in self.accounts and self.random.random() < 0.5:
            self.hub.bank.close_account(self.accounts[company])
        self.accounts[company] = self.iban()
        self.hub.account(company, self.accounts[company])

    def draft(self) -> None:
        with contextlib.suppress(Refused):
            self.hub.draft()

    def approve(self) -> None:
        for run in self.runs("draft"):
            self.hub.approve(run)

    def cancel(self) -> None:
        for run in self.runs("draft", "locked", "approved"):
            with self.hub.db.unit_of_work() as uow:
                close.cancel(uow, run)

    def export(self) -> None:
        self.hub.run()

    def carry(self) -> None:
        """The exported files reach the bank, where it has the money; a person adds some where it has not."""
        for run in self.runs("exported", "partly"):
            if run in self.at_bank:
                continue
            self.at_bank.add(run)
            try:
                self.hub.bank_takes(run)
            except Rejected:
                self.hub.bank.topup(500_000, "the hub's own", "Owner")
                self.hub.bank_takes(run)

    def settle(self) -> None:
        """A run in one go."""
        for act in (self.draft, self.approve, self.export, self.carry):
            act()

    def send_back(self) -> None:
        names = rows(
            self.hub.db, "SELECT end_to_end_id FROM payout WHERE state IN ('exported', 'paid') ORDER BY id"
        )
        if names:
            self.hub.bank.send_back(self.random.choice(names)[0], "AC06")

    def reject(self) -> None:
        """The bank says no before it has the file; it never gets that file then."""
        for run in self.runs("exported"):
            if run in self.at_bank:
                continue
            self.at_bank.add(run)
            for (payout,) in rows(self.hub.db, "SELECT id FROM payout WHERE run_id = %s", run):
                with self.hub.db.unit_of_work() as uow:
                    reject(uow, payout, "The bank refused the file.")

    def speak(self) -> None:
        self.hub.bank_speaks()

    def allocate(self) -> None:
        for (line,) in rows(
            self.hub.db, "SELECT id FROM bank_line WHERE state = 'unallocated' AND kind = 'credit'"
        ):
            with self.hub.db.unit_of_work() as uow:
                allocate(uow, line, self.random.choice(self.sellers), f"allocate:{line}")

    def finish(self) -> None:
        for run in self.runs("confirmed", "partly"):
            with contextlib.suppress(Refused), self.hub.db.unit_of_work() as uow:
                close.close(uow, run)

    def fee(self) -> None:
        self.hub.bank.fee(self.random.randrange(1, 40), "keeping")

    def end(self) -> None:
        """What is under way comes to its end."""
        for act in (
            self.approve,
            self.export,
            self.carry,
            self.speak,
            self.speak,
            self.allocate,
            self.export,
            self.finish,
        ):
            act()

    def runs(self, *states: str) -> list[int]:
        query = "SELECT id FROM settlement_run WHERE state = ANY(%s) ORDER BY id"
        return [run for (run,) in rows(self.hub.db, query, list(states))]

    def deposit(self, seller: int) -> int:
        return int(self.hub.balances().get(chart.deposit(seller), 0))


def failing(hub: Settling) -> list[str]:
    """The claims that do not hold. The hub's own money at the bank is the owner's matter: its fees may eat into it."""
    with hub.db.unit_of_work() as uow:
        return [
            check.name
            for check in prove(uow).checks
            if not check.ok and check.name != "client_money_is_there"
        ]


def travel(hub: Settling, seed: int) -> None:
    journey = Journey(hub, seed)
    for n in range(ACTS):
        act = journey.random.choice(journey.acts())
        act()
        assert failing(hub) == [], f"seed {seed}, act {n}: {act.__name__}"
    journey.end()
    assert failing(hub) == [], f"seed {seed}, at the end"
    assert journey.runs("draft", "locked", "approved", "exported", "confirmed", "partly") == [], (
        f"seed {seed}"
    )
    assert -hub.balances().get("bank", 0) == hub.bank.balance(), f"seed {seed}"
    assert {state for *_, state in hub.payouts()} <= {"paid", "returned", "rejected", "asked"}, f"seed {seed}"
    # What the bank's own books say left and came back, payout by payout.
    said = rows(
        hub.db,
        "SELECT p.end_to_end_id, p.state, p.amount_minor FROM payout p WHERE state IN ('paid', 'returned', 'rejected')",
    )
    kept = {name: minor for name, state, minor in said if state == "paid"}
    assert sent(hub) == kept, f"seed {seed}"


def sent(hub: Settling) -> dict[str, int]:
    """What left the bank and stayed away, by end-to-end id: read from the sandbox bank's own statements."""
    found: dict[str, int] = {}
    for number in range(1, hub._files + 1):
        for entry in hub.bank.statement(number).entries:
            if entry.kind in ("payment", "return"):
                for part in entry.parts:
                    found[part.end_to_end_id] = found.get(part.end_to_end_id, 0) - part.cents
    return {name: minor for name, minor in found.items() if minor}


@pytest.mark.parametrize("turn", range(3))
def test_a_journey_leaves_no_remainder(hub: Settling, turn: int) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    travel(hub, seed)


@pytest.mark.deep
@pytest.mark.parametrize("turn", range(60))
def test_many_journeys_leave_no_remainder(hub: Settling, turn: int) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    travel(hub, seed)
