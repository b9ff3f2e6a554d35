"""Captures what left the supplier: held deposit becomes his pending money and the hub's commission."""

from datetime import timedelta

from core.database import Database, UnitOfWork
from core.errors import there_is
from core.settings import load
from ledger import chart, holds
from ledger.hold_rows import lock_order
from ledger.posting import lock
from models.events import ShipmentReported
from models.ledger import Hold
from models.orders import OrderEvent, OrderLine
from models.purchasing import Shipment, ShipmentLine


def capture(event: ShipmentReported, db: Database) -> None:
    """Once per line of the shipment; it matures when the buyer's days to send it back are over."""
    with db.unit_of_work(last=True) as uow:
        shipment = there_is(uow.session.get(Shipment, event.shipment_id), f"Shipment {event.shipment_id}")
        lines = (
            uow.session.query(OrderLine, ShipmentLine.quantity)
            .join(ShipmentLine, ShipmentLine.line_id == OrderLine.id)
            .filter(ShipmentLine.shipment_id == shipment.id)
            .order_by(OrderLine.id)
            .all()
        )
        _lock_all(uow, [line for line, _ in lines])
        for line, quantity in lines:
            capture_line(uow, shipment, line, quantity, timedelta(days=load().return_days))


def capture_line(
    uow: UnitOfWork, shipment: Shipment, line: OrderLine, quantity: int, returnable: timedelta
) -> None:
    """One line's share, and a line in its order's story. Captured before: nothing."""
    matures_at = shipment.shipped_at + returnable
    done = holds.capture(
        uow,
        line_id=line.id,
        shipment_id=shipment.id,
        quantity=quantity,
        happened_at=shipment.shipped_at,
        matures_at=matures_at,
    )
    if done.again:
        return
    uow.session.add(
        OrderEvent(
            order_id=line.order_id,
            line_id=line.id,
            what="captured",
            text=f"{done.amount} captured for {quantity} × {line.sku} of shipment {shipment.id}; "
            f"the supplier's share matures on {matures_at:%Y-%m-%d}.",
            link=f"entry:{done.entry_id}" if done.entry_id else f"shipment:{shipment.id}",
        )
    )


def _lock_all(uow: UnitOfWork, lines: list[OrderLine]) -> None:
    """Orders, then every account at once: line by line, two shipments could wait for each other."""
    for order_id in sorted({line.order_id for line in lines}):
        lock_order(uow, order_id)
    parties = (
        uow.session.query(Hold.seller_id, Hold.supplier_id, Hold.currency)
        .filter(Hold.line_id.in_([line.id for line in lines]))
        .distinct()
    )
    wanted = {
        (name, currency)
        for seller, supplier, currency in parties
        for name in (chart.held(seller), chart.pending(supplier), chart.COMMISSION, chart.VAT)
    }
    if wanted:
        lock(uow, wanted)
