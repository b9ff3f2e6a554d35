"""Letting go: before it was bought, at the supplier, after it was shipped; and nothing of it twice."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.clock import now
from core.database import Database
from core.errors import Temporary
from ledger.holds import capture
from models.events import OrderChanged
from models.orders import OrderLine
from models.purchasing import PurchaseOrder, PurchaseOrderLine, Shipment
from pipelines.orders.release import release
from pipelines.orders.reserve import reserve
from pipelines.routes import ROUTES
from tests.orders import Market, funded_line, line, lines_of, market, order
from tests.stepping import one, pending, rows


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


@pytest.fixture
def of(db: Database) -> Market:
    return market(db, 10, 10, deposit=100_000, commission="10", shipping=500)


def funded(db: Database, of: Market, *quantities: int) -> int:
    """An order whose lines are funded; its id."""
    with db.unit_of_work() as uow:
        made = order(uow.session, of)
        for place, quantity in enumerate(quantities):
            funded_line(uow, made, of, place, quantity)
        return made.id


def want(db: Database, order_id: int, *quantities: int) -> None:
    """What the buyer wants now of each line."""
    for place, quantity in enumerate(quantities):
        db.run(
            "UPDATE order_line SET wanted = %s, version = version + 1 WHERE id ="
            " (SELECT id FROM order_line WHERE order_id = %s ORDER BY id OFFSET %s LIMIT 1)",
            [quantity, order_id, place],
        )


def let_go(db: Database, order_id: int) -> list[tuple[str, Any]]:
    """The step, twice, and what it emitted, once each."""
    for _ in range(2):
        release(OrderChanged(tenant=1, lane="x", order_id=order_id), db)
    messages = pending(db)
    assert len({(message["step"], *message["payload"].values()) for message in messages}) == len(messages)
    db.run("DELETE FROM message")
    return list(dict.fromkeys((message["event"], *message["payload"].values()) for message in messages))


def bought(db: Database, order_id: int, state: str = "accepted", line_state: str = "accepted") -> int:
    """One purchase order of all its lines; its id."""
    with db.unit_of_work() as uow:
        purchase = PurchaseOrder(
            order_id=order_id, supplier_id=2, reference=f"EP-{order_id}", state=state, shipping_minor=500, currency="EUR"
        )  # fmt: skip
        uow.session.add(purchase)
        uow.session.flush()
        for each in uow.session.query(OrderLine).filter_by(order_id=order_id):
            each.state = line_state
            uow.session.add(
                PurchaseOrderLine(
                    purchase_order_id=purchase.id, line_id=each.id, supplier_sku="A", quantity=each.covered,
                    unit_cost=each.unit_cost,
                )
            )  # fmt: skip
        return purchase.id


def shipped(db: Database, purchase_id: int, quantity: int, *, captured: bool) -> None:
    """So much of the only line left in one parcel."""
    with db.unit_of_work() as uow:
        parcel = Shipment(purchase_order_id=purchase_id, key=str(quantity), content_hash="")
        uow.session.add(parcel)
        each = uow.session.query(OrderLine).one()
        each.shipped += quantity
        each.state = "shipped" if each.shipped == each.covered else each.state
        uow.cursor().execute(
            "UPDATE reservation SET quantity = quantity - %s, sold = sold + %s, sold_at = now()",
            [quantity, quantity],
        )
        uow.session.flush()
        if captured:
            capture(
                uow, line_id=each.id, shipment_id=parcel.id, quantity=quantity, happened_at=now(),
                matures_at=now() + timedelta(days=14),
            )  # fmt: skip


def free(db: Database) -> list[int]:
    return [n for (n,) in rows(db, "SELECT free FROM offer ORDER BY id")]


def balances(db: Database) -> dict[str, int]:
    """Balances that are not zero, without the bank."""
    return dict(
        rows(
            db,
            "SELECT split_part(name, ':', 3), balance FROM account WHERE balance <> 0 AND name LIKE '%%:%%'",
        )
    )


def test_what_was_not_bought_goes_back_whole(db: Database, of: Market) -> None:
    order_id = funded(db, of, 2, 1)
    assert balances(db) == {"deposit": 100_000 - 3_500 - 357, "held": 3_500 + 357}
    want(db, order_id, 0, 1)
    assert let_go(db, order_id) == [("StockMoved", of.offers[0]), ("DepositCredited", of.seller)]
    assert lines_of(db) == [("cancelled", 2, 0, 0, 0, 0), ("funded", 1, 1, 1, 0, 0)]
    assert free(db) == [10, 9]
    want(db, order_id, 0, 0)
    let_go(db, order_id)
    assert (free(db), balances(db)) == ([10, 10], {"deposit": 100_000})
    assert {line[0] for line in lines_of(db)} == {"cancelled"}


def test_a_part_goes_back_and_the_rest_stays_funded(db: Database, of: Market) -> None:
    order_id = funded(db, of, 4)
    want(db, order_id, 3)
    let_go(db, order_id)
    assert lines_of(db) == [("funded", 4, 3, 3, 0, 0)]
    assert (free(db), one(db, "SELECT quantity FROM reservation")) == ([7, 10], 3)
    want(db, order_id, 1)
    let_go(db, order_id)
    assert lines_of(db) == [("funded", 4, 1, 1, 0, 0)]
    assert one(db, "SELECT quantity - released FROM hold") == 1
    assert [
        text for (text,) in rows(db, "SELECT text FROM order_event WHERE what = 'released' ORDER BY id")
    ] == [
        f"1 × {of.skus[0]} are free again; 12.44 EUR went back to the deposit.",
        f"2 × {of.skus[0]} are free again; 24.88 EUR went back to the deposit.",
    ]


def test_an_order_that_was_never_covered_is_simply_cancelled(db: Database, of: Market) -> None:
    with db.unit_of_work() as uow:
        made = order(uow.session, of)
        for state in ("received", "unpaid", "awaiting_stock", "awaiting_deposit", "rejected"):
            line(uow.session, made, of, wanted=0, state=state)
    assert let_go(db, made.id) == []
    assert {state for state, *_ in lines_of(db)} == {"cancelled"}
    assert (free(db), balances(db)) == ([10, 10], {"deposit": 100_000})


@pytest.mark.parametrize("state", ["submitting", "unknown", "placed", "accepted"])
def test_what_the_supplier_has_is_asked_back_and_nothing_is_released_yet(
    db: Database, of: Market, state: str
) -> None:
    order_id = funded(db, of, 3)
    purchase = bought(db, order_id, state, "submitting" if state == "submitting" else "accepted")
    before = balances(db)
    want(db, order_id, 1)
    assert let_go(db, order_id) == [("CancellationAsked", purchase)]
    assert lines_of(db) == [("cancel_requested", 3, 1, 3, 0, 0)]
    assert rows(db, "SELECT state, version FROM purchase_order") == [("cancel_requested", 2)]
    assert (free(db), balances(db)) == ([7, 10], before)
    assert one(db, "SELECT reason FROM order_line") == f"The supplier is asked to cancel 2 × {of.skus[0]}."


def test_what_was_shipped_is_refunded_once_it_is_captured(db: Database, of: Market) -> None:
    order_id = funded(db, of, 2)
    purchase = bought(db, order_id)
    shipped(db, purchase, 2, captured=False)
    want(db, order_id, 1)
    with pytest.raises(Temporary, match="not captured yet"):
        release(OrderChanged(tenant=1, lane="x", order_id=order_id), db)
    assert (lines_of(db), pending(db)) == ([("shipped", 2, 1, 2, 2, 0)], [])
    with db.unit_of_work() as uow:
        parcel = one(db, "SELECT id FROM shipment")
        line_id = one(db, "SELECT id FROM order_line")
        capture(uow, line_id=line_id, shipment_id=parcel, quantity=2, happened_at=now(), matures_at=now())
    assert let_go(db, order_id) == [("DepositCredited", of.seller)]
    assert lines_of(db) == [("shipped", 2, 1, 2, 2, 1)]
    want(db, order_id, 0)
    let_go(db, order_id)
    assert lines_of(db) == [("refunded", 2, 0, 2, 2, 2)]
    assert balances(db) == {"deposit": 100_000}
    assert rows(db, "SELECT key FROM journal_entry WHERE rule = 'refund' ORDER BY id") == [
        (f"refund:{line_id}:1",),
        (f"refund:{line_id}:2",),
    ]
    assert free(db) == [8, 10]  # what left the supplier is not his stock again


def test_open_pieces_go_before_shipped_ones(db: Database, of: Market) -> None:
    order_id = funded(db, of, 3)
    purchase = bought(db, order_id)
    shipped(db, purchase, 1, captured=True)
    want(db, order_id, 1)
    assert let_go(db, order_id) == [("CancellationAsked", purchase)]
    assert lines_of(db) == [("cancel_requested", 3, 1, 3, 1, 0)]
    want(db, order_id, 0)
    assert let_go(db, order_id) == [("DepositCredited", of.seller)]
    assert lines_of(db) == [("cancel_requested", 3, 0, 3, 1, 1)]


def test_a_line_cancelled_and_wanted_again_and_cancelled_again_goes_back_both_times(
    db: Database, of: Market
) -> None:
    order_id = funded(db, of, 1)
    want(db, order_id, 0)
    let_go(db, order_id)
    want(db, order_id, 1)
    db.run("UPDATE order_line SET state = 'received'")
    reserve(OrderChanged(tenant=of.seller, lane="x", order_id=order_id), db)
    assert (lines_of(db), free(db)) == ([("funded", 1, 1, 1, 0, 0)], [9, 10])
    db.run("DELETE FROM message")
    want(db, order_id, 0)
    let_go(db, order_id)
    assert (lines_of(db), free(db), balances(db)) == (
        [("cancelled", 1, 0, 0, 0, 0)],
        [10, 10],
        {"deposit": 100_000},
    )


def test_a_reservation_alone_goes_with_its_wish(db: Database) -> None:
    of = market(db, 10, deposit=1)
    with db.unit_of_work() as uow:
        made = order(uow.session, of)
        line(uow.session, made, of, quantity=2)
    reserve(OrderChanged(tenant=of.seller, lane="x", order_id=made.id), db)
    db.run("DELETE FROM message")
    assert free(db) == [8]
    want(db, made.id, 0)
    assert let_go(db, made.id) == [("StockMoved", of.offers[0])]
    assert (lines_of(db), free(db)) == ([("cancelled", 2, 0, 0, 0, 0)], [10])
