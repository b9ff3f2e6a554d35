"""WooCommerce's orders and refunds into the hub's: pure, and never by the float that stands in a line as its `price`."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from typing import Any, Literal

from connectors.orders import Buyer, ShopOrder, ShopOrderLine, ShopRefund
from core.errors import Refused
from core.money import Money, exponent

Fields = dict[str, Any]
Standing = Literal["unpaid", "open", "cancelled"]

STANDINGS: dict[str, Standing] = {
    "pending": "unpaid",
    "failed": "unpaid",
    "on-hold": "unpaid",
    "checkout-draft": "unpaid",
    "auto-draft": "unpaid",
    "trash": "cancelled",
    "processing": "open",
    "completed": "open",
    "refunded": "open",
    "cancelled": "cancelled",
}
"""WooCommerce's own statuses. On hold waits for a bank transfer; a refunded order is what its refunds say. The trash is where
an owner throws what he will not deliver; taken out of it, an order stands as it did."""
TAKEN = "_reduced_stock"
"""Meta field of an order's line: the pieces that WooCommerce has counted off for it (recorded: order_create_api,
order_get_after_refund; absent while it has taken none)."""
REFUNDED_LINE = "_refunded_item_id"
"""Meta field of a refund's line that names the order's line (recorded: refund_create_partial)."""
_PLACE = ("address_1", "address_2", "postcode", "city")


def order(found: Fields, refunds: Sequence[Fields] = ()) -> ShopOrder:
    """An order as the REST API gives it, with the answers of orders/{id}/refunds.

    The shop overwrites a line's quantity where its owner edits it and drops a line he takes out: what was first
    ordered is not told, so `removed` is always 0. A bundle (WooCommerce Product Bundles) is a line of its own beside the
    lines of its parts: those the hub knows are shipped, whatever they cost inside the bundle. Raises Refused where a
    plugin left something out or wrote something else than it should.
    """
    try:
        return _order(found, refunds)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise Refused(
            f"Order {found.get('number') or found.get('id')} cannot be read ({type(error).__name__}: {error}); a plugin may "
            "have changed what the shop tells of it."
        ) from None


def standing(found: Fields) -> Standing:
    """Whether to ship. A status that a plugin invented counts as paid where the shop has written when it was paid."""
    return STANDINGS.get(
        str(found.get("status")), "open" if found.get("date_paid_gmt") or found.get("date_paid") else "unpaid"
    )


def line(found: Fields, currency: str) -> ShopOrderLine:
    """One line. The id of its product stays after the product is gone from the shop, and is what the hub knows it by.

    A fraction of a piece, which a plugin may sell, is nothing the hub ever listed: such a line has no variant.
    """
    quantity = Decimal(str(found["quantity"]))
    whole = quantity == quantity.to_integral_value()
    number = int(found.get("variation_id") or 0) or int(found.get("product_id") or 0)
    return ShopOrderLine(
        external_id=str(found["id"]),
        variant_id=str(number) if number and whole else None,
        sku=str(found.get("sku") or ""),
        title=unescape(str(found.get("name") or "")),
        quantity=math.ceil(quantity),
        unit_price=unit_price(found, currency) if whole else None,
        taken=taken(found),
    )


def taken(found: Fields) -> int | None:
    """How many pieces the shop has counted off its stock for this line; None where a plugin wrote something else there."""
    try:
        return math.ceil(Decimal(str(meta(found, TAKEN) or 0)))
    except (ArithmeticError, ValueError):
        return None


def unit_price(found: Fields, currency: str) -> Money | None:
    """What the buyer pays for one, tax and discount counted: the line's whole amount divided, where that is exact."""
    quantity = int(found["quantity"])
    if quantity < 1:
        return None
    try:
        gross = Decimal(str(found["total"])) + Decimal(str(found.get("total_tax") or "0"))
    except ArithmeticError:
        return None
    minor = gross.scaleb(exponent(currency))
    if minor != minor.to_integral_value() or int(minor) % quantity:
        return None
    return Money(int(minor) // quantity, currency)


def refund(found: Fields, currency: str) -> ShopRefund:
    """A refund: the shop keeps it as an order of negative quantities, whose lines name those they belong to."""
    lines = []
    for one in found.get("line_items") or []:
        origin = meta(one, REFUNDED_LINE)
        quantity = math.ceil(-Decimal(str(one.get("quantity") or 0)))
        if origin is not None and quantity > 0:
            lines.append((str(origin), quantity))
    return ShopRefund(str(found["id"]), Money.of(str(found["amount"]), currency), tuple(lines))


def nothing_left(lines: Sequence[ShopOrderLine], refunds: Sequence[ShopRefund]) -> tuple[ShopRefund, ...]:
    """The refunds of an order that was paid back whole: the last takes every piece that no other names.

    An owner who sets the status "refunded", or pays the whole amount back in one sum, makes a refund without lines.
    Taken as it is, the goods would still be sent to a buyer who has his money.
    """
    if not refunds:
        return ()
    left = Counter({one.external_id: one.quantity for one in lines})
    for one in refunds:
        left.subtract(_pieces(one))
    last = refunds[-1]
    pieces = _pieces(last) + Counter({name: count for name, count in left.items() if count > 0})
    return (*refunds[:-1], replace(last, lines=tuple(pieces.items())))


def buyer(found: Fields) -> Buyer:
    """Whom the goods go to: the shipping address as a whole, or the billing address where the shop asked for no other."""
    billing, shipping = found.get("billing") or {}, found.get("shipping") or {}
    place = shipping if any(shipping.get(name) for name in _PLACE) else billing
    names = (str(place.get(name) or "").strip() for name in ("first_name", "last_name"))
    return Buyer(
        name=" ".join(filter(None, names)),
        company=str(place.get("company") or ""),
        email=str(billing.get("email") or ""),
        phone=str(place.get("phone") or billing.get("phone") or ""),
        street=str(place.get("address_1") or ""),
        street2=str(place.get("address_2") or ""),
        postcode=str(place.get("postcode") or ""),
        city=str(place.get("city") or ""),
        region=str(place.get("state") or ""),
        country=str(place.get("country") or ""),
    )


def meta(found: Fields, key: str) -> Any:
    """The value of a meta field, None where the thing has none."""
    return next((one.get("value") for one in found.get("meta_data") or [] if one.get("key") == key), None)


def moment(written: Any) -> datetime:
    """A moment of the REST API's *_gmt fields, which name no zone. Raises Refused where it is none."""
    try:
        return datetime.fromisoformat(str(written)).replace(tzinfo=UTC)
    except ValueError:
        raise Refused(
            f"The shop gives {written!r} where a date belongs; a plugin may have changed it."
        ) from None


def _pieces(refund: ShopRefund) -> Counter[str]:
    found = Counter[str]()
    for name, quantity in refund.lines:
        found[name] += quantity
    return found


def _order(found: Fields, refunds: Sequence[Fields]) -> ShopOrder:
    currency = str(found["currency"])
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise ValueError(f"the currency {currency!r}")
    lines = tuple(line(one, currency) for one in found.get("line_items") or [])
    paid_back = tuple(refund(one, currency) for one in sorted(refunds, key=lambda one: int(one["id"])))
    if found.get("status") == "refunded":
        paid_back = nothing_left(lines, paid_back)
    return ShopOrder(
        external_id=str(found["id"]),
        number=str(found.get("number") or found["id"]),
        currency=currency,
        standing=standing(found),
        placed_at=moment(found["date_created_gmt"]),
        updated_at=moment(found["date_modified_gmt"] or found["date_created_gmt"]),
        total=Money.of(str(found["total"]), currency),
        lines=lines,
        refunds=paid_back,
        buyer=buyer(found),
    )
