"""Whole blocks of a text table parsed by Arrow: only where a cheap scan proves that csv.reader would read the same."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from connectors.base import Dialect
from connectors.readers.csv_dialect import reader
from connectors.readers.frames import FRAME_ROWS, MAX_CELL

BLOCK_BYTES = 1 << 20
"""Of the first block; later ones are as long as a frame of rows is."""
_LARGEST_BLOCK = 8 << 20
_AIMED_AT = FRAME_ROWS * 31 // 32  # rows of a block; a few over a frame's would make a frame of their own
_ENCODINGS = re.compile(r"utf-8|ascii|utf-16-[lb]e|cp125\d|iso8859-\d+|iso-8859-\d+|latin-?1|cp(?:437|85\d|866|932|949|936)|koi8-[ru]|gb18030|gbk|big5|euc[-_](?:jp|kr)|shift[-_]jis|mac[-_]\w+")  # fmt: skip
"""In all of these a line end is what it is in ASCII (UTF-16: two bytes) and no part of another character."""
_BOM = b"\xef\xbb\xbf"

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of the file from byte `offset` on; `text` is UTF-8, None where its bytes are no text.

    `quotes` are the places of all quote characters in `text`; `final`: nothing follows.
    """

    offset: int
    raw: bytes
    text: bytes | None
    quotes: Places
    final: bool

    def lines(self, encoding: str) -> int:
        """How many physical lines it has, as Python counts them."""
        line_end, carriage = "\n".encode(encoding), "\r".encode(encoding)
        if len(line_end) == 1:
            both = self.raw.count(b"\r\n")
            return self.raw.count(line_end) + self.raw.count(carriage) - both
        units = np.frombuffer(self.raw[: len(self.raw) // 2 * 2], "<u2" if line_end[0] else ">u2")
        ends = (units == 10) | (units == 13)
        return int(ends.sum()) - int(((units[:-1] == 13) & (units[1:] == 10)).sum())


def suits(dialect: Dialect) -> bool:
    """Whether blocks of a file of this dialect can be parsed by Arrow at all."""
    return (
        dialect.escape_char is None
        and len(dialect.delimiter or ",") == 1
        and (dialect.delimiter or ",").isascii()
        and (dialect.quote_char is None or dialect.quote_char.isascii())
        and _ENCODINGS.fullmatch(dialect.encoding.lower()) is not None
    )


def blocks(file: Path, dialect: Dialect) -> Iterator[Block]:
    """The file cut into blocks that end with a line outside quotes, where there is such a line."""
    quote = (dialect.quote_char or "").encode()
    plain = dialect.encoding.lower() in ("utf-8", "ascii")
    line_end = "\n".encode(dialect.encoding)
    size, offset, rest = BLOCK_BYTES, 0, b""
    with file.open("rb") as stream:
        while True:
            more = stream.read(max(size - len(rest), BLOCK_BYTES // 4))
            raw, final = rest + more, not more
            if not raw:
                return
            cut = len(raw) if final else _last_line(raw, line_end)
            text = _decoded(raw[:cut], None if plain else dialect.encoding)
            quotes = _places(text, quote) if text and quote else np.zeros(0, np.int64)
            if not final and text is not None and len(quotes) % 2:
                end = _last_line(text[: int(quotes[-1])], b"\n")
                behind = text[end:] if plain else text[end:].decode().encode(dialect.encoding)
                if end and raw[:cut].endswith(behind):
                    cut -= len(behind)
                    text, quotes = text[:end], quotes[: int(np.searchsorted(quotes, end))]
            if not final and (not cut or len(quotes) % 2) and len(raw) < _LARGEST_BLOCK:
                rest = raw  # no place to cut yet
                size = min(2 * len(raw), _LARGEST_BLOCK)
                continue
            cut = cut or len(raw)
            yield Block(offset, raw[:cut], text, quotes, final)
            if final:
                return
            rows = max(raw.count(line_end, 0, cut), 1)
            size = min(max(cut * _AIMED_AT // rows, BLOCK_BYTES // 4), _LARGEST_BLOCK)
            offset, rest = offset + cut, raw[cut:]


def behind_header(block: Block, dialect: Dialect) -> int | None:
    """The place in the first block's text where the rows begin, None where only csv.reader can tell."""
    assert block.text is not None
    start = len(_BOM) if block.text.startswith(_BOM) else 0
    lines = io.TextIOWrapper(io.BytesIO(block.text[start:]), "utf-8", newline="")
    seen = 0

    def counted() -> Iterator[str]:
        nonlocal seen
        for line in lines:
            seen += len(line.encode())
            yield line

    rows = reader(counted(), dialect.delimiter or ",", dialect.quote_char, None)
    try:
        for _ in range(dialect.header_row + 1):
            next(rows)
    except (csv.Error, StopIteration, UnicodeError):
        return None
    inside = block.quotes[block.quotes < start + seen]
    head = block.text[: start + seen]
    return start + seen if _well_placed(head, inside, (dialect.delimiter or ",").encode()) else None


def table_of(block: Block, dialect: Dialect, usual: int, start: int = 0) -> pa.Table | None:
    """The block's rows from `start` on as text, None where only csv.reader can tell what they are.

    The columns are named "0", "1", …; rows of blank cells are still among them. `usual` is how wide most rows are:
    what they lack of the header's width is filled with "".
    """
    text, quotes = block.text, block.quotes
    if text is None or b"\0" in text:
        return None
    if start:
        text, quotes = text[start:], quotes[quotes >= start] - start
    delimiter = (dialect.delimiter or ",").encode()
    if not text or text[0] in b"\r\n" or not _well_placed(text, quotes, delimiter):
        return None
    blank = _blank_lines(text)
    if len(blank) and not (np.searchsorted(quotes, blank) % 2).all():
        return None  # outside quotes: a row that counts but is none
    width = len(dialect.header)
    names = [str(number) for number in range(min(usual, width))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            arrow_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
            arrow_csv.ParseOptions(
                delimiter=dialect.delimiter or ",", quote_char=dialect.quote_char or False, double_quote=True,
                newlines_in_values=len(quotes) > 0, ignore_empty_lines=True,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), null_values=[], strings_can_be_null=False
            ),
        ).combine_chunks()  # fmt: skip
    except pa.ArrowInvalid:  # ragged rows, or bytes that are no UTF-8
        return None
    if any(_longest(column.chunk(0)) > MAX_CELL for column in table.columns if column.num_chunks):
        return None
    for number in range(len(names), width):
        table = table.append_column(str(number), pa.repeat(pa.scalar("", pa.large_string()), len(table)))
    return table


def blank_rows(table: pa.Table, *, narrow: bool) -> npt.NDArray[np.int64]:
    """The places of the rows in which every cell is empty; in a `narrow` file, shorter than its header, only blanks."""
    places: npt.NDArray[np.int64] = np.arange(len(table))
    for column in table.columns:
        if not len(places):
            break
        cells = column.chunk(0)
        if narrow:
            texts = cells.take(pa.array(places)).to_pylist()
            places = places[np.array([not text.strip() for text in texts], dtype=bool)]
        else:
            ends = _offsets(cells)
            places = places[ends[places + 1] == ends[places]]
    return places


def _last_line(raw: bytes, line_end: bytes) -> int:
    """Where the last whole line of `raw` ends; 0 where there is none."""
    found = raw.rfind(line_end)
    if len(line_end) == 1:
        if found < 0:  # perhaps the line ends are carriage returns; the last one may be half of a pair
            found = raw.rfind(b"\r", 0, len(raw) - 1)
        return found + 1
    while found >= 0 and found % 2:
        found = raw.rfind(line_end, 0, found + 1)
    return found + 2 if found >= 0 else 0


def _decoded(raw: bytes, encoding: str | None) -> bytes | None:
    """The bytes as UTF-8 (None: they are, or Arrow will see that they are not), None where they are no text."""
    if encoding is None:
        return raw
    try:
        return raw.decode(encoding).encode()
    except UnicodeError:
        return None


def _places(text: bytes, character: bytes) -> Places:
    if character not in text:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.frombuffer(text, np.uint8) == character[0])


def _well_placed(text: bytes, quotes: Places, delimiter: bytes) -> bool:
    """Whether quotes stand only around whole cells, or doubled inside them: then all parsers agree about them."""
    if not len(quotes):
        return True
    if len(quotes) % 2:
        return False
    view = np.frombuffer(text, np.uint8)
    opening, closing = quotes[0::2], quotes[1::2]
    before = view[np.maximum(opening - 1, 0)]
    after = view[np.minimum(closing + 1, len(view) - 1)]
    outside = np.isin(before, (delimiter[0], 10, 13)) | (opening == 0)
    behind = np.isin(after, (delimiter[0], 10, 13)) | (closing == len(view) - 1)
    doubled = np.zeros(len(opening), dtype=bool)
    doubled[1:] = opening[1:] == closing[:-1] + 1
    followed = np.zeros(len(opening), dtype=bool)
    followed[:-1] = doubled[1:]
    return bool((outside | doubled).all() and (behind | followed).all())


def _blank_lines(text: bytes) -> Places:
    """Places of line ends that follow a line end, and are not its second half."""
    view = np.frombuffer(text, np.uint8)
    fed = np.flatnonzero(view == 10)
    places = [fed[1:][np.diff(fed) == 1]]
    if b"\r" in text:
        returned = np.flatnonzero(view == 13)
        behind = view[np.maximum(returned - 1, 0)]
        places.append(returned[((behind == 10) | (behind == 13)) & (returned > 0)])
    return np.concatenate(places)


def _offsets(array: pa.Array) -> npt.NDArray[np.int64]:
    offsets = np.frombuffer(array.buffers()[1], np.int64)
    return offsets[array.offset : array.offset + len(array) + 1]


def _longest(array: pa.Array) -> int:
    return int(np.diff(_offsets(array)).max(initial=0))
