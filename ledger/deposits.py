"""What happens to a seller's deposit outside orders: top-ups, money of unknown origin, withdrawals.

Each command posts once by its key in the caller's unit of work and returns the entry; again with the same key and
content it returns the first one. After money came to a deposit the caller emits DepositCredited.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from core.money import Money
from core.unit_of_work import UnitOfWork
from ledger import chart, rules
from ledger.posting import balances_of, post, posted
from models.ledger import JournalEntry


def top_up(
    uow: UnitOfWork,
    *,
    seller_id: int,
    amount: Money,
    key: str,
    happened_at: datetime,
    via: str = chart.BANK,
    refs: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """Money of the seller arrived at the bank or the payment provider (`via`): his debt first, the rest to his deposit."""
    return _credit(
        uow,
        key,
        "top_up",
        seller_id,
        amount,
        via,
        happened_at,
        refs,
        lambda owed: rules.top_up(seller_id, amount, owed=owed, via=via),
    )


def allocate(
    uow: UnitOfWork,
    *,
    seller_id: int,
    amount: Money,
    key: str,
    happened_at: datetime,
    refs: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """Money that lay unallocated is this seller's."""
    return _credit(
        uow,
        key,
        "allocate",
        seller_id,
        amount,
        chart.UNALLOCATED,
        happened_at,
        refs,
        lambda owed: rules.allocate(seller_id, amount, owed=owed),
    )


def withdrawal_asked(
    uow: UnitOfWork,
    *,
    seller_id: int,
    amount: Money,
    key: str,
    happened_at: datetime,
    refs: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """Free deposit is put aside for its transfer. Raises Refused ("too_little") where less is free."""
    return post(uow, key, "withdrawal_asked", rules.withdrawal_asked(seller_id, amount), happened_at, refs)


def withdrawal_paid(
    uow: UnitOfWork,
    *,
    seller_id: int,
    amount: Money,
    key: str,
    happened_at: datetime,
    refs: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """The bank statement shows the transfer."""
    return post(uow, key, "withdrawal_paid", rules.withdrawal_paid(seller_id, amount), happened_at, refs)


def withdrawal_failed(
    uow: UnitOfWork,
    *,
    seller_id: int,
    amount: Money,
    key: str,
    happened_at: datetime,
    refs: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """The transfer was cancelled or refused before it was paid."""
    return _credit(
        uow,
        key,
        "withdrawal_failed",
        seller_id,
        amount,
        chart.withdrawing(seller_id),
        happened_at,
        refs,
        lambda owed: rules.withdrawal_failed(seller_id, amount, owed=owed),
    )


def withdrawal_returned(
    uow: UnitOfWork,
    *,
    seller_id: int,
    amount: Money,
    key: str,
    happened_at: datetime,
    refs: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """The transfer was paid and came back."""
    return _credit(
        uow,
        key,
        "withdrawal_returned",
        seller_id,
        amount,
        chart.BANK,
        happened_at,
        refs,
        lambda owed: rules.withdrawal_returned(seller_id, amount, owed=owed),
    )


def _credit(
    uow: UnitOfWork,
    key: str,
    rule: str,
    seller_id: int,
    amount: Money,
    source: str,
    happened_at: datetime,
    refs: Mapping[str, Any] | None,
    moves: Callable[[int], list[rules.Move]],
) -> JournalEntry:
    """How much of it repays a debt follows from the present balance, so a repetition is known by its refs."""
    names = (chart.seller_receivable(seller_id), chart.deposit(seller_id), source)
    receivable, *_ = balances_of(uow, amount.currency, *names)
    told = {**(refs or {}), "seller": seller_id, "amount": amount.minor, "currency": amount.currency}
    if first := posted(uow, key, rule, told):
        return first
    return post(uow, key, rule, moves(max(0, -receivable)), happened_at, told)
