"""Rows as a file repeats them -> rows as the mapping needs them: joined by id, names and values turned into columns."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.columns import text_series

Read = Callable[[str | None], Iterator[pd.DataFrame]]
"""Frames of the records at a path of the file; None: the feed's own records."""


def shaped(read: Read, shape: Mapping[str, Any] | None) -> Iterator[pd.DataFrame]:
    """The feed's records, each with the columns that `shape` (the document's `records` section) adds.

    `pivot` turns lists of names and values inside a record into columns of their own:
    `pivot: [{names: "meta/key", values: "meta/value", prefix: "meta:"}]` makes a column "meta:_price".
    """
    if not shape:
        yield from read(None)
        return
    for frame in read(None):
        wide = frame
        for pivot in shape.get("pivot", ()):
            wide = _pivoted(wide, pivot)
        yield wide


def _pivoted(frame: pd.DataFrame, pivot: Mapping[str, str]) -> pd.DataFrame:
    """The frame with one more column for each name; where a record has a name twice its values are joined by INNER."""
    if pivot["names"] not in frame or pivot["values"] not in frame:
        return frame
    prefix = pivot.get("prefix", "")
    columns: dict[str, list[str | None]] = {}
    pairs = zip(frame[pivot["names"]].tolist(), frame[pivot["values"]].tolist(), strict=True)
    for row, (names, values) in enumerate(pairs):
        if not isinstance(names, str) or not isinstance(values, str):
            continue
        for name, value in zip(_parts(names), _parts(values), strict=False):
            cells = columns.setdefault(prefix + name.strip(), [None] * len(frame))
            before = cells[row]
            cells[row] = value if before is None else before + INNER + value
    return frame.assign(**{name: text_series(cells, frame.index) for name, cells in columns.items()})


def _parts(cell: str) -> list[str]:
    return cell.replace(OUTER, INNER).split(INNER)
