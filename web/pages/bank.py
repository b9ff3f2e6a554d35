"""The bank: its statements taken in, what each of their lines led to, and whose money an unknown line is."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import select
from starlette.datastructures import UploadFile

from core.database import Database
from core.errors import Refused
from core.settings import Settings
from models.companies import Company
from models.settlement import BANK_LINE_STATES
from pipelines.paying import allocate
from pipelines.settlement.receive import receive_statement
from web.deps import CheckedForm, Db, Session, check_token, go, page, settings_of
from web.queries.settlement import BANK_COLUMNS, bank_rows, bank_statement_rows, bank_states
from web.tables import Ask

router = APIRouter(prefix="/money/bank")
KINDS = {"credit": "came in", "debit": "went out", "return": "came back", "fee": "fee"}


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """The bank's lines, those that a person must allocate first."""
    ask = Ask(request, ("state", "q"), default="state")
    if ask["state"] not in BANK_LINE_STATES:
        ask.filters.pop("state", None)
    with db.unit_of_work() as uow:
        rows, states = bank_rows(uow.session, ask), bank_states(uow.session)
        statements = bank_statement_rows(uow.session, 8)
        sellers = uow.session.execute(
            select(Company.id, Company.name, Company.code).where(Company.kind == "seller").order_by(Company.name).limit(500)
        ).all()  # fmt: skip
    return page(
        request, "bank.html", title="Bank", ask=ask, rows=rows, states=states, columns=BANK_COLUMNS, order=BANK_LINE_STATES[::-1],
        statements=statements, sellers=sellers, kinds=KINDS,
    )  # fmt: skip


@router.post("/file")
async def take_in(request: Request, db: Db, session: Session) -> Response:
    """Takes a bank statement in; its lines are matched at once. The same file again changes nothing."""
    async with request.form(max_files=1, max_fields=5) as form:
        check_token(session, str(form.get("csrf", "")))
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refused("No file was chosen: choose the bank's statement first.", rule="missing")
        content = await file.read()
    await run_in_threadpool(store, db, settings_of(request), content)
    return go("/money/bank", "stated")


@router.post("/lines/{line_id}/allocate")
def give_to(db: Db, session: CheckedForm, line_id: int, seller: Annotated[str, Form()] = "") -> Response:
    """A person says whose money a line is. The line is its own key: it can be given once."""
    if not (seller.isascii() and seller.isdecimal()):
        raise Refused("Choose whose money it is.", rule="missing")
    with db.unit_of_work() as uow:
        allocate(uow, line_id, int(seller), f"line {line_id}")
    return go("/money/bank", "allocated")


def store(db: Database, settings: Settings, content: bytes) -> None:
    """The statement's file as a step reads it: from a folder. Raises Refused as receive_statement does."""
    with tempfile.TemporaryDirectory(prefix="statement-") as folder:
        file = Path(folder) / "statement.xml"
        file.write_bytes(content)
        with db.unit_of_work() as uow:
            receive_statement(uow, settings, file)
