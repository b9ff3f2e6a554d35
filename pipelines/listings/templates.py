"""Texts of a page by a seller's own pattern: names in braces, a few filters, and no code."""

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from core.errors import Refused

NAMES = ("title", "description", "brand", "category", "sku", "gtin", "supplier", "kind")
"""What a pattern may name. `sku` and `gtin` are those of the product's first variant; `category` is the supplier's path."""

FILTERS = ("upper", "lower", "slug", "last")
"""Beside a number, which cuts after so many characters. `last` is the last part of a path, `slug` fits into an address."""

_PIECE = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{([^{}]*)\}|[{}\[\]]|[^{}\[\]]+")
_DOUBLED = {"{{": "{", "}}": "}", "[[": "[", "]]": "]"}
# Letters that Unicode does not take apart into a plain one and a mark.
_PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "þ": "th"}
)


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A value, and what is made of it, filter by filter."""

    name: str
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What stands in brackets: left out where one of its names has no value."""

    pieces: tuple["Words | Name", ...]


def check(pattern: str, names: tuple[str, ...] = NAMES) -> None:
    """Raises Refused, saying what is wrong with a pattern and what may stand there."""
    for piece in _read(pattern):
        for one in piece.pieces if isinstance(piece, Group) else (piece,):
            if isinstance(one, Name):
                _check_name(one, names)


def filled(pattern: str, values: Mapping[str, str | None]) -> str:
    """The text of a checked pattern; runs of blanks become one. A name without a value is nothing."""
    return " ".join(_written(pattern, values).split())


def filled_markup(pattern: str, values: Mapping[str, str | None]) -> str:
    """The same for a pattern in HTML: values are escaped, but for the description, which brings its own."""
    shown = {
        name: value if name == "description" else html.escape(value or "") for name, value in values.items()
    }
    return _written(pattern, shown).strip()


def slug(text: str, most: int = 255) -> str:
    """ "Große Tasse, 2 l" → "grosse-tasse-2-l": lower-case letters without marks, figures, and single hyphens between."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^\w]+|_+", "-", kept).strip("-")[:most].rstrip("-")


def cut(text: str, most: int) -> str:
    """At most so many characters, ended after a whole word where there is one, with an ellipsis for what is missing."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    if not text[most - 1].isspace():
        whole = head.rsplit(None, 1)[0] if len(head.split(None, 1)) > 1 else head
        head = whole if len(whole) * 2 >= most else head
    return head.rstrip(" ,;:–-") + "…"


@lru_cache(maxsize=1000)
def _read(pattern: str) -> tuple[Words | Name | Group, ...]:
    pieces: list[Words | Name | Group] = []
    inner: list[Words | Name] | None = None
    for match in _PIECE.finditer(pattern):
        text = match[0]
        if text == "[" and inner is None:
            inner = []
        elif text == "]" and inner is not None:
            pieces.append(Group(tuple(inner)))
            inner = None
        elif text in ("[", "]", "{", "}"):
            raise Refused(
                f"{text!r} has no partner in {pattern!r}; write it twice where it is meant itself.",
                rule="template",
            )
        else:
            one: Words | Name
            if match[1] is not None:
                name, *filters = (part.strip() for part in match[1].split("|"))
                one = Name(name, tuple(filters))
            else:
                one = Words(_DOUBLED.get(text, text))
            (pieces if inner is None else inner).append(one)
    if inner is not None:
        raise Refused(
            f"'[' has no partner in {pattern!r}; write it twice where it is meant itself.", rule="template"
        )
    return tuple(pieces)


def _check_name(one: Name, names: tuple[str, ...]) -> None:
    if one.name not in names:
        raise Refused(
            f"{{{one.name}}} is no name that can be filled in; there are {', '.join(names)}.", rule="template"
        )
    for way in one.filters:
        if not (way in FILTERS or (way.isascii() and way.isdecimal() and 0 < int(way) <= 10_000)):
            raise Refused(
                f"{way!r} behind {{{one.name}}} is unknown: there are {', '.join(FILTERS)} and a number of characters.",
                rule="template",
            )


def _written(pattern: str, values: Mapping[str, str | None]) -> str:
    texts: list[str] = []
    for piece in _read(pattern):
        if isinstance(piece, Group):
            made = [_one(one, values) for one in piece.pieces]
            named = [text for one, text in zip(piece.pieces, made, strict=True) if isinstance(one, Name)]
            texts += made if all(named) else []
        else:
            texts.append(_one(piece, values))
    return "".join(texts)


def _one(piece: Words | Name, values: Mapping[str, str | None]) -> str:
    if isinstance(piece, Words):
        return piece.text
    text = values.get(piece.name) or ""
    for way in piece.filters:
        text = _filtered(text, way)
    return text


def _filtered(text: str, way: str) -> str:
    if way == "upper":
        return text.upper()
    if way == "lower":
        return text.lower()
    if way == "slug":
        return slug(text)
    if way == "last":
        return text.rsplit(" > ", 1)[-1]
    return cut(text, int(way))
