"""What an owner sells from a page of his own with one of our SKUs is his own business, unless it was adopted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from models.shops import Adoption, Shop
from pipelines.orders.take_over import take_over
from pipelines.routes import ROUTES
from tests.orders import Market, lines_of, market, told
from tests.stepping import one, rows


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def found(db: Database, of: Market, state: str) -> None:
    """A page of the owner's with our SKU, found by a plan of adoption."""
    with db.unit_of_work() as uow:
        uow.session.add(
            Adoption(
                shop_id=of.shop, external_id="own-1", product_external_id="own", variant_id=of.variants[0], reason="sku",
                state=state, seen={},
            )
        )  # fmt: skip


def sold(db: Database, of: Market, variant: str) -> int | None:
    """The shop tells an order of two pieces of this variant of its own, under our SKU."""
    order = told(of, 2)
    order = replace(order, lines=tuple(replace(line, variant_id=variant) for line in order.lines))
    with db.unit_of_work() as uow:
        return take_over(uow, uow.session.get_one(Shop, of.shop), order)


@pytest.mark.parametrize("state", ["left", "proposed", "unclear"])
def test_what_was_not_adopted_is_the_owners(db: Database, state: str) -> None:
    of = market(db, 5)
    found(db, of, state)
    before: Any = rows(db, "SELECT sent->'stock' FROM listing")
    assert sold(db, of, "own-1") is None
    assert lines_of(db) == []
    assert rows(db, "SELECT sent->'stock' FROM listing") == before == [(5,)]
    assert one(db, "SELECT count(*) FROM message") == 0


def test_another_id_that_nobody_knows_is_ours_by_its_sku(db: Database) -> None:
    """A product that was made anew in the shop has another id by now."""
    of = market(db, 5)
    found(db, of, "left")
    assert sold(db, of, "gone-7") is not None
    assert [(state, wanted) for state, _, wanted, *_ in lines_of(db)] == [("received", 2)]
