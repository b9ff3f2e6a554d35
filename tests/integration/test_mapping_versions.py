"""Versions of a feed's mapping: pinned by the first run, changed by people, named by runs; drift that holds a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pipelines.feeds.preview as previewing
from core.database import Database
from core.errors import Refused
from core.settings import load
from models.suppliers import Feed, FeedRun
from pipelines.feeds.mappings import columns_left, differences, from_text, go_back, rule_words, store_mapping
from pipelines.feeds.plan import approve
from pipelines.routes import ROUTES
from tests.mappings import LIST, feed_with, in_this_process, send_file
from tests.stepping import one, rows, run_all

NAMED = "Artikelnr;Bezeichnung;EK netto;Menge;EAN;Zusatz"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    in_this_process(monkeypatch)
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def made(db: Database, feed_id: int) -> list[tuple[int, str, str]]:
    return rows(db, "SELECT version, author, note FROM feed_mapping WHERE feed_id = %s ORDER BY 1", feed_id)


def store(db: Database, feed_id: int, given: dict[str, Any], **more: Any) -> int | None:
    with db.unit_of_work() as uow:
        return store_mapping(uow, feed_id, given, author="Eva", **more).mapping_version


def run_facts(db: Database, run_id: int) -> tuple[str, int | None, list[str]]:
    return rows(db, "SELECT state, mapping_version, plan->'limits' FROM feed_run WHERE id = %s", run_id)[0]


def test_the_first_applied_run_pins_version_1_and_later_runs_name_theirs(
    db: Database, tmp_path: Path
) -> None:
    feed = feed_with(db, LIST, LIST.replace("20,00", "21,00"), folder=tmp_path)
    assert made(db, feed) == [(1, "hub", "Proposed for run 1.")]
    assert rows(db, "SELECT id, mapping_version FROM feed_run ORDER BY id") == [(1, 1), (2, 1)]
    document = one(db, "SELECT document FROM feed_mapping")
    assert "policy" not in document
    assert document == one(db, "SELECT document FROM feed WHERE id = %s", feed)
    assert one(db, "SELECT mapping_version FROM feed WHERE id = %s", feed) == 1


def test_a_persons_change_is_a_version_and_the_same_file_is_read_by_it(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    rule = {"when": {"field": "cost", "blank": True}, "then": {"set": {"cost": "5"}}}
    assert store(db, feed, {"rules": [rule]}, note="no price: five", base=1) == 2
    assert store(db, feed, {"rules": [rule]}) == 2, "the same content is no version"
    assert made(db, feed)[1] == (2, "Eva", "no price: five")
    again = send_file(db, feed, tmp_path / "same.csv", LIST)
    assert run_facts(db, again) == ("applied", 2, [])
    assert rows(db, "SELECT supplier_sku, cost::text FROM offer ORDER BY 1") == [
        ("A1", "10.500000"), ("A2", "5.000000"), ("A3", "20.000000"),
    ]  # fmt: skip
    assert send_file(db, feed, tmp_path / "third.csv", LIST) == again + 1
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", again + 1) == "unchanged"


def test_going_back_is_a_new_version_with_the_old_content(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    store(db, feed, {"fields": {"gtin": None}})
    with db.unit_of_work() as uow:
        go_back(uow, feed, 1, author="Eva", base=2)
    assert [row[2] for row in made(db, feed)] == ["Proposed for run 1.", "", "Back to version 1."]
    first, second, third = (
        one(db, "SELECT document FROM feed_mapping WHERE version = %s", n) for n in (1, 2, 3)
    )
    assert first == third
    assert [change["place"] for change in differences(first, second)] == ["fields.gtin"]
    assert (
        one(
            db,
            "SELECT count(*) FROM audit_record WHERE subject = %s AND act = 'mapping changed'",
            f"feed:{feed}",
        )
        == 2
    )


def test_two_people_at_once_the_second_is_told(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    store(db, feed, {"fields": {"gtin": None}}, base=1)
    with pytest.raises(Refused, match="at version 2 by now, not 1") as refusal:
        store(db, feed, {"fields": {"title": None}}, base=1)
    assert refusal.value.rule == "wrong_state"
    assert len(made(db, feed)) == 2


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"policy": {"absence": "keep"}}, "The policy is not part of the mapping"),
        ({"fields": {"title": {"from": ["Bezeichnung"], "operations": ["shout"]}}}, "fields.title.operations[0]: 'shout' is not known here; there are trim"),
        ({"fields": {"colour": {"from": ["x"]}}}, "fields: there is no 'colour' here; there are supplier_sku"),
    ],
)  # fmt: skip
def test_what_is_no_mapping_is_refused_and_adds_no_version(
    db: Database, tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    with pytest.raises(Refused) as refusal:
        store(db, feed, given)
    assert sentence in str(refusal.value)
    assert len(made(db, feed)) == 1


def test_a_mapping_may_come_before_the_first_file_but_must_be_whole(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, folder=tmp_path)
    with pytest.raises(Refused, match="a whole document is needed"):
        store(db, feed, {"fields": {"title": {"from": ["Bezeichnung"]}}})
    whole = {
        "version": 1, "profile": "generic", "key": ["supplier_sku"], "currency": "EUR",
        "dialect": {"format": "csv", "encoding": "utf-8", "delimiter": ";", "quoteChar": '"', "headerRow": 0, "header": NAMED.split(";"), "missingValues": ["", "-"]},
        "fields": {"supplier_sku": {"from": ["Artikelnr"]}, "title": {"from": [{"template": "{Bezeichnung} {Zusatz}"}]}, "cost": {"from": ["EK netto"], "operations": [{"money": {"decimal": ","}}]}},
    }  # fmt: skip
    assert store(db, feed, whole) == 1
    run = send_file(db, feed, tmp_path / "liste.csv", LIST)
    assert run_facts(db, run) == ("applied", 1, [])
    assert rows(db, "SELECT supplier_sku, title FROM offer ORDER BY 1") == [
        ("A1", "Lampe x"),
        ("A3", "Bett z"),
    ]
    assert made(db, feed) == [(1, "Eva", "")]


def test_a_mapped_column_that_is_gone_holds_the_run_until_a_person_says_so(
    db: Database, tmp_path: Path
) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    run = send_file(db, feed, tmp_path / "other.csv", LIST.replace("EAN", "Barcode"))
    assert run_facts(db, run) == ("waiting", 1, ["The column 'EAN' is gone, which gtin is read from."])
    assert rows(db, "SELECT gtin FROM offer WHERE supplier_sku = 'A1'") == [("4006381333931",)]
    with db.unit_of_work() as uow:
        approve(uow, uow.session.get_one(FeedRun, run), uow.session.get_one(Feed, feed))
    run_all(db)
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "applied"
    assert made(db, feed)[1:] == [(2, "hub", f"The file is written differently since run {run}.")]
    once_more = send_file(
        db, feed, tmp_path / "third.csv", LIST.replace("EAN", "Barcode").replace("20,00", "22,00")
    )
    assert run_facts(db, once_more) == ("applied", 2, []), "the same drift is told once"


def test_new_columns_and_another_order_are_told_and_hold_nothing(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    swapped = (
        "\n".join(";".join(reversed(line.split(";"))) + ";n" for line in LIST.strip().splitlines()) + "\n"
    )
    run = send_file(db, feed, tmp_path / "other.csv", swapped.replace("Artikelnr;n", "Artikelnr;Neu"))
    state, version, limits = run_facts(db, run)
    assert (state, version, limits) == ("applied", 1, [])
    assert one(db, "SELECT facts->'drift' FROM feed_run WHERE id = %s", run) == ["Columns are new: 'Neu'."]
    assert columns_left(one(db, "SELECT document FROM feed WHERE id = %s", feed)) == ["Neu"]


def test_another_format_holds_the_run(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    xml = "<shop><item><Artikelnr>A1</Artikelnr><Bezeichnung>Lampe</Bezeichnung><EK>1</EK></item><item><Artikelnr>A2</Artikelnr></item></shop>"
    run = send_file(db, feed, tmp_path / "liste.xml", xml)
    state, _, limits = run_facts(db, run)
    assert (state, limits[0]) == (
        "waiting",
        "The file is XML and was CSV: its mapping was not made for that.",
    )


def test_a_change_made_while_a_run_waits_is_not_undone_by_it(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    run = send_file(db, feed, tmp_path / "other.csv", LIST.replace("EAN", "Barcode"))
    store(db, feed, {"fields": {"gtin": {"from": ["Barcode"], "operations": ["gtin"]}}})
    with db.unit_of_work() as uow:
        approve(uow, uow.session.get_one(FeedRun, run), uow.session.get_one(Feed, feed))
    run_all(db)
    assert [version for version, _, _ in made(db, feed)] == [1, 2]
    assert one(db, "SELECT document->'fields'->'gtin'->'from'->>0 FROM feed") == "Barcode"
    assert one(db, "SELECT applied_fingerprint FROM feed") is None, (
        "the same file would make other offers now"
    )


def test_a_preview_shows_each_record_both_ways_and_stores_nothing(db: Database, tmp_path: Path) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    before = rows(db, "SELECT * FROM feed_mapping")
    with db.unit_of_work() as uow:
        order = previewing.order_for(uow, load(), feed)
    document = {
        **order["document"],
        "rules": [{"when": {"field": "cost", "blank": True}, "then": {"set": {"cost": "7"}}}],
    }
    answer = previewing.ask(order, "records", after=document)
    assert answer["counts"] == {
        "before": {"accepted": 2, "rejected": 1, "quarantined": 0, "reasons": {"missing_price": 1}},
        "after": {"accepted": 3, "rejected": 0, "quarantined": 0, "reasons": {}},
    }
    assert (answer["looked_at"], answer["rejects"]) == (3, [1, 1])
    assert [(one["place"], one["reject"], one["changed"]) for one in answer["records"]] == [
        (1, False, {}), (2, True, {"cost": [None, "7.00"]}), (3, False, {}),
    ]  # fmt: skip
    second = answer["records"][1]
    assert (
        second["before"]["message"]
        == "row 3: there is no price ('EK netto' is blank); give one, or leave the record out."
    )
    assert second["raw"]["Bezeichnung"] == "Tisch"
    assert rows(db, "SELECT * FROM feed_mapping") == before


def test_a_proposal_asks_only_about_what_is_not_sure(db: Database, tmp_path: Path) -> None:
    text = "sku,title,code2,sum,on hand\nA1,Lamp,4006381333931,10.50,3\nA2,Desk,4006381333948,11.00,4\n"
    feed = feed_with(db, text, folder=tmp_path)
    with db.unit_of_work() as uow:
        answer = previewing.ask(previewing.order_for(uow, load(), feed), "proposal")
    assert [doubt["field"] for doubt in answer["unsure"]] == ["price"]
    best = answer["unsure"][0]["candidates"][0]
    assert (best["column"], best["values"]) == ("sum", ["10.50", "11.00"])
    assert answer["unsure"][0]["from"] is None


def test_a_proposal_in_a_process_of_its_own(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = feed_with(db, LIST, folder=tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    with db.unit_of_work() as uow:
        order = previewing.order_for(uow, load(), feed)
    fields = previewing.ask(order, "fields")
    assert fields["fields"]["cost"] == [["10,50", "10.50"], ["20,00", "20.00"]]
    assert fields["columns"]["Zusatz"] == ["x", "y", "z"]
    with pytest.raises(Refused, match="'colours' is not known here"):
        previewing.ask(
            order,
            "records",
            after={
                **order["document"],
                "fields": {"brand": {"from": ["Zusatz"], "operations": [{"lookup": "colours"}]}},
            },
        )


def test_yaml_of_a_person_is_read_as_it_stands() -> None:
    assert from_text("rules:\n- then: {set: {valid_to: 2026-12-31}}\n") == {
        "rules": [{"then": {"set": {"valid_to": "2026-12-31"}}}]
    }
    for text, sentence in (
        ("a: &x 1\nb: *x", "references (&name, *name) are not allowed"), ("a: [", "This is no YAML: line 1"), ("- 1", "names with values"),
        ("[" * 5000, "nested too deeply"),
    ):  # fmt: skip
        with pytest.raises(Refused) as refusal:
            from_text(text)
        assert sentence in str(refusal.value)


def test_a_rule_in_words() -> None:
    rule = {
        "when": {"all": [{"column": "Status", "is": ["alt", "weg"]}, {"any": [{"field": "cost", "below": 5}, {"column": "EAN", "blank": True}]}]},
        "then": [{"reject": "too old"}, {"field": "price", "times": "1.19", "round": {"to": "0.05"}}],
    }  # fmt: skip
    assert rule_words(rule) == (
        "Status is alt, weg and (cost is below 5 or EAN is blank)",
        "reject too old; field price, times 1.19, round to 0.05",
    )
