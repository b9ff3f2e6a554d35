"""Settlement: the runs, one run with its statements and payouts, its payment file, and a statement to read, print and keep."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from core.errors import Refused, there_is
from pipelines.settlement import close
from pipelines.settlement.mature import ring
from pipelines.settlement.pay import payment_file
from pipelines.settlement.statement import as_csv, paper
from web import formats
from web.deps import CheckedForm, Db, Session, go, page
from web.printing import statement_page
from web.queries.money import entry_rows
from web.queries.settlement import one_run, run_rows

router = APIRouter(prefix="/money")
UNFOLDED = 30
"""Statements of a run whose lines stand on its page; the others are a link away."""


@router.get("/settlements")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """Every run, the newest first."""
    before = request.query_params.get("before", "")
    with db.unit_of_work() as uow:
        rows = run_rows(uow.session, 51, int(before) if before.isdecimal() else None)
    open_ = any(row["state"] in close.OPEN for row in rows)
    return page(
        request, "settlements.html", title="Settlement", rows=rows[:50], older=rows[49]["id"] if len(rows) > 50 else None, open=open_, paged=before
    )  # fmt: skip


@router.post("/settlements")
def draft(db: Db, session: CheckedForm) -> Response:
    """Drafts a run over all that matured and is on no statement yet."""
    with db.unit_of_work() as uow:
        made = close.draft(uow)
        uow.session.flush()
        return go(f"/money/settlements/{made.id}", "drafted")


@router.post("/settlements/mature")
def mature(db: Db, session: CheckedForm) -> Response:
    """Has all looked at now that outlived its return window, as the clock does each hour."""
    with db.unit_of_work() as uow:
        ring(uow)
    return go("/money/settlements", "maturing")


@router.get("/settlements/{run_id}")
def show(request: Request, db: Db, session: Session, run_id: int) -> Response:
    """One run: what each supplier gets and why, line by line, and what the bank said of each payout."""
    with db.unit_of_work() as uow:
        run = there_is(one_run(uow.session, run_id), f"Settlement run {run_id}")
        papers = {each["id"]: paper(uow, each["id"]) for each in run["statement_rows"][:UNFOLDED]}
        postings = entry_rows(uow, sorted({row.entry_id for each in papers.values() for row in each.rows}))
    return page(
        request, "settlement.html", title=f"Run {run_id}", run=run, papers=papers, postings=postings,
        busy=run["state"] == "approved",
    )  # fmt: skip


@router.post("/settlements/{run_id}/{act}")
def move(db: Db, session: CheckedForm, run_id: int, act: str) -> Response:
    """Locks, approves, cancels or closes a run."""
    with db.unit_of_work() as uow:
        match act:
            case "lock":
                close.lock(uow, run_id)
            case "approve":
                close.approve(uow, run_id, "operator")
            case "cancel":
                close.cancel(uow, run_id)
            case "close":
                close.close(uow, run_id)
            case _:
                raise Refused(f"There is no act {act[:40]!r} of a run.", rule="not_found")
    return go(f"/money/settlements/{run_id}", ACTS[act])


ACTS = {"lock": "locked", "approve": "let_pay", "cancel": "run_cancelled", "close": "closed"}


@router.get("/settlements/{run_id}/payments.xml")
def take_away(db: Db, session: Session, run_id: int) -> Response:
    """The run's payment file (pain.001) for the bank: the same bytes each time."""
    with db.unit_of_work() as uow:
        made = payment_file(uow, run_id)
    return Response(
        made, media_type="application/xml", headers={"Content-Disposition": f'attachment; filename="payments-run-{run_id}.xml"'}
    )  # fmt: skip


@router.get("/statements/{statement_id}")
def show_statement(request: Request, db: Db, session: Session, statement_id: int) -> Response:
    """A statement on paper: nothing of the console stands around it."""
    locale = formats.language(request.headers.get("accept-language"))
    with db.unit_of_work() as uow:
        return HTMLResponse(statement_page(paper(uow, statement_id), served=True, locale=locale))


@router.get("/statements/{statement_id}/statement.csv")
def statement_csv(db: Db, session: Session, statement_id: int) -> Response:
    """A statement as a spreadsheet takes it."""
    with db.unit_of_work() as uow:
        content = as_csv(paper(uow, statement_id)).encode("utf-8-sig")
    return Response(
        content, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="statement-{statement_id}.csv"'}
    )  # fmt: skip
