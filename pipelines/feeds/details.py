"""What only some records have: texts by language, price tiers and basis, order quantities, customs, validity, territory."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.columns import Column, flags, per_unique, text_series, without_missing
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
        values = without_missing(frame[column], words)
        if isinstance(value, Mapping):
            values = text_series([INNER.join(one) or None for one in kept(values, frame, value)], frame.index)
        present = np.flatnonzero(flags(values.notna())).tolist()
        names = frame[name].tolist() if isinstance(name, str) else None
        texts = values.tolist()
        for row in present:
            said = names[row] if names is not None else name["value"]
            if isinstance(said, str):
                parts = zip(_BETWEEN.split(said), _BETWEEN.split(texts[row]), strict=False)
                found[row] += [[n.strip(), v.strip()] for n, v in parts if n.strip() and v.strip()]
    series = pd.Series([one or None for one in found], index=frame.index, dtype=object)
    return Column(series, series)


def settle_details(columns: Mapping[str, Column], index: pd.Index) -> dict[str, pd.Series]:
    """The fields of staging.DETAILS that are made here, as objects, None where a record has none of it.

    Of a value that cannot be read nothing is kept and `value_ignored` marks the record.
    """
    nothing = pd.Series([None] * len(index), index=index, dtype=object)
    made = {name: columns[name].values if name in columns else nothing for name in _PLAIN}
    made["titles"] = _by_language(columns, "titles", nothing, lambda text: " ".join(bare_text(text).split()))
    made["descriptions"] = _by_language(columns, "descriptions", nothing, lambda text: cleaned(text)[0])
    made["territory"] = _territory(columns.get("territory"), nothing)
    basis = columns["cost_basis"].values if "cost_basis" in columns else None
    made["cost_basis"] = nothing if basis is None else basis
    made["cost_tiers"] = _tiers(columns.get("cost_tiers"), basis, nothing)
    return made


def per_piece(amounts: pd.Series, basis: pd.Series) -> pd.Series:
    """Amounts stated for `basis` pieces as amounts for one, to six places; a basis of nothing or below changes nothing."""
    stated = flags(amounts.notna()) & flags(basis.notna())
    if not stated.any():
        return amounts
    whole = amounts[stated].tolist()
    units = [unit_cost(one, many) for one, many in zip(whole, basis[stated].tolist(), strict=True)]
    found = amounts.astype(object)
    found[stated] = pd.Series(units, index=amounts.index[stated], dtype=object)
    return text_series(found, amounts.index)


def unit_cost(amount: str, basis: str) -> str:
    """What one piece costs where `basis` pieces cost `amount`: "12.50", "100" -> "0.125"; at most six places."""
    pieces = Decimal(basis)
    if pieces <= 0 or pieces == 1:
        return amount
    whole, _, fraction = f"{(Decimal(amount) / pieces).quantize(_PLACES):f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _by_language(
    columns: Mapping[str, Column], name: str, nothing: pd.Series, plain: Callable[[str], str]
) -> pd.Series:
    """ISO 639-1 language -> text; of a language that comes twice the first text stands."""
    if name not in columns:
        return nothing
    column, told = columns[name], []
    odd = np.zeros(len(nothing), dtype=bool)
    for row, pairs in enumerate(column.values):
        texts: dict[str, str] = {}
        for said, text in pairs or ():
            code = language_of(said)
            odd[row] |= code is None
            if code and (kept := plain(text)):
                texts.setdefault(code, kept)
        told.append(texts or None)
    column.mark("value_ignored", odd)
    return pd.Series(told, index=nothing.index, dtype=object)


def _tiers(column: Column | None, basis: pd.Series | None, nothing: pd.Series) -> pd.Series:
    """[[from pieces, amount for one]], the smallest number of pieces first."""
    if column is None:
        return nothing
    bases = [None] * len(nothing) if basis is None else basis.tolist()
    odd = np.zeros(len(nothing), dtype=bool)
    told: list[Any] = []
    for row, (pairs, many) in enumerate(zip(column.values, bases, strict=True)):
        tiers: dict[int, str] = {}
        for said, written in pairs or ():
            pieces, amount = read_number(said, "."), read_number(written, "." if "." in written else ",")
            if pieces.text is None or amount.text is None or amount.text.startswith("-"):
                odd[row] = True
                continue
            unit = unit_cost(amount.text, many) if isinstance(many, str) else amount.text
            tiers.setdefault(int(pieces.text.partition(".")[0]), unit)
        told.append([[pieces, tiers[pieces]] for pieces in sorted(tiers)] or None)
    column.mark("value_ignored", odd)
    return pd.Series(told, index=nothing.index, dtype=object)


def _territory(column: Column | None, nothing: pd.Series) -> pd.Series:
    """ISO 3166-1 alpha-2 codes, sorted; the whole world is no limit."""
    if column is None:
        return nothing

    def read(text: str) -> tuple[list[str] | None, bool]:
        words = [word for word in _BETWEEN_COUNTRIES.split(text) if word]
        if any(word.casefold() in _NO_LIMIT for word in words):
            return None, False
        whole = country_of(text)  # a name of several words
        codes = [whole] if whole else [country_of(word) for word in words]
        return sorted({code for code in codes if code}) or None, None in codes

    if column.values.dtype == object:  # a list, from `split`
        texts = text_series([INNER.join(many) if many else None for many in column.values], nothing.index)
    else:
        texts = column.values
    answers = per_unique(texts, read)
    column.mark("value_ignored", np.array([bool(one and one[1]) for one in answers], dtype=bool))
    return pd.Series([one[0] if one else None for one in answers], index=nothing.index, dtype=object)
