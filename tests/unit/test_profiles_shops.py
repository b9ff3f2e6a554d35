"""The named formats of shop systems, marketplaces and price comparison, each by a small file of our own."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core import clock
from pipelines.feeds.normalise import normalise

SAMPLES = Path(__file__).parent / "samples"
# file: (profile, records, products, variants, accepted, rejected, quarantined, reasons)
SEEN: dict[str, tuple[str, int, int, int, int, int, int, dict[str, int]]] = {
    "magento.csv": ("magento", 7, 3, 4, 6, 1, 0, {"skipped_by_rule": 1}),
    "prestashop.csv": ("prestashop", 4, 4, 4, 3, 1, 0, {"skipped_by_rule": 1}),
    "medusa.csv": ("medusa", 3, 2, 3, 2, 1, 0, {"skipped_by_rule": 1}),
    "wxr.xml": ("wxr", 6, 1, 2, 5, 1, 0, {"skipped_by_rule": 1}),
    "saleor.json": ("saleor", 26, 1, 2, 25, 1, 0, {"skipped_by_rule": 1}),
    "yml.xml": ("yml", 3, 2, 3, 3, 0, 0, {}),
    "epicentr.xml": ("yml_epicentr", 2, 2, 2, 2, 0, 0, {}),
    "ceneo.xml": ("ceneo", 3, 3, 3, 2, 0, 1, {"price_zero": 1}),
    "idealo.csv": ("idealo", 3, 3, 3, 3, 0, 0, {}),
    "shopify.json": ("shopify_json", 4, 3, 4, 3, 1, 0, {"skipped_by_rule": 1}),
    "woocommerce.json": ("woocommerce_json", 5, 3, 4, 4, 1, 0, {"skipped_by_rule": 1}),
    "shopify_bulk.jsonl": ("shopify_bulk", 6, 2, 3, 5, 1, 0, {"skipped_by_rule": 1}),
    "hotline.xml": ("hotline", 2, 2, 2, 2, 0, 0, {}),
    "meta_template.csv": ("google", 2, 2, 2, 2, 0, 0, {}),
    "google.json": ("google_json", 2, 1, 2, 2, 0, 0, {}),
    "google_de.tsv": ("google", 2, 1, 2, 2, 0, 0, {}),
    "skroutz.xml": ("skroutz", 4, 3, 4, 4, 0, 0, {}),
    "idosell.xml": ("idosell", 3, 2, 3, 3, 0, 0, {}),
    "zbozi.xml": ("heureka", 2, 1, 2, 2, 0, 0, {}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def some_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discounts with dates count or not by the day on which a file is read."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 6, 1, tzinfo=UTC))


def offers(name: str, **settings: Any) -> dict[str, dict[str, Any]]:
    found = normalise(SAMPLES / name, **settings)
    listed = [one for batch in found.batches() for one in batch.offers.to_dict("records")]
    return {one["supplier_sku"]: {str(field): value for field, value in one.items()} for one in listed}


@pytest.mark.parametrize("name", SEEN)
def test_the_format_is_recognised_and_every_record_answered(name: str) -> None:
    profile, *counts, reasons = SEEN[name]
    found = normalise(SAMPLES / name)
    answers = [row for batch in found.batches() for row in batch.answers.to_dict("records")]
    summary = found.summary()
    assert found.profile == profile
    assert [
        summary.records, summary.products, summary.variants, summary.accepted, summary.rejected, summary.quarantined,
    ] == counts  # fmt: skip
    assert summary.reasons == reasons
    assert len({row["locator"] for row in answers}) == len(answers) == summary.records


def told(offer: dict[str, Any], *fields: str) -> tuple[Any, ...]:
    return tuple(offer[field] for field in fields)


def test_magento() -> None:
    found = offers("magento.csv")
    assert list(found) == ["SHIRT-S", "SHIRT-M", "EBOOK"]
    small, medium, book = found.values()
    assert told(small, "title", "price", "gtin", "group_key", "group_title", "category") == (
        "Shirt S", "20.00", "4012345000016", "SHIRT", "Shirt", "Clothes",
    )  # fmt: skip
    assert told(medium, "price", "stock", "availability") == ("15.00", 0, "out_of_stock")
    assert (small["options"], small["attributes"]["care"]) == ({"size": "S"}, "wash, then dry")
    assert small["description"] == "<p>Cotton</p>"  # its product's
    assert small["images"] == [
        "https://shop.example/s.jpg",
        "https://shop.example/shirt.jpg",
        "https://shop.example/b.jpg",
    ]
    assert (book["kind"], book["group_key"]) == ("digital", None)


def test_prestashop() -> None:
    found = offers("prestashop.csv")
    assert list(found) == ["OSLO", "DESK", "id:3"]
    lamp, desk, manual = found.values()
    assert told(lamp, "price", "cost", "price_includes_tax", "tax_category") == ("90.00", "80", False, "1")
    assert (lamp["attributes"], lamp["category"]) == ({"Colour": "Red", "Socket": "E27"}, "Home")
    assert lamp["dimensions_mm"] == {"length": 100, "width": 100, "height": 200}
    assert told(desk, "price", "availability", "condition", "minimum") == ("60", "out_of_stock", "used", 2)
    assert told(manual, "kind", "cost") == ("digital", None)


def test_medusa_chooses_the_feeds_currency() -> None:
    first = offers("medusa.csv")["OSLO-RD"]
    assert told(first, "price", "currency", "stock", "origin", "hs_code", "weight_g") == (
        "49.90",
        "EUR",
        7,
        "DE",
        "94051190",
        850,
    )
    assert (first["options"], first["description"]) == ({"Colour": "Red"}, "Warm\nlight")
    dollars = offers("medusa.csv", currency="USD")
    assert told(dollars["OSLO-RD"], "price", "currency") == ("59", "USD")
    assert told(dollars["variant_2"], "stock", "availability") == (None, "in_stock")  # not counted there


def test_wxr() -> None:
    red, blue = offers("wxr.xml").values()
    assert told(red, "supplier_sku", "title", "group_title", "category", "price", "stock") == (
        "LAMP-RD", "Lamp - Red", "Lamp", "Home > Lamps", "20", 3,
    )  # fmt: skip
    assert (red["options"], blue["options"]) == ({"color": "Bright red"}, {"color": "blue"})
    assert (red["images"], blue["images"]) == (
        ["https://shop.example/one.jpg"],
        ["https://shop.example/two.jpg", "https://shop.example/one.jpg"],
    )
    assert told(blue, "supplier_sku", "key_origin", "description") == ("id:13", "source_id", "<p>Warm</p>")


def test_saleor() -> None:
    red, blue = offers("saleor.json").values()
    assert told(red, "price", "cost", "currency", "stock", "weight_g", "brand") == (
        "44.900",
        "20.000",
        "EUR",
        8,
        1500,
        "Norden",
    )
    assert told(red, "options", "category", "group_title") == ({"Colour": "Red"}, "Home > Lamps", "Lamp Oslo")
    assert red["description"] == "Warm <b>light</b><br>Dimmable"
    assert red["images"] == ["https://shop.example/oslo.jpg"]
    assert told(blue, "supplier_sku", "stock", "price") == ("variant:72", None, "49.900")
    assert {told(one, "price", "currency") for one in offers("saleor.json", currency="USD").values()} == {
        ("59.000", "USD")
    }


def test_yml() -> None:
    first, second, third = offers("yml.xml").values()
    assert told(first, "category", "currency", "mpn", "stock", "origin") == (
        "Дім > Лампи",
        "UAH",
        "L-1",
        5,
        "CN",
    )
    assert told(first, "group_key", "options", "attributes") == (
        "55",
        {"Колір": "червоний"},
        {"Висота": "30 см"},
    )
    assert first["titles"] == {"uk": "Лампа червона"}
    assert second["availability"] == "out_of_stock"
    assert told(third, "title", "currency", "category", "weight_g") == ("Чайник Bosch TWK", "RUB", None, 1200)
    assert third["dimensions_mm"] == {"length": 205, "width": 150, "height": 300}


def test_epicentr() -> None:
    large, small = offers("epicentr.xml").values()
    assert told(large, "title", "titles", "price", "origin", "step") == (
        "Валіза", {"ru": "Чемодан", "uk": "Валіза"}, "3250", "PL", 2,
    )  # fmt: skip
    assert told(large, "weight_g", "dimensions_mm") == (5000, {"length": 280, "width": 500, "height": 750})
    assert large["attributes"]["Об'єм"] == "101 л"
    assert told(small, "availability", "origin", "step", "brand") == ("out_of_stock", "CN", None, None)


def test_ceneo() -> None:
    first, second = offers("ceneo.xml").values()
    assert told(first, "price", "currency", "gtin", "mpn", "brand", "category") == (
        "199.90", "PLN", "4012345000016", "OS1", "Norden", "Dom > Lampy",
    )  # fmt: skip
    assert told(first, "availability", "lead_time_days", "stock", "weight_g") == ("in_stock", 1, 4, 1500)
    assert told(second, "availability", "lead_time_days") == ("preorder", None)


def test_idealo() -> None:
    lamp, tea, app = offers("idealo.csv").values()
    assert told(lamp, "price", "gtin", "mpn", "category", "lead_time_days", "tax_rate") == (
        "49.90", "4012345000016", "OS-1", "Licht > Tischlampen", 3, "19",
    )  # fmt: skip
    assert len(lamp["images"]) == 2
    assert told(tea, "price", "gtin_verdict", "attributes") == (
        "5.00",
        "invalid",
        {"size": "250 g", "base price": "20.00 €/kg"},
    )
    assert told(app, "kind", "condition") == ("digital", "used")


def test_shopify_json() -> None:
    small, medium, fitting = offers("shopify.json").values()
    assert told(small, "title", "options", "price", "stock", "weight_g") == (
        "Lamp Oslo",
        {"Size": "S", "Colour": "Red"},
        "49.90",
        7,
        850,
    )
    assert told(medium, "supplier_sku", "availability", "stock", "weight_g") == (
        "variant:12",
        "in_stock",
        None,
        None,
    )
    assert told(fitting, "kind", "options", "group_title") == ("service", {}, "Fitting at home")


def test_woocommerce_json() -> None:
    mug, small, medium = offers("woocommerce.json").values()
    assert told(mug, "price", "gtin", "stock", "weight_g", "attributes") == (
        "8.00",
        "4012345000016",
        12,
        400,
        {"Material": "Stoneware"},
    )
    assert told(small, "group_key", "group_title", "options", "category") == (
        "20",
        "Shirt",
        {"Size": "S"},
        "Clothes",
    )
    assert told(small, "description", "images", "availability") == (
        "<p>Cotton</p>",
        ["https://shop.example/shirt.jpg"],
        "out_of_stock",
    )
    assert told(medium, "supplier_sku", "availability") == ("id:22", "preorder")


def test_google_in_json_and_in_german() -> None:
    first, second = offers("google.json").values()
    assert told(first, "supplier_sku", "price", "currency", "weight_g", "group_key") == (
        "A1",
        "12.99",
        "GBP",
        1500,
        "G",
    )
    assert (first["options"], len(first["images"])) == ({"color": "red", "size": "M"}, 3)
    assert second["availability"] == "out_of_stock"
    red, _ = offers("google_de.tsv").values()
    assert told(red, "price", "currency", "condition", "options", "weight_g") == (
        "9.99",
        "EUR",
        "new",
        {"color": "rot", "size": "M"},
        1500,
    )


def test_zbozi_and_skroutz() -> None:
    red, blue = offers("zbozi.xml").values()
    assert told(red, "price", "brand", "category", "options") == (
        "1299.50",
        "Norden",
        "Bydlení > Světla",
        {"Barva": "Červená"},
    )
    assert blue["group_key"] == "G"
    oslo, bergen, small, medium = offers("skroutz.xml").values()
    assert told(oslo, "price", "price_includes_tax", "weight_g", "tax_rate") == ("29.90", True, 1200, "24")
    assert told(bergen, "availability", "stock") == ("in_stock", 0)
    assert told(small, "supplier_sku", "price", "gtin", "options") == (
        "3-S",
        "20.00",
        "4012345000047",
        {"size": "S"},
    )
    assert told(medium, "price", "gtin", "availability", "group_key", "locator") == (
        "22.00",
        None,
        "preorder",
        "3",
        "item 3/2",
    )


def test_idosell_has_a_list_of_sizes() -> None:
    small, medium, desk = offers("idosell.xml").values()
    assert told(small, "supplier_sku", "title", "cost", "currency", "stock", "gtin") == (
        "1-S",
        "Lampa",
        "20",
        "PLN",
        4,
        "4012345000016",
    )
    assert told(medium, "cost", "options", "group_key", "tax_rate") == ("25", {"size": "M"}, "1", "23")
    assert told(desk, "supplier_sku", "cost", "titles") == ("2-U", "200", {"en": "Desk"})


def test_shopify_bulk_lines_are_joined_to_their_product() -> None:
    red, blue = offers("shopify_bulk.jsonl").values()
    assert told(red, "supplier_sku", "title", "category", "stock", "group_key") == (
        "L-R",
        "Lamp",
        "Lamps",
        5,
        "lamp",
    )
    assert told(blue, "supplier_sku", "options", "images") == (
        "variant:12",
        {"Color": "Blue"},
        ["https://cdn/1.jpg"],
    )


def test_hotline_and_a_template_with_explanations_above_its_names() -> None:
    oslo, bergen = offers("hotline.xml").values()
    assert told(oslo, "price", "currency", "category", "attributes") == (
        "1250.50",
        "UAH",
        "Дім > Лампи",
        {"Колір": "червоний"},
    )
    assert told(bergen, "availability", "condition") == ("preorder", None)
    assert [told(one, "supplier_sku", "price", "currency", "locator") for one in offers("meta_template.csv").values()] == [
        ("M1", "12.50", "USD", "row 3"), ("M2", "112.50", "USD", "row 4"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_a_pinned_mapping_reads_the_same_again(name: str) -> None:
    first = normalise(SAMPLES / name)
    again = normalise(SAMPLES / name, mapping=json.loads(json.dumps(first.document)))
    assert (again.drift, again.breaks) == ([], [])
    read = [
        [one for batch in found.batches() for one in batch.offers["content_hash"]] for found in (first, again)
    ]
    assert read[0] == read[1] != []
