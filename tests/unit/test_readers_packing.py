"""Archives: the feed inside is found, parts are one list, and what is a trick or a bomb is refused before it is read."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers import packing
from connectors.readers.frames import LOCATOR
from connectors.readers.packing import FileReader
from core.errors import Refused
from pipelines.feeds.normalise import normalise
from tests.workbooks import xlsx

CSV = "Artikelnummer;Bezeichnung;Preis\nA1;Lampe Größe M;9,99\nA2;Stühle;10,50\n"
MORE = "Artikelnummer;Bezeichnung;Preis\nB1;Bett;99,00\n"
STOCK = "sku,stock\nA1,3\n"


@pytest.fixture(autouse=True)
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are unpacked: a folder of this test."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def zipped(file: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file


def read(file: Path, **pinned: str) -> tuple[Dialect, pd.DataFrame, list[str]]:
    reader = FileReader(pinned)
    dialect = reader.detect(file)
    return dialect, pd.concat(reader.frames(file, dialect), ignore_index=True), reader.notices


def refusal(file: Path) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        read(file)
    return caught.value.rule, str(caught.value)


@pytest.mark.parametrize(
    ("ending", "packed"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_a_packed_file_reads_as_the_plain_one(tmp_path: Path, ending: str, packed: object) -> None:
    plain, file = tmp_path / "list.csv", tmp_path / f"list.csv.{ending}"
    plain.write_bytes(CSV.encode("cp1252"))
    file.write_bytes(packed(CSV.encode("cp1252")))  # type: ignore[operator]
    wanted, found = read(plain), read(file)
    assert (
        found[0]
        == wanted[0]
        == Dialect("csv", "cp1252", ";", header=("Artikelnummer", "Bezeichnung", "Preis"))
    )
    pd.testing.assert_frame_equal(found[1], wanted[1])
    facts = normalise(file).facts
    assert (facts.format, facts.bytes, facts.delimiter) == ("csv", file.stat().st_size, ";")
    assert facts.sha256 != normalise(plain).facts.sha256


def test_of_a_zip_the_member_that_is_a_feed_is_read(tmp_path: Path, unpacked: Path) -> None:
    file = zipped(
        tmp_path / "a.zip",
        {
            "__MACOSX/._list.csv": b"\0\5\x16\7junk", "readme.txt": "Read\tme\nfirst\tof all\n", "pictures/a.jpg": b"\xff\xd8\xff\xe0",
            "notes.txt": "Dear customer\nthis is our list\n", "x/": b"", "x/list.csv": CSV, ".DS_Store": b"\0\0\0\1Bud1",
        },
    )  # fmt: skip
    reader = FileReader()
    dialect = reader.detect(file)
    frame = pd.concat(reader.frames(file, dialect))
    assert (dialect.format, dialect.member, reader.notices) == ("csv", None, [])
    assert frame[LOCATOR].tolist() == ["row 2", "row 3"]
    assert len(list(unpacked.iterdir())) == 1
    del reader
    assert list(unpacked.iterdir()) == []


def test_parts_with_one_header_are_one_list(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {"a.csv": CSV, "b.csv": MORE.encode("utf-16"), "leer.csv": ""})
    dialect, frame, notices = read(file)
    assert (dialect.member, notices) == (None, [])
    assert frame[LOCATOR].tolist() == ["a.csv row 2", "a.csv row 3", "b.csv row 2"]
    assert frame["Bezeichnung"].tolist() == ["Lampe Größe M", "Stühle", "Bett"]
    twins = zipped(tmp_path / "b.zip", {"x/list.csv": CSV, "y/list.csv": MORE})
    assert read(twins)[1][LOCATOR].tolist() == [
        "x/list.csv row 2", "x/list.csv row 3", "y/list.csv row 2",
    ]  # fmt: skip
    summary_of = normalise(file)
    verdicts = [verdict for batch in summary_of.batches() for verdict in batch.answers["locator"]]
    assert verdicts == ["a.csv row 2", "a.csv row 3", "b.csv row 2"]


def test_of_several_feeds_the_largest_is_read_or_the_pinned_one(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {"stock.csv": STOCK, "list.csv": CSV})
    dialect, frame, notices = read(file)
    assert (dialect.member, len(frame)) == ("list.csv", 2)
    assert notices == [
        "Read: 'list.csv'. Not read: 'stock.csv'; name another file of the archive in the mapping (dialect.member) to "
        "read that one."
    ]
    dialect, frame, _ = read(file, member="stock.csv")
    assert (dialect.member, frame["stock"].tolist()) == ("stock.csv", ["3"])
    document = normalise(file).document
    assert document["dialect"]["member"] == "list.csv"
    other = zipped(tmp_path / "b.zip", {"stock.csv": STOCK, "new.csv": CSV})
    assert "The member was 'list.csv' and is now 'new.csv'." in normalise(other, mapping=document).drift


def test_a_workbook_in_a_zip_and_one_zip_of_xml_parts(tmp_path: Path) -> None:
    book = xlsx(tmp_path / "a.xlsx", {"S": [["sku", "name", "price"], ["A1", "Lamp", 9.5]]})
    dialect, frame, _ = read(zipped(tmp_path / "a.zip", {"a.xlsx": book.read_bytes()}))
    assert (dialect.format, dialect.sheet, frame["price"].tolist()) == ("xlsx", "S", ["9.5"])
    parts = {
        f"{n}.xml": f"<SHOP><SHOPITEM><ITEM_ID>{n}</ITEM_ID></SHOPITEM><SHOPITEM><ITEM_ID>{n}b</ITEM_ID></SHOPITEM></SHOP>"
        for n in (1, 2)
    }
    dialect, frame, _ = read(zipped(tmp_path / "b.zip", parts))
    assert dialect.format == "xml"
    assert frame[LOCATOR].tolist() == ["1.xml item 1", "1.xml item 2", "2.xml item 1", "2.xml item 2"]


@pytest.mark.parametrize(
    "name",
    [
        "../list.csv",
        "/etc/list.csv",
        "x/../../list.csv",
        "C:\\list.csv",
        "..\\list.csv",
        "\\\\host\\list.csv",
    ],
)
def test_names_that_lead_out_are_refused(tmp_path: Path, unpacked: Path, name: str) -> None:
    rule, sentence = refusal(zipped(tmp_path / "a.zip", {"ok.csv": CSV, name: CSV}))
    assert rule == "archive_unsafe"
    assert sentence.endswith("which is a link or no plain file name; pack the feed again, alone.")
    assert not (tmp_path / "list.csv").exists() and not (unpacked / "list.csv").exists()


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("list.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refusal(tmp_path / "a.zip")[0] == "archive_unsafe"


def test_nested_archives_are_refused_in_one_sentence(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"a.csv": CSV}).read_bytes()
    for name, content in (
        ("a.zip", zipped(tmp_path / "o.zip", {"inner.zip": inner}).read_bytes()),
        ("a.gz", gzip.compress(inner)),
        ("a.csv.gz", gzip.compress(gzip.compress(CSV.encode()))),
        ("b.zip", zipped(tmp_path / "p.zip", {"list.7z": b"7z\xbc\xaf\x27\x1c"}).read_bytes()),
    ):
        (tmp_path / name).write_bytes(content)
        assert refusal(tmp_path / name) == (
            "archive_unsafe", f"{name} is an archive inside an archive; pack the feed only once.",
        )  # fmt: skip


def test_a_broken_part_refuses_the_whole_and_an_archive_beside_the_feed_is_told(tmp_path: Path) -> None:
    broken = "<SHOP><SHOPITEM><ITEM_ID>1</ITEM_ID></SHOPITEM></SHO"
    unsafe = f"<!DOCTYPE a [<!ENTITY b 'c'>]>{broken}P>"
    rule, sentence = refusal(zipped(tmp_path / "a.zip", {"list.csv": CSV, "part.xml": unsafe}))
    assert (rule, sentence.startswith("In a.zip: part.xml declares XML entities")) == ("unsafe_xml", True)
    inner = zipped(tmp_path / "inner.zip", {"a.csv": CSV}).read_bytes()
    _, frame, notices = read(zipped(tmp_path / "b.zip", {"list.csv": CSV, "pictures.zip": inner}))
    assert (len(frame), notices) == (2, ["Not opened: 'pictures.zip', being archives inside the archive."])


def test_protected_damaged_and_empty_archives_are_refused(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {"list.csv": CSV * 200})
    whole = bytearray(file.read_bytes())
    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    broken = bytearray(whole)
    broken[60:90] = bytes(30)
    for content, rule in (
        (locked, "protected"),
        (broken, "archive_damaged"),
        (whole[:-30], "archive_damaged"),
    ):
        file.write_bytes(content)
        assert refusal(file)[0] == rule
    assert refusal(zipped(tmp_path / "b.zip", {}))[0] == "not_a_feed"
    assert refusal(zipped(tmp_path / "c.zip", {"a.png": b"\x89PNG", "b.html": "<html>"}))[0] == "not_a_feed"
    assert refusal(zipped(tmp_path / "d.zip", {"page": "<html><body>Log in</body></html>"})) == (
        "not_a_feed",
        "In d.zip: page is a web page, not a feed; check the address or the log-in it was fetched with.",
    )
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(CSV.encode() * 100)[:-60])
    assert refusal(tmp_path / "e.csv.gz") == (
        "truncated",
        "e.csv.gz breaks off in the middle; send it again.",
    )
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(CSV.encode()) + b"and more")
    assert refusal(tmp_path / "f.csv.gz")[0] == "archive_damaged"


def test_a_bomb_is_measured_on_what_comes_out(tmp_path: Path, unpacked: Path) -> None:
    """A zip that declares a byte, a gz that declares nothing: both stop where the ratio tells what they are."""
    zeros = bytes(64 << 20)
    (tmp_path / "a.gz").write_bytes(gzip.compress(zeros))
    rule, sentence = refusal(tmp_path / "a.gz")
    assert (rule, sentence.count(";")) == ("archive_unsafe", 1)
    file = zipped(tmp_path / "b.zip", {"list.csv": zeros})
    assert refusal(file)[0] == "archive_unsafe"
    lying = bytearray(file.read_bytes())
    at = lying.index(b"PK\x01\x02")
    lying[at + 24 : at + 28] = (1).to_bytes(4, "little")
    lying[22:26] = (1).to_bytes(4, "little")
    file.write_bytes(lying)
    assert refusal(file)[0] in ("archive_unsafe", "archive_damaged", "not_a_feed")
    assert list(unpacked.iterdir()) == []


def test_many_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """An overlapping zip bomb: a hundred entries of the directory all point at one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.csv", "a,b\n" + "1,2\n" * 500_000)
        for n in range(1, 100):
            twin = zipfile.ZipInfo(f"{n}.csv")
            first = archive.infolist()[0]
            for told in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits"):
                setattr(twin, told, getattr(first, told))
            archive.filelist.append(twin)
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    assert refusal(tmp_path / "a.zip")[0] in ("archive_unsafe", "archive_damaged")


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.readers.packing_zip.MAX_MEMBERS", 3)
    assert refusal(zipped(tmp_path / "a.zip", {f"{n}.csv": CSV for n in range(4)}))[0] == "archive_unsafe"


def test_what_a_killed_reader_left_is_swept_a_day_later(tmp_path: Path, unpacked: Path) -> None:
    old, young = unpacked / "entrepot-feed-old", unpacked / "entrepot-feed-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (time.time() - packing.FORGOTTEN_SECONDS - 60,) * 2)
    read(zipped(tmp_path / "a.zip", {"list.csv": CSV}))
    assert (old.exists(), young.exists()) == (False, True)


def test_many_small_parts_come_as_one_frame(tmp_path: Path) -> None:
    """Each frame costs the pipeline the same, however few its rows."""
    file = zipped(tmp_path / "a.zip", {f"{n:02}.csv": MORE.replace("B1", f"B{n}") for n in range(40)})
    reader = FileReader()
    frames = list(reader.frames(file, reader.detect(file)))
    assert [len(frame) for frame in frames] == [40]
    assert frames[0]["Artikelnummer"].tolist() == [f"B{n}" for n in range(40)]
    assert frames[0][LOCATOR].tolist()[:2] == ["00.csv row 2", "01.csv row 2"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_places_stay_apart_where_names_are_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for content in (CSV, MORE):
            archive.writestr("list.csv", content)
    assert read(tmp_path / "a.zip")[1][LOCATOR].tolist() == [
        "list.csv row 2",
        "list.csv row 3",
        "list.csv #2 row 2",
    ]
