"""What a column looks like: its name in words of many languages, and the shapes of its values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipelines.feeds.mapping.columns import per_unique, without_missing
from pipelines.feeds.mapping.dates import read_date
from pipelines.feeds.mapping.document import MISSING_VALUES
from pipelines.feeds.mapping.gtin import bare_gtins, judge
from pipelines.feeds.mapping.numbers import currency_of, read_number
from pipelines.feeds.mapping.words import country_of
from pipelines.feeds.profiles import fold

CERTAIN = 0.6
"""Below, a column stays unmapped: a wrong guess costs more than a question."""
BY_VALUES = 0.7
"""For what only the values tell."""
MONEY = ("cost", "price", "rrp")
_SAMPLE = 50  # different values; enough to see what shape they have
LOOKED_AT = 2_000  # records; enough to see what a column holds
_PICTURE = r"(?i)\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?|svg)\b|(?:image|img|photo|bild)[^\s]*/"
_TAX_WORDS = {
    "net": False, "netto": False, "excl": False, "exkl": False, "excluded": False, "excluding": False, "ht": False, "exvat": False,
    "zzgl": False, "gross": True, "brutto": True, "incl": True, "inkl": True, "including": True, "included": True, "ttc": True,
}  # fmt: skip
_FILLERS = {
    "tax",
    "vat",
    "mwst",
    "ust",
    "dph",
    "iva",
    "tva",
    "btw",
    "in",
    "of",
    "inkl",
    "exkl",
    "incl",
    "excl",
    "amount",
    "de",
    "tax excl",
    "tax incl",
}
_BESIDE = {"value", "amount", "text", "content", "t"}  # ends of paths that say what their parent is …
_SAYS_LITTLE = {
    "name",
    "title",
    "id",
    "code",
    "label",
    "number",
    "type",
    "key",
    "url",
}  # … or only say it with it

_FIGURED = ("minimum", "step", "pack", "map_price", "cost_basis")
_TURNS = {
    "id", "code", "quantity", "qty", "unit", "type", "factor", "currency", "menge", "einheit", "typ", "währung", "faktor", "date", "datum",
}  # fmt: skip
"""Last words that make a name mean something else than the words before them."""
_SHAPED = (
    *_FIGURED,
    "origin",
    "valid_from",
    "valid_to",
    "hs_code",
)  # what their values must look like decides too


@dataclass(frozen=True, slots=True)
class SeenColumn:
    """A column's name in words, what its name says beside, and what its values look like (shares of the filled ones)."""

    name: str
    words: str
    bare: str
    currency: str | None
    taxed: bool | None
    filled: float
    figures: float
    addresses: float
    pictures: float
    gtins: float
    distinct: float
    length: float
    sample: tuple[str, ...] = ()


def score(field: str, column: SeenColumn, table: Mapping[str, Any]) -> float:
    """How sure it is that `column` is `field`, 0 to 1: the name counts, the values must not contradict."""
    named = _named(field, column, table)
    if field == "gtin":
        if named < CERTAIN:
            alike = column.gtins >= 0.8 and column.distinct > 0.5 and not re.search(r"\bgln\b", column.words)
            return BY_VALUES if alike and _named("supplier_sku", column, table) < CERTAIN else 0.0
        return named if column.gtins >= 0.3 or named >= 0.9 else 0.0
    if not column.filled:  # an empty column may fill later; any filled one goes before
        return named * 0.7 if named >= 0.95 else CERTAIN if field == "images" and named >= 0.75 else 0.0
    if field == "images":
        if column.pictures < 0.3:
            return 0.0
        return max(named, BY_VALUES if column.addresses > 0.8 else 0.0)
    if named < CERTAIN:
        return 0.0
    if field in (*MONEY, "stock") and column.figures < 0.5:
        return 0.0
    if field in ("tax_rate", "weight_g", "length_mm", "width_mm", "height_mm") and column.figures < 0.3:
        return 0.0
    if field in _SHAPED and sum(_fits(field, one) for one in column.sample) * 2 < len(column.sample):
        return 0.0
    if field == "source_url" and column.addresses < 0.5:
        return 0.0
    if field == "title" and (column.addresses > 0.3 or column.figures > 0.9):
        return 0.0
    if field in ("supplier_sku", "source_id"):
        named -= 0.25 * (1 - column.distinct)
        named -= 0.3 * (column.length > 60 or column.addresses > 0.5)
    if field == "availability" and column.figures > 0.9 and column.distinct > 0.5 and column.filled > 0.5:
        return 0.0
    return named


def _fits(field: str, text: str) -> bool:
    """Whether a value looks like the field."""
    if field in _FIGURED:
        return _is_amount(text)
    if field == "origin":
        return country_of(text) is not None
    if field == "hs_code":
        digits = re.sub(r"[\s.]", "", text)
        return digits.isdigit() and 4 <= len(digits) <= 11
    return read_date(text, "dmy") is not None


def _named(field: str, column: SeenColumn, table: Mapping[str, Any]) -> float:
    """How well the column's name says the field: 1 for the first synonym, less down the list and for words beside it."""
    names: dict[str, int] = table["fields"][field]
    if column.words in names:
        return 1.0 - 0.15 * names[column.words] / len(names)
    if column.bare in names:
        return 0.95 - 0.15 * names[column.bare] / len(names)
    tokens = column.bare.split()
    if not tokens or table["never"].search(column.words):
        return 0.0
    best = 0.0
    latin = bool(re.search(r"[a-z]", column.words))
    for name, rank in names.items():
        if not latin and len(name) > 1 and not name.isascii() and name in column.words:
            best = max(best, 0.8 - 0.1 * rank / len(names))  # scripts that write words without blanks
        elif len(name) > 2 and name in column.bare:
            parts = name.split()
            if field == "source_id" and len(parts) == 1:
                continue  # "old code" is no id of the record, "code" alone may be
            if tokens[-1] in _TURNS and parts[-1] != tokens[-1]:
                continue  # "product type id" names no type, "price unit" no price
            if len(parts) < len(tokens) <= len(parts) + 2 and f" {name} " in f" {column.bare} ":
                best = max(best, 0.85 - 0.1 * (len(tokens) - len(parts)) - 0.1 * rank / len(names))
    return best


def seen_column(name: str, called: str, values: pd.Series) -> SeenColumn:
    """What the name and the values of a column tell."""
    filled = without_missing(values, frozenset(MISSING_VALUES)).dropna()
    words, currency, taxed = _read_name(called)
    bare = _without_noise(words, synonyms()["noise"])
    if filled.empty:
        return SeenColumn(name, words, bare, currency, taxed, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    figures = per_unique(filled, _is_amount).mean()
    verdicts = judge(bare_gtins(filled), repair=False)[1]
    return SeenColumn(
        name, words, bare, currency, taxed,
        filled=len(filled) / max(len(values), 1),
        figures=float(figures),
        addresses=float(filled.str.contains(r"^\s*(?:https?:)?//", regex=True).mean()),
        pictures=float(filled.str.contains(_PICTURE, regex=True).mean()),
        gtins=float(verdicts.isin(["valid", "restricted"]).mean()),
        distinct=filled.nunique() / len(filled),
        length=float(filled.str.len().mean()),
        sample=tuple(filled.drop_duplicates().head(_SAMPLE)),
    )  # fmt: skip


def end_of_path(path: str) -> str:
    """What a place in a tree is called: "offer/price/amount" is a price, "brand/name" a brand name, "shipping/price" both."""
    steps = [step.lstrip("@") for step in path.split("/") if step not in ("..", ".")]
    steps = [step.partition(":")[2] or step for step in steps] or [path]  # g:price, ns0:price
    if len(steps) > 1 and fold(steps[-1]) in _BESIDE:
        steps = steps[:-1]
        if fold(steps[-1]) not in _TAX_WORDS or len(steps) == 1:
            return steps[-1]
    if len(steps) > 1 and fold(steps[-1]) in _TAX_WORDS:  # price/gross/amount
        return " ".join(steps[-2:])
    above_too = len(steps) > 1 and (
        fold(steps[-1]) in _SAYS_LITTLE or synonyms()["never"].search(fold(" ".join(steps[:-1])))
    )
    return " ".join(steps[-2:]) if above_too else steps[-1]


def _read_name(name: str) -> tuple[str, str | None, bool | None]:
    """(words without brackets, currency and tax words; the currency they name; whether tax is included)."""
    spaced = re.sub(r"(?<=[a-zß-ÿ])(?=[A-Z])", " ", name.replace("#", " "))
    bracketed = " ".join(re.findall(r"[(\[]([^)\]]*)[)\]]", spaced))
    words = fold(re.sub(r"[(\[][^)\]]*[)\]]", " ", spaced)) or fold(spaced)
    currency = next(
        (code for one in re.split(r"[\s/,;_]+", f"{spaced} {bracketed}") if (code := _said_currency(one))),
        None,
    )
    tokens = fold(f"{words} {bracketed}").split()
    taxed = next((_TAX_WORDS[token] for token in tokens if token in _TAX_WORDS), None)
    return words, currency, taxed


def _said_currency(token: str) -> str | None:
    """Only capitals or signs: "all" and "try" are words, "EUR" and "€" are currencies."""
    plain = token.strip("()[]{}.:")
    if not plain or (plain.isascii() and plain.isalpha() and not (plain.isupper() and len(plain) == 3)):
        return None
    return currency_of(plain) or None


def _without_noise(words: str, noise: set[str]) -> str:
    tokens = [token for token in words.split() if token not in noise]
    kept = [
        token
        for token in tokens
        if token not in _FILLERS and token not in _TAX_WORDS and not _said_currency(token.upper())
    ]
    kept = [token for token in kept if not token.isdigit()] or kept
    return " ".join(kept or tokens)


def _is_amount(text: str) -> bool:
    """A figure with nothing beside it but a currency or a short unit."""
    figure = read_number(text)
    if figure.text is None or len(figure.tail) > 4 or "/" in figure.tail:
        return False
    return not any(character.isalpha() for character in figure.lead) or currency_of(figure.lead) is not None


def plain_words(name: str) -> str:
    return _without_noise(_read_name(name)[0], synonyms()["noise"])


@lru_cache(1)
def synonyms() -> dict[str, Any]:
    """The table of synonyms, names folded, each with its rank."""
    table: dict[str, Any] = yaml.load(
        (Path(__file__).parent.parent / "profiles" / "synonyms.yaml").read_text("utf-8"),
        Loader=yaml.CSafeLoader,
    )
    table["fields"] = {
        field: {name: rank for rank, name in reversed(list(enumerate(map(fold, map(str, names)))))}
        for field, names in table["fields"].items()
    }
    for part in ("options", "never", "ignored_attributes", "noise"):
        table[part] = {fold(str(word)) for word in table[part]}
    table["never"] = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, table["never"]))) + r")\b")
    return table
