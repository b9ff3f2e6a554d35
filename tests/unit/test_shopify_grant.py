"""Shopify's grant, said and checked: whom an owner is sent to, what proves his answer, and which tokens come of it."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.shops.shopify import grant
from core.clock import now
from core.errors import Misconfigured, Refused, Temporary
from tests.unit.scripted_server import JSON, Script, drop, secure_server

SECRET = "hush-canary"
QUERY = {"code": "c0de", "shop": "lampen.myshopify.com", "state": "s", "timestamp": "1764201600"}


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def shop(script: Script, tmp_path: Path) -> Iterator[dict[str, Any]]:
    with secure_server(script, tmp_path) as (port, ca_file):
        yield {"shop": f"https://127.0.0.1:{port}", "client_id": "id", "client_secret": SECRET, "ca_file": ca_file, "private_hosts": frozenset({"127.0.0.1"}), "sleep": lambda seconds: None}  # fmt: skip
        script.hold.set()


def says(body: Any, status: int = 200) -> tuple[int, dict[str, str], str]:
    return status, JSON, json.dumps(body)


def signed(query: dict[str, str]) -> dict[str, str]:
    told = "&".join(f"{name}={query[name]}" for name in sorted(query))
    return {**query, "hmac": hmac.new(SECRET.encode(), told.encode(), hashlib.sha256).hexdigest()}


def test_an_owner_is_sent_to_his_own_shop() -> None:
    url = urlsplit(
        grant.authorize_url("lampen.myshopify.com", "id", grant.SCOPES, "https://hub.example/back", "s t")
    )
    assert (url.scheme, url.netloc, url.path) == ("https", "lampen.myshopify.com", "/admin/oauth/authorize")
    assert parse_qs(url.query) == {
        "client_id": ["id"],
        "redirect_uri": ["https://hub.example/back"],
        "scope": [
            "write_products,write_inventory,read_locations,write_publications,read_orders,"
            "write_merchant_managed_fulfillment_orders"
        ],
        "state": ["s t"],
    }


def test_only_shopify_can_have_sent_what_it_signed() -> None:
    good = signed(QUERY)
    assert grant.verify_query_hmac(good, SECRET)
    assert not grant.verify_query_hmac({**good, "shop": "other.myshopify.com"}, SECRET)
    assert not grant.verify_query_hmac({**good, "extra": "1"}, SECRET)
    assert not grant.verify_query_hmac(good, "another")
    assert not grant.verify_query_hmac(QUERY, SECRET)
    assert not grant.verify_query_hmac({**good, "hmac": "ä"}, SECRET)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("lampen.myshopify.com", True),
        ("Lampen.MyShopify.com", True),
        ("127.0.0.1:8443", True),
        ("lampen.myshopify.com.evil.example", False),
        ("evil.example/lampen.myshopify.com", False),
        ("-x.myshopify.com", False),
        ("a.b.myshopify.com", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_a_secret_goes_to_no_other_host(host: str, known: bool) -> None:
    assert grant.is_shopify(host, frozenset({"127.0.0.1"})) is known


def test_what_writes_reads_as_well() -> None:
    assert grant.missing_scopes(["write_products", "read_locations", "write_orders"]) == (
        "write_inventory",
        "write_publications",
        "write_merchant_managed_fulfillment_orders",
    )


def test_a_code_brings_tokens_that_expire(script: Script, shop: dict[str, Any]) -> None:
    script.answers = [says({"access_token": "shpat_1", "scope": "write_products,read_orders", "expires_in": 3600, "refresh_token": "shprt_1", "refresh_token_expires_in": 7_776_000})]  # fmt: skip
    before = now()
    tokens = grant.exchange(code="c0de", **shop)
    assert (tokens.access, tokens.refresh, tokens.scopes) == (
        "shpat_1",
        "shprt_1",
        ("write_products", "read_orders"),
    )
    assert tokens.expires_at is not None
    assert before + timedelta(hours=1) <= tokens.expires_at <= now() + timedelta(hours=1)
    assert "shp" not in repr(tokens)
    ((method, path, _, body),) = script.received
    assert (method, path) == ("POST", "/admin/oauth/access_token")
    assert json.loads(body) == {
        "client_id": "id",
        "client_secret": SECRET,
        "code": "c0de",
        "expiring": "1",
    }


def test_a_lost_answer_to_a_refresh_is_asked_for_again(script: Script, shop: dict[str, Any]) -> None:
    script.answers = [drop, says({"access_token": "shpat_2", "scope": "", "refresh_token": "shprt_2"})]
    tokens = grant.refresh(refresh_token="shprt_1", **shop)
    assert (tokens.access, tokens.refresh, tokens.expires_at, tokens.scopes) == (
        "shpat_2",
        "shprt_2",
        None,
        (),
    )
    sent = [json.loads(body) for _, _, _, body in script.received]
    assert sent == [{"client_id": "id", "client_secret": SECRET, "grant_type": "refresh_token", "refresh_token": "shprt_1"}] * 2  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (says({"error": "invalid_request"}, 400), Refused, "Connect the shop again"),
        (says({"error": "invalid_client"}, 400), Misconfigured, "client id or secret is wrong"),
        (says({"error": "x"}, 401), Misconfigured, "client id or secret is wrong"),
        (says({"errors": "Not Found"}, 404), Misconfigured, "There is no Shopify shop"),
        (says({"scope": "x"}), Refused, "gives the hub no token"),
        (says({"error": SECRET}, 502), Temporary, "tries again later"),
    ],
)
def test_what_an_answer_without_tokens_means(
    script: Script, shop: dict[str, Any], answer: Any, kind: type[Exception], words: str
) -> None:
    script.answers = [answer]
    with pytest.raises(kind, match=words) as caught:
        grant.exchange(code="c0de", **shop)
    assert SECRET not in str(caught.value)


def test_a_secret_is_not_sent_elsewhere(script: Script, shop: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="is no Shopify shop"):
        grant.exchange(code="c0de", **{**shop, "private_hosts": frozenset()})
    assert script.received == []
