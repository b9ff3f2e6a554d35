"""How a seller lets the hub into his Shopify shop: the authorization-code grant, its tokens and their renewal.

Facts: shopify.dev, "Authenticate a standalone app" (the steps and the HMAC of the query), "Offline access tokens" (expiring
ones with `expiring=1`, rotation of the refresh token) and the change log of 10 December 2025.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from connectors.http import Answer, Http
from connectors.shops.shopify.client import site_of
from connectors.shops.shopify.facts import ORDER_SCOPES, PRODUCT_SCOPES
from connectors.shops.shopify.webhooks import signature
from core.clock import now
from core.errors import Misconfigured, Refused
from core.guard import Guard

SCOPES = (
    *PRODUCT_SCOPES,
    *ORDER_SCOPES,
    "write_merchant_managed_fulfillment_orders",
    "write_third_party_fulfillment_orders",
)
"""What the hub asks for; a scope to write holds the one to read."""
OWN_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class App:
    """The operator's app at Shopify, as its Dev Dashboard shows it."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What opens a shop. `refresh` gets the next ones once; the old one lives until the new one is used.

    `expires_at` is None for an access that does not end.
    """

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_at: datetime | None
    scopes: tuple[str, ...]


def shop_of(url: str, private_hosts: frozenset[str] = frozenset()) -> str:
    """The shop's address, https://NAME.myshopify.com: a name alone will do. `private_hosts` may be of another domain.

    Raises Misconfigured for anything else: the client secret goes to this host.
    """
    url = url.strip()
    site = site_of(url if re.search(r"[./:]", url) else f"{url}.myshopify.com")
    host = (urlsplit(site).hostname or "").casefold()
    if not OWN_DOMAIN.fullmatch(host) and host not in private_hosts:
        raise Misconfigured(
            f"{host} is not a shop's own name at Shopify. Enter the one that ends in .myshopify.com: Shopify shows it under "
            "Settings → Domains."
        )
    return site


def authorize_url(shop: str, app: App, redirect: str, state: str, scopes: Sequence[str] = SCOPES) -> str:
    """The page of the shop on which its owner agrees; he comes back to `redirect`, which the app must have listed."""
    asked = {"client_id": app.client_id, "scope": ",".join(scopes), "redirect_uri": redirect, "state": state}
    return f"{shop}/admin/oauth/authorize?{urlencode(asked)}"


def is_signed(query: Mapping[str, str], app: App) -> bool:
    """Whether Shopify sent the owner back with this query. Compared in constant time."""
    signed = urlencode(sorted((name, value) for name, value in query.items() if name != "hmac"))
    right = hmac.new(app.client_secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), query.get("hmac", "").encode())


def is_signed_body(headers: Mapping[str, str], body: bytes, app: App) -> bool:
    """Whether Shopify made this call for the app; header names are lower case. Compared in constant time."""
    given = headers.get("x-shopify-hmac-sha256", "")
    return hmac.compare_digest(signature(app.client_secret, body).encode(), given.encode())


def missing_scopes(granted: Sequence[str], asked: Sequence[str] = SCOPES) -> list[str]:
    """Pure: what was asked for and not granted; write_x holds read_x."""
    held = set(granted) | {
        f"read_{one.removeprefix('write_')}" for one in granted if one.startswith("write_")
    }
    return [one for one in asked if one not in held]


class Grant:
    """Talks to the token endpoint of one shop. Raises Misconfigured, Temporary and Unknown as connectors/http.py says."""

    def __init__(
        self, shop: str, app: App, private_hosts: frozenset[str] = frozenset(), ca_file: str | None = None
    ) -> None:
        self._app, self._host = app, urlsplit(shop).netloc
        self._http = Http(
            shop,
            name=f"The shop {self._host}",
            guard=Guard(private_hosts),
            headers={},
            ca_file=Path(ca_file) if ca_file else None,
            explain=self._explain,
        )

    def exchange(self, code: str) -> Tokens:
        """The first tokens for the code that the owner brought; a code works once.

        Raises Refused where it does not any more.
        """
        answer = self._http.post(
            "admin/oauth/access_token", {**self._names, "code": code, "expiring": 1}, seconds=SECONDS
        )
        return self._tokens(answer)

    def renewed(self, refresh: str) -> Tokens:
        """The next tokens. Asked again where the answer is lost: until the new ones are used the old one works.

        Raises Refused where the owner took the access back, or the token was used already.
        """
        wish = {**self._names, "grant_type": "refresh_token", "refresh_token": refresh}
        return self._tokens(self._http.ask("admin/oauth/access_token", wish, seconds=SECONDS))

    def close(self) -> None:
        """Closes the kept connection."""
        self._http.close()

    @property
    def _names(self) -> dict[str, str]:
        return {"client_id": self._app.client_id, "client_secret": self._app.client_secret}

    def _tokens(self, answer: Answer) -> Tokens:
        if not answer.ok or not isinstance(answer.body, dict) or not answer.body.get("access_token"):
            why = answer.code or answer.message or f"HTTP {answer.status}"
            raise Refused(
                f"The shop {self._host} gave no access ({why}). Connect it anew, and agree on the shop's own page.",
                rule="grant",
            )
        told, ends = answer.body, answer.body.get("expires_in")
        return Tokens(
            access=str(told["access_token"]),
            refresh=str(told["refresh_token"]) if told.get("refresh_token") else None,
            expires_at=now() + timedelta(seconds=int(ends)) if ends and told.get("refresh_token") else None,
            scopes=tuple(one.strip() for one in str(told.get("scope") or "").split(",") if one.strip()),
        )

    def _explain(self, answer: Answer) -> str:
        told = answer.body if isinstance(answer.body, dict) else {}
        if "grant" in str(told.get("error")):
            return f"The shop {self._host} took the hub's access back, or renewed it elsewhere. Connect the shop anew."
        return (
            f"The shop {self._host} does not accept the app's client id and secret. The operator enters them as "
            "ENTREPOT_SHOPIFY_CLIENT_ID and ENTREPOT_SHOPIFY_CLIENT_SECRET."
        )
