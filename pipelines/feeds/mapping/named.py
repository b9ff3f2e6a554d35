"""Options and attributes: names and values from pairs of columns, as one set of named values a record."""

from collections.abc import Mapping
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.arrays import arrow, first_known, holds, texts
from pipelines.feeds.mapping.columns import Column, words_removed

_SEPARATORS = (OUTER.encode(), INNER.encode())


def named_values(frame: pd.DataFrame, pairs: list[list[Any]], words: frozenset[str]) -> Column:
    """{name: value} of each record. A pair's first part is a column of names or {"value": "Farbe"}.

    Lists inside cells (repeated XML elements) go together place by place; several values are joined by ", ".
    """
    found = [
        (
            name,
            arrow(frame[name]) if isinstance(name, str) else None,
            words_removed(arrow(frame[value]), words),
        )
        for name, value in pairs
        if value in frame and (not isinstance(name, str) or name in frame)
    ]
    if all(isinstance(name, Mapping) and not holds(values, *_SEPARATORS) for name, _, values in found):
        pieces: dict[str, pa.Array] = {}
        for name, _, values in found:
            label = name["value"]
            pieces[label] = first_known(values, pieces[label]) if label in pieces else values
        return Column.named(pieces, len(frame))
    rows: list[dict[str, str]] = [{} for _ in range(len(frame))]
    for name, names, values in found:
        told = [name["value"]] * len(frame) if names is None else words_removed(names, words).to_pylist()
        several = holds(values, *_SEPARATORS)
        for row, one, written in zip(rows, told, values.to_pylist(), strict=True):
            if one is None or written is None:
                continue
            if not several:
                row[one] = written
            elif names is None:  # one name for all that is in the list
                row.update(_together([one], [written.replace(OUTER, INNER)]))
            else:
                between = OUTER if OUTER in one + written or INNER not in one else INNER
                row.update(_together(one.split(between), written.split(between)))
    column = Column(texts([orjson.dumps(row).decode() if row else None for row in rows]), None)
    column.kind = "named"
    return column


def _together(names: list[str], lists: list[str]) -> dict[str, str]:
    together: dict[str, list[str]] = {}
    for name, many in zip(names, lists, strict=False):
        written = ", ".join(filter(None, map(str.strip, many.split(INNER))))
        if name.strip() and written:
            together.setdefault(name.strip(), []).append(written)
    return {name: ", ".join(dict.fromkeys(written)) for name, written in together.items()}
