"""The addresses of orders: list, read, create, change; and the buyer at the till of the shop front."""

import secrets
from decimal import Decimal
from typing import Any

from sandbox.woocommerce import coerce, listing, order_lines, order_view, schema, stock, text, webhooks
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.order_money import shown
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
    "currency": schema.Rule("string", tuple(text.SYMBOLS)),
    "line_items": schema.Rule(
        "array", inside={"id": schema.INTEGER, "product_id": schema.INTEGER, "quantity": schema.INTEGER}
    ),
}
_NOT_SIMULATED = ("customer_id", "parent_id", "cart_tax")
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
    wishes = fields.get("line_items") or []
    doc["lines"] = [order_lines.new_line(site, wish) for wish in wishes]
    coupons = [str(wish.get("code") or "").lower() for wish in fields.get("coupon_lines") or []]
    order_lines.count(site, doc, coupons)
    for line, wish in zip(doc["lines"], wishes, strict=True):
        order_lines.own_words(site, line, wish)
    doc["shipping"] = [order_lines.shipping(site, wish, "") for wish in fields.get("shipping_lines") or []]
    doc["fees"] = [order_lines.fee(site, wish) for wish in fields.get("fee_lines") or []]
    doc["tax_id"] = site.store.next("line")
    doc["coupons"] = order_lines.coupon_lines(site, doc, coupons, rounded=True)
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
    if any(fields.get(name) for name in ("shipping_lines", "coupon_lines", "fee_lines")):
        raise NotSimulated("changing the shipping, the coupons or the fees of an order")
    _details(site, doc, fields)
    for wish in fields.get("line_items") or []:
        order_lines.change_line(site, doc, wish)
    if coerce.boolean(fields.get("set_paid")) and doc["paid"] is None:
        doc["paid"] = site.now()
        move(site, doc, "processing" if doc["needs_processing"] else "completed")
    if fields.get("status"):
        if fields["status"] == "refunded" != doc["status"]:
            refund_the_rest(site, call, doc)
        move(site, doc, fields["status"])
    doc["modified"] = site.now()
    save(site, doc, "updated")
    return Answer(200, order_view.order(site, call, doc))


def remove_order(site: Site, call: Call, number: int) -> Answer:
    """To the trash, or for good with `force`; shown as it was before. The stock stays where it is."""
    doc = the_order(site, number)
    view = order_view.order(site, call, doc)
    if call.query.get("force") in ("true", "1"):
        for refund in site.store.find("kind = 'refund' AND parent = ?", (number,)):
            site.store.drop("refund", refund["id"])
        site.store.drop("order", number)
    elif doc["status"] == "trash":
        raise Refusal("woocommerce_rest_already_trashed", "The shop_order has already been deleted.", 410)
    else:
        trash(site, doc)
    return Answer(200, view)


def buy(site: Site, call: Call, wish: Fields) -> Fields:
    """A guest at the checkout: `{"lines": [{"sku" | "id", "quantity"}], "payment_method": "cod" | "bacs" | "card",
    "currency", "coupon", "shipping": "4.12", "fees": [{"name", "total"}], "billing": {…}, "note"}`.

    Raises Refusal where the shop front would not sell: nothing may be sold that is not in stock.
    """
    doc = _blank(site, "store-api")
    doc["tax_id"] = site.store.next("line")
    doc["lines"] = [
        part for line in order_lines.basket(wish["lines"]) for part in order_lines.with_its_parts(site, line)
    ]
    title, status = _PAYMENTS[str(wish.get("payment_method", "cod"))]
    _details(site, doc, {**wish, "shipping": wish.get("billing"), "customer_note": wish.get("note", "")})
    doc["address"].pop("email", None)
    doc.update(payment_method=wish.get("payment_method", "cod"), payment_method_title=title)
    doc["customer"].update(customer_ip_address="127.0.0.1", customer_user_agent=wish.get("agent", "buyer/1"))
    doc["cart_hash"] = secrets.token_hex(16)
    coupons = [str(wish["coupon"]).lower()] if wish.get("coupon") else []
    order_lines.count(site, doc, coupons)
    if wish.get("shipping"):
        method = {"method_id": "flat_rate", "method_title": "Versand", "total": str(wish["shipping"])}
        bought = ", ".join(f"{line['name']} &times; {line['quantity']}" for line in doc["lines"])
        doc["shipping"] = [order_lines.shipping(site, method, "1")]
        doc["shipping"][0]["meta"] = [order_lines.shown_meta(site, "Items", bought)]
    doc["fees"] = [order_lines.fee(site, one) for one in wish.get("fees") or []]
    doc["coupons"] = order_lines.coupon_lines(site, doc, coupons, rounded=False)
    for key in ("_shipping_hash", "_coupons_hash", "_fees_hash", "_taxes_hash"):
        doc["meta"].append(order_lines.bare_meta(site, key, secrets.token_hex(16)))
    doc["meta"].append(order_lines.bare_meta(site, "is_vat_exempt", "no"))
    source = f"place-order-debug-{secrets.token_hex(4)}"
    doc["meta"].append(order_lines.bare_meta(site, "_debug_log_source_pending_deletion", source))
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


def trash(site: Site, doc: Fields) -> None:
    """Off all lists, still there by its id."""
    doc.update(status="trash", modified=site.now())
    site.store.put("order", doc)
    webhooks.fire(site, "order", "deleted", doc["id"])


def refund_the_rest(site: Site, call: Call, doc: Fields) -> None:
    """What a person does who only sets the status: all that is left is booked as given back, by amount alone, and
    nothing is put back on the shelf (WooCommerce's `wc_order_fully_refunded`)."""
    before = site.store.find("kind = 'refund' AND parent = ?", (doc["id"],))
    left = order_view.total_of(site, call, doc) - sum((Decimal(one["amount"]) for one in before), Decimal(0))
    if left > 0:
        refund = {"id": site.store.next("post"), "parent": doc["id"], "created": site.now()}
        refund |= {
            "amount": shown(left),
            "reason": "Order fully refunded.",
            "lines": [],
            "tax_id": 0,
            "meta": [],
        }
        site.store.put("refund", refund)


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
        "currency": site.currency,
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
        "fees": [],
        "coupons": [],
        "needs_processing": False,
    }


def _details(site: Site, doc: Fields, fields: Fields) -> None:
    for name in ("payment_method", "payment_method_title", "transaction_id", "customer_note", "currency"):
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
            doc["meta"].append(order_lines.bare_meta(site, str(wish.get("key")), wish.get("value")))
