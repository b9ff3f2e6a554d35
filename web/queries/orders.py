"""What pages, API and command line show of buyers' orders: their lines, what waits and why, and each order's story."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, func, or_, select
from sqlalchemy.orm import Session

from models.catalogue import Offer
from models.companies import Company
from models.ledger import Hold, HoldPart
from models.orders import Order, OrderBuyer, OrderEvent, OrderLine, Reservation
from models.purchasing import PurchaseOrder, Shipment, ShipmentLine
from models.shops import Shop
from web.queries.purchasing import po_lines
from web.tables import ROWS, Ask, Column, Rows, Statement, paged, tally


def _of_lines(what: Any) -> Any:
    """A figure over an order's lines, counted for the rows that are shown alone and not for every order there is."""
    return select(what).where(OrderLine.order_id == Order.id).correlate(Order).scalar_subquery()


ORDER_COLUMNS = {
    "placed": Column(Order.placed_at, "-"),
    "number": Column(func.lower(Order.number, type_=String)),
    "shop": Column(func.lower(Shop.name, type_=String)),
    "value": Column(Order.total_minor, "-"),
}
"""What a list of orders can be sorted by."""


def order_rows(session: Session, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of orders. Filters: `state` (of any line), `shop` (its number) and `q` (number, SKU or title).

    Of the buyer a list shows town and country alone. `reason` is a sentence of one of its lines, None where none waits.
    """
    statement = _orders(state=ask["state"], shop=ask["shop"], q=ask["q"])
    return paged(session, statement, ORDER_COLUMNS, Order.id, ask, limit)


def last_orders(
    session: Session, *, shop_id: int | None = None, state: str | None = None, limit: int = ROWS
) -> list[dict[str, Any]]:
    """The newest orders first, each with its `lines` in full."""
    statement = _orders(state=state or "", shop=str(shop_id) if shop_id is not None else "")
    found = session.execute(statement.order_by(Order.id.desc()).limit(limit)).mappings().all()
    lines = lines_of(session, [row["id"] for row in found])
    return [{**row, "lines": lines.get(row["id"], [])} for row in found]


def order_states(session: Session, shop_id: int | None = None) -> dict[str, int]:
    """How many order lines are in each state, of one shop or of all."""
    statement = select(OrderLine.state, func.count()).group_by(OrderLine.state)
    if shop_id is not None:
        statement = statement.join(Order, Order.id == OrderLine.order_id).where(Order.shop_id == shop_id)
    return tally(session, statement)


def lines_of(session: Session, order_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The lines of these orders, by order. `supplier` is whose offer covers the line, None before one does."""
    found = session.execute(
        select(
            OrderLine.order_id, OrderLine.id, OrderLine.sku, OrderLine.title, OrderLine.kind, OrderLine.variant_id,
            Offer.supplier_id, Company.name.label("supplier"), Offer.supplier_sku, OrderLine.unit_cost,
            OrderLine.unit_price_minor, OrderLine.ordered, OrderLine.wanted, OrderLine.covered, OrderLine.shipped,
            OrderLine.refunded, OrderLine.overruled, OrderLine.state, OrderLine.reason, OrderLine.since,
            func.coalesce(Reservation.quantity, 0).label("reserved"), Reservation.expires_at,
        )
        .outerjoin(Offer, Offer.id == OrderLine.offer_id).outerjoin(Company, Company.id == Offer.supplier_id)
        .outerjoin(Reservation, Reservation.line_id == OrderLine.id)
        .where(OrderLine.order_id.in_(order_ids)).order_by(OrderLine.order_id, OrderLine.id)
    ).mappings()  # fmt: skip
    of: dict[int, list[dict[str, Any]]] = {}
    for row in found:
        of.setdefault(row["order_id"], []).append(dict(row))
    return of


def one_order(session: Session, order_id: int) -> dict[str, Any] | None:
    """An order with `buyer` (address or None), `lines`, `holds`, `purchase_orders`, `shipments` and `story`; None: not there.

    The story is the oldest first. It is the only read model with the buyer's address in it.
    """
    row = session.execute(_orders().where(Order.id == order_id)).mappings().one_or_none()
    if row is None:
        return None
    buyer = session.get(OrderBuyer, order_id)
    return {
        **row,
        "buyer": buyer.address if buyer else None,
        "lines": lines_of(session, [order_id]).get(order_id, []),
        "holds": holds_of(session, order_id),
        "purchase_orders": purchase_orders_of(session, order_id),
        "shipments": shipments_of(session, order_id),
        "story": story_of(session, order_id),
    }


def holds_of(session: Session, order_id: int) -> list[dict[str, Any]]:
    """What is set aside for an order's lines: each hold with its `parts`, amounts in minor units of its currency.

    `open_minor` is what is still held: total less captured less released. `quantity` and `…_pieces` count pieces.
    """
    parts: dict[int, list[dict[str, Any]]] = {}
    held = session.execute(
        select(HoldPart.hold_id, HoldPart.part, HoldPart.total, HoldPart.captured, HoldPart.released, HoldPart.refunded)
        .join(Hold, Hold.id == HoldPart.hold_id).where(Hold.order_id == order_id).order_by(HoldPart.hold_id, HoldPart.part)
    ).mappings()  # fmt: skip
    for part in held:
        amounts = {f"{name}_minor": part[name] for name in ("total", "captured", "released", "refunded")}
        parts.setdefault(part["hold_id"], []).append({"part": part["part"], **amounts})
    holds = session.execute(
        select(
            Hold.id, Hold.line_id, Hold.number, Hold.supplier_id, Company.name.label("supplier"), Hold.currency, Hold.quantity,
            Hold.captured.label("captured_pieces"), Hold.released.label("released_pieces"),
            Hold.refunded.label("refunded_pieces"), Hold.unit_cost, Hold.commission_percent, Hold.vat_percent,
            Hold.terms_version, Hold.opened_at,
        )
        .join(Company, Company.id == Hold.supplier_id).where(Hold.order_id == order_id).order_by(Hold.id)
    ).mappings()  # fmt: skip
    return [
        {**hold, **_sums(parts.get(hold["id"], [])), "parts": parts.get(hold["id"], [])} for hold in holds
    ]


def purchase_orders_of(session: Session, order_id: int) -> list[dict[str, Any]]:
    """The purchase orders of a buyer's order, each with its `lines`."""
    found = session.execute(
        select(
            PurchaseOrder.id, PurchaseOrder.reference, PurchaseOrder.supplier_id, Company.name.label("supplier"),
            PurchaseOrder.state, PurchaseOrder.external_number, PurchaseOrder.reason, PurchaseOrder.shipping_minor,
            PurchaseOrder.currency, PurchaseOrder.made_at, PurchaseOrder.placed_at, PurchaseOrder.answered_at,
        )
        .join(Company, Company.id == PurchaseOrder.supplier_id)
        .where(PurchaseOrder.order_id == order_id).order_by(PurchaseOrder.id)
    ).mappings().all()  # fmt: skip
    lines = po_lines(session, [row["id"] for row in found])
    return [{**row, "lines": lines.get(row["id"], [])} for row in found]


def shipments_of(
    session: Session, order_id: int | None = None, *, purchase_order_id: int | None = None, limit: int = 500
) -> list[dict[str, Any]]:
    """Shipments with their `lines`, the newest first: of one order, of one purchase order, or of all."""
    statement = (
        select(
            Shipment.id, PurchaseOrder.order_id, Shipment.purchase_order_id, PurchaseOrder.reference, Company.name.label("supplier"),
            Shipment.key, Shipment.carrier, Shipment.number, Shipment.url, Shipment.shipped_at, Shipment.reported_at,
            Shipment.external_id, Shipment.problem,
        )
        .join(PurchaseOrder, PurchaseOrder.id == Shipment.purchase_order_id)
        .join(Company, Company.id == PurchaseOrder.supplier_id).order_by(Shipment.id.desc()).limit(limit)
    )  # fmt: skip
    if order_id is not None:
        statement = statement.where(PurchaseOrder.order_id == order_id)
    if purchase_order_id is not None:
        statement = statement.where(PurchaseOrder.id == purchase_order_id)
    found = session.execute(statement).mappings().all()
    lines: dict[int, list[dict[str, Any]]] = {}
    packed = session.execute(
        select(ShipmentLine.shipment_id, ShipmentLine.line_id, OrderLine.sku, ShipmentLine.quantity)
        .join(OrderLine, OrderLine.id == ShipmentLine.line_id)
        .where(ShipmentLine.shipment_id.in_([row["id"] for row in found]))
        .order_by(ShipmentLine.line_id)
    ).mappings()
    for row in packed:
        named = {"line": row["line_id"], "sku": row["sku"], "quantity": row["quantity"]}
        lines.setdefault(row["shipment_id"], []).append(named)
    return [{**row, "lines": lines.get(row["id"], [])} for row in found]


def story_of(session: Session, order_id: int) -> list[dict[str, Any]]:
    """What happened to an order, the oldest first: `at`, `what`, `text`, `line_id` and `link` ("entry:12", "po:7")."""
    found = session.execute(
        select(OrderEvent.at, OrderEvent.what, OrderEvent.text, OrderEvent.line_id, OrderEvent.link)
        .where(OrderEvent.order_id == order_id)
        .order_by(OrderEvent.id)
    ).mappings()
    return [dict(row) for row in found]


def _orders(state: str = "", shop: str = "", q: str = "") -> Statement:
    statement = (
        select(
            Order.id, Order.number, Order.external_id, Order.shop_id, Shop.name.label("shop"), Order.seller_id,
            Company.name.label("seller"), Order.standing, Order.test, Order.currency, Order.total_minor, Order.placed_at,
            Order.received_at, Order.version, OrderBuyer.address["city"].astext.label("city"),
            OrderBuyer.address["country"].astext.label("country"),
            _of_lines(func.count()).label("line_count"), _of_lines(func.sum(OrderLine.ordered)).label("pieces"),
            _of_lines(func.array_agg(OrderLine.state.distinct())).label("states"),
            _of_lines(func.min(OrderLine.reason)).label("reason"),
        )
        .select_from(Order).join(Shop, Shop.id == Order.shop_id).join(Company, Company.id == Order.seller_id)
        .outerjoin(OrderBuyer, OrderBuyer.order_id == Order.id)
    )  # fmt: skip
    mine = OrderLine.order_id == Order.id
    if state:
        statement = statement.where(select(OrderLine.id).where(mine, OrderLine.state == state).exists())
    if shop:
        statement = statement.where(Order.shop_id == int(shop) if shop.isdecimal() else Shop.name == shop)
    if q:
        named = or_(
            OrderLine.sku.istartswith(q, autoescape=True), OrderLine.title.icontains(q, autoescape=True)
        )
        statement = statement.where(
            or_(
                Order.number.icontains(q, autoescape=True),
                Order.external_id == q,
                select(OrderLine.id).where(mine, named).exists(),
            )
        )
    return statement


def _sums(parts: Sequence[dict[str, Any]]) -> dict[str, int]:
    sums = {
        name: sum(part[name] for part in parts)
        for name in ("total_minor", "captured_minor", "released_minor", "refunded_minor")
    }
    open_ = sums["total_minor"] - sums["captured_minor"] - sums["released_minor"]
    return {**sums, "open_minor": open_}
