"""XML as a stream: each repeating element becomes a row of text, its children columns; nothing is fetched or expanded."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
from lxml import etree

from connectors.base import Dialect
from connectors.readers.frames import FRAME_CHARACTERS, FRAME_ROWS, INNER, MAX_CELL, MAX_COLUMNS, OUTER, frame
from connectors.readers.xml_shape import Shape, shape_of
from connectors.readers.xml_text import Mending, Utf8Stream, encoding_of_xml, refuse_unsafe
from core.errors import Refused

_PREFIXES = {"http://base.google.com/ns/1.0": "g"}  # prefixes are the author's choice; these keep one name
_NS_ERROR, _MENDABLE = (
    201,
    {9, 26, 68, 88},
)  # libxml2's parser/xmlerror.h: invalid char, undeclared entity, no name …
_UNDECLARED = re.compile(r"prefix (\S+) (?:on|for)")
Record = tuple[str, dict[str, list[list[str]]], str]


class XmlReader:
    """FeedReader for XML. Columns are child paths ("PARAM/VAL", "g:shipping/g:price", "link/@href")."""

    def detect(self, file: Path, encoding: str | None = None) -> Dialect:
        """The dialect of `file`. Raises Refused: `unsafe_xml`, `not_a_feed`, `not_well_formed`, `no_records`."""
        encoding = encoding_of_xml(file, encoding)
        refuse_unsafe(file, encoding)
        shape = self._shape(file, encoding)
        dialect = Dialect("xml", encoding, quote_char=None, record_path=shape.record_path)
        names: dict[str, None] = {}
        for _, cells, _ in islice(self._records(file, dialect), FRAME_ROWS // 10):
            names.update(dict.fromkeys(cells))
        if not names:
            raise Refused(
                f"{file.name} has no records below {shape.root}; an empty list changes nothing.",
                rule="no_records",
            )
        if len(names) > MAX_COLUMNS:
            raise Refused(
                f"{file.name} has {len(names)} kinds of elements; {MAX_COLUMNS} at most are read.",
                rule="too_wide",
            )
        return Dialect("xml", encoding, quote_char=None, header=tuple(names), record_path=shape.record_path)

    def frames(self, file: Path, dialect: Dialect) -> Iterator[pd.DataFrame]:
        """Frames of text with `_locator` "item 3" and `_fault`; repeated values are joined by U+001F inside a parent
        and by U+001E between parents. Where the file ends too early, one last record is "truncated"."""
        records = self._records(file, dialect)
        while True:
            rows: list[dict[str, list[list[str]]]] = []
            locators: list[str] = []
            faults: list[str] = []
            size = 0
            for locator, cells, fault in islice(records, FRAME_ROWS):
                rows.append(cells)
                locators.append(locator)
                faults.append(fault)
                size += sum(len(text) for groups in cells.values() for group in groups for text in group)
                if size > FRAME_CHARACTERS:
                    break
            if not rows:
                return
            names = list(dict.fromkeys([*dialect.header, *(name for cells in rows for name in cells)]))
            columns = [[_joined(cells.get(name)) for cells in rows] for name in names]
            yield frame(names, columns, locators, faults)

    def _shape(self, file: Path, encoding: str) -> Shape:
        mending = Mending()
        while True:
            stream = Utf8Stream(file, encoding, mending)
            try:
                shape = shape_of(stream)
            except etree.XMLSyntaxError as error:
                if _mend(mending, error):
                    continue
                raise Refused(
                    f"{file.name} is not well-formed XML: {error.msg}.", rule="not_well_formed"
                ) from None
            finally:
                stream.close()
            if shape.root.lower() == "html":
                raise Refused(
                    f"{file.name} is a web page, not a feed; check the address it was fetched from.",
                    rule="not_a_feed",
                )
            if not shape.record_path:
                raise Refused(
                    f"{file.name} has no records below {shape.root}; an empty list changes nothing.",
                    rule="no_records",
                )
            return shape

    def _records(self, file: Path, dialect: Dialect) -> Iterator[Record]:
        """(locator, column -> per parent -> values, fault) of each record; flaws the parser stops at are mended."""
        mending, done = Mending(), 0
        while True:
            stream = Utf8Stream(file, dialect.encoding, mending)
            parser = _Records(stream, (dialect.record_path or "").split("/"), file.name)
            try:
                for cells in islice(parser, done, None):
                    done += 1
                    yield f"item {done}", cells, ""
                return
            except etree.XMLSyntaxError as error:
                if _mend(mending, error):
                    continue
                yield f"item {done + 1}", parser.unfinished(), "truncated"
                return
            finally:
                stream.close()


class _Records:
    """Iterates over the records of a stream, forgetting each one behind it."""

    def __init__(self, stream: Utf8Stream, path: list[str], name: str) -> None:
        self.path, self.name = path, name
        self._last: etree._Element | None = None
        self._parent: etree._Element | None = None
        self._names: dict[str, str] = {}
        self._events = etree.iterparse(
            stream, events=("end",), tag=("{*}" + path[-1], path[-1]),
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip

    def __iter__(self) -> Iterator[dict[str, list[list[str]]]]:
        for _, element in self._events:
            if not self._is_record(element):
                continue
            yield self.cells(element)
            self._last, self._parent = element, element.getparent()
            element.clear(keep_tail=True)
            while element.getprevious() is not None and self._parent is not None:
                del self._parent[0]

    def unfinished(self) -> dict[str, list[list[str]]]:
        """What is there of the record in which the file broke off."""
        if self._parent is None or len(self._parent) == 0 or self._parent[-1] is self._last:
            return {}
        return self.cells(self._parent[-1])

    def cells(self, element: etree._Element) -> dict[str, list[list[str]]]:
        """Column -> for each occurrence of its parent the values there. Raises Refused for a value over MAX_CELL."""
        found: dict[str, list[list[str]]] = {}
        own = _namespace(element.tag)
        for name, value in element.attrib.items():
            found["@" + _local(name)] = [[str(value)]]
        self._collect(element, "", own, found, {"": 1})
        return found

    def _collect(
        self,
        element: etree._Element,
        below: str,
        own: str,
        found: dict[str, list[list[str]]],
        times: dict[str, int],
    ) -> None:
        for child in element:
            name = below + (self._names.get(str(child.tag)) or self._name(child, own))
            if len(child) and not _is_markup(child):
                times[name + "/"] = times.get(name + "/", 0) + 1
                self._collect(child, name + "/", own, found, times)
                continue
            text = _inner(child) if len(child) else child.text or ""
            if len(text) > MAX_CELL:
                raise Refused(
                    f"{self.name} has a value of over 1 MB in {name}; that is no catalogue field.",
                    rule="too_long",
                )
            _put(found, name, times[below], text)
            for attribute, value in child.attrib.items():
                _put(found, f"{name}/@{_local(attribute)}", times[below], str(value))

    def _name(self, child: etree._Element, own: str) -> str:
        """Its local name, with a prefix where it is of another namespace than its record."""
        local, namespace = _local(child.tag), _namespace(child.tag)
        prefix = _PREFIXES.get(namespace.rstrip("/")) or (
            child.prefix if namespace not in ("", own) else None
        )
        name = f"{prefix}:{local}" if prefix else local
        self._names[str(child.tag)] = name
        return name

    def _is_record(self, element: etree._Element) -> bool:
        ancestors = [_local(element.tag), *(_local(parent.tag) for parent in element.iterancestors())]
        return ancestors[::-1] == self.path


def _local(tag: object) -> str:
    """The name without its namespace; a prefix that nobody declared stays in it."""
    return str(tag).rpartition("}")[2]


def _namespace(tag: object) -> str:
    return str(tag)[1:].partition("}")[0] if str(tag).startswith("{") else ""


def _mend(mending: Mending, error: etree.XMLSyntaxError) -> bool:
    """Whether reading once more, mended, can get further than this error."""
    if (
        error.code == _NS_ERROR
        and (found := _UNDECLARED.search(error.msg or ""))
        and found[1] not in mending.prefixes
    ):
        known = {prefix: uri for uri, prefix in _PREFIXES.items()}
        mending.prefixes[found[1]] = known.get(found[1], f"undeclared:{found[1]}")
        return len(mending.prefixes) <= 20
    flawed = error.code in _MENDABLE or any(entry.type in _MENDABLE for entry in error.error_log)
    if flawed and not mending.characters:
        mending.characters = True
        return True
    return False


def _put(found: dict[str, list[list[str]]], name: str, occurrence: int, text: str) -> None:
    groups = found.setdefault(name, [])
    while len(groups) < occurrence:
        groups.append([])
    groups[-1].append(text)


def _joined(groups: list[list[str]] | None) -> str | None:
    if groups is None:
        return None
    return (
        groups[0][0]
        if len(groups) == 1 and len(groups[0]) == 1
        else OUTER.join(INNER.join(group) for group in groups)
    )


def _is_markup(element: etree._Element) -> bool:
    """Text with elements in it is one value: HTML that nobody escaped."""
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _inner(element: etree._Element) -> str:
    parts = [element.text or "", *(etree.tostring(child, encoding="unicode") for child in element)]
    return re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", "".join(parts))
