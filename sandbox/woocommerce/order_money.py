"""What an order costs: line totals, discount, tax and their roundings, found out from the recorded orders.

Amounts are Decimals in the shop's currency. Line totals are net, kept to six places and shown with two; tax
is rounded per line.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from sandbox.woocommerce import text

CENT = Decimal("0.01")
SHOWN, KEPT = 2, 6


@dataclass(frozen=True)
class Priced:
    """One line's amounts, net, and the tax on them."""

    subtotal: Decimal
    total: Decimal
    subtotal_tax: Decimal
    total_tax: Decimal
    discount: Decimal


def price(
    lines: list[tuple[Decimal, int]], *, rate: Decimal, tax_included: bool, percent: int
) -> list[Priced]:
    """The amounts of lines given as (price of one, quantity), less a coupon of `percent`."""
    entered = [one * quantity for one, quantity in lines]
    discounts = _discounts(lines, entered, percent)
    found = []
    for amount, discount in zip(entered, discounts, strict=True):
        factor = 1 + rate if tax_included else Decimal(1)
        subtotal = text.rounded(amount / factor, KEPT)
        less = text.rounded(discount / factor, KEPT)
        total = subtotal - less
        found.append(Priced(subtotal, total, text.rounded(subtotal * rate), text.rounded(total * rate), less))
    return found


def shown(amount: Decimal) -> str:
    return str(text.rounded(amount, SHOWN))


def _discounts(lines: list[tuple[Decimal, int]], entered: list[Decimal], percent: int) -> list[Decimal]:
    """Each line rounded down; the cents missing to the whole go one by one to the dearest pieces."""
    share = Decimal(percent) / 100
    found = [(amount * share).quantize(CENT, rounding=ROUND_FLOOR) for amount in entered]
    missing = text.rounded(sum(entered, Decimal(0)) * share) - sum(found, Decimal(0))
    dearest = sorted(range(len(lines)), key=lambda index: lines[index][0], reverse=True)
    for index in dearest:
        if missing <= 0:
            break
        found[index] += CENT
        missing -= CENT
    return found
