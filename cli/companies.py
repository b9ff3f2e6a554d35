"""`entrepot company|supplier|seller`: who takes part."""

import re
from typing import Annotated, Any

import typer
from psycopg.rows import dict_row

from cli.output import AsJson, hub, rows_of, show
from core.errors import Refused
from models.companies import Company

company = typer.Typer(no_args_is_help=True, help="All companies: the hub, suppliers and sellers.")
supplier = typer.Typer(no_args_is_help=True, help="Suppliers: they only give a list.")
seller = typer.Typer(no_args_is_help=True, help="Sellers: they choose products for their shops.")

Name = Annotated[str, typer.Argument(help="The company's name.")]
Code = Annotated[
    str | None,
    typer.Option(
        help="A short name in capitals and digits; it heads the SKUs. Made from the name where absent."
    ),
]


@company.command("list")
def list_companies(as_json: AsJson = False) -> None:
    """Every company with its kind and code."""
    with hub() as db, db.unit_of_work() as uow:
        query = uow.session.query(Company.id, Company.kind, Company.code, Company.name).order_by(Company.id)
        show({"companies": rows_of(query)}, as_json)


@supplier.command("add")
def add_supplier(name: Name, code: Code = None, as_json: AsJson = False) -> None:
    """Takes a supplier in."""
    show(add("supplier", name, code), as_json)


@supplier.command("list")
def list_suppliers(as_json: AsJson = False) -> None:
    """Every supplier with the number of his feeds."""
    show(
        {"suppliers": counted("supplier", "feeds", "SELECT count(*) FROM feed WHERE supplier_id = c.id")},
        as_json,
    )


@seller.command("add")
def add_seller(name: Name, code: Code = None, as_json: AsJson = False) -> None:
    """Takes a seller in."""
    show(add("seller", name, code), as_json)


@seller.command("list")
def list_sellers(as_json: AsJson = False) -> None:
    """Every seller with the number of his shops."""
    show({"sellers": counted("seller", "shops", "SELECT count(*) FROM shop WHERE seller_id = c.id")}, as_json)


def counted(kind: str, what: str, count: str) -> list[dict[str, Any]]:
    """The companies of a kind, each with how much it has of `what`; `count` is the query that tells."""
    with hub() as db, db.unit_of_work() as uow:
        query = f"SELECT id, code, name, ({count}) AS {what} FROM company c WHERE kind = %s ORDER BY id"  # noqa: S608 - our own words
        return uow.cursor().connection.cursor(row_factory=dict_row).execute(query, [kind]).fetchall()


def add(kind: str, name: str, code: str | None) -> dict[str, object]:
    """Makes the company, or finds it where the same one is there already: the command may run twice."""
    code = code or re.sub(r"[^A-Z0-9]", "", name.upper().split()[0] if name.split() else "")[:12]
    if not re.fullmatch(r"[A-Z0-9]{1,24}", code):
        raise Refused(
            f"The code {code!r} will not do: give --code with 1 to 24 capitals and digits.", rule="code"
        )
    with hub() as db, db.unit_of_work() as uow:
        uow.cursor().execute(
            "INSERT INTO company (kind, code, name) VALUES (%s, %s, %s) ON CONFLICT (code) DO NOTHING",
            [kind, code, name],
        )
        there = uow.session.query(Company).filter(Company.code == code).one()
        if (there.kind, there.name) != (kind, name):
            raise Refused(
                f"The code {code} belongs to {there.kind} {there.name!r}: give another with --code.",
                rule="code",
            )
        return {"id": there.id, "kind": kind, "code": code, "name": name}
