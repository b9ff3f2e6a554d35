"""Each named profile on a small file of our own: what becomes an offer, what belongs to one, what is answered."""

from pathlib import Path
from typing import Any

import pytest

from core import clock
from pipelines.feeds.normalise import OFFER_COLUMNS, Normalised, normalise

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(autouse=True)
def _stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 23, tzinfo=UTC))


def offers(found: Normalised) -> dict[str, dict[str, Any]]:
    """Every draft by its key; columns as promised."""
    kept = {}
    for batch in found.batches():
        assert tuple(batch.offers.columns) == OFFER_COLUMNS
        kept.update({str(one["supplier_sku"]): one for one in batch.drafts.to_dict("records")})
    return kept


def answers(found: Normalised) -> dict[str, dict[str, Any]]:
    return {one["locator"]: one for batch in found.batches() for one in batch.answers.to_dict("records")}


def some(offer: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(offer[name] for name in names)


def test_shopify_rows_of_one_handle_are_one_product() -> None:
    found = normalise(SAMPLES / "shopify.csv")
    assert found.profile == "shopify_csv"
    kept = offers(found)
    assert list(kept) == [
        "OSL-R-S",
        "OSL-R-M",
        "OSL-B-M",
        "bern",
        "FIT-1",
        "GIFT",
        "OLD-1",
        "FREE-1",
        "OSL-G-M",
    ]
    variant = kept["OSL-R-M"]
    assert some(variant, "title", "brand", "category", "group_key", "group_title") == (
        "Lamp Oslo",
        "Norden",
        "Lamps",
        "oslo",
        "Lamp Oslo",
    )
    assert variant["options"] == {"Color": "Red", "Size": "M"}
    assert variant["description"] == "<p>Warm light.\n</p>"
    product_images = [f"https://pic.example/oslo{end}.jpg" for end in ("", "-2", "-3")]
    assert variant["images"] == product_images
    assert kept["OSL-R-S"]["images"] == ["https://pic.example/red.jpg", *product_images]
    late = kept["OSL-G-M"]  # eight rows below its product
    assert some(late, "title", "options", "locator") == (
        "Lamp Oslo",
        {"Color": "Green", "Size": "M"},
        "row 12",
    )


def test_shopify_money_stock_and_kind() -> None:
    kept = offers(normalise(SAMPLES / "shopify.csv"))
    assert some(kept["OSL-R-S"], "cost", "price", "rrp", "currency") == ("12.00", "29.90", None, None)
    assert some(kept["OSL-R-S"], "stock", "availability", "weight_g") == (4, "in_stock", 500)
    assert some(kept["OSL-R-M"], "stock", "availability") == (0, "preorder")
    assert some(kept["OSL-B-M"], "stock", "availability") == (0, "out_of_stock")
    assert some(kept["bern"], "stock", "availability", "key_origin", "options") == (
        None,
        "in_stock",
        "handle_options",
        {},
    )
    assert [kept[key]["kind"] for key in ("OSL-R-S", "FIT-1", "GIFT")] == ["goods", "service", "digital"]


def test_shopify_answers_every_row() -> None:
    found = normalise(SAMPLES / "shopify.csv")
    told = answers(found)
    assert {place: one["reasons"] for place, one in told.items() if one["verdict"] != "accepted"} == {
        "row 9": ["skipped_by_rule"], "row 10": ["price_zero"], "row 11": ["group_broken"],
    }  # fmt: skip
    assert told["row 10"]["verdict"] == "quarantined"
    assert told["row 5"] | {"raw": None} == {
        "locator": "row 5", "verdict": "accepted", "reasons": [], "notes": [], "supplier_sku": None, "message": None, "raw": None,
    }  # fmt: skip
    assert told["row 2"]["raw"]["Variant SKU"] == "'OSL-R-S"
    assert told["row 3"]["raw"]["Title"] == ""
    assert told["row 2"]["notes"] == ["gtin_invalid", "html_cleaned"]
    summary = found.summary()
    assert (summary.records, summary.products, summary.variants) == (11, 7, 9)
    assert (summary.accepted, summary.rejected, summary.quarantined) == (8, 2, 1)


def test_a_lost_zero_is_repaired_where_the_column_is_one_of_gtins(tmp_path: Path) -> None:
    good = "".join(
        f"x{n},X {n},,V,T,Color,{n},,,X-{n},1,shopify,1,deny,5.00,,true,{code},,,,,active\n"
        for n, code in enumerate(("4006381333931", "4006381333948", "4006381333955", "4006381333962"))
    )
    file = tmp_path / "feed.csv"
    file.write_text((SAMPLES / "shopify.csv").read_text() + good)
    found = normalise(file)
    kept = offers(found)
    assert some(kept["OSL-R-S"], "gtin", "gtin_verdict") == ("030955168463", "repaired")
    assert found.summary().notes["gtin_repaired"] == 2
    assert found.document["fields"]["gtin"]["operations"] == [{"gtin": {"repair": True}}]


def test_woocommerce_variations_find_their_parent_before_or_behind_them() -> None:
    found = normalise(SAMPLES / "woocommerce.csv")
    assert (found.profile, found.facts.encoding) == ("woocommerce_csv", "utf-8")
    kept = offers(found)
    red, blue = kept["TEE-R"], kept["TEE-B"]
    for variation in (red, blue):
        assert some(variation, "group_key", "group_title", "category", "description") == (
            "TEE",
            "Tee",
            "Clothing > Tees",
            "<p>Soft.</p>",
        )
        assert some(variation, "weight_g", "dimensions_mm") == (200, {"length": 300})
    assert (red["options"], blue["options"]) == ({"Color": "Red"}, {"Color": "Blue"})
    assert (red["price"], blue["price"]) == ("20", "15")
    assert red["images"] == [
        "https://pic.example/red.jpg",
        "https://pic.example/a.jpg",
        "https://pic.example/b.jpg",
    ]
    assert some(blue, "stock", "availability") == (0, "out_of_stock")
    assert "TEE" not in kept
    assert "SET" not in kept


def test_woocommerce_kinds_sales_and_keys() -> None:
    kept = offers(normalise(SAMPLES / "woocommerce.csv"))
    assert [kept[key]["kind"] for key in ("MUG", "PDF", "FIT")] == ["goods", "digital", "service"]
    assert some(kept["MUG"], "price", "options", "attributes", "group_key") == (
        "8",
        {},
        {"Color": "White"},
        None,
    )
    assert kept["PAST"]["price"] == "9"
    assert kept["id:19"]["key_origin"] == "source_id"


def test_woocommerce_answers_every_row() -> None:
    found = normalise(SAMPLES / "woocommerce.csv")
    assert {place: one["reasons"] for place, one in answers(found).items() if one["verdict"] != "accepted"} == {
        "row 9": ["skipped_by_rule"], "row 10": ["group_broken"], "row 11": ["skipped_by_rule"],
    }  # fmt: skip
    summary = found.summary()
    assert (summary.records, summary.products, summary.variants, summary.accepted) == (12, 10, 10, 9)


def test_google_reads_the_items_own_price() -> None:
    found = normalise(SAMPLES / "google.xml")
    assert (found.profile, found.facts.format, found.facts.delimiter) == ("google", "xml", None)
    kept = offers(found)
    lamp = kept["L1-R"]
    assert some(lamp, "price", "currency", "title", "description") == (
        "24.90",
        "EUR",
        "Lamp & shade",
        "<p>Warm</p>",
    )
    assert lamp["images"] == [f"https://pic.example/{name}.jpg" for name in ("l1", "l1b", "l1c")]
    assert some(lamp, "group_key", "options", "attributes") == ("L1", {"color": "red"}, {})
    assert some(lamp, "gtin", "gtin_verdict", "weight_g", "availability") == (
        "4006381333931",
        "valid",
        1500,
        "in_stock",
    )
    assert some(kept["L2"], "price", "availability", "options", "attributes") == (
        "1299.00",
        "preorder",
        {},
        {"color": "oak"},
    )
    assert {place: one["reasons"] + one["notes"] for place, one in answers(found).items()} == {
        "item 1": [], "item 2": ["image_unusable"], "item 3": ["missing_price"],
    }  # fmt: skip


def test_google_names_in_a_tsv_are_the_same_profile(tmp_path: Path) -> None:
    file = tmp_path / "feed.tsv"
    file.write_bytes(
        "id\ttitle\tlink\timage link\tprice\tavailability\tshipping(country:price)\tshipping(country:price)\n"
        "L1\tLampe\thttps://n.example/1\thttps://n.example/1.jpg\t119 EUR\tauf Lager\tDE::0 EUR\tAT::15 EUR\n".encode(
            "utf-16"
        )
    )
    found = normalise(file)
    assert (found.profile, found.facts.encoding, found.facts.delimiter) == ("google", "utf-16-le", "\t")
    offer = offers(found)["L1"]
    assert some(offer, "price", "currency", "availability", "images") == (
        "119",
        "EUR",
        "in_stock",
        ["https://n.example/1.jpg"],
    )


def test_heureka_groups_and_parameters() -> None:
    found = normalise(SAMPLES / "heureka.xml")
    assert (found.profile, found.facts.encoding) == ("heureka", "cp1250")
    kept = offers(found)
    light, dark, table = kept["Z1"], kept["Z2"], kept["9788072579525"]
    assert some(light, "title", "price", "price_includes_tax", "tax_rate") == (
        "Židle dubová",
        "5000.50",
        True,
        "21",
    )
    assert some(dark, "price", "price_includes_tax", "tax_rate", "gtin_verdict") == (
        "4000",
        False,
        "21",
        "invalid",
    )
    assert light["category"] == "Nábytek > Židle"
    assert light["images"] == ["https://o.example/a%20b.jpg"]
    assert some(light, "group_key", "options", "attributes") == (
        "Z",
        {"Barva": "světlá"},
        {"Velikost": "33, 34"},
    )
    assert some(light, "lead_time_days", "availability") == (0, "in_stock")
    assert some(table, "key_origin", "gtin", "price", "condition", "group_key") == (
        "gtin",
        "9788072579525",
        "1200",
        "used",
        None,
    )


def test_a_german_price_list_of_a_trade_supplier() -> None:
    found = normalise(SAMPLES / "german.csv", currency="EUR")
    assert (found.profile, found.facts.encoding, found.facts.delimiter) == ("generic", "cp1252", ";")
    kept = offers(found)
    assert some(kept["LMP-01"], "title", "cost", "price", "rrp", "currency") == (
        "Tischlampe Größe M",
        "12.50",
        None,
        "29.90",
        "EUR",
    )
    assert some(kept["LMP-01"], "stock", "weight_g", "attributes") == (7, 1200, {"Farbe": "weiß"})
    assert {place: one["reasons"] for place, one in answers(found).items() if one["verdict"] != "accepted"} == {
        "row 8": ["not_a_number"], "row 9": ["duplicate"], "row 10": ["duplicate_conflict"], "row 11": ["missing_key"],
    }  # fmt: skip
    assert answers(found)["row 10"]["message"] == (
        "row 10: Artikelnummer 'LMP-02' is also the key of row 6, with other content; give each its own."
    )


@pytest.mark.parametrize(
    ("profile", "text", "expected"),
    [
        (
            "shopify_csv",
            "Title,URL handle,Description,Status,SKU,Option1 name,Option1 value,Price,Cost per item,Inventory tracker,Inventory quantity,"
            "Continue selling when out of stock,Weight value (grams),Product image URL\n"
            "T-Shirt,t-shirt,<p>x</p>,Active,TS-S,Size,Small,10.00,4.50,shopify,5,DENY,200.0,https://x.example/1.jpg\n"
            ",t-shirt,,,TS-M,,Medium,11.00,4.50,shopify,0,CONTINUE,210,\n,t-shirt,,,,,,,,,,,,https://x.example/2.jpg\n",
            {
                "TS-S": ("T-Shirt", "10.00", "4.50", 5, "in_stock", 200, {"Size": "Small"}),
                "TS-M": ("T-Shirt", "11.00", "4.50", 0, "preorder", 210, {"Size": "Medium"}),
            },
        ),
        (
            "woocommerce_csv",
            'ID,Typ,Artikelnummer,Name,Veröffentlicht,"Datum, an dem Angebotspreis beginnt","Datum, an dem Angebotspreis endet",Vorrätig?,Lager,'
            "Gewicht (kg),Angebotspreis,Regulärer Preis,Übergeordnet,Attribut 1 Name,Attribut 1 Wert(e)\n"
            '9,variable,TEE,Tee,1,,,1,,"0,2",,,,Farbe,"Rot, Blau"\n10,variation,TEE-R,Tee - Rot,1,,,1,3,,,"20,50",TEE,Farbe,Rot\n'
            '11,variation,TEE-B,Tee - Blau,1,,,0,0,,"8,90","10,00",TEE,Farbe,Blau\n',
            {
                "TEE-R": ("Tee - Rot", "20.50", None, 3, "in_stock", 200, {"Farbe": "Rot"}),
                "TEE-B": ("Tee - Blau", "8.90", None, 0, "out_of_stock", 200, {"Farbe": "Blau"}),
            },
        ),
        (
            "google",
            "ID\tTitel\tBeschreibung\tLink\tBildlink\tVerfügbarkeit\tPreis\tMarke\tZustand\n"
            "1\tLampe\tx\thttps://x.example/1\thttps://x.example/1.jpg\tauf Lager\t12,90 EUR\tNorden\tneu\n",
            {"1": ("Lampe", "12.90", None, None, "in_stock", None, {})},
        ),
    ],
    ids=["Shopify since 2025", "WooCommerce in German", "Google in German"],
)
def test_other_spellings_of_known_formats(
    tmp_path: Path, profile: str, text: str, expected: dict[str, tuple[Any, ...]]
) -> None:
    file = tmp_path / "feed.csv"
    file.write_text(text)
    found = normalise(file)
    assert found.profile == profile
    kept = offers(found)
    names = ("title", "price", "cost", "stock", "availability", "weight_g", "options")
    assert {key: some(offer, *names) for key, offer in kept.items()} == expected
    assert found.summary().rejected == 0


def test_an_unknown_xml_is_read_by_its_names(tmp_path: Path) -> None:
    file = tmp_path / "feed.xml"
    file.write_text(
        '<catalog><offers><offer id="7" available="true"><name>Lamp</name><price>10</price><vendor>Norden</vendor></offer>'
        '<offer id="8" available="false"><name>Desk</name><price>20</price><vendor>Norden</vendor></offer></offers></catalog>'
    )
    kept = offers(normalise(file))
    assert {key: some(offer, "title", "price", "brand", "availability") for key, offer in kept.items()} == {
        "7": ("Lamp", "10", "Norden", "in_stock"), "8": ("Desk", "20", "Norden", "out_of_stock"),
    }  # fmt: skip
