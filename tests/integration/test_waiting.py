"""Commands that wait for work: they end when it was given up, say why, and their exit code tells."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.__main__ import main
from core.database import Database
from pipelines.routes import ROUTES
from tests.staged import shop_of, stage, supplier
from tests.stepping import run_all


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def give_up_all(db: Database) -> None:
    """From now on every message becomes a dead letter at once, as a broken step's would after its last try."""
    with db.unit_of_work() as uow:
        uow.cursor().execute(
            """CREATE FUNCTION bury() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO dead_letter (message_id, tenant, lane, queue, step, event, payload, attempts, error, traceback, created_at)
                 VALUES (new.id, new.tenant, new.lane, new.queue, new.step, new.event, new.payload, 9, 'The folder is gone.', '', now());
                 RETURN NULL; END $$;
               CREATE TRIGGER bury BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION bury()"""
        )


def entrepot(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, dict[str, object], str]:
    """Exit code, last line, and what was said on standard error."""
    monkeypatch.setattr("sys.argv", ["entrepot", *words, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    lines = said.out.strip().splitlines()
    return int(ended.value.code or 0), json.loads(lines[-1]) if lines else {}, said.err.strip()


def test_a_feed_whose_look_was_given_up_is_not_called_unchanged(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = supplier(db, "NORDEN")
    with db.unit_of_work() as uow:
        uow.cursor().execute("""UPDATE feed SET source = '{"kind": "folder", "path": "/nowhere"}'""")
    give_up_all(db)
    code, answer, said = entrepot(capsys, monkeypatch, "feed", "run", str(number))
    assert (code, answer) == (1, {"feed": number, "run": None, "state": "given_up"})
    assert said.endswith("The folder is gone.")


def test_a_feed_that_takes_uploads_asks_for_the_file(
    db: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = supplier(db, "NORDEN")
    code, answer, said = entrepot(capsys, monkeypatch, "feed", "run", str(number))
    assert (code, answer) == (2, {})
    assert "files are sent to it: name one" in said


def test_a_run_that_was_given_up_ends_the_wait(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = supplier(db, "NORDEN")
    (tmp_path / "list.csv").write_text("sku;title;cost\nA;Lamp;1\n")
    give_up_all(db)
    code, answer, said = entrepot(capsys, monkeypatch, "feed", "run", str(number), str(tmp_path / "list.csv"))
    assert (code, answer["state"]) == (1, "landed")
    assert said.endswith("The folder is gone.")


@pytest.mark.parametrize("words", [("push", "--apply"), ("shop", "verify")])
def test_a_push_or_a_reading_that_was_given_up_ends_the_wait(
    db: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A"})
    run_all(db)
    shop_id = shop_of(db, supplier={"supplier": 2})
    run_all(db)
    give_up_all(db)
    command = (words[0], str(shop_id), words[1]) if words[0] == "push" else (*words, str(shop_id))
    code, answer, said = entrepot(capsys, monkeypatch, *command)
    assert code == 1
    assert answer["states"] == {"waiting": 1}
    assert said.endswith("The folder is gone.")


def test_a_replay_of_nothing_says_so(
    db: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, answer, said = entrepot(capsys, monkeypatch, "dead-letter", "replay")
    assert (code, answer) == (2, {})
    assert "--all" in said
    assert entrepot(capsys, monkeypatch, "dead-letter", "replay", "--all")[:2] == (0, {"replayed": []})


@pytest.mark.parametrize("name", ["99999999999", "²"])
def test_a_number_that_no_feed_can_have_is_simply_not_there(
    db: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for command in (("feed", "runs", name), ("select", "list", name), ("feed", "add", name, "Liste")):
        code, _, said = entrepot(capsys, monkeypatch, *command)
        assert (code, f"{name!r}" in said) == (2, True)
        assert "There is no" in said
