"""The words for a reject: the supplier's own column and what stood there."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.feeds.mapping.columns import Column, Mask
from pipelines.feeds.mapping.evaluate import columns_of
from pipelines.feeds.verdicts import Marks


class Told:
    """Marks rows together with the column and the value, as received, that the rule speaks of."""

    def __init__(self, fields: Mapping[str, Any], columns: Mapping[str, Column]) -> None:
        self._fields = fields
        self._columns = columns

    def mark(self, marks: Marks, rule: str, field: str, mask: Mask | None) -> None:
        """Marks these rows with the field's column and the value found in it."""
        if mask is None or not mask.any():
            return
        name = next(iter(columns_of(self._fields.get(field, {}))), field)
        rows = np.flatnonzero(mask).tolist()
        received = self._columns[field].received_at(rows) if field in self._columns else [""] * len(rows)
        marks.add(rule, mask, {row: (name, value, "") for row, value in zip(rows, received, strict=True)})

    def blank(self, marks: Marks, rule: str, field: str, mask: Mask) -> None:
        """Marks these rows, saying why the field is not there: its column is blank, or none is known to hold it."""
        names = columns_of(self._fields.get(field, {}))
        if names:
            why = f"{' and '.join(map(repr, names))} {'is' if len(names) == 1 else 'are'} blank"
        else:
            why = "no column is mapped to it"
        marks.add(rule, mask, dict.fromkeys(np.flatnonzero(mask).tolist(), (why, "", "")))
