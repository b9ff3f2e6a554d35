"""Calls over http are signed as RFC 5849 says and WooCommerce checks it."""

import hashlib
import hmac
from base64 import b64encode
from urllib.parse import parse_qsl, urlencode

import pytest

from connectors.shops.woocommerce.client import Rest
from connectors.shops.woocommerce.oauth import signature, signer
from core.errors import Misconfigured
from core.guard import Guard

URL = "http://shop.example/wp-json/wc/v3/products"


def test_what_is_signed_is_the_method_the_address_and_the_sorted_query() -> None:
    text = "GET&http%3A%2F%2Fshop.example%2Fwp-json%2Fwc%2Fv3%2Fproducts&a%3Db%2520c%252Cd%26z%3D1"
    wanted = b64encode(hmac.new(b"cs_secret&", text.encode(), hashlib.sha256).digest()).decode()
    assert signature("get", URL, {"z": 1, "a": "b c,d"}, "cs_secret") == wanted


def test_a_signed_query_holds_up_after_the_way_through_an_address_and_names_no_secret() -> None:
    sent = signer("ck_key", "cs_canary")("POST", URL, {"sku": "A,B ü"})
    arrived = dict(parse_qsl(urlencode(sent)))
    given = arrived.pop("oauth_signature")
    assert signature("POST", URL, arrived, "cs_canary") == given
    assert signature("GET", URL, arrived, "cs_canary") != given
    assert arrived["oauth_consumer_key"] == "ck_key" and arrived["sku"] == "A,B ü"
    assert "canary" not in urlencode(sent)


def test_no_two_calls_bear_the_same_nonce() -> None:
    sign = signer("ck", "cs")
    assert len({sign("GET", URL, {})["oauth_nonce"] for _ in range(50)}) == 50


def test_http_is_taken_only_where_the_operator_allows_it() -> None:
    with pytest.raises(Misconfigured, match="http://"):
        Rest("http://shop.example", "ck", "cs", guard=Guard(), ca_file=None, patience=1)
    Rest("http://shop.example", "ck", "cs", guard=Guard(), ca_file=None, patience=1, insecure_http=True)
