"""Collections: shelves that products stand on by hand; a product may be on many.

Every collection has one source whose inclusion names its products, as since 2026-07 (shopify.dev, "CollectionSource").
Shelves filled by conditions belong to the shop's people (`smart`), and nobody joins those by hand.
"""

from typing import Any

from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.search import matcher
from sandbox.shopify.site import Site, connection, free_handle, gid

_SMART = "Can't manually add products to a smart collection"


def make(site: Site, title: str, *, handle: str = "", smart: bool = False) -> Fields:
    """A new, empty one. A handle of its own is made where none is given."""
    if not title.strip():
        raise UserError("Title can't be blank", "", "collection", "title")
    if handle and site.all("Collection", "slug = ?", handle):
        raise UserError(f"Handle '{handle}' already in use.", "", "collection", "handle")
    named = handle or free_handle(site, "Collection", title)
    made = site.new(
        "Collection",
        title=title,
        handle=named,
        slug=named,
        descriptionHtml="",
        sortOrder="BEST_SELLING",
        templateSuffix=None,
        seo={"title": None, "description": None},
        published=[],
        publishedAt=None,
        smart=smart,
        source=site.number("CollectionConditionsSource"),
        sourceTitle=title,
    )
    site.put("Collection", made)
    return made


def of(site: Site, product: Fields) -> list[Fields]:
    """The collections a product stands in."""
    rows = site.all("Member", "slug = ?", str(product["id"]))
    return [one for one in (site.one("Collection", row["parent"]) for row in rows) if one is not None]


def join(site: Site, product: Fields, ids: list[str], *where: str) -> None:
    held = {one["id"] for one in of(site, product)}
    for one in ids:
        shelf = _manual(site, one, *where)
        if shelf["id"] not in held:
            held.add(shelf["id"])
            member = {"id": site.number("Member"), "parent": shelf["id"], "slug": str(product["id"])}
            site.put("Member", member)
            site.touch(shelf)


def leave(site: Site, product: Fields, ids: list[str], *where: str) -> None:
    gone = {_manual(site, one, *where)["id"] for one in ids}
    for row in site.all("Member", "slug = ?", str(product["id"])):
        if row["parent"] in gone:
            site.store.drop("Member", row["id"])


def stand_in(site: Site, product: Fields, ids: list[str]) -> None:
    """In these and in no other that is filled by hand, as productSet means it."""
    others = [gid("Collection", one["id"]) for one in of(site, product) if not one["smart"]]
    leave(site, product, [one for one in others if one not in ids])
    try:
        join(site, product, ids)
    except UserError as error:
        raise UserError(str(error), "INVALID_INPUT", "input", "collections") from None


def forget(site: Site, product: Fields) -> None:
    """The product is gone."""
    for row in site.all("Member", "slug = ?", str(product["id"])):
        site.store.drop("Member", row["id"])


@field("QueryRoot.collection", scope="read_products")
def collection(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.one("Collection", arguments["id"])


@field("QueryRoot.collectionByHandle", scope="read_products")
def by_handle(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return next(iter(site.all("Collection", "slug = ?", arguments["handle"])), None)


@field("QueryRoot.collectionByIdentifier", scope="read_products")
def by_identifier(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    named = arguments["identifier"]
    only(named, "a collection's identifier", "id", "handle")
    if named.get("id"):
        return site.one("Collection", named["id"])
    return next(iter(site.all("Collection", "slug = ?", named["handle"])), None)


@field("QueryRoot.collections", scope="read_products")
def collections(site: Site, _source: Any, arguments: Fields) -> Fields:
    match = matcher(
        arguments.get("query"),
        {
            "id": lambda one: one["id"],
            "title": lambda one: one["title"],
            "handle": lambda one: one["handle"],
            "collection_type": lambda one: "smart" if one["smart"] else "custom",
            "updated_at": lambda one: one["modified"],
        },
    )
    return site.page("Collection", arguments, match)


@field("Product.collections")
def product_collections(site: Site, product: Fields, arguments: Fields) -> Fields:
    if arguments.get("query"):
        raise not_simulated("a search for a product's collections")
    return connection(of(site, product), arguments)


@field("Product.inCollection")
def in_collection(site: Site, product: Fields, arguments: Fields) -> bool:
    return any(gid("Collection", one["id"]) == arguments["id"] for one in of(site, product))


@field("Collection.products")
def collection_products(site: Site, shelf: Fields, arguments: Fields) -> Fields:
    return connection(_products(site, shelf), arguments)


@field("Collection.productsCount")
def products_count(site: Site, shelf: Fields, _arguments: Fields) -> Fields:
    return {"count": len(_products(site, shelf)), "precision": "EXACT"}


@field("Collection.hasProduct")
def has_product(site: Site, shelf: Fields, arguments: Fields) -> bool:
    return any(gid("Product", one["id"]) == arguments["id"] for one in _products(site, shelf))


@field("Collection.sources")
def sources(site: Site, shelf: Fields, _arguments: Fields) -> list[Fields]:
    return [
        {
            "__typename": "CollectionConditionsSource",
            "id": shelf["source"],
            "title": shelf["sourceTitle"],
            "description": None,
            "targetType": "PRODUCTS",
            "shareable": False,
            "app": None,
            "exclusion": None,
            "inclusion": {"shelf": shelf["id"], "matchType": "ALL"},
        }
    ]


@field("CollectionSourceInclusion.selections")
def selections(site: Site, inclusion: Fields, arguments: Fields) -> Fields:
    shelf = site.one("Collection", inclusion["shelf"])
    assert shelf is not None
    rows = [
        {"id": one["id"], "product": one, "variantIds": None}
        for one in _products(site, shelf)
        if not shelf["smart"]
    ]
    return connection(rows, arguments)


@mutation("collectionCreate", scope="write_products")
def create(site: Site, _source: Any, arguments: Fields) -> Fields:
    wish = arguments.get("collection") or arguments.get("input") or {}
    only(
        wish,
        "collectionCreate",
        "title",
        "handle",
        "descriptionHtml",
        "seo",
        "sortOrder",
        "sources",
        "products",
    )
    made = make(site, wish.get("title") or "", handle=wish.get("handle") or "")
    _write(made, wish)
    site.touch(made)
    ids = list(wish.get("products") or [])
    given = wish.get("sources") or []
    if len(given) > 1:
        raise not_simulated("a collection of several sources")
    for one in given:
        only(one, "a collection's source", "source")
        only(one["source"], "a collection's source", "title", "description", "inclusion", "targetType")
        inclusion = one["source"].get("inclusion") or {}
        only(inclusion, "an inclusion", "selections", "matchType")
        made["sourceTitle"] = one["source"]["title"]
        site.touch(made)
        ids += _selected(inclusion.get("selections"))
    _add(site, made, ids)
    return {"collection": made, "userErrors": []}


@mutation("collectionUpdate", scope="write_products")
def update(site: Site, _source: Any, arguments: Fields) -> Fields:
    wish = arguments.get("collection") or arguments.get("input") or {}
    only(
        wish,
        "collectionUpdate",
        "id",
        "title",
        "handle",
        "descriptionHtml",
        "seo",
        "sortOrder",
        "sourcesToUpdate",
    )
    shelf = site.one("Collection", wish["id"]) if wish.get("id") else None
    if shelf is None:
        raise UserError("Collection does not exist", "", "collection", "id")
    _write(shelf, wish)
    handle = wish.get("handle")
    if handle and handle != shelf["handle"]:
        if site.all("Collection", "slug = ?", handle):
            raise UserError(f"Handle '{handle}' already in use.", "", "collection", "handle")
        shelf["handle"] = shelf["slug"] = handle
    site.touch(shelf)
    for one in wish.get("sourcesToUpdate") or []:
        only(one, "a source's update", "condition")
        _update_source(site, shelf, one["condition"])
    return {"collection": site.one("Collection", shelf["id"]), "job": _job(site), "userErrors": []}


@mutation("collectionAddProducts", scope="write_products")
def add_products(site: Site, _source: Any, arguments: Fields) -> Fields:
    shelf = _manual(site, arguments["id"], "id")
    _add(site, shelf, arguments["productIds"], "productIds")
    return {"collection": site.one("Collection", shelf["id"]), "userErrors": []}


@mutation("collectionAddProductsV2", scope="write_products")
def add_products_later(site: Site, _source: Any, arguments: Fields) -> Fields:
    _add(site, _manual(site, arguments["id"], "id"), arguments["productIds"], "productIds")
    return {"job": _job(site), "userErrors": []}


@mutation("collectionRemoveProducts", scope="write_products")
def remove_products(site: Site, _source: Any, arguments: Fields) -> Fields:
    _remove(site, _manual(site, arguments["id"], "id"), arguments["productIds"])
    return {"job": _job(site), "userErrors": []}


@mutation("collectionDelete", scope="write_products")
def delete(site: Site, _source: Any, arguments: Fields) -> Fields:
    shelf = site.one("Collection", arguments["input"]["id"])
    if shelf is None:
        raise UserError("Collection does not exist", "", "input", "id")
    for row in site.all("Member", "parent = ?", shelf["id"]):
        site.store.drop("Member", row["id"])
    site.store.drop("Collection", shelf["id"])
    return {"deletedCollectionId": gid("Collection", shelf["id"]), "userErrors": []}


@field("QueryRoot.job")
def job(_site: Site, _source: Any, arguments: Fields) -> Fields:
    return {"id": arguments["id"], "done": True}


def _write(shelf: Fields, wish: Fields) -> None:
    if "title" in wish and not (wish["title"] or "").strip():
        raise UserError("Title can't be blank", "", "collection", "title")
    for name in ("title", "descriptionHtml", "sortOrder"):
        if wish.get(name) is not None:
            shelf[name] = wish[name]
    shelf["seo"] = {**shelf["seo"], **(wish.get("seo") or {})}


def _update_source(site: Site, shelf: Fields, wish: Fields) -> None:
    only(wish, "a source's update", "id", "title", "inclusion")
    if wish["id"] != gid("CollectionConditionsSource", shelf["source"]):
        raise UserError("Source does not exist", "", "collection", "sourcesToUpdate")
    inclusion = wish.get("inclusion") or {}
    only(inclusion, "an inclusion's update", "selectionsToAdd", "selectionsToRemove")
    if shelf["smart"]:
        raise UserError(_SMART, "", "collection", "sourcesToUpdate")
    _add(site, shelf, _selected(inclusion.get("selectionsToAdd")), "collection", "sourcesToUpdate")
    _remove(site, shelf, _selected(inclusion.get("selectionsToRemove")))


def _selected(rows: list[Fields] | None) -> list[str]:
    for one in rows or []:
        only(one, "a selection", "productId")
    return [one["productId"] for one in rows or []]


def _add(site: Site, shelf: Fields, ids: list[str], *where: str) -> None:
    for one in ids:
        product = site.one("Product", one)
        if product is None:
            raise UserError("Product does not exist", "", *where)
        join(site, product, [gid("Collection", shelf["id"])])
        _changed(site, product)


def _remove(site: Site, shelf: Fields, ids: list[str]) -> None:
    for one in ids:
        product = site.one("Product", one)
        if product is not None:
            leave(site, product, [gid("Collection", shelf["id"])])
            _changed(site, product)


def _products(site: Site, shelf: Fields) -> list[Fields]:
    rows = site.all("Member", "parent = ?", shelf["id"])
    return [one for one in (site.one("Product", int(row["slug"])) for row in rows) if one is not None]


def _manual(site: Site, named: str, *where: str) -> Fields:
    shelf = site.one("Collection", named)
    if shelf is None:
        raise UserError("Collection does not exist", "COLLECTION_DOES_NOT_EXIST", *where)
    if shelf["smart"]:
        raise UserError(_SMART, "CANT_ADD_TO_SMART_COLLECTION", *where)
    return shelf


def _changed(site: Site, product: Fields) -> None:
    site.touch(product)
    site.fired("PRODUCTS_UPDATE", "Product", product["id"])


def _job(site: Site) -> Fields:
    return {"id": gid("Job", site.number("Job")), "done": True}
