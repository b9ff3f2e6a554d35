"""The industry's standards on small files of our own: BMEcat, UBL, GDSN, ONIX, PRICAT, CIF and JSON-LD, as suppliers vary them."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.feeds.normalise import normalise

SAMPLES = Path(__file__).parent / "samples"
TOLD = (
    "supplier_sku", "gtin", "gtin_verdict", "mpn", "brand", "title", "category", "kind", "cost", "price", "rrp", "currency",
    "price_includes_tax", "tax_rate", "stock", "availability", "lead_time_days", "weight_g", "dimensions_mm", "condition", "attributes",
    "images", "source_url", "titles", "cost_basis", "cost_tiers", "tax_category", "minimum", "step", "pack", "origin", "hs_code", "valid_from",
    "valid_to", "territory",
)  # fmt: skip


def read(file: str | Path, **how: Any) -> tuple[str, list[dict[str, Any]], dict[str, list[str]], str]:
    """(profile, what is known of each accepted offer, locator -> reasons, all descriptions together)."""
    found = normalise(SAMPLES / file, **how)
    offers: list[dict[str, Any]] = []
    reasons: dict[str, list[str]] = {}
    texts = ""
    for batch in found.batches():
        for offer in batch.offers.to_dict("records"):
            offers.append({n: offer[n] for n in TOLD if offer[n] is not None and offer[n] not in ({}, [])})
            texts += offer["description"] or ""
        for answer in batch.answers.to_dict("records"):
            reasons[answer["locator"]] = answer["reasons"]
    return found.profile, offers, reasons, texts


def test_bmecat_12_with_prefixes_a_doctype_and_decimal_commas() -> None:
    profile, (oslo, bergen), reasons, _ = read("bmecat12.xml")
    assert profile == "bmecat"
    assert oslo == {
        "supplier_sku": "LMP-01", "gtin": "4012345000016", "gtin_verdict": "valid", "mpn": "OSL", "brand": "Norden", "title": "Lampe Oslo",
        "category": "Licht > Tischlampen", "kind": "goods",
        "cost": "10.004",  # 1250,50 x ,8 for 100 pieces
        "price": "20", "rrp": "29.9", "currency": "EUR", "price_includes_tax": False, "tax_rate": "19", "lead_time_days": 3, "weight_g": 1500,
        "condition": "new", "attributes": {"Gewicht": "1,5 KGM", "Farbe": "Rot, Weiß", "NORDEN.ROOM": "Büro"},
        "images": ["https://bilder.norden.example/2026/oslo%201.jpg", "https://cdn.norden.example/oslo2.png"],
        "titles": {"de": "Lampe Oslo"}, "cost_basis": "100", "cost_tiers": [[1, "10.004"], [100, "8.00"]],
        "minimum": 10, "step": 5, "pack": 1, "valid_from": "2026-01-01", "valid_to": "2026-12-31", "territory": ["AT", "DE"],
    }  # fmt: skip
    assert (bergen["cost"], bergen["currency"]) == (
        "17.779",
        "EUR",
    )  # no thousands: the file's decimal is a comma
    assert reasons == {"item 1": [], "item 2": ["skipped_by_rule"], "item 3": []}


def test_bmecat_prices_come_from_the_feeds_own_currency() -> None:
    _, (oslo, bergen), _, _ = read("bmecat12.xml", currency="CHF")
    assert (oslo["cost"], oslo["currency"], oslo["cost_tiers"]) == ("13.00", "CHF", [[1, "13.00"]])
    assert "price" not in oslo and "rrp" not in oslo  # those are in euro
    assert (bergen["cost"], bergen["currency"]) == ("17.779", "EUR")  # names none: the catalogue's


def test_bmecat_2005_update_in_two_languages() -> None:
    found = normalise(SAMPLES / "bmecat2005.xml")
    assert found.document["policy"]["mode"] == "delta"
    profile, (bern,), _, _ = read("bmecat2005.xml")
    assert profile == "bmecat2005_update"
    assert bern == {
        "supplier_sku": "SES-1", "gtin": "4012345000023", "gtin_verdict": "valid", "mpn": "B-1", "brand": "Alpen", "title": "Sessel Bern",
        "kind": "goods", "cost": "199.50", "price": "399", "currency": "EUR", "price_includes_tax": True, "tax_rate": "19", "weight_g": 12400,
        "dimensions_mm": {"length": 800, "width": 750}, "titles": {"de": "Sessel Bern", "en": "Armchair Bern"},
        "cost_tiers": [[1, "199.50"], [10, "180"]], "pack": 2, "origin": "CH", "hs_code": "94016100",
    }  # fmt: skip


def test_bmecat_price_update_needs_no_title(tmp_path: Path) -> None:
    text = (SAMPLES / "bmecat12.xml").read_text()
    start, end = text.index("<bme:ARTICLE_DETAILS>"), text.index("</bme:ARTICLE_DETAILS>")
    text = text[:start] + text[end + len("</bme:ARTICLE_DETAILS>") :]
    file = tmp_path / "prices.xml"
    file.write_text(text.replace("T_NEW_CATALOG", "T_UPDATE_PRICES"))
    found = normalise(file)
    assert (found.profile, found.document["policy"]["mode"]) == ("bmecat_prices", "price-only")
    offers = [one for batch in found.batches() for one in batch.offers.to_dict("records")]
    assert [(one["supplier_sku"], one["cost"]) for one in offers] == [
        ("LMP-01", "10.004"),
        ("LMP-03", "17.779"),
    ]


def test_ubl_whatever_its_prefixes() -> None:
    profile, (paper,), reasons, _ = read("ubl.xml")
    assert profile == "ubl"
    assert paper == {
        "supplier_sku": "PAP-1", "gtin": "4012345000030", "gtin_verdict": "valid", "brand": "Norden", "title": "Papier A4", "kind": "goods",
        "cost": "10.00",  # 1000.00 for 100, not the 9.00 for comparing
        "currency": "EUR", "price_includes_tax": False, "tax_rate": "25", "availability": "in_stock", "lead_time_days": 14, "weight_g": 2500,
        "attributes": {"Farbe": "weiß"}, "cost_basis": "100", "cost_tiers": [[1, "10.00"], [50, "9.00"]], "tax_category": "S",
        "minimum": 5, "pack": 500, "origin": "SE", "valid_from": "2026-01-01", "valid_to": "2026-12-31",
    }  # fmt: skip
    assert reasons["item 2"] == ["skipped_by_rule"]


def test_gdsn_items_inside_each_other_are_records_without_a_price() -> None:
    found = normalise(SAMPLES / "gdsn.xml")
    (batch,) = found.batches()
    case, each = batch.drafts.to_dict("records")
    assert found.profile == "gdsn"
    assert batch.answers["reasons"].tolist() == [["missing_price"]] * 2
    assert (case["supplier_sku"], case["gtin"], case["title"], case["brand"], case["weight_g"]) == (
        "S-12", "14012345000044", "Apfelsaft 12er", "Norden", 6900,
    )  # fmt: skip
    assert case["titles"] == {"de": "Apfelsaft 12er", "en": "Apple juice, case of 12"}
    assert case["dimensions_mm"] == {"height": 300}
    assert (each["supplier_sku"], each["key_origin"], each["title"]) == (
        "04012345000047",
        "gtin",
        "Apfelsaft",
    )


def test_onix_21_with_short_tags_knows_what_it_costs() -> None:
    profile, (fjorde,), reasons, texts = read("onix21_short.xml")
    assert profile == "onix21_short"
    assert fjorde == {
        "supplier_sku": "NV-1", "gtin": "9783161484100", "gtin_verdict": "valid", "brand": "Nord", "title": "Fjorde", "kind": "goods",
        "cost": "12.00", "price": "19.90", "rrp": "19.90", "currency": "EUR", "price_includes_tax": True, "tax_rate": "7", "stock": 7,
        "availability": "in_stock", "weight_g": 450, "dimensions_mm": {"height": 210},
        "attributes": {"contributors": "Anna Berg", "subtitle": "Eine Reise"}, "pack": 10, "territory": ["AT", "DE"],
    }  # fmt: skip
    assert texts == "<p>Ein <em>großes</em> Buch.</p>"
    assert reasons["item 2"] == ["skipped_by_rule"]  # notification 05: deleted


@pytest.mark.parametrize(
    ("currency", "price", "territory"), [(None, "9.99", ["AT", "DE"]), ("CHF", "11.50", ["CH"])]
)
def test_onix_3_gives_price_and_territory_of_one_currency(
    currency: str | None, price: str, territory: list[str]
) -> None:
    profile, (book,), _, texts = read("onix3.xml", currency=currency)
    assert profile == "onix3"
    assert (book["price"], book["currency"], book["territory"]) == (price, currency or "EUR", territory)
    assert book.get("rrp") == ("11.50" if currency else None)  # type 04 is fixed, not recommended
    assert (book["title"], book["kind"], book["images"]) == (
        "Die Fjorde",
        "digital",
        ["https://nord.example/fjorde.jpg"],
    )
    assert texts == "<p>Ein <strong>großes</strong> Buch.</p>"


def test_onix_3_with_short_tags_and_the_headers_defaults() -> None:
    profile, (book,), _, _ = read("onix3_short.xml")
    assert profile == "onix3_short"
    assert book == {
        "supplier_sku": "NV-3", "gtin": "9783161484100", "gtin_verdict": "valid", "title": "Inseln", "kind": "goods", "price": "24.00",
        "currency": "EUR", "price_includes_tax": True, "availability": "out_of_stock", "weight_g": 454,
    }  # fmt: skip


def test_pricat_without_una() -> None:
    profile, (lamp, chair), reasons, _ = read("pricat.edi")
    assert profile == "pricat"
    assert lamp == {
        "supplier_sku": "LMP-01", "gtin": "4012345000016", "gtin_verdict": "valid", "mpn": "OSL", "brand": "Norden",
        "title": "Lampe Oslo + Schirm, 8'", "category": "Tischlampen", "kind": "goods", "cost": "12.505", "rrp": "29.9", "currency": "EUR",
        "tax_rate": "19", "weight_g": 1500, "dimensions_mm": {"height": 400}, "cost_basis": "100", "tax_category": "S", "minimum": 8, "pack": 4,
        "origin": "SE", "hs_code": "94052190", "valid_from": "2026-06-01",
    }  # fmt: skip
    assert (chair["supplier_sku"], chair["title"], chair["category"], chair["cost"]) == (
        "SES-1",
        "Sessel",
        "Stühle",
        "99.9",
    )
    assert reasons == {"LIN 1": [], "LIN 2": ["skipped_by_rule"], "LIN 3": []}


def test_cif_with_tabs_keeps_auxiliary_parts_apart() -> None:
    profile, offers, reasons, texts = read("tabs.cif")
    assert profile == "cif"
    assert offers[0] == {
        "supplier_sku": "LMP-01/RD", "gtin_verdict": "none", "mpn": "OSL", "brand": "Norden", "title": "Lampe", "category": "39111600",
        "kind": "goods", "cost": "12.50", "price": "29.90", "rrp": "29.90", "currency": "EUR", "price_includes_tax": False, "lead_time_days": 3,
        "attributes": {"unit of measure": "EA", "UNSPSC": "39111600"}, "titles": {"de": "Lampe"}, "valid_to": "2026-12-31",
    }  # fmt: skip
    assert [offer["supplier_sku"] for offer in offers] == ["LMP-01/RD", "LMP-01/BL"]
    assert reasons == {"row 8": [], "row 9": [], "row 11": ["skipped_by_rule"], "row 12": ["ragged_row"]}
    assert texts == 'Lampe Oslo, "rot"Lampe Oslo, blau'


def test_json_ld_graph_of_a_web_page() -> None:
    profile, (oslo, bergen), reasons, _ = read("graph.jsonld")
    assert profile == "jsonld"
    assert oslo == {
        "supplier_sku": "LMP-01", "gtin": "4012345000016", "gtin_verdict": "valid", "mpn": "OSL", "brand": "Norden", "title": "Lampe Oslo",
        "category": "Licht > Tischlampen", "kind": "goods", "price": "29.90", "currency": "EUR", "availability": "in_stock", "weight_g": 1500,
        "condition": "new", "attributes": {"Farbe": "Rot"}, "images": ["https://norden.example/1.jpg", "https://norden.example/2.jpg"],
        "source_url": "https://norden.example/oslo", "titles": {"de": "Lampe Oslo", "en": "Lamp Oslo"}, "valid_to": "2026-12-31",
    }  # fmt: skip
    assert (bergen["supplier_sku"], bergen["price"], bergen["availability"]) == (
        "LMP-02",
        "19.5",
        "out_of_stock",
    )
    assert list(reasons.values()) == [["skipped_by_rule"], [], []]
