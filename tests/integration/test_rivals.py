"""What may be the same thing of ours stays unclear, whichever of its owner's pages is looked at again, and in how many pieces."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.base import ShopListing
from core.database import Database
from core.errors import Refused
from models.shops import Shop
from pipelines.listings import look
from pipelines.listings.adopt import adopt, leave
from pipelines.listings.undecided import mark, waiting_for_word
from pipelines.routes import ROUTES
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, rows, run_all

STANDS = "SELECT external_id, state, problem FROM adoption ORDER BY external_id"
TWO = "The shop has 2 things with this SKU: choose the one to be ours."
CUT = "Lampe is one product here and 2 products in the shop: join them there, or leave them and sell ours under other SKUs."


@dataclass
class Held:
    """A connector of a shop that holds `things` on pages of their own; `asked` are the pages it was asked for."""

    things: list[ShopListing]
    asked: list[list[str]] = field(default_factory=list)

    def read_back(self, pages: Sequence[str]) -> Iterator[ShopListing]:
        """What stands on these pages."""
        self.asked.append(list(pages))
        yield from (one for one in self.things if one.parent_id in pages)

    def becomes(self, name: str, **facts: Any) -> None:
        """Its owner changes one of them."""
        self.things = [replace(one, **facts) if one.external_id == name else one for one in self.things]


def thing(name: str, sku: str, **facts: Any) -> ShopListing:
    return ShopListing(name, f"page-{name}", "live", sku=sku, title=name, **facts)


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def found(db: Database, monkeypatch: pytest.MonkeyPatch, *things: ShopListing) -> tuple[Shop, Held]:
    """A shop of A, B and the two of one group, S-R and S-B, that was looked at whole and has these."""
    supplier(db, "NORDEN")
    group = {"group_key": "S", "group_title": "Schirm"}
    reds = [{"supplier_sku": f"S-{word[0]}", "options": {"Farbe": word}, **group} for word in ("Rot", "Blau")]
    stage(db, 1, {"supplier_sku": "A"}, {"supplier_sku": "B"}, *reds)
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    run_all(db)
    held = Held(list(things))
    monkeypatch.setattr(look, "connect", lambda *_: held)
    monkeypatch.setattr(look, "patience", lambda *_: contextlib.nullcontext())
    with db.unit_of_work() as uow:
        look.store(uow, shop_id, held.things, whole=True)
        shop = uow.session.get_one(Shop, shop_id)
        uow.session.expunge_all()
    return shop, held


def test_a_twin_that_is_looked_at_alone_stays_unclear(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, held = found(
        db, monkeypatch, thing("1", "NORDEN-A"), thing("2", "norden-a"), thing("3", "NORDEN-B")
    )
    both = [("1", "unclear", TWO), ("2", "unclear", TWO), ("3", "proposed", None)]
    assert rows(db, STANDS) == both
    shown = rows(db, "SELECT external_id, seen FROM adoption ORDER BY 1")
    for page in ("page-1", "page-2", "page-3"):
        assert look.look_again(db, shop, page) is True
        assert rows(db, STANDS) == both
    assert rows(db, "SELECT external_id, seen FROM adoption ORDER BY 1") == shown
    assert held.asked == [["page-1"], ["page-2"], ["page-3"]]
    with db.unit_of_work() as uow:
        assert adopt(uow, shop.id, None, "stays")["adopted"] == 1
    assert [state for _, state, _ in rows(db, STANDS)] == ["unclear", "unclear", "adopted"]
    held.becomes("2", sku="HIS-OWN")  # its owner says which it is
    look.look_again(db, shop, "page-2")
    assert rows(db, STANDS)[:1] == [("1", "proposed", None)]
    assert [name for name, *_ in rows(db, STANDS)] == ["1", "3"]


def test_one_product_on_two_pages_stays_unclear_on_both(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, held = found(db, monkeypatch, thing("r", "NORDEN-S-R"), thing("b", "NORDEN-S-B"))
    assert rows(db, STANDS) == [("b", "unclear", CUT), ("r", "unclear", CUT)]
    look.look_again(db, shop, "page-r")
    assert rows(db, STANDS) == [("b", "unclear", CUT), ("r", "unclear", CUT)]
    held.becomes("r", status="missing")
    look.look_again(db, shop, "page-r")  # what is left is clear, though nobody looked at it
    assert rows(db, STANDS) == [("b", "proposed", None)]
    with db.unit_of_work() as uow:
        assert waiting_for_word(uow.cursor(), shop.id) == 2


def test_chosen_by_name_they_must_still_be_one_product_each(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is its supplier's number, and both stand on one page of the owner's: two products cannot."""
    on_one = [replace(thing(name, name), parent_id="page") for name in ("a", "b")]
    shop, _ = found(db, monkeypatch, *on_one)
    with db.unit_of_work() as uow, pytest.raises(Refused, match="cut into products otherwise") as refused:
        adopt(uow, shop.id, ["a", "b"], "stays")
    assert refused.value.rule == "cut"
    assert rows(db, "SELECT DISTINCT state FROM adoption") == [("unclear",)]
    assert one(db, "SELECT count(*) FROM shop_product WHERE external_id IS NOT NULL") == 0
    with db.unit_of_work() as uow:
        assert adopt(uow, shop.id, ["a"], "stays")["adopted"] == 1


def test_rivals_in_two_pieces_of_a_reading_are_judged_together(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "PAGES_A_CALL", 1)
    shop, held = found(db, monkeypatch, thing("1", "NORDEN-A"))
    held.things.append(thing("2", "NORDEN-A"))
    look.look_into_pages(db, shop, held, ["page-1", "page-2"])  # type: ignore[arg-type]
    assert held.asked == [["page-1"], ["page-2"]]
    assert rows(db, STANDS) == [("1", "unclear", TWO), ("2", "unclear", TWO)]


def test_a_mark_of_one_product_neither_changes_nor_locks_another(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _ = found(db, monkeypatch, thing("1", "NORDEN-A"), thing("2", "NORDEN-B"))
    a, b = (number for (number,) in rows(db, "SELECT product_id FROM listing WHERE undecided ORDER BY id"))
    db.run("UPDATE listing SET undecided = false, problem = NULL")
    with db.unit_of_work() as uow, db.unit_of_work() as other:
        other.cursor().execute("SELECT FROM listing WHERE product_id <> %s FOR UPDATE", [a])
        uow.cursor().execute("SET LOCAL lock_timeout = '1s'")
        assert len(mark(uow.cursor(), shop.id, [a])) == 1
        assert mark(uow.cursor(), shop.id, [a]) == mark(uow.cursor(), shop.id, []) == []
    assert rows(db, "SELECT product_id FROM listing WHERE undecided") == [(a,)]
    with db.unit_of_work() as uow:
        assert len(mark(uow.cursor(), shop.id, None)) == 1
    with db.unit_of_work() as uow, db.unit_of_work() as other:
        other.cursor().execute("SELECT FROM listing FOR UPDATE")
        uow.cursor().execute("SET LOCAL lock_timeout = '1s'")
        assert mark(uow.cursor(), shop.id, None) == []  # nothing changes: nothing is locked
    with db.unit_of_work() as uow:
        assert leave(uow, shop.id, ["2"]) == 1
    assert rows(db, "SELECT product_id FROM listing WHERE undecided") == [(a,)] != [(b,)]
    assert one(db, "SELECT count(*) FROM adoption WHERE state = 'left'") == 1
