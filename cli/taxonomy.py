"""`entrepot taxonomy`: Google's categories loaded, and what suppliers' own paths mean in them."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import AsJson, hub, known, show
from core.errors import Refused

OPERATOR = "the command line"

app = typer.Typer(no_args_is_help=True, help="Categories: suppliers' own paths in the words of Google's taxonomy.")  # fmt: skip


@app.command("load")
def load_file(
    file: Annotated[Path, typer.Argument(help="Google's list with numbers: taxonomy-with-ids.en-US.txt.")],
    as_json: AsJson = False,
) -> None:
    """Makes FILE the taxonomy. What persons chose stays; paths whose category is gone wait again."""
    from pipelines.catalogue.taxonomy import load, read_taxonomy

    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read: {error}.", rule="taxonomy_invalid") from None
    with hub() as db, db.unit_of_work() as uow:
        told = load(uow, read_taxonomy(lines))
    show({"categories": told.categories, "removed": told.removed, "paths_waiting": told.waiting}, as_json)


@app.command("list")
def list_paths(
    how: Annotated[str, typer.Option(help="proposal (those that wait), exact, learned or person; empty: all.")] = "proposal",
    words: Annotated[str, typer.Option(help="Only paths with these letters.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Suppliers' paths, those with most products first, and what each means or could mean."""
    from web.queries.taxonomy import paths

    known(how, ("proposal", "exact", "learned", "person"), "way to know")
    with hub() as db, db.unit_of_work() as uow:
        rows = paths(uow.cursor(), how, words, limit=limit)
    show({"paths": rows}, as_json)


@app.command("find")
def find(words: Annotated[list[str], typer.Argument(help="Words of the category's path, or its number.")], as_json: AsJson = False) -> None:  # fmt: skip
    """Categories whose path has all the words."""
    from web.queries.taxonomy import found_categories

    with hub() as db, db.unit_of_work() as uow:
        rows = found_categories(uow.session, " ".join(words))
    show({"categories": [dict(row) for row in rows]}, as_json)


@app.command("choose")
def choose_category(
    path: Annotated[str, typer.Argument(help="The supplier's own path.")],
    number: Annotated[int, typer.Argument(min=0, max=999_999_999, help="The category's number; 0: none fits.")],
    supplier: Annotated[
        str | None, typer.Option(help="Say it for this supplier; other suppliers' same path learns from it.")
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Says what a path means; the products follow by themselves."""
    from models.companies import find_company
    from pipelines.catalogue.taxonomy import choose

    with hub() as db, db.unit_of_work() as uow:
        owner = find_company(uow.session, "supplier", supplier).id if supplier else None
        settled = choose(uow, path, number or None, OPERATOR, owner)
    show({"path": path, "taxonomy_id": number or None, "settled": settled}, as_json)
