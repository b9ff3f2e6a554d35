"""Ariba's Catalog Interchange Format: a preamble of "NAME: value" lines, then the records between DATA and ENDOFDATA."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pandas as pd

from connectors.base import Dialect
from connectors.readers.detection import UNDECODABLE, codec_named, encoding_of
from connectors.readers.frames import FRAME_CHARACTERS, FRAME_ROWS, MAX_CELL, MAX_COLUMNS, frame, unique_names
from core.errors import Refused

_LONGEST_FIELD = 1 << 17  # characters
# Ariba's names of character sets that Python does not know by that name (source: CIF 3.0 specification, CHARSET).
_CHARSETS = {
    "8859_1": "iso8859-1",
    "8859_2": "iso8859-2",
    "utf8": "utf-8",
    "sjis": "cp932",
    "eucjis": "euc_jp",
    "gb2312": "gbk",
}
_PREAMBLE_LINES = 200
_LOOKED_AT = 1000
_NAMED = re.compile(r"([A-Za-z_]{1,100})\s*:(.*)", re.S)
# What a CIF 1.x or 2.1 file holds, which need not say so (source: CIF 3.0 specification, "required fields").
_FIELDS = (
    "Supplier ID", "Supplier Part ID", "Manufacturer Part ID", "Item Description", "SPSC Code", "Unit Price",
    "Unit of Measure", "Lead Time", "Manufacturer Name", "Supplier URL", "Manufacturer URL", "Market Price",
)  # fmt: skip


class CifReader:
    """FeedReader for CIF. Columns are FIELDNAMES'; what the preamble says is a column of every record, "/CURRENCY".

    Fields are parted by commas or tabs and quoted as in CSV. A record's `_locator` is "row 12", its line in the file.
    """

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of `file`. Raises Refused: `not_a_feed` without a DATA line, `no_records`."""
        proved = encoding_of(file, encoding)
        with file.open(encoding="latin-1", newline="") as stream:
            told, _ = _preamble(stream, file.name)
        name = proved.name
        if (not proved.certain or proved.ascii) and (declared := _codec(told.get("CHARSET", ""))):
            name = declared
        with file.open(encoding=name, errors=UNDECODABLE, newline="") as stream:
            told, line = _preamble(stream, file.name)
            sample = [text for text, _ in zip(stream, range(_LOOKED_AT), strict=False)]
        if not sample or _ends(sample[0]):
            raise Refused(
                f"{file.name} has no records behind DATA; an empty list changes nothing.", rule="no_records"
            )
        written = told.get("FIELDNAMES", "")
        delimiter = "\t" if "\t" in (written or sample[0]) else ","
        if len(written) > _LONGEST_FIELD:
            raise Refused(
                f"{file.name} names its fields in over 128 KB; that is no catalogue.", rule="too_wide"
            )
        csv.field_size_limit(_LONGEST_FIELD)  # whatever was read before in this process
        names = next(csv.reader([written], delimiter=delimiter)) if written else list(_FIELDS)
        if len(names) > MAX_COLUMNS:
            raise Refused(f"{file.name} has over {MAX_COLUMNS} fields.", rule="too_wide")
        header = unique_names([name.strip() for name in names])
        around = [f"/{name}" for name in told if name != "FIELDNAMES"]
        return Dialect("cif", name, delimiter, header_row=line - 1, header=(*header, *around))

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text. A record with more or fewer fields is `ragged_row`; where ENDOFDATA is missing, the last is "truncated"."""
        names = [name for name in dialect.header if not name.startswith("/")]
        with file.open(encoding=dialect.encoding, errors=UNDECODABLE, newline="") as stream:
            told, before = _preamble(stream, file.name)
            around = {name: told.get(name[1:]) for name in dialect.header if name.startswith("/")}
            block = _Block(names, around)
            for line, cells, fault in _records(
                stream, dialect.delimiter or ",", before, len(names), file.name
            ):
                block.add(f"row {line}", cells, fault)
                if block.full:
                    yield block.frame()
                    block = _Block(names, around)
            if block.locators:
                yield block.frame()


class _Block:
    def __init__(self, names: list[str], around: dict[str, str | None]) -> None:
        self.locators: list[str] = []
        self._names, self._around = names, around
        self._rows: list[list[str]] = []
        self._faults: list[str] = []
        self._size = 0

    @property
    def full(self) -> bool:
        return len(self._rows) >= FRAME_ROWS or self._size > FRAME_CHARACTERS

    def add(self, locator: str, cells: list[str], fault: str) -> None:
        self.locators.append(locator)
        self._rows.append(cells)
        self._faults.append(fault)
        self._size += sum(map(len, cells))

    def frame(self) -> pd.DataFrame:
        width = len(self._names)
        rows: list[list[str | None]] = [
            [*cells[:width], *[None] * (width - len(cells))] for cells in self._rows
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        columns += [[said] * len(rows) for said in self._around.values()]
        return frame([*self._names, *self._around], columns, self.locators, self._faults)


def _preamble(stream: TextIO, name: str) -> tuple[dict[str, str], int]:
    """(what the preamble says, lines read): the stream stands behind DATA. Raises Refused where there is no such line."""
    told: dict[str, str] = {}
    first = stream.readline(MAX_CELL).lstrip("\ufeffï»¿")
    told["VERSION"] = first.strip().rpartition("_")[2]
    for line in range(2, _PREAMBLE_LINES):
        text = stream.readline(MAX_CELL)
        if text.strip().upper() == "DATA":
            return told, line
        if found := _NAMED.match(text.strip()):
            told[found[1].upper()] = found[2].strip()
    raise Refused(f"{name} is a CIF file without a DATA line; send the whole file again.", rule="not_a_feed")


def _records(
    stream: TextIO, delimiter: str, before: int, width: int, name: str
) -> Iterator[tuple[int, list[str], str]]:
    """(line in the file, fields, fault) of each record up to ENDOFDATA."""
    lines = _Lines(stream, before, name)
    held: tuple[int, list[str], str] | None = None
    source = iter(lines)
    csv.field_size_limit(_LONGEST_FIELD)  # one for the whole process: other readers have other limits
    while True:
        try:
            for cells in csv.reader(source, delimiter=delimiter):
                begun, lines.begun = lines.begun, lines.at + 1
                if not any(cell.strip() for cell in cells):
                    continue
                if held:
                    yield held
                held = begun, cells, "" if len(cells) == width else "ragged_row"
            break
        except (
            csv.Error
        ):  # a quote that is never closed: what it swallowed is one record, the next line begins anew
            if held:
                yield held
            held = lines.begun, [], "too_long"
            lines.begun = lines.at + 1
    if held:
        yield held if lines.ended else (held[0], held[1], "truncated")


class _Lines:
    """The lines of the stream up to ENDOFDATA; `begun` is where the record that is being read begins."""

    def __init__(self, stream: TextIO, before: int, name: str) -> None:
        self.at, self.begun, self.ended = before, before + 1, False
        self._stream, self._name = stream, name

    def __iter__(self) -> Iterator[str]:
        while text := self._stream.readline(MAX_CELL + 1):
            if len(text) > MAX_CELL:
                raise Refused(f"{self._name} has a line of over 1 MB.", rule="too_long")
            if _ends(text):
                self.ended = True
                return
            self.at += 1
            yield text


def _ends(text: str) -> bool:
    return text.strip().upper() == "ENDOFDATA"


def _codec(charset: str) -> str | None:
    """Python's name of a CHARSET, None for one that nobody knows."""
    return codec_named(_CHARSETS.get(charset.strip().lower(), charset.strip() or "?"))
