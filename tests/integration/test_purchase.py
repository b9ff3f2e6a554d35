"""Funded lines become one purchase order a supplier, once, and nothing is bought without its hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from core.errors import Permanent
from core.settings import load
from pipelines.orders.reserve import cover
from pipelines.routes import ROUTES
from tests.stepping import one, rows
from tests.trade import Trade

PURCHASE = "orders.purchase.purchase"


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield Trade(database)
    database.close()


def test_each_supplier_of_an_order_gets_one_purchase_order_at_the_held_cost(trade: Trade) -> None:
    norden, sueden = trade.supplier("Norden"), trade.supplier("Sueden")
    order_id = trade.funded(
        (trade.offer(norden), 2), (trade.offer(norden, "3.005"), 1), (trade.offer(sueden, "7"), 1)
    )
    trade.run(PURCHASE, twice=True)
    assert rows(
        trade.db,
        "SELECT p.reference, p.supplier_id, p.state, p.shipping_minor, p.currency, p.asked_at, l.quantity, l.unit_cost::text"
        " FROM purchase_order p JOIN purchase_order_line l ON l.purchase_order_id = p.id ORDER BY l.line_id",
    ) == [
        ("EP-1", norden, "submitting", 490, "EUR", None, 2, "10.000000"),
        ("EP-1", norden, "submitting", 490, "EUR", None, 1, "3.005000"),
        ("EP-2", sueden, "submitting", 490, "EUR", None, 1, "7.000000"),
    ]
    assert trade.lines(order_id) == [
        ("submitting", 2, 2, 0),
        ("submitting", 1, 1, 0),
        ("submitting", 1, 1, 0),
    ]
    assert one(
        trade.db, "SELECT array_agg(payload ORDER BY id) FROM message WHERE step = 'orders.submit.submit'"
    ) == [
        {"purchase_order_id": 1},
        {"purchase_order_id": 2},
    ]
    assert trade.story(order_id).count("purchased") == 3


def test_lines_funded_later_make_another_purchase_order(trade: Trade) -> None:
    norden = trade.supplier()
    first, dear = trade.offer(norden), trade.offer(norden, "90")
    other = trade.supplier("Sueden")
    late = trade.offer(other, "90")
    order_id = trade.funded((first, 1), (late, 1))
    trade.run(PURCHASE)
    assert [state for state, *_ in trade.lines(order_id)] == ["submitting", "awaiting_deposit"]
    assert one(trade.db, "SELECT count(*) FROM purchase_order") == 1
    trade.deposit(50_000)
    with trade.db.unit_of_work() as uow:
        cover(uow, order_id, load())
    trade.run(PURCHASE)
    assert rows(trade.db, "SELECT reference, supplier_id FROM purchase_order ORDER BY id") == [
        ("EP-1", norden),
        ("EP-2", other),
    ]
    assert trade.stock(dear) == (5, 0, 0)


@pytest.mark.parametrize(
    "gone",
    [
        "UPDATE hold SET released = 1",
        "DELETE FROM hold_part; DELETE FROM hold",
        "UPDATE reservation SET quantity = 1",
        "DELETE FROM reservation",
    ],
)
def test_a_line_that_only_counts_as_funded_stops_the_whole_order(trade: Trade, gone: str) -> None:
    order_id = trade.funded((trade.offer(trade.supplier()), 2), (trade.offer(trade.supplier()), 1))
    with trade.db.unit_of_work() as uow:
        uow.cursor().execute(gone.encode())
    with pytest.raises(Permanent, match="counts as funded"):
        trade.run(PURCHASE)
    assert one(trade.db, "SELECT count(*) FROM purchase_order") == 0
    assert [state for state, *_ in trade.lines(order_id)] == ["funded", "funded"]
    assert trade.waiting("orders.submit.submit") == 0


def test_what_the_buyer_took_back_before_is_not_bought(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    order_id = trade.funded((offer, 2))
    trade.want(order_id, 0)
    trade.run(PURCHASE)
    assert trade.lines(order_id) == [("cancelled", 0, 0, 0)]
    assert one(trade.db, "SELECT count(*) FROM purchase_order") == 0
    assert (trade.stock(offer), trade.money()) == ((5, 0, 0), (10_000, 0))
