"""The XML reader: repeating elements as rows, nothing fetched, nothing expanded, flaws mended or answered."""

import socket
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from connectors.readers.xml import XmlReader
from core.errors import Refused

RSS = '<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>T</title><link>x</link>{}</channel></rss>'
ITEM = "<item><g:id>{0}</g:id><g:title>{1}</g:title><g:price>9.99 EUR</g:price><g:shipping><g:price>4.95 EUR</g:price></g:shipping></item>"
FEED = RSS.format("".join(ITEM.format(number, f"Lamp {number}") for number in range(1, 4)))


def written(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "feed.xml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(file: Path) -> tuple[Dialect, pd.DataFrame]:
    dialect = XmlReader().detect(file)
    return dialect, pd.concat(XmlReader().frames(file, dialect), ignore_index=True)


def test_the_repeating_element_is_found_and_nested_values_do_not_leak(tmp_path: Path) -> None:
    dialect, rows = read(written(tmp_path, FEED))
    assert dialect.record_path == "rss/channel/item"
    assert dialect.header == ("g:id", "g:title", "g:price", "g:shipping/g:price")
    assert rows["g:price"].tolist() == ["9.99 EUR"] * 3
    assert rows["g:shipping/g:price"].tolist() == ["4.95 EUR"] * 3
    assert rows[LOCATOR].tolist() == ["item 1", "item 2", "item 3"]


def test_one_entry_is_a_record_too(tmp_path: Path) -> None:
    dialect, rows = read(written(tmp_path, RSS.format(ITEM.format("1", "Lamp"))))
    assert dialect.record_path == "rss/channel/item"
    assert len(rows) == 1


@pytest.mark.parametrize(
    "content",
    [
        FEED.replace("<g:", "<shop:").replace("</g:", "</shop:").replace("xmlns:g", "xmlns:shop"),
        FEED.replace(' xmlns:g="http://base.google.com/ns/1.0"', ""),
        FEED.replace("<g:", "<q:").replace("</g:", "</q:").replace("xmlns:g", "xmlns:q"),
    ],
    ids=["another prefix", "prefix not declared", "short prefix"],
)
def test_googles_namespace_has_one_name_whatever_the_prefix(tmp_path: Path, content: str) -> None:
    dialect, rows = read(written(tmp_path, content))
    assert dialect.header == ("g:id", "g:title", "g:price", "g:shipping/g:price")
    assert rows["g:id"].tolist() == ["1", "2", "3"]


def test_repeated_values_and_parents_stay_apart(tmp_path: Path) -> None:
    _, rows = read(
        written(
            tmp_path,
            "<SHOP><SHOPITEM><A>1</A><I>x</I><I>y</I><P><N>a</N><V>1</V><V>2</V></P><P><N>b</N></P><P><N>c</N><V>3</V></P>"
            '<L href="u">t</L></SHOPITEM><SHOPITEM><A>2</A></SHOPITEM></SHOP>',
        )
    )
    assert rows["I"].tolist()[0] == f"x{INNER}y"
    assert rows["P/N"].tolist()[0] == f"a{OUTER}b{OUTER}c"
    assert rows["P/V"].tolist()[0] == f"1{INNER}2{OUTER}{OUTER}3"
    assert rows["L/@href"].tolist()[0] == "u"
    assert rows["I"].isna().tolist() == [False, True]


def test_html_that_nobody_escaped_is_one_value(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, FEED.replace("Lamp 2", "Lamp <b>two</b> now")))
    assert rows["g:title"].tolist() == ["Lamp 1", "Lamp <b>two</b> now", "Lamp 3"]


@pytest.mark.parametrize(
    ("declared", "encoding", "found"),
    [
        ("windows-1250", "cp1250", "cp1250"), ("utf-8", "cp1250", "cp1250"), ("utf-16", "utf-8", "utf-8"),
        ("utf-16", "utf-16", "utf-16-le"), ("UTF-8", "utf-8-sig", "utf-8"), ("shift_jis", "cp1250", "shift_jis"),
    ],
)  # fmt: skip
def test_the_bytes_decide_over_a_wrong_declaration(
    tmp_path: Path, declared: str, encoding: str, found: str
) -> None:
    content = f'<?xml version="1.0" encoding="{declared}"?><SHOP><SHOPITEM><A>1</A><B>Židle žlutá</B></SHOPITEM></SHOP>'
    dialect, rows = read(written(tmp_path, content.encode(encoding)))
    assert dialect.encoding == found
    if found != "shift_jis":  # a code page that was really declared is believed
        assert rows["B"].tolist() == ["Židle žlutá"]


def test_bare_ampersands_and_html_entities_are_mended_but_not_in_cdata(tmp_path: Path) -> None:
    content = FEED.replace("Lamp 2", "Tom & Jerry &eacute; &unknown; &amp;<![CDATA[ & &eacute;]]>\x01")
    _, rows = read(written(tmp_path, content))
    assert rows["g:title"].tolist() == ["Lamp 1", "Tom & Jerry é &unknown; & & &eacute;", "Lamp 3"]
    assert rows[FAULT].tolist() == ["", "", ""]


def test_mending_crosses_the_borders_of_pieces(tmp_path: Path) -> None:
    titles = [f"{'x' * (number % 97)} a & b <![CDATA[ c & d ]]> &auml;" for number in range(3000)]
    _, rows = read(written(tmp_path, RSS.format("".join(ITEM.format(i, t) for i, t in enumerate(titles)))))
    assert rows["g:title"].tolist() == [f"{'x' * (number % 97)} a & b  c & d  ä" for number in range(3000)]


@pytest.mark.parametrize(("cut", "complete"), [(10, 3), (60, 2), (200, 1)])
def test_a_file_that_is_cut_off_answers_what_is_there(tmp_path: Path, cut: int, complete: int) -> None:
    _, rows = read(written(tmp_path, FEED[:-cut]))
    assert rows[FAULT].tolist() == [""] * complete + ["truncated"]
    assert rows[LOCATOR].tolist()[-1] == f"item {complete + 1}"


def test_the_started_record_keeps_what_came_of_it(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, FEED[: FEED.index("Lamp 3") + 6]))
    assert rows["g:id"].tolist() == ["1", "2", "3"]
    assert rows[FAULT].tolist() == ["", "", "truncated"]


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    opened: list[Any] = []

    def refuse(*arguments: Any, **options: Any) -> None:
        opened.append(arguments)
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return opened


BOMB = '<!DOCTYPE b [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "prolog",
    [
        BOMB,
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "http://127.0.0.1:1/x">]>',
        '<!-- <rss> --><!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x.dtd"> %p;]>',
    ],
    ids=["bomb", "local file", "network", "parameter entity behind a comment"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_declared_entities_are_refused_unread(
    tmp_path: Path, prolog: str, encoding: str, no_sockets: list[Any]
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    body = FEED.removeprefix('<?xml version="1.0"?>').replace("Lamp 1", "&x;&c;")
    content = (
        f'<?xml version="1.0" encoding="{encoding}"?>' + prolog.replace("{secret}", str(secret)) + body
    ).encode(encoding)
    with pytest.raises(Refused) as refusal:
        XmlReader().detect(written(tmp_path, content))
    assert refusal.value.rule == "unsafe_xml"
    assert "SECRET" not in str(refusal.value)
    assert no_sockets == []


def test_an_external_dtd_is_not_fetched(tmp_path: Path, no_sockets: list[Any]) -> None:
    content = FEED.replace(
        '<?xml version="1.0"?>', '<?xml version="1.0"?><!DOCTYPE rss SYSTEM "http://127.0.0.1:1/rss.dtd">'
    )
    _, rows = read(written(tmp_path, content))
    assert len(rows) == 3
    assert no_sockets == []


def test_entities_reach_no_text_even_past_the_first_look(tmp_path: Path) -> None:
    """The second lock: should a declaration ever pass, the parser still expands nothing."""
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    file = written(
        tmp_path,
        f'<!DOCTYPE S [<!ENTITY x SYSTEM "file://{secret}">]><S><I><A>1</A><B>&x;</B></I><I><A>2</A></I></S>',
    )
    frames = list(XmlReader().frames(file, Dialect("xml", "utf-8", record_path="S/I")))
    assert "SECRET" not in repr([frame.to_dict("list") for frame in frames])


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("<SHOP></SHOP>", "no_records"),
        (RSS.format(""), "no_records"),
        ('<?xml version="1.0"?>', "not_a_feed"),
        ("<<<>>>", "not_a_feed"),
        (
            '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>x</p></body></html>',
            "not_a_feed",
        ),
        ("<a><b></a>", "not_well_formed"),
    ],
)
def test_what_has_no_records_is_refused_whole(tmp_path: Path, content: str, rule: str) -> None:
    with pytest.raises(Refused) as refusal:
        XmlReader().detect(written(tmp_path, content))
    assert refusal.value.rule == rule


def test_a_value_over_a_megabyte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        read(written(tmp_path, FEED.replace("Lamp 2", "x" * 1_100_000)))
    assert refusal.value.rule == "too_long"
