"""Purchase orders: the list, one of them, the supplier's answers typed in or taken from his file, and that file's making."""

import re
import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import select
from starlette.datastructures import UploadFile

from core.errors import Refused, there_is
from models.companies import Company
from models.purchasing import PO_STATES, PurchaseOrder
from pipelines.orders import answers
from pipelines.orders.purchase_csv import open_orders, take_answers
from pipelines.orders.ship import ship
from web.deps import CheckedForm, Db, Session, check_token, go, page
from web.pages.orders import pieces
from web.queries.orders import shipments_of
from web.queries.purchasing import PO_COLUMNS, one_po, po_rows, po_states
from web.queries.trade import suppliers_of_pos
from web.tables import Ask

router = APIRouter(prefix="/purchase-orders")
Text = Annotated[str, Form()]
STATES = (
    "unknown",
    "placed",
    "cancel_requested",
    "submitting",
    "accepted",
    "rejected",
    "shipped",
    "cancelled",
)


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """Every purchase order; chosen by supplier, his open ones can be taken away as a file."""
    ask = Ask(request, ("state", "supplier", "q"), default="-made")
    if ask["state"] not in PO_STATES:
        ask.filters.pop("state", None)
    if not ask["supplier"].isdecimal():
        ask.filters.pop("supplier", None)
    chosen = int(ask["supplier"]) if ask["supplier"] else None
    with db.unit_of_work() as uow:
        rows, states = po_rows(uow.session, ask), po_states(uow.session, chosen)
        suppliers = suppliers_of_pos(uow.session)
        name = uow.session.scalar(select(Company.name).where(Company.id == chosen)) if chosen else None
    return page(
        request, "purchase_orders.html", title="Purchase orders", ask=ask, rows=rows, states=states, columns=PO_COLUMNS, order=STATES,
        suppliers=suppliers, chosen=chosen, supplier=name,
    )  # fmt: skip


@router.get("/open.csv")
def take_away(db: Db, session: Session, supplier: int) -> Response:
    """What a supplier has to ship, with empty columns for his answers."""
    with db.unit_of_work() as uow:
        company = there_is(uow.session.get(Company, supplier), f"Supplier {supplier}")
        content = open_orders(uow, supplier)
    name = re.sub(r"[^A-Za-z0-9]+", "-", company.code) or "supplier"
    return Response(
        content.encode("utf-8-sig"), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="orders-{name}.csv"'},
    )  # fmt: skip


@router.post("/file")
async def take_in(request: Request, db: Db, session: Session) -> Response:
    """Takes a supplier's filled-in file down and shows a verdict for each of its rows."""
    async with request.form(max_files=1, max_fields=5) as form:
        check_token(session, str(form.get("csrf", "")))
        file, supplier = form.get("file"), str(form.get("supplier", ""))
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refused("No file was chosen: choose the supplier's file first.", rule="missing")
        if not supplier.isdecimal():
            raise Refused("Choose whose file it is.", rule="missing")
        content = await file.read()
        name = file.filename
    verdicts = await run_in_threadpool(take_answers, db, int(supplier), content)
    with db.unit_of_work() as uow:
        company = there_is(uow.session.get(Company, int(supplier)), f"Supplier {supplier}")
    counts = {word: sum(each.verdict == word for each in verdicts) for word in VERDICTS}
    return page(
        request, "purchase_answers.html", title="Answers taken down", verdicts=verdicts, counts=counts, file=name, company=company, words=VERDICTS
    )  # fmt: skip


@router.get("/{po_id}")
def show(request: Request, db: Db, session: Session, po_id: int) -> Response:
    """One purchase order: its lines, its parcels, and what the supplier may still answer."""
    with db.unit_of_work() as uow:
        po = there_is(one_po(uow.session, po_id), f"Purchase order {po_id}")
        shipments = shipments_of(uow.session, purchase_order_id=po_id)
    return page(
        request, "purchase_order.html", title=po["reference"], po=po, shipments=shipments, key=f"P-{secrets.token_hex(4).upper()}"
    )  # fmt: skip


@router.post("/{po_id}/confirm")
def confirm(db: Db, session: CheckedForm, po_id: int, number: Text = "", back: Text = "") -> Response:
    """The supplier has it and will deliver."""
    with db.unit_of_work() as uow:
        return _back(answers.confirm(uow, po_id, number), back, "confirmed")


@router.post("/{po_id}/reject")
def reject(db: Db, session: CheckedForm, po_id: int, reason: Text = "", back: Text = "") -> Response:
    """The supplier will not deliver what is open of it."""
    with db.unit_of_work() as uow:
        return _back(answers.reject(uow, po_id, reason), back, "rejected")


@router.post("/{po_id}/cancelled")
def cancelled(db: Db, session: CheckedForm, po_id: int, back: Text = "") -> Response:
    """The supplier cancels what the buyer no longer wants."""
    with db.unit_of_work() as uow:
        return _back(answers.cancelled(uow, po_id), back, "cancelled")


@router.post("/{po_id}/refuse-cancel")
def refuse_cancel(db: Db, session: CheckedForm, po_id: int, reason: Text = "", back: Text = "") -> Response:
    """The supplier ships it all the same."""
    with db.unit_of_work() as uow:
        return _back(answers.cancel_refused(uow, po_id, reason), back, "kept")


@router.post("/{po_id}/again")
def again(db: Db, session: CheckedForm, po_id: int, back: Text = "") -> Response:
    """A person made sure that the supplier does not have it."""
    with db.unit_of_work() as uow:
        return _back(answers.send_again(uow, po_id), back, "again")


@router.post("/{po_id}/ship")
async def note_parcel(request: Request, db: Db, session: Session, po_id: int) -> Response:
    """A parcel left: the pieces of each line that has a field of its own."""
    async with request.form(max_files=0, max_fields=600) as form:
        check_token(session, str(form.get("csrf", "")))
        given = {name: str(value).strip() for name, value in form.items()}
    lines = {
        int(name.removeprefix("line_")): pieces(value)
        for name, value in given.items()
        if name.startswith("line_") and name.removeprefix("line_").isdecimal() and value not in ("", "0")
    }
    return await run_in_threadpool(_ship, db, po_id, lines, given)


def _ship(db: Db, po_id: int, lines: dict[int, int], given: dict[str, str]) -> Response:
    with db.unit_of_work() as uow:
        if not lines:
            raise Refused(
                "Nothing is in this parcel: say how many pieces of which line left.", rule="no_line"
            )
        texts = [given.get(name, "") for name in ("carrier", "number", "url")]
        ship(uow, po_id, given.get("key", ""), lines, *texts)
        return _back(uow.session.get_one(PurchaseOrder, po_id), given.get("back", ""), "shipped")


def _back(po: PurchaseOrder, back: str, said: str) -> Response:
    return go(f"/orders/{po.order_id}" if back == "order" else f"/purchase-orders/{po.id}", said)


VERDICTS = ("refused", "taken", "unchanged", "empty")
