"""The sample feeds are what their script writes, and hold exactly the mistakes their README tells of."""

import csv
import io
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sandbox.feeds import make
from sandbox.feeds.numbers import check_digit, ean13, upc12
from sandbox.images import draw

G = "{http://base.google.com/ns/1.0}"


def norden() -> list[dict[str, str]]:
    text = (make.HERE / "norden-lampen.csv").read_bytes().decode("cp1252")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def trailhead() -> list[dict[str, str]]:
    text = (make.HERE / "trailhead-apparel.csv").read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def casa_verde() -> list[dict[str, str]]:
    root = ElementTree.parse(make.HERE / "casa-verde.xml").getroot()
    return [{field.tag.removeprefix(G): field.text or "" for field in one} for one in root.iter("item")]


def test_the_kept_files_are_what_the_script_writes(tmp_path: Path) -> None:
    for path in make.write(tmp_path):
        assert path.read_bytes() == (make.HERE / path.name).read_bytes()


def test_another_base_changes_the_pictures_and_nothing_else(tmp_path: Path) -> None:
    for path in make.write(tmp_path, "http://127.0.0.1:9999/"):
        kept = (make.HERE / path.name).read_bytes()
        assert make.PLACEHOLDER.encode() in kept
        assert path.read_bytes() == kept.replace(make.PLACEHOLDER.encode(), b"http://127.0.0.1:9999")


def test_check_digits_follow_published_examples() -> None:
    assert ean13("400638133393") == "4006381333931"  # the GTIN of the recorded shop's mug
    assert upc12("03600029145") == "036000291452"  # the textbook example of a UPC-A
    assert check_digit("7351353") == "7"  # the textbook example of an EAN-8


def test_norden_has_its_mistakes_and_no_others() -> None:
    rows = norden()
    assert len(rows) == 57
    assert {sku for sku, times in Counter(row["Artikelnummer"] for row in rows).items() if times > 1} == {
        "NL-1004",
        "NL-1012",
    }
    same, other = ([row for row in rows if row["Artikelnummer"] == sku] for sku in ("NL-1004", "NL-1012"))
    assert same[0] == same[1]
    assert {key for key in other[0] if other[0][key] != other[1][key]} == {"EK", "Bestand"}
    false = {row["Artikelnummer"] for row in rows if row["EAN"] and ean13(row["EAN"][:12]) != row["EAN"]}
    assert false == {"NL-1009", "NL-2013"}
    odd = {
        row["Artikelnummer"]: row["EK"] for row in rows if not re.fullmatch(r"[1-9]\d{0,2},\d\d", row["EK"])
    }
    assert odd == {"NL-2020": "", "NL-2021": "0,00", "NL-2022": "auf Anfrage"}
    assert [row["Artikelnummer"] for row in rows if not row["Bezeichnung"]] == ["NL-2023"]
    assert [row["Artikelnummer"] for row in rows if int(row["Bestand"]) < 0] == ["NL-2017"]
    assert [row["Artikelnummer"] for row in rows if row["Artikeltyp"] == "Dienstleistung"] == ["NL-9001"]


def test_casa_verde_has_groups_prices_and_its_two_mistakes() -> None:
    found = casa_verde()
    assert len(found) == 42
    assert Counter(one["id"] for one in found).most_common(2) == [("CV-102", 2), ("CV-POT-TER-18CM", 1)]
    assert found[24] == found[41]
    assert [one["id"] for one in found if "price" not in one] == ["CV-118"]
    assert all(re.fullmatch(r"\d+\.\d\d EUR", one["price"]) for one in found if "price" in one)
    assert all(ean13(one["gtin"][:12]) == one["gtin"] for one in found)
    groups = Counter(one["item_group_id"] for one in found if "item_group_id" in one)
    assert groups == {"CV-POT": 6, "CV-APR": 3, "CV-BWL": 6, "CV-HMK": 4, "CV-CAN": 4}
    assert len({(o["item_group_id"], o["color"], o["size"]) for o in found if "color" in o}) == 23


def test_trailhead_has_variants_picture_rows_and_lost_zeros() -> None:
    rows = trailhead()
    assert len(rows) == 100
    assert len({row["Handle"] for row in rows}) == 30
    pictures = [row for row in rows if not row["Variant SKU"]]
    assert len(pictures) == 22
    assert all(row["Image Src"] and not row["Title"] for row in pictures)
    variants = [row for row in rows if row["Variant SKU"]]
    assert len({row["Variant SKU"] for row in variants}) == len(variants) == 78
    lost = [row["Variant Barcode"] for row in variants if not row["Variant Barcode"].startswith("'")]
    kept = [row["Variant Barcode"][1:] for row in variants if row["Variant Barcode"].startswith("'")]
    assert len(lost) == 8
    assert all(len(code) == 11 and upc12("0" + code[:10]) == "0" + code for code in lost)
    assert all(len(code) == 12 and upc12(code[:11]) == code for code in kept)
    unpriced = [
        (row["Handle"], row["Option1 Value"], row["Option2 Value"])
        for row in variants
        if not row["Variant Price"]
    ]
    assert unpriced == [("cairn-merino-tee", "Charcoal", "XL")]
    assert [row["Handle"] for row in rows if row["Status"] == "draft"] == ["gift-wrap"]


@pytest.mark.parametrize("path", ["/norden/table-nl-1001.png", "/trailhead/other-sit-pad.png"])
def test_a_picture_is_a_png_and_the_same_each_time(path: str) -> None:
    picture = draw(path)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture[16:24] == (480).to_bytes(4) + (360).to_bytes(4)
    draw.cache_clear()
    assert draw(path) == picture


def test_products_have_different_pictures() -> None:
    assert len({draw(f"/norden/table-nl-{number}.png") for number in range(1001, 1009)}) == 8
