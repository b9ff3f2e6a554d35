"""/api/v1: purchase orders, suppliers' answers one by one or as a CSV file, terms and bank accounts."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.database import UnitOfWork
from core.errors import there_is
from models.companies import Company
from pipelines.answering import taken_down, to_fill
from pipelines.orders import answers
from pipelines.orders.terms import set_bank_details, set_terms
from pipelines.paying import amount_of
from web.api.keys import After, FileSent, Limit, Page, gives_file, takes_file
from web.api.orders import OrderedLine
from web.deps import Db, settings_of
from web.queries.money import in_major
from web.queries.purchasing import bank_details, one_po, po_rows, po_states, terms_of
from web.tables import Ask

router = APIRouter(tags=["Purchase orders"])
PoState = Literal[
    "submitting", "unknown", "placed", "accepted", "rejected", "cancel_requested", "cancelled", "shipped"
]
SupplierId = Annotated[int | None, Query(description="Only this supplier's.")]


class PoRow(BaseModel):
    """The hub's order to a supplier for one buyer's order. `cost` is its goods, `shipping` his flat shipping."""

    id: int
    reference: str
    order_id: int
    order_number: str
    shop: str
    supplier_id: int
    supplier: str
    state: PoState
    external_number: str | None
    reason: str | None
    quantity: int | None
    shipped: int | None
    cost: Decimal | None
    shipping: str
    currency: str
    made_at: datetime
    placed_at: datetime | None
    answered_at: datetime | None


class Pos(Page):
    """A page of purchase orders; `states` counts all."""

    states: dict[str, int]
    purchase_orders: list[PoRow]


class PoView(PoRow):
    """One purchase order with its lines."""

    lines: list[OrderedLine]


class Confirmation(BaseModel):
    """`number` is the supplier's own for it."""

    number: str | None = Field(None, max_length=100)


class Refusal(BaseModel):
    """Why, in a sentence for the seller."""

    reason: str = Field(max_length=500)


class RowVerdict(BaseModel):
    """What became of a row of a file; `row` counts from the header, which is 1."""

    model_config = ConfigDict(from_attributes=True)
    row: int
    reference: str
    verdict: Literal["taken", "unchanged", "empty", "refused"]
    message: str


class Verdicts(BaseModel):
    """Every row of a file is answered."""

    rows: list[RowVerdict]


class TermsView(BaseModel):
    """What is agreed with a supplier, without his key. `version` counts changes of money; 0: nothing was agreed."""

    supplier: int
    commission_percent: Decimal
    shipping: str
    currency: str
    transport: str
    url: str | None
    version: int


class TermsChange(BaseModel):
    """What is given changes, the rest stays. `shipping` is flat per order; `key` and `ca_file` are for the way "api"."""

    model_config = ConfigDict(extra="forbid")
    commission_percent: Decimal | None = None
    shipping: str | None = None
    transport: Literal["portal", "api"] | None = None
    url: str | None = Field(None, max_length=500)
    key: str | None = Field(None, max_length=500, repr=False)
    ca_file: str | None = Field(None, description="A file on the hub's machine.")


class BankAccountView(BaseModel):
    """Where a company is paid to."""

    company_id: int
    holder: str
    iban: str
    bic: str
    town: str
    country: str
    changed_at: datetime


class NewBankAccount(BaseModel):
    """The whole account; `country` by two letters."""

    holder: str
    iban: str
    town: str
    country: str
    bic: str = ""


@router.get("/purchase-orders")
def list_pos(
    request: Request,
    db: Db,
    state: PoState | None = None,
    supplier: SupplierId = None,
    q: str | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Pos:
    """Purchase orders, the newest first; `q` is a reference, the supplier's number, or the shop's order number."""
    ask = Ask(request, ("state", "supplier", "q"), default="-made")
    with db.unit_of_work() as uow:
        found = po_rows(uow.session, ask, limit)
        states = po_states(uow.session, supplier)
    return Pos(
        states=states, purchase_orders=[PoRow(**in_major(row)) for row in found.rows], after=found.after
    )


@router.get(
    "/purchase-orders/file", responses=gives_file("text/csv", "The CSV file."), response_class=Response
)
def get_file(db: Db, supplier: SupplierId = None) -> Response:
    """What suppliers have to ship as CSV, with empty columns for their answers."""
    with db.unit_of_work() as uow:
        text = to_fill(uow, supplier)
    headers = {"Content-Disposition": 'attachment; filename="purchase-orders.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/purchase-orders/file", openapi_extra=takes_file("text/csv"))
def send_file(db: Db, content: FileSent, supplier: SupplierId = None) -> Verdicts:
    """Takes confirmations and shipments down, a verdict for each row. The same file again changes nothing."""
    found = taken_down(db, content, supplier)
    return Verdicts(rows=[RowVerdict.model_validate(each) for each in found])


@router.get("/purchase-orders/{po_id}")
def get_po(db: Db, po_id: int) -> PoView:
    """One purchase order."""
    with db.unit_of_work() as uow:
        return _described(uow, po_id)


@router.post("/purchase-orders/{po_id}/confirm")
def confirm(db: Db, po_id: int, body: Confirmation) -> PoView:
    """The supplier accepts it, or a person made sure that he has one whose fate was unknown."""
    with db.unit_of_work() as uow:
        return _described(uow, answers.confirm(uow, po_id, body.number).id)


@router.post("/purchase-orders/{po_id}/reject")
def reject(db: Db, po_id: int, body: Refusal) -> PoView:
    """The supplier will not deliver what is open of it: stock and deposit go back."""
    with db.unit_of_work() as uow:
        return _described(uow, answers.reject(uow, po_id, body.reason).id)


@router.post("/purchase-orders/{po_id}/cancelled")
def cancelled(db: Db, po_id: int) -> PoView:
    """The supplier cancels what the buyer no longer wants of it."""
    with db.unit_of_work() as uow:
        return _described(uow, answers.cancelled(uow, po_id).id)


@router.post("/purchase-orders/{po_id}/refuse-cancel")
def refuse_cancel(db: Db, po_id: int, body: Refusal) -> PoView:
    """The supplier ships it all the same."""
    with db.unit_of_work() as uow:
        return _described(uow, answers.cancel_refused(uow, po_id, body.reason).id)


@router.post("/purchase-orders/{po_id}/again", status_code=202)
def again(db: Db, po_id: int) -> PoView:
    """A person made sure that the supplier does not have one whose fate was unknown: it is sent anew."""
    with db.unit_of_work() as uow:
        return _described(uow, answers.send_again(uow, po_id).id)


@router.get("/suppliers/{supplier_id}/terms")
def get_terms(request: Request, db: Db, supplier_id: int) -> TermsView:
    """What is agreed with a supplier."""
    with db.unit_of_work() as uow:
        there_is(
            uow.session.query(Company).filter_by(id=supplier_id, kind="supplier").first(),
            f"Supplier {supplier_id}",
        )
        told = terms_of(uow.session, supplier_id)
    return TermsView(**in_major({**told, "currency": settings_of(request).currency}))


@router.patch("/suppliers/{supplier_id}/terms")
def change_terms(request: Request, db: Db, supplier_id: int, body: TermsChange) -> TermsView:
    """Changes what is agreed with a supplier; holds made before keep the terms they were made by."""
    settings = settings_of(request)
    sealed = {"key": body.key, **({"ca_file": body.ca_file} if body.ca_file else {})} if body.key else None
    with db.unit_of_work() as uow:
        set_terms(
            uow, settings, supplier_id, commission_percent=body.commission_percent,
            shipping=amount_of(body.shipping, settings.currency) if body.shipping is not None else None,
            transport=body.transport, url=body.url, credentials=sealed,
        )  # fmt: skip
    return get_terms(request, db, supplier_id)


@router.get("/companies/{company_id}/bank-account")
def get_account(db: Db, company_id: int) -> BankAccountView:
    """Where a supplier or seller is paid to."""
    with db.unit_of_work() as uow:
        found = bank_details(uow.session, company_id)
    return BankAccountView(**there_is(found, f"The bank account of company {company_id}"))


@router.put("/companies/{company_id}/bank-account")
def set_account(db: Db, company_id: int, body: NewBankAccount) -> BankAccountView:
    """Sets where a supplier or seller is paid to; runs not yet exported pay to it."""
    with db.unit_of_work() as uow:
        set_bank_details(uow, company_id, **body.model_dump())
    return get_account(db, company_id)


def _described(uow: UnitOfWork, po_id: int) -> PoView:
    uow.session.flush()
    return PoView(**in_major(there_is(one_po(uow.session, po_id), f"Purchase order {po_id}")))
