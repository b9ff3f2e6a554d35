"""Records inside others ("products.variants"): what is around them tells their product, and only their own number is a key."""

from collections.abc import Mapping
from typing import Any

from pipelines.feeds.mapping.sight import CERTAIN, SeenColumn, score

ABOVE = "../"
"""How the columns begin that tell what is around a record (see connectors.readers.json_records)."""


_INHERITED = {"price", "cost", "rrp", "weight_g", "description"}
_ALONE = {
    "supplier_sku",
    "gtin",
    "mpn",
    "stock",
    "availability",
}  # the product's only where it has no variants


def settle_nested(
    fields: dict[str, Any], columns: list[SeenColumn], table: Mapping[str, Any], each: str | None = None
) -> list[list[Any]]:
    """Gives variants their product's title and number; answers the pairs that tell them apart beside their options.

    Titles of variants ("S / Red") say little without their product's; numbers of the product are no variant's key. What
    a variant does not say is its product's. `each` is the path of the list in a record of which every member is one.
    """

    def is_around(name: str) -> bool:
        return not name.startswith(each + "/") if each else name.startswith(ABOVE)

    around = [column for column in columns if is_around(column.name) and column.filled]
    own = {field: name for field, spec in fields.items() if not is_around(name := spec["from"][0])}
    number = next(
        (
            found
            for field in ("group_key", "supplier_sku", "source_id")
            if (found := _best(around, field, table))
        ),
        None,
    )
    if number is None or not {"supplier_sku", "source_id", "gtin", "price", "cost"} & own.keys():
        return []
    for field in ("supplier_sku", "source_id"):
        if field in fields and field not in own:
            del fields[field]
    told = next(
        own[field] for field in ("supplier_sku", "source_id", "price", "cost", "gtin") if field in own
    )
    for field in own.keys() & (_INHERITED | _ALONE):
        if (theirs := _best(around, field, table)) is not None:
            alone = {"column": theirs.name, "where": {"column": told, "is": [""]}}
            members = [name for name in fields[field]["from"] if not is_around(name)]
            fields[field]["from"] = [*members, alone if field in _ALONE else theirs.name]
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
