"""/api/v1: buyers' orders with their story, shipments, refunds, and why an amount is what it is."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from core.errors import there_is
from ledger.why import why_fee, why_hold
from models.events import OrdersDue
from models.orders import Order
from models.purchasing import PurchaseOrder
from models.shops import Shop
from pipelines.orders.ship import ship
from pipelines.paying import refund
from web.api.keys import After, IdempotencyKey, Limit, Page
from web.deps import Db
from web.queries.money import in_major, refund_rows
from web.queries.orders import lines_of, one_order, order_rows, order_states, shipments_of
from web.queries.why import why_price
from web.tables import Ask

router = APIRouter(tags=["Orders"])
LineState = Literal[
    "unpaid", "received", "awaiting_stock", "awaiting_deposit", "funded", "submitting", "submit_unknown", "accepted",
    "rejected", "cancel_requested", "shipped", "cancelled", "refunded",
]  # fmt: skip


class LineView(BaseModel):
    """A line that is ours: pieces `ordered` and still `wanted` by the buyer, `covered`, `shipped`, `refunded` by the hub.

    `overruled` of them are not wanted any more and paid all the same: the supplier had them on their way.
    """

    id: int
    sku: str
    title: str
    kind: str
    supplier: str | None
    unit_cost: Decimal | None
    ordered: int
    wanted: int
    covered: int
    shipped: int
    refunded: int
    overruled: int
    reserved: int
    state: LineState
    reason: str | None
    since: datetime


class OrderRow(BaseModel):
    """An order in a list. `standing` and `total` are the shop's."""

    id: int
    shop_id: int
    shop: str
    number: str
    external_id: str
    standing: Literal["unpaid", "open", "cancelled"]
    test: bool
    total: str
    currency: str
    placed_at: datetime
    lines: list[LineView]


class Orders(Page):
    """A page of orders; `states` counts the lines of all."""

    states: dict[str, int]
    orders: list[OrderRow]


class PartView(BaseModel):
    """A component of a hold: goods, shipping, commission or vat."""

    part: str
    total: str
    captured: str
    released: str
    refunded: str


class HoldView(BaseModel):
    """Deposit set aside for a line, by the terms of that moment; `open` is what still is."""

    id: int
    line_id: int
    number: int
    supplier_id: int
    supplier: str
    currency: str
    quantity: int
    total: str
    captured: str
    released: str
    refunded: str
    open: str
    unit_cost: Decimal
    commission_percent: Decimal
    vat_percent: Decimal
    terms_version: int
    opened_at: datetime
    parts: list[PartView]


class OrderedLine(BaseModel):
    """A line of a purchase order; `open` has not been shipped."""

    line: int
    sku: str
    supplier_sku: str
    title: str
    quantity: int
    shipped: int
    open: int
    unit_cost: Decimal
    state: LineState


class OrderPurchase(BaseModel):
    """A purchase order of a buyer's order."""

    id: int
    reference: str
    supplier_id: int
    supplier: str
    state: str
    external_number: str | None
    reason: str | None
    shipping: str
    currency: str
    made_at: datetime
    placed_at: datetime | None
    answered_at: datetime | None
    lines: list[OrderedLine]


class PackedLine(BaseModel):
    """How much of which line is in a shipment."""

    line: int
    sku: str
    quantity: int


class ShipmentView(BaseModel):
    """What left a supplier; a completed service has no carrier. `reported_at`: the shop was told, `problem`: it was not."""

    id: int
    order_id: int
    purchase_order_id: int
    reference: str
    supplier: str
    key: str
    carrier: str
    number: str
    url: str
    shipped_at: datetime
    reported_at: datetime | None
    problem: str | None
    lines: list[PackedLine]


class StoryLine(BaseModel):
    """What happened; `link` is its cause as kind:id ("entry:12", "po:7", "shipment:3")."""

    at: datetime
    what: str
    text: str
    line_id: int | None
    link: str | None


class OrderView(OrderRow):
    """One order whole. `buyer` is the address it goes to; the story begins with the oldest."""

    seller_id: int
    seller: str
    buyer: dict[str, Any] | None
    purchase_orders: list[OrderPurchase]
    shipments: list[ShipmentView]
    holds: list[HoldView]
    story: list[StoryLine]


class Shipments(BaseModel):
    """Shipments, the newest first."""

    shipments: list[ShipmentView]


class NewShipment(BaseModel):
    """`lines` are pieces by line number; without it, all that is open."""

    lines: dict[int, int] | None = None
    carrier: str = Field("", max_length=100)
    number: str = Field("", max_length=100)
    url: str = Field("", max_length=2000)


class NewRefund(BaseModel):
    """How many shipped pieces came back to the supplier."""

    quantity: int = Field(ge=1)


class RefundView(BaseModel):
    """What went back to the seller's deposit, and the journal entry; `entry` is null where it was nothing."""

    line: int
    quantity: int
    amount: str
    currency: str
    entry: int | None


class RefundRow(RefundView):
    """A refund in a list."""

    key: str
    order: int
    sku: str
    at: datetime


class Refunds(BaseModel):
    """Refunds of shipped pieces, the newest first."""

    refunds: list[RefundRow]


class Why(BaseModel):
    """Sentences for a person; `figures` in major units; `entries` are the journal entries it rests on."""

    sentences: list[str]
    figures: dict[str, str]
    currency: str
    entries: list[int]


class WhyPrice(BaseModel):
    """What a price was made of when it was decided."""

    sku: str
    state: str
    price: str | None
    currency: str | None
    cost: str | None
    margin_percent: str | None
    offer: int | None
    selection: int | None
    supplier: str | None
    sentences: list[str]


class Pulling(BaseModel):
    """The shop is being asked."""

    asked: bool = True


@router.get("/orders")
def list_orders(
    request: Request,
    db: Db,
    state: LineState | None = None,
    shop: int | None = None,
    q: str | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Orders:
    """Orders with a line in `state`, of a shop, or with `q` in number, SKU or title; the newest first."""
    ask = Ask(request, ("state", "shop", "q"), default="-placed")
    with db.unit_of_work() as uow:
        found = order_rows(uow.session, ask, limit)
        states = order_states(uow.session, shop)
        lines = lines_of(uow.session, [row["id"] for row in found.rows])
    orders = [OrderRow(**{**in_major(row), "lines": lines.get(row["id"], [])}) for row in found.rows]
    return Orders(states=states, orders=orders, after=found.after)


@router.get("/orders/{order_id}")
def get_order(db: Db, order_id: int) -> OrderView:
    """One order with its purchase orders, shipments, holds and story."""
    with db.unit_of_work() as uow:
        found = there_is(one_order(uow.session, order_id), f"Order {order_id}")
    return OrderView(**in_major(found))


@router.post("/shops/{shop_id}/orders/pull", status_code=202)
def pull(db: Db, shop_id: int) -> Pulling:
    """Has a shop asked for every order that changed, as the clock does each minute."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        uow.emit(OrdersDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return Pulling()


@router.get("/shipments")
def list_shipments(db: Db, order: int | None = None, limit: Limit = 50) -> Shipments:
    """Shipments of an order, or the newest of all."""
    with db.unit_of_work() as uow:
        if order is not None:
            there_is(uow.session.get(Order, order), f"Order {order}")
        found = shipments_of(uow.session, order, limit=limit)
    return Shipments(shipments=[ShipmentView(**row) for row in found])


@router.post("/purchase-orders/{po_id}/shipments", status_code=201)
def add_shipment(db: Db, po_id: int, key: IdempotencyKey, body: NewShipment) -> ShipmentView:
    """Records a parcel of a purchase order, or with an empty carrier that a service is done."""
    with db.unit_of_work() as uow:
        there_is(uow.session.get(PurchaseOrder, po_id), f"Purchase order {po_id}")
        made = ship(uow, po_id, key, body.lines, body.carrier, body.number, body.url)
        uow.session.flush()
        found = shipments_of(uow.session, purchase_order_id=po_id)
    return ShipmentView(**next(row for row in found if row["id"] == made.id))


@router.get("/refunds")
def list_refunds(db: Db, limit: Limit = 50) -> Refunds:
    """What was refunded of shipped lines, whoever asked for it."""
    with db.unit_of_work() as uow:
        return Refunds(refunds=[RefundRow(**in_major(row)) for row in refund_rows(uow, limit)])


@router.post("/order-lines/{line_id}/refunds", status_code=201)
def add_refund(db: Db, line_id: int, key: IdempotencyKey, body: NewRefund) -> RefundView:
    """Gives a seller his money for shipped pieces back; supplier and hub give up their share. What the buyer wants stays."""
    with db.unit_of_work() as uow:
        done = refund(uow, line_id, body.quantity, key)
    return RefundView(
        line=line_id,
        quantity=body.quantity,
        amount=str(done.amount.amount),
        currency=done.amount.currency,
        entry=done.entry_id,
    )


@router.get("/why/price")
def get_why_price(db: Db, shop: int, sku: str) -> WhyPrice:
    """Why a SKU costs what it costs in a shop."""
    with db.unit_of_work() as uow:
        there_is(uow.session.get(Shop, shop), f"Shop {shop}")
        return WhyPrice(**there_is(why_price(uow.session, shop, sku), f"{sku} in shop {shop}"))


@router.get("/why/hold/{line_id}")
def get_why_hold(db: Db, line_id: int) -> Why:
    """Why so much of a deposit is, or was, set aside for an order line."""
    with db.unit_of_work() as uow:
        return Why(**why_hold(uow, line_id).as_json())


@router.get("/why/fee/{line_id}")
def get_why_fee(db: Db, line_id: int) -> Why:
    """Why the hub takes what it takes of an order line."""
    with db.unit_of_work() as uow:
        return Why(**why_fee(uow, line_id).as_json())
