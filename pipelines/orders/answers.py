"""What a supplier answers to a purchase order, by API, command line, page or CSV: each answer once, in one unit of work.

A shipment is an answer too: pipelines/orders/ship.py has it.
"""

from core.clock import now
from core.database import UnitOfWork
from core.errors import Refused
from core.settings import load
from models.events import CancellationAsked, OrderChanged, PurchaseOrderMade
from models.purchasing import PurchaseOrder
from pipelines.orders.costs import parities
from pipelines.orders.opened import ENDED, Opened, in_doubt, let_go, opened, settle, stand_again
from pipelines.orders.stored import tell

LONGEST_REASON, LONGEST_NUMBER = 500, 100

# Whoever rejected the line before is not asked again; pipelines/orders/reserve.py chooses by the same rule.
ANOTHER = """
SELECT l.id FROM order_line l WHERE l.id = ANY(%s) AND l.wanted > 0 AND EXISTS (
  SELECT FROM offer f WHERE f.variant_id = l.variant_id AND f.state = 'offered' AND f.currency = ANY(%s)
    AND f.cost IS NOT NULL AND f.free >= l.wanted AND NOT EXISTS (
      SELECT FROM purchase_order_line b JOIN purchase_order p ON p.id = b.purchase_order_id
      WHERE b.line_id = l.id AND p.supplier_id = f.supplier_id AND p.state = 'rejected'))"""


def confirm(uow: UnitOfWork, po_id: int, external_number: str | None = None) -> PurchaseOrder:
    """The supplier accepts; `external_number` is his own for it. Confirmed again it changes nothing.

    A cancellation asked for stays asked. Raises Refused: "ended" after a rejection or cancellation, "number" where he
    confirmed with another number before, "not_sent" where he cannot have it yet.
    """
    what = opened(uow, po_id)
    number = (external_number or "").strip() or None
    if number and (len(number) > LONGEST_NUMBER or not number.isprintable()):
        raise Refused(f"An order number has at most {LONGEST_NUMBER} printable characters.", rule="number")
    if what.po.state in ("rejected", "cancelled"):
        raise Refused(f"{_named(what)} is {what.po.state}: it cannot be confirmed any more.", rule="ended")
    _refuse_unsent(what)
    if what.po.answered_at and number and what.po.external_number not in (None, number):
        raise Refused(
            f"{_named(what)} was confirmed as {what.po.external_number}, not as {number}: one of them is mistyped.",
            rule="number",
        )
    what.po.external_number = number or what.po.external_number
    if what.po.answered_at:
        return what.po
    doubted = in_doubt(what)
    accept(what)
    if doubted:
        ask_after_doubt(uow, what)
    name = f" as {what.po.external_number}" if what.po.external_number else ""
    tell(
        uow, what.order.id, "confirmed", f"The supplier confirmed {what.po.reference}{name}.", link=what.link
    )
    return what.po


def reject(uow: UnitOfWork, po_id: int, reason: str) -> PurchaseOrder:
    """The supplier will not deliver what is open: stock and deposit go back, and another supplier is tried if there is one.

    Rejected again it changes nothing. What he shipped before stays shipped. Raises Refused: "reason" without one, "ended" where nothing is open.
    """
    reason = _reason(reason)
    what = opened(uow, po_id)
    if what.po.state == "rejected":
        return what.po
    if what.po.state in ENDED:
        raise Refused(f"{_named(what)} is {what.po.state}: there is nothing to reject.", rule="ended")
    _refuse_unsent(what)
    _reject(uow, what, reason)
    return what.po


def cancelled(uow: UnitOfWork, po_id: int) -> PurchaseOrder:
    """The supplier cancels what the buyer no longer wants of it; the rest goes on. Cancelled again it changes nothing.

    Raises Refused ("not_asked") where no cancellation is asked for.
    """
    what = opened(uow, po_id)
    if what.po.state == "cancelled":
        return what.po
    if what.po.state != "cancel_requested":
        raise Refused(
            f"Nobody asked to cancel {_named(what)}; it is {what.po.state}. To turn it down, reject it.",
            rule="not_asked",
        )
    _refuse_unsent(what)
    cancel_unwanted(uow, what)
    return what.po


def cancel_refused(uow: UnitOfWork, po_id: int, reason: str) -> PurchaseOrder:
    """The supplier ships it all the same: what was covered stays covered. Refused again it changes nothing.

    Raises Refused: "reason" without one, "ended" where nothing is open any more.
    """
    reason = _reason(reason)
    what = opened(uow, po_id)
    if what.po.state in ENDED:
        raise Refused(f"{_named(what)} is {what.po.state}: there is nothing left to cancel.", rule="ended")
    if what.po.state != "cancel_requested":
        return what.po
    keep(uow, what, reason)
    return what.po


def send_again(uow: UnitOfWork, po_id: int) -> PurchaseOrder:
    """A person made sure that the supplier does not have it: it is sent anew. While it is being sent, nothing changes.

    Raises Refused ("answered") where the supplier has it.
    """
    what = opened(uow, po_id)
    if what.po.state not in ("submitting", "unknown"):
        raise Refused(f"{_named(what)} is {what.po.state}: he has it, or it has ended.", rule="answered")
    if what.po.state == "unknown":
        unsent(what, "A person asked to send it again.")
        uow.emit(
            PurchaseOrderMade(tenant=what.po.supplier_id, lane=what.po.lane, purchase_order_id=what.po.id)
        )
        tell(uow, what.order.id, "purchased", f"{what.po.reference} is sent again.", link=what.link)
    return what.po


def refused_at_once(uow: UnitOfWork, what: Opened, reason: str) -> None:
    """The supplier refused the order while it was placed: the same as his rejection."""
    _reject(uow, what, reason[:LONGEST_REASON])


def accept(what: Opened) -> None:
    """He has it and will deliver: said by a confirmation, a refused cancellation or a first shipment."""
    moment = now()
    what.po.asked_at = what.po.asked_at or moment
    what.po.placed_at = what.po.placed_at or moment
    what.po.answered_at = what.po.answered_at or moment
    for part in what.parts:
        if part.line.state in ("submitting", "submit_unknown"):
            part.move("accepted")
    what.po.reason = None
    if what.po.state not in ENDED:
        settle(what)


def ask_after_doubt(uow: UnitOfWork, what: Opened) -> None:
    """It is known now whether he has it: a cancellation that waited for that goes on."""
    if what.po.state == "cancel_requested":
        po = what.po
        uow.emit(CancellationAsked(tenant=po.supplier_id, lane=po.lane, purchase_order_id=po.id))


def unsent(what: Opened, reason: str) -> None:
    """He cannot have it: it may be sent as if for the first time."""
    what.po.asked_at = None
    what.po.reason = reason
    for part in what.parts:
        if part.line.state == "submit_unknown":
            part.move("submitting", reason)
    settle(what)


def cancel_unwanted(uow: UnitOfWork, what: Opened, *, whole: bool = False) -> None:
    """Lets go what the buyer no longer wants; what he wants stands as it did before the cancellation was asked for.

    With `whole` the supplier cancelled all that was open; a line that is wanted again by now counts as rejected.
    """
    pieces = [(part, part.open if whole else part.unwanted) for part in what.parts]
    count = sum(quantity for _, quantity in pieces)
    let_go(uow, what, pieces, "cancel", "cancelled before it was shipped", "rejected")
    stand_again(what)
    what.po.reason = None
    settle(what)
    text = f"{count} pieces of {what.po.reference} are cancelled at the supplier."
    tell(uow, what.order.id, "cancelled", text, link=what.link)


def keep(uow: UnitOfWork, what: Opened, reason: str) -> None:
    """The cancellation came too late: its lines stand as accepted, with the reason, and what he ships is paid."""
    count = sum(part.unwanted for part in what.parts)
    for part in what.parts:
        if part.line.state == "cancel_requested":
            part.line.overruled += part.unwanted
            part.move("accepted", f"The supplier does not cancel it: {reason}")
    accept(what)
    what.po.reason = f"Cancellation refused: {reason}"
    text = f"The supplier does not cancel {count} pieces of {what.po.reference}, so they are paid: {reason}"
    tell(uow, what.order.id, "cancel_refused", text, link=what.link)


def _reject(uow: UnitOfWork, what: Opened, reason: str) -> None:
    shipped = any(part.bought.shipped for part in what.parts)
    ordered = {part.line.id: part.bought.quantity for part in what.parts}
    what.po.answered_at = now()
    tell(
        uow, what.order.id, "rejected", f"The supplier rejected {what.po.reference}: {reason}", link=what.link
    )
    sentence = f"The supplier rejected it: {reason}"
    let_go(uow, what, [(part, part.open) for part in what.parts], "reject", sentence, "rejected")
    what.po.reason = reason
    if not shipped:  # rejected as it was ordered
        for part in what.parts:
            part.bought.quantity = ordered[part.line.id]
    settle(what, "shipped" if shipped else "rejected")
    if not shipped:
        _try_another(uow, what, sentence)


def _try_another(uow: UnitOfWork, what: Opened, reason: str) -> None:
    """Lines that another supplier has are covered anew, by the same step as ever; the others stay rejected."""
    uow.session.flush()
    refused = {part.line.id: part for part in what.parts if part.line.state == "rejected"}
    payable = list(parities(uow.cursor(), load()))
    found = uow.cursor().execute(ANOTHER, [list(refused), payable]).fetchall()
    for (line_id,) in found:
        refused[line_id].move("received", f"{reason} Another supplier is tried.")
    if found:
        order = what.order
        uow.emit(OrderChanged(tenant=order.seller_id, lane=order.lane, order_id=order.id))


def _refuse_unsent(what: Opened) -> None:
    if what.po.asked_at is None:
        raise Refused(f"{_named(what)} is not sent yet: it can be answered in a moment.", rule="not_sent")


def _reason(text: str) -> str:
    reason = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if not reason:
        raise Refused("Say why, in a sentence: the seller reads it.", rule="reason")
    return reason[:LONGEST_REASON]


def _named(what: Opened) -> str:
    return f"Purchase order {what.po.reference}"
