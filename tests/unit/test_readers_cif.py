"""The CIF reader: the preamble told beside each record, commas or tabs, and files that end too early."""

from pathlib import Path

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers.cif import CifReader
from connectors.readers.detection import format_of
from connectors.readers.frames import FAULT, LOCATOR
from core.errors import Refused

HEAD = "CIF_I_V3.0\nCHARSET: {charset}\nCURRENCY: EUR\nFIELDNAMES: Supplier Part ID, Item Description,Unit Price\nDATA\n"


def written(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "list.cif"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(file: Path) -> tuple[Dialect, list[dict[str, str]]]:
    assert format_of(file) == "cif"
    dialect = CifReader().detect(file)
    rows = pd.concat(CifReader().frames(file, dialect), ignore_index=True).to_dict("records")
    return dialect, [{str(n): v for n, v in row.items() if isinstance(v, str) and v} for row in rows]


def test_what_the_preamble_says_stands_beside_each_record(tmp_path: Path) -> None:
    content = (
        HEAD.format(charset="UTF-8")
        + 'A1,"4\' lamp, ""red""\nround",12.5\n\nB2,Chair,7\nENDOFDATA\nC3,not this,1\n'
    )
    dialect, (one, two) = read(written(tmp_path, content))
    assert dialect.header == (
        "Supplier Part ID",
        "Item Description",
        "Unit Price",
        "/VERSION",
        "/CHARSET",
        "/CURRENCY",
    )
    assert one == {
        "Supplier Part ID": "A1", "Item Description": "4' lamp, \"red\"\nround", "Unit Price": "12.5", "/VERSION": "V3.0",
        "/CHARSET": "UTF-8", "/CURRENCY": "EUR", LOCATOR: "row 6",
    }  # fmt: skip
    assert (two["Supplier Part ID"], two[LOCATOR]) == ("B2", "row 9")


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [("8859_1", "latin-1", "Stühle"), ("ISO-8859-1", "latin-1", "Stühle"), ("8859_1", "utf-8", "Stühle"), ("SJIS", "cp932", "照明ランプ"),
     ("UTF-8", "utf-8-sig", "灯"), ("nonsense", "utf-8", "Stühle")],
)  # fmt: skip
def test_the_charset_counts_unless_the_bytes_prove_another(
    tmp_path: Path, charset: str, encoding: str, text: str
) -> None:
    content = (HEAD.format(charset=charset) + f"A1,{text},1\nENDOFDATA\n").encode(encoding)
    _, (row,) = read(written(tmp_path, content))
    assert row["Item Description"] == text


def test_an_older_file_need_not_name_its_fields(tmp_path: Path) -> None:
    content = "CIF_I_V2.1\nDATA\n1,A1,M1,Lamp,39111600,12.50,EA,3,Norden,,,29.90\nENDOFDATA\n"
    _, (row,) = read(written(tmp_path, content))
    assert (row["Supplier Part ID"], row["Item Description"], row["Unit Price"], row["Market Price"]) == (
        "A1",
        "Lamp",
        "12.50",
        "29.90",
    )


@pytest.mark.parametrize(
    ("end", "faults"),
    [("ENDOFDATA\n", ["", "ragged_row", ""]), ("", ["", "ragged_row", "truncated"]), ("D4,Lam", ["", "ragged_row", "", "truncated"])],
)  # fmt: skip
def test_ragged_rows_and_files_cut_off(tmp_path: Path, end: str, faults: list[str]) -> None:
    file = written(tmp_path, HEAD.format(charset="UTF-8") + "A1,Lamp,1\nB2,Lamp\nC3,Lamp,2\n" + end)
    dialect = CifReader().detect(file)
    rows = pd.concat(CifReader().frames(file, dialect), ignore_index=True)
    assert rows[FAULT].tolist() == faults


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("CIF_I_V3.0\nCHARSET: UTF-8\nA,B,C\n", "not_a_feed"),
        (HEAD.format(charset="UTF-8") + "ENDOFDATA\n", "no_records"),
        (HEAD.format(charset="UTF-8"), "no_records"),
        (HEAD.format(charset="UTF-8") + "A1," + "x" * 1_200_000 + ",1\n", "too_long"),
    ],
)
def test_what_has_no_records_is_refused_whole(tmp_path: Path, content: str, rule: str) -> None:
    with pytest.raises(Refused) as refusal:
        read(written(tmp_path, content))
    assert refusal.value.rule == rule


def test_a_quote_that_never_closes_hurts_its_record_only_as_far_as_it_reaches(tmp_path: Path) -> None:
    lines = "".join(f"N{number},Lamp {number},1\n" for number in range(20_000))
    file = written(tmp_path, HEAD.format(charset="UTF-8") + f'A1,Lamp,1\nB2,"Lamp,1\n{lines}ENDOFDATA\n')
    dialect = CifReader().detect(file)
    rows = pd.concat(CifReader().frames(file, dialect), ignore_index=True)
    assert rows[FAULT].tolist()[:3] == ["", "too_long", ""]
    assert rows[LOCATOR].tolist()[:2] == ["row 6", "row 7"]
    assert rows["Supplier Part ID"].tolist()[-1] == "N19999"
    assert len(rows) > 10_000
