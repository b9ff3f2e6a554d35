"""Closing a period for its payees: settlement runs, statements, payouts, and what the bank says of them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)  # fmt: skip
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base

RUN_STATES = ("draft", "locked", "approved", "exported", "confirmed", "partly", "closed", "cancelled")


class SettlementRun(Base):
    """Closes one period. draft → locked (cut-off and postings are fixed) → approved → exported → confirmed or partly → closed.

    `partly`: the bank returned some of its payouts. It may be cancelled only before export.
    """

    __tablename__ = "settlement_run"
    __table_args__ = (
        CheckConstraint("state IN ('" + "', '".join(RUN_STATES) + "')", name="state"),
        # One open run at a time: two would want the same postings.
        Index("uq_settlement_run_open", text("(true)"), unique=True, postgresql_where=text("state IN ('draft', 'locked', 'approved')")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    currency: Mapped[str] = mapped_column(String(3))
    cut_off: Mapped[datetime]
    """Postings made up to and including this moment belong to the run."""
    message_id: Mapped[str | None] = mapped_column(String(35), unique=True)
    file: Mapped[bytes | None] = mapped_column(LargeBinary)
    file_sha256: Mapped[str | None] = mapped_column(String(64))
    approved_by: Mapped[str | None] = mapped_column(String(100))
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    exported_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class Statement(Base):
    """One payee's lines of one run: opening + lines = closing; `payout_minor` of it is paid, the rest carries over."""

    __tablename__ = "statement"
    __table_args__ = (UniqueConstraint("run_id", "company_id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("settlement_run.id"))
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    currency: Mapped[str] = mapped_column(String(3))
    opening_minor: Mapped[int] = mapped_column(BigInteger)
    total_minor: Mapped[int] = mapped_column(BigInteger)
    closing_minor: Mapped[int] = mapped_column(BigInteger)
    payout_minor: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why less than the closing balance is paid, as a sentence."""
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StatementLine(Base):
    """A posting on a statement, signed from the payee's view. A posting is in at most one statement."""

    __tablename__ = "statement_line"

    posting_id: Mapped[int] = mapped_column(ForeignKey("posting.id"), primary_key=True)
    statement_id: Mapped[int] = mapped_column(ForeignKey("statement.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)


PAYOUT_STATES = ("asked", "pending", "exported", "paid", "rejected", "returned", "cancelled")


class Payout(Base):
    """A transfer: of a statement to a supplier, or of a withdrawal to a seller. `end_to_end_id` names it at the bank."""

    __tablename__ = "payout"
    __table_args__ = (
        CheckConstraint("state IN ('" + "', '".join(PAYOUT_STATES) + "')", name="state"),
        CheckConstraint("kind IN ('statement', 'withdrawal') AND amount_minor > 0", name="kind"),
        Index(None, "run_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("settlement_run.id"))
    statement_id: Mapped[int | None] = mapped_column(ForeignKey("statement.id"), unique=True)
    end_to_end_id: Mapped[str] = mapped_column(String(35), unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10))
    to: Mapped[dict[str, Any] | None]
    """The account as it was when the file was made: the fields of connectors.banking.BankAccount."""
    reason: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class BankStatementFile(Base):
    """A bank statement as received, once by its hash. opening + lines = closing, and it begins where the last one ended."""

    __tablename__ = "bank_statement"
    __table_args__ = (UniqueConstraint("iban", "external_id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    iban: Mapped[str] = mapped_column(String(34))
    external_id: Mapped[str] = mapped_column(String(100))
    file_sha256: Mapped[str] = mapped_column(String(64))
    opening_minor: Mapped[int] = mapped_column(BigInteger)
    closing_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


BANK_LINE_STATES = ("new", "matched", "unallocated")


class BankEntry(Base):
    """One line of a bank statement and the journal entry it led to. Unallocated: a person says whose money it is."""

    __tablename__ = "bank_line"
    __table_args__ = (
        UniqueConstraint("iban", "line_id"),
        CheckConstraint("state IN ('" + "', '".join(BANK_LINE_STATES) + "')", name="state"),
        CheckConstraint("kind IN ('credit', 'debit', 'return', 'fee') AND amount_minor > 0", name="kind"),
        Index(None, "bank_statement_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    bank_statement_id: Mapped[int] = mapped_column(ForeignKey("bank_statement.id"))
    iban: Mapped[str] = mapped_column(String(34))
    line_id: Mapped[str] = mapped_column(String(100))
    booked_on: Mapped[date]
    kind: Mapped[str] = mapped_column(String(8))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    reference: Mapped[str] = mapped_column(Text)
    end_to_end_id: Mapped[str] = mapped_column(String(35))
    counterparty: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    """The bank's own, of a return: AC04."""
    state: Mapped[str] = mapped_column(String(12), server_default="new")
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entry.id"))
    problem: Mapped[str | None] = mapped_column(Text)
    """Why it is unallocated, as a sentence."""
