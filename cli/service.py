"""`entrepot up` and the processes it starts, one by one; migrations; the operator's password."""

import sys
from typing import Annotated

import typer

from cli.output import AsJson, hub, show
from core.errors import Misconfigured
from core.settings import load

operator = typer.Typer(no_args_is_help=True, help="The one operator of this installation.")


def up() -> None:
    """Starts web, workers, scheduler (and relay, where RabbitMQ is given), and restarts one that dies. One Ctrl-C stops all."""
    from cli.up import up as supervise

    raise typer.Exit(supervise(load()))


def serve() -> None:
    """The console and the API alone."""
    from web.__main__ import main

    raise typer.Exit(main() or 0)


def worker() -> None:
    """One worker process alone."""
    from pipelines.worker import main

    raise typer.Exit(main() or 0)


def relay() -> None:
    """The relay alone: it rings RabbitMQ for due messages."""
    from pipelines.relay import main

    raise typer.Exit(main() or 0)


def schedule() -> None:
    """The scheduler alone."""
    from schedules.__main__ import main

    raise typer.Exit(main() or 0)


def migrate(as_json: AsJson = False) -> None:
    """Brings the database named by ENTREPOT_DATABASE_URL to this version's schema. The embedded one does it by itself."""
    from core.database import migrate as run_migrations

    settings = load()
    if not settings.database_url:
        with hub():
            show({"migrated": True, "database": "embedded"}, as_json)
        return
    run_migrations(settings.database_url)
    show({"migrated": True, "database": "given"}, as_json)


@operator.command("reset")
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Makes a new password and a new API key; the old ones end, and every browser is signed out."""
    from web.auth import reset as renew

    if not yes and not (sys.stdin.isatty() and typer.confirm("End the present password and key?")):
        raise Misconfigured("Nothing was changed: say --yes to end the present password and key.")
    with hub() as db, db.unit_of_work() as uow:
        made = renew(uow)
    show({"password": made.password, "api_key": made.api_key}, as_json)
