"""One XML element's values -> a row of columns: child paths as names, repeated values joined in place."""

import re
from typing import Any

from lxml import etree

from connectors.readers.frames import INNER, OUTER
from core.errors import Refused

MAX_ATTRIBUTES = 1_000
"""Of one element."""

# Prefixes are the author's choice; these keep one name.
PREFIXES = {
    "http://base.google.com/ns/1.0": "g",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2": "cbc",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2": "cac",
}
# Elements that are markup wherever they stand: no feed's own names.
_HTML = {"p", "br", "ul", "ol", "div", "strong", "em", "h1", "h2", "h3", "h4", "blockquote"}
_DECLARATION = re.compile(r'\sxmlns(:\w+)?="[^"]*"')
_PARENTS = 20_000  # repeated elements of one path in a record: each column keeps a place for every one
_DEPTH = 100  # elements inside each other; no catalogue nests deeper, and the interpreter's stack ends


class Column:
    """The values of one path, a place a record, and how the current record's were put together.

    `parent` counts the parents of the last value's path, `places` the values of that parent, `row` the record
    that both speak of; `parts` are its pieces until the record is whole. `below` and `attributes` are the paths underneath.
    """

    __slots__ = (
        "attributes",
        "below",
        "name",
        "parent",
        "parts",
        "places",
        "row",
        "times",
        "times_row",
        "values",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[str | None] = []
        self.parts: list[str] = []
        self.row, self.parent, self.places = -1, 0, 0
        self.times, self.times_row = 0, -1
        self.below: dict[Any, Column | None] = {}
        self.attributes: dict[str, Column] = {}


class Columns:
    """The values of many records, a column a path. `name` is the file's, for sentences.

    Values repeated inside one parent are joined by INNER, those of repeated parents by OUTER, so that the third
    name and the third value of a list of parameters stay the third. An attribute counts as a value beside its element.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: dict[str, Column] = {}
        self._joined: list[Column] = []
        self._top = Column("")
        self._own: str | None = None

    def add(self, element: etree._Element, row: int) -> None:
        """The element's values as row `row`; rows may be left out. Raises Refused where it nests too deep."""
        namespace = _namespace(str(element.tag))
        if namespace != self._own:  # the names of what is in it depend on it
            self._own, self._top = namespace, Column("")
        for name, value in self._attributes(element):
            self._put(self._attribute(self._top, name), value, row, 1)
        self._collect(element, self._top, row, 1, 1)
        if not len(element) and element.text and element.text.strip():  # a record that is one value
            self._put(self._column("."), element.text, row, 1)
        for (
            column
        ) in self._joined:  # once, however many values: appending text to text takes time by its square
            column.values[row] = "".join(column.parts)
            column.parts = []
        self._joined = []

    def cut(self, rows: int) -> dict[str, list[str | None]]:
        """Name -> `rows` values each, of what has any; the columns begin anew."""
        whole = {}
        for name, column in self.columns.items():
            if column.values:
                whole[name] = column.values + [None] * (rows - len(column.values))
                column.values = []
            column.row = column.times_row = -1
        return whole

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
                if not is_markup(child):
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
            if attributes := self._attributes(child):
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
        if column.times > _PARENTS:
            raise Refused(
                f"{self.name} has over {_PARENTS:,} {column.name[:80]} in one record; that is no catalogue entry.",
                rule="too_long",
            )
        for name, value in self._attributes(child):
            self._put(self._attribute(column, name), value, row, column.times)
        self._collect(child, column, row, column.times, depth + 1)

    def _attributes(self, element: etree._Element) -> list[tuple[Any, Any]]:
        """The element's attributes; lxml takes the square of their number for them. Raises Refused for too many."""
        if len(element.attrib) > MAX_ATTRIBUTES:
            raise Refused(
                f"{self.name} has an element of {len(element.attrib):,} attributes; {MAX_ATTRIBUTES} at most are read.",
                rule="too_wide",
            )
        return element.items()

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
            return
        if not column.parts:
            column.parts.append(values[row] or "")
            self._joined.append(column)
        column.parts += (between, text)

    def _named(self, child: etree._Element, above: Column) -> Column | None:
        """The column of a tag seen for the first time below `above`, None for what is no element."""
        tag = child.tag
        if not isinstance(tag, str):
            return None
        namespace = _namespace(tag)
        prefix = PREFIXES.get(namespace.rstrip("/")) if namespace != self._own else None
        if prefix is None and namespace not in ("", self._own):
            prefix = child.prefix
        name = f"{prefix}:{local_name(tag)}" if prefix else local_name(tag)
        return self._column(f"{above.name}/{name}" if above.name else name)

    def _attribute(self, column: Column, name: Any) -> Column:
        found = column.attributes.get(name)
        if found is None:
            local = "@" + local_name(str(name))
            found = column.attributes[name] = self._column(f"{column.name}/{local}" if column.name else local)
        return found

    def _column(self, name: str) -> Column:
        found = self.columns.get(name)
        if found is None:
            found = self.columns[name] = Column(name)
        return found


def local_name(tag: str) -> str:
    """The name without its namespace; a prefix that nobody declared stays in it."""
    return tag.rpartition("}")[2]


def _namespace(tag: str) -> str:
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def is_markup(element: etree._Element) -> bool:
    """Text with elements in it is one value: HTML that nobody escaped. Most blanks between elements are not in the tree."""
    text = element.text
    if text and not text.isspace():
        return True
    for child in element:
        tail = child.tail
        if tail and not tail.isspace():
            return True
    first = element[0]
    return isinstance(first.tag, str) and local_name(first.tag) in _HTML and not first.attrib


def _inner(element: etree._Element) -> str:
    parts = [element.text or "", *(etree.tostring(child, encoding="unicode") for child in element)]
    return _DECLARATION.sub("", "".join(parts))
