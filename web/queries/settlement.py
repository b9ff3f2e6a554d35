"""What pages, API and command line show of settlement: runs, statements, payouts, and the bank's lines."""

from typing import Any

from sqlalchemy import BigInteger, Integer, String, case, cast, func, or_, select
from sqlalchemy.orm import Session

from models.companies import Company
from models.ledger import JournalEntry, Posting
from models.settlement import BankEntry, BankStatementFile, Payout, SettlementRun, Statement, StatementLine
from web.tables import ROWS, Ask, Column, Rows, paged, tally
from web.tables import Statement as Query

_statements = (
    select(
        Statement.run_id,
        func.count().label("statements"),
        cast(func.sum(Statement.closing_minor), BigInteger).label("closing_minor"),
        cast(func.sum(Statement.payout_minor), BigInteger).label("payout_minor"),
    )
    .group_by(Statement.run_id)
    .subquery()
)
_payouts = (
    select(
        Payout.run_id,
        func.count().label("payouts"),
        cast(func.sum(Payout.amount_minor), BigInteger).label("transfers_minor"),
        func.count().filter(Payout.state == "paid").label("paid"),
        func.count().filter(Payout.state.in_(("returned", "rejected"))).label("returned"),
    )
    .group_by(Payout.run_id)
    .subquery()
)


def run_rows(session: Session, limit: int = ROWS, before: int | None = None) -> list[dict[str, Any]]:
    """Settlement runs, the newest first, each with the counts and sums (minor units) of its statements and payouts."""
    statement = _runs().order_by(SettlementRun.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(SettlementRun.id < before)
    return [dict(row) for row in session.execute(statement).mappings()]


def one_run(session: Session, run_id: int) -> dict[str, Any] | None:
    """A run with its `statement_rows` and `payout_rows`, or None."""
    found = session.execute(_runs().where(SettlementRun.id == run_id)).mappings().one_or_none()
    if found is None:
        return None
    return {
        **found,
        "statement_rows": statement_rows(session, run_id),
        "payout_rows": payout_rows(session, run_id),
    }


def statement_rows(session: Session, run_id: int) -> list[dict[str, Any]]:
    """The statements of a run: opening + total = closing, `payout_minor` of it is paid, `reason` says why less is."""
    found = session.execute(
        _statement_columns().where(Statement.run_id == run_id).order_by(Statement.id)
    ).mappings()
    return [dict(row) for row in found]


def one_statement(session: Session, statement_id: int) -> dict[str, Any] | None:
    """A statement with its `lines` in the order they were posted (`in_minor`, `out_minor`, `balance_minor`), or None."""
    found = session.execute(_statement_columns().where(Statement.id == statement_id)).mappings().one_or_none()
    if found is None:
        return None
    balance, lines = found["opening_minor"], []
    posted = session.execute(
        select(
            StatementLine.posting_id, StatementLine.amount_minor, Posting.entry_id, Posting.part, JournalEntry.rule,
            JournalEntry.refs, JournalEntry.happened_at, JournalEntry.posted_at,
        )
        .join(Posting, Posting.id == StatementLine.posting_id).join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(StatementLine.statement_id == statement_id).order_by(StatementLine.posting_id)
    ).mappings()  # fmt: skip
    for row in posted:
        amount = row["amount_minor"]
        balance += amount
        signed = {"in_minor": max(amount, 0) or None, "out_minor": max(-amount, 0) or None}
        rest = {name: value for name, value in row.items() if name != "amount_minor"}
        lines.append({**rest, **signed, "balance_minor": balance})
    return {**found, "lines": lines}


def payout_rows(session: Session, run_id: int | None = None, limit: int = 500) -> list[dict[str, Any]]:
    """Payouts of a run, or the newest of all with withdrawals that wait for one. `to` is the account at export."""
    statement = (
        select(
            Payout.id, Payout.kind, Payout.company_id, Company.name.label("company"), Payout.run_id, Payout.statement_id,
            Payout.end_to_end_id, Payout.amount_minor, Payout.currency, Payout.state, Payout.to, Payout.reason, Payout.made_at,
            Payout.ended_at,
        )
        .join(Company, Company.id == Payout.company_id).order_by(Payout.id.desc()).limit(limit)
    )  # fmt: skip
    if run_id is not None:
        statement = statement.where(Payout.run_id == run_id)
    return [dict(row) for row in session.execute(statement).mappings()]


BANK_COLUMNS = {
    "state": Column(case({"unallocated": 0, "new": 1}, value=BankEntry.state, else_=2)),
    "booked": Column(BankEntry.id, "-"),
    "amount": Column(BankEntry.amount_minor, "-"),
    "payer": Column(func.lower(BankEntry.counterparty, type_=String)),
}
"""What a list of bank lines can be sorted by; "state" puts what needs a person first."""


def bank_rows(session: Session, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of bank lines. Filters: `state`, `kind` and `q` (reference, counterparty, EndToEndId)."""
    statement = _bank_lines()
    if ask["state"]:
        statement = statement.where(BankEntry.state == ask["state"])
    if ask["kind"]:
        statement = statement.where(BankEntry.kind == ask["kind"])
    if ask["q"]:
        words = (BankEntry.reference, BankEntry.counterparty, BankEntry.end_to_end_id)
        statement = statement.where(or_(*(word.icontains(ask["q"], autoescape=True) for word in words)))
    return paged(session, statement, BANK_COLUMNS, BankEntry.id, ask, limit)


def last_bank_lines(session: Session, state: str | None = None, limit: int = ROWS) -> list[dict[str, Any]]:
    """The newest bank lines first."""
    statement = _bank_lines().order_by(BankEntry.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(BankEntry.state == state)
    return [dict(row) for row in session.execute(statement).mappings()]


def bank_states(session: Session) -> dict[str, int]:
    """How many bank lines are matched, new, or wait for a person."""
    return tally(session, select(BankEntry.state, func.count()).group_by(BankEntry.state))


def bank_statement_rows(session: Session, limit: int = ROWS) -> list[dict[str, Any]]:
    """Received bank statements, the newest first, each with its number of lines."""
    lines = (
        select(func.count())
        .where(BankEntry.bank_statement_id == BankStatementFile.id)
        .scalar_subquery()
        .label("lines")
    )
    names = ("id", "iban", "external_id", "opening_minor", "closing_minor", "currency", "received_at")
    columns = [getattr(BankStatementFile, name) for name in names]
    found = session.execute(
        select(*columns, cast(lines, Integer).label("lines"))
        .order_by(BankStatementFile.id.desc())
        .limit(limit)
    )
    return [dict(row) for row in found.mappings()]


def _runs() -> Query:
    return (
        select(
            SettlementRun.id, SettlementRun.state, SettlementRun.currency, SettlementRun.cut_off, SettlementRun.message_id,
            SettlementRun.file_sha256, SettlementRun.approved_by, SettlementRun.made_at, SettlementRun.exported_at,
            SettlementRun.closed_at, func.coalesce(_statements.c.statements, 0).label("statements"),
            func.coalesce(_statements.c.closing_minor, 0).label("closing_minor"),
            func.coalesce(_statements.c.payout_minor, 0).label("payout_minor"),
            func.coalesce(_payouts.c.payouts, 0).label("payouts"), func.coalesce(_payouts.c.transfers_minor, 0).label("transfers_minor"),
            func.coalesce(_payouts.c.paid, 0).label("paid"), func.coalesce(_payouts.c.returned, 0).label("returned"),
        )
        .outerjoin(_statements, _statements.c.run_id == SettlementRun.id)
        .outerjoin(_payouts, _payouts.c.run_id == SettlementRun.id)
    )  # fmt: skip


def _statement_columns() -> Query:
    return (
        select(
            Statement.id, Statement.run_id, SettlementRun.state.label("run_state"), SettlementRun.cut_off, Statement.company_id,
            Company.name.label("company"), Company.code, Statement.currency, Statement.opening_minor, Statement.total_minor,
            Statement.closing_minor, Statement.payout_minor, Statement.reason, Statement.made_at,
            Payout.id.label("payout_id"), Payout.state.label("payout_state"), Payout.end_to_end_id,
        )
        .join(SettlementRun, SettlementRun.id == Statement.run_id).join(Company, Company.id == Statement.company_id)
        .outerjoin(Payout, Payout.statement_id == Statement.id)
    )  # fmt: skip


def _bank_lines() -> Query:
    return (
        select(
            BankEntry.id, BankEntry.bank_statement_id, BankStatementFile.external_id.label("statement"), BankEntry.iban,
            BankEntry.line_id, BankEntry.booked_on, BankEntry.kind, BankEntry.amount_minor, BankStatementFile.currency,
            BankEntry.reference, BankEntry.end_to_end_id, BankEntry.counterparty, BankEntry.reason, BankEntry.state,
            BankEntry.entry_id, BankEntry.problem,
        )
        .join(BankStatementFile, BankStatementFile.id == BankEntry.bank_statement_id)
    )  # fmt: skip
