"""Money as the database keeps it: accounts, journal entries with their postings, and the holds on deposits."""

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
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)  # fmt: skip
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base


class Account(Base):
    """A named pot of one currency. `balance` is credits minus debits in minor units: all accounts sum to zero.

    `name` is that of ledger/chart.py ("seller:5:deposit"). A `guarded` one is never below zero; the database refuses.
    `version` counts its postings.
    """

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("name", "currency"),
        CheckConstraint("NOT guarded OR balance >= 0", name="guarded"),
        CheckConstraint("kind IN ('asset', 'liability', 'profit')", name="kind"),
        Index(None, "company_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(10))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))
    currency: Mapped[str] = mapped_column(String(3))
    guarded: Mapped[bool]
    balance: Mapped[int] = mapped_column(BigInteger, server_default="0")
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")


class JournalEntry(Base):
    """An immutable set of postings with a unique key. `refs` are ids of what it is about: {"line": 7, "hold": 3}.

    `reverses` is the entry that this one mirrors; an entry is reversed at most once.
    """

    __tablename__ = "journal_entry"
    __table_args__ = (UniqueConstraint("key"), UniqueConstraint("reverses"), Index(None, "happened_at"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(String(120))
    content_hash: Mapped[str] = mapped_column(String(64))
    rule: Mapped[str] = mapped_column(String(30))
    """The function of ledger/rules.py that made it."""
    refs: Mapped[dict[str, Any]]
    reverses: Mapped[int | None] = mapped_column(ForeignKey("journal_entry.id"))
    happened_at: Mapped[datetime]
    posted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Posting(Base):
    """One positive amount from a source (debited) to a destination (credited), with each account's state after it."""

    __tablename__ = "posting"
    __table_args__ = (
        UniqueConstraint("entry_id", "place"),
        UniqueConstraint("source_id", "source_version"),
        UniqueConstraint("destination_id", "destination_version"),
        CheckConstraint("amount > 0 AND source_id <> destination_id", name="moves"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entry.id"))
    place: Mapped[int] = mapped_column(SmallInteger)
    source_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    destination_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    part: Mapped[str] = mapped_column(String(12), server_default="")
    """goods, shipping, commission or vat, where the posting is about one of them."""
    source_version: Mapped[int] = mapped_column(BigInteger)
    source_balance: Mapped[int] = mapped_column(BigInteger)
    destination_version: Mapped[int] = mapped_column(BigInteger)
    destination_balance: Mapped[int] = mapped_column(BigInteger)


class Hold(Base):
    """Deposit set aside for one covered order line, by the terms of that moment. Amounts stand in its parts."""

    __tablename__ = "hold"
    __table_args__ = (
        UniqueConstraint("line_id", "number"),
        CheckConstraint(
            "quantity > 0 AND captured >= 0 AND released >= 0 AND captured + released <= quantity AND refunded >= 0"
            " AND refunded <= captured",
            name="quantity",
        ),
        Index(None, "seller_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"))
    number: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """1, 2, …: a line is held anew for more pieces, or after a supplier refused it and its first hold was released."""
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"))
    seller_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    supplier_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    currency: Mapped[str] = mapped_column(String(3))
    quantity: Mapped[int]
    captured: Mapped[int] = mapped_column(server_default="0")
    released: Mapped[int] = mapped_column(server_default="0")
    refunded: Mapped[int] = mapped_column(server_default="0")
    unit_cost: Mapped[Decimal] = mapped_column(Numeric(18, 6))
    commission_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    vat_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    terms_version: Mapped[int]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())


class HoldPart(Base):
    """One component of a hold in minor units: `total` = captured + released + what is still open; refunded ≤ captured."""

    __tablename__ = "hold_part"
    __table_args__ = (
        CheckConstraint("part IN ('goods', 'shipping', 'commission', 'vat')", name="part"),
        CheckConstraint(
            "captured >= 0 AND released >= 0 AND captured + released <= total AND refunded >= 0 AND refunded <= captured",
            name="amounts",
        ),
    )

    hold_id: Mapped[int] = mapped_column(ForeignKey("hold.id"), primary_key=True)
    part: Mapped[str] = mapped_column(String(12), primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
    captured: Mapped[int] = mapped_column(BigInteger, server_default="0")
    released: Mapped[int] = mapped_column(BigInteger, server_default="0")
    refunded: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Capture(Base):
    """A shipped part of a hold. `pending_minor` of it is still the supplier's pending; it matures at `matures_at`."""

    __tablename__ = "capture"
    __table_args__ = (
        UniqueConstraint("hold_id", "shipment_id"),
        CheckConstraint("pending_minor >= 0 AND quantity > 0", name="amounts"),
        Index("ix_capture_due", "matures_at", postgresql_where=text("matured_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    hold_id: Mapped[int] = mapped_column(ForeignKey("hold.id"))
    shipment_id: Mapped[int] = mapped_column(ForeignKey("shipment.id"))
    supplier_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    quantity: Mapped[int]
    pending_minor: Mapped[int] = mapped_column(BigInteger)
    captured_at: Mapped[datetime]
    matures_at: Mapped[datetime]
    matured_at: Mapped[datetime | None]


class HoldChange(Base):
    """What a command did to the holds of a line, once by its key. `entry_id` is None where rounding left nothing to post."""

    __tablename__ = "hold_change"
    __table_args__ = (
        CheckConstraint("kind IN ('release', 'capture', 'refund') AND quantity > 0", name="kind"),
        Index(None, "line_id"),
    )

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"))
    kind: Mapped[str] = mapped_column(String(8))
    quantity: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    why: Mapped[str] = mapped_column(Text, server_default="")
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entry.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
