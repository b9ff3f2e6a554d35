"""`entrepot deposit`, `account`, `proof` and `why`: sellers' money at the hub, the ledger, and what explains an amount."""

from typing import Annotated

import typer

from cli.output import GREATEST, AsJson, hub, moment_of, narrow, show
from core.errors import there_is
from core.settings import load
from ledger.proof import prove
from ledger.why import why_fee, why_hold
from models.companies import find_company
from models.shops import find_shop
from pipelines.paying import top_up, withdraw_deposit
from pipelines.settlement.withdraw import cancel
from web.queries.money import account_lines, account_rows, deposit_rows, in_major, one_account
from web.queries.why import why_price

deposit = typer.Typer(no_args_is_help=True, help="Deposits: what sellers paid in beforehand.")
account = typer.Typer(no_args_is_help=True, help="Accounts of the ledger, read like bank statements.")
why = typer.Typer(
    no_args_is_help=True, help="Why an amount is what it is, from what was stored when it was decided."
)

Seller = Annotated[str, typer.Argument(help="The seller's name, code or number.")]
Amount = Annotated[str, typer.Argument(help="In the hub's currency, like 500 or 499.90.")]
Key = Annotated[str, typer.Option(help="A word of your own for it: given again, nothing happens twice.")]
Number = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The order line's number.")]


@deposit.command("list")
def list_deposits(as_json: AsJson = False) -> None:
    """Every seller's deposit: available, held for orders, being withdrawn, and what he owes."""
    with hub() as db, db.unit_of_work() as uow:
        found = [in_major(row) for row in deposit_rows(uow, load().currency)]
    if not as_json:
        shown = ("code", "seller", "available", "held", "withdrawing", "owed", "reference")
        found = narrow(found, *shown)
    show({"deposits": found}, as_json)


@deposit.command("show")
def show_deposit(seller: Seller, as_json: AsJson = False) -> None:
    """One seller's deposit, and the reference he writes on a transfer."""
    with hub() as db, db.unit_of_work() as uow:
        company = find_company(uow.session, "seller", seller)
        show(in_major(deposit_rows(uow, load().currency, company.id)[0]), as_json)


@deposit.command("top-up")
def add(seller: Seller, amount: Amount, key: Key, as_json: AsJson = False) -> None:
    """Credits money that the seller paid by card. Transfers come by `bank import`."""
    settings = load()
    with hub() as db, db.unit_of_work() as uow:
        company = find_company(uow.session, "seller", seller)
        entry = top_up(uow, settings, company.id, amount, key)
        show({"entry": entry.id, **in_major(deposit_rows(uow, settings.currency, company.id)[0])}, as_json)


@deposit.command("withdraw")
def withdraw(seller: Seller, amount: Amount, key: Key, as_json: AsJson = False) -> None:
    """Sets free deposit aside for a transfer back: it joins the next payment file."""
    settings = load()
    with hub() as db, db.unit_of_work() as uow:
        company = find_company(uow.session, "seller", seller)
        asked = withdraw_deposit(uow, settings, company.id, amount, key)
        told = {"payout": asked.id, "state": asked.state, "end_to_end_id": asked.end_to_end_id}
        show({**told, **in_major(deposit_rows(uow, settings.currency, company.id)[0])}, as_json)


@deposit.command("cancel")
def cancel_withdrawal(
    payout: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The withdrawal's payout number.")],
    as_json: AsJson = False,
) -> None:
    """Gives a withdrawal that is in no payment file yet back to the deposit."""
    with hub() as db, db.unit_of_work() as uow:
        ended = cancel(uow, payout)
        told = {"payout": ended.id, "state": ended.state}
        show({**told, **in_major(deposit_rows(uow, load().currency, ended.company_id)[0])}, as_json)


@account.command("list")
def list_accounts(
    at: Annotated[
        str | None, typer.Option(help="As they were then, like 2026-11-30T18:00; UTC. Without it: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every account with its balance."""
    moment = moment_of(at) if at is not None else None
    with hub() as db, db.unit_of_work() as uow:
        found = [in_major(row) for row in account_rows(uow, moment)]
    names = ("name", "company", "kind", "currency", "balance", "postings")
    show({"accounts": narrow(found, *names)}, as_json)


@account.command("show")
def show_account(
    name: Annotated[str, typer.Argument(help="Its name, like seller:5:deposit.")],
    limit: Annotated[int, typer.Option(min=1, max=GREATEST, help="At most so many lines.")] = 50,
    before: Annotated[
        int | None,
        typer.Option(min=0, max=GREATEST, help="Lines before this version: the page after the last."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One account like a bank statement, the newest line first."""
    currency = load().currency
    with hub() as db, db.unit_of_work() as uow:
        found = there_is(one_account(uow, name, currency), f"Account {name}")
        lines = [in_major(row) for row in account_lines(uow, name, currency, before, limit)]
    if not as_json:
        shown = ("happened_at", "what_for", "in", "out", "balance", "entry_id")
        lines = narrow(lines, *shown)
    show({**in_major(found), "lines": lines}, as_json)


def proof(as_json: AsJson = False) -> None:
    """Counts the whole ledger anew against orders, statements, payouts and the bank. Exit 1 where a check fails."""
    with hub() as db, db.unit_of_work() as uow:
        found = prove(uow)
    told = found.as_json()
    if not as_json:
        told["checks"] = [
            {
                "holds": "yes" if check.ok else "NO",
                "figure": check.figure,
                "expected": check.expected,
                "claim": check.sentence,
            }
            for check in found.checks
        ]
    show(told, as_json)
    if not found.ok:
        raise typer.Exit(1)


@why.command("price")
def price(
    shop: Annotated[str, typer.Argument(help="The shop's name or number.")],
    sku: Annotated[str, typer.Argument(help="The hub's SKU.")],
    as_json: AsJson = False,
) -> None:
    """Why a product costs what it costs in a shop."""
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        answer = there_is(why_price(uow.session, found.id, sku), f"{sku} in shop {found.name}")
    show(answer, as_json)


@why.command("hold")
def hold(line: Number, as_json: AsJson = False) -> None:
    """Why so much of the deposit is, or was, set aside for an order line."""
    with hub() as db, db.unit_of_work() as uow:
        show({"line": line, **why_hold(uow, line).as_json()}, as_json)


@why.command("fee")
def fee(line: Number, as_json: AsJson = False) -> None:
    """Why the hub takes what it takes of an order line."""
    with hub() as db, db.unit_of_work() as uow:
        show({"line": line, **why_fee(uow, line).as_json()}, as_json)
