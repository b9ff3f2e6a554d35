"""Closes a period: each supplier's postings become a statement; a person locks and approves the run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import now
from core.database import UnitOfWork
from core.errors import Misconfigured, Refused, there_is
from core.money import Money
from core.settings import Settings, load
from ledger import chart, rules
from ledger.posting import lock as lock_accounts
from ledger.posting import post
from models.companies import HUB
from models.events import SettlementApproved
from models.purchasing import BankDetails
from models.settlement import Payout, SettlementRun, Statement, StatementLine
from pipelines.settlement.mature import LANE

# A supplier's money is what is available less what he owes: moving one into the other changes nothing for him.
# A posting that was stored late (its unit of work began before the cut-off) is simply in the next run.
UNSTATED = """
SELECT moved.company_id, moved.posting_id, sum(moved.amount)::bigint
FROM (
  SELECT a.company_id, p.id AS posting_id, p.entry_id, p.amount
  FROM posting p JOIN account a ON a.id = p.destination_id WHERE a.id = ANY(%(accounts)s)
  UNION ALL
  SELECT a.company_id, p.id, p.entry_id, -p.amount
  FROM posting p JOIN account a ON a.id = p.source_id WHERE a.id = ANY(%(accounts)s)
) moved JOIN journal_entry e ON e.id = moved.entry_id
WHERE e.posted_at <= %(cut_off)s AND NOT EXISTS (SELECT FROM statement_line s WHERE s.posting_id = moved.posting_id)
GROUP BY moved.company_id, moved.posting_id ORDER BY moved.company_id, moved.posting_id"""

LAST = "SELECT DISTINCT ON (company_id) company_id, closing_minor FROM statement WHERE currency = %s ORDER BY company_id, id DESC"

SUPPLIERS = """
SELECT company_id, id, name FROM account
WHERE currency = %s AND name ~ '^supplier:[0-9]+:(available|receivable)$' ORDER BY company_id"""


OPEN = ("draft", "locked", "approved")
"""States in which a run has no payment file yet: only then it can be cancelled, and only one run is there at a time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a supplier has at this moment, in minor units, and whether the hub knows his bank account."""

    available: int
    owed: int
    has_account: bool


def payable(closing: int, standing: Standing, currency: str) -> tuple[int, str | None]:
    """How much of a closing balance (minor units) is paid, and the sentence that says why it is not all.

    Nobody who owes is paid. Never more than is available now: a refund after the cut-off is gone already.
    """
    if standing.owed > 0:
        owed = Money(standing.owed, currency)
        return 0, f"Nothing is paid: the supplier owes the hub {owed}, which coming sales repay first."
    if closing <= 0:
        return 0, "Nothing is paid: there is nothing to pay out; the balance carries over."
    if not standing.has_account:
        return (
            0,
            "Nothing is paid: the supplier's bank details are missing. Enter them; the balance carries over.",
        )
    if standing.available < closing:
        rest = Money(closing - standing.available, currency)
        return max(0, standing.available), f"{rest} is not paid: refunds after the cut-off have used it."
    return closing, None


def draft(uow: UnitOfWork, cut_off: datetime | None = None) -> SettlementRun:
    """A run over all that was posted until `cut_off` (now) and is on no statement, with a statement for each supplier.

    What a supplier owes is first taken from what is available to him. Raises Refused: "open_run" while another run is
    not exported, "cut_off" where it lies ahead.
    """
    cursor, currency = uow.cursor(), load().currency
    cursor.execute("SELECT clock_timestamp()")  # the clock that stamps the postings
    ((moment,),) = cursor.fetchall()
    if cut_off is not None and cut_off > moment:
        raise Refused(
            f"The cut-off {cut_off:%Y-%m-%d %H:%M} lies ahead; a run closes what has happened.",
            rule="cut_off",
        )
    run = _open_run(uow, currency, cut_off or moment)
    standings = net(uow, run)
    cursor.execute(SUPPLIERS, [currency])
    accounts = [account_id for _, account_id, _ in cursor.fetchall()]
    cursor.execute(LAST, [currency])
    openings: dict[int, int] = dict(cursor.fetchall())
    cursor.execute(UNSTATED, {"accounts": accounts, "cut_off": run.cut_off})
    lines: dict[int, list[tuple[int, int]]] = {}
    for company_id, posting_id, minor in cursor.fetchall():
        lines.setdefault(company_id, []).append((posting_id, minor))
    carried = {company_id for company_id, closing in openings.items() if closing}
    for company_id in sorted(lines.keys() | carried):
        _state(
            uow,
            run,
            company_id,
            openings.get(company_id, 0),
            lines.get(company_id, []),
            standings[company_id],
        )
    return run


def draft_if_none(uow: UnitOfWork) -> SettlementRun | None:
    """A draft up to now, as the clock makes it each week; None while a run is open."""
    open_ = uow.session.query(SettlementRun.id).filter(SettlementRun.state.in_(OPEN)).first()
    return None if open_ else draft(uow)


def lock(uow: UnitOfWork, run_id: int) -> SettlementRun:
    """Draft → locked: its cut-off and postings are agreed. Again: nothing. Raises Refused ("state", "not_found")."""
    return _move(uow, run_id, ("draft",), "locked")


def approve(uow: UnitOfWork, run_id: int, by: str) -> SettlementRun:
    """Locked → approved, and its payment file is on its way. Again: nothing.

    Raises Refused ("state", "not_found"); Misconfigured where the hub's own bank account is not named.
    """
    require_account(load())
    before = run_of(uow, run_id).state
    run = _move(uow, run_id, ("locked",), "approved")
    if before != "approved":
        run.approved_by = by
        uow.emit(SettlementApproved(tenant=HUB, lane=LANE, settlement_run_id=run.id))
    return run


def cancel(uow: UnitOfWork, run_id: int) -> SettlementRun:
    """Gives up a run that is not exported: its postings are free for the next one. Again: nothing.

    Raises Refused ("state", "not_found").
    """
    run = _move(uow, run_id, OPEN, "cancelled")
    statements = uow.session.query(Statement.id).filter_by(run_id=run.id)
    uow.session.query(StatementLine).filter(StatementLine.statement_id.in_(statements)).delete(False)
    uow.session.query(Statement).filter_by(run_id=run.id).delete(False)
    return run


def close(uow: UnitOfWork, run_id: int) -> SettlementRun:
    """Confirmed or partly → closed, once each of its payouts was paid or came back. Again: nothing.

    Raises Refused ("state", "not_found") while the bank has not spoken of one.
    """
    run = run_of(uow, run_id)
    waiting = uow.session.query(Payout).filter_by(run_id=run.id, state="exported").count()
    if waiting:
        raise Refused(
            f"Run {run.id} waits for the bank's word on {waiting} payouts; give it the next bank statement.",
            rule="state",
        )
    closed = _move(uow, run_id, ("confirmed", "partly"), "closed")
    closed.closed_at = closed.closed_at or now()
    return closed


def run_of(uow: UnitOfWork, run_id: int) -> SettlementRun:
    """The run, locked until the unit of work ends. Raises Refused ("not_found")."""
    query = uow.session.query(SettlementRun).filter_by(id=run_id).with_for_update(key_share=True)
    return there_is(query.populate_existing().one_or_none(), f"Settlement run {run_id}")


def require_account(settings: Settings) -> None:
    """Raises Misconfigured naming the variable that the hub's own bank account lacks."""
    for name in ("bank_iban", "bank_town", "bank_country"):
        if not getattr(settings, name):
            raise Misconfigured(
                f"ENTREPOT_{name.upper()} is not set: name the hub's own bank account before a run is approved."
            )


def standings_of(uow: UnitOfWork, currency: str, suppliers: list[int]) -> dict[int, Standing]:
    """Each supplier's standing, his accounts locked until the unit of work ends."""
    pots = lock_accounts(
        uow,
        {
            (name, currency)
            for supplier_id in suppliers
            for name in (
                chart.available(supplier_id),
                chart.supplier_receivable(supplier_id),
                chart.in_payout(supplier_id),
            )
        },
    )
    known = {row[0] for row in uow.session.query(BankDetails.company_id)}
    return {
        supplier_id: Standing(
            pots[chart.available(supplier_id), currency].balance,
            max(0, -pots[chart.supplier_receivable(supplier_id), currency].balance),
            supplier_id in known,
        )
        for supplier_id in suppliers
    }


def net(uow: UnitOfWork, run: SettlementRun) -> dict[int, Standing]:
    """Takes what each supplier owes from what is available to him; the standings after it."""
    cursor = uow.cursor()
    cursor.execute(SUPPLIERS, [run.currency])
    suppliers = sorted({row[0] for row in cursor.fetchall()})
    standings = standings_of(uow, run.currency, suppliers)
    for supplier_id, standing in standings.items():
        minor = min(standing.available, standing.owed)
        if minor <= 0:
            continue
        refs = {"run": run.id, "supplier": supplier_id}
        moves = rules.netted(supplier_id, Money(minor, run.currency))
        post(uow, f"netting:{run.id}:{supplier_id}", "netted", moves, now(), refs)
        standings[supplier_id] = Standing(
            standing.available - minor, standing.owed - minor, standing.has_account
        )
    return standings


def _open_run(uow: UnitOfWork, currency: str, cut_off: datetime) -> SettlementRun:
    """The run's row; the database lets one run be open at a time."""
    cursor = uow.cursor()
    cursor.execute(
        "INSERT INTO settlement_run (state, currency, cut_off) VALUES ('draft', %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING id",
        [currency, cut_off],
    )
    made: tuple[Any, ...] | None = cursor.fetchone()
    if made is None:
        raise Refused(
            "A settlement run is open already, and two would want the same postings; approve it or cancel it first.",
            rule="open_run",
        )
    return uow.session.get_one(SettlementRun, made[0])


def _state(
    uow: UnitOfWork,
    run: SettlementRun,
    company_id: int,
    opening: int,
    lines: list[tuple[int, int]],
    standing: Standing,
) -> None:
    total = sum(minor for _, minor in lines)
    paid, reason = payable(opening + total, standing, run.currency)
    statement = Statement(
        run_id=run.id,
        company_id=company_id,
        currency=run.currency,
        opening_minor=opening,
        total_minor=total,
        closing_minor=opening + total,
        payout_minor=paid,
        reason=reason,
    )
    uow.session.add(statement)
    uow.session.flush()
    uow.cursor().execute(
        "INSERT INTO statement_line (posting_id, statement_id, amount_minor)"
        " SELECT posting_id, %s, minor FROM unnest(%s::bigint[], %s::bigint[]) AS new (posting_id, minor)",
        [statement.id, [posting_id for posting_id, _ in lines], [minor for _, minor in lines]],
    )


def _move(uow: UnitOfWork, run_id: int, before: tuple[str, ...], after: str) -> SettlementRun:
    run = run_of(uow, run_id)
    if run.state != after:
        if run.state not in before:
            raise Refused(
                f"Run {run.id} is {run.state}; only one that is {' or '.join(before)} can be {after}.",
                rule="state",
            )
        run.state = after
    return run
