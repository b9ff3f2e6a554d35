"""An order, a refund and a note as the REST API shows them, with every key that was recorded."""

from decimal import Decimal
from typing import Any

from sandbox.woocommerce import media, text
from sandbox.woocommerce.answers import Call, Fields
from sandbox.woocommerce.order_money import shown
from sandbox.woocommerce.site import WOOCOMMERCE, Site, links

ALL = "GET, POST, PUT, PATCH, DELETE"
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "PLN": "zł"}


def order(site: Site, call: Call, doc: Fields) -> Fields:
    """A whole order. What stands in its lines about the product is looked up now, not when it was bought."""
    lines, shipping = doc["lines"], doc["shipping"]
    tax = {name: _sum(lines, name) for name in ("subtotal_tax", "total_tax")}
    net = {
        name: sum((Decimal(shown(Decimal(line[name]))) for line in lines), Decimal(0))
        for name in ("subtotal", "total")
    }
    sent, sent_tax = _sum(shipping, "total"), _sum(shipping, "total_tax")
    fees = doc.get("fees", [])
    fee_tax = _sum(fees, "total_tax")
    goods_tax = tax["total_tax"] + fee_tax
    total = net["total"] + sent + _sum(fees, "total") + goods_tax + sent_tax
    refunds = site.store.find("kind = 'refund' AND parent = ?", (doc["id"],), "ORDER BY id DESC")
    address, currency = f"orders/{doc['id']}", doc.get("currency", site.currency)
    found = {
        "id": doc["id"],
        "parent_id": 0,
        "status": doc["status"],
        "currency": currency,
        "version": WOOCOMMERCE,
        "prices_include_tax": site.tax_included,
        "date_created": site.local(doc["created"]),
        "date_modified": site.local(doc["modified"]),
        "discount_total": shown(net["subtotal"] - net["total"]),
        "discount_tax": shown(tax["subtotal_tax"] - tax["total_tax"]),
        "shipping_total": shown(sent),
        "shipping_tax": shown(sent_tax),
        "cart_tax": shown(goods_tax),
        "total": shown(total),
        "total_tax": shown(goods_tax + sent_tax),
        "customer_id": 0,
        "order_key": doc["key"],
        "billing": doc["billing"],
        "shipping": doc["address"],
        "payment_method": doc["payment_method"],
        "payment_method_title": doc["payment_method_title"],
        "transaction_id": doc["transaction_id"],
        **doc["customer"],
        "customer_note": doc["customer_note"],
        "date_completed": site.local(doc["completed"]),
        "date_paid": site.local(doc["paid"]),
        "cart_hash": doc["cart_hash"],
        "number": str(doc["id"]),
        "meta_data": doc["meta"],
        "line_items": [_line(site, call, line) for line in lines],
        "tax_lines": [tax_line(doc["tax_id"], goods_tax, sent_tax)],
        "shipping_lines": [_shipping(line) for line in shipping],
        "fee_lines": [_fee(line) for line in fees],
        "coupon_lines": doc["coupons"],
        "refunds": [_refund_in_order(refund) for refund in refunds],
        "payment_url": f"{call.base}/checkout/order-pay/{doc['id']}/?pay_for_order=true&key={doc['key']}",
        "is_editable": doc["status"] in ("pending", "on-hold", "auto-draft"),
        "needs_payment": doc["status"] in ("pending", "failed") and total > 0,
        "needs_processing": doc["needs_processing"],
        "date_created_gmt": site.gmt(doc["created"]),
        "date_modified_gmt": site.gmt(doc["modified"]),
        "date_completed_gmt": site.gmt(doc["completed"]),
        "date_paid_gmt": site.gmt(doc["paid"]),
        "currency_symbol": _SIGNS.get(currency, currency),
        "_links": links(call, address, "orders", allow=ALL),
    }
    emails = {"embeddable": True, "href": f"{call.api}/{address}/actions/email_templates"}
    found["_links"]["email_templates"] = [emails]
    return found


def total_of(site: Site, call: Call, doc: Fields) -> Decimal:
    return Decimal(order(site, call, doc)["total"])


def refund(site: Site, call: Call, doc: Fields) -> Fields:
    """A refund: an order of negative amounts."""
    address = f"orders/{doc['parent']}/refunds"
    tax = _sum(doc["lines"], "total_tax")
    return {
        "id": doc["id"],
        "date_created": site.local(doc["created"]),
        "date_created_gmt": site.gmt(doc["created"]),
        "amount": doc["amount"],
        "reason": doc["reason"],
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": doc["meta"],
        "line_items": [_line(site, call, line) for line in doc["lines"]],
        "shipping_lines": [],
        "tax_lines": [tax_line(doc["tax_id"], tax, Decimal(0))] if doc["lines"] else [],
        "fee_lines": [],
        "_links": links(
            call, f"{address}/{doc['id']}", address, allow="GET, DELETE", up=f"orders/{doc['parent']}"
        ),
    }


def note(site: Site, call: Call, doc: Fields) -> Fields:
    address = f"orders/{doc['parent']}/notes"
    return {
        "id": doc["id"],
        "author": "WooCommerce",
        "date_created": site.local(doc["created"]),
        "date_created_gmt": site.gmt(doc["created"]),
        "note": doc["note"],
        "customer_note": doc["customer_note"],
        "_links": links(
            call, f"{address}/{doc['id']}", address, allow="GET, DELETE", up=f"orders/{doc['parent']}"
        ),
    }


def tax_line(number: int, tax: Decimal, shipping_tax: Decimal) -> Fields:
    return {
        "id": number,
        "rate_code": "DE-MWST-1",
        "rate_id": 1,
        "label": "MwSt",
        "compound": False,
        "tax_total": shown(tax),
        "shipping_tax_total": shown(shipping_tax),
        "rate_percent": 19,
        "meta_data": [],
    }


def _line(site: Site, call: Call, line: Fields) -> Fields:
    number = line["variation_id"] or line["product_id"]
    kind = "variation" if line["variation_id"] else "product"
    product = site.store.get(kind, number) if number else None
    parent = site.store.get("product", line["product_id"]) if line["variation_id"] else None
    tax = {"id": 1, "total": line["total_tax"], "subtotal": line["subtotal_tax"]}
    return {
        "id": line["id"],
        "name": line["name"],
        "product_id": line["product_id"],
        "variation_id": line["variation_id"],
        "quantity": line["quantity"],
        "tax_class": "",
        "subtotal": shown(Decimal(line["subtotal"])),
        "subtotal_tax": line["subtotal_tax"],
        "total": shown(Decimal(line["total"])),
        "total_tax": line["total_tax"],
        "taxes": [tax],
        "meta_data": line["meta"],
        "sku": product["sku"] if product else None,
        "global_unique_id": product["gtin"] if product else None,
        "price": _each(line),
        "image": _image(site, call, product, parent),
        "parent_name": parent["name"] if parent else None,
        **line.get("bundle", {}),
    }


def _each(line: Fields) -> float | int:
    """The net price of one as PHP divides it: a float, and the whole number 0 where there is none."""
    total = Decimal(line["total"])
    return float(total) / line["quantity"] if total and line["quantity"] else 0


def _image(site: Site, call: Call, product: Fields | None, parent: Fields | None) -> dict[str, Any]:
    for holder in (product, parent):
        if holder and holder["images"]:
            shown_image = media.view(site, call, holder["images"][0])
            if shown_image:
                return {"id": shown_image["id"], "src": shown_image["src"]}
    return {"id": "" if product and not parent else 0, "src": ""}


def _shipping(line: Fields) -> Fields:
    return {
        "id": line["id"],
        "method_title": line["method_title"],
        "method_id": line["method_id"],
        "instance_id": line["instance_id"],
        "total": line["total"],
        "total_tax": line["total_tax"],
        "taxes": [{"id": 1, "total": line["total_tax"], "subtotal": ""}],
        "tax_status": "taxable",
        "meta_data": line["meta"],
    }


def _fee(line: Fields) -> Fields:
    return {
        "id": line["id"],
        "name": line["name"],
        "tax_class": "",
        "tax_status": "taxable",
        "amount": line["total"],
        "total": line["total"],
        "total_tax": line["total_tax"],
        "taxes": [{"id": 1, "total": line["total_tax"], "subtotal": ""}],
        "meta_data": [],
    }


def _refund_in_order(doc: Fields) -> Fields:
    return {
        "id": doc["id"],
        "reason": doc["reason"],
        "total": f"-{doc['amount']}",
        "total_tax": shown(_sum(doc["lines"], "total_tax")),
    }


def _sum(lines: list[Fields], name: str) -> Decimal:
    return sum((text.as_decimal(line[name]) or Decimal(0) for line in lines), Decimal(0))
