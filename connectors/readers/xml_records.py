"""The records of an XML stream, one after the other, in blocks of columns; what lies behind is forgotten."""

from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import pyarrow as pa
from lxml import etree

from connectors.readers.frames import FRAME_CELLS, FRAME_CHARACTERS
from connectors.readers.xml_columns import Columns, local_name
from connectors.readers.xml_paths import RecordPath
from connectors.readers.xml_runs import Runs
from connectors.readers.xml_templates import Templates
from connectors.readers.xml_text import tags_of
from core.errors import Refused

_FIRST = 1 << 16  # bytes in which the root element begins
_RARE = 4 << 20  # bytes without another record
_UNREAD = 32 << 20  # bytes inside one record; more is no catalogue entry


class Records:
    """Reads the records of a stream into columns, forgetting each one, and all beside it, behind it.

    `limit` ends the reading after so many bytes. `context` are absolute paths ("/BMECAT/HEADER/CATALOG/CURRENCY") of
    values that stand before the records once: each record has them as columns of that name.
    """

    def __init__(
        self,
        stream: IO[bytes] | Any,
        path: str,
        name: str,
        context: tuple[str, ...] = (),
        limit: int | None = None,
    ) -> None:
        self.path, self.name = RecordPath(path), name
        self.taken, self._limit = 0, limit
        self._columns = Columns(name)
        self._templates = Templates(name)
        self._stream, self._first = stream, stream.read(_FIRST)
        self._most = self._skip = self._begun = 0
        self._prefixes: dict[str | None, str] | None = None
        self._root: etree._Element | None = None
        self._last: etree._Element | None = None
        self._parent: etree._Element | None = None
        self._record_at = self._rows = 0
        self._context: dict[str, str | None] = dict.fromkeys(context)
        whole = self.path.simple and limit is None
        self._runs = Runs(stream, self._first, self.path.names, self._templates) if whole else None
        source: Any = self  # to the parser a file that is read
        self._events = etree.iterparse(
            source, events=("start", "end"), tag=tags_of(self._first, self.path.last),
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
            remove_blank_text=True,
        )  # fmt: skip

    def read(self, size: int) -> bytes:
        """The next piece for the parser, which has no event left to tell: what lies behind is let go first."""
        self._prune()
        if self._limit is not None and self._seen_enough():
            raise _Enough
        piece = self._next(size)
        self.taken += len(piece)
        if self.taken - self._record_at > _UNREAD and self._inside() is not None:
            raise Refused(
                f"{self.name} has a record of over {_UNREAD >> 20} MB; that is no catalogue entry.",
                rule="too_long",
            )
        return piece

    def _next(self, size: int) -> bytes:
        """What the parser gets next; records that repeat a shape are taken before it, and it never sees them."""
        runs = self._runs
        if self._first:
            first = self._first if runs is None else runs.start
            self._first = b""
            return first
        if runs is None:
            piece: bytes = self._stream.read(size)
            return piece
        if runs.active and self._prefixes is None:
            parent = self._last.getparent() if self._last is not None else None
            if parent is None or parent[-1] is not self._last:
                runs.active = False  # the parser takes the text's beginning for something else
            else:
                self._prefixes = dict(parent.nsmap)
        if not runs.active:
            self._runs = None
            return runs.rest() or self._next(size)
        return self._run(runs)

    def _run(self, runs: Runs) -> bytes:
        """A run of records, as long as the block has room but for one: the parser's next one ends the block."""
        records, taken, left_out = runs.records, runs.taken, self._skip > 0
        cells = FRAME_CELLS // max(self._templates.widest, 1)
        room = self._skip if left_out else min(self._most - 1, cells) - self._rows
        size = self._begun + FRAME_CHARACTERS - self.taken
        piece = runs.next(self._prefixes or {}, -1 if left_out else self._rows, room, size)
        if left_out:
            self._skip -= runs.records - records
        else:
            self._rows += runs.records - records
        self.taken += runs.taken - taken
        self._record_at = self.taken
        return piece

    def _seen_enough(self) -> bool:
        """Whether what was to be looked at was read, or the records that there are lie far behind."""
        rare = self._rows > 0 and self.taken - self._record_at > _RARE
        return rare or self.taken > (self._limit or 0)

    def __iter__(self) -> Iterator[etree._Element]:
        """Each record's element, whole; it is emptied when the next one is asked for."""
        path = self.path
        for event, element in self._events:
            if event == "start":
                self._root = self._root if self._root is not None else element.getroottree().getroot()
                continue
            parent = element.getparent()
            beside = parent is self._parent and parent is not None and path.simple
            if not beside and not path.is_place(element):
                continue
            if path.judged and not path.is_wanted(element):
                continue
            if self._last is None:
                self._note_context(element)
            yield element
            self._last, self._parent, self._record_at = element, parent, self.taken
            if not path.simple and any(path.is_place(above) for above in element.iterancestors()):
                continue  # a record inside another, which is not whole yet
            element.clear(keep_tail=True)
            if parent is not None:
                while element.getprevious() is not None:
                    del parent[0]

    def blocks(self, most: int, skip: int = 0) -> Iterator[tuple[int, dict[str, pa.Array]]]:
        """(rows, name -> values) of at most `most` records and about FRAME_CHARACTERS each, without the first `skip`."""
        self._rows = self._begun = 0
        self._most, self._skip = most, skip
        with suppress(_Enough):
            for element in self:
                if self._skip:
                    self._skip -= 1
                    continue
                self._add(element)
                cells = self._rows * len(self._columns.columns)
                if self._rows >= most or self.taken - self._begun > FRAME_CHARACTERS or cells > FRAME_CELLS:
                    self._begun = self.taken
                    yield self._cut()
        if self._rows:
            yield self._cut()

    def rest(self) -> tuple[int, dict[str, pa.Array]]:
        """What was read since the last block, and one row of the record in which the file broke off (or nothing)."""
        found = self._inside()
        if found is not None and found is not self._last:
            self._columns.add(found, self._rows)
        self._rows += 1
        return self._cut()

    def _add(self, element: etree._Element) -> None:
        if self._runs is not None and self._runs.active:
            self._columns.add(element, self._rows)  # its text was looked at before
        else:
            text = etree.tostring(element, encoding="utf-8", with_tail=False, xml_declaration=False)
            if not self._templates.took(text, self._rows):
                self._columns.add(element, self._rows)
                self._templates.learn(text, {})
        self._rows += 1

    def _cut(self) -> tuple[int, dict[str, pa.Array]]:
        """The rows so far; the columns begin anew."""
        rows, self._rows = self._rows, 0
        whole = self._templates.cut(rows, self._columns.cut(rows))
        for name, said in self._context.items():
            if said is not None:
                whole[name] = pa.repeat(pa.scalar(said, pa.large_string()), rows)
        return rows, whole

    def _inside(self) -> etree._Element | None:
        """The last element at the records' place that the parser has begun."""
        node = self._root
        while node is not None:
            if self.path.is_place(node):
                return node
            node = node[-1] if len(node) else None
        return None

    def _prune(self) -> None:
        """Lets go what is complete and no part of a record: the last child at each level may still be open."""
        node = self._root
        while node is not None and len(node) and not self.path.is_place(node):
            if self._last is None and len(node) > 1:
                for child in node[:-1]:
                    self._note(child)
            if len(node) > 1:
                del node[:-1]
            node = node[-1]

    def _note_context(self, record: etree._Element) -> None:
        """Finds what `context` asks for in front of and around the first record."""
        node = record
        while (parent := node.getparent()) is not None:
            for before in parent:
                if before is node:
                    break
                self._note(before)
            node = parent
            self._note(node, deep=False)

    def _note(self, element: etree._Element, *, deep: bool = True) -> None:
        """The values of `element` and what is in it that `context` asks for, the first of each."""
        if not self._context or None not in self._context.values():
            return
        at = _absolute(element)
        if not any(wanted.startswith(at) for wanted, said in self._context.items() if said is None):
            return
        told = {f"{at}/@{local_name(str(name))}": value for name, value in element.items()}
        if deep:
            told[at] = (element.text or "").strip()
        for name, value in told.items():
            if name in self._context and self._context[name] is None and value:
                self._context[name] = value
        if deep:
            for child in element:
                self._note(child)


class _Enough(Exception):
    """Nothing went wrong: as much was read as was asked for."""


def _absolute(element: etree._Element) -> str:
    return "/" + "/".join(
        reversed(
            [local_name(str(element.tag)), *(local_name(str(one.tag)) for one in element.iterancestors())]
        )
    )
