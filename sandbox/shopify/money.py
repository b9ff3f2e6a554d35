"""What an order costs: pure sums over its lines, exact to the cent."""

from decimal import ROUND_HALF_UP, Decimal

from sandbox.shopify.answers import Fields

CENT = Decimal("0.01")


def cents(amount: Decimal) -> str:
    return str(amount.quantize(CENT, rounding=ROUND_HALF_UP))


def tax_in(amount: Decimal, rate: Decimal, *, included: bool) -> Decimal:
    """The tax within, or on top of, an amount; 0.19 = 19 %."""
    tax = amount - amount / (1 + rate) if included else amount * rate
    return tax.quantize(CENT, rounding=ROUND_HALF_UP)


def original(line: Fields, quantity: int | None = None) -> Decimal:
    """At the price asked, before discounts."""
    return Decimal(line["price"]) * (line["quantity"] if quantity is None else quantity)


def share(total: str, quantity: int, of: int) -> Decimal:
    """So many pieces' part of what all pieces of a line cost."""
    return (Decimal(total) * quantity / of).quantize(CENT, rounding=ROUND_HALF_UP)


def worth(line: Fields, quantity: int) -> Decimal:
    """After discounts."""
    return original(line, quantity) - share(line["discount"], quantity, line["quantity"])


def totals(order: Fields, *, current: bool) -> dict[str, Decimal]:
    """subtotal, discounts, shipping, tax and total: as bought, or as it stands after edits and refunds."""
    found = dict.fromkeys(("subtotal", "discounts", "shipping", "tax"), Decimal(0))
    for line in order["lines"]:
        quantity = line["current"] if current else line["quantity"]
        found["subtotal"] += worth(line, quantity)
        found["discounts"] += share(line["discount"], quantity, line["quantity"])
        found["tax"] += share(line["tax"], quantity, line["quantity"])
    for one in order["shipping"]:
        found["shipping"] += Decimal(one["price"])
        found["tax"] += Decimal(one["tax"])
    if current:
        for refund in order["refunds"]:
            found["shipping"] -= sum((Decimal(one["amount"]) for one in refund["shipping"]), Decimal(0))
            found["tax"] -= sum((Decimal(one["tax"]) for one in refund["shipping"]), Decimal(0))
    found["total"] = found["subtotal"] + found["shipping"]
    if not order["taxesIncluded"]:
        found["total"] += found["tax"]
    return found


def paid(order: Fields, kind: str = "SALE") -> Decimal:
    """What arrived, or with REFUND what went back."""
    rows = (one for one in order["transactions"] if one["kind"] == kind and one["status"] == "SUCCESS")
    return sum((Decimal(one["amount"]) for one in rows), Decimal(0))


def financial_status(order: Fields) -> str:
    received, returned = paid(order), paid(order, "REFUND")
    if not received:
        return "VOIDED" if order["cancelledAt"] else "PENDING"
    if returned >= received:
        return "REFUNDED"
    if returned:
        return "PARTIALLY_REFUNDED"
    return "PAID" if received >= totals(order, current=True)["total"] else "PARTIALLY_PAID"


def fulfilled(line: Fields, order: Fields) -> int:
    """How many of a line have left."""
    return sum(
        one["quantity"]
        for shipment in order["fulfillments"]
        if shipment["status"] == "SUCCESS"
        for one in shipment["lines"]
        if one["line"] == line["id"]
    )


def fulfillment_status(order: Fields) -> str:
    left = sum(one["remaining"] for part in order["parts"] for one in part["lines"])
    gone = any(shipment["status"] == "SUCCESS" for shipment in order["fulfillments"])
    if gone:
        return "PARTIALLY_FULFILLED" if left else "FULFILLED"
    return "UNFULFILLED"
