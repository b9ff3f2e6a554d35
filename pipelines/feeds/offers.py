"""Filled rows -> offers: every field evaluated, the key chosen, money and stock settled, each row marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pandas as pd

from connectors.readers.frames import FAULT, LOCATOR
from pipelines.feeds.grouping import BROKEN, GROUP, PART
from pipelines.feeds.mapping.columns import Column, Mask, flags, missing, text_series, without_missing
from pipelines.feeds.mapping.evaluate import columns_of, evaluate
from pipelines.feeds.verdicts import READER_FAULTS, Marks

OFFER_COLUMNS = (
    "supplier_sku", "key_origin", "gtin", "gtin_verdict", "mpn", "brand", "title", "description", "category", "kind",
    "cost", "price", "rrp", "currency", "price_includes_tax", "tax_rate", "stock", "availability", "lead_time_days",
    "weight_g", "dimensions_mm", "condition", "group_key", "group_title", "options", "attributes", "images",
    "source_url", "locator", "content_hash",
)  # fmt: skip
_MONEY = ("cost", "price", "rrp")
_PRIMARY_MONEY = ("cost", "price")  # without a readable one of these nothing is sold
_TEXT = ("mpn", "brand", "title", "description", "category", "condition", "tax_rate", "group_title")
_WHOLE = ("lead_time_days", "weight_g", "length_mm", "width_mm", "height_mm")
_PLACEHOLDER_OPTION = ("title", "default title")  # what Shopify writes where a product has no options


@dataclass
class Draft:
    """One row a source row: OFFER_COLUMNS but the hash as objects, what was marked, which rows are no offer."""

    offers: pd.DataFrame
    marks: Marks
    parts: Mask
    groups: list[str | None]


def draft(filled: pd.DataFrame, document: Mapping[str, Any], currency: str | None, as_of: datetime) -> Draft:
    """Drafts of offers of whole products' rows, nothing decided about doubles yet."""
    words = frozenset(str(word).lower() for word in document["dialect"]["missingValues"])
    fields = document["fields"]
    columns = {name: evaluate(filled, spec, words, as_of) for name, spec in fields.items()}
    index, rows = filled.index, len(filled)
    marks = Marks(rows)
    told = _Told(fields, columns)
    parts, skipped, rule_told = _by_rules(filled, document.get("rules", ()), filled[PART].to_numpy(dtype=bool))
    out: dict[str, list[Any]] = {}
    for name in _TEXT:
        out[name] = _objects(columns.get(name), rows)
    for name in _WHOLE:
        out[name] = _objects(columns.get(name), rows)
    out["source_url"] = [many[0] if many else None for many in _objects(columns.get("source_url"), rows)]
    out["images"] = [many or [] for many in _objects(columns.get("images"), rows)]
    out["attributes"] = [found or {} for found in _objects(columns.get("attributes"), rows)]
    groups = _objects(columns.get("group_key"), rows)
    named = [group if isinstance(group, str) else None for group in filled[GROUP]]
    out["group_key"] = [own or group for own, group in zip(groups, named, strict=True)] if "group_key" in fields else named
    _options(out, columns)
    _gtin(out, columns, rows, marks)
    _key(out, columns, document["key"], marks, told)
    _choices(out, named, parts | skipped, document.get("grouping") or {})
    _money(out, columns, document, currency, marks, told)
    _stock(out, columns, marks)
    _kind(out, columns)
    if not any(out["group_title"]):
        out["group_title"] = [title if group else None for title, group in zip(out["title"], out["group_key"], strict=True)]
    out["dimensions_mm"] = _dimensions(out)
    out["locator"] = filled[LOCATOR].tolist()
    for name, column in columns.items():
        for rule, mask in column.marks.items():
            if rule in ("html_cleaned", "text_damaged", "image_unusable", "unit_assumed", "value_ignored"):
                marks.add(rule, mask)
            elif name == "rrp" or (name not in _MONEY and rule == "not_a_number" and name != "stock"):
                marks.add("value_ignored", mask)
    no_title = np.array([title is None for title in out["title"]], dtype=bool)
    marks.add("missing_title", no_title, told.rows("title", no_title))
    marks.clear(parts | skipped)
    marks.add("skipped_by_rule", skipped, rule_told)
    lonely = _lonely(filled, parts)
    broken = filled[BROKEN].to_numpy(dtype=bool) | lonely
    marks.clear(lonely)
    reference = document.get("grouping") or {}
    by = reference.get("by") or reference.get("parent") or ""
    marks.add("group_broken", broken, {row: (by, str(filled[by].iloc[row]), "") for row in np.flatnonzero(broken)} if by else None)
    faults = filled[FAULT]
    for rule in READER_FAULTS:
        hurt = (faults == rule).to_numpy(dtype=bool)
        marks.clear(hurt)
        marks.add(rule, hurt)
        parts = parts & ~hurt
    offers = pd.DataFrame({n: pd.Series(out[n], index=index, dtype=object) for n in OFFER_COLUMNS if n != "content_hash"})
    return Draft(offers, marks, parts, named)


def hashes(offers: pd.DataFrame) -> list[str]:
    """The content hash of each offer: BLAKE2b, 16 bytes in hex, over everything but the locator."""
    columns = [offers[name].tolist() for name in OFFER_COLUMNS if name not in ("locator", "content_hash")]
    return [blake2b(orjson.dumps(row), digest_size=16).hexdigest() for row in zip(*columns, strict=True)]


class _Told:
    """The words for a reject: the supplier's own column and what stood there."""

    def __init__(self, fields: Mapping[str, Any], columns: Mapping[str, Column]) -> None:
        self.fields = fields
        self.columns = columns

    def name(self, field: str) -> str:
        """The supplier's own name of the field's column, else ours."""
        return next(iter(columns_of(self.fields.get(field, {}))), field)

    def rows(self, field: str, mask: Mask) -> dict[int, tuple[str, str, str]]:
        """(column, value as received, "") of each row of the mask."""
        name, column = self.name(field), self.columns.get(field)
        received = column.received if column is not None else None
        return {
            row: (name, str(received.iloc[row]) if received is not None and isinstance(received.iloc[row], str) else "", "")
            for row in np.flatnonzero(mask).tolist()
        }


def _by_rules(filled: pd.DataFrame, rules: Any, parts: Mask) -> tuple[Mask, Mask, dict[int, tuple[str, str, str]]]:
    """Rows that are only parts, rows the supplier does not sell here, and by which value."""
    skipped, told = np.zeros(len(filled), dtype=bool), {}
    for rule in rules:
        name = rule["when"]["column"]
        if name not in filled:
            continue
        hit = _meets(filled[name], rule["when"])
        if rule["then"] == "part":
            parts = parts | hit
        elif rule["then"] == "skip":
            skipped |= hit
            told.update({row: (name, str(filled[name].iloc[row]).strip(), "") for row in np.flatnonzero(hit).tolist()})
    return parts & ~skipped, skipped, told


def _meets(values: pd.Series, when: Mapping[str, Any]) -> Mask:
    plain = values.str.strip().str.lower()
    if "is" in when:
        return flags(plain.isin([str(word).lower() for word in when["is"]]))
    wanted = {str(word).lower() for word in when["has"]}
    return np.array([isinstance(v, str) and not wanted.isdisjoint(map(str.strip, v.split(","))) for v in plain], dtype=bool)


def _lonely(filled: pd.DataFrame, parts: Mask) -> Mask:
    """Rows that only add to a product which has no row of its own in the file (an image of nothing)."""
    parts = parts & filled[PART].to_numpy(dtype=bool)
    if not parts.any():
        return np.zeros(len(filled), dtype=bool)
    sold = pd.Series(~parts, index=filled.index).groupby(filled[GROUP], sort=False).transform("any")
    return parts & ~flags(sold)


def _options(out: dict[str, list[Any]], columns: Mapping[str, Column]) -> None:
    """Name -> value; the placeholder of a product without options is none."""
    options = _objects(columns.get("options"), len(out["title"]))
    out["options"] = [
        {n: v for n, v in (found or {}).items() if (n.casefold(), v.casefold()) != _PLACEHOLDER_OPTION} for found in options
    ]


def _choices(out: dict[str, list[Any]], groups: list[str | None], parts: Mask, grouping: Mapping[str, Any]) -> None:
    """What is the same for all a product's variants, or belongs to no product of several, is no choice but an attribute."""
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if group and not parts[row]:
            members.setdefault(group, []).append(row)
    if grouping.get("options_vary"):
        for rows in members.values():
            names = {name for row in rows for name in out["attributes"][row]}
            for name in sorted(n for n in names if len({out["attributes"][row].get(n) for row in rows}) > 1):
                for row in rows:
                    if name in out["attributes"][row]:
                        out["options"][row][name] = out["attributes"][row].pop(name)
    alone = {rows[0] for rows in members.values() if len(rows) == 1}
    for row, options in enumerate(out["options"]):
        if options and (out["group_key"][row] is None or row in alone):
            kept = {n: v for n, v in options.items() if n.casefold() != _PLACEHOLDER_OPTION[0]}
            out["attributes"][row] = {**out["attributes"][row], **kept}
            out["options"][row] = {}


def _gtin(out: dict[str, list[Any]], columns: Mapping[str, Column], rows: int, marks: Marks) -> None:
    column = columns.get("gtin")
    out["gtin"] = _objects(column, rows)
    verdict = column.sides["gtin_verdict"].tolist() if column is not None and "gtin_verdict" in column.sides else [None] * rows
    out["gtin_verdict"] = [one or "none" for one in verdict]
    if column is not None:
        for rule in ("gtin_invalid", "gtin_repaired", "gtin_restricted"):
            marks.add(rule, column.marks.get(rule, np.zeros(rows, dtype=bool)))


def _key(out: dict[str, list[Any]], columns: Mapping[str, Column], order: list[str], marks: Marks, told: _Told) -> None:
    """The first of `order` that a row has; every other one than the supplier's own number is marked."""
    rows = marks.rows
    good = [one in ("valid", "repaired") for one in out["gtin_verdict"]]
    sources: dict[str, list[Any]] = {
        "supplier_sku": _objects(columns.get("supplier_sku"), rows),
        "source_id": _objects(columns.get("source_id"), rows),
        "gtin": [gtin if ok else None for gtin, ok in zip(out["gtin"], good, strict=True)],
        "handle_options": [
            "/".join([group, *options.values()]) if group else None
            for group, options in zip(out["group_key"], out["options"], strict=True)
        ],
        "source_url": out["source_url"],
    }
    keys: list[str | None] = [None] * rows
    origins: list[str | None] = [None] * rows
    for origin in order:
        for row, value in enumerate(sources[origin]):
            if keys[row] is None and value:
                keys[row], origins[row] = value, origin
    out["supplier_sku"], out["key_origin"] = keys, origins
    marks.add("key_from_other_field", np.array([one not in (None, "supplier_sku") for one in origins], dtype=bool))
    none = np.array([key is None for key in keys], dtype=bool)
    marks.add("missing_key", none, told.rows("supplier_sku", none))


def _money(
    out: dict[str, list[Any]], columns: Mapping[str, Column], document: Mapping[str, Any], currency: str | None,
    marks: Marks, told: _Told,
) -> None:  # fmt: skip
    """Amounts as the supplier wrote them, their one currency, and the cost by the feed's policy where it has none."""
    rows = marks.rows
    found: list[str | None] = _objects(columns.get("currency"), rows)
    conflict = np.zeros(rows, dtype=bool)
    for name in _MONEY:
        column = columns.get(name)
        out[name] = _objects(column, rows)
        if column is None:
            continue
        for row, code in enumerate(_objects_of(column.sides.get("currency"), rows)):
            if code and found[row] and found[row] != code and out[name][row] is not None:
                conflict[row] = True
            found[row] = found[row] or code
        if name in _PRIMARY_MONEY:
            for rule in ("not_a_number", "number_ambiguous", "currency_unknown"):
                mask = column.marks.get(rule, np.zeros(rows, dtype=bool))
                marks.add(rule, mask, told.rows(name, mask))
        value = [Decimal(amount) if amount is not None else None for amount in out[name]]
        negative = np.array([one is not None and one < 0 for one in value], dtype=bool)
        if name in _PRIMARY_MONEY:
            marks.add("price_negative", negative, told.rows(name, negative))
        zero = np.array([one is not None and one == 0 for one in value], dtype=bool)
        if name == "cost" and "price" in columns:  # a zero cost beside a price is an empty cell in many exports
            out[name] = [None if gone else amount for gone, amount in zip(zero, out[name], strict=True)]
        elif name in _PRIMARY_MONEY:
            marks.add("price_zero", zero, told.rows(name, zero))
        elif name == "rrp":
            out[name] = [None if gone else amount for gone, amount in zip(zero | negative, out[name], strict=True)]
    if "currency" in columns:
        unknown = columns["currency"].marks.get("currency_unknown", np.zeros(rows, dtype=bool))
        marks.add("currency_unknown", unknown, told.rows("currency", unknown))
    marks.add("currency_conflict", conflict, told.rows("price" if "price" in columns else "cost", conflict))
    out["currency"] = [code or document.get("currency") or currency for code in found]
    policy = (document.get("policy") or {}).get("cost")
    if policy:
        share = (Decimal(100) - Decimal(str(policy.get("minus_percent", 0)))) / 100
        base = out[policy["from"]]
        out["cost"] = [
            cost if cost is not None or amount is None else _reduced(amount, share)
            for cost, amount in zip(out["cost"], base, strict=True)
        ]
    unreadable = marks.any_of(("not_a_number",))
    none = np.array([c is None and p is None for c, p in zip(out["cost"], out["price"], strict=True)], dtype=bool) & ~unreadable
    marks.add("missing_price", none, told.rows("price" if "price" in columns or "cost" not in columns else "cost", none))
    taxed: list[Any] = _objects(columns.get("price_includes_tax"), rows)
    standing = document.get("price_includes_tax")
    out["price_includes_tax"] = [standing if one is None else one in (True, "true", "True") for one in taxed]


def _reduced(amount: str, share: Decimal) -> str:
    """`amount` times `share`, to at most six places, without zeros at the end beyond two places."""
    value = (Decimal(amount) * share).quantize(Decimal("0.000001"))
    whole, _, fraction = f"{value:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _stock(out: dict[str, list[Any]], columns: Mapping[str, Column], marks: Marks) -> None:
    """Stock never below zero; what is not counted is unknown, and availability follows from stock where it is not said."""
    rows = marks.rows
    stock: list[int | None] = _objects(columns.get("stock"), rows)
    said: list[str | None] = _objects(columns.get("availability"), rows)
    tracked, backorders = columns.get("tracked"), columns.get("backorders")
    kept = [True] * rows if tracked is None else [value is not None for value in _objects(tracked, rows)]
    on = _objects(backorders, rows)
    negative = np.array([one is not None and one < 0 for one in stock], dtype=bool)
    uncounted = np.array([one == 0 and not count for one, count in zip(stock, kept, strict=True)], dtype=bool)
    unread = columns["stock"].marks.get("not_a_number") if "stock" in columns else None
    marks.add("stock_negative", negative)
    marks.add("stock_unknown", uncounted if unread is None else uncounted | unread)
    for row in range(rows):
        count = stock[row]
        if uncounted[row]:
            stock[row], said[row] = None, said[row] or "in_stock"
        elif count is not None:
            stock[row] = max(count, 0)
            if said[row] is None:
                said[row] = "in_stock" if count > 0 else "preorder" if on[row] else "out_of_stock"
    out["stock"], out["availability"] = stock, said


def _kind(out: dict[str, list[Any]], columns: Mapping[str, Column]) -> None:
    rows = len(out["title"])
    said = _objects(columns.get("kind"), rows)
    shipped = _objects(columns.get("shipped"), rows)
    gift = _objects(columns.get("gift_card"), rows)
    kinds: list[str] = []
    for row in range(rows):
        kind = said[row] or "goods"
        if said[row] is None and gift[row]:
            kind = "digital"
        elif said[row] is None and shipped[row] is False:
            kind = "service"
        kinds.append(kind)
    out["kind"] = kinds


def _dimensions(out: dict[str, list[Any]]) -> list[dict[str, int] | None]:
    sides = [(name.removesuffix("_mm"), out[name]) for name in ("length_mm", "width_mm", "height_mm")]
    return [
        {name: values[row] for name, values in sides if values[row]} or None for row in range(len(out["title"]))
    ]


def _objects(column: Column | None, rows: int) -> list[Any]:
    return _objects_of(column.values if column is not None else None, rows)


def _objects_of(series: pd.Series | None, rows: int) -> list[Any]:
    """Plain Python values, None where there is none."""
    if series is None:
        return [None] * rows
    if series.dtype == object:
        return series.tolist()
    return series.astype(object).where(series.notna(), None).tolist()


__all__ = ["OFFER_COLUMNS", "Draft", "draft", "hashes", "missing", "text_series", "without_missing"]
