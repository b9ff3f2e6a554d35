"""The versioned document that pins how a feed is read: built from a profile, checked by schema, compared for drift."""

import copy
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd

from connectors.base import Dialect
from core.errors import Refused
from pipelines.feeds.mapping.columns import without_missing
from pipelines.feeds.mapping.gtin import bare_gtins, looks_like_gtins
from pipelines.feeds.mapping.numbers import decimal_character
from pipelines.feeds.mapping.units import unit_name
from pipelines.feeds.profiles import fold

VERSION = 1
MISSING_VALUES = [
    "", "-", "--", "—", "n/a", "#n/a", "na.", "n.a.", "null", "nan", "none", "nil", "00.00.0000", "0000-00-00",
    "no rating available", "not available", "k.a.", "k. a.", "keine angabe", "nicht verfügbar",
]  # fmt: skip


def pin_dialect(dialect: Dialect) -> dict[str, Any]:
    """The dialect in Frictionless words, as it stands in the document."""
    return {
        "format": dialect.format,
        "encoding": dialect.encoding,
        "delimiter": dialect.delimiter,
        "quoteChar": dialect.quote_char,
        "escapeChar": dialect.escape_char,
        "headerRow": dialect.header_row,
        "header": list(dialect.header),
        "recordPath": dialect.record_path,
        "missingValues": MISSING_VALUES,
    }


def resolve(profile: Mapping[str, Any], header: list[str], sample: pd.DataFrame) -> dict[str, Any]:
    """The profile's sections for this file: its own spelling of each column, and what its values settle for good.

    Settled are the decimal character of money, whether GTINs may be repaired, and units that stand in a header.
    """
    names = _Names(header, (profile.get("grouping") or {}).get("product", {}))
    fields: dict[str, Any] = {}
    for field, spec in profile["fields"].items():
        resolved = _resolved(spec, names)
        if resolved is not None:
            settle(resolved, sample)
            fields[field] = resolved
    sections = {
        key: copy.deepcopy(profile[key])
        for key in ("rules", "currency", "price_includes_tax", "policy")
        if key in profile
    }
    for rule in sections.get("rules", []):
        rule["when"]["column"] = names.first(rule["when"]["column"])
    sections["rules"] = [rule for rule in sections.get("rules", []) if rule["when"]["column"]]
    grouping = copy.deepcopy(profile.get("grouping"))
    if grouping:
        grouping = _resolved_grouping(grouping, names)
    return {"key": list(profile["key"]), "fields": fields, "grouping": grouping, **sections}


def settle(spec: dict[str, Any], sample: pd.DataFrame) -> None:
    """Pins the arguments of a field's operations that only the values can tell."""
    sources = [name for name in _mapped(spec) if name in sample]
    values = [without_missing(sample[name], frozenset(MISSING_VALUES)).dropna() for name in sources]
    settled: list[Any] = []
    for operation in spec.get("operations", []):
        name, argument = (operation, {}) if isinstance(operation, str) else next(iter(operation.items()))
        if name == "gtin" and "repair" not in argument:
            bare = [bare_gtins(one) for one in values if len(one)]
            argument = {"repair": bool(bare) and looks_like_gtins(pd.concat(bare))}
        elif name in ("money", "number") and "decimal" not in argument:
            argument = {**argument, "decimal": decimal_character(v for one in values for v in one.unique())}
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


def check(document: Mapping[str, Any]) -> None:
    """Raises Refused, naming the place, where the document is not one of ours."""
    error = jsonschema.exceptions.best_match(_validator().iter_errors(document))
    if error is not None:
        place = ".".join(str(step) for step in error.absolute_path) or "the document"
        raise Refused(f"The mapping is not usable: {place}: {error.message}.", rule="mapping_invalid")


def drift(document: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """How the file differs from what was pinned, a sentence each."""
    pinned = document["dialect"]
    words = {
        "format": dialect.format, "encoding": dialect.encoding, "delimiter": dialect.delimiter,
        "quoteChar": dialect.quote_char, "escapeChar": dialect.escape_char, "headerRow": dialect.header_row,
        "recordPath": dialect.record_path,
    }  # fmt: skip
    sentences = [
        f"The {re.sub('([A-Z])', lambda m: ' ' + m[1].lower(), name)} was {pinned[name]!r} and is now {value!r}."
        for name, value in words.items()
        if name in pinned and pinned[name] != value
    ]
    before, now = list(pinned.get("header") or []), list(dialect.header)
    gone = [name for name in before if name not in now]
    new = [name for name in now if name not in before]
    if dialect.format == "xml":  # elements come and go with the records; only those that are mapped matter
        mapped = {name for spec in document["fields"].values() for name in _mapped(spec)}
        gone, new = [name for name in gone if name in mapped], []
    if gone:
        sentences.append(f"Columns are gone: {', '.join(map(repr, gone))}.")
    if new:
        sentences.append(f"Columns are new: {', '.join(map(repr, new))}.")
    if not gone and not new and before != now and dialect.format != "xml":
        sentences.append("The columns stand in another order.")
    return sentences


def _mapped(spec: Mapping[str, Any]) -> list[str]:
    named = [one if isinstance(one, str) else one.get("column", "") for one in spec.get("from", [])]
    return named + [one for pair in spec.get("pairs", []) for one in pair if isinstance(one, str)]


class _Names:
    """Finds the file's own spelling of a column."""

    def __init__(self, header: list[str], products: Mapping[str, list[str]]) -> None:
        self.exact = set(header)
        self.folded: dict[str, str] = {}
        for name in header:
            self.folded.setdefault(fold(name), name)
        self.exact |= {ours for ours, columns in products.items() if self.first(columns)}  # made by grouping

    def first(self, wanted: list[str]) -> str | None:
        """The first of `wanted` that the header has."""
        return next((found for one in wanted if (found := self.find(one))), None)

    def find(self, wanted: str) -> str | None:
        """The header's name for `wanted`, None where it has none."""
        return wanted if wanted in self.exact else self.folded.get(fold(wanted))


def _resolved(spec: Mapping[str, Any], names: _Names) -> dict[str, Any] | None:
    """A field's spec with the file's spelling, None where the file has none of its columns."""
    resolved = copy.deepcopy(dict(spec))
    if "pairs" in spec:
        pairs = []
        for one, two in spec["pairs"]:
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
        elif (found := names.find(source["column"])) is not None:
            window = [name for one in source.get("window", []) if (name := names.find(one))]
            beside = source.get("where")
            where = {**beside, "column": names.find(beside["column"]) or beside["column"]} if beside else None
            told = {"window": window, "where": where}
            more = {name: said for name, said in told.items() if said}
            sources.append({"column": found, **more} if more else found)
    resolved["from"] = sources
    return resolved if sources else None


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


@lru_cache(1)
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads((Path(__file__).parent / "schema.json").read_text("utf-8"))
    )
