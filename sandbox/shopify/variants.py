"""Variants: written by productSet as a whole list, or some of them by productVariantsBulkUpdate."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.shopify import inventory, media, metafields, products
from sandbox.shopify.answers import Fields, UserError, UserErrors, not_simulated, only
from sandbox.shopify.graph import mutation
from sandbox.shopify.site import Site, gid

_VARIANT = [
    "id",
    "sku",
    "barcode",
    "price",
    "compareAtPrice",
    "inventoryItem",
    "inventoryPolicy",
    "inventoryQuantities",
    "optionValues",
    "position",
    "file",
    "metafields",
    "taxable",
]
_ITEM = [
    "sku",
    "tracked",
    "requiresShipping",
    "measurement",
    "cost",
    "countryCodeOfOrigin",
    "harmonizedSystemCode",
]
_CODE = re.compile(r"\d{6,13}")
_PLAIN = ("barcode", "inventoryPolicy", "taxable")


@mutation("productVariantsBulkUpdate", scope="write_products")
def bulk_update(site: Site, _source: Any, arguments: Fields) -> Fields:
    """What is named of the variants named, and nothing else of the product. With allowPartialUpdates those that can
    be changed are, beside the errors of the others; stock is never set this way."""
    product = site.one("Product", arguments["productId"])
    if product is None:
        raise UserError("Product does not exist", "PRODUCT_DOES_NOT_EXIST", "productId")
    changed: list[Fields] = []
    errors: list[UserError] = []
    for at, one in enumerate(arguments["variants"]):
        try:
            changed.append(_update(site, product, one, ("variants", str(at))))
        except UserError as error:
            errors.append(error)
    if errors and not (arguments.get("allowPartialUpdates") and changed):
        raise UserErrors(errors)
    for variant in changed:
        site.touch(variant)
    products.changed(site, product)
    rows = [row for error in errors for row in error.rows()]
    return {"product": product, "productVariants": changed, "userErrors": rows}


def by_hand(site: Site, variant: Fields, given: Fields) -> None:
    """Price, SKU or barcode as the shop's own people change them. Raises UserError for what cannot be."""
    _plain(variant, given, ("input", "variants", "0"))
    item = products.item_of(site, variant)
    item["sku"] = variant["sku"]
    site.touch(item)
    site.touch(variant)


def price(given: Any, *where: str) -> str | None:
    """Two decimals. Raises UserError for what is no price."""
    if given is None:
        return None
    try:
        amount = Decimal(str(given)).quantize(Decimal("0.01"))
    except InvalidOperation:
        raise UserError("Price must be a number", "INVALID_VARIANT", *where) from None
    if not 0 <= amount < 10**15:
        raise UserError("Price must be greater than or equal to 0", "INVALID_VARIANT", *where)
    return str(amount)


def put_all(site: Site, product: Fields, wish: Fields, *, fresh: bool) -> None:
    if wish.get("variants"):
        _options(site, product, wish["productOptions"])
        before = products.variants_of(site, product)
        kept: set[int] = set()
        taken: set[tuple[str, ...]] = set()
        for at, one in enumerate(wish["variants"]):
            kept.add(_variant(site, product, one, at, before, taken))
        for gone in before:
            if gone["id"] not in kept:
                products.remove_variant(site, gone)
        used = [[values[at] for values in taken] for at in range(len(product["options"]))]
        for option, values in zip(product["options"], used, strict=True):
            for value in option["optionValues"]:
                value["hasVariants"] = value["name"] in values
    elif fresh:
        _options(site, product, [{"name": "Title", "values": [{"name": "Default Title"}]}])
        plain = {"optionValues": [{"optionName": "Title", "name": "Default Title"}]}
        _variant(site, product, plain, 0, [], set())


def _update(site: Site, product: Fields, given: Fields, where: tuple[str, ...]) -> Fields:
    """The variant as it will be; its inventory item is written at once, after everything was looked at."""
    if given.get("inventoryQuantities"):
        message = "Inventory quantities can only be provided during create. To update inventory for existing variants, use inventoryAdjustQuantities."
        raise UserError(message, "NO_INVENTORY_QUANTITIES_ON_VARIANTS_UPDATE", *where, "inventoryQuantities")
    only(given, "productVariantsBulkUpdate", "id", *_PLAIN, "price", "compareAtPrice", "inventoryItem")
    if not given.get("id"):
        raise UserError("Product variant ID is missing", "PRODUCT_VARIANT_ID_MISSING", *where, "id")
    variant = site.one("ProductVariant", given["id"])
    if variant is None or variant["parent"] != product["id"]:
        message = "Product variant does not exist"
        raise UserError(message, "PRODUCT_VARIANT_DOES_NOT_EXIST", *where, "id")
    for name in ("price", "compareAtPrice"):
        if Decimal(str(given.get(name) or 0)) < 0:
            message = "Price must be greater than or equal to 0"
            raise UserError(message, "NEGATIVE_PRICE_VALUE", *where, name)
    _plain(variant, given, where)
    if "inventoryItem" in given:
        item = products.item_of(site, variant)
        _item(variant, item, given["inventoryItem"] or {}, where)
        site.touch(item)
    return variant


def _plain(variant: Fields, given: Fields, where: tuple[str, ...]) -> None:
    for name in (*_PLAIN, "sku"):
        if name in given:
            variant[name] = _short(given[name], *where, name)
    if given.get("price") is not None:
        variant["price"] = price(given["price"], *where, "price")
    if "compareAtPrice" in given:
        variant["compareAtPrice"] = price(given["compareAtPrice"], *where, "compareAtPrice")


def _options(site: Site, product: Fields, given: list[Fields]) -> None:
    held = {one["name"]: one for one in product["options"]}
    names = [one.get("name") or "" for one in given]
    if len({name.casefold() for name in names}) < len(names) or not all(names):
        message = "Each option must have a name of its own"
        raise UserError(message, "DUPLICATED_OPTION_NAME", "input", "productOptions")
    made = []
    for at, one in enumerate(given):
        only(one, "an option", "id", "name", "position", "values")
        values = [value.get("name") or "" for value in one.get("values") or []]
        for value in (names[at], *values):
            _short(value, "input", "productOptions", str(at), "name")
        if not values:
            raise UserError(
                "Option values are missing", "OPTION_VALUES_MISSING", "input", "productOptions", str(at)
            )
        if len({value.casefold() for value in values}) < len(values):
            message = "An option value stands there twice"
            raise UserError(message, "DUPLICATED_OPTION_VALUE", "input", "productOptions", str(at))
        earlier = held.get(names[at], {})
        known = {value["name"]: value["id"] for value in earlier.get("optionValues", [])}
        made.append(
            {
                "id": earlier.get("id") or site.number("ProductOption"),
                "name": names[at],
                "position": at + 1,
                "optionValues": [
                    {"id": known.get(v) or site.number("ProductOptionValue"), "name": v, "hasVariants": True}
                    for v in values
                ],
            }
        )
    product["options"] = made


def _variant(
    site: Site, product: Fields, given: Fields, at: int, before: list[Fields], taken: set[tuple[str, ...]]
) -> int:
    """Makes or changes one; the variant of the same option values is the same variant."""
    only(given, "a variant", *_VARIANT)
    where = ("input", "variants", str(at))
    values = _values(product, given, where)
    if values in taken:
        title = " / ".join(values)
        message = f"The variant '{title}' already exists. Please change at least one option value."
        raise UserError(message, "INVALID_VARIANT", *where)
    taken.add(values)
    if given.get("id"):
        found = next((one for one in before if gid("ProductVariant", one["id"]) == given["id"]), None)
        if found is None:
            message = "Product variant does not exist"
            raise UserError(message, "PRODUCT_VARIANT_DOES_NOT_EXIST", *where, "id")
    else:
        found = next((one for one in before if tuple(one["values"]) == values), None)
    variant, item = _blank_variant(site, product) if found is None else (found, products.item_of(site, found))
    variant.update(values=list(values), position=at + 1)
    _plain(variant, given, where)
    _item(variant, item, given.get("inventoryItem") or {}, where)
    if "file" in given:
        variant["mediaId"] = media.of_variant(site, product, given["file"], variant["mediaId"], where)
    site.touch(variant)
    site.touch(item)
    for one in given.get("inventoryQuantities") or []:
        _stock(site, item, one, where)
    if "metafields" in given:
        metafields.put_all(site, variant, given["metafields"] or [])
    return int(variant["id"])


def _blank_variant(site: Site, product: Fields) -> tuple[Fields, Fields]:
    """A new variant and its inventory item, stocked nowhere yet."""
    variant = site.new(
        "ProductVariant",
        parent=product["id"],
        sku=None,
        barcode=None,
        price="0.00",
        compareAtPrice=None,
        inventoryPolicy="DENY",
        taxable=True,
        mediaId=None,
    )
    item = site.new(
        "InventoryItem",
        parent=variant["id"],
        sku=None,
        tracked=False,
        requiresShipping=True,
        weight=None,
        cost=None,
        countryCodeOfOrigin=None,
        harmonizedSystemCode=None,
        levels={},
    )
    return {**variant, "itemId": item["id"]}, item


def _values(product: Fields, given: Fields, where: tuple[str, ...]) -> tuple[str, ...]:
    chosen = {}
    for one in given["optionValues"]:
        if one.get("id") or one.get("optionId"):
            raise not_simulated("option values by id")
        chosen[one.get("optionName")] = one.get("name")
    values = []
    for option in product["options"]:
        value = chosen.pop(option["name"], None)
        if value not in [one["name"] for one in option["optionValues"]]:
            message = f"Option value {value!r} does not exist for the option {option['name']!r}"
            raise UserError(message, "OPTION_VALUE_DOES_NOT_EXIST", *where, "optionValues")
        values.append(str(value))
    if chosen:
        raise UserError("Option does not exist", "OPTION_DOES_NOT_EXIST", *where, "optionValues")
    return tuple(values)


def _short(value: Any, *where: str) -> Any:
    """Raises UserError for a text of more than 255 characters."""
    if isinstance(value, str) and len(value) > 255:
        named = where[-1].capitalize()
        raise UserError(f"{named} is too long (maximum is 255 characters)", _invalid(where), *where)
    return value


def _invalid(where: tuple[str, ...]) -> str:
    """The code of the mutation that was asked: productSet's fields stand below `input`."""
    return "INVALID_VARIANT" if where[0] == "input" else "INVALID_VALUE"


def _item(variant: Fields, item: Fields, given: Fields, where: tuple[str, ...]) -> None:
    only(given, "an inventory item", *_ITEM)
    if "sku" in given:
        variant["sku"] = _short(given["sku"], *where, "sku")
    if given.get("harmonizedSystemCode") and not _CODE.fullmatch(given["harmonizedSystemCode"]):
        message = "Harmonized system code must be a number between 6 and 13 digits long"
        raise UserError(message, _invalid(where), *where, "inventoryItem", "harmonizedSystemCode")
    item["sku"] = variant["sku"]
    for name in ("tracked", "requiresShipping", "countryCodeOfOrigin", "harmonizedSystemCode"):
        if given.get(name) is not None:
            item[name] = given[name]
    if given.get("cost") is not None:
        item["cost"] = str(given["cost"])
    weight = (given.get("measurement") or {}).get("weight")
    if weight:
        item["weight"] = {"unit": weight["unit"], "value": float(weight["value"])}


def _stock(site: Site, item: Fields, given: Fields, where: tuple[str, ...]) -> None:
    if given["name"] != "available":
        raise not_simulated("any quantity but available in productSet")
    place = site.one("Location", given["locationId"])
    if place is None:
        raise UserError("Location does not exist", "INVALID_VARIANT", *where, "inventoryQuantities")
    if abs(given["quantity"]) > inventory.MOST:
        raise UserError("Quantity is out of range", "INVALID_VARIANT", *where, "inventoryQuantities")
    inventory.stock_at(site, item, place["id"], given["quantity"])
