"""Records of one file joined by id: what others tell is looked up in a store that moves to disk as it grows."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
import pandas as pd

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.arithmetic import decimal_of
from pipelines.feeds.mapping.columns import Mask, flags, text_series

Read = Callable[[str | None], Iterator[pd.DataFrame]]
FOUND, PATH = "found", "path"
_BETWEEN = f"[{OUTER}{INNER}]"
_CACHE_KIB = 32 << 10  # of the store in memory; what is more lies in a file that SQLite takes away itself
_AT_ONCE = 500  # keys in one question
_MOST = 1000  # records that one id may bring
_DEEPEST = 50  # levels of a tree
Cells = list[str | None]


class Lookups:
    """The joins of one file, in order; a later one may go by a column that an earlier one brought.

    A join is `{as: category, path: "../../categories/category", key: "@id", by: categoryId, columns: ["."]}`:
    the column "category/." of each record holds what the records at `path` (without it: the feed's own) say whose
    `key` is in the record's column `by`. More:
    `where: {column, is | not}`: which of them count; `split: ","`: what parts the ids in `by`;
    `key_in: {between: "|", and: ",", is: "=", name: sku}`: takes the keys out of a text like
    "sku=A,color=red|sku=B,color=blue"; what stands beside a key is the column "found";
    `parent: "@parentId"` with `name: "."`: makes "category/path", the names from the root down, joined by " > ";
    `total: true`: adds their numbers up.
    Several records for one id, or several ids, give lists that stay in step.
    """

    def __init__(self, read: Read, joins: Sequence[Mapping[str, Any]]) -> None:
        self._joins = joins
        # A file of its own that goes when the lookups go; one pass over the feed after the other uses it, in its thread.
        self._store = sqlite3.connect("", check_same_thread=False)
        self._store.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._paths = [lru_cache(50_000)(self._climber(place, join)) for place, join in enumerate(joins)]
        for path in dict.fromkeys(join.get("path") for join in joins):
            self._load(
                read(path), [(place, join) for place, join in enumerate(joins) if join.get("path") == path]
            )

    def joined(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the columns of all joins, blank where an id is not there."""
        for place, join in enumerate(self._joins):
            names = _columns(join)
            columns: list[Cells] = [[] for _ in names]
            asked = frame[join["by"]].tolist() if join["by"] in frame else [None] * len(frame)
            ids = [_ids(cell, join.get("split")) for cell in asked]
            found = self._found(place, {one for many in ids for one in many})
            for many in ids:
                brought = [cells for one in many for cells in found.get(one, [[None] * len(names)])]
                for column, values in zip(columns, zip(*brought, strict=True), strict=False):
                    column.append(_total(values) if join.get("total") else _list(values))
                if not brought:
                    for column in columns:
                        column.append(None)
            made = {
                f"{join['as']}/{name}": text_series(cells, frame.index)
                for name, cells in zip(names, columns, strict=True)
            }
            frame = pd.concat([frame, pd.DataFrame(made, index=frame.index)], axis=1)
        return frame

    def _load(self, frames: Iterable[pd.DataFrame], joins: list[tuple[int, Mapping[str, Any]]]) -> None:
        for place, _ in joins:
            self._store.execute(f"CREATE TABLE j{place} (key TEXT, cells BLOB)")
        for frame in frames:
            for place, join in joins:
                rows = _rows(frame, join)
                self._store.executemany(f"INSERT INTO j{place} VALUES (?, ?)", rows)
        for place, _ in joins:
            self._store.execute(f"CREATE INDEX i{place} ON j{place} (key)")

    def _found(self, place: int, keys: set[str]) -> dict[str, list[Cells]]:
        found: dict[str, list[Cells]] = {}
        ordered = sorted(keys)
        tree = "parent" in self._joins[place]
        for start in range(0, len(ordered), _AT_ONCE):
            some = ordered[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            for key, cells in self._store.execute(
                f"SELECT key, cells FROM j{place} WHERE key IN ({marks}) ORDER BY rowid",
                some,
            ):
                many = found.setdefault(key, [])
                if len(many) < _MOST:
                    told = orjson.loads(cells)
                    many.append([*told[:-2], self._paths[place](key)] if tree else told)
        return found

    def _climber(self, place: int, join: Mapping[str, Any]) -> Callable[[str], str | None]:
        """id -> the names from the root of the tree down to it."""

        def path(key: str) -> str | None:
            names: list[str] = []
            seen: set[str] = set()
            while key and key not in seen and len(names) < _DEEPEST:
                seen.add(key)
                row = self._store.execute(
                    f"SELECT cells FROM j{place} WHERE key = ? ORDER BY rowid LIMIT 1",
                    [key],
                ).fetchone()
                if row is None:
                    break
                name, parent = orjson.loads(row[0])[-2:]
                if name:
                    names.append(name)
                key = parent or ""
            return " > ".join(reversed(names)) or None

        return path


def meets(frame: pd.DataFrame, condition: Mapping[str, Any]) -> Mask:
    """Rows whose column says one of `is`, or none of `not`; a blank cell says ""."""
    name = condition["column"]
    said = frame[name].fillna("").str.strip().str.lower() if name in frame else pd.Series("", frame.index)
    found = flags(said.isin([str(word).lower() for word in condition["is" if "is" in condition else "not"]]))
    return found if "is" in condition else ~found


def _rows(frame: pd.DataFrame, join: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(key, cells) of the records of a frame that count; with a tree the name and the parent's id stand last."""
    if join["key"] not in frame:
        return
    if "where" in join:
        frame = frame[meets(frame, join["where"])]
    wanted = [*join["columns"], *((join["name"], join["parent"]) if "parent" in join else ())]
    columns = [frame[name].tolist() if name in frame else [None] * len(frame) for name in wanted]
    within = join.get("key_in")
    for key, *cells in zip(frame[join["key"]].tolist(), *columns, strict=True):
        if not isinstance(key, str) or not key.strip():
            continue
        told = [_single(one) if isinstance(one, str) else None for one in cells]
        if within is None:
            for one in _ids(key, join.get("split")):
                yield one, orjson.dumps(told)
            continue
        for piece in key.split(within["between"]):
            pairs = dict(one.partition(within["is"])[::2] for one in piece.split(within["and"]))
            if name := pairs.pop(within["name"], "").strip():
                rest = within["and"].join(f"{one}{within['is']}{value}" for one, value in pairs.items())
                yield name, orjson.dumps([*told, rest])


def _columns(join: Mapping[str, Any]) -> list[str]:
    made = [FOUND] if "key_in" in join else [PATH] if "parent" in join else []
    return [*join["columns"], *made]


def _ids(cell: Any, separator: str | None) -> list[str]:
    if not isinstance(cell, str):
        return []
    pieces = re.split(f"{_BETWEEN}|{re.escape(separator)}" if separator else _BETWEEN, cell)
    ids = [piece.strip() for piece in pieces]
    return ids if any(ids) else []


def _list(values: Sequence[str | None]) -> str | None:
    return OUTER.join(value or "" for value in values) if any(values) else None


def _total(values: Sequence[str | None]) -> str | None:
    """The sum of what are numbers, None where none is."""
    numbers = [number for value in values if value and (number := decimal_of(value)) is not None]
    return f"{sum(numbers):f}" if numbers else None


def _single(cell: str) -> str:
    """A list inside a joined record becomes one value's inner list, so that those of several records stay apart."""
    return cell.replace(OUTER, INNER).strip()
