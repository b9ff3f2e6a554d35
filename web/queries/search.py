"""The search at the top: feeds, companies, shops, listings and products by their names and numbers."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models.catalogue import Variant
from models.companies import Company
from models.shops import Listing, Shop
from models.suppliers import Feed, FeedRun

LIMIT = 12


@dataclass(frozen=True, slots=True)
class Found:
    """One thing found: what it is called, what stands below, and where its page is."""

    words: str
    under: str
    address: str
    kind: str = ""
    state: str = ""


def search(session: Session, asked: str) -> dict[str, list[Found]]:
    """Up to LIMIT of each kind; an empty word finds nothing."""
    if not asked:
        return {}
    number = int(asked.removeprefix("#")) if asked.removeprefix("#").isdigit() and len(asked) < 10 else -1

    def like(*columns: Any) -> Any:
        return or_(*(column.icontains(asked, autoescape=True) for column in columns))

    feeds = session.execute(
        select(Feed.id, Feed.name, Company.name.label("supplier")).join(Company, Company.id == Feed.supplier_id)
        .where(or_(like(Feed.name, Company.name, Company.code), Feed.id == number)).order_by(Feed.name).limit(LIMIT)
    )  # fmt: skip
    runs = session.execute(
        select(FeedRun.id, FeedRun.file_name, FeedRun.state).where(or_(FeedRun.id == number, FeedRun.file_name.icontains(asked, autoescape=True), FeedRun.file_sha256 == asked.lower()))
        .order_by(FeedRun.id.desc()).limit(LIMIT)
    )  # fmt: skip
    shops = session.execute(
        select(Shop.id, Shop.name, Company.name.label("seller")).join(Company, Company.id == Shop.seller_id)
        .where(like(Shop.name, Shop.url, Company.name)).order_by(Shop.name).limit(LIMIT)
    )  # fmt: skip
    listings = session.execute(
        select(Listing.id, Listing.shop_id, Listing.state, Variant.sku, Variant.title, Shop.name.label("shop"))
        .join(Variant, Variant.id == Listing.variant_id).join(Shop, Shop.id == Listing.shop_id)
        .where(or_(like(Variant.sku, Variant.title), Variant.gtin == asked, Listing.external_id == asked)).order_by(Variant.sku).limit(LIMIT)
    )  # fmt: skip
    products = session.execute(
        select(Variant.product_id, func.min(Variant.sku).label("sku"), func.min(Variant.title).label("title"))
        .where(or_(like(Variant.sku, Variant.title), Variant.gtin == asked)).group_by(Variant.product_id).order_by(func.min(Variant.title)).limit(LIMIT)
    )  # fmt: skip
    found = {
        "Feeds": [Found(row.name, row.supplier, f"/feeds/{row.id}") for row in feeds],
        "Runs": [Found(f"Run {row.id}", row.file_name, f"/runs/{row.id}", "run", row.state) for row in runs],
        "Shops": [Found(row.name, row.seller, f"/shops/{row.id}") for row in shops],
        "Products": [Found(row.title, row.sku, f"/products/{row.product_id}") for row in products],
        "Listings": [
            Found(
                row.title,
                f"{row.sku} in {row.shop}",
                f"/shops/{row.shop_id}/listings/{row.id}",
                "listing",
                row.state,
            )
            for row in listings
        ],
    }
    return {kind: rows for kind, rows in found.items() if rows}
