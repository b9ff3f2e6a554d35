"""Holds on real PostgreSQL: what each command posts and counts, to the cent, and that repeating it changes nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from core.database import Database
from core.errors import Refused
from ledger import chart, holds
from ledger.holds import Line, Short
from models.ledger import Hold
from tests.books import NOON, VAT, Books, euros
from tests.stepping import one, rows

LATER = NOON + timedelta(days=14)


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    database = Database(database_url, ())
    yield Books(database)
    database.close()


def captured(books: Books, hold: Hold, quantity: int) -> int:
    """A parcel of the hold; the capture's id."""
    shipment = books.shipment(hold.order_id, hold.supplier_id)
    with books.db.unit_of_work() as uow:
        holds.capture(
            uow,
            line_id=hold.line_id,
            shipment_id=shipment,
            quantity=quantity,
            happened_at=NOON,
            matures_at=LATER,
        )
    return int(one(books.db, "SELECT max(id) FROM capture"))


def refunded(books: Books, hold: Hold, quantity: int, key: str) -> holds.Done:
    with books.db.unit_of_work() as uow:
        return holds.refund(uow, line_id=hold.line_id, quantity=quantity, key=key, happened_at=NOON)


def matured(books: Books, capture_id: int) -> holds.Done | None:
    with books.db.unit_of_work() as uow:
        return holds.mature(uow, capture_id, LATER)


def test_a_hold_takes_goods_shipping_commission_and_vat_out_of_the_deposit(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier()
    hold = books.held(seller, supplier, 3, "10.005")
    # 30.015 rounds half-up to 30.02; 10 % of it is 3.002, 19 % of 3.00 is 0.57.
    assert books.parts(hold.id) == {
        "goods": (3002, 0, 0, 0), "shipping": (490, 0, 0, 0), "commission": (300, 0, 0, 0), "vat": (57, 0, 0, 0),
    }  # fmt: skip
    deposit, held = chart.deposit(seller), chart.held(seller)
    assert books.entries()[1:] == [
        f"hold: {deposit} > {held} 3002 goods, {deposit} > {held} 490 shipping, "
        f"{deposit} > {held} 300 commission, {deposit} > {held} 57 vat"
    ]
    assert books.balances() == {"bank": -10_000, deposit: 10_000 - 3849, held: 3849}


def test_too_little_deposit_writes_nothing_and_says_how_much_is_missing(books: Books) -> None:
    seller, supplier = books.seller(1_000), books.supplier()
    order, (line,) = books.order(seller, 1)
    with books.db.unit_of_work() as uow:
        assert books.open(uow, order, line, seller, supplier, 1, "10.00") == Short(
            missing=euros(609), needed=euros(1609)
        )
    assert rows(books.db, "SELECT (SELECT count(*) FROM hold), (SELECT count(*) FROM hold_part)") == [(0, 0)]
    assert books.balances() == {"bank": -1000, chart.deposit(seller): 1000}


def test_what_is_held_covers_nothing_else(books: Books) -> None:
    seller, supplier = books.seller(3_000), books.supplier("0", shipping=0)
    books.held(seller, supplier, 1, "20.00")
    order, (line,) = books.order(seller, 1)
    with books.db.unit_of_work() as uow:
        assert books.open(uow, order, line, seller, supplier, 1, "15.00") == Short(
            missing=euros(500), needed=euros(1500)
        )
    assert books.balances() == {"bank": -3000, chart.deposit(seller): 1_000, chart.held(seller): 2_000}


def test_capture_in_parts_and_the_rest_released_adds_up_to_the_cent(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier(shipping=100)
    hold = books.held(seller, supplier, 3, "3.33")
    captured(books, hold, 1)
    captured(books, hold, 1)
    with books.db.unit_of_work() as uow:
        done = holds.release(uow, hold.line_id, 1, "release:1", "the buyer took it back")
    # goods 999, shipping 100, commission 100, vat 19: each third by cumulative rounding.
    assert books.parts(hold.id) == {
        "goods": (999, 666, 333, 0), "shipping": (100, 67, 33, 0), "commission": (100, 67, 33, 0), "vat": (19, 13, 6, 0),
    }  # fmt: skip
    assert (done.amount, done.parts) == (
        euros(405),
        {"goods": 333, "shipping": 33, "commission": 33, "vat": 6},
    )
    assert books.balances() == {
        "bank": -10_000, "commission": 67, "vat": 13, chart.deposit(seller): 10_000 - 813, chart.pending(supplier): 733,
    }  # fmt: skip


def test_a_full_refund_after_everything_leaves_exactly_zero(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier(shipping=100)
    hold = books.held(seller, supplier, 3, "3.33")
    matured(books, captured(books, hold, 2))
    captured(books, hold, 1)
    for n in range(3):
        refunded(books, hold, 1, f"refund:{n}")
    assert books.balances() == {"bank": -10_000, chart.deposit(seller): 10_000}
    assert [minors[1] == minors[3] for minors in books.parts(hold.id).values()] == [True] * 4
    assert rows(books.db, "SELECT captured, refunded FROM hold") == [(3, 3)]
    assert one(books.db, "SELECT sum(pending_minor) FROM capture") == 0


def test_a_refund_takes_pending_then_available_then_reserve_and_the_rest_is_owed(books: Books) -> None:
    from ledger.posting import post
    from ledger.rules import Move

    seller, supplier = books.seller(10_000), books.supplier("0", shipping=0)
    hold = books.held(seller, supplier, 10, "10.00")
    matured(books, captured(books, hold, 6))
    captured(books, hold, 1)
    with books.db.unit_of_work() as uow:
        moves = [
            Move(chart.available(supplier), chart.in_payout(supplier), euros(5_500)),
            Move(chart.available(supplier), chart.reserve(supplier), euros(300)),
        ]
        post(uow, "payout:1", "payout_built", moves, NOON)
    refunded(books, hold, 2, "refund:1")
    assert books.entries()[-1] == (
        f"refund: {chart.pending(supplier)} > {chart.deposit(seller)} 1000 goods, "
        f"{chart.available(supplier)} > {chart.deposit(seller)} 200 goods, "
        f"{chart.reserve(supplier)} > {chart.deposit(seller)} 300 goods, "
        f"{chart.supplier_receivable(supplier)} > {chart.deposit(seller)} 500 goods"
    )
    assert books.balances() == {
        "bank": -10_000, chart.deposit(seller): 2_000, chart.held(seller): 3_000,
        chart.in_payout(supplier): 5_500, chart.supplier_receivable(supplier): -500,
    }  # fmt: skip


def test_what_comes_back_to_a_seller_repays_his_debt_first(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier()
    hold = books.held(seller, supplier, 2)
    captured(books, hold, 1)
    books.owe(chart.seller_receivable(seller), 2_500)
    with books.db.unit_of_work() as uow:
        assert holds.release(uow, hold.line_id, 1, "release:1", "gone").amount == euros(1_364)
    assert books.balances()[chart.seller_receivable(seller)] == -(2_500 - 1_364)
    refunded(books, hold, 1, "refund:1")
    assert chart.seller_receivable(seller) not in books.balances()
    assert books.balances()[chart.deposit(seller)] == 10_000 - 2_500


def test_repeating_any_command_changes_nothing(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier()
    hold = books.held(seller, supplier, 4)
    capture = captured(books, hold, 2)
    shipment = one(books.db, "SELECT shipment_id FROM capture WHERE id = %s", capture)
    with books.db.unit_of_work() as uow:
        first = holds.release(uow, hold.line_id, 1, "release:1", "gone")
    second = refunded(books, hold, 1, "refund:1")
    third = matured(books, capture)
    before = (
        books.entries(),
        books.balances(),
        books.parts(hold.id),
        rows(books.db, "SELECT * FROM capture"),
    )
    with books.db.unit_of_work() as uow:
        again = holds.release(uow, hold.line_id, 1, "release:1", "gone")
    assert (again.amount, again.entry_id, again.again, first.again) == (
        first.amount,
        first.entry_id,
        True,
        False,
    )
    assert refunded(books, hold, 1, "refund:1").entry_id == second.entry_id
    assert third is not None
    assert matured(books, capture) is None
    with books.db.unit_of_work() as uow:
        assert holds.capture(
            uow, line_id=hold.line_id, shipment_id=shipment, quantity=2, happened_at=LATER, matures_at=LATER
        ).again
    assert before == (
        books.entries(),
        books.balances(),
        books.parts(hold.id),
        rows(books.db, "SELECT * FROM capture"),
    )
    with pytest.raises(Refused) as refused, books.db.unit_of_work() as uow:
        holds.release(uow, hold.line_id, 2, "release:1", "gone")
    assert refused.value.rule == "key_reused"


def test_rounding_to_nothing_is_remembered_as_well(books: Books) -> None:
    seller, supplier = books.seller(100), books.supplier("0", shipping=0)
    hold = books.held(seller, supplier, 10, "0.001")
    for _ in range(2):
        with books.db.unit_of_work() as uow:
            done = holds.release(uow, hold.line_id, 1, "release:1", "gone")
        assert (done.amount, done.entry_id) == (euros(0), None)
    assert rows(books.db, "SELECT quantity, released FROM hold") == [(10, 1)]


def test_more_than_is_open_or_captured_is_refused(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier()
    hold = books.held(seller, supplier, 3)
    captured(books, hold, 1)
    with books.db.unit_of_work() as uow:
        holds.release(uow, hold.line_id, 1, "release:1", "gone")
    before = books.balances()
    with pytest.raises(Refused, match="1 is still open; 2 cannot be taken") as refused:
        captured(books, hold, 2)
    assert refused.value.rule == "beyond_open"
    with pytest.raises(Refused) as refused, books.db.unit_of_work() as uow:
        holds.release(uow, hold.line_id, 2, "release:2", "gone")
    assert refused.value.rule == "beyond_open"
    with pytest.raises(Refused) as refused:
        refunded(books, hold, 2, "refund:1")
    assert refused.value.rule == "beyond_captured"
    assert books.balances() == before


def test_a_line_is_never_held_for_more_than_was_ordered(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier()
    order, (line,) = books.order(seller, 2)
    first = books.held(seller, supplier, 1, line=(order, line))
    second = books.held(seller, supplier, 1, line=(order, line))
    assert (first.number, second.number) == (1, 2)
    with pytest.raises(Refused) as refused:
        books.held(seller, supplier, 1, line=(order, line))
    assert refused.value.rule == "held_already"
    with books.db.unit_of_work() as uow:
        holds.release(uow, line, 1, "release:1", "refused by the supplier")
    assert rows(books.db, "SELECT number, released FROM hold ORDER BY number") == [(1, 0), (2, 1)]
    assert books.held(seller, supplier, 1, line=(order, line)).number == 3


def test_shipping_is_charged_once_an_order_and_supplier(books: Books) -> None:
    seller, supplier, other = books.seller(50_000), books.supplier(), books.supplier(shipping=300)
    order, lines = books.order(seller, 1, 1, 1, 1)
    with books.db.unit_of_work() as uow:
        opened = holds.open_holds(
            uow,
            [Line(lines[0], order, seller, supplier, 1, Decimal("20.00")), Line(lines[1], order, seller, supplier, 1, Decimal("10.00"))],
            currency="EUR", happened_at=NOON, vat_percent=VAT,
        )  # fmt: skip
    assert not isinstance(opened, Short)
    third = books.held(seller, supplier, line=(order, lines[2]))
    fourth = books.held(seller, other, line=(order, lines[3]))
    shipping = [books.parts(hold.id)["shipping"][0] for hold in (*opened, third, fourth)]
    assert shipping == [327, 163, 0, 300]
    with books.db.unit_of_work() as uow:
        holds.release(uow, lines[1], 1, "release:1", "refused by the supplier")
    again = books.held(seller, supplier, line=(order, lines[1]))
    assert books.parts(again.id)["shipping"][0] == 163


def test_several_lines_are_covered_together_or_not_at_all(books: Books) -> None:
    seller, supplier = books.seller(3_000), books.supplier("0", shipping=0)
    order, lines = books.order(seller, 1, 1)
    with books.db.unit_of_work() as uow:
        assert holds.open_holds(
            uow,
            [Line(line, order, seller, supplier, 1, Decimal("20.00")) for line in lines],
            currency="EUR", happened_at=NOON, vat_percent=VAT,
        ) == Short(euros(1_000), euros(4_000))  # fmt: skip
    assert one(books.db, "SELECT count(*) FROM hold") == 0


def test_a_capture_matures_when_it_is_due_and_once(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier("10", shipping=0)
    hold = books.held(seller, supplier, 2)
    capture = captured(books, hold, 2)
    refunded(books, hold, 1, "refund:1")
    with books.db.unit_of_work() as uow:
        assert holds.mature(uow, capture, LATER - timedelta(seconds=1)) is None
    assert books.balances()[chart.pending(supplier)] == 1_000
    done = matured(books, capture)
    assert done is not None and done.amount == euros(1_000)
    assert books.entries()[-1] == f"mature: {chart.pending(supplier)} > {chart.available(supplier)} 1000"
    assert matured(books, capture) is None
    assert books.balances()[chart.available(supplier)] == 1_000


def test_one_deposit_covers_as_many_holds_as_it_can_and_no_more(books: Books) -> None:
    seller, supplier = books.seller(3_500), books.supplier("0", shipping=0)
    orders = [books.order(seller, 1) for _ in range(8)]

    def cover(n: int) -> str:
        order, (line,) = orders[n]
        with books.db.unit_of_work() as uow:
            return type(books.open(uow, order, line, seller, supplier, 1, "10.00")).__name__

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(cover, range(8))) == ["Hold"] * 3 + ["Short"] * 5
    assert books.balances() == {"bank": -3_500, chart.deposit(seller): 500, chart.held(seller): 3_000}


def test_pieces_are_captured_or_released_but_never_both(books: Books) -> None:
    seller, supplier = books.seller(10_000), books.supplier("0", shipping=0)
    hold = books.held(seller, supplier, 3)
    shipments = [books.shipment(hold.order_id, supplier) for _ in range(4)]

    def take(n: int) -> str:
        try:
            with books.db.unit_of_work() as uow:
                if n % 2:
                    holds.release(uow, hold.line_id, 1, f"release:{n}", "gone")
                else:
                    holds.capture(
                        uow, line_id=hold.line_id, shipment_id=shipments[n // 2], quantity=1, happened_at=NOON, matures_at=LATER
                    )  # fmt: skip
        except Refused as refused:
            return refused.rule
        return "done"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(take, range(8))) == ["beyond_open"] * 5 + ["done"] * 3
    ((captured_, released),) = rows(books.db, "SELECT captured, released FROM hold")
    assert captured_ + released == 3
    assert books.balances().get(chart.pending(supplier), 0) == captured_ * 1_000
    assert books.balances()[chart.deposit(seller)] == 7_000 + released * 1_000


def test_a_line_without_a_hold_is_named(books: Books) -> None:
    _, (line,) = books.order(books.seller(), 1)
    with pytest.raises(Refused, match=f"Order line {line} has no hold"), books.db.unit_of_work() as uow:
        holds.release(uow, line, 1, "release:1", "gone")
