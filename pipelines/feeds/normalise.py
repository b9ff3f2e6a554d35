"""A file as received -> offers and one answer for every record: all a feed needs but the database."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.base import Dialect, FeedReader
from connectors.readers.frames import FAULT, LOCATOR
from connectors.readers.packing import FileReader
from core import clock
from core.errors import Refused
from pipelines.feeds.as_of import AsOf
from pipelines.feeds.batches import Batch
from pipelines.feeds.counting import Counted, Counts, Summary
from pipelines.feeds.exploring import TREES, beside, explored, list_inside
from pipelines.feeds.grouping import grouped
from pipelines.feeds.hashing import Hashes, hash64
from pipelines.feeds.known import Memory, note_bits, record_hashes
from pipelines.feeds.mapping import document as documents
from pipelines.feeds.mapping.arrays import Mask, arrow, present
from pipelines.feeds.mapping.evaluate import columns_of
from pipelines.feeds.mapping.proposal import propose
from pipelines.feeds.offers import OFFER_COLUMNS, Draft, draft
from pipelines.feeds.profiles import GENERIC, in_one_currency, known, recognise
from pipelines.feeds.shaping import Read, Shaper
from pipelines.feeds.verdicts import READER_FAULTS

__all__ = ["OFFER_COLUMNS", "Batch", "FileFacts", "Normalised", "Summary", "normalise"]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The file itself: size in bytes, SHA-256 in hex, and how it is written."""

    bytes: int
    sha256: str
    encoding: str
    format: str
    delimiter: str | None


class Normalised:
    """One file, its mapping settled; `batches` reads it, as often as asked, always with the same verdicts."""

    def __init__(
        self, file: Path, reader: FeedReader, dialect: Dialect, facts: FileFacts, document: dict[str, Any],
        drift: list[str], currency: str | None, shaper: Shaper, name: str = "",
    ) -> None:  # fmt: skip
        self.file = file
        self.facts = facts
        self.profile: str = document["profile"]
        self.document = document
        self.drift = drift
        self.breaks = documents.breaks(document, dialect)
        self.written = documents.pin_dialect(dialect)
        self.mapping: dict[str, dict[str, Any]] = _told(document)
        self._reader, self._dialect, self._currency = reader, dialect, currency
        self._as_of = clock.now()
        self.stated = AsOf(document.get("as_of"), name or file.name)
        self._shaper = shaper
        self._summary: Summary | None = None

    def batches(self, memory: Memory | None = None) -> Iterator[Batch]:
        """Batches of whole products in file order; `summary` is there when the last one was taken.

        With a `memory` records that it knows are counted and left out, and what is accepted is written down in it.
        """
        counts = Counts(self.mapping)
        for rows in grouped(self.frames, self.document.get("grouping")):
            if memory is None:
                yield self._batch(rows.source, rows.filled, counts)[0]
            else:
                yield self._remembered(rows.source, rows.filled, counts, memory)
        self._summary = counts.summary()

    def _batch(
        self,
        source: pd.DataFrame,
        filled: pd.DataFrame,
        counts: Counts,
        drafted: Draft | None = None,
        **more: Any,
    ) -> tuple[Batch, Draft, Counted]:
        drafted = drafted or self._draft(filled)
        sellable = ~drafted.parts & ~drafted.marks.any_of(READER_FAULTS)
        counted = counts.add(drafted, sellable)
        shape = self.document.get("records")
        batch = Batch(source, drafted.offers, sellable, drafted.marks, counted.codes, shape, **more)
        return batch, drafted, counted

    def _draft(self, filled: pd.DataFrame) -> Draft:
        return draft(filled, self.document, self._currency, self._as_of)

    def _remembered(
        self, source: pd.DataFrame, filled: pd.DataFrame, counts: Counts, memory: Memory
    ) -> Batch:
        """One batch without the records that are known, if none before them has their key."""
        header = () if self._dialect.format in TREES else self._dialect.header
        records = record_hashes(source, header)
        known, places = memory.find(source, records)
        drafted = None
        if memory.known is not None and known.any():
            keys = np.zeros(len(known), dtype=np.uint64)
            keys[known] = memory.known.values("key", places[known])
            known[known] = ~counts.register.knows(keys[known])
            drafted = self._draft(_rows(filled, ~known))
            if (clash := known & _comes_before(drafted, ~known, keys)).any():
                known, drafted = known & ~clash, None
            entries = memory.known.take(places[known])
            counts.known(entries, arrow(source[LOCATOR]).filter(pa.array(known)))
            memory.keep(**entries)
            memory.unchanged += int(known.sum())
        fresh = np.flatnonzero(~known)
        batch, drafted, counted = self._batch(
            _rows(source, ~known), _rows(filled, ~known), counts, drafted, places=fresh, records=len(source)
        )
        batch.stamp(records[fresh].view(np.int64))
        sold = batch.accepted
        memory.keep(
            record=records[fresh][sold], key=counted.keys[sold], group=counted.products[sold],
            content=drafted.contents[sold], notes=note_bits(drafted.marks)[sold],
        )  # fmt: skip
        return batch

    def frames(self) -> Iterator[pd.DataFrame]:
        """The records as received, in frames of text, with the columns that the document's `records` section makes."""
        read = _read(self.file, self._reader, self._dialect)
        for frame in self._shaper.shaped(read, self.document.get("records")):
            self.stated.note(frame)
            yield frame

    def summary(self) -> Summary:
        """Counts of the whole file. Raises Refused before the last batch was taken."""
        if self._summary is None:
            raise Refused("The file has not been read to its end yet; take all batches first.")
        return self._summary


def normalise(
    file: Path,
    *,
    name: str | None = None,
    profile: str | None = None,
    mapping: Mapping[str, Any] | None = None,
    currency: str | None = None,
    sha256: str | None = None,
) -> Normalised:
    """Settles how `file` is read: dialect, profile and mapping; reading itself waits for `batches`.

    `name` is the file's own name where `file` is an archive's path; `profile` a known name; `mapping` a pinned
    document (complete, with its dialect: used as it is, differences reported as drift) or only some sections,
    which replace the proposal's. `sha256` is the file's where it is known. `currency` (ISO 4217) counts where the file says none. Raises Refused where
    the file is no feed, is not read yet, or the mapping is not usable.
    """
    given = mapping or {}
    pinned = given.get("dialect") or {}
    reader, shaper = FileReader(pinned), Shaper()
    dialect = reader.detect(file, pinned.get("encoding"))
    if "dialect" not in given:
        dialect = explored(reader.shapes(), lambda shape: reader.frames(file, shape), profile)
        format_known = recognise(dialect.format, dialect.header, dialect.record_path) or {}
        if "record_path" in format_known:  # records that also lie inside each other
            dialect = replace(dialect, record_path=format_known["record_path"])
    if dialect.escape_char is None and pinned.get("escapeChar"):  # nothing in it is escaped: no change
        dialect = replace(dialect, escape_char=pinned["escapeChar"])
    if "dialect" in given:
        document = dict(given)
    else:
        document = documents.merged(_proposal(file, reader, dialect, profile, currency, shaper), given)
    documents.check(document)
    stated = {"as_of": {"from": [column]}} if (column := document.get("as_of", {}).get("column")) else {}
    dialect = replace(dialect, context=documents.context_of({**document["fields"], **stated}))
    facts = FileFacts(
        file.stat().st_size, sha256 or _sha256(file), dialect.encoding, dialect.format, dialect.delimiter
    )
    drift = [*reader.notices, *documents.drift(document, dialect)]
    return Normalised(file, reader, dialect, facts, document, drift, currency, shaper, name or file.name)


def _proposal(
    file: Path, reader: FeedReader, dialect: Dialect, wanted: str | None, currency: str | None, shaper: Shaper
) -> dict[str, Any]:
    """The mapping document that the hub proposes for this file."""
    found = known(wanted) if wanted else recognise(dialect.format, dialect.header, dialect.record_path)
    shape = (found or {}).get("records")
    dialect = replace(dialect, context=documents.context_of((found or {}).get("fields", {})))
    sample = _sample(file, shaper.shaped(_read(file, reader, dialect), shape))
    each = list_inside(sample) if found is None and dialect.format in TREES else None
    if each:
        shape = {"each": each}
        sample = _sample(file, shaper.shaped(_read(file, reader, dialect), shape))
    made = [str(name) for name in sample if name not in (*dialect.header, LOCATOR, FAULT)]
    header = [*dialect.header, *made]
    sections = (
        documents.resolve(in_one_currency(found, header, sample, currency), header, sample)
        if found
        else propose(header, sample, currency, paths=dialect.format in TREES, each=each)
    )
    return {
        "version": documents.VERSION,
        "profile": found["name"] if found else GENERIC,
        "dialect": documents.pin_dialect(dialect),
        "policy": {"mode": "full"},
        **({"records": shape} if shape else {}),
        **sections,
    }


def _sample(file: Path, frames: Iterator[pd.DataFrame]) -> pd.DataFrame:
    """The first records. Raises Refused where there are none."""
    sample = next(frames, None)
    if sample is None:
        raise Refused(f"{file.name} has no records; an empty list changes nothing.", rule="no_records")
    return sample


def _read(file: Path, reader: FeedReader, dialect: Dialect) -> Read:
    """The records at a path of the file; None: the feed's own."""
    return lambda path: reader.frames(file, beside(path, dialect))


def _comes_before(drafted: Draft, fresh: Mask, keys: Hashes) -> Mask:
    """Of a batch's rows those whose key an earlier one among the `fresh` ones has."""
    theirs = drafted.offers["supplier_sku"].chunk(0)
    there = present(theirs)
    places = np.flatnonzero(fresh)[there]
    distinct, first = np.unique(hash64(theirs.filter(pa.array(there))), return_index=True)
    if not len(distinct):
        return np.zeros(len(keys), dtype=bool)
    found = np.minimum(np.searchsorted(distinct, keys), len(distinct) - 1)
    before: Mask = (distinct[found] == keys) & (places[first[found]] < np.arange(len(keys)))
    return before


def _rows(frame: pd.DataFrame, mask: Any) -> pd.DataFrame:
    return frame if mask.all() else frame[mask].reset_index(drop=True)


def _told(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """field -> the supplier's columns it is read from, and how sure that is."""
    product = (document.get("grouping") or {}).get("product", {})
    return {
        field: {
            "from": ", ".join(dict.fromkeys(product.get(name, name) for name in columns_of(spec)))
            or "(constant)",
            "confidence": spec.get("confidence", 1.0),
        }
        for field, spec in document["fields"].items()
    }


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
