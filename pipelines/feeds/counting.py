"""What a file came to: verdicts, reasons and notes counted, and no key listed twice, however long the file is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.feeds.hashing import Hashes, hash64
from pipelines.feeds.known import Entries
from pipelines.feeds.mapping.arrays import Mask, first_known, keep, present
from pipelines.feeds.offers import Draft
from pipelines.feeds.register import Register
from pipelines.feeds.verdicts import ACCEPTED, NOTES, VERDICTS, counts_of, verdicts_of


@dataclass
class Summary:
    """Counts of the whole file; accepted + rejected + quarantined = records."""

    records: int = 0
    products: int = 0
    variants: int = 0
    accepted: int = 0
    rejected: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """Of each row its verdict (a place in VERDICTS), the hash of its key and of its product of several, 0 where none is."""

    codes: npt.NDArray[np.int8]
    keys: Hashes
    products: Hashes


class Counts:
    """Takes the batches of a file in their order; `register` knows the keys so far."""

    def __init__(self, mapping: Mapping[str, Mapping[str, Any]]) -> None:
        self.register = Register()
        self._mapping = mapping
        self._verdicts = np.zeros(len(VERDICTS), dtype=np.int64)
        self._reasons: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()

    def add(self, drafted: Draft, sellable: Mask) -> Counted:
        """Marks records whose key an earlier record has, counts all, and gives their verdicts."""
        keys = drafted.offers["supplier_sku"].chunk(0)
        groups = first_known(drafted.groups, keep(drafted.offers["group_key"].chunk(0), sellable))
        grouped, keyed = present(groups), present(keys)
        products = np.zeros(len(keys), dtype=np.uint64)
        if grouped.any():
            products[grouped] = hash64(groups.drop_null())
            self.register.group(products[grouped])
        hashes = np.zeros(len(keys), dtype=np.uint64)
        hashes[keyed] = hash64(keys.drop_null())
        sold = keyed & sellable
        loose = keyed & ~sellable & ~grouped
        if loose.any():
            self.register.loose(hashes[loose])
        if sold.any():
            self._doubles(drafted, np.flatnonzero(sold), hashes, grouped)
        codes = verdicts_of(drafted.marks)
        self._verdicts += np.bincount(codes, minlength=len(VERDICTS))
        reasons, notes = counts_of(drafted.marks)
        self._reasons.update(reasons)
        self._notes.update(notes)
        return Counted(codes, hashes, products)

    def known(self, entries: Entries, locators: pa.Array) -> None:
        """Counts records that an earlier run accepted just as they are."""
        self._verdicts[VERDICTS.index(ACCEPTED)] += len(locators)
        bits, times = np.unique(entries["notes"], return_counts=True)
        for combination, number in zip(bits.tolist(), times.tolist(), strict=True):
            self._notes.update({rule: number for place, rule in enumerate(NOTES) if combination >> place & 1})
        grouped = entries["group"] != 0
        if grouped.any():
            self.register.group(entries["group"][grouped])
        keys, contents = entries["key"], entries["content"].astype(np.uint64)
        self.register.note(keys, contents, locators, grouped)

    def summary(self) -> Summary:
        """The counts of all batches so far."""
        accepted, rejected, quarantined = self._verdicts.tolist()
        return Summary(
            accepted + rejected + quarantined, self.register.products(), self.register.variants, accepted, rejected, quarantined,
            dict(self._reasons.most_common()), dict(self._notes.most_common()),
        )  # fmt: skip

    def _doubles(
        self, drafted: Draft, rows: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64], grouped: Mask
    ) -> None:
        """Marks `duplicate`, or with other content `duplicate_conflict`."""
        wanted = pa.array(rows)
        locators = drafted.offers["locator"].chunk(0).take(wanted)
        same, other, firsts = self.register.note(
            hashes[rows], drafted.contents[rows], locators, grouped[rows]
        )
        if not firsts:
            return
        told = {}
        for place, first in firsts.items():
            row = int(rows[place])
            origin = drafted.offers["key_origin"][row].as_py()
            column = self._mapping.get(origin, {}).get("from") or origin.replace("_", " and ")
            told[row] = (column, drafted.offers["supplier_sku"][row].as_py(), first)
        for rule, some in (("duplicate", same), ("duplicate_conflict", other)):
            mask = np.zeros(len(hashes), dtype=bool)
            mask[rows[some]] = True
            drafted.marks.add(rule, mask, told)
