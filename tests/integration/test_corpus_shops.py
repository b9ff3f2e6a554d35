"""Exports of shop systems and feeds of price-comparison sites as published: counts and defects as INDEX.md measured them."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.feeds.normalise import Normalised, normalise

CORPUS = "feeds/corpus"
# file: (profile, records, products, variants, accepted, rejected, quarantined, reasons, notes)
GOLDEN: dict[str, tuple[str, int, int, int, int, int, int, dict[str, int], dict[str, int]]] = {
    "magento2/import_configurable_product_multistore.csv": (
        "magento", 4, 1, 2, 4, 0, 0, {}, {"image_unusable": 2, "unit_assumed": 2},
    ),
    "prestashop/products_import.csv": (
        "prestashop", 7, 7, 7, 7, 0, 0, {}, {"gtin_invalid": 7, "unit_assumed": 7, "cost_above_price": 1},
    ),
    "medusa/exported-products-semicolon.csv": (
        "medusa", 3, 2, 3, 1, 2, 0, {"skipped_by_rule": 2}, {"key_from_other_field": 1, "image_unusable": 1},
    ),
    "woocommerce/sample_products.xml": (
        "wxr", 47, 18, 22, 46, 1, 0, {"skipped_by_rule": 1}, {"unit_assumed": 19},
    ),
    "saleor/populatedb_data.json": (
        "saleor", 721, 32, 73, 681, 40, 0, {"skipped_by_rule": 40}, {"image_unusable": 73, "key_from_other_field": 17},
    ),
    "yml-marketplaces-ua/epicentr_feed.xml": ("yml_epicentr", 206, 206, 206, 206, 0, 0, {}, {}),
    "ceneo-dagra/ceneo.xml": ("ceneo", 10, 10, 10, 10, 0, 0, {}, {}),
    "idealo-epages/idealo.csv": ("idealo", 14, 14, 14, 14, 0, 0, {}, {"gtin_invalid": 14}),
}  # fmt: skip


def read(
    shared: Path, name: str, currency: str | None = None
) -> tuple[Normalised, dict[str, dict[str, Any]]]:
    """The file and its accepted offers by key; every record answered once, no key twice."""
    found = normalise(shared / CORPUS / name, currency=currency)
    listed = [
        {str(field): value for field, value in one.items()}
        for batch in found.batches()
        for one in batch.offers.to_dict("records")
    ]
    by_key = {offer["supplier_sku"]: offer for offer in listed}
    assert len(by_key) == len(listed)
    return found, by_key


@pytest.mark.parametrize("name", GOLDEN)
def test_every_record_is_answered_as_measured(shared: Path, name: str) -> None:
    profile, *counts, reasons, notes = GOLDEN[name]
    found, _ = read(shared, name)
    summary = found.summary()
    assert found.profile == profile
    assert [
        summary.records, summary.products, summary.variants, summary.accepted, summary.rejected, summary.quarantined,
    ] == counts  # fmt: skip
    assert (summary.reasons, summary.notes) == (reasons, notes)
    assert summary.accepted + summary.rejected + summary.quarantined == summary.records


def test_magento_a_store_view_belongs_to_its_sku_and_variants_to_their_configurable(shared: Path) -> None:
    found, offers = read(shared, "magento2/import_configurable_product_multistore.csv")
    assert list(offers) == ["import-configurable-option-1", "import-configurable-option-2"]
    for number, offer in enumerate(offers.values(), start=1):
        assert (offer["group_key"], offer["group_title"]) == ("import-configurable", "import-configurable")
        assert offer["options"] == {"test_configurable": f"Option {number}"}
        assert (offer["price"], offer["stock"], offer["availability"]) == ("14.99", 100, "in_stock")
        assert (offer["tax_category"], offer["minimum"], offer["category"]) == (
            "Taxable Goods",
            1,
            "Default Category",
        )
    raw = [one for batch in found.batches() for one in batch.answers["raw"]]
    assert all("_record" not in one and not any(name.startswith("parent/") for name in one) for one in raw)


def test_prestashop_net_prices_one_false_ean_and_a_cost_above_its_price(shared: Path) -> None:
    found, offers = read(shared, "prestashop/products_import.csv")
    assert {offer["gtin"] for offer in offers.values()} == {"1234567890123"}
    assert {offer["gtin_verdict"] for offer in offers.values()} == {"invalid"}
    assert {offer["price_includes_tax"] for offer in offers.values()} == {False}
    first = offers["RP-demo_1"]
    assert (first["price"], first["cost"], first["tax_category"]) == (
        "100",
        "80",
        "1",
    )  # its discount ended in 2018
    assert (first["title"], first["brand"], first["category"]) == ("iPod Nano", "Apple", "iPods")
    odd = {
        row["locator"]
        for batch in found.batches()
        for row in batch.answers.to_dict("records")
        if "cost_above_price" in row["notes"]
    }
    assert [(offer["cost"], offer["price"]) for offer in offers.values() if offer["locator"] in odd] == [
        ("150", "25")
    ]


def test_medusa_has_one_price_column_for_each_currency(shared: Path) -> None:
    name = "medusa/exported-products-semicolon.csv"
    for currency, price in (
        (None, ("30", "DKK")),
        ("EUR", ("45", "EUR")),
        ("USD", ("100", "USD")),
        ("CHF", ("30", "DKK")),
    ):
        _, offers = read(shared, name, currency)
        offer = offers["variant_01J44RRK2WYHH0RDEK8BBGP7CY"]
        assert (offer["price"], offer["currency"]) == price
    drafts = [
        one
        for batch in normalise(shared / CORPUS / name).batches()
        for one in batch.drafts.to_dict("records")
    ]
    assert [one["options"] for one in drafts] == [
        {"size": "large", "color": "green"}, {"size": "small", "color": "green"}, {"size": "large", "color": "green"},
    ]  # fmt: skip
    assert drafts[0]["description"] == "test-product-description\ntest line 2"


def test_wordpress_items_are_joined_by_id(shared: Path) -> None:
    _, offers = read(shared, "woocommerce/sample_products.xml")
    groups = Counter(offer["group_title"] for offer in offers.values() if offer["options"])
    assert groups == {"V-Neck T-Shirt": 3, "Hoodie": 4}
    red = offers["woo-hoodie-red"]
    assert (red["price"], red["options"], red["category"]) == (
        "42",
        {"color": "red", "logo": "No"},
        "Hoodies",
    )
    names = [image.rsplit("/", 1)[1] for image in red["images"]]
    assert names == ["hoodie-2.jpg", "hoodie-blue-1.jpg", "hoodie-green-1.jpg", "hoodie-with-logo-2.jpg"]
    assert [offers[key]["kind"] for key in ("woo-album", "woo-single", "woo-polo")] == [
        "digital",
        "digital",
        "goods",
    ]
    assert offers["woo-beanie"]["price"] == "18"  # on sale without dates
    assert "wp-pennant" not in offers  # sold elsewhere
    assert all(offer["images"] for offer in offers.values())


def test_the_two_woocommerce_exports_of_one_shop_agree(shared: Path) -> None:
    _, xml = read(shared, "woocommerce/sample_products.xml")
    csv = {
        one["supplier_sku"]: one
        for batch in normalise(shared / CORPUS / "woocommerce/sample_products.csv").batches()
        for one in batch.offers.to_dict("records")
    }
    assert {key.lower() for key in xml} == {str(key).lower() for key in csv}
    lowered = {str(key).lower(): offer for key, offer in csv.items()}
    assert {k: o["price"] for k, o in xml.items()} == {k: lowered[k.lower()]["price"] for k in xml}


def test_saleor_is_joined_by_primary_key_and_sells_in_the_wanted_currency(shared: Path) -> None:
    for currency, price in ((None, ("40.000", "PLN")), ("USD", ("10.000", "USD"))):
        _, offers = read(shared, "saleor/populatedb_data.json", currency)
        offer = offers["headless-omnichannel-mp3"]
        assert (offer["price"], offer["currency"], offer["stock"], offer["kind"]) == (*price, 4560, "digital")
        assert (offer["category"], offer["options"]) == ("Accessories > Audiobooks", {"Medium": "MP3"})
        assert {one["currency"] for one in offers.values()} == {price[1]}
    assert sum(key.startswith("variant:") for key in offers) == 17  # variants without a SKU
    assert sum(one["stock"] is not None for one in offers.values()) == 56
    assert len({one["group_key"] for one in offers.values()}) == 32


def test_what_belongs_to_the_shop_is_no_offer(shared: Path) -> None:
    found = normalise(shared / CORPUS / "saleor/populatedb_data.json")
    drafts = [one for batch in found.batches() for one in batch.drafts["supplier_sku"]]
    assert (len(drafts), drafts[0]) == (73, "headless-omnichannel-mp3")


def test_epicentr_has_two_languages_and_measures_in_millimetres(shared: Path) -> None:
    _, offers = read(shared, "yml-marketplaces-ua/epicentr_feed.xml")
    case = offers["33703-L-Black"]
    assert case["titles"] == {
        "ru": "Чемодан Snowball 33703 большой 101л черный (33703-L-Black)",
        "uk": "Валіза Snowball 33703 велика 101л чорна (33703-L-Black)",
    }
    assert case["title"] == case["titles"]["uk"]
    assert (case["weight_g"], case["dimensions_mm"]) == (5000, {"length": 280, "width": 500, "height": 750})
    assert (case["origin"], case["attributes"]["Матеріал"], len(case["images"])) == ("FR", "поліпропілен", 8)
    assert Counter(offer["availability"] for offer in offers.values()) == {
        "in_stock": 119,
        "out_of_stock": 87,
    }
    assert sum(offer["brand"] is None for offer in offers.values()) == 6
    assert {offer["currency"] for offer in offers.values()} == {None}
    assert offers["WN01-L-Creme"]["price"] == "1770"  # not the old price beside it


def test_ceneo_codes_and_attributes(shared: Path) -> None:
    _, offers = read(shared, "ceneo-dagra/ceneo.xml")
    sofa = offers["1"]
    assert (sofa["price"], sofa["currency"], sofa["price_includes_tax"]) == ("199", "PLN", True)
    assert (sofa["availability"], sofa["lead_time_days"], sofa["weight_g"]) == ("in_stock", 3, 3000)
    assert (sofa["brand"], sofa["mpn"], sofa["attributes"]["Kolor"]) == ("Dagra", "B01", "Szary")
    assert [image.rsplit("/", 1)[1] for image in sofa["images"]] == [
        "B01_L32-1.jpg",
        "B01_L32-5.jpg",
        "B01_L32-3.jpg",
    ]


def test_idealo_base_price_is_no_price_and_a_shared_false_ean_is_no_key(shared: Path) -> None:
    _, offers = read(shared, "idealo-epages/idealo.csv")
    first = offers["RP001"]
    assert (first["price"], first["attributes"]["base price"], first["lead_time_days"]) == (
        "9.9",
        "10.00 €/kg",
        8,
    )
    assert len({offer["gtin"] for offer in offers.values()}) == 6
    assert {offer["gtin_verdict"] for offer in offers.values()} == {"invalid"}
    assert {offer["lead_time_days"] for offer in offers.values()} == {6, 8, 9, 10}
