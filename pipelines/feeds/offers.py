"""Filled rows -> offers: every field evaluated, the key chosen, options and kind settled, each row marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import FAULT, INNER, LOCATOR
from pipelines.feeds.amounts import MONEY, settle_money, settle_stock, whole_numbers
from pipelines.feeds.choices import named_rows, settle_choices
from pipelines.feeds.details import PAIRED, aligned, implied, settle_details
from pipelines.feeds.grouping import BROKEN, GROUP, PART
from pipelines.feeds.hashing import Hashes, hash64, hexed, rows_as_text
from pipelines.feeds.mapping.arrays import (
    Mask,
    always,
    arrow,
    first_known,
    holds,
    keep,
    nothing,
    present,
    put,
    texts,
    true,
)  # fmt: skip
from pipelines.feeds.mapping.columns import Column, flags
from pipelines.feeds.mapping.evaluate import evaluate
from pipelines.feeds.mapping.jsontext import listed, objects
from pipelines.feeds.mapping.repeated import in_one_currency
from pipelines.feeds.mapping.rules import ruled
from pipelines.feeds.mapping.types import closed
from pipelines.feeds.told import Told
from pipelines.feeds.verdicts import NOTES, READER_FAULTS, Marks

OFFER_COLUMNS = (
    "supplier_sku", "key_origin", "gtin", "gtin_verdict", "mpn", "brand", "title", "description", "category", "kind",
    "cost", "price", "rrp", "currency", "price_includes_tax", "tax_rate", "stock", "availability", "lead_time_days",
    "weight_g", "dimensions_mm", "condition", "group_key", "group_title", "options", "attributes", "images",
    "source_url", "titles", "descriptions", "cost_basis", "cost_tiers", "map_price", "tax_category", "minimum", "step",
    "pack", "origin", "hs_code", "valid_from", "valid_to", "territory", "locator", "content_hash",
)  # fmt: skip
STRUCTURED = (
    "dimensions_mm", "options", "attributes", "images", "titles", "descriptions", "cost_tiers", "territory",
)  # fmt: skip
"""Columns whose values are JSON text."""
WHOLE = ("stock", "lead_time_days", "weight_g", "minimum", "step", "pack")
"""Columns of whole numbers."""
LONGEST_KEY = 500
"""Characters; PostgreSQL's indexes take 2,704 bytes."""
_PLAIN = ("mpn", "brand", "title", "description", "category", "condition", "tax_rate")
_SIDES = {"length": "length_mm", "width": "width_mm", "height": "height_mm"}
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
    """One row a source row: `offers` has OFFER_COLUMNS; `parts` are rows that only add to their product.

    `groups` names the product of each row where the file groups its rows; `contents` are the content hashes as numbers.
    """

    offers: pa.Table
    marks: Marks
    parts: Mask
    groups: pa.Array
    contents: Hashes


def draft(filled: pd.DataFrame, document: Mapping[str, Any], currency: str | None, as_of: datetime) -> Draft:
    """Offers of whole products' rows, nothing decided about doubles yet. `as_of` tells which dated prices count."""
    words = frozenset(str(word).lower() for word in document["dialect"]["missingValues"])
    rows, grouping = len(filled), document.get("grouping") or {}
    standing = document.get("currency") or currency
    filled = in_one_currency(filled, document.get("currency_column"), standing)
    mode = (document.get("policy") or {}).get("mode", "full")
    fields = {n: implied(n, spec) for n, spec in document["fields"].items() if n in _MODES.get(mode, (n,))}
    columns = {
        name: aligned(filled, spec["pairs"], words)
        if name in PAIRED
        else evaluate(filled, spec, words, as_of)
        for name, spec in fields.items()
    }
    for name, spec in fields.items():
        closed(name, columns[name], spec.get("operations", ()))
    marks, told = Marks(rows), Told(fields, columns)
    ruling = ruled(filled, columns, document.get("rules", ()), filled[PART].to_numpy(dtype=bool))
    ruling.mark(marks)
    out: dict[str, pa.Array] = {name: _text(columns, name, rows) for name in _PLAIN}
    members = arrow(filled[GROUP])
    out["source_url"] = _first(_text(columns, "source_url", rows))
    out["images"] = listed(_text(columns, "images", rows)).fill_null("[]")
    out["group_key"] = first_known(_text(columns, "group_key", rows), members)
    out["gtin"] = _text(columns, "gtin", rows)
    verdict = arrow(columns["gtin"].sides["gtin_verdict"]) if "gtin" in columns else nothing(rows)
    out["gtin_verdict"] = verdict.fill_null("none")
    out.update(settle_details(columns, rows))
    out["title"] = _titled(out["title"], out["titles"])
    _choose_key(out, columns, document["key"], marks, told)
    out["options"], out["attributes"] = settle_choices(
        columns, members, out["group_key"], ruling.parts | ruling.skipped, grouping
    )
    if mode != "stock-only":
        out.update(settle_money(columns, document, currency, marks, told, rows))
    else:
        out.update(dict.fromkeys((*MONEY, "currency"), nothing(rows)))
    out["stock"], out["availability"] = settle_stock(columns, marks, rows)
    for name in ("lead_time_days", "weight_g"):
        out[name] = whole_numbers(_text(columns, name, rows))
    for name in ("minimum", "step", "pack"):
        out[name] = whole_numbers(out[name])
    out["kind"] = _kinds(columns, rows)
    out["price_includes_tax"] = _taxed(columns, document.get("price_includes_tax"), rows)
    out["group_title"] = _group_titles(out, columns, filled, grouping)
    out["dimensions_mm"] = _dimensions(columns, rows)
    out["locator"] = arrow(filled[LOCATOR])
    if mode in ("full", "delta"):
        told.blank(marks, "missing_title", "title", ~present(out["title"]))
    elif mode == "stock-only":
        told.blank(marks, "missing_stock", "stock", ~present(out["stock"]) & ~present(out["availability"]))
    _remarks(columns, marks)
    _settle_rows(filled, grouping, marks, ruling.parts, ruling.skipped, ruling.why)
    contents = hash64(rows_as_text([out[n] for n in OFFER_COLUMNS if n not in _UNHASHED], rows))
    out["content_hash"] = hexed(contents)
    offers = pa.table({name: out[name] for name in OFFER_COLUMNS})
    return Draft(offers, marks, ruling.parts & ~flags(filled[FAULT] != ""), members, contents)


def _choose_key(
    out: dict[str, pa.Array], columns: Mapping[str, Column], order: list[str], marks: Marks, told: Told
) -> None:
    """The first of `order` that a row has; every other one than the supplier's own number is remarked."""
    rows = len(out["title"])
    keys, origin = nothing(rows), np.full(rows, -1)
    for place, name in enumerate(order):
        if keys.null_count == 0 and rows:
            break
        if name == "gtin":
            good = true(pc.is_in(out["gtin_verdict"], value_set=texts(["valid", "repaired"])))
            found = keep(out["gtin"], good)
        elif name == "handle_options":
            found = _handles(out, columns, ~present(keys))
        elif name == "source_url":
            found = out["source_url"]
        else:
            found = _text(columns, name, rows)
        origin[~present(keys) & present(found)] = place
        keys = first_known(keys, found)
    out["supplier_sku"] = keys
    out["key_origin"] = texts(order).take(pa.array(origin, mask=origin < 0))
    own = order.index("supplier_sku") if "supplier_sku" in order else -1
    marks.add("key_from_other_field", (origin >= 0) & (origin != own))
    told.blank(marks, "missing_key", "supplier_sku", ~present(keys))
    told.mark(marks, "key_too_long", "supplier_sku", true(pc.greater(pc.utf8_length(keys), LONGEST_KEY)))


def _handles(out: Mapping[str, pa.Array], columns: Mapping[str, Column], wanted: Mask) -> pa.Array:
    """The product's name and its variant's options, where the row has no key so far."""
    groups = out["group_key"].to_pylist()
    named = named_rows(columns.get("options"), len(groups))
    return texts(
        "/".join([group, *options.values()]) if group and asked else None
        for group, options, asked in zip(groups, named, wanted.tolist(), strict=True)
    )


def _titled(titles: pa.Array, by_language: pa.Array) -> pa.Array:
    """The title, and where there is none the first of those by language."""
    wanted = ~present(titles) & present(by_language)
    if not wanted.any():
        return titles
    some = [
        next(iter(orjson.loads(one).values())) for one in by_language.filter(pa.array(wanted)).to_pylist()
    ]
    return put(titles, wanted, texts(some))


def _group_titles(
    out: Mapping[str, pa.Array],
    columns: Mapping[str, Column],
    filled: pd.DataFrame,
    grouping: Mapping[str, Any],
) -> pa.Array:
    """What the product of several variants is called: by its own field, else as its first row, else as the row itself."""
    grouped = present(out["group_key"])
    if not grouped.any():
        return nothing(len(grouped))
    found = [_text(columns, "group_title", len(grouped))]
    if grouping:
        shared = pd.Series(out["title"].to_pandas().array, index=filled.index).groupby(
            filled[GROUP], sort=False
        )
        found.append(arrow(shared.transform("first")))
    return keep(first_known(*found, out["title"]), grouped)


def _kinds(columns: Mapping[str, Column], rows: int) -> pa.Array:
    """What the file says, else digital for a gift card, service for what needs no shipping, goods for the rest."""
    gift = true(pc.equal(_text(columns, "gift_card", rows), "true"))
    unshipped = true(pc.equal(_text(columns, "shipped", rows), "false"))
    follows = np.where(gift, 0, np.where(unshipped, 1, 2))
    if (follows == 2).all():
        guessed = always("goods", rows)
    else:
        guessed = texts(["digital", "service", "goods"]).take(pa.array(follows))
    return first_known(_text(columns, "kind", rows), guessed)


def _taxed(columns: Mapping[str, Column], standing: bool | None, rows: int) -> pa.Array:
    if "price_includes_tax" not in columns:
        return pa.repeat(pa.scalar(standing, pa.bool_()), rows)
    said = pc.equal(columns["price_includes_tax"].text, "true")
    return said if standing is None else said.fill_null(standing)


def _dimensions(columns: Mapping[str, Column], rows: int) -> pa.Array:
    """{"length": 240, …} in millimetres of the sides that are known, none where none is."""
    sides = {side: columns[field].text for side, field in _SIDES.items() if field in columns}
    return objects({side: keep(text, ~true(pc.equal(text, "0"))) for side, text in sides.items()}, rows)


def _remarks(columns: Mapping[str, Column], marks: Marks) -> None:
    """What operations remarked; an unreadable secondary figure is ignored, and says so."""
    for name, column in columns.items():
        for rule, mask in column.marks.items():
            if rule in NOTES:
                marks.add(rule, mask)
            elif name not in ("cost", "price", "stock", "currency"):
                marks.add("value_ignored", mask)


def _settle_rows(
    filled: pd.DataFrame, grouping: Mapping[str, Any], marks: Marks, parts: Mask, skipped: Mask,
    why: dict[int, tuple[str, str, str]],
) -> None:  # fmt: skip
    """Parts and skipped rows have no faults of their own; a product that is not there, or a row not whole, has one."""
    if (parts | skipped).any():
        marks.clear(parts | skipped)
        marks.add("skipped_by_rule", skipped, why)
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
    faults = arrow(filled[FAULT])
    if not pc.all(pc.equal(faults, "")).as_py():
        for rule in READER_FAULTS:
            hurt = true(pc.equal(faults, rule))
            marks.clear(hurt)
            marks.add(rule, hurt)


def _text(columns: Mapping[str, Column], name: str, rows: int) -> pa.Array:
    """A field as text, none where there is none."""
    return columns[name].text if name in columns else nothing(rows)


def _first(lists: pa.Array) -> pa.Array:
    """The first of each list."""
    return pc.replace_substring_regex(lists, f"(?s){INNER}.*$", "") if holds(lists, INNER.encode()) else lists
