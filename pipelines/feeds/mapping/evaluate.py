"""One field of the mapping, evaluated for all records of a frame: sources chosen, then operations in order."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.columns import Column, flags, missing, text_series, without_missing
from pipelines.feeds.mapping.operations import OPERATIONS
from pipelines.feeds.mapping.repeated import narrowed
from pipelines.feeds.mapping.templates import columns_of_source, composed

_BETWEEN = f"[{OUTER}{INNER}]"
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)|(\d\d?)\.(\d\d?)\.(\d{4})")


def evaluate(frame: pd.DataFrame, spec: Mapping[str, Any], words: frozenset[str], as_of: datetime) -> Column:
    """The field that `spec` describes. `words` mean "no value"; `as_of` decides whether a dated price counts."""
    if "pairs" in spec:
        received = _dictionaries(frame, spec["pairs"], words)
        return Column(received, received)
    sources = spec.get("from", [])
    operations = spec.get("operations", ())
    if spec.get("all"):
        chosen = _all(frame, sources, words)
    else:
        chosen = _first(frame, sources, words, as_of)
        if not any(one == "url" or "split" in one for one in operations):
            chosen = _single(chosen)
    column = Column(chosen, chosen)
    for operation in operations:
        name, argument = (operation, None) if isinstance(operation, str) else next(iter(operation.items()))
        OPERATIONS[name](column, argument)
    return column


def columns_of(spec: Mapping[str, Any]) -> list[str]:
    """The names of the columns a field is read from, in order."""
    if "pairs" in spec:
        return [name for pair in spec["pairs"] for one in pair for name in columns_of_source(one)]
    return [name for one in spec.get("from", []) for name in columns_of_source(one)]


def _first(frame: pd.DataFrame, sources: list[Any], words: frozenset[str], as_of: datetime) -> pd.Series:
    """Of each record the first source that has a value."""
    chosen = missing(frame.index)
    for source in sources:
        if isinstance(source, Mapping) and "value" in source:
            values = text_series(str(source["value"]), frame.index)
        elif isinstance(source, Mapping) and "template" in source:
            values = composed(frame, source["template"], words)
        else:
            name = source if isinstance(source, str) else source["column"]
            if name not in frame:
                continue
            values = without_missing(frame[name], words)
            if isinstance(source, Mapping) and not source.keys().isdisjoint(("where", "times")):
                values = narrowed(values, frame, source)
            if isinstance(source, Mapping) and "window" in source:
                values = values.where(_open(frame, source["window"], as_of))
        chosen = values if chosen.isna().all() else chosen.where(chosen.notna(), values)
    return chosen


def _single(values: pd.Series) -> pd.Series:
    """Of an element that came several times the first, where the field is one value."""
    several = flags(values.str.contains(_BETWEEN, regex=True))
    if not several.any():
        return values
    return values.where(~several, values.str.split(_BETWEEN, regex=True).str[0].str.strip())


def _all(frame: pd.DataFrame, sources: list[Any], words: frozenset[str]) -> pd.Series:
    """The values of all sources, one behind the other."""
    parts = [without_missing(frame[name], words) for name in sources if name in frame]
    if not parts:
        return missing(frame.index)
    joined = parts[0]
    for part in parts[1:]:
        both = flags(joined.notna()) & flags(part.notna())
        joined = joined.where(joined.notna(), part).where(~both, joined + INNER + part)
    return joined


def _dictionaries(frame: pd.DataFrame, pairs: list[list[Any]], words: frozenset[str]) -> pd.Series:
    """{name: value} of each record. A pair's first part is a column of names or {"value": "Farbe"}.

    Lists inside cells (repeated XML elements) go together place by place; several values are joined by ", ".
    """
    rows: list[dict[str, str]] = [{} for _ in range(len(frame))]
    for name, value in pairs:
        if value not in frame or (isinstance(name, str) and name not in frame):
            continue
        found = without_missing(frame[value], words)
        values = found.tolist()
        constant = isinstance(name, Mapping)
        names = [name["value"]] * len(frame) if constant else without_missing(frame[name], words).tolist()
        if not flags(found.str.contains(_BETWEEN, regex=True)).any():
            for row, one, written in zip(rows, names, values, strict=True):
                if isinstance(written, str) and isinstance(one, str):
                    row[one] = written
            continue
        for row, one, written in zip(rows, names, values, strict=True):
            if isinstance(one, str) and isinstance(written, str):
                between = OUTER if OUTER in one + written or INNER not in one else INNER
                row.update(_together(one.split(between), written.split(between)))
    return pd.Series(rows, index=frame.index, dtype=object)


def _together(names: list[str], lists: list[str]) -> dict[str, str]:
    together: dict[str, list[str]] = {}
    for name, many in zip(names, lists, strict=False):
        written = ", ".join(filter(None, map(str.strip, many.split(INNER))))
        if name.strip() and written:
            together.setdefault(name.strip(), []).append(written)
    return {name: ", ".join(dict.fromkeys(written)) for name, written in together.items()}


def _open(frame: pd.DataFrame, window: list[str], as_of: datetime) -> Any:
    """Rows whose window (two columns, or one with "start/end") is open on the day of `as_of`; no dates: always."""
    starts = frame[window[0]] if window[0] in frame else missing(frame.index)
    if len(window) == 2:
        ends = frame[window[1]] if window[1] in frame else missing(frame.index)
    else:
        ends = starts.str.extract("/(.*)$", expand=False)
    if starts.isna().all() and ends.isna().all():
        return np.ones(len(frame), dtype=bool)
    today = as_of.strftime("%Y-%m-%d")
    begun = np.array([not (day := _day(one)) or day <= today for one in starts], dtype=bool)
    over = np.array([bool(day := _day(one)) and day < today for one in ends], dtype=bool)
    return begun & ~over


def _day(text: object) -> str:
    """ISO date at the beginning of `text`, "" where there is none."""
    found = _DATE.match(text.strip()) if isinstance(text, str) else None
    if not found:
        return ""
    year, month, day = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
    return f"{int(year):04}-{int(month):02}-{int(day):02}"
