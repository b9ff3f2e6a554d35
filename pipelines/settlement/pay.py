"""Pays an approved run: payouts are built in the ledger and leave as one payment file, the same bytes for ever."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC

from connectors.banking import BankAccount, PayoutDraft
from connectors.registry import PAYOUTS
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Refused, there_is
from core.money import Money
from core.settings import Settings, load
from ledger import deposits as money
from ledger import rules
from ledger.posting import Draft, post, post_all
from models.events import SettlementApproved
from models.purchasing import BankDetails
from models.settlement import Payout, SettlementRun, Statement
from pipelines.settlement.close import payable, require_account, run_of, standings_of
from pipelines.settlement.deposits import credited
from pipelines.settlement.outcome import settle_run


def pay(event: SettlementApproved, db: Database) -> None:
    """Exports the run once; one that was cancelled meanwhile is left alone.

    Raises Misconfigured or Refused, and then nothing is stored: not one payout is built.
    """
    settings = load()
    with db.unit_of_work(last=True) as uow:
        run = run_of(uow, event.settlement_run_id)
        if run.state == "approved":
            export(uow, settings, run)


def export(uow: UnitOfWork, settings: Settings, run: SettlementRun) -> None:
    """Payouts of the run's statements and the withdrawals asked so far: postings, file, state exported."""
    require_account(settings)
    payouts = [*_built(uow, run), *_withdrawals(uow, run)]
    run.exported_at = now()
    if not payouts:
        run.state = "confirmed"  # there is nothing that the bank could speak of
        return
    debtor = BankAccount(
        settings.bank_holder, settings.bank_iban, settings.bank_town, settings.bank_country, settings.bank_bic
    )
    message_id = f"RUN-{run.id}-{uuid.uuid4().hex[:12].upper()}"
    today = run.exported_at.astimezone(UTC).date()
    drafts = [_draft(payout, run) for payout in payouts]
    made = PAYOUTS["sepa"]().export(message_id, debtor, drafts, today)
    run.message_id, run.file, run.file_sha256 = made.message_id, made.content, made.sha256
    run.state = "exported"


def payment_file(uow: UnitOfWork, run_id: int) -> bytes:
    """The file as it was made. Raises Refused: "not_found", "no_file" where the run is not exported or paid nobody."""
    run = there_is(uow.session.get(SettlementRun, run_id), f"Settlement run {run_id}")
    if run.file is None:
        raise Refused(
            f"Run {run_id} is {run.state} and has no payment file; "
            + ("it had nothing to pay." if run.exported_at else "approve it first."),
            rule="no_file",
        )
    return run.file


def reject(uow: UnitOfWork, payout_id: int, reason: str) -> Payout:
    """The bank refused an exported payout before any money moved: the payee has it again. Again: nothing.

    Raises Refused: "not_found", "state" where it is not exported (one that was paid comes back on a bank statement).
    """
    query = uow.session.query(Payout).filter_by(id=payout_id).with_for_update(key_share=True)
    payout = there_is(query.populate_existing().one_or_none(), f"Payout {payout_id}")
    if payout.state == "rejected":
        return payout
    if payout.state != "exported":
        raise Refused(
            f"Payout {payout_id} is {payout.state}; only an exported one can be rejected.", rule="state"
        )
    amount, key = Money(payout.amount_minor, payout.currency), f"payout:{payout.id}:rejected"
    if payout.kind == "withdrawal":
        money.withdrawal_failed(
            uow,
            seller_id=payout.company_id,
            amount=amount,
            key=key,
            happened_at=now(),
            refs={"payout": payout.id},
        )
        credited(uow, payout.company_id)
    else:
        refs = {"payout": payout.id, "supplier": payout.company_id}
        post(uow, key, "payout_rejected", rules.payout_rejected(payout.company_id, amount), now(), refs)
    payout.state, payout.reason, payout.ended_at = "rejected", reason, now()
    settle_run(uow, payout.run_id)
    return payout


def _built(uow: UnitOfWork, run: SettlementRun) -> list[Payout]:
    """A payout for each statement that is to be paid, as far as it is still there: refunds may have come since."""
    statements = (
        uow.session.query(Statement)
        .filter(Statement.run_id == run.id, Statement.payout_minor > 0)
        .order_by(Statement.company_id)
        .all()
    )
    suppliers = [statement.company_id for statement in statements]
    standings = standings_of(uow, run.currency, suppliers)
    accounts = _accounts(uow, suppliers)
    payouts = []
    for statement in statements:
        paid, reason = payable(statement.closing_minor, standings[statement.company_id], run.currency)
        statement.payout_minor, statement.reason = paid, reason
        if paid:
            payouts.append(
                Payout(
                    kind="statement",
                    company_id=statement.company_id,
                    run_id=run.id,
                    statement_id=statement.id,
                    end_to_end_id=f"PAY-{run.id}-{uuid.uuid4().hex[:16].upper()}",
                    amount_minor=paid,
                    currency=run.currency,
                    state="exported",
                    to=asdict(accounts[statement.company_id]),
                )
            )
    uow.session.add_all(payouts)
    uow.session.flush()
    if payouts:
        post_all(uow, [_posting(payout) for payout in payouts])
    return payouts


def _posting(payout: Payout) -> Draft:
    amount = Money(payout.amount_minor, payout.currency)
    refs = {
        "payout": payout.id,
        "supplier": payout.company_id,
        "statement": payout.statement_id,
        "run": payout.run_id,
    }
    moves = rules.payout_built(payout.company_id, amount)
    return Draft(f"payout:{payout.id}:built", "payout_built", moves, now(), refs)


def _withdrawals(uow: UnitOfWork, run: SettlementRun) -> list[Payout]:
    """Withdrawals that were asked join the file; one without bank details waits with a sentence."""
    asked = (
        uow.session.query(Payout)
        .filter_by(kind="withdrawal", state="asked", currency=run.currency)
        .order_by(Payout.id)
        .with_for_update(key_share=True)
        .populate_existing()
        .all()
    )
    accounts = _accounts(uow, [payout.company_id for payout in asked])
    joined = []
    for payout in asked:
        if payout.company_id not in accounts:
            payout.reason = (
                "The seller's bank details are missing. Enter them; it joins the next payment file."
            )
            continue
        payout.run_id, payout.state, payout.reason = run.id, "exported", None
        payout.to = asdict(accounts[payout.company_id])
        joined.append(payout)
    return joined


def _accounts(uow: UnitOfWork, companies: Sequence[int]) -> dict[int, BankAccount]:
    found = uow.session.query(BankDetails).filter(BankDetails.company_id.in_(companies))
    return {
        each.company_id: BankAccount(each.holder, each.iban, each.town, each.country, each.bic)
        for each in found
    }


def _draft(payout: Payout, run: SettlementRun) -> PayoutDraft:
    what = f"statement {payout.statement_id}" if payout.kind == "statement" else f"withdrawal {payout.id}"
    return PayoutDraft(
        payout.end_to_end_id,
        BankAccount(**(payout.to or {})),
        Money(payout.amount_minor, payout.currency),
        f"Entrepot run {run.id}, {what}",
    )
