"""`entrepot select`: what a seller chose for a shop, and with which margin."""

from typing import Annotated

import typer

from cli.output import AsJson, hub, rows_of, show
from core.errors import there_is
from models.shops import Selection, find_shop
from pipelines.making import NewSelection, asked_for, end_selection, make_selection

app = typer.Typer(no_args_is_help=True, help="Selections: which products a shop sells, and at which margin.")
ShopName = Annotated[str, typer.Argument(help="The shop's name or number.")]


@app.command("add")
def add(
    shop: ShopName,
    margin: Annotated[str, typer.Option(help="Per cent on the supplier's cost.")],
    supplier: Annotated[str | None, typer.Option(help="All a supplier offers.")] = None,
    category: Annotated[
        str | None, typer.Option(help="A category and all below it, as the catalogue writes it.")
    ] = None,
    sku: Annotated[
        list[str] | None, typer.Option(help="Single variants by the hub's SKU; may be given several times.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Chooses products by exactly one of --supplier, --category or --sku. The same again changes the margin."""
    wish = {"margin_percent": margin, "supplier": supplier, "category": category, "skus": sku}
    asked = asked_for(NewSelection, wish)
    with hub() as db, db.unit_of_work() as uow:
        made = make_selection(uow, find_shop(uow.session, shop).id, asked)
        answer = {
            "id": made.id,
            "shop": made.shop_id,
            "by": made.by,
            "what": made.what,
            "margin_percent": made.margin_percent,
        }
    show(answer, as_json)


@app.command("list")
def list_selections(shop: ShopName, as_json: AsJson = False) -> None:
    """A shop's selections, the earliest first: it prices what several choose."""
    with hub() as db, db.unit_of_work() as uow:
        query = uow.session.query(Selection.id, Selection.by, Selection.what, Selection.margin_percent)
        rows = rows_of(query.filter_by(shop_id=find_shop(uow.session, shop).id).order_by(Selection.id))
    show({"selections": rows}, as_json)


@app.command("remove")
def remove(
    selection: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The selection's number.")],
    as_json: AsJson = False,
) -> None:
    """Ends a selection: what no other one chooses is taken out of sale by the next push."""
    with hub() as db, db.unit_of_work() as uow:
        found = there_is(uow.session.get(Selection, selection), f"Selection {selection}")
        end_selection(uow, found.shop_id, found.id)
    show({"id": selection, "removed": True}, as_json)
