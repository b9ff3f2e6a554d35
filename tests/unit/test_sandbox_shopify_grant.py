"""The sandbox's Shopify lets an app in as an owner says, renews its tokens, and takes them back."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from sandbox.shopify import Shop
from tests.unit.shopify_client import PATH, Client, opened

BACK = "http://127.0.0.1:9/connect/back"
SHOP = "{ shop { name } currentAppInstallation { accessScopes { handle } } }"
ORDERS = "{ orders(first: 1, sortKey: ID) { nodes { id } } }"
FORM = "application/x-www-form-urlencoded"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opening(tmp_path: Path, clock: Clock) -> Iterator[tuple[Shop, Client]]:
    with opened(tmp_path, name="Lamps", clock=clock) as made:
        yield made


@pytest.fixture
def client(opening: tuple[Shop, Client]) -> Client:
    return opening[1]


def asked(client: Client, **changes: str) -> str:
    wish = {
        "client_id": client.known["client_id"],
        "scope": "read_products,write_inventory",
        "redirect_uri": BACK,
        "state": "abc",
    }
    return urlencode({**wish, **changes})


def let_in(client: Client, **changes: str) -> dict[str, str]:
    """What comes back to the app after the owner's click."""
    status, headers, _ = client.raw(
        "POST", "/admin/oauth/authorize", asked(client, **changes).encode(), **{"Content-Type": FORM}
    )
    assert status == 302
    assert headers["location"].startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(headers["location"]).query))


def exchanged(client: Client, status: int = 200, **wish: str) -> Any:
    wish = {"client_id": client.known["client_id"], "client_secret": client.known["client_secret"], **wish}
    got, _, body = client.raw("POST", "/admin/oauth/access_token", wish)
    assert got == status, body
    return json.loads(body)


def opens(client: Client, token: str) -> bool:
    client.token = token
    return client.raw("POST", PATH, {"query": SHOP})[0] == 200


def test_the_owner_is_asked_and_his_click_brings_a_signed_code(client: Client) -> None:
    status, headers, body = client.raw("GET", f"/admin/oauth/authorize?{asked(client, state='<b>')}")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'<form method="post" action="/admin/oauth/authorize">' in body
    assert b"<li>write_inventory</li>" in body
    assert b'value="&lt;b&gt;"' in body
    told = let_in(client)
    signed = told.pop("hmac")
    message = "&".join(f"{name}={value}" for name, value in sorted(told.items()))
    assert (
        signed
        == hmac.new(client.known["client_secret"].encode(), message.encode(), hashlib.sha256).hexdigest()
    )
    assert (told["state"], told["shop"], told["timestamp"]) == (
        "abc",
        urlsplit(client.known["url"]).netloc,
        "1800000000",
    )
    assert base64.b64decode(told["host"] + "==") == b"admin.shopify.com/store/lamps"


def test_a_code_works_once_and_brings_tokens_with_the_scopes_that_were_asked(client: Client) -> None:
    code = let_in(client)["code"]
    made = exchanged(client, code=code, expiring="1")
    assert (made["scope"], made["expires_in"], made["refresh_token_expires_in"]) == (
        "read_products,write_inventory",
        3600,
        7776000,
    )
    assert exchanged(client, 400, code=code)["error"] == "invalid_request"
    client.token = made["access_token"]
    scopes = client.ask(SHOP)["currentAppInstallation"]["accessScopes"]
    assert [one["handle"] for one in scopes] == ["read_products", "write_inventory"]
    assert client.refused(ORDERS) == "ACCESS_DENIED"
    again = exchanged(client, code=let_in(client, scope="read_orders")["code"], expiring="1")
    client.token = again["access_token"]
    assert client.ask(ORDERS) == {"orders": {"nodes": []}}


def test_a_code_dies_of_age_and_a_plain_one_brings_a_token_that_does_not(
    client: Client, clock: Clock
) -> None:
    old, plain = let_in(client)["code"], exchanged(client, code=let_in(client)["code"])
    assert set(plain) == {"access_token", "scope"}
    clock.now += 601
    assert exchanged(client, 400, code=old)["error"] == "invalid_request"
    clock.now += 10**9
    assert opens(client, plain["access_token"])


def test_a_refresh_token_lives_until_its_replacement_is_used(client: Client, clock: Clock) -> None:
    def renewed(token: str, status: int = 200) -> Any:
        return exchanged(client, status, grant_type="refresh_token", refresh_token=token)

    first = exchanged(client, code=let_in(client)["code"], expiring="1")
    clock.now += 3600
    assert not opens(client, first["access_token"])
    second = renewed(first["refresh_token"])
    assert opens(client, second["access_token"])
    lost_answer = renewed(first["refresh_token"])
    assert opens(client, lost_answer["access_token"])
    third = renewed(second["refresh_token"])
    assert (
        renewed(first["refresh_token"], 400)["error_description"]
        == "This request requires an active refresh_token"
    )
    assert opens(client, third["access_token"])
    clock.now += 30 * 86400
    assert renewed(second["refresh_token"], 400)["error"] == "invalid_request"
    clock.now += 60 * 86400
    assert renewed(third["refresh_token"], 400)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": "someone"}, "Could not find Shopify API application"),
        ({"redirect_uri": "https://elsewhere.example/"}, "redirect_uri"),
        ({"redirect_uri": "javascript:alert(1)"}, "redirect_uri"),
        ({"redirect_uri": BACK + "/other"}, "not whitelisted"),
        ({"scope": "read_products,write_secrets"}, "write_secrets"),
    ],
)
def test_who_asks_wrongly_gets_a_page_and_no_code(
    client: Client, changes: dict[str, str], words: str
) -> None:
    client.switch("POST", "app", redirects=[BACK])
    for method in ("GET", "POST"):
        status, headers, body = client.raw(method, f"/admin/oauth/authorize?{asked(client, **changes)}")
        assert (status, "location" in headers) == (400, False)
        assert words.encode() in body
    assert "code" in let_in(client)


def test_an_owner_may_say_no_and_a_wrong_secret_is_no_app(client: Client) -> None:
    status, headers, _ = client.raw(
        "POST", f"/admin/oauth/authorize?{asked(client)}", b"cancel=1", **{"Content-Type": FORM}
    )
    assert (status, "location" in headers) == (200, False)
    code = let_in(client)["code"]
    assert exchanged(client, 400, code=code, client_secret="x")["error"] == "invalid_client"
    assert "access_token" in exchanged(client, code=code)


def test_after_the_app_is_taken_out_nothing_opens_and_a_new_grant_does(client: Client) -> None:
    made = exchanged(client, code=let_in(client)["code"], expiring="1")
    pasted, waiting = client.token, let_in(client)["code"]
    client.switch("POST", "uninstall")
    assert not opens(client, made["access_token"])
    assert not opens(client, pasted)
    exchanged(client, 400, grant_type="refresh_token", refresh_token=made["refresh_token"])
    exchanged(client, 400, code=waiting)
    assert opens(client, exchanged(client, code=let_in(client)["code"], expiring="1")["access_token"])
