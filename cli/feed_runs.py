"""`entrepot feed undo|replay|mend|rejects-file`: what people do with runs by hand."""

import sys
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from cli.output import GREATEST, AsJson, hub, show, writing
from cli.waiting import quiet, until
from core.errors import Refused
from core.settings import load
from models.suppliers import Feed, FeedRun

OPERATOR = "the command line"
RunNumber = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The run's number.")]
Wait = Annotated[bool, typer.Option(help="Wait until it is over and the catalogue shows it.")]

app = typer.Typer(no_args_is_help=True)


@app.command("undo")
def undo_run(run: RunNumber, wait: Wait = True, as_json: AsJson = False) -> None:
    """Puts the offers back to what they were before an applied run; only the feed's last one can be undone."""
    from pipelines.feeds.undo import ask_undo

    with hub() as db:
        with db.unit_of_work() as uow:
            lane = uow.session.get_one(Feed, ask_undo(uow, run, OPERATOR).feed_id).lane
        _answer(db, run, lane, wait, as_json)


@app.command("replay")
def replay_run(
    run: RunNumber,
    version: Annotated[
        int | None, typer.Option(min=1, max=GREATEST, help="A version of the feed's mapping, instead of the present one.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="A mapping (YAML or JSON): whole, or only the sections that differ.", show_default=False),
    ] = None,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Reads a run's archived file again with another mapping. The new run waits for `entrepot feed approve`."""
    from pipelines.feeds.replay import replay

    document = _document(mapping) if mapping else None
    with hub() as db:
        with db.unit_of_work() as uow:
            made = replay(uow, load(), run, OPERATOR, version=version, document=document)
            number, lane = made.id, uow.session.get_one(Feed, made.feed_id).lane
        _answer(db, number, lane, wait, as_json)


@app.command("rejects-file")
def rejects_file(
    run: RunNumber,
    out: Annotated[Path | None, typer.Option(help="Where to write it; without it, standard output.")] = None,
    as_json: AsJson = False,
) -> None:
    """The records of a run that were not accepted, in the supplier's own columns alone: to be mended and sent again."""
    from pipelines.feeds.replay import write_rejects

    with hub() as db:
        if out is not None:
            with writing(out), out.open("w", newline="", encoding="utf-8") as file:
                write_rejects(db, run, file)
        elif as_json:
            text = StringIO(newline="")
            write_rejects(db, run, text)
            show({"run": run, "csv": text.getvalue()}, as_json)
        else:
            write_rejects(db, run, sys.stdout)
    if as_json and out is not None:
        show({"run": run, "file": str(out)}, as_json)


@app.command("mend")
def mend_run(
    run: RunNumber,
    file: Annotated[Path, typer.Argument(help="The mended records, as `rejects-file` wrote them.")],
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Takes mended rejects in: a new run that only adds to what the applied run offered."""
    from connectors.sources.archive import archive
    from pipelines.feeds.replay import mend

    landed = archive(file, load().archive)
    with hub() as db:
        with db.unit_of_work() as uow:
            made = mend(uow, run, landed, OPERATOR)
            number, lane = made.id, uow.session.get_one(Feed, made.feed_id).lane
        _answer(db, number, lane, wait, as_json)


def run_answer(run: FeedRun) -> dict[str, Any]:
    """A run as an answer."""
    return {
        "run": run.id, "feed": run.feed_id, "state": run.state, "problem": run.problem,
        "file": {"name": run.file_name, "bytes": run.file_bytes, "sha256": run.file_sha256},
        **(run.summary or {}), "plan": run.plan, "facts": run.facts,
    }  # fmt: skip


def _answer(db: Any, run_id: int, lane: str, wait: bool, as_json: bool) -> None:
    if wait:
        until(db, lambda uow: quiet(uow, lane), f"run {run_id}")
    with db.unit_of_work() as uow:
        run = uow.session.get_one(FeedRun, run_id)
        show({**run_answer(run), "replay_of": run.replay_of, "mends": run.mends}, as_json)
        failed = wait and run.state in ("waiting", "refused", "applied") and _asked_else(run)
    raise typer.Exit(1 if failed else 0)


def _asked_else(run: FeedRun) -> bool:
    """Whether the run did not come to where the command wanted it; a replay is meant to wait."""
    if run.replay_of is not None:
        return run.state == "refused"
    return run.state != "applied" if run.mends is not None else run.state == "applied"


def _document(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refused(f"{file} cannot be read as YAML or JSON: {error}.", rule="mapping_invalid") from None
    if not isinstance(found, dict):
        raise Refused(f"{file} holds no mapping: a mapping has sections like fields and rules.", rule="mapping_invalid")  # fmt: skip
    return found
