"""A product and a variation as the REST API shows them, with every key that was recorded."""

from decimal import Decimal
from urllib.parse import quote

from sandbox.woocommerce import media, taxonomy, text
from sandbox.woocommerce.answers import Call, Fields
from sandbox.woocommerce.site import UNCATEGORIZED, Site, links

ALL = "GET, POST, PUT, PATCH, DELETE"


def product(site: Site, call: Call, doc: Fields, *, edit: bool = False) -> Fields:
    """A whole product. `edit`: the answer to a write, which has two keys more and an unrounded rating."""
    if doc["type"] == "variation":
        return _variation_as_product(site, call, doc)
    children = variations_of(site, doc) if doc["type"] == "variable" else []
    price, on_sale = _price(doc, children), _on_sale(site, doc, children)
    hidden = doc["status"] in ("draft", "pending", "auto-draft") or not doc["slug"]
    permalink = f"{call.base}/product/{doc['slug']}/"
    if hidden:
        permalink = f"{call.base}/?post_type=product&p={doc['id']}"
    shown = {
        "id": doc["id"],
        "name": doc["name"],
        "slug": doc["slug"],
        "permalink": permalink,
        **_created(site, doc),
        "type": doc["type"],
        "status": doc["status"],
        "featured": doc["featured"],
        "catalog_visibility": doc["catalog_visibility"],
        "description": doc["description"] if edit else text.paragraphs(doc["description"]),
        "short_description": doc["short_description"],
        "sku": doc["sku"],
        **_prices(site, doc, price, on_sale),
        "purchasable": price != "",
        "total_sales": doc["total_sales"],
        **_delivery(doc),
        "external_url": "",
        "button_text": "",
        "tax_status": doc["tax_status"],
        "tax_class": doc["tax_class"],
        "manage_stock": doc["manage_stock"],
        "stock_quantity": doc["stock_quantity"],
        **_backorders(doc, doc["stock_quantity"]),
        "low_stock_amount": doc["low_stock_amount"],
        "sold_individually": doc["sold_individually"],
        **_measures(doc),
        "shipping_required": not doc["virtual"],
        "shipping_taxable": not doc["virtual"] and doc["tax_status"] in ("taxable", "shipping"),
        "shipping_class": "",
        "shipping_class_id": 0,
        "reviews_allowed": doc["reviews_allowed"],
        "average_rating": "0" if edit else "0.00",
        "rating_count": 0,
        "upsell_ids": doc["upsell_ids"],
        "cross_sell_ids": doc["cross_sell_ids"],
        "parent_id": doc["parent"],
        "purchase_note": doc["purchase_note"],
        "categories": _categories(site, doc),
        "brands": [],
        "tags": taxonomy.tags_shown(site, doc.get("tags", [])),
        "images": [shown for image in doc["images"] if (shown := media.view(site, call, image))],
        "attributes": [_attribute(site, attribute) for attribute in doc["attributes"]],
        "default_attributes": doc["default_attributes"],
        "variations": [child["id"] for child in children],
        "grouped_products": [],
        "menu_order": doc["menu_order"],
        "price_html": _price_html(site, doc, children, price),
        "related_ids": site.store.shelf([*doc["categories"], *doc.get("tags", [])], doc["id"], 5),
        "meta_data": doc["meta"],
        "stock_status": stock_status(doc, children),
        "has_options": doc["type"] == "variable" and any(a["variation"] for a in doc["attributes"]),
        "post_password": doc["post_password"],
        "global_unique_id": doc["gtin"],
    }
    if edit:
        shown["permalink_template"] = f"{call.base}/product/%pagename%/"
        shown["generated_slug"] = doc["slug"] or text.slug(doc["name"])
    return shown | {"_links": links(call, f"products/{doc['id']}", "products", allow=ALL)}


def variation(site: Site, call: Call, doc: Fields, *, edit: bool = False) -> Fields:
    """A whole variation. What it leaves empty it takes from its parent, but for the tax class in `edit`."""
    parent = site.store.get("product", doc["parent"]) or doc
    manage, quantity = stock_of(doc, parent)
    price, on_sale = _price(doc, []), _on_sale(site, doc, [])
    address = f"products/{doc['parent']}/variations"
    tax_class = doc["tax_class"]
    if tax_class == "parent" and not edit:
        tax_class = parent["tax_class"]
    return {
        "id": doc["id"],
        "type": "variation",
        **_created(site, doc),
        "description": doc["description"],
        "permalink": _variation_address(call, doc, parent),
        "sku": doc["sku"] or parent["sku"],
        "global_unique_id": doc["gtin"],
        **_prices(site, doc, price, on_sale),
        "status": doc["status"],
        "purchasable": price != "",
        **_delivery(doc),
        "tax_status": doc["tax_status"],
        "tax_class": tax_class,
        "manage_stock": manage,
        "stock_quantity": quantity,
        "stock_status": parent["stock_status"] if manage == "parent" else doc["stock_status"],
        **_backorders(parent if manage == "parent" else doc, quantity),
        "low_stock_amount": doc["low_stock_amount"],
        **_measures(doc, parent),
        "shipping_class": "",
        "shipping_class_id": 0,
        "image": media.view(site, call, doc["images"][0], sizes=False) if doc["images"] else None,
        "gallery_image_ids": [],
        "attributes": choices(site, doc, parent),
        "menu_order": doc["menu_order"],
        "meta_data": doc["meta"],
        "name": ", ".join(choice["option"] for choice in choices(site, doc, parent)),
        "parent_id": doc["parent"],
        "_links": links(call, f"{address}/{doc['id']}", address, allow=ALL, up=f"products/{doc['parent']}"),
    }


def variations_of(site: Site, parent: Fields) -> list[Fields]:
    """The variations a shop counts as belonging to a product, in their order."""
    found = site.store.find(
        "kind = 'variation' AND parent = ? AND status IN ('publish', 'private')", (parent["id"],)
    )
    return sorted(found, key=lambda child: (child["menu_order"], child["id"]))


def stock_of(doc: Fields, parent: Fields) -> tuple[bool | str, int | None]:
    """`manage_stock` and the quantity of a variation: its own, its parent's ("parent"), or none."""
    if doc["manage_stock"]:
        return True, doc["stock_quantity"]
    return ("parent", parent["stock_quantity"]) if parent["manage_stock"] else (False, None)


def stock_status(doc: Fields, children: list[Fields]) -> str:
    """A variable product that manages no stock is as available as its best variation."""
    if doc["type"] != "variable" or doc["manage_stock"]:
        return str(doc["stock_status"])
    states = {child["stock_status"] for child in children}
    return next((state for state in ("instock", "onbackorder") if state in states), "outofstock")


def variation_title(site: Site, doc: Fields, parent: Fields) -> str:
    """The name a variation goes by outside its product, e.g. `Hub Shirt - S, slim`."""
    options = [choice["option"] for choice in choices(site, doc, parent)]
    if not options or len(options) > 2:
        return str(parent["name"])
    return f"{parent['name']} - {', '.join(options)}"


def current_price(site: Site, doc: Fields) -> str:
    """What one piece costs now: the sale price during the sale, else the regular one; "" when it has none."""
    return str(doc["sale_price"] if _on_sale(site, doc, []) else doc["regular_price"])


def _price(doc: Fields, children: list[Fields]) -> str:
    if doc["type"] != "variable":
        return str(doc["price"])
    prices = [child["price"] for child in children if child["price"] != ""]
    return min(prices, key=Decimal) if prices else ""


def _on_sale(site: Site, doc: Fields, children: list[Fields]) -> bool:
    if doc["type"] == "variable":
        return any(_on_sale(site, child, []) for child in children)
    sale, regular = text.as_decimal(doc["sale_price"]), text.as_decimal(doc["regular_price"])
    begun = doc["sale_from"] is None or doc["sale_from"] <= site.now()
    running = doc["sale_to"] is None or doc["sale_to"] >= site.now()
    return sale is not None and regular is not None and sale < regular and begun and running


def _created(site: Site, doc: Fields) -> Fields:
    return {
        "date_created": site.local(doc["created"]),
        "date_created_gmt": site.gmt(doc["created"]),
        "date_modified": site.local(doc["modified"]),
        "date_modified_gmt": site.gmt(doc["modified"]),
    }


def _prices(site: Site, doc: Fields, price: str, on_sale: bool) -> Fields:
    return {
        "price": price,
        "regular_price": doc["regular_price"],
        "sale_price": doc["sale_price"],
        "date_on_sale_from": site.local(doc["sale_from"]),
        "date_on_sale_from_gmt": site.gmt(doc["sale_from"]),
        "date_on_sale_to": site.local(doc["sale_to"]),
        "date_on_sale_to_gmt": site.gmt(doc["sale_to"]),
        "on_sale": on_sale,
    }


def _delivery(doc: Fields) -> Fields:
    return {
        "virtual": doc["virtual"],
        "downloadable": doc["downloadable"],
        "downloads": [],
        "download_limit": doc["download_limit"],
        "download_expiry": doc["download_expiry"],
    }


def _backorders(doc: Fields, quantity: int | None) -> Fields:
    allowed = doc["backorders"] != "no"
    return {
        "backorders": doc["backorders"],
        "backorders_allowed": allowed,
        "backordered": bool(allowed and doc["manage_stock"] and quantity is not None and quantity < 0),
    }


def _measures(doc: Fields, parent: Fields | None = None) -> Fields:
    def own(name: str) -> str:
        return str(doc[name] or (parent[name] if parent else ""))

    return {
        "weight": own("weight"),
        "dimensions": {side: own(side) for side in ("length", "width", "height")},
    }


def _categories(site: Site, doc: Fields) -> list[Fields]:
    """Those that still are; one whose last is gone falls back to the first of all."""
    found = [known for number in doc["categories"] if (known := site.store.get("category", number))]
    if not found and (first := site.store.get("category", UNCATEGORIZED)):
        found = [first]
    return [{key: category[key] for key in ("id", "name", "slug")} for category in found]


def _attribute(site: Site, attribute: Fields) -> Fields:
    if not attribute["id"]:
        return {**attribute, "slug": attribute["name"]}
    known = site.store.get("attribute", attribute["id"]) or {"name": "", "slug": ""}
    options = sorted(attribute["options"], key=str.casefold)
    return {**attribute, "name": known["name"], "slug": known["slug"], "options": options}


def choices(site: Site, doc: Fields, parent: Fields) -> list[Fields]:
    """What a variation chose of each attribute, by the names of its parent."""
    shown = []
    for choice in doc["choices"]:
        known = site.store.get("attribute", choice["id"]) if choice["id"] else None
        if known:
            terms = site.store.find("kind = ? AND slug = ?", (f"term {choice['id']}", choice["value"]))
            option = terms[0]["name"] if terms else choice["value"]
            shown.append({"id": choice["id"], "name": known["name"], "slug": known["slug"], "option": option})
        else:
            names = [a["name"] for a in parent["attributes"] if text.slug(a["name"]) == choice["key"]]
            name = names[0] if names else choice["key"]
            shown.append({"id": 0, "name": name, "slug": choice["key"], "option": choice["value"]})
    return [choice for choice in shown if choice["option"]]


def _variation_address(call: Call, doc: Fields, parent: Fields) -> str:
    chosen = "&".join(f"attribute_{choice['key']}={quote(choice['value'])}" for choice in doc["choices"])
    return f"{call.base}/product/{parent['slug']}/" + (f"?{chosen}" if chosen else "")


def _variation_as_product(site: Site, call: Call, doc: Fields) -> Fields:
    """A variation found by its SKU in the list of products: all keys of a product, with its own values."""
    parent = site.store.get("product", doc["parent"]) or doc
    own = variation(site, call, doc)
    whole = product(site, call, {**doc, "type": "simple", "slug": doc["slug"] or str(doc["id"])})
    shared = {key: own[key] for key in whole if key in own}
    rest = {"name": variation_title(site, doc, parent), "categories": [], "related_ids": [], "images": []}
    address = f"products/{doc['id']}"
    return (
        whole
        | shared
        | rest
        | {"_links": links(call, address, "products", allow=ALL, up=f"products/{doc['parent']}")}
    )


def _price_html(site: Site, doc: Fields, children: list[Fields], price: str) -> str:
    if price == "":
        return ""
    prices = sorted(text.as_decimal(child["price"]) or Decimal(0) for child in children if child["price"])
    if prices and prices[0] != prices[-1]:
        low, high = (site.net(amount) for amount in (prices[0], prices[-1]))
        sign = text.symbol(site.currency)
        return (
            f'{text.price_html(low, site.currency, hidden=True)} <span aria-hidden="true">&ndash;</span> '
            f"{text.price_html(high, site.currency, hidden=True)}"
            f'<span class="screen-reader-text">Price range: {sign}{text.rounded(low):,} '
            f"through {sign}{text.rounded(high):,}</span>"
        )
    return text.price_html(site.net(text.as_decimal(price) or Decimal(0)), site.currency)
