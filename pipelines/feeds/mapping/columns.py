"""One field of all records of a frame on its way from text to its type, with what was noticed on the way."""

from collections.abc import Callable
from functools import lru_cache
from math import isnan
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.arrays import (
    Mask,
    arrow,
    blank_or_wide,
    edges_of,
    keep,
    nothing,
    per_value,
    series,
    true,
)
from pipelines.feeds.mapping.jsontext import objects, quoted

__all__ = [
    "Column",
    "Mask",
    "flags",
    "missing",
    "per_unique",
    "text_series",
    "without_missing",
    "words_removed",
]

_DECODE: dict[str, Callable[[str], Any]] = {
    "list": lambda text: text.split(INNER),
    "whole": int,
    "flag": lambda text: text == "true",
    "json": orjson.loads,
    "named": orjson.loads,
}
_EMPTY = {"list": "[]", "named": "{}"}
_ENCODE: dict[str, Callable[[Any], str | None]] = {
    "list": lambda many: INNER.join(map(str, many)) or None,
    "whole": lambda figure: str(int(figure)),
    "flag": lambda said: "true" if said else "false",
    "named": lambda named: orjson.dumps(named).decode() if named else None,
    "json": lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode(),
    "text": str,
}


class Column:
    """A field's `text`, rule -> rows it concerns, and fields found beside it.

    All values are kept as Arrow text; `kind` says what the text stands for: "text", "list" (parts joined by INNER), "whole"
    (a number without fraction), "flag" ("true", "false"), "named" (a JSON object of named values) or "json". `values` is the same as a pandas Series: text, or
    objects of that kind. `pieces` (name -> values, from pairs of columns) are the members of its JSON where they are known
    apart. `received` is the text as the supplier wrote it, for the sentence that explains a reject.
    """

    def __init__(self, values: Any, received: Any) -> None:
        self.kind = "text"
        self.pieces: dict[str, pa.Array] | None = None
        self._text: pa.Array | None = None
        self._rows = 0
        self.marks: dict[str, Mask] = {}
        self.sides: dict[str, Any] = {}
        self._received = received
        if isinstance(values, pa.Array):
            self.text = values
        else:
            self.values = values

    @classmethod
    def named(cls, pieces: dict[str, pa.Array], rows: int) -> "Column":
        """Of each record the named values that it has."""
        column = cls(nothing(0), None)
        column.kind, column.pieces, column._text, column._rows = "named", pieces, None, rows
        return column

    @property
    def text(self) -> pa.Array:
        """All values as text."""
        if self._text is None:
            literals = {name: quoted(values) for name, values in (self.pieces or {}).items()}
            self._text = objects(literals, self._rows)
        return self._text

    @text.setter
    def text(self, text: pa.Array) -> None:
        self._text, self.pieces = text, None

    @property
    def values(self) -> pd.Series:
        """The values as pandas has them: NaN (of objects None, of lists an empty one) where there is none."""
        if self.kind == "text":
            return series(self.text)
        decode, empty = _DECODE[self.kind], _EMPTY.get(self.kind, "null")
        told = [orjson.loads(empty) if text is None else decode(text) for text in self.text.to_pylist()]
        return pd.Series(told, dtype=object)

    @values.setter
    def values(self, values: pd.Series) -> None:
        self.kind = "text" if values.dtype != object else _kind_of(values)
        if values.dtype != object:
            self.text = arrow(values)
        else:
            encode = _ENCODE[self.kind]
            told = [None if _is_none(value) else encode(value) for value in values]
            self.text = pa.array(told, pa.large_string())

    @property
    def received(self) -> pd.Series:
        """The text as it came."""
        return series(self._received) if isinstance(self._received, pa.Array) else self._received

    def received_at(self, rows: list[int]) -> list[str]:
        """What came in these rows, "" where there was nothing."""
        if self._received is None:
            return [""] * len(rows)
        if isinstance(self._received, pa.Array):
            return [text or "" for text in self._received.take(pa.array(rows, pa.int64())).to_pylist()]
        found = self._received.iloc[rows].tolist()
        return [text if isinstance(text, str) else "" for text in found]

    def mark(self, rule: str, rows: Mask) -> None:
        """Notes that `rule` concerns these rows."""
        if rows.any():
            self.marks[rule] = self.marks.get(rule, np.zeros(len(rows), dtype=bool)) | rows


def text_series(values: Any, index: pd.Index | None = None) -> pd.Series:
    """Arrow-backed text with NaN where there is none."""
    return pd.Series(values, index=index, dtype="str")


def missing(index: pd.Index) -> pd.Series:
    """A column of text without a single value."""
    return text_series(None, index)


def per_unique(series: pd.Series, function: Callable[[str], Any]) -> pd.Series:
    """`function` of each value, asked once for every different one; None where there is none. Objects come back."""
    return pd.Series(per_value(arrow(series), function), index=series.index, dtype=object)


def without_missing(series: pd.Series, words: frozenset[str]) -> pd.Series:
    """Trimmed text, Excel's ="00123" unwrapped; blank cells and words like "n/a" are no value."""
    found = words_removed(arrow(series), words).to_pandas()
    return text_series(found.array, series.index)


def words_removed(texts: pa.Array, words: frozenset[str]) -> pa.Array:
    """`without_missing` of an Arrow array. Rows are told by their first and last byte; few are looked at as text."""
    first, last, lengths = edges_of(texts)
    if blank_or_wide(first).any() or blank_or_wide(last).any():
        led = (first == ord(OUTER)) | (
            first == ord(INNER)
        )  # a list whose first values are blank keeps its places
        trimmed = pc.utf8_trim_whitespace(texts)
        if led.any():
            led &= true(pc.not_equal(trimmed, ""))
            trimmed = pc.if_else(pa.array(led), texts, trimmed)
        texts = trimmed
        first, last, lengths = edges_of(texts)
    wrapped = (first == ord("=")) & (last == ord('"')) & (lengths >= 2)
    if wrapped.any():
        wrapped &= true(pc.starts_with(texts, '="'))
        bare = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(texts, 2, -1))
        texts = pc.if_else(pa.array(wrapped), bare, texts)
        first, last, lengths = edges_of(texts)
    beginnings, longest, known = _looks(words)
    maybe = (
        (beginnings[first] & (lengths <= longest))
        if "" in words
        else beginnings[first] & (lengths <= longest) & (lengths > 0)
    )
    if not maybe.any():
        return texts
    some = pc.utf8_lower(texts.filter(pa.array(maybe)))
    maybe[maybe] = true(pc.is_in(some, value_set=known))
    return keep(texts, ~maybe) if maybe.any() else texts


@lru_cache(16)
def _looks(words: frozenset[str]) -> tuple[Mask, int, pa.Array]:
    """(bytes that one of the words may begin with, bytes of the longest one, the words)."""
    beginnings = np.zeros(256, dtype=bool)
    beginnings[128:] = True  # letters whose small form is another one
    for word in words:
        beginnings[[ord(form[0]) for form in (word, word.upper()) if form and form[0].isascii()]] = True
    beginnings[0] = True  # a blank text has no first byte
    return (
        beginnings,
        max((2 * len(word.encode()) for word in words), default=0),
        pa.array(sorted(words), pa.large_string()),
    )


def flags(series: pd.Series) -> Mask:
    """A mask of the rows that hold a true value."""
    return series.fillna(False).to_numpy(dtype=bool)


def _kind_of(values: pd.Series) -> str:
    first = next((value for value in values if not _is_none(value)), "")
    if isinstance(first, list):
        return "json" if first and isinstance(first[0], list) else "list"
    if isinstance(first, dict):
        return "named"
    if isinstance(first, bool | np.bool_):
        return "flag" if all(_is_none(v) or isinstance(v, bool | np.bool_) for v in values) else "text"
    if isinstance(first, int | np.integer):
        return "whole"
    return "text"


def _is_none(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and isnan(value))
