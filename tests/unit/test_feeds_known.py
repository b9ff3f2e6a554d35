"""Records that an earlier run knew: leaving them out changes nothing but the time it takes."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import connectors.readers.csv
from core.settings import CHECKOUT
from pipelines.feeds import known, known_head
from pipelines.feeds.counting import Summary
from pipelines.feeds.known import Known, Memory, can_be_known
from pipelines.feeds.known_head import usable
from pipelines.feeds.normalise import Normalised, normalise

HEADER = "sku,title,price,ean,item group,image\n"
KEYS = st.sampled_from(["A", "B", "C", "D", "E", "F", "", "'A"])
ROWS = st.lists(
    st.tuples(
        KEYS, st.sampled_from(["Lamp", "Desk", "", "<b>Bed"]), st.sampled_from(["5", "6.50", "0", "-1", "x", ""]),
        st.sampled_from(["", "4006381333931", "4006381333932"]), st.sampled_from(["", "G", "H"]), st.sampled_from(["", "a.jpg"]),
    ),
    max_size=14,
)  # fmt: skip


def read(found: Normalised, memory: Memory | None) -> tuple[dict[str, str], list[str], list[int], Summary]:
    """(content of each accepted offer that was mapped, messages, places of refused records, summary)."""
    offers: dict[str, str] = {}
    messages: list[str] = []
    refused: list[int] = []
    before = 0
    for batch in found.batches(memory):
        offers.update(
            zip(batch.offers["supplier_sku"].tolist(), batch.offers["content_hash"].tolist(), strict=True)
        )
        messages += batch.refused["message"].tolist()
        refused += [before + place for place in batch.refused["place"].tolist()]
        before += batch.records
    return offers, messages, refused, found.summary()


def written(folder: Path, name: str, rows: Sequence[tuple[str, ...]]) -> Path:
    file = folder / name
    file.write_text(HEADER + "Z,Sofa,9,,,\n" + "".join(",".join(row) + "\n" for row in rows))
    return file


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(ROWS, ROWS, st.permutations(range(14)), st.sampled_from([2, 5, 10_000]))
def test_a_file_read_against_an_earlier_one_comes_to_the_same(
    old: list[tuple[str, ...]], new: list[tuple[str, ...]], order: list[int], rows: int
) -> None:
    later = [row for row in (old + new)[:14] if row]
    later = [later[place] for place in order if place < len(later)]
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(connectors.readers.csv, "FRAME_ROWS", rows)
        first = normalise(written(folder, "old.csv", old))
        with Memory(None, folder / "1.bin") as memory:
            before, *_ = read(first, memory)
        second = normalise(written(folder, "new.csv", later), mapping=first.document)
        expected = read(second, None)
        with Memory(folder / "1.bin", folder / "2.bin") as memory:
            based = read(second, memory)
            assert memory.known is not None
            gone = {record for some in memory.known.unseen() for record in some.tolist()}
            unchanged = memory.unchanged
        assert based[1:] == expected[1:]
        assert set(based[0].items()) <= set(expected[0].items())
        left_out = set(expected[0].items()) - set(based[0].items())
        assert left_out <= set(before.items())
        assert len(left_out) == unchanged == len(before) - len(gone)
        with Memory(folder / "2.bin", None) as memory:
            assert read(second, memory)[1:] == expected[1:]
            assert memory.unchanged == len(expected[0])


def test_what_is_written_is_there_only_when_it_is_whole(tmp_path: Path) -> None:
    found = normalise(written(tmp_path, "feed.csv", [("A", "Lamp", "5", "", "", "")]))
    with pytest.raises(RuntimeError), Memory(None, tmp_path / "1.bin") as memory:
        next(found.batches(memory))
        raise RuntimeError
    assert [file.name for file in tmp_path.iterdir()] == ["feed.csv"]
    assert not usable(tmp_path / "1.bin")
    with Memory(None, tmp_path / "1.bin") as memory:
        list(found.batches(memory))
    assert usable(tmp_path / "1.bin")
    (tmp_path / "1.bin").write_bytes((tmp_path / "1.bin").read_bytes()[:-3])
    assert not usable(tmp_path / "1.bin")


def test_another_version_of_the_hub_looks_at_every_record_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(None, tmp_path / "1.bin") as memory:
        list(normalise(written(tmp_path, "feed.csv", [])).batches(memory))
    assert usable(tmp_path / "1.bin")
    monkeypatch.setattr(known_head, "version", lambda: "of tomorrow")
    assert not usable(tmp_path / "1.bin")


def test_entries_are_found_in_every_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_BLOCK", 7)
    monkeypatch.setattr(connectors.readers.csv, "FRAME_ROWS", 5)
    rows = [(f"A{n}", "Lamp", "5", "4006381333932" if n % 3 else "", "", "") for n in range(40)]
    found = normalise(written(tmp_path, "feed.csv", rows))
    with Memory(None, tmp_path / "1.bin") as memory:
        first = read(found, memory)
    assert len(Known(tmp_path / "1.bin").head["blocks"]) > 3
    with Memory(tmp_path / "1.bin", None) as memory:
        again = read(found, memory)
    assert (again[0], memory.unchanged) == ({}, 41)
    assert again[3] == first[3]
    assert again[3].notes == {"gtin_invalid": 26}


@pytest.mark.parametrize(
    ("change", "possible"),
    [
        ({}, True), ({"grouping": {"by": "sku"}}, False), ({"policy": {"mode": "stock-only"}}, False), ({"records": {"join": []}}, False),
        ({"fields": {"price": {"from": [{"column": "sale", "window": ["from", "to"]}]}}}, False), ({"records": {"pivot": []}}, True),
    ],
)  # fmt: skip
def test_only_records_that_answer_for_themselves_can_be_known(change: dict[str, Any], possible: bool) -> None:
    assert can_be_known({"fields": {"price": {"from": ["price"]}}, **change}) is possible


def test_the_worker_itself_loads_no_frames() -> None:
    """Only the child that parses needs them: 70 MB that every worker process would hold for good."""
    loaded = "import sys, pipelines.routes; sys.exit('pandas' in sys.modules or 'pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], cwd=CHECKOUT, check=False).returncode == 0
