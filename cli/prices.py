"""`entrepot price rule` and `entrepot rates`: how a seller prices, tried out before it counts, and exchange rates."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import AsJson, hub, show
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
from pipelines.making import asked_for

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
Base = Annotated[str | None, typer.Option(help="What the price starts from: cost, price or rrp.")]
Margin = Annotated[str | None, typer.Option(help="Per cent on it.")]
Tier = Annotated[
    list[str] | None,
    typer.Option(help="FROM:PERCENT instead of one margin, several times: --tier 0:50 --tier 10:30"),
]
AddOn = Annotated[str | None, typer.Option(help="An amount of the shop's currency on top, without tax.")]
RoundTo = Annotated[
    str | None,
    typer.Option(help="How prices end (0.99, 0.95, 9.90), or a step (0.05, 1); none: as it comes."),
]
Round = Annotated[str | None, typer.Option(help="up or nearest.")]
RrpCap = Annotated[bool | None, typer.Option(help="Never above the recommended retail price.")]
MapFloor = Annotated[bool | None, typer.Option(help="Never below the lowest price that the supplier allows.")]
Minimum = Annotated[
    str | None, typer.Option(help="At least so many per cent on the cost; none: no such limit.")
]
CompareAt = Annotated[str | None, typer.Option(help="rrp: shown struck through where it is higher; none.")]
Tax = Annotated[str | None, typer.Option(help="Per cent of tax instead of the shop's own; none: the shop's.")]
OfShop = Annotated[str | None, typer.Option(help="Only in this shop.")]
OfSupplier = Annotated[str | None, typer.Option(help="Only this supplier's products.")]
OfCategory = Annotated[str | None, typer.Option(help="Only this category and all below it.")]
OfBrand = Annotated[str | None, typer.Option(help="Only this brand.")]
OfKind = Annotated[str | None, typer.Option(help="Only goods, service or digital.")]
Priority = Annotated[int | None, typer.Option(help="The lowest that fits prices; 100 where nothing is said.")]


@rule.command("add")
def add(
    seller: Annotated[str, typer.Argument(help="The seller's name, code or number.")],
    name: Annotated[str, typer.Argument(help="What to call the rule.")],
    base: Base = None, margin: Margin = None, tier: Tier = None, add_on: AddOn = None, round_to: RoundTo = None,
    rounding: Round = None, rrp_cap: RrpCap = None, map_floor: MapFloor = None, minimum_margin: Minimum = None,
    compare_at: CompareAt = None, tax: Tax = None, shop: OfShop = None, supplier: OfSupplier = None, category: OfCategory = None,
    brand: OfBrand = None, kind: OfKind = None, priority: Priority = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Makes a price rule; the listings it concerns are planned anew, and pushed where the shop is live."""
    formula = _formula(
        {},
        base,
        margin,
        tier,
        add_on,
        round_to,
        rounding,
        rrp_cap,
        map_floor,
        minimum_margin,
        compare_at,
        tax,
    )
    asked = asked_for(RuleAsked, {
        "name": name, "scope": _scope(shop, supplier, category, brand, kind), "formula": formula,
        **({"priority": priority} if priority is not None else {}),
    })  # fmt: skip
    with hub() as db, db.unit_of_work() as uow:
        answer = _described(add_rule(uow, find_company(uow.session, "seller", seller).id, asked))
    show(answer, as_json)


@rule.command("change")
def change(
    number: RuleNumber, name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    base: Base = None, margin: Margin = None, tier: Tier = None, add_on: AddOn = None, round_to: RoundTo = None,
    rounding: Round = None, rrp_cap: RrpCap = None, map_floor: MapFloor = None, minimum_margin: Minimum = None,
    compare_at: CompareAt = None, tax: Tax = None, shop: OfShop = None, supplier: OfSupplier = None, category: OfCategory = None,
    brand: OfBrand = None, kind: OfKind = None, priority: Priority = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Changes what is given of a rule; an empty text ('') takes a part of its scope away."""
    with hub() as db, db.unit_of_work() as uow:
        there = found_rule(uow, number)
        formula = _formula(
            there.formula,
            base,
            margin,
            tier,
            add_on,
            round_to,
            rounding,
            rrp_cap,
            map_floor,
            minimum_margin,
            compare_at,
            tax,
        )
        scope = {**there.scope, **_scope(shop, supplier, category, brand, kind)}
        wish = {
            "name": name,
            "priority": priority,
            "formula": formula,
            "scope": {k: v for k, v in scope.items() if v != ""},
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
def try_rule(
    shop: Annotated[str, typer.Argument(help="The shop's name or number.")],
    sku: Annotated[str, typer.Argument(help="The hub's SKU of a product that is offered.")],
    base: Base = None, margin: Margin = None, tier: Tier = None, add_on: AddOn = None, round_to: RoundTo = None,
    rounding: Round = None, rrp_cap: RrpCap = None, map_floor: MapFloor = None, minimum_margin: Minimum = None,
    compare_at: CompareAt = None, tax: Tax = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What a product costs in a shop, step by step: by the rules there are, or by what is given here. Nothing is stored."""
    formula = _formula(
        {},
        base,
        margin,
        tier,
        add_on,
        round_to,
        rounding,
        rrp_cap,
        map_floor,
        minimum_margin,
        compare_at,
        tax,
    )
    asked = asked_for(RuleAsked, {"name": "tried", "formula": formula}) if formula else None
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
    with hub() as db, db.unit_of_work() as uow:
        found = uow.cursor().execute(
            RATES if currency is None else DAYS, [currency and currency.upper(), limit]
        )
        rows = [{"currency": name, "per_euro": plain(rate), "day": str(day)} for name, rate, day in found]
    show({"rates": rows}, as_json)


def _formula(
    before: dict[str, Any], base: str | None, margin: str | None, tier: list[str] | None, add_on: str | None, round_to: str | None,
    rounding: str | None, rrp_cap: bool | None, map_floor: bool | None, minimum: str | None, compare_at: str | None, tax: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The formula's document with what is given; "none" takes a limit or a pattern away."""
    given: dict[str, Any] = {
        "base": base, "margin_percent": margin, "add_on": add_on, "rrp_cap": rrp_cap, "map_floor": map_floor,
        "minimum_margin_percent": minimum, "compare_at": compare_at, "tax_percent": tax,
    }  # fmt: skip
    made = {**before, **{name: value for name, value in given.items() if value is not None}}
    if tier:
        made.pop("margin_percent", None)
        made["tiers"] = [dict(zip(("from", "percent"), one.split(":", 1), strict=False)) for one in tier]
    elif margin is not None:
        made.pop("tiers", None)
    if round_to is not None or rounding is not None:
        made["rounding"] = {
            **before.get("rounding", {}), **({"to": round_to} if round_to is not None else {}),
            **({"way": rounding} if rounding is not None else {}),
        }  # fmt: skip
    if round_to == "none":
        del made["rounding"]
    return {
        name: value for name, value in made.items()
        if not (value == "none" and name in ("minimum_margin_percent", "tax_percent"))
    }  # fmt: skip


def _scope(
    shop: str | None, supplier: str | None, category: str | None, brand: str | None, kind: str | None
) -> dict[str, str]:
    said = {"shop": shop, "supplier": supplier, "category": category, "brand": brand, "kind": kind}
    return {name: value for name, value in said.items() if value is not None}


def _described(one: PriceRule) -> dict[str, Any]:
    return {
        "id": one.id,
        "priority": one.priority,
        "name": one.name,
        "scope": one.scope,
        "formula": one.formula,
    }
