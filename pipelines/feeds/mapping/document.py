"""The versioned document that pins how a feed is read: built from a profile, checked by schema, compared for drift."""

import copy
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from connectors.base import Dialect
from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.checking import check
from pipelines.feeds.mapping.columns import without_missing
from pipelines.feeds.mapping.dates import date_order
from pipelines.feeds.mapping.drift import breaks, columns_named, drift, pinned_words
from pipelines.feeds.mapping.gtin import bare_gtins, looks_like_gtins
from pipelines.feeds.mapping.numbers import decimal_character
from pipelines.feeds.mapping.templates import columns_of_source, renamed, template_columns
from pipelines.feeds.mapping.units import unit_name
from pipelines.feeds.profiles import fold

__all__ = ["breaks", "check", "drift", "merged", "pin_dialect", "resolve", "settle"]

VERSION = 1
_BETWEEN = re.compile(f"[{OUTER}{INNER}]")
MISSING_VALUES = [
    "", "-", "--", "—", "n/a", "#n/a", "na.", "n.a.", "null", "nan", "none", "nil", "00.00.0000", "0000-00-00",
    "no rating available", "not available", "k.a.", "k. a.", "keine angabe", "nicht verfügbar",
]  # fmt: skip


def pin_dialect(dialect: Dialect) -> dict[str, Any]:
    """The dialect in Frictionless words, as it stands in the document."""
    return {**pinned_words(dialect), "header": list(dialect.header), "missingValues": MISSING_VALUES}


def bare_path(name: str) -> str:
    """A path without the prefixes of its elements, which are their author's choice: "cac:Item/cbc:Name" -> "Item/Name"."""
    return re.sub(r"(^|/|@)[\w.-]+:", r"\1", name)


def context_of(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that fields are read from and that stand outside the records ("/BMECAT/HEADER/CATALOG/CURRENCY")."""
    named = [
        name
        for spec in fields.values()
        for one in (
            (spec or {}).get("from", []) + [end for pair in (spec or {}).get("pairs", []) for end in pair]
        )
        for name in (*columns_of_source(one), *_beside(one))
    ]
    return tuple(dict.fromkeys(name for name in named if name.startswith("/") and not name.startswith("//")))


def _beside(source: Any) -> list[str]:
    """The columns that a source is multiplied by, divided by or put under."""
    return [
        source[name] for name in ("times", "per", "under") if isinstance(source, Mapping) and name in source
    ]


def resolve(profile: Mapping[str, Any], header: list[str], sample: pd.DataFrame) -> dict[str, Any]:
    """The profile's sections for this file: its own spelling of each column, and what its values settle for good.

    Settled are the decimal character of money, whether GTINs may be repaired, and units that stand in a header.
    """
    names = _Names(header, (profile.get("grouping") or {}).get("product", {}))
    fields: dict[str, Any] = {}
    for field, spec in profile["fields"].items():
        resolved = _resolved(spec, names)
        if resolved is not None:
            settle(resolved, sample, profile.get("decimal", ""))
            fields[field] = resolved
    sections = {
        key: copy.deepcopy(profile[key])
        for key in ("rules", "currency", "price_includes_tax", "policy")
        if key in profile
    }
    if (column := names.find(profile.get("currency_column", ""))) is not None:
        sections["currency_column"] = column
    rules = [{**rule, "when": _condition(rule.get("when", {}), names)} for rule in sections.get("rules", [])]
    sections["rules"] = [rule for rule in rules if rule["when"] is not None]
    grouping = copy.deepcopy(profile.get("grouping"))
    if grouping:
        grouping = _resolved_grouping(grouping, names)
    return {"key": list(profile["key"]), "fields": fields, "grouping": grouping, **sections}


def settle(spec: dict[str, Any], sample: pd.DataFrame, decimal: str = "") -> None:
    """Pins the arguments of a field's operations that only the values can tell; `decimal` where even they tell nothing."""
    sources = [name for name in columns_named(spec) if name in sample]
    values = [without_missing(sample[name], frozenset(MISSING_VALUES)).dropna() for name in sources]
    settled: list[Any] = []
    for operation in spec.get("operations", []):
        name, argument = (operation, {}) if isinstance(operation, str) else next(iter(operation.items()))
        argument = {} if argument is None else argument
        if name == "gtin" and "repair" not in argument:
            bare = [bare_gtins(one) for one in values if len(one)]
            argument = {"repair": bool(bare) and looks_like_gtins(pd.concat(bare))}
        elif name in ("money", "number") and "decimal" not in argument:
            figures = (v for one in values for cell in one.unique() for v in _BETWEEN.split(cell))
            argument = {**argument, "decimal": decimal_character(figures) or decimal}
        elif name == "date" and "order" not in argument:
            order = date_order(v for one in values for v in one.unique())
            argument = {**argument, "order": order} if order else argument
        elif name == "unit" and "of" not in argument:
            of = next((unit for one in sources if (unit := unit_name(one, argument["to"]))), None)
            argument = {**argument, "of": of} if of else argument
        settled.append(name if argument == {} else {name: argument})
    if settled:
        spec["operations"] = settled


def merged(proposed: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The proposal with the sections a person gave; a field given as null is left out."""
    document = {**proposed, **{key: value for key, value in given.items() if key != "fields"}}
    if "policy" in given:
        document["policy"] = {**proposed.get("policy", {}), **given["policy"]}
    document["fields"] = {
        name: spec
        for name, spec in {**proposed["fields"], **given.get("fields", {})}.items()
        if spec is not None
    }
    return document


class _Names:
    """Finds the file's own spelling of a column."""

    def __init__(self, header: list[str], products: Mapping[str, list[str]]) -> None:
        self.exact = set(header)
        self.folded: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        for name in header:
            self.folded.setdefault(fold(name), name)
        for name in sorted(header, key=lambda name: name.count("/")):
            steps = bare_path(name).split("/")
            for place in range(len(steps)):
                self.ends.setdefault("/".join(steps[place:]), name)
        self.exact |= {ours for ours, columns in products.items() if self.first(columns)}  # made by grouping

    def first(self, wanted: list[str]) -> str | None:
        """The first of `wanted` that the header has."""
        return next((found for one in wanted if (found := self.find(one))), None)

    def find(self, wanted: str) -> str | None:
        """The header's name for `wanted`, None where it has none.

        "//brandName" is the highest column whose path ends so, "/BMECAT/@version" stands outside the records and is
        never a name that only looks like it.
        """
        if wanted.startswith("//"):
            return self.ends.get(bare_path(wanted[2:]))
        if wanted in self.exact or wanted.startswith("/"):
            return wanted if wanted in self.exact else None
        return self.folded.get(fold(wanted))


def _resolved(spec: Mapping[str, Any], names: _Names) -> dict[str, Any] | None:
    """A field's spec with the file's spelling, None where the file has none of its columns."""
    resolved = copy.deepcopy(dict(spec))
    if "pairs" in spec:
        pairs = []
        for one, two in spec["pairs"]:
            if isinstance(two, Mapping):
                label, source = one if isinstance(one, Mapping) else names.find(one), _source(two, names)
                pairs += [[label, source]] if label and source else []
                continue
            for name, value in _numbered(one, two, names):
                pairs.append([name, value])
        resolved["pairs"] = pairs
        return resolved if pairs else None
    sources: list[Any] = []
    for source in spec.get("from", []):
        if isinstance(source, str):
            found = names.find(source)
            if found and found not in sources:
                sources.append(found)
        elif "value" in source:
            sources.append(source)
        elif "template" in source:
            spelled = {name: names.find(name) for name in template_columns(source["template"])}
            if any(spelled.values()):
                sources.append({"template": renamed(source["template"], spelled)})
        elif (spelled_source := _source(source, names)) is not None:
            sources.append(spelled_source)
    resolved["from"] = sources
    return resolved if sources else None


def _source(source: Mapping[str, Any], names: _Names) -> Any:
    """A source with conditions in the file's spelling, None where the file has not its column."""
    found = names.find(source["column"])
    if found is None:
        return None
    window = [name for one in source.get("window", []) if (name := names.find(one))]
    beside = source.get("where", [])
    where = [
        {**one, "column": names.find(one["column"]) or one["column"]}
        for one in ([beside] if isinstance(beside, Mapping) else beside)
    ]
    beside_it = {name: names.find(source[name]) for name in ("times", "per", "under") if name in source}
    told = {"window": window, "where": where[0] if len(where) == 1 else where, **beside_it}
    more = {name: said for name, said in told.items() if said}
    return {"column": found, **more} if more else found


def _condition(when: Mapping[str, Any], names: _Names) -> dict[str, Any] | None:
    """A rule's condition with the file's spelling, None where the file has none of its columns; `column` may list several."""
    for several in ("all", "any"):
        if several in when:
            inner = [found for one in when[several] if (found := _condition(one, names)) is not None]
            whole = len(inner) == len(when[several]) if several == "all" else bool(inner)
            return {several: inner} if whole else None
    if "column" not in when:
        return dict(when)
    wanted = when["column"]
    column = names.first([wanted] if isinstance(wanted, str) else wanted)
    return {**when, "column": column} if column else None


def _numbered(name: Any, value: str, names: _Names) -> list[tuple[Any, str]]:
    """A pair of columns, or with {n} in their names all such pairs."""
    if "{n}" not in value:
        found, label = names.find(value), name if isinstance(name, dict) else names.find(name)
        return [(label, found)] if found and label else []
    pairs = []
    for number in range(1, 51):
        found, label = (
            names.find(value.replace("{n}", str(number))),
            names.find(name.replace("{n}", str(number))),
        )
        if found and label:
            pairs.append((label, found))
    return pairs


def _resolved_grouping(grouping: dict[str, Any], names: _Names) -> dict[str, Any] | None:
    """The grouping in the file's spelling, None where the file does not say what belongs together."""
    for key in {"by", "parent"} & grouping.keys():
        grouping[key] = names.first(grouping[key])
        if grouping[key] is None:
            return None
    for key in {"fill_down", "part_without"} & grouping.keys():
        grouping[key] = list(dict.fromkeys(found for one in grouping[key] if (found := names.find(one))))
    grouping["product"] = {
        t: found for t, one in grouping.get("product", {}).items() if (found := names.first(one))
    }
    if "keys" in grouping:
        keys = [{**key, "column": names.first(key["column"])} for key in grouping["keys"]]
        grouping["keys"] = [key for key in keys if key["column"]]
    return grouping
