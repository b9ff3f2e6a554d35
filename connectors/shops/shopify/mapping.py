"""Drafts into Shopify's fields and its answers into listings: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.base import ProductDraft, ShopListing, VariantDraft
from connectors.shops.shopify import limits
from connectors.shops.shopify.limits import choice, pictures
from core.errors import Refused
from core.money import Money

Fields = dict[str, Any]
Face = str | tuple[str, ...]
"""What a variant may be known by: its id, its SKU or the values of its options."""

NO_CHOICE = (("Title", "Default Title"),)
"""What Shopify itself calls the option of a product without a choice."""


def options_of(held: Fields) -> tuple[tuple[str, str], ...]:
    """A held variant's options; Shopify's own name for none is kept."""
    return tuple((str(one["name"]), str(one["value"])) for one in held.get("selectedOptions") or [])


def match(draft: ProductDraft, held: Sequence[Fields]) -> tuple[dict[str, str], list[Fields]]:
    """Which held variant is which of the draft's: ({variant key: id}, the others).

    By the id we know, then by SKU without regard to case, then by options, since Shopify keeps those unique. A SKU that
    several have tells nothing.
    """
    free = {str(one["id"]): one for one in held}
    known: dict[str, str] = {}
    for place in range(3):
        of_held = {number: _held_faces(one)[place] for number, one in free.items()}
        of_draft = {one.key: _draft_faces(one)[place] for one in draft.variants if one.key not in known}
        by_face = _alone(of_held)
        for face, key in _alone(of_draft).items():
            if face in by_face:
                known[key] = by_face[face]
                del free[by_face[face]]
    return known, list(free.values())


def keepable(draft: ProductDraft, others: Sequence[Fields]) -> list[Fields]:
    """Those of the shop's other variants that can stay beside the draft's: they have the same options, other values."""
    names = [_alike(name) for name, _ in draft.variants[0].options or NO_CHOICE]
    taken = {choice(variant.options or NO_CHOICE) for variant in draft.variants}
    return [
        one
        for one in others
        if [_alike(name) for name, _ in options_of(one)] == names and choice(options_of(one)) not in taken
    ]


def set_input(
    draft: ProductDraft,
    known: Mapping[str, str],
    kept: Sequence[Fields],
    files: list[Fields] | None,
    *,
    location: str,
    handle: str | None = None,
) -> Fields:
    """The whole product for productSet. What a list leaves out is deleted, so `kept` variants are named unchanged.

    A handle goes along only when it is made: an address that people know stays. How a product is sorted is not told here,
    since its lists have the owner's words too (sorting.py).
    """
    names: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    every = [variant.options or NO_CHOICE for variant in draft.variants] + [options_of(one) for one in kept]
    for options in every:
        for name, value in options:
            names.setdefault(_alike(name), name.strip())
            values.setdefault(_alike(name), {}).setdefault(_alike(value), value.strip())

    def chosen(options: Iterable[tuple[str, str]]) -> list[Fields]:
        """To Shopify two spellings are one option and one value: the first counts, and that is ours."""
        return [
            {"optionName": names[_alike(name)], "name": values[_alike(name)][_alike(value)]}
            for name, value in options
        ]

    fields: Fields = {
        "title": draft.title.strip(),
        "descriptionHtml": draft.description,
        "status": "ACTIVE",
        "productOptions": [
            {"name": names[name], "position": place, "values": [{"name": value} for value in found.values()]}
            for place, (name, found) in enumerate(values.items(), start=1)
        ],
        "variants": [
            {"optionValues": chosen(one.options or NO_CHOICE)}
            | _variant(one, draft, known.get(one.key), files or (), location)
            for one in draft.variants
        ]
        + [{"id": one["id"], "optionValues": chosen(options_of(one))} for one in kept],
    }
    if draft.brand:
        fields["vendor"] = draft.brand
    if files is not None:
        fields["files"] = [{name: part for name, part in one.items() if name != "url"} for one in files]
    if handle:
        fields["handle"] = handle
    return fields


def files_of(draft: ProductDraft, held: Sequence[str], refused: Iterable[str]) -> list[Fields] | None:
    """The product's pictures as it shall have them, ours by id where the shop has them, then the seller's own; None where
    there is nothing to say of them.

    `held` are the ids of what the product shows now. Without any id of ours nothing held is known to be the
    seller's, so nothing is kept. Each has the "url" it came from, "" for the seller's.
    """
    left_out = set(refused)
    ours = [
        {"url": url, "id": draft.image_ids[url]}
        if draft.image_ids.get(url) in held
        else {"url": url, "originalSource": url, "contentType": "IMAGE"}
        for url in pictures(draft)
        if url not in left_out
    ]
    known = set(draft.image_ids.values())
    theirs = [{"url": "", "id": number} for number in held if known and number not in known]
    return [*ours, *theirs] if ours or known & {*held} else None


def image_ids(files: Sequence[Fields], held: Sequence[str]) -> dict[str, str]:
    """The ids of our pictures from the product's own list: it has the order they were sent in. {} where it does not."""
    if len(files) != len(held) or any(
        one.get("id", number) != number for one, number in zip(files, held, strict=True)
    ):
        return {}
    return {str(one["url"]): number for one, number in zip(files, held, strict=True) if one["url"]}


def media_of(product: Fields, *, failed: bool = False) -> list[str]:
    """The ids of a product's pictures in their order; with `failed` those that Shopify could not fetch instead."""
    nodes = (product.get("media") or {}).get("nodes") or []
    return [
        str(one["id"])
        for one in nodes
        if one.get("mediaContentType") == "IMAGE" and (one.get("status") == "FAILED") is failed
    ]


def amount(money: Money) -> str:
    """As Shopify's Money is written."""
    return format(money.amount, "f")


def trade(variant: VariantDraft) -> Fields:
    """A variant's price, and what keeps its stock true, for productVariantsBulkUpdate. A struck price that is not ours
    to say stays."""
    fields: Fields = {
        "id": variant.external_id,
        "price": amount(variant.price),
        "inventoryPolicy": "DENY",
        "inventoryItem": {"tracked": True},
    }
    if variant.compare_at is not None:
        fields["compareAtPrice"] = amount(variant.compare_at)
    return fields


def available(variant: Fields) -> int | None:
    """Pieces that may be sold at our location; None where it is not stocked there."""
    level = (variant.get("inventoryItem") or {}).get("inventoryLevel")
    found = [one for one in (level or {}).get("quantities") or [] if one.get("name") == "available"]
    return int(found[0]["quantity"]) if found else None


def listing(variant: Fields, product: Fields, currency: str) -> ShopListing:
    """A variant as the shop holds it now. One whose stock is not counted, or that is not stocked, has no stock."""
    item = variant.get("inventoryItem") or {}
    counted = item.get("tracked") is not False
    options = options_of(variant)
    return ShopListing(
        external_id=str(variant["id"]),
        parent_id=str(product["id"]),
        status=status(product),
        sku=str(variant.get("sku") or ""),
        title=str(product.get("title") or ""),
        price=_price(variant.get("price"), currency),
        stock=available(variant) if counted else None,
        gtin=str(variant.get("barcode") or "") or None,
        options=() if options == NO_CHOICE else options,
        image_count=len(media_of(product)),
        stock_id=str(item["id"]) if item.get("id") else None,
        tags=tuple(str(tag) for tag in product.get("tags") or []),
        failed_images=tuple(media_of(product, failed=True)),
    )


def status(product: Fields) -> str:
    """ "live" only where the product is active and the online store shows it; an archived one lies in the trash."""
    if product.get("status") == "ARCHIVED":
        return "trash"
    return "live" if product.get("status") == "ACTIVE" and product.get("published") else "draft"


def _variant(
    variant: VariantDraft, draft: ProductDraft, known: str | None, files: Sequence[Fields], location: str
) -> Fields:
    told, _ = limits.customs(variant)
    item: Fields = {
        "tracked": True,
        "requiresShipping": draft.kind == "goods",
        "sku": variant.sku,
        **(told if draft.kind == "goods" else {}),
    }
    if variant.weight_g is not None and draft.kind == "goods":
        item["measurement"] = {"weight": {"value": variant.weight_g, "unit": "GRAMS"}}
    fields: Fields = {
        "sku": variant.sku,
        "price": amount(variant.price),
        "compareAtPrice": amount(variant.compare_at) if variant.compare_at else None,
        "barcode": variant.gtin or "",
        "inventoryPolicy": "DENY",
        "inventoryItem": item,
    }
    if known is not None:
        fields["id"] = known
    else:
        # Later changes of stock go another way, which sees what was sold meanwhile (stock.py).
        fields["inventoryQuantities"] = [
            {"locationId": location, "name": "available", "quantity": variant.stock}
        ]
    picture = next((one for one in files if one["url"] and one["url"] == variant.image), None)
    if picture is not None:
        fields["file"] = {name: part for name, part in picture.items() if name != "url"}
    return fields


def _alone(faces: Mapping[str, Face]) -> dict[Face, str]:
    """Whose face it is, for those that only one has."""
    found = Counter(faces.values())
    return {face: name for name, face in faces.items() if face and found[face] == 1}


def _held_faces(held: Fields) -> tuple[Face, ...]:
    return str(held["id"]), str(held.get("sku") or "").casefold(), choice(options_of(held))


def _draft_faces(variant: VariantDraft) -> tuple[Face, ...]:
    return variant.external_id or "", variant.sku.casefold(), choice(variant.options or NO_CHOICE)


def _alike(word: str) -> str:
    return word.strip().casefold()


def _price(amount: Any, currency: str) -> Money | None:
    try:
        return Money.of(str(amount), currency) if amount not in (None, "") else None
    except Refused:
        return None
