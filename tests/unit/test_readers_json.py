"""The JSON readers: repeating objects as rows, streamed, whatever is wrong with some of them."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from connectors.readers.json import JsonLinesReader, JsonReader
from connectors.readers.json_records import records
from connectors.readers.json_text import Cursor
from core.errors import Refused

LAMPS = [{"sku": f"L-{n}", "title": f"Lamp {n}", "price": 9.5, "tags": ["a", "b"]} for n in range(1, 4)]


def written(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "feed.json"
    if not isinstance(content, str | bytes):
        content = json.dumps(content, ensure_ascii=False)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(
    file: Path, reader: JsonReader | None = None, path: str | None = None
) -> tuple[Dialect, pd.DataFrame]:
    reader = reader or JsonReader()
    dialect = reader.detect(file, record_path=path)
    return dialect, pd.concat(reader.frames(file, dialect), ignore_index=True)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (LAMPS, "@"),
        ({"shop": {"name": "x"}, "products": LAMPS, "count": 3}, "products"),
        ({"catalog": {"version": 2, "list": {"products": LAMPS}}}, "catalog.list.products"),
        ({one["sku"]: one for one in LAMPS}, "*"),
        ({"data.v1": {"rows": LAMPS}}, '"data.v1".rows'),
        (LAMPS[0], "@"),
    ],
    ids=["array", "wrapped", "deep", "keyed", "dotted", "one"],
)  # fmt: skip
def test_the_repeating_object_is_found(tmp_path: Path, content: Any, path: str) -> None:
    dialect, rows = read(written(tmp_path, content))
    assert dialect.record_path == path
    names = ("sku", "title", "price", "tags", "key") if path == "*" else ("sku", "title", "price", "tags")
    assert dialect.header == names
    count = 1 if content is LAMPS[0] else 3
    assert rows["sku"].tolist() == ["L-1", "L-2", "L-3"][:count]
    assert rows["price"].tolist() == ["9.5"] * count
    assert rows["tags"].tolist() == [f"a{INNER}b"] * count
    assert rows[LOCATOR].tolist() == [f"item {n}" for n in range(1, count + 1)]
    assert set(rows[FAULT]) == {""}


def test_lists_of_objects_stay_in_step_and_numbers_as_written(tmp_path: Path) -> None:
    long = "9" * 5000
    text = (
        '[{"id": 12345678901234567890123, "price": 12.50, "on": true, "none": null, "long": LONG, "brand": {"name": "N"},'
        ' "attributes": [{"name": "Color", "value": ["Red", "Blue"]}, {"value": "x"}, {"name": "Size", "value": 5}]}]'
    ).replace("LONG", long)
    _, rows = read(written(tmp_path, text))
    row = rows.iloc[0]
    assert (row["id"], row["price"], row["on"], row["long"]) == (
        "12345678901234567890123",
        "12.50",
        "true",
        long,
    )
    assert row["brand/name"] == "N"
    assert row["attributes/name"] == f"Color{OUTER}{OUTER}Size"
    assert row["attributes/value"] == f"Red{INNER}Blue{OUTER}x{OUTER}5"
    assert "none" not in rows


def test_numbers_with_a_point_are_never_thousands(tmp_path: Path) -> None:
    text = '[{"a": 1.234, "b": 12.5, "c": 1.5e3, "d": 2E-3, "e": 1e999999999, "f": "1.234", "g": -0.125}]'
    _, rows = read(written(tmp_path, text))
    assert rows.iloc[0, :7].tolist() == ["1.2340", "12.5", "1500", "0.002", "1e999999999", "1.234", "-0.1250"]


def test_records_in_records_carry_what_is_around_them(tmp_path: Path) -> None:
    variants = [{"sku": n, "price": "1", "grams": 2, "barcode": "x"} for n in ("A", "B")]
    feed = {"page": 1, "products": [{"title": "T", "variants": variants}, {"title": "U", "variants": []}]}
    dialect, rows = read(written(tmp_path, feed))
    assert dialect.record_path == "products.variants"
    assert rows["sku"].fillna("").tolist() == ["A", "B", ""]
    assert rows["../title"].tolist() == ["T", "T", "U"]
    _, same = read(written(tmp_path, feed), path="products[].variants[]")
    assert same.equals(rows)
    _, outer = read(written(tmp_path, feed), path="products")
    assert outer["variants/sku"].fillna("").tolist() == [f"A{OUTER}B", ""]
    assert [shape.record_path for shape in JsonReader().shapes(tmp_path / "feed.json")] == [
        "products.variants",
        "products",
        "@",
    ]


def test_what_breaks_off_is_answered_as_truncated(tmp_path: Path) -> None:
    whole = json.dumps({"products": LAMPS})
    for cut in range(whole.index('"L-2"'), len(whole) - 2):
        _, rows = read(written(tmp_path, whole[:cut]))
        faults = rows[FAULT].tolist()
        assert faults[-1] == "truncated", whole[:cut]
        assert set(faults[:-1]) == {""}
        assert rows["sku"].tolist()[0] == "L-1"


def test_a_broken_record_harms_no_other(tmp_path: Path) -> None:
    text = '[{"sku": "A", "t": "x{"},, {"sku": "B", oops "a[": 1}, {"sku": "C", "n": NaN, "sku": "D", "t": "\\ud800"},]'
    _, rows = read(written(tmp_path, text))
    assert rows["sku"].fillna("").tolist() == ["A", "", "D"]
    assert rows[FAULT].tolist() == ["", "not_well_formed", "undecodable"]
    assert "n" not in rows


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_any_encoding(tmp_path: Path, encoding: str) -> None:
    feed = [{"sku": "A", "title": f"Lampe für Küche und Flur {n}"} for n in range(20)]
    file = written(tmp_path, json.dumps(feed, ensure_ascii=False).encode(encoding))
    _, rows = read(file)
    assert rows["title"].tolist() == [one["title"] for one in feed]


def test_bytes_that_are_no_text_mark_their_record(tmp_path: Path) -> None:
    text = json.dumps(
        [{"sku": f"{n}", "title": "Grün und blau und größer"} for n in range(9)], ensure_ascii=False
    )
    broken = text.encode().replace("ü".encode(), b"\xff", 1)
    _, rows = read(written(tmp_path, broken))
    assert rows[FAULT].tolist() == ["undecodable"] + [""] * 8


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("[" * 100_000, "no_records"),
        ('{"a":' * 100_000, "no_records"),
        ("[1, 2, 3]", "no_records"),
        ("{}", "no_records"),
        ('[{"sku": ', "no_records"),
        ('[{sku: "x"}]', "not_well_formed"),
    ],
)
def test_no_records_is_a_refusal(tmp_path: Path, content: str, rule: str) -> None:
    with pytest.raises(Refused) as refusal:
        JsonReader().detect(written(tmp_path, content))
    assert refusal.value.rule == rule


def test_nesting_without_end_inside_a_record_is_its_own_fault(tmp_path: Path) -> None:
    deep = '{"sku": "D", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    _, rows = read(written(tmp_path, f'[{{"sku": "A"}}, {deep}, {{"sku": "B"}}]'))
    assert rows["sku"].fillna("").tolist() == ["A", "", "B"]
    assert rows[FAULT].tolist() == ["", "not_well_formed", ""]


def test_long_values_and_pieces_of_the_stream(tmp_path: Path) -> None:
    long = '\\\\\\"{[' * 300_000
    feed = (
        '{"skip": "LONG", "more": {"x": ["LONG"]}, "products": [{"sku": "A", "text": "LONG"}, {"sku": "B"}]}'
    )
    feed = feed.replace("LONG", long)
    _, rows = read(written(tmp_path, feed))
    assert rows["sku"].tolist() == ["A", "B"]
    assert rows[FAULT].tolist() == ["too_long", ""]


def test_json_lines_one_line_each(tmp_path: Path) -> None:
    lines = [json.dumps(one) for one in LAMPS]
    text = "\n".join([lines[0], "", lines[1][:-5], lines[2], '{"sku": "L-4", "ti'])
    _, rows = read(written(tmp_path, text), JsonLinesReader())
    assert rows[LOCATOR].tolist() == ["line 1", "line 3", "line 4", "line 5"]
    assert rows[FAULT].tolist() == ["", "not_well_formed", "", "truncated"]
    assert rows["sku"].fillna("").tolist() == ["L-1", "", "L-3", ""]


def test_a_large_list_is_never_whole_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    one = json.dumps({"sku": "X", "title": "y" * 800})
    with file.open("w") as stream:
        stream.write('{"products": [' + one)
        for _ in range(15_000):
            stream.write(", " + one)
        stream.write("]}")
    cursor = Cursor(file, "utf-8")
    tracemalloc.start()
    count = sum(1 for _ in records(cursor, ["products"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    cursor.close()
    assert count == 15_001
    assert peak < file.stat().st_size / 2


def test_several_values_behind_each_other_and_what_is_none(tmp_path: Path) -> None:
    text = '{"sku": "A",\n "price": 1}\n\n{"sku": "B",\n "price": 2}, [{"sku": "C"}]'
    _, rows = read(written(tmp_path, text))
    assert rows["sku"].tolist() == ["A", "B", "C"]
    _, rows = read(written(tmp_path, text + "<html>"))
    assert rows[FAULT].tolist() == ["", "", "", "not_well_formed"]
    lines = "\n".join(json.dumps({"page": n, "products": LAMPS[n : n + 2]}) for n in (0, 2))
    dialect, rows = read(written(tmp_path, lines), JsonLinesReader())
    assert (dialect.record_path, rows["sku"].tolist()) == ("products", ["L-1", "L-2", "L-3"])
    assert rows[LOCATOR].tolist() == ["line 1 item 1", "line 1 item 2", "line 2"]
    assert rows["../page"].tolist() == ["0", "0", "2"]
