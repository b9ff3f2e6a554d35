"""The one HTTP client: what each status, broken connection and strange body means, and that no secret gets out."""

import datetime
import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connectors import http as module
from connectors.http import Answer, Http
from core.errors import EntrepotError, Misconfigured, Temporary, Unknown
from tests.unit.scripted_server import (
    BASIC,
    JSON,
    KEY,
    SECRET,
    Handler,
    Script,
    Server,
    client,
    cut,
    drop,
    hang,
    trickle,
)


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.hold.set()


@pytest.fixture
def server(script: Script) -> Iterator[int]:
    with Server(("127.0.0.1", 0), type("Here", (Handler,), {"script": script})) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield httpd.server_port
        script.hold.set()
        httpd.shutdown()
        thread.join()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def http(server: int, waits: list[float]) -> Iterator[Http]:
    made = client(server, waits)
    yield made
    made.close()


def test_a_read_is_asked_and_parsed(http: Http, script: Script) -> None:
    script.answers = [(200, JSON, '[{"price": 12.10}]')]
    answer = http.get("wc/v3/products", {"sku": "A,B", "page": 2})
    assert answer == Answer(200, [{"price": Decimal("12.10")}])
    method, path, headers, body = script.received[0]
    assert (method, path, body) == ("GET", "/wp-json/wc/v3/products?sku=A%2CB&page=2", b"")
    assert headers["authorization"] == f"Basic {BASIC}"
    assert headers["accept"] == "application/json"


def test_an_anonymous_read_carries_no_key(http: Http, script: Script) -> None:
    script.answers = [(200, JSON, "{}")]
    http.get("", anonymous=True)
    assert "authorization" not in script.received[0][2]


def test_one_connection_serves_many_calls(http: Http, script: Script) -> None:
    ports: set[int] = set()

    def note(handler: Handler) -> None:
        ports.add(handler.client_address[1])
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"[]")

    script.answers = [note]
    for _ in range(5):
        http.get("x")
    assert len(ports) == 1


def test_a_write_sends_json(http: Http, script: Script) -> None:
    script.answers = [(200, JSON, '{"create": []}')]
    assert http.post("batch", {"create": [{"regular_price": "1.00"}]}, seconds=5).body == {"create": []}
    method, _, headers, body = script.received[0]
    assert (method, headers["content-type"], json.loads(body)) == (
        "POST", "application/json", {"create": [{"regular_price": "1.00"}]},
    )  # fmt: skip


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\n\n  ", b"\xef\xbb\xbf\r\n"])
def test_a_byte_order_mark_and_blank_lines_are_harmless(http: Http, script: Script, prefix: bytes) -> None:
    script.answers = [(200, JSON, prefix + b'{"id": 1}')]
    assert http.post("x", {}, seconds=5).body == {"id": 1}


# status, headers, body, error of a read, error of a write; None = an answer
TABLE = [
    (400, {}, '{"code": "rest_invalid_param", "message": "no"}', None, None),
    (404, {}, "<html>gone</html>", None, None),
    (413, {}, "<html>too large</html>", None, None),
    (501, {}, '{"message": "not simulated"}', None, None),
    (401, {}, '{"message": "Consumer key is invalid."}', Misconfigured, Misconfigured),
    (403, {}, "<html>Forbidden</html>", Misconfigured, Misconfigured),
    (301, {"Location": "https://www.shop.example/?key=1"}, "", Misconfigured, Misconfigured),
    (429, {"Retry-After": "30"}, "", Temporary, Temporary),
    (503, {"Retry-After": "600"}, "", Temporary, Temporary),
    (503, {}, "<h1>Backend fetch failed</h1>", Temporary, Unknown),
    (500, {}, '{"message": "<p>There has been a critical error</p>"}', Temporary, Unknown),
    (502, {}, "", Temporary, Unknown),
    (504, {}, "", Temporary, Unknown),
    (200, {}, "<br />Warning: line 3<br />[1]", Misconfigured, Unknown),
    (200, {}, "<html>Just a moment</html>", Misconfigured, Unknown),
    (200, {}, '[{"id": 1', Temporary, Unknown),
    (200, {}, "", Temporary, Unknown),
]


@pytest.mark.parametrize(("status", "headers", "body", "read", "write"), TABLE)
def test_what_each_answer_means(
    http: Http, script: Script, status: int, headers: dict[str, str], body: str,
    read: type[EntrepotError] | None, write: type[EntrepotError] | None,
) -> None:  # fmt: skip
    script.answers = [(status, headers, body)]
    for expected, call in ((read, lambda: http.get("x")), (write, lambda: http.post("x", {}, seconds=5))):
        if expected is None:
            assert call().status == status
        else:
            with pytest.raises(EntrepotError) as caught:
                call()
            assert type(caught.value) is expected
            assert str(caught.value).startswith("The shop ")


def test_sentences_say_what_to_do(http: Http, script: Script) -> None:
    script.answers = [(200, {}, "<br />Warning: deprecated in plugin.php on line 3<br />[]")]
    with pytest.raises(
        Misconfigured,
        match=r"“Warning: deprecated in plugin\.php on line 3 \[\]”.*a plugin prints before the answer",
    ):
        http.get("x")
    script.answers = [(500, {}, '{"message": "<p>There has been a <b>critical</b> error</p>"}')]
    with pytest.raises(Temporary, match=r"answered 500 \(There has been a critical error\)"):
        http.get("x")
    script.answers = [(301, {"Location": "https://www.shop.example/a?k=1"}, "")]
    with pytest.raises(Misconfigured, match=r"on to https://www\.shop\.example/a;"):
        http.get("x")


def test_a_refusal_keeps_its_code_and_words(http: Http, script: Script) -> None:
    script.answers = [
        (400, JSON, '{"code": "term_exists", "message": "A &amp; <b>B</b>", "data": {"resource_id": 7}}')
    ]
    answer = http.post("x", {}, seconds=5)
    assert (answer.code, answer.message, answer.body["data"]["resource_id"]) == ("term_exists", "A & B", 7)
    assert not answer.ok


def test_a_channel_may_word_a_refused_key_itself(server: int, script: Script, waits: list[float]) -> None:
    script.answers = [(401, JSON, '{"code": "bad", "message": "m"}')]
    http = client(server, waits, explain=lambda answer: f"own words for {answer.code}")
    with pytest.raises(Misconfigured, match="own words for bad"):
        http.get("x")


def test_three_attempts_with_growing_jitter_and_none_for_a_refusal(
    http: Http, script: Script, waits: list[float]
) -> None:
    script.answers = [(502, {}, "")]
    with pytest.raises(Temporary):
        http.get("x")
    assert len(script.received) == 3
    assert len(waits) == 2 and 0 <= waits[0] <= 0.5 and 0 <= waits[1] <= 1.0
    script.answers = [(404, {}, "")]
    assert http.get("x").status == 404
    assert len(script.received) == 4


def test_a_later_attempt_may_succeed(http: Http, script: Script) -> None:
    script.answers = [(502, {}, ""), drop, (200, JSON, "[5]")]
    assert http.get("x").body == [5]


def test_retry_after_is_honoured_and_a_long_one_is_handed_on(
    http: Http, script: Script, waits: list[float]
) -> None:
    script.answers = [(429, {"Retry-After": "3"}, ""), (200, JSON, "[]")]
    assert http.get("x").ok
    assert 3 <= waits[0] <= 3.5
    script.answers = [(503, {"Retry-After": "600"}, "")]
    with pytest.raises(Temporary) as caught:
        http.get("x")
    assert caught.value.retry_after == 600
    assert len(waits) == 1


def test_retry_after_as_a_date(monkeypatch: pytest.MonkeyPatch, http: Http, script: Script) -> None:
    monkeypatch.setattr(module, "now", lambda: datetime.datetime(2026, 11, 22, 22, 0, 0, tzinfo=datetime.UTC))
    script.answers = [(503, {"Retry-After": "Sun, 22 Nov 2026 22:10:00 GMT"}, "")]
    with pytest.raises(Temporary) as caught:
        http.get("x")
    assert caught.value.retry_after == 600


@pytest.mark.parametrize("fault", [drop, cut])
def test_a_connection_lost_after_sending_is_unknown_for_a_write(
    http: Http, script: Script, fault: Any
) -> None:
    script.answers = [fault]
    with pytest.raises(Unknown, match="Whether the change was made is not known"):
        http.post("x", {}, seconds=5)
    assert len(script.received) == 1
    with pytest.raises(Temporary):
        http.get("x")
    assert len(script.received) == 4


def test_a_hanging_server_is_given_up(http: Http, script: Script) -> None:
    script.answers = [hang]
    with pytest.raises(Unknown, match=r"did not answer within 0\.2 s"):
        http.post("x", {}, seconds=0.2)
    assert len(script.received) == 1


def test_a_trickle_ends_with_the_whole_calls_time(
    monkeypatch: pytest.MonkeyPatch, http: Http, script: Script
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    script.answers = [trickle]
    started = time.monotonic()
    with pytest.raises(Unknown):
        http.post("x", {}, seconds=0.3)
    assert time.monotonic() - started < 5


def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch, http: Http, script: Script) -> None:
    monkeypatch.setattr(module, "LARGEST_BODY", 1024**2)
    bomb = gzip.compress(b"[" + b" " * (3 * 1024**2) + b"]")
    assert len(bomb) < 10_000
    script.answers = [(200, {"Content-Encoding": "gzip"}, bomb)]
    with pytest.raises(Misconfigured, match="more than 1 MB"):
        http.get("x")
    with pytest.raises(Unknown, match="more than 1 MB"):
        http.post("x", {}, seconds=5)


def test_nobody_listening_is_temporary_for_a_write_too(waits: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        http = client(taken.getsockname()[1], waits)
        with pytest.raises(Temporary, match=r"cannot be reached \(Connection refused\)"):
            http.post("x", {}, seconds=5)
    assert len(waits) == 2


def test_no_secret_leaves_by_error_or_repr(http: Http, script: Script) -> None:
    echo = f"key {KEY} secret {SECRET} header {BASIC}"
    messages = [repr(http)]
    for status in (200, 301, 401, 403, 429, 500, 503):
        script.answers = [(status, {"Location": f"https://{KEY}:{SECRET}@x.example/{BASIC}"}, echo)]
        for call in (lambda: http.get("x"), lambda: http.post("x", {}, seconds=5)):
            with pytest.raises(EntrepotError) as caught:
                call()
            assert caught.value.__cause__ is None
            messages.append(str(caught.value))
    script.answers = [(400, JSON, json.dumps({"code": "c", "message": echo}))]
    refused = http.get("x")
    messages += [refused.message, repr(refused)]
    told = "\n".join(messages)
    assert "•••" in told
    for secret in (KEY, SECRET, BASIC):
        assert secret not in told
