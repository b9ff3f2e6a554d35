"""Records inside others ("products.variants"): what is around them tells their product, and only their own number is a key."""

from collections.abc import Mapping
from typing import Any

from pipelines.feeds.mapping.sight import CERTAIN, SeenColumn, score

ABOVE = "../"
"""How the columns begin that tell what is around a record (see connectors.readers.json_records)."""


def settle_nested(
    fields: dict[str, Any], columns: list[SeenColumn], table: Mapping[str, Any]
) -> list[list[Any]]:
    """Gives variants their product's title and number; answers the pairs that tell them apart beside their options.

    Titles of variants ("S / Red") say little without their product's; numbers of the product are no variant's key.
    """
    around = [column for column in columns if column.name.startswith(ABOVE) and column.filled]
    own = {field: name for field, spec in fields.items() if not (name := spec["from"][0]).startswith(ABOVE)}
    number = next(
        (found for field in ("group_key", "supplier_sku", "source_id") if (found := _best(around, field, table))),
        None,
    )
    if number is None or not {"supplier_sku", "source_id", "gtin", "price", "cost"} & own.keys():
        return []
    for field in ("supplier_sku", "source_id"):
        if field in fields and field not in own:
            del fields[field]
    fields["group_key"] = {"from": [number.name], "operations": ["trim"], "confidence": 0.8}
    title = _best(around, "title", table)
    if title is None:
        return []
    fields["title"] = {"from": [title.name], "operations": ["text"], "confidence": 0.8}
    fields["group_title"] = {"from": [title.name], "operations": ["text"], "confidence": 0.8}
    return [[{"value": "variant"}, own["title"]]] if "title" in own else []


def _best(columns: list[SeenColumn], field: str, table: Mapping[str, Any]) -> SeenColumn | None:
    scored = [(score(field, column, table), column) for column in columns]
    sure = max((one for one, _ in scored), default=0.0)
    return next((column for one, column in scored if one == sure), None) if sure >= CERTAIN else None
