"""Which element of an XML file is its record: by the root element of a known format, else told from the file's beginning."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from lxml import etree

SAMPLE_ELEMENTS = 20_000
_CHANNEL = ("rss", "channel")  # RSS 2.0: what surrounds the items, never one of them
_INSIDE = 0.5  # what a list inside an element adds to it, measured by what one of the list tells
Known = Mapping[str, Sequence[str]]
"""Root element -> ends of record paths ("T_NEW_CATALOG/ARTICLE"), or XPath ("//tradeItem"), local names all."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`record_path` is local names from the root, "rss/channel/item"; "" where nothing has fields."""

    root: str
    record_path: str


@dataclass
class _Seen:
    times: int = 0
    repeats: bool = False  # several in one parent
    leaves: set[str] = field(default_factory=set)


def known_shape(stream: IO[bytes] | Any, known: Known) -> Shape | None:
    """The first of the root's record paths that the file has, None for another root. May raise XMLSyntaxError."""
    pruned = _Pruned(stream)
    events = _events(pruned, ("start",), None)
    root = next((element for _, element in events), None)
    if root is None or _local(root) not in known:
        return None
    wanted = {path: tuple(path.strip("/").split("/")) for path in known[_local(root)]}
    pruned.root = root
    for _, element in events:
        for path, names in wanted.items():
            if _local(element) == names[-1]:
                above = [_local(one) for one in element.iterancestors()][::-1]
                whole = (*above, names[-1])
                if whole[-len(names) :] == names:
                    return Shape(_local(root), path if path.startswith("/") else "/".join(whole))
    return None


def shape_of(stream: IO[bytes] | Any) -> Shape:
    """The element that tells most, by its plain children and attributes and those of what is in it; repeating counts double.

    Raises XMLSyntaxError where none was seen.
    """
    seen: dict[tuple[str, ...], _Seen] = {}
    path: list[str] = []
    counts: list[Counter[str]] = [Counter()]
    elements, root = 0, ""
    try:
        for event, element in _events(stream, ("start", "end"), None):
            if event == "start":
                path.append(_local(element))
                counts.append(Counter())
                root = root or path[0]
                elements += 1
                continue
            where = tuple(path)
            name = path.pop()
            counts.pop()
            if len(element):
                found = seen.setdefault(where, _Seen())
                found.times += 1
                found.leaves.update(f"@{attribute}" for attribute in element.attrib)
                counts[-1][name] += 1
                found.repeats |= counts[-1][name] > 1
                element.clear(keep_tail=True)
            elif len(where) > 1 and (element.text or element.attrib):
                seen.setdefault(where[:-1], _Seen()).leaves.add(name)
            if elements >= SAMPLE_ELEMENTS:
                break
    except etree.XMLSyntaxError:
        if not any(len(where) > 1 and found.leaves and found.times for where, found in seen.items()):
            raise
    return Shape(root, "/".join(_most_telling(seen)))


def _most_telling(seen: dict[tuple[str, ...], _Seen]) -> tuple[str, ...]:
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
        if len(where) > 1 and told[where] and where != _CHANNEL and (found.leaves or len(inside.get(where, ())) > 1)
    ]
    return max(scored)[2] if scored else ()


class _Pruned:
    """A stream for the parser that lets go what lies behind: the last child at each level may still be open."""

    def __init__(self, stream: IO[bytes] | Any) -> None:
        self.root: etree._Element | None = None
        self._stream = stream

    def read(self, size: int) -> bytes:
        """The next piece."""
        node = self.root
        while node is not None and len(node):
            del node[:-1]
            node = node[-1]
        piece: bytes = self._stream.read(size)
        return piece


def _events(stream: IO[bytes] | Any, events: tuple[str, ...], tag: list[str] | None) -> Any:
    return etree.iterparse(
        stream, events=events, tag=tag, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
