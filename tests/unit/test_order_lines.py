"""What an order line needs: every mix of quantities and states, and that doing it leaves nothing to do."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders import LINE_STATES
from pipelines.orders.lines import (
    AT_SUPPLIER,
    Facts,
    Needs,
    beyond,
    came_back,
    needs,
    refunded,
    released,
    state_of,
    told,
    wanted_anew,
)

STATES = st.sampled_from(LINE_STATES)


@st.composite
def lines(draw: Any) -> Facts:
    """Any line that the table admits."""
    covered = draw(st.integers(0, 6))
    shipped = draw(st.integers(0, covered))
    ordered = draw(st.integers(0, 8))
    wanted, refunded_ = draw(st.integers(0, ordered)), draw(st.integers(0, shipped))
    overruled = draw(st.integers(0, covered - refunded_))
    return Facts(ordered, wanted, covered, shipped, refunded_, draw(STATES), overruled)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Facts(2, 2), Needs(cover=2)),
        (Facts(2, 1, state="awaiting_stock"), Needs(cover=1)),
        (Facts(2, 2, state="unpaid"), Needs()),
        (Facts(2, 2, state="rejected"), Needs()),
        (Facts(2, 0), Needs()),
        (Facts(2, 2, 2, state="funded"), Needs()),
        (Facts(3, 1, 3, state="funded"), Needs(release=2)),
        (Facts(3, 1, 3, state="accepted"), Needs(cancel=2)),
        (Facts(3, 0, 3, 1, state="accepted"), Needs(cancel=2, refund=1)),
        (Facts(3, 1, 3, 3, state="shipped"), Needs(refund=2)),
        (Facts(3, 1, 3, 3, 1, state="shipped"), Needs(refund=1)),
        (Facts(5, 5, 3, state="funded"), Needs()),
        (Facts(3, 0, 3, 0, 0, "accepted", 3), Needs()),
        (Facts(3, 0, 3, 3, 0, "shipped", 2), Needs(refund=1)),
        (Facts(3, 0, 3, 1, 0, "accepted", 1), Needs(cancel=2)),
        (Facts(3, 0, 3, 3, 3, "refunded", 0), Needs()),
    ],
)
def test_what_is_needed(line: Facts, expected: Needs) -> None:
    assert needs(line) == expected


@given(lines())
def test_what_is_needed_fits_what_is_there_and_brings_cover_down_to_the_wish(line: Facts) -> None:
    wants = needs(line)
    open_ = line.covered - line.shipped
    assert min(wants.cover, wants.release, wants.cancel, wants.refund) >= 0
    assert not (wants.release and wants.cancel)
    assert wants.release + wants.cancel <= open_
    assert wants.refund <= line.shipped - line.refunded
    assert wants.refund == 0 or wants.release + wants.cancel == open_
    assert wants.cover == 0 or (line.covered == 0 and wants.cover == line.wanted)
    back = wants.release + wants.cancel + wants.refund
    assert line.covered - line.refunded - back <= line.wanted + line.overruled or back == 0
    assert back == max(0, line.covered - line.refunded - line.wanted - line.overruled)
    assert (wants.cancel > 0) <= (line.state in AT_SUPPLIER)


@given(lines())
def test_once_done_nothing_more_is_needed(line: Facts) -> None:
    wants = needs(line)
    after = line
    if wants.release or wants.cancel:
        after = released(after, wants.release + wants.cancel)
    if wants.refund:
        after = refunded(after, wants.refund)
    left = needs(replace(after, state="funded"))
    assert (left.release, left.cancel, left.refund) == (0, 0, 0)
    assert 0 <= after.refunded <= after.shipped <= after.covered
    assert after.wanted == line.wanted
    assert 0 <= after.overruled <= line.overruled
    if after.wanted == 0 and after.covered == 0:
        assert state_of(after) == "cancelled"
    if wants.refund and after.refunded == after.shipped == after.covered:
        assert after.state == "refunded"


@given(lines(), st.data())
def test_what_comes_back_by_itself_is_never_refunded_twice(line: Facts, data: st.DataObject) -> None:
    back = data.draw(st.integers(0, line.shipped - line.refunded))
    after = came_back(line, back)
    before, left = needs(line), needs(replace(after, state=line.state))
    assert (after.refunded, after.overruled) == (line.refunded + back, max(0, line.overruled - back))
    assert left.refund <= before.refund
    assert left.cancel + left.release <= before.cancel + before.release


@given(lines(), st.integers(0, 8))
def test_a_piece_wanted_again_is_overruled_no_longer(line: Facts, wanted: int) -> None:
    after = wanted_anew(line, wanted)
    assert after.overruled == max(0, min(line.overruled, line.covered - line.refunded - wanted))
    assert (after.wanted, after.covered, after.state) == (wanted, line.covered, line.state)


@given(lines())
def test_a_state_is_settled_at_once(line: Facts) -> None:
    settled = replace(line, state=state_of(line))
    assert state_of(settled) == settled.state
    if line.covered > line.shipped:
        assert settled.state == line.state


@given(lines(), st.booleans())
def test_a_shops_telling_moves_only_what_has_no_cover(line: Facts, paid: bool) -> None:
    state = told(line.state, wanted=line.wanted, covered=line.covered, paid=paid)
    if line.covered:
        assert state == line.state
    elif not paid:
        assert state == "unpaid"
    else:
        assert state != "unpaid"
        assert (state == line.state) or state == "received"


def test_more_than_was_covered_is_told_not_bought() -> None:
    assert beyond(Facts(5, 5, 3, state="accepted")) == 2
    assert beyond(Facts(5, 5, 3, 3, 1, state="shipped")) == 3
    assert beyond(Facts(5, 5)) == 0
