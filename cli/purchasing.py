"""`entrepot po`: what the hub orders at suppliers, and what they answer."""

import csv
import io
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import GREATEST, AsJson, hub, narrow, show, write
from core.database import UnitOfWork
from core.errors import Refused, there_is
from models.companies import find_company
from models.purchasing import PO_STATES
from pipelines.answering import taken_down, to_fill
from pipelines.orders import answers
from web.queries.money import in_major
from web.queries.purchasing import last_pos, one_po, po_number, po_states

app = typer.Typer(no_args_is_help=True, help="Purchase orders: what the hub orders at suppliers.")

Name = Annotated[str, typer.Argument(help="The purchase order's number or reference.")]
OwnNumber = Annotated[str | None, typer.Option("--number", help="The supplier's own number for it.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence for the seller.")]
Supplier = Annotated[str | None, typer.Option(help="Only those of this supplier, by name, code or number.")]
Limit = Annotated[int, typer.Option(min=0, max=GREATEST, help="At most so many; the counts are of all.")]


@app.command("list")
def list_pos(
    supplier: Supplier = None,
    state: Annotated[
        str | None, typer.Option(help="Only those in this state: " + ", ".join(PO_STATES))
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Purchase orders, the newest first, and how many are in each state."""
    if state is not None and state not in PO_STATES:
        raise Refused(f"There is no state {state!r}; there are {', '.join(PO_STATES)}.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        whose = find_company(uow.session, "supplier", supplier).id if supplier is not None else None
        states = po_states(uow.session, whose)
        found = [in_major(row) for row in last_pos(uow.session, supplier_id=whose, state=state, limit=limit)]
    if not as_json:
        shown = (
            "id",
            "reference",
            "supplier",
            "order_number",
            "state",
            "quantity",
            "shipped",
            "external_number",
            "made_at",
        )
        found = narrow(found, *shown)
    show({"states": states, "purchase_orders": found}, as_json)


@app.command("show")
def show_po(po: Name, as_json: AsJson = False) -> None:
    """One purchase order with its lines."""
    with hub() as db, db.unit_of_work() as uow:
        show(described(uow, numbered(uow, po)), as_json)


@app.command("confirm")
def confirm(po: Name, number: OwnNumber = None, as_json: AsJson = False) -> None:
    """The supplier accepts it."""
    with hub() as db, db.unit_of_work() as uow:
        show(described(uow, answers.confirm(uow, numbered(uow, po), number).id), as_json)


@app.command("reject")
def reject(po: Name, reason: Reason, as_json: AsJson = False) -> None:
    """The supplier will not deliver what is open of it: stock and deposit go back."""
    with hub() as db, db.unit_of_work() as uow:
        show(described(uow, answers.reject(uow, numbered(uow, po), reason).id), as_json)


@app.command("cancelled")
def cancelled(po: Name, as_json: AsJson = False) -> None:
    """The supplier cancels what the buyer no longer wants of it."""
    with hub() as db, db.unit_of_work() as uow:
        show(described(uow, answers.cancelled(uow, numbered(uow, po)).id), as_json)


@app.command("refuse-cancel")
def refuse_cancel(po: Name, reason: Reason, as_json: AsJson = False) -> None:
    """The supplier ships it all the same."""
    with hub() as db, db.unit_of_work() as uow:
        show(described(uow, answers.cancel_refused(uow, numbered(uow, po), reason).id), as_json)


@app.command("placed")
def placed(po: Name, number: OwnNumber = None, as_json: AsJson = False) -> None:
    """A person made sure that the supplier has one whose fate was unknown: it counts as confirmed."""
    with hub() as db, db.unit_of_work() as uow:
        show(described(uow, answers.confirm(uow, numbered(uow, po), number).id), as_json)


@app.command("again")
def again(po: Name, as_json: AsJson = False) -> None:
    """A person made sure that the supplier does not have one whose fate was unknown: it is sent anew."""
    with hub() as db, db.unit_of_work() as uow:
        show(described(uow, answers.send_again(uow, numbered(uow, po)).id), as_json)


@app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="Where to write it.")],
    supplier: Supplier = None,
    as_json: AsJson = False,
) -> None:
    """Writes what suppliers have to ship as a CSV file, with empty columns for their answers."""
    with hub() as db, db.unit_of_work() as uow:
        whose = find_company(uow.session, "supplier", supplier).id if supplier is not None else None
        text = to_fill(uow, whose)
    show(
        {"file": write(out, text.encode("utf-8-sig")), "rows": len(list(csv.reader(io.StringIO(text)))) - 1},
        as_json,
    )


@app.command("import")
def import_answers(
    file: Annotated[Path, typer.Argument(help="The filled-in file.", exists=True, dir_okay=False)],
    supplier: Annotated[
        str | None, typer.Option(help="Take only this supplier's rows down, by name, code or number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Takes suppliers' confirmations and shipments down and answers each row. The same file again changes nothing."""
    with hub() as db:
        with db.unit_of_work() as uow:
            whose = find_company(uow.session, "supplier", supplier).id if supplier is not None else None
        verdicts = taken_down(db, file.read_bytes(), whose)
    counts = Counter(verdict.verdict for verdict in verdicts)
    show(
        {"verdicts": dict(sorted(counts.items())), "rows": [asdict(verdict) for verdict in verdicts]}, as_json
    )


def numbered(uow: UnitOfWork, name: str) -> int:
    """The id of the purchase order called so. Raises Refused where there is none."""
    return there_is(po_number(uow.session, name), f"Purchase order {name}")


def described(uow: UnitOfWork, po_id: int) -> dict[str, Any]:
    """A purchase order as an answer."""
    uow.session.flush()
    return in_major(there_is(one_po(uow.session, po_id), f"Purchase order {po_id}"))
