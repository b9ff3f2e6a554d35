"""The page of an adopted product becomes ours, or its owner's again: a plan first, and in both channels' shops."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.errors import Refused
from pipelines.listings.adopt import adopt
from pipelines.listings.pages import change_page, plan_page
from pipelines.making import let_push
from tests.commands import Shell
from tests.console import Console, console
from tests.integration.test_adopted_shops import connected, db, look, rig, sold  # noqa: F401
from tests.integration.test_adoption import OwnShop, begin, take, there
from tests.stepping import one, pending, rows, run_all

PAGE = "SELECT trade_only, sent IS NULL, differs FROM shop_product WHERE external_id = '10'"


class ReadShop(OwnShop):
    """It can be read back as well, and counts how often."""

    asked = 0

    def read_back(self, external_ids: list[str]) -> Iterator[Any]:
        self.asked += 1
        yield from (one for one in self.holds if (one.parent_id or one.external_id) in external_ids)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ReadShop:
    made = ReadShop()
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    for module in ("look", "pages"):
        monkeypatch.setattr(f"pipelines.listings.{module}.connect", lambda *_: made)
    return made


@pytest.fixture
def opened(
    database_url: str, tmp_path: Path, own: ReadShop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    with console(database_url, tmp_path) as made:
        yield made


def adopted(db: Database, own: ReadShop) -> int:  # noqa: F811
    """A shop of which NORDEN-A is adopted, its page its owner's; no message is left."""
    shop_id = begin(db, own, there("10", "norden-a"), there("30", "MORE"))
    take(db, shop_id, "10")
    run_all(db)
    return shop_id


def test_by_page(opened: Console, own: ReadShop) -> None:
    db, shop_id = opened.db, adopted(opened.db, own)  # noqa: F811
    listing = one(db, "SELECT id FROM listing WHERE external_id = '10'")
    way = f"/shops/{shop_id}/adoption/page"
    shown = opened.get(f"/shops/{shop_id}/listings/{listing}").text
    assert f"{way}?product=10&amp;becomes=ours&amp;listing={listing}" in shown
    other = one(db, "SELECT id FROM listing WHERE external_id IS NULL ORDER BY id LIMIT 1")
    assert "Whose page it is" not in opened.get(f"/shops/{shop_id}/listings/{other}").text
    plan = opened.get(f"{way}?product=10&becomes=ours&listing={listing}").text
    assert "<del>Theirs</del>" in plan and "<ins>NORDEN-A</ins>" in plan and "Make it ours" in plan
    assert rows(db, PAGE) == [(True, False, False)] and pending(db) == []  # looking changes nothing
    answer = opened.post(way, product="10", becomes="ours", listing=str(listing))
    assert answer.headers["location"] == f"/shops/{shop_id}/listings/{listing}?said=page_ours"
    assert rows(db, PAGE) == [(False, True, True)]
    assert [message["event"] for message in pending(db)] == ["ListingsDue"]
    assert opened.post(way, product="10", becomes="ours").status_code == 422
    assert "Give it back" in opened.get(f"{way}?product=10&becomes=stays").text
    answer = opened.post(way, product="10", becomes="stays")
    assert answer.headers["location"] == f"/shops/{shop_id}/adoption?said=page_stays"
    assert rows(db, PAGE) == [(True, True, False)]
    assert own.asked == 2  # giving it back asks the shop nothing
    assert opened.get(f"{way}?product=77&becomes=ours").status_code == 404


def test_what_cannot_become_ours_is_not_changed(opened: Console, own: ReadShop) -> None:
    db, shop_id = opened.db, adopted(opened.db, own)  # noqa: F811
    own.holds.append(there("11", "STRANGE", "10"))
    shown = opened.get(f"/shops/{shop_id}/adoption/page?product=10&becomes=ours").text
    assert "variants that are not ours (STRANGE)" in shown and "Make it ours" not in shown
    answer = opened.post(f"/shops/{shop_id}/adoption/page", product="10", becomes="ours")
    assert answer.status_code == 422 and "STRANGE" in answer.text
    assert rows(db, PAGE) == [(True, False, False)] and pending(db) == []
    db_page = "UPDATE shop_product SET external_id = '12' WHERE product_id = (SELECT product_id FROM variant WHERE sku = 'NORDEN-B')"
    with db.unit_of_work() as uow:
        uow.cursor().execute(db_page)
    with pytest.raises(Refused, match="The hub made this product"):
        plan_page(db, shop_id, "12", "stays")


def test_by_api_and_command_line(
    opened: Console, own: ReadShop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, shop_id = opened.db, adopted(opened.db, own)  # noqa: F811
    body = {"external_id": "10", "becomes": "ours"}
    plan = opened.api("POST", f"/shops/{shop_id}/adoption/page/plan", json=body).json()
    assert (plan["title"], plan["becomes"], plan["problem"]) == ("Theirs", "ours", None)
    assert {"sku": "NORDEN-A", "field": "SKU", "there": "norden-a", "wanted": "NORDEN-A"} in plan[
        "differences"
    ]
    shell = Shell(capsys, monkeypatch)
    told = shell.ask("adoption", "page", shop_id, "10", "ours", "--plan")
    assert told == {"shop": shop_id, "changed": False, **plan}
    assert rows(db, PAGE) == [(True, False, False)]
    assert shell.ask("adoption", "page", shop_id, "10", "ours", "--apply") == {**told, "changed": True}
    assert rows(db, PAGE) == [(False, True, True)]
    assert shell.refuse("adoption", "page", shop_id, "10", "ours", "--plan") == (
        2, "The page is the hub's already.",
    )  # fmt: skip
    assert shell.refuse("adoption", "page", shop_id, "10", "ours")[0] == 2
    body = {"external_id": "10", "becomes": "stays"}
    assert opened.api("POST", f"/shops/{shop_id}/adoption/page", json=body).json()["becomes"] == "stays"
    assert rows(db, PAGE) == [(True, True, False)]


def test_in_a_real_shop_it_becomes_ours_and_then_its_owner_writes_it_again(db: Database, rig: Any) -> None:  # noqa: F811
    own = rig.stranger("norden-a")
    shop_id = connected(db, rig, {"supplier_sku": "A"})
    look(db, shop_id)
    with db.unit_of_work() as uow:
        assert adopt(uow, shop_id, None, "stays")["stays"] == 1
        let_push(uow, shop_id)
    run_all(db)
    assert rig.page(own, "EUR").title == "Seller's own norden-a"
    plan = plan_page(db, shop_id, own, "ours")
    assert [(one.field, one.there, one.wanted) for one in plan.differences][:1] == [
        ("title", "Seller's own norden-a", "Lampe")
    ]
    assert change_page(db, shop_id, own, "ours") == plan
    run_all(db)  # the shop is live: its push follows
    assert rig.page(own, "EUR").title == "Lampe"
    assert rows(db, "SELECT state, problem FROM listing") == [("live", None)]
    assert change_page(db, shop_id, own, "stays").differences == ()
    with db.unit_of_work() as uow:
        uow.cursor().execute('UPDATE shop_product SET wanted = wanted || \'{"title": "Neu"}\'')
        let_push(uow, shop_id)
    run_all(db)
    assert rig.page(own, "EUR").title == "Lampe"
    assert sold(db, shop_id) == {"norden-a": ("15.00", 5)}


def test_the_listing_says_what_was_found_and_shows_no_drift_of_what_is_not_sent(
    opened: Console, own: ReadShop
) -> None:
    db, shop_id = opened.db, adopted(opened.db, own)  # noqa: F811
    listing = one(db, "SELECT id FROM listing WHERE external_id = '10'")
    db.run(
        "UPDATE listing SET seen = '{\"title\": \"Theirs\", \"sku\": \"norden-a\", \"status\": \"draft\", \"price\": \"9.90\"}', seen_at = now()"
        " WHERE id = %s", [listing],
    )  # fmt: skip
    shown = opened.get(f"/shops/{shop_id}/listings/{listing}").text
    assert "Found there" in shown and "It was adopted: the shop had it already" in shown
    assert ">drift<" not in shown and "The shop was sent it" not in shown and "gtin" not in shown
    change_page(db, shop_id, "10", "ours")
    shown = opened.get(f"/shops/{shop_id}/listings/{listing}").text
    assert "gtin" in shown and "<del>" not in shown.split("Whose page")[0].split(">status<")[0]
