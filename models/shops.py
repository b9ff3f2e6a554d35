"""Sellers' shops, what they selected, and each listing: what we want there, what we sent, what we read back."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
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
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.errors import Refused
from core.tables import Base
from models.companies import number_in


class Shop(Base):
    """One connected store of a seller. `credentials` is sealed by core.vault; `facts` is what check() told.

    Its first push is asked for by a person (`live_since`); from then on the hub keeps it true by itself.
    """

    __tablename__ = "shop"
    __table_args__ = (UniqueConstraint("seller_id", "name"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    seller_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    name: Mapped[str] = mapped_column(String(100))
    channel: Mapped[str] = mapped_column(String(20))
    url: Mapped[str] = mapped_column(Text)
    credentials: Mapped[bytes] = mapped_column(LargeBinary)
    currency: Mapped[str] = mapped_column(String(3))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    live_since: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)
    """The last thing that went wrong with the whole shop, in its owner's words; None when it answers."""
    checked_at: Mapped[datetime | None]
    orders_watermark: Mapped[datetime | None]
    """Every order changed up to this moment, by the shop's clock, has been taken over; the sweep goes on from it."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def lane(self) -> str:
        """Whose turn it is in a queue."""
        return f"shop:{self.id}"


class Selection(Base):
    """A seller's choice of products for a shop, with its margin.

    `by` is "supplier" (what: his id), "category" (what: the path or the head of it) or "list" (what: SKUs).
    Where several selections choose a variant, the earliest prices it.
    """

    __tablename__ = "selection"
    __table_args__ = (CheckConstraint("by IN ('supplier', 'category', 'list')", name="by"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    by: Mapped[str] = mapped_column(String(10))
    what: Mapped[dict[str, Any]] = mapped_column(JSONB)
    margin_percent: Mapped[Decimal] = mapped_column(Numeric(7, 2))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ShopProduct(Base):
    """A product in a shop: its page's content as wanted and as sent, and the ids the shop gave it."""

    __tablename__ = "shop_product"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    wanted: Mapped[dict[str, Any]] = mapped_column(JSONB)
    sent: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    external_id: Mapped[str | None] = mapped_column(Text)
    image_ids: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    problem: Mapped[str | None] = mapped_column(Text)


LISTING_STATES = ("waiting", "blocked", "sent", "live", "drifted", "refused", "withdrawn")


class Listing(Base):
    """A variant in a shop. `wanted`, `sent` and `seen` hold {"title", "price", "stock", …} of the same shape.

    States: waiting (wanted, not yet there), blocked (we will not send it: `problem` says why), sent (answered,
    not yet read back), live (read back equal), drifted (read back different), refused (the shop said no),
    withdrawn (no longer wanted, out of sale there). `why` explains the price.
    """

    __tablename__ = "listing"
    __table_args__ = (
        UniqueConstraint("shop_id", "variant_id"),
        CheckConstraint("state IN ('" + "', '".join(LISTING_STATES) + "')", name="state"),
        Index("ix_listing_product", "shop_id", "product_id"),
        Index("ix_listing_variant", "variant_id"),
        Index("ix_listing_external", "shop_id", "external_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"))
    selection_id: Mapped[int | None] = mapped_column(ForeignKey("selection.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(String(10))
    wanted: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    sent: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    seen: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    why: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    external_id: Mapped[str | None] = mapped_column(Text)
    problem: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]


class Push(Base):
    """One push of a shop: its plan's counts, who let it go, and how it ended."""

    __tablename__ = "push"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done')", name="state"),
        Index("ix_push_shop", "shop_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    state: Mapped[str] = mapped_column(String(8))
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """{"create", "update", "stock", "withdraw", "limits": [sentences]}"""
    outcome: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """{"sent", "refused", "withdrawn"}"""
    asked_by: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


def find_shop(session: Session, name: str) -> Shop:
    """The shop with this id, or the only one with this name. Raises Refused where it is not to be found."""
    if (number := number_in(name)) is not None:
        found = session.get(Shop, number)
    else:
        matches = session.query(Shop).filter(Shop.name == name).limit(2).all()
        if len(matches) > 1:
            raise Refused(
                f"Several sellers have a shop {name!r}: name it by its number, `entrepot shop list` shows it.",
                rule="not_found",
            )
        found = matches[0] if matches else None
    if found is None:
        raise Refused(
            f"There is no shop {name!r}. `entrepot shop list` shows those there are.", rule="not_found"
        )
    return found
