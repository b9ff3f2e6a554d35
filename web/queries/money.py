"""What pages, API and command line show of money: accounts as bank statements, deposits, and what suppliers have coming."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from core.money import Money
from core.unit_of_work import UnitOfWork
from ledger.balances import account_lines as lines_of_account
from ledger.balances import balances
from models.companies import Company
from pipelines.settlement.deposits import reference
from web.tables import ROWS

NOW = """
SELECT a.id, a.name, a.kind, a.guarded, a.company_id, c.name AS company, a.currency, a.balance AS balance_minor,
  a.version AS postings
FROM account a LEFT JOIN company c ON c.id = a.company_id
WHERE %(name)s::text IS NULL OR a.name = %(name)s
ORDER BY a.company_id NULLS FIRST, a.name, a.currency"""

DEPOSITS = """
SELECT c.id AS seller_id, c.code, c.name AS seller, %(currency)s::text AS currency,
  coalesce(d.balance, 0) AS available_minor, coalesce(h.balance, 0) AS held_minor, coalesce(w.balance, 0) AS withdrawing_minor,
  -coalesce(r.balance, 0) AS owed_minor,
  (SELECT count(*) FROM order_line l JOIN shop_order o ON o.id = l.order_id
   WHERE o.seller_id = c.id AND l.state = 'awaiting_deposit') AS lines_waiting
FROM company c
LEFT JOIN account d ON d.name = 'seller:' || c.id || ':deposit' AND d.currency = %(currency)s
LEFT JOIN account h ON h.name = 'seller:' || c.id || ':held' AND h.currency = %(currency)s
LEFT JOIN account w ON w.name = 'seller:' || c.id || ':withdrawing' AND w.currency = %(currency)s
LEFT JOIN account r ON r.name = 'seller:' || c.id || ':receivable' AND r.currency = %(currency)s
WHERE c.kind = 'seller' AND (%(seller)s::int IS NULL OR c.id = %(seller)s) ORDER BY c.id"""

PAYABLES = """
SELECT c.id AS supplier_id, c.code, c.name AS supplier, %(currency)s::text AS currency,
  coalesce(p.balance, 0) AS pending_minor, coalesce(a.balance, 0) AS available_minor, coalesce(v.balance, 0) AS reserve_minor,
  coalesce(i.balance, 0) AS in_payout_minor, -coalesce(r.balance, 0) AS owed_minor,
  (SELECT coalesce(sum(amount_minor), 0)::bigint FROM payout WHERE company_id = c.id AND state = 'paid') AS paid_minor,
  EXISTS (SELECT FROM bank_details b WHERE b.company_id = c.id) AS bank_details
FROM company c
LEFT JOIN account p ON p.name = 'supplier:' || c.id || ':pending' AND p.currency = %(currency)s
LEFT JOIN account a ON a.name = 'supplier:' || c.id || ':available' AND a.currency = %(currency)s
LEFT JOIN account v ON v.name = 'supplier:' || c.id || ':reserve' AND v.currency = %(currency)s
LEFT JOIN account i ON i.name = 'supplier:' || c.id || ':in_payout' AND i.currency = %(currency)s
LEFT JOIN account r ON r.name = 'supplier:' || c.id || ':receivable' AND r.currency = %(currency)s
WHERE c.kind = 'supplier' ORDER BY c.id"""

ENTRY = """
SELECT id, key, rule, refs, reverses, happened_at, posted_at FROM journal_entry WHERE id = %s"""

POSTINGS = """
SELECT p.entry_id, p.place, s.name AS source, d.name AS destination, p.amount AS amount_minor, s.currency, p.part
FROM posting p JOIN account s ON s.id = p.source_id JOIN account d ON d.id = p.destination_id
WHERE p.entry_id = ANY(%s) ORDER BY p.entry_id, p.place"""

REFUNDS = """
SELECT h.key, h.line_id AS line, l.order_id AS "order", l.sku, h.quantity, h.amount_minor, h.currency, h.entry_id AS entry, h.at
FROM hold_change h JOIN order_line l ON l.id = h.line_id WHERE h.kind = 'refund' ORDER BY h.at DESC, h.key LIMIT %s"""

PER_DAY = """
SELECT e.happened_at::date AS day, sum(p.amount)::bigint AS minor
FROM journal_entry e JOIN posting p ON p.entry_id = e.id JOIN account d ON d.id = p.destination_id
WHERE e.rule = 'capture' AND d.name LIKE 'supplier:%%:pending' AND d.currency = %s AND e.happened_at >= now() - make_interval(days => %s)
GROUP BY 1 ORDER BY 1"""

ASSETS = "asset"


def account_rows(uow: UnitOfWork, at: datetime | None = None) -> list[dict[str, Any]]:
    """Every account with its balance, now or after what was posted up to `at`.

    `balance_minor` is as its owner reads it: what an asset is worth is positive, as is what the hub owes on a liability.
    """
    rows = [_signed(row) for row in _rows(uow, NOW, {"name": None})]
    if at is None:
        return rows
    then = {(each.name, each.amount.currency): each.amount.minor for each in balances(uow, at)}
    return [{**row, "balance_minor": then[row["name"], row["currency"]]} for row in rows]


def one_account(uow: UnitOfWork, name: str, currency: str) -> dict[str, Any] | None:
    """One account by its name ("seller:5:deposit"), or None where nothing was ever posted to it."""
    found = [row for row in _rows(uow, NOW, {"name": name}) if row["currency"] == currency]
    return _signed(found[0]) if found else None


def account_lines(
    uow: UnitOfWork, name: str, currency: str, before: int | None = None, limit: int = ROWS
) -> list[dict[str, Any]]:
    """An account read like a bank statement, the newest first: `what_for`, in, out, balance; ledger/balances.py reads it.

    `before` is the `version` of the last line of the page before. `in_minor` or `out_minor` is None.
    """
    return [
        {
            "version": line.version, "id": line.posting_id, "entry_id": line.entry_id, "happened_at": line.happened_at,
            "posted_at": line.posted_at, "rule": line.rule, "part": line.part, "what_for": line.what_for, "other": line.other,
            "in_minor": line.came_in.minor or None, "out_minor": line.went_out.minor or None,
            "balance_minor": line.balance.minor, "currency": currency, "refs": line.refs,
        }
        for line in lines_of_account(uow, name, currency, before=before, limit=limit)
    ]  # fmt: skip


def entry_rows(uow: UnitOfWork, entry_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The postings of these entries, by entry: from where, to where, how much, which part."""
    of: dict[int, list[dict[str, Any]]] = {}
    for row in _rows(uow, POSTINGS, [list(entry_ids)]):
        of.setdefault(row["entry_id"], []).append(row)
    return of


def one_entry(uow: UnitOfWork, entry_id: int) -> dict[str, Any] | None:
    """A journal entry with its `postings`, or None."""
    found = _rows(uow, ENTRY, [entry_id])
    return {**found[0], "postings": entry_rows(uow, [entry_id]).get(entry_id, [])} if found else None


def deposit_rows(uow: UnitOfWork, currency: str, seller_id: int | None = None) -> list[dict[str, Any]]:
    """Each seller's money in one currency: available, held for orders, being withdrawn, owed to the hub.

    `reference` is what he writes on a transfer; `lines_waiting` counts order lines that wait for his deposit.
    """
    found = _rows(uow, DEPOSITS, {"currency": currency, "seller": seller_id})
    companies = {
        company.id: company
        for company in uow.session.query(Company).filter(Company.id.in_([row["seller_id"] for row in found]))
    }
    return [{**row, "reference": reference(companies[row["seller_id"]])} for row in found]


def payable_rows(uow: UnitOfWork, currency: str) -> list[dict[str, Any]]:
    """What each supplier has coming in one currency, what was paid to him, and what he owes."""
    return _rows(uow, PAYABLES, {"currency": currency})


def refund_rows(uow: UnitOfWork, limit: int = ROWS) -> list[dict[str, Any]]:
    """What was refunded of shipped lines, the newest first."""
    return _rows(uow, REFUNDS, [limit])


def captured_per_day(uow: UnitOfWork, currency: str, days: int = 30) -> list[dict[str, Any]]:
    """What suppliers earned on each of the last days that had a capture: `day`, `minor`."""
    return _rows(uow, PER_DAY, [currency, days])


def in_major(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as programs get it: each `x_minor` as "x" with a decimal of the row's currency as text ("12.50")."""
    currency = row.get("currency") or ""
    told: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("_minor"):
            told[name.removesuffix("_minor")] = None if value is None else str(Money(value, currency).amount)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            told[name] = [in_major({"currency": currency, **each}) for each in value]
        else:
            told[name] = value
    return told


def _signed(row: dict[str, Any]) -> dict[str, Any]:
    """Stored balances are credits minus debits: what an asset is worth is below zero there."""
    return {**row, "balance_minor": -row["balance_minor"]} if row["kind"] == ASSETS else row


def _rows(uow: UnitOfWork, query: str, values: Any) -> list[dict[str, Any]]:
    uow.session.flush()
    return uow.cursor().connection.cursor(row_factory=dict_row).execute(query, values).fetchall()
