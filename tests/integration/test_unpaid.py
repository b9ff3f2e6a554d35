"""An order whose payment fails after it was covered: nothing is bought for it until its shop says that it is paid again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from models.events import OrderChanged
from models.orders import Order
from pipelines.orders.stored import NOT_PAID
from pipelines.routes import ROUTES
from tests.stepping import one, rows, run_all
from tests.trade import Trade

PURCHASES = "SELECT state, asked_at IS NOT NULL, reason FROM purchase_order"


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield Trade(database)
    database.close()


def says(trade: Trade, order_id: int, standing: str) -> None:
    """The shop says so; whatever waits is done, each step twice."""
    with trade.db.unit_of_work() as uow:
        order = uow.session.get_one(Order, order_id)
        order.standing = standing
        uow.emit(OrderChanged(tenant=order.seller_id, lane=order.lane, order_id=order.id))
    run_all(trade.db, twice=True)


def test_what_is_funded_is_not_bought(trade: Trade) -> None:
    order = trade.funded((trade.offer(trade.supplier()), 2))
    says(trade, order, "unpaid")
    assert rows(trade.db, PURCHASES) == []
    assert trade.lines(order) == [("funded", 2, 2, 0)]
    assert one(trade.db, "SELECT reason FROM order_line") == NOT_PAID
    says(trade, order, "open")
    assert rows(trade.db, PURCHASES) == [("placed", True, None)]


def test_what_is_not_sent_yet_is_not_sent(trade: Trade) -> None:
    po = trade.made((trade.offer(trade.supplier()), 2))
    order = one(trade.db, "SELECT order_id FROM purchase_order WHERE id = %s", po)
    says(trade, order, "unpaid")
    assert rows(trade.db, PURCHASES) == [("submitting", False, NOT_PAID)]
    says(trade, order, "open")
    assert rows(trade.db, PURCHASES) == [("placed", True, None)]
