"""The lines of an order: what was bought, at what price, what it was shipped with, what a coupon took off."""

from decimal import Decimal
from typing import Any

from sandbox.woocommerce import coerce, product_view, stock, text
from sandbox.woocommerce.answers import Fields, NotSimulated, Refusal
from sandbox.woocommerce.order_money import Priced, price, shown
from sandbox.woocommerce.site import Site

_COUPONS = {"ten": (379, 10)}  # code -> (id, percent); the recorded shop had this one


def new_line(site: Site, wish: Fields) -> Fields:
    """A line of an order made through the API. An unknown product is taken, as a line without one."""
    if any(wish.get(name) is not None for name in ("price", "tax_class")):
        raise NotSimulated("a line with its own price or tax class")
    variation = site.store.get("variation", coerce.integer(wish.get("variation_id")))
    product = site.store.get("product", coerce.integer(wish.get("product_id")))
    found = _line_of(site, variation or product, coerce.integer(wish.get("quantity", 1)))
    for meta in wish.get("meta_data") or []:
        found["meta"].append(shown_meta(site, str(meta["key"]), meta["value"]))
    return found


def change_line(site: Site, doc: Fields, wish: Fields) -> None:
    """As WooCommerce's Version2/class-wc-rest-orders-v2-controller.php: without an id it is one more line; with 0
    pieces or no product it goes; another quantity leaves its amounts as they are. The stock taken for it follows."""
    number = coerce.integer(wish.get("id"))
    if not number:
        added = new_line(site, wish)
        _amounts(site, [added], 0)
        own_words(site, added, wish)
        doc["lines"].append(added)
        return
    found = [line for line in doc["lines"] if line["id"] == number]
    if not found:
        message = "Order item ID provided is not associated with order."
        raise Refusal("woocommerce_rest_invalid_item_id", message, 400)
    line = found[0]
    gone = wish.get("quantity") == 0 or any(
        name in wish and wish[name] is None for name in ("product_id", "name")
    )
    quantity = 0 if gone else coerce.integer(wish.get("quantity", line["quantity"]))
    stock.adjust(site, line, quantity)
    if gone:
        doc["lines"].remove(line)
        return
    line["quantity"] = quantity
    own_words(site, line, wish)


def own_words(site: Site, line: Fields, wish: Fields) -> None:
    """A name and net amounts given for a line stand in place of its product's."""
    if wish.get("name") is not None:
        line["name"] = text.kses(coerce.string(wish["name"]))
    for name in ("subtotal", "total"):
        if wish.get(name) is not None:
            amount = text.as_decimal(text.decimal_text(wish[name])) or Decimal(0)
            line.update({name: str(amount), f"{name}_tax": shown(amount * site.tax_rate)})


def _line_of(site: Site, doc: Fields | None, quantity: int) -> Fields:
    found: Fields = {"id": site.store.next("line"), "quantity": quantity, "meta": []}
    if doc is None:
        return found | {"name": "", "product_id": 0, "variation_id": 0, "price": "0"}
    if doc["type"] != "variation":
        return found | {
            "name": doc["name"],
            "product_id": doc["id"],
            "variation_id": 0,
            "price": doc["price"] or "0",
        }
    parent = site.store.get("product", doc["parent"]) or doc
    shown_choices = product_view.choices(site, doc, parent)
    for choice, chosen in zip(doc["choices"], shown_choices, strict=False):
        found["meta"].append(
            shown_meta(site, choice["key"], choice["value"], chosen["name"], chosen["option"])
        )
    name = product_view.variation_title(site, doc, parent)
    return found | {
        "name": name,
        "product_id": parent["id"],
        "variation_id": doc["id"],
        "price": doc["price"] or "0",
    }


def basket(lines: list[Fields]) -> list[Fields]:
    """The same thing put in twice is one line, so that the stock is asked for the whole of it."""
    found: dict[str, Fields] = {}
    for line in lines:
        name = f"sku {str(line['sku']).casefold()}" if "sku" in line else f"id {line['id']}"
        quantity = coerce.integer(line.get("quantity", 1))
        found[name] = {**line, "quantity": quantity + (found[name]["quantity"] if name in found else 0)}
    return list(found.values())


def with_its_parts(site: Site, wish: Fields) -> list[Fields]:
    """A bundle, as the extension Product Bundles writes it: its parts follow it as lines that cost nothing."""
    whole = _bought(site, wish)
    parts = []
    for one in wish.get("bundle") or []:
        pieces = coerce.integer(one.get("quantity", 1)) * whole["quantity"]
        part = _bought(site, {**one, "quantity": pieces}) | {"price": "0"}
        part["bundle"] = {"bundled_by": whole["id"], "bundled_items": [], "bundled_item_title": part["name"]}
        part["meta"].append(shown_meta(site, "_bundled_by", str(whole["id"])))
        parts.append(part)
    if parts:
        numbers = [part["id"] for part in parts]
        whole["bundle"] = {"bundled_by": "", "bundled_items": numbers, "bundled_item_title": ""}
    return [whole, *parts]


def _bought(site: Site, wish: Fields) -> Fields:
    where, value = ("sku = ?", str(wish["sku"]).casefold()) if "sku" in wish else ("id = ?", wish["id"])
    found = site.store.find(f"{where} AND kind IN ('product', 'variation') AND status = 'publish'", (value,))
    quantity = coerce.integer(wish.get("quantity", 1))
    if not found or found[0]["price"] == "":
        raise Refusal("sandbox_not_for_sale", f"The shop front does not sell {value!r}.", 400)
    if not stock.enough(site, found[0], quantity):
        raise Refusal("sandbox_out_of_stock", f"There are not {quantity} of {value!r} in stock.", 400)
    line = _line_of(site, found[0], quantity)
    line["meta"].sort(key=lambda meta: str(meta["key"]))
    return line


def count(site: Site, doc: Fields, coupons: list[str]) -> None:
    for code in coupons:
        if code not in _COUPONS:
            raise NotSimulated(f"the coupon {code!r}")
    if len(coupons) > 1:
        raise NotSimulated("two coupons on an order")
    _amounts(site, doc["lines"], _COUPONS[coupons[0]][1] if coupons else 0)
    products = [line["product_id"] for line in doc["lines"] if line["product_id"]]
    needs = [product for number in products if (product := site.store.get("product", number))]
    doc["needs_processing"] = any(not (p["virtual"] and p["downloadable"]) for p in needs)


def _amounts(site: Site, lines: list[Fields], percent: int) -> list[Priced]:
    wanted = [(text.as_decimal(line.pop("price")) or Decimal(0), line["quantity"]) for line in lines]
    found = price(wanted, rate=site.tax_rate, tax_included=site.tax_included, percent=percent)
    for line, priced in zip(lines, found, strict=True):
        line.update(
            subtotal=str(priced.subtotal),
            total=str(priced.total),
            subtotal_tax=shown(priced.subtotal_tax),
            total_tax=shown(priced.total_tax),
            discount=str(priced.discount),
        )
    return found


def shipping(site: Site, wish: Fields, instance: str) -> Fields:
    total = text.as_decimal(text.decimal_text(wish.get("total"))) or Decimal(0)
    return {
        "id": site.store.next("line"),
        "method_title": str(wish.get("method_title") or ""),
        "method_id": str(wish.get("method_id") or ""),
        "instance_id": instance,
        "total": shown(total),
        "total_tax": shown(total * site.tax_rate),
        "meta": [],
    }


def fee(site: Site, wish: Fields) -> Fields:
    """Money for no goods, net: a surcharge, or a discount where it is below zero."""
    total = text.as_decimal(text.decimal_text(wish.get("total"))) or Decimal(0)
    return {
        "id": site.store.next("line"),
        "name": text.kses(coerce.string(wish.get("name") or "Fee")),
        "total": shown(total),
        "total_tax": shown(total * site.tax_rate),
    }


def coupon_lines(site: Site, doc: Fields, coupons: list[str], *, rounded: bool) -> list[Fields]:
    """Through the API each line's discount is rounded before they are summed, at the checkout after."""
    found = []
    for code in coupons:
        number, percent = _COUPONS[code]
        parts = [Decimal(line["discount"]) for line in doc["lines"]]
        net = sum((text.rounded(part) if rounded else part for part in parts), Decimal(0))
        factor = 1 + site.tax_rate if site.tax_included else Decimal(1)
        gross = text.rounded(sum(parts, Decimal(0)) * factor)
        info = f'[{number},"{code}","percent",{percent}]'
        found.append(
            {
                "id": site.store.next("line"),
                "code": code,
                "discount": shown(net),
                "discount_tax": shown(gross - text.rounded(net)),
                "meta_data": [shown_meta(site, "coupon_info", info)],
                "discount_type": "percent",
                "nominal_amount": percent,
                "free_shipping": False,
            }
        )
    return found


def bare_meta(site: Site, key: str, value: Any) -> Fields:
    return {"id": site.store.next("order meta"), "key": key, "value": value}


def shown_meta(site: Site, key: str, value: Any, display_key: str = "", display_value: str = "") -> Fields:
    shown_value = display_value or value
    return {**bare_meta(site, key, value), "display_key": display_key or key, "display_value": shown_value}
