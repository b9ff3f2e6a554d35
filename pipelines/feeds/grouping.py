"""A row is not a product: rows of one product are brought together before any of them is answered."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from connectors.readers.frames import INNER
from pipelines.feeds.mapping.columns import missing, text_series

GROUP, PART, BROKEN = "_group", "_part", "_broken"
Frames = Callable[[], Iterator[pd.DataFrame]]


@dataclass(frozen=True, slots=True)
class Grouped:
    """Whole products, in file order: `source` as received, `filled` with what its product's rows tell together.

    `filled` has `_group` (the product's name in the file or nothing), `_part` (the row only adds to its
    product) and `_broken` (it names a product that is not there).
    """

    source: pd.DataFrame
    filled: pd.DataFrame


def grouped(frames: Frames, grouping: Mapping[str, Any] | None) -> Iterator[Grouped]:
    """The file's rows, each product complete. Rows wait only while a product of theirs is not complete.

    Without `grouping` nothing waits. With it the file is read twice: once to see where each product ends.
    """
    if not grouping:
        for source in frames():
            yield Grouped(source, _marked(source.copy(), missing(source.index)))
        return
    places = _Places(grouping)
    for source in frames():
        places.note(source)
    ends = places.ends()
    held: list[pd.DataFrame] = []
    first = position = 0  # of the rows held; of the row after the last one read
    for source in frames():
        held.append(source)
        position += len(source)
        reach = np.maximum.accumulate(ends[first:position])
        closed = np.flatnonzero(reach <= np.arange(first, position))
        if closed.size == 0:
            continue
        cut = int(closed[-1]) + 1
        rows = pd.concat(held, ignore_index=True) if len(held) > 1 else held[0].reset_index(drop=True)
        ready, rest = rows.iloc[:cut], rows.iloc[cut:]
        names = text_series(places.names[first : first + cut], ready.index)
        yield Grouped(ready, _filled(ready, names, places, first, grouping))
        held = [rest] if len(rest) else []
        first += cut
    assert first == position == len(ends), "a row of the file was not let go"


class _Places:
    """Which product each row of the file belongs to, and where that product ends."""

    def __init__(self, grouping: Mapping[str, Any]) -> None:
        self.grouping = grouping
        self.names: list[str | None] = []
        self.broken: npt.NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self.child: npt.NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._own: list[str | None] = []
        self._parents: list[str | None] = []
        self._aliases: dict[str, str] = {}

    def note(self, frame: pd.DataFrame) -> None:
        """Takes the rows of the next frame in."""
        if "by" in self.grouping:
            self.names += _objects(frame, self.grouping["by"])
            return
        keys = [(key.get("prefix", ""), _objects(frame, key["column"])) for key in self.grouping["keys"]]
        for row in range(len(frame)):
            names = [prefix + value for prefix, values in keys if (value := values[row])]
            for name in names:
                self._aliases.setdefault(name, names[0])
            self._own.append(names[0] if names else None)
        self._parents += _objects(frame, self.grouping["parent"])

    def ends(self) -> npt.NDArray[np.int64]:
        """For each row the last row of its product; settles `names`, `broken` and `child`."""
        if "by" not in self.grouping:
            parents = [self._aliases.get(name) if name else None for name in self._parents]
            asked = {name for name in parents if name}
            self.broken = np.array(
                [bool(n) and p is None for n, p in zip(self._parents, parents, strict=True)], dtype=bool
            )
            self.child = np.array([bool(parent) for parent in parents], dtype=bool)
            self.names = [
                p or (own if own in asked else None) for p, own in zip(parents, self._own, strict=True)
            ]
        else:
            alone = bool(
                self.grouping.get("alone_without")
            )  # rows without a product's name stand for themselves
            self.broken = np.array([not name and not alone for name in self.names], dtype=bool)
            self.child = np.zeros(len(self.names), dtype=bool)
        last = {name: place for place, name in enumerate(self.names) if name}
        return np.array([last[n] if n else place for place, n in enumerate(self.names)], dtype=np.int64)


def _filled(
    rows: pd.DataFrame, names: pd.Series, places: _Places, first: int, grouping: Mapping[str, Any]
) -> pd.DataFrame:
    filled = rows.copy()
    if "by" in grouping:
        telling = pd.Series(True, index=rows.index)
    else:
        telling = pd.Series(~places.child[first : first + len(rows)], index=rows.index)
    for column in grouping.get("fill_down", ()):
        if column in rows:
            own = rows[column].where(rows[column].str.strip() != "")
            theirs = own.where(telling).groupby(names, sort=False).transform("first")
            filled[column] = own.where(own.notna(), theirs)
    for target, column in grouping.get("product", {}).items():
        if column in rows:
            own = rows[column].where((rows[column].str.strip() != "") & telling)
            lists = own.dropna().groupby(names, sort=False).agg(lambda many: INNER.join(dict.fromkeys(many)))
            filled[target] = text_series(names.map(lists), rows.index)
    filled = _marked(filled, names)
    filled[BROKEN] = places.broken[first : first + len(rows)]
    if "part_without" in grouping:
        carrying = [column for column in grouping["part_without"] if column in rows]
        filled[PART] = ~(rows[carrying].apply(lambda column: column.str.strip() != "").any(axis=1)).to_numpy(
            dtype=bool
        )
    return filled


def _marked(frame: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    frame[GROUP] = names
    frame[PART] = False
    frame[BROKEN] = False
    return frame


def _objects(frame: pd.DataFrame, column: str) -> list[str | None]:
    """Trimmed values, None where blank or where there is no such column."""
    if column not in frame:
        return [None] * len(frame)
    trimmed = frame[column].str.strip()
    return [value or None for value in trimmed.astype(object).where(trimmed.notna(), None)]
