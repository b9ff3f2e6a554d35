"""What makes no sense at the command line ends with exit code 2 and one sentence, stores nothing, and is no fault of the hub's."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from pipelines.routes import ROUTES
from tests.commands import Shell
from tests.integration.test_cli_runs import applied
from tests.stepping import one, rows

BEYOND = "99999999999999999999999999"
MUCH = str(2**63)


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    made = Database(database_url, ROUTES)
    yield made
    made.close()


@pytest.fixture
def shell(db: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


@pytest.fixture
def begun(db: Database, shell: Shell, tmp_path: Path) -> int:
    """A run of the feed "Main list" with one reject, a seller and his shop; the run's number."""
    run = applied(db, tmp_path)
    db.run("UPDATE feed SET name = 'F'")
    db.run("INSERT INTO company (kind, code, name) VALUES ('seller', 'S', 'Seller')")
    db.run(
        "INSERT INTO shop (seller_id, name, channel, url, credentials, currency, facts)"
        " SELECT max(id), 'shop', 'woocommerce', 'https://x.example', '', 'EUR', '{}' FROM company"
    )
    return run


def mapped(shell: Shell, db: Database, tmp_path: Path) -> None:
    """The feed has the run's mapping."""
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps(one(db, "SELECT document FROM feed_run")), "utf-8")
    shell.ask("feed", "mapping", "set", "F", "--mapping", mapping)


NONSENSE = [
    (("shop", "connect", "S", "N", "--channel", "woocommerce", "--url", "[red]"), "is no address"),
    (("shop", "connect", "S", "N", "--channel", "shopify", "--url", "https://x:port"), "is no address"),
    (("shop", "check", "\udce4"), "is no UTF-8"),
    (("shop", "show", "a\0b"), "no text can hold"),
    (("feed", "set", "F", "--assumed-stock", BEYOND), "--assumed-stock"),
    (("feed", "set", "F", "--price-changes", BEYOND), "--price-changes"),
    (("feed", "set", "F", "--folder", "/nowhere/x"), "is not a folder"),
    (("feed", "set", "F", "--folder", "/dev/null"), "is not a folder"),
    (("feed", "set", "F", "--folder", ""), "is not a folder"),
    (("feed", "set", "F", "--folder", "é" * 3000), "is not a folder"),
    (("feed", "rejects", 1, "--limit", "-1"), "--limit"),
    (("listing", "list", "shop", "--limit", MUCH), "--limit"),
    (("order", "list", "--limit", MUCH), "--limit"),
    (("feed", "mapping", "show", "F", "--version", MUCH), "--version"),
    (("feed", "mapping", "back", "F", MUCH), "VERSION"),
    (("feed", "replay", 1, "--version", BEYOND), "--version"),
    (("adoption", "apply", "shop", "nope"), "has the id nope"),
    (("adoption", "leave", "shop", "77", "78"), "has the id 77, 78"),
    (("adoption", "list", "shop", "--state", "nope"), "There is no state 'nope'"),
    (("taxonomy", "list", "--how", "nope"), "There is no way to know 'nope'"),
    (("rates", "list", "--currency", "nope"), "is no currency"),
]


def test_it_is_refused_in_one_sentence(db: Database, shell: Shell, begun: int, tmp_path: Path) -> None:
    for words, sentence in NONSENSE:
        code, said = shell.refuse(*words)
        assert code == 2 and sentence.casefold() in said.casefold(), (words, code, said)
    assert rows(db, "SELECT policy, source->>'kind' FROM feed") == [({}, "upload")]
    assert one(db, "SELECT count(*) FROM connection_request") == 0
    assert not (tmp_path / "errors").exists()
    assert [feed["name"] for feed in shell.ask("feed", "list")["feeds"]] == ["F"]


@pytest.mark.parametrize(
    "command", [("feed", "report"), ("feed", "rejects-file"), ("feed", "mapping", "export")]
)
def test_a_file_that_cannot_be_written_is_said(
    db: Database, shell: Shell, begun: int, tmp_path: Path, command: tuple[str, ...]
) -> None:
    of: object = begun
    if "export" in command:
        mapped(shell, db, tmp_path)
        of = "F"
    for place in ("/nowhere/x.csv", str(tmp_path), ""):
        code, said = shell.refuse(*command, of, "--out", place)
        assert (code, "cannot be written" in said) == (2, True), (place, said)


def test_every_command_answers_in_json(shell: Shell, begun: int, tmp_path: Path, db: Database) -> None:
    report = shell.ask("feed", "report", begun)
    assert report["columns"][:4] == ["sku", "title", "cost", "stock"]
    assert [row[0] for row in report["rows"]] == ["A-1", "A-2"]
    out = tmp_path / "report.xlsx"
    assert shell.ask("feed", "report", begun, "--out", out) == {"run": begun, "file": str(out)}
    assert out.read_bytes()[:2] == b"PK"
    assert shell.ask("feed", "rejects-file", begun) == {
        "run": begun, "csv": "\ufeffsku;title;cost;stock\r\nA-2;Lampe ohne Preis;;4\r\n",
    }  # fmt: skip
    rejects = tmp_path / "rejects.csv"
    assert shell.ask("feed", "rejects-file", begun, "--out", rejects)["file"] == str(rejects)
    mapped(shell, db, tmp_path)
    exported = shell.ask("feed", "mapping", "export", "F")
    assert (exported["version"], exported["file"]) == (1, None)
    assert exported["document"]["fields"]["cost"]["from"] == ["cost"]
