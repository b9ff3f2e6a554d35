"""/api/v1: the central catalogue."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import select

from models.catalogue import Offer, Product, Variant
from web.api.keys import After, Limit, Page
from web.deps import Db
from web.tables import Ask, Column, paged

router = APIRouter(tags=["Catalogue"])
COLUMNS = {"id": Column(Product.id)}


class VariantView(BaseModel):
    """The buyable form of a product. `cost` is what its best offer asks, in major units; `free` what may be sold now."""

    id: int
    sku: str
    gtin: str | None
    title: str
    options: dict[str, Any]
    supplier_id: int | None
    cost: str | None
    currency: str | None
    free: int


class ProductView(BaseModel):
    """A product with its variants."""

    id: int
    title: str
    description: str | None
    brand: str | None
    category: str | None
    kind: str
    images: list[str]
    variants: list[VariantView]


class Products(Page):
    """A page of products."""

    products: list[ProductView]


@router.get("/products")
def list_products(
    request: Request,
    db: Db,
    q: str | None = None,
    category: str | None = None,
    brand: str | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Products:
    """The catalogue: by words of the title, by category and all below it, by brand."""
    ask = Ask(request, ("q", "category", "brand"), default="id")
    statement = select(
        Product.id,
        Product.title,
        Product.description,
        Product.brand,
        Product.category,
        Product.kind,
        Product.images,
    )
    if ask["q"]:
        statement = statement.where(Product.title.icontains(ask["q"], autoescape=True))
    if ask["category"]:
        statement = statement.where(
            (Product.category == ask["category"])
            | Product.category.startswith(ask["category"] + " > ", autoescape=True)
        )
    if ask["brand"]:
        statement = statement.where(Product.brand == ask["brand"])
    with db.unit_of_work() as uow:
        rows = paged(uow.session, statement, COLUMNS, Product.id, ask, limit)
        variants = uow.session.execute(
            select(
                Variant.product_id, Variant.id, Variant.sku, Variant.gtin, Variant.title, Variant.options, Offer.supplier_id, Offer.cost,
                Offer.currency, Offer.free,
            )
            .outerjoin(Offer, Offer.id == Variant.best_offer_id)
            .where(Variant.product_id.in_([row["id"] for row in rows.rows])).order_by(Variant.id)
        ).mappings().all()  # fmt: skip
    of: dict[int, list[VariantView]] = {}
    for variant in variants:
        facts = {
            **variant,
            "cost": f"{variant['cost'].normalize():f}" if variant["cost"] is not None else None,
            "free": variant["free"] or 0,
        }
        of.setdefault(variant["product_id"], []).append(VariantView(**facts))
    return Products(
        products=[ProductView(**dict(row), variants=of.get(row["id"], [])) for row in rows.rows],
        after=rows.after,
    )
