"""What waits for its shop's owner's word is seen wherever a person looks, and can be decided there."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.events import ListingsDue
from models.shops import Shop
from pipelines.listings.adopt import leave
from tests.commands import Shell
from tests.console import Console, console
from tests.integration.test_adoption import OwnShop, begin, plan_of, there
from tests.stepping import rows, run_all


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OwnShop:
    made = OwnShop()
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setattr("pipelines.listings.look.connect", lambda *_: made)
    return made


@pytest.fixture
def opened(database_url: str, tmp_path: Path, own: OwnShop) -> Iterator[Console]:
    with console(database_url, tmp_path) as made:
        yield made


def open_shop(opened: Console, own: OwnShop) -> int:
    """The owner sells A (7 pieces) and, as two products, both variants of our umbrella; B and C are wanted beside."""
    shop_id = begin(
        opened.db, own, there("10", "NORDEN-A"), there("21", "NORDEN-S-R"), there("22", "NORDEN-S-B")
    )
    plan_again(opened, shop_id)
    return shop_id


def plan_again(opened: Console, shop_id: int) -> None:
    with opened.db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    run_all(opened.db)


def text_of(opened: Console, address: str) -> str:
    """What a person reads of a page, with single spaces."""
    answer = opened.get(address)
    assert answer.status_code == 200, answer.text[:500]
    body = answer.text.partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def row_of(opened: Console, address: str, words: str) -> str:
    """The HTML of the one row with these words."""
    (row,) = [each for each in opened.get(address).text.split("<tr data-row>")[1:] if words in each]
    return str(row).partition("</tr>")[0]


def test_all_that_is_open_can_be_chosen_and_what_cannot_be_adopted_is_passed_over_with_a_sentence(
    opened: Console, own: OwnShop
) -> None:
    shop_id = open_shop(opened, own)
    where = f"/shops/{shop_id}/adoption"
    assert sorted(re.findall(r'name="chosen" value="(\d+)"', opened.get(where).text)) == ["10", "21", "22"]
    answer = opened.post(f"{where}/apply", where, chosen=["21", "22"])
    assert answer.headers["location"] == f"{where}?said=adopted_none"
    assert "Nothing was adopted" in text_of(opened, f"{where}?said=adopted_none")
    assert [state for _, state, _ in plan_of(opened.db)] == ["proposed", "unclear", "unclear"]
    answer = opened.post(f"{where}/apply", where, chosen=["10", "21"])
    assert answer.headers["location"] == f"{where}?said=adopted_some"
    assert [state for _, state, _ in plan_of(opened.db)] == ["adopted", "unclear", "unclear"]
    assert (
        opened.post(f"{where}/leave", where, chosen=["21", "22"]).headers["location"] == f"{where}?said=left"
    )
    assert [state for _, state, _ in plan_of(opened.db)] == ["adopted", "left", "left"]
    assert rows(opened.db, "SELECT count(*) FROM listing WHERE undecided") == [(0,)]
    assert 'name="chosen"' not in opened.get(where).text


def test_what_waits_shows_what_could_be_sold_and_not_nothing(opened: Console, own: OwnShop) -> None:
    shop_id = open_shop(opened, own)
    assert rows(opened.db, "SELECT wanted->'stock' FROM listing WHERE undecided") == [(0,)] * 3
    told = " ".join(re.sub(r"<[^>]*>", " ", row_of(opened, f"/shops/{shop_id}/adoption", "NORDEN-A")).split())
    assert "9.90 → 15.00 7 → up to 5" in told
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute('UPDATE shop SET settings = \'{"buffer": 2, "show_at_most": 2}\'')
    assert "<ins>up to 2</ins>" in row_of(opened, f"/shops/{shop_id}/adoption", "NORDEN-A")


def test_every_page_that_a_person_opens_first_says_that_something_waits(
    opened: Console, own: OwnShop
) -> None:
    shop_id = open_shop(opened, own)
    assert "3 listings of shop wait for your word" in text_of(opened, "/")
    assert f'href="/shops/{shop_id}/adoption"' in opened.get("/").text
    assert "3 to decide" in text_of(opened, "/shops")
    assert "3 things in the shop are ours by SKU or GTIN 3 listings wait for your word" in text_of(
        opened, f"/shops/{shop_id}"
    )
    assert "3 things with a SKU or GTIN of ours are in the shop already 3 listings wait" in text_of(
        opened, f"/shops/{shop_id}/plan"
    )
    assert [row["undecided"] for row in opened.api("GET", "/shops").json()["shops"]] == [3]
    assert opened.api("GET", f"/shops/{shop_id}").json()["undecided"] == 3
    assert opened.api("GET", f"/shops/{shop_id}/plan").json()["undecided"] == 3
    opened.post(f"/shops/{shop_id}/adoption/apply", chosen=["10"])  # what is unclear alone counts as well
    assert "2 listings of shop wait for your word" in text_of(opened, "/")
    assert "2 things in the shop are ours" in text_of(opened, f"/shops/{shop_id}")
    opened.post(f"/shops/{shop_id}/adoption/leave", chosen=["21"])
    assert "1 thing in the shop is ours by SKU or GTIN 2 listings wait" in text_of(
        opened, f"/shops/{shop_id}"
    )
    opened.post(f"/shops/{shop_id}/adoption/leave", chosen=["22"])
    for address in ("/", "/shops", f"/shops/{shop_id}", f"/shops/{shop_id}/plan"):
        assert "for your word" not in text_of(opened, address) and "to decide" not in text_of(opened, address)
    assert opened.api("GET", f"/shops/{shop_id}").json()["undecided"] == 0


def test_the_command_line_says_it_where_a_shop_is_shown_planned_and_pushed(
    opened: Console,
    own: OwnShop,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    shop_id = open_shop(opened, own)
    shell = Shell(capsys, monkeypatch)
    capsys.readouterr()
    sentence = "3 listings wait for your word, the shop has them already: `entrepot adoption list shop`."
    assert shell.ask("status")["undecided"] == 3
    assert shell.ask("shop", "show", "shop")["undecided"] == 3
    plan = shell.ask("push", "shop", "--plan")
    assert (plan["undecided"], plan["create"]) == (3, 2)
    assert sum(each["listings"] for each in plan["blocked"]) == 3
    assert {each["problem"].partition(":")[0] for each in plan["blocked"]} == {
        "The shop already has a product with this SKU"
    }
    assert shell.ask("push", "shop", "--apply", "--no-wait")["undecided"] == 3
    for words in ("shop show shop", "push shop --plan", "push shop --apply --no-wait"):
        assert sentence in " ".join(shell.read(*words.split()).split()), words
    with opened.db.unit_of_work() as uow:
        leave(uow, shop_id, None)
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE listing SET state = 'refused', sent = wanted WHERE variant_id IN (2, 3)")
    assert shell.ask("push", "shop", "--plan")["refused"] == 2
    assert "2 that the shop refused are tried again." in " ".join(
        shell.read("push", "shop", "--plan").split()
    )
    assert "2 that the shop refused are tried again" in text_of(opened, f"/shops/{shop_id}/plan")
    assert shell.ask("status")["undecided"] == shell.ask("shop", "show", "shop")["undecided"] == 0
    assert "your word" not in shell.read("push", "shop", "--plan")


def test_an_empty_plan_tells_what_waits_and_what_was_refused(opened: Console, own: OwnShop) -> None:
    shop_id = open_shop(opened, own)
    with opened.db.unit_of_work() as uow:  # as a push left them: B is there, C was refused
        uow.cursor().execute(
            "UPDATE listing SET sent = wanted, external_id = 'x' || id, state = 'live' WHERE variant_id = 2"
        )
        uow.cursor().execute("UPDATE listing SET sent = wanted, state = 'refused' WHERE variant_id = 3")
        uow.cursor().execute(
            "UPDATE shop_product SET sent = wanted, external_id = 'p' || product_id WHERE product_id IN (2, 3)"
        )
    told = text_of(opened, f"/shops/{shop_id}/plan")
    assert (
        "Everything else is as it is wanted 3 listings wait for your word, 1 was refused by the shop." in told
    )
    assert "Nothing differs" not in told
    assert f'href="/shops/{shop_id}?state=refused"' in opened.get(f"/shops/{shop_id}/plan").text
    assert "Try it again" in told
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute(
            "UPDATE listing SET wanted = NULL, undecided = false, state = 'live' WHERE variant_id <> 2"
        )
        uow.cursor().execute("UPDATE listing SET sent = NULL WHERE variant_id <> 2")
    assert "Nothing differs The shop was sent all that is wanted" in text_of(opened, f"/shops/{shop_id}/plan")


def test_a_listing_that_waits_says_so_and_leads_to_where_it_is_decided(opened: Console, own: OwnShop) -> None:
    shop_id = open_shop(opened, own)
    (number,) = rows(opened.db, "SELECT id FROM listing WHERE variant_id = 1")[0]
    address = f"/shops/{shop_id}/listings/{number}"
    told = text_of(opened, address)
    assert "waits for your word" in told.partition("NORDEN-A")[0]
    assert (
        "It waits for the owner's word The shop already has a product with this SKU: adopt it or leave it."
        in told
    )
    assert "nothing while it waits It could show up to 5: Norden has 5 to sell." in told
    assert "entrepot adoption" not in told
    assert (
        opened.get(address).text.count(f'href="/shops/{shop_id}/adoption"') == 2
    )  # the button, and its story
    opened.post(f"/shops/{shop_id}/adoption/leave", chosen=["10"])
    plan_again(opened, shop_id)
    told = text_of(opened, address)
    assert "owner's word" not in told and "Stock 5 Why? Norden has 5 to sell." in told


def test_what_waits_for_a_word_is_found_by_itself(opened: Console, own: OwnShop) -> None:
    shop_id = open_shop(opened, own)
    address = f"/shops/{shop_id}"
    assert "All 5 waits for your word 3 waiting 2" in text_of(opened, address)
    shown = {
        state: opened.get(f"{address}?state={state}").text.count("<tr data-row>")
        for state in ("undecided", "waiting", "")
    }
    assert shown == {"undecided": 3, "waiting": 2, "": 5}
    assert "entrepot adoption" not in text_of(opened, f"{address}?state=undecided")
    first = opened.api("GET", f"{address}/listings?state=undecided").json()
    assert first["states"] == {"undecided": 3, "waiting": 2}
    assert [row["sku"] for row in first["listings"]] == ["NORDEN-A", "NORDEN-S-R", "NORDEN-S-B"]
    assert {row["state"] for row in first["listings"]} == {"undecided"}
    assert opened.api("GET", address).json()["listings"] == {"undecided": 3, "waiting": 2}


def test_a_choice_from_an_older_page_passes_over_what_is_gone_from_the_plan(
    opened: Console, own: OwnShop
) -> None:
    shop_id = open_shop(opened, own)
    where = f"/shops/{shop_id}/adoption"
    for act in ("apply", "leave"):
        answer = opened.post(f"{where}/{act}", where, chosen=["77"])
        assert answer.headers["location"] == f"{where}?said=plan_moved"
    assert [state for _, state, _ in plan_of(opened.db)] == ["proposed", "unclear", "unclear"]
    assert (
        opened.post(f"{where}/leave", where, chosen=["21", "77"]).headers["location"].endswith("plan_moved")
    )
    assert (
        opened.post(f"{where}/apply", where, chosen=["10", "77"]).headers["location"].endswith("plan_moved")
    )
    assert [state for _, state, _ in plan_of(opened.db)] == ["adopted", "left", "unclear"]
    assert "no longer found there and was passed over" in text_of(opened, f"{where}?said=plan_moved")


def test_adopting_says_what_comes_next(
    opened: Console,
    own: OwnShop,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    shop_id = begin(
        opened.db,
        own,
        there("10", "NORDEN-A", price="99.00"),
        there("12", "NORDEN-B"),
        there("13", "NORDEN-C", price="99.00"),
    )
    shell = Shell(capsys, monkeypatch)
    capsys.readouterr()
    told = shell.ask("adoption", "apply", "shop", "12")
    assert (told["limits"], told["next"]) == (
        [],
        "Nothing goes into the shop before its first push: `entrepot push shop --plan`.",
    )
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE shop SET live_since = now()")
    told = shell.ask("adoption", "apply", "shop", "10")
    assert told["adopted"] == 1 and "NORDEN-A" in told["limits"][0] and "99.00" in told["limits"][0]
    assert told["next"] == (
        "The push waits for a person, stock goes all the same: `entrepot push shop --plan`, then --apply."
    )
    assert shell.ask("adoption", "apply", "shop", "10")["next"] is None
    answer = opened.post(f"/shops/{shop_id}/adoption/apply", chosen=["13"])
    assert answer.headers["location"].endswith("said=adopted_held")
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE shop SET settings = '{\"price_fall_limit_percent\": 95}'")
        uow.cursor().execute("UPDATE adoption SET state = 'proposed' WHERE external_id = '13'")
        uow.cursor().execute("UPDATE listing SET external_id = NULL, sent = NULL WHERE variant_id = 3")
        uow.cursor().execute("UPDATE shop_product SET external_id = NULL, sent = NULL WHERE product_id = 3")
    told = shell.ask("adoption", "apply", "shop", "13")
    assert (told["limits"], told["next"]) == ([], "The next push sets it by itself.")
