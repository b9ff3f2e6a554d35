"""Work in strands: how many there are, that each piece is taken once, and that one's failure spoils no other's work."""

import threading
from collections.abc import Callable

import pytest

from connectors.shops.shopify import bulk
from connectors.shops.shopify.upsert import KEYS
from core.errors import Misconfigured, Temporary, Unknown
from pipelines.listings.push import NEW_IN_A_STRAND, TOGETHER
from pipelines.listings.strands import MOST, pieces, side_by_side, strands


@pytest.mark.parametrize(
    ("a_second", "work", "number"),
    [(0, 1000, 1), (100, 1000, 9), (1000, 1000, MOST), (100, 3, 3), (100, 0, 1), (10, 50, 1)],
)
def test_there_are_as_many_strands_as_the_shops_points_pay_for(
    a_second: float, work: int, number: int
) -> None:
    assert strands(a_second, work) == number


@pytest.mark.parametrize(
    ("work", "number", "most", "sizes"),
    [(0, 3, 20, []), (120, 5, 20, [12, 11, 10, 9, 8, 7, 7, 6, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]), (45, 9, 20, [5] * 9), (7, 9, 20, [1] * 7), (150, 1, 100, [75, 75]), (9, 2, 4, [3, 2, 1, 1, 1, 1])],
)  # fmt: skip
def test_pieces_give_each_lane_its_part(work: int, number: int, most: int, sizes: list[int]) -> None:
    found = pieces(range(work), number, most)
    assert [len(piece) for piece in found] == sizes
    assert [each for piece in found for each in piece] == list(range(work))


def test_a_load_in_bulk_is_not_split_into_strands() -> None:
    assert (TOGETHER, NEW_IN_A_STRAND) == (bulk.FROM, KEYS)


def test_each_piece_is_sent_once_and_all_strands_send_at_the_same_time() -> None:
    together, sent, lock = threading.Barrier(3, timeout=10), list[int](), threading.Lock()

    def send(piece: int) -> None:
        if piece < 3:
            together.wait()  # breaks unless three are out at once
        with lock:
            sent.append(piece)

    side_by_side(range(30), [send] * 3, threading.Event())
    assert sorted(sent) == list(range(30))


def failing(first: BaseException, second: BaseException | None = None) -> tuple[list[int], Callable[[int], None]]:  # fmt: skip
    """Three strands in step: piece 0 raises, piece 1 too where `second` is given, once all three are out."""
    together, ended = threading.Barrier(3, timeout=10), list[int]()
    raised = threading.Event()

    def send(piece: int) -> None:
        together.wait()
        if piece == 0:
            raised.set()
            raise first
        assert raised.wait(10)
        if piece == 1 and second is not None:
            raise second
        ended.append(piece)

    return ended, send


def test_what_one_lane_meets_with_spoils_no_other() -> None:
    ended, send = failing(Unknown("lost"))
    with pytest.raises(Unknown, match="lost"):
        side_by_side(range(3), [send] * 3, threading.Event())
    assert sorted(ended) == [1, 2]


def test_after_a_failure_no_other_piece_is_begun() -> None:
    begun: list[int] = []

    def send(piece: int) -> None:
        begun.append(piece)
        raise Temporary("away")

    with pytest.raises(Temporary):
        side_by_side(range(100), [send] * 2, threading.Event())
    assert len(begun) <= 2


@pytest.mark.parametrize(
    ("first", "second", "raised"),
    [
        (Temporary("away"), Unknown("lost"), Unknown),
        (Unknown("lost"), Misconfigured("key"), Misconfigured),
        (Misconfigured("key"), Temporary("away"), Misconfigured),
        (Misconfigured("key"), KeyError("a fault of ours"), KeyError),
    ],
)
def test_the_gravest_is_raised(
    first: BaseException, second: BaseException, raised: type[BaseException]
) -> None:
    ended, send = failing(first, second)
    with pytest.raises(raised):
        side_by_side(range(3), [send] * 3, threading.Event())
    assert ended == [2]


def test_a_step_that_is_ended_from_outside_tells_its_strands(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        """As the time limit of a step arrives: in the middle of whatever it does."""

    halted, out, told = threading.Event(), threading.Event(), list[bool]()

    def send(piece: int) -> None:
        out.set()
        told.append(halted.wait(10))

    def interrupted(running: object, seconds: float) -> None:
        assert out.wait(10)
        raise Ended

    monkeypatch.setattr("pipelines.listings.strands.wait", interrupted)
    with pytest.raises(Ended):
        side_by_side(range(50), [send] * 2, halted)
    assert halted.is_set() and told and all(told) and len(told) <= 2
