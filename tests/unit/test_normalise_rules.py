"""The rules that answer a record, one file each."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.feeds.normalise import normalise
from pipelines.feeds.verdicts import QUARANTINES, REJECTS


class Read:
    """One file read to its end: its offers, one answer a record, the summary."""

    def __init__(self, tmp_path: Path, text: str, **options: Any) -> None:
        file = tmp_path / "feed.csv"
        file.write_text(text)
        found = normalise(file, **options)
        batches = list(found.batches())
        self.offers = pd.concat([batch.offers for batch in batches], ignore_index=True)
        self.told = [one for batch in batches for one in batch.answers.to_dict("records")]
        self.batches, self.summary = len(batches), found.summary()


def reasons(found: Read) -> list[tuple[str, list[str]]]:
    return [(one["verdict"], one["reasons"]) for one in found.told]


GOOD = ("accepted", [])


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        ("12.50", GOOD), ("0", ("quarantined", ["price_zero"])), ("0.00", ("quarantined", ["price_zero"])), ("-5", ("rejected", ["price_negative"])),
        ("", ("rejected", ["missing_price"])), ("n/a", ("rejected", ["missing_price"])), ("on request", ("rejected", ["not_a_number"])),
        ("12.99 XXQ", ("rejected", ["currency_unknown"])), ("12.99 EUR", GOOD), ('"1,234"', ("quarantined", ["number_ambiguous"])), ('"1,234.00"', GOOD),
        ("$5", GOOD), ("10.00 €/kg", ("rejected", ["not_a_number"])),
    ],
)  # fmt: skip
def test_prices(tmp_path: Path, price: str, verdict: tuple[str, list[str]]) -> None:
    found = Read(tmp_path, f'sku,title,price\nA1,Lamp,{price}\nA2,Desk,"5,5"\nA3,Bed,7.5\n')
    assert reasons(found) == [verdict, GOOD, GOOD]


def test_keys_titles_and_what_a_message_says(tmp_path: Path) -> None:
    found = Read(tmp_path, "sku,title,price\n,Lamp,1\nA2,,2\n-,-,3\nA4,Bed,4\n")
    assert reasons(found) == [
        ("rejected", ["missing_key"]),
        ("rejected", ["missing_title"]),
        ("rejected", ["missing_key", "missing_title"]),
        GOOD,
    ]
    assert [one["message"] for one in found.told] == [
        "row 2: there is no article number ('sku' is blank); give every record one of its own.",
        "row 3: there is no title ('title' is blank); give one.",
        "row 4: there is no article number ('sku' is blank); give every record one of its own.",
        None,
    ]


def test_doubles(tmp_path: Path) -> None:
    found = Read(tmp_path, "sku,title,price\n1,a,1\n1,a,1\n1,b,1\n'2,a,1\n2,a,1\n1,a,1\n")
    assert reasons(found) == [
        GOOD, ("rejected", ["duplicate"]), ("quarantined", ["duplicate_conflict"]), GOOD, ("rejected", ["duplicate"]), ("rejected", ["duplicate"]),
    ]  # fmt: skip
    assert (
        found.told[2]["message"]
        == "row 4: sku '1' is also the key of row 2, with other content; give each its own."
    )
    assert found.summary.variants == 2


def test_doubles_far_apart_are_found_across_batches(tmp_path: Path) -> None:
    rows = "".join(f"A{n},Lamp {n},5\n" for n in range(10_100))
    found = Read(tmp_path, f"sku,title,price\n{rows}A7,Lamp 7,5\nA8,Lamp,6\n")
    assert found.batches == 2
    summary = found.summary
    assert (summary.records, summary.accepted, summary.reasons) == (
        10_102,
        10_100,
        {"duplicate": 1, "duplicate_conflict": 1},
    )
    assert found.told[-2]["message"].startswith("row 10102: sku 'A7' repeats row 9 ")


@pytest.mark.parametrize(
    ("told", "stock", "availability", "note"),
    [
        ("5", 5, "in_stock", []), ("0", 0, "out_of_stock", []), ("-3", 0, "out_of_stock", ["stock_negative"]), ("", None, None, []),
        ("plenty", None, None, ["stock_unknown"]), ("7.0", 7, "in_stock", []),
    ],
)  # fmt: skip
def test_stock(
    tmp_path: Path, told: str, stock: int | None, availability: str | None, note: list[str]
) -> None:
    found = Read(tmp_path, f"sku,title,price,stock\nA1,Lamp,1,{told}\nA2,Desk,1,2\nA3,Bed,1,3\n")
    offer = found.offers.iloc[0]
    assert (offer["stock"], offer["availability"]) == (stock, availability)
    assert found.told[0]["notes"] == note


def test_the_currency_comes_from_the_file_before_the_feed(tmp_path: Path) -> None:
    text = "sku,title,price,currency\n1,a,1,EUR\n2,b,2,usd\n3,c,3,Taler\n4,d,5 EUR,USD\n5,e,5,\n"
    assert reasons(Read(tmp_path, text)) == [
        GOOD,
        GOOD,
        ("rejected", ["currency_unknown"]),
        ("quarantined", ["currency_conflict"]),
        GOOD,
    ]
    for given, last in ((None, None), ("CHF", "CHF")):
        offers = Read(tmp_path, text, currency=given).offers
        assert offers["currency"].tolist() == ["EUR", "USD", last]


def test_cost_by_the_feeds_policy_only_where_the_file_has_none(tmp_path: Path) -> None:
    text = "sku,title,price,cost price\n1,a,10,\n2,b,19.99,5\n3,c,0.333333,\n"
    policy = {"policy": {"cost": {"from": "price", "minus_percent": 30}}}
    assert Read(tmp_path, text).offers["cost"].tolist() == [None, "5", None]
    assert Read(tmp_path, text, mapping=policy).offers["cost"].tolist() == ["7.00", "5", "0.233333"]
    assert Read(tmp_path, text, mapping={"policy": {"cost": None}}).offers["cost"].tolist() == [
        None,
        "5",
        None,
    ]


def test_a_recommended_price_alone_sells_nothing_unless_the_policy_derives_a_cost(tmp_path: Path) -> None:
    text = "sku;title;UVP;EK\n1;a;10,00;\n2;b;10,00;5,00\n"
    assert reasons(Read(tmp_path, text)) == [("rejected", ["missing_price"]), GOOD]
    policy = {"policy": {"cost": {"from": "rrp", "minus_percent": "40"}}}
    assert reasons(Read(tmp_path, text, mapping=policy)) == [GOOD, GOOD]


def test_remarks_do_not_refuse(tmp_path: Path) -> None:
    found = Read(
        tmp_path,
        "sku,title,price,cost price,ean,weight,image,description\n"
        "1,a,10,12,4006381333932,2,a.jpg,<p onclick='x()'>b</p>\n2,b,10,5,2000001234563,heavy,https://x.example/a.jpg,b\n",
    )
    assert [one["notes"] for one in found.told] == [
        ["gtin_invalid", "html_cleaned", "image_unusable", "cost_above_price", "unit_assumed"], ["gtin_restricted", "value_ignored"],
    ]  # fmt: skip
    assert reasons(found) == [GOOD, GOOD]


def test_a_valid_gtin_is_the_key_where_there_is_nothing_better_and_a_false_one_never(tmp_path: Path) -> None:
    found = Read(
        tmp_path, "title,price,ean\nLamp,1,4006381333931\nDesk,2,4006381333932\nBed,3,2000001234563\n"
    )
    assert reasons(found) == [GOOD, ("rejected", ["missing_key"]), ("rejected", ["missing_key"])]
    offers = found.offers
    assert (offers["supplier_sku"].tolist(), offers["key_origin"].tolist()) == (["4006381333931"], ["gtin"])
    assert found.summary.notes["key_from_other_field"] == 1


def test_one_verdict_a_record_however_many_rules_it_breaks(tmp_path: Path) -> None:
    found = Read(tmp_path, "sku,title,price\nA,a,1\nA,,0\n")
    assert reasons(found) == [GOOD, ("rejected", ["missing_title", "price_zero", "duplicate_conflict"])]
    summary = found.summary
    assert summary.accepted + summary.rejected + summary.quarantined == summary.records == 2


def test_reader_faults_are_the_records_only_reason(tmp_path: Path) -> None:
    found = Read(tmp_path, "sku,title,price\nA,a,1\nB,b\nC,c,3,4\nD,d,4\n")
    assert reasons(found) == [GOOD, ("rejected", ["ragged_row"]), ("rejected", ["ragged_row"]), GOOD]
    assert [one["supplier_sku"] for one in found.told] == ["A", None, None, "D"]


def test_every_rule_has_a_sentence_with_advice() -> None:
    for sentence in (REJECTS | QUARANTINES).values():
        assert ";" in sentence
        assert sentence.format(field="f", value="v", other="o")
