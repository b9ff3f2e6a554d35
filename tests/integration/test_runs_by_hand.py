"""What people do with a run: its rejects mended, its file read otherwise, an older file, an offer traced to its record."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.errors import Refused
from models.suppliers import FeedMapping
from pipelines.feeds import read as reading
from pipelines.feeds.lineage import find_variant, lineage
from pipelines.feeds.parse import parse
from pipelines.feeds.raw_record import look_up
from pipelines.feeds.replay import mend, replay, write_rejects
from pipelines.making import take_in
from tests import builders as make
from tests.console import Console, console, token_in
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all

LIST = """Artikelnummer;Bezeichnung;EAN;Hersteller;EK netto;Bestand
A-1;Lampe Oslo;4006381333931;Norden;12,50;7
A-2;Lampe Bergen;;Norden;8,00;3
A-3;"Lampe ""Größe"" ohne Preis";;Norden;;4
"""
OFFER = "SELECT id FROM offer WHERE supplier_sku = %s"


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """Files are parsed in this process: starting another takes longer than all that is asked here."""
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setattr(reading, "frames", parsed_here)
    with console(database_url, tmp_path) as made:
        yield made


def parsed_here(order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
    out = io.BytesIO()
    parse(order, out)
    out.seek(0)
    while line := out.readline():
        head = orjson.loads(line)
        yield head, out.read(head["bytes"])


def taken_in(opened: Console, feed: int, content: bytes, name: str = "liste.csv") -> tuple[int, str]:
    run, _ = take_in(opened.db, opened.settings, feed, io.BytesIO(content), name)
    run_all(opened.db)
    return run, state(opened, run)


def state(opened: Console, run: int) -> str:
    return str(one(opened.db, "SELECT state FROM feed_run WHERE id = %s", run))


def offers(opened: Console) -> list[tuple[Any, ...]]:
    return rows(opened.db, "SELECT supplier_sku, title, stock, feed_run_id FROM offer ORDER BY supplier_sku")


def test_a_list_is_mended_read_otherwise_and_traced(opened: Console) -> None:
    db, feed = opened.db, supplier(opened.db, "NORDEN")
    with db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE feed SET currency = 'EUR'")
    run, ended = taken_in(opened, feed, LIST.encode("cp1252"))
    assert ended == "applied"
    assert offers(opened) == [("A-1", "Lampe Oslo", 7, run), ("A-2", "Lampe Bergen", 3, run)]

    # its rejects: in the supplier's own columns, mended, sent again by the page; nothing else is touched by them
    out = io.StringIO()
    write_rejects(db, run, out)
    assert out.getvalue() == (
        "\ufeffArtikelnummer;Bezeichnung;EAN;Hersteller;EK netto;Bestand\r\n"
        'A-3;"Lampe ""Größe"" ohne Preis";;Norden;;4\r\n'
    )
    mended = out.getvalue().replace("Norden;;4", "Norden;9,90;4").encode()
    sent = opened.client.post(
        f"/runs/{run}/mended",
        data={"csrf": token_in(opened.get("/feeds/new").text)},
        files={"file": ("mended.csv", mended)},
    )
    assert sent.status_code == 303
    (second,) = one(db, "SELECT array_agg(id) FROM feed_run WHERE mends = %s", run)
    run_all(db)
    assert state(opened, second) == "applied"
    assert offers(opened) == [
        ("A-1", "Lampe Oslo", 7, run), ("A-2", "Lampe Bergen", 3, run), ("A-3", 'Lampe "Größe" ohne Preis', 4, second),
    ]  # fmt: skip
    assert rows(db, "SELECT as_of FROM feed_run WHERE id IN (%s, %s) GROUP BY 1", run, second) == [
        (one(db, "SELECT as_of FROM feed_run WHERE id = %s", run),)
    ], "what was sold since the list came is still not counted as free again"
    assert one(db, "SELECT applied_fingerprint FROM feed") is None

    # its file, read with another mapping: it waits, and changes nothing before a person has looked
    answer = opened.api("POST", f"/runs/{run}/replay", json={"document": {"fields": {"title": {"from": ["Hersteller"], "operations": ["text"]}}}})  # fmt: skip
    assert answer.status_code == 202
    third = answer.json()["id"]
    run_all(db)
    shown = opened.api("GET", f"/runs/{third}").json()
    assert (shown["state"], shown["replay_of"], shown["mapping_version"]) == ("waiting", run, 2)
    assert shown["plan"]["limits"][0] == f"This reads the file of run {run} again with mapping version 2: look at what it would change."  # fmt: skip
    assert shown["plan"]["fields"] == {"title": 2}
    assert offers(opened)[0] == ("A-1", "Lampe Oslo", 7, run)
    assert opened.post(f"/runs/{third}/approve", _from=f"/runs/{third}").status_code == 303
    run_all(db)
    assert offers(opened)[0] == ("A-1", "Norden", 7, third)
    with db.unit_of_work() as uow:
        assert uow.session.get_one(FeedMapping, (feed, 2)).author == "the API"
        assert one(db, "SELECT mapping_version FROM feed") == 1, "the feed goes on with its own mapping"

    # the offer traced to its record
    told = opened.api("GET", f"/offers/{one(db, OFFER, 'A-1')}/record").json()
    assert told["raw"] == {
        "Artikelnummer": "A-1", "Bezeichnung": "Lampe Oslo", "EAN": "4006381333931", "Hersteller": "Norden", "EK netto": "12,50", "Bestand": "7",
    }  # fmt: skip
    assert (told["run"], told["locator"], told["mapping_version"], told["problem"]) == (
        third,
        "row 2",
        2,
        None,
    )
    fields = {row["field"]: (row["raw"], row["value"]) for row in told["fields"]}
    assert fields["title"] == ({"Hersteller": "Norden"}, "Norden")
    assert fields["cost"] == ({"EK netto": "12,50"}, "12.500000")

    # and undone again by the page
    assert opened.post(f"/runs/{third}/undo", _from=f"/runs/{third}").status_code == 303
    run_all(db)
    assert (state(opened, third), offers(opened)[0]) == ("undone", ("A-1", "Lampe Oslo", 7, run))
    assert "undone" in opened.get(f"/runs/{third}").text


def test_older_figures_wait_for_a_person(opened: Console) -> None:
    db, feed = opened.db, supplier(opened.db, "NORDEN")
    first = stage(db, feed, {"supplier_sku": "A", "stock": 7})
    run_all(db)
    older = stage(db, feed, {"supplier_sku": "A", "stock": 5})
    db.run("UPDATE feed_run SET as_of = as_of - interval '1 day' WHERE id = %s", [older])
    run_all(db)
    assert state(opened, older) == "waiting"
    (limit,) = one(db, "SELECT plan->'limits' FROM feed_run WHERE id = %s", older)
    assert limit.startswith("The figures are of ")
    assert limit.endswith("they are older.")
    assert f"the offers show run {first}, of" in limit
    assert one(db, "SELECT stock FROM offer") == 7
    newer = stage(db, feed, {"supplier_sku": "A", "stock": 9})
    run_all(db)
    assert (state(opened, older), state(opened, newer)) == ("superseded", "applied")
    again = stage(db, feed, {"supplier_sku": "A", "stock": 4})
    db.run("UPDATE feed_run SET as_of = as_of - interval '1 day' WHERE id = %s", [again])
    run_all(db)
    assert opened.api("POST", f"/runs/{again}/approve").status_code == 202
    run_all(db)
    assert (state(opened, again), one(db, "SELECT stock FROM offer")) == ("applied", 4)


def test_lineage_says_why_in_words(opened: Console) -> None:
    db = opened.db
    gtin = {"gtin": "4006381333931", "gtin_verdict": "valid"}
    for code, cost, stock in (("NORDEN", "10.00", 5), ("VELO", "9.00", 0), ("ATELIER", "12.50", 2), ("CASA", None, 3)):  # fmt: skip
        stage(db, supplier(db, code), {"supplier_sku": "X", "cost": cost, "stock": stock, **gtin})
        run_all(db)
    shop_of(db, supplier={"supplier": 2})
    run_all(db)
    told = opened.api("GET", "/variants/4006381333931/lineage").json()
    assert [(row["supplier"], row["best"], row["why"]) for row in told["offers"]] == [
        ("Norden", True, "It is the cheapest of those that can be sold."),
        ("Velo", False, "Nothing of it can be sold now."),
        ("Atelier", False, "It asks 12.50 EUR, more than 10.00."),
        ("Casa", False, "It has no cost."),
    ]
    assert {row["match"] for row in told["offers"]} == {"Its GTIN is 4006381333931."}
    assert [(row["shop"], row["price"], row["offer_id"]) for row in told["listings"]] == [("shop", "15.00", told["offers"][0]["id"])]  # fmt: skip
    product, number = told["product"]["id"], told["offers"][3]["id"]
    moved = opened.api("PUT", f"/offers/{number}/variant", json={"variant_id": None})
    assert moved.status_code == 202
    assert (moved.json()["offer_id"], moved.json()["before"]) == (number, told["variant"]["id"])
    run_all(db)
    with db.unit_of_work() as uow:
        with pytest.raises(
            Refused, match=f"Several variants have '4006381333931', NORDEN-X and NORDEN-X-{number}"
        ):
            find_variant(uow.session, "4006381333931")
        (own,) = lineage(uow.session, find_variant(uow.session, f"norden-x-{number}"))["offers"]
    assert own["match"].startswith("Said by the API on ")
    assert opened.post(f"/offers/{number}/join", _from=f"/products/{product}", sku="NORDEN-X").headers["location"] == f"/products/{product}?said=joined"  # fmt: skip
    run_all(db)
    page = opened.get(f"/products/{product}").text
    assert "Said by the operator on" in page
    assert "It asks 12.50 EUR, more than 10.00." in page
    assert opened.api("GET", "/variants/nothing/lineage").status_code == 404


def test_what_cannot_be_done_says_why_and_starts_nothing(opened: Console, tmp_path: Path) -> None:
    db = opened.db
    with db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        lost, waiting = make.run(uow.session, feed, "applied").id, make.run(uow.session, feed, "waiting").id
    runs = one(db, "SELECT count(*) FROM feed_run")
    with db.unit_of_work() as uow:
        with pytest.raises(Refused, match="is no longer in the archive"):
            replay(uow, opened.settings, lost, "x")
        with pytest.raises(Refused, match=f"Run {waiting} is waiting: mended records are added to a run that is applied"):  # fmt: skip
            mend(uow, waiting, None, "x")  # type: ignore[arg-type]
    assert opened.api("POST", f"/runs/{waiting}/undo").json()["error"]["message"] == f"Run {waiting} is waiting: only a run that is applied can be undone."  # fmt: skip
    assert opened.api("POST", f"/runs/{lost}/replay", json={"version": 7}).status_code == 422
    assert one(db, "SELECT count(*) FROM feed_run") == runs
    assert pending(db) == []
    file = tmp_path / "f.csv"
    file.write_text(LIST, encoding="utf-8")
    with pytest.raises(Refused, match="has no record 'row 99'"):
        look_up(file, "f.csv", {}, "row 99")
