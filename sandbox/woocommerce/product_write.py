"""What a request's fields do to a product or a variation: WooCommerce's setters, with their silent corruptions."""

import datetime
from collections.abc import Mapping
from typing import Any

from sandbox.woocommerce import coerce, media, product_view, schema, taxonomy, text
from sandbox.woocommerce.answers import Call, Fields, NotSimulated, Refusal
from sandbox.woocommerce.site import UNCATEGORIZED, Site

_STRINGS = ("catalog_visibility", "tax_status", "post_password")
_BOOLEANS = ("featured", "virtual", "downloadable", "sold_individually", "reviews_allowed")
_NUMBERS = ("menu_order", "download_limit", "download_expiry")
_HTML = ("description", "short_description", "purchase_note")
_TRASHED = "__trashed"
_TAX_CLASSES = ("", "reduced-rate", "zero-rate")
_NOT_SIMULATED = ("downloads", "brands", "grouped_products", "shipping_class", "gallery_image_ids")


def blank(kind: str, number: int, parent: int, now: int) -> Fields:
    """A product (`simple`, `variable`) or `variation` with nothing said about it yet."""
    return {
        "id": number,
        "type": kind,
        "parent": parent,
        "name": "",
        "slug": "",
        "status": "publish",
        "created": now,
        "modified": now,
        "sku": "",
        "gtin": "",
        "price": "",
        "regular_price": "",
        "sale_price": "",
        "sale_from": None,
        "sale_to": None,
        "manage_stock": False,
        "stock_quantity": None,
        "stock_status": "instock",
        "backorders": "no",
        "low_stock_amount": None,
        "total_sales": 0,
        "catalog_visibility": "visible",
        "tax_status": "taxable",
        "tax_class": "parent" if kind == "variation" else "",
        "post_password": "",
        **dict.fromkeys(_HTML, ""),
        **dict.fromkeys(("featured", "virtual", "downloadable", "sold_individually"), False),
        "reviews_allowed": True,
        "menu_order": 0,
        "download_limit": -1,
        "download_expiry": -1,
        **dict.fromkeys(("weight", "length", "width", "height"), ""),
        "upsell_ids": [],
        "cross_sell_ids": [],
        "categories": [UNCATEGORIZED],
        "tags": [],
        "images": [],
        "attributes": [],
        "default_attributes": [],
        "choices": [],
        "meta": [],
    }


def apply(site: Site, call: Call, doc: Fields, fields: Fields, *, creating: bool) -> None:
    """Change `doc` by what the fields say; unknown fields are ignored.

    Raises Refusal as the shop would (then nothing may be stored), NotSimulated for what was never recorded.
    """
    for name in _NOT_SIMULATED:
        if fields.get(name):
            raise NotSimulated(f"the field {name}")
    _enums(doc, fields)
    _texts(site, doc, fields)
    _keys(site, call, doc, fields, creating=creating)
    if "attributes" in fields:
        _choices(site, doc, fields) if doc["type"] == "variation" else _attributes(site, doc, fields)
    _prices(site, doc, fields)
    if site.counts:
        _stock(doc, fields, call.stocks)
    _shipping(doc, fields)
    if doc["type"] != "variation":
        _lists(site, doc, fields)
    _images(site, call, doc, fields)
    _meta(site, doc, fields)
    doc["price"] = "" if doc["type"] == "variable" else product_view.current_price(site, doc)


def _enums(doc: Fields, fields: Fields) -> None:
    """Single calls were checked before; a batch with a word unknown to the shop was never recorded."""
    rules = schema.VARIATION if doc["type"] == "variation" else schema.PRODUCT
    for name in ("status", "type", "stock_status", "backorders", "tax_status", "catalog_visibility"):
        value = fields.get(name)
        if value is not None and name in rules and value not in rules[name].enum:
            raise NotSimulated(f"{name} {value!r} in a batch")
    if fields.get("type") in ("grouped", "external") and doc["type"] != "variation":
        raise NotSimulated(f"a product of type {fields['type']}")
    if fields.get("status") == "future":
        raise NotSimulated("a product of the status future")


def _texts(site: Site, doc: Fields, fields: Fields) -> None:
    if fields.get("type") and doc["type"] != "variation":
        doc["type"] = fields["type"]
    if fields.get("status"):
        doc["status"] = fields["status"]
    for name in (*_STRINGS, *_BOOLEANS, *_NUMBERS, *_HTML):
        if fields.get(name) is None:
            continue
        if name in _HTML:
            doc[name] = text.kses(coerce.string(fields[name]))
        elif name in _BOOLEANS:
            doc[name] = coerce.boolean(fields[name])
        elif name in _NUMBERS:
            doc[name] = coerce.integer(fields[name])
        else:
            doc[name] = coerce.string(fields[name])
    if fields.get("tax_class") is not None:
        wanted = str(fields["tax_class"])
        known = wanted in _TAX_CLASSES or (wanted == "parent" and doc["type"] == "variation")
        doc["tax_class"] = wanted if known else ""
    if doc["type"] == "variation":
        return
    if fields.get("name") is not None:
        doc["name"] = text.kses(coerce.string(fields["name"])).strip()
    doc["name"] = doc["name"] or "Product"
    _address(site, doc, text.slug(str(fields.get("slug") or "")))


def _address(site: Site, doc: Fields, wanted: str) -> None:
    """As WordPress' wp_insert_post: a draft keeps what it was given, one in the trash makes room for others."""
    if doc["status"] == "trash":
        if not doc["slug"].endswith(_TRASHED):
            doc.update(slug=f"{doc['slug']}{_TRASHED}", slug_before=doc["slug"])
        return
    wanted = wanted or doc.pop("slug_before", "") or doc["slug"]
    if doc["status"] not in ("draft", "pending", "auto-draft"):
        wanted = free_slug(site, wanted or text.slug(doc["name"]), doc["id"])
    doc["slug"] = wanted


def _keys(site: Site, call: Call, doc: Fields, fields: Fields, *, creating: bool) -> None:
    if fields.get("sku") is not None:
        sku = text.clean(coerce.string(fields["sku"]))
        holders = _holders(site, "sku", sku.casefold(), doc["id"])
        living = [holder for holder in holders if holder["status"] != "trash"]
        if living and not (call.unheld and sku.casefold() == call.unheld):
            raise Refusal(
                "product_invalid_sku",
                "Invalid or duplicated SKU.",
                400,
                resource_id=living[0]["id"],
                unique_sku=_free_sku(site, sku),
            )
        if holders and creating and doc["type"] != "variation":
            # The lookup table is asked when a product is made, not for a variation and not at a change (is_existing_sku
            # and create in WooCommerce's class-wc-product-data-store-cpt.php and …-variation-data-store-cpt.php).
            message = f"The product with SKU ({sku}) you are trying to insert is already present in the lookup table"
            raise Refusal("woocommerce_rest_product_not_created", message, 400)
        doc["sku"] = sku
    if fields.get("global_unique_id") is not None:
        gtin = "".join(c for c in coerce.string(fields["global_unique_id"]) if c.isdigit() or c in "-X")
        living = [h for h in _holders(site, "gtin", gtin, doc["id"]) if h["status"] != "trash"]
        if living:
            message = "Invalid or duplicated GTIN, UPC, EAN or ISBN."
            raise Refusal("product_invalid_global_unique_id", message, 400, resource_id=living[0]["id"])
        doc["gtin"] = gtin


def _holders(site: Site, column: str, value: str, besides: int) -> list[Fields]:
    if not value:
        return []
    return site.store.find(f"{column} = ? AND id <> ? AND kind IN ('product', 'variation')", (value, besides))


def _free_sku(site: Site, sku: str) -> str:
    number = 1
    while _holders(site, "sku", f"{sku}-{number}".casefold(), 0):
        number += 1
    return f"{sku}-{number}"


def free_slug(site: Site, wanted: str, number: int) -> str:
    wanted = wanted or "product"
    found, copies = wanted, 1
    while site.store.count("kind = 'product' AND slug = ? AND id <> ?", (found, number)):
        copies += 1
        found = f"{wanted}-{copies}"
    return found


def _prices(site: Site, doc: Fields, fields: Fields) -> None:
    if doc["type"] == "variable":
        doc.update(regular_price="", sale_price="", sale_from=None, sale_to=None)
        return
    for name in ("regular_price", "sale_price"):
        if name in fields:
            doc[name] = text.decimal_text(fields[name])
    regular, sale = text.as_decimal(doc["regular_price"]), text.as_decimal(doc["sale_price"])
    if sale is not None and (regular is None or sale > regular):
        doc["sale_price"] = ""
    for name in ("sale_from", "sale_to"):
        if f"date_on_{name}" in fields:
            doc[name] = _moment(fields[f"date_on_{name}"], -site.utc_offset)
        if f"date_on_{name}_gmt" in fields:
            doc[name] = _moment(fields[f"date_on_{name}_gmt"], 0)


def _moment(value: Any, correction: int) -> int | None:
    if not value:
        return None
    try:
        found = datetime.datetime.fromisoformat(str(value))
    except ValueError:
        raise NotSimulated(f"the date {value!r}") from None
    if found.tzinfo is None:
        return int(found.replace(tzinfo=datetime.UTC).timestamp()) + correction
    return int(found.timestamp())


def _stock(doc: Fields, fields: Fields, before: Mapping[int, int]) -> None:
    if fields.get("manage_stock") is not None:
        # A variation's "parent" means that it manages none itself.
        doc["manage_stock"] = coerce.boolean(fields["manage_stock"])
    if fields.get("backorders") is not None:
        doc["backorders"] = fields["backorders"]
    if fields.get("stock_status") is not None:
        doc["stock_status"] = fields["stock_status"]
    if not doc["manage_stock"]:
        doc.update(stock_quantity=None, backorders="no", low_stock_amount=None)
        return
    if "stock_quantity" in fields:
        doc["stock_quantity"] = coerce.integer(fields["stock_quantity"])
    elif fields.get("inventory_delta") is not None:
        read = before.get(doc["id"], doc["stock_quantity"] or 0)
        doc["stock_quantity"] = read + coerce.integer(fields["inventory_delta"])
    if "low_stock_amount" in fields:
        low = fields["low_stock_amount"]
        doc["low_stock_amount"] = None if low is None else coerce.integer(low)
    settle_stock(doc)


def settle_stock(doc: Fields) -> None:
    """Where stock is managed the quantity alone decides the stock status."""
    if (doc["stock_quantity"] or 0) > 0:
        doc["stock_status"] = "instock"
    else:
        doc["stock_status"] = "outofstock" if doc["backorders"] == "no" else "onbackorder"


def _shipping(doc: Fields, fields: Fields) -> None:
    if fields.get("weight") is not None:
        doc["weight"] = text.decimal_text(fields["weight"])
    if isinstance(fields.get("dimensions"), dict):
        for side in ("length", "width", "height"):
            if fields["dimensions"].get(side) is not None:
                doc[side] = text.decimal_text(fields["dimensions"][side])
    if doc["virtual"]:
        doc.update(weight="", length="", width="", height="")


def _attributes(site: Site, doc: Fields, fields: Fields) -> None:
    """The whole list is replaced; an unknown global attribute and one without options vanish."""
    found: dict[str, Fields] = {}
    for wish in fields["attributes"] or []:
        number = coerce.integer(wish.get("id"))
        known = site.store.get("attribute", number) if number else None
        name = known["slug"] if known else text.clean(wish.get("name") or "")
        options = [text.clean(option) for option in _options(wish.get("options"))]
        options = [option for option in options if option]
        if (number and not (known and options)) or not name or wish.get("options") is None:
            continue
        for option in options if known else []:
            taxonomy.add_term(site, number, option)
        found[text.slug(name)] = {
            "id": number,
            "name": name,
            "position": coerce.integer(wish.get("position")),
            "visible": coerce.boolean(wish.get("visible")),
            "variation": coerce.boolean(wish.get("variation")),
            "options": options,
        }
    doc["attributes"] = sorted(found.values(), key=lambda attribute: attribute["position"])


def _options(value: Any) -> list[str]:
    """Options are kept joined by ` | `, so one that holds a bar comes back as two."""
    members = value if isinstance(value, list) else [value] if value else []
    return [part for member in members for part in coerce.string(member).split("|")]


def _choices(site: Site, doc: Fields, fields: Fields) -> None:
    """Replaced as a whole; what the parent does not vary by is dropped, options it does not list are taken."""
    parent = site.store.get("product", doc["parent"]) or {"attributes": []}
    varying = {
        (a["id"], text.slug(a["name"])): text.slug(a["name"]) for a in parent["attributes"] if a["variation"]
    }
    found: dict[str, Fields] = {}
    for wish in fields["attributes"] or []:
        number = coerce.integer(wish.get("id"))
        known = site.store.get("attribute", number) if number else None
        if number and known is None:
            continue
        key = known["slug"] if known else text.slug(str(wish.get("name") or ""))
        if (number, key) not in varying:
            continue
        option = text.clean(wish.get("option") or "")
        if known:
            terms = site.store.find("kind = ? AND status = ?", (f"term {number}", option.casefold()))
            option = terms[0]["slug"] if terms else text.slug(option)
        found[key] = {"id": number, "key": key, "value": option}
    doc["choices"] = list(found.values())


def _lists(site: Site, doc: Fields, fields: Fields) -> None:
    if fields.get("parent_id") is not None:
        doc["parent"] = coerce.integer(fields["parent_id"])
    for name in ("upsell_ids", "cross_sell_ids"):
        if fields.get(name) is not None:
            doc[name] = [number for member in fields[name] if (number := coerce.integer(member)) > 0]
    if isinstance(fields.get("categories"), list):
        wanted = [coerce.integer(c.get("id")) for c in fields["categories"] if isinstance(c, dict)]
        known = [number for number in dict.fromkeys(wanted) if site.store.get("category", number)]
        doc["categories"] = known or [UNCATEGORIZED]
    if isinstance(fields.get("tags"), list):
        doc["tags"] = taxonomy.tags_of(site, fields["tags"])
    if fields.get("default_attributes") is not None and doc["type"] == "variable":
        doc["default_attributes"] = [
            {
                "id": coerce.integer(wish.get("id")),
                "name": coerce.string(wish.get("name")),
                "option": coerce.string(wish.get("option")),
            }
            for wish in fields["default_attributes"]
        ]


def _images(site: Site, call: Call, doc: Fields, fields: Fields) -> None:
    if doc["type"] == "variation":
        wish = fields.get("image")
        if isinstance(wish, dict):
            codes = ("woocommerce_variation_image_upload_error", "woocommerce_variation_invalid_image_id")
            empty = not wish.get("id") and not wish.get("src")
            doc["images"] = [] if empty else [media.take(site, call, wish, *codes)]
    elif fields.get("images") is not None:
        codes = ("woocommerce_product_image_upload_error", "woocommerce_product_invalid_image_id")
        doc["images"] = [media.take(site, call, wish, *codes) for wish in fields["images"]]


def _meta(site: Site, doc: Fields, fields: Fields) -> None:
    """By id, else by key; a key sent again replaces its value and null deletes it. Scalars come back as text."""
    for wish in fields.get("meta_data") or []:
        key, value = str(wish.get("key") or ""), wish.get("value")
        number = coerce.integer(wish.get("id"))
        found = [m for m in doc["meta"] if (m["id"] == number if number else m["key"] == key)]
        if value is None:
            doc["meta"] = [m for m in doc["meta"] if m not in found]
            continue
        value = value if isinstance(value, dict | list | str) else coerce.string(value)
        if found:
            found[0].update(key=key or found[0]["key"], value=value)
        elif key:
            doc["meta"].append({"id": site.store.next("meta"), "key": key, "value": value})
