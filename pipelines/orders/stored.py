"""What every step does with a stored order: lock it with its lines, move a line, write a line of the story."""

from decimal import Decimal

from sqlalchemy import select

from core.clock import now
from core.database import UnitOfWork
from models.orders import Order, OrderEvent, OrderLine, Reservation

NOT_PAID = "The shop says that the order is not paid any more: nothing is bought for it until it is."
"""Why a funded line, or a purchase order that is not sent yet, stays where it is."""

NOT_CAPTURED = "SELECT coalesce(sum(captured - refunded), 0) < %s FROM hold WHERE line_id = %s"


def lock_order(uow: UnitOfWork, order_id: int) -> tuple[Order, list[OrderLine]]:
    """The order and its lines by id, as they are now that nobody else may change them.

    Whoever changes a line locks its order first, then lines, purchase orders, offers and accounts, in this order.
    """
    order = uow.session.get_one(Order, order_id, with_for_update={"key_share": True}, populate_existing=True)
    lines = uow.session.scalars(
        select(OrderLine)
        .where(OrderLine.order_id == order_id)
        .order_by(OrderLine.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return order, list(lines)


def reservations_of(uow: UnitOfWork, lines: list[OrderLine]) -> dict[int, Reservation]:
    """By line id, each reservation that still sets something aside. Its order is locked, so nobody else changes it."""
    found = uow.session.scalars(
        select(Reservation)
        .where(Reservation.line_id.in_([line.id for line in lines]), Reservation.quantity > 0)
        .order_by(Reservation.line_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {reservation.line_id: reservation for reservation in found}


def move(line: OrderLine, state: str, reason: str | None = None) -> None:
    """Brings a locked line into a state, with the sentence that says why it waits there."""
    if line.state != state:
        line.state, line.since = state, now()
    line.reason = reason
    line.version += 1


def set_aside(
    uow: UnitOfWork, line: OrderLine, offer_id: int, quantity: int, unit_cost: Decimal
) -> Reservation:
    """The line's reservation, made or begun anew; models.catalogue.take moves the stock."""
    made = uow.session.get(Reservation, line.id) or Reservation(line_id=line.id)
    made.offer_id, made.quantity, made.sold, made.sold_at, made.expires_at = offer_id, quantity, 0, None, None
    made.made_at = now()
    line.offer_id, line.unit_cost = offer_id, unit_cost
    uow.session.add(made)
    return made


def tell(
    uow: UnitOfWork, order_id: int, what: str, text: str, line_id: int | None = None, link: str | None = None
) -> None:
    """A line of the order's story. `link` is its cause, as kind:id; `text` has nothing of the buyer in it."""
    uow.session.add(OrderEvent(order_id=order_id, line_id=line_id, what=what, text=text, link=link))


def not_captured(uow: UnitOfWork, line_id: int, quantity: int) -> bool:
    """Whether fewer than `quantity` pieces of a line are captured and not refunded: their refund has to wait."""
    ((waits,),) = uow.cursor().execute(NOT_CAPTURED, [quantity, line_id]).fetchall()
    return bool(waits)


def pieces(quantity: int, sku: str) -> str:
    """ "2 × NORDEN-A", for sentences."""
    return f"{quantity} × {sku}"
