"""Sellers' shops, what they selected, and each listing: what we want there, what we sent, what we read back."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Computed,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
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
    swept_at: Mapped[datetime | None]
    """When the last whole sweep began, by our clock: what was sold before is taken over."""
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """What its seller wants of it: fields of pipelines.listings.settings.ShopSettings that differ from the usual."""
    held_why: Mapped[str | None] = mapped_column(Text)
    """Why nothing but stock goes into the shop by itself (a push was undone); None where the hub keeps it true."""
    renews_at: Mapped[datetime | None]
    """When its access token must be renewed; None where it does not expire."""
    looked_at: Mapped[datetime | None]
    """When what it sells was last compared with what is wanted there, to adopt it; None where it never was."""
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


PAGE_DIFFERS = "wanted IS DISTINCT FROM sent AND NOT trade_only"
LISTING_DIFFERS = """CASE WHEN wanted IS NULL THEN external_id IS NOT NULL AND state NOT IN ('withdrawn', 'refused')
  WHEN state = 'refused' THEN coalesce(external_id IS NOT NULL AND jsonb_typeof(sent->'stock') = 'number' AND wanted->'stock' <> sent->'stock', false)
  ELSE wanted IS DISTINCT FROM sent OR external_id IS NULL OR state IN ('drifted', 'waiting') END"""
"""Whether a push has something to do: kept by the database beside each row, so that a plan need not compare all. Of what the
shop refused and has all the same only the stock is to be sent."""
LISTING_UNSETTLED = """coalesce(sending IS NOT NULL OR lowered_from IS NOT NULL OR sent->'stock' = 'null'
  OR seen_at >= sent_at AND (seen->>'stock')::int < (sent->>'stock')::int, false)"""
"""Whether a whole sweep of the shop's orders will tell more of what it can still sell."""


class ShopProduct(Base):
    """A product in a shop: its page's content as wanted and as sent, and the ids the shop gave it."""

    __tablename__ = "shop_product"
    __table_args__ = (
        Index("ix_shop_product_differs", "shop_id", "product_id", postgresql_where=text("differs")),
        Index("ix_shop_product_external", "shop_id", "external_id"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    wanted: Mapped[dict[str, Any]] = mapped_column(JSONB)
    sent: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    external_id: Mapped[str | None] = mapped_column(Text)
    image_ids: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    problem: Mapped[str | None] = mapped_column(Text)
    trade_only: Mapped[bool] = mapped_column(server_default="false")
    """An adopted product whose page stays its owner's: only price and stock are sent."""
    differs: Mapped[bool] = mapped_column(Computed(PAGE_DIFFERS, persisted=True))


LISTING_STATES = ("waiting", "blocked", "sent", "live", "drifted", "refused", "withdrawn")


class Listing(Base):
    """A variant in a shop. `wanted`, `sent` and `seen` hold {"title", "price", "stock", …} of the same shape.

    `sent->'stock'` is how much the shop can still sell as far as we know: what was sent, less the orders taken over
    since; null where the shop itself moved it and it must be read first (models/shelves.py).

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
        Index("ix_listing_differs", "shop_id", "product_id", postgresql_where=text("differs")),
        Index("ix_listing_unsettled", "shop_id", postgresql_where=text("unsettled")),
        Index("ix_listing_undecided", "shop_id", postgresql_where=text("undecided")),
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
    stock_id: Mapped[str | None] = mapped_column(Text)
    """The id under which the shop keeps its stock, where that is another (Shopify's inventory item)."""
    former_ids: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    """The shop's ids for it before it was made anew there: what was sold under one of them was ours."""
    sending: Mapped[int | None]
    """A stock that is on its way to the shop and not answered yet: it may show that too. None where none is. Where the
    outcome stays unknown, or the shop moved its stock itself, it is the most that it may show until it is read."""
    lowered_from: Mapped[int | None]
    """The most that it could still sell before it was lowered or withdrawn: so much it may have sold unseen, until a whole
    sweep that began after that. None where nothing is in doubt."""
    undecided: Mapped[bool] = mapped_column(server_default="false")
    """It is not made, since the shop has something of its owner's with its SKU or GTIN (or its product waits with such a
    one): `problem` says so until the owner decides. Nothing once it has an external id."""
    problem: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    differs: Mapped[bool] = mapped_column(Computed(LISTING_DIFFERS, persisted=True))
    unsettled: Mapped[bool] = mapped_column(Computed(LISTING_UNSETTLED, persisted=True))


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
    undoes: Mapped[int | None] = mapped_column(ForeignKey("push.id"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class PushChange(Base):
    """What the shop was last sent of a listing before a push changed it: the way back."""

    __tablename__ = "push_change"

    push_id: Mapped[int] = mapped_column(ForeignKey("push.id", ondelete="CASCADE"), primary_key=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), primary_key=True)
    page: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """ShopProduct.sent before; None where the product was new."""
    sent: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """Listing.sent before; None where the listing was not there, or out of sale."""


class Meter(Base):
    """How fast a shop may be asked, shared by all workers: a bucket of its own points that fills by itself, and a breaker.

    `points` is what was in the bucket at `at`, less what calls that are still out may cost (`out`); nobody asks before
    `paused_until`. `failures` are those in a row. A shop without points of its own has `a_second` 0.
    """

    __tablename__ = "shop_meter"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    points: Mapped[float] = mapped_column(Float)
    most: Mapped[float] = mapped_column(Float)
    a_second: Mapped[float] = mapped_column(Float)
    out: Mapped[float] = mapped_column(Float, server_default="0")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    paused_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")


class PriceRule(Base):
    """How a seller prices: the first rule that fits, by priority, then number. Without one the selection's margin counts.

    `scope` narrows it: {"shop", "supplier", "category", "brand", "kind"}, all of them must fit; {}: everything of the seller.
    `formula` is pipelines.listings.pricing.price.Formula's document.
    """

    __tablename__ = "price_rule"
    __table_args__ = (Index("ix_price_rule_seller", "seller_id", "priority", "id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    seller_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    name: Mapped[str] = mapped_column(String(100))
    priority: Mapped[int] = mapped_column(server_default="100")
    scope: Mapped[dict[str, Any]] = mapped_column(JSONB)
    formula: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CurrencyRate(Base):
    """How much of a currency one euro is on a day (the European Central Bank's reference rates)."""

    __tablename__ = "currency_rate"

    day: Mapped[date] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    per_euro: Mapped[Decimal] = mapped_column(Numeric(18, 8))


ADOPTION_STATES = ("proposed", "unclear", "adopted", "left")


class Adoption(Base):
    """A variant that a shop has already and that is one of ours: proposed, then adopted or left by a person.

    `reason` is "sku", "gtin" or "code" (its SKU is the supplier's own number of ours: always unclear). "unclear" ones fit several, and say so in `problem`; they are never adopted by themselves. `found_at` of an adopted one is when it was.
    """

    __tablename__ = "adoption"
    __table_args__ = (
        CheckConstraint("state IN ('" + "', '".join(ADOPTION_STATES) + "')", name="state"),
        Index("ix_adoption_variant", "variant_id"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    external_id: Mapped[str] = mapped_column(Text, primary_key=True)
    product_external_id: Mapped[str] = mapped_column(Text)
    stock_id: Mapped[str | None] = mapped_column(Text)
    variant_id: Mapped[int | None]
    fits: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default="{}")
    """All variants of ours that it may be: none of them is made beside it while nothing is decided."""
    reason: Mapped[str] = mapped_column(String(4))
    state: Mapped[str] = mapped_column(String(8))
    problem: Mapped[str | None] = mapped_column(Text)
    seen: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """What the shop shows: {"title", "sku", "gtin", "price", "stock"}."""
    found_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ConnectionRequest(Base):
    """A seller on his way to his shop's own page where he agrees; known by the hash of what he brings back. Used once."""

    __tablename__ = "connection_request"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    seller_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    channel: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(Text)
    ca_file: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id"))
    problem: Mapped[str | None] = mapped_column(Text)


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
