"""Values to look at while a mapping is made: of each field as received and as they become, of each column some."""

from datetime import datetime
from typing import Any

import pandas as pd

from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from core import clock
from pipelines.feeds.details import PAIRED, aligned, implied
from pipelines.feeds.exploring import TREES
from pipelines.feeds.grouping import BROKEN, GROUP, PART, grouped
from pipelines.feeds.mapping.candidates import UNSURE, candidates, questions
from pipelines.feeds.mapping.columns import Column, without_missing
from pipelines.feeds.mapping.drift import columns_read
from pipelines.feeds.mapping.evaluate import evaluate
from pipelines.feeds.normalise import Normalised

SAMPLES = 3
"""Different values shown of a field or column."""
_LONGEST = 160


def samples_of(found: Normalised) -> dict[str, Any]:
    """{"fields": {name: [[received, value], …]}, "columns": {name: [values]}} of the file's first records."""
    frame = _first(found)
    document = found.document
    words = frozenset(str(word).lower() for word in document["dialect"]["missingValues"])
    rows = next(grouped(lambda: iter([frame]), document.get("grouping"))).filled
    told = {
        name: _pairs(_evaluated(rows, name, spec, words, clock.now()))
        for name, spec in document["fields"].items() if spec
    }  # fmt: skip
    hidden = {LOCATOR, FAULT, GROUP, PART, BROKEN}
    columns = {
        str(name): [_shown(one) for one in without_missing(frame[name], words).dropna().drop_duplicates().head(SAMPLES)]
        for name in frame if name not in hidden
    }  # fmt: skip
    return {"fields": told, "columns": columns}


def doubts(found: Normalised) -> dict[str, Any]:
    """The document with what to ask about, see preview.proposal."""
    document = found.document
    frame = _first(found)
    header = [str(name) for name in frame if name not in (LOCATOR, FAULT)]
    asked = questions(document, UNSURE)
    read = columns_read(document)
    likely = candidates(header, frame, asked, paths=document["dialect"]["format"] in TREES, read=read)
    unsure = [
        {
            "field": field, "from": found.mapping.get(field, {}).get("from"),
            "confidence": found.mapping.get(field, {}).get("confidence"), "candidates": likely[field],
        }
        for field in asked
    ]  # fmt: skip
    return {"document": document, "unsure": unsure, "unmapped": [name for name in header if name not in read]}


def _first(found: Normalised) -> pd.DataFrame:
    """The file's first frame, at most 2,000 records."""
    return next(found.frames()).head(2_000)


def _evaluated(
    rows: pd.DataFrame, name: str, spec: dict[str, Any], words: frozenset[str], as_of: datetime
) -> Column:
    if name in PAIRED:
        return aligned(rows, spec["pairs"], words)
    return evaluate(rows, implied(name, spec), words, as_of)


def _pairs(column: Column) -> list[list[Any]]:
    """Different values as received, each with what it becomes."""
    seen: dict[str, list[Any]] = {}
    values = column.values.tolist()
    told = values if column.received is None else column.received.tolist()
    for received, value in zip(told, values, strict=True):
        key = _shown(received)
        if key and key not in seen:
            missing = value is None or (not isinstance(value, list | dict) and pd.isna(value))
            seen[key] = [key, None if missing or value == {} else _short(value)]
        if len(seen) == SAMPLES:
            break
    return list(seen.values())


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(one) for one in value[:3]]
    if isinstance(value, dict):
        return {str(name)[:60]: _short(one) for name, one in list(value.items())[:6]}
    return value[:_LONGEST] if isinstance(value, str) else value


def _shown(value: Any) -> str:
    """A value as received, the marks between repeated ones made readable."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" for name, one in list(value.items())[:6])[:_LONGEST]
    if isinstance(value, list):
        return ", ".join(map(str, value[:6]))[:_LONGEST]
    if not isinstance(value, str):
        return ""
    return value.replace(OUTER, " | ").replace(INNER, ", ")[:_LONGEST]
