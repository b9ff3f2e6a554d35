"""What settlement decides, without a database: how much is paid, what a bank line means, whose reference a text has."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Money
from models.companies import Company
from pipelines.settlement.close import Standing, payable
from pipelines.settlement.deposits import compact, named_in, reference
from pipelines.settlement.matching import Named, Seen, Verdict, verdict
from pipelines.settlement.outcome import state_of
from pipelines.settlement.statement import plain

CODES = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=24)
AMOUNTS = st.integers(-10_000, 10_000)


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.mark.parametrize(
    ("closing", "standing", "paid", "begins"),
    [
        (500, Standing(500, 0, True), 500, None),
        (500, Standing(900, 0, True), 500, None),  # what matured after the cut-off is the next run's
        (500, Standing(200, 0, True), 200, "3.00 EUR is not paid: refunds"),
        (500, Standing(500, 1, True), 0, "Nothing is paid: the supplier owes the hub 0.01 EUR"),
        (500, Standing(500, 0, False), 0, "Nothing is paid: the supplier's bank details are missing."),
        (0, Standing(0, 0, True), 0, "Nothing is paid: there is nothing"),
        (-1, Standing(0, 1, True), 0, "Nothing is paid: the supplier owes"),
    ],
)
def test_how_much_of_a_balance_is_paid(
    closing: int, standing: Standing, paid: int, begins: str | None
) -> None:
    minor, reason = payable(closing, standing, "EUR")
    assert minor == paid
    assert reason is None if begins is None else (reason or "").startswith(begins)


@given(AMOUNTS, st.integers(0, 10_000), st.integers(0, 500), st.booleans())
def test_nobody_gets_more_than_he_has_and_nobody_who_owes(
    closing: int, available: int, owed: int, known: bool
) -> None:
    minor, reason = payable(closing, Standing(available, owed, known), "EUR")
    assert 0 <= minor <= max(0, min(closing, available))
    assert minor == 0 or (owed == 0 and known)
    assert (reason is None) == (minor == closing and closing > 0)


@given(
    st.sampled_from(["credit", "debit", "return", "fee"]),
    st.integers(1, 99),
    st.none() | st.tuples(
        st.sampled_from(["statement", "withdrawal"]), st.integers(1, 99),
        st.sampled_from(["asked", "exported", "paid", "returned", "rejected", "cancelled"]),
    ),
    st.none() | st.integers(1, 9),
)  # fmt: skip
def test_a_payout_moves_only_by_its_own_id_amount_and_turn(
    kind: str, minor: int, payout: tuple[str, int, str] | None, seller: int | None
) -> None:
    named = Named(3, payout[0], 7, euros(payout[1]), payout[2]) if payout else None
    found = verdict(Seen(kind, euros(minor), "PAY-1"), named, seller)
    if found.payout_state:
        assert payout is not None and payout[1] == minor and found.company_id == 7
        assert (payout[2], kind, found.payout_state) in [
            ("exported", "debit", "paid"), ("paid", "return", "returned"),
        ]  # fmt: skip
    # Money that came in is posted as coming in, whatever is unclear about it; and the other way round.
    comes_in = found.rule in ("top_up", "unallocated", "payout_returned", "withdrawal_returned")
    assert comes_in is (kind in ("credit", "return"))
    assert (found.problem is not None) == (found.rule in ("unallocated", "unallocated_returned"))


def test_a_withdrawal_is_a_sellers_and_a_statement_a_suppliers() -> None:
    line, back = Seen("debit", euros(5), "X"), Seen("return", euros(5), "X")
    assert verdict(line, Named(1, "withdrawal", 4, euros(5), "exported"), None) == Verdict(
        "withdrawal_paid", 4, None, "paid"
    )
    assert verdict(line, Named(1, "statement", 4, euros(5), "exported"), None) == Verdict(
        "payout_paid", 4, None, "paid"
    )
    assert verdict(back, Named(1, "withdrawal", 4, euros(5), "paid"), None).rule == "withdrawal_returned"
    assert verdict(back, Named(1, "statement", 4, euros(5), "paid"), None).rule == "payout_returned"


@pytest.mark.parametrize(
    ("payouts", "state"),
    [
        ([], "confirmed"),
        (["paid", "paid"], "confirmed"),
        (["paid", "exported", "returned"], "exported"),
        (["paid", "returned"], "partly"),
        (["rejected"], "partly"),
    ],
)
def test_a_run_is_where_its_payouts_are(payouts: list[str], state: str) -> None:
    assert state_of(payouts) == state


@given(
    CODES,
    st.sampled_from(["", " ", "-", " - ", "/"]),
    st.booleans(),
    st.sampled_from(["", "Invoice 7 ", "+++", "("]),
)
def test_a_reference_survives_case_separators_and_company(
    code: str, between: str, lower: bool, before: str
) -> None:
    full = reference(Company(kind="seller", code=code, name="A"))
    written = between.join(compact(full))
    assert named_in(before + (written.lower() if lower else written) + ", thanks", {compact(full): 5}) == 5


@given(CODES, st.integers(0, 23), st.integers(1, 25))
def test_one_wrong_letter_or_digit_is_nobodys_reference(code: str, place: int, by: int) -> None:
    place %= len(code)
    among = string.digits if code[place].isdigit() else string.ascii_uppercase
    wrong = among[(among.index(code[place]) + by) % len(among)]
    if wrong != code[place]:
        slipped = code[:place] + wrong + code[place + 1 :]
        right, other = (
            compact(reference(Company(kind="seller", code=each, name="A"))) for each in (code, slipped)
        )
        written = f"EP-{slipped}-{right[-2:]}"
        assert named_in(written, {right: 1, other: 2}) is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_text_is_a_formula(text: str) -> None:
    assert plain(text) == f"'{text}"


def test_a_plain_text_stays_as_it_is() -> None:
    assert [plain(text) for text in ("", "SU1-A-1", "a=b")] == ["", "SU1-A-1", "a=b"]
