"""/api/v1: settlement runs, statements, payouts and payment files, and the bank's word on them."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from core.database import UnitOfWork
from core.errors import there_is
from pipelines.settlement import close
from pipelines.settlement.mature import ring
from pipelines.settlement.pay import payment_file, reject
from pipelines.settlement.statement import as_csv, paper
from web.api.keys import Limit, gives_file
from web.deps import Db
from web.printing import statement_page
from web.queries.money import in_major
from web.queries.settlement import (
    one_run,
    one_statement,
    payout_rows,
    run_rows,
)

router = APIRouter(tags=["Settlement"])
RunState = Literal["draft", "locked", "approved", "exported", "confirmed", "partly", "closed", "cancelled"]


class SettlementRow(BaseModel):
    """A settlement run; amounts are sums over its statements (`closing`, `payout`) and its transfers (`transfers`)."""

    id: int
    state: RunState
    currency: str
    cut_off: datetime
    message_id: str | None
    file_sha256: str | None
    approved_by: str | None
    made_at: datetime
    exported_at: datetime | None
    closed_at: datetime | None
    statements: int
    closing: str
    payout: str
    payouts: int
    transfers: str
    paid: int
    returned: int


class Settlements(BaseModel):
    """Settlements, the newest first; ask again with `before` until it is null."""

    settlements: list[SettlementRow]
    before: int | None


class StatementRow(BaseModel):
    """A payee's statement: opening + total = closing; `payout` of it is paid, `reason` says why less."""

    id: int
    run_id: int
    company_id: int
    company: str
    currency: str
    opening: str
    total: str
    closing: str
    payout: str
    reason: str | None
    payout_state: str | None


class StatementLine(BaseModel):
    """A posting on a statement; /entries/{entry_id} has all of it."""

    entry_id: int
    happened_at: datetime
    rule: str
    part: str
    refs: dict[str, Any]
    in_: str | None = Field(alias="in")
    out: str | None
    balance: str


class StatementView(StatementRow):
    """One statement with its lines in the order they were posted."""

    cut_off: datetime
    lines: list[StatementLine]


class PayoutView(BaseModel):
    """A transfer: of a statement to a supplier, or a withdrawal to a seller. `to` is the account at export."""

    id: int
    kind: Literal["statement", "withdrawal"]
    company_id: int
    company: str
    run_id: int | None
    statement_id: int | None
    end_to_end_id: str
    amount: str
    currency: str
    state: Literal["asked", "pending", "exported", "paid", "rejected", "returned", "cancelled"]
    to: dict[str, Any] | None
    reason: str | None
    made_at: datetime
    ended_at: datetime | None


class Payouts(BaseModel):
    """Payouts, the newest first."""

    payouts: list[PayoutView]


class SettlementView(SettlementRow):
    """One run with its statements and payouts."""

    statement_rows: list[StatementRow]
    payout_rows: list[PayoutView]


class NewRun(BaseModel):
    """`cut_off`: until when; now without it. A moment without a zone is UTC."""

    cut_off: datetime | None = None


class Approval(BaseModel):
    """Who approves the run."""

    by: str = Field(max_length=100, min_length=1)


class PayoutRefusal(BaseModel):
    """Why, in a sentence."""

    reason: str = Field(max_length=500, min_length=1)


class Maturing(BaseModel):
    """The hub looks."""

    asked: bool = True


@router.get("/settlements")
def list_runs(db: Db, limit: Limit = 50, before: int | None = None) -> Settlements:
    """Settlement runs."""
    with db.unit_of_work() as uow:
        found = run_rows(uow.session, limit + 1, before)
    more = found[limit - 1]["id"] if len(found) > limit else None
    return Settlements(settlements=[SettlementRow(**in_major(row)) for row in found[:limit]], before=more)


@router.post("/settlements", status_code=201)
def draft(db: Db, body: NewRun) -> SettlementView:
    """Drafts a run over all that matured and is on no statement yet."""
    cut_off = body.cut_off
    if cut_off is not None and cut_off.tzinfo is None:
        cut_off = cut_off.replace(tzinfo=UTC)
    with db.unit_of_work() as uow:
        return _run(uow, close.draft(uow, cut_off).id)


@router.post("/settlements/mature", status_code=202)
def mature(db: Db) -> Maturing:
    """Has all looked at now that outlived its return window, as the clock does each hour."""
    with db.unit_of_work() as uow:
        ring(uow)
    return Maturing()


@router.get("/settlements/{run_id}")
def get_run(db: Db, run_id: int) -> SettlementView:
    """One run."""
    with db.unit_of_work() as uow:
        return _run(uow, run_id)


@router.post("/settlements/{run_id}/lock")
def lock(db: Db, run_id: int) -> SettlementView:
    """Agrees to a draft: its cut-off and its lines are fixed. Again: nothing."""
    with db.unit_of_work() as uow:
        return _run(uow, close.lock(uow, run_id).id)


@router.post("/settlements/{run_id}/approve", status_code=202)
def approve(db: Db, run_id: int, body: Approval) -> SettlementView:
    """Lets a locked run be paid; its payment file is made later: look until the run is exported."""
    with db.unit_of_work() as uow:
        return _run(uow, close.approve(uow, run_id, body.by).id)


@router.post("/settlements/{run_id}/cancel")
def cancel(db: Db, run_id: int) -> SettlementView:
    """Gives up a run that has no payment file yet; its lines go into the next one. Again: nothing."""
    with db.unit_of_work() as uow:
        return _run(uow, close.cancel(uow, run_id).id)


@router.post("/settlements/{run_id}/close")
def close_run(db: Db, run_id: int) -> SettlementView:
    """Closes a run once the bank has spoken of each of its payouts. Again: nothing."""
    with db.unit_of_work() as uow:
        return _run(uow, close.close(uow, run_id).id)


@router.get(
    "/settlements/{run_id}/file",
    responses=gives_file("application/xml", "pain.001."),
    response_class=Response,
)
def get_file(db: Db, run_id: int) -> Response:
    """The run's payment file for the bank, the same bytes each time."""
    with db.unit_of_work() as uow:
        content = payment_file(uow, run_id)
    headers = {"Content-Disposition": f'attachment; filename="settlement-{run_id}.xml"'}
    return Response(content, media_type="application/xml", headers=headers)


@router.get("/statements/{statement_id}")
def get_statement(db: Db, statement_id: int) -> StatementView:
    """One statement with its lines."""
    with db.unit_of_work() as uow:
        found = there_is(one_statement(uow.session, statement_id), f"Statement {statement_id}")
    return StatementView(**in_major(found))


@router.get(
    "/statements/{statement_id}/csv",
    responses=gives_file("text/csv", "The statement."),
    response_class=Response,
)
def get_statement_csv(db: Db, statement_id: int) -> Response:
    """A statement as a spreadsheet takes it."""
    with db.unit_of_work() as uow:
        text = as_csv(paper(uow, statement_id))
    headers = {"Content-Disposition": f'attachment; filename="statement-{statement_id}.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


@router.get(
    "/statements/{statement_id}/html",
    responses=gives_file("text/html", "The statement."),
    response_class=Response,
)
def get_statement_html(db: Db, statement_id: int) -> Response:
    """A statement as a page to keep or print, whole in itself."""
    with db.unit_of_work() as uow:
        text = statement_page(paper(uow, statement_id))
    headers = {"Content-Disposition": f'attachment; filename="statement-{statement_id}.html"'}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/payouts")
def list_payouts(db: Db, run: int | None = None, limit: Limit = 50) -> Payouts:
    """Payouts of a run, or the newest of all."""
    with db.unit_of_work() as uow:
        found = payout_rows(uow.session, run, limit)
    return Payouts(payouts=[PayoutView(**in_major(row)) for row in found])


@router.post("/payouts/{payout_id}/reject")
def reject_payout(db: Db, payout_id: int, body: PayoutRefusal) -> PayoutView:
    """The bank refused an exported payout before any money moved: the payee has it again. Again: nothing."""
    with db.unit_of_work() as uow:
        run_id = reject(uow, payout_id, body.reason).run_id
        uow.session.flush()
        found = next(row for row in payout_rows(uow.session, run_id) if row["id"] == payout_id)
    return PayoutView(**in_major(found))


def _run(uow: UnitOfWork, run_id: int) -> SettlementView:
    uow.session.flush()
    uow.session.expire_all()
    return SettlementView(**in_major(there_is(one_run(uow.session, run_id), f"Settlement run {run_id}")))
