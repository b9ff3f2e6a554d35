"""Staged runs, suppliers and shops for tests of the steps that come after reading."""

import json
from decimal import Decimal
from typing import Any

from core.database import Database
from models.companies import Company
from models.events import FeedStaged, ListingsDue
from models.shops import Selection, Shop
from models.suppliers import Feed, FeedRun
from pipelines.feeds.staging import COLUMNS
from tests.stepping import one

PLAIN: dict[str, Any] = {
    "content_hash": "", "locator": "row 2", "gtin": None, "gtin_verdict": "none", "mpn": None, "brand": "Norden",
    "title": "Lampe", "description": None, "category": "Licht > Tisch", "kind": "goods", "cost": "10.00", "price": None,
    "rrp": None, "currency": "EUR", "stock": 5, "availability": "in_stock", "lead_time_days": None, "weight_g": 500,
    "condition": None, "group_key": None, "group_title": None, "options": {}, "attributes": {}, "images": [],
    "details": None, "record_hash": None,
}  # fmt: skip


def supplier(db: Database, code: str, **policy: Any) -> int:
    """A supplier with one feed; the feed's id."""
    with db.unit_of_work() as uow:
        company = Company(kind="supplier", code=code, name=code.title())
        uow.session.add(company)
        uow.session.flush()
        feed = Feed(supplier_id=company.id, name=code.lower(), source={"kind": "upload"}, policy=policy)
        uow.session.add(feed)
        uow.session.flush()
        return feed.id


def stage(db: Database, feed_id: int, *offers: dict[str, Any]) -> int:
    """A staged run of these offers, and its event; the run's id."""
    with db.unit_of_work() as uow:
        feed = uow.session.get_one(Feed, feed_id)
        run = FeedRun(
            feed_id=feed_id,
            state="staged",
            file_name="f.csv",
            file_bytes=1,
            file_sha256="0" * 64,
            summary={},
            facts={"staged": len(offers), "settings": feed.settings},
        )
        uow.session.add(run)
        uow.session.flush()
        for place, offer in enumerate(offers, start=1):
            full = {**PLAIN, **offer}
            full["content_hash"] = json.dumps(full, sort_keys=True)
            values = [
                json.dumps(full[name]) if isinstance(full[name], dict | list) else full[name]
                for name in COLUMNS
            ]
            uow.cursor().execute(
                f"INSERT INTO staged_offer (run_id, place, {', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * (len(COLUMNS) + 2))})",
                [run.id, place, *values],
            )
        uow.emit(FeedStaged(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))
        return run.id


def shop_of(db: Database, currency: str = "EUR", margin: str = "50", **what: Any) -> int:
    """A seller's shop with one selection by supplier (or what is given)."""
    with db.unit_of_work() as uow:
        seller = Company(kind="seller", code=f"S{one(db, 'SELECT count(*) FROM company')}", name="Seller")
        uow.session.add(seller)
        uow.session.flush()
        shop = Shop(
            seller_id=seller.id,
            name="shop",
            channel="woocommerce",
            url="https://shop.example",
            credentials=b"",
            currency=currency,
            facts={},
        )
        uow.session.add(shop)
        uow.session.flush()
        by, chosen = next(iter(what.items()))
        uow.session.add(Selection(shop_id=shop.id, by=by, what=chosen, margin_percent=Decimal(margin)))
        uow.emit(ListingsDue(tenant=seller.id, lane=shop.lane, shop_id=shop.id))
        return shop.id
