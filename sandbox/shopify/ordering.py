"""What an app with the scopes for it does to orders: writes, pays, edits, pays back, cancels, closes and deletes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sandbox.shopify import buying, money, selling
from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.selling import Sold
from sandbox.shopify.site import APP, Site, connection, gid

WRITE, EDIT = "write_orders", "write_order_edits"
BY_HAND = ("manual", "")
"""Gateways of which Shopify knows nothing but what it was told; orders paid otherwise are kept."""
_MANY = "Too many attempts. Please try again later."
_COUNTRIES = {"DE": "Germany", "AT": "Austria", "FR": "France"}


@mutation("orderCreate", scope=WRITE)
def create(site: Site, _source: Any, arguments: Fields) -> Fields:
    """Prices are those given, taxes only those given; a trial shop takes so many a minute ("orders_a_minute")."""
    options = arguments.get("options") or {}
    behaviour = options.get("inventoryBehaviour", "BYPASS")
    if behaviour == "BYPASS":
        raise not_simulated("an order that claims no stock")
    wish = arguments["order"]
    only(
        wish, "an order", "lineItems", "transactions", "email", "shippingAddress", "billingAddress", "test",
        "financialStatus", "currency", "taxesIncluded", "note", "tags", "buyerAcceptsMarketing",
    )  # fmt: skip
    if wish.get("currency", site.currency) != site.currency:
        raise not_simulated("an order in another currency")
    _demand_turn(site)
    fields = {name: wish.get(name) for name in ("email", "note", "tags", "test")}
    order = buying.begin(
        site, {**fields, "address": _address(wish.get("shippingAddress") or {})}, source=str(APP)
    )
    order["taxesIncluded"] = bool(wish.get("taxesIncluded"))
    with _told("order", "INVENTORY_CLAIM_FAILED"):
        for one in wish.get("lineItems") or []:
            _write_line(site, order, one, free=behaviour == "DECREMENT_IGNORING_POLICY")
    for one in wish.get("transactions") or []:
        _write_payment(site, order, one)
    site.put("Order", order)
    site.fired("ORDERS_CREATE", "Order", order["id"])
    return {"order": order, "userErrors": []}


@mutation("orderMarkAsPaid", scope=WRITE)
def mark_as_paid(site: Site, _source: Any, arguments: Fields) -> Fields:
    order = _order(site, arguments["input"]["id"])
    with _told("id", ""):
        buying.pay(site, order)
    return {"order": order, "userErrors": []}


@mutation("orderEditBegin", scope=EDIT)
def begin_edit(site: Site, _source: Any, arguments: Fields) -> Fields:
    order = _order(site, arguments["id"])
    if order["cancelledAt"]:
        raise UserError("The order cannot be edited.", "", "id")
    draft = site.new("CalculatedOrder", order=order["id"], wanted={})
    site.put("CalculatedOrder", draft)
    return {"calculatedOrder": draft, "userErrors": []}


@mutation("orderEditSetQuantity", scope=EDIT)
def set_quantity(site: Site, _source: Any, arguments: Fields) -> Fields:
    only(arguments, "an edit of a line", "id", "lineItemId", "quantity", "restock")
    draft = _draft(site, arguments["id"])
    row = next((one for one in _calculated(site, draft) if one["id"] == arguments["lineItemId"]), None)
    if row is None:
        raise UserError("The line item does not exist.", "", "lineItemId")
    if arguments["quantity"] < 0:
        raise UserError("The quantity must be 0 or more.", "", "quantity")
    if not arguments.get("restock"):
        raise not_simulated("pieces taken out of an order that do not go back")
    draft["wanted"][str(row["line"])] = arguments["quantity"]
    site.touch(draft)
    return {"calculatedOrder": draft, "calculatedLineItem": row, "userErrors": []}


@mutation("orderEditCommit", scope=EDIT)
def commit_edit(site: Site, _source: Any, arguments: Fields) -> Fields:
    draft = _draft(site, arguments["id"])
    order = _order(site, gid("Order", draft["order"]))
    lines = [{"line": line, "quantity": quantity} for line, quantity in draft["wanted"].items()]
    with _told("id", ""):
        buying.edit(site, order, lines)
    site.store.drop("CalculatedOrder", draft["id"])
    return {"order": order, "successMessages": [], "userErrors": []}


@field("CalculatedOrder.lineItems")
def calculated_lines(site: Site, draft: Fields, arguments: Fields) -> Fields:
    return connection(_calculated(site, draft), arguments)


@mutation("refundCreate", scope=WRITE, keyed=True)
def pay_back(site: Site, _source: Any, arguments: Fields) -> Fields:
    """Money goes back only as the transactions say; what it differs from the lines' worth is an adjustment."""
    wish = arguments["input"]
    only(wish, "a refund", "orderId", "refundLineItems", "transactions", "note", "notify")
    order = _order(site, wish["orderId"])
    lines = [
        {"line": one["lineItemId"], "quantity": one["quantity"], "restock": one.get("restockType", "NO_RESTOCK")}
        for one in wish.get("refundLineItems") or []
    ]  # fmt: skip
    amount = Decimal(0)
    for one in wish.get("transactions") or []:
        if one["kind"] != "REFUND" or not _sale(order, one.get("parentId")):
            raise UserError("A refund needs the sale that it pays back.", "", "transactions")
        amount += Decimal(str(one["amount"]))
    with _told("orderId", ""):
        made = buying.refund(site, order, {"lines": lines, "amount": str(amount), "note": wish.get("note")})
    return {"order": order, "refund": made, "userErrors": []}


@mutation("orderCancel", scope=WRITE)
def cancel(site: Site, _source: Any, arguments: Fields) -> Fields:
    """Done at once; a real shop does it a moment later, as the job says."""
    only(
        arguments, "a cancellation", "orderId", "reason", "restock", "refundMethod", "notifyCustomer", "staffNote"
    )  # fmt: skip
    order = _order(site, arguments["orderId"], "NOT_FOUND")
    back = bool((arguments.get("refundMethod") or {}).get("originalPaymentMethodsRefund"))
    with _told("orderId", "INVALID"):
        wish = {"restock": arguments["restock"], "refund": back, "reason": arguments["reason"]}
        buying.cancel(site, order, wish)
    return {
        "job": {"__typename": "Job", "id": gid("Job", site.number("Job")), "done": False},
        "userErrors": [],
    }


@field("OrderCancelPayload.orderCancelUserErrors")
def cancel_errors(_site: Site, payload: Fields, _arguments: Fields) -> list[Fields]:
    return list(payload["userErrors"])


@mutation("orderClose", scope=WRITE)
def close(site: Site, _source: Any, arguments: Fields) -> Fields:
    order = _order(site, arguments["input"]["id"])
    order.update(closed=True, closedAt=order["closedAt"] or site.now())
    site.touch(order)
    site.fired("ORDERS_UPDATED", "Order", order["id"])
    return {"order": order, "userErrors": []}


@mutation("orderDelete", scope=WRITE)
def delete(site: Site, _source: Any, arguments: Fields) -> Fields:
    """Only what is cancelled or archived, and no money went through a gateway for (help.shopify.com, "Deleting
    orders" [3rd]; the sentence is from GitHub nozzlegear/Gearworks#7). Its stock does not come back."""
    order = _order(site, arguments["orderId"], "NOT_FOUND")
    if not (order["cancelledAt"] or order["closedAt"]):
        raise UserError("Order must be cancelled or archived before it can be deleted.", "INVALID", "orderId")
    if not order["test"] and any(one["gateway"] not in BY_HAND for one in order["transactions"]):
        raise UserError("Cannot delete orders brokered by Shopify", "INVALID", "orderId")
    site.store.drop("Order", order["id"])
    return {"deletedId": gid("Order", order["id"]), "userErrors": []}


def _demand_turn(site: Site) -> None:
    """shopify.dev, orderCreate: a trial or development store takes five new orders a minute; the words are [3rd]."""
    most = site.fact("orders_a_minute")
    if most and len(site.all("Order", "created > ?", site.now() - 60)) >= int(most):
        raise UserError(_MANY)


def _address(given: Fields) -> Fields:
    fields = {name: given.get(name) for name in buying.ADDRESS}
    code = given.get("countryCode")
    if code is not None and code not in _COUNTRIES:
        raise not_simulated(f"an address in {code}")
    names = {"firstName": given.get("firstName") or "", "lastName": given.get("lastName") or ""}
    return {**fields, **names, "countryCodeV2": code, "country": _COUNTRIES.get(str(code))}


def _write_line(site: Site, order: Fields, one: Fields, *, free: bool) -> None:
    only(one, "a line", "variantId", "quantity", "priceSet", "requiresShipping", "taxable")
    variant = site.one("ProductVariant", one["variantId"]) if one.get("variantId") else None
    if variant is None:
        raise Sold("The variant of a line does not exist.")
    if not one.get("requiresShipping"):
        raise not_simulated("a written line that needs no shipping")
    given = (one.get("priceSet") or {}).get("shopMoney") or {"amount": variant["price"]}
    price = Decimal(str(given["amount"]))
    selling.write_in(site, order, variant, int(one["quantity"]), price, free=free)


def _write_payment(site: Site, order: Fields, one: Fields) -> None:
    only(one, "a payment", "kind", "status", "gateway", "amountSet", "test")
    if (one.get("kind", "SALE"), one.get("status", "SUCCESS")) != ("SALE", "SUCCESS"):
        raise not_simulated("a payment that is no sale")
    due = money.totals(order, current=True)["total"] - money.paid(order)
    if Decimal(str(one["amountSet"]["shopMoney"]["amount"])) != due:
        raise not_simulated("a payment of another amount than the order's")
    buying.receive(site, order, str(one.get("gateway") or ""))


def _sale(order: Fields, named: Any) -> bool:
    return any(
        gid("OrderTransaction", one["id"]) == named and one["kind"] == "SALE" for one in order["transactions"]
    )


def _calculated(site: Site, draft: Fields) -> list[Fields]:
    """The order's lines as the edit leaves them; an id says the line's number (shopify.dev, "Edit existing orders")."""
    order = _order(site, gid("Order", draft["order"]))
    return [
        {
            "__typename": "CalculatedLineItem", "id": gid("CalculatedLineItem", one["id"]), "line": one["id"],
            "sku": one["sku"], "title": one["title"], "quantity": draft["wanted"].get(str(one["id"]), one["current"]),
        }
        for one in order["lines"]
    ]  # fmt: skip


def _draft(site: Site, named: str) -> Fields:
    found = site.one("CalculatedOrder", named)
    if found is None:
        raise UserError("The calculated order does not exist.", "", "id")
    return found


def _order(site: Site, named: str, code: str = "") -> Fields:
    found = site.one("Order", named)
    if found is None:
        raise UserError("Order does not exist", code, "id")
    return found


@contextmanager
def _told(place: str, code: str) -> Iterator[None]:
    """What the shop's staff would be told is told to the app in userErrors."""
    try:
        yield
    except Sold as refusal:
        raise UserError(str(refusal), code, place) from None
