"""Proves the ledger: every claim about the money is counted anew from the tables, and what is left over is zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.money import Money
from core.unit_of_work import SET_SECONDS, UnitOfWork
from ledger import proof_bank
from ledger.claims import CLAIMS, Claim

ALL = (*CLAIMS, *proof_bank.CLAIMS)


@dataclass(frozen=True, slots=True)
class Check:
    """A claim as it was found. Amounts of money are in major units; `wrong` counts what does not agree one by one."""

    name: str
    ok: bool
    figure: str
    expected: str
    wrong: int
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """{"name", "ok", "figure", "expected", "wrong", "sentence"}"""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Proof:
    """All checks. `remainder`: by how much the sides of all claims about money differ, each taken as positive."""

    entries: int
    postings: int
    accounts: int
    checks: tuple[Check, ...]
    remainder: Money

    @property
    def ok(self) -> bool:
        """Whether every check holds and nothing is left over."""
        return all(check.ok for check in self.checks) and self.remainder.minor == 0

    def as_json(self) -> dict[str, Any]:
        """{"entries", "postings", "accounts", "checks": [...], "remainder": "0.00", "currency": "EUR", "ok": true}"""
        return {
            "entries": self.entries,
            "postings": self.postings,
            "accounts": self.accounts,
            "checks": [check.as_json() for check in self.checks],
            "remainder": str(self.remainder.amount),
            "currency": self.remainder.currency,
            "ok": self.ok,
        }


def prove(uow: UnitOfWork, claims: Sequence[Claim] = ALL) -> Proof:
    """Counts every claim at one moment. It reads everything there is: give it a unit of work of its own."""
    cursor = uow.cursor()
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    uow.allow(SET_SECONDS)
    cursor.execute(
        "SELECT (SELECT count(*) FROM journal_entry), (SELECT count(*) FROM posting), (SELECT count(*) FROM account),"
        " (SELECT currency FROM account GROUP BY currency ORDER BY count(*) DESC, currency LIMIT 1)"
    )
    ((entries, postings, accounts, currency),) = cursor.fetchall()
    currency = currency or "XXX"  # ISO 4217's word for none: the ledger is empty
    checks, remainder = [], 0
    for claim in claims:
        cursor.execute(claim.query)
        ((figure, expected, wrong),) = cursor.fetchall()
        check = _checked(claim, int(figure), int(expected), wrong, currency)
        checks.append(check)
        if claim.money and not (claim.at_least and figure >= expected):
            remainder += abs(int(figure) - int(expected))
    return Proof(entries, postings, accounts, tuple(checks), Money(remainder, currency))


def _checked(claim: Claim, figure: int, expected: int, wrong: int, currency: str) -> Check:
    ok = wrong == 0 and (figure >= expected if claim.at_least else figure == expected)
    if claim.money:
        shown, wanted = str(Money(figure, currency).amount), str(Money(expected, currency).amount)
    else:
        shown, wanted = str(figure), str(expected)
    return Check(claim.name, ok, shown, wanted, wrong, claim.sentence)
