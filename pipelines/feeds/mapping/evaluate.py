"""One field of the mapping, evaluated for all records of a frame: sources chosen, then operations in order."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.arrays import (
    Mask,
    always,
    arrow,
    first_known,
    joined,
    keep,
    nothing,
    per_value,
    put,
    rows_with,
    series,
    texts,
)
from pipelines.feeds.mapping.columns import Column, words_removed
from pipelines.feeds.mapping.named import named_values
from pipelines.feeds.mapping.operations import OPERATIONS
from pipelines.feeds.mapping.repeated import QUALIFIERS, narrowed
from pipelines.feeds.mapping.templates import columns_of_source, composed

_BETWEEN = re.compile(f"[{OUTER}{INNER}]")
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)|(\d\d?)\.(\d\d?)\.(\d{4})")


def evaluate(frame: pd.DataFrame, spec: Mapping[str, Any], words: frozenset[str], as_of: datetime) -> Column:
    """The field that `spec` describes. `words` mean "no value"; `as_of` decides whether a dated price counts."""
    if "pairs" in spec:
        return named_values(frame, spec["pairs"], words)
    sources = spec.get("from", [])
    operations = spec.get("operations", ())
    if spec.get("all"):
        found = _all(frame, sources, words)
    else:
        found = _first(frame, sources, words, as_of)
        if not any(one == "url" or "split" in one for one in operations):
            found = _single(found)
    column = Column(found, found)
    for operation in operations:
        name, argument = (operation, None) if isinstance(operation, str) else next(iter(operation.items()))
        OPERATIONS[name](column, argument)
    return column


def columns_of(spec: Mapping[str, Any]) -> list[str]:
    """The names of the columns a field is read from, in order."""
    if "pairs" in spec:
        return [name for pair in spec["pairs"] for one in pair for name in columns_of_source(one)]
    return [name for one in spec.get("from", []) for name in columns_of_source(one)]


def _first(frame: pd.DataFrame, sources: list[Any], words: frozenset[str], as_of: datetime) -> pa.Array:
    """Of each record the first source that has a value."""
    found: list[pa.Array] = []
    for source in sources:
        if isinstance(source, Mapping) and "value" in source:
            values = always(str(source["value"]), len(frame))
        elif isinstance(source, Mapping) and "template" in source:
            values = arrow(composed(frame, source["template"], words))
        else:
            name = source if isinstance(source, str) else source["column"]
            if name not in frame:
                continue
            values = words_removed(arrow(frame[name]), words)
            if isinstance(source, Mapping) and not source.keys().isdisjoint(QUALIFIERS):
                values = arrow(narrowed(series(values), frame, source))
            if isinstance(source, Mapping) and "window" in source:
                values = keep(values, _open(frame, source["window"], as_of))
        found.append(values)
        if not values.null_count:
            break
    return first_known(*found) if found else nothing(len(frame))


def _single(values: pa.Array) -> pa.Array:
    """Of an element that came several times the first that says something, where the field is one value."""
    several = rows_with(values, OUTER.encode(), INNER.encode())
    if several is None:
        return values
    lists = values.filter(pa.array(several)).to_pylist()
    return put(
        values,
        several,
        texts([next(filter(None, map(str.strip, _BETWEEN.split(text))), "") for text in lists]),
    )


def _all(frame: pd.DataFrame, sources: list[Any], words: frozenset[str]) -> pa.Array:
    """The values of all sources, one behind the other."""
    parts = [words_removed(arrow(frame[name]), words) for name in sources if name in frame]
    some = [part for part in parts if part.null_count < len(part)]
    if len(some) < 2:
        return some[0] if some else nothing(len(frame))
    return joined(some, INNER)


def _open(frame: pd.DataFrame, window: list[str], as_of: datetime) -> Mask:
    """Rows whose window (two columns, or one with "start/end") is open on the day of `as_of`; no dates: always."""
    rows = len(frame)
    starts = arrow(frame[window[0]]) if window[0] in frame else nothing(rows)
    ends = arrow(frame[window[-1]]) if window[-1] in frame else nothing(rows)
    closing = _day if len(window) == 2 else _day_behind
    if starts.null_count == rows and ends.null_count == rows:
        return np.ones(rows, dtype=bool)
    today = as_of.strftime("%Y-%m-%d")
    early = per_value(starts, lambda text: _day(text) > today)
    over = per_value(ends, lambda text: bool(day := closing(text)) and day < today)
    closed: Mask = early.astype(bool) | over.astype(bool)
    return ~closed


def _day_behind(text: str) -> str:
    """The day behind the slash of "start/end"."""
    return _day(text.partition("/")[2])


def _day(text: str) -> str:
    """ISO date at the beginning of `text`, "" where there is none."""
    found = _DATE.match(text.strip())
    if not found:
        return ""
    year, month, day = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
    return f"{int(year):04}-{int(month):02}-{int(day):02}"
