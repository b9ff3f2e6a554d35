"""`entrepot …`: mounts one file per noun, and turns every error into one clear line and an exit code."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import companies, feeds, listings, queues, selections, service, shops
from core.errors import EntrepotError

app = typer.Typer(
    name="entrepot", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="A hub between many suppliers and many sellers' web shops.",
)  # fmt: skip
app.add_typer(companies.company, name="company")
app.add_typer(companies.supplier, name="supplier")
app.add_typer(companies.seller, name="seller")
app.add_typer(feeds.app, name="feed")
app.add_typer(shops.app, name="shop")
app.add_typer(selections.app, name="select")
app.add_typer(listings.app, name="listing")
app.command("push")(listings.push)
app.add_typer(queues.message, name="message")
app.add_typer(queues.dead_letter, name="dead-letter")
app.add_typer(service.operator, name="operator")
app.command("status")(queues.status)
for command in (service.up, service.serve, service.worker, service.relay, service.schedule, service.migrate):
    app.command(command.__name__)(command)


@app.callback()
def options(
    data: Annotated[
        Path | None, typer.Option(help="The data folder, instead of ENTREPOT_DATA.", show_default=False)
    ] = None,
) -> None:
    """Settings for every command."""
    if data is not None:
        import os

        os.environ["ENTREPOT_DATA"] = str(data)


def main() -> None:
    """Runs one command. Exit 0: fine; 1: something is wrong with the work; 2: wrong usage or unusable input."""
    try:
        app()
    except EntrepotError as error:
        sys.stderr.write(f"entrepot: {' '.join(str(error).split())}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
