"""Which elements of an XML file could be its records, told from the file without knowing the format, the likeliest first."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from lxml import etree

from connectors.readers.xml_text import tags_of

SAMPLE_ELEMENTS = 20_000
_CHANNEL = ("rss", "channel")  # RSS 2.0: what surrounds the items, never one of them
_INSIDE = 0.5  # what a list inside an element adds to it, measured by what one of the list tells
_ALL_ATTRIBUTES = 3  # an element without children that has so many may be a record itself
_CANDIDATES = 8  # paths that are worth a second look
_LIST = 20  # elements beside each other are a list
SCANNED = 64 << 20  # bytes in which rarer elements are looked for


@dataclass(frozen=True, slots=True)
class Shape:
    """`record_paths` are local names from the root, "rss/channel/item", the most telling first; none where nothing has fields."""

    root: str
    record_paths: tuple[str, ...]
    whole: bool


@dataclass
class _Seen:
    times: int = 0
    repeats: bool = False  # several in one parent
    leaves: set[str] = field(default_factory=set)


def shape_of(stream: IO[bytes] | Any) -> Shape:
    """The elements that tell most, by plain children and attributes and those of what is in them; repeating counts double.

    `whole` says whether all of the file was looked at. Raises XMLSyntaxError where none was seen.
    """
    seen: dict[tuple[str, ...], _Seen] = {}
    path: list[str] = []
    counts: list[Counter[str]] = [Counter()]
    elements, root = 0, ""
    try:
        for event, element in _events(stream, ("start", "end")):
            if event == "start":
                path.append(_local(element))
                counts.append(Counter())
                root = root or path[0]
                elements += 1
                continue
            where = tuple(path)
            name = path.pop()
            counts.pop()
            if len(element) or len(element.attrib) >= _ALL_ATTRIBUTES:
                found = seen.setdefault(where, _Seen())
                found.times += 1
                found.leaves.update(f"@{attribute}" for attribute in element.attrib)
                counts[-1][name] += 1
                found.repeats |= counts[-1][name] > 1
            if len(element):
                element.clear(keep_tail=True)
            elif len(where) > 1 and (element.text or element.attrib):
                seen.setdefault(where[:-1], _Seen()).leaves.add(name)
            if elements >= SAMPLE_ELEMENTS:
                break
    except etree.XMLSyntaxError:
        if not any(len(where) > 1 and found.leaves and found.times for where, found in seen.items()):
            raise
    ranked = ["/".join(where) for where in _ranked(seen)[:_CANDIDATES]]
    return Shape(root, tuple(ranked), elements < SAMPLE_ELEMENTS)


def late_paths(stream: IO[bytes] | Any) -> list[str]:
    """Paths of what stands beside the records of large files, as behind a tree of categories; fast, and only the upper levels.

    What surrounds a long list and comes once is none of them: as a record it would be the whole file. May raise
    XMLSyntaxError.
    """
    pruned = _Pruned(stream)
    with suppress(_Enough):
        for _, element in _events(pruned, ("start",), tags_of(pruned.first)):
            pruned.root = element if pruned.root is None else pruned.root
    pruned.look(whole=True)
    lists = {path[:-1] for path, times in pruned.seen.items() if times >= _LIST}
    return ["/".join(path) for path, times in pruned.seen.items() if times > 1 or path not in lists]


def _ranked(seen: dict[tuple[str, ...], _Seen]) -> list[tuple[str, ...]]:
    told: dict[tuple[str, ...], float] = {}
    inside: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for where in sorted(seen, key=len, reverse=True):
        below = inside.get(where, [])
        told[where] = len(seen[where].leaves) + sum(
            told[one] * (_INSIDE if seen[one].repeats else 1) for one in below
        )
        inside.setdefault(where[:-1], []).append(where)
    scored = [
        (told[where] * (2 if found.times > 1 else 1), -len(where), where)
        for where, found in seen.items()
        if len(where) > 1
        and told[where]
        and where != _CHANNEL
        and (found.leaves or len(inside.get(where, ())) > 1)
    ]
    return [where for *_, where in sorted(scored, reverse=True)]


class _Pruned:
    """A stream for the parser that lets go what lies behind, and counts which paths there were on its way down.

    The last child at each level may still be open: it stays.
    """

    def __init__(self, stream: IO[bytes] | Any) -> None:
        self.root: etree._Element | None = None
        self.seen: dict[tuple[str, ...], int] = {}
        self.first: bytes = stream.read(1 << 16)
        self._unread, self._taken = self.first, 0
        self._stream = stream

    def read(self, size: int) -> bytes:
        """The next piece."""
        self.look()
        if self._taken > SCANNED:
            raise _Enough
        piece: bytes = self._unread or self._stream.read(size)
        self._unread = b""
        self._taken += len(piece)
        return piece

    def look(self, *, whole: bool = False) -> None:
        """Counts and lets go; `whole` says that the last ones are complete too."""
        node = self.root
        path: tuple[str, ...] = ()
        while node is not None and len(node):
            path = (*path, _local(node))
            last = node[-1]
            for child in node:
                if len(child):
                    where = (*path, _local(child))
                    self.seen[where] = self.seen.get(where, 0) + (whole or child is not last)
            del node[:-1]
            node = node[-1]


class _Enough(Exception):
    """Nothing went wrong: as much was read as was asked for."""


def _events(stream: IO[bytes] | Any, events: tuple[str, ...], tag: list[str] | None = None) -> Any:
    told: Any = events
    return etree.iterparse(
        stream, events=told, tag=tag, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
