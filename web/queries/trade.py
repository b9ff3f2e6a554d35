"""What only the console's pages ask of orders: how many wait and why, and which lines a seller's deposit holds up."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.companies import Company
from models.orders import Order, OrderLine
from models.purchasing import PurchaseOrder
from models.settlement import Payout
from models.shops import Shop
from web.tables import tally

URGENCY = (
    "submit_unknown", "rejected", "awaiting_deposit", "awaiting_stock", "cancel_requested", "received", "submitting", "funded",
    "accepted", "unpaid", "shipped", "refunded", "cancelled",
)  # fmt: skip
"""States of lines, what a person should look at first: an order shows the first one of its lines."""


def order_counts(session: Session, shop_id: int | None = None) -> tuple[int, dict[str, int]]:
    """How many orders there are, and how many have a line in each state."""
    by_state = select(OrderLine.state, func.count(OrderLine.order_id.distinct())).group_by(OrderLine.state)
    every = select(func.count()).select_from(Order)
    if shop_id is not None:
        by_state = by_state.join(Order, Order.id == OrderLine.order_id).where(Order.shop_id == shop_id)
        every = every.where(Order.shop_id == shop_id)
    return session.scalar(every) or 0, tally(session, by_state)


def first_state(states: list[str]) -> str:
    """The state that an order shows: the most urgent one of its lines."""
    return min(states, key=URGENCY.index, default="received")


def waiting_for_deposit(session: Session, seller_id: int, limit: int = 50) -> list[dict[str, Any]]:
    """The seller's order lines that wait for his deposit, the oldest first; `reason` says how much is missing."""
    found = session.execute(
        select(
            OrderLine.id, OrderLine.order_id, Order.number, Shop.name.label("shop"), OrderLine.sku, OrderLine.title,
            OrderLine.wanted, OrderLine.reason, OrderLine.since,
        )
        .join(Order, Order.id == OrderLine.order_id).join(Shop, Shop.id == Order.shop_id)
        .where(Order.seller_id == seller_id, OrderLine.state == "awaiting_deposit").order_by(OrderLine.id).limit(limit)
    ).mappings()  # fmt: skip
    return [dict(row) for row in found]


def suppliers_of_pos(session: Session) -> list[Any]:
    """The suppliers that have purchase orders, with how many: (id, name, count)."""
    return list(
        session.execute(
            select(Company.id, Company.name, func.count(PurchaseOrder.id))
            .join(PurchaseOrder, PurchaseOrder.supplier_id == Company.id)
            .group_by(Company.id)
            .order_by(Company.name)
            .limit(200)
        )
    )


def withdrawals_of(session: Session, seller_id: int, limit: int = 10) -> list[dict[str, Any]]:
    """The seller's withdrawals, the newest first."""
    names = ("id", "amount_minor", "currency", "state", "reason", "made_at", "run_id")
    found = session.execute(
        select(*(getattr(Payout, name) for name in names))
        .where(Payout.company_id == seller_id, Payout.kind == "withdrawal")
        .order_by(Payout.id.desc())
        .limit(limit)
    ).mappings()
    return [dict(row) for row in found]


def orders_of_lines(session: Session, line_ids: Collection[int]) -> dict[int, tuple[int, str, str]]:
    """Order id, its number and the SKU of these order lines, by line."""
    found = session.execute(
        select(OrderLine.id, OrderLine.order_id, Order.number, OrderLine.sku)
        .join(Order, Order.id == OrderLine.order_id)
        .where(OrderLine.id.in_(line_ids))
    )
    return {line: (order, number, sku) for line, order, number, sku in found}
