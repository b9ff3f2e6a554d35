"""The sandbox shop's consent page gives keys to whom the owner lets in; over http only signed requests count."""

import html
import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from sandbox.woocommerce import Shop
from sandbox.woocommerce.keys import oauth_signature
from tests.unit.test_sandbox_shop import API, Client

RETURN = "https://hub.example/back?from=shop"


class Hub(HTTPServer):
    """Takes what it is sent as JSON, and answers as told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), Taker)


class Taker(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        self.server.told.append((kind, self.path, json.loads(body) if "json" in kind else body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@contextmanager
def listening() -> Iterator[Hub]:
    with Hub() as made:
        thread = Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with listening() as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, name="Mugs & More", plain_callbacks=True) as running:
        yield running


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    made = Client(shop.description())
    yield made
    made.line.close()


def asked(hub: Hub, **changes: str) -> dict[str, str]:
    callback = f"http://127.0.0.1:{hub.server_port}/granted?x=1"
    plain = {"app_name": "Entrepot", "scope": "read_write", "user_id": "state-1"}
    return {**plain, "return_url": RETURN, "callback_url": callback, **changes}


def visit(client: Client, method: str, target: str, body: str | None = None) -> tuple[int, str, str]:
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    client.line.request(method, target, body, kind)
    reply = client.line.getresponse()
    return reply.status, reply.getheader("Location", ""), reply.read().decode()


def test_a_click_on_approve_sends_the_keys_and_leads_back(client: Client, hub: Hub) -> None:
    status, _, page = visit(client, "GET", f"/wc-auth/v1/authorize?{urlencode(asked(hub))}")
    assert status == 200
    assert "Entrepot would like to connect to your store" in page
    assert hub.told == []
    approve, deny = (html.unescape(link) for link in re.findall(r'href="([^"]+)"', page))
    assert deny == f"{RETURN}&success=0&user_id=state-1"

    assert visit(client, "GET", approve)[:2] == (302, f"{RETURN}&success=1&user_id=state-1")
    [(kind, path, keys)] = hub.told
    assert (kind, path) == ("application/json;charset=UTF-8", "/granted?x=1")
    assert {name: keys[name] for name in ("key_id", "user_id", "key_permissions")} == {
        "key_id": 1,
        "user_id": "state-1",
        "key_permissions": "read_write",
    }
    granted = Client({**client.known, "key": keys["consumer_key"], "secret": keys["consumer_secret"]})
    assert granted.ask("POST", "/products", {"name": "A"})[0] == 201
    client.switch("DELETE", "keys", {"key": keys["consumer_key"]})
    status, refused = granted.ask("GET", "/products")
    assert (status, refused["message"]) == (401, "Sorry, you cannot list resources.")


def test_a_post_is_a_click(client: Client, hub: Hub) -> None:
    body = urlencode(asked(hub, scope="read"))
    assert visit(client, "POST", "/wc-auth/v1/authorize", body)[0] == 302
    keys = hub.told[0][2]
    reader = Client({**client.known, "key": keys["consumer_key"], "secret": keys["consumer_secret"]})
    assert reader.ask("GET", "/products") == (200, [])
    assert reader.ask("POST", "/products", {"name": "A"})[0] == 401
    denied = visit(client, "POST", "/wc-auth/v1/authorize", f"{body}&deny=1")
    assert denied[:2] == (302, f"{RETURN}&success=0&user_id=state-1")
    assert len(hub.told) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"user_id": ""}, "Missing parameter user_id"),
        ({"scope": "all"}, "Invalid scope all"),
        ({"return_url": "https://"}, "The return_url is not a valid URL"),
        ({"callback_url": "http://127.0.0.1:9/x"}, "The callback_url needs to be over SSL"),
    ],
)
def test_what_no_shop_lets_in(client: Client, hub: Hub, changes: dict[str, str], sentence: str) -> None:
    client.switch("POST", "settings", {"plain_callbacks": False})
    query = urlencode(asked(hub, callback_url="https://hub.example/granted") | changes)
    for method in ("GET", "POST"):
        status, _, page = visit(client, method, f"/wc-auth/v1/authorize?{query}")
        assert (status, f"Error: {sentence}." in page) == (401, True)
    assert client.switch("GET", "keys") == []


def test_keys_that_were_not_taken_are_no_keys(client: Client, hub: Hub) -> None:
    hub.status = 500
    status, _, page = visit(client, "POST", f"/wc-auth/v1/authorize?{urlencode(asked(hub))}")
    assert status == 401
    assert "unable to send the consumer data" in page
    assert len(hub.told) == 1
    assert client.switch("GET", "keys") == []


def test_a_forged_click_grants_nothing(client: Client, hub: Hub) -> None:
    query = urlencode({**asked(hub), "wc_auth_nonce": "0123456789"})
    status, _, page = visit(client, "GET", f"/wc-auth/v1/access_granted/?{query}")
    assert (status, "Invalid nonce verification" in page, hub.told) == (401, True, [])


def over_http(shop: Shop, query: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    line = http.client.HTTPConnection(urlsplit(shop.http_url).netloc, timeout=10)
    line.request("GET", f"{API}/products?{query}", headers=headers or {})
    reply = line.getresponse()
    body = json.loads(reply.read())
    line.close()
    return reply.status, body.get("message") if isinstance(body, dict) else body


def signed(shop: Shop, **changes: str) -> dict[str, str]:
    now = str(int(time.time()))
    found = {"oauth_consumer_key": shop.keys.key, "oauth_timestamp": now, "oauth_nonce": "n" * 32}
    found |= {"oauth_signature_method": "HMAC-SHA256", "per_page": "5", **changes}
    signature = oauth_signature(
        "GET", f"{shop.http_url}{API}/products", found, shop.keys.secret, "HMAC-SHA256"
    )
    return {**found, "oauth_signature": signature}


def test_over_http_a_signed_request_counts_once_and_for_a_quarter_of_an_hour(shop: Shop) -> None:
    assert over_http(shop, urlencode(signed(shop))) == (200, [])
    assert over_http(shop, urlencode(signed(shop))) == (401, "Invalid nonce - nonce has already been used.")
    old = signed(shop, oauth_nonce="old", oauth_timestamp=str(int(time.time()) - 16 * 60))
    assert over_http(shop, urlencode(old)) == (401, "Invalid timestamp.")
    half = {name: value for name, value in signed(shop, oauth_nonce="h").items() if name != "oauth_timestamp"}
    assert over_http(shop, urlencode(half)) == (401, "Missing OAuth parameter oauth_timestamp")


def test_over_http_the_signature_may_stand_in_the_header(shop: Shop) -> None:
    parameters = signed(shop, oauth_nonce="head")
    listed = ", ".join(
        f'{name}="{quote(value, safe="")}"' for name, value in parameters.items() if "oauth" in name
    )
    assert over_http(shop, "per_page=5", {"Authorization": f"OAuth {listed}"}) == (200, [])
    assert over_http(shop, "per_page=6", {"Authorization": f"OAuth {listed}"})[0] == 401
