"""Mappings by API, in the console and on the command line: the same versions, proposals and previews through each door."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.__main__ import main
from core.database import Database
from models.companies import Company
from models.suppliers import Feed
from pipelines.routes import ROUTES
from tests import builders as make
from tests.commands import Shell
from tests.console import Console, console
from tests.mappings import LIST, feed_with, in_this_process, send_file
from tests.stepping import one, rows

FIVE = {"when": {"field": "cost", "blank": True}, "then": {"set": {"cost": "5"}}}


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    in_this_process(monkeypatch)
    with console(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def shell(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    in_this_process(monkeypatch)
    return Shell(capsys, monkeypatch)


def versions(db: Database) -> list[tuple[int, str, str]]:
    return rows(db, "SELECT version, author, note FROM feed_mapping ORDER BY 1")


def test_the_api_reads_changes_and_goes_back(opened: Console, tmp_path: Path) -> None:
    feed = feed_with(opened.db, folder=tmp_path)
    address = f"/feeds/{feed}/mapping"
    nothing = opened.api("GET", address)
    assert (nothing.json()["version"], nothing.json()["document"], nothing.headers["etag"]) == (
        0,
        None,
        '"0"',
    )
    send_file(opened.db, feed, tmp_path / "liste.csv", LIST)
    got = opened.api("GET", address)
    assert (got.headers["etag"], got.json()["author"], got.json()["columns_left"]) == ('"1"', "hub", [])
    change = {"mapping": {"rules": [FIVE]}, "note": "five"}
    assert opened.api("PUT", address, json=change).json()["error"]["rule"] == "missing"
    put = opened.api("PUT", address, json=change, headers={"If-Match": '"1"'})
    assert (put.status_code, put.headers["etag"], put.json()["document"]["rules"]) == (200, '"2"', [FIVE])
    late = opened.api(
        "PUT", address, json={"mapping": {"fields": {"gtin": None}}}, headers={"If-Match": '"1"'}
    )
    assert (late.status_code, late.json()["error"]["rule"]) == (409, "wrong_state")
    listed = opened.api("GET", f"{address}/versions").json()["versions"]
    assert [(one["version"], one["author"], one["note"], one["present"]) for one in listed] == [
        (2, "operator", "five", True), (1, "hub", "Proposed for run 1.", False),
    ]  # fmt: skip
    assert opened.api("GET", f"{address}/versions/1/differences").json() == {
        "old": 1, "new": 2, "differences": [{"place": "rules[0]", "old": None, "new": FIVE}],
    }  # fmt: skip
    back = opened.api("POST", f"{address}/versions/1/restore")
    assert (back.json()["version"], back.json()["note"]) == (3, "Back to version 1.")
    assert "rules" not in back.json()["document"] or not back.json()["document"]["rules"]
    assert opened.api("GET", f"{address}?version=9").status_code == 404


def test_the_api_previews_proposes_and_tells_the_schema(opened: Console, tmp_path: Path) -> None:
    feed = feed_with(opened.db, LIST, folder=tmp_path)
    seen = opened.api("POST", f"/feeds/{feed}/mapping/preview", json={"mapping": {"rules": [FIVE]}})
    assert seen.json()["counts"]["after"] == {"accepted": 3, "rejected": 0, "quarantined": 0, "reasons": {}}
    assert [one["changed"] for one in seen.json()["records"]] == [{}, {"cost": [None, "5.00"]}, {}]
    wrong = opened.api(
        "POST", f"/feeds/{feed}/mapping/preview", json={"mapping": {"rules": [{"then": "drop"}]}}
    )
    assert (wrong.status_code, wrong.json()["error"]["rule"]) == (422, "mapping_invalid")
    assert "rules[0].then: 'drop' is not known here; there are part, skip" in wrong.json()["error"]["message"]
    proposed = opened.api("POST", f"/feeds/{feed}/mapping/propose").json()
    assert proposed["document"]["fields"]["cost"]["from"] == ["EK netto"]
    assert (proposed["unsure"], proposed["unmapped"]) == ([], [])
    assert len(versions(opened.db)) == 1
    schema = opened.api("GET", "/mapping/schema").json()
    assert "country" in schema["$defs"]["operation"]["oneOf"][1]["properties"]
    empty = feed_with_no_file(opened)
    assert opened.api("POST", f"/feeds/{empty}/mapping/propose").json()["error"]["rule"] == "no_file"


def feed_with_no_file(opened: Console) -> int:
    with opened.db.unit_of_work() as uow:
        return make.feed(uow.session, name="empty").id


def test_the_page_shows_fields_values_rules_and_versions(opened: Console, tmp_path: Path) -> None:
    feed = feed_with(opened.db, LIST, folder=tmp_path)
    page = opened.get(f"/feeds/{feed}/mapping").text
    for words in (
        "EK netto",
        "money: decimal ,",
        "<b>10.50</b>",
        "Version 1",
        "Proposed for run 1.",
        "97 %",
        "No rules",
    ):
        assert words in page, words
    assert f'href="/feeds/{feed}/mapping"' in opened.get(f"/feeds/{feed}").text
    empty = feed_with_no_file(opened)
    assert "No file has come yet" in opened.get(f"/feeds/{empty}/mapping").text
    assert opened.get(f"/feeds/{empty}/mapping/fields/cost").status_code == 404
    assert opened.get(f"/feeds/{feed}/mapping/fields/colour").status_code == 404
    exported = opened.get(f"/feeds/{feed}/mapping.yaml")
    assert yaml.safe_load(exported.text)["fields"]["title"]["from"] == ["Bezeichnung"]


def test_a_field_is_looked_at_then_saved(opened: Console, tmp_path: Path) -> None:
    feed = feed_with(opened.db, LIST, folder=tmp_path)
    address = f"/feeds/{feed}/mapping/fields/mpn"
    form = {"base": "1", "source-0": "Zusatz", "lines": "case: upper\ntemplate: 'Z-{}'"}
    looked = opened.post(address, **form, act="look")
    assert looked.status_code == 200
    assert "<ins>Z-X</ins>" in looked.text
    assert len(versions(opened.db)) == 1, "looking stores nothing"
    added = opened.post(address, **form, add="trim").text
    assert "template: &#39;Z-{}&#39;\ntrim</textarea>" in added
    wrong = opened.post(address, **{**form, "lines": "shout"}, act="save")
    assert wrong.status_code == 422
    assert "&#39;shout&#39; is not known here; there are trim" in wrong.text
    assert "shout</textarea>" in wrong.text, "what was typed is not lost"
    saved = opened.post(address, **form, act="save", note="for the shops")
    assert saved.headers["location"] == f"/feeds/{feed}/mapping?said=mapped"
    assert versions(opened.db)[1] == (2, "operator", "for the shops")
    assert one(opened.db, "SELECT document->'fields'->'mpn' FROM feed") == {
        "from": ["Zusatz"], "operations": [{"case": "upper"}, {"template": "Z-{}"}],
    }  # fmt: skip
    late = opened.post(address, **form, act="save")
    assert (late.status_code, "by now, not 1" in late.text) == (422, True)
    gone = opened.post(address, base="2", act="save")
    assert gone.status_code == 303
    assert one(opened.db, "SELECT document->'fields' ? 'mpn' FROM feed") is False


def test_a_form_without_its_token_changes_nothing(opened: Console, tmp_path: Path) -> None:
    feed = feed_with(opened.db, LIST, folder=tmp_path)
    for address in ("fields/mpn", "edit", "versions/1/back"):
        sent = opened.client.post(
            f"/feeds/{feed}/mapping/{address}", data={"csrf": "x", "act": "save", "text": "rules: []"}
        )
        assert sent.status_code == 403, address
    assert len(versions(opened.db)) == 1


def test_rules_are_written_as_yaml_and_a_version_is_gone_back_to(opened: Console, tmp_path: Path) -> None:
    feed = feed_with(opened.db, LIST, folder=tmp_path)
    address, text = f"/feeds/{feed}/mapping/edit", yaml.safe_dump({"rules": [FIVE]})
    looked = opened.post(address, part="rules", text=text, base="1", act="look").text
    assert "1 would differ; 2 would stay as they are" in looked
    wrong = opened.post(address, part="rules", text="rules: [", base="1", act="save")
    assert (wrong.status_code, "This is no YAML: line 1" in wrong.text) == (422, True)
    assert opened.post(address, part="rules", text=text, base="1", act="save").status_code == 303
    page = opened.get(f"/feeds/{feed}/mapping").text
    assert "cost is blank" in page
    version = opened.get(f"/feeds/{feed}/mapping/versions/2").text
    assert "if cost is blank: set cost 5" in version
    back = opened.post(f"/feeds/{feed}/mapping/versions/1/back", base="2")
    assert back.headers["location"] == f"/feeds/{feed}/mapping?said=mapped_back"
    assert [number for number, _, _ in versions(opened.db)] == [1, 2, 3]


def test_the_proposal_page_asks_and_keeps_the_rules(opened: Console, tmp_path: Path) -> None:
    text = "sku,title,code2,sum,on hand\nA1,Lamp,4006381333931,10.50,3\nA2,Desk,4006381333948,11.00,4\n"
    feed = feed_with(opened.db, text, folder=tmp_path)
    page = opened.get(f"/feeds/{feed}/mapping/proposal").text
    assert "The hub asks" in page
    assert f"/feeds/{feed}/mapping/fields/price?column=sum" in page
    editor = opened.get(f"/feeds/{feed}/mapping/fields/price?column=sum").text
    assert '<option value="sum" selected>' in editor
    assert "money</textarea>" in editor


def test_the_command_line_has_the_same(shell: Shell, database_url: str, tmp_path: Path) -> None:
    db = Database(database_url, ROUTES)
    feed_with(db, LIST, folder=tmp_path)
    shown = shell.ask("feed", "mapping", "show", "liste")
    assert (shown["version"], shown["author"], shown["columns_left"]) == (1, "hub", [])
    assert "EK netto" in shell.read("feed", "mapping", "show", "liste")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(yaml.safe_dump({"rules": [FIVE]}), "utf-8")
    looked = shell.ask("feed", "mapping", "preview", "liste", "--mapping", mapping)
    assert looked["counts"]["after"]["accepted"] == 3
    assert len(versions(db)) == 1
    assert "nothing → 5" in shell.read("feed", "mapping", "preview", "liste", "--mapping", mapping)
    stored = shell.ask("feed", "mapping", "set", "liste", "--mapping", mapping, "--note", "five", "--base", 1)
    assert stored == {
        "feed": 1,
        "version": 2,
        "differences": [{"place": "rules[0]", "old": None, "new": FIVE}],
    }
    code, said = shell.refuse("feed", "mapping", "set", "liste", "--mapping", mapping, "--base", 1)
    assert (code, "is at version 2 by now, not 1" in said) == (2, True)
    told = shell.ask("feed", "mapping", "versions", "liste")["versions"]
    assert [(row["version"], row["note"], row["present"]) for row in told] == [
        (2, "five", True),
        (1, "Proposed for run 1.", False),
    ]
    assert shell.ask("feed", "mapping", "diff", "liste")["differences"] == stored["differences"]
    assert shell.ask("feed", "mapping", "back", "liste", 1) == {"feed": 1, "version": 3, "content_of": 1}
    out = tmp_path / "out.yaml"
    shell.patch.setattr(
        "sys.argv", ["entrepot", "feed", "mapping", "export", "liste", "--version", "2", "--out", str(out)]
    )
    with pytest.raises(SystemExit):
        main()
    assert yaml.safe_load(out.read_text("utf-8"))["rules"] == [FIVE]
    proposed = shell.ask("feed", "mapping", "propose", "liste")
    assert proposed["unsure"] == []
    assert "Bezeichnung" in shell.read("feed", "mapping", "propose", "liste")
    assert shell.refuse("feed", "mapping", "show", "liste", "--version", 9) == (
        2,
        "The mapping of liste has no version 9.",
    )
    assert shell.refuse("feed", "mapping", "preview", "liste", "--mapping", tmp_path / "none")[1].endswith(
        "No such file or directory."
    )
    db.close()


def test_partial_feeds_are_set_by_each_door(opened: Console, shell: Shell, tmp_path: Path) -> None:
    whole = feed_with(opened.db, folder=tmp_path)
    with opened.db.unit_of_work() as uow:
        owner = uow.session.get_one(Company, uow.session.get_one(Feed, whole).supplier_id)
        part, stranger = make.feed(uow.session, owner, "bestand").id, make.feed(uow.session, name="fremd").id
    told: dict[str, Any] = shell.ask("feed", "set", "bestand", "--mode", "stock-only", "--of-feed", "liste")
    assert (told["policy"]["mode"], told["policy"]["of_feed"]) == ("stock-only", whole)
    assert "stock only" in opened.get(f"/feeds/{part}").text
    assert shell.refuse("feed", "set", "bestand", "--of-feed", stranger)[1].startswith(
        "Feed 'fremd' cannot be meant"
    )
    assert shell.refuse("feed", "set", "liste", "--of-feed", "bestand")[1].startswith(
        "Feed 'bestand' speaks of another"
    )
    wrong = opened.api("PATCH", f"/feeds/{part}", json={"policy": {"mode": "some"}})
    assert wrong.status_code == 422
    changed = opened.post(f"/feeds/{part}/settings", mode="price-only", of_feed=str(whole))
    assert changed.status_code == 303
    assert one(opened.db, "SELECT policy FROM feed WHERE id = %s", part) == {
        "mode": "price-only",
        "of_feed": whole,
    }
    assert "of_feed" not in shell.ask("feed", "set", "bestand", "--of-feed", "")["policy"]
