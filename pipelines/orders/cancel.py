"""Asks a supplier to cancel what the buyer no longer wants of a purchase order, and takes his answer down."""

from core.database import Database
from core.errors import Refused
from models.events import CancellationAsked, PurchaseOrderMade
from pipelines.orders.answers import cancel_unwanted, keep
from pipelines.orders.opened import Opened, in_doubt, opened, settle, stand_again
from pipelines.orders.transport import way_to


def ask_cancel(event: CancellationAsked, db: Database) -> None:
    """Cancels what was never sent, asks for what was; a supplier who answers by himself is waited for.

    Run again it asks again, which changes nothing for him. While it is not known whether he has the order nothing is
    asked, since it may not reach him after its cancellation; the step that finds it out asks anew.
    """
    with db.unit_of_work() as uow:
        what = opened(uow, event.purchase_order_id)
        if what.po.state != "cancel_requested" or in_doubt(what):
            asked = None
        else:
            whole = all(part.unwanted == part.open for part in what.parts)
            there = what.po.asked_at is not None and any(part.unwanted for part in what.parts)
            asked = (way_to(uow, what.po.supplier_id), what.po.reference) if there and whole else None
    answer: bool | None = None
    refusal = "he ships it all the same"
    if asked is not None:
        connector, reference = asked
        try:
            answer = connector.cancel(reference)
        except Refused as error:
            answer, refusal = False, str(error)
    with db.unit_of_work(last=True) as uow:
        what = opened(uow, event.purchase_order_id)
        if what.po.state != "cancel_requested" or in_doubt(what):
            return
        if what.po.asked_at is None:
            cancel_unwanted(uow, what)
            if what.open:
                uow.emit(
                    PurchaseOrderMade(
                        tenant=what.po.supplier_id, lane=what.po.lane, purchase_order_id=what.po.id
                    )
                )
        elif not any(part.unwanted for part in what.parts):
            stand_again(what)
            settle(what)
        elif answer is True:
            cancel_unwanted(uow, what, whole=True)
        elif answer is False:
            keep(uow, what, refusal)
        else:
            _wait(what)


def _wait(what: Opened) -> None:
    what.po.reason = (
        "A cancellation is asked for: the supplier answers it in the console, by API, command line or CSV."
    )
    for part in what.parts:
        if part.line.state == "cancel_requested":
            part.line.reason = (
                f"The supplier was asked to cancel {part.unwanted} of it and has not answered yet."
            )
