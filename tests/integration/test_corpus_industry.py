"""Real files of the industry's standards beside the checkout: counts, reasons, notes, and each defect that INDEX.md measured."""

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from pipelines.feeds.normalise import Normalised, normalise

CORPUS = "feeds/corpus"
# file: (profile, records, accepted, rejected, quarantined, reasons, notes)
GOLDEN: dict[str, tuple[str, int, int, int, int, dict[str, int], dict[str, int]]] = {
    "bmecat-pilz/new_catalog_ok_1.01.xml": ("bmecat", 2, 2, 0, 0, {}, {"image_unusable": 2}),
    "bmecat-pilz/testCreateExcelFullDataWithCategoryTreeAndDTD.xml": ("bmecat", 1, 1, 0, 0, {}, {"image_unusable": 1}),
    "bmecat-pilz/testCreateExcelWithPriceValidity.xml": ("bmecat", 1, 1, 0, 0, {}, {}),
    "bmecat2005/new_catalog.golden.xml": ("bmecat2005", 1, 1, 0, 0, {}, {"gtin_invalid": 1}),
    "ubl-oca/UBL-Catalogue_Example.xml": ("ubl", 2, 2, 0, 0, {}, {"gtin_invalid": 2}),
    "gs1-gdsn/example_product.xml": ("gdsn", 1, 0, 1, 0, {"missing_price": 1}, {"key_from_other_field": 1}),
    "gs1-jsonld/expected_product_v0_3.jsonld": ("jsonld", 1, 0, 1, 0, {"missing_price": 1}, {"key_from_other_field": 1}),
    "onix-jonix/onix2-multiple.xml": ("onix21", 21, 20, 1, 0, {"duplicate": 1}, {}),
    "edifact/pricat_d96a_nosep.edi": ("pricat", 4, 0, 4, 0, {"missing_key": 4}, {"gtin_invalid": 4}),
    "ariba-cif/template_catalog.cif": ("cif", 5, 5, 0, 0, {}, {"cost_above_price": 4}),
}  # fmt: skip


@lru_cache
def read(file: Path, currency: str | None = None) -> tuple[Normalised, list[dict[str, Any]]]:
    """The file, read once for all tests, and every record that is an offer, refused ones too, with its verdict."""
    found = normalise(file, currency=currency)
    told = []
    for batch in found.batches():
        answers = {one["locator"]: one for one in batch.answers.to_dict("records")}
        for offer in batch.drafts.to_dict("records"):
            named = {str(name): value for name, value in offer.items()}
            told.append(
                {**named, **{n: answers[offer["locator"]][n] for n in ("verdict", "reasons", "message")}}
            )
    return found, told


@pytest.mark.parametrize("name", GOLDEN)
def test_every_record_is_answered_as_measured(shared: Path, name: str) -> None:
    profile, *counts, reasons, notes = GOLDEN[name]
    found, _ = read(shared / CORPUS / name)
    summary = found.summary()
    assert found.profile == profile
    assert [summary.records, summary.accepted, summary.rejected, summary.quarantined] == counts
    assert (summary.reasons, summary.notes) == (reasons, notes)
    assert found.drift == []


def test_bmecat_101_commas_factors_and_two_currencies(shared: Path) -> None:
    file = shared / CORPUS / "bmecat-pilz/new_catalog_ok_1.01.xml"  # its DOCTYPE declares a parameter entity
    charlie, dennis = read(file)[1]
    assert (float(charlie["cost"]), charlie["currency"], charlie["tax_rate"]) == (
        13.784,
        "DEM",
        "16",
    )  # 17,23 x ,8
    assert (float(charlie["price"]), charlie["price_includes_tax"]) == (16, False)  # net_list 20,00 x ,8
    assert (dennis["cost"], dennis["price"], dennis["currency"]) == (
        "17.23",
        "20.00",
        "DEM",
    )  # the catalogue's currency
    assert [one["category"] for one in (charlie, dennis)] == [
        "Herrenbekleidung > Oberbekleidung > Hemden"
    ] * 2
    assert charlie["attributes"] == {"Gewicht": "500 g", "Farbe": "Rot", "UGE.VALUATION": "2,3"}
    assert (charlie["weight_g"], charlie["pack"], charlie["territory"]) == (500, 6, ["DE", "NL"])
    assert (charlie["valid_from"], charlie["valid_to"]) == ("1999-10-01", "2000-03-31")
    assert charlie["images"] == []  # below "//mime-dateien", which is no address
    euro, _ = read(file, "EUR")[1]
    assert (float(euro["cost"]), float(euro["price"]), euro["currency"]) == (6.888, 8, "EUR")


def test_bmecat_finds_one_article_behind_1660_groups(shared: Path) -> None:
    found, (kit,) = read(shared / CORPUS / "bmecat-pilz/testCreateExcelFullDataWithCategoryTreeAndDTD.xml")
    assert found.document["dialect"]["recordPath"] == "BMECAT/T_NEW_CATALOG/ARTICLE"
    assert kit["category"] == (
        "Onlinenavigation-Struktur > KS Tools K15 > LKW-Spezialwerkzeuge > Rad- / Reifenmontage > Reifendruck-Kontrollsystem-Sätze"
    )
    assert (kit["cost"], kit["price"], kit["currency"], kit["tax_rate"]) == (
        None,
        "255.97",
        "EUR",
        "19",
    )  # udp_dummy
    assert (kit["weight_g"], kit["step"], kit["pack"]) == (2200, 1, 1)


def test_bmecat_five_decimals_are_no_thousands(shared: Path) -> None:
    (rail,) = read(shared / CORPUS / "bmecat-pilz/testCreateExcelWithPriceValidity.xml")[1]
    assert (rail["price"], rail["rrp"], rail["cost"], rail["tax_rate"]) == ("17.779", "21.15701", None, None)
    assert (rail["minimum"], rail["step"], rail["weight_g"]) == (8, 8, 4158)
    assert (rail["origin"], rail["hs_code"], rail["valid_to"]) == ("DE", "73269060", "2019-01-08")


def test_bmecat_2005_boxes_tiers_and_customs(shared: Path) -> None:
    (mac,) = read(shared / CORPUS / "bmecat2005/new_catalog.golden.xml")[1]
    assert (mac["cost"], mac["cost_tiers"], mac["pack"]) == ("1499.5", [[1, "1499.5"], [100, "1300.9"]], 6)
    assert (mac["gtin"], mac["gtin_verdict"], mac["brand"]) == ("8712670911213", "invalid", "Microsoft")
    assert (mac["origin"], mac["hs_code"], mac["weight_g"], mac["tax_rate"]) == ("CN", "84713000", 1370, "19")
    assert mac["images"] == ["https://example.com/images/55-K-31.jpg"]
    assert mac["category"] == "Hardware > Notebook > Mac"
    assert mac["attributes"] == {"Netzspannung": "110 VLT, 220 VLT"}


def test_ubl_price_is_not_the_price_for_comparing(shared: Path) -> None:
    one, two = read(shared / CORPUS / "ubl-oca/UBL-Catalogue_Example.xml")[1]
    assert [(o["supplier_sku"], o["cost"], o["price"], o["currency"]) for o in (one, two)] == [
        ("MNTR011", "10.00", None, "EUR"), ("MNTR012", "90.00", None, "EUR"),
    ]  # fmt: skip
    assert (one["minimum"], one["step"], one["pack"], one["lead_time_days"], one["tax_rate"]) == (
        1,
        1,
        10,
        2,
        "18",
    )
    assert (one["dimensions_mm"], one["origin"], one["territory"]) == ({"length": 100}, "NO", ["NO"])
    assert (one["valid_from"], two["valid_from"]) == (
        "2018-09-26",
        "2018-09-01",
    )  # the line's own, the catalogue's


def test_gs1_products_have_two_languages_and_no_price(shared: Path) -> None:
    for name in ("gs1-gdsn/example_product.xml", "gs1-jsonld/expected_product_v0_3.jsonld"):
        (juice,) = read(shared / CORPUS / name)[1]
        assert (juice["gtin"], juice["gtin_verdict"], juice["key_origin"]) == (
            "08712345678906",
            "valid",
            "gtin",
        )
        assert juice["titles"] == {"en": "Organic Apple Juice 500 ml", "nl": "Biologisch Appelsap 500 ml"}
        assert juice["descriptions"]["nl"] == "Biologisch appelsap gemaakt uit geconcentreerd appelsap."
        assert juice["attributes"] == {"net content": "500 MLT", "GPC category": "10000234"}
        assert juice["images"] == [
            f"https://example.com/images/08712345678906-{side}.jpg" for side in ("front", "back")
        ]
        assert "there is no price" in juice["message"]


@pytest.mark.parametrize(("currency", "counts"), [(None, {"AUD": 21}), ("NZD", {"NZD": 20, "AUD": 1})])
def test_onix_two_markets_one_currency(shared: Path, currency: str | None, counts: dict[str, int]) -> None:
    books = read(shared / CORPUS / "onix-jonix/onix2-multiple.xml", currency)[1]
    assert Counter(book["currency"] for book in books) == counts
    assert {book["price_includes_tax"] for book in books} == {True}  # type 02
    robot = books[1]
    assert (robot["price"], robot["territory"]) == (("22.99", ["NZ"]) if currency else ("24.99", ["AU"]))
    assert {book["gtin_verdict"] for book in books} == {"valid"}
    assert {book["availability"] for book in books} == {"preorder", "in_stock"}


def test_onix_record_that_comes_twice_is_listed_once(shared: Path) -> None:
    books = read(shared / CORPUS / "onix-jonix/onix2-multiple.xml")[1]
    twice = [book for book in books if book["supplier_sku"] == "9781760554712"]
    assert [book["reasons"] for book in twice] == [[], ["duplicate"]]
    assert twice[0]["locator"] in twice[1]["message"]


def test_pricat_whose_segments_end_with_the_line(shared: Path) -> None:
    goods = read(shared / CORPUS / "edifact/pricat_d96a_nosep.edi")[1]
    assert [(one["title"], one["cost"], one["currency"], one["pack"], one["gtin_verdict"]) for one in goods] == [
        ("JS CUPS", "5.4", "GBP", 12, "invalid"), ("JS WINDOW CLEANER", "4.5", "GBP", 12, "invalid"),
        ("JS BUTTONS", "3.56", "GBP", 27, "invalid"), ("JS ARTICHOKES", "3.56", "GBP", 27, "invalid"),
    ]  # fmt: skip
    assert {one["supplier_sku"] for one in goods} == {None}  # a number that fails as a GTIN is never a key
    assert [one["locator"] for one in goods] == ["LIN 1", "LIN 2", "LIN 3", "LIN 4"]


def test_cif_market_price_below_the_unit_price(shared: Path) -> None:
    found, items = read(shared / CORPUS / "ariba-cif/template_catalog.cif")
    assert found.document["dialect"]["encoding"] == "iso8859-1"  # "8859_1" as Ariba calls it
    assert [(one["cost"], one["price"]) for one in items] == [
        ("55.45", "47.88"), ("35.3", "38.18"), ("75.02", "59.98"), ("10.15", "8.6"), ("15.02", "14.54"),
    ]  # fmt: skip
    assert (items[0]["title"], items[1]["title"]) == ("4' Manyard, Green", "6'' Lanyard W/Locking Snap Hooks")
    assert {one["currency"] for one in items} == {"USD"}
    assert items[0]["locator"] == "row 13"
