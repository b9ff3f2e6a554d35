"""Hashes of records and of what they came to: a column at a time, the same on every machine and in every run."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.mapping.arrays import TEXT, always, word

Hashes = npt.NDArray[np.uint64]
KEY = "entrepot content"
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


def hash64(texts: pa.Array, key: str = KEY) -> Hashes:
    """SipHash-2-4 of each text (64 bits), as pandas computes it; `key` is sixteen bytes of ASCII."""
    values = texts.cast(pa.large_binary()).to_numpy(zero_copy_only=False)
    found: Hashes = pd.util.hash_array(values, hash_key=key, categorize=False)
    return found


def hexed(hashes: Hashes) -> pa.Array:
    """Sixteen hex digits of each hash."""
    digits = hashes.astype(">u8").tobytes().hex().encode()
    ends = np.arange(0, 16 * len(hashes) + 1, 16, dtype=np.int64)
    return pa.Array.from_buffers(TEXT, len(hashes), [None, pa.py_buffer(ends), pa.py_buffer(digits)])
