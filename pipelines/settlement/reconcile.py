"""Matches a bank statement's lines: top-ups find their seller, payouts are paid or come back, the rest asks a person."""

import hashlib
from collections.abc import Sequence

from core.clock import now
from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Refused, there_is
from core.money import Money
from ledger import chart, rules
from ledger import deposits as money
from ledger.posting import Draft, lock, post_all
from models.companies import Company
from models.events import BankStatementReceived
from models.ledger import JournalEntry
from models.settlement import BankEntry, BankStatementFile, Payout
from pipelines.settlement.deposits import credited, named_in, references
from pipelines.settlement.matching import Named, Seen, Verdict, verdict
from pipelines.settlement.outcome import settle_run
from pipelines.settlement.receive import receive_statement

__all__ = ["allocate", "entry_key", "receive_statement", "reconcile"]

CREDITS = ("top_up", "withdrawal_returned")
"""Rules whose amount reaches a deposit, after what the seller owes."""


def reconcile(event: BankStatementReceived, db: Database) -> None:
    """Books every new line of the statement; what was booked before is left as it is."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        statement = there_is(
            uow.session.get(BankStatementFile, event.bank_statement_id),
            f"Bank statement {event.bank_statement_id}",
        )
        lines = (
            uow.session.query(BankEntry)
            .filter_by(bank_statement_id=statement.id, state="new")
            .order_by(BankEntry.id)
            .with_for_update(key_share=True)
            .all()
        )
        # What came back is looked at last: a bank may book a return before the transfer of the same day.
        book(uow, sorted(lines, key=lambda line: (line.kind == "return", line.id)), statement.currency)


def book(uow: UnitOfWork, lines: Sequence[BankEntry], currency: str) -> None:
    """Decides each line, posts all of them at once, and moves the payouts and runs that they speak of."""
    payouts = _payouts(uow, [line.end_to_end_id for line in lines if line.end_to_end_id])
    sellers = references(uow) if any(line.kind == "credit" for line in lines) else {}
    verdicts = [
        _decided(line, payouts.get(line.end_to_end_id), sellers, currency) for line in lines
    ]  # one after the other: each sees what the one before made of its payout
    entries = post_all(uow, _drafts(uow, lines, verdicts, currency)) if lines else []
    for line, found, entry in zip(lines, verdicts, entries, strict=True):
        line.state = "unallocated" if found.problem else "matched"
        line.problem, line.entry_id = found.problem, entry.id
    for run_id in sorted({payout.run_id for payout in payouts.values() if payout.run_id}):
        settle_run(uow, run_id)
    for seller_id in sorted({v.company_id for v in verdicts if v.rule in CREDITS and v.company_id}):
        credited(uow, seller_id)


def allocate(uow: UnitOfWork, bank_line_id: int, seller_id: int, key: str) -> JournalEntry:
    """A person says that an unallocated credit is this seller's. The same key again is the first entry again.

    Raises Refused: "not_found", "state" where the line is matched already or money went out, "key_reused".
    """
    query = uow.session.query(BankEntry).filter_by(id=bank_line_id).with_for_update(key_share=True)
    line = there_is(query.populate_existing().one_or_none(), f"Bank line {bank_line_id}")
    statement = uow.session.get_one(BankStatementFile, line.bank_statement_id)
    there_is(uow.session.query(Company).filter_by(id=seller_id, kind="seller").first(), f"Seller {seller_id}")
    first = uow.session.query(JournalEntry.id).filter_by(key=key).first()
    if first is None and (line.state != "unallocated" or line.kind in ("debit", "fee")):
        raise Refused(
            f"Bank line {bank_line_id} is a {line.kind} and {line.state}; only money that came in and belongs to nobody "
            "can be allocated.",
            rule="state",
        )
    entry = money.allocate(
        uow,
        seller_id=seller_id,
        amount=Money(line.amount_minor, statement.currency),
        key=key,
        happened_at=now(),
        refs={"bank_line": line.id},
    )
    if first is None:
        line.state, line.problem = "matched", None
        credited(uow, seller_id)
    return entry


def entry_key(line: BankEntry) -> str:
    """The journal's key of a line: "bank:DE…:NTRY-7"; a long id is shortened to its SHA-256."""
    key = f"bank:{line.iban}:{line.line_id}"
    return key if len(key) <= 120 else f"bank:{line.iban}:{hashlib.sha256(line.line_id.encode()).hexdigest()}"


def _payouts(uow: UnitOfWork, end_to_end_ids: Sequence[str]) -> dict[str, Payout]:
    found = (
        uow.session.query(Payout)
        .filter(Payout.end_to_end_id.in_(end_to_end_ids))
        .order_by(Payout.id)
        .with_for_update(key_share=True)
        .populate_existing()
    )
    return {payout.end_to_end_id: payout for payout in found}


def _decided(line: BankEntry, payout: Payout | None, sellers: dict[str, int], currency: str) -> Verdict:
    named = None
    if payout is not None:
        amount = Money(payout.amount_minor, payout.currency)
        named = Named(payout.id, payout.kind, payout.company_id, amount, payout.state)
    seen = Seen(line.kind, Money(line.amount_minor, currency), line.end_to_end_id, line.reason)
    written = f"{line.reference} {line.end_to_end_id}"
    seller_id = named_in(written, sellers) if line.kind == "credit" else None
    found = verdict(seen, named, seller_id)
    if payout is not None and found.payout_state:
        payout.state, payout.ended_at = found.payout_state, now()
        if found.payout_state == "returned":
            payout.reason = f"The bank returned it: {line.reason or 'without a reason'}."
    return found


def _drafts(
    uow: UnitOfWork, lines: Sequence[BankEntry], verdicts: Sequence[Verdict], currency: str
) -> list[Draft]:
    """The entries of the lines in their order; what a seller owes shrinks from one of his credits to the next."""
    owed = _debts(uow, verdicts, currency)
    drafts = []
    for line, found in zip(lines, verdicts, strict=True):
        amount = Money(line.amount_minor, currency)
        company_id = found.company_id or 0
        debt = owed.get(company_id, 0)
        match found.rule:
            case "top_up":
                moves = rules.top_up(company_id, amount, owed=debt)
            case "withdrawal_returned":
                moves = rules.withdrawal_returned(company_id, amount, owed=debt)
            case "withdrawal_paid":
                moves = rules.withdrawal_paid(company_id, amount)
            case "payout_paid":
                moves = rules.payout_paid(company_id, amount)
            case "payout_returned":
                moves = rules.payout_returned(company_id, amount)
            case "bank_fee":
                moves = rules.bank_fee(amount)
            case "unallocated":
                moves = rules.unallocated(amount)
            case _:
                moves = rules.unallocated_returned(amount)
        if found.rule in CREDITS:
            owed[company_id] = max(0, debt - amount.minor)
        refs = {"bank_line": line.id} | ({"company": company_id} if company_id else {})
        drafts.append(Draft(entry_key(line), found.rule, moves, now(), refs))
    return drafts


def _debts(uow: UnitOfWork, verdicts: Sequence[Verdict], currency: str) -> dict[int, int]:
    """What each seller to be credited owes, in minor units; all that may be posted is locked with it, in one go."""
    names = {chart.BANK, chart.UNALLOCATED, chart.BANK_FEES}
    sellers = set()
    for found in verdicts:
        if found.company_id is None:
            continue
        if found.rule in CREDITS:
            sellers.add(found.company_id)
            names |= {chart.seller_receivable(found.company_id), chart.deposit(found.company_id)}
        elif found.rule == "withdrawal_paid":
            names.add(chart.withdrawing(found.company_id))
        else:
            names |= {chart.in_payout(found.company_id), chart.available(found.company_id)}
    pots = lock(uow, {(name, currency) for name in names})
    return {n: max(0, -pots[chart.seller_receivable(n), currency].balance) for n in sellers}
