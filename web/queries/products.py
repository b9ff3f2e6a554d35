"""What the Products pages show: products, their variants with offers and listings, and one offer's story."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, func, or_, select
from sqlalchemy.orm import Session

from core.tables import AuditRecord
from models.catalogue import Offer, Product, Variant
from models.companies import Company
from models.shops import Listing, Shop
from models.taxonomy import TaxonomyCategory
from web.tables import ROWS, Ask, Column, Rows, paged

PRODUCT_COLUMNS = {"id": Column(Product.id, "-")}
MOST_VARIANTS = 100
"""Of one product on its page."""
WITHOUT = Product.taxonomy_id.is_(None)


def product_rows(session: Session, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of products: by words of the title, by SKU or GTIN; without a category where asked."""
    statement = select(
        Product.id, Product.title, Product.brand, Product.category, Product.kind, TaxonomyCategory.path.label("means")
    ).outerjoin(TaxonomyCategory, TaxonomyCategory.id == Product.taxonomy_id)  # fmt: skip
    if ask["state"] == "uncategorised":
        statement = statement.where(WITHOUT)
    if ask["q"]:
        numbered = select(Variant.product_id).where(
            or_(func.lower(Variant.sku) == ask["q"].lower(), Variant.gtin == ask["q"])
        )
        statement = statement.where(or_(Product.title.icontains(ask["q"], autoescape=True), Product.id.in_(numbered)))  # fmt: skip
    return paged(session, statement, PRODUCT_COLUMNS, Product.id, ask, limit)


def product_states(session: Session) -> dict[str, int]:
    """How many products there are, and how many of them have no category of the taxonomy."""
    whole, without = session.execute(
        select(func.count(), func.count().filter(WITHOUT)).select_from(Product)
    ).one()
    return {"": int(whole), "uncategorised": int(without)}


def shown_of(session: Session, products: Sequence[int]) -> dict[int, dict[str, int]]:
    """product -> {"variants", "offers", "suppliers", "free"} of those on a page."""
    rows = session.execute(
        select(
            Variant.product_id, func.count(func.distinct(Variant.id)).label("variants"), func.count(Offer.id).label("offers"),
            func.count(func.distinct(Offer.supplier_id)).label("suppliers"), func.coalesce(func.sum(Offer.free), 0, type_=Integer).label("free"),
        )
        .outerjoin(Offer, (Offer.variant_id == Variant.id) & (Offer.state == "offered"))
        .where(Variant.product_id.in_(products)).group_by(Variant.product_id)
    )  # fmt: skip
    return {row.product_id: dict(row._mapping) for row in rows}


def variants_of(session: Session, product_id: int) -> list[Variant]:
    """A product's variants, the oldest first, MOST_VARIANTS at most."""
    query = select(Variant).where(Variant.product_id == product_id).order_by(Variant.id).limit(MOST_VARIANTS)
    return list(session.scalars(query))


def listings_of(session: Session, variants: Sequence[int]) -> dict[int, list[Any]]:
    """variant -> its listings in shops."""
    found: dict[int, list[Any]] = {}
    rows = session.execute(
        select(Listing.id, Listing.variant_id, Listing.shop_id, Shop.name.label("shop"), Listing.state, Listing.wanted["price"].astext.label("price"), Listing.wanted["currency"].astext.label("currency"))
        .join(Shop, Shop.id == Listing.shop_id).where(Listing.variant_id.in_(variants)).order_by(Listing.id)
    ).mappings()  # fmt: skip
    for row in rows:
        found.setdefault(row["variant_id"], []).append(row)
    return found


def one_offer(session: Session, offer_id: int) -> Any:
    """An offer with its supplier, variant and product, or None."""
    return session.execute(
        select(Offer, Company.name.label("supplier"), Variant, Product)
        .join(Company, Company.id == Offer.supplier_id).outerjoin(Variant, Variant.id == Offer.variant_id)
        .outerjoin(Product, Product.id == Variant.product_id).where(Offer.id == offer_id)
    ).mappings().one_or_none()  # fmt: skip


def category_of(session: Session, product: Product) -> str | None:
    """What its category is in the taxonomy."""
    found = session.get(TaxonomyCategory, product.taxonomy_id) if product.taxonomy_id is not None else None
    return found.path if found else None


def audit_of(session: Session, subject: str, limit: int = 20) -> list[AuditRecord]:
    """What people did to it, the newest first."""
    query = select(AuditRecord).where(AuditRecord.subject == subject).order_by(AuditRecord.id.desc())
    return list(session.scalars(query.limit(limit)))
