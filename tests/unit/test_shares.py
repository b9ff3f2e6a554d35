"""Splitting scarce stock between shops: the sum never exceeds what there is, nobody is raised with another's pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.listings.shares import Part, allocate, fair, keep


def part(shop: int, wanted: int = 0, shows: int | None = 0, most: int = 99, weight: int = 1000) -> Part:
    return Part(shop, most, wanted, shows, weight)


def test_plenty_is_shown_by_every_shop_whole() -> None:
    parts = [part(1, most=51), part(2, most=7)]
    assert allocate(51, parts, scarce=50) == {1: 51, 2: 7}
    assert allocate(3, [part(1, most=3), part(2, most=3)], scarce=0) == {1: 3, 2: 3}


@pytest.mark.parametrize(
    ("free", "weights", "turn", "expected"),
    [
        (20, (1000, 1000), 0, (10, 10)),
        (1, (1000, 1000), 0, (1, 0)),
        (1, (1000, 1000), 1, (0, 1)),
        (7, (1000, 1000, 1000), 2, (2, 2, 3)),
        (10, (3000, 1000), 0, (8, 2)),
        (10, (500, 2500), 0, (2, 8)),
        (0, (1000, 1000), 0, (0, 0)),
    ],
)
def test_parts_are_fair_by_weight_and_the_odd_piece_goes_round(
    free: int, weights: tuple[int, ...], turn: int, expected: tuple[int, ...]
) -> None:
    parts = [part(shop, weight=weight) for shop, weight in enumerate(weights)]
    assert tuple(fair(free, parts, turn).values()) == expected


def test_what_one_may_not_show_goes_to_the_others() -> None:
    assert fair(20, [part(1, most=3), part(2), part(3, most=0)]) == {1: 3, 2: 17, 3: 0}


def test_a_sale_moves_nothing_between_shops() -> None:
    # Of 20, ten each; the first sold one, which its wanted figure knows already.
    assert allocate(19, [part(1, 9, 9), part(2, 10, 10)], scarce=50) == {1: 9, 2: 10}
    assert allocate(11, [part(1, 1, 1), part(2, 10, 10)], scarce=50) == {1: 1, 2: 10}


def test_a_shop_that_has_none_gets_its_part_once_the_other_confirmed_less() -> None:
    before = allocate(10, [part(1, 0, 0), part(2, 10, 10)], scarce=50)
    assert before == {1: 0, 2: 5}
    assert allocate(10, [part(1, 0, 0), part(2, 5, 5)], scarce=50) == {1: 5, 2: 5}


def test_the_last_piece_does_not_go_round() -> None:
    assert allocate(1, [part(1, 0, 0), part(2, 1, 1)], scarce=50) == {1: 0, 2: 1}


def test_a_new_shop_waits_for_pieces_that_another_still_shows() -> None:
    assert allocate(20, [part(1, 20, 20), part(2)], scarce=50) == {1: 10, 2: 0}
    assert allocate(20, [part(1, 10, 20), part(2)], scarce=50) == {1: 10, 2: 0}  # on its way, not confirmed
    assert allocate(20, [part(1, 10, 14), part(2)], scarce=50) == {1: 10, 2: 6}
    assert allocate(20, [part(1, 10, 10), part(2, 6, 6)], scarce=50) == {1: 10, 2: 10}


def test_nobody_is_raised_while_somebody_shows_nobody_knows_what() -> None:
    assert allocate(20, [part(1, 10, None), part(2, 5, 5)], scarce=50) == {1: 10, 2: 5}
    assert allocate(20, [part(1, 5, 5), part(2, 5, 5)], scarce=50, elsewhere=None) == {1: 5, 2: 5}
    assert allocate(20, [part(1, 5, 5), part(2, 5, 5)], scarce=50, elsewhere=8) == {1: 7, 2: 5}


def test_one_that_was_lowered_and_may_have_sold_before_is_raised_with_unclaimed_pieces_only() -> None:
    lowered = Part(1, 99, wanted=4, shows=16, sent=4)
    assert allocate(20, [lowered, part(2)], scarce=50) == {1: 4, 2: 4}
    assert allocate(20, [lowered], scarce=50) == {1: 8}


def test_what_no_longer_fits_is_taken_from_those_above_their_part() -> None:
    assert keep([part(1, 2), part(2, 18)], {1: 5, 2: 5}) == {1: 2, 2: 8}
    assert allocate(0, [part(1, 3, 3), part(2, 4, 4)], scarce=50) == {1: 0, 2: 0}


PARTS = st.lists(
    st.builds(
        lambda most, wanted, shows, weight: (most, wanted, shows, weight),
        st.integers(0, 60), st.integers(0, 60), st.none() | st.integers(0, 60), st.integers(1, 5000),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(st.integers(0, 50), PARTS, st.integers(0, 9))
def test_raises_are_made_of_unclaimed_pieces_and_targets_fit(
    free: int, made: list[tuple[int, int, int | None, int]], turn: int
) -> None:
    parts = [Part(shop, min(most, free), wanted, shows, weight) for shop, (most, wanted, shows, weight) in enumerate(made)]  # fmt: skip
    ideal = fair(free, parts, turn)
    assert sum(ideal.values()) == min(free, sum(each.most for each in parts))
    targets = keep(parts, ideal)
    assert sum(targets.values()) <= free
    assert sum(targets.values()) == sum(ideal.values())
    assert all(0 <= targets[each.shop] <= each.most for each in parts)
    starving = [shop for shop, number in targets.items() if number == 0 < ideal[shop]]
    assert not starving or not any(number > max(1, ideal[shop]) for shop, number in targets.items())
    shown = allocate(free, parts, scarce=50, turn=turn)
    raised = sum(max(0, shown[each.shop] - each.shows) for each in parts if each.shows is not None)
    unknown = any(each.shows is None for each in parts)
    assert raised <= (0 if unknown else max(0, free - sum(each.shows or 0 for each in parts)))
    assert all(shown[each.shop] <= each.most or shown[each.shop] <= (each.shows or 0) for each in parts)


@given(st.integers(0, 50), st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.integers(0, 9))
def test_once_all_is_confirmed_nothing_moves_any_more(free: int, weights: list[int], turn: int) -> None:
    parts = [Part(shop, free, 0, 0, weight) for shop, weight in enumerate(weights)]
    shown = allocate(free, parts, scarce=50, turn=turn)
    assert sum(shown.values()) == free
    settled = [Part(each.shop, free, shown[each.shop], shown[each.shop], each.weight) for each in parts]
    assert allocate(free, settled, scarce=50, turn=turn) == shown
