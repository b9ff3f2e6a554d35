"""One XML element after the other -> the cells of a row: child paths as columns, repeated values joined in place."""

import re
from collections.abc import Iterator
from typing import IO, Any

from lxml import etree

from connectors.readers.frames import INNER, MAX_CELL, OUTER
from core.errors import Refused

PREFIXES = {"http://base.google.com/ns/1.0": "g"}  # prefixes are the author's choice; these keep one name
Cells = dict[str, str]
_DECLARATION = re.compile(r'\sxmlns(:\w+)?="[^"]*"')


class Records:
    """Iterates over the records of a stream, forgetting each one behind it.

    Values repeated inside one parent are joined by INNER, those of repeated parents by OUTER, so that the
    third name and the third value of a list of parameters stay the third.
    """

    def __init__(self, stream: IO[bytes] | Any, path: list[str], name: str) -> None:
        self.path, self.name = path, name
        self._last: etree._Element | None = None
        self._parent: etree._Element | None = None
        self._names: dict[str, str] = {}
        self._own = ""
        self._events = etree.iterparse(
            stream, events=("end",), tag=("{*}" + path[-1], path[-1]),
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Cells]:
        for _, element in self._events:
            parent = element.getparent()
            if parent is None or (parent is not self._parent and not self._is_record(element)):
                continue
            yield self.cells(element)
            self._last, self._parent = element, parent
            element.clear(keep_tail=True)
            while element.getprevious() is not None:
                del parent[0]

    def unfinished(self) -> Cells:
        """What is there of the record in which the file broke off."""
        if self._parent is None or len(self._parent) == 0 or self._parent[-1] is self._last:
            return {}
        return self.cells(self._parent[-1])

    def cells(self, element: etree._Element) -> Cells:
        """Column -> value. Raises Refused for a value over MAX_CELL."""
        self._own = _namespace(str(element.tag))
        cells: Cells = {}
        for name, value in element.items():
            cells["@" + _local(str(name))] = str(value)
        self._collect(element, "", cells, {"": 1}, {})
        return cells

    def _collect(
        self, element: etree._Element, below: str, cells: Cells, times: dict[str, int], last: dict[str, int]
    ) -> None:
        """`times` counts the parents of each path so far, `last` the parent that a column's last value was below."""
        names, parent = self._names, times[below]
        for child in element:
            tag = str(child.tag)
            name = below + (names.get(tag) or self._name(child, tag))
            text = child.text or ""
            if len(child):
                if not _is_markup(child):
                    times[name + "/"] = times.get(name + "/", 0) + 1
                    self._collect(child, name + "/", cells, times, last)
                    continue
                text = _inner(child)
            if len(text) > MAX_CELL:
                raise Refused(
                    f"{self.name} has a value of over 1 MB in {name}; that is no catalogue field.",
                    rule="too_long",
                )
            if parent == 1 and name not in cells:
                cells[name] = text
            else:
                _put(cells, name, text, parent, last)
            for attribute, value in child.items():
                _put(cells, f"{name}/@{_local(str(attribute))}", str(value), parent, last)

    def _name(self, child: etree._Element, tag: str) -> str:
        """Its local name, with a prefix where it is of another namespace than its record."""
        namespace = _namespace(tag)
        prefix = PREFIXES.get(namespace.rstrip("/")) or (
            child.prefix if namespace not in ("", self._own) else None
        )
        self._names[tag] = f"{prefix}:{_local(tag)}" if prefix else _local(tag)
        return self._names[tag]

    def _is_record(self, element: etree._Element) -> bool:
        path = [_local(str(element.tag)), *(_local(str(parent.tag)) for parent in element.iterancestors())]
        return path[::-1] == self.path


def _put(cells: Cells, name: str, text: str, parent: int, last: dict[str, int]) -> None:
    before = cells.get(name)
    if before is None:
        cells[name] = OUTER * (parent - 1) + text
    else:
        cells[name] = before + (OUTER * (parent - last.get(name, 1)) or INNER) + text
    if parent > 1:
        last[name] = parent


def _local(tag: str) -> str:
    """The name without its namespace; a prefix that nobody declared stays in it."""
    return tag.rpartition("}")[2]


def _namespace(tag: str) -> str:
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def _is_markup(element: etree._Element) -> bool:
    """Text with elements in it is one value: HTML that nobody escaped."""
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _inner(element: etree._Element) -> str:
    parts = [element.text or "", *(etree.tostring(child, encoding="unicode") for child in element)]
    return _DECLARATION.sub("", "".join(parts))
