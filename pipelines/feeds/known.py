"""What a run read, kept beside its file: with it the next file's records that are the same need no mapping at all."""

import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
import pyarrow.compute as pc

from connectors.readers.frames import FAULT, LOCATOR
from pipelines.feeds.hashing import Hashes, hash64, rows_as_text
from pipelines.feeds.known_head import FORMAT, head_of, version
from pipelines.feeds.mapping.arrays import Mask, arrow, joined, true, word
from pipelines.feeds.verdicts import NOTES, Marks

_BLOCK = 1 << 17  # entries sorted together
_FIELDS = (("record", "<u8"), ("key", "<u8"), ("group", "<u8"), ("content", "<u4"), ("notes", "<u2"))
Entries = dict[str, npt.NDArray[Any]]


def can_be_known(document: Mapping[str, Any]) -> bool:
    """Whether each record's answer depends on nothing but the record: no grouping, no joins, no dated prices, whole files."""
    sources = [
        source
        for spec in document["fields"].values()
        for source in (spec or {}).get("from", [])
        if isinstance(source, dict)
    ]
    return (
        not document.get("grouping")
        and not set(document.get("records") or {}) - {"pivot", "unfold", "gather"}
        and not any("window" in source for source in sources)
        and (document.get("policy") or {}).get("mode", "full") == "full"
    )


def record_hashes(source: pd.DataFrame, header: Sequence[str]) -> Hashes:
    """A hash of each record's cells as received, under this header; without one, of the cells with their names."""
    key = blake2b(orjson.dumps([FORMAT, *header]), digest_size=8).hexdigest()
    names = [str(name) for name in source.columns if name not in (LOCATOR, FAULT)]
    if header:
        return hash64(rows_as_text([arrow(source[name]) for name in names], len(source)), key)
    named = [
        pc.binary_join_element_wise(word(name), arrow(source[name]), word("\0")) for name in sorted(names)
    ]
    return hash64(joined(named, "\0").fill_null(""), key)


class Memory:
    """What was known before a file (`base`, None: nothing) and what the file makes known (`out`)."""

    def __init__(self, base: Path | None, out: Path | None) -> None:
        self.known = Known(base) if base is not None else None
        self.writer = Writer(out) if out is not None else None
        self.unchanged = 0
        self._combinations: dict[int, int] = {}

    def __enter__(self) -> "Memory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.writer is not None:
            self.writer.close(whole=error is None, notes=self._names())

    def find(self, source: pd.DataFrame, records: Hashes) -> tuple[Mask, npt.NDArray[np.int64]]:
        """(which records are known, and not twice among these; the place of each in what is known)."""
        if self.known is None:
            return np.zeros(len(records), dtype=bool), np.zeros(len(records), dtype=np.int64)
        places = self.known.find(records)
        there = (places >= 0) & true(pc.equal(arrow(source[FAULT]), ""))
        once = np.zeros(len(records), dtype=bool)
        once[np.unique(records, return_index=True)[1]] = True
        return there & once, places

    def keep(
        self, record: Hashes, key: Hashes, group: Hashes, content: Hashes, notes: npt.NDArray[np.int64]
    ) -> None:
        """Writes accepted offers down; `notes` are bits, see `note_bits`."""
        if self.writer is None:
            return
        combinations, inverse = np.unique(notes, return_inverse=True)
        numbers = [
            self._combinations.setdefault(bits, len(self._combinations)) for bits in combinations.tolist()
        ]
        told = np.array(numbers, dtype="<u2")[inverse]
        self.writer.add(
            {"record": record, "key": key, "group": group, "content": content.astype("<u4"), "notes": told}
        )

    def _names(self) -> list[list[str]]:
        return [
            [rule for place, rule in enumerate(NOTES) if bits >> place & 1] for bits in self._combinations
        ]


def note_bits(marks: Marks) -> npt.NDArray[np.int64]:
    """The notes of each row as bits: the first of NOTES is 1."""
    bits = np.zeros(marks.rows, dtype=np.int64)
    for place, rule in enumerate(NOTES):
        if rule in marks.masks:
            bits |= marks.masks[rule].astype(np.int64) << place
    return bits


class Known:
    """A file of known records, opened: looked up by hash; which of them came up is remembered."""

    def __init__(self, path: Path) -> None:
        self.head = head_of(path)
        self._blocks: list[Entries] = []
        offset = 0
        for count in self.head["blocks"]:
            block: Entries = {}
            for name, kind in _FIELDS:
                block[name] = np.memmap(path, dtype=kind, mode="r", offset=offset, shape=(count,))
                offset += block[name].nbytes
            self._blocks.append(block)
        self._starts = np.cumsum([0, *self.head["blocks"]])
        self._came_up = np.zeros(int(self._starts[-1]), dtype=bool)
        self._notes = [sum(1 << NOTES.index(rule) for rule in rules) for rules in self.head["notes"]]

    def find(self, records: Hashes) -> npt.NDArray[np.int64]:
        """The place of each record, -1 where it is not known."""
        order = np.argsort(records)
        wanted = records[order]
        found = np.full(len(records), -1, dtype=np.int64)
        for start, block in zip(self._starts.tolist(), self._blocks, strict=False):
            places = np.minimum(np.searchsorted(block["record"], wanted), len(block["record"]) - 1)
            hit = block["record"][places] == wanted
            found[order[hit]] = start + places[hit]
        return found

    def take(self, places: npt.NDArray[np.int64]) -> Entries:
        """The entries at these places, `notes` as bits; they have come up now."""
        self._came_up[places] = True
        taken = {name: self.values(name, places) for name, _ in _FIELDS}
        taken["notes"] = np.array([*self._notes, 0], dtype=np.int64)[taken["notes"]]
        return taken

    def values(self, name: str, places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """One field ("record", "key", "group", "content", "notes") of the entries at these places."""
        values = np.zeros(len(places), dtype=dict(_FIELDS)[name])
        number = np.searchsorted(self._starts, places, side="right") - 1
        for block in np.unique(number).tolist():
            here = number == block
            values[here] = self._blocks[block][name][places[here] - self._starts[block]]
        return values

    def unseen(self) -> Iterator[npt.NDArray[np.int64]]:
        """The hashes, as signed numbers, of the records that have not come up."""
        for start, block in zip(self._starts.tolist(), self._blocks, strict=False):
            missing = ~self._came_up[start : start + len(block["record"])]
            if missing.any():
                yield block["record"][missing].view(np.int64)


class Writer:
    """Writes a file of known records in blocks, each sorted by hash; it is there only once it is whole."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._aside = path, path.with_name(f"{path.stem}-{os.getpid()}.part")
        self._stream: BinaryIO = self._aside.open("wb")
        self._held: list[Entries] = []
        self._rows = 0
        self._blocks: list[int] = []

    def add(self, entries: Entries) -> None:
        """Takes in some records."""
        self._held.append(entries)
        self._rows += len(entries["record"])
        if self._rows >= _BLOCK:
            self._flush()

    def close(self, *, whole: bool, notes: list[list[str]]) -> None:
        """Ends the file; where the reading was not `whole` nothing is left of it."""
        with self._stream:
            if whole:
                self._flush()
                head = orjson.dumps({"version": version(), "blocks": self._blocks, "notes": notes})
                self._stream.write(head + len(head).to_bytes(8, "little"))
        if whole:
            self._aside.replace(self._path)
        else:
            self._aside.unlink()

    def _flush(self) -> None:
        if not self._rows:
            return
        records = np.concatenate([one["record"] for one in self._held])
        order = np.argsort(records, kind="stable")
        for name, kind in _FIELDS:
            values = np.concatenate([one[name] for one in self._held])[order]
            self._stream.write(np.ascontiguousarray(values, dtype=kind).tobytes())
        self._blocks.append(len(records))
        self._held, self._rows = [], 0
