"""Real feeds beside the checkout, read as they were published: counts as ../shared/feeds/INDEX.md measured them."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.feeds.normalise import Normalised, normalise

CORPUS = "feeds/corpus"
# file: (profile, records, products, variants, accepted, rejected, quarantined, reasons, notes)
GOLDEN: dict[str, tuple[str, int, int, int, int, int, int, dict[str, int], dict[str, int]]] = {
    "shopify-partners/bicycles.csv": (
        "shopify_csv", 1399, 284, 1080, 1356, 0, 43, {"duplicate_conflict": 41, "price_zero": 2},
        {"html_cleaned": 144, "gtin_repaired": 58, "stock_negative": 23, "key_from_other_field": 3, "gtin_invalid": 3, "stock_unknown": 2},
    ),
    "shopify-partners/apparel.csv": (
        "shopify_csv", 104, 25, 96, 103, 0, 1, {"price_zero": 1}, {"html_cleaned": 92, "key_from_other_field": 1},
    ),
    "shopify-partners/jewelry.csv": (
        "shopify_csv", 30, 19, 24, 30, 0, 0, {},
        {"key_from_other_field": 24, "html_cleaned": 2, "stock_unknown": 2, "stock_negative": 1},
    ),
    "woocommerce/sample_products.csv": ("woocommerce_csv", 25, 18, 22, 24, 1, 0, {"skipped_by_rule": 1}, {}),
    "heureka-mhujer/heureka.xml": ("heureka", 18, 18, 18, 18, 0, 0, {}, {"key_from_other_field": 18, "gtin_invalid": 10}),
    "google-merchant/google_feed_dai.xml": ("google", 2, 2, 2, 2, 0, 0, {}, {}),
    "google-merchant/meta_atom_dog_bowl.xml": ("google", 1, 1, 1, 1, 0, 0, {}, {}),
    "ceneo-dagra/google_DE.csv": ("google", 10, 10, 10, 10, 0, 0, {}, {}),
    "ceneo-dagra/facebook.csv": ("google", 10, 10, 10, 10, 0, 0, {}, {}),
    "derived/facebook.utf-16le.tsv": ("google", 10, 10, 10, 10, 0, 0, {}, {}),
    "pricat-vedes/musterlieferant_stammdaten.csv": (
        "generic", 2, 2, 2, 2, 0, 0, {}, {"gtin_restricted": 2, "image_unusable": 2, "unit_assumed": 2},
    ),
    "jp-electrical/shohin_master.csv": (
        "generic", 734, 698, 698, 0, 734, 0, {"missing_title": 734, "missing_price": 734, "duplicate_conflict": 36}, {},
    ),
    "flipkart/flipkart_com-ecommerce_sample.csv": (
        "generic", 20000, 19998, 19998, 19920, 79, 1, {"missing_price": 78, "duplicate_conflict": 1, "duplicate": 1},
        {"key_from_other_field": 20000, "text_damaged": 3},
    ),
}  # fmt: skip


def offers(found: Normalised) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in one.items()}
        for batch in found.batches()
        for one in batch.offers.to_dict("records")
    ]


@pytest.mark.parametrize("name", GOLDEN)
def test_every_record_is_answered_as_measured(shared: Path, name: str) -> None:
    profile, *counts, reasons, notes = GOLDEN[name]
    found = normalise(shared / CORPUS / name)
    keys = [offer["supplier_sku"] for offer in offers(found)]
    summary = found.summary()
    assert found.profile == profile
    assert [
        summary.records, summary.products, summary.variants, summary.accepted, summary.rejected, summary.quarantined,
    ] == counts  # fmt: skip
    assert (summary.reasons, summary.notes) == (reasons, notes)
    assert summary.accepted + summary.rejected + summary.quarantined == summary.records
    assert len(keys) == len(set(keys))


def test_woocommerce_variations_are_under_their_two_parents(shared: Path) -> None:
    found = offers(normalise(shared / CORPUS / "woocommerce/sample_products.csv"))
    groups: dict[str, list[str]] = {}
    for offer in found:
        if offer["group_key"]:
            groups.setdefault(offer["group_key"], []).append(offer["supplier_sku"])
    assert groups == {
        "woo-vneck-tee": ["woo-vneck-tee-red", "woo-vneck-tee-green", "woo-vneck-tee-blue"],
        "woo-hoodie": ["woo-hoodie-red", "woo-hoodie-green", "woo-hoodie-blue", "woo-hoodie-blue-logo"],
    }
    by_key = {offer["supplier_sku"]: offer for offer in found}
    assert by_key["woo-hoodie-red"]["options"] == {"Color": "Red", "Logo": "No"}
    assert by_key["woo-hoodie-red"]["price"] == "42"
    assert by_key["woo-hoodie-red"]["category"] == "Clothing > Hoodies"
    assert by_key["woo-hoodie-red"]["weight_g"] == 680  # 1.5 lbs
    assert [by_key[key]["kind"] for key in ("woo-album", "woo-single", "woo-polo")] == [
        "digital",
        "digital",
        "goods",
    ]


def test_the_same_feed_in_another_encoding_gives_the_same_offers(shared: Path) -> None:
    plain = offers(normalise(shared / CORPUS / "ceneo-dagra/facebook.csv"))
    wide = offers(normalise(shared / CORPUS / "derived/facebook.utf-16le.tsv"))
    assert [offer["content_hash"] for offer in plain] == [offer["content_hash"] for offer in wide]
    assert {offer["availability"] for offer in plain} == {"in_stock"}


def test_prices_and_currencies_of_channel_feeds(shared: Path) -> None:
    dai = offers(normalise(shared / CORPUS / "google-merchant/google_feed_dai.xml"))
    assert [(offer["price"], offer["currency"], len(offer["images"])) for offer in dai] == [
        ("14.99", "USD", 4)
    ] * 2
    german = offers(normalise(shared / CORPUS / "ceneo-dagra/google_DE.csv"))
    assert (german[0]["price"], german[0]["currency"], german[0]["brand"]) == ("119", "EUR", "DAGRA")
    czech = offers(normalise(shared / CORPUS / "heureka-mhujer/heureka.xml"))
    assert (czech[0]["price"], czech[0]["price_includes_tax"], czech[0]["currency"]) == ("6000", True, None)
    assert all(" " not in image for offer in czech for image in offer["images"])


def test_a_trade_list_carries_cost_and_a_retail_export_does_not(shared: Path) -> None:
    trade = offers(normalise(shared / CORPUS / "pricat-vedes/musterlieferant_stammdaten.csv", currency="EUR"))
    assert [(offer["cost"], offer["price"], offer["currency"]) for offer in trade] == [
        ("9.99", "11.9", "EUR"),
        ("10", "14.95", "EUR"),
    ]
    retail = offers(normalise(shared / CORPUS / "shopify-partners/bicycles.csv"))
    assert {offer["cost"] for offer in retail} == {None}
