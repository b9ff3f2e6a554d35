"""What buyers and the shop's staff do to orders: buy, pay, edit, refund, cancel. Nothing of it is the hub's."""

from decimal import Decimal
from typing import Any

from sandbox.shopify import inventory, money, selling
from sandbox.shopify.answers import Fields
from sandbox.shopify.selling import Sold
from sandbox.shopify.site import Site, gid

_NOWHERE = "There is nothing of that in the shop: {}."
ADDRESS = {
    "firstName": "Erika", "lastName": "Muster", "company": None, "address1": "Musterweg 1", "address2": None,
    "zip": "10115", "city": "Berlin", "province": None, "provinceCode": None, "country": "Germany",
    "countryCodeV2": "DE", "phone": "+49 30 1234567",
}  # fmt: skip


def buy(site: Site, wish: Fields, *, free: bool = False) -> Fields:
    """`{"lines": [{"sku" | "title" and "price", "quantity", "discount"?}], "email"?, "address"?, "paid"?: true,
    "shipping"?: "4.90", "tags"?, "test"?, "note"?, "gateway"?, "fee"?, "presentment"?: {"currency", "rate"}}` → the
    order. `presentment` is what the buyer saw and paid: its amounts are the shop's times the rate.

    Raises Sold for what is not on sale or not in stock, and then nothing is sold; `free` staff may sell all the same.
    """
    order = begin(site, wish, source="shopify_draft_order" if free else "web")
    for one in wish["lines"]:
        selling.add(site, order, one, free=free)
    if wish.get("shipping"):
        price = Decimal(str(wish["shipping"]))
        tax = money.tax_in(price, site.tax_rate, included=site.tax_included)
        line = {
            "id": site.number("ShippingLine"),
            "title": "Standard",
            "code": "Standard",
            "source": "shopify",
        }
        order["shipping"].append({**line, "price": money.cents(price), "tax": money.cents(tax), "isRemoved": False, "custom": False, "phone": None})  # fmt: skip
    if wish.get("paid", True):
        receive(site, order, str(wish.get("gateway") or "bogus"), wish.get("fee"))
    site.put("Order", order)
    site.fired("ORDERS_CREATE", "Order", order["id"])
    return order


def begin(site: Site, wish: Fields, *, source: str) -> Fields:
    """An order with its buyer, `buy` says how, and nothing in it yet; nobody is told of it and it is not kept."""
    name = f"#{site.number('OrderName') - 1000000001 + 1001}"
    order = site.new(
        "Order", name=name, slug=name, email=wish.get("email", "erika@example.com"),
        phone=None, note=wish.get("note"), tags=list(wish.get("tags") or []), test=bool(wish.get("test")),
        cancelledAt=None, cancelReason=None, closedAt=None, closed=False, confirmed=True, edited=False,
        processedAt=site.now(), taxesIncluded=site.tax_included, customAttributes=[],
        sourceName=source, presentment=wish.get("presentment"),
        lines=[], shipping=[], transactions=[], refunds=[], parts=[], fulfillments=[],
    )  # fmt: skip
    address = {**ADDRESS, **(wish.get("address") or {}), "__typename": "MailingAddress"}
    address = {**address, "id": site.number("MailingAddress"), "coordinatesValidated": False}
    address["name"] = f"{address['firstName']} {address['lastName']}".strip()
    order.update(shippingAddress=address, billingAddress=dict(address))
    return order


def draft(site: Site, wish: Fields) -> Fields:
    """An order that the shop's staff writes for a buyer, as `buy` takes it; it is none and takes no stock until it is
    completed."""
    made = site.new("DraftOrder", name=f"#D{site.number('DraftName') - 1000000000}", status="OPEN", wish=wish)
    site.put("DraftOrder", made)
    return made


def complete(site: Site, wish: Fields) -> Fields:
    """`{"draft": gid, "paid"?: true}` → the order it has become. Raises Sold for one that is none or was completed."""
    found = site.one("DraftOrder", wish["draft"])
    if found is None or found["status"] != "OPEN":
        raise Sold(_NOWHERE.format(wish["draft"]))
    order = buy(site, {**found["wish"], "paid": wish.get("paid", True)}, free=True)
    found.update(status="COMPLETED", order=order["id"])
    site.touch(found)
    return order


def pay(site: Site, order: Fields) -> None:
    """The money of an unpaid order arrives."""
    if order["cancelledAt"]:
        raise Sold("The order is cancelled.")
    receive(site, order, "manual", None)
    _changed(site, order, "ORDERS_PAID")


def edit(site: Site, order: Fields, lines: list[Fields]) -> None:
    """Each `{"line" | "sku", "quantity"}` shall have that quantity: less gives stock back, more is a new line, as
    Shopify's order editing keeps what was bought in `quantity` and what is left in `currentQuantity`."""
    for one in lines:
        held = _line(order, one, missing=bool(one.get("sku")))
        wanted = int(one["quantity"])
        current = held["current"] if held else 0
        if held and wanted < current:
            _take_out(site, order, held, current - wanted, restock=True)
        elif wanted > current:
            selling.add(
                site, order, {"sku": one.get("sku") or (held or {})["sku"], "quantity": wanted - current}
            )
    order["edited"] = True
    _changed(site, order, "ORDERS_EDITED")


def refund(site: Site, order: Fields, wish: Fields) -> Fields:
    """`{"lines"?: [{"line" | "sku", "quantity", "restock"?: "RETURN" | "CANCEL" | "NO_RESTOCK"}], "amount"?, "shipping"?, "note"?}`.

    Without `amount` what the lines and the shipping cost is paid back; with another amount the rest is an adjustment.
    """
    made: Fields = {
        "__typename": "Refund", "id": site.number("Refund"), "order": order["id"], "createdAt": site.now(),
        "processedAt": site.now(), "updatedAt": site.now(), "note": wish.get("note"), "duties": [], "lines": [],
        "shipping": [], "adjustments": [],
    }  # fmt: skip
    due = Decimal(0)
    for one in wish.get("lines") or []:
        due += _refund_line(site, order, made, one)
    if wish.get("shipping"):
        amount = Decimal(str(wish["shipping"]))
        tax = money.tax_in(amount, site.tax_rate, included=site.tax_included)
        row = {"id": site.number("RefundShippingLine"), "shippingLine": order["shipping"][0]}
        made["shipping"].append({**row, "amount": money.cents(amount), "tax": money.cents(tax)})
        due += amount if site.tax_included else amount + tax
    amount = Decimal(str(wish["amount"])) if wish.get("amount") not in (None, "") else due
    if amount > money.paid(order) - money.paid(order, "REFUND"):
        raise Sold("More than was paid cannot be paid back.")
    if amount != due:
        row = {
            "id": site.number("OrderAdjustment"),
            "amountSet": money.cents(due - amount),
            "taxAmountSet": "0.00",
        }
        made["adjustments"].append({**row, "reason": "REFUND_DISCREPANCY"})
    made["amount"] = money.cents(amount)
    order["refunds"].append(made)
    site.put("RefundPlace", {"id": made["id"], "parent": order["id"]})
    if amount:
        sale = next(one for one in order["transactions"] if one["kind"] == "SALE")
        back = _transaction(site, order, "REFUND", amount, sale["gateway"])
        order["transactions"].append({**back, "parent": sale["id"], "refund": made["id"]})
    _changed(site, order, "REFUNDS_CREATE", f"Refund {made['id']}")
    return made


def cancel(site: Site, order: Fields, wish: Fields) -> None:
    """All of it: stock returns and money goes back unless `restock` or `refund` is false."""
    if order["cancelledAt"]:
        raise Sold("The order is cancelled already.")
    if order["fulfillments"]:
        raise Sold("Something of the order was sent already.")
    restock = bool(wish.get("restock", True))
    back = money.paid(order) - money.paid(order, "REFUND") if wish.get("refund", True) else Decimal(0)
    kind = "CANCEL" if restock else "NO_RESTOCK"
    rows = [
        {"line": one["id"], "quantity": one["current"], "restock": kind}
        for one in order["lines"]
        if one["current"]
    ]
    refund(
        site, order, {"lines": rows, "amount": str(back)}
    )  # Shopify makes one even where no money goes back
    order.update(
        cancelledAt=site.now(), cancelReason=wish.get("reason", "CUSTOMER"), closedAt=site.now(), closed=True
    )
    _changed(site, order, "ORDERS_CANCELLED")


def found(site: Site, named: Any) -> Fields:
    """By gid, number or name. Raises Sold where there is none."""
    text = str(named)
    number = text.removeprefix(gid("Order", 0)[:-1])
    order = site.one("Order", int(number)) if number.isdigit() else None
    order = order or next(iter(site.all("Order", "slug = ?", text)), None)
    if order is None:
        raise Sold(_NOWHERE.format(text))
    return order


def receive(site: Site, order: Fields, gateway: str, fee: Any = None) -> None:
    """What is left to pay arrives by this gateway; `fee` is what the gateway keeps. Raises Sold where nothing is left."""
    due = money.totals(order, current=True)["total"] - money.paid(order)
    if due <= 0:
        raise Sold("The order is paid already.")
    made = _transaction(site, order, "SALE", due, gateway)
    if fee:
        row = {
            "id": site.number("TransactionFee"),
            "amount": money.cents(Decimal(str(fee))),
            "type": "processing_fee",
        }
        made["fees"].append({**row, "rate": "0.0", "rateName": None, "flatFee": "0.00", "flatFeeName": None, "taxAmount": "0.00"})  # fmt: skip
    order["transactions"].append(made)


def _transaction(site: Site, order: Fields, kind: str, amount: Decimal, gateway: str) -> Fields:
    return {
        "__typename": "OrderTransaction", "id": site.number("OrderTransaction"), "order": order["id"], "kind": kind,
        "status": "SUCCESS", "gateway": gateway, "formattedGateway": gateway, "amount": money.cents(amount),
        "createdAt": site.now(), "processedAt": site.now(), "test": order["test"], "fees": [], "parent": None,
        "errorCode": None, "paymentId": None,
    }  # fmt: skip


def _refund_line(site: Site, order: Fields, made: Fields, one: Fields) -> Decimal:
    line = _line(order, one, missing=False)
    assert line is not None
    quantity = int(one["quantity"])
    if not 0 < quantity <= line["current"]:
        raise Sold(f"There are only {line['current']} pieces of that line left.")
    left = line["current"] - money.fulfilled(line, order)
    restock = str(one.get("restock") or ("CANCEL" if left >= quantity else "RETURN"))
    subtotal, tax = money.worth(line, quantity), money.share(line["tax"], quantity, line["quantity"])
    _take_out(site, order, line, quantity, restock=restock != "NO_RESTOCK")
    made["lines"].append(
        {
            "id": site.number("RefundLineItem"), "order": order["id"], "line": line["id"], "quantity": quantity,
            "restockType": restock, "restocked": restock != "NO_RESTOCK", "priceSet": line["price"],
            "subtotalSet": money.cents(subtotal), "totalTaxSet": money.cents(tax),
        }
    )  # fmt: skip
    return subtotal if order["taxesIncluded"] else subtotal + tax


def _take_out(site: Site, order: Fields, line: Fields, quantity: int, *, restock: bool) -> None:
    """So many pieces less: first those not sent yet."""
    unsent = quantity
    for part in order["parts"]:
        for row in part["lines"]:
            if row["line"] == line["id"] and unsent:
                less = min(unsent, row["remaining"])
                row.update(remaining=row["remaining"] - less, total=row["total"] - less)
                unsent -= less
        if not any(row["remaining"] for row in part["lines"]) and part["status"] in ("OPEN", "IN_PROGRESS"):
            part.update(status="CLOSED", updatedAt=site.now())
    item = inventory.of_line(site, line)
    if item is not None and item["tracked"]:
        back = quantity if restock else 0
        inventory.move(site, item, line["place"], available=back, committed=unsent - quantity)
    line["current"] -= quantity


def _line(order: Fields, one: Fields, *, missing: bool) -> Fields | None:
    """By gid, number or SKU (the first with pieces left). Raises Sold unless it may be missing."""
    lines: list[Fields] = order["lines"]
    for line in lines:
        if "line" in one and str(one["line"]) in (str(line["id"]), gid("LineItem", line["id"])):
            return line
        if "line" not in one and line["sku"] == one.get("sku") and line["current"]:
            return line
    if missing:
        return None
    raise Sold(f"The order has no line {one.get('line') or one.get('sku')}.")


def _changed(site: Site, order: Fields, topic: str, kind: str = "Order") -> None:
    site.touch(order)
    site.fired(topic, kind, order["id"])
    site.fired("ORDERS_UPDATED", "Order", order["id"])
