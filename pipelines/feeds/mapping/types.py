"""The type that each field must have at its end, whatever its operations were: a mapping by hand need not know it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.feeds.mapping.arrays import arrow, first_known
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.operations import OPERATIONS

AMOUNTS = frozenset({"cost", "price", "rrp", "map_price"})
WHOLE = frozenset({
    "stock", "lead_time_days", "weight_g", "length_mm", "width_mm", "height_mm", "minimum", "step", "pack",
})  # fmt: skip


def closed(name: str, column: Column, operations: Sequence[Any]) -> None:
    """Gives the column its field's type where the last operation did not: amounts, whole numbers, GTINs.

    What is none of that type is no value, and is marked as the operation marks it.
    """
    if name not in AMOUNTS and name not in WHOLE and name not in ("gtin", "cost_basis"):
        return
    called = [(one, None) if isinstance(one, str) else next(iter(one.items())) for one in operations]
    last, argument = called[-1] if called else ("", None)
    names = {one for one, _ in called}
    if name == "gtin":
        if last != "gtin":
            _again(column, "gtin", None)
    elif name in AMOUNTS:
        if last != "money":
            said = column.sides.get("currency")
            _again(column, "money", {"decimal": "." if names & {"money", "number"} else ""})
            if said is not None:
                column.sides["currency"] = first_known(
                    arrow(column.sides["currency"]), arrow(said)
                ).to_pandas()
    elif name == "cost_basis":
        if last != "number":
            _again(column, "number", None)
    elif not (last == "unit" or (last == "number" and (argument or {}).get("whole"))):
        decimal = "." if names & {"money", "number", "unit"} else ""
        _again(column, "number", {"whole": True, "decimal": decimal})


def _again(column: Column, operation: str, argument: Mapping[str, Any] | None) -> None:
    """The operation on the column's values as text, whatever they stood for before."""
    column.text = column.text
    column.kind = "text"
    OPERATIONS[operation](column, argument)
