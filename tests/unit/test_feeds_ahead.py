"""Things made one ahead of their use, in a thread of their own."""

import threading
from collections.abc import Iterator

import pytest

from pipelines.feeds.ahead import ahead


def test_the_same_things_come_in_the_same_order_from_another_thread() -> None:
    threads = set()

    def source() -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            yield number

    assert list(ahead(source())) == list(range(50))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_the_source_raises_is_raised_at_its_turn() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise MemoryError("too much")

    things = ahead(source())
    assert next(things) == 1
    with pytest.raises(MemoryError, match="too much"):
        next(things)


def test_a_source_that_is_left_early_is_closed_and_its_thread_ends() -> None:
    before, closed, made = threading.active_count(), threading.Event(), []

    def source() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    things = ahead(source())
    assert next(things) == 0
    things.close()  # type: ignore[attr-defined]
    assert closed.is_set()
    assert len(made) <= 3
    assert threading.active_count() == before
