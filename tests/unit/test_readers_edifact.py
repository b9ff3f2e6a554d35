"""The EDIFACT reader: service characters of any kind, LIN groups as records, what stands before them beside each."""

from pathlib import Path

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers.detection import format_of
from connectors.readers.edifact import EdifactReader
from connectors.readers.frames import FAULT, LOCATOR, OUTER
from core.errors import Refused

HEAD = "UNB+UNOC:3+S+B+260501:1200+1'UNH+1+PRICAT:D:96A:UN:EAN008'BGM+9+77'CUX+2:EUR:8'"
FIRST = "LIN+1++4012345000016:EN'IMD+F++:::Lampe'PRI+AAA:12.5'"
TAIL = "UNT+9+1'UNZ+1+1'"


def written(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "prices.edi"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(file: Path) -> tuple[Dialect, list[dict[str, str]]]:
    """The dialect and the cells that have a value, row by row."""
    assert format_of(file) == "edifact"
    dialect = EdifactReader().detect(file)
    rows = pd.concat(EdifactReader().frames(file, dialect), ignore_index=True).to_dict("records")
    return dialect, [{str(n): v for n, v in row.items() if isinstance(v, str) and v} for row in rows]


@pytest.mark.parametrize(
    "content",
    [
        HEAD + FIRST + TAIL,
        (HEAD + FIRST + TAIL).replace("'", "'\r\n"),
        "UNA:+.? '" + HEAD + FIRST + TAIL,
        "\ufeffUNA:+.? '\n" + (HEAD + FIRST + TAIL).replace("'", "'\n"),
        "UNA:+.? \n" + (HEAD + FIRST + TAIL).replace("'", "\n"),
        "UNA:+.? \r\n" + (HEAD + FIRST + TAIL).replace("'", "\r\n"),
        "UNA|*.? ~" + (HEAD + FIRST + TAIL).translate(str.maketrans(":+'", "|*~")),
    ],
    ids=[
        "plain",
        "a line a segment",
        "UNA",
        "BOM and lines",
        "ends with the line",
        "ends with CRLF",
        "other characters",
    ],
)
def test_segments_however_they_are_parted(tmp_path: Path, content: str) -> None:
    dialect, (row,) = read(written(tmp_path, content))
    assert row == {
        "LIN/1.1": "1", "LIN/3.1": "4012345000016", "LIN/3.2": "EN", "IMD+F/1.1": "F", "IMD+F/3.4": "Lampe", "PRI+AAA/1.1": "AAA",
        "PRI+AAA/1.2": "12.5", "/BGM/1.1": "9", "/BGM/2.1": "77", "/CUX+2/1.1": "2", "/CUX+2/1.2": "EUR", "/CUX+2/1.3": "8", LOCATOR: "LIN 1",
    }  # fmt: skip
    assert dialect.record_path == "LIN"


def test_released_characters_are_text(tmp_path: Path) -> None:
    _, (row,) = read(written(tmp_path, HEAD + FIRST.replace("Lampe", "5?'?+3?: ??neu") + TAIL))
    assert row["IMD+F/3.4"] == "5'+3: ?neu"


def test_a_release_character_at_the_border_of_two_pieces(tmp_path: Path) -> None:
    for length in range(65_400, 65_560, 7):
        name = "x" * (length - len(HEAD)) + "?'y"
        _, (row,) = read(written(tmp_path, HEAD + FIRST.replace("Lampe", name) + TAIL))
        assert row["IMD+F/3.4"].endswith("x'y")


def test_segments_that_repeat_stay_in_step(tmp_path: Path) -> None:
    group = "LIN+1++1:EN'MEA+PD+AAA+KGM:1'MEA+PD+HT'MEA+PD+WD+CMT:4'MEA+TC+X'"
    _, (row,) = read(written(tmp_path, HEAD + group + TAIL))
    assert row["MEA+PD/2.1"] == f"AAA{OUTER}HT{OUTER}WD"
    assert row["MEA+PD/3.1"] == f"KGM{OUTER}{OUTER}CMT"
    assert row["MEA+TC/2.1"] == "X"


def test_messages_and_groups_have_their_own_surroundings(tmp_path: Path) -> None:
    first = "PGI+11+A'LIN+1++1:EN'LIN+2++2:EN'PGI+11+B'LIN+3++3:EN'CNT+2:3'UNT+1+1'"
    second = "UNH+2+PRICAT:D:96A:UN'CUX+2:GBP:8'LIN+1++4:EN'UNT+1+2'UNZ+2+1'"
    _, rows = read(written(tmp_path, HEAD + first + second))
    assert [(r[LOCATOR], r.get("/PGI/2.1"), r["/CUX+2/1.2"]) for r in rows] == [
        ("LIN 1", "A", "EUR"), ("LIN 2", "A", "EUR"), ("LIN 3", "B", "EUR"), ("LIN 4", None, "GBP"),
    ]  # fmt: skip
    assert all(not name.startswith("CNT") for row in rows for name in row)


@pytest.mark.parametrize(
    ("level", "encoding", "text"),
    [
        ("UNOC", "latin-1", "Stühle"), ("UNOD", "iso8859-2", "Židle"), ("UNOE", "iso8859-5", "Лампа"), ("UNOF", "iso8859-7", "Λάμπα"),
        ("UNOW", "utf-8", "灯"), ("UNOY", "utf-8", "Žlutá"), ("UNOA", "utf-8", "Stühle"), ("UNOC", "utf-8", "Stühle"),
    ],
)  # fmt: skip
def test_the_syntax_level_says_the_characters_unless_the_bytes_prove_others(
    tmp_path: Path, level: str, encoding: str, text: str
) -> None:
    content = (HEAD.replace("UNOC", level) + FIRST.replace("Lampe", text) + TAIL).encode(encoding)
    dialect, (row,) = read(written(tmp_path, content))
    assert row["IMD+F/3.4"] == text
    assert dialect.encoding.replace("-", "") == {"latin-1": "iso88591"}.get(encoding, encoding).replace(
        "-", ""
    )


@pytest.mark.parametrize(("cut", "rows"), [(len(TAIL) + 3, 1), (len(TAIL), 1), (len(TAIL) + 30, 1)])
def test_a_message_without_its_end_is_cut_off(tmp_path: Path, cut: int, rows: int) -> None:
    _, found = read(written(tmp_path, (HEAD + FIRST + TAIL)[:-cut]))
    assert [row[FAULT] for row in found] == ["truncated"] * rows


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (HEAD.replace("PRICAT", "ORDERS") + FIRST + TAIL, "not_a_feed"),
        (HEAD + TAIL, "no_records"),
        (HEAD + "LIN+1++1:EN'IMD+F++:::" + "x" * 2_000_000, "too_long"),
    ],
)
def test_what_is_no_price_catalogue_is_refused(tmp_path: Path, content: str, rule: str) -> None:
    with pytest.raises(Refused) as refusal:
        read(written(tmp_path, content))
    assert refusal.value.rule == rule


def test_undecodable_bytes_mark_their_record_only(tmp_path: Path) -> None:
    second = b"LIN+2++4012345000023:EN'IMD+F++:::Stuhl'"
    content = (
        (HEAD.replace("UNOC", "UNOW") + FIRST + "LIN+9++9:EN'IMD+F++:::grün'" * 40).encode()
        + b"IMD+F++:::\xff'"
        + second
        + TAIL.encode()
    )
    _, rows = read(written(tmp_path, content))
    assert [row.get(FAULT) for row in rows] == [None] * 40 + ["undecodable", None]
