"""GTINs judged a column at a time: valid, repaired, invalid or restricted; a false one is never a key."""

import re
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

LENGTHS = (8, 12, 13, 14)
_DIGITS = re.compile("[0-9]+")
LIKELY_SHARE = 0.5  # of a column's values must be valid as they stand before any of them is repaired
REPAIRED_SHARE = 0.9  # … or valid once repaired, where a whole column lost its zeros (by chance: a tenth)


def bare_gtins(texts: pd.Series) -> pd.Series:
    """Digits only: without a leading apostrophe, blanks, "-" between groups and Excel's ".0"; the first of several."""
    bare = texts.str.strip().str.strip("'’").str.strip()
    odd = bare.notna() & ~bare.str.fullmatch("[0-9]+").fillna(False).astype(bool)
    if odd.any():
        bare = bare.where(~odd, bare[odd].map(_bare))
    return bare


def judge(bare: pd.Series, *, repair: bool) -> tuple[pd.Series, pd.Series]:
    """(gtin, verdict) of texts from `bare_gtins`; the verdict is "valid", "repaired", "invalid" or "restricted".

    With `repair`, a number that lost its leading zeros gets them back where the check digit then holds.
    A value that fails keeps its text, so that it can be shown.
    """
    present = bare.notna().to_numpy()
    digits = (bare.str.fullmatch("[0-9]{7,14}").fillna(False)).to_numpy(dtype=bool)
    lengths = bare.str.len().fillna(0).to_numpy(dtype=int)
    padded = bare.where(digits, "0").str.zfill(14)
    matrix = (
        np.array(padded.tolist(), dtype="S14")
        .view("S1")
        .reshape(-1, 14)
        .astype("S1")
        .view(np.uint8)
        .reshape(-1, 14)
        - 48
    )
    holds = digits & _check_digit_holds(matrix) & (matrix.any(axis=1))
    valid = holds & np.isin(lengths, LENGTHS)
    mendable = holds & ~valid & repair & np.isin(lengths, (7, 10, 11))
    restricted = valid & _restricted(matrix, lengths)
    verdict = np.full(len(bare), None, dtype=object)
    verdict[present] = "invalid"
    verdict[valid] = "valid"
    verdict[restricted] = "restricted"
    verdict[mendable] = "repaired"
    gtin = bare.astype(object).where(present, None)
    if mendable.any():
        width = np.where(lengths == 7, 8, 12)
        for row in np.flatnonzero(mendable).tolist():
            gtin.iloc[row] = gtin.iloc[row].zfill(int(width[row]))
    return gtin, pd.Series(verdict, index=bare.index, dtype=object)


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


def _bare(text: object) -> str | None:
    """One odd value: several numbers -> the first, ISBN-10 -> ISBN-13, "12.0" -> "12", grouped -> joined."""
    plain = unicodedata.normalize("NFKC", str(text)).strip()
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
