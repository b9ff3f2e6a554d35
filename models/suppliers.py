"""Suppliers' feeds, their runs, and the staging table a run is planned from."""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
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
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.errors import Refused
from core.tables import Base
from models.companies import number_in


class Feed(Base):
    """One configured list of a supplier: source + mapping document + schedule.

    `source` is {"kind": "folder", "path": …} or {"kind": "upload"}. `document` is the pinned mapping document
    (None until the first run detected it). `policy` holds what absence means, the guard rails, the cost rule
    and the assumed stock; see pipelines/feeds/plan.py.
    """

    __tablename__ = "feed"
    __table_args__ = (UniqueConstraint("supplier_id", "name"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    name: Mapped[str] = mapped_column(String(100))
    source: Mapped[dict[str, Any]] = mapped_column(JSONB)
    profile: Mapped[str | None] = mapped_column(String(40))
    currency: Mapped[str | None] = mapped_column(String(3))
    policy: Mapped[dict[str, Any]] = mapped_column(JSONB)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    mapping_version: Mapped[int | None]
    """The FeedMapping that `document` is; None before anything was pinned."""
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What opens the source (password, key, token), sealed by core.vault."""
    source_state: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """What the source must remember between two looks: {"etag", "last_modified", "problem", "looked_at"}."""
    cron: Mapped[str] = mapped_column(String(100), server_default="* * * * *")
    applied_fingerprint: Mapped[str | None] = mapped_column(String(64))
    """Hash of the file and the rules that the offers show now: the same again ends at landing."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def lane(self) -> str:
        """Whose turn it is in a queue."""
        return f"feed:{self.id}"

    @property
    def settings(self) -> dict[str, Any]:
        """What its owner told about it: how its files are read depends on it."""
        return {"profile": self.profile, "currency": self.currency, "policy": self.policy}

    def fingerprint(self, file_sha256: str) -> str:
        """One hash over the file and everything that decides what it means: same fingerprint, same offers."""
        rules = [file_sha256, self.settings, self.document]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()


class FeedMapping(Base):
    """One version of a feed's mapping document. Versions are only added: a run names the one it was read with."""

    __tablename__ = "feed_mapping"

    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    author: Mapped[str] = mapped_column(String(100))
    """Who made it: a person's name, or "hub" where it was proposed and pinned by the first run."""
    note: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


RUN_STATES = (
    "landed", "staged", "waiting", "approved", "applied", "refused", "unchanged", "superseded", "undone",
)  # fmt: skip


class FeedRun(Base):
    """One attempt to take a feed in: the file's hash, every count, and the report's key figures.

    States: landed → staged → (waiting → approved) → applied; or refused (the file cannot be used),
    unchanged (the same file again), superseded (a later file of the feed was applied first); applied → undone.
    """

    __tablename__ = "feed_run"
    __table_args__ = (
        CheckConstraint("state IN ('" + "', '".join(RUN_STATES) + "')", name="state"),
        Index("ix_feed_run_feed", "feed_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"))
    state: Mapped[str] = mapped_column(String(16))
    file_name: Mapped[str] = mapped_column(String(255))
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    file_sha256: Mapped[str] = mapped_column(String(64))
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    mapping_version: Mapped[int | None]
    """The FeedMapping it was read with; None for a first run, whose mapping is pinned when it is applied."""
    replay_of: Mapped[int | None] = mapped_column(ForeignKey("feed_run.id"))
    """The run whose archived file this one reads again, with another mapping."""
    mends: Mapped[int | None] = mapped_column(ForeignKey("feed_run.id"))
    """The run whose rejects this file brings again, mended: it only adds to what that run offered."""
    as_of: Mapped[datetime] = mapped_column(server_default=func.now())
    """The moment its figures are true for: from the file, from its header, else when it landed."""
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """{"file": …, "profile", "mapping", "drift"} as `feed try` prints them; "staged": how many offers; "settings": the feed's at reading."""
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """{"records", "products", "variants", "accepted", "rejected", "quarantined", "reasons", "notes"}"""
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """{"new", "changed", "unchanged", "gone", "fields": {…}, "examples": […], "asks": […], "limits": […]}"""
    problem: Mapped[str | None] = mapped_column(Text)
    records_done: Mapped[int] = mapped_column(server_default="0")
    taken: Mapped[int | None]
    """How many of its staged offers the catalogue has taken; None before it began."""
    landed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    staged_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]


class StagedOffer(Base):
    """What one run found, as COPY wrote it: unlogged, since the archived file can always make it again."""

    __tablename__ = "staged_offer"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its number among the staged offers, from 1 without a gap: the catalogue keeps the supplier's order."""
    supplier_sku: Mapped[str] = mapped_column(Text)
    """Once in a run: reading sees to it."""
    content_hash: Mapped[str] = mapped_column(Text)
    locator: Mapped[str] = mapped_column(Text)
    gtin: Mapped[str | None] = mapped_column(Text)
    gtin_verdict: Mapped[str] = mapped_column(Text)
    mpn: Mapped[str | None] = mapped_column(Text)
    brand: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    """None only where the file speaks of stock or prices alone."""
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    cost: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    price: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    rrp: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    currency: Mapped[str | None] = mapped_column(String(3))
    stock: Mapped[int | None] = mapped_column(Integer)
    availability: Mapped[str | None] = mapped_column(Text)
    lead_time_days: Mapped[int | None] = mapped_column(Integer)
    weight_g: Mapped[int | None] = mapped_column(Integer)
    condition: Mapped[str | None] = mapped_column(Text)
    group_key: Mapped[str | None] = mapped_column(Text)
    group_title: Mapped[str | None] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    images: Mapped[list[str]] = mapped_column(JSONB)
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """What few records have, see models.catalogue.Offer.details."""
    record_hash: Mapped[int | None] = mapped_column(BigInteger)
    """Of the raw record, see models.catalogue.Offer.record_hash."""


class StagedUnseen(Base):
    """A record of the run that is applied which the new file does not have any more, by its `record_hash`."""

    __tablename__ = "staged_unseen"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    record_hash: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class StagedShared(Base):
    """An identifier of a run's new offers that its supplier uses for several of his numbers: it identifies nothing."""

    __tablename__ = "staged_shared"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(Text, primary_key=True)


class StagedGone(Base):
    """An offer that a run's file does not have any more; `place` counts on behind the staged offers."""

    __tablename__ = "staged_gone"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    offer_id: Mapped[int] = mapped_column(Integer)


class Reject(Base):
    """A source record refused (or quarantined) in one run: the rules, one sentence of advice, and the raw record."""

    __tablename__ = "reject"

    run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The record's number in the file, from 1."""
    locator: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(String(12))
    reasons: Mapped[list[str]] = mapped_column(JSONB)
    supplier_sku: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    raw: Mapped[dict[str, Any]] = mapped_column(JSONB)


class OfferChange(Base):
    """What one run did to one offer: kind "changed" or "gone", and each field from → to.

    What was new in a run is told by the offers themselves (Offer.first_run_id).
    """

    __tablename__ = "offer_change"

    run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id", ondelete="CASCADE"), primary_key=True)
    supplier_sku: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    fields: Mapped[dict[str, Any]] = mapped_column(JSONB)
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """What else an undo puts back: the offer's run, place, hashes and state."""


def find_feed(session: Session, name: str) -> Feed:
    """The feed with this id, or the only one with this name. Raises Refused where it is not to be found."""
    if (number := number_in(name)) is not None:
        found = session.get(Feed, number)
    else:
        matches = session.query(Feed).filter(Feed.name == name).limit(2).all()
        if len(matches) > 1:
            raise Refused(
                f"Several suppliers have a feed {name!r}: name it by its number, `entrepot feed list` shows it.",
                rule="not_found",
            )
        found = matches[0] if matches else None
    if found is None:
        raise Refused(
            f"There is no feed {name!r}. `entrepot feed list` shows those there are.", rule="not_found"
        )
    return found
