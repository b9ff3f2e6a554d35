"""A shop's pace in SQL: what several take together never exceeds its bucket, and a shop that fails is left alone, then probed."""

import threading
import time
from collections.abc import Iterator
from typing import NoReturn

import pytest

from core.broker.failures import delay_after
from core.database import Database
from core.errors import Misconfigured, Temporary, Unknown
from models.events import HooksDue
from pipelines.orders import watch
from pipelines.pacing import FAILURES, FIRST_REST, LONGEST_WAIT, SqlPace, patience, patiently, standing_of
from tests import builders
from tests.stepping import one


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, (), pool_size=8)
    yield database
    database.close()


@pytest.fixture
def shop_id(db: Database) -> int:
    with db.unit_of_work() as uow:
        return builders.shop(uow.session).id


def past(db: Database, seconds: float) -> None:
    """Lets time pass for the meter."""
    db.run(
        "UPDATE shop_meter SET at = at - make_interval(secs => %s), paused_until = paused_until - make_interval(secs => %s)",
        (seconds, seconds),
    )


def test_a_shop_without_points_is_never_waited_for(db: Database, shop_id: int) -> None:
    slept: list[float] = []
    pace = SqlPace(db, shop_id, sleep=slept.append)
    for _ in range(50):
        pace.take(1)
        pace.ended(well=True)
    assert slept == []
    assert (
        one(db, "SELECT count(*) FROM shop_meter WHERE failures = 0 AND out = 0 AND paused_until IS NULL")
        == 1
    )


def test_threads_together_get_what_the_bucket_held_and_what_it_got_meanwhile(
    db: Database, shop_id: int
) -> None:
    SqlPace(db, shop_id).take(0)
    SqlPace(db, shop_id).told(left=100, most=100, a_second=1000)
    done: list[float] = []
    began = time.monotonic()

    def ask() -> None:
        pace = SqlPace(db, shop_id)
        for _ in range(15):
            pace.take(20)
            done.append(time.monotonic() - began)
            pace.ended(well=True)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 60
    for number, moment in enumerate(sorted(done), start=1):
        assert number * 20 <= 100 + 1000 * moment + 20, f"{number} calls within {moment:.3f} s"
    assert max(done) < 1100 / 1000 + 1.5  # and none was lost to needless waiting
    assert one(db, "SELECT out FROM shop_meter") == 0


def test_what_others_took_is_still_to_come_off_what_the_shop_says(db: Database, shop_id: int) -> None:
    mine, other = SqlPace(db, shop_id), SqlPace(db, shop_id)
    mine.take(0)
    mine.told(left=1000, most=1000, a_second=50)
    other.take(300)
    mine.take(100)
    mine.told(left=900, most=1000, a_second=50)
    assert one(db, "SELECT round(points) FROM shop_meter") == 600
    other.told(left=600, most=1000, a_second=50)
    assert one(db, "SELECT round(points) FROM shop_meter") == 600
    assert one(db, "SELECT out FROM shop_meter") == 0


def test_a_wait_too_long_for_a_thread_is_left_to_the_message(db: Database, shop_id: int) -> None:
    slept: list[float] = []
    pace = SqlPace(db, shop_id, sleep=slept.append)
    pace.take(1)
    pace.told(left=0, most=1000, a_second=10)
    with pytest.raises(Temporary) as caught:
        pace.take(500)
    assert slept == []
    assert caught.value.retry_after is not None
    assert LONGEST_WAIT < caught.value.retry_after <= 50
    assert caught.value.counts is False
    pace.pause(120)
    with pytest.raises(Temporary) as caught:
        pace.take(0)
    assert 110 < (caught.value.retry_after or 0) <= 120
    past(db, 121)
    pace.take(0)


def test_a_short_pause_is_slept_through(db: Database, shop_id: int) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        past(db, seconds)

    pace = SqlPace(db, shop_id, sleep=sleep)
    pace.take(1)
    pace.pause(3)
    pace.take(1)
    assert len(slept) == 1
    assert 2.5 < slept[0] <= 3


def test_a_shop_that_fails_is_left_alone_and_one_probe_lets_it_back(db: Database, shop_id: int) -> None:
    pace, other = SqlPace(db, shop_id), SqlPace(db, shop_id)
    for _ in range(FAILURES):
        pace.take(1)
        pace.ended(well=False)
    with pytest.raises(Temporary, match="does not answer") as caught:
        other.take(1)
    assert FIRST_REST - 5 < (caught.value.retry_after or 0) <= FIRST_REST
    past(db, FIRST_REST)
    pace.take(1)  # the probe
    with pytest.raises(Temporary):
        other.take(1)  # while it is out nobody else asks
    pace.ended(well=False)
    assert FIRST_REST < standing_of(db, shop_id).rest <= 2 * FIRST_REST
    past(db, 2 * FIRST_REST)
    pace.take(1)
    pace.ended(well=True)
    other.take(1)
    assert standing_of(db, shop_id).failures == 0


def test_an_outage_is_no_attempt_and_stands_at_the_shop_until_it_answers(db: Database, shop_id: int) -> None:
    pace = SqlPace(db, shop_id)
    for _ in range(FAILURES - 1):
        pace.take(1)
        pace.ended(well=False)
    with pytest.raises(Unknown), patience(db, shop_id):
        raise Unknown("The answer got lost.")  # not away yet: its own error
    assert one(db, "SELECT problem FROM shop") is None
    pace.take(1)
    pace.ended(well=False)
    with pytest.raises(Temporary) as caught, patience(db, shop_id):
        raise Unknown("The answer got lost.")
    assert caught.value.counts is False
    assert delay_after(caught.value, 99, 3, lambda: 0.0) == caught.value.retry_after
    assert one(db, "SELECT problem FROM shop").startswith("The shop does not answer (5 calls")
    past(db, FIRST_REST)
    pace.take(1)
    pace.ended(well=True)
    assert one(db, "SELECT problem FROM shop") is None


def test_what_a_shop_tells_piece_by_piece_is_asked_for_with_patience(db: Database, shop_id: int) -> None:
    pace = SqlPace(db, shop_id)
    for _ in range(FAILURES):
        pace.take(1)
        pace.ended(well=False)

    def told() -> Iterator[int]:
        yield 1
        raise Temporary("The shop is gone.")

    seen: list[int] = []
    with pytest.raises(Temporary, match="does not answer") as caught:
        seen.extend(patiently(db, shop_id, told()))
    assert seen == [1]
    assert caught.value.counts is False


def test_a_shop_whose_owner_must_act_says_so_and_makes_no_dead_letter_each_hour(
    db: Database, shop_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise Misconfigured("The shop does not accept the key.")

    monkeypatch.setattr(watch, "connect", refuse)
    watch.watch_hooks(HooksDue(tenant=1, lane=f"shop:{shop_id}", shop_id=shop_id), db)
    assert one(db, "SELECT problem FROM shop") == "The shop does not accept the key."
    assert one(db, "SELECT count(*) FROM message") == 0
