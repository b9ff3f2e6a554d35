"""A seller takes deposit back: it is set aside at once and joins the next payment file."""

import hashlib

from core.clock import now
from core.database import UnitOfWork
from core.errors import Refused, there_is
from core.money import Money
from ledger import chart
from ledger import deposits as money
from ledger.posting import balances_of
from models.companies import Company
from models.settlement import Payout
from pipelines.settlement.deposits import credited, refuse_nothing


def ask(uow: UnitOfWork, seller_id: int, amount: Money, key: str) -> Payout:
    """Moves the amount out of the deposit. The same key again is the first withdrawal again.

    Raises Refused: "too_little" where the free deposit does not cover it or the seller owes the hub something,
    "key_reused" where the key stands for another withdrawal, "nothing", "not_found".
    """
    refuse_nothing(amount, "withdraw")
    there_is(uow.session.query(Company).filter_by(id=seller_id, kind="seller").first(), f"Seller {seller_id}")
    free, _, receivable = balances_of(
        uow,
        amount.currency,
        chart.deposit(seller_id),
        chart.withdrawing(seller_id),
        chart.seller_receivable(seller_id),
    )
    # Derived from the key, so that a repeated wish finds the first one; only now, after waiting for the accounts.
    end_to_end_id = "PAY-W-" + hashlib.sha256(key.encode()).hexdigest()[:24].upper()
    first = uow.session.query(Payout).filter_by(end_to_end_id=end_to_end_id).one_or_none()
    if first is not None:
        if (first.company_id, first.amount_minor, first.currency) != (
            seller_id,
            amount.minor,
            amount.currency,
        ):
            raise Refused(
                f"The key {key} was used for another withdrawal; a new command needs a new key.",
                rule="key_reused",
            )
        return first
    if receivable < 0:
        owed = Money(-receivable, amount.currency)
        raise Refused(
            f"Seller {seller_id} owes the hub {owed}; a withdrawal waits until that is paid.",
            rule="too_little",
        )
    if free < amount.minor:
        raise Refused(
            f"The free deposit of seller {seller_id} is {Money(free, amount.currency)}, which does not cover {amount}; "
            "what is held for orders cannot be withdrawn.",
            rule="too_little",
        )
    payout = Payout(
        kind="withdrawal",
        company_id=seller_id,
        end_to_end_id=end_to_end_id,
        amount_minor=amount.minor,
        currency=amount.currency,
        state="asked",
    )
    uow.session.add(payout)
    uow.session.flush()
    money.withdrawal_asked(
        uow,
        seller_id=seller_id,
        amount=amount,
        key=f"withdrawal:{payout.id}",
        happened_at=now(),
        refs={"seller": seller_id, "payout": payout.id},
    )
    return payout


def cancel(uow: UnitOfWork, payout_id: int) -> Payout:
    """Gives the amount back to the deposit; a second time nothing happens.

    Raises Refused where it is in a payment file already, "not_found" where there is no such withdrawal.
    """
    payout = there_is(
        uow.session.query(Payout)
        .filter_by(id=payout_id, kind="withdrawal")
        .with_for_update(key_share=True)
        .one_or_none(),
        f"Withdrawal {payout_id}",
    )
    if payout.state == "cancelled":
        return payout
    if payout.state != "asked":
        raise Refused(
            f"Withdrawal {payout_id} is {payout.state}; only one that is in no payment file can be cancelled.",
            rule="state",
        )
    payout.state, payout.ended_at = "cancelled", now()
    money.withdrawal_failed(
        uow,
        seller_id=payout.company_id,
        amount=Money(payout.amount_minor, payout.currency),
        key=f"withdrawal:{payout.id}:cancelled",
        happened_at=now(),
        refs={"payout": payout.id},
    )
    credited(uow, payout.company_id)
    return payout
