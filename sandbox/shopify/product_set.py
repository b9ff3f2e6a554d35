"""productSet: an upsert whose lists delete what they leave out."""

from typing import Any

from graphql import GraphQLError

from sandbox.shopify import collections, media, metafields, products, variants
from sandbox.shopify.answers import Fields, UserError, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.site import Site, free_handle

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
    "collections",
    "redirectNewHandle",
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
    variants.put_all(site, product, wish, fresh=fresh)
    site.put("Product", product)
    if "metafields" in wish:
        metafields.put_all(site, product, wish["metafields"] or [])
    if fresh and named and named.get("customId"):
        metafields.put(site, product, {**named["customId"], "type": "id"})
    if "collections" in wish:
        collections.stand_in(site, product, wish["collections"] or [])
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
    handle = wished or free_handle(site, "Product", wish["title"])
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
