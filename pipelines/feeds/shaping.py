"""Rows as a file repeats them -> rows as the mapping needs them: joined by id, names and values turned into columns."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from connectors.readers.frames import INNER, LOCATOR, OUTER
from pipelines.feeds.joining import Lookups, meets
from pipelines.feeds.mapping.arithmetic import decimal_of
from pipelines.feeds.mapping.columns import Mask, flags, text_series
from pipelines.feeds.mapping.repeated import beside

_BETWEEN = f"[{OUTER}{INNER}]"
_CENTS = Decimal("0.01")
Read = Callable[[str | None], Iterator[pd.DataFrame]]
"""Frames of the records at a path of the file; None: the feed's own records."""

RECORD, OWN, PART = "_record", "own", "part"
"""The column that `where` makes, and what it says: a record that stands for itself, or one that adds to another."""


class Shaper:
    """Shapes the records of one file, as often as asked; what joins look up in it is read once."""

    def __init__(self) -> None:
        self._known: dict[str, Lookups] = {}

    def shaped(self, read: Read, shape: Mapping[str, Any] | None) -> Iterator[pd.DataFrame]:
        """See `shaped`."""
        if not shape:
            yield from read(None)
            return
        joins = shape.get("join", ())
        wanted = json.dumps(joins)
        if wanted not in self._known:
            self._known[wanted] = Lookups(
                lambda path: (_prepared(frame, shape) for frame in read(path)), joins
            )
        lookups = self._known[wanted]
        for rows in read(None):
            frame = each_of(rows, shape["each"]) if "each" in shape else rows
            wide = lookups.joined(_told_apart(_prepared(frame, shape), shape))
            for unfold in shape.get("unfold", ()):
                if unfold["column"] not in frame:
                    wide = _unfolded(wide, unfold)
            for calculation in shape.get("calculate", ()):
                wide = _calculated(wide, calculation)
            yield wide


def shaped(read: Read, shape: Mapping[str, Any] | None) -> Iterator[pd.DataFrame]:
    """The feed's records, each with the columns that `shape` (the document's `records` section) adds, in this order:

    `each: variants/variant`: every one of these inside a record is a record of its own, with all that is around it.
    `blank: [{column: "wp:post_parent", is: ["0"]}]`: what stands in that column is no value.
    `pivot: [{names: "meta/key", values: "meta/value", prefix: "meta:"}]`: lists of names and values inside a record
    become columns of their own, "meta:_price".
    `unfold: [{column: attributes, between: ",", is: "=", names: "attribute names", values: "attribute values"}]`:
    a cell "color=red,size=M" becomes two lists.
    `gather: [{prefixes: ["meta:attribute_"], names: "option names", values: "option values"}]`: columns become two lists.
    `units: [{values: param, units: "param/@unit", as: params}]`: each value with the unit beside it, place by place.
    `where: [{column: type, is: [product]}]` (or `not`): all others only add to a product; a column "_record" says
    "own" or "part" for the rules.
    `join`: columns of other records of the file, see pipelines.feeds.joining. A cell that came by one can be unfolded.
    `calculate: [{as: reduced, from: price, minus: discount, minus_percent: percent}]`: one column less others; nothing
    where no other has a number.
    """
    return Shaper().shaped(read, shape)


def is_made(name: str, shape: Mapping[str, Any] | None) -> bool:
    """Whether `shape` makes the column: it is none of the supplier's own."""
    if not shape:
        return False
    lists = [
        one[end]
        for part in ("unfold", "gather")
        for one in shape.get(part, ())
        for end in ("names", "values")
    ]
    lists += [one["as"] for part in ("units", "calculate") for one in shape.get(part, ())]
    starts = [one["as"] + "/" for one in shape.get("join", ())]
    starts += [one["prefix"] for one in shape.get("pivot", ()) if one.get("prefix")]
    return name == RECORD or name in lists or name.startswith(tuple(starts))


def each_of(frame: pd.DataFrame, path: str) -> pd.DataFrame:
    """A row for each object at `path` inside a record, its place behind the record's ("item 3/2"); one where there is none.

    Columns of the object have its value, those deeper in it where they have one for each; all others are repeated.
    """
    inside = [str(name) for name in frame if str(name).startswith(path + "/")]
    lists = {
        name: [cell.split(OUTER) if isinstance(cell, str) else [] for cell in frame[name].tolist()]
        for name in inside
    }
    direct = [name for name in inside if "/" not in name[len(path) + 1 :].replace("/@", "@")]
    counts = [max([1, *(len(lists[name][row]) for name in direct)]) for row in range(len(frame))]
    places = np.repeat(np.arange(len(frame)), counts)
    wide = frame.take(places).reset_index(drop=True)
    made = {LOCATOR: wide[LOCATOR].tolist()} if LOCATOR in frame else {}
    for name in inside:
        cells: list[str | None] = []
        for parts, count in zip(lists[name], counts, strict=True):
            known = parts if name in direct or len(parts) == count else []
            cells += [part or None for part in known] + [None] * (count - len(known))
        made[name] = cells
    if LOCATOR in made:
        made[LOCATOR] = [
            f"{place}/{number}" if count > 1 else place
            for place, number, count in zip(
                made[LOCATOR], _numbers(counts), np.repeat(counts, counts), strict=True
            )
        ]
    return wide.assign(**{name: text_series(cells, wide.index) for name, cells in made.items()})


def _numbers(counts: list[int]) -> list[int]:
    return [number for count in counts for number in range(1, count + 1)]


def _prepared(frame: pd.DataFrame, shape: Mapping[str, Any]) -> pd.DataFrame:
    """What a record's own columns tell, before others are joined to it."""
    wide = frame
    for blank in shape.get("blank", ()):
        if blank["column"] in wide:
            values = wide[blank["column"]]
            wide = wide.assign(
                **{blank["column"]: values.where(~flags(values.str.strip().isin(blank["is"])))}
            )
    for pivot in shape.get("pivot", ()):
        wide = _pivoted(wide, pivot)
    for unfold in shape.get("unfold", ()):
        if unfold["column"] in frame:
            wide = _unfolded(wide, unfold)
    for gather in shape.get("gather", ()):
        wide = _gathered(wide, gather)
    for unit in shape.get("units", ()):
        wide = _with_units(wide, unit)
    return wide


def _told_apart(frame: pd.DataFrame, shape: Mapping[str, Any]) -> pd.DataFrame:
    """The frame with RECORD, where the shape says which records stand for themselves."""
    if "where" not in shape:
        return frame
    own: Mask = np.ones(len(frame), dtype=bool)
    for condition in shape["where"]:
        own = own & meets(frame, condition)
    return frame.assign(**{RECORD: text_series([OWN if one else PART for one in own], frame.index)})


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
    made = {name: text_series(cells, frame.index) for name, cells in columns.items()}
    return pd.concat(
        [frame.drop(columns=[name for name in made if name in frame]), pd.DataFrame(made)], axis=1
    )


def _unfolded(frame: pd.DataFrame, unfold: Mapping[str, str]) -> pd.DataFrame:
    """The frame with two lists, in step, of the names and values that one cell holds."""
    names: list[str | None] = [None] * len(frame)
    values: list[str | None] = [None] * len(frame)
    if unfold["column"] in frame:
        for row, cell in enumerate(frame[unfold["column"]].tolist()):
            if isinstance(cell, str) and (pairs := _pairs(cell, unfold)):
                names[row] = OUTER.join(pairs)
                values[row] = OUTER.join(pairs.values())
    return frame.assign(
        **{
            unfold["names"]: text_series(names, frame.index),
            unfold["values"]: text_series(values, frame.index),
        }
    )


def _gathered(frame: pd.DataFrame, gather: Mapping[str, Any]) -> pd.DataFrame:
    """The frame with two lists, in step, of the rest of the columns' names and of their values."""
    found = {
        str(name): str(name).removeprefix(prefix)
        for name in frame
        if (prefix := next((one for one in gather["prefixes"] if str(name).startswith(one)), None))
    }
    names: list[str | None] = [None] * len(frame)
    values: list[str | None] = [None] * len(frame)
    for row, cells in enumerate(zip(*(frame[name].tolist() for name in found), strict=True)):
        pairs = [
            (rest, cell)
            for rest, cell in zip(found.values(), cells, strict=True)
            if isinstance(cell, str) and cell.strip()
        ]
        if pairs:
            names[row], values[row] = (OUTER.join(many) for many in zip(*pairs, strict=True))
    return frame.assign(
        **{
            gather["names"]: text_series(names, frame.index),
            gather["values"]: text_series(values, frame.index),
        }
    )


def _with_units(frame: pd.DataFrame, unit: Mapping[str, str]) -> pd.DataFrame:
    if unit["values"] not in frame:
        return frame
    values = frame[unit["values"]]
    units = beside(values, frame, unit["values"], unit["units"])
    told: list[str | None] = []
    for cell, said in zip(values.tolist(), units, strict=True):
        if not isinstance(cell, str):
            told.append(None)
            continue
        marks = re.findall(_BETWEEN, cell)
        parts = zip(re.split(_BETWEEN, cell), said, [*marks, ""], strict=True)
        told.append(
            "".join(
                (f"{part.strip()} {one}".strip() if part.strip() else "") + mark for part, one, mark in parts
            )
        )
    return frame.assign(**{unit["as"]: text_series(told, frame.index)})


def _calculated(frame: pd.DataFrame, calculation: Mapping[str, str]) -> pd.DataFrame:
    columns = [
        frame[calculation[name]].tolist() if calculation.get(name) in frame else [None] * len(frame)
        for name in ("from", "minus", "minus_percent")
    ]
    results: list[str | None] = []
    for cells in zip(*columns, strict=True):
        whole, less, percent = (decimal_of(cell) if isinstance(cell, str) else None for cell in cells)
        if whole is None or not (less or percent):
            results.append(None)
            continue
        rest = whole - (less or 0) - whole * (percent or 0) / 100
        results.append(f"{rest.quantize(_CENTS):f}")
    return frame.assign(**{calculation["as"]: text_series(results, frame.index)})


def _pairs(cell: str, unfold: Mapping[str, str]) -> dict[str, str]:
    """ "a=1,b=2, 3" -> {"a": "1", "b": "2, 3"}: a piece without a name of its own belongs to the one before."""
    between, until = unfold["between"], unfold.get("until")
    pairs: dict[str, str] = {}
    last = None
    for piece in re.split(f"({re.escape(between)}|{_BETWEEN})", cell):
        name, said, value = piece.partition(unfold["is"])
        if said and name.strip():
            last = name.strip()
            pairs[last] = value.partition(until)[0] if until else value
        elif last is not None and not until:
            pairs[last] += piece
    return {name: value.strip().removesuffix(between).strip() for name, value in pairs.items()}


def _parts(cell: str) -> list[str]:
    return cell.replace(OUTER, INNER).split(INNER)
