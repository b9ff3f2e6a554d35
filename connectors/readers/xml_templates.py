"""Records of one shape read at once: the first teaches a pattern that takes all values out of the next ones' text.

Going through a record element by element in Python costs several times what parsing it does. Most records of a feed have
one of a few shapes, so their text is matched against a pattern made from an earlier record of that shape: its tags
literally, every text and attribute a group. What matches no pattern is read element by element as before.
"""

import copy
import re
from html import unescape
from itertools import islice, repeat

from lxml import etree

from connectors.readers.xml_columns import Columns, is_markup

_MARK = re.compile(
    "\ue000(\\d+)\ue001"
)  # private use: where a value stands in the text a pattern is made from
_LEAF = re.compile(">\ue000\\d+\ue001</[^>]*>")
_VALUE = re.compile('"\ue000\\d+\ue001"')
_MOST, _ALIKE = 400, 4  # patterns, and those with the same number of tags
_TEXTS = re.compile(r'(?<=>)[^<]+|(?<==")[^"]+')
_JUDGED_AFTER, _WORTH = 200, 0.5  # records, and the share of them that patterns must take
_DEEP, _LONGEST = 40, 300  # elements inside each other, and values: longer patterns take long to make
Pieces = list[tuple[str, int]]
"""[(what stands before it, group)] of one column."""


class Template:
    """One shape: its pattern, which groups make which column, and the rows taken since the last cut."""

    def __init__(self, pattern: re.Pattern[str], columns: dict[str, Pieces]) -> None:
        self.pattern, self.columns = pattern, columns
        self.rows: list[tuple[str, ...]] = []
        self.at: list[int] = []


class Templates:
    """The shapes of one stream's records; given up where the records are too different to be worth it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[int, list[Template]] = {}
        self._count = self._tried = self._taken = 0
        self._active = True
        self._seen: set[int] = set()
        self._text = ""

    def took(self, element: etree._Element, row: int) -> bool:
        """Whether a pattern has the record's values, as row `row`."""
        if not self._active:
            return False
        self._tried += 1
        self._text = text = _written(element)
        for template in self._known.get(text.count("<"), ()):
            found = template.pattern.fullmatch(text)
            if found:
                template.rows.append(found.groups(""))
                template.at.append(row)
                self._taken += 1
                return True
        return False

    def learn(self, element: etree._Element) -> None:
        """Makes a pattern of a record that none took."""
        if not self._active:
            return
        if self._tried >= _JUDGED_AFTER and self._taken < _WORTH * self._tried:
            self._active = False
            return
        shape = hash(_TEXTS.sub("", self._text))
        if shape not in self._seen:  # a pattern is dear: only for a shape that comes again
            self._seen.add(shape)
            return
        alike = self._known.setdefault(self._text.count("<"), [])
        if len(alike) < _ALIKE and self._count < _MOST:
            template = _template(element, self._name)
            if template is not None:
                alike.insert(0, template)
                self._count += 1

    def cut(self, rows: int, whole: dict[str, list[str | None]]) -> None:
        """Puts the values taken so far into `whole`, name -> `rows` values; the rows begin anew."""
        for alike in self._known.values():
            for template in alike:
                if template.rows:
                    _put(template, rows, whole)
                    template.rows, template.at = [], []


def _put(template: Template, rows: int, whole: dict[str, list[str | None]]) -> None:
    groups = [_plain(group) for group in zip(*template.rows, strict=True)]
    everywhere = len(template.at) == rows
    for name, pieces in template.columns.items():
        if len(pieces) == 1 and not pieces[0][0]:
            values = groups[pieces[0][1]]
        else:
            parts = [one for before, group in pieces for one in (repeat(before), groups[group])]
            values = ["".join(row) for row in zip(*parts, strict=False)]
        if everywhere:
            whole[name] = [*values]
            continue
        column = whole.setdefault(name, [None] * rows)
        for place, value in zip(template.at, values, strict=True):
            column[place] = value


def _plain(values: tuple[str, ...]) -> list[str] | tuple[str, ...]:
    """The values of one group with the characters that XML escapes; no text of a document holds U+0000."""
    together = "\0".join(values)
    return unescape(together).split("\0") if "&" in together else values


def _template(element: etree._Element, name: str) -> Template | None:
    """The shape of a record, None where markup stands in it: every text and attribute marked, read and written again."""
    if sum(1 for _ in islice(element.iter(), 2 * _LONGEST)) == 2 * _LONGEST:
        return None
    marked = copy.deepcopy(element)
    marked.tail = None
    count = 0

    def mark() -> str:
        nonlocal count
        count += 1
        return f"\ue000{count - 1}\ue001"

    nodes = [(marked, 1)]
    while nodes:
        node, depth = nodes.pop()
        if (
            not isinstance(node.tag, str)
            or depth > _DEEP
            or count > _LONGEST
            or (len(node) and is_markup(node))
        ):
            return None
        for attribute in node.attrib:
            if (
                ":" in str(attribute).rpartition("}")[2]
            ):  # a prefix that nobody declared: cannot be written to
                return None
            node.set(attribute, mark())
        if len(node):
            node.text = None
            for child in node:
                child.tail = None
                nodes.append((child, depth + 1))
        else:
            node.text = mark()
    columns = Columns(name)
    columns.add(marked, 0)
    made: dict[str, Pieces] = {}
    text = _written(marked)
    order = {int(found): place for place, found in enumerate(_MARK.findall(text))}
    for column, (value,) in columns.cut(1).items():
        pieces = _MARK.split(value or "")
        made[column] = [
            (before, order[int(group)]) for before, group in zip(pieces[::2], pieces[1::2], strict=False)
        ]
    pattern = _LEAF.sub("(?:/>|>([^<]*)</[^>]*>)", re.escape(text))
    return Template(re.compile(_VALUE.sub('"([^"]*)"', pattern)), made)


def _written(element: etree._Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)
