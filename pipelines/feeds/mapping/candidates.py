"""Which columns could be a field that the hub is not sure of: by name, and by what the values look like."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipelines.feeds.mapping.sight import (
    LOOKED_AT,
    MONEY,
    SeenColumn,
    end_of_path,
    score,
    seen_column,
    synonyms,
)

NEEDED: dict[str, tuple[str, ...]] = {
    "supplier_sku": ("supplier_sku", "source_id"),
    "title": ("title", "titles"),
    "price": ("price", "cost"),
    "stock": ("stock", "availability"),
}
"""field -> any of these is enough: what an offer that can be sold must have."""
UNSURE = 0.7
"""Below this confidence a field is asked about."""
_MOST = 5


_READ = 0.5
"""What a column's chance is multiplied by where another field is read from it already."""


def candidates(
    header: list[str],
    sample: pd.DataFrame,
    fields: list[str],
    *,
    paths: bool,
    read: Mapping[str, list[str]] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """field -> at most five columns, the likeliest first: {"column", "score" (0 to 1), "values" (three of them)}.

    `read` tells what each column is read into already: it is then less likely something else.
    """
    columns = [
        seen_column(name, end_of_path(name) if paths else name, sample[name].head(LOOKED_AT))
        for name in header
        if name in sample
    ]
    table = synonyms()
    found = {}
    for field in fields:
        scored = [
            (
                max(_by_name(field, column, table), _by_values(field, column))
                * (_READ if set((read or {}).get(column.name, ())) - {field, "attributes"} else 1),
                column,
            )
            for column in columns
        ]
        likely = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])[:_MOST]
        found[field] = [
            {"column": column.name, "score": round(sure, 2), "values": list(column.sample[:3])}
            for sure, column in likely
        ]
    return found


def questions(document: Mapping[str, Any], limit: float) -> list[str]:
    """The fields to ask about: those below `limit`, and those an offer needs and nothing is read into."""
    fields = {name: spec for name, spec in document["fields"].items() if spec}
    doubtful = [
        name
        for name, spec in fields.items()
        if spec.get("confidence", 1.0) < limit and name not in ("attributes", "options")
    ]
    return [*doubtful, *lacking(document)]


def lacking(document: Mapping[str, Any], mode: str | None = None) -> list[str]:
    """The fields that an offer needs and nothing is read into; a feed of stock or prices alone needs the others not."""
    fields = {name for name, spec in document.get("fields", {}).items() if spec}
    told = mode or (document.get("policy") or {}).get("mode", "full")
    needless = {"stock-only": {"title", "price"}, "price-only": {"title", "stock"}}.get(told, set())
    return [name for name, enough in NEEDED.items() if name not in needless and not fields & set(enough)]


def _by_name(field: str, column: SeenColumn, table: Mapping[str, Any]) -> float:
    return score(field, column, table) if field in table["fields"] else 0.0


def _by_values(field: str, column: SeenColumn) -> float:
    """What the shape of the values alone says: never enough to map a column, enough to offer it."""
    if not column.filled:
        return 0.0
    words = 1 - max(column.figures, column.addresses)
    if field == "gtin":
        return 0.5 * column.gtins
    if field in MONEY:
        decimal = sum("." in one or "," in one for one in column.sample) / max(len(column.sample), 1)
        return 0.45 * column.figures * (0.5 + 0.5 * decimal) * (1 - column.gtins)
    if field == "stock":
        whole = sum(one.strip().isdigit() and len(one.strip()) < 6 for one in column.sample) / max(
            len(column.sample), 1
        )
        return 0.4 * whole
    if field in ("supplier_sku", "source_id"):
        return 0.45 * column.distinct * (column.length <= 40) * (1 - column.addresses) * column.filled
    if field == "title":
        return 0.4 * words * column.distinct * (8 <= column.length <= 150) * column.filled
    if field == "description":
        return 0.4 * words * (column.length > 80)
    if field == "images":
        return 0.5 * column.pictures
    if field == "source_url":
        return 0.4 * column.addresses * (1 - column.pictures)
    return 0.0
