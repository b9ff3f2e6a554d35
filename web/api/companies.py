"""/api/v1: companies, suppliers, sellers."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from models.companies import Company
from pipelines.making import make_company
from web.api.keys import After, Limit, Page
from web.deps import Db
from web.tables import Ask, Column, paged

router = APIRouter(tags=["Companies"])
COLUMNS = {"id": Column(Company.id)}
Kind = Literal["supplier", "seller"]


class NewCompany(BaseModel):
    """`code` heads the SKUs a supplier brings: 1 to 24 capitals and digits; made from the name where absent."""

    name: str = Field(max_length=200)
    code: str | None = None


class CompanyView(BaseModel):
    """The hub (id 1), a supplier or a seller."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    kind: Literal["hub", "supplier", "seller"]
    code: str
    name: str
    created_at: datetime


class Companies(Page):
    """A page of companies."""

    companies: list[CompanyView]


@router.get("/companies")
def list_companies(
    request: Request,
    db: Db,
    kind: Literal["hub", "supplier", "seller"] | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Companies:
    """All companies, or those of one kind."""
    ask = Ask(request, default="id")
    ask.sort = "id"
    statement = select(Company.id, Company.kind, Company.code, Company.name, Company.created_at)
    with db.unit_of_work() as uow:
        rows = paged(
            uow.session,
            statement.where(Company.kind == kind) if kind else statement,
            COLUMNS,
            Company.id,
            ask,
            limit,
        )
    return Companies(companies=[CompanyView.model_validate(dict(row)) for row in rows.rows], after=rows.after)


@router.get("/suppliers")
def list_suppliers(request: Request, db: Db, limit: Limit = 50, after: After = None) -> Companies:
    """Every supplier."""
    return list_companies(request, db, "supplier", limit, after)


@router.get("/sellers")
def list_sellers(request: Request, db: Db, limit: Limit = 50, after: After = None) -> Companies:
    """Every seller."""
    return list_companies(request, db, "seller", limit, after)


@router.post("/suppliers", status_code=201)
def add_supplier(db: Db, body: NewCompany) -> CompanyView:
    """Takes a supplier in; the same again gives the same."""
    return _add(db, "supplier", body)


@router.post("/sellers", status_code=201)
def add_seller(db: Db, body: NewCompany) -> CompanyView:
    """Takes a seller in; the same again gives the same."""
    return _add(db, "seller", body)


def _add(db: Db, kind: Kind, body: NewCompany) -> CompanyView:
    with db.unit_of_work() as uow:
        return CompanyView.model_validate(make_company(uow, kind, body.name, body.code))
