"""A file as received -> offers and one answer for every record: all a feed needs but the database."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from connectors.base import Dialect, FeedReader
from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from connectors.readers.packing import FileReader
from core import clock
from core.errors import Refused
from pipelines.feeds.exploring import TREES, beside, explored
from pipelines.feeds.grouping import grouped
from pipelines.feeds.mapping import document as documents
from pipelines.feeds.mapping.evaluate import columns_of
from pipelines.feeds.mapping.proposal import propose
from pipelines.feeds.offers import OFFER_COLUMNS, draft
from pipelines.feeds.profiles import GENERIC, in_one_currency, known, recognise
from pipelines.feeds.shaping import Read, is_made, shaped
from pipelines.feeds.verdicts import ACCEPTED, READER_FAULTS, Answers, Marks, answer

__all__ = ["OFFER_COLUMNS", "Batch", "FileFacts", "Normalised", "Summary", "normalise"]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The file itself: size in bytes, SHA-256 in hex, and how it is written."""

    bytes: int
    sha256: str
    encoding: str
    format: str
    delimiter: str | None


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


@dataclass
class Batch:
    """`offers`: accepted sellable ones; `answers`: one row a source record, both in file order.

    `drafts` holds the offers of all records that are offers, also refused ones, with the same columns.
    """

    offers: pd.DataFrame
    answers: pd.DataFrame
    drafts: pd.DataFrame


class Normalised:
    """One file, its mapping settled; `batches` reads it, as often as asked, always with the same verdicts."""

    def __init__(
        self, file: Path, reader: FeedReader, dialect: Dialect, facts: FileFacts, document: dict[str, Any],
        drift: list[str], currency: str | None,
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
        self._summary: Summary | None = None

    def batches(self) -> Iterator[Batch]:
        """Batches of whole products in file order; `summary` is there when the last one was taken."""
        counts = _Counts()
        register = _Register(self.mapping)
        for rows in grouped(self.frames, self.document.get("grouping")):
            drafted = draft(rows.filled, self.document, self._currency, self._as_of)
            sellable = ~drafted.parts & ~drafted.marks.any_of(READER_FAULTS)
            register.note(drafted.offers, sellable, drafted.marks)
            locators = rows.source[LOCATOR].tolist()
            answers = answer(drafted.marks, locators)
            counts.add(answers, drafted.offers, sellable, drafted.groups)
            yield _batch(rows.source, drafted.offers, sellable, answers, self.document.get("records"))
        self._summary = counts.summary(register)

    def frames(self) -> Iterator[pd.DataFrame]:
        """The records as received, in frames of text, with the columns that the document's `records` section makes."""
        return shaped(_read(self.file, self._reader, self._dialect), self.document.get("records"))

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
) -> Normalised:
    """Settles how `file` is read: dialect, profile and mapping; reading itself waits for `batches`.

    `name` is the file's own name where `file` is an archive's path; `profile` a known name; `mapping` a pinned
    document (complete, with its dialect: used as it is, differences reported as drift) or only some sections,
    which replace the proposal's. `currency` (ISO 4217) counts where the file says none. Raises Refused where
    the file is no feed, is not read yet, or the mapping is not usable.
    """
    given = mapping or {}
    pinned = given.get("dialect") or {}
    reader = FileReader(pinned)
    dialect = reader.detect(file, pinned.get("encoding"))
    if "dialect" not in given:
        dialect = explored(reader.shapes(), lambda shape: reader.frames(file, shape), profile)
    if dialect.escape_char is None and pinned.get("escapeChar"):  # nothing in it is escaped: no change
        dialect = replace(dialect, escape_char=pinned["escapeChar"])
    if "dialect" in given:
        document = dict(given)
    else:
        document = documents.merged(
            _proposal(file, name or file.name, reader, dialect, profile, currency), given
        )
    documents.check(document)
    dialect = replace(dialect, context=documents.context_of(document["fields"]))
    facts = FileFacts(file.stat().st_size, _sha256(file), dialect.encoding, dialect.format, dialect.delimiter)
    drift = [*reader.notices, *documents.drift(document, dialect)]
    return Normalised(file, reader, dialect, facts, document, drift, currency)


def _proposal(
    file: Path, name: str, reader: FeedReader, dialect: Dialect, wanted: str | None, currency: str | None
) -> dict[str, Any]:
    """The mapping document that the hub proposes for this file."""
    found = known(wanted) if wanted else recognise(dialect.format, dialect.header, dialect.record_path)
    shape = (found or {}).get("records")
    dialect = replace(dialect, context=documents.context_of((found or {}).get("fields", {})))
    sample = next(shaped(_read(file, reader, dialect), shape))
    made = [str(name) for name in sample if name not in (*dialect.header, LOCATOR, FAULT)]
    header = [*dialect.header, *made]
    sections = (
        documents.resolve(in_one_currency(found, header, sample, currency), header, sample)
        if found
        else propose(header, sample, currency, paths=dialect.format in TREES)
    )
    return {
        "version": documents.VERSION,
        "profile": found["name"] if found else GENERIC,
        "dialect": documents.pin_dialect(dialect),
        "policy": {"mode": "full"},
        **({"records": shape} if shape else {}),
        **sections,
    }


def _read(file: Path, reader: FeedReader, dialect: Dialect) -> Read:
    """The records at a path of the file; None: the feed's own."""
    return lambda path: reader.frames(file, beside(path, dialect))


def _batch(
    source: pd.DataFrame,
    drafts: pd.DataFrame,
    sellable: Any,
    answers: Answers,
    shape: Mapping[str, Any] | None,
) -> Batch:
    names = [name for name in source.columns if name not in (LOCATOR, FAULT) and not is_made(name, shape)]
    columns = [_shown(source[name]).tolist() for name in names]
    raw = [
        {n: v for n, v in zip(names, values, strict=True) if isinstance(v, str)}
        for values in zip(*columns, strict=True)
    ]
    keys = drafts["supplier_sku"].where(sellable, None)
    table = pd.DataFrame(
        {
            "locator": pd.Series(source[LOCATOR].tolist(), dtype=object),
            "verdict": pd.Series(answers.verdicts, dtype=object),
            "reasons": pd.Series(answers.reasons, dtype=object),
            "notes": pd.Series(answers.notes, dtype=object),
            "supplier_sku": pd.Series(keys.tolist(), dtype=object),
            "message": pd.Series(answers.messages, dtype=object),
            "raw": pd.Series(raw, dtype=object),
        }
    )
    accepted = sellable & (np.array(answers.verdicts, dtype=object) == ACCEPTED)
    ordered = drafts[list(OFFER_COLUMNS)]
    return Batch(ordered[accepted].reset_index(drop=True), table, ordered[sellable].reset_index(drop=True))


def _shown(values: pd.Series) -> pd.Series:
    """A column as received, the marks between repeated XML elements made readable."""
    if not values.str.contains(f"[{OUTER}{INNER}]", regex=True).any():
        return values
    return values.str.replace(OUTER, " | ", regex=False).str.replace(INNER, ", ", regex=False)


class _Register:
    """Every key of the file with the content and place of its first record: a key is never listed twice."""

    def __init__(self, mapping: Mapping[str, Mapping[str, Any]]) -> None:
        self.seen: dict[str, tuple[str, str]] = {}
        self._mapping = mapping

    def note(self, offers: pd.DataFrame, sellable: Any, marks: Marks) -> None:
        """Marks records whose key an earlier record has: `duplicate`, or with other content `duplicate_conflict`."""
        same, other = np.zeros(len(offers), dtype=bool), np.zeros(len(offers), dtype=bool)
        told: dict[int, tuple[str, str, str]] = {}
        columns = (
            offers[name].tolist() for name in ("supplier_sku", "content_hash", "locator", "key_origin")
        )
        for row, (key, content, locator, origin) in enumerate(zip(*columns, strict=True)):
            if key is None or not sellable[row]:
                continue
            first = self.seen.setdefault(key, (content, locator))
            if first[1] != locator:
                (same if first[0] == content else other)[row] = True
                column = self._mapping.get(origin, {}).get("from") or origin.replace("_", " and ")
                told[row] = (column, key, first[1])
        marks.add("duplicate", same, told)
        marks.add("duplicate_conflict", other, told)


class _Counts:
    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.groups: set[str] = set()  # products of several rows
        self.keys: set[str] = set()  # and those of one

    def add(self, answers: Answers, offers: pd.DataFrame, sellable: Any, groups: list[str | None]) -> None:
        self.verdicts.update(answers.verdicts)
        self.reasons.update(rule for rules in answers.reasons for rule in rules)
        self.notes.update(rule for rules in answers.notes for rule in rules)
        named = offers["group_key"].tolist()
        for row, (own, group, key) in enumerate(
            zip(named, groups, offers["supplier_sku"].tolist(), strict=True)
        ):
            if group or (own and sellable[row]):
                self.groups.add(group or own)
            elif key:
                self.keys.add(key)

    def summary(self, register: _Register) -> Summary:
        records = sum(self.verdicts.values())
        assert records == self.verdicts["accepted"] + self.verdicts["rejected"] + self.verdicts["quarantined"]
        return Summary(
            records, len(self.groups) + len(self.keys), len(register.seen), self.verdicts["accepted"], self.verdicts["rejected"],
            self.verdicts["quarantined"], dict(self.reasons.most_common()), dict(self.notes.most_common()),
        )  # fmt: skip


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
