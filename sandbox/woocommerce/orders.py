"""The addresses of orders: list, read, create, change; and the buyer at the till of the shop front."""

import secrets
from decimal import Decimal
from typing import Any

from sandbox.woocommerce import coerce, listing, order_view, product_view, schema, stock, text, webhooks
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.order_money import Priced, price, shown
from sandbox.woocommerce.site import Site

STATUSES: tuple[str, ...] = (
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
)
STATUSES += ("checkout-draft",)
_RULES = {
    "status": schema.Rule("string", STATUSES),
    "set_paid": schema.BOOLEAN,
    "customer_note": schema.STRING,
    "transaction_id": schema.STRING,
    "line_items": schema.Rule(
        "array", inside={"id": schema.INTEGER, "product_id": schema.INTEGER, "quantity": schema.INTEGER}
    ),
}
_NOT_SIMULATED = ("fee_lines", "customer_id", "parent_id", "currency", "cart_tax")
_ADDRESS = (
    "first_name",
    "last_name",
    "company",
    "address_1",
    "address_2",
    "city",
    "state",
    "postcode",
    "country",
)
_COUPONS = {"ten": (379, 10)}  # code -> (id, percent); the recorded shop had this one
_PAYMENTS = {
    "cod": ("Cash on delivery", "processing"),
    "bacs": ("Direct bank transfer", "on-hold"),
    "card": ("Card", "processing"),  # paid at once; the other two are paid later
}
# What the shop adds to the links of a list of orders of its own accord.
_LINK_EXTRAS = (("status[0]", "any"), ("dp", "2"), ("context", "view"))


def orders(site: Site, call: Call) -> Answer:
    query = listing.checked(call, schema.PAGES)
    where, values = ["kind = 'order'"], list[Any]()
    statuses = query.get("status", "any").split(",")
    if "any" in statuses:
        where.append("status NOT IN ('trash', 'auto-draft')")
    else:
        where.append(f"status IN ({','.join('?' * len(statuses))})")
        values += statuses
    if query.get("include"):
        listing.among(query["include"], "id", where, values)
    listing.by_date(site, query, where, values)
    extras = _LINK_EXTRAS if "status" not in query else _LINK_EXTRAS[1:]
    return listing.page(
        site,
        call,
        " AND ".join(where),
        values,
        query,
        lambda doc: order_view.order(site, call, doc),
        also=extras,
    )


def order(site: Site, call: Call, number: int) -> Answer:
    return Answer(200, order_view.order(site, call, the_order(site, number)))


def new_order(site: Site, call: Call) -> Answer:
    fields = fields_of(call)
    _check(fields)
    doc = _blank(site, "rest-api")
    _details(site, doc, fields)
    doc["lines"] = [_line(site, wish) for wish in fields.get("line_items") or []]
    coupons = [str(wish.get("code") or "").lower() for wish in fields.get("coupon_lines") or []]
    _count(site, doc, coupons)
    doc["shipping"] = [_shipping(site, wish, "") for wish in fields.get("shipping_lines") or []]
    doc["tax_id"] = site.store.next("line")
    doc["coupons"] = _coupon_lines(site, doc, coupons, rounded=True)
    doc["id"] = site.store.next("post")
    status = fields.get("status") or "pending"
    if coerce.boolean(fields.get("set_paid")):
        doc["paid"] = site.now()
        status = "processing" if doc["needs_processing"] else "completed"
    move(site, doc, status)
    save(site, doc, "created")
    return Answer(201, order_view.order(site, call, doc), {"Location": f"{call.api}/orders/{doc['id']}"})


def change_order(site: Site, call: Call, number: int) -> Answer:
    fields = fields_of(call)
    _check(fields)
    doc = the_order(site, number)
    if fields.get("shipping_lines") or fields.get("coupon_lines"):
        raise NotSimulated("changing the shipping or the coupons of an order")
    _details(site, doc, fields)
    if any(wish.get("id") for wish in fields.get("line_items") or []):
        raise NotSimulated("changing a line of an order")
    added = [_line(site, wish) for wish in fields.get("line_items") or []]
    if added:
        _amounts(site, added, 0)
        doc["lines"] += added
    if coerce.boolean(fields.get("set_paid")) and doc["paid"] is None:
        doc["paid"] = site.now()
        move(site, doc, "processing" if doc["needs_processing"] else "completed")
    if fields.get("status"):
        move(site, doc, fields["status"])
    doc["modified"] = site.now()
    save(site, doc, "updated")
    return Answer(200, order_view.order(site, call, doc))


def buy(site: Site, call: Call, wish: Fields) -> Fields:
    """A guest at the checkout: `{"lines": [{"sku" | "id", "quantity"}], "payment_method": "cod" | "bacs" | "card",
    "coupon", "shipping": "4.12", "billing": {…}, "note"}`.

    Raises Refusal where the shop front would not sell: nothing may be sold that is not in stock.
    """
    doc = _blank(site, "store-api")
    doc["tax_id"] = site.store.next("line")
    doc["lines"] = [_bought(site, line) for line in _basket(wish["lines"])]
    title, status = _PAYMENTS[str(wish.get("payment_method", "cod"))]
    _details(site, doc, {**wish, "shipping": wish.get("billing"), "customer_note": wish.get("note", "")})
    doc["address"].pop("email", None)
    doc.update(payment_method=wish.get("payment_method", "cod"), payment_method_title=title)
    doc["customer"].update(customer_ip_address="127.0.0.1", customer_user_agent=wish.get("agent", "buyer/1"))
    doc["cart_hash"] = secrets.token_hex(16)
    coupons = [str(wish["coupon"]).lower()] if wish.get("coupon") else []
    _count(site, doc, coupons)
    if wish.get("shipping"):
        method = {"method_id": "flat_rate", "method_title": "Versand", "total": str(wish["shipping"])}
        bought = ", ".join(f"{line['name']} &times; {line['quantity']}" for line in doc["lines"])
        doc["shipping"] = [_shipping(site, method, "1")]
        doc["shipping"][0]["meta"] = [_meta(site, "Items", bought)]
    doc["coupons"] = _coupon_lines(site, doc, coupons, rounded=False)
    for key in ("_shipping_hash", "_coupons_hash", "_fees_hash", "_taxes_hash"):
        doc["meta"].append(_bare(site, key, secrets.token_hex(16)))
    doc["meta"].append(_bare(site, "is_vat_exempt", "no"))
    source = f"place-order-debug-{secrets.token_hex(4)}"
    doc["meta"].append(_bare(site, "_debug_log_source_pending_deletion", source))
    doc["id"] = site.store.next("post")
    if doc["payment_method"] == "card":
        doc["paid"] = site.now()
    move(site, doc, status)
    save(site, doc, "created")
    return order_view.order(site, call, doc)


def the_order(site: Site, number: int) -> Fields:
    doc = site.store.get("order", number)
    if doc is None:
        raise Refusal("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", 404)
    return doc


def move(site: Site, doc: Fields, status: str) -> None:
    """To another status, with what follows for the stock and the dates."""
    doc["status"] = status
    if status in ("processing", "on-hold", "completed"):
        stock.take(site, doc)
    elif status in ("cancelled", "pending"):
        stock.give_back(site, doc)
    if status == "completed":
        doc["completed"] = doc["completed"] or site.now()
        doc["paid"] = doc["paid"] or site.now()


def save(site: Site, doc: Fields, event: str) -> None:
    """Store the order; a new one fires `created` and `updated`."""
    site.store.put("order", doc)
    for name in ("created", "updated") if event == "created" else (event,):
        webhooks.fire(site, "order", name, doc["id"])


def _check(fields: Fields) -> None:
    schema.check(fields, _RULES)
    for name in _NOT_SIMULATED:
        if fields.get(name):
            raise NotSimulated(f"the field {name} of an order")


def _blank(site: Site, via: str) -> Fields:
    return {
        "id": 0,
        "status": "pending",
        "created": site.now(),
        "modified": site.now(),
        "completed": None,
        "paid": None,
        "key": f"wc_order_{secrets.token_urlsafe(16).replace('-', 'x').replace('_', 'y')[:13]}",
        "billing": {**dict.fromkeys(_ADDRESS, ""), "email": "", "phone": ""},
        "address": {**dict.fromkeys(_ADDRESS, ""), "phone": ""},
        "payment_method": "",
        "payment_method_title": "",
        "transaction_id": "",
        "customer": {"customer_ip_address": "", "customer_user_agent": "", "created_via": via},
        "customer_note": "",
        "cart_hash": "",
        "meta": [],
        "lines": [],
        "shipping": [],
        "coupons": [],
        "needs_processing": False,
    }


def _details(site: Site, doc: Fields, fields: Fields) -> None:
    for name in ("payment_method", "payment_method_title", "transaction_id", "customer_note"):
        if fields.get(name) is not None:
            doc[name] = coerce.string(fields[name])
    for name, target in (("billing", "billing"), ("shipping", "address")):
        given = fields.get(name)
        if isinstance(given, dict):
            doc[target] |= {key: coerce.string(given[key]) for key in doc[target] if key in given}
    for wish in fields.get("meta_data") or []:
        found = [meta for meta in doc["meta"] if meta["key"] == wish.get("key")]
        if found:
            found[0]["value"] = wish.get("value")
        else:
            doc["meta"].append(_bare(site, str(wish.get("key")), wish.get("value")))


def _line(site: Site, wish: Fields) -> Fields:
    """A line of an order made through the API. An unknown product is taken, as a line without one."""
    if any(wish.get(name) is not None for name in ("subtotal", "total", "price", "name", "tax_class")):
        raise NotSimulated("a line with its own name or amounts")
    variation = site.store.get("variation", coerce.integer(wish.get("variation_id")))
    product = site.store.get("product", coerce.integer(wish.get("product_id")))
    found = _line_of(site, variation or product, coerce.integer(wish.get("quantity", 1)))
    for meta in wish.get("meta_data") or []:
        found["meta"].append(_meta(site, str(meta["key"]), meta["value"]))
    return found


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
        found["meta"].append(_meta(site, choice["key"], choice["value"], chosen["name"], chosen["option"]))
    name = product_view.variation_title(site, doc, parent)
    return found | {
        "name": name,
        "product_id": parent["id"],
        "variation_id": doc["id"],
        "price": doc["price"] or "0",
    }


def _basket(lines: list[Fields]) -> list[Fields]:
    """The same thing put in twice is one line, so that the stock is asked for the whole of it."""
    found: dict[str, Fields] = {}
    for line in lines:
        name = f"sku {str(line['sku']).casefold()}" if "sku" in line else f"id {line['id']}"
        quantity = coerce.integer(line.get("quantity", 1))
        found[name] = {**line, "quantity": quantity + (found[name]["quantity"] if name in found else 0)}
    return list(found.values())


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


def _count(site: Site, doc: Fields, coupons: list[str]) -> None:
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


def _shipping(site: Site, wish: Fields, instance: str) -> Fields:
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


def _coupon_lines(site: Site, doc: Fields, coupons: list[str], *, rounded: bool) -> list[Fields]:
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
                "meta_data": [_meta(site, "coupon_info", info)],
                "discount_type": "percent",
                "nominal_amount": percent,
                "free_shipping": False,
            }
        )
    return found


def _bare(site: Site, key: str, value: Any) -> Fields:
    return {"id": site.store.next("order meta"), "key": key, "value": value}


def _meta(site: Site, key: str, value: Any, display_key: str = "", display_value: str = "") -> Fields:
    shown_value = display_value or value
    return {**_bare(site, key, value), "display_key": display_key or key, "display_value": shown_value}
