"""`entrepot privacy`: what buyers want to know of their data, the file to answer with, and that it was sent."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import GREATEST, AsJson, hub, narrow, show, write
from pipelines.privacy import answered
from web.queries.privacy import all_requests, as_file, kept_of, one_request, open_requests, privacy_counts

app = typer.Typer(no_args_is_help=True, help="Privacy: what buyers and shops ask of the data kept of them.")
Number = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The request's number.")]
SHOWN = ("id", "kind", "shop", "seller", "received_at", "due_at", "answered_at")


@app.command("list")
def list_requests(
    everything: Annotated[bool, typer.Option("--all", help="Those answered already, too.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, max=GREATEST, help="At most so many; the counts are of all.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """Requests that wait for a person, the one due first at the head. What asks to be forgotten was done when it came."""
    with hub() as db, db.unit_of_work() as uow:
        found = all_requests(uow.session, limit) if everything else open_requests(uow.session, limit=limit)
        counts = privacy_counts(uow.session)
    show({**counts, "requests": found if as_json else narrow(found, *SHOWN)}, as_json)


@app.command("export")
def export(
    request: Number,
    file: Annotated[
        Path | None, typer.Argument(help="Where to; privacy-N.json where nothing is said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Writes all that is kept of the buyer into a file, for the shop's owner to pass on. With --json it is printed as well."""
    with hub() as db, db.unit_of_work() as uow:
        kept = kept_of(uow.session, request)
    written = write(file or Path(f"privacy-{request}.json"), as_file(kept))
    counted = {"orders": len(kept["orders"]), "not_kept": len(kept["not_kept"])}
    show({"request": request, "file": written, **(kept if as_json else counted)}, as_json)


@app.command("answered")
def mark(request: Number, as_json: AsJson = False) -> None:
    """Notes that the data was sent to the shop's owner."""
    with hub() as db, db.unit_of_work() as uow:
        answered(uow, request, "operator")
        uow.session.flush()
        found = one_request(uow.session, request)
    show({name: found[name] for name in SHOWN}, as_json)
