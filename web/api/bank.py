"""/api/v1: the bank's statements, and what each of their lines led to."""

import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from pipelines.paying import allocate
from pipelines.settlement.reconcile import receive_statement
from web.api.keys import After, FileSent, IdempotencyKey, Limit, Page, takes_file
from web.deps import Db, settings_of
from web.queries.money import in_major
from web.queries.settlement import bank_rows, bank_statement_rows, bank_states
from web.tables import Ask

router = APIRouter(tags=["Bank"])
BankLineState = Literal["new", "matched", "unallocated"]


class BankStatement(BaseModel):
    """A received statement of the hub's account: opening + lines = closing."""

    id: int
    iban: str
    external_id: str
    opening: str
    closing: str
    currency: str
    received_at: datetime
    lines: int


class BankStatements(BaseModel):
    """Received statements, the newest first."""

    statements: list[BankStatement]


class BankLine(BaseModel):
    """A line of a bank statement; `entry_id` is the journal entry it led to, `problem` says why it waits for a person."""

    id: int
    bank_statement_id: int
    statement: str
    booked_on: date
    kind: Literal["credit", "debit", "return", "fee"]
    amount: str
    currency: str
    reference: str
    end_to_end_id: str
    counterparty: str
    reason: str
    state: BankLineState
    entry_id: int | None
    problem: str | None


class BankLines(Page):
    """A page of bank lines, those that wait for a person first; `states` counts all."""

    states: dict[str, int]
    lines: list[BankLine]


class NewOwner(BaseModel):
    """Whose money an unallocated line is."""

    seller_id: int


class Allocation(BaseModel):
    """The journal entry by which it came to the seller's deposit."""

    line: int
    seller_id: int
    entry: int


@router.get("/bank/statements")
def list_statements(db: Db, limit: Limit = 50) -> BankStatements:
    """Received bank statements."""
    with db.unit_of_work() as uow:
        found = bank_statement_rows(uow.session, limit)
    return BankStatements(statements=[BankStatement(**in_major(row)) for row in found])


@router.post("/bank/statements/file", status_code=202, openapi_extra=takes_file("application/xml"))
def send_statement(request: Request, db: Db, content: FileSent) -> BankStatements:
    """Takes a camt.053 file in; its lines are matched later. The same file again changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "statement.xml"
        file.write_bytes(content)
        with db.unit_of_work() as uow:
            stored = {each.id for each in receive_statement(uow, settings_of(request), file)}
            uow.session.flush()
            found = [row for row in bank_statement_rows(uow.session, 500) if row["id"] in stored]
    return BankStatements(statements=[BankStatement(**in_major(row)) for row in found])


@router.get("/bank/lines")
def list_lines(
    request: Request,
    db: Db,
    state: BankLineState | None = None,
    kind: Literal["credit", "debit", "return", "fee"] | None = None,
    q: str | None = None,
    limit: Limit = 50,
    after: After = None,
) -> BankLines:
    """Lines of the bank's statements; `q` is part of a reference, a counterparty or an EndToEndId."""
    ask = Ask(request, ("state", "kind", "q"), default="state")
    with db.unit_of_work() as uow:
        found, states = bank_rows(uow.session, ask, limit), bank_states(uow.session)
    return BankLines(
        states=states, lines=[BankLine(**in_major(row)) for row in found.rows], after=found.after
    )


@router.post("/bank/lines/{line_id}/allocate", status_code=201)
def allocate_line(db: Db, line_id: int, key: IdempotencyKey, body: NewOwner) -> Allocation:
    """Says whose money an unallocated line is: it goes to that seller's deposit."""
    with db.unit_of_work() as uow:
        entry = allocate(uow, line_id, body.seller_id, key)
        return Allocation(line=line_id, seller_id=body.seller_id, entry=entry.id)
