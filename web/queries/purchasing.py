"""What pages, API and command line show of purchase orders and of the terms with suppliers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, func, or_, select
from sqlalchemy.orm import Session

from models.companies import Company, number_in
from models.orders import Order, OrderLine
from models.purchasing import BankDetails, PurchaseOrder, PurchaseOrderLine, SupplierTerms
from models.shops import Shop
from web.tables import ROWS, Ask, Column, Rows, Statement, paged, tally


def _of_lines(what: Any) -> Any:
    """A figure over a purchase order's lines, counted for the rows that are shown alone."""
    mine = PurchaseOrderLine.purchase_order_id == PurchaseOrder.id
    return select(what).where(mine).correlate(PurchaseOrder).scalar_subquery()


PO_COLUMNS = {
    "made": Column(PurchaseOrder.made_at, "-"),
    "supplier": Column(func.lower(Company.name, type_=String)),
    "reference": Column(PurchaseOrder.reference),
    "state": Column(PurchaseOrder.state),
}
"""What a list of purchase orders can be sorted by."""


def po_rows(session: Session, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of purchase orders. Filters: `state`, `supplier` (its number) and `q` (reference, his number, order).

    `cost` is goods alone in major units as exact as the offers were; `shipping_minor` is his flat shipping.
    """
    statement = _purchase_orders(supplier=ask["supplier"], state=ask["state"], q=ask["q"])
    return paged(session, statement, PO_COLUMNS, PurchaseOrder.id, ask, limit)


def last_pos(
    session: Session, *, supplier_id: int | None = None, state: str | None = None, limit: int = ROWS
) -> list[dict[str, Any]]:
    """The newest purchase orders first."""
    statement = _purchase_orders(str(supplier_id) if supplier_id is not None else "", state or "")
    found = session.execute(statement.order_by(PurchaseOrder.id.desc()).limit(limit)).mappings()
    return [dict(row) for row in found]


def po_states(session: Session, supplier_id: int | None = None) -> dict[str, int]:
    """How many purchase orders are in each state, of one supplier or of all."""
    statement = select(PurchaseOrder.state, func.count()).group_by(PurchaseOrder.state)
    if supplier_id is not None:
        statement = statement.where(PurchaseOrder.supplier_id == supplier_id)
    return tally(session, statement)


def one_po(session: Session, po_id: int) -> dict[str, Any] | None:
    """A purchase order with its `lines`, or None."""
    found = session.execute(_purchase_orders().where(PurchaseOrder.id == po_id)).mappings().one_or_none()
    return {**found, "lines": po_lines(session, [po_id]).get(po_id, [])} if found else None


def po_number(session: Session, name: str) -> int | None:
    """The id of the purchase order that is called by its id or its reference ("EP-7"); None where there is none."""
    number = number_in(name)
    by = PurchaseOrder.id == number if number is not None else PurchaseOrder.reference == name.upper()
    return session.scalars(select(PurchaseOrder.id).where(by)).one_or_none()


def po_lines(session: Session, po_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The lines of these purchase orders, by purchase order; `open` is what the supplier has not shipped yet."""
    found = session.execute(
        select(
            PurchaseOrderLine.purchase_order_id, PurchaseOrderLine.line_id, OrderLine.sku, PurchaseOrderLine.supplier_sku,
            OrderLine.title, PurchaseOrderLine.quantity, PurchaseOrderLine.shipped,
            (PurchaseOrderLine.quantity - PurchaseOrderLine.shipped).label("open"), PurchaseOrderLine.unit_cost, OrderLine.state,
        )
        .join(OrderLine, OrderLine.id == PurchaseOrderLine.line_id)
        .where(PurchaseOrderLine.purchase_order_id.in_(po_ids)).order_by(PurchaseOrderLine.line_id)
    ).mappings()  # fmt: skip
    of: dict[int, list[dict[str, Any]]] = {}
    for row in found:
        line = {"line": row["line_id"], **{name: row[name] for name in row if name != "line_id"}}
        of.setdefault(line.pop("purchase_order_id"), []).append(line)
    return of


def terms_of(session: Session, supplier_id: int) -> dict[str, Any]:
    """What is agreed with a supplier, without his credentials; what is taken where nothing was agreed."""
    found = session.get(SupplierTerms, supplier_id)
    names = ("commission_percent", "shipping_minor", "transport", "url", "version")
    if found is None:
        return {"supplier": supplier_id, **dict(zip(names, (0, 0, "portal", None, 0), strict=True))}
    return {"supplier": supplier_id, **{name: getattr(found, name) for name in names}}


def bank_details(session: Session, company_id: int) -> dict[str, Any] | None:
    """Where a company is paid to, or None where it did not say."""
    found = session.get(BankDetails, company_id)
    names = ("company_id", "holder", "iban", "bic", "town", "country", "changed_at")
    return {name: getattr(found, name) for name in names} if found else None


def _purchase_orders(supplier: str = "", state: str = "", q: str = "") -> Statement:
    statement = (
        select(
            PurchaseOrder.id, PurchaseOrder.reference, PurchaseOrder.order_id, Order.number.label("order_number"),
            Shop.name.label("shop"), PurchaseOrder.supplier_id, Company.name.label("supplier"), PurchaseOrder.state,
            PurchaseOrder.external_number, PurchaseOrder.reason, PurchaseOrder.shipping_minor, PurchaseOrder.currency,
            PurchaseOrder.made_at, PurchaseOrder.asked_at, PurchaseOrder.placed_at, PurchaseOrder.answered_at,
            _of_lines(func.count()).label("line_count"), _of_lines(func.sum(PurchaseOrderLine.quantity)).label("quantity"),
            _of_lines(func.sum(PurchaseOrderLine.shipped)).label("shipped"),
            _of_lines(func.sum(PurchaseOrderLine.quantity * PurchaseOrderLine.unit_cost)).label("cost"),
        )
        .select_from(PurchaseOrder).join(Company, Company.id == PurchaseOrder.supplier_id)
        .join(Order, Order.id == PurchaseOrder.order_id).join(Shop, Shop.id == Order.shop_id)
    )  # fmt: skip
    if supplier:
        named = (
            PurchaseOrder.supplier_id == int(supplier)
            if supplier.isdecimal()
            else Company.code == supplier.upper()
        )
        statement = statement.where(named)
    if state:
        statement = statement.where(PurchaseOrder.state == state)
    if q:
        words = (PurchaseOrder.reference, PurchaseOrder.external_number, Order.number)
        statement = statement.where(or_(*(word.icontains(q, autoescape=True) for word in words)))
    return statement
