"""Drafts into WooCommerce's fields and its answers into listings: pure, and strict where the shop corrupts silently.

What WordPress does to texts is that of its functions sanitize_text_field and wp_filter_post_kses (developer.wordpress.org);
what WooCommerce does to numbers was recorded (product_put_price_comma, products_batch_mixed_errors).
"""

import re
import unicodedata
from decimal import Decimal
from html import escape, unescape
from typing import Any
from urllib.parse import quote

from connectors.base import ProductDraft, ShopListing, VariantDraft
from core.errors import Refused
from core.money import Money

Fields = dict[str, Any]

OUR_KEY = "_entrepot_key"
"""Meta field that says which draft a product or variation was made from."""
OUR_SALE = "_entrepot_sale"
"""Meta field with the sale price that is ours; another sale price is the owner's own."""
BRAND = "Brand"
GRAMS = {"kg": Decimal(1000), "g": Decimal(1), "lbs": Decimal("453.59237"), "oz": Decimal("28.349523125")}
"""Grams in one of the shop's weight units: the four WooCommerce offers; pound and ounce are exact by definition."""
LONGEST_SKU = 100
"""Characters of wc_product_meta_lookup.sku and .global_unique_id."""
LONGEST_OPTION = 244
"""Bytes of an option's name as an address writes it: it becomes a wp_postmeta.meta_key of 255 after "attribute_"."""
LONGEST_TITLE = 65_535
"""Bytes of wp_posts.post_title, a TEXT."""
LONGEST_TEXT = 500_000
"""Bytes of a description: one call must stay below the 1 MB that many web servers take by default."""


def why_not(draft: ProductDraft) -> str | None:
    """The sentence why this product cannot go into the shop, None where it can."""
    if not draft.title.strip():
        return "The product has no title; the shop would call it “Product”. Give it one."
    if len(escape(draft.title, quote=False).encode()) > LONGEST_TITLE:
        return f"The title is longer than {LONGEST_TITLE} bytes; shorten it."
    if len(draft.description.encode()) > LONGEST_TEXT:
        return f"The description is longer than {LONGEST_TEXT} bytes; shorten it."
    if not draft.variants:
        return "The product has no variant to sell."
    names = [tuple(name for name, _ in variant.options) for variant in draft.variants]
    if len(set(names)) > 1:
        return "The variants do not have the same options in the same order; give each of them every option."
    bare = {_bare(name) for name in names[0]}
    if len(bare) < len(names[0]) or "" in bare:
        return f"The options {', '.join(names[0])} cannot be told apart by the shop; rename one."
    long = next((name for name in names[0] if len(quote(name.casefold())) > LONGEST_OPTION), None)
    if long is not None:
        return f"The name of the option {long[:40]!r}… is longer than the shop keeps; shorten it."
    choices = {tuple(option(value).casefold() for _, value in variant.options) for variant in draft.variants}
    if len(choices) < len(draft.variants):
        return "Two variants have the same options; the shop could sell only one of them."
    return None


def why_not_variant(variant: VariantDraft, currency: str) -> str | None:
    """The sentence why this variant cannot go into a shop of this currency, None where it can."""
    sku = variant.sku
    if not sku:
        return "The variant has no SKU; the hub could not find it again in the shop. Give it one."
    if len(sku) > LONGEST_SKU or len(variant.gtin or "") > LONGEST_SKU:
        return f"The SKU or GTIN of {sku[:40]!r} is longer than the {LONGEST_SKU} characters the shop keeps."
    if (
        sku != " ".join(sku.split())
        or "<" in sku
        or re.search(r"%[0-9a-fA-F]{2}", sku)
        or not sku.isprintable()
    ):
        return f"The shop would change the SKU {sku!r}; remove blanks at its ends, double blanks, “<” and “%” before digits."
    if any(not option(value) for _, value in variant.options):
        return f"An option of {sku} is empty; the shop would take it for “any”."
    return why_not_trade(variant, currency)


def why_not_trade(variant: VariantDraft, currency: str) -> str | None:
    """The sentence why its price or stock cannot go into a shop of this currency, None where they can."""
    name = variant.sku or variant.key
    for price in (variant.price, variant.compare_at or variant.price):
        if price.currency != currency:
            return f"The price of {name} is in {price.currency}, but the shop sells in {currency}."
        if price.minor < 0:
            return f"The price of {name} is negative."
    if type(variant.stock) is not int or variant.stock < 0:
        return f"The stock of {name} is {variant.stock!r}; it must be a whole number from 0."
    return None


def option(value: str) -> str:
    """An option's value as the shop keeps it unchanged.

    A bar separates values in its own storage, a backslash and a "<" are dropped, blanks are joined, and "%" before two
    hex digits takes them along: "100%Baumwolle" would become "100umwolle".
    """
    value = value.replace("|", "/").replace("\\", "/").replace("<", "‹")
    return re.sub(r"%(?=[0-9a-fA-F]{2})", "% ", " ".join(value.split()))


def parent_sku(draft: ProductDraft) -> str:
    """The SKU of a variable product itself: without one nothing could find it after an answer was lost."""
    return f"entrepot-{draft.key}"


def not_its_skus(draft: ProductDraft) -> frozenset[str]:
    """In lower case, what must not be the SKU of a variable product itself: its variations', and none at all."""
    return frozenset() if draft.simple else frozenset({"", *(one.sku.casefold() for one in draft.variants)})


def weight(grams: int, unit: str) -> str:
    """Grams in the shop's unit, with up to four places and a dot: (350, "kg") is "0.35"."""
    return format((grams / GRAMS[unit]).quantize(Decimal("0.0001")).normalize(), "f")


def product_fields(draft: ProductDraft, unit: str) -> Fields:
    """What a product should be, without its id, pictures, GTIN and what is sent at its making only. `unit` "" leaves the
    weight out. Tariff codes and origin are not sent: WooCommerce has no field for them."""
    brand = (
        [{"name": BRAND, "visible": True, "variation": False, "options": [option(draft.brand)]}]
        if draft.brand
        else []
    )
    shared: Fields = {
        # Escaped, since the shop takes everything between < and > for a tag and drops it.
        "name": escape(draft.title.strip(), quote=False),
        "status": "publish",
        "description": draft.description,
        "virtual": draft.kind != "goods",
    }
    if draft.simple:
        only = draft.variants[0]
        shared |= {"type": "simple"} | _sellable(only, draft, unit)
        # A list replaces the shop's own: without a brand there is nothing to say.
        return shared | ({"attributes": brand} if brand else {}) | _ours(draft.key, only)
    names = [name for name, _ in draft.variants[0].options]
    values = [
        {
            "name": option(name),
            "position": place,
            "visible": True,
            "variation": True,
            "options": list(dict.fromkeys(option(variant.options[place][1]) for variant in draft.variants)),
        }
        for place, name in enumerate(names)
    ]
    brand = [] if _bare(BRAND) in {_bare(name) for name in names} else brand
    shared |= {"type": "variable", "manage_stock": False}
    return (
        shared
        | {"attributes": [*values, *({**one, "position": len(names)} for one in brand)]}
        | _ours(draft.key)
    )


def at_making(draft: ProductDraft) -> Fields:
    """What is sent only when the product is made: afterwards its address is known to others, and the SKU of a variable
    product that the shop already had may be its owner's."""
    name = {} if draft.simple else {"sku": parent_sku(draft)}
    return name | ({"slug": draft.handle} if draft.handle else {})


def variation_fields(variant: VariantDraft, draft: ProductDraft, unit: str) -> Fields:
    """What a variation should be, without its id, picture and GTIN."""
    choices = [{"name": option(name), "option": option(value)} for name, value in variant.options]
    shared = {"status": "publish", "virtual": draft.kind != "goods", "attributes": choices}
    return shared | _sellable(variant, draft, unit) | _ours(variant.key, variant)


def trade_fields(variant: VariantDraft) -> Fields:
    """The price alone, for a product whose page is its owner's."""
    meta = _sale_meta(variant)
    return _prices(variant) | ({"meta_data": meta} if meta else {})


def stock_fields(variant: VariantDraft) -> Fields:
    """The stock whole. Without manage_stock the quantity would be ignored."""
    return {"manage_stock": True, "stock_quantity": variant.stock}


def known_stock(variant: VariantDraft) -> bool:
    """Whether its stock is set apart, relative to what the shop should show, and not with the rest."""
    return variant.external_id is not None and variant.before is not None


def key_of(found: Fields) -> str | None:
    """Our own key on a product or variation of the shop, None where it is not ours."""
    return meta_of(found, OUR_KEY)


def meta_of(found: Fields, key: str) -> str | None:
    """The value of a meta field as text; None where the thing has none."""
    kept = [meta.get("value") for meta in found.get("meta_data") or [] if meta.get("key") == key]
    return str(kept[0]) if kept else None


def our_sale(found: Fields) -> bool:
    """Whether the sale price that a product or variation has is one that the hub set."""
    return bool(found.get("sale_price")) and meta_of(found, OUR_SALE) == str(found["sale_price"])


def without_sale(fields: Fields) -> Fields:
    """These fields, and the end of our own sale."""
    return {
        **fields,
        "sale_price": "",
        "meta_data": [*fields.get("meta_data", []), {"key": OUR_SALE, "value": ""}],
    }


def listing(found: Fields, currency: str, parent: Fields | None = None) -> ShopListing:
    """A product, or a variation with its product as `parent`, as the shop holds it now."""
    whole = parent or found
    return ShopListing(
        external_id=str(found["id"]),
        parent_id=str(parent["id"]) if parent else None,
        status=_status(whole) if _status(whole) != "live" else _status(found),
        sku=str(found.get("sku") or ""),
        title=unescape(str(whole.get("name") or "")),
        price=_price(found.get("sale_price" if our_sale(found) else "regular_price"), currency),
        stock=_whole(found.get("stock_quantity")) if found.get("manage_stock") is True else None,
        gtin=str(found.get("global_unique_id") or "") or None,
        options=tuple(
            (str(a["name"]), str(a["option"])) for a in found.get("attributes") or [] if "option" in a
        ),
        image_count=len(whole.get("images") or []),
    )


def _sellable(variant: VariantDraft, draft: ProductDraft, unit: str) -> Fields:
    fields: Fields = {"sku": variant.sku} | _prices(variant)
    if not known_stock(variant):
        fields |= stock_fields(variant)
    if variant.weight_g is not None and unit and draft.kind == "goods":
        fields["weight"] = weight(variant.weight_g, unit)
    return fields


def _prices(variant: VariantDraft) -> Fields:
    """A price with one struck through above it is a sale to the shop, which drops a sale that saves nothing (recorded:
    product_put_sale_above_regular)."""
    if not _on_sale(variant):
        return {"regular_price": _written(variant.price)}
    return {"regular_price": _written(variant.compare_at), "sale_price": _written(variant.price)}


def _on_sale(variant: VariantDraft) -> bool:
    return variant.compare_at is not None and variant.compare_at.minor > variant.price.minor


def _written(price: Money | None) -> str:
    return "" if price is None else format(price.amount, "f")


def _ours(key: str, variant: VariantDraft | None = None) -> Fields:
    return {"meta_data": [{"key": OUR_KEY, "value": key}, *(_sale_meta(variant) if variant else [])]}


def _sale_meta(variant: VariantDraft) -> list[Fields]:
    return [{"key": OUR_SALE, "value": _written(variant.price)}] if _on_sale(variant) else []


def _bare(name: str) -> str:
    """About what the shop makes of an option's name to tell it from the others: no case, accents or signs."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in plain if character.isalnum())


def _status(found: Fields) -> str:
    return {"publish": "live", "trash": "trash"}.get(str(found.get("status")), "draft")


def _price(amount: Any, currency: str) -> Money | None:
    try:
        return Money.of(str(amount), currency) if amount not in (None, "") else None
    except Refused:
        return None


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)
