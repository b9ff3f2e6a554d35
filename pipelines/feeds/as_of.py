"""The moment a file's figures are true for, where the file itself says it: in a column, or in its name."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Refused
from pipelines.feeds.mapping.dates import read_date

_CLOCKED = re.compile(r"\d{12}(?:\d\d)?")


class AsOf:
    """What the mapping's section `as_of` says, looked up while the file is read.

    `{column: Stand}`: the newest date of that column; `{name_pattern: "\\d{8}"}`: the part of the file's name that the
    pattern (RE2, without groups) matches. A date without a time is its first minute, UTC: what was sold on that day is
    then not counted as free again.
    """

    def __init__(self, setting: Mapping[str, Any] | None, name: str) -> None:
        self._column = (setting or {}).get("column")
        pattern = (setting or {}).get("name_pattern")
        self.moment: datetime | None = read_moment(_matched(pattern, name)) if pattern else None

    def note(self, frame: pd.DataFrame) -> None:
        """Looks at one frame of records."""
        if self._column is None or self._column not in frame:
            return
        for text in frame[self._column].dropna().unique().tolist():
            found = read_moment(text)
            if found is not None and (self.moment is None or found > self.moment):
                self.moment = found


def read_moment(text: str) -> datetime | None:
    """ "2026-11-27T08:00+01:00", "20261127083000", "27.11.2026" as a moment, in UTC where it names no zone; else None."""
    plain = text.strip()[:64]
    with suppress(ValueError):  # it may still be a date in another way of writing
        if _CLOCKED.fullmatch(plain):
            return datetime.strptime(plain.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        if not plain.isdecimal():
            exact = datetime.fromisoformat(plain)
            return exact.replace(tzinfo=exact.tzinfo or UTC)
    day = read_date(plain)
    return datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None


def _matched(pattern: str, name: str) -> str:
    try:
        found = pc.extract_regex(pa.array([name]), f"(?P<moment>{pattern})")[0]
    except pa.ArrowInvalid as error:
        raise Refused(f"The mapping is not usable: as_of.name_pattern: {error}.", rule="mapping_invalid") from None  # fmt: skip
    return str(found["moment"]) if found.is_valid else ""
