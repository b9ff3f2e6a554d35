"""Buyers' orders in sellers' shops, what the hub covers of them, and the stock set aside for them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)  # fmt: skip
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base


class WebhookDelivery(Base):
    """A received call of a shop: its verified notice, never its body, since that has the buyer's data in it."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (UniqueConstraint("shop_id", "delivery_id"), Index(None, "received_at"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    delivery_id: Mapped[str] = mapped_column(String(200))
    topic: Mapped[str] = mapped_column(String(100))
    external_id: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Order(Base):
    """A buyer's order that has at least one line of ours. `standing` and `external_updated_at` are the shop's own.

    An order as the shop told it later replaces what it told before; an older telling is dropped. `version` grows with
    each change the hub takes over.
    """

    __tablename__ = "shop_order"
    __table_args__ = (
        UniqueConstraint("shop_id", "external_id"),
        CheckConstraint("standing IN ('unpaid', 'open', 'cancelled')", name="standing"),
        Index(None, "seller_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    seller_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    external_id: Mapped[str] = mapped_column(Text)
    number: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(String(3))
    standing: Mapped[str] = mapped_column(String(10))
    test: Mapped[bool] = mapped_column(server_default=text("false"))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    """What the buyer pays the seller, in minor units of `currency`; it is not the hub's money."""
    placed_at: Mapped[datetime]
    external_updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default="1")
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    buyer_forgotten_at: Mapped[datetime | None]
    """From then on nothing is kept of whom it went to, whatever the shop tells again."""

    @property
    def lane(self) -> str:
        """Whose turn it is in a queue: the shop's."""
        return f"shop:{self.shop_id}"


class OrderBuyer(Base):
    """Whom an order goes to: the only table with buyers' data. `address` has the fields of connectors.orders.Buyer."""

    __tablename__ = "order_buyer"

    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"), primary_key=True)
    address: Mapped[dict[str, Any]]


LINE_STATES = (
    "unpaid", "received", "awaiting_stock", "awaiting_deposit", "funded", "submitting", "submit_unknown",
    "accepted", "rejected", "cancel_requested", "shipped", "cancelled", "refunded",
)  # fmt: skip


class OrderLine(Base):
    """One line of an order that is ours. Quantities are whole; `wanted` and `ordered` are the shop's, the others ours.

    `wanted` is what the buyer still wants: ordered, less what was taken back or refunded in the shop. `covered` has a
    reservation and a hold; `shipped` of it left the supplier; `refunded` of the shipped came back. What is not shipped
    of `covered` beyond `wanted` is released, what is shipped beyond it is refunded; pipelines/orders/lines.py decides.
    `taken` pieces the shop has counted off its own stock for it, as it tells or as it is wanted.
    `overruled` pieces are not wanted and paid all the same: the supplier did not cancel them, or they left before that.

    A transition is `UPDATE … WHERE id AND version`; no row means that somebody else was first. `reason` is a sentence
    for whoever asks why it waits. `offer_id`, `unit_cost` are those of the offer that covers it (None before).
    """

    __tablename__ = "order_line"
    __table_args__ = (
        UniqueConstraint("order_id", "external_id"),
        CheckConstraint("state IN ('" + "', '".join(LINE_STATES) + "')", name="state"),
        CheckConstraint(
            "0 <= refunded AND refunded <= shipped AND shipped <= covered AND 0 <= wanted AND wanted <= ordered AND 0 <= overruled",
            name="quantities",
        ),
        Index(None, "variant_id"),
        Index("ix_order_line_waiting", "state", postgresql_where=text("state IN ('awaiting_stock', 'awaiting_deposit')")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"))
    external_id: Mapped[str] = mapped_column(Text)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"))
    sku: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(8))
    """goods, service or digital, as the catalogue had it when the order came."""
    unit_price_minor: Mapped[int | None] = mapped_column(BigInteger)
    ordered: Mapped[int]
    wanted: Mapped[int]
    taken: Mapped[int] = mapped_column(server_default="0")
    covered: Mapped[int] = mapped_column(server_default="0")
    shipped: Mapped[int] = mapped_column(server_default="0")
    refunded: Mapped[int] = mapped_column(server_default="0")
    overruled: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offer.id"))
    unit_cost: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    version: Mapped[int] = mapped_column(server_default="1")
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it came into its present state."""


class Reservation(Base):
    """Quantity of an offer set aside for a line. `quantity` is what is still set aside: shipped and released leave it.

    It expires only while it stands alone, without a hold. models/catalogue.py's take and give_back move the stock.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint("quantity >= 0 AND sold >= 0", name="quantity"),
        Index(None, "offer_id"),
    )

    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"), primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    quantity: Mapped[int]
    sold: Mapped[int] = mapped_column(server_default="0")
    """Shipped out of this reservation."""
    sold_at: Mapped[datetime | None]
    """The last shipment: a supplier's list from before it still counts these pieces."""
    expires_at: Mapped[datetime | None]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderEvent(Base):
    """A line of an order's story: what happened, when, why. Ids and sentences of ours, never a buyer's data."""

    __tablename__ = "order_event"
    __table_args__ = (Index(None, "order_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("order_line.id"))
    what: Mapped[str] = mapped_column(String(40))
    """received, changed, reserved, parked, funded, purchased, confirmed, rejected, shipped, reported, captured, released, refunded, …"""
    text: Mapped[str] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(Text)
    """Its cause, as kind:id ("entry:12", "po:7", "shipment:3", "webhook:5")."""
    at: Mapped[datetime] = mapped_column(server_default=func.now())
