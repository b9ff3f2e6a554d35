"""JSON text as a stream: one value after the other is taken whole or passed over, numbers stay as they are written."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from connectors.readers.detection import CHUNK_BYTES, UNDECODABLE

MAX_VALUE = 32 << 20  # characters of one record with all that is inside it
_SLACK = 32  # characters before the end of what is read in which a number or word may be cut
_BLANK = re.compile(r"[\s\ufeff]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*("|\\?\Z)', re.S)
_BRACKET = re.compile(_STRING.pattern + r"|[][{}]", re.S)
_THREE_DECIMALS = re.compile(r"-?\d+\.\d{3}")
_POWER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?[eE][+-]?[0-2]?\d")
_WORD = re.compile(r'[^\s,:"\[\]{}]+')


class Broken(Exception):
    """The text is no JSON at this place; `rule` is the fault its record gets."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def _nothing(_: str) -> None:
    """NaN and Infinity, which JSON does not have, are no value."""


def _figure(text: str) -> str:
    """A number with a point as text; 1.234 gets a zero behind it, so that nobody takes the point for thousands."""
    if _POWER.fullmatch(text):
        return f"{Decimal(text):f}"
    return f"{text}0" if _THREE_DECIMALS.fullmatch(text) else text


_DECODER = json.JSONDecoder(parse_float=_figure, parse_int=str, parse_constant=_nothing, strict=False)


def decoded(text: str) -> Any:
    """The value in `text`, numbers as text. Raises Broken: `not_well_formed`, `truncated`."""
    try:
        return _DECODER.decode(text.strip("\ufeff\0"))
    except json.JSONDecodeError as error:
        cut = error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip())
        raise Broken("truncated" if cut else "not_well_formed") from None
    except RecursionError:
        raise Broken("not_well_formed") from None


class Cursor:
    """A place in a file's JSON text; only what lies between it and the end of the value in hand is in memory."""

    def __init__(self, file: Path, encoding: str) -> None:
        self._stream: TextIO = file.open(encoding=encoding, errors=UNDECODABLE, newline="")
        self._text = ""
        self._at = 0
        self._ended = False

    def close(self) -> None:
        """Lets the file go."""
        self._stream.close()

    def peek(self) -> str:
        """The next character that is not blank, "" at the end of the file."""
        while True:
            found = _BLANK.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill(CHUNK_BYTES):
                return ""

    def take(self) -> None:
        """Steps over the character that `peek` showed."""
        self._at += 1

    def word(self) -> str:
        """The string here, without its quotes. Raises Broken."""
        if self.peek() != '"':
            raise Broken("truncated" if not self.peek() else "not_well_formed")
        value = self.value()
        return value if isinstance(value, str) else ""

    def value(self) -> Any:
        """The value here, whole, numbers as text. Raises Broken and stays where it is."""
        self.peek()
        wanted = CHUNK_BYTES
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _SLACK
                if not cut:
                    raise Broken("not_well_formed") from None
                if self._ended:
                    raise Broken("truncated") from None
            except RecursionError:
                raise Broken("not_well_formed") from None
            else:
                if end < len(self._text) or self._ended:
                    self._at = end
                    return value
            if len(self._text) - self._at > MAX_VALUE:
                raise Broken("too_long")
            self._fill(wanted)
            wanted *= 2

    def skip(self) -> None:
        """Passes over the value here, looking at its brackets and strings only. Raises Broken where the file ends."""
        depth = 0
        while True:
            first = self.peek()
            if not first:
                raise Broken("truncated")
            if depth == 0 and first not in '"[{':
                word = _WORD.match(self._text, self._at)
                if word is None:
                    raise Broken("not_well_formed")
                self._at = word.end()
                if self._at == len(self._text) and self._fill(CHUNK_BYTES):
                    continue
                return
            found = _BRACKET.search(self._text, self._at)
            if found is None:
                self._at = len(self._text)
                continue
            if found[0][0] == '"':
                if found[1] != '"':
                    self._string(found.start())
                else:
                    self._at = found.end()
            else:
                depth += 1 if found[0] in "[{" else -1
                self._at = found.end()
            if depth <= 0:
                return

    def _string(self, start: int) -> None:
        """Passes over a string that goes on behind what is read; what is behind it is not kept."""
        self._at = start
        wanted = CHUNK_BYTES
        while True:
            if len(self._text) - self._at > MAX_VALUE:
                raise Broken("too_long")
            if not self._fill(wanted):
                raise Broken("truncated")
            wanted *= 2
            found = _STRING.match(self._text, self._at)
            if found and found[1] == '"':
                self._at = found.end()
                return

    def _fill(self, characters: int) -> bool:
        more = self._stream.read(characters)
        self._ended = not more
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)
