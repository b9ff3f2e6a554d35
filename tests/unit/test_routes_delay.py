"""How long a failed message waits, and how far ahead of the workers the relay may be: pure decisions, exact values."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.broker.failures import CEILING, delay_after
from core.errors import Misconfigured, Permanent, Refused, Temporary, Unknown
from pipelines.relay import room


def full() -> float:
    return 1.0


def none() -> float:
    return 0.0


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [(1, 4), (2, 8), (3, 16), (4, 32), (5, 64), (6, 128), (7, 256), (8, 512), (9, 900), (40, 900)],
)
def test_the_bound_doubles_up_to_its_ceiling(attempts: int, longest: float) -> None:
    assert delay_after(KeyError("x"), attempts, 50, full) == longest
    assert delay_after(KeyError("x"), attempts, 50, none) == 0


@given(attempts=st.integers(1, 30), retries=st.integers(0, 30))
def test_a_message_is_given_up_after_its_retries_and_never_waits_too_long(
    attempts: int, retries: int
) -> None:
    delay = delay_after(Unknown("x"), attempts, retries)
    if attempts > retries:
        assert delay is None
    else:
        assert delay is not None
        assert 0 <= delay <= CEILING


@pytest.mark.parametrize("error", [Permanent("x"), Misconfigured("x"), Refused("x")])
def test_permanent_is_given_up_at_once(error: Permanent) -> None:
    assert delay_after(error, 1, 8, full) is None


def test_the_other_sides_wish_is_the_least_up_to_a_day() -> None:
    assert delay_after(Temporary("x", retry_after=30), 1, 8, none) == 30
    assert delay_after(Temporary("x", retry_after=3), 1, 8, full) == 4
    assert delay_after(Temporary("x", retry_after=10**9), 1, 8, none) == 86_400
    assert delay_after(Temporary("x", retry_after=30), 9, 8, none) is None


def test_a_single_busy_queue_gets_more_than_its_part() -> None:
    assert room("a", Counter(), 64, 4) == 40  # its eighth, and the half that is anyone's
    assert room("a", Counter(a=40), 64, 4) == 0
    assert room("b", Counter(a=40), 64, 4) == 8  # what is kept for it
    assert room("b", Counter(a=39), 64, 4) == 9
    assert room("a", Counter(a=3, b=20), 64, 4) == 5 + 20
    assert room("a", Counter(), 64, 1) == 64


@given(st.lists(st.sampled_from("abcd"), max_size=200), st.integers(0, 20))
def test_the_window_is_never_passed(asks: list[str], processes: int) -> None:
    unfinished: Counter[str] = Counter()
    for queue in asks:
        unfinished[queue] += room(queue, unfinished, 64 * processes, 4)
        assert sum(unfinished.values()) <= 64 * processes
    if processes:
        for queue in set("abcd") - set(asks):
            assert room(queue, unfinished, 64 * processes, 4) >= 8 * processes
