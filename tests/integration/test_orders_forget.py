"""Buyers are forgotten: by a shop's wish at once, by themselves when an order is long over, and never told again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import now
from core.database import Database
from models.shops import Shop
from pipelines.orders.forget import forget_over
from pipelines.orders.receive import redact
from pipelines.orders.take_over import take_over
from pipelines.routes import ROUTES
from tests.orders import Market, market, told
from tests.stepping import rows

DAYS = 44
"""The usual return window and what is kept after it."""


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def taken(db: Database, of: Market, external_id: str, **values: object) -> int:
    """An order of the shop taken over as it is told; its number."""
    with db.unit_of_work() as uow:
        order_id = take_over(
            uow, uow.session.get_one(Shop, of.shop), told(of, 1, external_id=external_id, **values)
        )
    assert order_id is not None
    return order_id


def ended(db: Database, order_id: int, state: str, days: int) -> None:
    """Its lines came into `state` so many days ago."""
    db.run(
        "UPDATE order_line SET state = %s, since = now() - make_interval(days => %s) WHERE order_id = %s",
        [state, days, order_id],
    )


def known(db: Database) -> list[int]:
    return [number for (number,) in rows(db, "SELECT order_id FROM order_buyer ORDER BY 1")]


def story(db: Database, order_id: int) -> list[str]:
    told = "SELECT text FROM order_event WHERE order_id = %s AND what = 'forgotten'"
    return [text for (text,) in db.run(told, [order_id])]


def test_only_what_ended_long_ago_is_forgotten_and_told_once(db: Database) -> None:
    of = market(db, 9)
    over, young, open_one, unpaid = (taken(db, of, str(number)) for number in range(1, 5))
    ended(db, over, "shipped", DAYS + 1)
    ended(db, young, "shipped", DAYS - 1)
    ended(db, open_one, "accepted", DAYS + 1)
    ended(db, unpaid, "unpaid", DAYS + 1)
    for _ in range(2):
        with db.unit_of_work() as uow:
            forget_over(uow, now() + timedelta(seconds=1))
    assert known(db) == [young, open_one]
    words = f"Nothing of the order has moved for {DAYS} days: the buyer's name and address are removed."
    assert (story(db, over), story(db, unpaid), story(db, young)) == ([words], [words], [])


def test_an_order_with_one_line_under_way_keeps_its_buyer(db: Database) -> None:
    of = market(db, 9, 9)
    with db.unit_of_work() as uow:
        order_id = take_over(uow, uow.session.get_one(Shop, of.shop), told(of, 1, 1))
    assert order_id is not None
    ended(db, order_id, "shipped", DAYS + 1)
    db.run("UPDATE order_line SET state = 'funded' WHERE external_id = 'L1'")
    with db.unit_of_work() as uow:
        forget_over(uow, now())
    assert known(db) == [order_id]


def test_a_shop_has_a_buyer_forgotten_and_telling_the_order_again_brings_nobody_back(db: Database) -> None:
    of = market(db, 9)
    first, second = taken(db, of, "1"), taken(db, of, "2")
    for external_id in ("1", "1", "unknown"):
        with db.unit_of_work() as uow:
            redact(uow, uow.session.get_one(Shop, of.shop), external_id)
    assert known(db) == [second]
    assert taken(db, of, "1", minutes=5) == first
    assert known(db) == [second]
    assert story(db, first) == ["The shop asked to forget the buyer: name and address are removed."]
    with db.unit_of_work() as uow:
        assert redact(uow, uow.session.get_one(Shop, of.shop), None) == 1
    assert known(db) == []
