"""Options and attributes: what distinguishes the variants of a product, and what only describes them."""

from collections.abc import Mapping
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.mapping.arrays import Mask, first_known, keep, present, texts, true
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.jsontext import objects, quoted

_PLACEHOLDER = ("title", "default title")  # the option Shopify writes where a product has none
Named = dict[str, str]


def settle_choices(
    columns: Mapping[str, Column],
    members: pa.Array,
    group_keys: pa.Array,
    others: Mask,
    grouping: Mapping[str, Any],
) -> tuple[pa.Array, pa.Array]:
    """(options, attributes) as JSON objects. `members` names the product of each row where the file groups its rows,
    `group_keys` the product that the offer is shown under; `others` are rows that are no variants.

    What all a product's variants share, or what belongs to no product of several, is an attribute, no option.
    """
    rows = len(group_keys)
    found = {name: columns[name] for name in ("options", "attributes") if name in columns}
    if grouping or any(column.pieces is None for column in found.values()):
        options, attributes = (named_rows(found.get(name), rows) for name in ("options", "attributes"))
        _by_row(options, attributes, members.to_pylist(), group_keys.to_pylist(), others, grouping)
        return _written(options), _written(attributes)
    options_of, attributes_of = (
        _without_placeholder(found[name].pieces or {}) if name in found else {}
        for name in ("options", "attributes")
    )
    grouped = present(group_keys)
    if not grouped.all():
        for name, values in options_of.items():
            if name.casefold() != _PLACEHOLDER[0]:
                loose = keep(values, ~grouped)
                attributes_of[name] = (
                    first_known(loose, attributes_of[name]) if name in attributes_of else loose
                )
        options_of = {name: keep(values, grouped) for name, values in options_of.items()}
    return _objects(options_of, rows), _objects(attributes_of, rows)


def named_rows(column: Column | None, rows: int) -> list[Named]:
    """Name -> value of each row, without the placeholder of a product that has no options."""
    if column is None:
        return [{} for _ in range(rows)]
    told = [orjson.loads(text) if text is not None else {} for text in column.text.to_pylist()]
    return [{n: v for n, v in one.items() if (n.casefold(), v.casefold()) != _PLACEHOLDER} for one in told]


def _by_row(
    options: list[Named], attributes: list[Named], groups: list[str | None], shown: list[str | None], others: Mask,
    grouping: Mapping[str, Any],
) -> None:  # fmt: skip
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if group and not others[row]:
            members.setdefault(group, []).append(row)
    if grouping.get("options_vary"):
        for rows in members.values():
            names = dict.fromkeys(name for row in rows for name in attributes[row])
            for name in [n for n in names if len({attributes[row].get(n) for row in rows}) > 1]:
                for row in [row for row in rows if name in attributes[row]]:
                    options[row][name] = attributes[row].pop(name)
    alone = {rows[0] for rows in members.values() if len(rows) == 1}
    for row, (found, group) in enumerate(zip(options, shown, strict=True)):
        if found and (group is None or row in alone):
            attributes[row].update(
                {name: value for name, value in found.items() if name.casefold() != _PLACEHOLDER[0]}
            )
            found.clear()


def _without_placeholder(pieces: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    kept = dict(pieces)
    for name, values in pieces.items():
        if name.casefold() == _PLACEHOLDER[0]:
            kept[name] = keep(values, ~true(pc.equal(pc.utf8_lower(values), _PLACEHOLDER[1])))
    return kept


def _objects(pieces: Mapping[str, pa.Array], rows: int) -> pa.Array:
    return objects({name: quoted(values) for name, values in pieces.items()}, rows).fill_null("{}")


def _written(rows: list[Named]) -> pa.Array:
    return texts([orjson.dumps(row).decode() if row else "{}" for row in rows])
