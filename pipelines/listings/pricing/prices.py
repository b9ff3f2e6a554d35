"""The prices of one shop: which rule fits a listing, and what `why` stores of how its price was made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from psycopg import Cursor

from core.clock import now
from core.settings import load
from models.shops import Shop
from pipelines.listings.pricing.formula import Formula
from pipelines.listings.pricing.price import Blocked, Calculation, Cost, Priced, Rate, Terms, plain
from pipelines.listings.settings import ShopSettings, settings_of

RULES = """
SELECT id, name, scope, formula FROM price_rule
WHERE seller_id = %s AND coalesce((scope->>'shop')::int, %s) = %s ORDER BY priority, id"""

RATES = "SELECT DISTINCT ON (currency) currency, per_euro, day FROM currency_rate ORDER BY currency, day DESC"


@dataclass(frozen=True, slots=True)
class Rule:
    """A seller's price rule. `scope` has "supplier" (id), "category" (path or head), "brand" and "kind"; all must fit."""

    id: int
    name: str
    scope: Mapping[str, Any]
    formula: Formula

    def fits(self, supplier: int, category: str | None, brand: str | None, kind: str) -> bool:
        """Whether it prices such a product; brands are compared without regard to case."""
        scope, path = self.scope, category or ""
        head = scope.get("category")
        return (
            scope.get("supplier") in (None, supplier)
            and (head is None or path == head or path.startswith(head + " > "))
            and ("brand" not in scope or scope["brand"].casefold() == (brand or "").casefold())
            and scope.get("kind") in (None, kind)
        )


class Pricing:
    """Prices the listings of a shop by the first rule that fits, else by their selection's margin."""

    def __init__(self, terms: Terms, rules: Sequence[Rule]) -> None:
        self._terms, self._rules = terms, rules
        self._chosen: dict[tuple[Any, ...], Rule | None] = {}
        self._made: dict[int | Decimal, Calculation] = {}

    @property
    def currency(self) -> str:
        """The shop's."""
        return self._terms.currency

    def with_first(self, rule: Rule, shop_id: int) -> "Pricing":
        """The same with one more rule before all others, where it is for this shop."""
        mine = rule.scope.get("shop") in (None, shop_id)
        return Pricing(self._terms, [rule, *self._rules] if mine else self._rules)

    def of(self, row: Mapping[str, Any]) -> tuple[Priced | Blocked, dict[str, Any]]:
        """The price of a plan's row, and what `why` stores.

        `row` has cost, currency, price, rrp, lowest, taxed of the offer; supplier_id, category, brand, kind; offer_id,
        selection_id and the selection's margin_percent.
        """
        rule = self.rule(row)
        cost = Cost(row["cost"], row["currency"], row["price"], row["rrp"], row["lowest"], row["taxed"])
        priced = self._calculation(rule, row["margin_percent"]).price(cost)
        why: dict[str, Any] = {
            "cost": plain(cost.amount) if cost.amount is not None else None, "currency": cost.currency,
            "selection": row["selection_id"], "offer": row["offer_id"], "steps": priced.steps,
        }  # fmt: skip
        if rule is None:
            why["margin_percent"] = str(row["margin_percent"])
        else:
            why["rule"], why["rule_name"] = rule.id, rule.name
            if isinstance(priced, Priced):
                why["margin_percent"] = plain(priced.margin_percent)
        return priced, why

    def rule(self, row: Mapping[str, Any]) -> Rule | None:
        """The first rule that fits, None where the selection's margin counts."""
        key = (row["supplier_id"], row["category"], row["brand"], row["kind"])
        if key not in self._chosen:
            self._chosen[key] = next((rule for rule in self._rules if rule.fits(*key)), None)
        return self._chosen[key]

    def _calculation(self, rule: Rule | None, margin: Decimal) -> Calculation:
        key = margin if rule is None else rule.id
        if key not in self._made:
            formula = rule.formula if rule else Formula(margin_percent=margin)
            self._made[key] = Calculation(formula, self._terms)
        return self._made[key]


def pricing_of(cursor: Cursor[Any], shop: Shop) -> Pricing:
    """What prices a stored shop's listings today."""
    rows = cursor.execute(RULES, [shop.seller_id, shop.id, shop.id]).fetchall()
    return Pricing(terms_of(cursor, shop, settings_of(shop)), [rule_of(*row) for row in rows])


def rule_of(number: int, name: str, scope: Mapping[str, Any], formula: Mapping[str, Any]) -> Rule:
    """A rule from its stored columns."""
    return Rule(number, name, scope, Formula.read(formula))


def terms_of(cursor: Cursor[Any], shop: Shop, settings: ShopSettings) -> Terms:
    """The shop's currency and tax, and the newest stored rates."""
    said = settings.prices_include_tax
    rates = cursor.execute(RATES).fetchall()
    return Terms(
        currency=shop.currency,
        taxed=bool(shop.facts.get("prices_include_tax")) if said is None else said,
        tax_percent=settings.tax_percent,
        rates={currency: Rate(per_euro, day) for currency, per_euro, day in rates},
        oldest=now().date() - timedelta(days=load().rate_days),
    )
