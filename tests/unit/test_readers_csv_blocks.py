"""Blocks parsed by Arrow give the very rows, places and faults that reading row by row gives."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Dialect
from connectors.readers import csv_blocks
from connectors.readers.csv import CsvReader
from connectors.readers.frames import FAULT, LOCATOR
from core.errors import Refused

CELLS = st.one_of(
    st.sampled_from(["", "", "A1", "Lamp", "ä€", '"a;b"', '"a\nb"', '"x""y"', '""', '"a\r\nb"', '"\n\n"', " ", "x"]),
    st.sampled_from(['"', 'a"b', '"a"b', "\0", "\udcff", "\x1f", '""a', "\\", "\x85", "\u2028"]).map(str),
    st.text(alphabet='ab;"\n\r ', max_size=4),
)  # fmt: skip
GOOD = st.lists(
    st.sampled_from(["", "A1", "ä€", '"a;b"', '"a\nb"', '"x""y"', '""', '"\r\n\r\n"']), min_size=3, max_size=3
)
ROWS = st.lists(st.one_of(GOOD, GOOD, GOOD, st.lists(CELLS, min_size=0, max_size=5)), max_size=25)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def rows_of(file: Path, dialect: Dialect) -> list[list[Any]] | str:
    """All rows with their place and fault, or the rule that refuses the file."""
    try:
        frames = list(CsvReader().frames(file, dialect))
    except Refused as refusal:
        return refusal.rule
    if not frames:
        return []
    rows: list[list[Any]] = pd.concat(frames, ignore_index=True).values.tolist()
    return rows


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    rows=ROWS, end=ENDS, last=st.booleans(), preamble=st.integers(0, 2),
    encoding=st.sampled_from(["utf-8", "cp1252", "utf-16-le", "utf-16-be"]), block=st.sampled_from([16, 60, 200, 1 << 20]),
)  # fmt: skip
def test_both_ways_read_the_same(
    rows: list[list[str]], end: str, last: bool, preamble: int, encoding: str, block: int
) -> None:
    lines = ["Prices;;"] * preamble + ["sku;title;price"] + [";".join(row) for row in rows]
    text = end.join(lines) + (end if last else "")
    odd = "surrogateescape" if encoding == "utf-8" else "replace"
    dialect = Dialect("csv", encoding, ";", '"', preamble, ("sku", "title", "price"))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder) / "feed.csv"
        file.write_bytes(text.encode(encoding, odd))
        patch.setattr(csv_blocks, "suits", lambda _: False)
        expected = rows_of(file, dialect)
        patch.undo()
        patch.setattr(csv_blocks, "BLOCK_BYTES", block)
        patch.setattr(csv_blocks, "FRAME_ROWS", 3)
        assert rows_of(file, dialect) == expected


def test_a_clean_file_is_read_by_blocks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "feed.csv"
    cells = [(f"A{n}", f'"Lamp, ""{n}""\n\nred"' if n % 3 else "Desk", "") for n in range(50)]
    file.write_text("sku,title,price\n" + "".join(",".join(row) + "\n" for row in cells) + ",,\n")
    dialect = CsvReader().detect(file)
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 100)
    monkeypatch.setattr("connectors.readers.csv._framed", None)  # nothing is left to it
    rows = pd.concat(list(CsvReader().frames(file, dialect)), ignore_index=True)
    assert rows[LOCATOR].tolist() == [f"row {n + 2}" for n in range(50)]
    assert rows["title"].tolist() == [f'Lamp, "{n}"\n\nred' if n % 3 else "Desk" for n in range(50)]
    assert set(rows[FAULT]) == {""}


def test_one_odd_row_costs_only_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "feed.csv"
    rows = [f"A{n},Lamp,1\n" for n in range(400)]
    rows[200] = "A200,Lamp\n"
    file.write_text("sku,title,price\n" + "".join(rows))
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 400)
    monkeypatch.setattr(csv_blocks, "FRAME_ROWS", 40)
    slow: list[int] = []
    real = csv_blocks.Block.lines

    def lines(block: csv_blocks.Block, encoding: str) -> int:
        slow.append(block.offset)
        return real(block, encoding)

    monkeypatch.setattr(csv_blocks.Block, "lines", lines)
    frames = pd.concat(
        list(CsvReader().frames(file, Dialect("csv", "utf-8", ",", '"', 0, ("sku", "title", "price")))),
        ignore_index=True,
    )
    assert len(frames) == 400
    assert frames.loc[frames[FAULT] != "", [LOCATOR, FAULT]].values.tolist() == [["row 202", "ragged_row"]]
    assert len(slow) == 1
