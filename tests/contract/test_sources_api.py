"""A paged JSON API becomes one file of JSON lines, however its pages follow each other, and its limits hold."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.sources import api
from connectors.sources.api import JsonApi
from connectors.sources.paging import next_link, paging_of
from connectors.sources.web import time_limit
from core.errors import Misconfigured, Temporary
from tests.contract.source_rigs import SECRET, access
from tests.file_server import FileHost, Handler, file_host, status

RECORDS = [{"sku": f"A{n}", "title": "Lampe Ø", "price": 12.5, "gtin": 4012345000016} for n in range(7)]
LINES = b"".join(
    json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for record in RECORDS
)
WAYS = {
    "page": {"kind": "page"},
    "offset": {"kind": "offset"},
    "cursor": {"kind": "cursor", "next": "meta.cursor"},
    "link": {"kind": "link"},
    "next": {"kind": "next", "next": "meta.next"},
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FileHost]:
    with file_host(tmp_path) as made:
        made.content = LINES
        yield made


def source(
    host: FileHost, waited: list[float] | None = None, path: str = "/pages", **options: Any
) -> JsonApi:
    given = {"records": "items", "auth": {"kind": "header", "name": "x-key"}, **options}
    return JsonApi(
        host.url(path), ca_file=str(host.ca_file), access=access({"secret": SECRET}, limit=given.pop("limit", 10**9)),
        sleep=(waited if waited is not None else []).append, **given,
    )  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_all_pages_become_the_lines_of_one_file(host: FileHost, tmp_path: Path, way: str) -> None:
    waited: list[float] = []
    landed = source(host, waited, paging=WAYS[way]).fetch(tmp_path / "archive", None)
    assert landed is not None and (landed.path.read_bytes(), landed.name) == (LINES, "127.0.0.1.jsonl")
    calls = [path for path, _ in host.asked]
    assert len(calls) == len(set(calls)) == (5 if way in ("page", "offset") else 4)
    assert {headers["x-key"] for _, headers in host.asked} == {SECRET}
    assert waited == [0.2] * (len(calls) - 1), "a fair pace between the pages"


def test_the_size_of_pages_can_be_asked_for(host: FileHost, tmp_path: Path) -> None:
    paging = {"kind": "page", "size": 100, "size_param": "size"}
    assert source(host, paging=paging).fetch(tmp_path / "archive", None) is not None
    assert [path for path, _ in host.asked] == ["/pages?size=100&page=1", "/pages?size=100&page=2"]


def test_without_paging_one_answer_is_all(host: FileHost, tmp_path: Path) -> None:
    host.script = [status(200, json.dumps(RECORDS).encode())]
    landed = source(host, records="").fetch(tmp_path / "archive", None)
    assert landed is not None and landed.path.read_bytes() == LINES
    assert len(host.asked) == 1


def test_next_addresses_on_another_host_come_without_credentials(host: FileHost, tmp_path: Path) -> None:
    with file_host(tmp_path) as other:
        other.content = b""
        page = {"items": RECORDS[:1], "meta": {"next": other.url("/pages?cursor=0")}}
        host.script = [status(200, json.dumps(page).encode())]
        assert source(host, paging=WAYS["next"]).fetch(tmp_path / "archive", None) is not None
        assert "x-key" not in other.asked[0][1] and SECRET not in str(other.asked)


def test_an_api_that_ignores_the_parameter_does_not_go_on_for_ever(host: FileHost, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="gives the same page again and again"):
        source(host, paging={"kind": "page", "param": "pagina"}).fetch(tmp_path / "archive", None)
    assert len(host.asked) == 2
    assert not list(tmp_path.glob("archive/*"))


def test_an_api_without_an_end_stops_at_the_limit(host: FileHost, tmp_path: Path) -> None:
    def endless(handler: Handler) -> None:
        handler.answer(200, json.dumps({"items": [len(host.asked)]}).encode())
        host.script.append(endless)

    host.script = [endless]
    with pytest.raises(Misconfigured, match="more than 30 pages"):
        source(host, paging={"kind": "page"}, pages=30).fetch(tmp_path / "archive", None)
    assert len(host.asked) == 30


def test_limits_on_bytes(host: FileHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="larger than"):
        source(host, paging={"kind": "page"}, limit=200).fetch(tmp_path / "archive", None)
    monkeypatch.setattr(api, "LARGEST_PAGE", 50)
    with pytest.raises(Misconfigured, match="pages of more than"):
        source(host).fetch(tmp_path / "archive", None)
    assert not list(tmp_path.glob("archive/*"))


def test_a_page_that_fails_in_the_middle_leaves_nothing(host: FileHost, tmp_path: Path) -> None:
    full = json.dumps({"items": RECORDS[:2]}).encode()
    for fault, error in (
        (status(500), Temporary), (status(200, full[:-9]), Temporary), (status(200, b"<html>maintenance"), Misconfigured),
        (status(200, b"[1, 2]"), Misconfigured), (status(429, retry_after="999"), Temporary),
    ):  # fmt: skip
        host.script = [status(200, full), fault]
        with pytest.raises(error):
            source(host, paging={"kind": "page"}).fetch(tmp_path / "archive", None)
        assert not list(tmp_path.glob("archive/*"))


def test_a_page_that_trickles_for_ever_is_given_up(host: FileHost, tmp_path: Path) -> None:
    def trickle(handler: Handler) -> None:
        """A byte now and then: each single read is quick."""
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.close_connection = True
        with contextlib.suppress(OSError):
            while not host.hold.wait(0.02):
                handler.wfile.write(b" ")

    host.script = [trickle]
    with time_limit(0.3), pytest.raises(Temporary, match="took longer"):
        source(host).fetch(tmp_path / "archive", None)
    assert not list(tmp_path.glob("archive/*"))


def test_a_limited_api_is_waited_for(host: FileHost, tmp_path: Path) -> None:
    waited: list[float] = []
    host.script = [status(429, retry_after="3")]
    assert source(host, waited, paging=WAYS["link"]).fetch(tmp_path / "archive", None) is not None
    assert waited == [3.0, 0.2, 0.2, 0.2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"records": "items["}, "is no JMESPath"),
        ({"paging": {"kind": "cursor"}}, "needs `next`"),
        ({"paging": {"kind": "sideways"}}, "There is no paging 'sideways'"),
        ({"paging": {"kind": "next", "next": "]"}}, "is no JMESPath"),
    ],
)
def test_options_that_cannot_be(host: FileHost, options: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        source(host, **options)
    assert host.asked == []


def test_a_test_asks_for_one_page_and_says_what_is_in_it(host: FileHost) -> None:
    facts = source(host, paging=WAYS["page"]).test()
    assert facts.warnings == ("The first page has 2 records.",)
    assert facts.start == json.dumps(RECORDS[0], ensure_ascii=False)
    assert len(host.asked) == 1
    with pytest.raises(Misconfigured, match=r"no list of records.*Its fields are: items, meta\."):
        source(host, records="").test()
    assert source(host, records="elsewhere").test().warnings == (
        "The first page has no record: check where the records stand in the answer.",
    )


def test_records_that_utf8_cannot_hold_are_still_json(host: FileHost, tmp_path: Path) -> None:
    host.script = [status(200, rb'{"items": [{"t": "\ud800"}, {"t": "\u00d8", "n": 12345678901234567890}]}')]
    landed = source(host).fetch(tmp_path / "archive", None)
    assert landed is not None
    assert landed.path.read_bytes() == b'{"t":"\\ud800"}\n{"t":"\xc3\x98","n":12345678901234567890}\n'


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a/x?p=1>; rel="prev", <https://a/x?p=3>; rel="next"', "https://a/x?p=3"),
        ('<https://a/x?p=1,2>;title="a; b";rel=next', "https://a/x?p=1,2"),
        ('<u>; REL="last next"', "u"),
        ('<u>; rel="prev"', None),
        ('<u>; rel="nextish"', None),
        ("", None),
        ("<<<<>>>;;;rel", None),
    ],
)
def test_link_headers(header: str, target: str | None) -> None:
    assert next_link(header) == target


def test_an_offset_goes_on_by_what_came(host: FileHost) -> None:
    paging = paging_of({"kind": "offset", "param": "skip", "size": 50, "size_param": "limit"})
    first = paging.first(httpx2.URL("https://a.example/items?lang=de"))
    assert str(first) == "https://a.example/items?lang=de&limit=50&skip=0"
    second = paging.following(first, {}, {}, 50, 1)
    assert second is not None and second.params["skip"] == "50"
    third = paging.following(second, {}, {}, 20, 2)
    assert third is not None and third.params["skip"] == "70"
    assert paging.following(third, {}, {}, 0, 3) is None
