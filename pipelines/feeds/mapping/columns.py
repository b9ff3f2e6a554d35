"""One field of all records of a frame on its way from text to its type, with what was noticed on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Mask = npt.NDArray[np.bool_]


@dataclass
class Column:
    """`values` (text, or lists and typed values as objects), rule -> rows it concerns, and fields found beside it.

    `received` is the text as the supplier wrote it, for the sentence that explains a reject.
    """

    values: pd.Series
    received: pd.Series
    marks: dict[str, Mask] = field(default_factory=dict)
    sides: dict[str, pd.Series] = field(default_factory=dict)

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
    codes, uniques = pd.factorize(series)
    answers = np.empty(len(uniques) + 1, dtype=object)
    for place, value in enumerate(uniques):
        answers[place] = function(value)
    answers[-1] = None
    return pd.Series(answers[codes], index=series.index, dtype=object)


def without_missing(series: pd.Series, words: frozenset[str]) -> pd.Series:
    """Trimmed text, Excel's ="00123" unwrapped; blank cells and words like "n/a" are no value."""
    trimmed = series.str.strip()
    wrapped = flags(trimmed.str.startswith('="') & trimmed.str.endswith('"'))
    if wrapped.any():
        trimmed = trimmed.where(~wrapped, trimmed.str.slice(2, -1).str.strip())
    return trimmed.where(~trimmed.str.lower().isin(words))


def flags(series: pd.Series) -> Mask:
    """A mask of the rows that hold a true value."""
    return series.fillna(False).to_numpy(dtype=bool)
