"""Rules of a mapping: conditions, consequences in their order, and arithmetic that is exact."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Refused
from pipelines.feeds.mapping.arithmetic import calculated, rounded
from pipelines.feeds.mapping.columns import Column, text_series
from pipelines.feeds.mapping.rules import Ruled, ruled
from pipelines.feeds.normalise import Batch, normalise

FRAME = pd.DataFrame(
    {"Status": ["aktiv", "Auslauf", " ", None], "Tags": ["neu, rot", "alt;blau", "", None], "EK": ["9,50", "12,00", "x", None]},
    dtype="str",
)  # fmt: skip


def columns(**fields: list[Any]) -> dict[str, Column]:
    made = {}
    for name, values in fields.items():
        typed = any(isinstance(one, list | int) for one in values)
        series = pd.Series(values, dtype=object) if typed else text_series(values)
        made[name] = Column(series, series)
    return made


def decided(rules: list[dict[str, Any]], fields: dict[str, Column] | None = None) -> Ruled:
    return ruled(FRAME, fields if fields is not None else {}, rules, np.zeros(len(FRAME), dtype=bool))


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({"column": "Status", "is": ["AKTIV"]}, [0]), ({"column": "Status", "is": "auslauf"}, [1]), ({"column": "Status", "not": ["aktiv"]}, [1, 2, 3]),
        ({"column": "Tags", "has": ["rot", "blau"]}, [0, 1]), ({"column": "Tags", "has": ["neu, rot"]}, []), ({"column": "Status", "matches": "(?i)^a"}, [0, 1]),
        ({"column": "Status", "blank": True}, [2, 3]), ({"column": "Status", "blank": False}, [0, 1]), ({"column": "EK", "below": 10}, [0]),
        ({"column": "EK", "below": "9.5"}, []), ({"column": "EK", "above": "9.49"}, [0, 1]), ({"column": "Nowhere", "blank": True}, []),
        ({"all": [{"column": "Status", "blank": False}, {"column": "EK", "above": 10}]}, [1]),
        ({"any": [{"column": "Status", "blank": True}, {"column": "EK", "above": 10}]}, [1, 2, 3]),
        ({"all": [{"any": [{"column": "Status", "is": ["aktiv"]}, {"column": "Status", "blank": True}]}, {"column": "EK", "blank": False}]}, [0, 2]),
        ({}, [0, 1, 2, 3]),
    ],
)  # fmt: skip
def test_each_condition_is_met_by_its_rows_only(when: dict[str, Any], hit: list[int]) -> None:
    assert np.flatnonzero(decided([{"when": when, "then": "skip"}]).skipped).tolist() == hit


def test_conditions_read_fields_as_they_were_read() -> None:
    fields = columns(
        stock=[3, 0, None, 7], images=[["a"], [], ["b", "c"], []], title=["Lamp", None, "Desk", "Bed"]
    )
    met = [
        np.flatnonzero(decided([{"when": one, "then": "skip"}], fields).skipped).tolist()
        for one in (
            {"field": "stock", "below": 3},
            {"field": "stock", "blank": True},
            {"field": "images", "blank": True},
            {"field": "images", "has": ["c"]},
            {"field": "title", "matches": "e"},
            {"field": "gtin", "blank": True},
        )
    ]
    assert met == [[1], [2], [1, 3], [2], [2, 3], []]


def test_each_consequence_tells_what_stood_there() -> None:
    found = decided(
        [
            {"when": {"column": "Status", "is": ["aktiv"]}, "then": "part"},
            {"when": {"column": "Status", "is": ["Auslauf"]}, "then": {"skip": "it is phased out"}},
            {"when": {"column": "Tags", "has": ["alt"]}, "then": [{"reject": "too old"}, "part"]},
            {"when": {"column": "Status", "blank": True}, "then": "quarantine"},
        ]
    )
    assert (found.parts.tolist(), found.skipped.tolist()) == (
        [True, False, False, False],
        [False, True, False, False],
    )
    assert found.why == {1: ("Status", "Auslauf", " (it is phased out)")}
    assert found.rejected == {1: ("Tags", "alt;blau", "too old")}
    assert found.held == dict.fromkeys(
        (2, 3), ("Status", "", "the feed's rules hold this record for a person")
    )


def test_set_and_arithmetic_change_only_the_rows_they_concern_and_later_rules_see_it() -> None:
    fields = columns(price=["10", "20.50", None, "5"], stock=[1, 9, None, 4])
    found = decided(
        [
            {"when": {"field": "price", "above": "9"}, "then": {"field": "price", "times": "1.19", "round": {"ending": "0.99"}}},
            {"when": {"field": "price", "is": ["11.99"]}, "then": [{"set": {"brand": "Norden", "condition": "used"}}, {"field": "stock", "minus": 2}]},
            {"when": {"field": "price", "blank": True}, "then": {"set": {"price": "3.00", "stock": 8}}},
            {"then": {"set": {"kind": "service"}}},
        ],
        fields,
    )  # fmt: skip
    assert fields["price"].values.tolist() == ["11.99", "24.99", "3.00", "5"]
    assert fields["stock"].values.tolist() == [0, 9, 8, 4]
    assert [None if pd.isna(one) else one for one in fields["brand"].values] == ["Norden", None, None, None]
    assert fields["kind"].values.tolist() == ["service"] * 4
    assert not found.skipped.any()


def test_setting_a_field_to_nothing_empties_it_and_forgets_what_was_wrong_with_it() -> None:
    fields = columns(price=["1", "2", "3", "4"])
    fields["price"].mark("not_a_number", np.array([True, True, False, False]))
    decided([{"when": {"column": "Status", "is": ["aktiv"]}, "then": {"set": {"price": None}}}], fields)
    assert pd.isna(fields["price"].values.iloc[0])
    assert fields["price"].values.tolist()[1:] == ["2", "3", "4"]
    assert fields["price"].marks["not_a_number"].tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("amount", "steps", "result"),
    [
        ("10", {"times": "1.19"}, "11.90"), ("10.005", {"plus": 1}, "11.005"), ("3.333333", {"times": 3}, "9.999999"), ("1", {"times": "0.3333333"}, "0.333333"),
        ("12.34", {"round": {"to": "0.05"}}, "12.35"), ("12.32", {"round": {"to": "0.05"}}, "12.30"), ("12.31", {"round": {"to": "0.05", "way": "up"}}, "12.35"),
        ("12.39", {"round": {"to": "0.1", "way": "down"}}, "12.30"), ("12.34", {"round": {"ending": "0.99"}}, "12.99"), ("12.995", {"round": {"ending": "0.99"}}, "13.990"),
        ("12.99", {"round": {"ending": "0.99"}}, "12.99"), ("12.34", {"round": {"ending": "9.99"}}, "19.99"), ("12", {"round": {"ending": "0"}}, "12.00"),
        ("12.34", {"round": {"ending": "0.00"}}, "13.00"), ("5", {"minus": 9, "at_least": "0.5"}, "0.50"), ("5", {"plus": 9, "at_most": 10}, "10.00"),
        ("0", {"times": 7}, "0.00"), ("100", {"times": 10}, "1000.00"),
    ],
)  # fmt: skip
def test_arithmetic_is_exact(amount: str, steps: dict[str, Any], result: str) -> None:
    assert calculated([amount, None, amount], steps, whole=False) == [result, None, result]


def test_what_no_offer_has_room_for_is_no_amount() -> None:
    assert calculated(["999999999999", "1"], {"times": 10}, whole=False) == [None, "10.00"]
    fields = columns(price=["1", "2", "3", "4"], stock=[1, 2, 3, 4])
    decided([{"then": {"set": {"price": "1234567890123", "stock": "1.9"}}}], fields)
    assert fields["price"].values.isna().all()
    assert fields["stock"].values.tolist() == [1, 1, 1, 1]


AMOUNTS = st.decimals("-99999", "99999", places=4, allow_nan=False, allow_infinity=False)


@given(
    AMOUNTS, st.sampled_from(["0.05", "0.01", "1", "0.25", "7"]), st.sampled_from(["nearest", "up", "down"])
)
def test_rounding_to_a_step_gives_a_multiple_that_is_near(amount: Decimal, step: str, way: str) -> None:
    found = rounded(amount, {"to": step, "way": way})
    assert found % Decimal(step) == 0
    moved = found - amount
    assert {
        "nearest": abs(moved) * 2 <= Decimal(step),
        "up": 0 <= moved < Decimal(step),
        "down": -Decimal(step) < moved <= 0,
    }[way]
    assert rounded(found, {"to": step, "way": way}) == found


@given(AMOUNTS.filter(lambda one: one >= 0), st.sampled_from(["0.99", "0.95", "9.99", "0", "4.90", "99"]))
def test_an_ending_is_the_next_amount_that_ends_so(amount: Decimal, ending: str) -> None:
    found = rounded(amount, {"ending": ending})
    every = Decimal(10) ** (len(str(int(Decimal(ending)))) if int(Decimal(ending)) else 0)
    assert amount <= found < amount + every
    assert (found - Decimal(ending)) % every == 0


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8), st.integers(0, 10_000))
def test_stock_stays_whole_and_never_goes_below_zero(stocks: list[int], buffer: int) -> None:
    assert calculated(map(str, stocks), {"minus": buffer}, whole=True) == [
        str(max(one - buffer, 0)) for one in stocks
    ]
    assert calculated(map(str, stocks), {"times": "0.5"}, whole=True) == [str(one // 2) for one in stocks]


@settings(max_examples=25)
@given(
    st.lists(
        st.one_of(st.none(), st.sampled_from(["", " ", "a", "A", "b", "7", "7,5", "n"])),
        min_size=1,
        max_size=20,
    )
)
def test_all_rows_are_decided_as_each_row_alone(values: list[str | None]) -> None:
    rules = [
        {"when": {"any": [{"column": "c", "is": ["a"]}, {"column": "c", "above": 7}]}, "then": "skip"},
        {"when": {"column": "c", "blank": True}, "then": {"reject": "blank"}},
        {"when": {"column": "c", "matches": "^[a-z]$"}, "then": "part"},
    ]

    def run(some: list[str | None]) -> tuple[list[bool], list[bool], list[int]]:
        frame = pd.DataFrame({"c": pd.Series(some, dtype="str")})
        found = ruled(frame, {}, rules, np.zeros(len(some), dtype=bool))
        return found.parts.tolist(), found.skipped.tolist(), list(found.rejected)

    parts, skipped, rejected = run(values)
    alone = [run([one]) for one in values]
    assert parts == [one[0][0] for one in alone]
    assert skipped == [one[1][0] for one in alone]
    assert rejected == [row for row, one in enumerate(alone) if one[2]]


def taken(folder: Path, text: str, **mapping: Any) -> Batch:
    file = folder / "list.csv"
    file.write_text(text, "utf-8")
    return next(iter(normalise(file, mapping=mapping).batches()))


def test_a_feed_follows_its_rules(tmp_path: Path) -> None:
    text = "sku;title;price;stock;status\nA1;Lamp;10,00;5;ok\nA2;Desk;20,00;1;ok\nA3;Bed;30,00;5;old\nA4;Rug;-;5;ok\nA5;Cup;2,00;5;ask\n"
    batch = taken(
        tmp_path, text, currency="EUR",
        rules=[
            {"when": {"column": "status", "is": "old"}, "then": {"reject": "phased out"}},
            {"when": {"column": "status", "is": "ask"}, "then": "quarantine"},
            {"when": {"field": "price", "blank": True}, "then": {"skip": "no price yet"}},
            {"then": [{"field": "price", "times": "1.19", "round": {"to": "0.05"}}, {"field": "stock", "minus": 2}]},
        ],
    )  # fmt: skip
    assert batch.answers["verdict"].tolist() == [
        "accepted",
        "accepted",
        "rejected",
        "rejected",
        "quarantined",
    ]
    assert batch.answers["reasons"].tolist() == [
        [],
        [],
        ["rejected_by_rule"],
        ["skipped_by_rule"],
        ["held_by_rule"],
    ]
    assert (
        batch.answers["message"].tolist()[2]
        == "row 4: phased out (status is 'old'); change it there, or the rule in the mapping."
    )
    assert batch.answers["message"].tolist()[3] == (
        "row 5: price '' says that it is not for sale here (no price yet); change it there if it should be sold."
    )
    offers = batch.offers[["supplier_sku", "price", "stock", "availability"]].to_dict("records")
    assert offers == [
        {"supplier_sku": "A1", "price": "11.90", "stock": 3, "availability": "in_stock"},
        {"supplier_sku": "A2", "price": "23.80", "stock": 0, "availability": "out_of_stock"},
    ]


def test_a_price_that_arithmetic_makes_negative_is_refused_as_any_other(tmp_path: Path) -> None:
    batch = taken(
        tmp_path, "sku,title,price\nA1,Lamp,10.00\n", rules=[{"then": {"field": "price", "minus": 12}}]
    )
    assert batch.answers["reasons"].tolist() == [["price_negative"]]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"then": "drop"}, "rules[0].then: 'drop' is not known here; there are part, skip, quarantine, reject"),
        ({"when": {"column": "a"}, "then": "skip"}, "rules[0].when: give exactly one of is, not, has, matches, below, above, blank"),
        ({"when": {"column": "a", "is": ["x"], "blank": True}, "then": "skip"}, "rules[0].when: give only one of is, blank"),
        ({"when": {"field": "colour", "is": ["x"]}, "then": "skip"}, "rules[0].when.field: 'colour' is not known here; there are supplier_sku"),
        ({"when": {"column": "a", "below": "cheap"}, "then": "skip"}, "rules[0].when.below: 'cheap' is not written as it must be"),
        ({"then": {"field": "title", "times": 2}}, "rules[0].then.field: 'title' is not known here; there are cost, price, rrp"),
        ({"then": {"set": {"images": "x"}}}, "rules[0].then.set: there is no 'images' here; there are mpn, brand"),
        ({"then": {"field": "price", "round": {"to": "0"}}}, "rules[0].then.round.to: '0' is not written as it must be"),
        ({"when": {"column": "a", "matches": "(?=x)"}, "then": "skip"}, "rules[0].when: The pattern '(?=x)' is not usable"),
    ],
)  # fmt: skip
def test_a_rule_that_is_none_is_refused_with_its_place_and_what_is_allowed(
    tmp_path: Path, rule: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused) as refusal:
        taken(tmp_path, "sku,title,price\nA1,Lamp,10.00\n", rules=[rule])
    assert sentence in str(refusal.value)
