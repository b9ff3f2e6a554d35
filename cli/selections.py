"""`entrepot select`: what a seller chose for a shop, and with which margin."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from cli.output import AsJson, hub, rows_of, show
from core.errors import Refused
from models.companies import find_company
from models.events import ListingsDue
from models.shops import Selection, find_shop

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
    percent = _percent(margin)
    if sum(choice is not None for choice in (supplier, category, sku or None)) != 1:
        raise Refused("Choose by exactly one of --supplier, --category or --sku.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        chosen_shop = find_shop(uow.session, shop)
        what: dict[str, Any]
        if supplier is not None:
            by, what = "supplier", {"supplier": find_company(uow.session, "supplier", supplier).id}
        elif category is not None:
            by, what = "category", {"category": category}
        else:
            by, what = "list", {"skus": sku}
        found = uow.session.query(Selection).filter_by(shop_id=chosen_shop.id, by=by, what=what).first()
        selection = found or Selection(shop_id=chosen_shop.id, by=by, what=what, margin_percent=percent)
        selection.margin_percent = percent
        uow.session.add(selection)
        uow.session.flush()
        uow.emit(ListingsDue(tenant=chosen_shop.seller_id, lane=chosen_shop.lane, shop_id=chosen_shop.id))
        answer = {
            "id": selection.id,
            "shop": chosen_shop.id,
            "by": by,
            "what": what,
            "margin_percent": percent,
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
    selection: Annotated[int, typer.Argument(help="The selection's number.")], as_json: AsJson = False
) -> None:
    """Ends a selection: what no other one chooses is taken out of sale by the next push."""
    with hub() as db, db.unit_of_work() as uow:
        found = uow.session.get(Selection, selection)
        if found is None:
            raise Refused(
                f"There is no selection {selection}. `entrepot select list SHOP` shows those there are.",
                rule="not_found",
            )
        shop = find_shop(uow.session, str(found.shop_id))
        uow.session.delete(found)
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    show({"id": selection, "removed": True}, as_json)


def _percent(text: str) -> Decimal:
    try:
        percent = Decimal(text)
    except InvalidOperation:
        raise Refused(
            f"The margin {text!r} is no number: write per cent with a point, like 35 or 12.5.",
            rule="not_a_number",
        ) from None
    if not -90 <= percent <= 10_000:
        raise Refused(
            f"A margin of {percent} % cannot be meant: give one between -90 and 10000.", rule="out_of_range"
        )
    return percent
