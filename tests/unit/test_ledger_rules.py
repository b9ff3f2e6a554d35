"""The rules of money as pure functions: what they move, and that nothing is lost to rounding."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Permanent
from core.money import Money
from ledger import chart, rules
from ledger.rules import PARTS, Move, Quote, Terms, part, quote, share

minors = st.integers(0, 10**9)
quotes = st.builds(Quote, minors, minors, minors, minors, st.just("EUR"))


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def sums(moves: list[Move]) -> dict[str, int]:
    """What each account gains."""
    found: dict[str, int] = {}
    for move in moves:
        found[move.source] = found.get(move.source, 0) - move.amount.minor
        found[move.destination] = found.get(move.destination, 0) + move.amount.minor
    return {name: minor for name, minor in found.items() if minor}


@given(total=minors, steps=st.lists(st.integers(1, 50), min_size=1, max_size=12))
def test_parts_add_up_to_the_total_and_never_go_back(total: int, steps: list[int]) -> None:
    all_, done, already = sum(steps), 0, 0
    for step in steps:
        done += step
        amount = part(total, done, all_, already)
        assert amount >= 0
        already += amount
        assert abs(Fraction(total * done, all_) - already) <= Fraction(1, 2)
    assert already == total


@pytest.mark.parametrize(
    ("total", "done", "all_", "already", "expected"),
    [(100, 1, 3, 0, 33), (100, 2, 3, 33, 34), (1, 1, 2, 0, 1), (3, 1, 2, 0, 2), (0, 1, 2, 0, 0)],
)
def test_a_part_is_rounded_half_up(total: int, done: int, all_: int, already: int, expected: int) -> None:
    assert part(total, done, all_, already) == expected


@given(amount=minors, weights=st.lists(minors, min_size=1, max_size=8))
def test_shares_add_up_and_are_less_than_one_unit_off(amount: int, weights: list[int]) -> None:
    shares = share(amount, weights)
    assert sum(shares) == amount and len(shares) == len(weights)
    whole = sum(weights) or len(weights)
    for got, weight in zip(shares, weights if sum(weights) else [1] * len(weights), strict=True):
        assert abs(got - Fraction(amount * weight, whole)) < 1


@pytest.mark.parametrize(
    ("amount", "weights", "expected"),
    [(490, [2000, 1000], [327, 163]), (100, [1, 1, 1], [34, 33, 33]), (5, [0, 0], [3, 2]), (0, [1, 2], [0, 0])],
)  # fmt: skip
def test_a_share_by_largest_remainder(amount: int, weights: list[int], expected: list[int]) -> None:
    assert share(amount, weights) == expected


def test_a_quote_rounds_each_component_once_and_half_up() -> None:
    terms = Terms(Decimal("12.5"), 490, 3)
    assert quote(3, Decimal("10.005"), terms, 490, Decimal(19), "EUR") == Quote(3002, 490, 375, 71, "EUR")
    assert quote(2, Decimal("100.5"), terms, 0, Decimal(19), "JPY") == Quote(201, 0, 25, 5, "JPY")
    assert quote(1, Decimal("1.0005"), terms, 0, Decimal(0), "KWD") == Quote(1001, 0, 125, 0, "KWD")
    assert quote(1, Decimal(10), Terms(), 0, Decimal(19), "EUR") == Quote(1000, 0, 0, 0, "EUR")


@given(of=quotes, owed=minors)
def test_what_was_held_goes_back_whole(of: Quote, owed: int) -> None:
    there, back = sums(rules.hold(5, of)), sums(rules.release(5, of, owed=owed))
    total = of.total.minor
    assert there == ({chart.deposit(5): -total, chart.held(5): total} if total else {})
    repaid = min(owed, total)
    expected = {
        chart.held(5): -total,
        chart.seller_receivable(5): repaid,
        chart.deposit(5): total - repaid,
    }
    assert back == {name: minor for name, minor in expected.items() if minor}


@given(of=quotes)
def test_a_capture_pays_supplier_commission_and_vat(of: Quote) -> None:
    expected = {
        chart.held(5): -of.total.minor, chart.pending(3): of.goods + of.shipping, "commission": of.commission, "vat": of.vat,
    }  # fmt: skip
    assert sums(rules.capture(5, 3, of)) == {name: minor for name, minor in expected.items() if minor}
    assert {move.part for move in rules.capture(5, 3, of)} == {
        name for name, minor in of.parts.items() if minor
    }


@given(of=quotes, pending=minors, available=minors, reserve=minors, owed=minors)
def test_a_refund_takes_from_each_pot_in_its_order(
    of: Quote, pending: int, available: int, reserve: int, owed: int
) -> None:
    moves = rules.refund(5, 3, of, pending=pending, available=available, reserve=reserve, owed=owed)
    left, expected = of.goods + of.shipping, {"commission": -of.commission, "vat": -of.vat}
    for name, there in (
        (chart.pending(3), pending), (chart.available(3), available), (chart.reserve(3), reserve), (chart.supplier_receivable(3), left),
    ):  # fmt: skip
        given = min(left, there)
        left -= given
        expected[name] = -given
    repaid = min(owed, of.total.minor)
    expected |= {chart.seller_receivable(5): repaid, chart.deposit(5): of.total.minor - repaid}
    assert sums(moves) == {name: minor for name, minor in expected.items() if minor}
    for name in PARTS:
        assert sum(move.amount.minor for move in moves if move.part == name) == of.parts[name]


def test_every_payout_fact_moves_what_the_page_says() -> None:
    amount = euros(700)
    available, in_payout = chart.available(3), chart.in_payout(3)
    assert rules.payout_built(3, amount) == [Move(available, in_payout, amount)]
    assert rules.payout_paid(3, amount) == [Move(in_payout, "bank", amount)]
    assert rules.payout_rejected(3, amount) == [Move(in_payout, available, amount)]
    assert rules.payout_returned(3, amount) == [Move("bank", available, amount)]
    assert rules.netted(3, amount) == [Move(available, chart.supplier_receivable(3), amount)]
    assert rules.mature(3, amount) == [Move(chart.pending(3), available, amount)]
    assert rules.mature(3, euros(0)) == []
    assert rules.bank_fee(amount) == [Move("bank_fees", "bank", amount)]
    assert rules.unallocated(amount) == [Move("bank", "unallocated", amount)]
    assert rules.unallocated_returned(amount) == [Move("unallocated", "bank", amount)]
    assert rules.withdrawal_asked(5, amount) == [Move(chart.deposit(5), chart.withdrawing(5), amount)]
    assert rules.withdrawal_paid(5, amount) == [Move(chart.withdrawing(5), "bank", amount)]


@pytest.mark.parametrize(
    ("moves", "source"),
    [
        (rules.top_up(5, euros(700), owed=200), "bank"),
        (rules.top_up(5, euros(700), owed=200, via="psp"), "psp"),
        (rules.allocate(5, euros(700), owed=200), "unallocated"),
        (rules.withdrawal_failed(5, euros(700), owed=200), chart.withdrawing(5)),
        (rules.withdrawal_returned(5, euros(700), owed=200), "bank"),
    ],
)
def test_every_credit_repays_the_debt_first(moves: list[Move], source: str) -> None:
    assert moves == [
        Move(source, chart.seller_receivable(5), euros(200)),
        Move(source, chart.deposit(5), euros(500)),
    ]


def test_a_reversal_goes_back_from_the_end() -> None:
    first, second = (
        Move("bank", chart.deposit(5), euros(9)),
        Move(chart.deposit(5), chart.held(5), euros(4), "goods"),
    )
    assert rules.reverse([first, second]) == [
        Move(chart.held(5), chart.deposit(5), euros(4), "goods"),
        Move(chart.deposit(5), "bank", euros(9)),
    ]


def test_the_chart_knows_its_accounts_and_no_others() -> None:
    guarded = {name for name, of in chart.CHART.items() if of.guarded}
    assert guarded == {
        "seller:deposit", "seller:held", "seller:withdrawing", "supplier:pending", "supplier:available", "supplier:reserve",
        "supplier:in_payout",
    }  # fmt: skip
    assert chart.character("seller:5:deposit") == chart.Character("liability", guarded=True)
    assert chart.character("supplier:7:receivable").kind == chart.character("bank").kind == "asset"
    assert (chart.company_of("seller:5:deposit"), chart.company_of("bank")) == (5, None)
    assert chart.in_words("supplier:7:in_payout") == "the in payout account of supplier 7"
    for name in ("seller:x:deposit", "seller:5", "buyer:5:deposit", "seller:deposit", ""):
        with pytest.raises(Permanent):
            chart.character(name)
