"""Landing and reading on real files and real PostgreSQL, through the child process that parses."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pipelines.feeds.land as land_step
import pipelines.feeds.read as read_step
import pipelines.feeds.sources as feed_sources
from connectors.base import LandedFile
from connectors.sources.archive import archive
from connectors.sources.folder import DropFolder
from core.database import Database
from core.settings import load
from models.companies import Company
from models.events import FeedDue, FileLanded
from models.suppliers import Feed, FeedRun
from pipelines.feeds.land import receive
from pipelines.routes import ROUTES
from tests.stepping import one, rows, run_all

SAMPLES = Path(__file__).resolve().parents[2] / "sandbox/feeds"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def feed_of(
    db: Database, source: dict[str, str] | None = None, currency: str | None = None, **policy: object
) -> int:
    with db.unit_of_work() as uow:
        company = Company(kind="supplier", code="NORDEN", name="Norden")
        uow.session.add(company)
        uow.session.flush()
        feed = Feed(
            supplier_id=company.id,
            name="liste",
            source=source or {"kind": "upload"},
            currency=currency,
            policy=policy,
        )
        uow.session.add(feed)
        uow.session.flush()
        return feed.id


def take_in(db: Database, feed_id: int, file: Path) -> int:
    landed = archive(file, load().archive)
    with db.unit_of_work() as uow:
        run_id = receive(uow, uow.session.get_one(Feed, feed_id), landed).id
    run_all(db)
    return run_id


def test_a_german_price_list_is_read_answered_and_applied(db: Database) -> None:
    feed = feed_of(db)
    run = take_in(db, feed, SAMPLES / "norden-lampen.csv")
    state, summary, facts = rows(db, "SELECT state, summary, facts FROM feed_run WHERE id = %s", run)[0]
    assert state == "applied"
    assert (facts["file"]["encoding"], facts["file"]["delimiter"]) == ("cp1252", ";")
    assert summary["accepted"] + summary["rejected"] + summary["quarantined"] == summary["records"]
    refused = rows(
        db, "SELECT supplier_sku, verdict, reasons->>0 FROM reject WHERE run_id = %s ORDER BY place", run
    )
    assert {tuple(row) for row in refused} == {
        ("NL-1004", "rejected", "duplicate"),
        ("NL-1012", "quarantined", "duplicate_conflict"),
        ("NL-2020", "rejected", "missing_price"),
        ("NL-2021", "quarantined", "price_zero"),
        ("NL-2022", "rejected", "not_a_number"),
        ("NL-2023", "rejected", "missing_title"),
    }
    assert one(db, "SELECT count(*) FROM offer") == summary["accepted"]
    grouped = "SELECT count(*) FROM offer WHERE group_key IS NOT NULL"
    without = "SELECT count(*) FROM offer WHERE gtin_verdict NOT IN ('valid', 'repaired')"
    assert (facts["grouped"], facts["without_gtin"]) == (one(db, grouped), one(db, without)) == (0, 3)
    costless = "SELECT count(*) FROM offer WHERE cost IS NULL"
    counted = "SELECT plan->'without_cost', plan->'without_currency', plan->'new', plan->'staged' FROM feed_run WHERE id = %s"
    assert rows(db, counted, run) == [(one(db, costless), 0, summary["accepted"], summary["accepted"])]
    assert rows(db, "SELECT kind, count(*) FROM offer WHERE kind <> 'goods' GROUP BY 1") == [("service", 1)]
    assert rows(db, "SELECT free FROM offer WHERE supplier_sku = 'NL-2017'") == [(0,)]


def test_a_gtin_that_a_file_uses_twice_identifies_nothing(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        "sku;ean;brand;mpn;name;price;currency;stock\n"
        "A;4006381333931;Norden;N-1;Lamp;1.00;EUR;3\n"
        "B;4006381333931;Norden;N-2;Lamp, large;2.00;EUR;3\n"
        "C;5901234123457;Norden;N-3;Chair;3.00;EUR;3\n"
    )
    run = take_in(db, feed_of(db), file)
    assert rows(db, "SELECT state, facts->'without_gtin' FROM feed_run WHERE id = %s", run) == [
        ("applied", 0)
    ]
    assert rows(
        db,
        "SELECT supplier_sku, match_reason, v.key FROM offer o JOIN variant v ON v.id = o.variant_id ORDER BY 1",
    ) == [
        ("A", "brand_mpn", "mpn:norden|n-1"),
        ("B", "brand_mpn", "mpn:norden|n-2"),
        ("C", "gtin", "gtin:05901234123457"),
    ]


def test_the_same_file_again_ends_at_landing_until_the_policy_changes(db: Database) -> None:
    feed = feed_of(db)
    take_in(db, feed, SAMPLES / "norden-lampen.csv")
    again = take_in(db, feed, SAMPLES / "norden-lampen.csv")
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", again) == "unchanged"
    with db.unit_of_work() as uow:
        uow.session.get_one(Feed, feed).policy = {"assumed_stock": 3}
    anew = take_in(db, feed, SAMPLES / "norden-lampen.csv")
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", anew) == "applied"
    assert one(db, "SELECT plan->'changed' FROM feed_run WHERE id = %s", anew) == 0


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("empty.csv", b"", "empty.csv is empty"),
        ("page.csv", b"<!DOCTYPE html><html><body><h1>Login</h1></body></html>", "page.csv is a web page"),
        ("bomb.xml", b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><channel><item>&b;</item></channel></rss>', "entit"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_feed_is_refused_whole_and_changes_nothing(
    db: Database, tmp_path: Path, name: str, content: bytes, word: str
) -> None:
    feed = feed_of(db)
    take_in(db, feed, SAMPLES / "norden-lampen.csv")
    before = rows(db, "SELECT id, xmin::text FROM offer ORDER BY id")
    bad = tmp_path / name
    bad.write_bytes(content)
    run = take_in(db, feed, bad)
    state, problem = rows(db, "SELECT state, problem FROM feed_run WHERE id = %s", run)[0]
    assert state == "refused"
    assert word.lower() in problem.lower()
    assert rows(db, "SELECT id, xmin::text FROM offer ORDER BY id") == before
    assert one(db, "SELECT count(*) FROM staged_offer") == 0


def test_a_drop_folder_is_emptied_file_by_file(db: Database, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "one.csv").write_text("sku;title;cost;stock;currency\nA;Lamp;1,50;3;EUR\n")
    (drop / "two.csv").write_text("sku;title;cost;stock;currency\nA;Lamp;1,60;3;EUR\n")
    feed = feed_of(db, {"kind": "folder", "path": str(drop)})
    with db.unit_of_work() as uow:
        uow.emit(FeedDue(tenant=2, lane=f"feed:{feed}", feed_id=feed))
    run_all(db)
    with db.unit_of_work() as uow:
        assert [(run.file_name, run.state) for run in uow.session.query(FeedRun).order_by(FeedRun.id)] == [
            ("one.csv", "applied"),
            ("two.csv", "applied"),
        ]
    assert float(one(db, "SELECT cost FROM offer")) == 1.6
    assert sorted(file.name.partition("-")[2] for file in (drop / "taken").iterdir()) == [
        "one.csv",
        "two.csv",
    ]


def test_figures_and_names_beyond_all_measure_do_not_stop_the_file(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_text(
        "sku;title;cost;stock;weight;currency\n"
        "BIG;Lamp;10,00;99999999999;2 kg;EUR\n"
        "RICH;Lamp;9999999999999,00;3;2 kg;EUR\n"
        "HEAVY;Lamp;10,00;3;99999999999999 kg;EUR\n"
        f"{'k' * 501};Lamp;10,00;3;2 kg;EUR\n"
        'QUOTED;"He said """" and \\ back\\";10,00;3;2 kg;EUR\n'
    )
    run = take_in(db, feed_of(db), file)
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "applied"
    assert rows(db, "SELECT supplier_sku, title, free, weight_g FROM offer ORDER BY id") == [
        ("BIG", "Lamp", 2_147_483_647, 2000),
        ("HEAVY", "Lamp", 3, None),
        ("QUOTED", 'He said "" and \\ back\\', 3, 2000),
    ]
    assert rows(db, "SELECT place, reasons FROM reject ORDER BY place") == [
        (2, ["not_a_number"]),
        (4, ["key_too_long"]),
    ]


def test_a_file_refused_in_the_middle_leaves_nothing_behind(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = read_step.frames

    def broken(order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
        yield from (frame for frame in real(order) if frame[0]["kind"] != "summary")
        yield {"kind": "error"}, b'{"message": "The file ends in the middle.", "rule": "truncated"}'

    monkeypatch.setattr(read_step, "frames", broken)
    run = take_in(db, feed_of(db), SAMPLES / "norden-lampen.csv")
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "refused"
    assert one(db, "SELECT count(*) FROM staged_offer") == 0
    assert one(db, "SELECT count(*) FROM reject") == 0


def test_a_run_read_and_applied_is_not_read_again(db: Database) -> None:
    run = take_in(db, feed_of(db), SAMPLES / "norden-lampen.csv")
    rejects = rows(db, "SELECT place, xmin::text FROM reject ORDER BY 1")
    read_step.read(FileLanded(tenant=2, lane="feed:1", run_id=run), db)
    assert one(db, "SELECT state FROM feed_run WHERE id = %s", run) == "applied"
    assert rows(db, "SELECT place, xmin::text FROM reject ORDER BY 1") == rejects


def test_two_looks_at_one_folder_at_once_make_one_run(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "one.csv").write_text("sku;title;cost;stock;currency\nA;Lamp;1,50;3;EUR\n")
    feed = feed_of(db, {"kind": "folder", "path": str(drop)})
    due = FeedDue(tenant=2, lane=f"feed:{feed}", feed_id=feed)
    both = threading.Barrier(2)

    class Together(DropFolder):
        def fetch(self, into: Path, last: str | None) -> LandedFile | None:
            found = super().fetch(into, last)
            both.wait(20)
            return found

    monkeypatch.setattr(feed_sources, "SOURCES", {"folder": Together})
    threads = [threading.Thread(target=land_step.land, args=(due, db)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert one(db, "SELECT count(*) FROM feed_run") == 1
