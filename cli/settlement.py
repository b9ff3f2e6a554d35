"""`entrepot settle`, `payout` and `bank`: closing a period, paying it, and what the bank says of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import GREATEST, AsJson, hub, moment_of, narrow, show, write
from cli.waiting import given_up_since, last_dead_letter, quiet, until
from core.database import Database, UnitOfWork
from core.errors import Refused, Temporary, there_is
from core.settings import load
from models.companies import find_company
from models.settlement import BANK_LINE_STATES
from pipelines.paying import allocate
from pipelines.settlement import close
from pipelines.settlement.mature import LANE, ring
from pipelines.settlement.pay import payment_file, reject
from pipelines.settlement.reconcile import receive_statement
from pipelines.settlement.statement import as_csv, paper
from web.queries.money import in_major
from web.queries.settlement import (
    bank_statement_rows,
    bank_states,
    last_bank_lines,
    one_run,
    one_statement,
    payout_rows,
    run_rows,
)

settle = typer.Typer(
    no_args_is_help=True, help="Settlement runs: each closes a period and pays its suppliers."
)
payout = typer.Typer(
    no_args_is_help=True, help="Payouts: transfers to suppliers, and withdrawals of sellers."
)
bank = typer.Typer(no_args_is_help=True, help="The bank's statements, and what each of their lines led to.")

Run = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The run's number.")]
Wait = Annotated[bool, typer.Option(help="Wait until the work it starts is over.")]
Limit = Annotated[int, typer.Option(min=0, max=GREATEST, help="At most so many.")]
Existing = Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False)]

# What a person reads of each table; --json has everything.
RUN = ("id", "state", "cut_off", "statements", "closing", "payout", "payouts", "paid", "returned")
STATEMENT = ("id", "company", "opening", "total", "closing", "payout", "payout_state", "reason")
PAYOUT = ("id", "kind", "company", "amount", "currency", "state", "end_to_end_id", "reason")
BANK_LINE = ("id", "booked_on", "kind", "amount", "state", "counterparty", "reference", "problem")


@settle.command("draft")
def draft(
    cut_off: Annotated[
        str | None,
        typer.Option(help="Until when, like 2026-11-30 or 2026-11-30T18:00; UTC. Without it: now."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drafts a run over all that matured and is on no statement yet."""
    until_when = moment_of(cut_off) if cut_off is not None else None
    with hub() as db, db.unit_of_work() as uow:
        show_whole(described(uow, close.draft(uow, until_when).id), as_json)


@settle.command("lock")
def lock(run: Run, as_json: AsJson = False) -> None:
    """Agrees to a draft: its cut-off and its lines are fixed."""
    with hub() as db, db.unit_of_work() as uow:
        show_whole(described(uow, close.lock(uow, run).id), as_json)


@settle.command("approve")
def approve(
    run: Run,
    by: Annotated[str, typer.Option(help="Who approves it.")] = "operator",
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Lets a locked run be paid, and waits for its payment file. Exit 1 where that failed."""
    with hub() as db:
        given_up = working(db, lambda uow: close.approve(uow, run, by), f"paying run {run}", wait)
        with db.unit_of_work() as uow:
            show_whole(described(uow, run), as_json)
    if given_up:
        raise Temporary(given_up)


@settle.command("cancel")
def cancel(run: Run, as_json: AsJson = False) -> None:
    """Gives up a run that has no payment file yet; its lines go into the next one."""
    with hub() as db, db.unit_of_work() as uow:
        show_whole(described(uow, close.cancel(uow, run).id), as_json)


@settle.command("close")
def close_run(run: Run, as_json: AsJson = False) -> None:
    """Closes a run once the bank has spoken of each of its payouts."""
    with hub() as db, db.unit_of_work() as uow:
        show_whole(described(uow, close.close(uow, run).id), as_json)


@settle.command("mature")
def mature(wait: Wait = True, as_json: AsJson = False) -> None:
    """Has all looked at now that outlived its return window, as the clock does each hour. Exit 1 where it failed."""
    with hub() as db:
        given_up = working(db, ring, "maturing", wait)
        with db.unit_of_work() as uow:
            row = uow.cursor().execute(MATURED).fetchone() or (0, 0)
    show({"matured": row[0], "pending": row[1]}, as_json)
    if given_up:
        raise Temporary(given_up)


@settle.command("list")
def list_runs(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Settlement runs, the newest first."""
    with hub() as db, db.unit_of_work() as uow:
        runs = [in_major(row) for row in run_rows(uow.session, limit)]
    show({"runs": runs if as_json else narrow(runs, *RUN)}, as_json)


@settle.command("show")
def show_run(run: Run, as_json: AsJson = False) -> None:
    """One run with its statements and payouts."""
    with hub() as db, db.unit_of_work() as uow:
        show_whole(described(uow, run), as_json)


@settle.command("statement")
def show_statement(
    statement: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The statement's number.")],
    csv: Annotated[Path | None, typer.Option(help="Write it as CSV into this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write it as a page to print into this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """One payee's statement with its lines: date, what for, in, out, balance."""
    with hub() as db, db.unit_of_work() as uow:
        found = in_major(there_is(one_statement(uow.session, statement), f"Statement {statement}"))
        written = {}
        if csv is not None:
            written["csv"] = write(csv, as_csv(paper(uow, statement)).encode("utf-8-sig"))
        if html is not None:
            from web.printing import statement_page

            written["html"] = write(html, statement_page(paper(uow, statement)).encode())
    if not as_json:
        found["lines"] = narrow(
            found["lines"], "happened_at", "rule", "part", "in", "out", "balance", "entry_id"
        )
    show({**found, **written}, as_json)


@payout.command("list")
def list_payouts(
    run: Annotated[int | None, typer.Option(min=1, max=GREATEST, help="Only those of this run.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Payouts, the newest first, with what the bank said of them."""
    with hub() as db, db.unit_of_work() as uow:
        payouts = [in_major(row) for row in payout_rows(uow.session, run, limit)]
    show({"payouts": payouts if as_json else narrow(payouts, *PAYOUT)}, as_json)


@payout.command("file")
def file(
    run: Run, out: Annotated[Path, typer.Option(help="Where to write it.")], as_json: AsJson = False
) -> None:
    """Writes a run's payment file (pain.001), the same bytes each time."""
    with hub() as db, db.unit_of_work() as uow:
        made = payment_file(uow, run)
        found = there_is(one_run(uow.session, run), f"Settlement run {run}")
    show({"run": run, "file": write(out, made), "bytes": len(made), "sha256": found["file_sha256"]}, as_json)


@payout.command("reject")
def reject_payout(
    number: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The payout's number.")],
    reason: Annotated[str, typer.Option(help="Why, as the bank says it.")],
    as_json: AsJson = False,
) -> None:
    """The bank refused an exported payout before any money moved: the payee has it again."""
    with hub() as db, db.unit_of_work() as uow:
        run_id = reject(uow, number, reason).run_id
        uow.session.flush()
        found = next(row for row in payout_rows(uow.session, run_id) if row["id"] == number)
    show(in_major(found), as_json)


@bank.command("import")
def import_statement(file: Existing, wait: Wait = True, as_json: AsJson = False) -> None:
    """Takes a bank statement (camt.053) in and matches its lines; the same file again changes nothing. Exit 1 where that failed."""
    settings = load()
    stored: list[int] = []
    with hub() as db:
        given_up = working(
            db,
            lambda uow: stored.extend(each.id for each in receive_statement(uow, settings, file)),
            "matching the bank's lines",
            wait,
        )
        with db.unit_of_work() as uow:
            statements = [row for row in bank_statement_rows(uow.session, 500) if row["id"] in stored]
            lines = [
                row
                for row in last_bank_lines(uow.session, limit=10_000)
                if row["bank_statement_id"] in stored
            ]
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["state"]] = counts.get(line["state"], 0) + 1
    answer = {"statements": [in_major(row) for row in statements], "states": counts}
    told = [in_major(row) for row in lines]
    show({**answer, "lines": told if as_json else narrow(told, *BANK_LINE)}, as_json)
    if given_up:
        raise Temporary(given_up)


@bank.command("list")
def list_lines(
    state: Annotated[str | None, typer.Option(help="Only those: " + ", ".join(BANK_LINE_STATES))] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Lines of the bank's statements, the newest first, and how many are in each state."""
    if state is not None and state not in BANK_LINE_STATES:
        raise Refused(f"There is no state {state!r}; there are {', '.join(BANK_LINE_STATES)}.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        rows = [in_major(row) for row in last_bank_lines(uow.session, state, limit)]
        states = bank_states(uow.session)
    show({"states": states, "lines": rows if as_json else narrow(rows, *BANK_LINE)}, as_json)


@bank.command("allocate")
def allocate_line(
    line: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The bank line's number.")],
    seller: Annotated[str, typer.Argument(help="The seller's name, code or number.")],
    key: Annotated[
        str, typer.Option(help="A word of your own for it.", show_default="the line's number")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Says whose money an unallocated line is: it goes to that seller's deposit."""
    with hub() as db, db.unit_of_work() as uow:
        company = find_company(uow.session, "seller", seller)
        entry = allocate(uow, line, company.id, key or f"line {line}")
        answer = {"line": line, "seller": company.id, "code": company.code, "entry": entry.id}
    show(answer, as_json)


MATURED = """
SELECT count(*) FILTER (WHERE matured_at IS NOT NULL), count(*) FILTER (WHERE matured_at IS NULL) FROM capture"""


def working(db: Database, begin: Callable[[UnitOfWork], Any], what: str, wait: bool) -> str | None:
    """Begins work of the settlement lane and waits for its end; what a step said that was given up, None where none was."""
    with db.unit_of_work() as uow:
        dead = last_dead_letter(uow)
        begin(uow)
    if not wait:
        return None
    until(db, lambda uow: quiet(uow, LANE), what)
    with db.unit_of_work() as uow:
        return given_up_since(uow, LANE, dead)


def show_whole(run: dict[str, Any], as_json: bool) -> None:
    """Prints a run, for a person without what he does not read."""
    if not as_json:
        run["statements"] = narrow(run["statements"], *STATEMENT)
        run["payouts"] = narrow(run["payouts"], *PAYOUT)
    show(run, as_json)


def described(uow: UnitOfWork, run_id: int) -> dict[str, Any]:
    """A run as an answer: its own facts, its statements and its payouts."""
    uow.session.flush()
    uow.session.expire_all()
    found = in_major(there_is(one_run(uow.session, run_id), f"Settlement run {run_id}"))
    statements, payouts = found.pop("statement_rows"), found.pop("payout_rows")
    counts = {"statement_count": found.pop("statements"), "payout_count": found.pop("payouts")}
    return {**found, **counts, "statements": statements, "payouts": payouts}
