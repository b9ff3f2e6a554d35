"""Refunds what was shipped and came back to the supplier, whatever the buyer's shop says of it."""

from core.clock import now
from core.database import UnitOfWork
from core.errors import Refused, Temporary, there_is
from ledger import holds
from ledger.holds import Done
from models.events import DepositCredited
from models.orders import OrderLine
from pipelines.orders.lines import came_back
from pipelines.orders.stored import lock_order, move, not_captured, pieces, tell


def take_back(uow: UnitOfWork, line_id: int, quantity: int, key: str) -> Done:
    """Gives the seller his money for `quantity` shipped pieces back; the same key again changes nothing.

    `wanted` stays the shop's: when the buyer's refund is told there later, these pieces are not refunded once more. Of a
    line with pieces that the supplier did not cancel, those count as come back first.
    Raises Refused: "not_found", "quantity", "beyond_shipped" where fewer are shipped and not refunded, "key_reused";
    Temporary where their shipment is not captured yet.
    """
    order_id = there_is(uow.session.get(OrderLine, line_id), f"Order line {line_id}").order_id
    if quantity < 1:
        raise Refused("Give how many pieces came back: 1 or more.", rule="quantity")
    order, lines = lock_order(uow, order_id)
    line = next(line for line in lines if line.id == line_id)
    moment = now()
    known = uow.cursor().execute("SELECT FROM hold_change WHERE key = %s", [key]).fetchone()
    if known is None:
        left = line.shipped - line.refunded
        if quantity > left:
            raise Refused(
                f"Line {line.id} ({line.sku}) has {left} pieces that were shipped and not refunded, not {quantity}.",
                rule="beyond_shipped",
            )
        if not_captured(uow, line.id, quantity):
            raise Temporary(
                f"The shipment of line {line.id} ({line.sku}) is not captured yet; repeat it in a moment."
            )
    done = holds.refund(uow, line_id=line.id, quantity=quantity, key=key, happened_at=moment)
    if done.again:
        return done
    after = came_back(line, quantity)
    line.refunded, line.overruled = after.refunded, after.overruled
    move(line, after.state, line.reason if after.state == line.state else None)
    text = f"{pieces(quantity, line.sku)} came back to the supplier; {done.amount} went back to the deposit."
    tell(uow, order.id, "refunded", text, line.id, link=f"entry:{done.entry_id}" if done.entry_id else None)
    if done.entry_id:
        lane = f"seller:{order.seller_id}"
        uow.emit(DepositCredited(tenant=order.seller_id, lane=lane, seller_id=order.seller_id))
    return done
