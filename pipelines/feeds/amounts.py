"""Money and stock of offers: amounts as the supplier wrote them, one currency each, stock that is never below zero."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from pipelines.feeds.details import per_piece
from pipelines.feeds.mapping.columns import Column, Mask, flags, missing, per_unique, text_series
from pipelines.feeds.told import Told
from pipelines.feeds.verdicts import Marks

MONEY = ("cost", "price", "rrp", "map_price")
_SOLD_BY = ("cost", "price")  # without a readable one of these nothing is sold
_PLACES = Decimal("0.000001")
_ZERO = r"-?0*(?:\.0*)?"


def settle_money(
    columns: Mapping[str, Column],
    document: Mapping[str, Any],
    currency: str | None,
    marks: Marks,
    told: Told,
    index: pd.Index,
) -> dict[str, pd.Series]:
    """MONEY and its one currency; the cost of one piece, by the feed's policy where the file has none.

    Marks what no amount can be read from, what is negative, zero, ambiguous, missing or in two currencies.
    """
    amounts = {name: columns[name].values if name in columns else missing(index) for name in MONEY}
    found = columns["currency"].values if "currency" in columns else missing(index)
    conflict = np.zeros(len(index), dtype=bool)
    for name in MONEY:
        if name not in columns:
            continue
        said = columns[name].sides["currency"]
        conflict |= flags(said.notna() & found.notna() & (said != found))
        found = found.where(found.notna(), said)
        if name in _SOLD_BY:
            for rule in ("not_a_number", "number_ambiguous", "currency_unknown"):
                told.mark(marks, rule, name, columns[name].marks.get(rule))
        _settle_signs(amounts, name, columns, marks, told)
    if "currency" in columns:
        told.mark(marks, "currency_unknown", "currency", columns["currency"].marks.get("currency_unknown"))
    primary = "price" if "price" in columns or "cost" not in columns else "cost"
    told.mark(marks, "currency_conflict", primary, conflict)
    if "cost_basis" in columns:
        amounts["cost"] = per_piece(amounts["cost"], columns["cost_basis"].values)
    amounts["cost"] = _by_policy(amounts, document.get("policy") or {})
    none = flags(amounts["cost"].isna() & amounts["price"].isna()) & ~marks.any_of({"not_a_number"})
    told.blank(marks, "missing_price", primary, none)
    marks.add("cost_above_price", _above(amounts["cost"], amounts["price"]))
    standing = document.get("currency") or currency
    return {**amounts, "currency": found if standing is None else found.where(found.notna(), standing)}


def settle_stock(columns: Mapping[str, Column], marks: Marks, index: pd.Index) -> tuple[pd.Series, pd.Series]:
    """(stock as int or None, availability): what is not counted is unknown; availability follows from stock where unsaid."""
    rows = len(index)
    stock = pd.to_numeric(columns["stock"].values) if "stock" in columns else pd.Series(np.nan, index=index)
    said = text_series(columns["availability"].values, index) if "availability" in columns else missing(index)
    counted = flags(columns["tracked"].values.notna()) if "tracked" in columns else np.ones(rows, dtype=bool)
    later = (
        flags(columns["backorders"].values.notna()) if "backorders" in columns else np.zeros(rows, dtype=bool)
    )
    known, figure = flags(stock.notna()), stock.fillna(0).to_numpy()
    marks.add("stock_negative", known & (figure < 0))
    uncounted = known & (figure == 0) & ~counted
    marks.add("stock_unknown", uncounted)
    if "stock" in columns:
        marks.add("stock_unknown", columns["stock"].marks.get("not_a_number", np.zeros(rows, dtype=bool)))
    known = known & ~uncounted
    follows = np.where(
        known & (figure > 0) | uncounted, "in_stock", np.where(later, "preorder", "out_of_stock")
    )
    guessed = text_series(follows, index).where(known | uncounted)
    whole = pd.Series(
        [int(n) if ok else None for n, ok in zip(np.maximum(figure, 0), known, strict=True)],
        index,
        dtype=object,
    )
    return whole, said.where(said.notna(), guessed)


def _settle_signs(
    amounts: dict[str, pd.Series], name: str, columns: Mapping[str, Column], marks: Marks, told: Told
) -> None:
    """Negative and zero amounts: refused where they are what is asked, else no amount at all."""
    negative = flags(amounts[name].str.startswith("-"))
    zero = flags(amounts[name].str.fullmatch(_ZERO))
    if name not in _SOLD_BY:
        amounts[name] = amounts[name].where(~(negative | zero))
        return
    told.mark(marks, "price_negative", name, negative)
    if name == "cost" and "price" in columns:  # a zero cost beside a price is an empty cell in many exports
        amounts[name] = amounts[name].where(~zero)
    else:
        told.mark(marks, "price_zero", name, zero)


def _by_policy(amounts: Mapping[str, pd.Series], policy: Mapping[str, Any]) -> pd.Series:
    """The cost, where the file has none, as the policy derives it from another amount."""
    rule = policy.get("cost")
    if not rule:
        return amounts["cost"]
    share = (100 - Decimal(str(rule.get("minus_percent", 0)))) / 100
    derived = per_unique(amounts[rule["from"]], lambda amount: reduced(amount, share))
    return amounts["cost"].where(amounts["cost"].notna(), text_series(derived, derived.index))


def reduced(amount: str, share: Decimal) -> str:
    """`amount` times `share` to at most six places, at least two: "10", 0.7 -> "7.00"."""
    whole, _, fraction = f"{(Decimal(amount) * share).quantize(_PLACES):f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _above(cost: pd.Series, price: pd.Series) -> Mask:
    """Rows whose cost is more than their price; floats are near enough for a remark."""
    return flags(pd.to_numeric(cost, errors="coerce") > pd.to_numeric(price, errors="coerce"))
