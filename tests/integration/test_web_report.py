"""The row-level report: every record in the supplier's own columns, with verdict, change and advice, as CSV and as a workbook."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from connectors.sources.archive import archive
from core.errors import Refused
from pipelines.feeds.normalise import normalise
from pipelines.feeds.report import Columns, report, safe
from pipelines.feeds.report_xlsx import write_xlsx
from tests import builders as make
from tests.console import Console, console

LIST = '''Artikelnummer;Bezeichnung;EK netto;Bestand;verdict
A-1;Lampe Oslo;12,50;7;gut
A-2;=HYPERLINK("http://evil.example");8,00;-3;+49 30 1234
A-3;Lampe ohne Preis;;4;@SUM(A1)
A-4;"Lampe\tmit ""Anführung""";9,90;1;-1+1
A-1;Lampe Oslo;12,50;7;gut
'''


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    with console(database_url, tmp_path) as made:
        yield made


def landed(opened: Console, content: bytes, name: str, state: str = "applied") -> int:
    """A run of a file that lies in the archive, with the mapping document that reading it made."""
    file = opened.settings.data / name
    file.write_bytes(content)
    kept = archive(file, opened.settings.archive)
    with opened.db.unit_of_work() as uow:
        run = make.run(
            uow.session,
            make.feed(uow.session),
            state,
            file_name=name,
            file_sha256=kept.sha256,
            file_bytes=kept.bytes,
        )
        run.document = normalise(kept.path, name=name, currency="EUR").document
        if state == "applied":
            make.change(uow.session, run, "A-1", "new")
            make.change(uow.session, run, "A-2", "changed", cost=["7.00", "8.00"])
        return run.id


def test_every_record_is_answered_in_the_suppliers_columns(opened: Console) -> None:
    run_id = landed(opened, LIST.encode("cp1252"), "liste.csv")
    head, *lines = list(report(opened.db, run_id))
    own = ["Artikelnummer", "Bezeichnung", "EK netto", "Bestand", "verdict"]
    assert head == [*own, "verdict (hub)", "change", "reason", "notes", "advice", "place"]
    found = [dict(zip(head, line, strict=True)) for line in lines]
    assert [row["verdict (hub)"] for row in found] == [
        "accepted",
        "accepted",
        "rejected",
        "accepted",
        "rejected",
    ]
    assert [row["change"] for row in found] == ["new", "changed", "", "unchanged", ""]
    assert [row["reason"] for row in found] == ["", "", "missing_price", "", "duplicate"]
    assert [row["place"] for row in found] == ["row 2", "row 3", "row 4", "row 5", "row 6"]
    assert "give one" in found[2]["advice"]
    assert found[0]["advice"] == ""


def test_a_spreadsheet_takes_no_text_for_a_formula(opened: Console) -> None:
    run_id = landed(opened, LIST.encode("cp1252"), "liste.csv")
    _, *lines = list(report(opened.db, run_id))
    assert lines[1][1] == '\'=HYPERLINK("http://evil.example")'
    assert lines[1][3] == "-3"  # a number is none
    assert [line[4] for line in lines] == ["gut", "'+49 30 1234", "'@SUM(A1)", "'-1+1", "gut"]
    assert [safe(text) for text in ("\tx", "\rx", "-", "+1.5", "-1,234.50", "x=1", "")] == [
        "'\tx",
        "'\rx",
        "'-",
        "+1.5",
        "-1,234.50",
        "x=1",
        "",
    ]


def test_a_run_that_waits_has_no_changes_yet(opened: Console) -> None:
    run_id = landed(opened, LIST.encode("cp1252"), "liste.csv", "waiting")
    head, *lines = list(report(opened.db, run_id))
    assert {line[head.index("change")] for line in lines} == {""}
    assert len(lines) == 5


def test_a_file_without_a_header_gets_the_columns_that_any_record_has(opened: Console) -> None:
    entries = "".join(
        f"<item><g:id>A-{n}</g:id><title>Lampe {n}</title><g:price>9.90 EUR</g:price><link>https://x.example/{n}</link><g:availability>in stock</g:availability>{'<g:brand>Norden</g:brand>' if n == 2 else ''}</item>"
        for n in (1, 2)
    )
    content = f'<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>x</title>{entries}</channel></rss>'
    run_id = landed(opened, content.encode(), "merchant.xml")
    head, *lines = list(report(opened.db, run_id))
    assert head[-6:] == ["verdict", "change", "reason", "notes", "advice", "place"]
    (brand,) = [place for place, name in enumerate(head) if name.endswith("brand")]
    assert [line[brand] for line in lines] == ["", "Norden"]


def test_the_download_is_the_same_report(opened: Console) -> None:
    run_id = landed(opened, LIST.encode("cp1252"), "Preisliste Größe 1.csv")
    for answer in (opened.get(f"/runs/{run_id}/report.csv"), opened.api("GET", f"/runs/{run_id}/report")):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert (
            answer.headers["content-disposition"]
            == f'attachment; filename="Preisliste-Gr-e-1-run-{run_id}-report.csv"'
        )
        assert answer.content.startswith(b"\xef\xbb\xbf")
        assert list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))) == list(
            report(opened.db, run_id)
        )


def test_where_there_is_no_report_it_says_why(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        feed = make.feed(uow.session)
        unread, gone = make.run(uow.session, feed, "landed").id, make.run(uow.session, feed, "applied").id
    assert "has not been read" in opened.get(f"/runs/{unread}/report.csv").text
    lost = opened.get(f"/runs/{gone}/report.csv")
    assert lost.status_code == 422
    assert "is no longer in the archive" in lost.text
    assert "content-disposition" not in lost.headers
    assert opened.get("/runs/999/report.csv").status_code == 404
    with pytest.raises(Refused, match="There is no run 999"):
        next(report(opened.db, 999))


def test_the_workbook_is_the_same_report_and_every_cell_a_text(opened: Console) -> None:
    run_id = landed(opened, LIST.encode("cp1252"), "liste.csv")
    answer = opened.api("GET", f"/runs/{run_id}/report.xlsx")
    assert answer.headers["content-disposition"] == f'attachment; filename="liste-run-{run_id}-report.xlsx"'
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    assert book.sheet_names == ["Records"]
    head, *lines = book.get_sheet_by_index(0).to_python()
    expected_head, *expected = list(report(opened.db, run_id))
    assert head == expected_head
    assert lines[0] == expected[0]
    assert lines[1][1] == '=HYPERLINK("http://evil.example")'  # a text, so it needs no apostrophe
    assert [line[2] for line in lines] == ["12,50", "8,00", "", "9,90", "12,50"]
    assert {type(cell) for line in lines for cell in line} == {str}
    with zipfile.ZipFile(io.BytesIO(answer.content)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert 'state="frozen"' in sheet
    assert '<autoFilter ref="A1:K6"/>' in sheet


def test_a_workbook_goes_on_in_another_sheet_and_takes_any_text(tmp_path: Path) -> None:
    ours = ["rejected", "", "missing_price", "", "", "row 2"]
    records = [({"a": "x\x00\x0b\ufffe", "b": "y" * 40_000}, ours)] * 5
    out = tmp_path / "r.xlsx"
    write_xlsx(Columns(["a", "b"], iter(records)), out, sheet_rows=3)
    book = CalamineWorkbook.from_path(str(out))
    assert book.sheet_names == ["Records", "Records 2", "Records 3"]
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert [len(sheet) for sheet in sheets] == [3, 3, 2]
    assert {sheet[0][2] for sheet in sheets} == {"verdict"}
    assert sheets[0][1][0] == "x\ufffd\ufffd\ufffd"
    assert sheets[2][1][1] == "y" * 32_766 + "…"
