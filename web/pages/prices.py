"""Prices: a seller's rules in the order in which they are asked, one rule's form, a try-out, and exchange rates."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import select
from starlette.datastructures import UploadFile

from connectors.rates import LARGEST, read_rates
from core.database import Database, UnitOfWork
from core.errors import EntrepotError, Refused, there_is
from models.companies import Company
from models.shops import PriceRule, Shop
from pipelines.listings.pricing.rates import store
from pipelines.listings.pricing.rules import RuleAsked, RuleChange, add_rule, change_rule, end_rule, try_out
from pipelines.listings.pricing.words import from_form, in_words, to_form
from pipelines.listings.settings import settings_of as settings_read
from pipelines.making import asked_for
from web.deps import CheckedForm, Db, Session, check_token, go, page, settings_of
from web.queries.prices import newest_rates, rule_rows

router = APIRouter(prefix="/shops/prices")
NEW = {"priority": "100", "base": "cost", "map_floor": "1", "way": "nearest"}


async def sent_fields(request: Request) -> Mapping[str, str]:
    """A form of many fields as it was sent."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


Fields = Annotated[Mapping[str, str], Depends(sent_fields)]


@router.get("")
def show(request: Request, db: Db, session: Session) -> Response:
    """The rules of a seller, the first one's where none is named; with `shop` and `sku` what a product costs there."""
    query = request.query_params
    with db.unit_of_work() as uow:
        sellers = _sellers(uow)
        seller = _seller(sellers, query.get("seller", ""))
        rows = rule_rows(uow.session, seller.id) if seller else []
        shops = _shops(uow, seller.id) if seller else []
        rates = newest_rates(uow.cursor())
        sku, shop = query.get("sku", "").strip()[:200], _number(query.get("shop", ""))
        tried = _tried(uow, shop, sku, None) if sku and any(one.id == shop for one in shops) else None
    return page(
        request, "prices.html", title="Prices", sellers=sellers, seller=seller, rows=rows, shops=shops, rates=rates, tried=tried, sku=sku,
        tried_shop=shop, in_words=in_words, untaxed=[one for one in shops if _untaxed(one)], fetched=bool(settings_of(request).rates_url), rate_days=settings_of(request).rate_days,
    )  # fmt: skip


@router.get("/new")
def begin(request: Request, db: Db, session: Session, seller: int) -> Response:
    """The form of a new rule."""
    return _form(request, db, seller, None, NEW)


@router.get("/{rule_id}")
def show_rule(request: Request, db: Db, session: Session, rule_id: int) -> Response:
    """The form of a rule there is."""
    with db.unit_of_work() as uow:
        rule = there_is(uow.session.get(PriceRule, rule_id), f"Price rule {rule_id}")
    return _form(
        request, db, rule.seller_id, rule, to_form(rule.name, rule.priority, rule.scope, rule.formula)
    )


@router.post("/try")
def try_rule(request: Request, db: Db, session: CheckedForm, fields: Fields) -> Response:
    """What a product would cost by the form as it stands; nothing is stored."""
    seller_id, rule_id = _number(fields.get("seller", "")), _number(fields.get("rule", ""))
    with db.unit_of_work() as uow:
        rule = there_is(uow.session.get(PriceRule, rule_id), f"Price rule {rule_id}") if rule_id else None
        if rule is not None:
            seller_id = rule.seller_id
        shop, sku = _number(fields.get("try_shop", "")), fields.get("try_sku", "").strip()
        mine = any(one.id == shop for one in _shops(uow, seller_id))
        tried = (
            _tried(uow, shop, sku, fields)
            if mine and sku
            else {"problem": "Name a shop and a SKU to try it on."}
        )
    return _form(request, db, seller_id, rule, fields, tried)


@router.post("/rates")
async def load_rates(request: Request, db: Db, session: Session) -> Response:
    """Takes the European Central Bank's file."""
    async with request.form(max_files=1, max_fields=5) as form:
        check_token(session, str(form.get("csrf", "")))
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refused("No file was chosen: choose the bank's file first.", rule="missing")
        content = await file.read(LARGEST + 1)
    await run_in_threadpool(_store, db, content)
    return go("/shops/prices", "rates")


@router.post("")
def add(request: Request, db: Db, session: CheckedForm, fields: Fields) -> Response:
    """Makes a rule."""
    seller_id = _number(fields.get("seller", ""))
    try:
        with db.unit_of_work() as uow:
            there_is(uow.session.get(Company, seller_id), f"Seller {seller_id}")
            add_rule(uow, seller_id, asked_for(RuleAsked, from_form(fields)))
    except Refused as error:
        return _form(request, db, seller_id, None, fields, refused=str(error))
    return go(f"/shops/prices?seller={seller_id}", "ruled")


@router.post("/{rule_id}")
def change(request: Request, db: Db, session: CheckedForm, rule_id: int, fields: Fields) -> Response:
    """Changes a rule."""
    try:
        with db.unit_of_work() as uow:
            seller_id = change_rule(uow, rule_id, asked_for(RuleChange, from_form(fields))).seller_id
    except Refused as error:
        with db.unit_of_work() as uow:
            rule = there_is(uow.session.get(PriceRule, rule_id), f"Price rule {rule_id}")
        return _form(request, db, rule.seller_id, rule, fields, refused=str(error))
    return go(f"/shops/prices?seller={seller_id}", "ruled")


@router.post("/{rule_id}/end")
def end(
    request: Request, db: Db, session: CheckedForm, rule_id: int, seller: Annotated[int, Form()]
) -> Response:
    """Ends a rule."""
    with db.unit_of_work() as uow:
        end_rule(uow, rule_id)
    return go(f"/shops/prices?seller={seller}", "unruled")


def _form(
    request: Request, db: Db, seller_id: int, rule: PriceRule | None, fields: Mapping[str, str],
    tried: dict[str, Any] | None = None, refused: str | None = None,
) -> Response:  # fmt: skip
    with db.unit_of_work() as uow:
        seller = there_is(
            next((one for one in _sellers(uow) if one.id == seller_id), None), f"Seller {seller_id}"
        )
        shops = _shops(uow, seller_id)
        suppliers = uow.session.execute(
            select(Company.id, Company.name)
            .where(Company.kind == "supplier")
            .order_by(Company.name)
            .limit(500)
        ).all()
    return page(
        request, "price_rule.html", status=422 if refused else 200, title=rule.name if rule else "New price rule", seller=seller, rule=rule,
        shops=shops, fields=fields, tried=tried, refused=refused, shop_options=_options(shops), supplier_options=_options(suppliers),
    )  # fmt: skip


def _store(db: Database, content: bytes) -> None:
    found = read_rates(content)
    with db.unit_of_work() as uow:
        store(uow, found)


def _options(rows: Sequence[Any]) -> list[tuple[str, str]]:
    return [("", "all of them"), *((str(one.id), one.name) for one in rows)]


def _tried(uow: UnitOfWork, shop_id: int, sku: str, fields: Mapping[str, str] | None) -> dict[str, Any]:
    """The try-out, or {"problem"} where it cannot be."""
    try:
        asked = asked_for(RuleAsked, {**from_form(fields), "name": "tried"}) if fields is not None else None
        return try_out(uow, shop_id, sku, asked)
    except EntrepotError as error:
        return {"problem": str(error)}


def _sellers(uow: UnitOfWork) -> list[Any]:
    named = (
        select(Company.id, Company.name).where(Company.kind == "seller").order_by(Company.name, Company.id)
    )
    return list(uow.session.execute(named).all())


def _seller(sellers: list[Any], asked: str) -> Any:
    return next((one for one in sellers if str(one.id) == asked), sellers[0] if sellers else None)


def _shops(uow: UnitOfWork, seller_id: int) -> list[Any]:
    mine = select(Shop.id, Shop.name, Shop.currency, Shop.facts, Shop.settings).where(
        Shop.seller_id == seller_id
    )
    return list(uow.session.execute(mine.order_by(Shop.name, Shop.id)).all())


def _untaxed(shop: Any) -> bool:
    """Whether its prices include tax and nobody said how much."""
    settings = settings_read(shop)
    taxed = settings.prices_include_tax
    return settings.tax_percent is None and (
        bool(shop.facts.get("prices_include_tax")) if taxed is None else taxed
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
