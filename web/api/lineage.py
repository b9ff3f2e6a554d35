"""/api/v1: why a variant is what it is, back to the supplier's record; and offers given another variant by hand."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from pipelines.catalogue.by_hand import move, split
from pipelines.feeds.lineage import find_variant, lineage, record_of
from web.deps import Db, settings_of

router = APIRouter(tags=["Catalogue"])
API = "the API"


class VariantFacts(BaseModel):
    """`key` says by what it was identified first."""

    id: int
    sku: str
    gtin: str | None
    title: str
    key: str
    options: dict[str, Any]


class ProductFacts(BaseModel):
    """`taxonomy_id` is Google's number of its category, null while nobody knows."""

    id: int
    title: str
    category: str | None
    taxonomy_id: int | None


class ListingFacts(BaseModel):
    """What a shop should show; `offer_id` is the offer that made the price."""

    id: int
    shop_id: int
    shop: str
    state: str
    price: str | None
    currency: str | None
    offer_id: int | None


class OfferFacts(BaseModel):
    """An offer of the variant: `why` it speaks for it or does not, and why it belongs to it (`match`)."""

    id: int
    supplier_id: int
    supplier: str
    feed_id: int
    feed: str
    supplier_sku: str
    state: str
    best: bool
    why: str
    match_reason: str | None
    match: str
    cost: Decimal | None
    currency: str | None
    stock: int | None
    free: int
    run: int
    file: str
    mapping_version: int | None
    locator: str
    changed_at: datetime


class Lineage(BaseModel):
    """A variant, where it is listed, and its offers, the best first."""

    variant: VariantFacts
    product: ProductFacts
    listings: list[ListingFacts]
    offers: list[OfferFacts]


class FieldFacts(BaseModel):
    """A field of the mapping: the supplier's columns, what stood there, and what the hub made of it."""

    field: str
    columns: list[str]
    raw: dict[str, str]
    value: Any


class RecordFacts(BaseModel):
    """The record behind an offer as it was received; `raw` is null where it cannot be read, and `problem` says why."""

    offer: int
    run: int
    file: str
    sha256: str
    locator: str
    mapping_version: int | None
    fields: list[FieldFacts]
    raw: dict[str, str] | None
    problem: str | None


class Wanted(BaseModel):
    """The variant that the offer is to belong to; null: one of its own."""

    model_config = ConfigDict(extra="forbid")
    variant_id: int | None = Field(ge=1, le=2**31 - 1)


class MovedView(BaseModel):
    """The offer's variant before and after."""

    offer_id: int
    before: int | None
    after: int


@router.get("/variants/{asked:path}/lineage")
def get_lineage(db: Db, asked: Annotated[str, Path(description="A SKU, a GTIN, or a supplier's own number.")]) -> Lineage:  # fmt: skip
    """From what shops list back to the runs and files it came from; `/offers/{offer_id}/record` goes on to the record."""
    with db.unit_of_work() as uow:
        return Lineage.model_validate(lineage(uow.session, find_variant(uow.session, asked)))


@router.get("/offers/{offer_id}/record")
def get_record(request: Request, db: Db, offer_id: int) -> RecordFacts:
    """The supplier's record behind an offer, read from the archived file: takes as long as reading up to it."""
    return RecordFacts.model_validate(record_of(db, settings_of(request), offer_id))


@router.put("/offers/{offer_id}/variant", status_code=202)
def put_variant(db: Db, offer_id: int, body: Wanted) -> MovedView:
    """Gives an offer another variant by hand, or one of its own. No later run undoes it; shops follow by themselves."""
    with db.unit_of_work() as uow:
        if body.variant_id is None:
            moved = split(uow, offer_id, API)
        else:
            moved = move(uow, offer_id, body.variant_id, API)
    return MovedView.model_validate(moved, from_attributes=True)
