"""Orders as they are asked for: lines, taxes, discounts, refunds, payments and what is to be sent."""

from decimal import Decimal
from typing import Any

from sandbox.shopify import fulfilment, money
from sandbox.shopify.answers import Fields
from sandbox.shopify.graph import field
from sandbox.shopify.search import changed_since, matcher
from sandbox.shopify.site import Site, connection, gid

SHOWN_FOR = 60 * 86400  # seconds that read_orders alone shows an order for
_READ_PARTS = "read_merchant_managed_fulfillment_orders"


@field("QueryRoot.order", scope="read_orders")
def order_by_id(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    found = site.one("Order", arguments["id"])
    return found if found and found["created"] >= _oldest(site) else None


@field("QueryRoot.orders", scope="read_orders")
def orders(site: Site, _source: Any, arguments: Fields) -> Fields:
    match = matcher(
        arguments.get("query"),
        {
            "id": lambda one: one["id"],
            "name": lambda one: [one["name"], one["name"].lstrip("#")],
            "email": lambda one: one["email"],
            "tag": lambda one: one["tags"],
            "test": lambda one: one["test"],
            "status": lambda one: ["any", "cancelled" if one["cancelledAt"] else "open"],
            "financial_status": lambda one: ["any", money.financial_status(one)],
            "fulfillment_status": lambda one: ["any", money.fulfillment_status(one)],
            "updated_at": lambda one: one["modified"],
            "created_at": lambda one: one["created"],
        },
    )
    oldest = _oldest(site)
    since = changed_since(arguments.get("query"))
    return site.page("Order", arguments, lambda one: one["created"] >= oldest and match(one), since=since)


@field("Order.legacyResourceId", "Product.legacyResourceId", "ProductVariant.legacyResourceId", "Refund.legacyResourceId", "Fulfillment.legacyResourceId", "InventoryItem.legacyResourceId", "Location.legacyResourceId")  # fmt: skip
def plain_number(_site: Site, source: Fields, _arguments: Fields) -> Any:
    return source["id"]


@field("Order.number")
def number(_site: Site, order: Fields, _arguments: Fields) -> int:
    return int(order["name"].lstrip("#"))


@field("Order.currencyCode")
def currency(site: Site, _order: Fields, _arguments: Fields) -> str:
    return site.currency


@field("Order.presentmentCurrencyCode")
def presentment(site: Site, order: Fields, _arguments: Fields) -> str:
    return str((order.get("presentment") or {}).get("currency") or site.currency)


@field("Order.displayFinancialStatus")
def financial(_site: Site, order: Fields, _arguments: Fields) -> str:
    return money.financial_status(order)


@field("Order.displayFulfillmentStatus")
def fulfillment(_site: Site, order: Fields, _arguments: Fields) -> str:
    return money.fulfillment_status(order)


def _sum(place: str, name: str, *, current: bool) -> None:
    @field(place)
    def total(_site: Site, order: Fields, _arguments: Fields) -> str:
        return money.cents(money.totals(order, current=current)[name])


for _place, _name in (("TotalPriceSet", "total"), ("SubtotalPriceSet", "subtotal"), ("TotalTaxSet", "tax"), ("TotalDiscountsSet", "discounts")):  # fmt: skip
    _sum(f"Order.current{_place}", _name, current=True)
    _sum(f"Order.{_place[0].lower()}{_place[1:]}", _name, current=False)
_sum("Order.originalTotalPriceSet", "total", current=False)
_sum("Order.totalShippingPriceSet", "shipping", current=False)
_sum("Order.currentShippingPriceSet", "shipping", current=True)


@field("Order.totalRefundedSet")
def refunded(_site: Site, order: Fields, _arguments: Fields) -> str:
    return money.cents(money.paid(order, "REFUND"))


@field("Order.totalReceivedSet")
def received(_site: Site, order: Fields, _arguments: Fields) -> str:
    return money.cents(money.paid(order))


@field("Order.netPaymentSet")
def net(_site: Site, order: Fields, _arguments: Fields) -> str:
    return money.cents(money.paid(order) - money.paid(order, "REFUND"))


@field("Order.totalOutstandingSet")
def outstanding(_site: Site, order: Fields, _arguments: Fields) -> str:
    left = money.totals(order, current=True)["total"] - money.paid(order) + money.paid(order, "REFUND")
    return money.cents(max(Decimal(0), left) if not order["cancelledAt"] else Decimal(0))


@field("Order.fullyPaid", "Order.unpaid")
def fully_paid(_site: Site, order: Fields, _arguments: Fields) -> bool:
    return money.financial_status(order) == "PAID"


@field("Order.unpaid")
def unpaid(_site: Site, order: Fields, _arguments: Fields) -> bool:
    return not money.paid(order)


@field("Order.customer")
def customer(_site: Site, _order: Fields, _arguments: Fields) -> None:
    """Every buyer is a guest."""


@field("Order.lineItems")
def line_items(_site: Site, order: Fields, arguments: Fields) -> Fields:
    return connection(order["lines"], arguments)


@field("Order.shippingLines")
def shipping_lines(_site: Site, order: Fields, arguments: Fields) -> Fields:
    return connection(order["shipping"], arguments)


@field("Order.shippingLine")
def shipping_line(_site: Site, order: Fields, _arguments: Fields) -> Fields | None:
    return order["shipping"][0] if order["shipping"] else None


@field("Order.transactions")
def transactions(_site: Site, order: Fields, arguments: Fields) -> list[Fields]:
    return list(order["transactions"][: arguments.get("first") or None])


@field("Order.refunds")
def refunds(_site: Site, order: Fields, arguments: Fields) -> list[Fields]:
    return list(order["refunds"][: arguments.get("first") or None])


@field("Order.fulfillments")
def fulfillments(_site: Site, order: Fields, arguments: Fields) -> list[Fields]:
    return list(order["fulfillments"][: arguments.get("first") or None])


@field("Order.fulfillmentOrders", scope=_READ_PARTS)
def parts(site: Site, order: Fields, arguments: Fields) -> Fields:
    return connection([one for one in order["parts"] if fulfilment.shown_to(site, one)], arguments)


@field("LineItem.id")
def line_id(_site: Site, line: Fields, _arguments: Fields) -> str:
    return gid("LineItem", line["id"])


@field("LineItem.name")
def line_name(_site: Site, line: Fields, _arguments: Fields) -> str:
    return " - ".join(part for part in (line["title"], line["variantTitle"]) if part)


@field("LineItem.currentQuantity", "LineItem.refundableQuantity")
def line_current(_site: Site, line: Fields, _arguments: Fields) -> int:
    return int(line["current"])


@field("LineItem.variant", "FulfillmentOrderLineItem.variant")
def line_variant(site: Site, line: Fields, _arguments: Fields) -> Fields | None:
    return None if line["variant"] is None else site.one("ProductVariant", line["variant"])


@field("LineItem.product")
def line_product(site: Site, line: Fields, _arguments: Fields) -> Fields | None:
    return None if line["product"] is None else site.one("Product", line["product"])


@field("LineItem.lineItemGroup")
def line_group(_site: Site, line: Fields, _arguments: Fields) -> Fields | None:
    """The bundle that a line is a part of."""
    return line.get("group")


@field("LineItem.originalUnitPriceSet")
def line_price(_site: Site, line: Fields, _arguments: Fields) -> str:
    return str(line["price"])


@field("LineItem.originalTotalSet")
def line_original(_site: Site, line: Fields, _arguments: Fields) -> str:
    return money.cents(money.original(line))


@field("LineItem.discountedTotalSet")
def line_discounted(_site: Site, line: Fields, _arguments: Fields) -> str:
    return money.cents(money.worth(line, line["quantity"]))


@field("LineItem.discountedUnitPriceSet", "LineItem.discountedUnitPriceAfterAllDiscountsSet")
def line_unit_discounted(_site: Site, line: Fields, _arguments: Fields) -> str:
    return money.cents(money.worth(line, line["quantity"]) / line["quantity"])


@field("LineItem.totalDiscountSet")
def line_discount(_site: Site, line: Fields, _arguments: Fields) -> str:
    return str(line["discount"])


@field("LineItem.discountAllocations")
def allocations(_site: Site, line: Fields, _arguments: Fields) -> list[Fields]:
    if not Decimal(line["discount"]):
        return []
    applied = {
        "__typename": "ManualDiscountApplication",
        "index": 0,
        "title": "Discount",
        "description": None,
        "allocationMethod": "ACROSS",
        "targetSelection": "ALL",
        "targetType": "LINE_ITEM",
    }
    return [{"allocatedAmountSet": line["discount"], "discountApplication": applied}]


@field("LineItem.taxLines", "ShippingLine.taxLines")
def tax_lines(site: Site, line: Fields, _arguments: Fields) -> list[Fields]:
    if not Decimal(line["tax"]):
        return []
    rate = float(site.tax_rate)
    return [
        {
            "title": "VAT",
            "rate": rate,
            "ratePercentage": rate * 100,
            "channelLiable": False,
            "source": "Shopify",
            "priceSet": line["tax"],
        }
    ]


@field("LineItem.duties")
def duties(_site: Site, _line: Fields, _arguments: Fields) -> list[Fields]:
    return []


@field(
    "ShippingLine.originalPriceSet",
    "ShippingLine.discountedPriceSet",
    "ShippingLine.currentDiscountedPriceSet",
)
def shipping_price(_site: Site, line: Fields, _arguments: Fields) -> str:
    return str(line["price"])


@field("ShippingLine.discountAllocations")
def shipping_discounts(_site: Site, _line: Fields, _arguments: Fields) -> list[Fields]:
    return []


@field("QueryRoot.refund", scope="read_orders")
def refund_by_id(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    place = site.one("RefundPlace", int(arguments["id"].rpartition("/")[2]))
    order = site.one("Order", place["parent"]) if place else None
    rows: list[Fields] = order["refunds"] if order else []
    found = next((one for one in rows if gid("Refund", one["id"]) == arguments["id"]), None)
    return {**found, "presentment": order.get("presentment")} if found and order else None


@field("Refund.totalRefundedSet")
def refund_total(_site: Site, refund: Fields, _arguments: Fields) -> str:
    return str(refund["amount"])


@field("Refund.order", "Fulfillment.order", "FulfillmentOrder.order", "OrderTransaction.order")
def order_of(site: Site, source: Fields, _arguments: Fields) -> Fields | None:
    return site.one("Order", source["order"])


@field("FulfillmentOrder.orderId")
def order_id_of(_site: Site, source: Fields, _arguments: Fields) -> str:
    return gid("Order", source["order"])


@field("Refund.refundLineItems")
def refund_lines(_site: Site, refund: Fields, arguments: Fields) -> Fields:
    return connection(refund["lines"], arguments)


@field("Refund.refundShippingLines")
def refund_shipping(_site: Site, refund: Fields, arguments: Fields) -> Fields:
    return connection(refund["shipping"], arguments)


@field("Refund.orderAdjustments")
def refund_adjustments(_site: Site, refund: Fields, arguments: Fields) -> Fields:
    return connection(refund["adjustments"], arguments)


@field("Refund.transactions")
def refund_transactions(site: Site, refund: Fields, arguments: Fields) -> Fields:
    order = site.one("Order", refund["order"])
    assert order is not None
    return connection([one for one in order["transactions"] if one.get("refund") == refund["id"]], arguments)


@field("RefundShippingLine.subtotalAmountSet")
def refund_shipping_amount(_site: Site, one: Fields, _arguments: Fields) -> str:
    return str(one["amount"])


@field("RefundShippingLine.taxAmountSet")
def refund_shipping_tax(_site: Site, one: Fields, _arguments: Fields) -> str:
    return str(one["tax"])


@field("RefundLineItem.lineItem", "FulfillmentOrderLineItem.lineItem", "FulfillmentLineItem.lineItem")
def line_of(site: Site, row: Fields, _arguments: Fields) -> Fields:
    order = site.one("Order", row["order"])
    assert order is not None
    found: Fields = next(one for one in order["lines"] if one["id"] == row["line"])
    return found


@field("OrderTransaction.amountSet")
def transaction_amount(_site: Site, one: Fields, _arguments: Fields) -> str:
    return str(one["amount"])


@field("OrderTransaction.parentTransaction")
def transaction_parent(site: Site, one: Fields, _arguments: Fields) -> Fields | None:
    order = site.one("Order", one["order"])
    rows = order["transactions"] if order else []
    return next((row for row in rows if row["id"] == one["parent"]), None)


def _oldest(site: Site) -> int:
    """The moment before which orders are shown to nobody without read_all_orders."""
    return 0 if "read_all_orders" in site.scopes else site.now() - SHOWN_FOR
