"""Of values that repeat inside a record those that stand beside what is wanted: the price of a type, the text of a language."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.columns import missing, text_series
from pipelines.feeds.mapping.numbers import read_number

CURRENCY = "_currency"
"""The column with the feed's own currency, for `same`."""
_BETWEEN = re.compile(f"[{OUTER}{INNER}]")


def narrowed(values: pd.Series, frame: pd.DataFrame, source: Mapping[str, Any]) -> pd.Series:
    """The values that `source` (see `kept`) wants, joined by INNER; None where none is."""
    rows = kept(values, frame, source)
    return text_series([INNER.join(filter(None, parts)) or None for parts in rows], values.index)


def kept(values: pd.Series, frame: pd.DataFrame, source: Mapping[str, Any]) -> list[list[str]]:
    """The repeated values of each record, place by place, blank where `source` does not want them.

    `where` is one condition or a list of conditions that all must hold: beside the value its column says one of `is`,
    none of `not`, or the `same` as another column of the record. Nothing said counts as "". A column that says one
    thing for a parent says it for all values in it. `times` multiplies by the column's number, where there is one.
    """
    conditions = source.get("where", ())
    conditions = [conditions] if isinstance(conditions, Mapping) else conditions
    told = [_beside(values, frame, source["column"], one["column"]) for one in conditions]
    wanted = [_words(frame, one) for one in conditions]
    factors = _beside(values, frame, source["column"], source["times"]) if "times" in source else None
    rows: list[list[str]] = []
    for row, cell in enumerate(values.tolist()):
        parts = [part.strip() for part in _BETWEEN.split(cell)] if isinstance(cell, str) else []
        for said, words, condition in zip(told, wanted, conditions, strict=True):
            negative = "not" in condition
            parts = [
                part if (word in words[row % len(words)]) != negative else ""
                for part, word in zip(parts, said[row], strict=True)
            ]
        if factors is not None:
            parts = [_product(part, factor) for part, factor in zip(parts, factors[row], strict=True)]
        rows.append(parts)
    return rows


def _beside(values: pd.Series, frame: pd.DataFrame, column: str, other: str) -> list[list[str]]:
    """For each record and each of its values what `other` says beside it, in small letters."""
    series = frame[other] if other in frame else missing(frame.index)
    alone = other.startswith(f"{column}/@")  # an attribute speaks of its own element only
    rows: list[list[str]] = []
    for cell, says in zip(values.tolist(), series.tolist(), strict=True):
        if not isinstance(cell, str):
            rows.append([])
            continue
        groups = says.split(OUTER) if isinstance(says, str) else []
        found: list[str] = []
        for place, group in enumerate(cell.split(OUTER)):
            parts = group.split(INNER)
            words = groups[place].split(INNER) if place < len(groups) else [""]
            if len(words) == 1 and not alone:
                words *= len(parts)
            words += [""] * (len(parts) - len(words))
            found += [word.strip().casefold() for word in words[: len(parts)]]
        rows.append(found)
    return rows


def _words(frame: pd.DataFrame, condition: Mapping[str, Any]) -> list[frozenset[str]]:
    """What a condition asks for: one set for all records, or with `same` one each."""
    if "same" not in condition:
        return [frozenset(str(word).casefold() for word in condition["is" if "is" in condition else "not"])]
    series = frame[condition["same"]] if condition["same"] in frame else missing(frame.index)
    return [
        frozenset({one.strip().casefold()}) if isinstance(one, str) else frozenset()
        for one in series.tolist()
    ]


def _product(text: str, factor: str) -> str:
    """ "17,23" and ",8" -> "13.7840": never three decimals, which could be read as thousands."""
    one, two = (read_number(part, "," if "," in part and "." not in part else ".") for part in (text, factor))
    if one.text is None or two.text is None or Decimal(two.text) == 1:
        return text
    whole, _, fraction = f"{(Decimal(one.text) * Decimal(two.text)).normalize():f}".partition(".")
    return f"{whole}.{fraction}0" if len(fraction) == 3 else f"{whole}.{fraction}" if fraction else whole
