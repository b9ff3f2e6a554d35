"""A file at an https address: asked for only where it changed, resumed where it broke off, every fault in words."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import LandedFile
from connectors.sources import entry, url
from connectors.sources.url import WebFile
from core.errors import Misconfigured, Temporary
from tests.contract.source_rigs import SECRET, access
from tests.file_server import FileHost, Handler, cut, file_host, status

LIST = b"sku;title;cost\n" + b"".join(b"A%05d;Lampe;12,50\n" % n for n in range(20_000))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FileHost]:
    with file_host(tmp_path) as made:
        made.content = LIST
        entry.TOKENS._tokens.clear()
        yield made


class Look:
    """Looks at the host as one feed does: what it remembers and its last hash go from look to look."""

    def __init__(
        self, host: FileHost, into: Path, auth: dict[str, str] | None = None, **options: Any
    ) -> None:
        self.host, self.into, self.auth, self.options = host, into, auth, options
        self.last: str | None = None
        self.state: dict[str, Any] = {}
        self.waited: list[float] = []

    def source(self) -> WebFile:
        return WebFile(
            self.options.get("url", self.host.url()), self.auth, str(self.host.ca_file),
            access=access({"secret": SECRET}, self.state, self.options.get("limit", 10**9)), sleep=self.waited.append,
        )  # fmt: skip

    def __call__(self) -> LandedFile | None:
        source = self.source()
        landed = source.fetch(self.into, self.last)
        self.state, self.last = source.remembered, landed.sha256 if landed else self.last
        return landed


@pytest.fixture
def look(host: FileHost, tmp_path: Path) -> Look:
    return Look(host, tmp_path / "archive")


def test_an_unchanged_file_costs_a_304_and_no_body(look: Look, host: FileHost) -> None:
    landed = look()
    assert landed is not None and landed.name == "list.csv" and landed.path.read_bytes() == LIST
    assert landed.as_of is not None and landed.as_of.timestamp() == host.changed
    assert look.state == {"etag": host.etag, "last_modified": "Mon, 21 Sep 2026 14:13:20 GMT"}
    sent = host.sent
    assert look() is None
    assert host.sent == sent
    assert host.asked[-1][1]["if-none-match"] == host.etag
    assert host.asked[-1][1]["if-modified-since"] == look.state["last_modified"]


def test_the_first_look_asks_without_conditions_whatever_is_remembered(look: Look, host: FileHost) -> None:
    look.state = {"etag": host.etag}
    assert look() is not None
    assert "if-none-match" not in host.asked[-1][1]


def test_a_server_without_validators_is_fetched_whole_and_judged_by_hash(look: Look, host: FileHost) -> None:
    host.validators = False
    assert look() is not None and look.state == {}
    assert look() is None
    assert host.sent == 2 * len(LIST)
    assert any("does not say when" in word for word in look.source().test().warnings)


def test_a_broken_download_is_taken_up_where_it_broke(look: Look, host: FileHost) -> None:
    host.script = [cut(100_000)]
    landed = look()
    assert landed is not None and landed.path.read_bytes() == LIST
    assert [asked.get("range") for _, asked in host.asked] == [None, "bytes=100000-"]
    assert host.asked[1][1]["if-range"] == host.etag
    assert host.sent == len(LIST)


def test_a_packed_download_is_taken_up_too(look: Look, host: FileHost) -> None:
    host.packed = True
    packed = gzip.compress(LIST)

    def half(handler: Handler) -> None:
        headers = {"ETag": host.etag, "Content-Encoding": "gzip"}
        handler.answer(200, packed, headers, part=len(packed) // 2)

    host.script = [half]
    landed = look()
    assert landed is not None and landed.path.read_bytes() == LIST
    assert host.asked[1][1]["range"] == f"bytes={len(packed) // 2}-"


def test_a_file_that_changed_during_the_break_is_fetched_anew(look: Look, host: FileHost) -> None:
    def cut_and_change(handler: Handler) -> None:
        cut(50_000)(handler)
        host.content = LIST + b"B;new;1\n"

    host.script = [cut_and_change]
    landed = look()
    assert landed is not None and landed.path.read_bytes() == LIST + b"B;new;1\n"
    assert [file.name for file in look.into.rglob("*") if file.is_file()] == [f"{landed.sha256}.bin"]


def test_half_a_file_without_an_etag_is_no_file(look: Look, host: FileHost) -> None:
    host.validators, host.script = False, [cut(50_000)]
    with pytest.raises(Temporary, match=r"127\.0\.0\.1 broke the connection before everything had come"):
        look()
    assert not [file for file in look.into.rglob("*") if file.is_file()]
    assert look() is not None


def test_gzip_on_the_way_is_unpacked_and_a_bomb_never_lies_in_memory(
    look: Look, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.packed = True
    landed = look()
    assert landed is not None and landed.path.read_bytes() == LIST
    host.packed, host.content, look.options = False, b"", {"limit": 5_000_000}
    bomb = gzip.compress(bytes(200_000_000), 1)
    largest = []
    monkeypatch.setattr(url, "_decoded", _measured(url._decoded, largest))
    host.script = [status(200, bomb, content_encoding="gzip")]
    with pytest.raises(Misconfigured, match="larger than 5 MB"):
        look()
    assert max(largest) <= url.PIECE and sum(largest) <= 5_000_000 + url.PIECE


def _measured(real: Any, sizes: list[int]) -> Any:
    def pieces(*arguments: Any) -> Iterator[bytes]:
        for piece in real(*arguments):
            sizes.append(len(piece))
            yield piece

    return pieces


@pytest.mark.parametrize(
    ("packed", "error", "words"),
    [
        (b"this is plain", Misconfigured, "packed as gzip, and it is not"),
        (gzip.compress(LIST)[:-5000], Temporary, "breaks off"),
        (gzip.compress(LIST[:9]) + gzip.compress(LIST[9:]), None, ""),
    ],
)
def test_what_gzip_may_turn_out_to_be(
    look: Look, host: FileHost, packed: bytes, error: Any, words: str
) -> None:
    host.script = [status(200, packed, content_encoding="gzip")]
    if error is None:
        landed = look()
        assert landed is not None and landed.path.read_bytes() == LIST
    else:
        with pytest.raises(error, match=words):
            look()


def test_another_packing_is_refused(look: Look, host: FileHost) -> None:
    host.script = [status(200, zlib.compress(LIST), content_encoding="br")]
    with pytest.raises(Misconfigured, match="packs the file as 'br'"):
        look()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (status(401), Misconfigured, "answered 401: it asks for credentials; choose how to log in"),
        (
            status(403, b"<h1>Forbidden</h1>"),
            Misconfigured,
            r"answered 403 \(Forbidden\): it asks for credentials",
        ),
        (status(403, b'{"message": "No <b>feed</b> for you"}'), Misconfigured, r"403 \(No feed for you\)"),
        (status(404), Misconfigured, "answered 404: there is nothing at this address"),
        (status(410), Misconfigured, "answered 410: there is nothing at this address"),
        (status(418), Misconfigured, "answered 418; check the address"),
        (status(429, retry_after="3600"), Temporary, "answered 429"),
        (status(500, b"canary"), Temporary, "answered 500"),
        (status(503), Temporary, "answered 503"),
        (status(304), Misconfigured, "answered 304"),
        (status(206, b"half"), Temporary, "a part of the file that was not asked for"),
        (status(301, location="https://[::1"), Misconfigured, "address that is none"),
    ],
)
def test_the_table_of_statuses(
    look: Look, host: FileHost, answer: Any, error: type[Exception], words: str
) -> None:
    host.script = [answer]
    with pytest.raises(error, match=words) as caught:
        look()
    assert getattr(caught.value, "retry_after", None) == (3600 if "429" in words else None)
    assert not list(look.into.glob("**/*.bin"))


def test_a_short_retry_after_is_waited_for(look: Look, host: FileHost) -> None:
    host.script = [status(503, retry_after="2"), status(429, retry_after="4")]
    assert look() is not None
    assert look.waited == [2.0, 4.0]


def test_redirects_are_followed_and_no_further_than_five(look: Look, host: FileHost) -> None:
    host.script = [status(302, location="/moved/list.csv"), status(308, location=host.url())]
    landed = look()
    assert landed is not None and landed.path.read_bytes() == LIST
    assert [path for path, _ in host.asked] == ["/list.csv", "/moved/list.csv", "/list.csv"]
    host.script = [status(302, location="/round") for _ in range(9)]
    with pytest.raises(Misconfigured, match="sends the hub on and on"):
        look()
    assert len(host.script) == 3


@pytest.mark.parametrize("kind", ["basic", "header", "query", "bearer"])
def test_credentials_reach_their_host_and_no_other(
    look: Look, host: FileHost, tmp_path: Path, kind: str
) -> None:
    look.auth = {"kind": kind, "name": "x-api-key" if kind != "basic" else "nord"}
    with file_host(tmp_path) as other:  # another port is another server
        other.content = b"sku;title\n"
        host.script = [status(302, location=other.url("/elsewhere"))]
        assert look() is not None
        (path, headers), (elsewhere, told) = host.asked[0], other.asked[0]
    expected = {
        "basic": "Basic bm9yZDpjYW5hcnktZmVlZC1wYXNzd29yZA==", "header": SECRET, "bearer": f"Bearer {SECRET}", "query": None,
    }[kind]  # fmt: skip
    assert headers.get("x-api-key" if kind == "header" else "authorization") == expected
    assert path == ("/list.csv?x-api-key=" + SECRET if kind == "query" else "/list.csv")
    assert SECRET not in str(told) + elsewhere and "authorization" not in told and "x-api-key" not in told


def test_a_door_that_another_host_keeps_is_explained(look: Look, host: FileHost, tmp_path: Path) -> None:
    look.auth = {"kind": "bearer"}
    with file_host(tmp_path) as other:
        other.needs = {"Authorization": f"Bearer {SECRET}"}
        host.script = [status(302, location=other.url())]
        with pytest.raises(Misconfigured, match="credentials go to no other host"):
            look()


@pytest.mark.parametrize("kind", ["basic", "header", "query", "bearer", "oauth2"])
def test_a_server_that_echoes_the_credentials_cannot_have_them_shown(
    look: Look, host: FileHost, kind: str
) -> None:
    look.auth = {"kind": kind, "name": "canary-client", "token_url": host.url("/token")}
    entry.TOKENS._tokens.clear()

    def echo(handler: Handler) -> None:
        said = f"<p>no: {handler.path} {handler.headers.get('Authorization')} {handler.headers.get('canary-client')}</p>"
        handler.answer(403, said.encode())

    host.script = [echo] if kind != "oauth2" else [status(401, b'{"error": "canary-feed-password"}')] * 2
    with pytest.raises(Misconfigured) as caught:
        look()
    assert "•••" in str(caught.value)
    for secret in (SECRET, "Y2FuYXJ5LWNsaWVudDpjYW5hcnktZmVlZC1wYXNzd29yZA==", "canary-token-1"):
        assert secret not in str(caught.value)


def oauth(host: FileHost, look: Look, secret: str = "canary-secret") -> WebFile:
    auth = {"kind": "oauth2", "name": "canary-client", "token_url": host.url("/token"), "scope": "feeds"}
    return WebFile(
        host.url(),
        auth,
        str(host.ca_file),
        access=access({"secret": secret}, look.state),
        sleep=look.waited.append,
    )


def test_an_oauth_token_is_asked_for_once_and_kept_until_it_ends(
    look: Look, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(entry, "TOKENS", entry.Tokens(clock=lambda: clock[0]))
    host.needs = {"Authorization": "Bearer canary-token-1"}
    first = oauth(host, look).fetch(look.into, None)
    assert first is not None
    assert oauth(host, look).fetch(look.into, first.sha256) is None
    assert [(form["grant_type"], form["scope"]) for form in host.posted] == [("client_credentials", "feeds")]
    clock[0] += host.token_seconds - entry.EARLY - 1
    oauth(host, look).fetch(look.into, first.sha256)
    assert len(host.posted) == 1
    clock[0] += 2
    oauth(host, look).fetch(look.into, first.sha256)
    assert len(host.posted) == 2


def test_a_token_ended_before_its_time_is_renewed_once(look: Look, host: FileHost) -> None:
    host.needs = {"Authorization": "Bearer canary-token-1"}
    assert oauth(host, look).fetch(look.into, None) is not None
    host.token, host.needs = "canary-token-2", {"Authorization": "Bearer canary-token-2"}
    assert oauth(host, look).fetch(look.into, None) is not None
    assert len(host.posted) == 2
    host.needs = {"Authorization": "never"}
    with pytest.raises(Misconfigured, match="answered 401"):
        oauth(host, look).fetch(look.into, None)
    assert len(host.posted) == 3, "and not asked for again and again"


def test_a_wrong_client_is_told_in_the_token_servers_words(look: Look, host: FileHost) -> None:
    with pytest.raises(
        Misconfigured, match=r"token server answered 401 and gave no token \(invalid_client\)"
    ) as caught:
        oauth(host, look, secret="canary-wrong").fetch(look.into, None)
    assert "canary-wrong" not in str(caught.value)
    assert [form.get("client_id") for form in host.posted] == [None, "canary-client"], (
        "header first, then the form"
    )
    assert host.asked == [], "without a token the file is not asked for"


@pytest.mark.parametrize(
    ("auth", "secret"),
    [
        ({"kind": "bearer"}, "canary-ü"), ({"kind": "bearer"}, "canary\r\nX: y"), ({"kind": "header", "name": "X-Ü"}, "canary"),
        ({"kind": "header", "name": "Host"}, "canary"), ({"kind": "header", "name": "a: b"}, "canary"), ({"kind": "basic"}, ""),
    ],
)  # fmt: skip
def test_a_key_that_no_header_can_hold(host: FileHost, auth: dict[str, str], secret: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        WebFile(host.url(), auth, access=access({"secret": secret}))
    assert "canary" not in str(caught.value) and host.asked == []


@pytest.mark.parametrize(
    "address",
    ["https://user:pw@127.0.0.1/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "https:///x", "nonsense", "https://[::1/x"],
)  # fmt: skip
def test_addresses_that_are_none_are_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        WebFile(address, access=access())
    assert "pw" not in str(caught.value)


def test_a_certificate_nobody_confirms(look: Look, host: FileHost) -> None:
    with pytest.raises(
        Misconfigured, match="certificate that the public certificate authorities cannot confirm"
    ):
        WebFile(host.url(), access=access()).fetch(look.into, None)
    assert host.asked == []


@pytest.mark.parametrize(
    ("body", "looks", "warning"),
    [
        (b"<!DOCTYPE html><html><title>Login</title>", "a web page", "may need a login"),
        (b"\x89PNG\r\n\x1a\n", "a picture", "no feed"),
        (b"", "empty", "nothing would be taken in"),
        (b"\xff\xfes\0k\0u\0;\0a\0", "text, such as CSV", None),
        (b'<?xml version="1.0"?><rss/>', "XML", None),
        (b"PK\x03\x04....", "a zip archive or a workbook (XLSX, ODS)", None),
    ],
)
def test_a_test_judges_the_first_bytes(
    look: Look, host: FileHost, body: bytes, looks: str, warning: str | None
) -> None:
    host.content = body
    facts = look.source().test()
    assert (facts.looks, facts.bytes, facts.name, facts.content_type) == (
        looks,
        len(body),
        "list.csv",
        "text/csv",
    )
    assert [warning in word for word in facts.warnings if warning] == ([True] if warning else [])
    assert facts.changed_at is not None and facts.changed_at.timestamp() == host.changed


def test_a_test_reads_the_beginning_only(look: Look, host: FileHost) -> None:
    host.content = LIST * 100
    facts = look.source().test()
    assert facts.bytes == len(LIST) * 100
    assert facts.start is not None and facts.start.startswith("sku;title;cost\nA00000;Lampe;12,50")


def test_the_name_the_server_gives_is_only_a_name(look: Look, host: FileHost) -> None:
    host.script = [
        status(
            200, LIST, content_disposition="attachment; filename*=UTF-8''..%2F..%2FPreisliste%20M%C3%A4rz.csv"
        )
    ]
    landed = look()
    assert landed is not None and landed.name == "Preisliste März.csv"
