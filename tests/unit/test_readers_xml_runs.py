"""Records that repeat a shape are taken out of the text before the parser: what is read must be the same without that."""

import random
from pathlib import Path

import pandas as pd
import pytest

from connectors.readers import xml_records
from connectors.readers.xml import XmlReader
from connectors.readers.xml_runs import Runs
from core.errors import Refused

G = 'xmlns:g="http://base.google.com/ns/1.0"'


def item(number: int, text: str = "plain", more: str = "") -> str:
    return f'<item no="{number}"><g:id>{number}</g:id><title>{text}</title>{more}</item>\n'


def rows_of(file: Path, path: str) -> pd.DataFrame:
    reader = XmlReader()
    return pd.concat(list(reader.frames(file, reader.detect(file, record_path=path))), ignore_index=True)


def with_and_without(
    file: Path, monkeypatch: pytest.MonkeyPatch, path: str = "rss/channel/item"
) -> tuple[pd.DataFrame, int]:
    """What is read, asserted to be the same as without runs; and how many records a run took."""
    taken: list[Runs] = []

    class Watched(Runs):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            taken.append(self)

    class Never(Runs):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            self.active = False

    monkeypatch.setattr(xml_records, "Runs", Watched)
    fast = rows_of(file, path)
    monkeypatch.setattr(xml_records, "Runs", Never)
    slow = rows_of(file, path)
    names = sorted(map(str, fast))
    assert names == sorted(map(str, slow))
    pd.testing.assert_frame_equal(fast[names], slow[names])
    return fast, taken[-1].records


def written(folder: Path, body: str, name: str = "feed.xml") -> Path:
    file = folder / name
    file.write_bytes(
        f'<?xml version="1.0"?>\n<rss {G}><channel><title>Shop</title>\n{body}</channel></rss>'.encode()
    )
    return file


def test_records_of_one_shape_do_not_reach_the_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [
        "plain",
        "a &amp; b &lt;i&gt;",
        "größer",
        " blank ",
        "",
        "two\nlines",
        "a ] b ]] c",
        'quoted "x"',
    ]
    body = "".join(item(number, texts[number % len(texts)]) for number in range(25_000))
    found, taken = with_and_without(written(tmp_path, body), monkeypatch)
    assert len(found) == 25_000
    assert taken > 24_900
    assert found["title"][1] == "a & b <i>"
    assert found["@no"].tolist() == [str(number) for number in range(25_000)]
    assert found["_locator"].iloc[-1] == "item 25000"


def test_cdata_is_taken_literally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = ["<p>a &amp; b</p>", "</item>", "]] >", "<!-- no -->", "<item>", ""]
    body = "".join(item(n, f"<![CDATA[{inside[n % len(inside)]}]]>") for n in range(300))
    found, taken = with_and_without(written(tmp_path, body), monkeypatch)
    assert found["title"].tolist()[:6] == inside
    assert taken > 280


ODD = {
    "a comment that holds records": f"<!-- {item(901)}{item(902)} -->",
    "a comment inside a record": item(901, more="<!-- <x/> -->"),
    "a section beside text": item(901, "x <![CDATA[y]]> z"),
    "another element between": f"<note><item no='x'>{item(901)}</item></note>",
    "text between": "loose words",
    "an instruction": "<?php echo '<item>' ?>",
    "an empty record": "<item/>",
    "an empty record with an attribute": '<item no="901"/>',
    "another record below": item(901, more=f"<with>{item(902)}</with>"),
    "a prefix of its own": '<item no="901" xmlns:q="urn:q"><q:id>901</q:id></item>',
    "a prefix that means something else": '<item no="901" xmlns:g="urn:q"><g:id>901</g:id><title>t</title></item>',
    "single quotes": "<item no='901'><g:id>901</g:id><title>t</title></item>",
    "a character by its number": item(901, "a&#228;b"),
    "a tab in an attribute": '<item no="9\t01"><g:id>901</g:id><title>t</title></item>',
    "markup": item(901, "some <b>bold</b> words"),
    "repeated elements": item(901, more="<title>second</title><title/>"),
    "the end of the list and another list": f"</channel><channel>{item(901)}",
    "a longer name": "<items>901</items>",
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_is_the_parsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    body = [item(number) for number in range(60)]
    for place in (55, 40, 41, 2, 1):
        body.insert(place, ODD[odd])
    with_and_without(written(tmp_path, "".join(body)), monkeypatch)


@pytest.mark.parametrize(
    "flaw",
    ["a & b", "a &nbsp; b", "a ]]> b", "\x01", "<b>open", "&#0;", "\ufffe", "<![CDATA[ open", "\x00"],
)
def test_flaws_are_found_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flaw: str) -> None:
    body = "".join(item(number) for number in range(50)) + item(50, flaw)
    with_and_without(written(tmp_path, body + "".join(item(n) for n in range(51, 90))), monkeypatch)


def test_line_ends_of_windows_and_bytes_that_are_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "".join(item(number, "two\r\nlines\rthree") for number in range(60))
    found, taken = with_and_without(written(tmp_path, body), monkeypatch)
    assert found["title"][50] == "two\nlines\nthree"
    assert taken > 40
    broken = written(tmp_path, body, "b.xml")
    broken.write_bytes(broken.read_bytes().replace(b'no="50"', b'no="\xff"'))
    with_and_without(broken, monkeypatch)


def test_a_file_that_breaks_off_ends_with_one_truncated_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = written(tmp_path, "".join(item(number) for number in range(12_000))).read_bytes()
    chance = random.Random(20261127)
    print("seed 20261127")
    for cut in [*(chance.randrange(4_000, len(whole)) for _ in range(12)), len(whole) - 25]:
        file = tmp_path / "cut.xml"
        file.write_bytes(whole[:cut])
        with_and_without(file, monkeypatch)


def test_a_mended_file_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "".join(item(number, "R&D" if number == 15_000 else "plain") for number in range(21_000))
    found, taken = with_and_without(written(tmp_path, body), monkeypatch)
    assert found["title"][15_000] == "R&D"
    assert found["@no"].tolist() == [str(number) for number in range(21_000)]
    assert taken > 20_900


def test_frames_stay_small_where_records_are_large(tmp_path: Path) -> None:
    file = written(tmp_path, "".join(item(number, "x" * 40_000) for number in range(1_000)))
    reader = XmlReader()
    sizes = [len(frame) for frame in reader.frames(file, reader.detect(file, record_path="rss/channel/item"))]
    assert sum(sizes) == 1_000
    assert max(sizes) < 450


def test_a_record_without_an_end_is_refused(tmp_path: Path) -> None:
    endless = item(3, "<a>" * 5 + "<b>x</b>" * 5_000_000)
    file = written(tmp_path, item(1) + item(2) + endless)
    reader = XmlReader()
    with pytest.raises(Refused) as refused:
        list(reader.frames(file, reader.detect(file, record_path="rss/channel/item")))
    assert refused.value.rule == "too_long"
