"""Rules of a mapping: if a record says this, then it is a part, is left out, waits, is refused, or says something else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.arithmetic import calculated, decimal_of
from pipelines.feeds.mapping.checking import conditions
from pipelines.feeds.mapping.columns import Column, Mask, flags, missing, per_unique, text_series
from pipelines.feeds.mapping.patterns import matching
from pipelines.feeds.verdicts import Marks

Why = dict[int, tuple[str, str, str]]
"""row -> (the column or field that decided, what stood there, the reason that the rule gives)."""
_SILENT = {
    "reject": "the feed's rules refuse this record",
    "quarantine": "the feed's rules hold this record for a person",
}

MONEY = ("cost", "price", "rrp", "map_price")
WHOLE = ("stock", "lead_time_days", "weight_g", "minimum", "step", "pack")
_PARTED = re.compile(f"[,;|{OUTER}{INNER}]")
_EMPTY = {"is": False, "has": False, "not": True, "matches": False, "below": False, "above": False}


@dataclass
class Ruled:
    """What rules decided of each row; `why` and the reasons are told to the supplier. What they changed is in the columns."""

    parts: Mask
    skipped: Mask
    why: Why = field(default_factory=dict)
    rejected: Why = field(default_factory=dict)
    held: Why = field(default_factory=dict)

    def mark(self, marks: Marks) -> None:
        """Marks the rows that a rule refused, or holds for a person; what is skipped is marked with its product."""
        for rule, told in (("rejected_by_rule", self.rejected), ("held_by_rule", self.held)):
            hit = np.zeros(len(self.parts), dtype=bool)
            hit[list(told)] = True
            marks.add(rule, hit, told)


def ruled(
    filled: pd.DataFrame, columns: dict[str, Column], rules: Iterable[Mapping[str, Any]], parts: Mask
) -> Ruled:
    """Applies the rules in order to all rows; a rule sees what those before it changed. `parts` are those known before.

    Conditions read the supplier's columns (`filled`) or evaluated fields (`columns`), which `set` and arithmetic change.
    A row that is skipped is no part. A column or field that is not there meets no condition.
    """
    found = Ruled(parts.copy(), np.zeros(len(filled), dtype=bool))
    for rule in rules:
        when = rule.get("when", {})
        hit = _meets(filled, columns, when)
        if not hit.any():
            continue
        then = rule["then"]
        for one in then if isinstance(then, list) else [then]:
            _follow(one, hit, filled, columns, when, found)
    found.parts &= ~found.skipped
    return found


def _follow(
    then: Any,
    hit: Mask,
    filled: pd.DataFrame,
    columns: dict[str, Column],
    when: Mapping[str, Any],
    found: Ruled,
) -> None:
    """One consequence for the rows it concerns."""
    word, reason = (then, "") if isinstance(then, str) else next(iter(then.items()))
    if word == "part":
        found.parts |= hit
    elif word == "skip":
        found.skipped |= hit
        found.why.update(_told(hit, filled, columns, when, f" ({reason})" if reason else ""))
    elif word in ("reject", "quarantine"):
        told = found.rejected if word == "reject" else found.held
        told.update(_told(hit, filled, columns, when, reason or _SILENT[word]))
    elif "set" in then:
        for name, value in then["set"].items():
            _set(name, value, hit, columns, filled.index)
    else:
        _calculate(then, hit, columns)


def _told(
    hit: Mask, filled: pd.DataFrame, columns: Mapping[str, Column], when: Mapping[str, Any], reason: str
) -> Why:
    """Which column or field decided, and what stood there."""
    leaf: Mapping[str, Any] = next(iter(conditions(when)), {})
    name = str(leaf.get("column") or leaf.get("field") or "the record")
    values = _texts(filled, columns, leaf)
    rows = np.flatnonzero(hit).tolist()
    if values is None:
        return dict.fromkeys(rows, (name, "", str(reason or "")))
    seen = values[hit].tolist()
    return {
        row: (name, value.strip() if isinstance(value, str) else "", str(reason or ""))
        for row, value in zip(rows, seen, strict=True)
    }


def _meets(filled: pd.DataFrame, columns: Mapping[str, Column], when: Mapping[str, Any]) -> Mask:
    """The rows that meet a condition; the empty condition is met by all."""
    everything = np.ones(len(filled), dtype=bool)
    if not when:
        return everything
    if "all" in when:
        for one in when["all"]:
            everything &= _meets(filled, columns, one)
        return everything
    if "any" in when:
        nothing = ~everything
        for one in when["any"]:
            nothing |= _meets(filled, columns, one)
        return nothing
    values = _texts(filled, columns, when)
    if values is None:
        return ~everything
    trimmed = values.str.strip()
    plain = trimmed.where(trimmed != "")
    test = next(name for name in ("is", "not", "has", "matches", "below", "above", "blank") if name in when)
    if test == "blank":
        blank = flags(plain.isna())
        return blank if when["blank"] else ~blank
    return _tested(plain, test, when[test])


def _tested(plain: pd.Series, test: str, wanted: Any) -> Mask:
    """Which of the trimmed texts (NaN where blank) pass a test other than `blank`."""
    if test == "matches":
        return matching(plain, wanted)
    if test in ("is", "not", "has"):
        words = {str(word).strip().casefold() for word in ([wanted] if isinstance(wanted, str) else wanted)}
    limit = Decimal(str(wanted)) if test in ("below", "above") else Decimal(0)

    def passes(text: str) -> bool:
        if test in ("below", "above"):
            number = decimal_of(text)
            return number is not None and (number < limit if test == "below" else number > limit)
        if test == "has":
            return not words.isdisjoint(part.strip().casefold() for part in _PARTED.split(text))
        return (text.casefold() in words) == (test == "is")

    return np.array([_EMPTY[test] if p is None else p for p in per_unique(plain, passes)], dtype=bool)


def _texts(filled: pd.DataFrame, columns: Mapping[str, Column], leaf: Mapping[str, Any]) -> pd.Series | None:
    """The column or field of a condition as text, None where there is none."""
    if "column" in leaf:
        found: pd.Series | None = filled.get(leaf["column"])
        return found
    name = str(leaf.get("field"))
    if name not in columns:
        return None
    values = columns[name].values
    if values.dtype != object:
        return values
    return text_series([_as_text(one) for one in values], values.index)


def _as_text(value: Any) -> str | None:
    if isinstance(value, list):
        return INNER.join(map(str, value)) or None
    if isinstance(value, dict):
        return INNER.join(map(str, value.values())) or None
    if value is None or pd.isna(value):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _set(name: str, value: Any, hit: Mask, columns: dict[str, Column], index: pd.Index) -> None:
    """Gives a field this value in these rows, None for none; a field that no column is mapped to begins empty."""
    if name not in columns:
        columns[name] = Column(missing(index), missing(index))
        if name in MONEY:
            columns[name].sides["currency"] = missing(index)
    column = columns[name]
    filler: Any
    if (name in WHOLE or name in MONEY) and value is not None:
        (plain,) = calculated([str(Decimal(str(value)))], {}, whole=name in WHOLE)
        filler = int(plain) if name in WHOLE and plain is not None else plain
    elif isinstance(value, bool) or value is None:
        filler = value
    else:
        filler = str(value)
    _put(column, hit, filler)
    for rule in column.marks:
        column.marks[rule] = column.marks[rule] & ~hit  # what could not be read there no longer stands there


def _calculate(then: Mapping[str, Any], hit: Mask, columns: dict[str, Column]) -> None:
    """Arithmetic on a field's amounts; rows without an amount stay without one."""
    name = then["field"]
    if name not in columns:
        return
    column = columns[name]
    whole = name in WHOLE
    some = column.values[hit]
    answers = calculated([None if pd.isna(one) else str(one) for one in some], then, whole=whole)
    values = column.values.astype(object).where(column.values.notna(), None)
    values[hit] = pd.Series(
        [int(a) if whole and a is not None else a for a in answers], some.index, dtype=object
    )
    column.values = values if whole else text_series(values, values.index)


def _put(column: Column, hit: Mask, filler: Any) -> None:
    values = column.values
    if isinstance(filler, str) and values.dtype != object:
        column.values = values.where(~hit, filler)
        return
    loose = values.astype(object).where(values.notna(), None)
    loose[hit] = filler
    plain = values.dtype != object and not isinstance(filler, bool | int)
    column.values = text_series(loose, values.index) if plain else loose
