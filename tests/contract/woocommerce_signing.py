"""Calls of a test's own hands over http, where WooCommerce takes a key only as a signature (OAuth 1.0a)."""

import secrets
import time
from collections.abc import Generator

import httpx2

from sandbox.woocommerce.keys import oauth_signature


class Signed(httpx2.Auth):
    """Signs each request anew; the secret itself is never sent."""

    def __init__(self, key: str, secret: str) -> None:
        self._key, self._secret = key, secret

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response]:
        fields = {
            **dict(request.url.params),
            "oauth_consumer_key": self._key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(time.time())),
        }
        bare = str(request.url.copy_with(query=None))
        signature = oauth_signature(request.method, bare, fields, self._secret, "HMAC-SHA256")
        request.url = request.url.copy_with(params={**fields, "oauth_signature": signature})
        yield request
