"""Products as they are asked for, found, published, archived and deleted; product_set.py writes them."""

from typing import Any

from sandbox.shopify import collections, inventory, metafields
from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.search import matcher
from sandbox.shopify.site import Site, connection, gid

MOST_TAGS = 250
_WRITABLE = [
    "id",
    "title",
    "status",
    "descriptionHtml",
    "handle",
    "productType",
    "vendor",
    "tags",
    "seo",
    "metafields",
    "collectionsToJoin",
    "collectionsToLeave",
]


def variants_of(site: Site, product: Fields) -> list[Fields]:
    return site.all(
        "ProductVariant", "parent = ?", product["id"], order="json_extract(doc, '$.position'), id"
    )


def item_of(site: Site, variant: Fields) -> Fields:
    found = site.one("InventoryItem", variant["itemId"])
    assert found is not None
    return found


def changed(site: Site, product: Fields) -> None:
    """Written, and told to whoever listens."""
    site.touch(product)
    site.fired("PRODUCTS_UPDATE", "Product", product["id"])


def on_sale(product: Fields) -> bool:
    """Whether a buyer sees it."""
    return product["status"] == "ACTIVE" and bool(product["published"])


@field("QueryRoot.product", scope="read_products")
def product_by_id(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.one("Product", arguments["id"])


@field("QueryRoot.productVariant", scope="read_products")
def variant_by_id(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.one("ProductVariant", arguments["id"])


@field("QueryRoot.productByIdentifier", scope="read_products")
def product_by_identifier(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return identified(site, arguments["identifier"])


@field("QueryRoot.products", scope="read_products")
def products(site: Site, _source: Any, arguments: Fields) -> Fields:
    return site.page("Product", arguments, _product_match(site, arguments.get("query")))


@field("QueryRoot.productsCount", scope="read_products")
def products_count(site: Site, _source: Any, arguments: Fields) -> Fields:
    match = _product_match(site, arguments.get("query"))
    return {"count": sum(1 for one in site.all("Product") if match(one)), "precision": "EXACT"}


@field("QueryRoot.productVariants", scope="read_products")
def variants(site: Site, _source: Any, arguments: Fields) -> Fields:
    return site.page("ProductVariant", arguments, _variant_match(site, arguments.get("query")))


@field("QueryRoot.productVariantsCount", scope="read_products")
def variants_count(site: Site, _source: Any, arguments: Fields) -> Fields:
    match = _variant_match(site, arguments.get("query"))
    return {"count": sum(1 for one in site.all("ProductVariant") if match(one)), "precision": "EXACT"}


@field("Product.variants")
def product_variants(site: Site, product: Fields, arguments: Fields) -> Fields:
    return connection(variants_of(site, product), arguments)


@field("Product.variantsCount")
def product_variants_count(site: Site, product: Fields, _arguments: Fields) -> Fields:
    return {"count": len(variants_of(site, product)), "precision": "EXACT"}


@field("Product.options")
def options(_site: Site, product: Fields, arguments: Fields) -> list[Fields]:
    return list(product["options"][: arguments.get("first") or None])


@field("ProductOption.values")
def option_values(_site: Site, option: Fields, _arguments: Fields) -> list[str]:
    return [one["name"] for one in option["optionValues"]]


@field("Product.totalInventory")
def total_inventory(site: Site, product: Fields, _arguments: Fields) -> int:
    return sum(inventory.total(item_of(site, one)) for one in variants_of(site, product))


@field("Product.hasOnlyDefaultVariant")
def only_default(_site: Site, product: Fields, _arguments: Fields) -> bool:
    return [one["name"] for one in product["options"]] == ["Title"]


@field("Product.publishedOnPublication", "Collection.publishedOnPublication")
def published_on(site: Site, product: Fields, arguments: Fields) -> bool:
    found = site.one("Publication", arguments["publicationId"])
    return found is not None and found["id"] in product["published"]


@field("Product.resourcePublicationsV2", "Collection.resourcePublicationsV2")
def publications(site: Site, product: Fields, arguments: Fields) -> Fields:
    rows = [site.one("Publication", one) for one in product["published"]]
    return connection(
        [
            {"id": one["id"], "isPublished": True, "publication": one, "publishable": product}
            for one in rows
            if one
        ],
        arguments,
    )


@field("ProductVariant.product")
def product_of(site: Site, variant: Fields, _arguments: Fields) -> Fields | None:
    return site.one("Product", variant["parent"])


@field("ProductVariant.inventoryItem")
def variant_item(site: Site, variant: Fields, _arguments: Fields) -> Fields:
    return item_of(site, variant)


@field("ProductVariant.inventoryQuantity", "ProductVariant.sellableOnlineQuantity")
def variant_quantity(site: Site, variant: Fields, _arguments: Fields) -> int:
    return inventory.total(item_of(site, variant))


@field("ProductVariant.availableForSale")
def variant_for_sale(site: Site, variant: Fields, _arguments: Fields) -> bool:
    item = item_of(site, variant)
    return not item["tracked"] or variant["inventoryPolicy"] == "CONTINUE" or inventory.total(item) > 0


@field("ProductVariant.title")
def variant_title(_site: Site, variant: Fields, _arguments: Fields) -> str:
    return " / ".join(variant["values"])


@field("ProductVariant.displayName")
def variant_name(site: Site, variant: Fields, _arguments: Fields) -> str:
    product = site.one("Product", variant["parent"])
    return f"{product['title'] if product else ''} - {' / '.join(variant['values'])}"


@field("ProductVariant.selectedOptions")
def selected(site: Site, variant: Fields, _arguments: Fields) -> list[Fields]:
    product = site.one("Product", variant["parent"])
    assert product is not None
    rows = []
    for option, value in zip(product["options"], variant["values"], strict=True):
        held = next(one for one in option["optionValues"] if one["name"] == value)
        rows.append({"name": option["name"], "value": value, "optionValue": held})
    return rows


@mutation("productUpdate", scope="write_products")
def update(site: Site, _source: Any, arguments: Fields) -> Fields:
    if arguments.get("input") or arguments.get("media"):
        raise not_simulated("input or media in productUpdate")
    wish = arguments.get("product") or {}
    only(wish, "productUpdate", *_WRITABLE)
    named = arguments.get("identifier") or {"id": wish.get("id") or gid("Product", 0)}
    product = identified(site, named)
    if product is None:
        raise UserError("Product does not exist", "", "id")
    if "metafields" in wish:
        for one in wish["metafields"] or []:
            metafields.add(site, product, one)
    write_plain(site, product, wish)
    collections.join(site, product, wish.get("collectionsToJoin") or [], "product", "collectionsToJoin")
    collections.leave(site, product, wish.get("collectionsToLeave") or [], "product", "collectionsToLeave")
    changed(site, product)
    return {"product": product, "userErrors": []}


@mutation("productDelete", scope="write_products")
def delete(site: Site, _source: Any, arguments: Fields) -> Fields:
    if arguments.get("synchronous") is False:
        raise not_simulated("productDelete in the background")
    product = site.one("Product", arguments["input"]["id"])
    if product is None:
        raise UserError("Product does not exist", "", "id")
    remove(site, product)
    return {"deletedProductId": gid("Product", product["id"]), "userErrors": []}


@mutation("publishablePublish", scope="write_publications")
def publish(site: Site, _source: Any, arguments: Fields) -> Fields:
    return _publication(site, arguments, there=True)


@mutation("publishableUnpublish", scope="write_publications")
def unpublish(site: Site, _source: Any, arguments: Fields) -> Fields:
    return _publication(site, arguments, there=False)


@mutation("tagsAdd", scope="write_products")
def add_tags(site: Site, _source: Any, arguments: Fields) -> Fields:
    found = _tagged(site, arguments["id"])
    write_plain(site, found, {"tags": [*found["tags"], *arguments["tags"]]})
    changed(site, found)
    return {"node": found, "userErrors": []}


@mutation("tagsRemove", scope="write_products")
def remove_tags(site: Site, _source: Any, arguments: Fields) -> Fields:
    found = _tagged(site, arguments["id"])
    gone = {one.strip().casefold() for one in arguments["tags"]}
    write_plain(site, found, {"tags": [one for one in found["tags"] if one.casefold() not in gone]})
    changed(site, found)
    return {"node": found, "userErrors": []}


def identified(site: Site, named: Fields) -> Fields | None:
    """The product of an id, a handle or a custom id."""
    if named.get("id"):
        return site.one("Product", named["id"])
    if named.get("handle"):
        found = site.all("Product", "slug = ?", named["handle"])
        return found[0] if found else None
    number = metafields.named(site, "Product", named["customId"])
    return None if number is None else site.one("Product", number)


def write_plain(site: Site, product: Fields, wish: Fields) -> None:
    """Title, texts, tags, status and handle, where they are given. Raises UserError for what cannot be."""
    if "title" in wish:
        if not (wish["title"] or "").strip():
            raise UserError("Title can't be blank", "INVALID_PRODUCT", "input", "title")
        if len(wish["title"]) > 255:
            raise UserError(
                "Title is too long (maximum is 255 characters)", "INVALID_PRODUCT", "input", "title"
            )
        product["title"] = wish["title"]
    for name in ("descriptionHtml", "vendor", "productType"):
        if name in wish:
            product[name] = wish[name] or ""
    if wish.get("seo"):
        product["seo"].update(wish["seo"])
    if wish.get("status"):
        product["status"] = wish["status"]
    if "tags" in wish:
        once = {tag.strip().casefold(): tag.strip() for tag in reversed(wish["tags"] or []) if tag.strip()}
        if len(once) > MOST_TAGS or any(len(tag) > 255 for tag in once.values()):
            message = "Tags are at most 250, each of at most 255 characters"
            raise UserError(message, "INVALID_PRODUCT", "input", "tags")
        product["tags"] = sorted(once.values(), key=str.casefold)
    if len(wish.get("handle") or "") > 255:
        message = "Handle is too long (maximum is 255 characters)"
        raise UserError(message, "INVALID_PRODUCT", "input", "handle")
    if wish.get("handle") and wish["handle"] != product["handle"]:
        if site.all("Product", "slug = ? AND id <> ?", wish["handle"], product["id"]):
            raise UserError(
                f"Handle '{wish['handle']}' already in use.", "HANDLE_NOT_UNIQUE", "input", "handle"
            )
        product["handle"] = product["slug"] = wish["handle"]


def remove(site: Site, product: Fields) -> None:
    for one in variants_of(site, product):
        remove_variant(site, one)
    metafields.drop_all(site, product)
    collections.forget(site, product)
    site.store.drop("Product", product["id"])
    site.fired("PRODUCTS_DELETE", "Product", product["id"])


def remove_variant(site: Site, variant: Fields) -> None:
    metafields.drop_all(site, variant)
    site.store.drop("InventoryItem", variant["itemId"])
    site.store.drop("ProductVariant", variant["id"])


def _publication(site: Site, arguments: Fields, *, there: bool) -> Fields:
    found = site.any(arguments["id"])
    if found is None or found["__typename"] not in ("Product", "Collection"):
        raise UserError("Publishable does not exist", "", "id")
    for at, one in enumerate(arguments["input"]):
        only(one, "a publication", "publicationId")
        channel = site.one("Publication", one.get("publicationId"))
        if channel is None:
            raise UserError("Publication does not exist", "", "input", str(at), "publicationId")
        kept = [number for number in found["published"] if number != channel["id"]]
        found["published"] = kept + ([channel["id"]] if there else [])
    found["publishedAt"] = (found["publishedAt"] or site.now()) if found["published"] else None
    site.touch(found)
    if found["__typename"] == "Product":
        changed(site, found)
    return {"publishable": found, "userErrors": []}


def _tagged(site: Site, named: str) -> Fields:
    found = site.any(named)
    if found is not None and found["__typename"] != "Product":
        raise not_simulated("tags of anything but products")
    if found is None:
        raise UserError("Resource does not exist", "", "id")
    return found


def _product_match(site: Site, query: str | None) -> Any:
    held: dict[int, list[Fields]] = {}

    def of(product: Fields) -> list[Fields]:
        if product["id"] not in held:
            held[product["id"]] = variants_of(site, product)
        return held[product["id"]]

    return matcher(
        query,
        {
            "id": lambda one: one["id"],
            "sku": lambda one: [variant["sku"] for variant in of(one)],
            "barcode": lambda one: [variant["barcode"] for variant in of(one)],
            "tag": lambda one: one["tags"],
            "status": lambda one: one["status"],
            "handle": lambda one: one["handle"],
            "title": lambda one: one["title"],
            "vendor": lambda one: one["vendor"],
            "updated_at": lambda one: one["modified"],
            "created_at": lambda one: one["created"],
        },
    )


def _variant_match(site: Site, query: str | None) -> Any:
    return matcher(
        query,
        {
            "id": lambda one: one["id"],
            "sku": lambda one: one["sku"],
            "barcode": lambda one: one["barcode"],
            "product_id": lambda one: one["parent"],
            "tag": lambda one: (site.one("Product", one["parent"]) or {}).get("tags", []),
            "product_status": lambda one: (site.one("Product", one["parent"]) or {}).get("status"),
            "updated_at": lambda one: one["modified"],
        },
    )
