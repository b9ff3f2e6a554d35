"""Why a listing costs what it costs, as sentences with their numbers, from what was stored when it was decided."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.catalogue import Variant
from models.shops import Listing
from pipelines.listings.pricing.explained import told
from web.queries.shops import offer_behind


def why_price(session: Session, shop_id: int, sku: str) -> dict[str, Any] | None:
    """The price of a SKU in a shop with its `sentences`, or None where it is not listed there.

    `cost` and `margin_percent` are those the stored price was made of; `offer` and `selection` say whose they are.
    """
    found = session.execute(
        select(Listing, Variant)
        .join(Variant, Variant.id == Listing.variant_id)
        .where(Listing.shop_id == shop_id, func.lower(Variant.sku) == sku.lower())
    ).one_or_none()
    if found is None:
        return None
    listing, variant = found
    wanted, why = listing.wanted or listing.sent or {}, listing.why
    offer = offer_behind(session, why.get("offer"))
    price, currency = wanted.get("price"), wanted.get("currency", why.get("currency"))
    sentences = []
    if why.get("cost") is not None and offer is not None:
        sentences.append(
            f"{offer['supplier']} asks {why['cost']} {why['currency']} ({offer['locator']} of {offer['file_name']})."
        )
    if steps := told(why, str(currency)):
        sentences += steps
    elif why.get("margin_percent") is not None:
        sentences.append(f"The seller's selection {why['selection']} puts {why['margin_percent']} % on it.")
        if price is not None:
            sentences.append(f"Rounded half-up once, the price is {price} {currency}.")
    if listing.problem:
        sentences.append(listing.problem)
    return {
        "shop": shop_id,
        "listing": listing.id,
        "sku": variant.sku,
        "state": listing.state,
        "price": price,
        "currency": currency,
        "cost": why.get("cost"),
        "margin_percent": why.get("margin_percent"),
        "rule": why.get("rule"),
        "offer": why.get("offer"),
        "selection": why.get("selection"),
        "supplier": offer["supplier"] if offer else None,
        "sentences": sentences or ["Nothing is known of its price yet."],
    }
