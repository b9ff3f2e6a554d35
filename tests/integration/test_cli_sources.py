"""The command line's way to a source: what is stored, what never stands in a command line, the test, and a failing look."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.feed_sources import wished
from core.database import Database
from core.errors import Refused
from core.settings import load
from core.vault import load_vault
from pipelines.routes import ROUTES
from tests.commands import Shell, work_at_once
from tests.file_server import FileHost, file_host
from tests.sftp_server import PASSWORD, USER, sftp_host
from tests.stepping import one, rows

LIST = b"sku;title;cost;stock;currency\nA;Lamp;1,50;3;EUR\n"
CANARY = "canary-cli-secret"


@pytest.fixture
def shell(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    work_at_once(monkeypatch, "feeds")
    made = Shell(capsys, monkeypatch)
    made.ask("supplier", "add", "Nordlicht", "--code", "NORD")
    yield made


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url, ROUTES)
    yield made
    made.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FileHost]:
    with file_host(tmp_path) as made:
        made.content = LIST
        yield made


def secret(db: Database) -> dict[str, Any] | None:
    sealed = one(db, "SELECT secret FROM feed")
    return load_vault(load()).open(bytes(sealed)) if sealed else None


def test_from_an_address_with_a_password_to_a_run(
    shell: Shell, db: Database, host: FileHost, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(CANARY + "\n")
    host.needs = {"Authorization": "Basic bm9yZDpjYW5hcnktY2xpLXNlY3JldA=="}
    ca = f"ca_file={host.ca_file}"
    made = shell.ask(
        "feed", "add", "NORD", "Liste", "--url", host.url(), "--auth", "basic:nord", "--with", ca,
        "--secret-file", tmp_path / "secret", "--cron", "*/15  * * * *",
    )  # fmt: skip
    assert made["source"] == {
        "kind": "url", "url": host.url(), "ca_file": str(host.ca_file),
        "auth": {"kind": "basic", "name": "nord", "token_url": "", "scope": ""},
    }  # fmt: skip
    assert made["cron"] == "*/15 * * * *" and CANARY not in str(made)
    assert secret(db) == {"secret": CANARY}
    told = shell.ask("feed", "test", "Liste")
    assert (told["name"], told["bytes"], told["looks"]) == ("list.csv", len(LIST), "text, such as CSV")
    assert rows(db, "SELECT count(*) FROM feed_run") == [(0,)], "a test lands nothing"
    assert shell.ask("feed", "run", "Liste")["state"] == "applied"
    assert shell.ask("feed", "run", "Liste")["state"] == "unchanged"
    shown = shell.ask("feed", "source", "Liste")
    assert (shown["has_secret"], shown["problem"], shown["often"]) == (
        True,
        None,
        "every 15th minute of every hour",
    )
    shell.ask("feed", "add", "NORD", "Liste", "--currency", "EUR")
    assert secret(db) == {"secret": CANARY}, "the same name again without a source keeps it"


def test_a_source_that_fails_is_told_and_makes_no_dead_letter(
    shell: Shell, db: Database, host: FileHost
) -> None:
    host.needs = {"Authorization": "another"}
    shell.ask("feed", "add", "NORD", "Liste", "--url", host.url(), "--with", f"ca_file={host.ca_file}")
    code, answer, said = shell.run("feed", "run", "Liste")
    assert (code, answer["state"]) == (1, "given_up") and "answered 401" in said
    code, said = shell.refuse("feed", "test", "Liste")
    assert code == 2 and "asks for credentials" in said
    assert "answered 401" in shell.ask("feed", "source", "Liste")["problem"]
    assert one(db, "SELECT count(*) FROM dead_letter") == 0


def test_secrets_come_by_standard_input_a_prompt_or_the_environment(
    shell: Shell, db: Database, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(CANARY + "-in\n"))
    monkeypatch.setattr("cli.feed_sources.getpass", lambda prompt: CANARY + "-asked")
    monkeypatch.setenv("ENTREPOT_FEED_SECRET", CANARY + "-set")
    for words, end in ((["--secret-file", "-"], "-in"), (["--ask-secret"], "-asked"), ([], "-set")):
        shell.ask("feed", "add", "NORD", "Liste", "--url", host.url(), "--auth", "bearer", *words)
        assert secret(db) == {"secret": CANARY + end}


def test_an_sftp_server_by_its_address_its_key_pinned_by_hand(
    shell: Shell, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "served"
    (root / "out").mkdir(parents=True)
    (root / "out" / "list-1.csv").write_bytes(LIST)
    monkeypatch.setenv("ENTREPOT_FEED_SECRET", PASSWORD)
    with sftp_host(root) as server:
        made = shell.ask(
            "feed", "add", "NORD", "Liste", "--sftp", f"sftp://{USER}@127.0.0.1:{server.port}/out/list-*.csv",
            "--with", "after=move",
        )  # fmt: skip
        assert made["source"] == {
            "kind": "sftp", "host": "127.0.0.1", "port": server.port, "user": USER, "path": "/out", "pattern": "list-*.csv",
            "after": "move", "move_to": "taken",
        }  # fmt: skip
        told = shell.ask("feed", "test", "Liste")
        assert told["fingerprint"] == server.fingerprint and "name" not in told and server.logins == []
        assert shell.refuse("feed", "test", "Liste", "--pin", "SHA256:no")[0] == 2
        assert shell.ask("feed", "test", "Liste", "--pin", server.fingerprint)["name"] == "list-1.csv"
        monkeypatch.setattr("connectors.sources.sftp.time.sleep", lambda seconds: None)
        assert shell.ask("feed", "run", "Liste")["state"] == "applied"
    assert [path.name for path in (root / "out" / "taken").iterdir()] == ["list-1.csv"]


def test_parts_of_a_source_change_alone(shell: Shell, db: Database, tmp_path: Path) -> None:
    shell.ask(
        "feed", "add", "NORD", "Liste", "--api", "https://api.example/items", "--auth", "query:key",
        "--with", "records=data.items", "--with", "paging.kind=page", "--with", "paging.start=0", "--with", "per_second=2.5",
    )  # fmt: skip
    changed = shell.ask(
        "feed", "set", "Liste", "--with", "paging.size=100", "--with", "paging.size_param=limit"
    )
    assert changed["source"] == {
        "kind": "api", "url": "https://api.example/items", "records": "data.items", "per_second": 2.5, "pages": 10000,
        "auth": {"kind": "query", "name": "key", "token_url": "", "scope": ""},
        "paging": {"kind": "page", "param": "", "start": 0, "size": 100, "size_param": "limit", "next": ""},
    }  # fmt: skip
    assert shell.ask("feed", "set", "Liste", "--cron", "0 6 * * 1-5")["source"] == changed["source"]
    assert one(db, "SELECT cron FROM feed") == "0 6 * * 1-5"
    assert shell.ask("feed", "set", "Liste", "--folder", tmp_path)["source"] == {
        "kind": "folder",
        "path": str(tmp_path),
    }


REFUSED: list[tuple[list[str], str]] = [
    (["--url", "https://a.example/x", "--api", "https://a.example/x"], "one source"),
    (["--url", "https://nord:canary@a.example/x"], "in their own fields"),
    (["--url", "http:///"], "must begin with https"),
    (["--sftp", "sftp://nord:canary@a.example/x/*.csv"], "by --secret-file"),
    (["--sftp", "a.example/x"], "no SFTP address"),
    (["--sftp", "sftp://nord@a.example:99999/x"], "no SFTP address"),
    (["--url", "https://a.example/x", "--with", "colour=red"], "colour"),
    (["--url", "https://a.example/x", "--with", "nonsense"], "NAME=VALUE"),
    (["--url", "https://a.example/x", "--auth", "magic"], "auth"),
    (["--cron", "often"], "is no schedule"),
    (["--key-file", "/does/not/exist"], "cannot be read"),
]


def test_what_cannot_be_is_refused_and_nothing_is_stored(shell: Shell, db: Database) -> None:
    for words, told in REFUSED:
        code, said = shell.refuse("feed", "add", "NORD", "Liste", *words)
        assert code == 2 and told in said and "canary" not in said, words
    assert one(db, "SELECT count(*) FROM feed") == 0


def test_an_option_needs_something_to_be_an_option_of() -> None:
    given: dict[str, Any] = {"folder": None, "url": None, "api": None, "sftp": None, "auth": None}
    present = {"kind": "url", "url": "https://a.example", "auth": {"kind": "none"}}
    assert wished(present, **given, options=[]) == present
    assert wished(present, **given, options=["auth.kind=bearer"])["auth"] == {"kind": "bearer"}
    assert present["auth"] == {"kind": "none"}, "the present one is not touched"
    with pytest.raises(Refused):
        wished(present, **given, options=["x"])
