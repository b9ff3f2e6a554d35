"""Shopify's orders into the hub's: pure. Money is always the shop's own, never that of the buyer's currency."""

from datetime import datetime
from typing import Any, Literal

from connectors.orders import Buyer, ShopOrder, ShopOrderLine, ShopRefund
from core.money import Money

Fields = dict[str, Any]

PAID = {"PAID", "PARTIALLY_REFUNDED", "REFUNDED", "AUTHORIZED"}
"""OrderDisplayFinancialStatus under which goods may leave. AUTHORIZED: the money is reserved and can be captured, which
many sellers do at shipment. PENDING, PARTIALLY_PAID, EXPIRED and VOIDED are not paid."""


def shop_order(found: Fields) -> ShopOrder:
    """The order from OrderParts, its lines and refund lines complete.

    The total is that before refunds, which are told on their own. Raises Refused where an amount is none.
    """
    refunds = found.get("refunds") or []
    returned = [one for one in refunds if _paid_back(one)]
    gone: dict[str, int] = {}
    for refund in returned:
        for line, quantity in _refund_lines(refund):
            gone[line] = gone.get(line, 0) + quantity
    return ShopOrder(
        external_id=str(found["id"]),
        number=str(found["name"]),
        currency=str(found["currencyCode"]),
        standing=standing(found),
        placed_at=moment(found["createdAt"]),
        updated_at=moment(found["updatedAt"]),
        total=_bag(found["totalPriceSet"]),
        lines=tuple(_line(line, gone.get(str(line["id"]), 0)) for line in found["lineItems"]["nodes"]),
        refunds=tuple(
            ShopRefund(str(refund["id"]), _bag(refund["totalRefundedSet"]), tuple(_refund_lines(refund)))
            for refund in returned
        ),
        buyer=_buyer(found),
        test=found.get("test") is True,
    )


def standing(found: Fields) -> Literal["unpaid", "open", "cancelled"]:
    """Cancelled as a whole, paid or reserved ("open"), or neither."""
    if found.get("cancelledAt"):
        return "cancelled"
    return "open" if found.get("displayFinancialStatus") in PAID else "unpaid"


def moment(written: str) -> datetime:
    """ "2026-11-27T00:00:00Z" as a moment with its zone."""
    return datetime.fromisoformat(written)


def _line(line: Fields, refunded: int) -> ShopOrderLine:
    """`currentQuantity` falls by edits and by refunds alike: what refunds do not explain was removed by an edit."""
    quantity = int(line["quantity"])
    return ShopOrderLine(
        external_id=str(line["id"]),
        variant_id=str(line["variant"]["id"]) if line.get("variant") else None,
        sku=str(line.get("sku") or ""),
        title=str(line.get("title") or ""),
        quantity=quantity,
        removed=max(0, quantity - int(line["currentQuantity"]) - refunded),
        unit_price=_unit_price(line, quantity),
    )


def _unit_price(line: Fields, quantity: int) -> Money | None:
    """What the buyer pays for one: Shopify's own discounted unit price is only approximate, so it is counted here and
    told where it comes out even."""
    price = _bag(line["originalUnitPriceSet"])
    off = sum(_bag(one["allocatedAmountSet"]).minor for one in line.get("discountAllocations") or [])
    if quantity <= 0:
        return None
    each, rest = divmod(price.minor * quantity - off, quantity)
    return Money(each, price.currency) if rest == 0 else None


def _paid_back(refund: Fields) -> bool:
    """Whether a refund is one: without any payment it is how Shopify keeps an edit that took pieces out, told as `removed`,
    unless the pieces came back from the buyer (an exchange, store credit)."""
    if _bag(refund["totalRefundedSet"]).minor or refund["transactions"]["nodes"]:
        return True
    return any(one.get("restockType") == "RETURN" for one in refund["refundLineItems"]["nodes"])


def _refund_lines(refund: Fields) -> list[tuple[str, int]]:
    return [(str(one["lineItem"]["id"]), int(one["quantity"])) for one in refund["refundLineItems"]["nodes"]]


def _buyer(found: Fields) -> Buyer:
    address = found.get("shippingAddress") or found.get("billingAddress") or {}

    def told(name: str) -> str:
        return str(address.get(name) or "")

    return Buyer(
        name=told("name"),
        company=told("company"),
        email=str(found.get("email") or ""),
        phone=told("phone") or str(found.get("phone") or ""),
        street=told("address1"),
        street2=told("address2"),
        postcode=told("zip"),
        city=told("city"),
        region=told("province"),
        country=told("countryCodeV2"),
    )


def _bag(bag: Fields) -> Money:
    money = bag["shopMoney"]
    return Money.of(str(money["amount"]), str(money["currencyCode"]))
