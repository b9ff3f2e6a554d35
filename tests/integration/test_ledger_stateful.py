"""Any order of commands, repeated, refused, killed in the middle: the ledger stays what the paper says, to the cent.

More of it: `./run test --deep`. A failing run is repeated with its seed (first line of the run) or its blob.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from core.database import Database, UnitOfWork
from core.errors import EntrepotError, Refused
from ledger import chart, deposits, holds, rules
from ledger.claims import CLAIMS
from ledger.holds import Line, Short
from ledger.posting import post
from ledger.proof import prove
from ledger.rules import Move
from tests.books import NOON, VAT, Books, euros
from tests.ledger_model import PARTS, Paper
from tests.stepping import one, rows

LATER = NOON + timedelta(days=14)
COSTS = ("0", "0.004", "0.335", "1.00", "9.99", "33.335")
GLOBAL = ("bank", "commission", "vat")

Command = Callable[[UnitOfWork], Any]
crashes = st.sampled_from(["", "", "", "", "raise", "kill"])
some = st.integers(0, 10**6)


class Crash(Exception):
    """Ours: the process ended before its commit."""


@dataclass
class Piece:
    """An order line in play."""

    id: int
    order: int
    ordered: int
    cost: str


class Ledger(RuleBasedStateMachine):
    """Commands on real PostgreSQL, each also done on paper. One database serves all runs; each has its own companies."""

    db: Database

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(self.db)
        self.paper = Paper()
        self.lines: list[Piece] = []
        self.shipments: list[tuple[int, int]] = []
        self.payouts: list[tuple[str, int, int, str]] = []
        self.withdrawals: list[tuple[str, int, int]] = []
        self.paid: dict[int, int] = {}
        self.replays: list[tuple[Command, Any]] = []
        self.number = one(self.db, "SELECT count(*) FROM journal_entry") * 1000

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
        self.top_up(0, 20_000, "")

    # --- commands ---------------------------------------------------------------------------------------------

    @rule(who=some, amount=st.integers(1, 30_000), crash=crashes)
    def top_up(self, who: int, amount: int, crash: str) -> None:
        seller, key = self.one_of(self.sellers, who), self.key("top")
        self.perform(
            lambda uow: (
                deposits.top_up(uow, seller_id=seller, amount=euros(amount), key=key, happened_at=NOON).id
            ),
            crash,
        )
        self.paper.credit(seller, "bank", amount)

    @rule(who=some, amount=st.integers(1, 3_000))
    def charge_back(self, who: int, amount: int) -> None:
        name, key = chart.seller_receivable(self.one_of(self.sellers, who)), self.key("owe")
        self.perform(lambda uow: post(uow, key, "owe", [Move(name, "bank", euros(amount))], NOON).id)
        self.paper.move(name, "bank", amount)

    @rule(
        who=some, quantities=st.lists(st.integers(1, 5), min_size=1, max_size=3), cost=st.sampled_from(COSTS)
    )
    def new_order(self, who: int, quantities: list[int], cost: str) -> None:
        seller = self.one_of(self.sellers, who)
        order, lines = self.books.order(seller, *quantities)
        for line, quantity in zip(lines, quantities, strict=True):
            self.lines.append(Piece(line, order, quantity, cost))
            self.paper.seller_of[line] = seller

    @rule(which=some, supplier=some, less=st.integers(0, 2), together=st.booleans(), crash=crashes)
    def open(self, which: int, supplier: int, less: int, together: bool, crash: str) -> None:
        if not self.lines:
            return
        first, supplier = self.one_of(self.lines, which), self.one_of(self.suppliers, supplier)
        seller = self.paper.seller_of[first.id]
        pieces = [line for line in self.lines if line.order == first.order] if together else [first]
        wanted = [(line.id, max(1, line.ordered - less), Fraction(line.cost) * 100) for line in pieces]
        lines = [
            Line(line, first.order, seller, supplier, quantity, Decimal(first.cost))
            for line, quantity, _ in wanted
        ]

        def command(uow: UnitOfWork) -> Any:
            return holds.open_holds(uow, lines, currency="EUR", happened_at=NOON, vat_percent=VAT)

        if any(
            self.paper.held_pieces(line.id) + n > line.ordered
            for line, (_, n, _) in zip(pieces, wanted, strict=True)
        ):
            self.refused(command, "held_already")
            return
        missing = self.paper.hold(seller, first.order, supplier, wanted)
        opened = self.perform(command, crash, repeat=False)
        assert (opened.missing.minor if isinstance(opened, Short) else None) == missing

    @rule(which=some, quantity=st.integers(1, 4), crash=crashes)
    def release(self, which: int, quantity: int, crash: str) -> None:
        if line := self.held_line(which):
            key = self.key("release")
            self.count(
                lambda uow: holds.release(uow, line, quantity, key, "gone"),
                quantity <= self.paper.open(line), "beyond_open", lambda: self.paper.release(line, quantity), crash,
            )  # fmt: skip

    @rule(which=some, quantity=st.integers(1, 4), crash=crashes)
    def capture(self, which: int, quantity: int, crash: str) -> None:
        if line := self.held_line(which):
            shipment = self.books.shipment(
                next(p.order for p in self.lines if p.id == line), self.suppliers[0]
            )
            done = self.count(
                lambda uow: holds.capture(
                    uow, line_id=line, shipment_id=shipment, quantity=quantity, happened_at=NOON, matures_at=LATER
                ),
                quantity <= self.paper.open(line), "beyond_open", lambda: self.paper.capture(line, quantity, shipment), crash,
            )  # fmt: skip
            if done:
                self.shipments.append((line, shipment))

    @rule(which=some, quantity=st.integers(1, 4), crash=crashes)
    def refund(self, which: int, quantity: int, crash: str) -> None:
        if line := self.held_line(which):
            key = self.key("refund")
            self.count(
                lambda uow: holds.refund(uow, line_id=line, quantity=quantity, key=key, happened_at=NOON),
                quantity <= self.paper.refundable(line), "beyond_captured",
                lambda: self.paper.refund(line, quantity), crash,
            )  # fmt: skip

    @rule(which=some, crash=crashes)
    def mature(self, which: int, crash: str) -> None:
        if not self.shipments:
            return
        line, shipment = self.one_of(self.shipments, which)
        for (capture,) in rows(self.db, "SELECT id FROM capture WHERE shipment_id = %s", shipment):

            def command(uow: UnitOfWork, at: int = capture) -> None:
                holds.mature(uow, at, LATER)

            self.perform(command, crash)
        self.paper.mature(line, shipment)

    @rule(which=some, crash=crashes)
    def set_aside(self, which: int, crash: str) -> None:
        supplier, key = self.one_of(self.suppliers, which), self.key("reserve")
        amount = self.paper.accounts[chart.available(supplier)] // 3
        if amount:
            move = Move(chart.available(supplier), chart.reserve(supplier), euros(amount))
            self.perform(lambda uow: post(uow, key, "payout_built", [move], NOON).id, crash)
            self.paper.move(chart.available(supplier), chart.reserve(supplier), amount)

    @rule(which=some, percent=st.integers(10, 120), crash=crashes)
    def build_payout(self, which: int, percent: int, crash: str) -> None:
        supplier, key = self.one_of(self.suppliers, which), self.key("pay")
        available = self.paper.accounts[chart.available(supplier)]
        amount = available * percent // 100
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

    @rule(which=some, end=st.sampled_from(["paid", "rejected", "returned"]), crash=crashes)
    def end_payout(self, which: int, end: str, crash: str) -> None:
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

    @rule(who=some, amount=st.integers(1, 9_000), crash=crashes)
    def ask_withdrawal(self, who: int, amount: int, crash: str) -> None:
        seller, key = self.one_of(self.sellers, who), self.key("withdraw")

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

    @rule(which=some, paid=st.booleans(), crash=crashes)
    def end_withdrawal(self, which: int, paid: bool, crash: str) -> None:
        if not self.withdrawals:
            return
        key, seller, amount = self.withdrawals.pop(which % len(self.withdrawals))
        end = deposits.withdrawal_paid if paid else deposits.withdrawal_failed
        self.perform(
            lambda uow: (
                end(uow, seller_id=seller, amount=euros(amount), key=f"{key}:end", happened_at=NOON).id
            ),
            crash,
        )
        if paid:
            self.paper.move(chart.withdrawing(seller), "bank", amount)
        else:
            self.paper.credit(seller, chart.withdrawing(seller), amount)

    @rule(which=some)
    def repeat(self, which: int) -> None:
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
            found = prove(uow, [claim for claim in CLAIMS if claim.name != "client_money_is_there"])
        assert [check for check in found.checks if not check.ok] == []

    # --- how ---------------------------------------------------------------------------------------------------

    def perform(self, command: Command, crash: str = "", *, repeat: bool = True) -> Any:
        """The command, after it crashed once before its commit where asked: that must leave nothing behind."""
        if crash:
            before = self.everything()
            with pytest.raises((Crash, EntrepotError)), self.db.unit_of_work() as uow:
                command(uow)
                if crash == "raise":
                    raise Crash
                (pid,) = uow.cursor().execute("SELECT pg_backend_pid()").fetchone() or (0,)
                with psycopg.connect(self.db.url, autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            assert self.everything() == before
        with self.db.unit_of_work() as uow:
            answer = command(uow)
        if repeat:
            self.replays.append((command, getattr(answer, "entry_id", answer)))
        return answer

    def count(
        self, command: Command, possible: bool, otherwise: str, on_paper: Callable[[], int], crash: str
    ) -> bool:
        """A command that takes pieces of a hold: refused where there are too few, else worth what the paper says."""
        if not possible:
            self.refused(command, otherwise)
            return False
        done = self.perform(command, crash)
        assert (done.amount.minor, done.again) == (on_paper(), False)
        return True

    def refused(self, command: Command, why: str) -> None:
        before = self.everything()
        with pytest.raises(Refused) as refused, self.db.unit_of_work() as uow:
            command(uow)
        assert refused.value.rule == why
        assert self.everything() == before

    def everything(self) -> list[tuple[Any, ...]]:
        """Short marks of all there is: a row written, changed or taken away changes them. New accounts are no money."""
        return rows(
            self.db,
            "SELECT (SELECT max(id) FROM journal_entry), (SELECT max(id) FROM posting), (SELECT count(*) FROM hold_change),"
            " (SELECT string_agg(h::text, '|' ORDER BY id) FROM hold h WHERE line_id = ANY(%(lines)s)),"
            " (SELECT string_agg(p::text, '|' ORDER BY hold_id, part) FROM hold_part p JOIN hold ON hold.id = hold_id WHERE line_id = ANY(%(lines)s)),"
            " (SELECT string_agg(c::text, '|' ORDER BY c.id) FROM capture c JOIN hold ON hold.id = hold_id WHERE line_id = ANY(%(lines)s)),"
            " (SELECT string_agg(name || balance || '/' || version, '|' ORDER BY id) FROM account WHERE version > 0),"
            " (SELECT string_agg(p::text, '|' ORDER BY id) FROM payout p)".replace("%(lines)s", "%s"),
            *([[line.id for line in self.lines]] * 3),
        )

    def read(self, names: Any) -> dict[str, int]:
        found = dict(rows(self.db, "SELECT name, balance FROM account WHERE name = ANY(%s)", list(names)))
        return {name: found.get(name, 0) for name in names}

    def key(self, what: str) -> str:
        self.number += 1
        return f"{what}:{self.number}:{id(self)}"

    def held_line(self, which: int) -> int | None:
        return self.one_of(sorted(self.paper.holds), which) if self.paper.holds else None

    @staticmethod
    def one_of(of: Any, which: int) -> Any:
        return of[which % len(of)]


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
    explore(database_url, 40, 50)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_any_order_of_many_commands(database_url: str) -> None:
    explore(database_url, 300, 80)
