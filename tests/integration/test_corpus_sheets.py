"""Real workbooks and archives beside the checkout, read as they were published (../shared/feeds/INDEX.md)."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.feeds.normalise import Normalised, normalise

CORPUS = "feeds/corpus"
# file: (format, profile, records, products, variants, accepted, rejected, quarantined, reasons, notes)
GOLDEN: dict[str, tuple[Any, ...]] = {
    "bmecat-pilz/testCreateBMEcatFromExcelFullDataGTINAlsZahl.xlsx": (
        "xlsx", "bmecat_sheet", 1, 1, 1, 1, 0, 0, {}, {"gtin_invalid": 1, "image_unusable": 1},
    ),
    "pricat-vedes/NTG_Artikelvorlage_gruppiert.xlsx": ("xlsx", "generic", 0, 0, 0, 0, 0, 0, {}, {}),
    "derived/facebook.utf-16le.tsv": ("csv", "google", 10, 10, 10, 10, 0, 0, {}, {}),
}  # fmt: skip


def read(file: Path) -> tuple[Normalised, list[dict[Any, Any]]]:
    found = normalise(file)
    return found, [one for batch in found.batches() for one in batch.offers.to_dict("records")]


@pytest.mark.parametrize("name", GOLDEN)
def test_every_record_is_answered_as_measured(shared: Path, name: str) -> None:
    written, profile, *counts, reasons, notes = GOLDEN[name]
    found, _ = read(shared / CORPUS / name)
    told = found.summary()
    assert (found.facts.format, found.profile) == (written, profile)
    assert [
        told.records,
        told.products,
        told.variants,
        told.accepted,
        told.rejected,
        told.quarantined,
    ] == counts
    assert (told.reasons, told.notes) == (reasons, notes)
    assert found.facts.bytes == (shared / CORPUS / name).stat().st_size


def test_numbers_of_a_workbook_are_as_typed(shared: Path) -> None:
    """A GTIN stored as a number, numbers beside numeric text, a tax of 0.19; other sheets are named."""
    found, (offer,) = read(shared / CORPUS / "bmecat-pilz/testCreateBMEcatFromExcelFullDataGTINAlsZahl.xlsx")
    assert (offer["supplier_sku"], offer["gtin"], offer["gtin_verdict"], offer["title"]) == (
        "12345", "12345678901234", "invalid", "Test Article",
    )  # fmt: skip
    assert (offer["cost"], offer["cost_basis"], offer["price"], offer["currency"], offer["tax_rate"]) == (
        "0.105", "100", "0.1750", "EUR", "19",
    )  # fmt: skip
    raw = next(found.frames()).iloc[0]
    assert (raw["articleType"], raw["ean"], raw["priceAmount1"], raw["tax1"]) == (
        "new",
        "12345678901234",
        "10.5",
        "0.19",
    )
    assert (raw["deliveryTime"], raw["quantityMin"]) == ("10", "1")
    assert found.drift[0].startswith(
        "Read: 'Artikel'. Not read: 'Artikelsuchbegriffe', 'Artikelbeziehungen';"
    )


def test_a_template_of_four_header_rows_is_an_empty_list(shared: Path) -> None:
    found, offers = read(shared / CORPUS / "pricat-vedes/NTG_Artikelvorlage_gruppiert.xlsx")
    header = found.document["dialect"]["header"]
    assert offers == []
    assert (found.document["dialect"]["sheet"], found.document["dialect"]["headerRow"], len(header)) == (
        "Artikeldatenvorlage NEU", 0, 377,
    )  # fmt: skip
    assert header[:5] == [
        "GLN Lieferant",
        "EAN/GTIN/UPC Nummer",
        "Status des Artikels (Angabe, welche Aktion mit diesem Artikel durch-geführt wurde",
        "Hersteller Name",
        "Artikelnummer des Lieferanten",
    ]
    assert found.drift == [
        "The sheet 'Artikeldatenvorlage NEU' has a header of 377 columns and no row below it; an empty list changes nothing."
    ]


def test_packed_and_plain_give_the_same_offers_and_counts(shared: Path) -> None:
    name = "flipkart_com-ecommerce_sample.csv"
    packed, plain = read(shared / CORPUS / f"derived/{name}.gz"), read(shared / CORPUS / f"flipkart/{name}")
    assert [(one["content_hash"], one["locator"]) for one in packed[1]] == [
        (one["content_hash"], one["locator"]) for one in plain[1]
    ]
    told = packed[0].summary()
    assert told == plain[0].summary()
    assert (told.records, told.accepted, told.rejected, told.quarantined) == (20000, 19920, 79, 1)
