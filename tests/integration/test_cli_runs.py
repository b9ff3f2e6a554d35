"""What people do with runs and offers at the command line: the answers, exit codes and what is stored."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.feed_runs import mend_run, rejects_file, replay_run, undo_run
from cli.lineage import join, split_off, why
from connectors.sources.archive import archive
from core.database import Database
from core.errors import Refused
from core.settings import load
from pipelines.feeds.normalise import normalise
from pipelines.routes import ROUTES
from tests import builders as make
from tests.staged import stage, supplier
from tests.stepping import one, pending, rows, run_all

LIST = "sku;title;cost;stock\nA-1;Lampe;10.00;3\nA-2;Lampe ohne Preis;;4\n"


@pytest.fixture
def db(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    database = Database(database_url, ROUTES)
    yield database
    database.close()


def answered(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def applied(db: Database, tmp_path: Path) -> int:
    """A run of a file that lies in the archive, with one reject."""
    file = tmp_path / "list.csv"
    file.write_text(LIST, "utf-8")
    kept = archive(file, load().archive)
    with db.unit_of_work() as uow:
        run = make.run(uow.session, make.feed(uow.session), file_name="list.csv", file_sha256=kept.sha256)
        run.document = normalise(kept.path, name="list.csv", currency="EUR").document
        make.reject(uow.session, run, 2, raw={"sku": "A-2", "title": "Lampe ohne Preis", "cost": "", "stock": "4"})  # fmt: skip
        make.offer(uow.session, run, supplier_sku="A-1", locator="row 2", title="Lampe", cost="10.00", stock=3)  # fmt: skip
        return run.id


def test_rejects_are_written_mended_and_a_run_is_replayed(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = applied(db, tmp_path), tmp_path / "rejects.csv"
    rejects_file(run, out)
    assert out.read_bytes() == b"\xef\xbb\xbfsku;title;cost;stock\r\nA-2;Lampe ohne Preis;;4\r\n"
    with pytest.raises(typer.Exit) as ended:
        mend_run(run, out, wait=False, as_json=True)
    assert ended.value.exit_code == 0
    told = answered(capsys)
    assert (told["mends"], told["state"]) == (run, "landed")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("fields: {title: {from: [sku], operations: [text]}}", "utf-8")
    with pytest.raises(typer.Exit) as ended:
        replay_run(run, version=None, mapping=mapping, wait=False, as_json=True)
    assert ended.value.exit_code == 0
    assert answered(capsys)["replay_of"] == run
    assert [message["step"] for message in pending(db)] == ["feeds.read.read"] * 2
    assert rows(db, "SELECT version, author FROM feed_mapping") == [(1, "the command line")]
    for text, words in (("- a list", "holds no mapping"), ("fields: {title: {of: [sku]}}", "The mapping is not usable")):  # fmt: skip
        mapping.write_text(text, "utf-8")
        with pytest.raises(Refused, match=words):
            replay_run(run, version=None, mapping=mapping, wait=False, as_json=True)
    assert one(db, "SELECT count(*) FROM feed_run") == 3


def test_a_run_is_undone_and_the_exit_code_says_whether_it_was(
    db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stage(db, supplier(db, "NORDEN"), {"supplier_sku": "A"})
    run_all(db)
    with pytest.raises(typer.Exit):
        undo_run(run, wait=False, as_json=True)
    run_all(db)
    assert rows(db, "SELECT state, free FROM offer") == [("gone", 0)]
    with pytest.raises(Refused, match=f"Run {run} is undone"):
        undo_run(run, wait=False, as_json=True)
    assert answered(capsys)["run"] == run


def test_lineage_leads_to_the_record_and_an_offer_is_moved(
    db: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(db, tmp_path)
    why("A-1", record=True, as_json=True)
    told = answered(capsys)
    assert told["record"]["raw"] == {"sku": "A-1", "title": "Lampe", "cost": "10.00", "stock": "3"}
    assert told["offers"][0]["why"] == "It is the only offer."
    why("A-1", record=False, as_json=False)
    assert "It is the only offer." in " ".join(capsys.readouterr().out.split())
    number = told["offers"][0]["id"]
    with pytest.raises(Refused, match="shares its variant"):
        split_off(number, as_json=True)
    with db.unit_of_work() as uow:
        other = make.offer(uow.session, make.run(uow.session, make.feed(uow.session)), supplier_sku="B-1")
        variant = other.variant_id
    sku = str(one(db, "SELECT sku FROM variant WHERE id = %s", variant))
    join(number, sku, as_json=True)
    assert answered(capsys) == {"offer": number, "before": told["variant"]["id"], "after": variant}
    assert one(db, "SELECT match_reason FROM offer WHERE id = %s", number) == "by_hand"
