"""Refunds and notes of an order."""

from decimal import Decimal

from sandbox.woocommerce import coerce, listing, order_view, orders, schema, stock, text
from sandbox.woocommerce.answers import Answer, BareRefusal, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.order_money import shown
from sandbox.woocommerce.site import Site

_CODE = "woocommerce_rest_cannot_create_order_refund"


def refunds(site: Site, call: Call, number: int) -> Answer:
    orders.the_order(site, number)
    query = listing.checked(call, schema.PAGES)
    return listing.page(
        site,
        call,
        "kind = 'refund' AND parent = ?",
        [number],
        query,
        lambda doc: order_view.refund(site, call, doc),
    )


def refund(site: Site, call: Call, number: int, refund_number: int) -> Answer:
    return Answer(200, order_view.refund(site, call, _the_refund(site, number, refund_number)))


def remove_refund(site: Site, call: Call, number: int, refund_number: int) -> Answer:
    """For good, with `force`; what it had put back on the shelf stays there."""
    doc, order = _the_refund(site, number, refund_number), orders.the_order(site, number)
    if call.query.get("force") not in ("true", "1"):
        message = "Refunds do not support trashing."
        raise Refusal("woocommerce_rest_trash_not_supported", message, 501)
    site.store.drop("refund", doc["id"])
    order["modified"] = site.now()
    orders.save(site, order, "updated")
    return Answer(200, order_view.refund(site, call, doc))


def new_refund(site: Site, call: Call, number: int) -> Answer:
    """Books a refund. Its mistakes answer 500 with a bare `data`, as recorded."""
    order, fields = orders.the_order(site, number), fields_of(call)
    amount = text.as_decimal(text.decimal_text(fields.get("amount"))) or Decimal(0)
    before = site.store.find("kind = 'refund' AND parent = ?", (number,))
    refunded = sum((Decimal(doc["amount"]) for doc in before), Decimal(0))
    left = order_view.total_of(site, call, order) - refunded
    if amount <= 0 or amount > left:
        raise BareRefusal(_CODE, "Invalid refund amount.", 500)
    if coerce.boolean(fields.get("api_refund", True)):
        message = "The payment gateway for this order does not support automatic refunds."
        raise BareRefusal(_CODE, message, 500)
    lines = [_line(site, order, wish) for wish in fields.get("line_items") or []]
    doc = {
        "id": 0,
        "parent": number,
        "created": site.now(),
        "amount": shown(amount),
        "reason": coerce.string(fields.get("reason")),
        "lines": lines,
        "tax_id": site.store.next("line") if lines else 0,
        "meta": [],
    }
    kind = "full" if amount == left and not before else "partial"
    doc["meta"] = [{"id": site.store.next("order meta"), "key": "_refund_type", "value": kind}]
    doc["id"] = site.store.next("post")
    site.store.put("refund", doc)
    if coerce.boolean(fields.get("api_restock", True)):
        for wish in fields.get("line_items") or []:
            stock.restock(site, _bought(order, wish), coerce.integer(wish.get("quantity")))
    if amount == left:
        order["status"] = "refunded"
    order["modified"] = site.now()
    orders.save(site, order, "updated")
    # The unfilled pattern in the address is what the shop really sends.
    address = f"{call.api}/orders/(?P<order_id>[\\d]+)/refunds/{doc['id']}"
    return Answer(201, order_view.refund(site, call, doc), {"Location": address})


def notes(site: Site, call: Call, number: int) -> Answer:
    orders.the_order(site, number)
    found = site.store.find("kind = 'note' AND parent = ?", (number,), "ORDER BY id DESC")
    return Answer(200, [order_view.note(site, call, doc) for doc in found])


def new_note(site: Site, call: Call, number: int) -> Answer:
    """A note; it does not move the order's date."""
    orders.the_order(site, number)
    fields = fields_of(call)
    if not fields.get("note"):
        raise NotSimulated("a note without text")
    doc = {
        "id": site.store.next("note"),
        "parent": number,
        "created": site.now(),
        "note": coerce.string(fields["note"]),
        "customer_note": coerce.boolean(fields.get("customer_note")),
    }
    site.store.put("note", doc)
    address = f"{call.api}/orders/{number}/notes/{doc['id']}"
    return Answer(201, order_view.note(site, call, doc), {"Location": address})


def _the_refund(site: Site, number: int, refund_number: int) -> Fields:
    orders.the_order(site, number)
    doc = site.store.get("refund", refund_number)
    if doc is None or doc["parent"] != number:
        raise Refusal("woocommerce_rest_invalid_order_refund_id", "Invalid order refund ID.", 404)
    return doc


def _bought(order: Fields, wish: Fields) -> Fields:
    found: list[Fields] = [line for line in order["lines"] if line["id"] == coerce.integer(wish.get("id"))]
    if not found:
        raise NotSimulated("refunding a line the order does not have")
    return found[0]


def _line(site: Site, order: Fields, wish: Fields) -> Fields:
    bought = _bought(order, wish)
    tax = sum((Decimal(str(part["refund_total"])) for part in wish.get("refund_tax") or []), Decimal(0))
    net = Decimal(str(wish.get("refund_total") or 0))
    origin = str(bought["id"])
    key = "_refunded_item_id"
    return {
        "id": site.store.next("line"),
        "name": bought["name"],
        "product_id": bought["product_id"],
        "variation_id": bought["variation_id"],
        "quantity": -coerce.integer(wish.get("quantity")),
        "subtotal": str(-net),
        "total": str(-net),
        "subtotal_tax": shown(-tax),
        "total_tax": shown(-tax),
        "meta": [
            {
                "id": site.store.next("order meta"),
                "key": key,
                "value": origin,
                "display_key": key,
                "display_value": origin,
            }
        ],
    }
