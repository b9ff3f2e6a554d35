"""Any order of commands, repeated, refused, killed in the middle: the ledger stays what the paper says, to the cent.

More of it: `./run test --deep`. A failing run is repeated with its seed (first line of the run) or its blob.
"""

import zlib
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from core.database import Database, UnitOfWork
from ledger import chart, deposits, holds, rules
from ledger.claims import CLAIMS
from ledger.holds import Line, Short
from ledger.posting import post
from ledger.proof import prove
from ledger.rules import Move
from tests.books import NOON, VAT, euros
from tests.ledger_machine import Compared, Piece
from tests.ledger_model import PARTS
from tests.stepping import rows

LATER = NOON + timedelta(days=14)
COSTS = ("0", "0.004", "0.335", "1.00", "9.99", "33.335", "33.335")
ELSEWHERE = (
    "covered_is_set_aside",
    "client_money_is_there",
)  # there is no stock here, and charge-backs without end
GLOBAL = ("bank", "commission", "vat")

# How often each command is tried beside the others.
WHAT = [
    what
    for what, times in {
        "top_up": 2, "charge_back": 1, "order": 5, "open": 2, "release": 2, "capture": 8, "refund": 6, "mature": 6,
        "set_aside": 1, "build_payout": 4, "end_payout": 4, "ask_withdrawal": 2, "end_withdrawal": 2, "repeat": 5,
    }.items()
    for _ in range(times)
]  # fmt: skip
crashes = st.sampled_from(["", "", "", "", "raise", "kill"])
some = st.integers(0, 10**6)


class Ledger(Compared):
    """Commands on real PostgreSQL, each also done on paper. One database serves all runs; each has its own companies."""

    @initialize()
    def companies(self) -> None:
        self.base = self.read(GLOBAL)
        self.sellers = [self.books.seller() for _ in range(2)]
        self.suppliers = [
            self.books.supplier("12.5", 490),
            self.books.supplier("0", 0),
            self.books.supplier("33", 7),
        ]
        for supplier, terms in zip(self.suppliers, [("12.5", 490), ("0", 0), ("33", 7)], strict=True):
            self.paper.terms[supplier] = (Fraction(terms[0]), terms[1])
        self.names = [
            *(f"seller:{n}:{pot}" for n in self.sellers for pot in ("deposit", "held", "withdrawing", "receivable")),
            *(f"supplier:{n}:{pot}" for n in self.suppliers for pot in ("pending", "available", "reserve", "in_payout", "receivable")),
        ]  # fmt: skip
        for which in range(2):
            self.top_up(which, 11_999, "")

    @rule(what=some, which=some, n=some, crash=crashes)
    def act(self, what: int, which: int, n: int, crash: str) -> None:
        """One command, by a hash: hypothesis likes small numbers and the first of a list, and repeats what it drew."""
        self.turn += 1
        command = WHAT[zlib.crc32(f"{what}/{self.turn}".encode()) % len(WHAT)]
        note(f"{command}:")
        getattr(self, command)(which, n, crash)

    # --- commands ---------------------------------------------------------------------------------------------

    def top_up(self, which: int, n: int, crash: str) -> None:
        seller, key, amount = self.one_of(self.sellers, which), self.key("top"), 1 + n % 12_000
        self.perform(
            lambda uow: (
                deposits.top_up(uow, seller_id=seller, amount=euros(amount), key=key, happened_at=NOON).id
            ),
            crash,
        )
        self.paper.credit(seller, "bank", amount)

    def charge_back(self, which: int, n: int, crash: str) -> None:
        name, key = chart.seller_receivable(self.one_of(self.sellers, which)), self.key("owe")
        amount = 1 + n % 1_500
        self.perform(lambda uow: post(uow, key, "owe", [Move(name, "bank", euros(amount))], NOON).id, crash)
        self.paper.move(name, "bank", amount)

    def order(self, which: int, n: int, crash: str) -> None:
        """A new order of one to three lines, and one of its lines covered, or all together."""
        seller, cost = self.one_of(self.sellers, which), COSTS[n % len(COSTS)]
        quantities = [1 + (n // 7 + place) % 5 for place in range(1 + n % 3)]
        order, lines = self.books.order(seller, *quantities)
        for line, quantity in zip(lines, quantities, strict=True):
            self.lines.append(Piece(line, order, quantity, cost))
            self.paper.seller_of[line] = seller
        self.open(len(self.lines) - 1, n, crash)

    def open(self, which: int, n: int, crash: str) -> None:
        if not self.lines:
            return
        first, supplier = self.one_of(self.lines, which), self.one_of(self.suppliers, n // 5)
        seller, less = self.paper.seller_of[first.id], max(0, n % 5 - 2)
        pieces = [line for line in self.lines if line.order == first.order] if n % 2 else [first]
        wanted = [(line.id, max(1, line.ordered - less), Fraction(line.cost) * 100) for line in pieces]
        lines = [
            Line(line, first.order, seller, supplier, quantity, Decimal(first.cost))
            for line, quantity, _ in wanted
        ]

        def command(uow: UnitOfWork) -> Any:
            return holds.open_holds(uow, lines, currency="EUR", happened_at=NOON, vat_percent=VAT)

        if any(
            self.paper.held_pieces(line.id) + quantity > line.ordered
            for line, (_, quantity, _) in zip(pieces, wanted, strict=True)
        ):
            self.refused(command, "held_already")
            return
        missing = self.paper.hold(seller, first.order, supplier, wanted)
        opened = self.perform(command, crash, repeat=False)
        assert (opened.missing.minor if isinstance(opened, Short) else None) == missing

    def release(self, which: int, n: int, crash: str) -> None:
        if line := self.held_line(which, self.paper.open):
            key, quantity = self.key("release"), 1 + n % (self.paper.open(line) + 1)
            self.count(
                lambda uow: holds.release(uow, line, quantity, key, "gone"),
                quantity <= self.paper.open(line), "beyond_open", lambda: self.paper.release(line, quantity), crash,
            )  # fmt: skip

    def capture(self, which: int, n: int, crash: str) -> None:
        if line := self.held_line(which, self.paper.open):
            order, quantity = (
                next(p.order for p in self.lines if p.id == line),
                1 + n % (self.paper.open(line) + 1),
            )
            shipment = self.books.shipment(order, self.suppliers[0])
            done = self.count(
                lambda uow: holds.capture(
                    uow, line_id=line, shipment_id=shipment, quantity=quantity, happened_at=NOON, matures_at=LATER
                ),
                quantity <= self.paper.open(line), "beyond_open", lambda: self.paper.capture(line, quantity, shipment), crash,
            )  # fmt: skip
            if done:
                self.shipments.append((line, shipment))

    def refund(self, which: int, n: int, crash: str) -> None:
        if line := self.held_line(which, self.paper.refundable):
            key, quantity = self.key("refund"), 1 + n % (self.paper.refundable(line) + 1)
            self.count(
                lambda uow: holds.refund(uow, line_id=line, quantity=quantity, key=key, happened_at=NOON),
                quantity <= self.paper.refundable(line), "beyond_captured",
                lambda: self.paper.refund(line, quantity), crash,
            )  # fmt: skip

    def mature(self, which: int, n: int, crash: str) -> None:
        if not self.shipments:
            return
        line, shipment = self.one_of(self.shipments, which)
        for (capture,) in rows(self.db, "SELECT id FROM capture WHERE shipment_id = %s", shipment):

            def command(uow: UnitOfWork, at: int = capture) -> None:
                holds.mature(uow, at, LATER)

            self.perform(command, crash)
        self.paper.mature(line, shipment)

    def set_aside(self, which: int, n: int, crash: str) -> None:
        supplier, key = self.funded_supplier(which), self.key("reserve")
        amount = self.paper.accounts[chart.available(supplier)] // 3
        if amount:
            move = Move(chart.available(supplier), chart.reserve(supplier), euros(amount))
            self.perform(lambda uow: post(uow, key, "set_aside", [move], NOON).id, crash)
            self.paper.move(chart.available(supplier), chart.reserve(supplier), amount)

    def build_payout(self, which: int, n: int, crash: str) -> None:
        supplier, key = self.funded_supplier(which), self.key("pay")
        available = self.paper.accounts[chart.available(supplier)]
        amount = available * (50 + n % 60) // 100
        if not amount:
            return

        def command(uow: UnitOfWork) -> Any:
            entry = post(uow, key, "payout_built", rules.payout_built(supplier, euros(amount)), NOON)
            uow.cursor().execute(
                "INSERT INTO payout (kind, company_id, end_to_end_id, amount_minor, currency, state)"
                " VALUES ('statement', %s, %s, %s, 'EUR', 'exported') ON CONFLICT DO NOTHING",
                [supplier, key, amount],
            )
            return entry.id

        if amount > available:
            self.refused(command, "too_little")
            return
        self.perform(command, crash)
        self.paper.move(chart.available(supplier), chart.in_payout(supplier), amount)
        self.payouts.append((key, supplier, amount, "exported"))

    def end_payout(self, which: int, n: int, crash: str) -> None:
        end = ("paid", "paid", "rejected", "returned")[n % 4]
        wanted = "paid" if end == "returned" else "exported"
        if not (there := [payout for payout in self.payouts if payout[3] == wanted]):
            return
        payout = self.one_of(there, which)
        key, supplier, amount, _ = payout
        moves = {
            "paid": rules.payout_paid, "rejected": rules.payout_rejected, "returned": rules.payout_returned,
        }[end](supplier, euros(amount))  # fmt: skip

        def command(uow: UnitOfWork) -> Any:
            entry = post(uow, f"{key}:{end}", f"payout_{end}", moves, NOON)
            uow.cursor().execute(
                "UPDATE payout SET state = %s WHERE end_to_end_id = %s AND state = %s", [end, key, wanted]
            )
            return entry.id

        self.perform(command, crash)
        self.paper.move(
            {"returned": "bank"}.get(end, chart.in_payout(supplier)),
            {"paid": "bank"}.get(end, chart.available(supplier)),
            amount,
        )
        self.payouts[self.payouts.index(payout)] = (key, supplier, amount, end)
        self.paid[supplier] = self.paid.get(supplier, 0) + {"paid": amount, "returned": -amount}.get(end, 0)

    def ask_withdrawal(self, which: int, n: int, crash: str) -> None:
        seller, key, amount = self.one_of(self.sellers, which), self.key("withdraw"), 1 + n % 4_000

        def command(uow: UnitOfWork) -> Any:
            return deposits.withdrawal_asked(
                uow, seller_id=seller, amount=euros(amount), key=key, happened_at=NOON
            ).id

        if amount > self.paper.accounts[chart.deposit(seller)]:
            self.refused(command, "too_little")
            return
        self.perform(command, crash)
        self.paper.move(chart.deposit(seller), chart.withdrawing(seller), amount)
        self.withdrawals.append((key, seller, amount))

    def end_withdrawal(self, which: int, n: int, crash: str) -> None:
        if not self.withdrawals:
            return
        key, seller, amount = self.withdrawals.pop(which % len(self.withdrawals))
        end = deposits.withdrawal_paid if n % 2 else deposits.withdrawal_failed
        self.perform(
            lambda uow: (
                end(uow, seller_id=seller, amount=euros(amount), key=f"{key}:end", happened_at=NOON).id
            ),
            crash,
        )
        if n % 2:
            self.paper.move(chart.withdrawing(seller), "bank", amount)
        else:
            self.paper.credit(seller, chart.withdrawing(seller), amount)

    def repeat(self, which: int, n: int, crash: str) -> None:
        """Any earlier command once more: the same answer, and not one row differs."""
        if self.replays:
            command, answer = self.one_of(self.replays, which)
            before = self.everything()
            with self.db.unit_of_work() as uow:
                again = command(uow)
            assert getattr(again, "entry_id", again) == answer
            assert self.everything() == before

    # --- what must be true after each of them -----------------------------------------------------------------

    @invariant()
    def is_as_on_paper(self) -> None:
        if not hasattr(self, "names"):
            return
        found = self.read(self.names) | {
            name: minor - self.base[name] for name, minor in self.read(GLOBAL).items()
        }
        assert found == {name: self.paper.accounts[name] for name in found}
        assert sum(self.paper.accounts.values()) == 0
        assert all(
            minor >= 0 for name, minor in found.items() if not name.endswith("receivable") and ":" in name
        )
        stored = rows(
            self.db,
            "SELECT line_id, number, part, total, p.captured, p.released, p.refunded FROM hold JOIN hold_part p"
            " ON hold_id = hold.id WHERE line_id = ANY(%s) ORDER BY 1, 2, 3",
            [line.id for line in self.lines],
        )
        assert stored == sorted(
            (line, number, part, hold.total[part], *(hold.done[part][what] for what in ("captured", "released", "refunded")))
            for line, of in self.paper.holds.items()
            for number, hold in enumerate(of, 1)
            for part in PARTS
        )  # fmt: skip

    @invariant()
    def suppliers_have_what_they_earned(self) -> None:
        for supplier in getattr(self, "suppliers", ()):
            pots = ("pending", "available", "reserve", "in_payout", "receivable")
            have = sum(self.paper.accounts[f"supplier:{supplier}:{pot}"] for pot in pots)
            assert have + self.paid.get(supplier, 0) == self.paper.earned(supplier)

    def teardown(self) -> None:
        with self.db.unit_of_work() as uow:
            found = prove(uow, [claim for claim in CLAIMS if claim.name not in ELSEWHERE])
        assert [check for check in found.checks if not check.ok] == []


def explore(database_url: str, examples: int, steps: int) -> None:
    Ledger.db = Database(database_url, ())
    try:
        run_state_machine_as_test(
            Ledger,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        Ledger.db.close()


def test_any_order_of_commands(database_url: str) -> None:
    explore(database_url, 25, 60)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_any_order_of_many_commands(database_url: str) -> None:
    explore(database_url, 300, 80)
