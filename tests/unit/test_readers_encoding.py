"""Code pages of short lists: each is decoded to the text it was written as (docs/decisions/0031)."""

from pathlib import Path

import pytest

from connectors.readers.detection import encoding_of

LISTS = [
    ('cp1252', 'Größe;Farbe;Preis\nTischlampe für Büro;weiß;12,50 €\nKüchenstuhl;grün;9,90\n'),
    ('cp1252', 'Désignation;Prix\nChaise en hêtre;12,5 €\nÉtagère à côté;9\n'),
    ('cp1252', 'Descripción;Tamaño\nSilla de salón;pequeño\n'),
    ('cp1252', 'Città;perché più\n'),
    ('cp1252', 'Blå stol;rød lampe;Größe\nSmörgåsbord;kött\n'),
    ('cp1252', 'Cadeira;Coração;Não\nmaçã;pães\n'),
    ('cp1252', 'prix 12 €\n'),
    ('cp1250', 'Název;Cena;Barva\nŽidle dřevěná;12,5;červená\nStůl;modrý;žlutý\nPříslušenství;ěšč'),
    ('cp1250', 'Nazwa;Cena;Ilość\nKrzesło drewniane;żółte;Łóżko\nŚwiatło;część'),
    ('cp1250', 'Megnevezés;Ár\nSzék;fából készült;zöld;őszi;hűtő\n'),
    ('cp1250', 'Názov;Cena\nStolička;drevená;žltá;ľahká\n'),
    ('cp1251', 'Название;Цена;Цвет\nСтул деревянный;100;красный\nLampe LED белая\n'),
    ('cp1251', "Назва;Ціна\nСтілець дерев'яний;їжа;є\n"),
    ('cp932', '品番,商品名,価格\nA1,テーブルランプ,1200\nA2,椅子（木製）,3000\n'),
    ('euc_jp', '品番,商品名,価格\nA1,テーブルランプ,1200\nA2,椅子（木製）,3000\n'),
    ('cp949', '상품코드,상품명,매입가\nA1,탁상 램프,1200\nA2,나무 의자,3000\n'),
    ('gb18030', '商品编码,商品名称,批发价\nA1,台灯,120\nA2,木椅子的颜色是红色,300\n'),
    ('big5', '商品編號,商品名稱,價格\nA1,檯燈,120\nA2,木椅子的顏色是紅色,300\n'),
    ('cp1253', 'Κωδικός;Τιμή;Περιγραφή\nΚαρέκλα ξύλινη;12\n'),
    ('cp1254', 'Ürün adı;Fiyat;Açıklama\nAhşap sandalye;yeşil;gümüş\nİğne;şık\n'),
    ('cp1257', 'Pavadinimas;Kaina\nKėdė medinė;žalia;šviesi;ąžuolas\n'),
    ('koi8-u', 'Название;Цена;Цвет\nСтул деревянный;100;красный\n'),
    ('iso8859-2', 'Název;Cena;Barva\nŽidle dřevěná;12,5;červená\nStůl;modrý;žlutý šťastný\n'),
    ('cp850', 'Größe;Farbe;Preis\nTischlampe für Büro;weiß;12,50\nKüchenstuhl;grün;9,90\n'),
    ('mac_roman', 'Größe;Farbe;Preis\nTischlampe für Büro;weiß;12,50\nKüchenstuhl;grün;9,90\n'),
    ('cp866', 'Название;Цена;Цвет\nСтул деревянный;100;красный\n'),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "text"), LISTS)
def test_a_short_list_becomes_the_text_it_was(tmp_path: Path, encoding: str, text: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(text.encode(encoding))
    found = encoding_of(file)
    assert not found.certain
    assert file.read_bytes().decode(found.name) == text


@pytest.mark.parametrize(("encoding", "text"), LISTS)
def test_utf_8_and_utf_16_are_proved_not_guessed(tmp_path: Path, encoding: str, text: str) -> None:
    file = tmp_path / "list.csv"
    for written, name in (("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16-le")):
        file.write_bytes(text.encode(written))
        found = encoding_of(file)
        assert (found.name, found.certain) == (name, True)


def test_utf_8_with_a_damaged_byte_stays_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes("Größe;Farbe\nweiß;grün\näöü;é\n".encode() + b"br\xffken;x\n")
    assert encoding_of(file).name == "utf-8"


def test_the_last_byte_counts(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(b"sku;title\n" + b"A1;plain\n" * 200_000 + "A2;weiß größer\n".encode("cp1252"))
    assert encoding_of(file).name == "cp1252"


def test_a_pinned_code_page_stays_unless_the_bytes_prove_another(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(b"plain;text\n")
    assert encoding_of(file, "cp1250").name == "cp1250"
    file.write_bytes("größer;é\n".encode())
    assert encoding_of(file, "cp1250").name == "utf-8"
    file.write_bytes("größer\n".encode("cp1252"))
    assert encoding_of(file, "utf-16-le").name == "cp1252"
