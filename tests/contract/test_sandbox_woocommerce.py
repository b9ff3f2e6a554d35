"""The sandbox's WooCommerce shop answers every recorded request as the real shop did."""

import base64
import hashlib
import hmac
import http.client
import json
import re
import ssl
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from sandbox.woocommerce import Shop

TRANSCRIPTS = Path(__file__).resolve().parents[2].parent / "shared" / "woocommerce" / "transcripts"
NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.json"))
pytestmark = pytest.mark.skipif(not NAMES, reason="the recordings (../shared) are not here")
API = "/wp-json/wc/v3"
# Of the connection, not of the shop; or different in every installation.
IGNORED_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date"}
IGNORED_VALUES = {"related_ids", "store_id", "server_architecture"}


class Bench:
    """A shop whose clock and counters are set as they stood when a recording was made."""

    def __init__(self, folder: Path) -> None:
        self.moment = 0.0
        self.folder = folder
        self.shop = Shop(folder, tax_included=True, clock=lambda: self.moment)
        self.trust = ssl.create_default_context(cafile=str(self.shop.ca_file))

    def at(self, moment: str) -> None:
        self.moment = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()

    def number(self, counter: str, first: int) -> None:
        with self.shop.site.store.work():
            self.shop.site.store.start_counter(counter, first)

    def send(
        self, method: str, target: str, headers: dict[str, str], body: bytes | None, *, secure: bool = True
    ) -> tuple[http.client.HTTPResponse, bytes]:
        netloc = urlsplit(self.shop.url if secure else self.shop.http_url).netloc
        if secure:
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                netloc, context=self.trust, timeout=20
            )
        else:
            line = http.client.HTTPConnection(netloc, timeout=20)
        try:
            line.request(method, target, body, headers)
            reply = line.getresponse()
            return reply, reply.read()
        finally:
            line.close()

    def ask(self, method: str, path: str, fields: Any = None) -> Any:
        """A request of the preparation, which must succeed."""
        headers = {"Authorization": basic(self.shop.keys.key, self.shop.keys.secret)}
        body = None
        if fields is not None:
            headers["Content-Type"], body = "application/json", json.dumps(fields).encode()
        reply, found = self.send(method, API + path, headers, body)
        assert reply.status < 300, found
        return json.loads(found)

    def as_recorded(self, name: str) -> Any:
        """Send another recording's request as part of the preparation."""
        request = load(name)["request"]
        path = urlsplit(request["url"]).path.removeprefix(API)
        return self.ask(request["method"], path, request["json"])


def load(name: str) -> Any:
    return json.loads((TRANSCRIPTS / f"{name}.json").read_text("utf-8"))


def basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    with made.shop:
        yield made


# ---- the state each recording supposes ----


def nothing(bench: Bench) -> None:
    """A new shop."""


def mug(bench: Bench) -> None:
    moment = bench.moment
    bench.at("2026-11-22T21:43:50")
    bench.number("post", 10)
    bench.number("meta", 28)
    bench.as_recorded("product_create_simple")
    bench.moment = moment


def mug_with(**fields: Any) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        mug(bench)
        bench.ask("PUT", "/products/10", fields)

    return prepare


def terms(bench: Bench) -> None:
    bench.number("term", 16)
    bench.ask("POST", "/products/categories", {"name": "Shirts"})
    bench.ask("POST", "/products/attributes", {"name": "Size"})
    bench.number("post", 14)


def shirt(bench: Bench) -> None:
    moment = bench.moment
    terms(bench)
    bench.at("2026-11-22T21:44:49")
    bench.as_recorded("product_create_variable")
    bench.moment = moment


def shirt_with_variations(bench: Bench) -> None:
    shirt(bench)
    bench.as_recorded("variations_batch_create")


def mug_and_shirt(bench: Bench) -> None:
    mug(bench)
    shirt_with_variations(bench)
    bench.as_recorded("variations_batch_update_stock")


def before_image(bench: Bench) -> None:
    mug(bench)
    bench.number("post", 11)
    picture = bench.folder / "public" / "testimg" / "blue.jpg"
    picture.parent.mkdir(parents=True)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 400, 600, 1) + b"\x01\x11\x00"
    picture.write_bytes(b"\xff\xd8" + frame + b"\xff\xd9")


def licence_text(bench: Bench) -> None:
    (bench.folder / "public").mkdir()
    (bench.folder / "public" / "license.txt").write_text("WordPress - Web publishing software")


def private_images(bench: Bench) -> None:
    bench.shop.site.images = "private"


def many(bench: Bench) -> None:
    """356 products, the newest of them 374."""
    bench.number("post", 374 - 355)
    for first in range(0, 356, 100):
        wanted = [{"name": f"Bulk {n}", "sku": f"BULK-{n}"} for n in range(first, min(first + 100, 356))]
        bench.ask("POST", "/products/batch", {"create": wanted})


def timed_out(bench: Bench) -> None:
    bench.number("post", 393)
    bench.as_recorded("products_batch_retry_after_timeout")


def parent_with_stock(bench: Bench) -> None:
    bench.number("post", 43)
    color = {"name": "Color", "variation": True, "options": ["red", "blue"]}
    stock = {"manage_stock": True, "stock_quantity": 9}
    bench.ask("POST", "/products", {"name": "P", "type": "variable", "attributes": [color], **stock})


def parent_with_variation(bench: Bench) -> None:
    parent_with_stock(bench)
    bench.as_recorded("variation_stock_managed_by_parent")


def trashed(bench: Bench) -> None:
    made = bench.ask("POST", "/products", {"name": "T", "sku": "TRASH-H2"})
    bench.ask("DELETE", f"/products/{made['id']}")


def one_to_trash(bench: Bench) -> None:
    bench.number("post", 375)
    bench.ask("POST", "/products", {"name": "Trash me", "sku": "TRASH-1"})


def race(bench: Bench) -> None:
    bench.at("2026-11-22T21:53:11")
    bench.number("post", 424)
    bench.ask("POST", "/products", {"name": "race", "sku": "RACE-1", "regular_price": "1.00"})
    bench.shop.faults.add("stray")


def before_mixed(bench: Bench) -> None:
    mug(bench)
    bench.number("post", 372)


def fault(kind: str) -> Callable[[Bench], None]:
    return lambda bench: bench.shop.faults.add(kind)


PREPARATIONS: dict[str, Callable[[Bench], None]] = {
    "broken_json_plugin_notice": race,
    "currency_current": nothing,
    "error_500_database_down": fault("database_down"),
    "error_500_php_fatal": fault("php_fatal"),
    "error_503_maintenance": fault("maintenance"),
    "error_503_maintenance_html": fault("maintenance"),
    "error_attribute_duplicate": terms,
    "error_auth_bad_secret": nothing,
    "error_auth_basic_over_http": nothing,
    "error_auth_none": nothing,
    "error_auth_readonly_write": nothing,
    "error_bad_json": nothing,
    "error_batch_over_100": nothing,
    "error_category_exists": terms,
    "error_duplicate_gtin": mug,
    "error_duplicate_sku": mug,
    "error_image_404": nothing,
    "error_image_dns": nothing,
    "error_image_nonimage": licence_text,
    "error_image_private_host": nothing,
    "error_image_refused": private_images,
    "error_invalid_enum": mug,
    "error_no_route": nothing,
    "error_per_page_101": nothing,
    "error_product_404": nothing,
    "error_sku_held_by_trashed": trashed,
    "error_stock_decimal": mug,
    "error_stock_not_number": mug,
    "oauth1_get_over_http": many,
    "product_create_number_price": nothing,
    "product_create_simple": lambda bench: (bench.number("post", 10), bench.number("meta", 28))[0],
    "product_create_variable": terms,
    "product_create_with_image": before_image,
    "product_delete_to_trash": one_to_trash,
    "product_get_variable": shirt_with_variations,
    "product_put_attributes_replaces": parent_with_variation,
    "product_put_inventory_delta": mug_with(stock_quantity=10),
    "product_put_price_comma": mug_with(stock_quantity=5),
    "product_put_price_empty": mug_with(stock_quantity=5),
    "product_put_sale_above_regular": mug_with(stock_quantity=5),
    "product_put_stock": mug,
    "product_put_stock_negative": mug,
    "product_put_stock_status_ignored": mug_with(stock_quantity=0),
    "product_put_stock_unmanaged_ignored": mug_with(manage_stock=False),
    "products_batch_create_100": lambda bench: bench.number("post", 172),
    "products_batch_given_variation_id": shirt_with_variations,
    "products_batch_mixed_errors": before_mixed,
    "products_batch_retry_after_timeout": timed_out,
    "products_by_sku_list": mug_and_shirt,
    "products_page_2": many,
    "products_page_beyond": many,
    "setting_prices_include_tax": nothing,
    "system_status": nothing,
    "variation_get": shirt_with_variations,
    "variation_stock_managed_by_parent": parent_with_stock,
    "variations_batch_create": shirt,
    "variations_batch_update_stock": shirt_with_variations,
}
# Recordings whose requests took several seconds: the times inside are not all the same.
LONG = {"products_batch_create_100", "variations_batch_create"}


# ---- sending a recording again ----


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
    signature = re.compile(r"oauth_signature=[^&>\"]+")
    return signature.sub("oauth_signature=OAUTH_SIGNATURE", text.replace(bench.shop.keys.key, "CONSUMER_KEY"))


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
    same = type(recorded) is type(answered) and recorded == answered
    return [] if same else [f"{where}: recorded {recorded!r}, answered {answered!r}"]


@pytest.mark.parametrize("name", NAMES)
def test_answers_as_recorded(bench: Bench, name: str) -> None:
    if name not in PREPARATIONS:
        pytest.skip("the order side is not simulated yet")
    recording = load(name)
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
