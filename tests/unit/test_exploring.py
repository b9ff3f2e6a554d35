"""Shapes nobody described: what repeats is found, and of it what looks like an offer is proposed."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import Refused
from pipelines.feeds.normalise import Normalised, normalise

VARIANTS = {
    "updated": "2026-01-01",
    "items": [
        {
            "code": "P1", "name": "Lamp Oslo", "brand": {"name": "Norden", "id": 4}, "description": "<p>Warm</p>",
            "pictures": ["https://x.example/1.jpg", "https://x.example/2.jpg"],
            "skus": [
                {"code": "P1-R", "name": "Red", "ean": "4012345000016", "price": {"amount": 12.50, "currency": "EUR"}, "stock": {"quantity": 5}, "color": "red"},
                {"code": "P1-B", "name": "Blue", "ean": "4012345000023", "price": {"amount": 13, "currency": "EUR"}, "stock": {"quantity": 0}, "color": "blue"},
            ],
        },
        {"code": "P2", "name": "Bergen", "skus": [{"code": "P2-R", "name": "Red", "price": {"amount": 1112.5, "currency": "EUR"}, "stock": {"quantity": 3}, "color": "red"}]},
    ],
}  # fmt: skip
ATTRIBUTES = (
    '<catalog date="2026"><product sku="A1" name="Lamp" price="12,50" currency="EUR" stock="4" ean="4012345000016"/>'
    '<product sku="A2" name="Desk" price="112,50" currency="EUR" stock="0" ean="4012345000023"/></catalog>'
)
DEEP = (
    '<ns:Export xmlns:ns="urn:x"><ns:Header><ns:Supplier>Norden</ns:Supplier></ns:Header><ns:Articles>'
    "<ns:Article><ns:Ident><ns:ArticleNo>A1</ns:ArticleNo><ns:EAN>4012345000016</ns:EAN></ns:Ident>"
    "<ns:Texts><ns:Title>Lampe</ns:Title></ns:Texts>"
    '<ns:Prices><ns:PurchasePrice currency="EUR">12.50</ns:PurchasePrice><ns:RetailPrice currency="EUR">29.90</ns:RetailPrice></ns:Prices>'
    "<ns:Shipping><ns:Price>4.95</ns:Price></ns:Shipping><ns:Stock><ns:Quantity>4</ns:Quantity></ns:Stock></ns:Article>"
    "<ns:Article><ns:Ident><ns:ArticleNo>A2</ns:ArticleNo></ns:Ident><ns:Texts><ns:Title>Tisch</ns:Title></ns:Texts>"
    '<ns:Prices><ns:PurchasePrice currency="EUR">120.50</ns:PurchasePrice></ns:Prices></ns:Article></ns:Articles></ns:Export>'
)


def read(tmp_path: Path, content: Any, **settings: Any) -> tuple[Normalised, list[dict[str, Any]]]:
    file = tmp_path / "feed"
    file.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    found = normalise(file, **settings)
    drafts = [one for batch in found.batches() for one in batch.drafts.to_dict("records")]
    return found, [{str(name): value for name, value in one.items()} for one in drafts]


def test_of_records_in_records_the_one_with_a_price_of_its_own_is_the_offer(tmp_path: Path) -> None:
    found, offers = read(tmp_path, VARIANTS)
    assert found.document["dialect"]["recordPath"] == "items.skus"
    assert [(one["supplier_sku"], one["price"], one["currency"], one["stock"]) for one in offers] == [
        ("P1-R", "12.5", "EUR", 5), ("P1-B", "13", "EUR", 0), ("P2-R", "1112.5", "EUR", 3),
    ]  # fmt: skip
    first = offers[0]
    assert (first["title"], first["group_title"], first["group_key"], first["brand"]) == (
        "Lamp Oslo",
        "Lamp Oslo",
        "P1",
        "Norden",
    )
    assert first["options"] == {"variant": "Red", "color": "red"}
    assert len(first["images"]) == 2
    assert found.summary().products == 2


def test_a_pinned_path_is_kept(tmp_path: Path) -> None:
    found, _ = read(tmp_path, VARIANTS)
    again, offers = read(tmp_path, VARIANTS, mapping=found.document)
    assert (again.drift, len(offers)) == ([], 3)
    moved = {"data": VARIANTS["items"]}
    changed, _ = read(tmp_path, moved, mapping=found.document)
    assert "The record path was 'items.skus' and is now 'data.skus'." in changed.drift


def test_objects_keyed_by_their_number(tmp_path: Path) -> None:
    keyed = {f"SKU-{n}": {"title": f"Lamp {n}", "price": "12.99", "qty": n} for n in (1, 2)}
    found, offers = read(tmp_path, keyed)
    assert [(one["supplier_sku"], one["title"], one["stock"]) for one in offers] == [
        ("SKU-1", "Lamp 1", 1),
        ("SKU-2", "Lamp 2", 2),
    ]
    assert found.summary().notes == {"key_from_other_field": 2}


def test_german_names_lists_and_single_objects_in_json(tmp_path: Path) -> None:
    article = {
        "Artikelnummer": "A-1", "Bezeichnung": "Lampe", "EK": 12.5, "UVP": 29.9, "Bestand": 7, "EAN": "4012345000016",
        "Hersteller": "Norden", "Bilder": ["https://x.example/1.jpg", "https://x.example/2.jpg"], "Eigenschaften": {"Farbe": "rot"},
    }  # fmt: skip
    for content in (
        [article],
        article,
        {"artikel": [article]},
        json.dumps(article) + "\n" + json.dumps({**article, "Artikelnummer": "A-2"}),
    ):
        _, offers = read(tmp_path, content)
        first = offers[0]
        assert (first["supplier_sku"], first["cost"], first["rrp"], first["stock"]) == (
            "A-1",
            "12.5",
            "29.9",
            7,
        )
        assert (first["brand"], first["attributes"], len(first["images"])) == ("Norden", {"Farbe": "rot"}, 2)


def test_xml_of_attributes_alone(tmp_path: Path) -> None:
    _, offers = read(tmp_path, ATTRIBUTES)
    assert [(one["supplier_sku"], one["title"], one["price"], one["currency"], one["gtin"]) for one in offers] == [
        ("A1", "Lamp", "12.50", "EUR", "4012345000016"), ("A2", "Desk", "112.50", "EUR", "4012345000023"),
    ]  # fmt: skip


def test_xml_of_many_levels(tmp_path: Path) -> None:
    found, offers = read(tmp_path, DEEP)
    assert found.document["dialect"]["recordPath"] == "Export/Articles/Article"
    assert [(one["supplier_sku"], one["title"], one["cost"], one["rrp"], one["stock"]) for one in offers] == [
        ("A1", "Lampe", "12.50", "29.90", 4), ("A2", "Tisch", "120.50", None, None),
    ]  # fmt: skip
    assert "price" not in found.mapping  # what shipping costs is no price


def test_what_looks_like_no_offer_is_refused(tmp_path: Path) -> None:
    for content in (
        '{"a": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}',
        "<a><b><x>1</x><y>2</y></b><b><x>1</x></b></a>",
    ):
        with pytest.raises(Refused) as refusal:
            read(tmp_path, content)
        assert refusal.value.rule == "no_known_columns"


LISTS = (
    "<shop><products>"
    "<product><id>1</id><sku>P1</sku><name>Shirt</name><ean>4012345000030</ean><price>20.00</price><weight>0.2 kg</weight>"
    "<images><image>https://x.example/1.jpg</image><image>https://x.example/2.jpg</image></images>"
    "<variants><variant><sku>P1-S</sku><size>S</size><price>20.00</price><stock>4</stock><ean>4012345000016</ean></variant>"
    "<variant><sku>P1-M</sku><size>M</size><stock>0</stock></variant></variants></product>"
    "<product><id>2</id><sku>P2</sku><name>Mug</name><ean>4012345000047</ean><price>8.00</price><stock>9</stock></product>"
    "</products></shop>"
)


def test_a_list_of_variants_inside_a_record_makes_each_of_them_one(tmp_path: Path) -> None:
    found, offers = read(tmp_path, LISTS)
    assert found.document["records"] == {"each": "variants/variant"}
    assert [(one["locator"], one["supplier_sku"], one["price"], one["stock"], one["gtin"]) for one in offers] == [
        ("item 1/1", "P1-S", "20.00", 4, "4012345000016"),
        ("item 1/2", "P1-M", "20.00", 0, None),  # its product's price, never its product's GTIN
        ("item 2", "P2", "8.00", 9, "4012345000047"),
    ]  # fmt: skip
    assert [(one["title"], one["group_key"], one["options"], one["weight_g"]) for one in offers] == [
        ("Shirt", "P1", {"size": "S"}, 200), ("Shirt", "P1", {"size": "M"}, 200), ("Mug", "P2", {}, None),
    ]  # fmt: skip
    assert [len(one["images"]) for one in offers] == [2, 2, 0]
    assert found.summary().records == found.summary().accepted == 3


def test_prices_for_quantities_are_no_variants(tmp_path: Path) -> None:
    article = "<a><sku>A{0}</sku><name>Lamp {0}</name><prices><price><from>1</from><amount>9.00</amount></price><price><from>10</from><amount>8.00</amount></price></prices></a>"
    found, offers = read(tmp_path, f"<list>{article.format(1)}{article.format(2)}</list>")
    assert "records" not in found.document
    assert [(one["supplier_sku"], one["title"]) for one in offers] == [("A1", "Lamp 1"), ("A2", "Lamp 2")]


def test_what_delivery_costs_is_no_cost(tmp_path: Path) -> None:
    listed = "aid;brand;mpnr;name;desc;shop_cat;price;ppu;link;dlv_time;dlv_cost\nA1;Norden;OS-1;Lampe;Warm;Licht;49,90;20,00 / kg;https://s.example/1;1-3 Tage;4,95\n"
    found, offers = read(tmp_path, listed)
    assert "cost" not in found.mapping
    (lamp,) = offers
    assert (lamp["supplier_sku"], lamp["mpn"], lamp["price"], lamp["description"], lamp["category"], lamp["lead_time_days"]) == (
        "A1", "OS-1", "49.90", "Warm", "Licht", 3,
    )  # fmt: skip
