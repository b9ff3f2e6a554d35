"""The sandbox's WooCommerce shop answers every recorded request as the real shop did."""

import base64
import hashlib
import hmac
import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from tests.contract.sandbox_bench import NAMES, Bench, basic, load
from tests.contract.sandbox_states import PREPARATIONS

pytestmark = pytest.mark.skipif(not NAMES, reason="the recordings (../shared) are not here")
# What the shop sends of its own accord, rather than as an answer; each has a test of its own.
DELIVERIES = {"webhook_ping", "webhook_delivery_order"}
# Of the connection, not of the shop; or different in every installation.
IGNORED_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date"}
IGNORED_VALUES = {"related_ids", "store_id", "server_architecture"}
# Recordings whose requests took several seconds: the times inside are not all the same.
LONG = {"products_batch_create_100", "variations_batch_create"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    with made.shop:
        yield made


def body_of(name: str, recorded: Any) -> bytes | None:
    if name == "error_bad_json":
        return b'{"name": "x",'
    if recorded is None:
        return None
    text = json.dumps(whole(recorded))
    return text.encode()


def whole(value: Any) -> Any:
    """A trimmed list (`… "... 98 more"`) made complete again, counting on from its last two members."""
    if isinstance(value, dict):
        return {key: whole(member) for key, member in value.items()}
    if not isinstance(value, list):
        return value
    more = re.fullmatch(r"\.\.\. (\d+) more", value[-1]) if value and isinstance(value[-1], str) else None
    if more is None:
        return [whole(member) for member in value]
    kept = value[:-1]
    return kept + [counted_on(kept[-2], kept[-1], step) for step in range(1, int(more[1]) + 1)]


def counted_on(before: Any, last: Any, step: int) -> Any:
    if isinstance(last, dict):
        return {key: counted_on(before[key], last[key], step) for key in last}
    if isinstance(last, list):
        return [counted_on(b, v, step) for b, v in zip(before, last, strict=True)]
    if isinstance(last, int) and not isinstance(last, bool):
        return last + step * (last - before)
    if isinstance(last, str) and last != before:
        return re.sub(r"\d+(?=\D*$|\.99$)", lambda found: str(int(found[0]) + step), last, count=1)
    return last


def headers_of(bench: Bench, request: Any) -> dict[str, str]:
    keys = bench.shop.keys
    known = {
        "Basic base64(CONSUMER_KEY:CONSUMER_SECRET)": basic(keys.key, keys.secret),
        "Basic base64(CONSUMER_KEY:wrong)": basic(keys.key, "wrong"),
        "Basic base64(READONLY_KEY:READONLY_SECRET)": basic(keys.readonly_key, keys.readonly_secret),
    }
    left_out = {"Content-Length", "Accept-Encoding", "Connection"}
    return {
        name: known.get(value, value) for name, value in request["headers"].items() if name not in left_out
    }


def signed(bench: Bench, target: str) -> str:
    """The recorded OAuth query with this shop's key and a signature made here, by RFC 5849."""
    path, _, query = target.partition("?")
    query = query.replace("CONSUMER_KEY", bench.shop.keys.key)
    pairs = [part.split("=") for part in query.split("&") if not part.startswith("oauth_signature=")]
    encoded = sorted(
        (quote(unquote(name), safe="~"), quote(unquote(value), safe="~")) for name, value in pairs
    )
    joined = "&".join(f"{name}={value}" for name, value in encoded)
    base = f"GET&{quote(bench.shop.http_url + path, safe='')}&{quote(joined, safe='')}"
    digest = hmac.new(f"{bench.shop.keys.secret}&".encode(), base.encode(), hashlib.sha256).digest()
    return f"{path}?{query.replace('OAUTH_SIGNATURE', quote(base64.b64encode(digest).decode(), safe=''))}"


def times_of(recorded: Any, headers: dict[str, str]) -> float:
    """When the shop answered: the newest date_modified_gmt of the answer, else its Date header."""
    found = re.findall(r'"date_(?:modified|created)_gmt": "([^"]+)"', json.dumps(recorded))
    if found:
        return datetime.fromisoformat(max(found)).replace(tzinfo=UTC).timestamp()
    return parsedate_to_datetime(headers["date"]).timestamp()


# ---- comparing ----


def neutral(bench: Bench, text: str) -> str:
    """This shop's hosts and keys as the recordings name them."""
    for address in (bench.shop.url, bench.shop.http_url):
        text = text.replace(urlsplit(address).netloc, "shop.example")
    text = text.replace(bench.shop.keys.key, "CONSUMER_KEY")
    return random_parts(re.sub(r"oauth_signature=[^&>\"]+", "oauth_signature=OAUTH_SIGNATURE", text))


def random_parts(text: str) -> str:
    """Order keys and hashes, which no two shops make alike."""
    text = re.sub(r"wc_order_\w{13}", "wc_order_KEY", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "HASH", text)
    return re.sub(r"(place-order-debug-)[0-9a-f]{8}", r"\1HASH", text)


def differences(recorded: Any, answered: Any, where: str, *, trimmed: bool, ignored: set[str]) -> list[str]:
    """Every place where the answer is not what was recorded; of a trimmed recording only what it still has."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        names = set(recorded) if trimmed else set(recorded) | set(answered)
        found = []
        for name in sorted(names - ignored):
            if name not in recorded or name not in answered:
                found.append(f"{where}.{name}: only in the {'recording' if name in recorded else 'answer'}")
            else:
                found += differences(
                    recorded[name], answered[name], f"{where}.{name}", trimmed=trimmed, ignored=ignored
                )
        return found
    if isinstance(recorded, list) and isinstance(answered, list):
        more = re.fullmatch(r"\.\.\. (\d+) more", str(recorded[-1])) if recorded else None
        kept = recorded[:-1] if more else recorded
        expected = len(kept) + (int(more[1]) if more else 0)
        if len(answered) != expected:
            return [f"{where}: {expected} recorded, {len(answered)} answered"]
        return [
            line
            for index, member in enumerate(kept)
            for line in differences(
                member, answered[index], f"{where}[{index}]", trimmed=trimmed, ignored=ignored
            )
        ]
    if where.endswith(".id") and ".meta_data[" in where and isinstance(answered, int):
        return []  # a shop counts hidden meta too
    same = type(recorded) is type(answered) and recorded == answered
    return [] if same else [f"{where}: recorded {recorded!r}, answered {answered!r}"]


def test_every_recording_is_replayed() -> None:
    assert len(NAMES) == 81
    assert set(NAMES) == set(PREPARATIONS) | DELIVERIES
    assert not set(PREPARATIONS) & DELIVERIES


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DELIVERIES])
def test_answers_as_recorded(bench: Bench, name: str) -> None:
    recording = json.loads(random_parts(json.dumps(load(name))))
    request, response = recording["request"], recording["response"]
    wanted_headers = {key.lower(): value for key, value in response["headers"]}
    bench.moment = times_of(response.get("json"), wanted_headers)
    PREPARATIONS[name](bench)

    parts = urlsplit(request["url"])
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    if "OAUTH_SIGNATURE" in target:
        target = signed(bench, target)
    body = body_of(name, request["json"])
    if body is not None:
        own = {
            scheme: urlsplit(address).netloc
            for scheme, address in (("http", bench.shop.http_url), ("https", bench.shop.url))
        }
        for scheme, netloc in own.items():
            body = body.replace(f"{scheme}://shop.example".encode(), f"{scheme}://{netloc}".encode())
    reply, answered = bench.send(
        request["method"], target, headers_of(bench, request), body, secure=parts.scheme == "https"
    )

    assert reply.status == response["status"], answered[:500]
    text = neutral(bench, answered.decode().replace("\\/", "/"))
    headers = {key.lower(): neutral(bench, value) for key, value in reply.getheaders()}
    for key in set(headers) ^ set(wanted_headers) - IGNORED_HEADERS:
        assert key in IGNORED_HEADERS, f"header {key} is only on one side"
    for key in set(wanted_headers) - IGNORED_HEADERS:
        assert headers[key] == wanted_headers[key], key
    if response["json"] is None:
        compare_text(response["text"].replace("\\/", "/"), text)
        return
    ignored = IGNORED_VALUES | ({"date_modified_gmt"} if name in LONG else set())
    trimmed = bool(response["trimmed"])
    assert differences(response["json"], json.loads(text), "", trimmed=trimmed, ignored=ignored) == []


def compare_text(recorded: str, answered: str) -> None:
    """A body that is not JSON: stray text with JSON behind it, or a page whose sentence matters."""
    if recorded.startswith("<!DOCTYPE"):
        sentence = re.compile(r'<div class="wp-die-message">(.*?)</div>')
        assert sentence.findall(answered) == sentence.findall(recorded) != []
        return
    start = recorded.index("[{")
    assert answered[:start] == recorded[:start]
    found = differences(
        json.loads(recorded[start:]), json.loads(answered[start:]), "", trimmed=False, ignored=IGNORED_VALUES
    )
    assert found == []


class Receiver:
    """Takes one request per connection on 127.0.0.1 and keeps it byte for byte."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def take(self) -> tuple[str, dict[str, str], bytes]:
        """The request line, the headers and the body of the next request, answered with 200."""
        line, _ = self.socket.accept()
        with line, line.makefile("rb") as stream:
            line.settimeout(10)
            first = stream.readline().decode().strip()
            headers = dict(pair.decode().strip().split(": ", 1) for pair in iter(stream.readline, b"\r\n"))
            body = stream.read(int(headers["Content-Length"]))
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return first, headers, body


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with made.socket:
        yield made


def subscribe(bench: Bench, receiver: Receiver, secret: str) -> None:
    bench.number("webhook", 2)
    wish = {"name": "hub order.created", "topic": "order.created", "secret": secret}
    bench.ask("POST", "/webhooks", {**wish, "delivery_url": f"{receiver.url}/wc/order.created"})


def test_a_new_webhook_is_pinged_as_recorded(bench: Bench, receiver: Receiver) -> None:
    recorded = load("webhook_ping")["request"]
    subscribe(bench, receiver, "s")
    first, headers, body = receiver.take()
    headers.pop("Host")
    assert first == f"{recorded['method']} {recorded['path']} HTTP/1.1"
    assert headers == dict(recorded["headers"])
    assert body.decode() == recorded["raw_body"]


def test_a_new_order_is_delivered_as_recorded(bench: Bench, receiver: Receiver) -> None:
    recording = load("webhook_delivery_order")
    recorded = recording["request"]
    bench.at("2026-11-22T22:06:32")
    subscribe(bench, receiver, recording["secret"])
    receiver.take()
    bench.number("post", 371)
    wish = {"name": "Bulk B100 350", "sku": "BULK-B100-350", "regular_price": "5.55"}
    bench.ask("POST", "/products", {**wish, "manage_stock": True, "stock_quantity": 9})
    bench.number("post", 667)
    bench.number("line", 709)
    billing = {"first_name": "W", "last_name": "H", "city": "Berlin", "postcode": "10115", "country": "DE"}
    lines = [{"product_id": 371, "quantity": 1}]
    order = {"set_paid": True, "billing": {**billing, "email": "w@example.test"}, "line_items": lines}
    bench.ask("POST", "/orders", order)
    first, headers, body = receiver.take()

    wanted = dict(recorded["headers"])
    signature = hmac.new(recording["secret"].encode(), body, hashlib.sha256).digest()
    assert first == f"{recorded['method']} {recorded['path']} {recorded['http']}"
    assert headers["X-WC-Webhook-Signature"] == base64.b64encode(signature).decode()
    assert re.fullmatch(r"[0-9a-f]{32}", headers["X-WC-Webhook-Delivery-ID"])
    assert headers["X-WC-Webhook-Source"] == f"{bench.shop.url}/"
    own = {
        "Host",
        "Content-Length",
        "X-WC-Webhook-Signature",
        "X-WC-Webhook-Delivery-ID",
        "X-WC-Webhook-Source",
    }
    assert set(headers) == set(wanted)
    assert {name: headers[name] for name in set(wanted) - own} == {
        name: wanted[name] for name in set(wanted) - own
    }
    # Byte for byte, but for the host, the order's key and the count of hidden meta.
    text = body.decode().replace(bench.shop.url.replace("/", "\\/"), "http:\\/\\/127.0.0.1:8780")
    assert counted_alike(text) == counted_alike(recorded["raw_body"])


def counted_alike(text: str) -> str:
    return re.sub(r'"meta_data":\[\{"id":\d+', '"meta_data":[{"id":0', random_parts(text))
