"""What an owner sells from a page of his own with one of our SKUs is his own business, unless it was adopted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.base import ShopListing
from core.database import Database
from models.events import OrderNoticed, OrdersDue
from models.shops import Adoption, Shop
from pipelines.orders.pull import pull, sweep
from pipelines.orders.take_over import take_over
from pipelines.routes import ROUTES
from tests.orders import Market, ToldShop, lines_of, market, told
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


NEIGHBOUR = ShopListing("own-1", "own", "live", sku="LAMP")


def asked(
    db: Database, of: Market, shop: ToldShop, monkeypatch: pytest.MonkeyPatch, *, swept: bool = False, variant: str | None = "own-1"
) -> None:  # fmt: skip
    """The shop's order of two pieces of this variant (None: it tells no id) under our SKU is noticed, or found by a sweep."""
    monkeypatch.setattr("pipelines.opening.SHOPS", {"woocommerce": shop})
    order = told(of, 2)
    shop.holds(
        replace(order, lines=tuple(replace(line, variant_id=variant) for line in order.lines)),
    )
    if swept:
        sweep(OrdersDue(tenant=of.seller, lane=f"shop:{of.shop}", shop_id=of.shop), db)
    else:
        pull(OrderNoticed(tenant=of.seller, lane=f"shop:{of.shop}", shop_id=of.shop, external_id="1001"), db)


OURS = [("received", 2)]


def bought(db: Database) -> list[tuple[str, int]]:
    """What became of the line; nothing where it is none of ours."""
    return [(state, wanted) for state, _, wanted, *_ in lines_of(db)]


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("sku", ["as ours", "RENAMED"])
def test_what_appeared_beside_ours_is_the_owners_and_noted_once(
    db: Database, monkeypatch: pytest.MonkeyPatch, swept: bool, sku: str
) -> None:
    of = market(db, 5)
    db.run("UPDATE shop SET live_since = '2026-01-01'")
    shop = ToldShop(things=[replace(NEIGHBOUR, sku=of.skus[0] if sku == "as ours" else sku)])
    for _ in range(2):
        asked(db, of, shop, monkeypatch, swept=swept)
    assert lines_of(db) == [] and rows(db, "SELECT sent->'stock' FROM listing") == [(5,)]
    assert rows(db, "SELECT external_id, product_external_id, state, fits FROM adoption") == [
        ("own-1", "own", "left", [of.variants[0]])
    ]
    assert [call for call in shop.asked if call[0] == "variants"] == [("variants", "own-1")]


def test_what_bears_our_key_is_ours(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    of = market(db, 5)
    shop = ToldShop(things=[replace(NEIGHBOUR, sku="RENAMED", key=str(of.variants[0]))])
    asked(db, of, shop, monkeypatch)
    assert bought(db) == OURS
    assert one(db, "SELECT count(*) FROM adoption") == 0
    asked(db, of, shop, monkeypatch)  # it is stored: nobody asks again
    assert len([call for call in shop.asked if call[0] == "variants"]) == 1


def test_a_key_of_another_hub_is_not_ours(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    of = market(db, 5)
    asked(db, of, ToldShop(things=[replace(NEIGHBOUR, sku=of.skus[0], key="999999")]), monkeypatch)
    assert lines_of(db) == []


def test_what_is_gone_is_ours_only_where_it_once_was(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    of = market(db, 5)
    asked(db, of, ToldShop(), monkeypatch)
    assert lines_of(db) == [] and rows(db, "SELECT sent->'stock' FROM listing") == [(5,)]
    assert rows(db, "SELECT external_id, state, seen->>'status' FROM adoption") == [("own-1", "left", "missing")]  # fmt: skip
    db.run("DELETE FROM adoption")
    db.run("UPDATE listing SET former_ids = '{own-1}'")
    asked(db, of, ToldShop(), monkeypatch)
    assert bought(db) == OURS


def test_what_is_gone_while_ours_is_being_made_is_ours(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    of = market(db, 5)
    db.run("UPDATE listing SET external_id = NULL, sending = 5")
    asked(db, of, ToldShop(), monkeypatch)
    assert bought(db) == OURS


@pytest.mark.parametrize("there", ["ours stands", "ours is gone", "ours was made anew"])
def test_a_line_without_an_id_is_ours_where_ours_is_gone_or_was(
    db: Database, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """Shopify tells no id of what was deleted."""
    of = market(db, 5)
    (ours,) = rows(db, "SELECT external_id FROM listing LIMIT 1")[0]
    if there == "ours was made anew":
        db.run("UPDATE listing SET former_ids = '{before}'")
    things = [] if there == "ours is gone" else [replace(NEIGHBOUR, external_id=ours, key=str(of.variants[0]))]  # fmt: skip
    shop = ToldShop(things=things)
    for _ in range(2):
        asked(db, of, shop, monkeypatch, variant=None)
    assert bought(db) == ([] if there == "ours stands" else OURS)
    assert ("variants", ours) in shop.asked and one(db, "SELECT count(*) FROM adoption") == 0
