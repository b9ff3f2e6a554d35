"""Prices a listing: a pure function from a supplier's cost and a seller's margin, which explains itself."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.money import Money, exponent


@dataclass(frozen=True, slots=True)
class Cost:
    """What a supplier asks: `amount` in major units, as exact as his file; None where he gave none."""

    amount: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a listing is not sent, in a sentence for the seller."""

    problem: str


def decide(cost: Cost, margin_percent: Decimal, shop_currency: str) -> Money | Blocked:
    """The price in the shop: cost and margin, rounded half-up once, at the end."""
    if cost.amount is None:
        return Blocked(
            "The supplier's feed gives no cost for this product: its policy must say what he asks."
        )
    if cost.currency is None:
        return Blocked("The supplier's feed names no currency: its settings must say it.")
    if cost.currency != shop_currency:
        return Blocked(
            f"The supplier asks {cost.currency} and the shop sells in {shop_currency}: one currency only, for now."
        )
    # Half-up on the exact cost, so that a cost of five decimals is not rounded twice.
    exact = cost.amount * (100 + margin_percent) / 100
    minor = int((exact.scaleb(exponent(shop_currency)) + Decimal("0.5")).to_integral_value("ROUND_FLOOR"))
    if minor <= 0:
        return Blocked("The price would be nothing: look at the cost and the margin.")
    return Money(minor, shop_currency)


def explain(cost: Cost, margin_percent: Decimal, selection_id: int, offer_id: int) -> dict[str, Any]:
    """What `why` stores beside the listing: which offer and which selection made the price, and from what."""
    return {
        "cost": str(cost.amount.normalize()) if cost.amount is not None else None, "currency": cost.currency,
        "margin_percent": str(margin_percent), "selection": selection_id, "offer": offer_id,
    }  # fmt: skip
