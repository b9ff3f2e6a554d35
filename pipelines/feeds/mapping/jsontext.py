"""Lists and objects of many rows written as JSON text, a column at a time: what offers keep in columns of JSON."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import INNER
from pipelines.feeds.mapping.arrays import Mask, consists_of, joined, nothing, put, rows_of_bytes, texts, word

_QUOTE, _BACKSLASH, _BLANK = 0x22, 0x5C, 0x20
_SAFE = bytes(byte for byte in range(_BLANK, 256) if byte not in (_QUOTE, _BACKSLASH))
_SAFE_IN_LISTS = _SAFE + INNER.encode()


def quoted(array: pa.Array) -> pa.Array:
    """Each text as a JSON string, none where there is none."""
    literal = pc.binary_join_element_wise(word('"'), array, word('"'), word(""))
    odd = None if consists_of(array, _SAFE) else rows_of_bytes(array, _to_escape)
    if odd is None:
        return literal
    return put(
        literal, odd, texts([orjson.dumps(text).decode() for text in array.filter(pa.array(odd)).to_pylist()])
    )


def listed(array: pa.Array) -> pa.Array:
    """Parts joined by INNER as a JSON array of strings, none where there is none."""
    inside = pc.replace_substring(array, INNER, '","')
    literal = pc.binary_join_element_wise(word('["'), inside, word('"]'), word(""))
    odd = None if consists_of(array, _SAFE_IN_LISTS) else rows_of_bytes(array, _to_escape_in_lists)
    if odd is None:
        return literal
    lists = [orjson.dumps(text.split(INNER)).decode() for text in array.filter(pa.array(odd)).to_pylist()]
    return put(literal, odd, texts(lists))


def objects(pieces: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """name -> JSON of each row as one JSON object a row; what a row has not is left out, and a row without any has none."""
    some = [(name, array) for name, array in pieces.items() if array.null_count < len(array)]
    if not some:
        return nothing(rows)
    members = [
        pc.binary_join_element_wise(word(orjson.dumps(name).decode() + ":"), array, word(""))
        for name, array in some
    ]
    inside = joined(members, ",") if len(members) > 1 else members[0]
    return pc.binary_join_element_wise(word("{"), inside, word("}"), word(""))


def _to_escape(data: npt.NDArray[np.uint8]) -> Mask:
    found: Mask = (data == _QUOTE) | (data == _BACKSLASH) | (data < _BLANK)
    return found


def _to_escape_in_lists(data: npt.NDArray[np.uint8]) -> Mask:
    found: Mask = _to_escape(data) & (data != ord(INNER))
    return found
