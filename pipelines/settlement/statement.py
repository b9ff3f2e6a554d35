"""A supplier's statement to read, print and take away: its lines, what each is for, and the balance after it."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from core.database import UnitOfWork
from core.errors import there_is
from core.money import Money
from models.companies import Company
from models.settlement import SettlementRun, Statement

# The line of an order is named by the entry itself, a bank line by way of what it was booked for.
LINES = """
SELECT l.amount_minor, p.part, e.id AS entry_id, e.rule, e.happened_at, e.refs, o.number, ol.sku, ol.title
FROM statement_line l JOIN posting p ON p.id = l.posting_id JOIN journal_entry e ON e.id = p.entry_id
LEFT JOIN order_line ol ON ol.id = (e.refs->>'line')::int
LEFT JOIN shop_order o ON o.id = ol.order_id
WHERE l.statement_id = %s ORDER BY p.id"""

WORDS = {
    "mature": "Matured", "refund": "Refund", "netted": "Set off against what was owed", "payout_built": "Payout",
    "payout_rejected": "Payout refused by the bank", "payout_returned": "Payout returned by the bank",
    "reverse": "Correction",
}  # fmt: skip

HEADER = ("date", "what", "order", "sku", "part", "in", "out", "balance", "entry")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """A line: what came `into` or went `out` of the payee's money (one of the two is None) and the balance after it."""

    at: datetime
    what: str
    order: str
    sku: str
    part: str
    into: Money | None
    out: Money | None
    balance: Money
    entry_id: int


@dataclass(frozen=True, slots=True)
class Paper:
    """A whole statement. opening + rows = closing; `payout` of it is paid, `reason` says why not all."""

    id: int
    run_id: int
    payee: str
    cut_off: datetime
    opening: Money
    closing: Money
    payout: Money
    reason: str | None
    rows: Sequence[Row]


def paper(uow: UnitOfWork, statement_id: int) -> Paper:
    """The statement with its lines in the order they were posted. Raises Refused ("not_found")."""
    stored = there_is(uow.session.get(Statement, statement_id), f"Statement {statement_id}")
    run = uow.session.get_one(SettlementRun, stored.run_id)
    payee = uow.session.get_one(Company, stored.company_id)
    cursor = uow.cursor().connection.cursor(row_factory=dict_row)
    lines = cursor.execute(LINES, [statement_id]).fetchall()
    opening = Money(stored.opening_minor, stored.currency)
    return Paper(
        stored.id,
        run.id,
        payee.name,
        run.cut_off,
        opening,
        Money(stored.closing_minor, stored.currency),
        Money(stored.payout_minor, stored.currency),
        stored.reason,
        tuple(_rows(opening, lines)),
    )


def as_csv(of: Paper) -> str:
    """The statement as a spreadsheet takes it: UTF-8, commas, amounts with a point; no text is read as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerow(["", "Opening balance", "", "", "", "", "", of.opening.amount, ""])
    for row in of.rows:
        writer.writerow(
            [
                row.at.date().isoformat(),
                *(plain(text) for text in (row.what, row.order, row.sku, row.part)),
                row.into.amount if row.into else "",
                row.out.amount if row.out else "",
                row.balance.amount,
                row.entry_id,
            ]
        )
    writer.writerow(["", "Closing balance", "", "", "", "", "", of.closing.amount, ""])
    return out.getvalue()


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula: a leading = + - @ gets an apostrophe before it (OWASP)."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _rows(opening: Money, lines: Sequence[dict[str, Any]]) -> Iterator[Row]:
    balance = opening.minor
    for line in lines:
        minor = line["amount_minor"]
        balance += minor
        yield Row(
            line["happened_at"],
            WORDS.get(line["rule"], line["rule"].replace("_", " ").capitalize()),
            line["number"] or "",
            line["sku"] or "",
            line["part"],
            Money(minor, opening.currency) if minor > 0 else None,
            Money(-minor, opening.currency) if minor < 0 else None,
            Money(balance, opening.currency),
            line["entry_id"],
        )
