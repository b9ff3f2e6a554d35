"""The closed list of operations a mapping may use: each turns a whole column into a column, no free code."""

import html as entities
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.readers.frames import INNER, OUTER
from core.errors import Refused
from pipelines.feeds.mapping import gtin as gtins
from pipelines.feeds.mapping import words
from pipelines.feeds.mapping.columns import Column, Mask, flags, missing, per_unique, text_series
from pipelines.feeds.mapping.markup import bare_text, cleaned
from pipelines.feeds.mapping.numbers import PLACES, currency_of, read_number
from pipelines.feeds.mapping.units import read_measure
from pipelines.feeds.mapping.vocabulary import vocabulary

Operation = Callable[[Column, Any], None]

_UNNUMBERED = re.compile(r"\w")  # a word before the figure: "about 5", "A12"
_BETWEEN_ADDRESSES = re.compile(rf"[{OUTER}{INNER}]|[,;|]\s*(?=(?:https?:)?//)|(?<=\S)\s+(?=https?://)", re.I)
_ONE_ADDRESS = (
    r"https?://[!#-%'()*+./0-9:=?@A-Z_a-z~-]+"  # nothing in it could part two addresses or want mending
)
_LONGEST_ADDRESS = 2048
_ADDRESS = re.compile(r"https?://[^\s/]+", re.I)


def trim(column: Column, _: Any) -> None:
    """Without blanks around it."""
    column.values = column.values.str.strip()


def collapse(column: Column, _: Any) -> None:
    """Every run of blanks and line ends becomes one blank."""
    column.values = column.values.str.replace(r"\s+", " ", regex=True).str.strip()


def strip(column: Column, characters: str) -> None:
    """Without these characters at its beginning and end: `strip: "'"`."""
    column.values = _filled(column.values.str.strip(characters + " "))


def replace(column: Column, pairs: dict[str, str]) -> None:
    """Plain text replaced by plain text: `replace: {"&nbsp;": " "}`."""
    for old, new in pairs.items():
        column.values = column.values.str.replace(old, new, regex=False)


def regex(column: Column, argument: dict[str, str]) -> None:
    r"""The first group of an RE2 pattern, nothing where it does not match: `regex: {find: "^(\d+)"}`.

    `with` puts other text in place of every match instead, `\1` being the first group. RE2 takes linear time whatever pattern and text are. Raises Refused for a pattern it does not know.
    """
    find = argument["find"]
    texts = pa.array(column.values, pa.large_string(), from_pandas=True)
    try:
        if "with" in argument:
            replaced = pc.replace_substring_regex(texts, find, argument["with"])
            column.values = _filled(text_series(replaced.to_pylist(), column.values.index))
            return
        matches = pc.match_substring_regex(texts, find)
        groups = pc.replace_substring_regex(texts, f"(?s)^.*?(?:{find}).*$", r"\1")
    except pa.ArrowInvalid as error:
        raise Refused(
            f"The pattern {find!r} is not usable: {' '.join(str(error).split())}.", rule="mapping_invalid"
        ) from None
    column.values = _filled(text_series(pc.if_else(matches, groups, None).to_pylist(), column.values.index))


def case(column: Column, to: str) -> None:
    """`case: upper`, `lower` or `title`."""
    column.values = getattr(column.values.str, to)()


def split(column: Column, separators: str | list[str]) -> None:
    """Text -> list of text, at any of these separators."""
    each = [separators] if isinstance(separators, str) else separators
    pattern = re.compile("|".join([re.escape(one) for one in (OUTER, INNER, *each)]))
    column.values = per_unique(
        column.values, lambda text: [p for p in map(str.strip, pattern.split(text)) if p]
    )


def join(column: Column, separator: str) -> None:
    """List of text -> text: `join: " > "`."""
    column.values = text_series(
        [separator.join(v) if v else None for v in column.values], column.values.index
    )


def value_map(column: Column, table: dict[str, Any]) -> None:
    """Words -> values, without regard to case; `"*"` stands for every other word."""
    known = {str(word).casefold(): value for word, value in table.items()}
    other = known.get("*")
    column.values = per_unique(column.values, lambda text: known.get(text.casefold(), other))


def lookup(column: Column, table: str) -> None:
    """Words in many languages -> ours, by one of the hub's tables: `lookup: availability`."""
    value_map(column, vocabulary(table))


def template(column: Column, pattern: str) -> None:
    """The value inside other text: `template: "id:{}"`."""
    before, _, after = pattern.partition("{}")
    column.values = before + column.values + after


def default(column: Column, value: Any) -> None:
    """This value where there is none."""
    column.values = column.values.where(column.values.notna(), value)


def boolean(column: Column, _: Any) -> None:
    """Yes and no in the words of many languages -> True, False; else nothing."""
    column.values = per_unique(column.values, lambda text: _YES_NO.get(text.casefold()))


def number(column: Column, argument: dict[str, Any] | None) -> None:
    """Text -> decimal text; with `whole` an int, rounded down. What is no number is marked `not_a_number`."""
    settings = argument or {}
    decimal = settings.get("decimal", "")

    def read(text: str) -> str | None:
        figure = read_number(text, decimal)
        return None if figure.ambiguous or _UNNUMBERED.search(figure.lead) else figure.text

    plain = _plain(column.values, decimal)
    odd = per_unique(column.values[column.values.notna() & plain.isna()], read)
    column.mark("not_a_number", _spread(odd.isna(), column.values.index))
    figures = _merged(plain, odd)
    if settings.get("whole"):
        whole = per_unique(figures, lambda text: int(text.partition(".")[0]))
        column.values = pd.Series(whole, index=column.values.index, dtype=object)
    else:
        column.values = figures


def money(column: Column, argument: dict[str, Any] | None) -> None:
    """ "12,99 USD" -> "12.99" with the currency beside it. Marks `not_a_number`, `number_ambiguous`, `currency_unknown`."""
    settings = argument or {}
    decimal = settings.get("decimal", "")

    def read(text: str) -> tuple[str | None, str | None, str]:
        figure = read_number(text, "" if decimal == "mixed" else decimal)
        if figure.text is None:
            return None, None, "not_a_number"
        written = [currency_of(piece) for piece in (figure.lead, figure.tail)]
        if None in written:
            alien = (figure.lead if written[0] is None else figure.tail).strip(" .,:-")
            if alien.casefold() in _SILENT_SIGNS:
                return figure.text, None, "number_ambiguous" if figure.ambiguous else ""
            return (
                figure.text,
                None,
                "currency_unknown" if re.fullmatch(r"[A-Z]{3}", alien) else "not_a_number",
            )
        return figure.text, next(filter(None, written), None), "number_ambiguous" if figure.ambiguous else ""

    plain = _plain(column.values, decimal)
    index = column.values.index
    answers = per_unique(column.values[column.values.notna() & plain.isna()], read)
    for rule in ("not_a_number", "number_ambiguous", "currency_unknown"):
        column.mark(rule, _spread(answers.map(lambda one, rule=rule: one[2] == rule), index))
    amounts = answers.map(lambda one: one[0] if one[2] != "not_a_number" else None)
    column.values = _merged(plain, amounts)
    column.sides["currency"] = _merged(missing(index), answers.map(lambda one: one[1]))


def currency(column: Column, _: Any) -> None:
    """A code or sign -> ISO 4217; another word is marked `currency_unknown`."""
    read = per_unique(column.values, currency_of)
    column.mark("currency_unknown", flags(column.values.notna()) & flags(read.isna()))
    column.values = text_series(read.where(read.notna() & (read != ""), None), column.values.index)


def percent(column: Column, _: Any) -> None:
    """A rate as percent: "19 %", "0,19" and "19" are all "19"."""

    def read(text: str) -> str | None:
        figure = read_number(text.replace("%", " "), "," if "," in text else ".")
        if figure.text is None or figure.lead or figure.tail:
            return None
        return _percent_of(figure.text, "%" in text)

    column.values = text_series(per_unique(column.values, read), column.values.index)


def unit(column: Column, argument: dict[str, str]) -> None:
    """A measure -> whole `to` ("g", "mm", "days"), from the unit beside the number, else from `of`.

    A number without a unit is taken in `assume` and marked `unit_assumed`; what cannot be read, `value_ignored`.
    """
    read = per_unique(
        column.values,
        lambda text: read_measure(text, argument["to"], argument.get("of"), argument.get("assume")),
    )
    column.mark(
        "value_ignored",
        flags(column.values.notna()) & np.array([a is not None and a[0] is None for a in read]),
    )
    column.mark("unit_assumed", np.array([bool(answer and answer[1]) for answer in read], dtype=bool))
    column.values = pd.Series([a[0] if a else None for a in read], index=column.values.index, dtype=object)


def gtin(column: Column, argument: dict[str, bool] | None) -> None:
    """A GTIN with its verdict beside it; `repair` gives lost leading zeros back where the check digit then holds."""
    bare = gtins.bare_gtins(column.values)
    column.values, verdict = gtins.judge(bare, repair=bool((argument or {}).get("repair")))
    column.sides["gtin_verdict"] = verdict
    for rule in ("invalid", "repaired", "restricted"):
        column.mark(f"gtin_{rule}", (verdict == rule).to_numpy(dtype=bool))


def html(column: Column, _: Any) -> None:
    """Only harmless markup stays; `html_cleaned` marks rows that lost something that matters."""
    marked = flags(column.values.str.contains("[<&]", regex=True))
    if not marked.any():
        return
    answers = [cleaned(text) for text in column.values[marked]]
    values = column.values.astype(object)
    values[marked] = pd.Series([text for text, _ in answers], index=values.index[marked], dtype=object)
    column.values = _filled(text_series(values, values.index))
    lost = np.zeros(len(values), dtype=bool)
    lost[marked] = [removed for _, removed in answers]
    column.mark("html_cleaned", lost)


def text(column: Column, _: Any) -> None:
    """One line of plain text: tags taken out, entities read, blanks collapsed; lost characters are marked."""
    marked = flags(column.values.str.contains("[<&]", regex=True))
    if marked.any():
        column.values = text_series(
            column.values.where(~marked, column.values.where(marked).map(bare_text, na_action="ignore")),
            column.values.index,
        )
    collapse(column, None)
    column.values = _filled(column.values)
    column.mark("text_damaged", flags(column.values.str.contains("\ufffd", regex=False)))


def url(column: Column, _: Any) -> None:
    """Addresses of the web, blanks inside them mended; other text is dropped and marked `image_unusable`."""
    if column.values.dtype == object:  # lists, from `split`
        column.values = text_series(
            [INNER.join(many) if many else None for many in column.values], column.values.index
        )
    single = flags(column.values.str.fullmatch(_ONE_ADDRESS)) & flags(
        column.values.str.len() <= _LONGEST_ADDRESS
    )
    answers = per_unique(column.values[~single & column.values.notna()], _addresses)
    column.mark("image_unusable", _spread(answers.map(lambda one: one[1]), column.values.index))
    found = pd.Series(
        [[one] if ok else [] for one, ok in zip(column.values, single, strict=True)],
        column.values.index,
        dtype=object,
    )
    found[answers.index] = answers.map(lambda one: one[0])
    column.values = found


def first(column: Column, _: Any) -> None:
    """List -> its first value."""
    column.values = text_series([many[0] if many else None for many in column.values], column.values.index)


OPERATIONS: dict[str, Operation] = {
    "trim": trim, "collapse": collapse, "strip": strip, "replace": replace, "regex": regex, "case": case,
    "split": split, "join": join, "first": first, "map": value_map,
    "lookup": lookup, "template": template, "default": default, "boolean": boolean,
    "number": number, "money": money, "currency": currency, "percent": percent, "unit": unit, "gtin": gtin,
    "html": html, "text": text, "url": url, **words.OPERATIONS,
}  # fmt: skip

_SILENT_SIGNS = {"$", "kr", "¥", "rs", "s/", "fr", "лв", "₱"}  # can mean several: the currency stays open
_YES_NO = {
    **dict.fromkeys(
        [
            "1",
            "true",
            "yes",
            "y",
            "ja",
            "j",
            "oui",
            "o",
            "si",
            "sí",
            "sim",
            "tak",
            "да",
            "так",
            "ano",
            "áno",
            "x",
            "wahr",
            "vrai",
            "on",
            "はい",
            "是",
            "예",
        ],
        True,
    ),
    **dict.fromkeys(
        [
            "0",
            "false",
            "no",
            "n",
            "nein",
            "non",
            "não",
            "nie",
            "нет",
            "ні",
            "ne",
            "falsch",
            "faux",
            "off",
            "いいえ",
            "否",
            "아니오",
        ],
        False,
    ),
}


def _plain(values: pd.Series, decimal: str) -> pd.Series:
    """Of the values those that need no second look: digits with at most one decimal character, the column's own."""
    sign = {".": r"\.", ",": ","}.get(decimal)
    fraction = rf"(?:{sign}[0-9]{{1,{PLACES}}})?" if sign else ""
    plain = values.where(flags(values.str.fullmatch(rf"(?:0|[1-9][0-9]{{0,11}}){fraction}")))
    return plain.str.replace(",", ".", regex=False) if decimal == "," else plain


def _merged(values: pd.Series, others: pd.Series) -> pd.Series:
    """`values`, and where they have none what `others` (some of the rows, as objects) tell."""
    return (
        values
        if others.empty
        else values.where(values.notna(), text_series(others.tolist(), others.index).reindex(values.index))
    )


def _spread(some: pd.Series, index: pd.Index) -> Mask:
    """A mask of some of the rows as a mask of all."""
    return flags(some.reindex(index, fill_value=False)) if len(some) else np.zeros(len(index), dtype=bool)


def _filled(series: pd.Series) -> pd.Series:
    """Blank text is no value."""
    return series.where(series != "")


def _percent_of(figure: str, said: bool) -> str:
    """Decimal text of a rate; a figure below one without a percent sign is a fraction ("0.19")."""
    whole, _, fraction = figure.partition(".")
    if not said and whole == "0" and fraction.strip("0"):
        digits = fraction.ljust(2, "0")
        whole, fraction = digits[:2].lstrip("0") or "0", digits[2:]
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _addresses(many: str) -> tuple[list[str], bool]:
    found, odd = [], False
    for piece in _BETWEEN_ADDRESSES.split(many):
        address = "%20".join(entities.unescape(piece).split())
        if address.startswith("//"):
            address = "https:" + address
        if not address:
            continue
        if _ADDRESS.match(address) and len(address) <= _LONGEST_ADDRESS:
            if address not in found:
                found.append(address)
        else:
            odd = True
    return found, odd
