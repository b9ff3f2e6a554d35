"""Hashes of records and of what they came to: a column at a time, the same on every machine and in every run."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.mapping.arrays import TEXT, always, word

Hashes = npt.NDArray[np.uint64]
KEYS = ("entrepot content", "content entrepot")
"""SipHash takes keys of sixteen bytes; two of them make 128 bits."""
_BETWEEN, _NONE = "\0", "\1"  # in no text: readers take NULs out


def rows_as_text(columns: Sequence[pa.Array], rows: int) -> pa.Array:
    """All values of each row one behind the other, so that different rows never give the same text."""
    pieces: list[pa.Array | pa.Scalar] = []
    blank = ""  # columns without any value, together
    for column in columns:
        if column.null_count == len(column):
            blank += (_BETWEEN if blank else "") + _NONE
            continue
        if blank:
            pieces.append(word(blank))
            blank = ""
        pieces.append(column if column.type == TEXT else column.cast(TEXT))
    if blank:
        pieces.append(word(blank))
    if not any(isinstance(piece, pa.Array) for piece in pieces):
        return always(_BETWEEN.join(piece.as_py() for piece in pieces), rows)
    return pc.binary_join_element_wise(
        *pieces, word(_BETWEEN), null_handling="replace", null_replacement=_NONE
    )


def hash64(texts: pa.Array, key: str = KEYS[0]) -> Hashes:
    """SipHash-2-4 of each text (64 bits), as pandas computes it."""
    values = texts.cast(pa.large_binary()).to_numpy(zero_copy_only=False)
    found: Hashes = pd.util.hash_array(values, hash_key=key, categorize=False)
    return found


def hash128(texts: pa.Array) -> tuple[pa.Array, Hashes]:
    """(32 hex digits of each text, the first half of the same as a number)."""
    first = hash64(texts, KEYS[0])
    both = np.stack([first, hash64(texts, KEYS[1])], axis=1).astype(">u8")
    digits = both.tobytes().hex().encode()
    ends = np.arange(0, 32 * len(texts) + 1, 32, dtype=np.int64)
    hexed = pa.Array.from_buffers(TEXT, len(texts), [None, pa.py_buffer(ends), pa.py_buffer(digits)])
    return hexed, first
