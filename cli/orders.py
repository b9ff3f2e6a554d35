"""`entrepot order`, `ship` and `refund`: what buyers ordered, what left for them, and what came back."""

from typing import Annotated, Any

import typer

from cli.output import GREATEST, AsJson, hub, narrow, show
from cli.waiting import given_up_since, last_dead_letter, quiet, until
from core.errors import Refused, Temporary, there_is
from models.events import OrdersDue
from models.orders import LINE_STATES
from models.shops import Shop, find_shop
from pipelines.orders.ship import ship
from pipelines.paying import refund
from web.queries.money import in_major, refund_rows
from web.queries.orders import last_orders, one_order, order_states, shipments_of
from web.queries.purchasing import po_number

app = typer.Typer(no_args_is_help=True, help="Orders: what buyers ordered in sellers' shops.")
shipping = typer.Typer(
    no_args_is_help=True, help="Shipments: goods that left a supplier, services completed."
)
refunds = typer.Typer(no_args_is_help=True, help="Refunds: shipped pieces that came back.")

Limit = Annotated[int, typer.Option(min=0, max=GREATEST, help="At most so many; the counts are of all.")]
Number = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="Its number.")]
Key = Annotated[str, typer.Option(help="A word of your own for it: given again, nothing happens twice.")]

LINE = (
    "id", "sku", "title", "supplier", "ordered", "wanted", "covered", "shipped", "refunded", "state", "reason",
)  # fmt: skip


@app.command("list")
def list_orders(
    shop: Annotated[str | None, typer.Option(help="Only those of this shop, by name or number.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only those with a line in this state: " + ", ".join(LINE_STATES))
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Orders with their lines, the newest first, and how many lines are in each state."""
    if state is not None and state not in LINE_STATES:
        raise Refused(f"There is no state {state!r}; there are {', '.join(LINE_STATES)}.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        shop_id = find_shop(uow.session, shop).id if shop is not None else None
        states = order_states(uow.session, shop_id)
        found = [
            listed(order) for order in last_orders(uow.session, shop_id=shop_id, state=state, limit=limit)
        ]
    if not as_json:
        for row in found:
            row["lines"] = [f"{line['ordered']} × {line['sku']} {line['state']}" for line in row["lines"]]
    show({"states": states, "orders": found}, as_json)


@app.command("show")
def show_order(order: Number, as_json: AsJson = False) -> None:
    """One order with its lines, purchase orders, shipments, holds, and its story from the beginning."""
    with hub() as db, db.unit_of_work() as uow:
        found = in_major(there_is(one_order(uow.session, order), f"Order {order}"))
    answer = {
        **listed(found),
        **{name: found[name] for name in ("seller", "currency", "total", "test", "buyer")},
        **{name: found[name] for name in ("purchase_orders", "shipments", "holds", "story")},
    }
    if not as_json:
        for name in ("purchase_orders", "shipments", "holds"):
            answer[name] = [
                {key: value for key, value in row.items() if key not in ("lines", "parts")}
                for row in answer[name]
            ]
    show(answer, as_json)


@app.command("pull")
def pull(
    shop: Annotated[str, typer.Argument(help="The shop's name or number.")], as_json: AsJson = False
) -> None:
    """Asks a shop for every order that changed, and waits until all of them are taken over. Exit 1 where it failed."""
    with hub() as db:
        with db.unit_of_work() as uow:
            found = find_shop(uow.session, shop)
            uow.emit(OrdersDue(tenant=found.seller_id, lane=found.lane, shop_id=found.id))
            shop_id, lane, dead = found.id, found.lane, last_dead_letter(uow)
        until(db, lambda uow: quiet(uow, lane), f"asking shop {shop_id} for its orders")
        with db.unit_of_work() as uow:
            stored = uow.session.get_one(Shop, shop_id)
            states = order_states(uow.session, shop_id)
            given_up = given_up_since(uow, lane, dead)
            answer = {
                "shop": shop_id,
                "states": states,
                "watermark": stored.orders_watermark,
                "problem": stored.problem,
            }
    show(answer, as_json)
    if given_up:
        raise Temporary(given_up)


@shipping.command("add")
def add_shipment(
    po: Annotated[str, typer.Argument(help="The purchase order's number or reference.")],
    key: Key,
    line: Annotated[
        list[str] | None,
        typer.Option(help="LINE=QUANTITY; may be given several times. Without it: all that is open."),
    ] = None,
    carrier: Annotated[str, typer.Option(help="Who carries it; none for a service.")] = "",
    number: Annotated[str, typer.Option(help="The carrier's tracking number.")] = "",
    url: Annotated[str, typer.Option(help="Where it can be followed.")] = "",
    as_json: AsJson = False,
) -> None:
    """Records a parcel of a purchase order, or that a service is done. The same key again is the same parcel."""
    lines = dict(_line(text) for text in line) if line else None
    with hub() as db, db.unit_of_work() as uow:
        po_id = there_is(po_number(uow.session, po), f"Purchase order {po}")
        made = ship(uow, po_id, key, lines, carrier, number, url)
        uow.session.flush()
        found = shipments_of(uow.session, purchase_order_id=po_id)
        answer = next(row for row in found if row["id"] == made.id)
    show(answer, as_json)


@shipping.command("list")
def list_shipments(
    order: Annotated[int | None, typer.Option(min=1, max=GREATEST, help="Only those of this order.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Shipments, the newest first; `reported_at` is when the shop was told."""
    with hub() as db, db.unit_of_work() as uow:
        found = shipments_of(uow.session, order, limit=limit)
    shown = (
        "id",
        "reference",
        "supplier",
        "key",
        "carrier",
        "number",
        "shipped_at",
        "reported_at",
        "problem",
    )
    show({"shipments": found if as_json else narrow(found, *shown)}, as_json)


@refunds.command("add")
def add_refund(
    line: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The order line's number.")],
    quantity: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="How many pieces came back.")],
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Gives a seller his money for shipped pieces back; supplier and hub give up their share. What the buyer wants stays."""
    with hub() as db, db.unit_of_work() as uow:
        done = refund(uow, line, quantity, key)
    answer = {
        "line": line, "quantity": quantity, "amount": str(done.amount.amount), "currency": done.amount.currency,
        "entry": done.entry_id, "again": done.again,
    }  # fmt: skip
    show(answer, as_json)


@refunds.command("list")
def list_refunds(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Refunds of shipped pieces, the newest first, whoever asked for them."""
    with hub() as db, db.unit_of_work() as uow:
        show({"refunds": [in_major(row) for row in refund_rows(uow, limit)]}, as_json)


def listed(order: dict[str, Any]) -> dict[str, Any]:
    """An order as lists have it."""
    names = ("id", "shop", "number", "external_id", "standing", "placed_at")
    lines = [{name: line[name] for name in LINE} for line in order["lines"]]
    return {**{name: order[name] for name in names}, "lines": lines}


def _line(text: str) -> tuple[int, int]:
    line, equals, quantity = text.partition("=")
    if not (equals and line.isdecimal() and quantity.isdecimal()) or max(int(line), int(quantity)) >= 2**31:
        raise Refused(f"--line {text!r} is not LINE=QUANTITY; write it like --line 12=2.", rule="usage")
    return int(line), int(quantity)
