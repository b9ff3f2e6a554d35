"""What a person does to a shop as a whole, by page, API and command line: settings, hold, release, put back, disconnect."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from models.shops import Shop
from pipelines.connecting import DISCONNECTED
from tests import builders as make
from tests.commands import Shell
from tests.console import Console, console
from tests.stepping import one, pending, rows


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    with console(database_url, tmp_path) as made:
        yield made


def begun(db: Database) -> int:
    """A live shop with one push behind it that changed one listing."""
    with db.unit_of_work() as uow:
        session = uow.session
        seller = make.company(session, "seller", "Casa & Co", "CASA")
        nord = make.company(session, "supplier", "Nordlicht", "NORD")
        run = make.run(session, make.feed(session, nord, "List"), "applied")
        shop = make.shop(session, seller, "Casa")
        listing = make.listing(session, shop, make.offer(session, run, title="Lamp"))
        session.flush()
        cursor = uow.cursor()
        cursor.execute(
            "INSERT INTO push (shop_id, state, plan, asked_by, outcome) VALUES (%s, 'done', '{\"limits\": []}', 'operator',"
            ' \'{"sent": 1, "refused": 0, "withdrawn": 0, "problem": null}\')',
            [shop.id],
        )
        cursor.execute(
            "INSERT INTO push_change (push_id, listing_id) SELECT max(id), %s FROM push", [listing.id]
        )
        return shop.id


def events(db: Database) -> list[str]:
    """What was emitted since the last look."""
    found = [message["event"] for message in pending(db)]
    with db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM message")
    return found


def facts(db: Database, shop_id: int) -> tuple[object, ...]:
    return rows(db, "SELECT held_why, live_since IS NOT NULL, problem FROM shop WHERE id = %s", shop_id)[0]


def test_by_page(opened: Console) -> None:
    db, shop_id = opened.db, begun(opened.db)
    address = f"/shops/{shop_id}"
    push_id = one(db, "SELECT max(id) FROM push")
    assert f"/pushes/{push_id}/undo" in opened.get(address).text
    asked = opened.get(f"{address}/pushes/{push_id}/undo").text
    assert "<b>1</b> listing that it brought is taken out of sale" in asked and "Put it back" in asked
    assert opened.get(f"{address}/pushes/999/undo").status_code == 404 and events(db) == []
    assert (
        opened.post(f"{address}/pushes/{push_id}/undo").headers["location"] == f"{address}?said=taking_back"
    )
    assert events(db) == ["PushUndoDue"]
    assert opened.post(f"{address}/pushes/999/undo").status_code == 404
    with db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM push_change")
    assert opened.post(f"{address}/pushes/{push_id}/undo").status_code == 422
    assert "/undo" not in opened.get(address).text
    opened.post(f"{address}/hold", why="  Prices are\nwrong. ")
    assert facts(db, shop_id) == ("Prices are wrong.", True, None)
    assert events(db) == []
    assert "Prices are wrong." in opened.get(address).text
    opened.post(f"{address}/release")
    assert facts(db, shop_id) == (None, True, None)
    assert events(db) == ["ListingsDue"]
    opened.post(f"{address}/disconnect")
    assert facts(db, shop_id) == (None, False, DISCONNECTED)
    page = opened.get(address).text
    assert DISCONNECTED in page and f"/connect/again/{shop_id}" in page
    assert opened.post(f"{address}/push").status_code == 422
    assert events(db) == []


def test_settings_by_page(opened: Console) -> None:
    db, shop_id = opened.db, begun(opened.db)
    address = f"/shops/{shop_id}/settings"
    given = {
        "title_template": "{title} – {brand}", "tags": " {brand} \n\nnew\n", "categories": "Licht > Tisch = Home > Lamps", "buffer": "2",
        "weight": "1,5", "prices_include_tax": "no", "tax_percent": "19",
    }  # fmt: skip
    assert opened.post(address, **given).headers["location"] == f"/shops/{shop_id}?said=settings"
    assert one(db, "SELECT settings FROM shop WHERE id = %s", shop_id) == {
        "title_template": "{title} – {brand}", "tags": ["{brand}", "new"], "categories": {"Licht > Tisch": "Home > Lamps"},
        "buffer": 2, "weight": "1.5", "prices_include_tax": False, "tax_percent": "19",
    }  # fmt: skip
    assert events(db) == ["ListingsDue"]
    shown = opened.get(address).text
    assert "Licht &gt; Tisch = Home &gt; Lamps" in shown and 'value="1.5"' in shown
    for wrong, words in (
        ({"title_template": "{nonsense}"}, "nonsense"),
        ({"categories": "Licht"}, "is no pair"),
        ({"buffer": "-1"}, "buffer"),
    ):
        refused = opened.post(address, **{**given, **wrong})
        assert (
            refused.status_code == 422
            and "The settings are not stored" in refused.text
            and words in refused.text
        )
    assert events(db) == []
    opened.post(address)  # empty fields go back to the usual
    assert one(db, "SELECT settings FROM shop WHERE id = %s", shop_id) == {}


def test_by_api(opened: Console) -> None:
    db, shop_id = opened.db, begun(opened.db)
    address, push_id = f"/shops/{shop_id}", one(db, "SELECT max(id) FROM push")
    assert opened.api("PUT", f"{address}/settings", json={"buffer": 3}).json()["buffer"] == 3
    assert opened.api("PUT", f"{address}/settings", json={"nonsense": 3}).status_code == 422
    assert opened.api("GET", f"{address}/settings").json()["withdraw_limit_percent"] == 20
    assert opened.api("GET", address).json()["settings"] == {"buffer": 3}
    assert opened.api("PUT", f"{address}/settings", json={}).json()["buffer"] == 0
    assert events(db) == ["ListingsDue"] * 2
    assert (
        opened.api("POST", f"{address}/hold", json={"why": "Stocktaking"}).json()["held_why"] == "Stocktaking"
    )
    assert opened.api("POST", f"{address}/release").json()["held_why"] is None
    assert opened.api("POST", f"{address}/pushes/{push_id}/undo").status_code == 202
    assert events(db) == ["ListingsDue", "PushUndoDue"]
    assert opened.api("POST", f"{address}/disconnect").json()["problem"] == DISCONNECTED
    body = {"name": "New", "seller": "CASA", "url": "https://shop.example", "channel": "woocommerce"}
    refused = opened.api("POST", "/shops/connections", json=body)  # the hub has no https address
    assert refused.status_code == 409 and "https" in refused.json()["error"]["message"]


def test_by_command_line(
    opened: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, shop_id = opened.db, begun(opened.db)
    shell = Shell(capsys, monkeypatch)
    capsys.readouterr()
    changed = shell.ask("shop", "settings", shop_id, "buffer=2", 'tags=["a", "b"]', "show-at-most=9")
    assert (changed["buffer"], changed["tags"], changed["show_at_most"]) == (2, ["a", "b"], 9)
    assert shell.ask("shop", "settings", shop_id, "buffer=")["buffer"] == 0
    pattern = "{title} – {brand}"  # begins like JSON and is none
    assert shell.ask("shop", "settings", shop_id, f"title_template={pattern}")["title_template"] == pattern
    assert shell.ask("shop", "settings", shop_id)["show_at_most"] == 9
    assert shell.refuse("shop", "settings", shop_id, "buffer") == (
        2,
        "'buffer' is no setting: write it like buffer=2.",
    )
    assert shell.ask("shop", "hold", shop_id, "--why", "Stocktaking")["held_why"] == "Stocktaking"
    assert shell.ask("shop", "release", shop_id)["held_why"] is None
    assert shell.ask("shop", "disconnect", shop_id)["problem"] == DISCONNECTED
    monkeypatch.setenv("ENTREPOT_PUBLIC_URL", "https://hub.example")
    words = ("shop", "connect", "CASA", "New", "--channel", "woocommerce", "--url", "https://shop.example")
    assert shell.ask(*words)["open"].startswith(
        "https://shop.example/wc-auth/v1/authorize?app_name=Entrepot&"
    )
    assert one(db, "SELECT name FROM connection_request") == "New"
    assert one(db, "SELECT count(*) FROM shop") == 1
    with db.unit_of_work() as uow:
        assert uow.session.get_one(Shop, shop_id).credentials == b""
