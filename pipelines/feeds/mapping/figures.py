"""Operations on figures: numbers, money, currencies, rates and measures; plain ones a column at a time, odd ones one by one."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.mapping.arrays import (
    Mask,
    codes_of,
    each,
    holds,
    keep,
    nothing,
    per_value,
    present,
    put,
    series,
    texts,
    true,
)
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.numbers import PLACES, currency_of, read_number
from pipelines.feeds.mapping.units import FACTORS, read_measure, unit_name

_UNNUMBERED = re.compile(r"\w")  # a word before the figure: "about 5", "A12"
_SILENT_SIGNS = {"$", "kr", "¥", "rs", "s/", "fr", "лв", "₱"}  # can mean several: the currency stays open
_BARE_MEASURE = r"^(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,4})?$"
_MEASURE = r"^(?P<figure>(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,4})?)(?: ?(?P<unit>[A-Za-z]{1,12}))?$"
_AMOUNT = r"^(?:(?P<before>[A-Z]{3}|[€£]) ?)?(?P<figure>[0-9][0-9.,]*)(?: ?(?P<behind>[A-Z]{3}|[€£]))?$"
_SCALE = 10_000  # a measure's figure in steps of its fourth decimal
_LARGEST_FACTOR = 1000
_FEW = 8  # a column with so many rows to each different value is read value by value


def number(column: Column, argument: dict[str, Any] | None) -> None:
    """Text -> decimal text; with `whole` a number without fraction, rounded down. What is no number is marked `not_a_number`."""
    settings = argument or {}
    decimal = settings.get("decimal", "")

    def read(text: str) -> str | None:
        figure = read_number(text, decimal)
        return None if figure.ambiguous or _UNNUMBERED.search(figure.lead) else figure.text

    figures, odd = _plain(column.text, decimal)
    if odd.any():
        answers = each(column.text.filter(pa.array(odd)), read)
        column.mark("not_a_number", _spread(~present(answers), odd))
        figures = put(figures, odd, answers)
    column.text = figures
    if settings.get("whole"):
        if holds(figures, b"."):
            figures = pc.replace_substring_regex(figures, r"\..*$", "")
        column.text = pc.replace_substring_regex(figures, "^-0$", "0") if holds(figures, b"-") else figures
        column.kind = "whole"


def money(column: Column, argument: dict[str, Any] | None) -> None:
    """ "12,99 USD" -> "12.99" with the currency beside it. Marks `not_a_number`, `number_ambiguous`, `currency_unknown`."""
    decimal = (argument or {}).get("decimal", "")

    def read(text: str) -> tuple[str | None, str | None, str]:
        figure = read_number(text, "" if decimal == "mixed" else decimal)
        if figure.text is None:
            return None, None, "not_a_number"
        written = [currency_of(piece) for piece in (figure.lead, figure.tail)]
        if None in written:
            alien = (figure.lead if written[0] is None else figure.tail).strip(" .,:-")
            if alien.casefold() in _SILENT_SIGNS:
                return figure.text, None, "number_ambiguous" if figure.ambiguous else ""
            if re.fullmatch(r"[A-Z]{3}", alien):
                return figure.text, None, "currency_unknown"
            return None, None, "not_a_number"
        return figure.text, next(filter(None, written), None), "number_ambiguous" if figure.ambiguous else ""

    amounts, odd = _plain(column.text, decimal)
    currencies = nothing(len(amounts))
    if odd.any():
        some, codes, odd_still = _with_currency(column.text.filter(pa.array(odd)), decimal)
        amounts, currencies = put(amounts, odd, some), put(currencies, odd, codes)
        odd = _spread(odd_still, odd)
    if odd.any():
        answers = per_value(column.text.filter(pa.array(odd)), read).tolist()
        rules = np.array([rule for _, _, rule in answers], dtype=object)
        for rule in ("not_a_number", "number_ambiguous", "currency_unknown"):
            column.mark(rule, _spread(rules == rule, odd))
        amounts = put(amounts, odd, texts(amount for amount, _, _ in answers))
        currencies = put(currencies, odd, texts(code for _, code, _ in answers))
    column.text = amounts
    column.sides["currency"] = series(currencies)


def currency(column: Column, _: Any) -> None:
    """A code or sign -> ISO 4217; another word is marked `currency_unknown`."""
    there = present(column.text)
    read = each(column.text, currency_of)
    column.mark("currency_unknown", there & ~present(read))
    column.text = keep(read, ~true(pc.equal(read, "")))


def percent(column: Column, _: Any) -> None:
    """A rate as percent: "19 %", "0,19" and "19" are all "19"."""

    def read(text: str) -> str | None:
        figure = read_number(text.replace("%", " "), "," if "," in text else ".")
        if figure.text is None or figure.lead or figure.tail:
            return None
        return _percent_of(figure.text, "%" in text)

    column.text = each(column.text, read)


def unit(column: Column, argument: dict[str, str]) -> None:
    """A measure -> whole `to` ("g", "mm", "days"), from the unit beside the number, else from `of`.

    A number without a unit is taken in `assume` and marked `unit_assumed`; what cannot be read, `value_ignored`.
    """
    received, there = column.text, present(column.text)
    encoded = received.dictionary_encode()
    if len(encoded.dictionary) * _FEW > len(received):
        measures, assumed, read = _plain_measures(received, argument)
        if (odd := there & ~read).any():
            some, guessed = _measures(received.filter(pa.array(odd)).dictionary_encode(), argument)
            measures = put(measures, odd, some)
            assumed |= _spread(guessed, odd)
    else:
        measures, assumed = _measures(encoded, argument)
    column.mark("value_ignored", there & ~present(measures))
    column.mark("unit_assumed", assumed)
    column.text, column.kind = measures, "whole"


def _measures(encoded: pa.DictionaryArray, argument: dict[str, str]) -> tuple[pa.Array, Mask]:
    """(measures, whose unit was assumed), each different text read once."""
    to, of, assume = argument["to"], argument.get("of"), argument.get("assume")
    answers = [read_measure(text, to, of, assume) for text in encoded.dictionary.to_pylist()]
    guessed = np.array([*(flag for _, flag in answers), False], dtype=bool)[codes_of(encoded)]
    return texts(None if value is None else str(value) for value, _ in answers).take(encoded.indices), guessed


def _plain_measures(received: pa.Array, argument: dict[str, str]) -> tuple[pa.Array, Mask, Mask]:
    """(measures, whose unit was assumed, which are read) of figures with few decimals, in units of round factors."""
    to, of, assume = argument["to"], argument.get("of"), argument.get("assume")
    pointed = pc.replace_substring(received, ",", ".") if holds(received, b",") else received
    bare = true(pc.match_substring_regex(pointed, _BARE_MEASURE))
    if bare.sum() == len(received) - received.null_count:
        factor = _factor("", to, of, assume)
        read = bare & (factor > 0)
        return _rounded(pointed, read, np.full(len(read), factor), to), read & (not of), read
    found = pc.extract_regex(pointed, _MEASURE)
    read = present(found)
    encoded = found.field("unit").dictionary_encode()
    names, codes = encoded.dictionary.to_pylist(), codes_of(encoded)
    factors = np.array([*(_factor(name, to, of, assume) for name in names), 0], dtype=np.int64)[codes]
    read &= factors > 0
    guessed = np.array([*(not name and not of for name in names), False], dtype=bool)[codes] & read
    return _rounded(found.field("figure"), read, factors, to), guessed, read


def _rounded(figures: pa.Array, read: Mask, factors: npt.NDArray[np.int64], to: str) -> pa.Array:
    """Figures of at most four decimals times their factors as whole numbers: days upwards, others to the nearest."""
    exact = keep(figures, read).cast(pa.decimal128(18, 4)).fill_null(0)
    low = np.frombuffer(exact.buffers()[1], np.int64)[::2][exact.offset : exact.offset + len(exact)]
    rounded = (low * factors + (_SCALE - 1 if to == "days" else _SCALE // 2)) // _SCALE
    return keep(pa.array(rounded).cast(pa.large_string()), read)


def _factor(name: str, to: str, of: str | None, assume: str | None) -> int:
    """How many of `to` one of the unit is, where that is a small whole number; else 0."""
    found = unit_name(name, to) if name else of or assume
    factor = FACTORS[to].get(found or "", "")
    return int(factor) if factor.isdigit() and int(factor) <= _LARGEST_FACTOR else 0


def _with_currency(values: pa.Array, decimal: str) -> tuple[pa.Array, pa.Array, Mask]:
    """(plain amounts before or behind which a known currency stands, that currency, the other rows): "12.99 EUR"."""
    found = pc.extract_regex(values, _AMOUNT)
    amounts, _ = _plain(found.field("figure").filter(found.is_valid()), decimal)
    plain = present(found)
    amounts = put(nothing(len(values)), plain, amounts)
    before, behind = (each(found.field(side), currency_of) for side in ("before", "behind"))
    known = present(before) & present(behind) & present(amounts) & plain
    named = pc.if_else(pc.equal(before, ""), behind, before)
    return keep(amounts, known), keep(named, known & ~true(pc.equal(named, ""))), ~known


def _plain(values: pa.Array, decimal: str) -> tuple[pa.Array, Mask]:
    """(the values that need no second look: digits with at most one decimal character, the column's own; the other rows)."""
    sign = {".": r"\.", ",": ","}.get(decimal)
    fraction = rf"(?:{sign}[0-9]{{1,{PLACES}}})?" if sign else ""
    plain = true(pc.match_substring_regex(values, rf"^(?:0|[1-9][0-9]{{0,11}}){fraction}$"))
    odd = present(values) & ~plain
    kept = keep(values, plain) if odd.any() else values
    return pc.replace_substring(kept, ",", ".") if decimal == "," else kept, odd


def _spread(some: Mask, rows: Mask) -> Mask:
    """A mask of some of the rows as a mask of all."""
    spread = np.zeros(len(rows), dtype=bool)
    spread[rows] = some
    return spread


def _percent_of(figure: str, said: bool) -> str:
    """Decimal text of a rate; a figure below one without a percent sign is a fraction ("0.19")."""
    whole, _, fraction = figure.partition(".")
    if not said and whole == "0" and fraction.strip("0"):
        digits = fraction.ljust(2, "0")
        whole, fraction = digits[:2].lstrip("0") or "0", digits[2:]
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
