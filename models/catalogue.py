"""The central catalogue: suppliers' offers, and the products and variants they were matched to."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import Cursor
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base


class Product(Base):
    """The catalogue's item: what a buyer sees on one page. Its words come from its variants' best offers."""

    __tablename__ = "product"
    __table_args__ = (Index("uq_product_key", "key", unique=True, postgresql_where=text("key IS NOT NULL")),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    key: Mapped[str | None] = mapped_column(Text)
    """What made it one product: "group:SUPPLIER:KEY", or "offer:ID" where a person split it off; None for the product of a single variant."""
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    brand: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(8))
    images: Mapped[list[str]] = mapped_column(JSONB)
    taxonomy_id: Mapped[int | None]
    """Google's number for its category, see models.taxonomy; None while nobody knows."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Variant(Base):
    """The buyable form of a product. `sku` is the hub's own, unique without regard to case, and never changes."""

    __tablename__ = "variant"
    __table_args__ = (
        Index("uq_variant_sku", text("lower(sku)"), unique=True),
        Index("ix_variant_product", "product_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    product_id: Mapped[int]
    key: Mapped[str] = mapped_column(Text, unique=True)
    """What identifies it: "gtin:4006381333931", "mpn:BRAND|MPN" or "sku:SUPPLIER:SKU"."""
    sku: Mapped[str] = mapped_column(Text)
    gtin: Mapped[str | None] = mapped_column(String(14))
    title: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    images: Mapped[list[str]] = mapped_column(JSONB)
    weight_g: Mapped[int | None] = mapped_column(Integer)
    best_offer_id: Mapped[int | None]
    """The offer we would buy now: sellable, then cheapest, then oldest."""


class Offer(Base):
    """What a supplier offers now. `cost`, `price` and `rrp` in major units of `currency`, as exact as the file was.

    `stock` is what the supplier said (None: he gave only an availability); `free` what may be sold now.
    `feed_run_id` and `locator` lead back to the raw record in the archived file. What it refers to is not guarded by
    foreign keys: they would be checked row by row, which takes as long as writing the rows (docs/decisions/0064); only
    whole runs write here, and nothing they name is ever deleted.
    """

    __tablename__ = "offer"
    __table_args__ = (
        UniqueConstraint("feed_id", "supplier_sku"),
        CheckConstraint("free >= 0", name="free"),
        CheckConstraint("state IN ('offered', 'gone')", name="state"),
        Index("ix_offer_variant", "variant_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    supplier_id: Mapped[int]
    feed_id: Mapped[int]
    supplier_sku: Mapped[str] = mapped_column(Text)
    variant_id: Mapped[int | None]
    match_reason: Mapped[str | None] = mapped_column(String(16))
    """Why it belongs to its variant: "gtin", "brand_mpn", "supplier_sku" or "by_hand"."""
    state: Mapped[str] = mapped_column(String(8), server_default="offered")
    free: Mapped[int] = mapped_column(server_default="0")
    feed_run_id: Mapped[int]
    content_hash: Mapped[str] = mapped_column(Text)
    locator: Mapped[str] = mapped_column(Text)
    gtin: Mapped[str | None] = mapped_column(Text)
    gtin_verdict: Mapped[str] = mapped_column(String(12))
    mpn: Mapped[str | None] = mapped_column(Text)
    brand: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(8))
    cost: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    price: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    rrp: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    currency: Mapped[str | None] = mapped_column(String(3))
    stock: Mapped[int | None] = mapped_column(Integer)
    availability: Mapped[str | None] = mapped_column(String(16))
    lead_time_days: Mapped[int | None] = mapped_column(Integer)
    weight_g: Mapped[int | None] = mapped_column(Integer)
    condition: Mapped[str | None] = mapped_column(Text)
    group_key: Mapped[str | None] = mapped_column(Text)
    group_title: Mapped[str | None] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    images: Mapped[list[str]] = mapped_column(JSONB)
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """What few records have: a dict of those of pipelines.feeds.staging.DETAILS that are known, None where none is."""
    record_hash: Mapped[int | None] = mapped_column(BigInteger)
    """Of the raw record it was read from: the same record in a later file needs no reading. None: always read."""
    first_run_id: Mapped[int | None]
    """The run that brought it; it says which offers were new in a run."""
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


OUT = """coalesce((SELECT sum(r.quantity + CASE WHEN r.sold_at > {as_of} THEN r.sold ELSE 0 END)
    FROM reservation r WHERE r.offer_id = o.id AND (r.quantity > 0 OR r.sold_at > {as_of})), 0)"""
"""Pieces of offer `o` that a supplier's figure of the moment `as_of` still counts: set aside, or shipped since then.

A reservation shipped in parts counts whole by its last part: for a while less is free than could be, never more.
"""

STOCK_AS_OF = """coalesce(
      (SELECT max(x.as_of) FROM feed_run x JOIN feed f ON f.id = x.feed_id
       WHERE f.policy->>'of_feed' = o.feed_id::text AND f.policy->>'mode' = 'stock-only' AND x.state = 'applied'),
      (SELECT max(x.as_of) FROM feed_run x WHERE x.feed_id = o.feed_id AND x.state = 'applied'))"""
"""The moment that the stock of offer `o` is true for: of its feed's last list, or of the feed that tells its stock."""

RESTATED = f"""greatest(0, CASE WHEN o.state <> 'offered' OR o.availability IN ('out_of_stock', 'discontinued') THEN 0
      WHEN o.stock IS NOT NULL THEN greatest(o.stock, 0)
      WHEN o.availability IS NOT NULL THEN coalesce((SELECT (f.policy->>'assumed_stock')::int FROM feed f WHERE f.id = o.feed_id), 0)
      ELSE 0 END
    - {OUT.format(as_of=STOCK_AS_OF)})"""  # noqa: S608 - our own constant
"""What may be sold of offer `o` by its supplier's last word and by what the hub has set aside and sold since."""


def lock_offers(cursor: Cursor[Any], offer_ids: Collection[int]) -> None:
    """Locks the offers, in id order and in a statement of its own, before several of them are moved."""
    cursor.execute(
        "SELECT FROM offer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(set(offer_ids))]
    )


def take(cursor: Cursor[Any], offer_id: int, quantity: int) -> bool:
    """Sets `quantity` of an offer aside; False where less is free, and then nothing is changed."""
    cursor.execute(
        "UPDATE offer SET free = free - %(n)s WHERE id = %(id)s AND state = 'offered' AND free >= %(n)s",
        {"id": offer_id, "n": quantity},
    )
    return cursor.rowcount == 1


def give_back(cursor: Cursor[Any], offer_id: int, quantity: int) -> None:
    """Frees `quantity` of an offer again, after its reservation was lowered in the same unit of work.

    Never more than the supplier still has: his list may have said less since it was set aside.
    """
    lock_offers(cursor, [offer_id])
    cursor.execute(
        f"UPDATE offer o SET free = greatest(o.free, least(o.free + %(n)s, {RESTATED})) WHERE o.id = %(id)s",  # noqa: S608 - our own constant
        {"id": offer_id, "n": quantity},
    )
