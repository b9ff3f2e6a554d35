"""How rows become records: joined by id, lists and pairs turned into columns, parts told from what stands for itself."""

from collections.abc import Iterator

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers.frames import INNER, OUTER
from core.errors import Refused
from pipelines.feeds.exploring import beside
from pipelines.feeds.mapping import document as documents
from pipelines.feeds.profiles import in_one_currency, profiles
from pipelines.feeds.shaping import is_made, shaped


def frame(**columns: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {name.replace("__", "/"): pd.Series(cells, dtype="str") for name, cells in columns.items()}
    )


def shape_of(rows: pd.DataFrame | dict[str | None, pd.DataFrame], **shape: object) -> pd.DataFrame:
    asked: list[str | None] = []

    def read(path: str | None) -> Iterator[pd.DataFrame]:
        asked.append(path)
        found = rows if isinstance(rows, pd.DataFrame) else rows[path]
        for start in range(0, len(found), 2):
            yield found.iloc[start : start + 2]

    return pd.concat(list(shaped(read, shape)), ignore_index=True)


def cells(rows: pd.DataFrame, name: str) -> list[str | None]:
    return [cell if isinstance(cell, str) else None for cell in rows[name]]


def test_an_id_brings_the_columns_of_its_record_and_several_ids_a_list_in_step() -> None:
    rows = frame(
        kind=["item", "item", "picture", "picture", "item"],
        id=["1", "2", "7", "8", "3"],
        pictures=["8, 9,7", "7", None, None, None],
        url=[None, None, "a.jpg", "b.jpg", None],
        size=[None, None, "big", None, None],
    )
    join = {
        "as": "picture", "where": {"column": "kind", "is": ["picture"]}, "key": "id", "by": "pictures", "split": ",",
        "columns": ["url", "size"],
    }  # fmt: skip
    found = shape_of(rows, join=[join])
    assert cells(found, "picture/url") == [f"b.jpg{OUTER}{OUTER}a.jpg", "a.jpg", None, None, None]
    assert cells(found, "picture/size") == [f"{OUTER}{OUTER}big", "big", None, None, None]
    assert len(found) == len(rows)


def test_several_records_of_one_id_are_a_list_or_a_total() -> None:
    rows = frame(id=["1", None, None, None], of=[None, "1", "1", "2"], n=[None, "1.50", "2", "9"])
    plain = {"as": "more", "key": "of", "by": "id", "columns": ["n"]}
    assert cells(shape_of(rows, join=[plain]), "more/n") == [f"1.50{OUTER}2", None, None, None]
    assert cells(shape_of(rows, join=[{**plain, "total": True}]), "more/n") == ["3.50", None, None, None]


def test_a_later_join_goes_by_what_an_earlier_one_brought() -> None:
    rows = frame(
        id=["v", "p", "c"], product=["p", None, None], category=[None, "c", None], name=["V", "P", "C"]
    )
    joins = [
        {"as": "product", "key": "id", "by": "product", "columns": ["name", "category"]},
        {"as": "category", "key": "id", "by": "product/category", "columns": ["name"]},
    ]
    found = shape_of(rows, join=joins)
    assert (cells(found, "product/name")[0], cells(found, "category/name")[0]) == ("P", "C")


def test_a_tree_is_the_names_from_its_root_and_a_circle_ends() -> None:
    rows: dict[str | None, pd.DataFrame] = {
        None: frame(cat=["3", "9", "5", None, "3" + INNER + "1"]),
        "tree": frame(
            id=["1", "2", "3", "4", "5"], above=[None, "1", "2", "5", "4"], name=["A", "B", "C", "x", "y"]
        ),
    }
    join = {
        "as": "tree",
        "path": "tree",
        "key": "id",
        "by": "cat",
        "parent": "above",
        "name": "name",
        "columns": [],
    }
    found = shape_of(rows, join=[join])
    assert cells(found, "tree/path") == ["A > B > C", None, "x > y", None, f"A > B > C{OUTER}A"]


def test_ids_inside_a_longer_text_bring_what_stands_beside_them() -> None:
    rows = frame(
        sku=["A", "B", "P"],
        many=[None, None, "sku=A,color=red,size=M|sku=B,color=blue"],
        name=["a", "b", "p"],
    )
    join = {
        "as": "parent", "key": "many", "key_in": {"between": "|", "and": ",", "is": "=", "name": "sku"}, "by": "sku",
        "columns": ["name"],
    }  # fmt: skip
    unfold = {"column": "parent/found", "between": ",", "is": "=", "names": "names", "values": "values"}
    found = shape_of(rows, join=[join], unfold=[unfold])
    assert cells(found, "parent/name") == ["p", "p", None]
    assert cells(found, "names") == [f"color{OUTER}size", "color", None]
    assert cells(found, "values") == [f"red{OUTER}M", "blue", None]


def test_what_only_adds_is_told_from_what_stands_for_itself() -> None:
    rows = frame(type=["Product", "image", None], state=["on", "on", "on"])
    found = shape_of(
        rows, where=[{"column": "type", "is": ["product", ""]}, {"column": "state", "not": ["off"]}]
    )
    assert cells(found, "_record") == ["own", "part", "own"]


def test_pairs_lists_units_and_blanks() -> None:
    rows = frame(
        text=["a=1,b=x, y,c=", "no pairs"], level__a=["1", None], level__b=["2", " "], parent=["0", "4"],
        value=[f"5{INNER}6", "7"], unit=[f"cm{INNER}", None], feature=["Color:Red:0,Size:M:1", None],
    )  # fmt: skip
    found = shape_of(
        rows,
        blank=[{"column": "parent", "is": ["0"]}],
        unfold=[
            {"column": "text", "between": ",", "is": "=", "names": "n", "values": "v"},
            {"column": "feature", "between": ",", "is": ":", "until": ":", "names": "fn", "values": "fv"},
        ],
        gather=[{"prefixes": ["level/"], "names": "gn", "values": "gv"}],
        units=[{"values": "value", "units": "unit", "as": "measured"}],
    )
    assert (cells(found, "n"), cells(found, "v")) == (
        [f"a{OUTER}b{OUTER}c", None],
        [f"1{OUTER}x, y{OUTER}", None],
    )
    assert (cells(found, "fn")[0], cells(found, "fv")[0]) == (f"Color{OUTER}Size", f"Red{OUTER}M")
    assert (cells(found, "gn"), cells(found, "gv")) == ([f"a{OUTER}b", None], [f"1{OUTER}2", None])
    assert cells(found, "measured") == [f"5 cm{INNER}6", "7"]
    assert cells(found, "parent") == [None, "4"]


def test_one_column_less_others_is_there_where_another_has_a_number() -> None:
    rows = frame(
        price=["100", "100", "9,99", "x"], less=["5", None, None, "1"], percent=["10", None, "50", None]
    )
    found = shape_of(
        rows, calculate=[{"as": "net", "from": "price", "minus": "less", "minus_percent": "percent"}]
    )
    assert cells(found, "net") == ["85.00", None, "5.00", None]


def test_made_columns_are_none_of_the_suppliers() -> None:
    shape = profiles()["magento"]["records"]
    assert [name for name in ("sku", "_record", "parent/name", "option names", "parent") if is_made(name, shape)] == [
        "_record", "parent/name", "option names",
    ]  # fmt: skip
    assert not is_made("parent/name", None)


def test_a_path_may_go_up_from_the_records() -> None:
    offers = Dialect("xml", "utf-8", header=("a",), record_path="yml_catalog/shop/offers/offer")
    tree = beside("../../categories/category", offers)
    assert (tree.record_path, tree.header) == ("yml_catalog/shop/categories/category", ())
    products = Dialect("json", "utf-8", record_path="catalog.products")
    assert beside("../categories", products).record_path == "catalog.categories"
    assert beside("tree.nodes", products).record_path == "tree.nodes"
    assert beside(None, products) is products


def test_prices_in_several_currencies_the_wanted_one_else_the_first() -> None:
    medusa = profiles()["medusa"]
    header = ["Variant Price DKK", "Variant Price EUR", "Price Europe [USD]"]
    for wanted, chosen in (("EUR", "EUR"), ("USD", "USD"), (None, "DKK"), ("CHF", "DKK")):
        told = in_one_currency(medusa, header, {}, wanted)
        assert told["currency"] == chosen
        assert told["fields"]["price"]["from"] == [f"Variant Price {chosen}", f"Price {chosen}"]
    assert medusa["fields"]["price"]["from"][0] == "Variant Price {currency}"  # the profile itself stays


def test_every_profile_of_ours_says_its_records_as_the_schema_wants() -> None:
    dialect = {"format": "csv", "encoding": "utf-8", "missingValues": []}
    for profile in profiles().values():
        if "records" in profile:
            document = {
                "version": 1, "profile": profile["name"], "dialect": dialect, "key": ["supplier_sku"], "fields": {},
                "records": profile["records"],
            }  # fmt: skip
            documents.check(document)
            with pytest.raises(Refused, match="records"):
                documents.check({**document, "records": {**profile["records"], "sql": "SELECT 1"}})
