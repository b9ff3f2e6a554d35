"""`entrepot company|supplier|seller`: who takes part."""

from typing import Annotated, Any, Literal

import typer
from psycopg.rows import dict_row

from cli.output import AsJson, hub, rows_of, show
from models.companies import Company
from pipelines.making import make_company

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


def add(kind: Literal["supplier", "seller"], name: str, code: str | None) -> dict[str, object]:
    """Makes the company, or finds it where the same one is there already: the command may run twice."""
    with hub() as db, db.unit_of_work() as uow:
        made = make_company(uow, kind, name, code)
        return {"id": made.id, "kind": kind, "code": made.code, "name": made.name}
