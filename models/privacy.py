"""What buyers and shops asked of the data kept of them, so that it is answered in time and can be shown to have been."""

from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, Identity, String, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base

DAYS = 30
"""How long there is to answer: shopify.dev, "Privacy law compliance": the action must be completed within 30 days."""
PRIVACY_KINDS = ("data_request", "redact", "shop_redact")


class PrivacyRequest(Base):
    """One request a shop passed on. `orders` are the shop's own ids of the orders it named, never whose they are.

    A "data_request" waits for a person, who sends the buyer's data to the shop's owner; "redact" and "shop_redact" were
    done when they came, by the hub.
    """

    __tablename__ = "privacy_request"
    __table_args__ = (
        UniqueConstraint("shop_id", "delivery_id"),
        CheckConstraint("kind IN ('" + "', '".join(PRIVACY_KINDS) + "')", name="kind"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    delivery_id: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(12))
    orders: Mapped[list[str]] = mapped_column(JSONB)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None] = mapped_column(String(40))

    @property
    def due_at(self) -> datetime:
        """When it must have been answered."""
        return self.received_at + timedelta(days=DAYS)
