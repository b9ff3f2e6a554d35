"""What a shop should hold, as values: pure functions between catalogue rows, listings and the connector's drafts."""

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.base import ProductDraft, ShopListing, VariantDraft
from core.money import Money

CHOICE = "Artikel"
"""The option that tells variants apart where the supplier's own options do not."""


def wanted_product(row: Mapping[str, Any]) -> dict[str, Any]:
    """The page's content from a catalogue product."""
    return {
        "title": row["product_title"], "description": row["description"] or "", "brand": row["brand"],
        "category": [part.strip() for part in (row["category"] or "").split(" > ") if part.strip()],
        "images": row["product_images"], "kind": row["kind"],
    }  # fmt: skip


def wanted_variant(row: Mapping[str, Any], price: Money) -> dict[str, Any]:
    """The buyable thing from a catalogue variant, its best offer and its price. `stock` is what may be sold now."""
    return {
        "sku": row["sku"], "price": str(price.amount), "currency": price.currency, "stock": row["free"],
        "gtin": row["gtin"], "options": row["options"], "weight_g": row["weight_g"],
        "image": row["variant_images"][0] if row["variant_images"] else None,
    }  # fmt: skip


def distinct_options(variants: list[dict[str, Any]]) -> None:
    """Makes the options of one product's variants tell them apart, since a shop takes two alike for one.

    Every variant gets every option name; where that is still not enough, the SKU becomes an option of its own.
    """
    if len(variants) == 1:
        return
    names = list(dict.fromkeys(name for variant in variants for name in variant["options"]))
    for variant in variants:
        variant["options"] = {name: variant["options"].get(name) or "–" for name in names}
    shapes = {tuple(value.casefold() for value in variant["options"].values()) for variant in variants}
    if len(shapes) < len(variants) or not names:
        for variant in variants:
            variant["options"] = {**variant["options"], CHOICE: variant["sku"]}


def draft(
    product: Mapping[str, Any],
    external_id: str | None,
    image_ids: Mapping[str, str],
    key: str,
    variants: Iterable[Mapping[str, Any]],
) -> ProductDraft:
    """The connector's value from what is wanted; `variants` are {"key", "external_id", "wanted"}."""
    drafts = tuple(
        VariantDraft(
            key=row["key"], sku=row["wanted"]["sku"], price=Money.of(row["wanted"]["price"], row["wanted"]["currency"]),
            stock=row["wanted"]["stock"], external_id=row["external_id"], gtin=row["wanted"]["gtin"],
            options=tuple(row["wanted"]["options"].items()), image=row["wanted"]["image"], weight_g=row["wanted"]["weight_g"],
        )
        for row in variants
    )  # fmt: skip
    return ProductDraft(
        key=key, title=product["title"], variants=drafts, external_id=external_id, description=product["description"],
        brand=product["brand"], category=tuple(product["category"]), images=tuple(product["images"]),
        image_ids=dict(image_ids), kind=product["kind"],
    )  # fmt: skip


def seen(listing: ShopListing) -> dict[str, Any]:
    """What was read back, in the shape of what is wanted."""
    return {
        "status": listing.status, "sku": listing.sku, "title": listing.title, "stock": listing.stock,
        "price": str(listing.price.amount) if listing.price else None,
    }  # fmt: skip


def drift(title: str, sent: Mapping[str, Any], held: Mapping[str, Any]) -> list[list[Any]]:
    """Where the shop holds something else than we sent: [field, sent, held] for each difference, [] where it is true."""
    expected = {
        "status": "live",
        "sku": sent["sku"],
        "title": title,
        "price": sent["price"],
        "stock": sent["stock"],
    }
    return [[name, value, held[name]] for name, value in expected.items() if held[name] != value]
