"""How an owner lets an app in: the page that asks him, the way back with a code, and the tokens for it.

Source: shopify.dev, "Implement authorization code grant manually". The owner is always signed in here. A browser shows
the page with its two buttons; a POST to the page's own address is a click on the first, with `cancel=1` on the second.
"""

import base64
import hashlib
import hmac
import html
import json
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox.shopify import tokens
from sandbox.shopify.answers import HTML, Answer, Call, Fields
from sandbox.shopify.site import Site
from sandbox.shops.post import loopback

PAGE, EXCHANGE = "/admin/oauth/authorize", "/admin/oauth/access_token"
CODE_LIFE = 600  # seconds [?]
_ASKED = ("client_id", "scope", "redirect_uri", "state")
_KNOWN = {
    f"{way}_{what}"
    for way in ("read", "write")
    for what in (
        *("products", "inventory", "locations", "publications", "orders"),
        *("merchant_managed_fulfillment_orders", "third_party_fulfillment_orders"),
        "assigned_fulfillment_orders",
    )
} | {"read_all_orders"}
_STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem;margin-right:.5rem}"


def page(site: Site, call: Call) -> Answer:
    """The question, or what follows a click on it: 302 to `redirect_uri` with code, hmac, host, shop, state, timestamp."""
    asked = dict(parse_qsl(call.query, keep_blank_values=True))
    if call.method == "POST":
        asked |= dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    wrong = _wrong(site, asked)
    if wrong:
        return _shown(f"<h1>Oauth error {wrong[0]}</h1><p>{html.escape(wrong[1])}</p>", 400)
    if call.method != "POST":
        return _shown(_question(site, asked), 200)
    if asked.get("cancel"):
        return _shown("<h1>Not installed</h1><p>The app was not installed.</p>", 200)
    scopes = sorted(set(asked["scope"].replace(" ", ",").split(",")) - {""})
    with site.lock, site.store.work():
        code = secrets.token_hex(16)
        number = site.number("Code")
        held = {"id": number, "slug": code, "scopes": scopes, "expires": site.now() + CODE_LIFE}
        site.put("Code", held)
    shop = call.headers.get("host") or urlsplit(site.address).netloc
    told = {
        "code": code,
        "host": base64.b64encode(f"admin.shopify.com/store/{site.domain.partition('.')[0]}".encode())
        .decode()
        .rstrip("="),
        "shop": shop,
        "timestamp": str(site.now()),
        **({"state": asked["state"]} if asked.get("state") else {}),
    }
    message = "&".join(f"{name}={value}" for name, value in sorted(told.items()))
    secret = site.fact("client_secret").encode()
    told["hmac"] = hmac.digest(secret, message.encode(), hashlib.sha256).hex()
    joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return Answer(302, b"", {"Location": f"{asked['redirect_uri']}{joint}{urlencode(told)}"}, HTML)


def exchange(site: Site, call: Call) -> Answer:
    """Tokens for a code, for a refresh token or, for the shop's own organisation, for the app's credentials alone."""
    wish = _wish(call)
    if (wish.get("client_id"), wish.get("client_secret")) != (
        site.fact("client_id"),
        site.fact("client_secret"),
    ):
        return _refused("invalid_client", "The client is not known here.")
    with site.lock, site.store.work():
        if wish.get("grant_type") == "client_credentials":
            return Answer(200, {**tokens.plain(site), "expires_in": 86399})
        if wish.get("grant_type") == "refresh_token":
            renewed = tokens.renew(site, str(wish.get("refresh_token") or ""))
            if renewed is None:
                return _refused("invalid_request", "This request requires an active refresh_token")
            return Answer(200, renewed)
        code = next(iter(site.all("Code", "slug = ?", str(wish.get("code") or ""))), None)
        if code is None or code["expires"] <= site.now():
            return _refused("invalid_request", "The authorization code was not found or was already used")
        site.store.drop("Code", code["id"])
        site.scopes[:] = code["scopes"]
        site.store.remember("scopes", " ".join(site.scopes))
        expiring = str(wish.get("expiring") or "0") in ("1", "true", "True")
        return Answer(200, tokens.issue(site) if expiring else tokens.plain(site))


def _wrong(site: Site, asked: Fields) -> tuple[str, str] | None:
    if asked.get("client_id") != site.fact("client_id"):
        named = asked.get("client_id")
        return "invalid_request", f"Could not find Shopify API application with api_key {named}"
    address = urlsplit(asked.get("redirect_uri") or "")
    allowed = json.loads(site.store.fact("redirects") or "[]")
    if address.scheme not in ("http", "https") or not loopback(address.hostname):
        return "invalid_request", "The redirect_uri is missing or not allowed"
    if allowed and asked["redirect_uri"] not in allowed:
        return "invalid_request", "The redirect_uri is not whitelisted"
    unknown = {one for one in asked.get("scope", "").replace(" ", ",").split(",") if one} - _KNOWN
    if unknown:
        return "invalid_scope", f"The access scope is invalid: {', '.join(sorted(unknown))}"
    return None


def _question(site: Site, asked: Fields) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(asked.get(name) or "")}">' for name in _ASKED
    )
    scopes = "".join(f"<li>{html.escape(one)}</li>" for one in (asked.get("scope") or "").split(",") if one)
    return (
        f"<h1>Install Hub on {html.escape(site.name)}</h1><p>The app will be able to:</p><ul>{scopes}</ul>"
        f'<form method="post" action="{PAGE}">{hidden}<button type="submit">Install</button>'
        f'<button type="submit" name="cancel" value="1">Cancel</button></form>'
    )


def _wish(call: Call) -> Fields:
    if "json" not in call.headers.get("content-type", "json"):
        return dict(parse_qsl(call.body.decode("utf-8", "replace")))
    try:
        return call.wish
    except ValueError:
        return {}


def _shown(body: str, status: int) -> Answer:
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shopify sandbox</title><style>{_STYLE}</style></head>'
    return Answer(status, f"{head}<body>{body}</body></html>".encode(), content_type=HTML)


def _refused(code: str, message: str) -> Answer:
    return Answer(400, {"error": code, "error_description": message})
