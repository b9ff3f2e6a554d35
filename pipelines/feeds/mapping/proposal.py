"""A mapping proposed for columns nobody described: by their names in many languages and by what their values look like."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.errors import Refused
from pipelines.feeds.mapping.document import settle
from pipelines.feeds.mapping.evaluate import columns_of
from pipelines.feeds.mapping.nested import settle_nested
from pipelines.feeds.mapping.sight import (
    BY_VALUES,
    CERTAIN,
    LOOKED_AT,
    MONEY,
    SeenColumn,
    end_of_path,
    plain_words,
    score,
    seen_column,
    synonyms,
)
from pipelines.feeds.mapping.units import unit_name
from pipelines.feeds.profiles import fold

_ABOUT_MONEY = re.compile(r"price|preis|prix|preci|prezz|prijs|cena|cost|kosten|fee|gebühr|цен|価格|价")
MOST_COLUMNS = 250
"""Columns whose values are looked at; the looks of thousands would take longer than reading them."""
_TELLING = {"supplier_sku", "source_id", "gtin", "title", "price", "cost"}
OPERATIONS: dict[str, list[Any]] = {
    "supplier_sku": [{"strip": "'"}], "source_id": ["trim"], "gtin": ["gtin"], "mpn": ["text"], "brand": ["text"], "title": ["text"],
    "description": ["html"], "category": ["text"], "cost": ["money"], "price": ["money"], "rrp": ["money"], "currency": ["currency"],
    "tax_rate": ["percent"], "stock": [{"number": {"whole": True}}], "availability": [{"lookup": "availability"}],
    "lead_time_days": [{"unit": {"to": "days", "of": "days"}}], "weight_g": [{"unit": {"to": "g", "assume": "kg"}}],
    "length_mm": [{"unit": {"to": "mm"}}], "width_mm": [{"unit": {"to": "mm"}}], "height_mm": [{"unit": {"to": "mm"}}],
    "condition": [{"lookup": "condition"}], "kind": [{"lookup": "kind"}], "group_key": ["trim"], "images": ["url"], "source_url": ["url"],
    "map_price": ["money"], "cost_basis": [{"number": {"whole": True}}], "minimum": [{"number": {"whole": True}}], "step": [{"number": {"whole": True}}], "pack": [{"number": {"whole": True}}],
    "origin": ["country"], "hs_code": ["trim"], "valid_from": ["date"], "valid_to": ["date"], "tax_category": ["text"],
}  # fmt: skip


def propose(
    header: list[str],
    sample: pd.DataFrame,
    currency: str | None,
    *,
    paths: bool = False,
    each: str | None = None,
) -> dict[str, Any]:
    """The document's sections (key, fields, grouping) for unknown columns, each field with its confidence.

    With `paths` the columns are places in a tree ("price/@currency", "../brand/name"): their ends are what counts.
    `each` is the path of a list inside the records of which every member is a record: what stands in it goes first.
    Raises Refused (`no_known_columns`) where nothing in the file looks like an offer.
    """
    table = synonyms()
    if each:
        header = sorted(header, key=lambda name: not name.startswith(each + "/"))
    called = {name: end_of_path(name) if paths else name for name in header}
    header = _promising(header, called, table)
    columns = [seen_column(name, called[name], sample[name].head(LOOKED_AT)) for name in header]
    chosen = _assigned(columns, table)
    if not chosen.keys() & _TELLING:
        raise Refused(
            "None of the columns is known as an article number, title or price "
            f"({', '.join(name[:40] for name in header[:8])}); give a mapping, or check that this is the feed.",
            rule="no_known_columns",
        )
    by_name = {column.name: column for column in columns}
    fields: dict[str, Any] = {}
    for field, (names, confidence) in chosen.items():
        spec: dict[str, Any] = {
            "from": names,
            "operations": list(OPERATIONS[field]),
            "confidence": confidence,
        }
        if field == "images":
            spec["all"] = True
        fields[field] = spec
    _one_currency(fields, columns, currency)
    if "price" not in fields and "cost" not in fields and "rrp" in fields:
        fields["price"] = fields.pop("rrp")
    if "cost_basis" in fields and "price" in fields and "cost" not in fields:
        fields["cost"] = fields.pop("price")  # only lists for the trade say for how many pieces a price is
    _levels(fields, columns)
    _unitless(fields)
    if "availability" in fields and fields["availability"]["from"] == fields.get("stock", {}).get("from"):
        del fields["availability"]
    pairs = settle_nested(fields, columns, table, each) if paths else []
    used = {name for spec in fields.values() for name in columns_of(spec)}
    pairs += _option_pairs(header, table)
    used |= {name for pair in pairs for name in pair if isinstance(name, str)}
    options = [name for name in header if name not in used and plain_words(called[name]) in table["options"]]
    pairs += [[{"value": called[name]}, name] for name in options]
    if pairs:
        fields["options"] = {"pairs": pairs, "confidence": 0.8}
    used |= set(options)
    attributes = [
        column.name for column in columns if column.name not in used and _is_attribute(column, table)
    ]
    if attributes:
        fields["attributes"] = {
            "pairs": [[{"value": called[name]}, name] for name in attributes],
            "confidence": 0.5,
        }
    for spec in fields.values():
        settle(spec, sample)
    sections: dict[str, Any] = {"key": _key_order(fields), "fields": fields, "grouping": None}
    taxed = by_name[fields["price"]["from"][0]].taxed if "price" in fields else None
    if taxed is not None:
        sections["price_includes_tax"] = taxed
    for field in ("price", "cost"):
        if field in fields and (said := by_name[fields[field]["from"][0]].currency):
            sections.setdefault("currency", said)
    return sections


def _promising(header: list[str], called: Mapping[str, str], table: Mapping[str, Any]) -> list[str]:
    """At most MOST_COLUMNS of the header, in its order: those that are called like a field, then the first others."""
    if len(header) <= MOST_COLUMNS:
        return header
    named = {word for names in table["fields"].values() for word in names}
    likely = sorted(header, key=lambda name: plain_words(called[name]) not in named)[:MOST_COLUMNS]
    return sorted(likely, key={name: place for place, name in enumerate(header)}.__getitem__)


def _assigned(columns: list[SeenColumn], table: Mapping[str, Any]) -> dict[str, tuple[list[str], float]]:
    """field -> (columns, confidence): the best pairs first, each column for one field."""
    scores = [
        (sure, -place, field, column.name)
        for place, column in enumerate(columns)
        for field in OPERATIONS
        if (sure := score(field, column, table)) >= CERTAIN
    ]
    chosen: dict[str, tuple[list[str], float]] = {}
    taken: set[str] = set()
    for sure, _, field, name in sorted(scores, reverse=True):
        if name in taken:
            continue
        if field not in chosen:
            chosen[field] = ([name], round(sure, 2))
        elif (
            field == "images"
            or (field == "gtin" and sure > BY_VALUES)
            or (field in MONEY and _same_but_currency(name, chosen[field][0][0], columns))
        ):
            chosen[field][0].append(name)
        else:
            continue
        taken.add(name)
    order = [column.name for column in columns]
    for field in ("images",):
        if field in chosen:
            chosen[field][0].sort(key=order.index)
    return chosen


def _same_but_currency(one: str, other: str, columns: list[SeenColumn]) -> bool:
    """Whether two price columns differ in their currency only ("Price EUR", "Price USD")."""
    first, second = (next(column for column in columns if column.name == name) for name in (one, other))
    return bool(first.currency and second.currency and first.currency != second.currency)


def _one_currency(fields: dict[str, Any], columns: list[SeenColumn], wanted: str | None) -> None:
    """Of several price columns the one in the wanted currency, else the first: an offer has one currency."""
    said = {column.name: column.currency for column in columns}
    order = [column.name for column in columns]
    for field in MONEY:
        if field in fields and len(fields[field]["from"]) > 1:
            names = sorted(fields[field]["from"], key=order.index)
            fields[field]["from"] = [
                next((name for name in names if wanted and said[name] == wanted), names[0])
            ]


def _levels(fields: dict[str, Any], columns: list[SeenColumn]) -> None:
    """Category levels in columns of their own ("分類１", "Kategorie 2") become one path."""
    names: dict[str, int] = synonyms()["fields"]["category"]
    levels = [
        column.name
        for column in columns
        if column.words[-1:].isdigit() and column.words.rstrip("0123456789").rstrip() in names
    ]
    if len(levels) > 1:
        fields["category"] = {
            "from": levels,
            "all": True,
            "operations": [{"split": []}, {"join": " > "}],
            "confidence": 0.85,
        }


def _unitless(fields: dict[str, Any]) -> None:
    """A length without a unit in its header or values says nothing."""
    for field in ("length_mm", "width_mm", "height_mm"):
        if field in fields and not any(unit_name(name, "mm") for name in fields[field]["from"]):
            del fields[field]


def _option_pairs(header: list[str], table: Mapping[str, Any]) -> list[list[Any]]:
    by_fold = {fold(name): name for name in header}
    pairs = []
    for one, two in table["option_pairs"]:
        for number in range(1, 11):
            label = by_fold.get(fold(one.replace("{n}", str(number))))
            value = by_fold.get(fold(two.replace("{n}", str(number))))
            if label and value and [label, value] not in pairs:
                pairs.append([label, value])
    return pairs


def _is_attribute(column: SeenColumn, table: Mapping[str, Any]) -> bool:
    """A short, named, filled column that describes the article."""
    return (
        bool(column.filled)
        and column.length <= 80
        and column.addresses < 0.5
        and not column.words.startswith("column ")
        and not column.words.endswith(" id")
        and not _ABOUT_MONEY.search(column.words)
        and not {column.words, column.bare} & table["ignored_attributes"]
        and not table["never"].search(column.words)
    )


def _key_order(fields: Mapping[str, Any]) -> list[str]:
    """A list with article numbers is keyed by them; an address is a key only where there is nothing else."""
    numbered = [name for name in ("supplier_sku", "source_id") if name in fields]
    if not numbered and "group_title" in fields:  # variants without a number of their own
        return ["gtin", "handle_options"]
    return [*numbered, "gtin"] if numbered else ["gtin", "source_url"]
