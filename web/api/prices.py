"""/api/v1: how sellers price, tried out before it counts, and exchange rates."""

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from connectors.rates import read_rates
from core.errors import there_is
from models.companies import Company
from models.shops import PriceRule
from pipelines.listings.pricing.price import plain
from pipelines.listings.pricing.rates import store
from pipelines.listings.pricing.rules import (
    RuleAsked,
    RuleChange,
    add_rule,
    change_rule,
    end_rule,
    seller_rules,
    try_out,
)
from web.api.keys import FileSent, takes_file
from web.deps import Db
from web.queries.prices import newest_rates

router = APIRouter(tags=["Prices"])


class RuleView(BaseModel):
    """A price rule. `scope` names what it is for, shop and supplier by number; `formula` what differs from the usual."""

    id: int
    seller_id: int
    name: str
    priority: int
    scope: dict[str, Any]
    formula: dict[str, Any]


class Rules(BaseModel):
    """A seller's rules in the order in which they are asked: the first that fits prices."""

    rules: list[RuleView]


class TryAsked(BaseModel):
    """A product by the hub's SKU, and a rule to be tried before all that are stored."""

    model_config = ConfigDict(extra="forbid")
    sku: str = Field(max_length=200)
    rule: RuleAsked | None = None


class Tried(BaseModel):
    """What a product costs in a shop, or why it has no price. `steps` are [what, before, after, by what]."""

    sku: str
    title: str
    supplier: str
    price: str | None
    currency: str
    compare_at: str | None
    problem: str | None
    rule: int | None
    rule_name: str | None
    steps: list[tuple[str, str | None, str | None, str | None]]
    sentences: list[str]


class RateView(BaseModel):
    """How many of a currency one euro is; `used` where a supplier asks it or a shop sells in it."""

    currency: str
    per_euro: str
    day: date
    used: bool


class Rates(BaseModel):
    """The newest rate of each currency."""

    rates: list[RateView]


class LoadedView(BaseModel):
    """What a file brought: `changed` rates are new or other than before."""

    rates: int
    changed: int
    newest: date


@router.get("/sellers/{seller_id}/price-rules")
def list_rules(db: Db, seller_id: int) -> Rules:
    """A seller's price rules."""
    with db.unit_of_work() as uow:
        _seller(uow.session.get(Company, seller_id), seller_id)
        return Rules(rules=[_view(rule) for rule in seller_rules(uow.session, seller_id)])


@router.post("/sellers/{seller_id}/price-rules", status_code=201)
def make_rule(db: Db, seller_id: int, body: RuleAsked) -> RuleView:
    """Makes a price rule; the shops it concerns follow by themselves."""
    with db.unit_of_work() as uow:
        _seller(uow.session.get(Company, seller_id), seller_id)
        return _view(add_rule(uow, seller_id, body))


@router.patch("/price-rules/{rule_id}")
def patch_rule(db: Db, rule_id: int, body: RuleChange) -> RuleView:
    """Changes what is given of a rule, scope and formula as a whole."""
    with db.unit_of_work() as uow:
        return _view(change_rule(uow, rule_id, body))


@router.delete("/price-rules/{rule_id}", status_code=204)
def delete_rule(db: Db, rule_id: int) -> None:
    """Ends a rule: the next one that fits prices, or the selection's margin."""
    with db.unit_of_work() as uow:
        end_rule(uow, rule_id)


@router.post("/shops/{shop_id}/prices/try")
def try_price(db: Db, shop_id: int, body: TryAsked) -> Tried:
    """What a product costs in a shop now, step by step. Nothing is stored."""
    with db.unit_of_work() as uow:
        return Tried(**try_out(uow, shop_id, body.sku, body.rule))


@router.get("/rates")
def list_rates(db: Db) -> Rates:
    """The newest exchange rates."""
    with db.unit_of_work() as uow:
        rows = newest_rates(uow.cursor())
    return Rates(rates=[RateView(**{**row, "per_euro": plain(row["per_euro"])}) for row in rows])


@router.put("/rates", openapi_extra=takes_file("application/xml"))
def put_rates(db: Db, content: FileSent) -> LoadedView:
    """Loads the European Central Bank's file: daily or history, XML or CSV, zipped or not."""
    found = read_rates(content)
    with db.unit_of_work() as uow:
        return LoadedView.model_validate(store(uow, found), from_attributes=True)


def _seller(found: Company | None, number: int) -> None:
    there_is(found if found and found.kind == "seller" else None, f"Seller {number}")


def _view(rule: PriceRule) -> RuleView:
    return RuleView.model_validate(rule, from_attributes=True)
