"""GTINs judged a column at a time: valid, repaired, invalid or restricted; a false one is never a key."""

import re
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.mapping.arrays import (
    arrow,
    data_of,
    each,
    holds,
    offsets_of,
    present,
    put,
    series,
    texts,
    true,
    word,
)  # fmt: skip

LENGTHS = (8, 12, 13, 14)
_DIGITS = re.compile("[0-9]+")
LIKELY_SHARE = 0.5  # of a column's values must be valid as they stand before any of them is repaired
REPAIRED_SHARE = 0.9  # … or valid once repaired, where a whole column lost its zeros (by chance: a tenth)


VERDICTS = ("valid", "repaired", "invalid", "restricted")

Codes = npt.NDArray[np.int8]
"""The place of each row's verdict in VERDICTS, -1 where there is no value."""


def bare_gtins(texts: pd.Series) -> pd.Series:
    """Digits only: without a leading apostrophe, blanks, "-" between groups and Excel's ".0"; the first of several."""
    return pd.Series(series(bare(arrow(texts))).array, index=texts.index)


def judge(bare: pd.Series, *, repair: bool) -> tuple[pd.Series, pd.Series]:
    """(gtin, verdict) of texts from `bare_gtins`; the verdict is "valid", "repaired", "invalid" or "restricted".

    With `repair`, a number that lost its leading zeros gets them back where the check digit then holds.
    A value that fails keeps its text, so that it can be shown.
    """
    numbers, codes = judged(arrow(bare), repair=repair)
    return tuple(
        pd.Series(np.array(array.to_pylist(), dtype=object), index=bare.index, dtype=object)
        for array in (numbers, words_of(codes))
    )  # type: ignore[return-value]


def bare(texts: pa.Array) -> pa.Array:
    """`bare_gtins` of an Arrow array."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if holds(trimmed, b"'", "’".encode()):
        trimmed = pc.utf8_trim_whitespace(pc.utf8_trim(trimmed, characters="'’"))
    odd = present(trimmed) & ~true(pc.ascii_is_decimal(trimmed))
    return put(trimmed, odd, each(trimmed.filter(pa.array(odd)), _bare)) if odd.any() else trimmed


def judged(bare: pa.Array, *, repair: bool) -> tuple[pa.Array, Codes]:
    """`judge` of an Arrow array, with the verdicts as places in VERDICTS."""
    there = present(bare)
    lengths = np.diff(offsets_of(bare)) if len(bare) else np.zeros(0, np.int64)
    digits = there & true(pc.ascii_is_decimal(bare)) & (lengths >= 7) & (lengths <= 14)
    padded = pc.utf8_lpad(pc.if_else(pa.array(digits), bare, word("0")), 14, "0")
    data = data_of(padded)
    matrix = (np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)).reshape(-1, 14) - np.uint8(48)
    holds_true = digits & _check_digit_holds(matrix) & (matrix.any(axis=1))
    valid = holds_true & np.isin(lengths, LENGTHS)
    mendable = holds_true & ~valid & repair & np.isin(lengths, (7, 10, 11))
    codes = np.where(there, VERDICTS.index("invalid"), -1).astype(np.int8)
    codes[valid] = VERDICTS.index("valid")
    codes[valid & _restricted(matrix, lengths)] = VERDICTS.index("restricted")
    codes[mendable] = VERDICTS.index("repaired")
    if not mendable.any():
        return bare, codes
    some = bare.filter(pa.array(mendable))
    short = pa.array(lengths[mendable] == 7)
    return put(
        bare, mendable, pc.if_else(short, pc.utf8_lpad(some, 8, "0"), pc.utf8_lpad(some, 12, "0"))
    ), codes


def words_of(codes: Codes) -> pa.Array:
    """The verdicts in words, none where there is no value."""
    return texts(VERDICTS).take(pa.array(codes, mask=codes < 0))


def looks_like_gtins(bare: pd.Series) -> bool:
    """Whether the column as a whole is one of GTINs: only then may single values be repaired."""
    filled = bare.dropna()
    if filled.empty:
        return False
    share = judge(filled, repair=False)[1].isin(["valid", "restricted"]).mean()
    mended = judge(filled, repair=True)[1].isin(["valid", "restricted", "repaired"]).mean()
    return bool(share >= LIKELY_SHARE or (mended >= REPAIRED_SHARE and len(filled) >= 5))


def _check_digit_holds(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """GS1 General Specifications 7.9: weights 3 and 1 from the left of 14 digits; the sum is a multiple of ten."""
    weights = np.array([3, 1] * 7, dtype=np.uint16)
    holds: npt.NDArray[np.bool_] = (matrix.astype(np.uint16) @ weights) % 10 == 0
    return holds


def _restricted(
    matrix: npt.NDArray[np.uint8], lengths: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.bool_]:
    """Prefixes 02, 04, 05, 2xx and 98-99 are for use inside a company or for coupons (GS1 prefix list)."""
    first, second = matrix[:, 1], matrix[:, 2]
    inside = (
        (first == 2)
        | ((first == 0) & np.isin(second, (2, 4, 5)))
        | ((first == 9) & (second >= 8) & (second <= 9))
    )
    short = (lengths == 8) & np.isin(matrix[:, 6], (0, 2))
    restricted: npt.NDArray[np.bool_] = np.where(lengths == 8, short, inside)
    return restricted


def _bare(text: str) -> str | None:
    """One odd value: several numbers -> the first, ISBN-10 -> ISBN-13, "12.0" -> "12", grouped -> joined."""
    plain = unicodedata.normalize("NFKC", text).strip()
    parts = [
        part for part in re.split(r"[,;|/\s]+", plain) if _DIGITS.fullmatch(part) and len(part) in LENGTHS
    ]
    if parts:
        return parts[0]
    plain = re.sub(r"\.0+$", "", plain)
    joined = re.sub(r"[\s\-‐–.]", "", plain)
    if _DIGITS.fullmatch(joined) and len(joined) in LENGTHS:
        return joined
    if joined != plain and re.fullmatch("[0-9]{9}[0-9Xx]", joined) and _isbn10(joined):
        body = "978" + joined[:9]
        total = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(body))
        return body + str(-total % 10)
    return plain


def _isbn10(text: str) -> bool:
    values = [10 if digit in "Xx" else int(digit) for digit in text]
    return sum(value * (10 - place) for place, value in enumerate(values)) % 11 == 0
