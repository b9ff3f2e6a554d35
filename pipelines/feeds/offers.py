"""Filled rows -> offers: every field evaluated, the key chosen, options and kind settled, each row marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pandas as pd

from connectors.readers.frames import FAULT, LOCATOR
from pipelines.feeds.amounts import MONEY, settle_money, settle_stock
from pipelines.feeds.details import PAIRED, aligned, implied, settle_details
from pipelines.feeds.grouping import BROKEN, GROUP, PART
from pipelines.feeds.mapping.columns import Column, Mask, flags, missing, text_series
from pipelines.feeds.mapping.evaluate import evaluate
from pipelines.feeds.mapping.repeated import CURRENCY
from pipelines.feeds.mapping.rules import ruled
from pipelines.feeds.told import Told
from pipelines.feeds.verdicts import NOTES, READER_FAULTS, Marks

OFFER_COLUMNS = (
    "supplier_sku", "key_origin", "gtin", "gtin_verdict", "mpn", "brand", "title", "description", "category", "kind",
    "cost", "price", "rrp", "currency", "price_includes_tax", "tax_rate", "stock", "availability", "lead_time_days",
    "weight_g", "dimensions_mm", "condition", "group_key", "group_title", "options", "attributes", "images",
    "source_url", "titles", "descriptions", "cost_basis", "cost_tiers", "map_price", "tax_category", "minimum", "step",
    "pack", "origin", "hs_code", "valid_from", "valid_to", "territory", "locator", "content_hash",
)  # fmt: skip
_PLAIN = (
    "mpn",
    "brand",
    "title",
    "description",
    "category",
    "condition",
    "tax_rate",
    "lead_time_days",
    "weight_g",
)
_SIDES = {"length": "length_mm", "width": "width_mm", "height": "height_mm"}
LONGEST_KEY = 500
"""Characters; PostgreSQL's indexes take 2,704 bytes."""
_PLACEHOLDER = ("title", "default title")  # the option Shopify writes where a product has none
_UNHASHED = ("locator", "content_hash")
_KEYS = frozenset({
    "supplier_sku", "source_id", "gtin", "source_url", "group_key", "group_title", "options", "title", "titles", "images",
})  # fmt: skip
_MODES = {
    "stock-only": _KEYS | {"stock", "tracked", "backorders", "availability", "lead_time_days"},
    "price-only": _KEYS
    | {
        "cost", "price", "rrp", "currency", "price_includes_tax", "tax_rate", "tax_category", "cost_basis", "cost_tiers",
        "map_price", "minimum", "step", "pack", "valid_from", "valid_to", "territory",
    },
}  # fmt: skip
"""The fields that a feed of part of the facts tells; whatever else its file holds is left to the feed that is for it."""


@dataclass
class Draft:
    """One row a source row: `offers` has OFFER_COLUMNS as objects; `parts` are rows that only add to their product.

    `groups` names the product of each row where the file groups its rows.
    """

    offers: pd.DataFrame
    marks: Marks
    parts: Mask
    groups: list[str | None]


def draft(filled: pd.DataFrame, document: Mapping[str, Any], currency: str | None, as_of: datetime) -> Draft:
    """Offers of whole products' rows, nothing decided about doubles yet. `as_of` tells which dated prices count."""
    words = frozenset(str(word).lower() for word in document["dialect"]["missingValues"])
    index, rows = filled.index, len(filled)
    if standing := document.get("currency") or currency:
        filled = filled.assign(**{CURRENCY: standing})
    mode = (document.get("policy") or {}).get("mode", "full")
    fields = {n: implied(n, spec) for n, spec in document["fields"].items() if n in _MODES.get(mode, (n,))}
    columns = {
        name: aligned(filled, spec["pairs"], words)
        if name in PAIRED
        else evaluate(filled, spec, words, as_of)
        for name, spec in fields.items()
    }
    marks, told = Marks(rows), Told(fields, columns)
    ruling = ruled(filled, columns, document.get("rules", ()), filled[PART].to_numpy(dtype=bool))
    parts, skipped, why = ruling.parts, ruling.skipped, ruling.why
    ruling.mark(marks)
    out: dict[str, pd.Series] = {name: _values(columns, name, index) for name in _PLAIN}
    out["source_url"] = _values(columns, "source_url", index).map(lambda many: many[0] if many else None)
    out["images"] = _values(columns, "images", index).map(lambda many: many or [])
    groups = _values(columns, "group_key", index)
    out["group_key"] = groups.where(
        groups.notna(), filled[GROUP].astype(object).where(filled[GROUP].notna(), None)
    )
    out["gtin"] = _values(columns, "gtin", index)
    verdict = columns["gtin"].sides["gtin_verdict"] if "gtin" in columns else missing(index)
    out["gtin_verdict"] = verdict.astype(object).where(verdict.notna(), "none")
    out["options"], out["attributes"] = (
        _dictionaries(columns, "options", index),
        _dictionaries(columns, "attributes", index),
    )
    out.update(settle_details(columns, index))
    first = out["titles"].map(lambda texts: next(iter(texts.values())), na_action="ignore")
    out["title"] = out["title"].where(out["title"].notna(), first.where(first.notna(), None))
    _choose_key(out, columns, document["key"], marks, told)
    members = [group if isinstance(group, str) else None for group in filled[GROUP]]
    _settle_choices(out, members, parts | skipped, document.get("grouping") or {})
    if mode != "stock-only":
        out.update(settle_money(columns, document, currency, marks, told, index))
    else:
        out.update(dict.fromkeys((*MONEY, "currency"), missing(index)))
    out["stock"], out["availability"] = settle_stock(columns, marks, index)
    out["kind"] = _kinds(columns, index)
    out["price_includes_tax"] = _taxed(columns, document.get("price_includes_tax"), index)
    titles = _values(columns, "group_title", index)
    shared = (
        out["title"].groupby(filled[GROUP], sort=False).transform("first")
        if document.get("grouping")
        else out["title"]
    )
    titles = titles.where(titles.notna(), shared)
    out["group_title"] = titles.where(titles.notna(), out["title"]).where(out["group_key"].notna(), None)
    out["dimensions_mm"] = _dimensions(columns, index)
    out["locator"] = filled[LOCATOR]
    if mode in ("full", "delta"):
        told.blank(marks, "missing_title", "title", flags(out["title"].isna()))
    elif mode == "stock-only":
        told.blank(marks, "missing_stock", "stock", flags(out["stock"].isna() & out["availability"].isna()))
    _remarks(columns, marks)
    _settle_rows(filled, document, marks, parts, skipped, why)
    offers = pd.DataFrame({name: _objects(out[name]) for name in OFFER_COLUMNS if name in out}, index=index)
    offers["content_hash"] = pd.Series(_hashes(offers), index=index, dtype=object)
    return Draft(offers[list(OFFER_COLUMNS)], marks, parts & ~flags(filled[FAULT] != ""), members)


def _hashes(offers: pd.DataFrame) -> list[str]:
    """The content of each offer as BLAKE2b, 16 bytes in hex, over everything but where it stood."""
    columns = [offers[name].tolist() for name in OFFER_COLUMNS if name not in _UNHASHED]
    return [blake2b(orjson.dumps(row), digest_size=16).hexdigest() for row in zip(*columns, strict=True)]


def _choose_key(
    out: dict[str, pd.Series], columns: Mapping[str, Column], order: list[str], marks: Marks, told: Told
) -> None:
    """The first of `order` that a row has; every other one than the supplier's own number is remarked."""
    index = out["title"].index
    keys, origins = missing(index), missing(index)
    for origin in order:
        if origin == "gtin":
            found = out["gtin"].where(out["gtin_verdict"].isin(["valid", "repaired"]), None)
        elif origin == "handle_options":
            whole = [
                "/".join([group, *options.values()]) if group else None
                for group, options in zip(out["group_key"], out["options"], strict=True)
            ]
            found = pd.Series(whole, index=index, dtype=object)
        elif origin == "source_url":
            found = out["source_url"]
        else:
            found = _values(columns, origin, index)
        fresh = keys.isna() & found.notna()
        keys = keys.where(~fresh, text_series(found, index))
        origins = origins.where(~fresh, origin)
    out["supplier_sku"], out["key_origin"] = keys, origins
    marks.add("key_from_other_field", flags(origins.notna() & (origins != "supplier_sku")))
    told.blank(marks, "missing_key", "supplier_sku", flags(keys.isna()))
    told.mark(marks, "key_too_long", "supplier_sku", flags(keys.str.len() > LONGEST_KEY))


def _settle_choices(
    out: dict[str, pd.Series], groups: list[str | None], others: Mask, grouping: Mapping[str, Any]
) -> None:
    """What all a product's variants share, or what belongs to no product of several, is an attribute, no option."""
    options, attributes = out["options"].tolist(), out["attributes"].tolist()
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if group and not others[row]:
            members.setdefault(group, []).append(row)
    if grouping.get("options_vary"):
        for rows in members.values():
            names = dict.fromkeys(name for row in rows for name in attributes[row])
            for name in [n for n in names if len({attributes[row].get(n) for row in rows}) > 1]:
                for row in [row for row in rows if name in attributes[row]]:
                    options[row][name] = attributes[row].pop(name)
    alone = {rows[0] for rows in members.values() if len(rows) == 1}
    for row, (found, group) in enumerate(zip(options, out["group_key"], strict=True)):
        if found and (group is None or row in alone):
            attributes[row].update(
                {name: value for name, value in found.items() if name.casefold() != _PLACEHOLDER[0]}
            )
            found.clear()


def _kinds(columns: Mapping[str, Column], index: pd.Index) -> pd.Series:
    """What the file says, else digital for a gift card, service for what needs no shipping, goods for the rest."""
    said, gift = _values(columns, "kind", index), _values(columns, "gift_card", index)
    unshipped = flags(_values(columns, "shipped", index).map(lambda one: one is False))
    follows = np.where(gift.map(lambda one: one is True), "digital", np.where(unshipped, "service", "goods"))
    return said.where(said.notna(), pd.Series(follows, index=index, dtype=object))


def _taxed(columns: Mapping[str, Column], standing: bool | None, index: pd.Index) -> pd.Series:
    if "price_includes_tax" not in columns:
        return pd.Series([standing] * len(index), index=index, dtype=object)
    return _values(columns, "price_includes_tax", index).map(
        lambda one: standing if one is None else one in (True, "true")
    )


def _dimensions(columns: Mapping[str, Column], index: pd.Index) -> pd.Series:
    """{"length": 240, …} in millimetres of the sides that are known, None where none is."""
    sides = [
        (side, _values(columns, field, index).tolist()) for side, field in _SIDES.items() if field in columns
    ]
    measured = [
        {side: values[row] for side, values in sides if values[row]} or None for row in range(len(index))
    ]
    return pd.Series(measured, index=index, dtype=object)


def _remarks(columns: Mapping[str, Column], marks: Marks) -> None:
    """What operations remarked; an unreadable secondary figure is ignored, and says so."""
    for name, column in columns.items():
        for rule, mask in column.marks.items():
            if rule in NOTES:
                marks.add(rule, mask)
            elif name not in ("cost", "price", "stock", "currency"):
                marks.add("value_ignored", mask)


def _settle_rows(
    filled: pd.DataFrame, document: Mapping[str, Any], marks: Marks, parts: Mask, skipped: Mask,
    why: dict[int, tuple[str, str, str]],
) -> None:  # fmt: skip
    """Parts and skipped rows have no faults of their own; a product that is not there, or a row not whole, has one."""
    marks.clear(parts | skipped)
    marks.add("skipped_by_rule", skipped, why)
    grouping = document.get("grouping") or {}
    if grouping:
        sold = pd.Series(~parts, index=filled.index).groupby(filled[GROUP], sort=False).transform("any")
        orphans = filled[PART].to_numpy(dtype=bool) & parts & ~flags(sold)
        broken = filled[BROKEN].to_numpy(dtype=bool) | orphans
        name = grouping.get("by") or grouping["parent"]
        marks.add(
            "group_broken",
            broken,
            {row: (name, str(filled[name].iloc[row]), "") for row in np.flatnonzero(broken).tolist()},
        )
    for rule in READER_FAULTS:
        hurt = flags(filled[FAULT] == rule)
        marks.clear(hurt)
        marks.add(rule, hurt)


def _dictionaries(columns: Mapping[str, Column], name: str, index: pd.Index) -> pd.Series:
    """Name -> value of each row, without the placeholder of a product that has no options."""
    if name not in columns:
        return pd.Series([{} for _ in index], index=index, dtype=object)
    return columns[name].values.map(
        lambda found: {n: v for n, v in found.items() if (n.casefold(), v.casefold()) != _PLACEHOLDER}
    )


def _values(columns: Mapping[str, Column], name: str, index: pd.Index) -> pd.Series:
    """A field as objects, None where there is none."""
    if name not in columns:
        return pd.Series([None] * len(index), index=index, dtype=object)
    return _objects(columns[name].values)


def _objects(series: pd.Series) -> pd.Series:
    if series.dtype == object:
        return series
    return series.astype(object).where(series.notna(), None)
