"""What a shop should hold, as values: pure functions between catalogue rows, listings and the connector's drafts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.base import ProductDraft, ShopListing, VariantDraft
from core.money import Money
from pipelines.listings.markup import as_markup, clean_markup
from pipelines.listings.pricing.price import written
from pipelines.listings.settings import ShopSettings
from pipelines.listings.templates import NAMES, filled, filled_markup, slug

MOST_OPTIONS = 3
"""What Shopify takes of a product; WooCommerce takes more."""
CHOICE = "Artikel"
"""The option that tells variants apart where the supplier's own options do not."""


def wanted_product(row: Mapping[str, Any], settings: ShopSettings | None = None) -> dict[str, Any]:
    """The page's content from a catalogue product, in the shop's own texts. `row` is that of its first variant."""
    settings = settings or ShopSettings()
    page: dict[str, Any] = {
        "title": row["product_title"], "description": row["description"] or "", "brand": row["brand"],
        "category": shop_category(row["category"], settings), "images": row["product_images"], "kind": row["kind"],
    }  # fmt: skip
    if not settings.writes:
        return page
    values = {name: row.get(name) for name in NAMES}
    values |= {"title": page["title"], "description": as_markup(page["description"])}
    if settings.title_template:
        page["title"] = filled(settings.title_template, values) or page["title"]
    if settings.description_template:
        page["description"] = clean_markup(filled_markup(settings.description_template, values))
    if settings.handle_template and (handle := slug(filled(settings.handle_template, values))):
        page["handle"] = handle
    if tags := list(dict.fromkeys(tag for one in settings.tags if (tag := filled(one, values)))):
        page["tags"] = tags
    return page


def shop_category(path: str | None, settings: ShopSettings) -> list[str]:
    """A supplier's category in the shop's own words: of the longest head that the shop names, else its default."""
    parts = [part.strip() for part in (path or "").split(" > ") if part.strip()]
    for length in range(len(parts), 0, -1):
        if found := settings.categories.get(" > ".join(parts[:length])):
            return found.split(" > ")
    return settings.category_default.split(" > ") if settings.category_default else parts


def shown_pictures(row: Mapping[str, Any], shown: Sequence[str] = ()) -> list[str]:
    """A page's pictures with those of one more variant (`row`) that the shop sells: of all that the catalogue knows of the
    product (models.catalogue: those of all its variants), in their order, without those of variants that it does not sell."""
    every: list[str] = row["product_images"]
    has = {*shown, *row["variant_images"]}
    return [url for url in every if url in has]


def wanted_variant(row: Mapping[str, Any], price: Money, compare_at: Money | None = None) -> dict[str, Any]:
    """The buyable thing from a catalogue variant, its best offer and its price. `stock` is what may be sold now.

    What few have is not there where there is none: compare_at, hs_code, origin.
    """
    wanted = {
        "sku": row["sku"], "price": written(price), "currency": price.currency, "stock": row["free"],
        "gtin": row["gtin"], "options": row["options"], "weight_g": row["weight_g"],
        "image": row["variant_images"][0] if row["variant_images"] else None,
    }  # fmt: skip
    if compare_at is not None:
        wanted["compare_at"] = written(compare_at)
    for name in ("hs_code", "origin"):
        if row.get(name):
            wanted[name] = row[name]
    return wanted


def distinct_options(variants: list[dict[str, Any]]) -> None:
    """Makes the options of one product's variants tell them apart, since a shop takes two alike for one.

    Names and values are alike whatever their case and outer blanks, as in the shops. Every variant gets every name; where that
    is still not enough the SKU becomes an option of its own or, where there are as many as a shop takes, a part of the last.
    """
    if len(variants) == 1:
        return
    spelled: dict[str, str] = {}
    for variant in variants:
        for name in variant["options"]:
            spelled.setdefault(name.strip().casefold(), name.strip())
    for variant in variants:
        own = {name.strip().casefold(): value.strip() for name, value in variant["options"].items() if value}
        variant["options"] = {name: own.get(alike) or "–" for alike, name in spelled.items()}
    shapes = {tuple(value.casefold() for value in variant["options"].values()) for variant in variants}
    if len(shapes) == len(variants) and spelled:
        return
    for variant in variants:
        if len(spelled) < MOST_OPTIONS:
            variant["options"][spelled.get(CHOICE.casefold(), CHOICE)] = variant["sku"]
        else:
            last = list(variant["options"])[-1]
            variant["options"][last] += f" · {variant['sku']}"


def draft(
    product: Mapping[str, Any],
    external_id: str | None,
    image_ids: Mapping[str, str],
    key: str,
    variants: Iterable[Mapping[str, Any]],
    *,
    trade_only: bool = False,
) -> ProductDraft:
    """The connector's value from what is wanted; `variants` are {"key", "external_id", "wanted", "sent"}.

    Of `sent` only its stock is looked at: what the shop would show if nothing had been sold there unseen. Of one that was
    being made when the call was cut off that is what was on its way.
    """
    return ProductDraft(
        key=key, title=product["title"], variants=tuple(variant_draft(row) for row in variants), external_id=external_id,
        description=product["description"], brand=product["brand"], category=tuple(product["category"]),
        images=tuple(product["images"]), image_ids=dict(image_ids), kind=product["kind"], handle=product.get("handle"),
        tags=tuple(product.get("tags", ())), trade_only=trade_only,
    )  # fmt: skip


def variant_draft(row: Mapping[str, Any]) -> VariantDraft:
    """One variant of a draft."""
    wanted = row["wanted"]
    compare_at, currency = wanted.get("compare_at"), wanted["currency"]
    return VariantDraft(
        key=row["key"], sku=wanted["sku"], price=Money.of(wanted["price"], currency), stock=wanted["stock"],
        external_id=row["external_id"], gtin=wanted["gtin"], options=tuple(wanted["options"].items()),
        image=wanted["image"], weight_g=wanted["weight_g"], before=row["sent"]["stock"] if row.get("sent") else row.get("sending"),
        hs_code=wanted.get("hs_code"), origin=wanted.get("origin"),
        compare_at=Money.of(compare_at, currency) if compare_at else None,
    )  # fmt: skip


def seen(
    listing: ShopListing, tags: Iterable[str] = (), image_ids: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What was read back, in the shape of what is wanted. Of its page only what is wrong: "tags" are those sent (`tags`) that
    it has no longer, "pictures" those of ours (`image_ids`, by URL) that the shop could not fetch."""
    has = None if listing.tags is None else {_alike(tag) for tag in listing.tags}
    gone = [] if has is None else [tag for tag in tags if _alike(tag) not in has]
    there = {
        "status": listing.status, "sku": listing.sku, "title": listing.title, "stock": listing.stock,
        "price": str(listing.price.amount) if listing.price else None,
    }  # fmt: skip
    dead = [url for url, number in (image_ids or {}).items() if number in listing.failed_images]
    return there | ({"tags": gone} if gone else {}) | ({"pictures": dead} if dead else {})


def drift(title: str, sent: Mapping[str, Any], held: Mapping[str, Any]) -> list[list[Any]]:
    """Where the shop holds something else than we sent: [field, sent, held] for each difference, [] where it is true."""
    expected = {
        "status": "live",
        "sku": sent["sku"],
        "title": title,
        "price": sent["price"],
        "stock": sent["stock"],
    }
    found: list[list[Any]] = [
        [name, value, held[name]] for name, value in expected.items() if held[name] != value
    ]
    return found + [[name, ", ".join(held[name]), None] for name in ("tags", "pictures") if held.get(name)]


def _alike(tag: str) -> str:
    return " ".join(tag.split()).casefold()
