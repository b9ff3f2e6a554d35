"""Money: sellers' deposits and suppliers' claims at a glance, accounts read like bank statements, entries, and the proof."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core.clock import now
from core.errors import Refused, there_is
from core.money import exponent
from core.unit_of_work import UnitOfWork
from ledger import chart
from ledger.balances import what_for
from ledger.proof import prove
from models.settlement import Payout
from pipelines.paying import top_up, withdraw_deposit
from pipelines.settlement import withdraw as withdrawals
from web.charts import Spark, spark
from web.deps import CheckedForm, Db, Session, go, page, settings_of
from web.queries.money import (
    account_lines,
    account_rows,
    captured_per_day,
    deposit_rows,
    entry_rows,
    one_account,
    one_entry,
    payable_rows,
)
from web.queries.settlement import run_rows
from web.queries.trade import orders_of_lines, waiting_for_deposit, withdrawals_of
from web.tables import ROWS

router = APIRouter(prefix="/money")
DAYS = 30


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """What sellers have at the hub, what suppliers have coming, and what is the hub's own."""
    currency = settings_of(request).currency
    with db.unit_of_work() as uow:
        deposits, payables = deposit_rows(uow, currency), payable_rows(uow, currency)
        own = {
            row["name"]: row["balance_minor"]
            for row in account_rows(uow)
            if row["company_id"] is None and row["currency"] == currency
        }
        days = per_day(uow, currency)
        runs = run_rows(uow.session, 1)
    return page(
        request, "money.html", title="Money", currency=currency, deposits=deposits, payables=payables, own=own, run=runs[0] if runs else None,
        captured=sum(days), chart=drawn(days), days=DAYS, sums=sums,
    )  # fmt: skip


@router.get("/proof")
def show_proof(request: Request, db: Db, session: Session) -> Response:
    """Counts the whole ledger anew; /money asks for it once it is on the screen."""
    with db.unit_of_work() as uow:
        proof = prove(uow)
    return page(request, "proof.html", title="Proof", proof=proof)


@router.get("/accounts")
def show_accounts(request: Request, db: Db, session: Session) -> Response:
    """Every account with its balance."""
    with db.unit_of_work() as uow:
        accounts = account_rows(uow)
    return page(request, "accounts.html", title="Accounts", accounts=accounts, named=named)


@router.get("/accounts/{name}")
def show_account(request: Request, db: Db, session: Session, name: str) -> Response:
    """One account like a bank statement; each line unfolds to the postings of its entry."""
    given, currency = request.query_params, settings_of(request).currency
    if (asked := given.get("currency", "")) and asked.isalpha() and len(asked) == 3:
        currency = asked.upper()
    before = given.get("before", "")
    with db.unit_of_work() as uow:
        account = there_is(one_account(uow, name, currency), f"Account {name[:80]}")
        lines = account_lines(uow, name, currency, int(before) if before.isdecimal() else None, ROWS + 1)
        more, lines = len(lines) > ROWS, lines[:ROWS]
        postings = entry_rows(uow, [line["entry_id"] for line in lines])
        about = causes(uow, lines)
    return page(
        request, "account.html", title=named(account), account=account, lines=lines, postings=postings, causes=about,
        older=lines[-1]["version"] if more else None, newest=not before, paged=before,
    )  # fmt: skip


@router.get("/entries/{entry_id}")
def show_entry(request: Request, db: Db, session: Session, entry_id: int) -> Response:
    """One entry of the journal with its postings."""
    with db.unit_of_work() as uow:
        entry = there_is(one_entry(uow, entry_id), f"Entry {entry_id}")
        cause = causes(uow, [{"entry_id": entry_id, "refs": entry["refs"]}]).get(entry_id)
    return page(
        request, "entry.html", title=f"Entry {entry_id}", entry=entry, cause=cause, words=what_for(entry["rule"], "", entry["refs"])
    )  # fmt: skip


@router.get("/deposits/{seller_id}")
def show_deposit(request: Request, db: Db, session: Session, seller_id: int) -> Response:
    """One seller's deposit: how to pay in, taking out, and the orders that wait for it."""
    currency = settings_of(request).currency
    with db.unit_of_work() as uow:
        found = deposit_rows(uow, currency, seller_id)
        deposit = there_is(found[0] if found else None, f"Seller {seller_id}")
        waiting = waiting_for_deposit(uow.session, seller_id)
        asked = withdrawals_of(uow.session, seller_id)
        lines = account_lines(uow, chart.deposit(seller_id), currency, None, 8)
        about = causes(uow, lines)
    return page(
        request, "deposit.html", title=deposit["seller"], deposit=deposit, waiting=waiting, withdrawals=asked, lines=lines,
        keys=(secrets.token_urlsafe(12), secrets.token_urlsafe(12)), iban=settings_of(request).bank_iban, account=chart.deposit(seller_id),
        causes=about,
    )  # fmt: skip


@router.post("/deposits/{seller_id}/top-up")
def pay_in(
    request: Request, db: Db, session: CheckedForm, seller_id: int, amount: Annotated[str, Form()] = "", key: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Credits money that the seller paid by card."""
    with db.unit_of_work() as uow:
        top_up(uow, settings_of(request), seller_id, plain(amount, settings_of(request).currency), key)
    return go(f"/money/deposits/{seller_id}", "topped_up")


@router.post("/deposits/{seller_id}/withdraw")
def take_out(
    request: Request, db: Db, session: CheckedForm, seller_id: int, amount: Annotated[str, Form()] = "", key: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Sets free deposit aside for a transfer back to the seller."""
    with db.unit_of_work() as uow:
        withdraw_deposit(
            uow, settings_of(request), seller_id, plain(amount, settings_of(request).currency), key
        )
    return go(f"/money/deposits/{seller_id}", "withdrawn")


@router.post("/deposits/{seller_id}/withdrawals/{payout_id}/cancel")
def give_up(db: Db, session: CheckedForm, seller_id: int, payout_id: int) -> Response:
    """Gives a withdrawal up that is in no payment file yet."""
    with db.unit_of_work() as uow:
        asked = uow.session.query(Payout.id).filter_by(id=payout_id, company_id=seller_id).first()
        there_is(asked, f"Withdrawal {payout_id}")
        withdrawals.cancel(uow, payout_id)
    return go(f"/money/deposits/{seller_id}", "given_up")


def per_day(uow: UnitOfWork, currency: str) -> list[int]:
    """What was captured on each of the last DAYS days, the oldest first, in minor units."""
    today = now().date()
    found = {row["day"]: row["minor"] for row in captured_per_day(uow, currency, DAYS)}
    return [found.get(today - timedelta(days=back), 0) for back in range(DAYS - 1, -1, -1)]


def drawn(days: list[int]) -> Spark:
    """The captured amounts as a line."""
    return spark(days, f"Captured on each of the last {len(days)} days; the sum stands beside it")


def sums(rows: list[dict[str, Any]], *names: str) -> int:
    """These amounts of all rows together."""
    return sum(row[f"{name}_minor"] for row in rows for name in names)


def named(account: dict[str, Any]) -> str:
    """An account as a person calls it: "Casa & Co: deposit", "Bank"."""
    last = str(account["name"]).split(":")[-1].replace("_", " ")
    if account["company"]:
        return f"{account['company']}: {last}"
    words = {"psp": "Card payments", "vat": "VAT on commission", "unallocated": "Money of unknown origin"}
    return words.get(last, last[:1].upper() + last[1:])


def causes(uow: UnitOfWork, lines: Sequence[Mapping[str, Any]]) -> dict[int, tuple[str, str]]:
    """(address, words) of what each entry of these lines is about, by entry; none where its text says all."""
    of = {line["entry_id"]: line["refs"] for line in lines}
    orders = orders_of_lines(
        uow.session, {refs["line"] for refs in of.values() if isinstance(refs.get("line"), int)}
    )
    found = {}
    for entry_id, refs in of.items():
        if refs.get("line") in orders:
            order_id, number, sku = orders[refs["line"]]
            found[entry_id] = (f"/orders/{order_id}", f"order {number}, {sku}")
        elif "run" in refs:
            found[entry_id] = (f"/money/settlements/{refs['run']}", f"settlement run {refs['run']}")
        elif "bank_line" in refs:
            found[entry_id] = (f"/money/bank#line-{refs['bank_line']}", f"bank line {refs['bank_line']}")
    return found


def plain(amount: str, currency: str) -> str:
    """An amount as a person writes it, with a comma or a point before the cents: "1250,50" is "1250.50".

    Raises Refused ("not_a_number") for "1.250" and "1,250", which two people read differently.
    """
    text = "".join(amount.split()).replace(",", ".", 1) if "." not in amount else "".join(amount.split())
    places = exponent(currency)
    if len(text.partition(".")[2]) > places:
        raise Refused(
            f"{amount[:40]!r} is not clear: write the whole amount without dots between the thousands, and at most {places} decimal places.",
            rule="not_a_number",
        )
    return text
