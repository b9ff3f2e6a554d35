"""A line of an order: what is sold, its stock promised to the buyer, and the part of the order that is to be sent."""

from decimal import Decimal
from typing import Any

from sandbox.shopify import inventory, money, products
from sandbox.shopify.answers import Fields
from sandbox.shopify.site import Site


class Sold(ValueError):
    """The shop front would not sell it; the message says why."""


def add(site: Site, order: Fields, wish: Fields, *, free: bool = False) -> None:
    """One more line, `{"sku", "quantity", "discount"?}`; a bundle's SKU becomes a line for each of its components.
    Staff (`free`) sells what is not in stock, too, and `{"title", "price", "quantity"}` that is no product.

    Raises Sold.
    """
    quantity = int(wish["quantity"])
    if quantity < 1:
        raise Sold("A line has at least one piece.")
    discount = Decimal(str(wish.get("discount") or 0))
    if not wish.get("sku"):
        if not free:
            raise Sold("Only staff sells what is no product.")
        _line(site, order, None, quantity, Decimal(str(wish["price"])), discount, title=str(wish["title"]))
        return
    variant, product = _on_sale(site, str(wish["sku"]))
    if variant.get("components"):
        _bundle(site, order, variant, product, quantity, free=free)
        return
    _line(site, order, variant, quantity, Decimal(variant["price"]), discount, product=product, free=free)


def write_in(
    site: Site, order: Fields, variant: Fields, quantity: int, price: Decimal, *, free: bool
) -> Fields:
    """The line of an order that an app writes: at its own price and without tax; `free` whatever is in stock.

    Raises Sold.
    """
    product = site.one("Product", variant["parent"])
    _line(site, order, variant, quantity, price, Decimal(0), product=product, free=free)
    line: Fields = order["lines"][-1]
    line["tax"] = "0.00"
    return line


def bundle(site: Site, wish: Fields) -> None:
    """`{"sku", "components": [{"sku", "quantity"}]}`: who buys that SKU gets these. Raises Sold for no such SKU."""
    variant, _ = _on_sale(site, str(wish["sku"]))
    variant["components"] = [
        {"sku": str(one["sku"]), "quantity": int(one["quantity"])} for one in wish["components"]
    ]
    site.touch(variant)
    item = products.item_of(site, variant)
    item["bundle"] = True
    site.touch(item)


def _bundle(
    site: Site, order: Fields, variant: Fields, product: Fields, quantity: int, *, free: bool
) -> None:
    """The bundle's price is shared by what the components cost alone; the last takes what rounding left."""
    group = {
        "__typename": "LineItemGroup", "id": site.number("LineItemGroup"), "title": product["title"],
        "quantity": quantity, "productId": product["id"], "variantId": variant["id"], "variantSku": variant["sku"],
        "customAttributes": [],
    }  # fmt: skip
    parts = [(one, *_on_sale(site, one["sku"])) for one in variant["components"]]
    alone = sum(Decimal(part["price"]) * one["quantity"] for one, part, _ in parts) or Decimal(1)
    left = Decimal(variant["price"]) * quantity
    for at, (one, part, its) in enumerate(parts):
        pieces = one["quantity"] * quantity
        worth = Decimal(variant["price"]) * quantity * Decimal(part["price"]) * one["quantity"] / alone
        price = (left if at == len(parts) - 1 else worth) / pieces
        price = price.quantize(money.CENT)
        left -= price * pieces
        _line(site, order, part, pieces, price, Decimal(0), product=its, group=group, free=free)


def _line(
    site: Site,
    order: Fields,
    variant: Fields | None,
    quantity: int,
    price: Decimal,
    discount: Decimal,
    *,
    product: Fields | None = None,
    title: str = "",
    group: Fields | None = None,
    free: bool = False,
) -> None:
    item = products.item_of(site, variant) if variant else None
    place = _place(site, variant, item, quantity, free=free)
    tax = money.tax_in(price * quantity - discount, site.tax_rate, included=site.tax_included)
    taxable = variant["taxable"] if variant else True
    words = " / ".join(variant["values"]) if variant and variant["values"] != ["Default Title"] else None
    line: Fields = {
        "__typename": "LineItem", "id": site.number("LineItem"), "variant": variant["id"] if variant else None,
        "product": product["id"] if product else None, "item": item["id"] if item else None,
        "sku": variant["sku"] if variant else None, "title": product["title"] if product else title,
        "variantTitle": words, "vendor": product["vendor"] if product else None, "quantity": quantity,
        "current": quantity, "price": money.cents(price), "discount": money.cents(discount),
        "tax": money.cents(tax if taxable else Decimal(0)), "place": place,
        "requiresShipping": item["requiresShipping"] if item else True, "taxable": taxable, "isGiftCard": False,
        "customAttributes": [], "group": group,
    }  # fmt: skip
    order["lines"].append(line)
    if item and item["tracked"]:
        inventory.move(site, item, place, available=-quantity, committed=quantity)
    _to_send(site, order, line)


def _to_send(site: Site, order: Fields, line: Fields) -> None:
    place = line["place"]
    part = next((one for one in order["parts"] if one["place"] == place and one["status"] == "OPEN"), None)
    if part is None:
        part = {
            "__typename": "FulfillmentOrder", "id": site.number("FulfillmentOrder"), "order": order["id"],
            "orderName": order["name"], "place": place, "status": "OPEN", "requestStatus": "UNSUBMITTED",
            "createdAt": site.now(), "updatedAt": site.now(), "lines": [], "fulfillmentHolds": [],
        }  # fmt: skip
        order["parts"].append(part)
        site.put("FulfillmentOrderPlace", {"id": part["id"], "parent": order["id"]})
    part["lines"].append(
        {
            "id": site.number("FulfillmentOrderLineItem"), "order": order["id"], "line": line["id"],
            "total": line["quantity"], "remaining": line["quantity"], "variant": line["variant"], "sku": line["sku"],
            "productTitle": line["title"], "variantTitle": line["variantTitle"],
            "requiresShipping": line["requiresShipping"],
        }
    )  # fmt: skip


def _on_sale(site: Site, sku: str) -> tuple[Fields, Fields]:
    every = site.all("ProductVariant", "sku = ?", sku.casefold())
    for one in sorted(every, key=lambda one: one["sku"] != sku):  # of several the one that is spelled so
        product = site.one("Product", one["parent"])
        if product and products.on_sale(product):
            return one, product
    raise Sold(f"{sku} is not on sale here.")


def _place(site: Site, variant: Any, item: Fields | None, quantity: int, *, free: bool) -> int:
    """The first place that has enough; a tracked variant without stock is sold only by staff or where its policy is
    CONTINUE."""
    places = [one for one in site.all("Location") if one["fulfillsOnlineOrders"] and one["isActive"]]
    if item and item["tracked"]:
        for one in places:
            if item["levels"].get(str(one["id"]), {"available": 0})["available"] >= quantity:
                return int(one["id"])
        if not free and variant["inventoryPolicy"] != "CONTINUE":
            raise Sold(f"{variant['sku']} is out of stock.")
    return int(places[0]["id"])
