"""The closed list of operations a mapping may use: each turns a whole column into a column, no free code."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import INNER, OUTER
from core.errors import Refused
from pipelines.feeds.mapping import figures, words
from pipelines.feeds.mapping import gtin as gtins
from pipelines.feeds.mapping.addresses import addresses
from pipelines.feeds.mapping.arrays import (
    Mask,
    each,
    filled,
    holds,
    keep,
    per_value,
    put,
    rows_of_bytes,
    rows_with,
    series,
    texts,
    true,
    word,
)  # fmt: skip
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.markup import bare_text, cleaned
from pipelines.feeds.mapping.vocabulary import vocabulary

Operation = Callable[[Column, Any], None]


def trim(column: Column, _: Any) -> None:
    """Without blanks around it."""
    column.text = pc.utf8_trim_whitespace(column.text)


def collapse(column: Column, _: Any) -> None:
    """Every run of blanks and line ends becomes one blank."""
    uneven = rows_of_bytes(column.text, _uneven)
    if uneven is not None:
        some = pc.replace_substring_regex(column.text.filter(pa.array(uneven)), r"\s+", " ")
        column.text = put(column.text, uneven, some)
    column.text = pc.utf8_trim_whitespace(column.text)


def strip(column: Column, characters: str) -> None:
    """Without these characters at its beginning and end: `strip: "'"`."""
    column.text = filled(pc.utf8_trim(column.text, characters=characters + " "))


def replace(column: Column, pairs: dict[str, str]) -> None:
    """Plain text replaced by plain text: `replace: {"&nbsp;": " "}`."""
    for old, new in pairs.items():
        if holds(column.text, old.encode()):
            column.text = pc.replace_substring(column.text, old, new)


def regex(column: Column, argument: dict[str, str]) -> None:
    r"""The first group of an RE2 pattern, nothing where it does not match: `regex: {find: "^(\d+)"}`.

    `with` puts other text in place of every match instead, `\1` being the first group. RE2 takes linear time whatever
    pattern and text are. Raises Refused for a pattern it does not know.
    """
    find = argument["find"]
    try:
        if "with" in argument:
            column.text = filled(pc.replace_substring_regex(column.text, find, argument["with"]))
            return
        matches = true(pc.match_substring_regex(column.text, find))
        groups = pc.replace_substring_regex(column.text, f"(?s)^.*?(?:{find}).*$", r"\1")
    except pa.ArrowInvalid as error:
        raise Refused(
            f"The pattern {find!r} is not usable: {' '.join(str(error).split())}.", rule="mapping_invalid"
        ) from None
    column.text = filled(keep(groups, matches))


def case(column: Column, to: str) -> None:
    """`case: upper`, `lower` or `title`."""
    column.text = {"upper": pc.utf8_upper, "lower": pc.utf8_lower, "title": pc.utf8_title}[to](column.text)


def split(column: Column, separators: str | list[str]) -> None:
    """Text -> list of text, at any of these separators."""
    parting = [OUTER, INNER, *([separators] if isinstance(separators, str) else separators)]
    pattern = re.compile("|".join(map(re.escape, parting)))
    several = rows_with(column.text, *(one.encode() for one in parting))
    if several is not None:
        some = each(
            column.text.filter(pa.array(several)),
            lambda text: INNER.join(filter(None, map(str.strip, pattern.split(text)))) or None,
        )
        column.text = put(column.text, several, some)
    column.kind = "list"


def join(column: Column, separator: str) -> None:
    """List of text -> text: `join: " > "`."""
    column.text, column.kind = pc.replace_substring(column.text, INNER, separator), "text"


def first(column: Column, _: Any) -> None:
    """List -> its first value."""
    several = rows_with(column.text, INNER.encode())
    if several is not None:
        column.text = pc.replace_substring_regex(column.text, f"(?s){INNER}.*$", "")
    column.kind = "text"


def value_map(column: Column, table: dict[str, Any]) -> None:
    """Words -> values, without regard to case; `"*"` stands for every other word."""
    known = {str(word).casefold(): value for word, value in table.items()}
    other = known.get("*")
    encoded = column.text.dictionary_encode()
    told = [known.get(text.casefold(), other) for text in encoded.dictionary.to_pylist()]
    kind = _kind_of(known.values())
    column.text = texts(_written(value) for value in told).take(encoded.indices)
    column.kind = kind


def lookup(column: Column, table: str) -> None:
    """Words in many languages -> ours, by one of the hub's tables: `lookup: availability`."""
    value_map(column, vocabulary(table))


def template(column: Column, pattern: str) -> None:
    """The value inside other text: `template: "id:{}"`."""
    before, _, after = pattern.partition("{}")
    column.text = pc.binary_join_element_wise(word(before), column.text, word(after), word(""))


def default(column: Column, value: Any) -> None:
    """This value where there is none."""
    if column.text.null_count == len(column.text):
        column.kind = _kind_of([value])
    column.text = column.text.fill_null(_written(value))


def boolean(column: Column, _: Any) -> None:
    """Yes and no in the words of many languages -> True, False; else nothing."""
    column.text = each(column.text, lambda text: _YES_NO.get(text.casefold()))
    column.kind = "flag"


def gtin(column: Column, argument: dict[str, bool] | None) -> None:
    """A GTIN with its verdict beside it; `repair` gives lost leading zeros back where the check digit then holds."""
    numbers, codes = gtins.judged(gtins.bare(column.text), repair=bool((argument or {}).get("repair")))
    column.text = numbers
    column.sides["gtin_verdict"] = series(gtins.words_of(codes))
    for rule in ("invalid", "repaired", "restricted"):
        column.mark(f"gtin_{rule}", codes == gtins.VERDICTS.index(rule))


def html(column: Column, _: Any) -> None:
    """Only harmless markup stays; `html_cleaned` marks rows that lost something that matters."""
    marked = rows_of_bytes(column.text, _marking)
    if marked is None:
        return
    answers = per_value(column.text.filter(pa.array(marked)), cleaned).tolist()
    column.text = filled(put(column.text, marked, texts(kept for kept, _ in answers)))
    lost = np.zeros(len(marked), dtype=bool)
    lost[marked] = [removed for _, removed in answers]
    column.mark("html_cleaned", lost)


def text(column: Column, _: Any) -> None:
    """One line of plain text: tags taken out, entities read, blanks collapsed; lost characters are marked."""
    marked = rows_of_bytes(column.text, _marking)
    if marked is not None:
        column.text = put(column.text, marked, each(column.text.filter(pa.array(marked)), bare_text))
    collapse(column, None)
    column.text = filled(column.text)
    damaged = rows_with(column.text, "\ufffd".encode())
    if damaged is not None:
        column.mark("text_damaged", damaged)


def url(column: Column, _: Any) -> None:
    """Addresses of the web, blanks inside them mended; other text is dropped and marked `image_unusable`."""
    column.text, unusable = addresses(column.text)
    column.kind = "list"
    column.mark("image_unusable", unusable)


OPERATIONS: dict[str, Operation] = {
    "trim": trim, "collapse": collapse, "strip": strip, "replace": replace, "regex": regex, "case": case,
    "split": split, "join": join, "first": first, "map": value_map,
    "lookup": lookup, "template": template, "default": default, "boolean": boolean,
    "number": figures.number, "money": figures.money, "currency": figures.currency, "percent": figures.percent,
    "unit": figures.unit, "gtin": gtin,
    "html": html, "text": text, "url": url, **words.OPERATIONS,
}  # fmt: skip

_YES = "1 true yes y ja j oui o si sí sim tak да так ano áno x wahr vrai on はい 是 예"
_NO = "0 false no n nein non não nie нет ні ne falsch faux off いいえ 否 아니오"
_YES_NO = {**dict.fromkeys(_YES.split(), "true"), **dict.fromkeys(_NO.split(), "false")}


def _uneven(data: npt.NDArray[np.uint8]) -> Mask:
    """Blanks other than single spaces: line ends, tabs, and the second of two spaces."""
    found = (data <= 13) & (data >= 9)
    found[1:] |= (data[1:] == 32) & (data[:-1] == 32)
    return found


def _marking(data: npt.NDArray[np.uint8]) -> Mask:
    """The beginnings of tags and entities."""
    found: Mask = (data == 0x3C) | (data == 0x26)
    return found


def _kind_of(values: Any) -> str:
    """What a column of these values is: "flag" and "whole" only where nothing else is among them."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return "flag"
    return "whole" if there and all(type(value) is int for value in there) else "text"


def _written(value: Any) -> str | None:
    if value is None:
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
