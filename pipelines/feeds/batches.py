"""What became of some whole products' rows: Arrow for the millions, pandas objects for whoever looks at a few."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from pipelines.feeds.mapping.arrays import Mask, arrow, holds
from pipelines.feeds.offers import OFFER_COLUMNS, STRUCTURED
from pipelines.feeds.shaping import is_made
from pipelines.feeds.verdicts import ACCEPTED, VERDICTS, Marks, answers_of

_ANSWER = ("locator", "verdict", "reasons", "notes", "supplier_sku", "message", "raw")


class Batch:
    """Whole products in file order: `records` source rows, each answered. Those that were known before are only counted:
    the rows here stand at `places` among them.

    `table`: the accepted offers as Arrow, columns of JSON as text, and their `record_hash` beside. The rest is made when
    it is asked for, as pandas objects: `offers` are the same, `drafts` those of all records that are offers, also refused
    ones, `answers` one row a source record, `refused` those that were not accepted, with their `place` in the batch.
    """

    def __init__(
        self, source: pd.DataFrame, drafts: pa.Table, sellable: Mask, marks: Marks, codes: npt.NDArray[np.int8],
        shape: Mapping[str, Any] | None, places: npt.NDArray[np.int64] | None = None, records: int = -1,
    ) -> None:  # fmt: skip
        self.records = len(source) if places is None else records
        self.places = np.arange(len(source)) if places is None else places
        self.accepted = sellable & (codes == VERDICTS.index(ACCEPTED))
        self._source, self._drafts, self._sellable = source, drafts, sellable
        self._marks, self._codes, self._shape = marks, codes, shape

    def stamp(self, records: npt.NDArray[np.int64]) -> None:
        """Puts the hash of its record beside each row."""
        self._drafts = self._drafts.append_column("record_hash", pa.array(records))

    @cached_property
    def table(self) -> pa.Table:
        """The accepted offers."""
        return self._drafts if self.accepted.all() else self._drafts.filter(pa.array(self.accepted))

    @cached_property
    def offers(self) -> pd.DataFrame:
        """The accepted offers as objects."""
        return as_objects(self.table)

    @cached_property
    def drafts(self) -> pd.DataFrame:
        """The offers of all records that are offers; what is skipped and has no name or number is none (a page, a menu)."""
        told = pc.or_(self._drafts["title"].is_valid(), self._drafts["supplier_sku"].is_valid())
        nameless = self._marks.any_of({"skipped_by_rule"}) & ~told.to_numpy(zero_copy_only=False)
        return as_objects(self._drafts.filter(pa.array(self._sellable & ~nameless)))

    @cached_property
    def answers(self) -> pd.DataFrame:
        """One answer a record."""
        return self._answers(np.arange(len(self._source)))

    @cached_property
    def refused(self) -> pd.DataFrame:
        """The answers of the records that were not accepted."""
        rows = np.flatnonzero(self._codes != VERDICTS.index(ACCEPTED))
        return self._answers(rows).assign(place=self.places[rows])

    def _answers(self, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
        wanted = pa.array(rows, pa.int64())
        locators = arrow(self._source[LOCATOR]).take(wanted).to_pylist()
        reasons, notes, messages = answers_of(self._marks, rows, locators)
        keys = self._drafts["supplier_sku"].take(wanted).to_pylist()
        told = [key if sold else None for key, sold in zip(keys, self._sellable[rows].tolist(), strict=True)]
        verdicts = [VERDICTS[code] for code in self._codes[rows].tolist()]
        columns = (locators, verdicts, reasons, notes, told, messages, self._raw(wanted))
        return pd.DataFrame(
            {name: pd.Series(values, dtype=object) for name, values in zip(_ANSWER, columns, strict=True)}
        )

    def _raw(self, rows: pa.Array) -> list[dict[str, str]]:
        """The rows' cells as received, those there are."""
        names = [
            name
            for name in self._source.columns
            if name not in (LOCATOR, FAULT) and not is_made(name, self._shape)
        ]
        columns = [_shown(arrow(self._source[name]).take(rows)).to_pylist() for name in names]
        if not columns:
            return [{} for _ in range(len(rows))]
        return [
            {name: value for name, value in zip(names, values, strict=True) if value is not None}
            for values in zip(*columns, strict=True)
        ]


def as_objects(table: pa.Table) -> pd.DataFrame:
    """Offers as pandas objects: None where there is nothing, lists and dicts where the table has JSON."""
    columns: dict[str, pd.Series] = {}
    for name in OFFER_COLUMNS:
        values = table[name].to_pylist()
        if name in STRUCTURED:
            values = [None if text is None else orjson.loads(text) for text in values]
        columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns, columns=list(OFFER_COLUMNS))


def _shown(values: pa.Array) -> pa.Array:
    """A column as received, the marks between repeated XML elements made readable."""
    if not holds(values, OUTER.encode(), INNER.encode()):
        return values
    return pc.replace_substring(pc.replace_substring(values, OUTER, " | "), INNER, ", ")
