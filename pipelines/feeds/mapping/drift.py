"""Drift: a file written differently from the one that was pinned is told, and held where it cannot mean the same."""

import re
from collections.abc import Mapping
from typing import Any

from connectors.base import Dialect
from pipelines.feeds.mapping.checking import conditions
from pipelines.feeds.mapping.templates import columns_of_source

LOOSE = ("xml", "json", "jsonl", "edifact")
"""Formats whose records need not all have the same fields: what is absent from a sample is not gone from the format."""
_NEEDED = ("supplier_sku", "source_id", "title", "cost", "price", "stock", "availability")


def pinned_words(dialect: Dialect) -> dict[str, Any]:
    """The dialect in the words of the document, but for its header."""
    within = {"sheet": dialect.sheet, "member": dialect.member}
    return {
        "format": dialect.format, "encoding": dialect.encoding, "delimiter": dialect.delimiter,
        "quoteChar": dialect.quote_char, "escapeChar": dialect.escape_char, "headerRow": dialect.header_row,
        "recordPath": dialect.record_path, **{name: value for name, value in within.items() if value is not None},
    }  # fmt: skip


def drift(document: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """How the file differs from what was pinned, a sentence each."""
    pinned = document["dialect"]
    sentences = [
        f"The {re.sub('([A-Z])', lambda m: ' ' + m[1].lower(), name)} was {pinned[name]!r} and is now {value!r}."
        for name, value in pinned_words(dialect).items()
        if name in pinned and pinned[name] != value and not _numbered(name, pinned[name], value)
    ]
    before, now = list(pinned.get("header") or []), list(dialect.header)
    gone, new = _moved(document, dialect)
    if gone:
        sentences.append(f"Columns are gone: {', '.join(map(repr, gone))}.")
    if new:
        sentences.append(f"Columns are new: {', '.join(map(repr, new))}.")
    if not gone and not new and before != now and dialect.format not in LOOSE:
        sentences.append("The columns stand in another order.")
    return sentences


def breaks(document: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """The differences that a person must look at first, a sentence each: another format, or columns gone that are read."""
    pinned = document["dialect"]
    sentences = []
    if pinned["format"] != dialect.format:
        sentences.append(
            f"The file is {dialect.format.upper()} and was {pinned['format'].upper()}: its mapping was not made for that."
        )
    elif pinned.get("recordPath") and pinned["recordPath"] != dialect.record_path:
        sentences.append(
            f"The records are {dialect.record_path} and were {pinned['recordPath']}: the file has another structure."
        )
    gone, _ = _moved(document, dialect)
    read = columns_read(document)
    for name in gone:
        fields = read.get(name, [])
        if dialect.format in LOOSE:
            fields = [field for field in fields if _alone(document, field, dialect)]
        if fields:
            sentences.append(
                f"The column {name!r} is gone, which {' and '.join(fields)} {'is' if len(fields) == 1 else 'are'} read from."
            )
    return sentences


def columns_read(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """column -> what is read from it: fields by their names, "rules", "products"."""
    read: dict[str, list[str]] = {}
    for field, spec in document["fields"].items():
        for name in columns_named(spec or {}):
            if field not in read.setdefault(name, []):
                read[name].append(field)
    for rule in document.get("rules", []):
        for condition in conditions(rule.get("when", {})):
            if "column" in condition and "rules" not in read.setdefault(condition["column"], []):
                read[condition["column"]].append("rules")
    grouping = document.get("grouping") or {}
    for told in filter(None, (grouping.get("by"), grouping.get("parent"))):
        read.setdefault(told, []).append("products")
    return read


def columns_named(spec: Mapping[str, Any]) -> list[str]:
    """The columns that a field's spec names, in order."""
    named = [name for source in spec.get("from", []) for name in columns_of_source(source)]
    return named + [one for pair in spec.get("pairs", []) for one in pair if isinstance(one, str)]


def _numbered(name: str, old: object, new: object) -> bool:
    """Whether a sheet or member differs by its figures only: an export that carries its date is the same one."""
    return name in ("sheet", "member") and re.sub(r"\d+", "0", str(old)) == re.sub(r"\d+", "0", str(new))


def _moved(document: Mapping[str, Any], dialect: Dialect) -> tuple[list[str], list[str]]:
    """(columns that are gone, columns that are new)."""
    before, now = list(document["dialect"].get("header") or []), list(dialect.header)
    gone = [name for name in before if name not in now]
    new = [name for name in now if name not in before]
    if dialect.format in LOOSE:  # elements come and go with the records; only those that are mapped matter
        read = columns_read(document)
        gone, new = [name for name in gone if name in read], []
    return gone, new


def _alone(document: Mapping[str, Any], field: str, dialect: Dialect) -> bool:
    """Whether a field that offers need has no other column left in a file whose records differ."""
    if field not in _NEEDED:
        return False
    return not set(columns_named(document["fields"].get(field) or {})) & set(dialect.header)
