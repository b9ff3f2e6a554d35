"""How the stateful test runs a command: perhaps killed before its commit first, compared with paper, kept for repeating."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis.stateful import RuleBasedStateMachine

from core.database import Database, UnitOfWork
from core.errors import EntrepotError, Refused
from ledger import chart
from tests.books import Books
from tests.ledger_model import Paper
from tests.stepping import one, rows

Command = Callable[[UnitOfWork], Any]


class Crash(Exception):
    """Ours: the process ended before its commit."""


@dataclass
class Piece:
    """An order line in play."""

    id: int
    order: int
    ordered: int
    cost: str


class Compared(RuleBasedStateMachine):
    """The ledger and the paper side by side, and what is in play."""

    db: Database

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(self.db)
        self.paper = Paper()
        self.turn = 0
        self.lines: list[Piece] = []
        self.shipments: list[tuple[int, int]] = []
        self.payouts: list[tuple[str, int, int, str]] = []
        self.withdrawals: list[tuple[str, int, int]] = []
        self.suppliers: list[int] = []
        self.paid: dict[int, int] = {}
        self.replays: list[tuple[Command, Any]] = []
        self.number = one(self.db, "SELECT count(*) FROM journal_entry") * 1000

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

    def held_line(self, which: int, left: Callable[[int], int]) -> int | None:
        """A line that was covered; mostly one of which something is left to take."""
        lines = sorted(self.paper.holds)
        fit = [line for line in lines if left(line)]
        return self.one_of(fit if fit and which % 8 else lines, which) if lines else None

    def funded_supplier(self, which: int) -> int:
        """A supplier, mostly one to whom something is available."""
        fit = [n for n in self.suppliers if self.paper.accounts[chart.available(n)]]
        return int(self.one_of(fit or self.suppliers, which))

    @staticmethod
    def one_of(of: Any, which: int) -> Any:
        return of[which % len(of)]
