"""The CSV reader: any dialect and encoding, every row with its place, faults named."""

from pathlib import Path

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers.csv import CsvReader
from connectors.readers.csv_dialect import shape_of
from connectors.readers.detection import format_of
from connectors.readers.frames import FAULT, LOCATOR
from connectors.registry import READERS
from core.errors import Refused

HEADER = "Artikelnummer;Bezeichnung;Preis\n"
ROWS = "A1;Lampe Größe M;9,99\nA2;Stühle;10,50\n"


def read(file: Path) -> tuple[Dialect, pd.DataFrame]:
    dialect = CsvReader().detect(file)
    return dialect, pd.concat(CsvReader().frames(file, dialect), ignore_index=True)


def written(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "feed.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp1252", "cp1252"), ("utf-16", "utf-16-le"),
        ("utf-16-be", "utf-16-be"), ("utf-16-le", "utf-16-le"), ("utf-32", "utf-32-le"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_give_the_same_rows(
    tmp_path: Path, encoding: str, name: str, ending: str
) -> None:
    dialect, rows = read(written(tmp_path, (HEADER + ROWS).replace("\n", ending).encode(encoding)))
    assert (dialect.encoding, dialect.delimiter, dialect.header_row) == (name, ";", 0)
    assert dialect.header == ("Artikelnummer", "Bezeichnung", "Preis")
    assert rows["Bezeichnung"].tolist() == ["Lampe Größe M", "Stühle"]
    assert rows[LOCATOR].tolist() == ["row 2", "row 3"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Název;Barva\nŽidle dřevěná;červená\nStůl;modrý žlutý\n"),
        ("cp1250", "Nazwa;Kolor\nKrzesło drewniane;żółte\nŁóżko;część światła\n"),
        ("cp1251", "Название;Цвет\nСтул деревянный;красный\nЛампа;белая\n"),
        ("cp932", "品番,商品名\nA1,テーブルランプ\nA2,椅子（木製）\n"),
        ("cp949", "상품코드,상품명\nA1,탁상 램프\nA2,나무 의자\n"),
        ("gb18030", "商品编码,商品名称\nA1,台灯\nA2,木椅子的颜色是红色\n"),
        ("cp1253", "Κωδικός;Περιγραφή\nΚ1;Καρέκλα ξύλινη\n"),
        ("cp1252", "Code;Désignation\nC1;Chaise en hêtre\nC2;Étagère à côté, 12 €\n"),
    ],
)
def test_code_pages_are_told_by_the_letters_they_make(tmp_path: Path, encoding: str, text: str) -> None:
    dialect, rows = read(written(tmp_path, text.encode(encoding)))
    assert dialect.encoding == encoding
    assert [*dialect.header, *rows.iloc[:, 1]] == [
        *text.splitlines()[0].replace(",", ";").split(";"),
        *(line.split(dialect.delimiter or ";", 1)[1] for line in text.splitlines()[1:]),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_quoted_cells(tmp_path: Path, delimiter: str) -> None:
    text = 'sku,title\nA1,"a, b; c | d\te\nsecond ""line"""\nA2,x\n'.replace(
        "sku,title", f"sku{delimiter}title"
    ).replace("A1,", f"A1{delimiter}").replace("A2,", f"A2{delimiter}")  # fmt: skip
    dialect, rows = read(written(tmp_path, text))
    assert dialect.delimiter == delimiter
    assert rows["title"].tolist() == ['a, b; c | d\te\nsecond "line"', "x"]


def test_preamble_blank_lines_and_blank_rows_are_no_records(tmp_path: Path) -> None:
    dialect, rows = read(
        written(tmp_path, "Price list\nValid from;01.11.2026;\n\n" + HEADER + "\n" + ROWS + ";;\n;;\n")
    )
    assert dialect.header_row == 3
    assert rows[LOCATOR].tolist() == ["row 6", "row 7"]


def test_excel_separator_line_is_no_header(tmp_path: Path) -> None:
    dialect, rows = read(written(tmp_path, "sep=;\n" + HEADER + ROWS))
    assert dialect.header == ("Artikelnummer", "Bezeichnung", "Preis")
    assert len(rows) == 2


def test_a_file_without_header_loses_no_record(tmp_path: Path) -> None:
    dialect, rows = read(written(tmp_path, "A1,Lamp,9.99\nA2,Chair,8.50\nA3,Table,1.00\n"))
    assert dialect.header_row == -1
    assert dialect.header == ("column 1", "column 2", "column 3")
    assert rows["column 1"].tolist() == ["A1", "A2", "A3"]


def test_header_longer_than_all_rows_is_filled_not_ragged(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, "sku,title,price,extra\nA1,Lamp,9.99\nA2,Chair,8.50\n"))
    assert rows[FAULT].tolist() == ["", ""]
    assert rows["price"].tolist() == ["9.99", "8.50"]


def test_double_and_blank_headers_get_names_of_their_own(tmp_path: Path) -> None:
    dialect, rows = read(written(tmp_path, "sku,shipping,shipping,,price\nA1,1,2,3,9.99\nA2,4,5,6,8.50\n"))
    assert dialect.header == ("sku", "shipping", "shipping #2", "column 4", "price")
    assert rows["shipping #2"].tolist() == ["2", "5"]


def test_ragged_rows_are_named_and_the_others_stay(tmp_path: Path) -> None:
    _, rows = read(
        written(
            tmp_path, "sku,title,price\nA1,Lamp,9.99\nA2,Chair\nA3,Desk,1.00,9\nA4,Sofa,3.00,\nA5,Bed,4.00\n"
        )
    )
    assert rows[FAULT].tolist() == ["", "ragged_row", "ragged_row", "", ""]
    assert rows["sku"].tolist() == ["A1", "A2", "A3", "A4", "A5"]


def test_a_quote_that_never_closes_costs_one_record_at_the_end(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, 'sku,title,text\nA1,Lamp,"a\nb"\nA2,Chair,"<p>cut\n<b>here'))
    assert rows[FAULT].tolist() == ["", "truncated"]
    assert rows["sku"].tolist() == ["A1", "A2"]


def test_a_stray_quote_costs_one_record_not_the_rest(tmp_path: Path) -> None:
    good = [f'B{i},"Chair, red",8.50' for i in range(40)]
    lines = ["sku,title,price", *good[:20], 'A2,"24 inch,8.50', *good[20:]]
    _, rows = read(written(tmp_path, "\n".join(lines) + "\n"))
    assert rows[FAULT].value_counts().to_dict() == {"": 40, "ragged_row": 1}
    assert rows.loc[rows[FAULT] != "", LOCATOR].tolist() == ["row 22"]
    assert rows["sku"].tolist() == [line.split(",")[0] for line in lines[1:]]


def test_a_stray_quote_that_nothing_closes_costs_one_record(tmp_path: Path) -> None:
    lines = [
        "sku,title,price",
        '"A1","Lamp, red",1',
        *[f"B{i},Chair,8.50" for i in range(9)],
        'A2,"24 inch,8.50',
        *[f"C{i},Desk,9" for i in range(9)],
    ]
    _, rows = read(written(tmp_path, "\n".join(lines) + "\n"))
    assert rows.loc[rows[FAULT] != "", [LOCATOR, FAULT]].values.tolist() == [["row 12", "truncated"]]
    assert len(rows) == 20


def test_a_file_that_breaks_off_inside_a_row_is_truncated_not_ragged(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, "sku,title,price\nA1,Lamp,9.99\nA2,Chair,8.50\nA3,Ta"))
    assert rows[FAULT].tolist() == ["", "", "truncated"]


def test_undecodable_bytes_mark_their_own_record(tmp_path: Path) -> None:
    content = "sku,title,price\nA1,Größe,1\nA2,Stühle ä ö ü,2\nA3,é è,3\n".encode() + b"A4,br\xffken,4\n"
    dialect, rows = read(written(tmp_path, content))
    assert dialect.encoding == "utf-8"
    assert rows[FAULT].tolist() == ["", "", "", "undecodable"]
    assert rows["title"].tolist()[3] == "br\ufffdken"


def test_a_wide_file_cut_inside_a_character_is_answered(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, "sku,title,price\nA1,Lamp,1\nA2,Desk,2".encode("utf-16")[:-1]))
    assert rows[FAULT].tolist() == ["", "undecodable"]


def test_backslash_escapes_and_single_quotes(tmp_path: Path) -> None:
    dialect, rows = read(
        written(tmp_path, 'sku,title,price\nA1,"Lamp \\"XL\\", red",9.99\nA2,"Chair \\"S\\"",8.50\n')
    )
    assert dialect.escape_char == "\\"
    assert rows["title"].tolist() == ['Lamp "XL", red', 'Chair "S"']
    dialect, rows = read(
        written(tmp_path, "'sku','title','price'\n'A1','Lamp, red','9.99'\n'A2','Chair','8.50'\n")
    )
    assert dialect.quote_char == "'"
    assert rows["title"].tolist() == ["Lamp, red", "Chair"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty_file"),
        (b" \n\n\t ", "empty_file"),
        (b"sku,title,price\n", "no_records"),
        (b"Hello world\nnothing to see\n", "not_a_table"),
        (",".join(f"c{i}" for i in range(10_001)).encode() + b"\n", "too_wide"),
    ],
)
def test_what_is_no_table_is_refused_whole(tmp_path: Path, content: bytes, rule: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(Refused) as refusal:
        format_of(file)
        CsvReader().detect(file)
    assert refusal.value.rule == rule
    assert "feed.csv" in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"<!DOCTYPE html>\n<html><body>Please log in</body></html>", "not_a_feed"),
        (b"<!-- cached --><HTML><HEAD>", "not_a_feed"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not_a_feed"),
        (b"%PDF-1.7\n", "not_a_feed"),
        (bytes(range(256)) * 20, "not_a_feed"),
        (b"PK\x03\x04rest", "archive_damaged"),
        (b"7z\xbc\xaf\x27\x1c", "unsupported_format"),
        (b"Rar!\x1a\x07\x01\x00", "unsupported_format"),
        (b"feed.csv" + bytes(249) + b"ustar\x0000", "unsupported_format"),
        (b"ISA*00*          *00*", "unsupported_format"),
        (b"{\\rtf1\\ansi", "not_a_feed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"), "not_a_feed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "protected"),
    ],
)
def test_other_files_are_refused_by_their_first_bytes(tmp_path: Path, content: bytes, rule: str) -> None:
    with pytest.raises(Refused) as refusal:
        format_of(written(tmp_path, content))
    assert refusal.value.rule == rule


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'[{"sku": "A1"}]', "json"),
        (b'{"products": [\n{"sku": "A1"}]}', "json"),
        (b'\xef\xbb\xbf{"sku": "A1"}\n{"sku": "A2"}\n', "jsonl"),
        (b'{"sku": "A1"}\n', "json"),
        (b"UNA:+.? '\nUNB+UNOC:3+1+2", "edifact"),
        (b"UNA:*.? \nUNB*UNOA:1*5010000000000", "edifact"),
        (b"UNB+UNOA:1+5010000000000:14'", "edifact"),
        (b"UNH+1+PRICAT:D:96A:UN:EAN006'", "edifact"),
        (b"CIF_I_V3.0\nLOADMODE: F\n", "cif"),
        (b"\x1f\x8b\x08\x00", "gz"),
        (b"BZh91AY", "bz2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"<?xml version='1.0'?><SHOP/>", "xml"),
        (b"UNB;Preis\nA1;2\n", "csv"),
        (b"[Artikel];Preis\nA1;2\n", "csv"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook".encode("utf-16-le"), "xls"),
    ],
)
def test_formats_are_told_by_how_a_file_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, kind: str
) -> None:
    monkeypatch.setattr("connectors.readers.detection.READERS", dict.fromkeys((*READERS, "edifact", "cif")))
    assert format_of(written(tmp_path, content)) == kind


def test_a_value_over_a_megabyte_costs_its_record_or_the_file(tmp_path: Path) -> None:
    rows = "".join(f"B{i},Chair,8.50\n" for i in range(9))
    _, read_rows = read(written(tmp_path, f'sku,title,price\nA1,"{"x" * 2_000_000}",9.99\n{rows}'))
    assert read_rows[FAULT].tolist() == ["too_long", *[""] * 9]
    with pytest.raises(Refused) as refusal:
        read(written(tmp_path, f'sku,title,price\nB1,Chair,8.50\nA1,"{"x" * 2_000_000}'))
    assert refusal.value.rule == "too_long"
    assert "row 3" in str(refusal.value)


def test_nothing_is_typed_before_the_mapping_does(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, "sku,ean,stock\n007,04006381333931,1e5\n008,,\n"))
    assert rows.to_dict("list") == {
        "sku": ["007", "008"], "ean": ["04006381333931", ""], "stock": ["1e5", ""],
        LOCATOR: ["row 2", "row 3"], FAULT: ["", ""],
    }  # fmt: skip


def test_the_sample_may_end_anywhere() -> None:
    text = 'sku;title;price\nA1;"a;b\nc";1,00\nA2;d;2,00\n'
    for end in range(len('sku;title;price\nA1;"a;b\nc";1,00\n'), len(text)):
        shape = shape_of(text[:end], whole=False)
        assert shape is not None
        assert (shape.delimiter, shape.width, shape.header) == (";", 3, ("sku", "title", "price"))
