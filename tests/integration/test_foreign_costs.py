"""A supplier who asks in another currency: the hub buys in its own, by the stored rate of the day it covers the order."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rates import ReferenceRate
from core.clock import now
from core.database import Database
from core.settings import load
from pipelines.listings.pricing.rates import store
from pipelines.orders.costs import PLACES, own_cost, parities
from pipelines.routes import ROUTES
from tests.stepping import one, rows, run_all
from tests.trade import Trade

LINE = "SELECT state, unit_cost, reason FROM order_line"
HELD = "SELECT sum(h.quantity), max(h.currency) FROM hold h"


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield Trade(database)
    database.close()


def rate(trade: Trade, per_euro: str, day: date) -> None:
    with trade.db.unit_of_work() as uow:
        store(uow, [ReferenceRate(day, "USD", Decimal(per_euro))])
    run_all(trade.db)


def abroad(trade: Trade, cost: str = "11.00") -> int:
    """An offer that costs so many US dollars."""
    offer = trade.offer(trade.supplier(), cost=cost)
    trade.db.run("UPDATE offer SET currency = 'USD' WHERE id = %s", [offer])
    return offer


def test_it_waits_for_a_rate_and_is_bought_by_it(trade: Trade) -> None:
    today = now().date()
    rate(trade, "2.0", today - timedelta(days=8))  # too old to be used
    order = trade.order((abroad(trade), 2))
    run_all(trade.db, twice=True)
    ((state, cost, reason),) = rows(trade.db, LINE)
    assert (state, cost) == ("awaiting_stock", None)
    assert "free in EUR (for USD a rate of the last 7 days is missing)" in reason
    rate(trade, "1.1", today)
    assert rows(trade.db, LINE)[0][:2] == ("submitting", Decimal("10.000000"))
    assert rows(trade.db, HELD) == [(2, "EUR")]
    assert rows(trade.db, "SELECT currency FROM purchase_order") == [("EUR",)]
    assert one(trade.db, "SELECT unit_cost FROM purchase_order_line") == Decimal("10.000000")
    told = one(trade.db, "SELECT text FROM order_event WHERE order_id = %s AND what = 'funded'", order)
    assert told.endswith("covered by the deposit. Its supplier asks 11 USD, by the rate 10 EUR.")


def test_the_cheaper_by_the_rate_is_taken(trade: Trade) -> None:
    rate(trade, "1.1", now().date())
    theirs = abroad(trade, "10.89")  # 9.90 EUR
    trade.offer(trade.supplier("Bergmann"), cost="9.91", of=theirs)
    trade.order((theirs, 1))
    run_all(trade.db)
    assert one(trade.db, "SELECT offer_id FROM order_line") == theirs
    assert one(trade.db, "SELECT unit_cost FROM order_line") == Decimal("9.900000")


def test_a_hub_that_works_in_another_currency(database_url: str, trade: Trade) -> None:
    rate(trade, "1.25", now().date())
    with trade.db.unit_of_work() as uow:
        found = parities(uow.cursor(), load().model_copy(update={"currency": "USD"}))
        assert found == {"USD": 1, "EUR": Decimal("0.8")}
        assert own_cost(Decimal("8"), "EUR", found) == Decimal("10.000000")
        unknown = parities(uow.cursor(), load().model_copy(update={"currency": "CHF"}))
    assert unknown == {"CHF": 1}
    assert own_cost(Decimal("8"), "EUR", unknown) is None


@given(st.decimals("0.01", "99999", places=6), st.decimals("0.0001", "20000", places=8))
def test_a_cost_is_converted_to_six_places(cost: Decimal, per_own: Decimal) -> None:
    own = own_cost(cost, "USD", {"EUR": Decimal(1), "USD": per_own})
    assert own is not None
    assert abs(own * per_own - cost) <= PLACES / 2 * per_own + Decimal("1e-15") * max(cost, 1)
    assert own == own.quantize(PLACES)
    assert own_cost(cost, "EUR", {"EUR": Decimal(1)}) == cost
