"""What an account holds, now or at any moment, and its lines as a bank statement shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.money import Money
from core.unit_of_work import UnitOfWork
from ledger import chart

NOW = "SELECT name, currency, kind, balance FROM account ORDER BY name, currency"

# An account's balance is that of its last posting up to the moment: an index look-up each, whatever the journal's size.
AT = """
SELECT name, currency, kind, coalesce((
    SELECT balance FROM (
        (SELECT source_version AS version, source_balance AS balance FROM posting JOIN journal_entry e ON e.id = entry_id
            WHERE source_id = account.id AND posted_at <= %(at)s ORDER BY source_version DESC LIMIT 1)
        UNION ALL
        (SELECT destination_version, destination_balance FROM posting JOIN journal_entry e ON e.id = entry_id
            WHERE destination_id = account.id AND posted_at <= %(at)s ORDER BY destination_version DESC LIMIT 1)
    ) AS last ORDER BY version DESC LIMIT 1), 0)
FROM account ORDER BY name, currency"""

LINES = """
SELECT p.id, e.id, e.happened_at, e.posted_at, e.rule, e.refs, p.part, p.amount, p.source, p.version, p.balance, other.name
FROM account JOIN LATERAL (
    (SELECT id, entry_id, part, amount, true AS source, source_version AS version, source_balance AS balance,
        destination_id AS other_id FROM posting
        WHERE source_id = account.id AND source_version < %(before)s ORDER BY source_version DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT id, entry_id, part, amount, false, destination_version, destination_balance, source_id FROM posting
        WHERE destination_id = account.id AND destination_version < %(before)s ORDER BY destination_version DESC LIMIT %(limit)s)
) AS p ON true
JOIN journal_entry e ON e.id = p.entry_id JOIN account AS other ON other.id = p.other_id
WHERE account.name = %(name)s AND account.currency = %(currency)s
ORDER BY p.version DESC LIMIT %(limit)s"""

EVERYTHING = 2**62


@dataclass(frozen=True, slots=True)
class Balance:
    """An account as a person reads it: an asset that is worth something is positive, as is a liability."""

    name: str
    kind: str
    amount: Money


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One posting from an account's own view: `came_in` or `went_out` is zero, `balance` is the one after it.

    `version` numbers the account's lines without a gap; it is also what `account_lines` pages by.
    """

    version: int
    posting_id: int
    entry_id: int
    happened_at: datetime
    posted_at: datetime
    rule: str
    part: str
    what_for: str
    other: str
    came_in: Money
    went_out: Money
    balance: Money
    refs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DepositView:
    """A seller's money at the hub; `receivable` is what he owes."""

    available: Money
    held: Money
    withdrawing: Money
    receivable: Money


@dataclass(frozen=True, slots=True)
class SupplierView:
    """A supplier's money at the hub; `receivable` is what he owes."""

    pending: Money
    available: Money
    reserve: Money
    in_payout: Money
    receivable: Money


def balance(uow: UnitOfWork, name: str, currency: str) -> Money:
    """The account's balance as a person reads it; zero where it has never moved."""
    return _several(uow, [name], currency)[0]


def balances(uow: UnitOfWork, at: datetime | None = None) -> list[Balance]:
    """Every account by name, now or as it was at that moment (what was posted until then)."""
    cursor = uow.cursor()
    cursor.execute(*((NOW, None) if at is None else (AT, {"at": at})))
    return [
        Balance(name, kind, Money(_read(kind, minor), currency))
        for name, currency, kind, minor in cursor.fetchall()
    ]


def deposit_view(uow: UnitOfWork, seller_id: int, currency: str) -> DepositView:
    """What the seller has free, held and on its way, and what he owes."""
    names = [chart.deposit, chart.held, chart.withdrawing, chart.seller_receivable]
    return DepositView(*_several(uow, [name(seller_id) for name in names], currency))


def supplier_view(uow: UnitOfWork, supplier_id: int, currency: str) -> SupplierView:
    """What the supplier has earned, by how far it is from being paid, and what he owes."""
    names = [chart.pending, chart.available, chart.reserve, chart.in_payout, chart.supplier_receivable]
    return SupplierView(*_several(uow, [name(supplier_id) for name in names], currency))


def account_lines(
    uow: UnitOfWork, name: str, currency: str, *, before: int | None = None, limit: int = 50
) -> list[AccountLine]:
    """The account's lines, the newest first; the next page is `before` the last one's `version`."""
    cursor = uow.cursor()
    values = {"name": name, "currency": currency, "before": before or EVERYTHING, "limit": limit}
    cursor.execute(LINES, values)
    asset = chart.character(name).kind == "asset"
    return [_line(row, currency, asset) for row in cursor.fetchall()]


WORDS = {
    "top_up": "Top-up",
    "unallocated": "Money of unknown origin",
    "unallocated_returned": "Money of unknown origin sent back",
    "allocate": "Top-up, allocated by a person",
    "hold": "Held for order line {line}",
    "release": "Released, order line {line}",
    "capture": "Shipped, order line {line}",
    "mature": "Matured, order line {line}",
    "refund": "Refunded, order line {line}",
    "payout_built": "Payout in preparation",
    "payout_paid": "Payout",
    "payout_rejected": "Payout refused by the bank",
    "payout_returned": "Payout came back from the bank",
    "netted": "Set off against what was owed",
    "withdrawal_asked": "Withdrawal asked for",
    "withdrawal_paid": "Withdrawal",
    "withdrawal_failed": "Withdrawal cancelled or refused",
    "withdrawal_returned": "Withdrawal came back from the bank",
    "bank_fee": "Bank fee",
    "reverse": "Reversal",
}


def what_for(rule: str, part: str, refs: dict[str, Any]) -> str:
    """A posting in words: "Held for order line 7: shipping"."""
    words = WORDS.get(rule, rule.replace("_", " ").capitalize())
    told = words.format(line=refs.get("line", "?"))
    return f"{told}: {part.upper() if part == 'vat' else part}" if part else told


def _line(row: Sequence[Any], currency: str, asset: bool) -> AccountLine:
    posting_id, entry_id, happened_at, posted_at, rule, refs, part, minor, source, version, after, other = row
    # For an asset, being debited is money coming in.
    amount, nothing = Money(minor, currency), Money(0, currency)
    came_in, went_out = (amount, nothing) if source == asset else (nothing, amount)
    return AccountLine(
        version=version,
        posting_id=posting_id,
        entry_id=entry_id,
        happened_at=happened_at,
        posted_at=posted_at,
        rule=rule,
        part=part,
        what_for=what_for(rule, part, refs),
        other=other,
        came_in=came_in,
        went_out=went_out,
        balance=Money(-after if asset else after, currency),
        refs=refs,
    )


def _several(uow: UnitOfWork, names: list[str], currency: str) -> list[Money]:
    cursor = uow.cursor()
    cursor.execute(
        "SELECT name, balance FROM account WHERE name = ANY(%s) AND currency = %s", [names, currency]
    )
    found = dict(cursor.fetchall())
    return [Money(_read(chart.character(name).kind, found.get(name, 0)), currency) for name in names]


def _read(kind: str, minor: int) -> int:
    return -minor if kind == "asset" else minor
