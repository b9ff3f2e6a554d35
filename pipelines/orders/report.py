"""Tells the shop what left: carrier and tracking number, once. The money does not wait for it."""

from sqlalchemy import select

from connectors.orders import ShipmentReport
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Permanent, Refused
from models.events import ShipmentReported
from models.orders import Order, OrderLine
from models.purchasing import PurchaseOrder, Shipment, ShipmentLine
from models.shops import Shop
from pipelines.opening import connect
from pipelines.orders.stored import tell
from pipelines.pacing import patience


def report_shipment(event: ShipmentReported, db: Database) -> None:
    """Shows the shipment in the shop; its id there is stored at once. Reported before, nothing is asked.

    A shop that refuses says so at the shipment, and that is the end of it. Raises what waiting or an owner can mend:
    the connector looks by our key before it makes a second one, so the step may be repeated after any doubt.
    """
    with db.unit_of_work() as uow:
        found = _to_report(uow, event.shipment_id)
    if found is None:
        with db.unit_of_work(last=True):
            return
    shop, external_order, report = found
    external_id: str | None = None
    problem: str | None = None
    try:
        with patience(db, shop.id):
            external_id = connect(db, shop).report_shipment(external_order, report)
    except Refused as error:
        problem = str(error)
    except Permanent as error:
        with db.unit_of_work() as uow:
            uow.session.get_one(Shipment, event.shipment_id).problem = str(error)
        raise
    with db.unit_of_work(last=True) as uow:
        _record(uow, event.shipment_id, external_id, problem)


def _to_report(uow: UnitOfWork, shipment_id: int) -> tuple[Shop, str, ShipmentReport] | None:
    session = uow.session
    shipment = session.get_one(Shipment, shipment_id)
    if shipment.reported_at is not None:
        return None
    order = session.get_one(Order, session.get_one(PurchaseOrder, shipment.purchase_order_id).order_id)
    lines = session.execute(
        select(OrderLine.external_id, ShipmentLine.quantity)
        .join(ShipmentLine, ShipmentLine.line_id == OrderLine.id)
        .where(ShipmentLine.shipment_id == shipment_id)
        .order_by(OrderLine.id)
    ).all()
    report = ShipmentReport(
        key=f"EP-S{shipment.id}",
        lines=tuple((external_id, quantity) for external_id, quantity in lines),
        carrier=shipment.carrier,
        number=shipment.number,
        url=shipment.url,
    )
    shop = session.get_one(Shop, order.shop_id)
    session.expunge(shop)
    return shop, order.external_id, report


def _record(uow: UnitOfWork, shipment_id: int, external_id: str | None, problem: str | None) -> None:
    shipment = uow.session.get_one(Shipment, shipment_id, with_for_update={"key_share": True})
    if shipment.reported_at is not None:
        return
    shipment.external_id, shipment.problem = external_id, problem
    order_id = uow.session.get_one(PurchaseOrder, shipment.purchase_order_id).order_id
    if external_id is None:
        tell(
            uow,
            order_id,
            "not_reported",
            f"The shop does not show it: {problem}",
            link=f"shipment:{shipment_id}",
        )
    else:
        shipment.reported_at = now()
        tell(uow, order_id, "reported", "The shop shows the shipment.", link=f"shipment:{shipment_id}")
