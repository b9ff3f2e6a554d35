"""Words of many languages and what they mean here: availability, condition, kind."""

from functools import lru_cache
from pathlib import Path

import yaml

from core.errors import Refused


@lru_cache
def vocabulary(name: str) -> dict[str, str]:
    """word (as written) -> ours. Raises Refused where there is no such table."""
    tables = yaml.load(
        (Path(__file__).parent / "vocabulary.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader
    )
    if name not in tables:
        raise Refused(
            f"There is no table {name!r} to look up; there are {', '.join(tables)}.", rule="mapping_invalid"
        )
    return {str(word): ours for ours, words in tables[name].items() for word in words}
