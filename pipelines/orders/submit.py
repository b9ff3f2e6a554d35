"""Brings a purchase order to its supplier: once, even where his reply is lost; after a doubt he is looked up first."""

from dataclasses import dataclass

from connectors.orders import Buyer
from connectors.purchasing import PurchaseDraft, PurchaseLine, SupplierConnector
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Permanent, Refused, Temporary, Unknown, there_is
from core.money import Money
from models.events import PurchaseOrderMade
from models.orders import OrderBuyer
from pipelines.orders.answers import ask_after_doubt, refused_at_once, unsent
from pipelines.orders.opened import ENDED, Opened, opened, settle
from pipelines.orders.stored import NOT_PAID, tell
from pipelines.orders.transport import way_to


@dataclass(frozen=True, slots=True)
class Asking:
    """What the call needs. `look`: he may have the order already. `wanted`: it may be placed where he has not."""

    connector: SupplierConnector
    draft: PurchaseDraft
    look: bool
    wanted: bool


def submit(event: PurchaseOrderMade, db: Database) -> None:
    """Places the purchase order. It is marked as asked before the call, so that whatever happens then is a doubt.

    Raises what the connector raises, with the reason stored: where nothing can have arrived it stands as not yet sent,
    else as unknown. Given up, a person looks and says so by `confirm`, `reject` or `send_again`.
    """
    try:
        with db.unit_of_work() as uow:
            asking = _begin(uow, event.purchase_order_id)
    except Permanent as error:
        with db.unit_of_work() as uow:
            _not_sent(uow, event.purchase_order_id, str(error), doubted=True)
        raise
    if asking is None:
        with db.unit_of_work(last=True):
            return
    number, there = _looked_up(asking, db, event.purchase_order_id)
    refusal = None
    if not there and asking.wanted:
        try:
            number, there = asking.connector.place(asking.draft), True
        except Refused as error:
            refusal = str(error)
        except Unknown as error:
            _doubt(db, event.purchase_order_id, str(error))
            raise
        except (Temporary, Permanent) as error:
            with db.unit_of_work() as uow:
                _not_sent(uow, event.purchase_order_id, str(error), doubted=asking.look)
            raise
    with db.unit_of_work(last=True) as uow:
        what = opened(uow, event.purchase_order_id)
        if what.po.state in ENDED or what.po.placed_at:
            return  # answered meanwhile
        if refusal is not None:
            refused_at_once(uow, what, refusal)
        elif there:
            _placed(uow, what, number)
        else:
            unsent(what, "The supplier does not have it, and it is to be cancelled.")
        ask_after_doubt(uow, what)


def draft_of(what: Opened, ship_to: Buyer) -> PurchaseDraft:
    """The purchase order as its supplier gets it: what is open of it, at the costs of the moment it was funded."""
    currency = what.po.currency
    return PurchaseDraft(
        reference=what.po.reference,
        lines=tuple(
            PurchaseLine(
                line_id=part.line.id,
                supplier_sku=part.bought.supplier_sku,
                title=part.line.title,
                quantity=part.open,
                unit_cost=part.bought.unit_cost,
            )
            for part in what.parts
            if part.open
        ),
        ship_to=ship_to,
        shipping=Money(what.po.shipping_minor, currency),
    )


def _begin(uow: UnitOfWork, purchase_order_id: int) -> Asking | None:
    """What to ask, with the order marked as asked; None where there is nothing to send."""
    what = opened(uow, purchase_order_id)
    cancelling = what.po.state == "cancel_requested"
    if what.po.state in ENDED or what.po.placed_at or (cancelling and what.po.asked_at is None):
        return None
    if what.order.standing == "unpaid" and what.po.asked_at is None:
        what.po.reason = NOT_PAID
        return None
    buyer = there_is(uow.session.get(OrderBuyer, what.order.id), f"The address of order {what.order.id}")
    asking = Asking(
        connector=way_to(uow, what.po.supplier_id),
        draft=draft_of(what, Buyer(**buyer.address)),
        look=what.po.asked_at is not None,
        wanted=not cancelling,
    )
    if what.po.asked_at is None:
        what.po.asked_at = now()
        settle(what)
    return asking


def _looked_up(asking: Asking, db: Database, purchase_order_id: int) -> tuple[str | None, bool]:
    """The supplier's number, and whether he has the order; he is only asked where he may have it."""
    if not asking.look:
        return None, False
    try:
        number = asking.connector.find(asking.draft.reference)
    except (Temporary, Unknown, Permanent) as error:
        _doubt(db, purchase_order_id, str(error))
        raise
    return number, number is not None


def _placed(uow: UnitOfWork, what: Opened, number: str | None) -> None:
    what.po.placed_at = now()
    what.po.external_number = number
    what.po.reason = None
    name = f" as {number}" if number else ""
    for part in what.parts:
        if part.line.state in ("submitting", "submit_unknown"):
            part.move(
                "submitting", f"The supplier has {what.po.reference}{name} and has not confirmed it yet."
            )
    settle(what)
    tell(uow, what.order.id, "placed", f"The supplier has {what.po.reference}{name}.", link=what.link)


def _doubt(db: Database, purchase_order_id: int, reason: str) -> None:
    """He may have it: until that is known nothing of it is sent again."""
    with db.unit_of_work() as uow:
        what = opened(uow, purchase_order_id)
        if what.po.state in ENDED or what.po.placed_at:
            return
        what.po.reason = reason
        for part in what.parts:
            if part.line.state == "submitting":
                part.move(
                    "submit_unknown", f"Whether the supplier has {what.po.reference} is not known: {reason}"
                )
                text = f"Whether the supplier has {what.po.reference} is not known; he is asked for it."
                tell(uow, what.order.id, "unknown", text, part.line.id, what.link)


def _not_sent(uow: UnitOfWork, purchase_order_id: int, reason: str, *, doubted: bool) -> None:
    """This call brought nothing to him; an earlier one may have, where it was `doubted`."""
    what = opened(uow, purchase_order_id)
    if what.po.state in ENDED or what.po.placed_at:
        return
    if doubted:
        what.po.reason = reason
    else:
        unsent(what, reason)
