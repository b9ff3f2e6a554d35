"""One XML element after the other -> rows of columns: child paths as names, repeated values joined in place."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

from lxml import etree

from connectors.readers.frames import FRAME_CELLS, FRAME_CHARACTERS, INNER, OUTER
from connectors.readers.xml_paths import RecordPath
from connectors.readers.xml_text import without_comments
from core.errors import Refused

# Prefixes are the author's choice; these keep one name.
PREFIXES = {
    "http://base.google.com/ns/1.0": "g",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2": "cbc",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2": "cac",
}
_ROOT = re.compile(r"<([^\s/>!?][^\s/>]*)")
_FIRST = 1 << 16  # bytes in which the root element begins
_DECLARATION = re.compile(r'\sxmlns(:\w+)?="[^"]*"')
_HTML = {
    "p",
    "br",
    "ul",
    "ol",
    "div",
    "strong",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "blockquote",
}  # no feed's own names
_DEPTH = 100  # elements inside each other; no catalogue nests deeper, and the interpreter's stack ends
_UNREAD = 32 << 20  # bytes inside one record; more is no catalogue entry


class Column:
    """The values of one path, a place a record, and how the current record's were put together.

    `parent` counts the parents of the last value's path, `places` the values of that parent, `row` the record
    that both speak of. `below` and `attributes` are the paths underneath.
    """

    __slots__ = ("attributes", "below", "name", "parent", "places", "row", "times", "times_row", "values")

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[str | None] = []
        self.row, self.parent, self.places = -1, 0, 0
        self.times, self.times_row = 0, -1
        self.below: dict[Any, Column | None] = {}
        self.attributes: dict[str, Column] = {}


class Records:
    """Reads the records of a stream into columns, forgetting each one, and all beside it, behind it.

    Values repeated inside one parent are joined by INNER, those of repeated parents by OUTER, so that the third
    name and the third value of a list of parameters stay the third. An attribute counts as a value beside its element.
    `limit` ends the reading after so many bytes. `context` are absolute paths ("/BMECAT/HEADER/CATALOG/CURRENCY") of values that stand before the records once:
    each record has them as columns of that name.
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
        self.columns: dict[str, Column] = {}
        self._stream, self._first = stream, stream.read(_FIRST)
        self._root: etree._Element | None = None
        self._last: etree._Element | None = None
        self._parent: etree._Element | None = None
        self._record_at = self._rows = 0
        self._top = Column("")
        self._own: str | None = None
        self._context: dict[str, str | None] = dict.fromkeys(context)
        root = _ROOT.search(without_comments(self._first.decode("utf-8", "replace")))
        names = dict.fromkeys((self.path.last, root[1].rpartition(":")[2] if root else "*"))
        self._events = etree.iterparse(
            self, events=("start", "end"), tag=None if "*" in names else [t for n in names for t in ("{*}" + n, n)],
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
            remove_blank_text=True,
        )  # fmt: skip

    def read(self, size: int) -> bytes:
        """The next piece for the parser, which has no event left to tell: what lies behind is let go first."""
        self._prune()
        if self._limit is not None and self.taken > self._limit:
            raise _Enough
        piece: bytes = self._first or self._stream.read(size)
        self._first = b""
        self.taken += len(piece)
        if self.taken - self._record_at > _UNREAD and self._inside():
            raise Refused(
                f"{self.name} has a record of over {_UNREAD >> 20} MB; that is no catalogue entry.",
                rule="too_long",
            )
        return piece

    def __iter__(self) -> Iterator[etree._Element]:
        """Each record's element, whole; it is emptied when the next one is asked for."""
        path = self.path
        for event, element in self._events:
            if event == "start":
                self._root = self._root if self._root is not None else element.getroottree().getroot()
                continue
            parent = element.getparent()
            if (parent is not self._parent or parent is None) and not path.is_place(element):
                continue
            if path.judged and not path.is_wanted(element):
                continue
            if self._last is None:
                self._note_context(element)
            yield element
            self._last, self._parent, self._record_at = element, parent, self.taken
            element.clear(keep_tail=True)
            if parent is not None:
                while element.getprevious() is not None:
                    del parent[0]

    def blocks(self, most: int, skip: int = 0) -> Iterator[tuple[int, dict[str, list[str | None]]]]:
        """(rows, name -> values) of at most `most` records and about FRAME_CHARACTERS each, without the first `skip`."""
        self._rows, begun = 0, 0
        with suppress(_Enough):
            for element in self:
                if skip:
                    skip -= 1
                    continue
                self._add(element, self._rows)
                self._rows += 1
                cells = self._rows * len(self.columns)
                if self._rows >= most or self.taken - begun > FRAME_CHARACTERS or cells > FRAME_CELLS:
                    begun = self.taken
                    yield self._cut()
        if self._rows:
            yield self._cut()

    def rest(self) -> tuple[int, dict[str, list[str | None]]]:
        """What was read since the last block, and one row of the record in which the file broke off (or nothing)."""
        found = self._inside()
        if found is not None and found is not self._last:
            self._add(found, self._rows)
        self._rows += 1
        return self._cut()

    def _add(self, element: etree._Element, row: int) -> None:
        """The element's values as row `row` of the columns. Raises Refused where it nests too deep."""
        namespace = _namespace(str(element.tag))
        if namespace != self._own:  # the names of what is in it depend on it
            self._own, self._top = namespace, Column("")
        for name, value in element.items():
            self._put(self._attribute(self._top, name), value, row, 1)
        self._collect(element, self._top, row, 1, 1)
        if not len(element) and element.text and element.text.strip():  # a record that is one value
            self._put(self._column("."), element.text, row, 1)
        for name, said in self._context.items():
            if said is not None:
                self._put(self._column(name), said, row, 1)

    def _cut(self) -> tuple[int, dict[str, list[str | None]]]:
        """The rows so far; the columns begin anew."""
        rows, self._rows = self._rows, 0
        whole = {}
        for name, column in self.columns.items():
            if column.values:
                whole[name] = column.values + [None] * (rows - len(column.values))
                column.values = []
            column.row = column.times_row = -1
        return rows, whole

    def _collect(self, element: etree._Element, above: Column, row: int, parent: int, depth: int) -> None:
        """`parent` counts the elements of this path in the record so far."""
        paths = above.below
        for child in element:
            try:
                column = paths[child.tag]
            except KeyError:
                column = paths[child.tag] = self._named(child, above)
            if column is None:
                continue
            if len(child):
                if not _is_markup(child):
                    self._container(child, column, row, parent, depth)
                    continue
                text = _inner(child)
            else:
                text = child.text or ""
            values = column.values
            if parent == 1 and len(values) == row:
                values.append(text)
            else:
                self._put(column, text, row, parent)
            if attributes := child.items():
                place = column.places if column.row == row else 1
                for name, value in attributes:
                    self._put(self._attribute(column, name), value, row, parent, place)

    def _container(self, child: etree._Element, column: Column, row: int, parent: int, depth: int) -> None:
        if depth >= _DEPTH:
            raise Refused(
                f"{self.name} nests elements more than {_DEPTH} deep ({column.name[:80]}).", rule="too_deep"
            )
        column.times = column.times + 1 if column.times_row == row else 1
        column.times_row = row
        for name, value in child.items():
            self._put(self._attribute(column, name), value, row, column.times)
        self._collect(child, column, row, column.times, depth + 1)

    def _put(self, column: Column, text: str, row: int, parent: int, place: int = 0) -> None:
        """Adds a value of the record's `parent`-th parent; at `place` of that parent's values where that is said."""
        values = column.values
        if len(values) < row:
            values.extend([None] * (row - len(values)))
        if column.row != row:  # the first value of a record is appended without a word
            column.row = row
            column.parent, column.places = (1, 1) if len(values) > row else (0, 0)
        if column.parent == parent:
            between = INNER
        else:
            between = OUTER * (parent - max(column.parent, 1))
            column.parent, column.places = parent, 0
        gap = max(place - column.places - 1, 0)  # elements before it without this attribute
        between += INNER * gap
        column.places += gap + 1
        if len(values) == row:
            values.append(between + text)
        else:
            values[row] = f"{values[row]}{between}{text}"

    def _named(self, child: etree._Element, above: Column) -> Column | None:
        """The column of a tag seen for the first time below `above`, None for what is no element."""
        tag = child.tag
        if not isinstance(tag, str):
            return None
        namespace = _namespace(tag)
        prefix = PREFIXES.get(namespace.rstrip("/")) if namespace != self._own else None
        if prefix is None and namespace not in ("", self._own):
            prefix = child.prefix
        name = f"{prefix}:{_local(tag)}" if prefix else _local(tag)
        return self._column(f"{above.name}/{name}" if above.name else name)

    def _attribute(self, column: Column, name: Any) -> Column:
        found = column.attributes.get(name)
        if found is None:
            local = "@" + _local(str(name))
            found = column.attributes[name] = self._column(f"{column.name}/{local}" if column.name else local)
        return found

    def _column(self, name: str) -> Column:
        found = self.columns.get(name)
        if found is None:
            found = self.columns[name] = Column(name)
        return found

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
        told = {f"{at}/@{_local(str(name))}": value for name, value in element.items()}
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
        reversed([_local(str(element.tag)), *(_local(str(one.tag)) for one in element.iterancestors())])
    )


def _local(tag: str) -> str:
    """The name without its namespace; a prefix that nobody declared stays in it."""
    return tag.rpartition("}")[2]


def _namespace(tag: str) -> str:
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def _is_markup(element: etree._Element) -> bool:
    """Text with elements in it is one value: HTML that nobody escaped. Most blanks between elements are not in the tree."""
    text = element.text
    if text and not text.isspace():
        return True
    for child in element:
        tail = child.tail
        if tail and not tail.isspace():
            return True
    first = element[0]
    return isinstance(first.tag, str) and _local(first.tag) in _HTML and not first.attrib


def _inner(element: etree._Element) -> str:
    parts = [element.text or "", *(etree.tostring(child, encoding="unicode") for child in element)]
    return _DECLARATION.sub("", "".join(parts))
