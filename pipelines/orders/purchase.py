"""Buys what is funded: one purchase order for each supplier of an order, and nothing that no hold covers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.database import Database, UnitOfWork
from core.errors import Permanent
from models.events import LinesFunded, PurchaseOrderMade
from models.purchasing import PurchaseOrder, PurchaseOrderLine
from pipelines.orders.stored import NOT_PAID, pieces, tell

# Lines are locked in id order, in a statement of their own, after their order.
LOCK_ORDER = "SELECT id FROM shop_order WHERE id = %s FOR NO KEY UPDATE"
LOCK_LINES = "SELECT id FROM order_line WHERE order_id = %s ORDER BY id FOR NO KEY UPDATE"

# `held` is what open holds cover, `shipping` what of their shipping was not released.
FUNDED = """
SELECT l.id, l.sku, l.covered - l.shipped AS quantity, l.unit_cost, f.supplier_id, f.supplier_sku, c.name,
  coalesce(r.quantity, 0) AS reserved, o.held, o.shipping, o.currency
FROM order_line l
LEFT JOIN reservation r ON r.line_id = l.id
JOIN offer f ON f.id = l.offer_id
JOIN company c ON c.id = f.supplier_id
JOIN shop_order h ON h.id = l.order_id AND h.standing = 'open'
CROSS JOIN LATERAL (
  SELECT coalesce(sum(quantity - captured - released), 0)::int AS held, max(currency) AS currency,
    coalesce(sum((SELECT sum(total - released) FROM hold_part WHERE hold_id = hold.id AND part = 'shipping')), 0)::bigint
      AS shipping
  FROM hold WHERE line_id = l.id AND supplier_id = f.supplier_id AND quantity > captured + released) o
WHERE l.order_id = %s AND l.state = 'funded' AND l.wanted > 0
ORDER BY l.id"""

# A payment may fail, or be taken back, after the line was covered (pipelines/orders/reserve.py rings again).
HELD_BACK = """
UPDATE order_line l SET reason = %s FROM shop_order h
WHERE h.id = l.order_id AND h.standing = 'unpaid' AND l.order_id = %s AND l.state = 'funded' AND l.wanted > 0"""


@dataclass(frozen=True, slots=True)
class Funded:
    """A line that may be bought; `held` pieces of it are covered by open holds, `reserved` by stock set aside."""

    line_id: int
    sku: str
    quantity: int
    unit_cost: Decimal
    supplier_id: int
    supplier_sku: str
    supplier: str
    reserved: int
    held: int
    shipping: int
    currency: str | None


def purchase(event: LinesFunded, db: Database) -> None:
    """One purchase order per supplier for the order's funded lines. Run again it finds none: they are being submitted.

    Nothing while the shop says that the order is not paid. Raises Permanent where a line counts as funded without a hold or
    a reservation for all of it: nothing is bought.
    """
    with db.unit_of_work(last=True) as uow:
        cursor = uow.cursor()
        cursor.execute(LOCK_ORDER, [event.order_id])
        cursor.execute(LOCK_LINES, [event.order_id])
        cursor.execute(HELD_BACK, [NOT_PAID, event.order_id])
        cursor.execute(FUNDED, [event.order_id])
        for lines in by_supplier(Funded(*row) for row in cursor.fetchall()).values():
            _buy(uow, event.order_id, lines)


def by_supplier(lines: Iterable[Funded]) -> Mapping[int, list[Funded]]:
    """The lines of each supplier. Raises Permanent where one is not wholly covered."""
    groups: dict[int, list[Funded]] = defaultdict(list)
    for line in lines:
        if line.held < line.quantity or line.reserved < line.quantity or line.currency is None:
            raise Permanent(
                f"Order line {line.line_id} counts as funded, but of {line.quantity} only {line.held} are held and "
                f"{line.reserved} reserved. Nothing of its order is bought; run `entrepot proof`."
            )
        groups[line.supplier_id].append(line)
    return groups


def _buy(uow: UnitOfWork, order_id: int, lines: list[Funded]) -> None:
    first = lines[0]
    ((number,),) = (
        uow.cursor().execute("SELECT nextval(pg_get_serial_sequence('purchase_order', 'id'))").fetchall()
    )
    po = PurchaseOrder(
        id=number, order_id=order_id, supplier_id=first.supplier_id, reference=f"EP-{number}", state="submitting",
        shipping_minor=sum(line.shipping for line in lines), currency=first.currency,
    )  # fmt: skip
    uow.session.add(po)
    uow.session.flush()
    for line in lines:
        uow.session.add(
            PurchaseOrderLine(
                purchase_order_id=po.id, line_id=line.line_id, supplier_sku=line.supplier_sku, quantity=line.quantity,
                unit_cost=line.unit_cost,
            )
        )  # fmt: skip
        uow.cursor().execute(
            "UPDATE order_line SET state = 'submitting', version = version + 1, since = now(), reason = %s"
            " WHERE id = %s AND state = 'funded'",
            [f"Purchase order {po.reference} is on its way to {line.supplier}.", line.line_id],
        )
        text = f"{pieces(line.quantity, line.sku)} ordered from {line.supplier} as {po.reference}."
        tell(uow, order_id, "purchased", text, line.line_id, f"po:{po.id}")
    uow.emit(PurchaseOrderMade(tenant=po.supplier_id, lane=po.lane, purchase_order_id=po.id))
