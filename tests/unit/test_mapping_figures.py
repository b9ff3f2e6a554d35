"""Figures read a column at a time come to what reading them one by one comes to."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.feeds.mapping import figures
from pipelines.feeds.mapping.columns import Column, text_series
from pipelines.feeds.mapping.units import read_measure

AMOUNTS = st.one_of(
    st.sampled_from(["12.99 EUR", "EUR 12.99", "€5", "7€", "12,50", "12.345", "1.234,50 €", "9 XXQ", "$3", "7 €/kg", "0", "007", "5.", "", "CHF 4 EUR", "12 EURO"]),
    st.from_regex(r"[A-Z€£$]{0,3} ?[0-9]{1,4}[.,]?[0-9]{0,7} ?[A-Z€£]{0,4}", fullmatch=True),
)  # fmt: skip
MEASURES = st.one_of(
    st.sampled_from(["1.5 kg", "250", "0,15", "1,234.5", "3 lbs", "2 KG", "heavy", "-1", "0.00005 kg", "12 t", "1.2345", "1.23456", "2 qm", "0"]),
    st.from_regex(r"[0-9]{1,10}([.,][0-9]{1,5})? ?(g|kg|lb|mm|t|x)?", fullmatch=True),
)  # fmt: skip


def plain(values: Any) -> list[Any]:
    return [None if pd.isna(one) else one for one in values]


@settings(max_examples=60, deadline=None)
@given(st.lists(AMOUNTS, min_size=1, max_size=12), st.sampled_from(["", ".", ",", "mixed"]))
def test_money_a_column_at_a_time(values: list[str], decimal: str) -> None:
    whole = Column(text_series(values), text_series(values))
    figures.money(whole, {"decimal": decimal})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            figures, "_AMOUNT", "^(?P<before>)(?P<figure>)(?P<behind>)never$"
        )  # nothing is read together
        each = Column(text_series(values), text_series(values))
        figures.money(each, {"decimal": decimal})
    assert plain(whole.values) == plain(each.values)
    assert plain(whole.sides["currency"]) == plain(each.sides["currency"])
    assert {rule: mask.tolist() for rule, mask in whole.marks.items()} == {
        rule: mask.tolist() for rule, mask in each.marks.items()
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(MEASURES, min_size=1, max_size=12), st.sampled_from(["g", "kg", "lbs", None]), st.booleans())
def test_measures_a_column_at_a_time(values: list[str], unit: str | None, assumed: bool) -> None:
    argument = {"to": "g", **({"assume" if assumed else "of": unit} if unit else {})}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_FEW", 1000)
        column = Column(text_series(values), text_series(values))
        figures.unit(column, argument)
    expected = [read_measure(text, "g", argument.get("of"), argument.get("assume")) for text in values]
    assert plain(column.values) == [value for value, _ in expected]
    assert list(column.marks.get("unit_assumed", [False] * len(values))) == [flag for _, flag in expected]
