"""What only some records have: texts by language, price tiers and basis, order quantities, customs, validity, territory."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.arrays import arrow, each, nothing, present, put, series, texts, true
from pipelines.feeds.mapping.columns import Column, words_removed
from pipelines.feeds.mapping.markup import bare_text, cleaned
from pipelines.feeds.mapping.numbers import read_number
from pipelines.feeds.mapping.repeated import kept
from pipelines.feeds.mapping.words import country_of, language_of

PAIRED = ("titles", "descriptions", "cost_tiers")
"""Fields read from pairs of columns, aligned place by place; `settle` has them from `aligned`."""
IMPLIED: dict[str, Any] = {
    "map_price": "money", "cost_basis": "number", "minimum": {"number": {"whole": True}}, "step": {"number": {"whole": True}},
    "pack": {"number": {"whole": True}}, "origin": "country", "valid_from": "date", "valid_to": "date",
}  # fmt: skip
"""The operation that gives a field its type, for mappings that do not name it."""
_PLAIN = ("tax_category", "hs_code", "origin", "valid_from", "valid_to", "minimum", "step", "pack")
_BETWEEN = re.compile(f"[{OUTER}{INNER}]")
_BETWEEN_COUNTRIES = re.compile(rf"[{OUTER}{INNER},;|\s]+")
_PLACES = Decimal("0.000001")
_NO_LIMIT = frozenset({"world", "ww", "all", "*"})


def implied(name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The field's spec, with the operation that gives it its type where it has none of that name."""
    typed = IMPLIED.get(name)
    if typed is None:
        return spec
    operations = spec.get("operations", [])
    wanted = typed if isinstance(typed, str) else next(iter(typed))
    there = any(wanted == one or (isinstance(one, dict) and wanted in one) for one in operations)
    return spec if there else {**spec, "operations": [*operations, typed]}


def aligned(frame: pd.DataFrame, pairs: list[list[Any]], words: frozenset[str]) -> Column:
    """[[name, value]] of each record, None where it has none; lists inside cells go together place by place.

    A value may be a source with `where` and `times`, see pipelines.feeds.mapping.repeated.
    """
    found: list[list[list[str]]] = [[] for _ in range(len(frame))]
    for name, value in pairs:
        column = value["column"] if isinstance(value, Mapping) else value
        if column not in frame or (isinstance(name, str) and name not in frame):
            continue
        values = words_removed(arrow(frame[column]), words)
        if isinstance(value, Mapping):
            chosen = [INNER.join(one) or None for one in kept(series(values), frame, value)]
        else:
            chosen = values.to_pylist()
        names = arrow(frame[name]).to_pylist() if isinstance(name, str) else [name["value"]] * len(frame)
        for row, (said, text) in enumerate(zip(names, chosen, strict=True)):
            if said and text:
                parts = zip(_BETWEEN.split(said), _BETWEEN.split(text), strict=False)
                found[row] += [[n.strip(), v.strip()] for n, v in parts if n.strip() and v.strip()]
    column = Column(texts([orjson.dumps(one).decode() if one else None for one in found]), None)
    column.kind = "json"
    return column


def settle_details(columns: Mapping[str, Column], rows: int) -> dict[str, pa.Array]:
    """The fields of staging.DETAILS that are made here: text, or JSON where a field has a shape of its own.

    Of a value that cannot be read nothing is kept and `value_ignored` marks the record.
    """
    made = {name: columns[name].text if name in columns else nothing(rows) for name in _PLAIN}
    made["titles"] = _by_language(columns, "titles", rows, lambda text: " ".join(bare_text(text).split()))
    made["descriptions"] = _by_language(columns, "descriptions", rows, lambda text: cleaned(text)[0])
    made["territory"] = _territory(columns["territory"]) if "territory" in columns else nothing(rows)
    basis = columns["cost_basis"].text if "cost_basis" in columns else None
    made["cost_basis"] = nothing(rows) if basis is None else basis
    made["cost_tiers"] = _tiers(columns["cost_tiers"], basis) if "cost_tiers" in columns else nothing(rows)
    return made


def per_piece(amounts: pa.Array, basis: pa.Array) -> pa.Array:
    """Amounts stated for `basis` pieces as amounts for one, to six places; a basis of nothing or below changes nothing."""
    stated = present(amounts) & present(basis)
    if not stated.any():
        return amounts
    rows = pa.array(stated)
    pairs = zip(amounts.filter(rows).to_pylist(), basis.filter(rows).to_pylist(), strict=True)
    return put(amounts, stated, texts([unit_cost(one, many) for one, many in pairs]))


def unit_cost(amount: str, basis: str) -> str:
    """What one piece costs where `basis` pieces cost `amount`: "12.50", "100" -> "0.125"; at most six places."""
    pieces = Decimal(basis)
    if pieces <= 0 or pieces == 1:
        return amount
    whole, _, fraction = f"{(Decimal(amount) / pieces).quantize(_PLACES):f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _by_language(
    columns: Mapping[str, Column], name: str, rows: int, plain: Callable[[str], str]
) -> pa.Array:
    """ISO 639-1 language -> text; of a language that comes twice the first text stands."""
    if name not in columns:
        return nothing(rows)
    odd: set[str] = set()

    def read(pairs: str) -> str | None:
        found: dict[str, str] = {}
        for said, text in orjson.loads(pairs):
            code = language_of(said)
            if not code:
                odd.add(pairs)
            elif kept := plain(text):
                found.setdefault(code, kept)
        return orjson.dumps(found).decode() if found else None

    return _remarked(columns[name], read, odd)


def _tiers(column: Column, basis: pa.Array | None) -> pa.Array:
    """[[from pieces, amount for one]], the smallest number of pieces first."""
    bases = [None] * len(column.text) if basis is None else basis.to_pylist()
    odd = np.zeros(len(column.text), dtype=bool)
    told: list[str | None] = []
    for row, (pairs, many) in enumerate(zip(column.text.to_pylist(), bases, strict=True)):
        tiers: dict[int, str] = {}
        for said, written in orjson.loads(pairs or "[]"):
            pieces, amount = read_number(said, "."), read_number(written, "." if "." in written else ",")
            if pieces.text is None or amount.text is None or amount.text.startswith("-"):
                odd[row] = True
                continue
            unit = unit_cost(amount.text, many) if many else amount.text
            tiers.setdefault(int(pieces.text.partition(".")[0]), unit)
        told.append(orjson.dumps([[n, tiers[n]] for n in sorted(tiers)]).decode() if tiers else None)
    column.mark("value_ignored", odd)
    return texts(told)


def _territory(column: Column) -> pa.Array:
    """ISO 3166-1 alpha-2 codes, sorted; the whole world is no limit."""
    odd: set[str] = set()

    def read(text: str) -> str | None:
        words = [word for word in _BETWEEN_COUNTRIES.split(text) if word]
        if any(word.casefold() in _NO_LIMIT for word in words):
            return None
        whole = country_of(text)  # a name of several words
        codes = [whole] if whole else [country_of(word) for word in words]
        if None in codes:
            odd.add(text)
        known = sorted({code for code in codes if code})
        return orjson.dumps(known).decode() if known else None

    return _remarked(column, read, odd)


def _remarked(column: Column, read: Callable[[str], str | None], odd: set[str]) -> pa.Array:
    """`read` of each value; those that it put among the `odd` are remarked."""
    told = each(column.text, read)
    if odd:
        column.mark("value_ignored", true(pc.is_in(column.text, value_set=texts(sorted(odd)))))
    return told
