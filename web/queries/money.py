"""What pages, API and command line show of money: accounts as bank statements, deposits, and what suppliers have coming."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from core.money import Money
from core.unit_of_work import UnitOfWork
from models.companies import Company
from pipelines.settlement.deposits import reference
from web.tables import ROWS

# The last posting of each account up to a moment has its balance in it; without a moment the account itself has it.
AT = """
SELECT a.id, a.name, a.kind, a.guarded, a.company_id, c.name AS company, a.currency, coalesce(p.balance, 0) AS balance_minor,
  coalesce(p.version, 0) AS postings
FROM account a LEFT JOIN company c ON c.id = a.company_id
LEFT JOIN LATERAL (
  SELECT CASE WHEN p.source_id = a.id THEN p.source_balance ELSE p.destination_balance END AS balance,
    CASE WHEN p.source_id = a.id THEN p.source_version ELSE p.destination_version END AS version
  FROM posting p JOIN journal_entry e ON e.id = p.entry_id
  WHERE a.id IN (p.source_id, p.destination_id) AND e.posted_at <= %(at)s
  ORDER BY version DESC LIMIT 1) p ON true
ORDER BY a.company_id NULLS FIRST, a.name, a.currency"""

NOW = """
SELECT a.id, a.name, a.kind, a.guarded, a.company_id, c.name AS company, a.currency, a.balance AS balance_minor,
  a.version AS postings
FROM account a LEFT JOIN company c ON c.id = a.company_id
WHERE %(name)s::text IS NULL OR a.name = %(name)s
ORDER BY a.company_id NULLS FIRST, a.name, a.currency"""

# Two halves, each by its own unique index (account, version): quick however long the book is.
LINES = """
SELECT x.*, e.rule, e.key, e.refs, e.happened_at, e.posted_at, o.name AS other FROM (
  (SELECT p.id, p.entry_id, p.part, p.amount AS out_minor, NULL::bigint AS in_minor, p.source_balance AS balance_minor,
     p.source_version AS version, p.destination_id AS other_id
   FROM posting p WHERE p.source_id = %(account)s AND (%(before)s::bigint IS NULL OR p.source_version < %(before)s)
   ORDER BY p.source_version DESC LIMIT %(limit)s)
  UNION ALL
  (SELECT p.id, p.entry_id, p.part, NULL, p.amount, p.destination_balance, p.destination_version, p.source_id
   FROM posting p WHERE p.destination_id = %(account)s AND (%(before)s::bigint IS NULL OR p.destination_version < %(before)s)
   ORDER BY p.destination_version DESC LIMIT %(limit)s)
) x JOIN journal_entry e ON e.id = x.entry_id JOIN account o ON o.id = x.other_id
ORDER BY x.version DESC LIMIT %(limit)s"""

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
    """Every account with its balance, now or after the last entry posted up to `at`.

    `balance_minor` is as its owner reads it: what an asset is worth is positive, as is what the hub owes on a liability.
    """
    found = _rows(uow, AT, {"at": at}) if at is not None else _rows(uow, NOW, {"name": None})
    return [_signed(row, row["kind"]) for row in found]


def one_account(uow: UnitOfWork, name: str, currency: str) -> dict[str, Any] | None:
    """One account by its name ("seller:5:deposit"), or None where nothing was ever posted to it."""
    for row in _rows(uow, NOW, {"name": name}):
        if row["currency"] == currency:
            return _signed(row, row["kind"])
    return None


def account_lines(
    uow: UnitOfWork, account: Mapping[str, Any], before: int | None = None, limit: int = ROWS
) -> list[dict[str, Any]]:
    """An account read like a bank statement, the newest first: what for (`rule`, `part`, `refs`), in, out, balance.

    `account` is a row of this module; `before` is the `version` of the last line of the page before. In and out are as the
    account's owner reads them: what comes to an asset is in, and so is what comes to a liability.
    """
    asked = {"account": account["id"], "before": before, "limit": limit}
    lines = [_signed(row, account["kind"]) for row in _rows(uow, LINES, asked)]
    return [{**line, "currency": account["currency"]} for line in lines]


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


def in_major(row: Mapping[str, Any]) -> dict[str, Any]:
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


def _signed(row: dict[str, Any], kind: str) -> dict[str, Any]:
    """Stored balances are credits minus debits; a debit of an asset is what comes in."""
    if kind != ASSETS:
        return row
    turned = {**row, "balance_minor": -row["balance_minor"]}
    if "in_minor" in row:
        turned["in_minor"], turned["out_minor"] = row["out_minor"], row["in_minor"]
    return turned


def _rows(uow: UnitOfWork, query: str, values: Any) -> list[dict[str, Any]]:
    uow.session.flush()
    return uow.cursor().connection.cursor(row_factory=dict_row).execute(query, values).fetchall()
