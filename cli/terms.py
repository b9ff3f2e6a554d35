"""`entrepot supplier terms` and `company bank`: what is agreed with whom, and where his money goes."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from cli.companies import company, supplier
from cli.output import AsJson, hub, show
from core.database import UnitOfWork
from core.errors import Refused, there_is
from core.settings import load
from models.companies import Company, find_company, number_in
from pipelines.orders.terms import set_bank_details, set_terms
from pipelines.paying import amount_of
from web.queries.money import in_major
from web.queries.purchasing import bank_details, terms_of


@supplier.command("terms")
def terms(
    name: Annotated[str, typer.Argument(metavar="SUPPLIER", help="The supplier's name, code or number.")],
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
        found = find_company(uow.session, "supplier", name)
        if any(value is not None for value in given):
            set_terms(
                uow, settings, found.id, commission_percent=_percent(commission) if commission is not None else None,
                shipping=amount_of(shipping, settings.currency) if shipping is not None else None, transport=transport, url=url,
                credentials=sealed,
            )  # fmt: skip
        told = {**terms_of(uow.session, found.id), "currency": settings.currency}
        show({"code": found.code, **in_major(told)}, as_json)


@company.command("bank")
def bank(
    name: Annotated[
        str, typer.Argument(metavar="COMPANY", help="The supplier's or seller's name, code or number.")
    ],
    holder: Annotated[str | None, typer.Option(help="Whose account it is.")] = None,
    iban: Annotated[str | None, typer.Option(help="Its IBAN.")] = None,
    town: Annotated[str | None, typer.Option(help="The holder's town.")] = None,
    country: Annotated[str | None, typer.Option(help="The holder's country, like DE.")] = None,
    bic: Annotated[str, typer.Option(help="The bank's BIC, where it is needed.")] = "",
    as_json: AsJson = False,
) -> None:
    """Shows or sets the account a company is paid to."""
    given = {"holder": holder, "iban": iban, "town": town, "country": country}
    missing = [f"--{field}" for field, value in given.items() if value is None]
    if missing and len(missing) < len(given):
        raise Refused(f"An account needs {', '.join(missing)} too.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        whose = paid(uow, name)
        if not missing:
            set_bank_details(uow, whose.id, bic=bic, **{field: value or "" for field, value in given.items()})
        found = there_is(bank_details(uow.session, whose.id), f"The bank account of {whose.name}")
        show({"code": whose.code, "company": whose.name, **found}, as_json)


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
