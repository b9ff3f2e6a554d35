"""How an owner lets the hub into a Shopify: the address of the question, the proof of the answer, and the tokens it brings."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from connectors.http import Answer, Http
from connectors.shops.shopify.client import site_of
from connectors.shops.shopify.facts import ORDER_SCOPES, PRODUCT_SCOPES, SHIPMENT_SCOPES
from core.clock import now
from core.errors import Misconfigured, Refused
from core.guard import Guard, Resolver, system_resolver

SCOPES = (*PRODUCT_SCOPES, *ORDER_SCOPES, SHIPMENT_SCOPES[0])
"""What the hub asks for: no more than it uses."""
EXCHANGE = "admin/oauth/access_token"
PATIENCE = 30.0
"""Seconds of silence before a question for tokens is asked again."""
_HOST = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What opens a shop. `refresh` and `expires_at` are None for a token that does not expire; `scopes` were granted."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_at: datetime | None
    scopes: tuple[str, ...]


def is_shopify(host: str, private_hosts: frozenset[str] = frozenset()) -> bool:
    """Whether a `shop` parameter names a shop of Shopify's, or one of the operator's exceptions: a client secret is sent
    to no other host. A port is no part of an exception's name."""
    name = host.strip().casefold()
    return _HOST.fullmatch(name) is not None or name.partition(":")[0] in private_hosts


def authorize_url(shop: str, client_id: str, scopes: Iterable[str], redirect: str, state: str) -> str:
    """Where the owner is sent to say yes; Shopify sends him back to `redirect` with code, hmac, shop and `state`.

    Without `grant_options` the token is offline: it works while nobody is signed in. Raises Misconfigured where `shop`
    is no https address.
    """
    asked = {"client_id": client_id, "scope": ",".join(scopes), "redirect_uri": redirect, "state": state}
    return f"{site_of(shop)}/admin/oauth/authorize?{urlencode(asked)}"


def verify_query_hmac(query: Mapping[str, str], secret: str) -> bool:
    """Whether Shopify itself sent these query parameters: hex SHA-256 HMAC of all others, sorted, keyed with the app's
    client secret (shopify.dev, "Verify the installation request"); compared in constant time."""
    told = "&".join(
        f"{name}={value}" for name, value in sorted(query.items()) if name not in {"hmac", "signature"}
    )
    made = hmac.new(secret.strip().encode(), told.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(query.get("hmac", "").encode(), made.encode())


def missing_scopes(granted: Iterable[str], wanted: Iterable[str] = SCOPES) -> tuple[str, ...]:
    """The scopes the owner did not give; one that writes reads as well."""
    given = set(granted)
    return tuple(
        scope for scope in wanted if scope not in given and scope.replace("read_", "write_", 1) not in given
    )


def exchange(
    shop: str,
    client_id: str,
    client_secret: str,
    code: str,
    *,
    private_hosts: frozenset[str] = frozenset(),
    ca_file: str | Path | None = None,
    resolver: Resolver = system_resolver,
    sleep: Callable[[float], None] = time.sleep,
) -> Tokens:
    """The tokens for a code, which works once; asked for as expiring, as Shopify wants it of every app.

    Raises Refused where the code is no longer good, Misconfigured where the app's id or secret is wrong, Temporary.
    """
    wish = {"client_id": client_id, "client_secret": client_secret, "code": code, "expiring": "1"}
    return _asked(shop, wish, private_hosts, ca_file, resolver, sleep)


def refresh(
    shop: str,
    client_id: str,
    client_secret: str,
    refresh_token: str,
    *,
    private_hosts: frozenset[str] = frozenset(),
    ca_file: str | Path | None = None,
    resolver: Resolver = system_resolver,
    sleep: Callable[[float], None] = time.sleep,
) -> Tokens:
    """New tokens for a refresh token. It is replaced too, but lives until the new one is used: a lost answer costs nothing.

    Raises Refused where it is no longer good: the owner must connect the shop again.
    """
    wish = {
        "client_id": client_id,
        "client_secret": client_secret,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
    }
    return _asked(shop, wish, private_hosts, ca_file, resolver, sleep)


def _asked(
    shop: str,
    wish: Mapping[str, str],
    private_hosts: frozenset[str],
    ca_file: str | Path | None,
    resolver: Resolver,
    sleep: Callable[[float], None],
) -> Tokens:
    site = site_of(shop)
    host = site.removeprefix("https://")
    if not is_shopify(host, private_hosts):
        raise Misconfigured(f"{host} is no Shopify shop; enter the address that ends in .myshopify.com.")
    http = Http(
        site,
        name=f"The shop {host}",
        guard=Guard(private_hosts, resolver),
        ca_file=Path(ca_file) if ca_file else None,
        explain=lambda answer: (
            f"The shop {host} does not know the hub's app: its client id or secret is wrong. The operator finds them "
            "in Shopify under the app's settings."
        ),
        sleep=sleep,
    )
    try:
        # Asked, not posted: with the same code or refresh token again nothing is made twice.
        answer = http.ask(EXCHANGE, wish, seconds=PATIENCE)
    finally:
        http.close()
    return _tokens(answer, host)


def _tokens(answer: Answer, host: str) -> Tokens:
    told = answer.body if isinstance(answer.body, dict) else {}
    if answer.status == 404:
        raise Misconfigured(
            f"There is no Shopify shop at {host}. Enter the address that ends in .myshopify.com."
        )
    if not answer.ok or not isinstance(told.get("access_token"), str):
        if told.get("error") == "invalid_client":
            raise Misconfigured(
                f"The shop {host} does not know the hub's app: its client id or secret is wrong. The operator finds "
                "them in Shopify under the app's settings."
            )
        raise Refused(
            f"The shop {host} gives the hub no token: what it was asked with has been used or has expired "
            f"({answer.status}). Connect the shop again."
        )
    lives = told.get("expires_in")
    again = told.get("refresh_token")
    return Tokens(
        access=told["access_token"],
        refresh=str(again) if again else None,
        expires_at=now() + timedelta(seconds=float(lives)) if isinstance(lives, (int, float)) else None,
        scopes=tuple(scope for scope in str(told.get("scope") or "").split(",") if scope),
    )
