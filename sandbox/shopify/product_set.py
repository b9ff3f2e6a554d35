"""productSet: an upsert whose lists delete what they leave out."""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any

from graphql import GraphQLError

from sandbox.shopify import inventory, media, metafields, products
from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.site import Site, gid

MOST_OPTIONS, MOST_VARIANTS, MOST_QUANTITIES = 3, 2048, 50_000
_SIMULATED = [
    "id",
    "title",
    "descriptionHtml",
    "handle",
    "vendor",
    "productType",
    "tags",
    "status",
    "seo",
    "productOptions",
    "variants",
    "files",
    "metafields",
    "redirectNewHandle",
]
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


@mutation("productSet", scope="write_products")
def product_set(site: Site, _source: Any, arguments: Fields) -> Fields:
    """With `synchronous: false` an operation is answered; here it has ended when it is asked for."""
    wish, named = arguments["input"], arguments.get("identifier")
    only(wish, "productSet", *_SIMULATED)
    _within_limits(wish)
    product = _found(site, named, wish)
    fresh = product is None
    if product is None:
        product = _blank(site, wish, named)
    products.write_plain(site, product, wish)
    if "files" in wish:
        product["files"] = [media.take_in(site, one) for one in wish["files"] or []]
    _variants(site, product, wish, fresh=fresh)
    site.put("Product", product)
    if "metafields" in wish:
        metafields.put_all(site, product, wish["metafields"] or [])
    if fresh and named and named.get("customId"):
        metafields.put(site, product, {**named["customId"], "type": "id"})
    site.touch(product)
    site.fired("PRODUCTS_CREATE" if fresh else "PRODUCTS_UPDATE", "Product", product["id"])
    if arguments.get("synchronous") is False:
        operation = site.new("ProductSetOperation", product=product["id"], status="COMPLETE", userErrors=[])
        site.put("ProductSetOperation", operation)
        return {"product": None, "productSetOperation": {**operation, "status": "CREATED"}, "userErrors": []}
    return {"product": product, "productSetOperation": None, "userErrors": []}


@field("QueryRoot.productOperation", scope="read_products")
def operation(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.one("ProductSetOperation", arguments["id"])


@field("ProductSetOperation.product")
def operation_product(site: Site, one: Fields, _arguments: Fields) -> Fields | None:
    return site.one("Product", one["product"]) if one["status"] == "COMPLETE" else None


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


def _within_limits(wish: Fields) -> None:
    given = wish.get("variants") or []
    if len(wish.get("productOptions") or []) > MOST_OPTIONS:
        raise UserError(
            "Can only specify a maximum of 3 options", "OPTIONS_OVER_LIMIT", "input", "productOptions"
        )
    if len(given) > MOST_VARIANTS:
        message = f"The number of variants can't exceed {MOST_VARIANTS}"
        raise UserError(message, "VARIANTS_OVER_LIMIT", "input", "variants")
    if sum(len(one.get("inventoryQuantities") or []) for one in given) > MOST_QUANTITIES:
        message = f"The number of inventory quantities can't exceed {MOST_QUANTITIES}"
        raise UserError(message, "INVENTORY_QUANTITIES_LIMIT_EXCEEDED", "input", "variants")
    if given and not wish.get("productOptions"):
        message = "Product options input is required when updating variants"
        raise UserError(message, "PRODUCT_OPTIONS_INPUT_MISSING", "input", "productOptions")
    if wish.get("productOptions") and not given:
        message = "Variants input is required when updating product options"
        raise UserError(message, "VARIANTS_INPUT_MISSING", "input", "variants")


def _found(site: Site, named: Fields | None, wish: Fields) -> Fields | None:
    """The product meant; None where it is to be made. An id must exist; a handle or custom id need not."""
    if wish.get("id"):
        if named:
            raise UserError(
                "The id field is not allowed if identifier is provided.", "ID_NOT_ALLOWED", "input", "id"
            )
        named = {"id": wish["id"]}
    if not named:
        return None
    if named.get("handle") and wish.get("handle") not in (None, named["handle"]):
        raise _mismatch("handle")
    custom = named.get("customId")
    if custom:
        same = (metafields.full(custom.get("namespace")), custom["key"])
        for one in wish.get("metafields") or []:
            if (metafields.full(one.get("namespace")), one.get("key")) == same and one.get("value") != custom[
                "value"
            ]:
                raise _mismatch("metafields")
    try:
        product = products.identified(site, named)
    except GraphQLError as error:
        if (error.extensions or {}).get("code") != "NOT_FOUND":
            raise
        raise UserError(error.message, "METAFIELD_MISMATCH", "identifier", "customId") from None
    if product is None and named.get("id"):
        raise UserError("Product does not exist", "PRODUCT_DOES_NOT_EXIST", "input")
    return product


def _mismatch(name: str) -> UserError:
    return UserError("The identifier value does not match the value of the corresponding field in the input.", "INPUT_MISMATCH", "input", name)  # fmt: skip


def _blank(site: Site, wish: Fields, named: Fields | None) -> Fields:
    if not (wish.get("title") or "").strip():
        raise UserError("Title can't be blank", "INVALID_PRODUCT", "input", "title")
    wished = (named or {}).get("handle") or wish.get("handle")
    handle = wished or _free_handle(site, wish["title"])
    if wished and site.all("Product", "slug = ?", wished):
        raise UserError(f"Handle '{wished}' already in use.", "HANDLE_NOT_UNIQUE", "input", "handle")
    return site.new(
        "Product",
        title=wish["title"],
        handle=handle,
        slug=handle,
        descriptionHtml="",
        vendor=site.name,
        productType="",
        tags=[],
        status="ACTIVE",
        seo={"title": None, "description": None},
        options=[],
        files=[],
        published=[],
        publishedAt=None,
    )


def _variants(site: Site, product: Fields, wish: Fields, *, fresh: bool) -> None:
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
    for name in ("barcode", "inventoryPolicy", "taxable", "sku"):
        if name in given:
            variant[name] = given[name]
    if given.get("price") is not None:
        variant["price"] = price(given["price"], *where, "price")
    if "compareAtPrice" in given:
        variant["compareAtPrice"] = price(given["compareAtPrice"], *where, "compareAtPrice")
    _item(site, variant, item, given.get("inventoryItem") or {})
    if "file" in given:
        variant["mediaId"] = media.of_variant(site, product, given["file"])
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


def _item(site: Site, variant: Fields, item: Fields, given: Fields) -> None:
    only(given, "an inventory item", *_ITEM)
    if "sku" in given:
        variant["sku"] = given["sku"]
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


def _free_handle(site: Site, title: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c)).lower()
    wished = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "product"
    handle, number = wished, 0
    while site.all("Product", "slug = ?", handle):
        number += 1
        handle = f"{wished}-{number}"
    return handle
