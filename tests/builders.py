"""Builders of stored things for tests: each adds rows with sensible values and gives them back."""

import hashlib
import itertools
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import null
from sqlalchemy.orm import Session

from core.clock import now
from core.tables import DeadLetter, Message, StepRun
from models.catalogue import Offer, Product, Variant
from models.companies import Company
from models.shops import Listing, Push, Selection, Shop, ShopProduct
from models.suppliers import Feed, FeedRun, OfferChange, Reject

_numbers = itertools.count(1)


def unique() -> int:
    """A number that this process has not used yet."""
    return next(_numbers)


def company(
    session: Session, kind: str = "supplier", name: str | None = None, code: str | None = None
) -> Company:
    """A supplier or seller."""
    number = unique()
    return _added(
        session,
        Company(
            kind=kind, code=code or f"{kind[:2].upper()}{number}", name=name or f"{kind.title()} {number}"
        ),
    )


def feed(session: Session, supplier: Company | None = None, name: str = "Main list", **values: Any) -> Feed:
    """A feed that takes uploads, in euros."""
    owner = supplier or company(session)
    return _added(
        session,
        Feed(
            **{
                "supplier_id": owner.id,
                "name": name,
                "source": {"kind": "upload"},
                "policy": {},
                "currency": "EUR",
                **values,
            }
        ),
    )


def run(session: Session, of: Feed, state: str = "applied", records: int = 100, **values: Any) -> FeedRun:
    """A run in any state, with the facts, summary and plan that such a run has."""
    rejected, quarantined = values.pop("rejected", 0), values.pop("quarantined", 0)
    reasons = values.pop("reasons", {"missing_price": rejected, "duplicate_conflict": quarantined})
    planned = {
        "new": 0, "changed": 0, "gone": 0, "offered": records, "sellable": records, "to_zero": 0, "price_changes": 0,
        "without_cost": 0, "without_currency": 0, "fields": {}, "examples": [], "limits": [], "asks": [], **values.pop("plan", {}),
    }  # fmt: skip
    accepted = records - rejected - quarantined
    planned.setdefault("unchanged", max(accepted - planned["new"] - planned["changed"], 0))
    planned.setdefault("staged", accepted)
    moment: datetime = values.get("landed_at", now())
    name = values.pop("file_name", "list.csv")
    sha256 = values.pop("file_sha256", hashlib.sha256(f"{name}{unique()}".encode()).hexdigest())
    size = values.pop("file_bytes", records * 180)
    read, answered = (
        state not in ("landed", "refused", "unchanged"),
        state in ("waiting", "approved", "applied", "superseded"),
    )
    facts = {
        "file": {"bytes": size, "sha256": sha256, "encoding": "cp1252", "format": "csv", "delimiter": ";"}, "profile": "generic",
        "mapping": {
            "supplier_sku": {"from": "Artikelnummer", "confidence": 0.97}, "title": {"from": "Bezeichnung", "confidence": 0.93},
            "cost": {"from": "EK netto", "confidence": 0.9}, "stock": {"from": "Bestand", "confidence": 0.88},
            "gtin": {"from": "EAN", "confidence": 1.0}, "brand": {"from": "Hersteller", "confidence": 0.55},
        },
        "drift": [],
    }  # fmt: skip
    summary = {
        "records": records, "products": accepted, "variants": accepted, "accepted": accepted, "rejected": rejected,
        "quarantined": quarantined, "reasons": {rule: count for rule, count in reasons.items() if count}, "notes": {},
    }  # fmt: skip
    return _added(
        session,
        FeedRun(
            **{
                "feed_id": of.id, "state": state, "file_name": name, "file_bytes": size, "file_sha256": sha256,
                "facts": facts if read else None, "summary": summary if read else None, "plan": planned if answered else None,
                "document": {"version": 1} if read else None, "records_done": records if read else 0, "landed_at": moment,
                "staged_at": moment + timedelta(seconds=4) if read else None,
                "applied_at": moment + timedelta(seconds=6) if state == "applied" else None, **values,
            }
        ),
    )  # fmt: skip


def reject(session: Session, of: FeedRun, place: int, **values: Any) -> Reject:
    """A record of a run that was not accepted."""
    return _added(
        session,
        Reject(
            **{
                "run_id": of.id, "place": place, "locator": f"row {place + 1}", "verdict": "rejected", "reasons": ["missing_price"],
                "supplier_sku": f"A-{place:04}", "message": "The record has no price: give one in the column EK netto.",
                "raw": {"Artikelnummer": f"A-{place:04}", "Bezeichnung": "Lampe", "EK netto": ""}, **values,
            }
        ),
    )  # fmt: skip


def change(
    session: Session, of: FeedRun, supplier_sku: str, kind: str = "changed", **fields: list[Any]
) -> OfferChange:
    """What a run did to one offer: change(session, run, "A-1", cost=["10.00", "12.50"])."""
    return _added(session, OfferChange(run_id=of.id, supplier_sku=supplier_sku, kind=kind, fields=fields))


def offer(session: Session, of: FeedRun, **values: Any) -> Offer:
    """An offer of the run's feed with its variant and product, which it speaks for."""
    number = unique()
    owner = session.get_one(Feed, of.feed_id)
    if values.get("cost") is not None:
        values["cost"] = Decimal(values["cost"])
    facts: dict[str, Any] = {
        "supplier_id": owner.supplier_id, "feed_id": of.feed_id, "feed_run_id": of.id, "supplier_sku": f"A-{number:04}", "free": 10,
        "stock": 10, "content_hash": str(number), "locator": f"row {number}", "gtin": None, "gtin_verdict": "none",
        "title": f"Lampe {number}", "brand": "Norden", "category": "Licht > Lampen", "kind": "goods", "cost": Decimal("10"),
        "currency": "EUR", "options": {}, "attributes": {}, "images": [], "match_reason": "supplier_sku", **values,
    }  # fmt: skip
    code = session.get_one(Company, owner.supplier_id).code
    product = _added(
        session,
        Product(
            key=f"product:{number}",
            title=facts["title"],
            brand=facts["brand"],
            category=facts["category"],
            kind=facts["kind"],
            images=[],
        ),
    )
    variant = _added(
        session,
        Variant(
            product_id=product.id, key=f"variant:{number}", sku=f"{code}-{facts['supplier_sku']}", gtin=facts["gtin"],
            title=facts["title"], options=facts["options"], images=[],
        ),
    )  # fmt: skip
    made = _added(session, Offer(variant_id=variant.id, **facts))
    variant.best_offer_id = made.id
    session.flush()
    return made


def shop(session: Session, seller: Company | None = None, name: str | None = None, **values: Any) -> Shop:
    """A connected WooCommerce shop that sells in euros; live unless `live_since` says None."""
    owner = seller or company(session, "seller")
    facts = {
        "name": "Shop",
        "version": "10.3.5",
        "currency": "EUR",
        "prices_include_tax": True,
        "weight_unit": "kg",
        "timezone": "UTC",
        "warnings": [],
    }
    return _added(
        session,
        Shop(
            **{
                "seller_id": owner.id, "name": name or f"shop-{unique()}", "channel": "woocommerce", "url": "https://shop.example",
                "credentials": b"sealed", "currency": "EUR", "facts": facts, "live_since": now(), "checked_at": now(), **values,
            }
        ),
    )  # fmt: skip


def selection(session: Session, of: Shop, supplier: Company, margin: str = "35") -> Selection:
    """All that a supplier offers."""
    return _added(
        session,
        Selection(
            shop_id=of.id, by="supplier", what={"supplier": supplier.id}, margin_percent=Decimal(margin)
        ),
    )


def listing(
    session: Session,
    of: Shop,
    shown: Offer,
    state: str = "live",
    seen: dict[str, Any] | None = None,
    **values: Any,
) -> Listing:
    """A listing of an offer's variant in any state; `seen` replaces what was read back (it makes drift)."""
    variant = session.get_one(Variant, shown.variant_id)
    there = state in ("sent", "live", "drifted", "withdrawn")
    price = (
        str((shown.cost * Decimal("1.35")).quantize(Decimal("0.01"), ROUND_HALF_UP))
        if shown.cost
        else "13.50"
    )
    wanted = {
        "sku": variant.sku, "price": price, "currency": of.currency, "stock": shown.free, "gtin": variant.gtin, "options": {},
        "weight_g": None, "image": None,
    }  # fmt: skip
    page = {
        "title": variant.title,
        "description": "",
        "brand": shown.brand,
        "category": [],
        "images": [],
        "kind": shown.kind,
    }
    if session.get(ShopProduct, (of.id, variant.product_id)) is None:
        _added(
            session,
            ShopProduct(
                shop_id=of.id,
                product_id=variant.product_id,
                wanted=page,
                sent=page if there else None,
                external_id=str(unique()) if there else None,
            ),
        )
    held = {
        "status": "live",
        "sku": variant.sku,
        "title": variant.title,
        "price": price,
        "stock": shown.free,
        **(seen or {}),
    }
    return _added(
        session,
        Listing(
            **{
                "shop_id": of.id, "product_id": variant.product_id, "variant_id": variant.id, "state": state,
                "wanted": None if state in ("withdrawn", "blocked") else wanted, "sent": wanted if there and state != "withdrawn" else None,
                "seen": held if state in ("live", "drifted") else None, "external_id": str(unique()) if there else None,
                "why": {"cost": str(shown.cost), "currency": "EUR", "margin_percent": "35.00", "selection": None, "offer": shown.id},
                "sent_at": now() if there else None, "seen_at": now() if state in ("live", "drifted") else None, **values,
            }
        ),
    )  # fmt: skip


def push(session: Session, of: Shop, state: str = "done", **values: Any) -> Push:
    """A push of a shop; `plan` and `outcome` fill up what is given."""
    plan = {"create": 0, "update": 0, "stock": 0, "withdraw": 0, "limits": [], **values.pop("plan", {})}
    outcome = (
        {"sent": 0, "refused": 0, "withdrawn": 0, "problem": None, **values.pop("outcome", {})}
        if state == "done"
        else {}
    )
    moment = values.pop("started_at", now())
    ended = moment + timedelta(seconds=9) if state == "done" else None
    return _added(
        session,
        Push(
            **{
                "shop_id": of.id,
                "state": state,
                "plan": plan,
                "outcome": outcome,
                "asked_by": "hub",
                "started_at": moment,
                "ended_at": ended,
                **values,
            }
        ),
    )


def message(session: Session, lane: str = "feed:1", queue: str = "feeds", **values: Any) -> Message:
    """A message in its queue, waiting unless `state` says otherwise."""
    return _added(
        session,
        Message(
            **{
                "tenant": 1,
                "lane": lane,
                "queue": queue,
                "step": "feeds.read.read",
                "event": "FileLanded",
                "payload": {"run_id": 1},
                **values,
            }
        ),
    )


def dead_letter(session: Session, lane: str = "shop:1", **values: Any) -> DeadLetter:
    """A message given up."""
    number = unique()
    return _added(
        session,
        DeadLetter(
            **{
                "message_id": 10_000 + number, "tenant": 1, "lane": lane, "queue": "shops", "step": "listings.push.push", "event": "PushDue",
                "payload": {"shop_id": 1, "push_id": 1}, "attempts": 1,
                "error": "Misconfigured: The shop refuses the key (401): make a new one with read and write rights.",
                "traceback": 'Traceback (most recent call last):\n  File "pipelines/listings/push.py", line 52, in push\ncore.errors.Misconfigured: …',
                "created_at": now() - timedelta(minutes=12), **values,
            }
        ),
    )  # fmt: skip


def step_minute(
    session: Session, step: str, minutes_ago: int, count: int, failed: int = 0, mean_ms: int = 40
) -> StepRun:
    """How a step fared in one minute."""
    minute = now().replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    return _added(
        session,
        StepRun(
            minute=minute, step=step, count=count, failed=failed, total_ms=mean_ms * count, max_ms=mean_ms * 4
        ),
    )


def _added(session: Session, made: Any) -> Any:
    empty = [name for name, value in vars(made).items() if value is None]
    for name in empty:
        setattr(made, name, null())  # SQL's NULL, not the JSON value null
    session.add(made)
    session.flush()
    if empty:
        session.expire(made, empty)
    return made
