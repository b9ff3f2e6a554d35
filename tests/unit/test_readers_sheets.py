"""Workbooks: the sheet and its header are found, cells become the text a person would type, bombs are refused."""

import datetime
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers import sheet_rows, sheets
from connectors.readers.frames import FAULT, LOCATOR
from connectors.readers.sheet_rows import text_of
from connectors.readers.sheets import SheetReader
from core.errors import Refused
from pipelines.feeds.normalise import normalise
from tests.workbooks import Rows, ods, ods_of, xls, xlsx

HEADER = ["Artikelnummer", "EAN", "Bezeichnung", "Preis"]
LAMP = ["A1", 4012345000016, "Lampe", 9.99]
CHAIR = ["A2", 4012345000023, "Stuhl", 10]
BOOKS: list[tuple[str, Callable[..., Path]]] = [("xlsx", xlsx), ("xls", xls), ("ods", ods)]
every_kind = pytest.mark.parametrize(("kind", "book"), BOOKS, ids=[kind for kind, _ in BOOKS])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Converts in this process: a child for each test would take the time of all of them."""
    monkeypatch.setattr(sheets, "_convert", sheet_rows.convert)


def read(file: Path, sheet: str | None = None) -> tuple[Dialect, pd.DataFrame, list[str]]:
    reader = SheetReader(sheet)
    dialect = reader.detect(file)
    return dialect, pd.concat(reader.frames(file, dialect), ignore_index=True), reader.notices


def cells(frame: pd.DataFrame) -> list[list[Any]]:
    shown = frame.drop(columns=[FAULT])
    return [[None if pd.isna(cell) else cell for cell in row] for row in shown.to_numpy().tolist()]


@every_kind
def test_a_child_of_its_own_reads_every_kind(tmp_path: Path, kind: str, book: Callable[..., Path]) -> None:
    dialect, frame, notices = read(book(tmp_path / "list.bin", {"Artikel": [HEADER, LAMP, CHAIR]}))
    assert dialect == Dialect(
        kind, "utf-8", quote_char=None, header_row=0, header=tuple(HEADER), sheet="Artikel"
    )
    assert cells(frame) == [
        ["A1", "4012345000016", "Lampe", "9.99", "row 2"],
        ["A2", "4012345000023", "Stuhl", "10", "row 3"],
    ]
    assert frame[FAULT].tolist() == ["", ""]
    assert notices == []


@every_kind
def test_values_become_the_text_a_person_would_type(
    tmp_path: Path, kind: str, book: Callable[..., Path], at_once: None
) -> None:
    row = [
        "A1", 0.1 + 0.2, 12345678901234, True, False, datetime.date(2024, 1, 31),
        datetime.datetime(2024, 1, 31, 10, 30), "00123", 1e20, 1e-7, -5.0, None, ("=1+1", 2), "ä_x0041_",
    ]  # fmt: skip
    names = [f"Spalte {letter}" for letter in "ABCDEFGHIJKLMN"]
    _, frame, _ = read(book(tmp_path / "list", {"S": [names, row, ["A2", None, *["x"] * 12]]}))
    assert cells(frame)[0] == [
        "A1", "0.3", "12345678901234", "true", "false", "2024-01-31", "2024-01-31T10:30:00", "00123",
        "100000000000000000000", "0.0000001", "-5", None, "2", "ä_x0041_", "row 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9007199254740991.0, "9007199254740991"), (1e300, "1" + "0" * 300), (2.675, "2.675"), (1 / 3, "0.333333333333333"),
        (float("nan"), None), (float("inf"), None), (-0.0, "0"), (100.0, "100"), (0.19, "0.19"), ("   ", None),
        ("a_x000D_\nb", "a\nb"), ("a_x005F_b", "a_b"), ("a_x0001_b", "ab"), (datetime.time(10, 30), "10:30:00"),
        (datetime.timedelta(days=1, hours=12), "36:00:00"), (datetime.timedelta(minutes=-90), "-01:30:00"),
        (datetime.datetime(2024, 1, 31, 0, 0), "2024-01-31"), (None, None), (7, "7"),
    ],
)  # fmt: skip
def test_one_value_as_text(value: Any, text: str | None) -> None:
    assert text_of(value) == text


def test_error_cells_are_missing(tmp_path: Path, at_once: None) -> None:
    rows = [HEADER, ["A1", ("=1/0", "#DIV/0!"), "Lampe", ("=NA()", "#N/A")], ["A2", 1, "Stuhl", 2.5]]
    assert cells(read(xlsx(tmp_path / "a.xlsx", {"S": rows}))[1])[0] == ["A1", None, "Lampe", None, "row 2"]


@every_kind
def test_the_fourth_sheet_may_hold_the_table(
    tmp_path: Path, kind: str, book: Callable[..., Path], at_once: None
) -> None:
    """Three sheets are empty; above the header stand a title and a date."""
    rows = [["Preisliste Meier GmbH"], [], ["Stand", datetime.date(2024, 1, 31)], [], HEADER, LAMP, [], CHAIR]
    file = book(tmp_path / "a", {"Tabelle1": [], "Tabelle2": [], "Tabelle3": [], "Daten": rows})
    dialect, frame, notices = read(file)
    assert (dialect.sheet, dialect.header_row, dialect.header) == ("Daten", 4, tuple(HEADER))
    assert frame[LOCATOR].tolist() == ["row 6", "row 8"]
    assert notices == []


def test_a_workbook_is_found_by_a_name_beside_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xlsx(tmp_path / "list.xlsx", {"Liste": [["SKU", "Price"], ["a-1", 2]]})
    monkeypatch.chdir(tmp_path)
    _, frame, _ = read(Path("list.xlsx"))
    assert cells(frame) == [["a-1", "2", "row 2"]]


def header_of(tmp_path: Path, rows: Rows, **more: Any) -> tuple[tuple[str, ...], int, list[str]]:
    dialect, frame, _ = read(xlsx(tmp_path / "a.xlsx", {"S": rows}, **more))
    return dialect.header, dialect.header_row, frame[LOCATOR].tolist()


@pytest.mark.parametrize(
    "explained",
    [
        [["M", "K", "M", "M"]],
        [["an35", "n14", "an250", "n8.2"], ["NTG-P-001", "NTG-P-002", "NTG-P-003", "NTG-P-004"], ["M", "M", "K", "M"]],
        [["item_sku", "external_product_id", "item_name", "list_price"]],
        [["1", "2", "3", "4"]],
        [["Text", "Zahl(14)", "Text (250)", "Dezimal"], ["Pflicht", "optional", "Pflicht", "Pflicht"]],
    ],
)  # fmt: skip
def test_rows_that_explain_the_header_are_no_records(
    tmp_path: Path, at_once: None, explained: list[list[str]]
) -> None:
    header, row, places = header_of(tmp_path, [["Vorlage"], HEADER, *explained, LAMP, CHAIR])
    first = 3 + len(explained)
    assert (header, row, places) == (tuple(HEADER), 1, [f"row {first}", f"row {first + 1}"])


SKU = ["SKU", "Name", "Preis"]
PAIR = [["A1", "Lampe", 5.5], ["A2", "Stuhl", 7]]


@pytest.mark.parametrize(
    ("rows", "header", "first"),
    [
        ([["Lieferant", "Meier GmbH"], ["Währung", "EUR"], ["Stand", "01.01.2026"], SKU, *PAIR], SKU, 5),
        ([["Preisliste", "gültig ab 1.1."], ["SKU", "Preis"], ["A1", 5.5], ["A2", 7.25]], ["SKU", "Preis"], 3),
        ([["SKU", "Name", "2024", "2025"], ["A1", "Lampe", 5, 6], ["A2", "Stuhl", 5, 7]], ["SKU", "Name", "2024", "2025"], 2),
        ([["SKU", "Preis", "ab 10", 100, 500], ["A1", 5, 6, 4, 3], ["A2", 5, 7, 3, 2]], ["SKU", "Preis", "ab 10", "100", "500"], 2),
        ([["SKU", "Name", "Marke"], ["A1", "Lampe", "Norden"], ["A2", "Stuhl", "Süden"]], ["SKU", "Name", "Marke"], 2),
        ([["Art.Nr.", "Bezeichnung", "VK"], [1001, "Lampe", 5], [1002, "Stuhl", 5]], ["Art.Nr.", "Bezeichnung", "VK"], 2),
        ([["SKU*", "Name*", "Preis"], ["required", "required", "optional"], *PAIR], ["SKU*", "Name*", "Preis"], 3),
        (
            [
                ["TemplateType=x", "Version=2021.01", "Signature=y"], ["Seller SKU", "Product Name", "Standard Price", "Quantity"],
                ["item_sku", "item_name", "standard_price", "quantity"], ["A1", "Lamp", 9.5, 3], ["A2", "Chair", 19.5, 4],
            ],
            ["Seller SKU", "Product Name", "Standard Price", "Quantity"], 4,
        ),
    ],
)  # fmt: skip
def test_headers_are_told_from_what_stands_above_and_below(
    tmp_path: Path, at_once: None, rows: Rows, header: list[str], first: int
) -> None:
    names, _, places = header_of(tmp_path, rows)
    assert (list(names), places) == (header, [f"row {number}" for number in range(first, len(rows) + 1)])


def test_a_sentence_under_each_name_is_no_record(tmp_path: Path, at_once: None) -> None:
    names = ["SKU", "Name", "Price", "Stock", "Weight"]
    told = ["your own number", "what buyers read", "without tax", "pieces", "in kilograms"]
    rows = [names, told, ["A1", "Lamp", 9.5, 3, 1.25], ["A2", "Chair", 10, 0, 4]]
    assert header_of(tmp_path, rows)[2] == ["row 3", "row 4"]


def test_a_first_record_of_words_stays_a_record(tmp_path: Path, at_once: None) -> None:
    rows = [["SKU", "Name", "Price", "Stock"], ["A1", "Lamp", "ask us", "many"], ["A2", "Chair", 10, 0], ["A3", "Bed", 5, 1]]  # fmt: skip
    assert header_of(tmp_path, rows)[2] == ["row 2", "row 3", "row 4"]


def test_headings_over_several_columns_name_what_would_be_double(tmp_path: Path, at_once: None) -> None:
    rows = [
        ["Nr.", "Name", "Karton", None, "Stück", None],
        [None, None, "Länge", "Gewicht", "Länge", "Gewicht"],
        ["A1", "Lampe", 40, 5.5, 20, 1.1],
    ]
    merged = [(0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 0, 3), (0, 4, 0, 5)]
    wanted = ("Nr.", "Name", "Karton Länge", "Karton Gewicht", "Stück Länge", "Stück Gewicht")
    assert header_of(tmp_path, rows, merged=merged) == (wanted, 1, ["row 3"])
    assert header_of(tmp_path, rows) == (wanted, 0, ["row 3"])  # nothing merged: blank cells tell the same


def test_units_below_the_names_belong_to_them(tmp_path: Path, at_once: None) -> None:
    rows = [["Nr.", "Name", "Gewicht", "Preis"], [None, None, "kg", "EUR"], ["A1", "Lampe", 1.5, 9.99]]
    assert header_of(tmp_path, rows) == (("Nr.", "Name", "Gewicht (kg)", "Preis (EUR)"), 0, ["row 3"])


def test_names_are_cut_at_a_blank_line_and_doubles_are_numbered(tmp_path: Path, at_once: None) -> None:
    names = ["Nr.", "Eigenmarke\n\nJ = Ja\nN = Nein", "Lange\nBezeichnung", "Bild", "Bild"]
    header, _, places = header_of(tmp_path, [names, ["A1", "J", "Lampe", "a.jpg", "b.jpg"]])
    assert (header, places) == (("Nr.", "Eigenmarke", "Lange Bezeichnung", "Bild", "Bild #2"), ["row 2"])


def test_columns_beside_the_header_are_read_where_they_hold_something(tmp_path: Path, at_once: None) -> None:
    rows = [[None, *HEADER, None], [None, *LAMP, None, None, "remark"]]
    header, _, _ = header_of(tmp_path, rows)
    assert header == (*HEADER, "column 8")


def test_a_table_without_a_header_has_numbered_columns(tmp_path: Path, at_once: None) -> None:
    dialect, frame, _ = read(xlsx(tmp_path / "a.xlsx", {"S": [LAMP, CHAIR]}))
    assert (dialect.header_row, dialect.header) == (-1, ("column 1", "column 2", "column 3", "column 4"))
    assert len(frame) == 2


@pytest.mark.parametrize(("kind", "book"), BOOKS[:2], ids=["xlsx", "xls"])
def test_a_cell_merged_over_rows_says_the_same_of_each(
    tmp_path: Path, kind: str, book: Callable[..., Path], at_once: None
) -> None:
    rows = [["Warengruppe", "Nr.", "Preis"], ["Licht", "A1", 1.5], [None, "A2", 2.5], [None, "A3", 3.5]]
    frame = read(book(tmp_path / "a", {"S": rows}, merged=[(1, 0, 2, 0)]))[1]
    assert cells(frame) == [
        ["Licht", "A1", "1.5", "row 2"], ["Licht", "A2", "2.5", "row 3"], [None, "A3", "3.5", "row 4"],
    ]  # fmt: skip


def test_the_list_is_told_from_notes_value_lists_and_hidden_sheets(tmp_path: Path, at_once: None) -> None:
    lists = [["Land", "Farbe", "Größe", "Marke"], *(["DE", "rot", "M", "Norden"] for _ in range(50))]
    notes = [["Feld", "Erklärung"], *([f"Feld {n}", "so ausfüllen"] for n in range(40))]
    file = xlsx(
        tmp_path / "a.xlsx",
        {"Anleitung": notes, "Auswahlwerte": lists, "Artikel": [HEADER, LAMP, CHAIR], "Alt": [HEADER, *[LAMP] * 60]},
        hidden=["Alt"],
    )  # fmt: skip
    dialect, frame, notices = read(file)
    assert (dialect.sheet, len(frame)) == ("Artikel", 2)
    assert notices == [
        "Read: 'Artikel'. Not read: 'Anleitung', 'Auswahlwerte'; name another sheet in the mapping (dialect.sheet) "
        "to read that one."
    ]
    assert read(file, "Auswahlwerte")[0].header == ("Land", "Farbe", "Größe", "Marke")
    assert read(file, "Alt")[0].sheet == "Alt"
    assert read(file, "gone")[0].sheet == "Artikel"


@every_kind
def test_sheets_under_the_same_header_are_one_list(
    tmp_path: Path, kind: str, book: Callable[..., Path], at_once: None
) -> None:
    file = book(
        tmp_path / "a", {"Licht": [HEADER, LAMP], "Möbel": [["Möbel"], HEADER, CHAIR], "Leer": [HEADER]}
    )
    dialect, frame, notices = read(file)
    assert (dialect.sheet, frame[LOCATOR].tolist()) == (None, ["Licht row 2", "Möbel row 3"])
    assert notices == []


def test_a_header_without_rows_is_an_empty_list_and_says_so(tmp_path: Path, at_once: None) -> None:
    file = xlsx(tmp_path / "a.xlsx", {"Vorlage": [HEADER, ["M", "K", "M", "M"]]})
    found = normalise(file)
    assert [len(batch.answers) for batch in found.batches()] in ([], [0])
    summary = found.summary()
    assert (summary.records, summary.accepted, summary.rejected, summary.quarantined) == (0, 0, 0, 0)
    assert found.drift == [
        "The sheet 'Vorlage' has a header of 4 columns and no row below it; an empty list changes nothing."
    ]


def test_the_pinned_sheet_is_kept_and_a_new_one_is_drift(tmp_path: Path, at_once: None) -> None:
    lamps = xlsx(
        tmp_path / "a.xlsx",
        {"Alles": [HEADER, LAMP, CHAIR, LAMP], "Neu": [["Nr", "EAN", "Name", "EK"], CHAIR]},
    )
    document = normalise(lamps).document
    pinned = {
        **document,
        "dialect": {**document["dialect"], "sheet": "Neu", "header": ["Nr", "EAN", "Name", "EK"]},
    }
    assert normalise(lamps, mapping=pinned).facts.format == "xlsx"
    other = xlsx(tmp_path / "b.xlsx", {"Liste": [["Nr", "EAN", "Name", "EK"], CHAIR]})
    assert "The sheet was 'Neu' and is now 'Liste'." in normalise(other, mapping=pinned).drift


def refusal(file: Path) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        read(file)
    return caught.value.rule, str(caught.value)


def test_empty_narrow_and_too_wide_workbooks_are_refused(tmp_path: Path, at_once: None) -> None:
    assert refusal(xlsx(tmp_path / "a.xlsx", {"S": []}))[0] == "no_records"
    assert refusal(xlsx(tmp_path / "b.xlsx", {"S": [["only"], ["one"], ["column"]]}))[0] == "not_a_table"
    wide = [[f"Spalte {n}x" for n in range(16_384)], ["x"] * 16_384]
    assert refusal(xlsx(tmp_path / "c.xlsx", {"S": wide})) == (
        "too_wide", "c.xlsx has 16384 columns; 5000 at most are read.",
    )  # fmt: skip


def rewritten(file: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The zip file with one member changed."""
    with zipfile.ZipFile(file) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in members.items():
            archive.writestr(one, change(content) if one == name else content)
    return file


def test_a_cell_at_the_end_of_the_world_is_refused_not_made_room_for(tmp_path: Path) -> None:
    file = xlsx(tmp_path / "a.xlsx", {"S": [HEADER, LAMP]})
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    rewritten(file, "xl/worksheets/sheet1.xml", lambda sheet: sheet.replace(b"</sheetData>", far))
    rule, sentence = refusal(file)
    assert rule == "too_large"
    assert sentence.startswith("a.xlsx needs more memory than a workbook may take")


def test_a_huge_dimension_is_only_a_claim(tmp_path: Path, at_once: None) -> None:
    file = xlsx(tmp_path / "a.xlsx", {"S": [HEADER, LAMP]})
    rewritten(
        file, "xl/worksheets/sheet1.xml", lambda sheet: sheet.replace(b'ref="A1:D2"', b'ref="A1:XFD1048576"')
    )
    assert read(file)[1][LOCATOR].tolist() == ["row 2"]


def test_a_bomb_inside_a_workbook_is_refused(tmp_path: Path) -> None:
    file = xlsx(tmp_path / "a.xlsx", {"S": [HEADER, LAMP]})
    blanks = b" " * (100 << 20)
    rewritten(
        file,
        "xl/worksheets/sheet1.xml",
        lambda sheet: sheet.replace(b"</sheetData>", blanks + b"</sheetData>"),
    )
    rule, sentence = refusal(file)
    assert (rule, sentence) == (
        "too_large", "a.xlsx would unpack to 100 MB; a workbook of that kind is not opened, send CSV.",
    )  # fmt: skip


def test_rows_and_columns_repeated_beyond_measure_are_refused(tmp_path: Path) -> None:
    cell = '<table:table-cell office:value-type="string" table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell>'
    rows = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    rule, _ = refusal(ods_of(tmp_path / "a.ods", f'<table:table table:name="S">{rows}</table:table>'))
    assert rule in ("too_large", "damaged")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_damaged_workbooks_are_refused_in_one_sentence(tmp_path: Path, cut: float) -> None:
    whole = xls(tmp_path / "a.xls", {"S": [HEADER, LAMP] + [CHAIR] * 50}).read_bytes()
    damaged: Sequence[bytes] = [whole[: int(len(whole) * cut)], whole[:600] + bytes(2000) + whole[2600:]]
    for content in damaged:
        (tmp_path / "a.xls").write_bytes(content)
        try:
            read(tmp_path / "a.xls")
        except Refused as problem:
            assert problem.rule in ("damaged", "not_a_feed", "no_records", "too_large", "not_a_table"), (
                problem
            )
            assert str(problem).count("\n") == 0


def test_the_workbook_of_a_bmecat_converter_is_known(tmp_path: Path, at_once: None) -> None:
    """Prices by their type, for priceQuantity units each; the second article has only a recommended price."""
    names = [
        "supplierArticleId", "descriptionShort", "ean", "orderUnit", "priceQuantity", "priceType1", "priceAmount1",
        "priceCurrency1", "tax1", "priceFactor1", "priceType2", "priceAmount2", "priceCurrency2", "attributeName1",
        "attributeValue1",
    ]  # fmt: skip
    rows = [
        ["A1", "Schraube", 4012345000016, "C62", 100, "net_customer", 10.5, "EUR", 0.19, 2, "nrp", 40, "EUR", "Farbe", "blau"],
        ["A2", "Mutter", None, "C62", None, "nrp", 3, "EUR", 0.19, None, None, None, None, None, None],
    ]  # fmt: skip
    found = normalise(xlsx(tmp_path / "a.xlsx", {"Artikel": [names, *rows], "Sheet": []}))
    (batch,) = found.batches()
    first = batch.drafts.iloc[0]
    assert found.profile == "bmecat_sheet"
    assert (first["cost"], first["rrp"], first["price"], first["currency"], first["tax_rate"]) == (
        "0.21", "0.4", None, "EUR", "19",
    )  # fmt: skip
    assert (first["gtin"], first["attributes"]) == ("4012345000016", {"Farbe": "blau"})
    assert batch.drafts.iloc[1]["rrp"] == "3"
    assert batch.answers["verdict"].tolist() == ["accepted", "rejected"]
    assert batch.answers["reasons"].tolist() == [[], ["missing_price"]]
