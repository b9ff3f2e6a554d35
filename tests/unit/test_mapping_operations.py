"""Each operation of the closed list, on a column."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from core.errors import Refused
from pipelines.feeds.mapping import document as documents
from pipelines.feeds.mapping.checking import schema
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.evaluate import evaluate
from pipelines.feeds.mapping.operations import OPERATIONS

AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
WORDS = frozenset(documents.MISSING_VALUES)
DOCUMENT: dict[str, Any] = {
    "version": 1, "profile": "generic", "key": ["supplier_sku"], "fields": {},
    "dialect": {"format": "csv", "encoding": "utf-8", "missingValues": []},
}  # fmt: skip


def column(values: list[str | None], *operations: Any) -> Column:
    frame = pd.DataFrame({"c": pd.Series(values, dtype="str")})
    return evaluate(frame, {"from": ["c"], "operations": list(operations)}, WORDS, AS_OF)


def plain(found: Column) -> list[Any]:
    return [None if not isinstance(one, list | dict) and pd.isna(one) else one for one in found.values]


@pytest.mark.parametrize(
    ("operation", "text", "value"),
    [
        ("trim", " a ", "a"), ("collapse", "a \n\t b", "a b"), ({"strip": "'"}, "'A1", "A1"), ({"replace": {"\\n": " "}}, "a\\nb", "a b"),
        ({"regex": {"find": r"^(\d+)"}}, "12 Tage", "12"), ({"regex": {"find": r"^(\d+)"}}, "Tage", None), ({"case": "upper"}, "ab", "AB"),
        ({"split": ["|", "/"]}, "a | b/c", ["a", "b", "c"]), ({"map": {"A": "x", "*": "y"}}, "a", "x"), ({"map": {"A": "x", "*": "y"}}, "b", "y"),
        ({"map": {"A": "x"}}, "b", None), ({"lookup": "availability"}, "w magazynie", "in_stock"), ({"lookup": "availability"}, "Nicht Lieferbar", "out_of_stock"),
        ({"lookup": "condition"}, "bazaar", "used"), ({"template": "id:{}"}, "44", "id:44"), ({"default": "x"}, None, "x"), ({"default": "x"}, "-", "x"),
        ("boolean", "Ja", True), ("boolean", "нет", False), ("boolean", "maybe", None),
        ({"number": {"decimal": ","}}, "1.234,5", "1234.5"), ({"number": {"whole": True, "decimal": "."}}, "7.9", 7), ({"number": {"whole": True}}, "-3", -3),
        ("percent", "19", "19"), ("percent", "19 %", "19"), ("percent", "0,20", "20"), ("percent", "0.055", "5.5"), ("percent", "5,5", "5.5"), ("percent", "0", "0"),
        ("percent", "normal", None), ("currency", "€", "EUR"), ("currency", "usd", "USD"),
        ({"unit": {"to": "g"}}, "1500.0 g", 1500), ({"unit": {"to": "g", "of": "lbs"}}, ".5", 227), ({"unit": {"to": "g", "of": "kg"}}, "0,15", 150),
        ({"unit": {"to": "g", "of": "kg"}}, "250 g", 250), ({"unit": {"to": "mm"}}, "20 cm", 200), ({"unit": {"to": "mm", "of": "in"}}, "24", 610),
        ({"unit": {"to": "days", "of": "days"}}, "4 bis 8 Tage", 8), ({"unit": {"to": "days", "of": "days"}}, "2", 2), ({"unit": {"to": "days"}}, "24 h", 1),
        ({"unit": {"to": "days"}}, "1-2 weeks", 14), ("text", "Tom &amp; <b>Jerry</b>\n!", "Tom & Jerry !"), ("text", "a < b", "a < b"),
        ("url", "https://x.example/a b.jpg", ["https://x.example/a%20b.jpg"]), ("url", "//x.example/a.jpg", ["https://x.example/a.jpg"]),
        ("url", "https://x.example/a,b.jpg,https://x.example/c.jpg", ["https://x.example/a,b.jpg", "https://x.example/c.jpg"]),
        ("url", "https://x.example/a.jpg; https://x.example/a.jpg", ["https://x.example/a.jpg"]), ("url", "pictures/a.jpg", []),
        ("url", "javascript:alert(1)", []),
    ],
)  # fmt: skip
def test_each_operation(operation: Any, text: str | None, value: Any) -> None:
    assert plain(column([text], operation)) == [value]


def test_join_and_first_take_lists() -> None:
    assert plain(column(["A|B", None], {"split": "|"}, {"join": " > "})) == ["A > B", None]
    assert plain(column(["A, B", None], {"split": ","}, "first")) == ["A", None]


def test_money_splits_the_currency_off_and_marks_what_it_cannot_read() -> None:
    found = column(["12,99 USD", "5", "abc", "1,234", "9.99 XXQ", "$3", "7 €/kg", None], "money")
    assert plain(found) == ["12.99", "5", None, "1234", "9.99", "3", None, None]
    assert [None if pd.isna(one) else one for one in found.sides["currency"]] == ["USD", *[None] * 7]
    assert {rule: mask.nonzero()[0].tolist() for rule, mask in found.marks.items()} == {
        "not_a_number": [2, 6], "number_ambiguous": [3], "currency_unknown": [4],
    }  # fmt: skip


def test_what_a_measure_lacks_is_remarked() -> None:
    found = column(["2", "heavy", "3 kg"], {"unit": {"to": "g", "assume": "kg"}})
    assert plain(found) == [2000, None, 3000]
    assert {rule: mask.tolist() for rule, mask in found.marks.items()} == {
        "unit_assumed": [True, False, False], "value_ignored": [False, True, False],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("markup", "clean", "lost"),
    [
        ("plain & simple, a < b", "plain & simple, a < b", False),
        ("<p class='x'>a<br/>b &amp; c</p>", "<p>a<br>b &amp; c</p>", False),
        ("<p>a<script>alert(1)</script></p>", "<p>a</p>", True),
        ("<p onclick='x()'>a</p>", "<p>a</p>", True),
        ("<p style='color:red'>a</p>", "<p>a</p>", True),
        ("<a href='javascript:x()'>a</a>", "<a>a</a>", True),
        ("<iframe src='https://x.example'></iframe><b>a</b>", "<b>a</b>", True),
        ("<a href='https://x.example' target='_blank'>a</a>", '<a href="https://x.example">a</a>', False),
        ("<img src='https://x.example/a.jpg' onerror=alert(1)>", '<img src="https://x.example/a.jpg">', True),
    ],
)
def test_html_keeps_harmless_markup_and_says_when_something_was_lost(
    markup: str, clean: str, lost: bool
) -> None:
    found = column([markup], "html")
    assert plain(found) == [clean]
    assert ("html_cleaned" in found.marks) is lost


def test_missing_words_are_no_values() -> None:
    assert plain(column(["n/a", "-", "  ", "NULL", "00.00.0000", "No rating available", "nano"])) == [
        *[None] * 6,
        "nano",
    ]


@pytest.mark.parametrize(
    ("start", "end", "value"),
    [
        ("", "", "5"), ("2026-01-01", "2026-12-31", "5"), ("", "2026-11-23", "5"), ("2026-11-24", "", "9"), ("2025-01-01", "2026-11-22", "9"),
        ("01.01.2026", "31.12.2026", "5"),
    ],
)  # fmt: skip
def test_a_dated_price_counts_inside_its_window(start: str, end: str, value: str) -> None:
    frame = pd.DataFrame({"sale": ["5"], "regular": ["9"], "from": [start], "to": [end]}, dtype="str")
    spec = {"from": [{"column": "sale", "window": ["from", "to"]}, "regular"], "operations": ["money"]}
    assert evaluate(frame, spec, WORDS, AS_OF).values.tolist() == [value]


def test_the_schema_and_the_operations_name_the_same() -> None:
    bare, called = schema()["$defs"]["operation"]["oneOf"]
    assert set(called["properties"]) == set(OPERATIONS)
    assert set(bare["enum"]) < set(OPERATIONS)
    for name, told in called["properties"].items():
        assert told["title"] and told["description"].endswith("."), name
        documents.check(
            {**DOCUMENT, "fields": {"brand": {"from": ["b"], "operations": [{name: told["examples"][0]}]}}}
        )


def test_patterns_are_re2_and_take_no_more_than_linear_time() -> None:
    assert plain(column(["a" * 50_000 + "!"], {"regex": {"find": "((a+)+)$"}})) == [None]
    with pytest.raises(Refused, match="not usable"):
        column(["a"], {"regex": {"find": r"(a)(?=b)"}})


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(Refused, match="no table 'colours'"):
        column(["red"], {"lookup": "colours"})
