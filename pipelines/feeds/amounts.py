"""Money and stock of offers: amounts as the supplier wrote them, one currency each, stock that is never below zero."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.feeds.details import per_piece
from pipelines.feeds.mapping.arrays import (
    Mask,
    always,
    arrow,
    each,
    first_known,
    holds,
    keep,
    nothing,
    present,
    texts,
    true,
)  # fmt: skip
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.told import Told
from pipelines.feeds.verdicts import Marks

MONEY = ("cost", "price", "rrp", "map_price")
_SOLD_BY = ("cost", "price")  # without a readable one of these nothing is sold
_PLACES = Decimal("0.000001")
_LARGEST_FIGURE = 18
"""Digits of a whole number that 64 bits surely hold."""


def settle_money(
    columns: Mapping[str, Column],
    document: Mapping[str, Any],
    currency: str | None,
    marks: Marks,
    told: Told,
    rows: int,
) -> dict[str, pa.Array]:
    """MONEY and its one currency; the cost of one piece, by the feed's policy where the file has none.

    Marks what no amount can be read from, what is negative, zero, ambiguous, missing or in two currencies.
    """
    amounts = {name: columns[name].text if name in columns else nothing(rows) for name in MONEY}
    found = columns["currency"].text if "currency" in columns else nothing(rows)
    conflict = np.zeros(rows, dtype=bool)
    for name in MONEY:
        if name not in columns:
            continue
        said = arrow(columns[name].sides["currency"])
        if said.null_count < rows:
            conflict |= true(pc.not_equal(said, found))
            found = first_known(found, said)
        if name in _SOLD_BY:
            for rule in ("not_a_number", "number_ambiguous", "currency_unknown"):
                told.mark(marks, rule, name, columns[name].marks.get(rule))
        _settle_signs(amounts, name, columns, marks, told)
    if "currency" in columns:
        told.mark(marks, "currency_unknown", "currency", columns["currency"].marks.get("currency_unknown"))
    primary = "price" if "price" in columns or "cost" not in columns else "cost"
    told.mark(marks, "currency_conflict", primary, conflict)
    if "cost_basis" in columns:
        amounts["cost"] = per_piece(amounts["cost"], columns["cost_basis"].text)
    amounts["cost"] = _by_policy(amounts, document.get("policy") or {})
    none = ~present(amounts["cost"]) & ~present(amounts["price"]) & ~marks.any_of({"not_a_number"})
    told.blank(marks, "missing_price", primary, none)
    marks.add("cost_above_price", _above(amounts["cost"], amounts["price"]))
    standing = document.get("currency") or currency
    return {**amounts, "currency": found if standing is None else first_known(found, always(standing, rows))}


def settle_stock(columns: Mapping[str, Column], marks: Marks, rows: int) -> tuple[pa.Array, pa.Array]:
    """(stock as a whole number, availability): what is not counted is unknown; availability follows from stock where unsaid."""
    stock = whole_numbers(columns["stock"].text) if "stock" in columns else pa.nulls(rows, pa.int64())
    said = columns["availability"].text if "availability" in columns else nothing(rows)
    everywhere = np.ones(rows, dtype=bool)
    counted = present(columns["tracked"].text) if "tracked" in columns else everywhere
    later = present(columns["backorders"].text) if "backorders" in columns else ~everywhere
    known, figure = present(stock), stock.fill_null(0).to_numpy()
    marks.add("stock_negative", known & (figure < 0))
    uncounted = known & (figure == 0) & ~counted
    marks.add("stock_unknown", uncounted)
    if "stock" in columns:
        marks.add("stock_unknown", columns["stock"].marks.get("not_a_number", ~everywhere))
    known = known & ~uncounted
    follows = np.where(known & (figure > 0) | uncounted, 0, np.where(later, 1, 2))
    words = texts(["in_stock", "preorder", "out_of_stock"])
    guessed = words.take(pa.array(follows, mask=~(known | uncounted)))
    return pa.array(np.maximum(figure, 0), mask=~known), first_known(said, guessed)


def whole_numbers(figures: pa.Array) -> pa.Array:
    """Digits as numbers of 64 bits; a figure beyond all measure is none."""
    long = pc.greater(pc.binary_length(figures), _LARGEST_FIGURE)
    return keep(figures, ~true(long)).cast(pa.int64())


def reduced(amount: str, share: Decimal) -> str:
    """`amount` times `share` to at most six places, at least two: "10", 0.7 -> "7.00"."""
    whole, _, fraction = f"{(Decimal(amount) * share).quantize(_PLACES):f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _settle_signs(
    amounts: dict[str, pa.Array], name: str, columns: Mapping[str, Column], marks: Marks, told: Told
) -> None:
    """Negative and zero amounts: refused where they are what is asked, else no amount at all."""
    none = np.zeros(len(amounts[name]), dtype=bool)
    negative = true(pc.starts_with(amounts[name], "-")) if holds(amounts[name], b"-") else none
    zero = true(pc.match_substring_regex(amounts[name], r"^-?0*(?:\.0*)?$"))
    if name not in _SOLD_BY:
        amounts[name] = keep(amounts[name], ~(negative | zero))
        return
    told.mark(marks, "price_negative", name, negative)
    if name == "cost" and "price" in columns:  # a zero cost beside a price is an empty cell in many exports
        amounts[name] = keep(amounts[name], ~zero)
    else:
        told.mark(marks, "price_zero", name, zero)


def _by_policy(amounts: Mapping[str, pa.Array], policy: Mapping[str, Any]) -> pa.Array:
    """The cost, where the file has none, as the policy derives it from another amount."""
    rule = policy.get("cost")
    if not rule:
        return amounts["cost"]
    share = (100 - Decimal(str(rule.get("minus_percent", 0)))) / 100
    wanted = keep(amounts[rule["from"]], ~present(amounts["cost"]))
    return first_known(amounts["cost"], each(wanted, lambda amount: reduced(amount, share)))


def _above(cost: pa.Array, price: pa.Array) -> Mask:
    """Rows whose cost is more than their price; floats are near enough for a remark."""
    if cost.null_count == len(cost) or price.null_count == len(price):
        return np.zeros(len(cost), dtype=bool)
    return true(pc.greater(cost.cast(pa.float64()), price.cast(pa.float64())))
