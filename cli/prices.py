"""`entrepot price rule` and `entrepot rates`: how a seller prices, tried out before it counts, and exchange rates."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import spread
from cli.output import GREATEST, AsJson, hub, show
from core.errors import Refused
from core.settings import load
from models.companies import find_company
from models.shops import PriceRule, find_shop
from pipelines.listings.pricing.price import plain
from pipelines.listings.pricing.rules import (
    RuleAsked,
    RuleChange,
    add_rule,
    change_rule,
    end_rule,
    found_rule,
    seller_rules,
    try_out,
)
from pipelines.making import asked_for, currency_of

price = typer.Typer(no_args_is_help=True, help="Prices: the rules by which sellers price.")
rule = typer.Typer(
    no_args_is_help=True, help="Price rules: the lowest priority that fits a product prices it."
)
rates = typer.Typer(no_args_is_help=True, help="Exchange rates: the European Central Bank's, as loaded.")
price.add_typer(rule, name="rule")

RATES = """
SELECT DISTINCT ON (currency) currency, per_euro, day FROM currency_rate WHERE %s::text IS NULL
ORDER BY currency, day DESC LIMIT %s"""
DAYS = "SELECT currency, per_euro, day FROM currency_rate WHERE currency = %s ORDER BY day DESC LIMIT %s"

RuleNumber = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The rule's number.")]
Priority = Annotated[
    int | None,
    typer.Option(min=-GREATEST, max=GREATEST, help="The lowest that fits prices; 100 where nothing is said."),
]


@dataclass(frozen=True, slots=True)
class Formula:
    """How a price is made, as far as it is said; "none" takes a limit or a pattern away."""

    base: Annotated[str | None, typer.Option(help="What the price starts from: cost, price or rrp.")] = None
    margin: Annotated[str | None, typer.Option(help="Per cent on it.")] = None
    tier: Annotated[
        list[str] | None,
        typer.Option(help="FROM:PERCENT instead of one margin, several times: --tier 0:50 --tier 10:30"),
    ] = None
    add_on: Annotated[
        str | None, typer.Option(help="An amount of the shop's currency on top, without tax.")
    ] = None
    round_to: Annotated[
        str | None,
        typer.Option(help="How prices end (0.99, 0.95, 9.90), or a step (0.05, 1); none: as it comes."),
    ] = None
    rounding: Annotated[str | None, typer.Option(help="up or nearest.")] = None
    rrp_cap: Annotated[bool | None, typer.Option(help="Never above the recommended retail price.")] = None
    map_floor: Annotated[
        bool | None, typer.Option(help="Never below the lowest price that the supplier allows.")
    ] = None
    minimum_margin: Annotated[
        str | None, typer.Option(help="At least so many per cent on the cost; none: no such limit.")
    ] = None
    compare_at: Annotated[
        str | None, typer.Option(help="rrp: shown struck through where it is higher; none.")
    ] = None
    tax: Annotated[
        str | None, typer.Option(help="Per cent of tax instead of the shop's own; none: the shop's.")
    ] = None

    def of(self, before: dict[str, Any]) -> dict[str, Any]:
        """The formula's document, with what is said in the place of what was."""
        given: dict[str, Any] = {
            "base": self.base, "margin_percent": self.margin, "add_on": self.add_on, "rrp_cap": self.rrp_cap,
            "map_floor": self.map_floor, "minimum_margin_percent": self.minimum_margin, "compare_at": self.compare_at,
            "tax_percent": self.tax,
        }  # fmt: skip
        made = {**before, **{name: value for name, value in given.items() if value is not None}}
        if self.tier:
            made.pop("margin_percent", None)
            made["tiers"] = [
                dict(zip(("from", "percent"), one.split(":", 1), strict=False)) for one in self.tier
            ]
        elif self.margin is not None:
            made.pop("tiers", None)
        if self.round_to is not None or self.rounding is not None:
            made["rounding"] = {
                **before.get("rounding", {}), **({"to": self.round_to} if self.round_to is not None else {}),
                **({"way": self.rounding} if self.rounding is not None else {}),
            }  # fmt: skip
        if self.round_to == "none":
            del made["rounding"]
        return {
            name: value for name, value in made.items()
            if not (value == "none" and name in ("minimum_margin_percent", "tax_percent"))
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule concerns, as far as it is said."""

    shop: Annotated[str | None, typer.Option(help="Only in this shop.")] = None
    supplier: Annotated[str | None, typer.Option(help="Only this supplier's products.")] = None
    category: Annotated[str | None, typer.Option(help="Only this category and all below it.")] = None
    brand: Annotated[str | None, typer.Option(help="Only this brand.")] = None
    kind: Annotated[str | None, typer.Option(help="Only goods, service or digital.")] = None

    @property
    def said(self) -> dict[str, str]:
        """The parts that are said, "" among them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@rule.command("add")
@spread
def add(
    seller: Annotated[str, typer.Argument(help="The seller's name, code or number.")],
    name: Annotated[str, typer.Argument(help="What to call the rule.")],
    formula: Formula, scope: Scope, priority: Priority = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Makes a price rule; the listings it concerns are planned anew, and pushed where the shop is live."""
    asked = asked_for(RuleAsked, {
        "name": name, "scope": scope.said, "formula": formula.of({}),
        **({"priority": priority} if priority is not None else {}),
    })  # fmt: skip
    with hub() as db, db.unit_of_work() as uow:
        answer = _described(add_rule(uow, find_company(uow.session, "seller", seller).id, asked))
    show(answer, as_json)


@rule.command("change")
@spread
def change(
    number: RuleNumber, name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    *, formula: Formula, scope: Scope, priority: Priority = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Changes what is given of a rule; an empty text ('') takes a part of its scope away."""
    with hub() as db, db.unit_of_work() as uow:
        there = found_rule(uow, number)
        merged = {**there.scope, **scope.said}
        wish = {
            "name": name,
            "priority": priority,
            "formula": formula.of(there.formula),
            "scope": {name: value for name, value in merged.items() if value != ""},
        }
        answer = _described(change_rule(uow, number, asked_for(RuleChange, wish)))
    show(answer, as_json)


@rule.command("list")
def list_rules(
    seller: Annotated[str, typer.Argument(help="The seller's name, code or number.")], as_json: AsJson = False
) -> None:
    """A seller's rules in the order in which they are asked."""
    with hub() as db, db.unit_of_work() as uow:
        rows = [
            _described(one)
            for one in seller_rules(uow.session, find_company(uow.session, "seller", seller).id)
        ]
    show({"rules": rows}, as_json)


@rule.command("remove")
def remove(number: RuleNumber, as_json: AsJson = False) -> None:
    """Ends a rule: the next one that fits prices from now on, or the selection's margin."""
    with hub() as db, db.unit_of_work() as uow:
        end_rule(uow, number)
    show({"id": number, "removed": True}, as_json)


@rule.command("try")
@spread
def try_rule(
    shop: Annotated[str, typer.Argument(help="The shop's name or number.")],
    sku: Annotated[str, typer.Argument(help="The hub's SKU of a product that is offered.")],
    formula: Formula, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What a product costs in a shop, step by step: by the rules there are, or by what is given here. Nothing is stored."""
    said = formula.of({})
    asked = asked_for(RuleAsked, {"name": "tried", "formula": said}) if said else None
    with hub() as db, db.unit_of_work() as uow:
        answer = try_out(uow, find_shop(uow.session, shop).id, sku, asked)
    if not as_json:
        answer = {
            name: answer[name] for name in ("sku", "title", "price", "currency", "compare_at", "problem")
        } | {"because": [{"step": sentence} for sentence in answer["sentences"]]}
    show(answer, as_json)


@rates.command("load")
def load_rates(
    file: Annotated[
        Path | None, typer.Argument(help="eurofxref-daily.xml, eurofxref-hist.zip, or the same as CSV.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--from", help="Fetch it from this address of the web instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Loads the European Central Bank's rates; shops that price by them follow."""
    from connectors.rates import read_rates
    from pipelines.listings.pricing.rates import fetched, store

    if file is not None and url is not None:
        raise Refused("Name a file or --from URL, not both.", rule="usage")
    if file is not None:
        try:
            found = read_rates(file.read_bytes())
        except OSError as error:
            raise Refused(f"{file} cannot be read: {error.strerror or error}.", rule="unreadable") from None
    else:
        found = fetched(url or load().rates_url)
    with hub() as db, db.unit_of_work() as uow:
        loaded = store(uow, found)
    show({"rates": loaded.rates, "changed": loaded.changed, "newest": str(loaded.newest)}, as_json)


@rates.command("list")
def list_rates(
    currency: Annotated[str | None, typer.Option(help="Only this currency, its days backwards.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest rate of each currency: how many of it are one euro."""
    wanted = currency_of(currency)
    with hub() as db, db.unit_of_work() as uow:
        found = uow.cursor().execute(RATES if wanted is None else DAYS, [wanted, limit])
        rows = [{"currency": name, "per_euro": plain(rate), "day": str(day)} for name, rate, day in found]
    show({"rates": rows}, as_json)


def _described(one: PriceRule) -> dict[str, Any]:
    return {
        "id": one.id,
        "priority": one.priority,
        "name": one.name,
        "scope": one.scope,
        "formula": one.formula,
    }
