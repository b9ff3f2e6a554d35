"""Options written once as a dataclass reach each command that takes it, and arrive there as one value."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from cli.options import spread


@dataclass(frozen=True)
class Size:
    """Two options."""

    high: Annotated[int, typer.Option(help="Centimetres.")] = 3
    words: Annotated[list[str] | None, typer.Option()] = None


def test_a_dataclass_among_the_parameters_is_its_fields() -> None:
    app, seen = typer.Typer(), []

    @app.command("first")
    @spread
    def first(name: str, size: Size, plain: bool = False) -> None:
        """The first."""
        seen.append((name, size, plain))

    @app.command("second")
    @spread
    def second(number: int = 7, *, size: Size) -> None:
        seen.append((number, size))

    run = CliRunner().invoke
    assert run(app, ["first", "A", "--high", "9", "--words", "x", "--words", "y", "--plain"]).exit_code == 0
    assert run(app, ["second"]).exit_code == 0
    assert seen == [("A", Size(9, ["x", "y"]), True), (7, Size(3, None))]
    assert run(app, ["first", "A", "--high", "tall"]).exit_code == 2 and len(seen) == 2
    told = run(app, ["first", "--help"]).output
    assert "Centimetres." in told and "The first." in told and "--size" not in told
