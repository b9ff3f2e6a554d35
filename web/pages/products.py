"""Products: the catalogue, one product with its offers, split and join by hand, and one offer's lineage."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core.errors import there_is
from models.catalogue import Offer, Product, Variant
from pipelines.catalogue.by_hand import move, split
from pipelines.feeds.lineage import find_variant, lineage, offers_of, record_of
from web.deps import CheckedForm, Db, Session, go, page, settings_of
from web.queries.products import (
    MOST_VARIANTS,
    PRODUCT_COLUMNS,
    audit_of,
    category_of,
    listings_of,
    one_offer,
    product_rows,
    product_states,
    shown_of,
    variants_of,
)
from web.stories import story_of_offer
from web.tables import Ask

router = APIRouter()
OPERATOR = "the operator"


@router.get("/products")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """The catalogue."""
    ask = Ask(request, ("state", "q"), default="-id")
    with db.unit_of_work() as uow:
        rows, states = product_rows(uow.session, ask), product_states(uow.session)
        shown = shown_of(uow.session, [row["id"] for row in rows.rows])
    return page(
        request, "products.html", title="Products", ask=ask, rows=rows, states=states, shown=shown, columns=PRODUCT_COLUMNS,
    )  # fmt: skip


@router.get("/products/{product_id}")
def show(request: Request, db: Db, session: Session, product_id: int) -> Response:
    """One product: its variants, who offers each, why the best is the best, and where it is listed."""
    with db.unit_of_work() as uow:
        product = there_is(uow.session.get(Product, product_id), f"Product {product_id}")
        variants = variants_of(uow.session, product_id)
        offers = offers_of(uow.session, variants)
        listings = listings_of(uow.session, [variant.id for variant in variants])
        means = category_of(uow.session, product)
    return page(
        request, "product.html", title=product.title, product=product, variants=variants, most=MOST_VARIANTS, means=means, listings=listings,
        offers={variant.id: [row for row in offers if row["variant_id"] == variant.id] for variant in variants},
        suppliers=len({row["supplier_id"] for row in offers}), every=len(offers),
    )  # fmt: skip


@router.get("/offers/{offer_id}")
def show_offer(request: Request, db: Db, session: Session, offer_id: int) -> Response:
    """One offer, from where it is listed back to the run that brought it; the record itself follows a moment later."""
    return _offer(request, db, offer_id, read=False)


@router.get("/offers/{offer_id}/record")
def show_record(request: Request, db: Db, session: Session, offer_id: int) -> Response:
    """The same with the supplier's record, read from the archived file."""
    return _offer(request, db, offer_id, read=True)


@router.post("/offers/{offer_id}/split")
def split_off(request: Request, db: Db, session: CheckedForm, offer_id: int) -> Response:
    """Gives the offer a variant of its own."""
    with db.unit_of_work() as uow:
        moved = split(uow, offer_id, OPERATOR)
        product = uow.session.get_one(Variant, moved.after).product_id
    return go(f"/products/{product}", "split")


@router.post("/offers/{offer_id}/join")
def join(request: Request, db: Db, session: CheckedForm, offer_id: int, sku: Annotated[str, Form()] = "") -> Response:  # fmt: skip
    """Joins the offer to the variant with this SKU or GTIN."""
    with db.unit_of_work() as uow:
        variant = find_variant(uow.session, sku)
        move(uow, offer_id, variant.id, OPERATOR)
        product = variant.product_id
    return go(f"/products/{product}", "joined")


def _offer(request: Request, db: Db, offer_id: int, read: bool) -> Response:
    with db.unit_of_work() as uow:
        found = there_is(one_offer(uow.session, offer_id), f"Offer {offer_id}")
        offer: Offer = found["Offer"]
        told = lineage(uow.session, found["Variant"]) if found["Variant"] else None
        done = audit_of(uow.session, f"offer:{offer_id}")
    own = next((row for row in told["offers"] if row["id"] == offer_id), None) if told else None
    return page(
        request, "offer.html", title=offer.title, found=found, offer=offer, told=told, own=own, story=story_of_offer(offer, done),
        record=record_of(db, settings_of(request), offer_id) if read else None,
    )  # fmt: skip
