"""What the hub orders at suppliers: their terms, purchase orders, and shipments."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
)  # fmt: skip
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base


class SupplierTerms(Base):
    """What is agreed with a supplier. Without a row: no commission, no shipping, he takes his orders up by himself.

    `shipping_minor` is flat per order of a buyer, in the hub's currency. `transport` is a key of
    connectors.registry.SUPPLIERS; `credentials` is sealed by core.vault. `iban` … is the account he is paid to.
    """

    __tablename__ = "supplier_terms"
    __table_args__ = (
        CheckConstraint("commission_percent >= 0 AND commission_percent <= 100 AND shipping_minor >= 0", name="terms"),
    )  # fmt: skip

    supplier_id: Mapped[int] = mapped_column(ForeignKey("company.id"), primary_key=True)
    commission_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2), server_default="0")
    shipping_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    transport: Mapped[str] = mapped_column(String(20), server_default="portal")
    url: Mapped[str | None] = mapped_column(Text)
    credentials: Mapped[bytes | None] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(server_default="1")
    """Stored with each hold, so that a fee can say by which terms it was made."""


class BankDetails(Base):
    """The account a company is paid to: a supplier's payouts, a seller's withdrawals."""

    __tablename__ = "bank_details"

    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(70))
    iban: Mapped[str] = mapped_column(String(34))
    bic: Mapped[str] = mapped_column(String(11), server_default="")
    town: Mapped[str] = mapped_column(String(35))
    country: Mapped[str] = mapped_column(String(2))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


PO_STATES = (
    "submitting",
    "unknown",
    "placed",
    "accepted",
    "rejected",
    "cancel_requested",
    "cancelled",
    "shipped",
)


class PurchaseOrder(Base):
    """The hub's order to one supplier for one buyer's order. `reference` is ours: he is asked by it, never twice.

    States: submitting (being sent), unknown (sent without a clear answer: looked up before it is repeated), placed (he
    has it), accepted | rejected (his answer), cancel_requested, cancelled, shipped (nothing of it is open any more).
    `asked_at`: from here on he may have it; `placed_at`: he has it; `answered_at`: he accepted or rejected it.
    """

    __tablename__ = "purchase_order"
    __table_args__ = (
        CheckConstraint("state IN ('" + "', '".join(PO_STATES) + "')", name="state"),
        Index(None, "order_id"),
        Index(None, "supplier_id", "state"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"))
    supplier_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    reference: Mapped[str] = mapped_column(String(35), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    external_number: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    shipping_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    version: Mapped[int] = mapped_column(server_default="1")
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    asked_at: Mapped[datetime | None]
    placed_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]

    @property
    def lane(self) -> str:
        """Whose turn it is in a queue: the supplier's."""
        return f"supplier:{self.supplier_id}"


class PurchaseOrderLine(Base):
    """A line of a purchase order. `quantity` shrinks when a part is cancelled before it is shipped.

    A line of a buyer stands in one purchase order that is not rejected or cancelled.
    """

    __tablename__ = "purchase_order_line"
    __table_args__ = (
        CheckConstraint("quantity >= 0 AND shipped >= 0 AND shipped <= quantity", name="quantity"),
        Index(None, "line_id"),
    )

    purchase_order_id: Mapped[int] = mapped_column(ForeignKey("purchase_order.id"), primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"), primary_key=True)
    supplier_sku: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int]
    shipped: Mapped[int] = mapped_column(server_default="0")
    unit_cost: Mapped[Decimal] = mapped_column(Numeric(18, 6))


class Shipment(Base):
    """Goods that left, with tracking; for a service its completion. `key` is the supplier's own word for it, or ours.

    The same key of a purchase order again is the same shipment. `external_id` is the shop's once it was told.
    """

    __tablename__ = "shipment"
    __table_args__ = (UniqueConstraint("purchase_order_id", "key"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    purchase_order_id: Mapped[int] = mapped_column(ForeignKey("purchase_order.id"))
    key: Mapped[str] = mapped_column(String(100))
    content_hash: Mapped[str] = mapped_column(String(64))
    carrier: Mapped[str] = mapped_column(String(100), server_default="")
    number: Mapped[str] = mapped_column(String(100), server_default="")
    url: Mapped[str] = mapped_column(Text, server_default="")
    external_id: Mapped[str | None] = mapped_column(Text)
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the shop does not show it; the money does not wait for that."""
    shipped_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reported_at: Mapped[datetime | None]


class ShipmentLine(Base):
    """How much of which line is in a shipment."""

    __tablename__ = "shipment_line"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    shipment_id: Mapped[int] = mapped_column(ForeignKey("shipment.id"), primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"), primary_key=True)
    quantity: Mapped[int]
