"""Stored exchange rates: loaded from the European Central Bank's file, fetched once a day where the operator says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from connectors.rates import ReferenceRate, fetch_rates, read_rates
from core.database import Database, UnitOfWork
from core.errors import Misconfigured
from core.guard import Guard
from core.settings import load
from models.events import ListingsDue, RatesDue, StockMoved

STORE = """
INSERT INTO currency_rate (day, currency, per_euro)
SELECT * FROM unnest(%s::date[], %s::text[], %s::numeric[]) AS r(day, currency, per_euro)
ON CONFLICT (day, currency) DO UPDATE SET per_euro = excluded.per_euro WHERE currency_rate.per_euro <> excluded.per_euro"""

NEWEST = "SELECT currency, max(day) FROM currency_rate GROUP BY currency"

# Whose prices were made with a rate, or could not be made without one.
CONCERNED = """
SELECT s.id, s.seller_id FROM shop s
WHERE EXISTS (SELECT FROM listing l WHERE l.shop_id = s.id AND l.why->>'currency' <> s.currency) ORDER BY s.id"""

# Orders that wait for goods whose supplier asks in another currency.
WAITING = """
SELECT DISTINCT f.id, o.seller_id, o.shop_id FROM order_line l JOIN shop_order o ON o.id = l.order_id
JOIN offer f ON f.variant_id = l.variant_id
WHERE l.state = 'awaiting_stock' AND f.state = 'offered' AND f.free > 0 AND f.currency <> %s ORDER BY f.id"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file brought: rates that are new or other than before, and the newest day there is now."""

    rates: int
    changed: int
    newest: date


def store(uow: UnitOfWork, rates: Sequence[ReferenceRate]) -> Loaded:
    """Stores the rates; where a currency's newest one changed, shops that price by rates are planned anew, and orders that
    wait for a rate go on."""
    cursor = uow.cursor()
    before = dict(cursor.execute(NEWEST).fetchall())
    cursor.execute(
        STORE,
        [[rate.day for rate in rates], [rate.currency for rate in rates], [rate.per_euro for rate in rates]],
    )
    changed = cursor.rowcount
    after = dict(cursor.execute(NEWEST).fetchall())
    if changed and any(rate.day >= before.get(rate.currency, date.min) for rate in rates):
        for shop_id, seller_id in cursor.execute(CONCERNED).fetchall():
            uow.emit(ListingsDue(tenant=seller_id, lane=f"shop:{shop_id}", shop_id=shop_id))
        for offer_id, seller_id, shop_id in cursor.execute(WAITING, [load().currency]).fetchall():
            uow.emit(StockMoved(tenant=seller_id, lane=f"shop:{shop_id}", offer_id=offer_id))
    return Loaded(len(rates), changed, max(after.values()))


def fetch(event: RatesDue, db: Database) -> None:
    """Asks for the day's rates at ENTREPOT_RATES_URL. Raises Misconfigured where it is empty or no such file is there."""
    rates = fetched(load().rates_url)
    with db.unit_of_work(last=True) as uow:
        store(uow, rates)


def fetched(url: str) -> list[ReferenceRate]:
    """The rates at an address of the web. No unit of work may be open meanwhile."""
    settings = load()
    if not url:
        raise Misconfigured("Where the rates come from is not said: set ENTREPOT_RATES_URL, or load a file.")
    return read_rates(fetch_rates(url, Guard(settings.private_host_names), settings.archive))
