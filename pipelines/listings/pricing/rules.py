"""Price rules as people keep them: made, changed, ended and tried out; the shops they concern follow."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from psycopg import Cursor
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from core.database import UnitOfWork
from core.errors import Refused, there_is
from models.companies import find_company
from models.events import ListingsDue
from models.shops import PriceRule, Shop, find_shop
from pipelines.listings.draft import shop_category
from pipelines.listings.pricing.explained import told
from pipelines.listings.pricing.formula import Formula
from pipelines.listings.pricing.price import Blocked, written
from pipelines.listings.pricing.prices import Pricing, pricing_of, rule_of
from pipelines.listings.settings import settings_of

KINDS = ("goods", "service", "digital")
SHOPS = "SELECT id FROM shop WHERE seller_id = %s AND id = coalesce(%s, id) ORDER BY id"


class Scope(BaseModel):
    """What a rule prices: all that is said must fit. `shop` and `supplier` by id, code or name; nothing: all of the seller."""

    model_config = ConfigDict(extra="forbid")
    shop: str | int | None = None
    supplier: str | int | None = None
    category: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    brand: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    kind: Literal["goods", "service", "digital"] | None = None


class RuleAsked(BaseModel):
    """A rule as a person asks for it. The lowest `priority` that fits prices; among equals the oldest."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    priority: int = Field(100, ge=0, le=1_000_000)
    scope: Scope = Scope()
    formula: dict[str, Any] = {}


class RuleChange(BaseModel):
    """What is given replaces what was; scope and formula as a whole."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(None, min_length=1, max_length=100)
    priority: int | None = Field(None, ge=0, le=1_000_000)
    scope: Scope | None = None
    formula: dict[str, Any] | None = None


def add_rule(uow: UnitOfWork, seller_id: int, asked: RuleAsked) -> PriceRule:
    """Makes a rule. Raises Refused where its scope or formula cannot be."""
    rule = PriceRule(
        seller_id=seller_id, name=_named(asked.name), priority=asked.priority, scope=_scope(uow.session, seller_id, asked.scope),
        formula=Formula.read(asked.formula).stored(),
    )  # fmt: skip
    uow.session.add(rule)
    uow.session.flush()
    _ring(uow, seller_id, rule.scope)
    return rule


def change_rule(uow: UnitOfWork, rule_id: int, asked: RuleChange) -> PriceRule:
    """Changes a rule; the shops of its old scope and of its new one follow."""
    rule = found_rule(uow, rule_id)
    before = (rule.priority, rule.scope, rule.formula)
    rule.name = _named(asked.name) if asked.name is not None else rule.name
    rule.priority = asked.priority if asked.priority is not None else rule.priority
    if asked.scope is not None:
        rule.scope = _scope(uow.session, rule.seller_id, asked.scope)
    if asked.formula is not None:
        rule.formula = Formula.read(asked.formula).stored()
    if before != (rule.priority, rule.scope, rule.formula):
        _ring(uow, rule.seller_id, before[1], rule.scope)
    uow.session.flush()
    return rule


def end_rule(uow: UnitOfWork, rule_id: int) -> None:
    """Ends a rule: the next one that fits prices from now on, or the selection's margin."""
    rule = found_rule(uow, rule_id)
    uow.session.delete(rule)
    uow.session.flush()
    _ring(uow, rule.seller_id, rule.scope)


def seller_rules(session: Session, seller_id: int) -> list[PriceRule]:
    """A seller's rules in the order in which they are asked."""
    rules = session.query(PriceRule).filter_by(seller_id=seller_id)
    return rules.order_by(PriceRule.priority, PriceRule.id).all()


def found_rule(uow: UnitOfWork, rule_id: int) -> PriceRule:
    """The rule, locked. Raises Refused where it is not there."""
    return there_is(
        uow.session.get(PriceRule, rule_id, with_for_update={"key_share": True}), f"Price rule {rule_id}"
    )


TRIED = """
SELECT v.id AS variant_id, v.sku, v.title, p.category, p.brand, p.kind, o.id AS offer_id, o.cost, o.currency, o.price, o.rrp,
  (o.details->>'map_price')::numeric AS lowest, (o.details->>'price_includes_tax')::bool AS taxed,
  o.supplier_id, c.name AS supplier, s.id AS selection_id, coalesce(s.margin_percent, 0) AS margin_percent
FROM variant v JOIN product p ON p.id = v.product_id
JOIN LATERAL (
  SELECT * FROM offer x WHERE x.variant_id = v.id AND x.state = 'offered'
  ORDER BY (x.currency = %(currency)s) IS TRUE DESC, x.free > 0 DESC, x.cost IS NULL, x.cost, x.id LIMIT 1) o ON true
JOIN company c ON c.id = o.supplier_id
LEFT JOIN selection s ON s.id = (SELECT l.selection_id FROM listing l WHERE l.shop_id = %(shop)s AND l.variant_id = v.id)
WHERE lower(v.sku) = lower(%(sku)s)"""
"""A variant with the offer that a plan of the shop would choose."""


def try_out(uow: UnitOfWork, shop_id: int, sku: str, asked: RuleAsked | None = None) -> dict[str, Any]:
    """What a SKU would cost in a shop now, step by step; `asked` is tried before all stored rules. Nothing is stored.

    Raises Refused where no supplier offers it.
    """
    shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
    cursor: Cursor[Any] = uow.cursor()
    facts = {"shop": shop.id, "currency": shop.currency, "sku": sku.strip()}
    row = cursor.connection.cursor(row_factory=dict_row).execute(TRIED, facts).fetchone()
    if row is None:
        raise Refused(
            f"No supplier offers {sku!r} now: try the SKU of a product that is offered.", rule="not_found"
        )
    pricing = pricing_of(cursor, shop)
    if asked is not None:
        tried = rule_of(
            0,
            asked.name,
            _scope(uow.session, shop.seller_id, asked.scope),
            Formula.read(asked.formula).stored(),
        )
        pricing = pricing.with_first(tried, shop.id)
    return {**_told(row, pricing), "category": " > ".join(shop_category(row["category"], settings_of(shop)))}


def _told(row: Mapping[str, Any], pricing: Pricing) -> dict[str, Any]:
    priced, why = pricing.of(row)
    return {
        "sku": row["sku"], "title": row["title"], "supplier": row["supplier"], "offer": row["offer_id"],
        "price": None if isinstance(priced, Blocked) else written(priced.price),
        "currency": pricing.currency,
        "compare_at": written(priced.compare_at) if not isinstance(priced, Blocked) and priced.compare_at else None,
        "problem": priced.problem if isinstance(priced, Blocked) else None,
        "rule": why.get("rule"), "rule_name": why.get("rule_name"), "steps": [list(step) for step in priced.steps],
        "sentences": told(why, pricing.currency),
        "chosen": row["selection_id"] is not None,
    }  # fmt: skip


def _named(name: str) -> str:
    if not (shown := " ".join(name.split())):
        raise Refused("A rule needs a name, so that a price can say which one made it.", rule="name")
    return shown


def _scope(session: Session, seller_id: int, asked: Scope) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    if asked.shop not in (None, ""):
        shop = find_shop(session, str(asked.shop))
        if shop.seller_id != seller_id:
            raise Refused(f"Shop {shop.name!r} belongs to another seller.", rule="scope")
        scope["shop"] = shop.id
    if asked.supplier not in (None, ""):
        scope["supplier"] = find_company(session, "supplier", str(asked.supplier)).id
    if asked.category:
        scope["category"] = " > ".join(part.strip() for part in asked.category.split(">"))
    if asked.brand:
        scope["brand"] = asked.brand.strip()
    if asked.kind:
        scope["kind"] = asked.kind
    return scope


def _ring(uow: UnitOfWork, seller_id: int, *scopes: Mapping[str, Any]) -> None:
    named = {scope.get("shop") for scope in scopes}
    shops = {
        shop_id
        for only in ({None} if None in named else named)
        for (shop_id,) in uow.cursor().execute(SHOPS, [seller_id, only]).fetchall()
    }
    for shop_id in sorted(shops):
        uow.emit(ListingsDue(tenant=seller_id, lane=f"shop:{shop_id}", shop_id=shop_id))
