"""What an offer costs the hub in its own currency: as the supplier asks, or by the stored rates where he asks in another."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from psycopg import Cursor

from core.clock import now
from core.settings import Settings

RATES = """
SELECT DISTINCT ON (currency) currency, per_euro FROM currency_rate WHERE day >= %s ORDER BY currency, day DESC"""
PLACES = Decimal("0.000001")
"""As exact as order_line.unit_cost."""


def parities(cursor: Cursor[Any], settings: Settings) -> Mapping[str, Decimal]:
    """How much of each currency is one of the hub's, by rates not older than ENTREPOT_RATE_DAYS; the hub's own is 1."""
    oldest = now().date() - timedelta(days=settings.rate_days)
    per_euro = {**dict(cursor.execute(RATES, [oldest]).fetchall()), "EUR": Decimal(1)}
    own = per_euro.get(settings.currency)
    found = {currency: rate / own for currency, rate in per_euro.items()} if own else {}
    return {**found, settings.currency: Decimal(1)}


def own_cost(cost: Decimal, currency: str, found: Mapping[str, Decimal]) -> Decimal | None:
    """`cost` in the hub's currency, to six places, half up; None where there is no rate for it."""
    if currency not in found:
        return None
    return cost if found[currency] == 1 else (cost / found[currency]).quantize(PLACES, ROUND_HALF_UP)
