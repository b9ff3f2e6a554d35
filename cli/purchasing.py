"""`entrepot po`, `supplier terms` and `company bank`: what the hub orders at suppliers, and what is agreed with them."""

import csv
import io
from collections import Counter
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import AsJson, hub, narrow, show, write
from core.database import UnitOfWork
from core.errors import Refused, there_is
from core.settings import load
from models.companies import Company, find_company, number_in
from models.purchasing import PO_STATES
from pipelines.answering import taken_down, to_fill
from pipelines.orders import answers
from pipelines.orders.terms import set_bank_details, set_terms
from pipelines.paying import amount_of
from web.queries.money import in_major
from web.queries.purchasing import bank_details, last_pos, one_po, po_number, po_states, terms_of

app = typer.Typer(no_args_is_help=True, help="Purchase orders: what the hub orders at suppliers.")

Name = Annotated[str, typer.Argument(help="The purchase order's number or reference.")]
OwnNumber = Annotated[str | None, typer.Option("--number", help="The supplier's own number for it.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence for the seller.")]
Supplier = Annotated[str | None, typer.Option(help="Only those of this supplier, by name, code or number.")]
Limit = Annotated[int, typer.Option(min=0, help="At most so many; the counts are of all.")]


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


def terms(
    supplier: Annotated[str, typer.Argument(help="The supplier's name, code or number.")],
    commission: Annotated[str | None, typer.Option(help="Per cent of the goods that the hub takes.")] = None,
    shipping: Annotated[
        str | None, typer.Option(help="What he takes for shipping an order, in the hub's currency.")
    ] = None,
    transport: Annotated[
        str | None, typer.Option(help="How orders reach him: portal (he looks here) or api (his own server).")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="His server's address: https://orders.supplier.example")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="ENTREPOT_SUPPLIER_KEY", help="Its key; stored sealed, never shown.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="The certificate authority of a server with a certificate of its own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Shows what is agreed with a supplier; what is given changes, the rest stays."""
    settings = load()
    if ca_file is not None and not ca_file.is_file():
        raise Refused(f"The certificate file {ca_file} is not on the hub's machine.", rule="ca_file")
    if ca_file is not None and key is None:
        raise Refused(
            "Give the key together with its certificate file: both are sealed as one.", rule="missing"
        )
    sealed = (
        {"key": key, **({"ca_file": str(ca_file.resolve())} if ca_file else {})} if key is not None else None
    )
    given = (commission, shipping, transport, url, key)
    with hub() as db, db.unit_of_work() as uow:
        company = find_company(uow.session, "supplier", supplier)
        if any(value is not None for value in given):
            set_terms(
                uow, settings, company.id, commission_percent=_percent(commission) if commission is not None else None,
                shipping=amount_of(shipping, settings.currency) if shipping is not None else None, transport=transport, url=url,
                credentials=sealed,
            )  # fmt: skip
        told = {**terms_of(uow.session, company.id), "currency": settings.currency}
        show({"code": company.code, **in_major(told)}, as_json)


def bank(
    company: Annotated[str, typer.Argument(help="The supplier's or seller's name, code or number.")],
    holder: Annotated[str | None, typer.Option(help="Whose account it is.")] = None,
    iban: Annotated[str | None, typer.Option(help="Its IBAN.")] = None,
    town: Annotated[str | None, typer.Option(help="The holder's town.")] = None,
    country: Annotated[str | None, typer.Option(help="The holder's country, like DE.")] = None,
    bic: Annotated[str, typer.Option(help="The bank's BIC, where it is needed.")] = "",
    as_json: AsJson = False,
) -> None:
    """Shows or sets the account a company is paid to."""
    given = {"holder": holder, "iban": iban, "town": town, "country": country}
    missing = [f"--{name}" for name, value in given.items() if value is None]
    if missing and len(missing) < len(given):
        raise Refused(f"An account needs {', '.join(missing)} too.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        whose = paid(uow, company)
        if not missing:
            set_bank_details(uow, whose.id, bic=bic, **{name: value or "" for name, value in given.items()})
        found = there_is(bank_details(uow.session, whose.id), f"The bank account of {whose.name}")
        show({"code": whose.code, "company": whose.name, **found}, as_json)


def numbered(uow: UnitOfWork, name: str) -> int:
    """The id of the purchase order called so. Raises Refused where there is none."""
    return there_is(po_number(uow.session, name), f"Purchase order {name}")


def described(uow: UnitOfWork, po_id: int) -> dict[str, Any]:
    """A purchase order as an answer."""
    uow.session.flush()
    return in_major(there_is(one_po(uow.session, po_id), f"Purchase order {po_id}"))


def paid(uow: UnitOfWork, name: str) -> Company:
    """The supplier or seller called so. Raises Refused where there is none."""
    number = number_in(name)
    by = (
        Company.id == number
        if number is not None
        else (Company.code == name.upper()) | (Company.name == name)
    )
    found = uow.session.query(Company).filter(Company.kind != "hub", by).order_by(Company.id).first()
    return there_is(found, f"A supplier or seller {name!r}")


def _percent(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refused(f"{text!r} is no number of per cent; write it like 12.5.", rule="percent") from None
