"""A mapping proposed for columns nobody described: by their names in many languages and by what their values look like."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from core.errors import Refused
from pipelines.feeds.mapping.columns import per_unique, without_missing
from pipelines.feeds.mapping.document import MISSING_VALUES, settle
from pipelines.feeds.mapping.gtin import bare_gtins, judge
from pipelines.feeds.mapping.numbers import currency_of, read_number
from pipelines.feeds.mapping.units import unit_name
from pipelines.feeds.profiles import fold

_LOOKED_AT = 2_000  # records; enough to see what a column holds
_PICTURE = r"(?i)\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?|svg)\b|(?:image|img|photo|bild)[^\s]*/"
_ABOUT_MONEY = re.compile(r"price|preis|prix|preci|prezz|prijs|cena|cost|kosten|fee|gebühr|цен|価格|价")
_TELLING = {"supplier_sku", "source_id", "gtin", "title", "price", "cost"}
_MONEY = ("cost", "price", "rrp")
_BY_VALUES = 0.7  # for what only the values tell
_CERTAIN = 0.6  # below, a column stays unmapped: a wrong guess costs more than a question
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
OPERATIONS: dict[str, list[Any]] = {
    "supplier_sku": [{"strip": "'"}], "source_id": ["trim"], "gtin": ["gtin"], "mpn": ["text"], "brand": ["text"], "title": ["text"],
    "description": ["html"], "category": ["text"], "cost": ["money"], "price": ["money"], "rrp": ["money"], "currency": ["currency"],
    "tax_rate": ["percent"], "stock": [{"number": {"whole": True}}], "availability": [{"lookup": "availability"}],
    "lead_time_days": [{"unit": {"to": "days", "of": "days"}}], "weight_g": [{"unit": {"to": "g", "assume": "kg"}}],
    "length_mm": [{"unit": {"to": "mm"}}], "width_mm": [{"unit": {"to": "mm"}}], "height_mm": [{"unit": {"to": "mm"}}],
    "condition": [{"lookup": "condition"}], "kind": [{"lookup": "kind"}], "group_key": ["trim"], "images": ["url"], "source_url": ["url"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Column:
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


def propose(
    header: list[str], sample: pd.DataFrame, currency: str | None, *, paths: bool = False
) -> dict[str, Any]:
    """The document's sections (key, fields, grouping) for unknown columns, each field with its confidence.

    With `paths` the columns are places in a tree ("price/@currency", "../brand/name"): their ends are what counts.
    Raises Refused (`no_known_columns`) where nothing in the file looks like an offer.
    """
    table = _synonyms()
    called = {name: end_of_path(name) if paths else name for name in header}
    columns = [_seen(name, called[name], sample[name].head(_LOOKED_AT)) for name in header]
    chosen = _assigned(columns, table)
    if not chosen.keys() & _TELLING:
        raise Refused(
            "None of the columns is known as an article number, title or price "
            f"({', '.join(header[:8])}); give a mapping, or check that this is the feed.",
            rule="no_known_columns",
        )
    by_name = {column.name: column for column in columns}
    fields: dict[str, Any] = {}
    for field, (names, confidence) in chosen.items():
        spec: dict[str, Any] = {
            "from": names,
            "operations": list(OPERATIONS[field]),
            "confidence": confidence,
        }
        if field == "images":
            spec["all"] = True
        fields[field] = spec
    _one_currency(fields, columns, currency)
    if "price" not in fields and "cost" not in fields and "rrp" in fields:
        fields["price"] = fields.pop("rrp")
    _levels(fields, columns)
    _unitless(fields)
    if "availability" in fields and fields["availability"]["from"] == fields.get("stock", {}).get("from"):
        del fields["availability"]
    used = {name for spec in fields.values() for name in spec["from"]}
    pairs = _option_pairs(header, table)
    used |= {name for pair in pairs for name in pair}
    options = [name for name in header if name not in used and _plain(called[name]) in table["options"]]
    pairs += [[{"value": called[name]}, name] for name in options]
    if pairs:
        fields["options"] = {"pairs": pairs, "confidence": 0.8}
    used |= set(options)
    attributes = [
        column.name for column in columns if column.name not in used and _is_attribute(column, table)
    ]
    if attributes:
        fields["attributes"] = {
            "pairs": [[{"value": called[name]}, name] for name in attributes],
            "confidence": 0.5,
        }
    for spec in fields.values():
        settle(spec, sample)
    sections: dict[str, Any] = {"key": _key_order(fields), "fields": fields, "grouping": None}
    taxed = by_name[fields["price"]["from"][0]].taxed if "price" in fields else None
    if taxed is not None:
        sections["price_includes_tax"] = taxed
    for field in ("price", "cost"):
        if field in fields and (said := by_name[fields[field]["from"][0]].currency):
            sections.setdefault("currency", said)
    return sections


def _assigned(columns: list[_Column], table: Mapping[str, Any]) -> dict[str, tuple[list[str], float]]:
    """field -> (columns, confidence): the best pairs first, each column for one field."""
    scores = [
        (score, -place, field, column.name)
        for place, column in enumerate(columns)
        for field in OPERATIONS
        if (score := _score(field, column, table)) >= _CERTAIN
    ]
    chosen: dict[str, tuple[list[str], float]] = {}
    taken: set[str] = set()
    for score, _, field, name in sorted(scores, reverse=True):
        if name in taken:
            continue
        if field not in chosen:
            chosen[field] = ([name], round(score, 2))
        elif (
            field == "images"
            or (field == "gtin" and score > _BY_VALUES)
            or (field in _MONEY and _same_but_currency(name, chosen[field][0][0], columns))
        ):
            chosen[field][0].append(name)
        else:
            continue
        taken.add(name)
    order = [column.name for column in columns]
    for field in ("images",):
        if field in chosen:
            chosen[field][0].sort(key=order.index)
    return chosen


def _score(field: str, column: _Column, table: Mapping[str, Any]) -> float:
    """How sure it is that `column` is `field`, 0 to 1: the name counts, the values must not contradict."""
    named = _named(field, column, table)
    if field == "gtin":
        if named < _CERTAIN:
            alike = column.gtins >= 0.8 and column.distinct > 0.5 and not re.search(r"\bgln\b", column.words)
            return _BY_VALUES if alike and _named("supplier_sku", column, table) < _CERTAIN else 0.0
        return named if column.gtins >= 0.3 or named >= 0.9 else 0.0
    if not column.filled:  # an empty column may fill later; any filled one goes before
        return named * 0.7 if named >= 0.95 else _CERTAIN if field == "images" and named >= 0.75 else 0.0
    if field == "images":
        if column.pictures < 0.3:
            return 0.0
        return max(named, _BY_VALUES if column.addresses > 0.8 else 0.0)
    if named < _CERTAIN:
        return 0.0
    if field in (*_MONEY, "stock") and column.figures < 0.5:
        return 0.0
    if field in ("tax_rate", "weight_g", "length_mm", "width_mm", "height_mm") and column.figures < 0.3:
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


def _named(field: str, column: _Column, table: Mapping[str, Any]) -> float:
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
            if tokens[-1] in ("id", "code") and parts[-1] != tokens[-1]:
                continue  # "product type id" names no type
            if len(parts) < len(tokens) <= len(parts) + 2 and f" {name} " in f" {column.bare} ":
                best = max(best, 0.85 - 0.1 * (len(tokens) - len(parts)) - 0.1 * rank / len(names))
    return best


def _seen(name: str, called: str, values: pd.Series) -> _Column:
    """What the name and the values of a column tell."""
    filled = without_missing(values, frozenset(MISSING_VALUES)).dropna()
    words, currency, taxed = _read_name(called)
    bare = _without_noise(words, _synonyms()["noise"])
    if filled.empty:
        return _Column(name, words, bare, currency, taxed, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    figures = per_unique(filled, _is_amount).mean()
    verdicts = judge(bare_gtins(filled), repair=False)[1]
    return _Column(
        name, words, bare, currency, taxed,
        filled=len(filled) / max(len(values), 1),
        figures=float(figures),
        addresses=float(filled.str.contains(r"^\s*(?:https?:)?//", regex=True).mean()),
        pictures=float(filled.str.contains(_PICTURE, regex=True).mean()),
        gtins=float(verdicts.isin(["valid", "restricted"]).mean()),
        distinct=filled.nunique() / len(filled),
        length=float(filled.str.len().mean()),
    )  # fmt: skip


def end_of_path(path: str) -> str:
    """What a place in a tree is called: "offer/price/amount" is a price, "brand/name" a brand name, "shipping/price" both."""
    steps = [step.lstrip("@") for step in path.split("/") if step not in ("..", ".")]
    steps = [step.partition(":")[2] or step for step in steps] or [path]  # g:price, ns0:price
    if len(steps) > 1 and fold(steps[-1]) in _BESIDE:
        return steps[-2]
    above_too = len(steps) > 1 and (
        fold(steps[-1]) in _SAYS_LITTLE or _synonyms()["never"].search(fold(" ".join(steps[:-1])))
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


def _same_but_currency(one: str, other: str, columns: list[_Column]) -> bool:
    """Whether two price columns differ in their currency only ("Price EUR", "Price USD")."""
    first, second = (next(column for column in columns if column.name == name) for name in (one, other))
    return bool(first.currency and second.currency and first.currency != second.currency)


def _one_currency(fields: dict[str, Any], columns: list[_Column], wanted: str | None) -> None:
    """Of several price columns the one in the wanted currency, else the first: an offer has one currency."""
    said = {column.name: column.currency for column in columns}
    order = [column.name for column in columns]
    for field in _MONEY:
        if field in fields and len(fields[field]["from"]) > 1:
            names = sorted(fields[field]["from"], key=order.index)
            fields[field]["from"] = [
                next((name for name in names if wanted and said[name] == wanted), names[0])
            ]


def _levels(fields: dict[str, Any], columns: list[_Column]) -> None:
    """Category levels in columns of their own ("分類１", "Kategorie 2") become one path."""
    names: dict[str, int] = _synonyms()["fields"]["category"]
    levels = [
        column.name
        for column in columns
        if re.sub(r"\s*\d+$", "", column.words) in names and re.search(r"\d$", column.words)
    ]
    if len(levels) > 1:
        fields["category"] = {
            "from": levels,
            "all": True,
            "operations": [{"split": []}, {"join": " > "}],
            "confidence": 0.85,
        }


def _unitless(fields: dict[str, Any]) -> None:
    """A length without a unit in its header or values says nothing."""
    for field in ("length_mm", "width_mm", "height_mm"):
        if field in fields and not any(unit_name(name, "mm") for name in fields[field]["from"]):
            del fields[field]


def _option_pairs(header: list[str], table: Mapping[str, Any]) -> list[list[Any]]:
    by_fold = {fold(name): name for name in header}
    pairs = []
    for one, two in table["option_pairs"]:
        for number in range(1, 11):
            label = by_fold.get(fold(one.replace("{n}", str(number))))
            value = by_fold.get(fold(two.replace("{n}", str(number))))
            if label and value and [label, value] not in pairs:
                pairs.append([label, value])
    return pairs


def _is_attribute(column: _Column, table: Mapping[str, Any]) -> bool:
    """A short, named, filled column that describes the article."""
    return (
        bool(column.filled)
        and column.length <= 80
        and column.addresses < 0.5
        and not column.words.startswith("column ")
        and not column.words.endswith(" id")
        and not _ABOUT_MONEY.search(column.words)
        and not {column.words, column.bare} & table["ignored_attributes"]
        and not table["never"].search(column.words)
    )


def _key_order(fields: Mapping[str, Any]) -> list[str]:
    """A list with article numbers is keyed by them; an address is a key only where there is nothing else."""
    numbered = [name for name in ("supplier_sku", "source_id") if name in fields]
    return [*numbered, "gtin"] if numbered else ["gtin", "source_url"]


def _plain(name: str) -> str:
    return _without_noise(_read_name(name)[0], _synonyms()["noise"])


@lru_cache(1)
def _synonyms() -> dict[str, Any]:
    """The table of synonyms, names folded, each with its rank."""
    table: dict[str, Any] = yaml.safe_load(
        (Path(__file__).parent.parent / "profiles" / "synonyms.yaml").read_text("utf-8")
    )
    table["fields"] = {
        field: {name: rank for rank, name in reversed(list(enumerate(map(fold, map(str, names)))))}
        for field, names in table["fields"].items()
    }
    for part in ("options", "never", "ignored_attributes", "noise"):
        table[part] = {fold(str(word)) for word in table[part]}
    table["never"] = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, table["never"]))) + r")\b")
    return table
