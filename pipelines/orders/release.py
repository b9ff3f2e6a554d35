"""Lets go of what a buyer no longer wants: released before it was bought, cancelled at the supplier, refunded after it left."""

from datetime import datetime

from sqlalchemy import and_, or_, select

from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Temporary
from ledger import holds
from models.catalogue import give_back, lock_offers
from models.events import CancellationAsked, DepositCredited, OrderChanged, StockMoved
from models.orders import Order, OrderEvent, OrderLine, Reservation
from models.purchasing import PurchaseOrder, PurchaseOrderLine
from pipelines.orders.lines import Facts, needs, refunded, released, state_of
from pipelines.orders.stored import lock_order, move, not_captured, pieces, tell

WITH_SUPPLIER = ("submitting", "unknown", "placed", "accepted")
"""States of a purchase order that can be asked to be cancelled; one already asked is asked again where more is to go."""


def release(event: OrderChanged, db: Database) -> None:
    """Makes what is covered follow what is wanted downwards, and ends reservations whose time ran out."""
    with db.unit_of_work(last=True) as uow:
        let_go(uow, event.order_id, now())


def let_go(uow: UnitOfWork, order_id: int, moment: datetime) -> None:
    """Every line of the order; repeating it changes nothing.

    Raises Temporary where pieces are to be refunded whose shipment is not captured yet.
    """
    order, lines = lock_order(uow, order_id)
    asked = _ask_suppliers(uow, order, [line for line in lines if needs(line).cancel])
    stock = {
        kept.line_id: kept
        for kept in uow.session.scalars(
            select(Reservation)
            .where(Reservation.line_id.in_([line.id for line in lines]))
            .order_by(Reservation.line_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    }
    concerned = [line for line in lines if needs(line).release or _alone(line, stock.get(line.id))]
    lock_offers(uow.cursor(), [stock[line.id].offer_id for line in concerned])
    moved: set[int] = set()
    credited = False
    for line in lines:
        wants = needs(line)
        kept = stock.get(line.id)
        if wants.release:
            assert kept is not None
            credited |= _release(uow, order, line, kept, wants.release)
            moved.add(kept.offer_id)
        elif kept is not None and _alone(line, kept) and _ended(order, line, kept, moment):
            _end_reservation(uow, order, line, kept)
            moved.add(kept.offer_id)
        if wants.refund:
            credited |= _refund(uow, order, line, wants.refund, moment)
        if state_of(line) != line.state:
            move(line, state_of(line))
            if line.state == "cancelled":
                tell(uow, order.id, "cancelled", "Nothing of it is wanted any more.", line.id)
    for offer_id in sorted(moved):
        uow.emit(StockMoved(tenant=order.seller_id, lane=order.lane, offer_id=offer_id))
    for purchase in asked:
        uow.emit(
            CancellationAsked(tenant=purchase.supplier_id, lane=purchase.lane, purchase_order_id=purchase.id)
        )
    if credited:
        lane = f"seller:{order.seller_id}"
        uow.emit(DepositCredited(tenant=order.seller_id, lane=lane, seller_id=order.seller_id))


def _ask_suppliers(uow: UnitOfWork, order: Order, lines: list[OrderLine]) -> list[PurchaseOrder]:
    """Marks each purchase order that has more than the buyer wants; the supplier says whether it still can be cancelled.

    One that is asked already is asked again only where the number of pieces is another one now.
    """
    texts = {
        line.id: f"The supplier is asked to cancel {pieces(needs(line).cancel, line.sku)}." for line in lines
    }
    news = [
        line for line in lines if line.state != "cancel_requested" or _last_asked(uow, line) != texts[line.id]
    ]
    asked = list(
        uow.session.scalars(
            select(PurchaseOrder)
            .join(PurchaseOrderLine, PurchaseOrderLine.purchase_order_id == PurchaseOrder.id)
            .where(
                PurchaseOrderLine.line_id.in_([line.id for line in lines]),
                or_(
                    PurchaseOrder.state.in_(WITH_SUPPLIER),
                    and_(
                        PurchaseOrder.state == "cancel_requested",
                        PurchaseOrderLine.line_id.in_([line.id for line in news]),
                    ),
                ),
            )
            .order_by(PurchaseOrder.id)
            .with_for_update(of=PurchaseOrder, key_share=True)
            .execution_options(populate_existing=True)
        ).unique()
    )  # fmt: skip
    for purchase in asked:
        purchase.state = "cancel_requested"
        purchase.version += 1
    for line in news:
        move(line, "cancel_requested", texts[line.id])
        tell(uow, order.id, "cancel_asked", texts[line.id], line.id)
    return asked


def _last_asked(uow: UnitOfWork, line: OrderLine) -> str | None:
    """What the story said last of asking to cancel this line."""
    return uow.session.scalar(
        select(OrderEvent.text)
        .where(
            OrderEvent.line_id == line.id,
            OrderEvent.order_id == line.order_id,
            OrderEvent.what == "cancel_asked",
        )
        .order_by(OrderEvent.id.desc())
        .limit(1)
    )


def _release(uow: UnitOfWork, order: Order, line: OrderLine, kept: Reservation, quantity: int) -> bool:
    """Hold, reservation and line get smaller by `quantity`; whether anything came back to the deposit."""
    key, after = f"release:{line.id}:{line.version}", released(line, quantity)
    kept.quantity -= quantity
    done = holds.release(uow, line.id, quantity, key, "The buyer no longer wants it.")
    uow.session.flush()
    give_back(uow.cursor(), kept.offer_id, quantity)
    _take(line, after)
    text = f"{pieces(quantity, line.sku)} are free again; {done.amount} went back to the deposit."
    tell(uow, order.id, "released", text, line.id, link=f"entry:{done.entry_id}" if done.entry_id else None)
    return done.entry_id is not None


def _refund(uow: UnitOfWork, order: Order, line: OrderLine, quantity: int, moment: datetime) -> bool:
    """Shipped pieces came back; whether anything came back to the deposit."""
    if not_captured(uow, line.id, quantity):
        raise Temporary(
            f"Order {order.id} has {pieces(quantity, line.sku)} to refund whose shipment is not captured yet; it waits for that."
        )
    after = refunded(line, quantity)
    done = holds.refund(
        uow, line_id=line.id, quantity=quantity, key=f"refund:{line.id}:{after.refunded}", happened_at=moment
    )
    _take(line, after)
    text = f"{pieces(quantity, line.sku)} came back; {done.amount} went back to the deposit."
    tell(uow, order.id, "refunded", text, line.id, link=f"entry:{done.entry_id}" if done.entry_id else None)
    return done.entry_id is not None


def _alone(line: OrderLine, kept: Reservation | None) -> bool:
    return kept is not None and kept.quantity > 0 and line.covered == 0


def _ended(order: Order, line: OrderLine, kept: Reservation, moment: datetime) -> bool:
    """Whether a reservation without a hold has nothing to wait for any more."""
    over = kept.expires_at is not None and kept.expires_at <= moment
    return over or line.wanted == 0 or order.standing != "open" or line.state != "awaiting_deposit"


def _end_reservation(uow: UnitOfWork, order: Order, line: OrderLine, kept: Reservation) -> None:
    quantity, kept.quantity, kept.expires_at = kept.quantity, 0, None
    uow.session.flush()
    give_back(uow.cursor(), kept.offer_id, quantity)
    line.version += 1
    tell(
        uow,
        order.id,
        "let_go",
        f"{pieces(quantity, line.sku)} are no longer reserved: no hold came in time.",
        line.id,
    )


def _take(line: OrderLine, after: Facts) -> None:
    line.covered, line.refunded, line.overruled = after.covered, after.refunded, after.overruled
    move(line, after.state, line.reason if after.state == line.state else None)
