"""The mapping document: proposed, merged, checked by its schema, compared for drift; proposals by name and by value."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import Refused
from pipelines.feeds.mapping import document as documents
from pipelines.feeds.normalise import Normalised, normalise

SAMPLES = Path(__file__).parent / "samples"


def settled(tmp_path: Path, text: str | bytes, **options: Any) -> Normalised:
    file = tmp_path / "feed.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return normalise(file, **options)


def told(found: Normalised) -> dict[str, str]:
    return {field: one["from"] for field, one in found.mapping.items()}


@pytest.mark.parametrize(
    ("header", "row", "mapping"),
    [
        (
            "Artikelnummer;Bezeichnung;EK netto;UVP;Bestand;EAN;Hersteller",
            "A1;Lampe;9,99;19,99;5;4006381333931;Norden",
            {"supplier_sku": "Artikelnummer", "title": "Bezeichnung", "cost": "EK netto", "rrp": "UVP", "stock": "Bestand", "gtin": "EAN", "brand": "Hersteller"},
        ),
        (
            "Référence;Désignation;Prix d'achat;Prix public conseillé;Quantité;Code barres;Marque",
            "A1;Lampe;9,99;19,99;5;4006381333931;Norden",
            {"supplier_sku": "Référence", "title": "Désignation", "cost": "Prix d'achat", "rrp": "Prix public conseillé", "stock": "Quantité", "gtin": "Code barres", "brand": "Marque"},
        ),
        (
            "Código;Nombre;Precio de compra;PVP;Existencias;Código de barras",
            "A1;Silla;9,99;19,99;5;4006381333931",
            {"supplier_sku": "Código", "title": "Nombre", "cost": "Precio de compra", "price": "PVP", "stock": "Existencias", "gtin": "Código de barras"},
        ),
        (
            "Kod produktu;Nazwa;Cena hurtowa;Cena brutto;Stan;Kod kreskowy;Producent",
            "A1;Krzesło;9,99;19,99;5;4006381333931;Norden",
            {"supplier_sku": "Kod produktu", "title": "Nazwa", "cost": "Cena hurtowa", "price": "Cena brutto", "stock": "Stan", "gtin": "Kod kreskowy", "brand": "Producent"},
        ),
        (
            "品番,商品名,仕入価格,希望小売価格,在庫数,JANコード,メーカー",
            "A1,椅子,999,1999,5,4006381333931,ノルデン",
            {"supplier_sku": "品番", "title": "商品名", "cost": "仕入価格", "rrp": "希望小売価格", "stock": "在庫数", "gtin": "JANコード", "brand": "メーカー"},
        ),
        (
            "상품코드,상품명,매입가,판매가,재고수량,바코드,브랜드",
            "A1,의자,9990,19990,5,4006381333931,노르덴",
            {"supplier_sku": "상품코드", "title": "상품명", "cost": "매입가", "price": "판매가", "stock": "재고수량", "gtin": "바코드", "brand": "브랜드"},
        ),
        (
            "商品编码,商品名称,批发价,建议零售价,库存,条码,品牌",
            "A1,椅子,99,199,5,4006381333931,诺登",
            {"supplier_sku": "商品编码", "title": "商品名称", "cost": "批发价", "rrp": "建议零售价", "stock": "库存", "gtin": "条码", "brand": "品牌"},
        ),
        (
            "Артикул;Наименование;Оптовая цена;РРЦ;Остаток;Штрихкод;Бренд",
            "A1;Стул;9,99;19,99;5;4006381333931;Норден",
            {"supplier_sku": "Артикул", "title": "Наименование", "cost": "Оптовая цена", "rrp": "РРЦ", "stock": "Остаток", "gtin": "Штрихкод", "brand": "Бренд"},
        ),
        (
            "itemNumber,itemName,wholesalePriceEUR,stockQty,Weight (kg),categoryPath,imageUrls,deepLink",
            "A1,Lamp,9.99,5,1.2,Home > Lamps,https://x.example/a.jpg,https://x.example/a",
            {"supplier_sku": "itemNumber", "title": "itemName", "cost": "wholesalePriceEUR", "stock": "stockQty", "weight_g": "Weight (kg)", "category": "categoryPath", "images": "imageUrls", "source_url": "deepLink"},
        ),
    ],
    ids=["de", "fr", "es", "pl", "ja", "ko", "zh", "ru", "camel case"],
)  # fmt: skip
def test_columns_are_known_by_their_names_in_many_languages(
    tmp_path: Path, header: str, row: str, mapping: dict[str, str]
) -> None:
    found = settled(tmp_path, f"{header}\n{row}\n")
    assert told(found) == mapping
    assert all(one["confidence"] >= 0.6 for one in found.mapping.values())


def test_values_are_looked_at_where_a_name_tells_nothing(tmp_path: Path) -> None:
    rows = "\n".join(
        f"A{n},Lamp {n},{code},https://x.example/img/{n}.jpg,9.99"
        for n, code in enumerate(("4006381333931", "4006381333948", "4006381333955"))
    )
    assert told(settled(tmp_path, f"sku,title,code2,file image,price\n{rows}\n")) == {
        "supplier_sku": "sku", "title": "title", "gtin": "code2", "images": "file image", "price": "price",
    }  # fmt: skip


def test_a_name_whose_values_contradict_it_is_not_believed(tmp_path: Path) -> None:
    found = settled(tmp_path, "sku,title,price,stock\nA1,Lamp,see list,9.99\nA2,Desk,see list,8.99\n")
    assert "price" not in found.mapping


def test_a_currency_in_a_column_name_is_the_currency(tmp_path: Path) -> None:
    text = "sku,title,Price USD,Price EUR\nA1,Lamp,10,9\n"
    assert told(settled(tmp_path, text))["price"] == "Price USD"
    chosen = settled(tmp_path, text, currency="EUR")
    assert told(chosen)["price"] == "Price EUR"
    offer = next(iter(chosen.batches())).offers.iloc[0]
    assert (offer["price"], offer["currency"]) == ("9", "EUR")


def test_tax_words_in_a_column_name_say_whether_tax_is_in_the_price(tmp_path: Path) -> None:
    assert settled(tmp_path, "sku,title,Price incl. VAT\nA1,Lamp,10\n").document["price_includes_tax"] is True
    assert (
        settled(tmp_path, "sku,title,Price (tax excluded)\nA1,Lamp,10\n").document["price_includes_tax"]
        is False
    )
    assert "price_includes_tax" not in settled(tmp_path, "sku,title,Price\nA1,Lamp,10\n").document


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir()))
def test_every_proposal_keeps_the_schema_and_pins_itself(sample: str) -> None:
    """A pinned document read again gives the same offers and no drift."""
    first = normalise(SAMPLES / sample)
    documents.check(first.document)
    again = normalise(SAMPLES / sample, mapping=first.document)
    assert again.drift == []
    assert again.document == first.document
    hashes = [[batch.offers["content_hash"].tolist() for batch in one.batches()] for one in (first, again)]
    assert hashes[0] == hashes[1]


def test_drift_is_reported_not_guessed_over(tmp_path: Path) -> None:
    pinned = settled(tmp_path, "sku;title;price;stock\nA1;Lampe groß;9,99;5\n".encode("cp1252")).document
    assert pinned["dialect"]["encoding"] == "cp1252"
    same = settled(tmp_path, "sku;title;price;stock\nA1;plain;9,99;5\n", mapping=pinned)
    assert same.drift == []
    assert same.facts.encoding == "cp1252"
    changed = settled(tmp_path, "sku,title,cost,stock\nA1,größer,9.99,5\n", mapping=pinned)
    assert changed.drift == [
        "The encoding was 'cp1252' and is now 'utf-8'.", "The delimiter was ';' and is now ','.",
        "Columns are gone: 'price'.", "Columns are new: 'cost'.",
    ]  # fmt: skip
    answers = next(iter(changed.batches())).answers
    assert answers["reasons"].tolist() == [["missing_price"]]
    moved = settled(tmp_path, "title;sku;price;stock\nLampe;A1;9,99;5\n", mapping=pinned)
    assert moved.drift == ["The columns stand in another order."]
    assert next(iter(moved.batches())).offers["supplier_sku"].tolist() == ["A1"]


def test_some_sections_replace_the_proposals(tmp_path: Path) -> None:
    found = settled(
        tmp_path,
        "sku,title,price,old code\nA1,Lamp,10,X\n",
        mapping={
            "fields": {"mpn": {"from": ["old code"], "operations": ["trim"]}, "title": None},
            "policy": {"assumed_stock": 3},
            "currency": "CHF",
        },
    )
    assert told(found) == {
        "supplier_sku": "sku",
        "price": "price",
        "attributes": "old code",
        "mpn": "old code",
    }
    assert found.document["policy"] == {"mode": "full", "assumed_stock": 3}
    answers = next(iter(found.batches())).answers
    assert answers["reasons"].tolist() == [["missing_title"]]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"fields": {"colour": {"from": ["a"]}}}, "fields"),
        ({"fields": {"title": {"from": ["title"], "operations": ["eval"]}}}, "fields.title"),
        ({"fields": {"title": {"from": ["title"], "operations": [{"regex": "x"}]}}}, "fields.title"),
        ({"policy": {"cost": {"from": "stock"}}}, "policy.cost"),
        ({"currency": "Euro"}, "currency"),
        ({"key": []}, "key"),
        ({"unknown": 1}, "the document"),
    ],
)
def test_a_document_that_is_none_of_ours_is_refused_with_its_place(
    tmp_path: Path, given: dict[str, Any], place: str
) -> None:
    with pytest.raises(Refused, match=place) as refusal:
        settled(tmp_path, "sku,title,price\nA1,Lamp,10\n", mapping=given)
    assert refusal.value.rule == "mapping_invalid"


def test_a_file_without_any_known_column_is_no_feed(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        settled(tmp_path, "Dear supplier,\nthis is a letter, with commas\nBye, now\n")
    assert refusal.value.rule == "no_known_columns"


def test_an_unknown_profile_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="shopify_csv") as refusal:
        settled(tmp_path, "sku,title,price\nA1,Lamp,10\n", profile="nowhere")
    assert refusal.value.rule == "unknown_profile"


def test_a_mapping_by_hand_need_not_know_the_type_of_a_field(tmp_path: Path) -> None:
    """No operation, or one after the one that gives the type: still an amount, a whole number, a GTIN, or nothing."""
    text = "sku,title,price,stock,ean\nA1,Lamp,10.50 EUR,3,4006381333931\nA2,Desk,cheap,x,1\nA3,Bed,,,\n"
    fields = {
        "price": {"from": ["price"]}, "stock": {"from": ["stock"], "operations": ["trim"]}, "gtin": {"from": ["ean"]},
        "rrp": {"from": ["price"], "operations": ["money", {"default": "new"}]}, "weight_g": {"from": ["title"], "operations": [{"case": "upper"}]},
        "lead_time_days": {"from": ["sku"], "operations": [{"default": "soon"}]},
    }  # fmt: skip
    batch = next(iter(settled(tmp_path, text, mapping={"fields": fields}).batches()))
    assert batch.answers["reasons"].tolist() == [[], ["not_a_number"], ["missing_price"]]
    offer = batch.offers.iloc[0]
    told = {
        name: offer[name]
        for name in ("price", "currency", "stock", "gtin", "gtin_verdict", "rrp", "weight_g")
    }
    assert told == {
        "price": "10.50", "currency": "EUR", "stock": 3, "gtin": "4006381333931", "gtin_verdict": "valid", "rrp": "10.50", "weight_g": None,
    }  # fmt: skip


def test_names_and_values_come_from_pairs_and_nothing_else_does(tmp_path: Path) -> None:
    for given, sentence in (
        ({"options": {"from": ["title"]}}, "fields.options: give `pairs` of a name and a column"),
        ({"title": {"pairs": [["sku", "title"]]}}, "fields.title: give `from` with its columns"),
    ):
        with pytest.raises(Refused) as refusal:
            settled(tmp_path, "sku,title,price\nA1,Lamp,10\n", mapping={"fields": given})
        assert sentence in str(refusal.value)
