"""Which objects of an unknown shape are offers: the reader tells what repeats, the mapping which of it looks like an offer."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from connectors.base import Dialect
from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from core.errors import Refused
from pipelines.feeds.mapping.columns import flags
from pipelines.feeds.mapping.proposal import propose
from pipelines.feeds.profiles import recognise
from pipelines.feeds.shaping import each_of

Frames = Callable[[Dialect], Iterator[pd.DataFrame]]
TREES = ("xml", "json", "jsonl")
"""Formats whose columns are paths."""
_LISTS = 4  # lists inside a record that are looked into
_SOLD, _NAMED, _KNOWN = ("price", "cost"), ("title",), ("supplier_sku", "source_id", "gtin")


def explored(shapes: Iterable[Dialect], frames: Frames, profile: str | None = None) -> Dialect:
    """Of the dialects in which a file can be read the one whose records `profile` (or any named one) knows, else the
    one in which most of what an offer needs is found; the reader's first where nothing is.
    """
    unknown = []
    for dialect in shapes:
        found = recognise(dialect.format, dialect.header, dialect.record_path)
        if found and profile in (None, found["name"]):
            return dialect
        unknown.append(dialect)
    if len(unknown) == 1:
        return unknown[0]
    scores = [_likeness(dialect, frames(dialect)) for dialect in unknown]
    return unknown[scores.index(max(scores))]


def beside(path: str | None, dialect: Dialect) -> Dialect:
    """The dialect in which records at another path of the same file are read; "../" in it goes up from the feed's own."""
    if path is None:
        return dialect
    between = "/" if dialect.format == "xml" else "."
    steps = (dialect.record_path or "").split(between)
    while path.startswith("../"):
        path, steps = path.removeprefix("../"), steps[:-1]
        if not path.startswith("../"):
            path = between.join([*steps, *path.split("/")])
    return replace(dialect, record_path=path, header=(), context=())


def list_inside(sample: pd.DataFrame) -> str | None:
    """The path of a list inside the records whose members are the offers: each has a price of its own, and something that
    tells it from the others. None where the records themselves are the offers.
    """
    several = [
        str(name) for name in sample if name not in (LOCATOR, FAULT) and _repeats(sample, str(name), OUTER)
    ]
    paths = Counter(name.rpartition("/")[0].removesuffix("/") for name in several if "@" not in name)
    for path, _ in paths.most_common(_LISTS):
        rows = each_of(sample, path)
        fields = _proposed(rows, path)
        told = {field for field, spec in fields.items() if _names(spec)[0].startswith(path + "/")}
        if told & set(_SOLD) and told & {"supplier_sku", "source_id", "gtin", "options"}:
            return path
    return None


def _likeness(dialect: Dialect, frames: Iterator[pd.DataFrame]) -> float:
    """How many of price, title and number are found, and how surely."""
    sample = next(frames, None)
    if sample is None:
        return 0.0
    each = list_inside(sample)
    rows = sample if each is None else each_of(sample, each)
    fields = _proposed(rows, each)
    return sum(
        max((_sure(fields[name], rows) for name in names if name in fields), default=0.0)
        for names in (_SOLD, _NAMED, _KNOWN)
    )


def _proposed(sample: pd.DataFrame, each: str | None) -> Mapping[str, Any]:
    header = [str(name) for name in sample if name not in (LOCATOR, FAULT)]
    try:
        fields: Mapping[str, Any] = propose(header, sample, None, paths=True, each=each)["fields"]
    except Refused:
        return {}
    return fields


def _names(spec: Mapping[str, Any]) -> list[str]:
    return [pair[1] for pair in spec["pairs"]] if "pairs" in spec else spec["from"]


def _repeats(sample: pd.DataFrame, name: str, marks: str) -> bool:
    return bool(flags(sample[name].str.contains(f"[{marks}]", regex=True)).any())


def _sure(spec: Mapping[str, Any], sample: pd.DataFrame) -> float:
    """Half as sure where one record has several values: then what has one of them each is the offer."""
    name = spec["from"][0]
    several = name in sample and _repeats(sample, name, OUTER + INNER)
    confidence: float = spec.get("confidence", 0.0)
    return confidence / 2 if several else confidence
