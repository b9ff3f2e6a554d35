"""Takes an order over as its shop tells it: our lines only, the newest telling only, and what the buyer wants of each."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from connectors.orders import ShopOrder, ShopOrderLine
from core.database import UnitOfWork
from models.events import DemandMoved, OrderChanged, ShopStockMoved
from models.orders import Order, OrderBuyer, OrderEvent, OrderLine
from models.shelves import moved_by_orders
from models.shops import Shop
from pipelines.orders.lines import told as state_told
from pipelines.orders.lines import wanted_anew
from pipelines.orders.stored import lock_order, move, pieces, tell

# By the id the shop gave our listing; else by the SKU of a listing that was sent there, whose product was made anew, or
# that is being made right now. What an adopted product sold before it was found was its owner's own, and so is what a page
# sells that was found with one of our SKUs and never adopted.
OURS = """
SELECT t.line, v.id, v.sku, p.kind
FROM unnest(%(lines)s::text[], %(variants)s::text[], %(skus)s::text[]) AS t(line, variant, sku)
CROSS JOIN LATERAL (SELECT coalesce(
  (SELECT min(l.variant_id) FROM listing l WHERE l.shop_id = %(shop)s AND l.external_id = t.variant),
  (SELECT l.variant_id FROM variant w JOIN listing l ON l.shop_id = %(shop)s AND l.variant_id = w.id
   WHERE t.sku <> '' AND lower(w.sku) = lower(t.sku) AND (l.external_id IS NOT NULL OR l.sending IS NOT NULL)
     AND NOT EXISTS (SELECT FROM adoption a WHERE a.shop_id = %(shop)s AND a.external_id = t.variant AND (a.state <> 'adopted'
       OR NOT EXISTS (SELECT FROM listing k WHERE k.shop_id = a.shop_id AND a.external_id = ANY(k.former_ids)))))) AS variant_id) found
JOIN variant v ON v.id = found.variant_id JOIN product p ON p.id = v.product_id
WHERE NOT EXISTS (SELECT FROM adoption a WHERE a.shop_id = %(shop)s AND a.variant_id = v.id AND a.state = 'adopted' AND a.found_at > %(placed)s)"""


def take_over(uow: UnitOfWork, shop: Shop, told: ShopOrder) -> int | None:
    """Stores what differs from what the shop told before; the order's id, or None where it is none of ours or older.

    OrderChanged is emitted only where what is to be covered may have changed. What the shop sold is taken off what it
    can still sell here, together with the order: each piece once, however often and from wherever it is told.
    """
    ours = {line.external_id: line for line in told.lines}
    order_id = uow.session.scalar(select(Order.id).filter_by(shop_id=shop.id, external_id=told.external_id))
    known = set() if order_id is None else _known(uow, order_id)
    fresh = variants_of(uow, shop, told, [line for line in told.lines if line.external_id not in known])
    if order_id is None:
        if not fresh:
            return None
        order_id = _made(uow, shop, told)
    order, lines = lock_order(uow, order_id)
    if told.updated_at < order.external_updated_at:
        return None
    begun = not lines
    changed = _order_taken(uow, order, told)
    why = why_not_bought(order)
    demand: Counter[int] = Counter()
    shelf: Counter[int] = Counter()
    late: set[int] = set()
    for line in lines:
        now, before = ours.get(line.external_id), (line.wanted, line.taken)
        changed |= _line_taken(uow, order, line, told, now)
        line.taken = taken_of(told, now)
        demand[line.variant_id] += line.wanted - before[0]
        shelf[line.variant_id] += line.taken - before[1]
        if line.taken - before[1] > max(0, line.wanted - before[0]):
            late.add(line.variant_id)
    stored = {line.external_id for line in lines}
    for external_id, (variant_id, sku, kind) in fresh.items():
        if external_id not in stored:
            _line_made(uow, order, told, ours[external_id], variant_id, sku, kind, why)
            demand[variant_id] += wanted_of(told, ours[external_id])
            shelf[variant_id] += taken_of(told, ours[external_id])
            changed = True
    _moved(uow, order, demand, shelf, late)
    if begun:
        tell(
            uow,
            order.id,
            "received",
            f"Order {told.number} came from {shop.name}." + (f" {why}" if why else ""),
        )
    _tell_refunds(uow, order, told)
    if changed:
        order.version += 1
        uow.emit(OrderChanged(tenant=order.seller_id, lane=order.lane, order_id=order.id))
    return order.id


def gone(uow: UnitOfWork, shop: Shop, external_id: str) -> None:
    """The shop has the order no longer: nothing of it is wanted any more. Where it was never ours, nothing happens."""
    order_id = uow.session.scalar(select(Order.id).filter_by(shop_id=shop.id, external_id=external_id))
    if order_id is None:
        return
    order, lines = lock_order(uow, order_id)
    if order.standing == "cancelled":
        return
    order.standing = "cancelled"
    order.version += 1
    demand: Counter[int] = Counter()
    shelf: Counter[int] = Counter()
    for line in lines:
        demand[line.variant_id] -= line.wanted
        shelf[line.variant_id] -= line.taken
        line.wanted = line.taken = 0
        line.version += 1
    _moved(uow, order, demand, shelf)
    tell(uow, order.id, "changed", "The order is no longer in the shop: nothing of it is wanted any more.")
    uow.emit(OrderChanged(tenant=order.seller_id, lane=order.lane, order_id=order.id))


def wanted_of(told: ShopOrder, line: ShopOrderLine | None) -> int:
    """Pure: how much of a line the buyer still wants; nothing of one that is not in the order any more."""
    if line is None or told.standing == "cancelled":
        return 0
    back = sum(n for refund in told.refunds for line_id, n in refund.lines if line_id == line.external_id)
    return min(max(0, line.quantity - line.removed - back), max(0, line.quantity))


def taken_of(told: ShopOrder, line: ShopOrderLine | None) -> int:
    """Pure: how many pieces of a line the shop has taken off its own shelf: what it says, else what is wanted of it.

    A WooCommerce order that waits for its payment takes none, though its buyer wants them.
    """
    return wanted_of(told, line) if line is None or line.taken is None else line.taken


def why_not_bought(order: Order) -> str | None:
    """The sentence for an order that the hub never buys; None for every other, whatever its buyer paid in: what the hub
    buys, holds and pays is made from the supplier's cost (decision 0067)."""
    return "It is a test order: nothing is bought for it." if order.test else None


def variants_of(
    uow: UnitOfWork, shop: Shop, told: ShopOrder, lines: list[ShopOrderLine]
) -> dict[str, tuple[int, str, str]]:
    """Which lines of the shop's order are ours: external line id -> (variant id, our SKU, kind)."""
    if not lines:
        return {}
    found = uow.cursor().execute(
        OURS,
        {
            "shop": shop.id,
            "placed": told.placed_at,
            "lines": [line.external_id for line in lines],
            "variants": [line.variant_id for line in lines],
            "skus": [line.sku for line in lines],
        },
    )
    return {line: (variant_id, sku, kind) for line, variant_id, sku, kind in found.fetchall()}


def _known(uow: UnitOfWork, order_id: int) -> set[str]:
    return set(uow.session.scalars(select(OrderLine.external_id).filter_by(order_id=order_id)))


def _made(uow: UnitOfWork, shop: Shop, told: ShopOrder) -> int:
    """Its number; where somebody else is making it at the same moment, that one's."""
    values = {
        "shop_id": shop.id, "seller_id": shop.seller_id, "external_id": told.external_id, "number": told.number,
        "currency": told.currency, "standing": told.standing, "test": told.test, "total_minor": told.total.minor,
        "placed_at": told.placed_at, "external_updated_at": told.updated_at,
    }  # fmt: skip
    uow.session.execute(insert(Order).values(**values).on_conflict_do_nothing())
    made = uow.session.scalar(select(Order.id).filter_by(shop_id=shop.id, external_id=told.external_id))
    assert made is not None
    return made


def _order_taken(uow: UnitOfWork, order: Order, told: ShopOrder) -> bool:
    address = asdict(told.buyer)
    buyer = uow.session.get(OrderBuyer, order.id)
    if buyer is None and order.buyer_forgotten_at is None:
        uow.session.add(OrderBuyer(order_id=order.id, address=address))
    elif buyer is not None and buyer.address != address:
        buyer.address = address
    order.external_updated_at, order.number, order.total_minor = (
        told.updated_at,
        told.number,
        told.total.minor,
    )
    if (order.standing, order.currency, order.test) == (told.standing, told.currency, told.test):
        return False
    sentence = {
        "unpaid": "The shop says that the order is not paid.",
        "open": "The shop says that the order is paid and open.",
        "cancelled": "The order was cancelled in the shop.",
    }[told.standing]
    tell(uow, order.id, "changed", sentence)
    order.standing, order.currency, order.test = told.standing, told.currency, told.test
    return True


def _line_taken(
    uow: UnitOfWork, order: Order, line: OrderLine, told: ShopOrder, now: ShopOrderLine | None
) -> bool:
    wanted = wanted_of(told, now)
    state = state_told(line.state, wanted=wanted, covered=line.covered, paid=told.standing != "unpaid")
    ordered = max(0, now.quantity) if now else line.ordered
    if (line.wanted, line.ordered, line.state) == (wanted, ordered, state):
        return False
    if line.wanted != wanted:
        text = f"The buyer wants {pieces(wanted, line.sku)} instead of {line.wanted}."
        tell(uow, order.id, "changed", text, line.id)
    line.overruled = wanted_anew(line, wanted).overruled
    line.wanted, line.ordered = wanted, max(ordered, wanted)
    move(line, state, line.reason)
    return True


def _moved(
    uow: UnitOfWork, order: Order, demand: Counter[int], shelf: Counter[int], late: Collection[int] = ()
) -> None:
    """Pieces by variant that buyers want more (or less), and that the shop took off its shelf (or gave back), than before.

    What is given back in a shop goes back on its shelf there, whether or not the supplier has it again. `late` are those
    that it took for what was wanted before.
    """
    taken = {variant_id: number for variant_id, number in sorted(shelf.items()) if number}
    concerned = sorted({*taken, *(variant_id for variant_id, number in demand.items() if number)})
    if not concerned:
        return
    uow.session.flush()
    unknown = moved_by_orders(uow.cursor(), order.shop_id, taken, late) if taken else []
    for variant_id in concerned:
        uow.emit(DemandMoved(tenant=order.seller_id, lane=order.lane, variant_id=variant_id))
        if taken.get(variant_id, 0) < 0 or variant_id in unknown:
            uow.emit(
                ShopStockMoved(
                    tenant=order.seller_id, lane=order.lane, shop_id=order.shop_id, variant_id=variant_id
                )
            )


def _line_made(
    uow: UnitOfWork, order: Order, told: ShopOrder, line: ShopOrderLine, variant_id: int, sku: str, kind: str, why: str | None
) -> None:  # fmt: skip
    values: dict[str, Any] = {
        "order_id": order.id, "external_id": line.external_id, "variant_id": variant_id, "sku": sku, "title": line.title,
        "kind": kind, "unit_price_minor": line.unit_price.minor if line.unit_price else None,
        "ordered": max(0, line.quantity), "wanted": wanted_of(told, line), "taken": taken_of(told, line), "reason": why,
        "state": "unpaid" if told.standing == "unpaid" else "received",
    }  # fmt: skip
    uow.session.add(OrderLine(**values))


def _tell_refunds(uow: UnitOfWork, order: Order, told: ShopOrder) -> None:
    """A refund by amount alone changes no quantity: it is between the seller and his buyer, and only told."""
    for refund in told.refunds:
        link = f"shop_refund:{refund.external_id}"
        if refund.lines or uow.session.scalar(select(OrderEvent.id).filter_by(order_id=order.id, link=link)):
            continue
        text = f"The shop paid {refund.amount} back without naming pieces: nothing of the order changes."
        tell(uow, order.id, "refund_told", text, link=link)
