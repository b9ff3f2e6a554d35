"""How every command speaks: one JSON object as the last line with --json, a table for people otherwise."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from core.database import Database, Route, connect
from core.errors import Refused
from core.settings import load

GREATEST = 2**31 - 1
"""No number of anything, and no limit, is greater: PostgreSQL's integer ends there."""
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@contextmanager
def hub() -> Iterator[Database]:
    """The hub's database, closed at the end."""
    db = connect(load(), _the_map, pool_size=2)
    try:
        yield db
    finally:
        db.close()


def _the_map() -> Sequence[Route]:
    """Loaded by the commands that emit something: the others begin a quarter of a second earlier."""
    from pipelines.routes import ROUTES

    return ROUTES


def show(answer: Mapping[str, Any], as_json: bool) -> None:
    """Prints an answer: as one line of JSON, or as "name  value" lines and tables for the lists in it."""
    if as_json:
        sys.stdout.write(orjson.dumps(answer, default=_plain).decode() + "\n")
        return
    from rich.console import Console

    console = Console()
    facts = {name: value for name, value in answer.items() if not _is_rows(value)}
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        console.print(f"[dim]{name.replace('_', ' '):<{width}}[/dim]  {_text(value)}", highlight=False)
    for name, rows in answer.items():
        if _is_rows(rows):
            console.print(_table(name, rows))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and (not value or isinstance(value[0], dict))


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    from rich.table import Table

    if not rows:
        return f"No {name.replace('_', ' ')}."
    table = Table(title=name.replace("_", " "), title_justify="left", box=None, header_style="dim")
    for column in rows[0]:
        numbers = all(
            isinstance(row[column], int | Decimal | None) and not isinstance(row[column], bool)
            for row in rows
        )
        table.add_column(column.replace("_", " "), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    return table


def _text(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping):
        return escape(", ".join(f"{key} {_text(inner)}" for key, inner in value.items())) or "–"
    if isinstance(value, list | tuple):
        told = [_text(inner) for inner in value]
        return escape((" " if all(each.endswith(".") for each in told) else "; ").join(told)) or "–"
    return escape(str(value))


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def narrow(rows: Sequence[Mapping[str, Any]], *names: str) -> list[dict[str, Any]]:
    """The columns that a person reads of rows that have more: a table must fit a terminal."""
    return [{name: row[name] for name in names} for row in rows]


def said_of_undecided(waiting: int, shop: str) -> int | str:
    """How many listings wait for their shop's owner's word, as a person reads it: with the command that shows them."""
    if not waiting:
        return 0
    words = "1 listing waits" if waiting == 1 else f"{waiting:,} listings wait"
    return f"{words} for your word, the shop has them already: `entrepot adoption list {shlex.quote(shop)}`."


def rows_of(query: Iterable[Any]) -> list[dict[str, Any]]:
    """Named rows of a SQLAlchemy query as plain dicts."""
    return [dict(row._mapping) for row in query]


def write(file: Path, content: bytes) -> str:
    """Writes a file. Raises Refused where it cannot be written."""
    with writing(file):
        file.write_bytes(content)
    return str(file)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Around what writes `file`, which is tried out first. Raises Refused where it cannot be written."""
    try:
        file.open("ab").close()
        yield
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror or error}.", rule="file") from None


def known(word: str | None, words: Iterable[str], what: str) -> None:
    """Raises Refused where `word` is given and is none of `words`; `what` names it: "state"."""
    if word and word not in words:
        raise Refused(f"There is no {what} {word!r}; there are {', '.join(words)}.", rule="usage")


def moment_of(text: str) -> datetime:
    """ "2026-11-30T18:00" as a moment, in UTC where it names no zone. Raises Refused for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text!r} is no moment; write it like 2026-11-30T18:00.", rule="usage") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
