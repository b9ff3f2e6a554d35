"""Price rules and exchange rates by the command line: the way a person goes, and each refusal in one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from pipelines.routes import ROUTES
from tests.commands import Shell
from tests.staged import shop_of, stage, supplier
from tests.stepping import one, pending, rows, run_all

DAILY = "Date, USD, GBP, \n26 November 2026, 1.0810, 0.8600, \n"


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, ROUTES)
    yield database
    database.close()


@pytest.fixture
def shell(
    db: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    """A seller S3 with a shop at 50 % that sells a supplier's lamp."""
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "L", "title": "Lampe Oslo", "rrp": "24.90"})
    run_all(db)
    shop_of(db, supplier={"supplier": 2})
    run_all(db)
    return Shell(capsys, monkeypatch)


def test_a_rule_from_its_making_to_its_end(db: Database, shell: Shell) -> None:
    tried = shell.ask(
        "price",
        "rule",
        "try",
        "shop",
        "norden-l",
        "--tier",
        "0:80",
        "--tier",
        "10:60",
        "--round-to",
        "0.99",
        "--rounding",
        "up",
    )
    assert tried["price"] == "18.99"
    assert tried["sentences"] == [
        "The rule that is tried out makes the price.",
        "The supplier's cost is 10 EUR.",
        "60 % on top, but no less than the dearest of the tier before makes 18 EUR.",
        "Rounded up to the pattern 0.99, the price is 18.99 EUR.",
    ]
    assert rows(db, "SELECT id FROM price_rule") == []
    made = shell.ask(
        "price",
        "rule",
        "add",
        "S2",
        "Lamps",
        "--margin",
        "200",
        "--rrp-cap",
        "--category",
        "Licht>Tisch",
        "--priority",
        "5",
    )
    assert made == {
        "id": 1, "priority": 5, "name": "Lamps", "scope": {"category": "Licht > Tisch"}, "formula": {"margin_percent": "200", "rrp_cap": True},
    }  # fmt: skip
    run_all(db)
    assert one(db, "SELECT wanted->>'price' FROM listing") == "24.90"
    changed = shell.ask(
        "price",
        "rule",
        "change",
        1,
        "--no-rrp-cap",
        "--round-to",
        "0.95",
        "--category",
        "",
        "--brand",
        "norden",
    )
    assert changed["scope"] == {"brand": "norden"}
    assert changed["formula"] == {"margin_percent": "200", "rounding": {"to": "0.95"}}
    run_all(db)
    assert one(db, "SELECT wanted->>'price' FROM listing") == "29.95"
    assert shell.ask("price", "rule", "list", "S2")["rules"] == [changed]
    told = shell.ask("why", "price", "shop", "NORDEN-L")["sentences"]
    assert told[1] == "Price rule 1, “Lamps”, makes the price."
    assert told[-1] == "Rounded to the pattern 0.95, the price is 29.95 EUR."
    (listed,) = shell.ask("lineage", "NORDEN-L")["listings"]
    assert (listed["price"], listed["why"]["rule"], listed["why"]["steps"][-1][2]) == ("29.95", 1, "29.95")
    assert "Price rule 1" in shell.read("lineage", "NORDEN-L")
    assert "29.95" in shell.read("price", "rule", "try", "shop", "NORDEN-L")
    shell.ask("price", "rule", "change", 1, "--round-to", "none", "--tier", "0:10")
    assert one(db, "SELECT formula FROM price_rule") == {"tiers": [{"from": "0", "percent": "10"}]}
    assert shell.ask("price", "rule", "remove", 1) == {"id": 1, "removed": True}
    run_all(db)
    assert one(db, "SELECT wanted->>'price' FROM listing") == "15.00"


REFUSED: tuple[tuple[tuple[object, ...], str], ...] = (
    (("price", "rule", "add", "S2", "R", "--margin", "viel"), "margin_percent: "),
    (("price", "rule", "add", "S2", "R", "--tier", "10"), "tiers.0.percent: Field required."),
    (("price", "rule", "add", "S2", "R", "--tier", "10:5"), "begin with one from 0"),
    (("price", "rule", "add", "S2", "R", "--kind", "thing"), "scope.kind: "),
    (("price", "rule", "add", "S2", " ", "--margin", "5"), "needs a name"),
    (("price", "rule", "change", 7, "--margin", "5"), "Price rule 7 is not there"),
    (("price", "rule", "remove", 7), "Price rule 7 is not there"),
    (("price", "rule", "try", "shop", "NONE"), "No supplier offers 'NONE' now"),
    (("rates", "load", "nowhere.xml"), "nowhere.xml cannot be read"),
    (("rates", "load"), "set ENTREPOT_RATES_URL"),
)


def test_a_refusal_is_one_line_and_changes_nothing(db: Database, shell: Shell) -> None:
    for words, sentence in REFUSED:
        assert sentence in shell.refuse(*words)[1], words
    assert pending(db) == []
    assert one(db, "SELECT count(*) FROM price_rule") == 0


def test_rates_are_loaded_and_listed(db: Database, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "eurofxref.csv"
    file.write_text(DAILY)
    assert shell.ask("rates", "load", file) == {"rates": 2, "changed": 2, "newest": "2026-11-26"}
    assert shell.ask("rates", "load", file) == {"rates": 2, "changed": 0, "newest": "2026-11-26"}
    assert shell.ask("rates", "list")["rates"] == [
        {"currency": "GBP", "per_euro": "0.86", "day": "2026-11-26"}, {"currency": "USD", "per_euro": "1.081", "day": "2026-11-26"},
    ]  # fmt: skip
    assert shell.ask("rates", "list", "--currency", "usd")["rates"][0]["per_euro"] == "1.081"
