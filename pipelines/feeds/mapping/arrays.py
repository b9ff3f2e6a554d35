"""Arrow arrays of text, looked at and changed a column at a time; Python sees only what is odd, and each text once."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
TEXT = pa.large_string()


def arrow(values: Any) -> pa.Array:
    """A pandas Series of text (or an Arrow array) as one Arrow array of text."""
    if isinstance(values, pa.Array):
        return values
    array = (
        pa.array(values, from_pandas=True)
        if values.dtype != object
        else pa.array(values, TEXT, from_pandas=True)
    )
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array if array.type == TEXT else array.cast(TEXT)


def series(array: pa.Array) -> pd.Series:
    """Text as pandas has it."""
    return pd.Series(pd.array(array, dtype="str"))


def texts(values: Iterable[str | None]) -> pa.Array:
    """Python text as an Arrow array."""
    return pa.array(values, TEXT)


def nothing(rows: int) -> pa.Array:
    """Text without a single value."""
    return pa.nulls(rows, TEXT)


def always(value: str, rows: int) -> pa.Array:
    """The same text in every row."""
    return pa.repeat(pa.scalar(value, TEXT), rows)


def word(value: str) -> pa.Scalar:
    """Text beside arrays of text."""
    return pa.scalar(value, TEXT)


def true(array: pa.Array) -> Mask:
    """A mask of the rows that hold true; no value is false."""
    filled = array.fill_null(False) if array.null_count else array
    mask: Mask = filled.to_numpy(zero_copy_only=False)
    return mask


def present(array: pa.Array) -> Mask:
    """A mask of the rows that have a value."""
    if not array.null_count:
        return np.ones(len(array), dtype=bool)
    mask: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def keep(array: pa.Array, mask: Mask) -> pa.Array:
    """The values of these rows; the others have none."""
    return array if mask.all() else pc.if_else(pa.array(mask), array, pa.scalar(None, array.type))


def put(array: pa.Array, mask: Mask, values: pa.Array) -> pa.Array:
    """The array with other values in these rows; `values` has one for each of them."""
    return pc.replace_with_mask(array, pa.array(mask), values)


def first_known(*arrays: pa.Array) -> pa.Array:
    """Of each row the first value there is."""
    wanted: list[pa.Array] = []
    for array in arrays:
        if len(array) and array.null_count == len(array):
            continue
        wanted.append(array)
        if not array.null_count:
            break
    if not wanted:
        return arrays[0]
    return wanted[0] if len(wanted) == 1 else pc.coalesce(*wanted)


def joined(arrays: Sequence[pa.Array], separator: str) -> pa.Array:
    """The values that each row has, one behind the other; none where it has none.

    The blank in front keeps Arrow (26.0) from losing rows in which all values are missing.
    """
    together = pc.binary_join_element_wise(word(""), *arrays, word(separator), null_handling="skip")
    some: Mask = np.logical_or.reduce([present(array) for array in arrays])
    return keep(pc.utf8_slice_codeunits(together, len(separator)), some)


def filled(array: pa.Array) -> pa.Array:
    """Blank text is no value."""
    if not array.null_count and len(array) and _shortest(array) > 0:
        return array
    return keep(array, ~true(pc.equal(array, "")))


def per_value(array: pa.Array, function: Callable[[str], Any]) -> npt.NDArray[np.object_]:
    """`function` of each value, asked once for every different one; None where there is none."""
    encoded = array.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    answers = np.empty(len(values) + 1, dtype=object)
    for place, value in enumerate(values):
        answers[place] = function(value)
    return answers[codes_of(encoded)]  # -1, the last, is None


def each(array: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """`function` of each value as text, asked once for every different one."""
    encoded = array.dictionary_encode()
    answers = pa.array([function(value) for value in encoded.dictionary.to_pylist()], TEXT)
    return answers.take(encoded.indices)


def codes_of(encoded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """The place of each row's value in the dictionary, -1 where it has none."""
    codes: npt.NDArray[np.int64] = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes


def data_of(array: pa.Array) -> pa.Buffer | None:
    """All bytes of the texts, one behind the other; None where there are none."""
    if not len(array) or array.buffers()[2] is None:
        return None
    ends = offsets_of(array)
    start, end = int(ends[0]), int(ends[-1])
    return array.buffers()[2].slice(start, end - start) if end > start else None


def offsets_of(array: pa.Array) -> npt.NDArray[np.int64]:
    """Where the text of each row begins and, one place on, ends."""
    offsets = np.frombuffer(array.buffers()[1], np.int64)
    return offsets[array.offset : array.offset + len(array) + 1]


def holds(array: pa.Array, *pieces: bytes) -> bool:
    """Whether any of the texts holds one of the pieces: one look at all bytes together."""
    data = data_of(array)
    if data is None:
        return False
    plain = data.to_pybytes()
    return any(piece in plain for piece in pieces)


def rows_with(array: pa.Array, *pieces: bytes) -> Mask | None:
    """A mask of the rows whose text holds one of the pieces; None where none does."""
    if not holds(array, *pieces):
        return None
    found = np.zeros(len(array), dtype=bool)
    for piece in pieces:
        found |= true(pc.match_substring(array, piece.decode()))
    return found


def rows_of_bytes(array: pa.Array, wanted: Callable[[npt.NDArray[np.uint8]], Mask]) -> Mask | None:
    """A mask of the rows that hold a byte which `wanted` picks out of all bytes; None where none does."""
    data = data_of(array)
    if data is None:
        return None
    hits = np.flatnonzero(wanted(np.frombuffer(data, np.uint8)))
    if not len(hits):
        return None
    ends = offsets_of(array)
    found = np.zeros(len(array), dtype=bool)
    found[np.searchsorted(ends, hits + ends[0], side="right") - 1] = True
    return found


def edges_of(array: pa.Array) -> tuple[Bytes, Bytes, npt.NDArray[np.int64]]:
    """(the first byte of each text, its last, how many it has); 0 where it is blank or missing."""
    data = data_of(array)
    if data is None:
        none = np.zeros(len(array), dtype=np.uint8)
        return none, none, np.zeros(len(array), dtype=np.int64)
    view, ends = np.frombuffer(data, np.uint8), offsets_of(array)
    ends = ends - ends[0]
    lengths = np.diff(ends)
    first, last = view[np.minimum(ends[:-1], len(view) - 1)], view[ends[1:] - 1]
    if (blank := lengths == 0).any():
        first[blank] = last[blank] = 0
    return first, last, lengths


def blank_or_wide(some: Bytes) -> Mask:
    """Bytes that are a blank of ASCII or part of another character."""
    found: Mask = (some - np.uint8(1) < np.uint8(32)) | (some >= np.uint8(128))
    return found


def consists_of(array: pa.Array, allowed: bytes) -> bool:
    """Whether the texts have no other bytes than these."""
    data = data_of(array)
    return data is None or not data.to_pybytes().translate(None, allowed)


def _shortest(array: pa.Array) -> int:
    return int(np.diff(offsets_of(array)).min(initial=1))
