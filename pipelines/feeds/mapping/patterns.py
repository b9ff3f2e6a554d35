"""RE2 patterns: linear time whatever the pattern and the text are, as Arrow brings them."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Refused
from pipelines.feeds.mapping.columns import Mask


def matching(values: pd.Series, pattern: str) -> Mask:
    """The texts in which the pattern is found; nothing is found where there is no text. Raises Refused."""
    texts = pa.array(values, pa.large_string(), from_pandas=True)
    try:
        found = pc.match_substring_regex(texts, pattern)
    except pa.ArrowInvalid as error:
        raise _unusable(pattern, error) from None
    mask: Mask = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return mask


def check_pattern(pattern: str) -> None:
    """Raises Refused where RE2 does not know the pattern (look-ahead and back-references are not in it)."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise _unusable(pattern, error) from None


def _unusable(pattern: str, error: Exception) -> Refused:
    return Refused(
        f"The pattern {pattern!r} is not usable: {' '.join(str(error).split())}.", rule="mapping_invalid"
    )
