"""What holds for every file: all records answered, keys unique, the same file the same offers."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import connectors.readers.csv
import connectors.readers.xml
from core.errors import Refused
from pipelines.feeds.normalise import Normalised, normalise

CELL = st.one_of(
    st.sampled_from(
        [
            "",
            "A1",
            "A2",
            "Lamp",
            "12,50",
            "1.234,50",
            "9.99 EUR",
            "-1",
            "0",
            "n/a",
            "4006381333931",
            "'30955168463",
            "https://x.example/a.jpg",
            "<b>x</b>",
        ]
    ),
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
TABLES = st.lists(st.lists(CELL, min_size=1, max_size=7), min_size=1, max_size=12)
HEADERS = st.sampled_from([
    ["sku", "title", "price", "stock", "ean"], ["Handle", "Title", "Variant SKU", "Variant Price", "Option1 Value", "Image Src"],
    ["ID", "Type", "SKU", "Name", "Regular price", "Parent"], ["id", "title", "link", "price", "availability"], ["Artikelnummer", "Preis"],
])  # fmt: skip


def facts(found: Normalised) -> tuple[list[str], list[str], list[str]]:
    """(content hashes, keys of accepted offers, verdicts) of one reading; the counts must agree with them."""
    hashes, keys, verdicts = [], [], []
    for batch in found.batches():
        hashes += batch.drafts["content_hash"].tolist()
        keys += batch.offers["supplier_sku"].tolist()
        verdicts += batch.answers["verdict"].tolist()
        for told in batch.answers.to_dict("records"):
            assert (told["verdict"] == "accepted") == (told["reasons"] == []) == (told["message"] is None)
    summary = found.summary()
    assert summary.records == len(verdicts) == summary.accepted + summary.rejected + summary.quarantined
    assert [summary.accepted, summary.rejected, summary.quarantined] == [
        verdicts.count(one) for one in ("accepted", "rejected", "quarantined")
    ]
    return hashes, keys, verdicts


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    HEADERS,
    TABLES,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_generated_tables(
    header: list[str], table: list[list[str]], delimiter: str, encoding: str, ending: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending)
    writer.writerows([header, *table])
    with TemporaryDirectory() as folder:
        file = Path(folder) / "feed.csv"
        file.write_bytes(text.getvalue().encode(encoding))
        try:
            found = normalise(file)
        except Refused as refusal:
            assert str(refusal).endswith(".")
            return
        hashes, keys, verdicts = facts(found)
        assert len(keys) == len(set(keys))
        assert all(keys)
        assert facts(found) == (hashes, keys, verdicts)
        assert facts(normalise(file)) == (hashes, keys, verdicts)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["german.csv", "shopify.csv", "woocommerce.csv", "google.xml", "heureka.xml"]), st.data()
)
def test_mutilated_files_are_answered_or_refused(name: str, data: st.DataObject) -> None:
    content = bytearray((Path(__file__).parent / "samples" / name).read_bytes())
    content = content[: data.draw(st.integers(0, len(content)), label="cut at")]
    for _ in range(data.draw(st.integers(0, 5), label="changes")):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        try:
            _, keys, _ = facts(normalise(file))
        except Refused as refusal:
            assert refusal.rule
            return
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    "name", ["german.csv", "shopify.csv", "woocommerce.csv", "google.xml", "heureka.xml"]
)
@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_the_size_of_frames_changes_nothing(name: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows are looked at together, products are whole and doubles are found."""
    file = Path(__file__).parent / "samples" / name
    whole = normalise(file)
    expected = (facts(whole), whole.summary())
    monkeypatch.setattr(connectors.readers.csv, "FRAME_ROWS", rows)
    monkeypatch.setattr(connectors.readers.xml, "FRAME_ROWS", rows)
    again = normalise(file, mapping=whole.document)
    assert (facts(again), again.summary()) == expected


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(range(7)))
def test_rows_of_a_shopify_product_in_any_order_give_the_same_variants(order: list[int]) -> None:
    header = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Inventory Policy,Image Src\n"
    rows = [
        "oslo,Lamp Oslo,Color,Red,O-R,10,deny,https://x.example/1.jpg", "oslo,,,Blue,O-B,10,deny,", "oslo,,,,,,,https://x.example/2.jpg",
        "bern,Lamp Bern,Color,Red,B-R,10,deny,", "bern,,,Blue,B-B,10,deny,https://x.example/3.jpg", "rom,Lamp Rom,Title,Default Title,R,10,deny,",
        "oslo,,,,,,,https://x.example/4.jpg",
    ]  # fmt: skip
    with TemporaryDirectory() as folder:
        file = Path(folder) / "feed.csv"
        file.write_text(header + "\n".join(rows[place] for place in order) + "\n")
        found = normalise(file)
        offers = [one for batch in found.batches() for one in batch.offers.to_dict("records")]
    assert {one["supplier_sku"]: (one["title"], one["options"]) for one in offers} == {
        "O-R": ("Lamp Oslo", {"Color": "Red"}), "O-B": ("Lamp Oslo", {"Color": "Blue"}), "B-R": ("Lamp Bern", {"Color": "Red"}),
        "B-B": ("Lamp Bern", {"Color": "Blue"}), "R": ("Lamp Rom", {}),
    }  # fmt: skip
    for one in offers:
        if one["group_key"] == "oslo":
            assert sorted(one["images"]) == [f"https://x.example/{n}.jpg" for n in (1, 2, 4)]
    assert (found.summary().products, found.summary().accepted) == (3, 7)
