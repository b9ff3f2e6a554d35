"""Adopting what a shop has already: a plan first, then a person's choice, and no product twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import ShopListing
from core.database import Database
from core.errors import Misconfigured, Refused
from core.money import Money
from models.events import AdoptionDue
from models.shops import Shop
from pipelines.listings.adopt import adopt, leave
from pipelines.routes import ROUTES
from tests.commands import Shell
from tests.console import Console, console
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all


class OwnShop:
    """A shop with products of its own; it may only be read."""

    def __init__(self) -> None:
        self.holds: list[ShopListing] = []
        self.error: Exception | None = None

    def __call__(self, *_: Any, **__: Any) -> "OwnShop":
        return self

    def everything(self) -> Iterator[ShopListing]:
        if self.error:
            raise self.error
        yield from self.holds


UMBRELLA = {"group_key": "S", "group_title": "Umbrella"}
OFFERS = (
    {"supplier_sku": "A"},
    {"supplier_sku": "B"},
    {"supplier_sku": "C"},
    {"supplier_sku": "S-R", "options": {"Colour": "Red"}, **UMBRELLA},
    {"supplier_sku": "S-B", "options": {"Colour": "Blue"}, **UMBRELLA},
)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OwnShop:
    made = OwnShop()
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setattr("pipelines.listings.look.connect", lambda *_: made)
    return made


@pytest.fixture
def opened(database_url: str, tmp_path: Path, own: OwnShop) -> Iterator[Console]:
    with console(database_url, tmp_path, sign_in=False) as made:
        yield made


@pytest.fixture
def db(database_url: str, own: OwnShop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def there(number: str, sku: str, parent: str | None = None, **facts: Any) -> ShopListing:
    price = facts.pop("price", "9.90")
    return ShopListing(number, parent, "live", sku, "Theirs", Money.of(price, "EUR"), **{"stock": 7, **facts})


def begin(db: Database, own: OwnShop, *holds: ShopListing) -> int:
    """A shop that is not live, whose listings are planned, and whose own products are matched."""
    supplier(db, "NORDEN")
    stage(db, 1, *OFFERS)
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    run_all(db)
    own.holds = list(holds)
    look(db, shop_id)
    return shop_id


def look(db: Database, shop_id: int) -> None:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(AdoptionDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    assert run_all(db, twice=True) == ["listings.look.plan_adoption"]


def take(db: Database, shop_id: int, *chosen: str, page: Any = "stays") -> dict[str, int]:
    with db.unit_of_work() as uow:
        return adopt(uow, shop_id, chosen or None, page)


def plan_of(db: Database) -> list[tuple[Any, ...]]:
    query = "SELECT a.external_id, a.state, v.sku FROM adoption a LEFT JOIN variant v ON v.id = a.variant_id ORDER BY 1"
    return rows(db, query)


def listed(db: Database) -> list[tuple[Any, ...]]:
    query = "SELECT v.sku, l.external_id, l.stock_id, l.state, l.sent FROM listing l JOIN variant v ON v.id = l.variant_id ORDER BY 1"
    return rows(db, query)


def test_a_plan_changes_nothing_but_itself(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own, there("10", "norden-a"), there("11", "STRANGE"), there("12", "NORDEN-B"))
    assert plan_of(db) == [("10", "proposed", "NORDEN-A"), ("12", "proposed", "NORDEN-B")]
    assert {row[1:] for row in listed(db)} == {(None, None, "waiting", None)}
    assert one(db, "SELECT looked_at IS NOT NULL FROM shop WHERE id = %s", shop_id)
    own.holds = own.holds[:2]
    look(db, shop_id)
    assert plan_of(db) == [("10", "proposed", "NORDEN-A")]


def test_what_is_adopted_has_the_shops_ids_and_its_stock_is_read_first(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own, there("10", "norden-a", stock_id="s10", price="12.00"), there("12", "NORDEN-B"))
    assert take(db, shop_id, "10") == {"adopted": 1, "ours": 0, "stays": 1, "passed": 0}
    (first, *others) = listed(db)
    assert first[:4] == ("NORDEN-A", "10", "s10", "waiting")
    assert (first[4]["sku"], first[4]["price"], first[4]["stock"]) == ("norden-a", "12.00", None)
    assert {row[1:] for row in others} == {(None, None, "waiting", None)}
    page = rows(
        db,
        "SELECT external_id, trade_only, sent->>'title', differs FROM shop_product WHERE external_id IS NOT NULL",
    )
    assert page == [("10", True, "Theirs", False)]
    assert [message["event"] for message in pending(db)] == ["ListingsDue"]
    run_all(db)
    assert listed(db)[0] == first  # a plan does not forget it
    assert take(db, shop_id, "10") == {"adopted": 0, "ours": 0, "stays": 0, "passed": 1}
    look(db, shop_id)
    assert plan_of(db) == [("10", "adopted", "NORDEN-A"), ("12", "proposed", "NORDEN-B")]


def test_a_page_becomes_ours_only_where_it_has_just_our_variants(db: Database, own: OwnShop) -> None:
    red, blue = {"options": (("Colour", "Red"),)}, {"options": (("Colour", "Blue"),)}
    shop_id = begin(
        db,
        own,
        there("10", "NORDEN-A"),
        there("21", "NORDEN-S-R", "20", **red),
        there("22", "NORDEN-S-B", "20", **blue),
        there("31", "NORDEN-B", "30"),
        there("32", "MORE", "30"),
    )
    assert take(db, shop_id, page="ours") == {"adopted": 4, "ours": 2, "stays": 1, "passed": 0}
    pages = rows(
        db,
        "SELECT external_id, trade_only, sent IS NULL FROM shop_product WHERE external_id IS NOT NULL ORDER BY 1",
    )
    assert pages == [("10", False, True), ("20", False, True), ("30", True, False)]


def test_choosing_one_variant_takes_its_whole_product(db: Database, own: OwnShop) -> None:
    shop_id = begin(
        db, own, there("10", "NORDEN-A"), there("21", "NORDEN-S-R", "20"), there("22", "NORDEN-S-B", "20")
    )
    assert take(db, shop_id, "21")["adopted"] == 2
    assert plan_of(db) == [
        ("10", "proposed", "NORDEN-A"), ("21", "adopted", "NORDEN-S-R"), ("22", "adopted", "NORDEN-S-B"),
    ]  # fmt: skip


def test_of_two_that_fit_a_person_chooses_one_and_the_other_is_left(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own, there("10", "NORDEN-A"), there("11", "NORDEN-A"))
    assert plan_of(db) == [("10", "unclear", "NORDEN-A"), ("11", "unclear", "NORDEN-A")]
    assert take(db, shop_id)["adopted"] == 0
    with pytest.raises(Refused, match="choose one"):
        take(db, shop_id, "10", "11")
    assert take(db, shop_id, "11")["adopted"] == 1
    assert plan_of(db) == [("10", "left", "NORDEN-A"), ("11", "adopted", "NORDEN-A")]


def test_what_is_left_stays_left_and_can_still_be_adopted_by_name(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own, there("10", "NORDEN-A"), there("12", "NORDEN-B"))
    with db.unit_of_work() as uow:
        assert leave(uow, shop_id, ["10"]) == 1
    look(db, shop_id)
    assert plan_of(db) == [("10", "left", "NORDEN-A"), ("12", "proposed", "NORDEN-B")]
    assert take(db, shop_id)["adopted"] == 1
    assert take(db, shop_id, "10")["adopted"] == 1


def test_what_the_plan_does_not_have_is_refused_and_nothing_is_taken(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own, there("10", "NORDEN-A"))
    before = plan_of(db)
    with pytest.raises(Refused, match="Not in the plan of adoption: 77, nope"):
        take(db, shop_id, "10", "nope", "77")
    with pytest.raises(Refused, match="Not in the plan of adoption: 77"), db.unit_of_work() as uow:
        leave(uow, shop_id, ["10", "77"])
    assert plan_of(db) == before == [("10", "proposed", "NORDEN-A")]


def test_what_another_listing_has_is_never_taken(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own, there("10", "NORDEN-A"))
    with db.unit_of_work() as uow:  # a push made NORDEN-B meanwhile and was told this id
        uow.cursor().execute(
            "UPDATE listing SET external_id = '10' WHERE variant_id = (SELECT id FROM variant WHERE sku = 'NORDEN-B')"
        )
    assert take(db, shop_id, "10") == {"adopted": 0, "ours": 0, "stays": 0, "passed": 1}
    assert [row[1] for row in listed(db)] == [None, "10", None, None, None]


def test_what_a_push_is_making_is_not_adopted_meanwhile(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own, there("10", "NORDEN-A"))
    with db.unit_of_work() as uow:
        leave(uow, shop_id, None)
        uow.cursor().execute(
            "UPDATE listing SET sending = 3 WHERE variant_id = (SELECT id FROM variant WHERE sku = 'NORDEN-A')"
        )
    with pytest.raises(Refused, match="right now: choose again when it is over"):
        take(db, shop_id, "10")
    assert plan_of(db) == [("10", "left", "NORDEN-A")]
    assert [row[1] for row in listed(db)] == [None] * 5


def test_a_shop_that_does_not_let_us_read_says_so(db: Database, own: OwnShop) -> None:
    shop_id = begin(db, own)
    own.error = Misconfigured("The key may not read products.")
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(AdoptionDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    with pytest.raises(Misconfigured):
        run_all(db)
    assert one(db, "SELECT problem FROM shop WHERE id = %s", shop_id) == "The key may not read products."


def test_the_api_tells_the_plan_and_takes_the_choice(opened: Console, own: OwnShop) -> None:
    db = opened.db
    shop_id = begin(
        db,
        own,
        *(there(str(number), sku) for number, sku in ((10, "NORDEN-A"), (12, "NORDEN-B"), (13, "NORDEN-C"))),
    )
    first = opened.api("GET", f"/shops/{shop_id}/adoption?limit=2").json()
    assert [row["external_id"] for row in first["matches"]] == ["10", "12"]
    assert first["states"] == {"proposed": 3, "unclear": 0, "adopted": 0, "left": 0}
    rest = opened.api("GET", f"/shops/{shop_id}/adoption?limit=2&after={first['after']}").json()
    assert [(row["external_id"], row["sku"], row["reason"]) for row in rest["matches"]] == [
        ("13", "NORDEN-C", "sku")
    ]
    assert rest["after"] is None
    body = {"external_ids": ["10"], "page": "ours"}
    assert opened.api("POST", f"/shops/{shop_id}/adoption/apply", json=body).json() == {
        "adopted": 1, "ours": 1, "stays": 0, "passed": 0,
    }  # fmt: skip
    assert opened.api("POST", f"/shops/{shop_id}/adoption/leave", json={"external_ids": ["12"]}).json() == {
        "left": 1
    }
    assert opened.api("POST", f"/shops/{shop_id}/adoption/apply", json={"page": "none"}).status_code == 422
    assert opened.api("POST", f"/shops/{shop_id}/adoption").status_code == 202
    assert (
        opened.api("GET", f"/shops/{shop_id}/adoption?state=left").json()["matches"][0]["external_id"] == "12"
    )
    assert opened.api("GET", "/shops/99/adoption").status_code == 404


def test_the_command_line_lists_applies_and_leaves(
    db: Database, own: OwnShop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_id = begin(db, own, there("10", "NORDEN-A"), there("12", "NORDEN-B"))
    shell = Shell(capsys, monkeypatch)
    capsys.readouterr()
    told = shell.ask("adoption", "list", shop_id)
    assert [(row["id"], row["our_sku"], row["their_sku"]) for row in told["matches"]] == [
        ("10", "NORDEN-A", "NORDEN-A"), ("12", "NORDEN-B", "NORDEN-B"),
    ]  # fmt: skip
    applied = shell.ask("adoption", "apply", shop_id, "10", "--ours")
    assert {name: applied[name] for name in ("shop", "adopted", "ours", "stays", "passed")} == {
        "shop": shop_id, "adopted": 1, "ours": 1, "stays": 0, "passed": 0,
    }  # fmt: skip
    assert shell.ask("adoption", "leave", shop_id, "--all") == {"shop": shop_id, "left": 1}
    assert shell.refuse("adoption", "apply", shop_id) == (
        2, "Name what you choose by the shop's ids, or say --all.",
    )  # fmt: skip
