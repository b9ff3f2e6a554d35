"""A file read against the run before it: only what is new or different is staged, and the catalogue ends the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from models.suppliers import Feed
from pipelines.routes import ROUTES
from tests.integration.test_read import feed_of, take_in
from tests.stepping import one, rows

HEADER = "sku;title;cost;stock;currency\n"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def lines(changed: dict[int, str], count: int = 12) -> str:
    return HEADER + "".join(changed.get(n, f"A{n};Lamp {n};{n + 1},50;3;EUR\n") for n in range(count))


def facts(db: Database, run: int) -> tuple[object, ...]:
    row = rows(
        db,
        "SELECT state, facts->'base', facts->'unchanged', facts->'unseen' FROM feed_run WHERE id = %s",
        run,
    )[0]
    return tuple(row)


def offers(db: Database) -> list[tuple[object, ...]]:
    found = rows(
        db, "SELECT supplier_sku, title, cost::float, stock, state, free FROM offer ORDER BY supplier_sku"
    )
    return [tuple(row) for row in found]


def test_only_what_differs_is_staged_and_what_is_gone_is_known(db: Database, tmp_path: Path) -> None:
    feed, file = feed_of(db), tmp_path / "list.csv"
    file.write_text(lines({}))
    first = take_in(db, feed, file)
    assert facts(db, first) == ("applied", None, None, None)
    untouched = rows(db, "SELECT id, xmin::text FROM offer WHERE supplier_sku = 'A0'")
    file.write_text(
        lines({3: "A3;Lamp 3;9,99;3;EUR\n", 4: "", 5: "A5;Lamp 5;;3;EUR\n", 11: "N1;New;1,00;1;EUR\n"})
    )
    second = take_in(db, feed, file)
    assert facts(db, second) == ("applied", first, 8, 4)
    plan = rows(
        db,
        "SELECT plan->'staged', plan->'new', plan->'changed', plan->'gone' FROM feed_run WHERE id = %s",
        second,
    )
    assert [tuple(row) for row in plan] == [(10, 1, 1, 3)]
    assert rows(db, "SELECT id, xmin::text FROM offer WHERE supplier_sku = 'A0'") == untouched
    changed = {sku: (cost, stock, free) for sku, _, cost, stock, _, free in offers(db)}
    assert {sku: changed[sku] for sku in ("A0", "A3", "A4", "A5", "A11", "N1")} == {
        "A0": (1.5, 3, 3), "A3": (9.99, 3, 3), "A4": (5.5, 0, 0), "A5": (6.5, 0, 0), "A11": (12.5, 0, 0), "N1": (1.0, 1, 1),
    }  # fmt: skip
    assert one(db, "SELECT count(*) FROM staged_unseen") == 0
    assert sorted(path.name for path in (tmp_path / "known").iterdir()) == [f"{first}.bin", f"{second}.bin"]
    file.write_text(lines({}))
    third = take_in(db, feed, file)
    assert facts(db, third) == ("applied", second, 8, 2)
    assert [row[5] for row in offers(db) if row[0] in ("A3", "A4", "N1")] == [3, 3, 0]
    assert sorted(path.name for path in (tmp_path / "known").iterdir()) == [f"{second}.bin", f"{third}.bin"]


def test_other_settings_or_a_lost_file_cost_a_whole_reading(db: Database, tmp_path: Path) -> None:
    feed, file = feed_of(db), tmp_path / "list.csv"
    file.write_text(lines({}))
    first = take_in(db, feed, file)
    with db.unit_of_work() as uow:
        uow.session.get_one(Feed, feed).policy = {"assumed_stock": 3}
    file.write_text(lines({1: "A1;Lamp 1;7,00;3;EUR\n"}))
    second = take_in(db, feed, file)
    assert facts(db, second) == ("applied", None, None, None)
    (tmp_path / "known" / f"{second}.bin").unlink()
    file.write_text(lines({2: "A2;Lamp 2;7,00;3;EUR\n"}))
    third = take_in(db, feed, file)
    assert facts(db, third) == ("applied", None, None, None)
    file.write_text(lines({}))
    assert facts(db, take_in(db, feed, file)) == ("applied", third, 11, 1)
    assert (first, one(db, "SELECT plan->'changed' FROM feed_run WHERE id = %s", third)) == (first, 2)
