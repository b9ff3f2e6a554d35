"""Records of one shape read at once: the first teaches a pattern that takes all values out of the next ones' text.

Going through a record element by element in Python costs several times what parsing it does. Most records of a feed have
one of a few shapes, so their text is matched against a pattern made from an earlier record of that shape: its tags
literally, every text and attribute a group. What matches no pattern is read element by element as before. A pattern takes
only what any parser would read in the same way: text without a bare "&" or "]]>", with none but XML's own five entities.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree

from connectors.readers.xml_columns import Columns, is_markup

TOKEN = re.compile(
    rb"""<(?:!--.*?--|!\[CDATA\[.*?\]\]|\?.*?\?|(/?)([^\s<>/!?'"=]++)((?:\s++[^\s<>/'"=]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'))*+)\s*+(/?))>""",
    re.S,
)
"""A comment, a CDATA section, an instruction, or a tag: (its "/", name, attributes, "/" of an empty element)."""
_ATTRIBUTE = re.compile(rb"""([^\s=]++)\s*+=\s*+(?:"([^"]*+)"|'[^']*+')""")
_ENTITY = rb"&(?:amp|lt|gt|quot|apos);"
_ENTITIES = ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&apos;", b"'"), (b"&amp;", b"&"))
_TEXT = rb"([^<&\]]*+(?:(?:" + _ENTITY + rb"|\](?!\]>))[^<&\]]*+)*+)"
_VALUE = rb'"([^"<&\t\r\n]*+(?:' + _ENTITY + rb'[^"<&\t\r\n]*+)*+)"'
_CDATA = rb"<!\[CDATA\[([^\]]*+(?:\](?!\]>)[^\]]*+)*+)\]\]>"
_BLANKS = rb"[ \t\r\n]*+"
_MARK = re.compile("\ue000(\\d+)\ue001")  # private use: where a value stands
_MOST, _ALIKE = 400, 4  # patterns, and those with the same number of tags
_TEXTS = re.compile(rb'(?<=>)[^<]+|(?<==")[^"]+')
_JUDGED_AFTER, _WORTH = 200, 0.5  # records, and the share of them that patterns must take
_DEEP, _LONGEST = 40, 300  # elements inside each other, and values: longer patterns take long to make
Pieces = list[tuple[str, int]]
"""[(what stands before it, group)] of one column."""
Part = tuple[npt.NDArray[np.int64], pa.Array]
"""Values, and the rows they stand in."""


class Template:
    """One shape: its pattern, which groups make which column, which are CDATA, and the rows taken since the last cut."""

    def __init__(self, pattern: bytes, columns: dict[str, Pieces], literal: set[int]) -> None:
        self.pattern, self.repeated = re.compile(pattern), re.compile(pattern + _BLANKS)
        self.columns, self.literal = columns, literal
        self.rows: list[tuple[bytes, ...]] = []
        self.at: list[int] = []


class Templates:
    """The shapes of one stream's records, by their text as UTF-8; given up where the records are too different to be worth it."""

    def __init__(self, name: str) -> None:
        self.active = True
        self.widest = 0
        """Columns of the widest shape."""
        self._name = name
        self._known: dict[int, list[Template]] = {}
        self._last: Template | None = None
        self._count = self._tried = self._taken = 0
        self._seen: set[int] = set()

    def took_run(self, text: bytes, start: int, row: int, most: int) -> tuple[int, int]:
        """(where the records end that stand one behind the other from `start` on and have the shape of the last one, and
        the blanks behind them; how many they are, `most` at most). Their values are taken as row `row` (-1: left out) and
        those after it."""
        if self._last is None:
            return start, 0
        scanner = self._last.repeated.scanner(text, start)  # type: ignore[attr-defined]
        found = list(islice(iter(scanner.match, None), most))
        self._tried += len(found)
        self._take(found, row)
        return found[-1].end() if found else start, len(found)

    def took(self, text: bytes, row: int) -> bool:
        """Whether a pattern has the values of the record that is `text`, as row `row`."""
        if not self.active:
            return False
        self._tried += 1
        for template in self._known.get(text.count(b"<"), ()):
            found = template.pattern.fullmatch(text)
            if found:
                self._last = template
                self._take([found], row)
                return True
        return False

    def learn(self, text: bytes, prefixes: Mapping[str | None, str]) -> None:
        """Makes a pattern of a record that none took; `prefixes` are those declared around it."""
        if not self.active:
            return
        if self._tried >= _JUDGED_AFTER and self._taken < _WORTH * self._tried:
            self.active = False
            return
        shape = hash(_TEXTS.sub(b"", text))
        if shape not in self._seen:  # a pattern is dear: only for a shape that comes again
            self._seen.add(shape)
            return
        alike = self._known.setdefault(text.count(b"<"), [])
        if len(alike) < _ALIKE and self._count < _MOST:
            template = _template(text, prefixes, self._name)
            if template is not None:
                alike.insert(0, template)
                self._last = template
                self._count += 1
                self.widest = max(self.widest, len(template.columns))

    def cut(self, rows: int, whole: Mapping[str, list[str | None]]) -> dict[str, pa.Array]:
        """Name -> `rows` values: those of `whole`, and those taken so far beside them; the rows begin anew."""
        parts: dict[str, list[Part]] = {}
        for name, values in whole.items():
            told = pa.array(values, pa.large_string())
            there = np.flatnonzero(told.is_valid().to_numpy(zero_copy_only=False))
            parts[name] = [(there, told.drop_null())]
        for alike in self._known.values():
            for template in alike:
                if template.rows:
                    _put(template, parts)
                    template.rows, template.at = [], []
        return {name: _one_behind_the_other(several, rows) for name, several in parts.items()}

    def _take(self, found: Sequence[re.Match[bytes]], row: int) -> None:
        self._taken += len(found)
        if row >= 0 and self._last is not None:
            self._last.rows.extend([one.groups(b"") for one in found])
            self._last.at.extend(range(row, row + len(found)))


def _put(template: Template, parts: dict[str, list[Part]]) -> None:
    groups = [
        _plain(group, literal=place in template.literal)
        for place, group in enumerate(zip(*template.rows, strict=True))
    ]
    at = np.array(template.at, dtype=np.int64)
    for name, pieces in template.columns.items():
        if len(pieces) == 1 and not pieces[0][0]:
            values = groups[pieces[0][1]]
        else:
            words = [one for before, group in pieces for one in (_word(before), groups[group])]
            values = pc.binary_join_element_wise(*words, _word(""))
        parts.setdefault(name, []).append((at, values))


def _one_behind_the_other(parts: list[Part], rows: int) -> pa.Array:
    """`rows` values put together from parts, none where no part has one."""
    if len(parts) == 1 and len(parts[0][0]) == rows:
        return parts[0][1]
    places = np.full(rows, -1, dtype=np.int64)
    before = 0
    for at, _ in parts:
        places[at] = np.arange(before, before + len(at))
        before += len(at)
    return pa.concat_arrays([values for _, values in parts]).take(pa.array(places, mask=places < 0))


def _plain(values: tuple[bytes, ...], *, literal: bool) -> pa.Array:
    """The values of one group as a parser gives them; no text of a document holds U+0000."""
    together = b"\0".join(values)
    if b"\r" in together:
        together = together.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not literal and b"&" in together:
        for entity, meant in _ENTITIES:
            together = together.replace(entity, meant)
    ends = np.flatnonzero(np.frombuffer(together, np.uint8) == 0)
    text = together.replace(b"\0", b"")
    offsets = np.concatenate(([0], ends - np.arange(len(ends)), [len(text)])).astype(np.int64)
    return pa.Array.from_buffers(
        pa.large_string(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )


def _word(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())


def _template(text: bytes, prefixes: Mapping[str | None, str], name: str) -> Template | None:
    """The shape of a record, None where it is none that repeats: markup in it, comments, values in single quotes.

    Its text is written again with a mark for every value, and read: which mark comes into which column is the mapping.
    """
    pattern: list[bytes] = []
    marked: list[bytes] = []
    literal: set[int] = set()
    groups = depth = at = 0

    def mark() -> bytes:
        nonlocal groups
        groups += 1
        return f"\ue000{groups - 1}\ue001".encode()

    tokens = list(TOKEN.finditer(text))
    place = 0
    while place < len(tokens):
        token = tokens[place]
        closing, tag, attributes, empty = token.groups()
        if tag is None or text[at : token.start()].strip() or depth > _DEEP or groups > _LONGEST:
            return None
        if place:
            pattern.append(_BLANKS)
        at, place = token.end(), place + 1
        if closing:
            depth -= 1
            pattern.append(rb"</" + re.escape(tag) + rb"\s*+>")
            marked.append(token[0])
            continue
        pattern.append(b"<" + re.escape(tag))
        marked.append(b"<" + tag)
        for attribute in _ATTRIBUTE.finditer(attributes):
            if attribute[2] is None:
                return None
            declares = attribute[1].partition(b":")[0] == b"xmlns"  # what names mean is no value
            pattern += (rb"\s++", re.escape(attribute[1]), rb"\s*+=\s*+")
            pattern.append(b'"' + re.escape(attribute[2]) + b'"' if declares else _VALUE)
            marked += (b" ", attribute[1], b'="', attribute[2] if declares else mark(), b'"')
        end = b"</" + tag + b">"
        behind = tokens[place : place + 2]
        if empty or (behind and behind[0][1] and behind[0][2] == tag):
            pattern.append(rb"\s*+(?:/>|>" + _TEXT + rb"</" + re.escape(tag) + rb"\s*+>)")
            marked += (b">", mark(), end)
            if not empty:
                at, place = behind[0].end(), place + 1
        elif len(behind) == 2 and behind[0][0].startswith(b"<![CDATA["):
            if behind[0].start() != at or behind[1].start() != behind[0].end() or behind[1][2] != tag:
                return None  # beside other text
            literal.add(groups)
            pattern.append(rb"\s*+>" + _CDATA + rb"</" + re.escape(tag) + rb"\s*+>")
            marked += (b">", mark(), end)
            at, place = behind[1].end(), place + 2
        else:
            depth += 1
            pattern.append(rb"\s*+>")
            marked.append(b">")
    if depth or at != len(text):
        return None
    columns = _columns(b"".join(marked), prefixes, name)
    return Template(b"".join(pattern), columns, literal) if columns else None


def _columns(marked: bytes, prefixes: Mapping[str | None, str], name: str) -> dict[str, Pieces] | None:
    """Which marks come into which column; None for markup and for names that mean nothing here."""
    declared = "".join(
        f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri)}"
        for prefix, uri in prefixes.items()
        if prefix != "xml"
    )
    try:
        around = etree.fromstring(
            f"<around{declared}>".encode() + marked + b"</around>",
            etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True),
        )
    except etree.XMLSyntaxError:
        return None
    record = around[0]
    if not len(record) or any(len(node) and is_markup(node) for node in record.iter()):
        return None
    columns = Columns(name)
    columns.add(record, 0)
    made: dict[str, Pieces] = {}
    for column, (value,) in columns.cut(1).items():
        pieces = _MARK.split(value or "")
        made[column] = [
            (before, int(group)) for before, group in zip(pieces[::2], pieces[1::2], strict=False)
        ]
    return made
