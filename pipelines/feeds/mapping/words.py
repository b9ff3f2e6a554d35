"""Operations on words that mean the same everywhere: dates, countries and languages, whatever they are called."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from connectors.readers.frames import INNER
from pipelines.feeds.mapping.arrays import each, texts, true
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.dates import read_date
from pipelines.feeds.profiles import fold

_MADE_IN = re.compile(
    r"^(?:made in|product of|hergestellt in|fabriqué en|fabricado en|prodotto in|wyprodukowano w|vyrobeno v|сделано в)\s+"
)
_BETWEEN_PARTS = re.compile(r"[-_\s(,;/]")


def date(column: Column, argument: dict[str, str] | None) -> None:
    """Many spellings -> "2026-11-27". `order` ("dmy", "mdy") says how 03/04/2026 is meant; what is no date is `value_ignored`."""
    order = (argument or {}).get("order", "")
    _each(column, lambda text: read_date(text, order))


def country(column: Column, _: Any) -> None:
    """Names in many languages and codes -> ISO 3166-1 alpha-2: "Deutschland", "DEU", "276" -> "DE"; else `value_ignored`."""
    _each(column, country_of)


def language(column: Column, _: Any) -> None:
    """Names in many languages, codes and locales -> ISO 639-1: "German", "ger", "de-AT" -> "de", "ua" -> "uk"; else `value_ignored`."""
    _each(column, language_of)


OPERATIONS = {"date": date, "country": country, "language": language}


def country_of(text: str) -> str | None:
    """ISO 3166-1 alpha-2 of a country's code or name, None for what is none ("EU", "Import")."""
    plain = fold(text)
    found = _table("countries")
    return found.get(plain) or found.get(_MADE_IN.sub("", plain)) or found.get(plain.removeprefix("the "))


def language_of(text: str) -> str | None:
    """ISO 639-1 of a language's code or name, None for what is none."""
    found = _table("languages")
    whole = unicodedata.normalize("NFKC", text).strip()
    return found.get(fold(whole)) or found.get(fold(_BETWEEN_PARTS.split(whole, maxsplit=1)[0]))


def _each(column: Column, read: Callable[[str], str | None]) -> None:
    """`read` of every value, or of every part of a list; what it cannot read is remarked."""
    odd: set[str] = set()

    def told(text: str) -> str | None:
        parts = [(part, read(part)) for part in text.split(INNER)]
        if any(ours is None for _, ours in parts):
            odd.add(text)
        return INNER.join(ours for _, ours in parts if ours) or None

    received = column.text
    column.text = each(received, told)
    if odd:
        column.mark("value_ignored", true(pc.is_in(received, value_set=texts(sorted(odd)))))


@lru_cache
def _table(name: str) -> dict[str, str]:
    """Every word of the table, folded, with its code; where two codes claim a word, the code itself goes first."""
    lines = (Path(__file__).parent / f"{name}.txt").read_text("utf-8").splitlines()
    rows = [line.partition(": ") for line in lines if not line.startswith("#")]
    codes = {fold(word): head.split()[0] for head, _, _ in rows for word in head.split()}
    names = {fold(word): head.split()[0] for head, _, tail in reversed(rows) for word in tail.split(";")}
    return {word: code for word, code in {**names, **codes}.items() if word}
