"""Values that repeat inside a record: chosen by what stands beside them, multiplied, divided, put under an address."""

from typing import Any

import pandas as pd
import pytest

from connectors.readers.frames import INNER, OUTER
from pipelines.feeds.mapping.repeated import CURRENCY, in_one_currency, narrowed
from pipelines.feeds.shaping import shaped


def chosen(source: dict[str, Any], **columns: str | None) -> str | None:
    """What `source` (its column is "v") takes from one record; a name like P__v stands for P/v."""
    frame = pd.DataFrame(
        {
            name.replace("__", "/").replace("_at_", "@"): pd.Series([cell], dtype="str")
            for name, cell in columns.items()
        }
    )
    (value,) = narrowed(frame[source["column"]], frame, source).tolist()
    return value if isinstance(value, str) else None


def lists(*parents: str) -> str:
    """ "1,2", "3" -> what a reader makes of values of two parents."""
    return OUTER.join(parent.replace(",", INNER) for parent in parents)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"column": "P/t", "is": ["net"]}, "1"), ({"column": "P/t", "is": ["NET", "nrp"]}, f"1{INNER}4"),
        ({"column": "P/t", "not": ["net", "nrp"]}, f"2{INNER}3"), ({"column": "P/t", "is": [""]}, "3"),
        ({"column": "P/x", "is": ["net"]}, None), ({"column": "P/x", "not": ["net"]}, f"1{INNER}2{INNER}3{INNER}4"),
        ([{"column": "P/t", "not": ["net"]}, {"column": "P/c", "is": ["EUR"]}], f"3{INNER}4"),
        ([{"column": "P/t", "not": ["net"]}, {"column": "P/c", "same": CURRENCY}], "2"),
        ({"column": "P/c", "same": "nothing"}, None),
    ],
)  # fmt: skip
def test_places_are_chosen_by_what_stands_beside_them(where: Any, found: str | None) -> None:
    record = {
        "P__v": lists("1", "2", "3", "4"), "P__t": lists("net", "list", "", "nrp"), "P__c": lists("EUR", "CHF", "EUR", "EUR"),
        CURRENCY: "chf",
    }  # fmt: skip
    assert chosen({"column": "P/v", "where": where}, **record) == found


def test_one_word_of_a_parent_counts_for_all_its_values() -> None:
    source = {"column": "P/v", "where": {"column": "P/t", "is": ["a"]}}
    assert chosen(source, P__v=lists("1,2", "3,4"), P__t=lists("a", "b")) == f"1{INNER}2"


def test_an_attribute_counts_for_its_own_element_only() -> None:
    source = {"column": "name", "where": {"column": "name/@lang", "is": ["en"]}}
    assert chosen(source, name=lists("A,B"), name___at_lang="en") == "A"
    assert chosen(source, name=lists("A,B"), name___at_lang=lists(",en")) == "B"


def test_what_stands_elsewhere_counts_for_the_whole_record() -> None:
    assert chosen({"column": "P/v", "per": "O/q"}, P__v=lists("10", "25"), O__q="100") == f"0.1{INNER}0.25"
    assert chosen({"column": "P/v", "per": "O/q"}, P__v=lists("10", "25"), O__q="0") == f"10{INNER}25"


@pytest.mark.parametrize(
    ("amount", "factor", "product"),
    [
        ("17,23", ",8", "13.7840"), ("20,00", "0,8", "16"), ("8.61", ".5", "4.3050"), ("12.50", "1", "12.50"), ("12.50", "", "12.50"),
        ("12.50", "x", "12.50"), ("on request", "0.8", "on request"), ("1000", "0.125", "125"),
    ],
)  # fmt: skip
def test_a_product_never_looks_like_thousands(amount: str, factor: str, product: str) -> None:
    assert chosen({"column": "v", "times": "f"}, v=amount, f=factor or None) == product


def test_file_names_stand_under_their_root() -> None:
    source = {"column": "m", "under": "root"}
    assert chosen(source, m=lists("a.jpg", "https://x.example/b.jpg"), root="https://y.example/dir/") == (
        f"https://y.example/dir/a.jpg{INNER}https://x.example/b.jpg"
    )
    assert chosen(source, m="a.jpg", root="//files") == "a.jpg"  # no address


@pytest.mark.parametrize(
    ("named", "standing", "taken"),
    [
        (lists("EUR", "CHF"), None, "EUR"), (lists("EUR", "CHF"), "CHF", "CHF"), (lists("EUR", "chf"), "CHF", "chf"), (lists("EUR"), "CHF", "EUR"),
        (lists("", "CHF"), None, "CHF"), (None, "CHF", "CHF"), (None, None, None),
    ],
)  # fmt: skip
def test_a_record_is_priced_in_one_currency(
    named: str | None, standing: str | None, taken: str | None
) -> None:
    frame = pd.DataFrame({"c": pd.Series([named, "EUR"], dtype="str")})
    found = in_one_currency(frame, "c", standing)[CURRENCY].tolist()
    assert (found[0] if isinstance(found[0], str) else None) == taken
    assert found[1] == "EUR"
    assert CURRENCY not in in_one_currency(frame, None, None)


def test_a_unit_counts_for_all_values_of_its_parent() -> None:
    frame = pd.DataFrame(
        {
            "F/V": pd.Series([lists("110,220", "Rot", "", "5")], dtype="str"),
            "F/U": pd.Series([lists("VLT", "", "g", "kg")], dtype="str"),
        }
    )
    (wide,) = shaped(lambda _: iter([frame]), {"units": [{"values": "F/V", "units": "F/U", "as": "told"}]})
    assert wide["told"].tolist() == [lists("110 VLT,220 VLT", "Rot", "", "5 kg")]
