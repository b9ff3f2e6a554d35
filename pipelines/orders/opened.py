"""A purchase order with all that its answers change, under lock: its order, its lines, the stock set aside for them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from core.database import UnitOfWork
from core.errors import there_is
from ledger.holds import release
from models.catalogue import give_back
from models.events import DepositCredited, StockMoved
from models.orders import Order, OrderLine, Reservation
from models.purchasing import PurchaseOrder, PurchaseOrderLine
from pipelines.orders.lines import needs, released, state_of
from pipelines.orders.stored import lock_order, move, pieces, tell

ENDED = ("rejected", "cancelled", "shipped")
"""States of a purchase order of which nothing is open."""


@dataclass(slots=True)
class Part:
    """One line: what the buyer ordered, what the supplier was asked for, what stock is set aside."""

    line: OrderLine
    bought: PurchaseOrderLine
    reservation: Reservation

    @property
    def open(self) -> int:
        """Pieces the supplier has not shipped."""
        return self.bought.quantity - self.bought.shipped

    @property
    def unwanted(self) -> int:
        """Open pieces that the supplier is asked to cancel, since the buyer no longer wants them."""
        return min(self.open, needs(self.line).cancel) if self.line.state == "cancel_requested" else 0

    def move(self, state: str, reason: str | None = None) -> None:
        """The line into a state, with the sentence for whoever asks why."""
        move(self.line, state, reason)


@dataclass(slots=True)
class Opened:
    """A purchase order, its buyer's order and its parts in the order of the lines' ids."""

    order: Order
    po: PurchaseOrder
    parts: list[Part]

    @property
    def link(self) -> str:
        """How the story names it."""
        return f"po:{self.po.id}"

    @property
    def open(self) -> int:
        """Pieces the supplier has not shipped and still owes."""
        return 0 if self.po.state in ENDED else sum(part.open for part in self.parts)


def opened(uow: UnitOfWork, purchase_order_id: int) -> Opened:
    """The purchase order under lock: the order's row first, as everyone does who moves its lines. Refused: not there."""
    session = uow.session
    found = there_is(session.get(PurchaseOrder, purchase_order_id), f"Purchase order {purchase_order_id}")
    order, lines = lock_order(uow, found.order_id)
    po = session.get_one(
        PurchaseOrder, purchase_order_id, with_for_update={"key_share": True}, populate_existing=True
    )
    bought = {
        row.line_id: row
        for row in session.scalars(
            select(PurchaseOrderLine)
            .where(PurchaseOrderLine.purchase_order_id == po.id)
            .execution_options(populate_existing=True)
        )
    }
    set_aside = {
        row.line_id: row
        for row in session.scalars(
            select(Reservation)
            .where(Reservation.line_id.in_(bought))
            .order_by(Reservation.line_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    }
    parts = [Part(line, bought[line.id], set_aside[line.id]) for line in lines if line.id in bought]
    return Opened(order, po, parts)


def in_doubt(what: Opened) -> bool:
    """Whether the supplier was asked and it is not known yet whether he has it."""
    return what.po.asked_at is not None and what.po.placed_at is None


def standing(what: Opened) -> str:
    """The state that a purchase order's parts and moments ask for."""
    if not sum(part.open for part in what.parts):
        return "shipped" if any(part.bought.shipped for part in what.parts) else "cancelled"
    if any(part.unwanted for part in what.parts):
        return "cancel_requested"
    if what.po.answered_at:
        return "accepted"
    if what.po.placed_at:
        return "placed"
    return "unknown" if what.po.asked_at else "submitting"


def line_standing(what: Opened, part: Part) -> str:
    """The state of a line whose supplier still has something of it to ship: the one that its quantities ask for first."""
    asked_for = state_of(part.line)
    if asked_for in ("shipped", "refunded", "cancelled"):
        return asked_for
    if what.po.answered_at:
        return "accepted"
    return "submitting" if what.po.placed_at or not what.po.asked_at else "submit_unknown"


def stand_again(what: Opened) -> None:
    """Lines of which nothing is asked to be cancelled any more stand as they did before."""
    for part in what.parts:
        if part.line.state == "cancel_requested":
            part.move(line_standing(what, part))


def let_go(
    uow: UnitOfWork, what: Opened, quantities: Iterable[tuple[Part, int]], why: str, reason: str, rest: str
) -> None:
    """Open pieces that will not be shipped: stock and deposit go back. Lines with nothing left become `rest`.

    `why` begins the ledger's key, so that one answer releases once. A line that is no longer wanted is cancelled.
    """
    chosen = [(part, quantity) for part, quantity in quantities if quantity]
    for part, quantity in chosen:
        part.reservation.quantity -= quantity
    uow.session.flush()
    for part, quantity in sorted(chosen, key=lambda each: each[0].reservation.offer_id):
        give_back(uow.cursor(), part.reservation.offer_id, quantity)
    offers: dict[int, None] = {}
    for part, quantity in chosen:
        key = f"{why}:{what.po.id}:{part.line.id}:{part.bought.quantity}"
        done = release(uow, part.line.id, quantity, key, f"{what.po.reference}: {reason}")
        after = released(part.line, quantity)
        part.line.covered, part.line.overruled = after.covered, after.overruled
        part.bought.quantity -= quantity
        offers[part.reservation.offer_id] = None
        nothing_left = after.covered == 0 and part.line.wanted > 0
        part.move(rest if nothing_left else line_standing(what, part), reason if after.covered == 0 else None)
        text = f"{pieces(quantity, part.line.sku)} let go; {done.amount} went back to the deposit."
        tell(
            uow,
            what.order.id,
            "released",
            text,
            part.line.id,
            f"entry:{done.entry_id}" if done.entry_id else what.link,
        )
    for offer_id in offers:
        uow.emit(StockMoved(tenant=what.order.seller_id, lane=what.order.lane, offer_id=offer_id))
    if chosen:
        seller = what.order.seller_id
        uow.emit(DepositCredited(tenant=seller, lane=f"seller:{seller}", seller_id=seller))


def settle(what: Opened, state: str | None = None) -> None:
    """The purchase order into the state given, else into the one its parts ask for."""
    what.po.state = state or standing(what)
    what.po.version += 1
