"""A price rule in few words, and a form's fields as a rule: for the pages on which people keep them."""

from collections.abc import Mapping
from typing import Any

from core.errors import Refused
from pipelines.listings.pricing.explained import amount
from pipelines.listings.pricing.formula import Formula
from pipelines.listings.pricing.price import plain

STARTS = {"cost": "cost", "price": "his own price", "rrp": "recommended price"}


def in_words(document: Mapping[str, Any]) -> list[str]:
    """The formula's parts in the order in which they are worked out: ["cost + 35 %", "ends in 0.99", …]."""
    formula = Formula.read(document)
    start = STARTS[formula.base]
    if formula.tiers:
        tiers = ", ".join(f"{plain(one.percent)} % from {plain(one.start)}" for one in formula.tiers)
        words = [f"{start} + {tiers}"]
    elif formula.margin_percent:
        sign = "+" if formula.margin_percent > 0 else "−"
        words = [f"{start} {sign} {plain(abs(formula.margin_percent))} %"]
    else:
        words = [start]
    if formula.add_on:
        words.append(f"{'+' if formula.add_on > 0 else '−'} {amount(plain(abs(formula.add_on)))}")
    if formula.minimum_margin_percent is not None:
        words.append(f"at least {plain(formula.minimum_margin_percent)} % on the cost")
    if formula.tax_percent is not None:
        words.append(f"{plain(formula.tax_percent)} % tax")
    if not formula.map_floor:
        words.append("below the supplier's lowest price too")
    if formula.rrp_cap:
        words.append("never above the recommended price")
    if formula.rounding:
        how = "steps of" if formula.rounding.steps else "ends in"
        words.append(
            f"{how} {plain(formula.rounding.to)}{', upwards' if formula.rounding.way == 'up' else ''}"
        )
    if formula.compare_at == "rrp":
        words.append("recommended price struck through")
    return words


def from_form(form: Mapping[str, str]) -> dict[str, Any]:
    """A form's fields as the values of rules.RuleAsked; a decimal comma is a point. Raises Refused for tiers that cannot be read."""
    said = {name: value.strip() for name, value in form.items() if value.strip()}
    formula: dict[str, Any] = {
        "base": said.get("base", "cost"), "rrp_cap": "rrp_cap" in said, "map_floor": "map_floor" in said,
        "compare_at": "rrp" if "compare_at" in said else "none",
    }  # fmt: skip
    for field in ("margin_percent", "add_on", "minimum_margin_percent", "tax_percent"):
        if field in said:
            formula[field] = _number(said[field])
    if "tiers" in said:
        formula["tiers"] = [_tier(line) for line in said["tiers"].splitlines() if line.strip()]
    if "round_to" in said:
        formula["rounding"] = {"to": _number(said["round_to"]), "way": said.get("way", "nearest")}
    scope = {name: said[name] for name in ("shop", "supplier", "category", "brand", "kind") if name in said}
    return {
        "name": said.get("name", ""),
        "priority": said.get("priority", "100"),
        "scope": scope,
        "formula": formula,
    }


def to_form(
    name: str, priority: int, scope: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, str]:
    """The fields of a stored rule, as `from_form` reads them."""
    formula = Formula.read(document)
    fields = {
        "name": name, "priority": str(priority), "base": formula.base, "margin_percent": plain(formula.margin_percent),
        "tiers": "\n".join(f"{plain(one.start)}: {plain(one.percent)}" for one in formula.tiers),
        "add_on": plain(formula.add_on) if formula.add_on else "", "rrp_cap": "1" if formula.rrp_cap else "",
        "map_floor": "1" if formula.map_floor else "", "compare_at": "1" if formula.compare_at == "rrp" else "",
        "round_to": plain(formula.rounding.to) if formula.rounding else "", "way": formula.rounding.way if formula.rounding else "nearest",
    }  # fmt: skip
    for field, value in (
        ("minimum_margin_percent", formula.minimum_margin_percent),
        ("tax_percent", formula.tax_percent),
    ):
        fields[field] = plain(value) if value is not None else ""
    if formula.tiers:
        fields["margin_percent"] = ""
    return fields | {key: str(value) for key, value in scope.items()}


def _number(text: str) -> str:
    return text.replace(",", ".").removesuffix("%").strip()


def _tier(line: str) -> dict[str, str]:
    start, between, percent = line.partition(":")
    if not between:
        raise Refused(
            f"{line.strip()!r} is no tier: write one a line, like 10: 30 for 30 % from 10 on.", rule="formula"
        )
    return {"from": _number(start), "percent": _number(percent)}
