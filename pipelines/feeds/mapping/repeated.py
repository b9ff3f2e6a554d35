"""Of values that repeat inside a record those that stand beside what is wanted: the price of a type, the text of a language."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.columns import missing, text_series
from pipelines.feeds.mapping.numbers import read_number

CURRENCY = "_currency"
"""The column with the currency in which a record's prices are taken, for `same`."""
QUALIFIERS = ("where", "times", "per", "under")
_ABSOLUTE = re.compile(r"https?://", re.I)
_PLACES = Decimal("0.000001")
_BETWEEN = re.compile(f"[{OUTER}{INNER}]")


def in_one_currency(frame: pd.DataFrame, column: str | None, standing: str | None) -> pd.DataFrame:
    """The frame with CURRENCY: of the currencies that a record names in `column` the feed's own (`standing`), else the first.

    So that cost and price of one record never come from two currencies. A record that names none has `standing`.
    """
    if column is None or column not in frame:
        return frame.assign(**{CURRENCY: standing}) if standing else frame

    def choose(cell: str) -> str | None:
        named = [part.strip() for part in _BETWEEN.split(cell) if part.strip()]
        own = (one for one in named if standing and one.casefold() == standing.casefold())
        return next(own, named[0] if named else standing)

    known = {cell: choose(cell) for cell in frame[column].dropna().unique()}
    return frame.assign(
        **{CURRENCY: text_series([known.get(cell, standing) for cell in frame[column].tolist()], frame.index)}
    )


def narrowed(values: pd.Series, frame: pd.DataFrame, source: Mapping[str, Any]) -> pd.Series:
    """The values that `source` (see `kept`) wants, joined by INNER; None where none is."""
    rows = kept(values, frame, source)
    return text_series([INNER.join(filter(None, parts)) or None for parts in rows], values.index)


def kept(values: pd.Series, frame: pd.DataFrame, source: Mapping[str, Any]) -> list[list[str]]:
    """The repeated values of each record, place by place, blank where `source` does not want them.

    `where` is one condition or a list of conditions that all must hold: beside the value its column says one of `is`,
    none of `not`, or the `same` as another column of the record. Nothing said counts as "". A column that says one
    thing for a parent says it for all values in it, and one outside of them for all of the record. `times` multiplies by
    the column's number and `per` divides by it, where there is one; `under` puts the column's address before a value
    that is no address.
    """
    conditions = source.get("where", ())
    conditions = [conditions] if isinstance(conditions, Mapping) else conditions
    told = [beside(values, frame, source["column"], one["column"]) for one in conditions]
    wanted = [_words(frame, one) for one in conditions]
    changes = [
        (change, beside(values, frame, source["column"], source[name]))
        for name, change in (("times", _product), ("per", _quotient), ("under", _address))
        if name in source
    ]
    tests = [(said, words, "not" in one) for said, words, one in zip(told, wanted, conditions, strict=True)]
    rows: list[list[str]] = []
    for row, cell in enumerate(values.tolist()):
        if not isinstance(cell, str):
            rows.append([])
            continue
        parts = (
            [part.strip() for part in _BETWEEN.split(cell)]
            if OUTER in cell or INNER in cell
            else [cell.strip()]
        )
        for said, words, negative in tests:
            these = words[row % len(words)]
            parts = [
                part if (word.casefold() in these) != negative else ""
                for part, word in zip(parts, said[row], strict=True)
            ]
        for change, others in changes:
            parts = [
                change(part, other) if part and other else part
                for part, other in zip(parts, others[row], strict=True)
            ]
        rows.append(parts)
    return rows


def beside(values: pd.Series, frame: pd.DataFrame, column: str, other: str) -> list[list[str]]:
    """For each record and each of its values (of `column`) what the column `other` says beside it, "" for nothing."""
    series = frame[other] if other in frame else missing(frame.index)
    alone = other.startswith(f"{column}/@")  # an attribute speaks of its own element only
    elsewhere = other.rpartition("/")[0] != column.rpartition("/")[0] and not alone
    known: dict[Any, list[str]] = {}
    rows: list[list[str]] = []
    for cell, says in zip(values.tolist(), series.tolist(), strict=True):
        if not isinstance(cell, str):
            rows.append([])
            continue
        counts = (
            tuple(group.count(INNER) for group in cell.split(OUTER)) if INNER in cell else cell.count(OUTER)
        )
        said = says if isinstance(says, str) else ""
        found = known.get((said, counts))
        if found is None:
            inside = counts if isinstance(counts, tuple) else (0,) * (counts + 1)
            found = known[said, counts] = _spread(said, inside, alone=alone, elsewhere=elsewhere)
        rows.append(found)
    return rows


def _spread(said: str, inside: tuple[int, ...], *, alone: bool, elsewhere: bool) -> list[str]:
    """What a cell says for each value of a column with so many marks inside each of its parents."""
    groups = said.split(OUTER)
    if elsewhere and len(groups) == 1:
        groups *= len(inside)
    found: list[str] = []
    for place, marks in enumerate(inside):
        words = groups[place].split(INNER) if place < len(groups) else [""]
        if len(words) == 1 and not alone:
            words *= marks + 1
        words += [""] * (marks + 1 - len(words))
        found += [word.strip() for word in words[: marks + 1]]
    return found


def _words(frame: pd.DataFrame, condition: Mapping[str, Any]) -> list[frozenset[str]]:
    """What a condition asks for: one set for all records, or with `same` one each."""
    if "same" not in condition:
        return [frozenset(str(word).casefold() for word in condition["is" if "is" in condition else "not"])]
    series = frame[condition["same"]] if condition["same"] in frame else missing(frame.index)
    return [
        frozenset({one.strip().casefold()}) if isinstance(one, str) else frozenset()
        for one in series.tolist()
    ]


def _product(text: str, factor: str) -> str:
    """ "17,23" and ",8" -> "13.7840"."""
    one, two = _decimal(text), _decimal(factor)
    return text if one is None or two is None or two == 1 else _written(one * two)


def _quotient(text: str, count: str) -> str:
    one, two = _decimal(text), _decimal(count)
    return text if one is None or not two or two in (0, 1) else _written((one / two).quantize(_PLACES))


def _address(text: str, root: str) -> str:
    if _ABSOLUTE.match(text) or not _ABSOLUTE.match(root):
        return text
    return f"{root.rstrip('/')}/{text.lstrip('/')}"


def _decimal(text: str) -> Decimal | None:
    figure = read_number(text, "," if "," in text and "." not in text else ".")
    return None if figure.text is None else Decimal(figure.text)


def _written(amount: Decimal) -> str:
    """Never with three decimals, which could be read as thousands."""
    whole, _, fraction = f"{amount.normalize():f}".partition(".")
    return f"{whole}.{fraction}0" if len(fraction) == 3 else f"{whole}.{fraction}" if fraction else whole
