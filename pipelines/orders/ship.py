"""Records what left a supplier, in as many parts as he likes; a completed service is a shipment without a carrier."""

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from sqlalchemy import select

from core.clock import now
from core.database import UnitOfWork
from core.errors import Refused
from models.events import ShipmentReported
from models.purchasing import Shipment, ShipmentLine
from pipelines.orders.answers import accept
from pipelines.orders.lines import needs, state_of
from pipelines.orders.opened import ENDED, Opened, Part, opened, settle
from pipelines.orders.stored import pieces, tell

LONGEST, LONGEST_URL = 100, 2000
"""Characters of key, carrier and tracking number; of a tracking address."""


def ship(
    uow: UnitOfWork,
    po_id: int,
    key: str,
    lines: Mapping[int, int] | None = None,
    carrier: str = "",
    number: str = "",
    url: str = "",
) -> Shipment:
    """A parcel of a purchase order: `lines` are our line ids and pieces, None is all that is open.

    `key` is the supplier's word for the parcel, unique in the purchase order: the same key and content is the same
    shipment. A line whose cancellation was asked for may be shipped: then it came too late.
    Raises Refused: "key_reused" (same key, other content), "beyond_open" naming the line, "no_line", "quantity",
    "ended" (rejected, cancelled or shipped), "not_sent", "invalid" for a key or tracking that cannot be.
    """
    key, carrier, number, url = key.strip(), carrier.strip(), number.strip(), url.strip()
    _refuse_unusable(key, carrier, number, url)
    what = opened(uow, po_id)
    there = uow.session.scalars(select(Shipment).filter_by(purchase_order_id=po_id, key=key)).one_or_none()
    if there is not None:
        known = {
            row.line_id: row.quantity
            for row in uow.session.scalars(select(ShipmentLine).filter_by(shipment_id=there.id))
        }
        return _same(what, there, content_hash(lines or known, carrier, number, url))
    if what.po.state in ENDED:
        raise Refused(
            f"Purchase order {what.po.reference} is {what.po.state}: nothing of it is open to be shipped.",
            rule="ended",
        )
    if what.po.asked_at is None:
        raise Refused(f"Purchase order {what.po.reference} is not sent yet.", rule="not_sent")
    chosen = _chosen(what, lines)
    made = Shipment(
        purchase_order_id=po_id, key=key, carrier=carrier, number=number, url=url, shipped_at=now(),
        content_hash=content_hash({part.line.id: quantity for part, quantity in chosen}, carrier, number, url),
    )  # fmt: skip
    uow.session.add(made)
    uow.session.flush()
    accept(what)
    for part, quantity in chosen:
        _leave(uow, what, made, part, quantity)
    settle(what)
    order = what.order
    uow.emit(ShipmentReported(tenant=order.seller_id, lane=order.lane, shipment_id=made.id))
    return made


def complete(uow: UnitOfWork, po_id: int, key: str, lines: Mapping[int, int] | None = None) -> Shipment:
    """A service is done, or something digital was delivered: a shipment without carrier and number. Raises as `ship`."""
    return ship(uow, po_id, key, lines)


def content_hash(lines: Mapping[int, int], carrier: str, number: str, url: str) -> str:
    """SHA-256 of what a shipment says, whatever order its lines came in."""
    return hashlib.sha256(json.dumps([sorted(lines.items()), carrier, number, url]).encode()).hexdigest()


def _same(what: Opened, there: Shipment, content: str) -> Shipment:
    if there.content_hash != content:
        raise Refused(
            f"Shipment {there.key} of {what.po.reference} was reported with other lines or another tracking number; "
            "give another parcel another key.",
            rule="key_reused",
        )
    return there


def _chosen(what: Opened, lines: Mapping[int, int] | None) -> list[tuple[Part, int]]:
    """The parts of a parcel. Raises Refused where a line is not of this purchase order or has less open."""
    parts = {part.line.id: part for part in what.parts}
    if lines is None:
        return [(part, part.open) for part in what.parts if part.open]
    if not lines:
        raise Refused("A shipment has at least one line.", rule="quantity")
    for line_id, quantity in lines.items():
        if line_id not in parts:
            raise Refused(f"Line {line_id} is not in purchase order {what.po.reference}.", rule="no_line")
        if quantity < 1:
            raise Refused(f"Line {line_id}: {quantity} pieces cannot be shipped.", rule="quantity")
        if quantity > parts[line_id].open:
            raise Refused(
                f"Line {line_id} ({parts[line_id].bought.supplier_sku}) of {what.po.reference} has "
                f"{parts[line_id].open} open, not {quantity}.",
                rule="beyond_open",
            )
    return [(parts[line_id], quantity) for line_id, quantity in sorted(lines.items())]


def _leave(uow: UnitOfWork, what: Opened, made: Shipment, part: Part, quantity: int) -> None:
    unwanted = needs(part.line).cancel  # also what the supplier is not asked to cancel yet
    uow.session.add(ShipmentLine(shipment_id=made.id, line_id=part.line.id, quantity=quantity))
    part.bought.shipped += quantity
    part.line.shipped += quantity
    part.reservation.quantity -= quantity
    part.reservation.sold += quantity
    part.reservation.sold_at = made.shipped_at
    late = unwanted - needs(part.line).cancel
    part.line.overruled += late
    reason = f"{late} of it left before the supplier could cancel them and are paid." if late else None
    if part.open == 0:
        part.move(state_of(part.line), reason)
    else:
        part.move(part.line.state, reason or part.line.reason)
    how = " ".join(word for word in (made.carrier, made.number) if word)
    verb = f"shipped with {how}" if how else "completed" if part.line.kind != "goods" else "shipped"
    text = f"{pieces(quantity, part.line.sku)} {verb}." + (f" {reason}" if reason else "")
    tell(uow, what.order.id, "shipped", text, part.line.id, f"shipment:{made.id}")


def _refuse_unusable(key: str, carrier: str, number: str, url: str) -> None:
    if not key:
        raise Refused("A shipment needs a key: the supplier's own number of the parcel.", rule="invalid")
    for name, text in (("key", key), ("carrier", carrier), ("tracking number", number)):
        if len(text) > LONGEST or not text.isprintable():
            raise Refused(f"The {name} has at most {LONGEST} printable characters.", rule="invalid")
    if not url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Refused("The tracking address is not an address.", rule="invalid") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or len(url) > LONGEST_URL
        or not url.isprintable()
    ):
        raise Refused(
            "The tracking address begins with https:// and has at most 2000 characters.", rule="invalid"
        )
