"""Runs of records taken out of an XML stream's text before the parser: what repeats a shape it has read needs no tree.

Only siblings of a record are ever left out of what the parser gets, each of them whole, so that everything else about
the document is judged by the parser as before: where it begins and ends, what its names mean, whether it is well-formed.
"""

import codecs
import re
from collections.abc import Mapping
from typing import IO, Any

from connectors.readers.xml_templates import TOKEN, Templates

_PIECE = 1 << 18  # bytes read at a time
_HELD = 1 << 20  # bytes of one record that is not whole yet; a longer one is the parser's
_BLANK = re.compile(rb"[ \t\r\n]*+")
_CONTROLS = bytes(code for code in range(32) if code not in (9, 10, 13))
_NONCHARACTER = b"\xef"  # how both begin: one byte is looked for ten times as fast as two
_NONCHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")


class Runs:
    """The text of a stream from behind its first record on; given up for good where it cannot be cut with certainty.

    `start` is the text up to there: the parser gets it first. `active`: records may still be taken; `records` is how many
    were, `taken` how many bytes of text they had.
    """

    def __init__(self, stream: IO[bytes] | Any, first: bytes, names: list[str], templates: Templates) -> None:
        self._stream, self._templates = stream, templates
        end, self._tag = _first_record(first, names)
        self.start, self._text = first[:end], first[end:]
        self._opening = re.compile(b"<" + re.escape(self._tag) + rb"[\s/>]")
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._at = self.records = self.taken = 0
        self.active = bool(self._tag) and self._is_plain(first)

    def next(self, prefixes: Mapping[str | None, str], row: int, rows: int, size: int) -> bytes:
        """Takes at most `rows` records and about `size` bytes, as row `row` (-1: left out) and so on, then gives what is
        the parser's: one record or what is between them, at the end all that is left. `prefixes` are those declared
        around the records."""
        until, full = self.records + rows, self.taken + size
        while self.active:
            at = self._blank(self._at)
            if self._room(until, full):
                end, count = self._templates.took_run(self._text, at, row, until - self.records)
                row, at = self._took(at, end, row, count)
            self._at = at
            end = self._end_of(at)
            if not end:
                self._more()
                continue
            piece = self._text[at:end]
            if self._opening.match(piece):
                if self._room(until, full) and self._templates.took(piece, row):
                    row, self._at = self._took(at, end, row, 1)
                    continue
                self._templates.learn(piece, prefixes)
            self._at = end
            self.active = self._templates.active
            return piece
        return self.rest()

    def rest(self) -> bytes:
        """What was read and nobody has had; from now on all is the parser's."""
        self.active = False
        rest, self._text, self._at = self._text[self._at :], b"", 0
        return rest

    def _room(self, until: int, full: int) -> bool:
        return self.records < until and self.taken < full

    def _took(self, start: int, end: int, row: int, count: int) -> tuple[int, int]:
        """(the next row, where the next record begins) behind `count` records."""
        self.records += count
        self.taken += end - start
        return row if row < 0 else row + count, self._blank(end)

    def _blank(self, at: int) -> int:
        """Where what is not blank begins."""
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def _end_of(self, start: int) -> int:
        """Where the element, or what else begins at `start`, ends; 0 where that is not to be seen yet."""
        text = self._text
        if start == len(text):
            return 0
        if text[start : start + 1] != b"<":
            return max(text.find(b"<", start), 0)
        if text.startswith(b"</", start):  # of what is around the records: others may stand elsewhere
            self.active = False
            return 0
        if self._opening.match(text, start):
            closing = b"</" + self._tag + b">"
            end = text.find(closing, start) + len(closing)
            if end < len(closing):
                return 0
            piece = text[start:end]
            if piece.count(b"<" + self._tag) == 1 and b"<!" not in piece and b"<?" not in piece:
                return end
        return _element_end(text, start)

    def _more(self) -> None:
        """Reads on, or gives up: at the end, for bytes that are no text of XML, for a record that does not end."""
        piece: bytes = self._stream.read(_PIECE) if self.active else b""
        held = self._text[self._at :]
        self._text, self._at = held + piece, 0
        self.active = bool(piece) and len(held) < _HELD and self._is_plain(piece, held[-2:])

    def _is_plain(self, piece: bytes, before: bytes = b"") -> bool:
        """Whether the next bytes are text that a document may hold; `before` are the two in front of them."""
        try:
            self._decoder.decode(piece)
        except UnicodeDecodeError:
            return False
        plain = len(piece.translate(None, _CONTROLS)) == len(piece)
        whole = before + piece
        return plain and not (_NONCHARACTER in whole and any(one in whole for one in _NONCHARACTERS))


def _first_record(text: bytes, names: list[str]) -> tuple[int, bytes]:
    """(where the first element at the path `names` of local names ends, its name as written); (the text's end, b"") where
    there is none."""
    open_: list[str] = []
    at = 0
    while (at := text.find(b"<", at)) >= 0 and (token := TOKEN.match(text, at)):
        at = token.end()
        closing, tag, _, empty = token.groups()
        if tag is None:
            continue
        if not closing:
            open_.append(tag.rpartition(b":")[2].decode(errors="replace"))
        if closing or empty:
            if open_ == names:
                return at, tag
            if not open_:
                break
            open_.pop()
    return len(text), b""


def _element_end(text: bytes, start: int) -> int:
    """Where the element, comment, section or instruction that begins at `start` ends; 0 where it does not in `text`."""
    depth, at = 0, start
    while (at := text.find(b"<", at)) >= 0 and (token := TOKEN.match(text, at)):
        at = token.end()
        closing, tag, _, empty = token.groups()
        if tag is not None and not empty:
            depth += -1 if closing else 1
        if depth == 0:
            return at
    return 0
