"""The page on which a shop's owner lets an application in, and the keys that then go to it: /wc-auth/v1/authorize.

As WooCommerce's includes/class-wc-auth.php has it (github.com/woocommerce/woocommerce); the owner is always logged in.
In a browser the page has the two links of the real one; a POST to the page's own address is a click on the first of
them, and with `deny=1` on the second.
"""

import html
import http.client
import secrets
import ssl
import time
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from sandbox.shops.post import loopback
from sandbox.woocommerce import text
from sandbox.woocommerce.answers import HTML, Answer, Call, Fields, encode
from sandbox.woocommerce.keys import Keys
from sandbox.woocommerce.site import Site

TIMEOUT = 60.0  # seconds
_PARAMETERS = ("app_name", "user_id", "return_url", "callback_url", "scope")
_SCOPES = {"read": "Read", "write": "Write", "read_write": "Read/Write"}
_SENT_BADLY = "An error occurred in the request and at the time were unable to send the consumer data"


class Denied(Exception):
    """The sentence of the page that says why nobody was let in."""


def answer(site: Site, keys: Keys, call: Call) -> Answer:
    """The page, or what follows a click on it: a redirect to `return_url` with `success` and `user_id`."""
    route = call.path.removeprefix("/wc-auth/v1/").strip("/").lower()
    given = dict(call.query)
    if call.method == "POST":
        given |= dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        asked = _checked(site, given)
        if route == "authorize" and call.method == "POST":
            if given.get("deny"):
                return _back(asked, success=False)
            return _granted(site, keys, asked)
        if route == "authorize":
            return _page(_ask(site, asked, _nonce(site)), 200)
        if route != "access_granted":
            raise Denied("You do not have permission to access this page")
        if not secrets.compare_digest(given.get("wc_auth_nonce", "").encode(), _nonce(site).encode()):
            raise Denied("Invalid nonce verification")
        return _granted(site, keys, asked)
    except Denied as reason:
        sentence = f'<div class="wp-die-message">Error: {html.escape(str(reason))}.</div>'
        return _page(f"<title>Access denied</title>{sentence}", 401)


def _checked(site: Site, given: Fields) -> Fields:
    for name in _PARAMETERS:
        if not given.get(name) or given[name] == "0":
            raise Denied(f"Missing parameter {name}")
    asked = {name: str(given[name]) for name in _PARAMETERS}
    if asked["scope"] not in _SCOPES:
        raise Denied(f"Invalid scope {text.clean(asked['scope'])}")
    for name in ("return_url", "callback_url"):
        address = unquote(asked[name])
        asked[name] = address if "://" in address else f"https://{address}"
        if not urlsplit(asked[name]).hostname:
            raise Denied(f"The {name} is not a valid URL")
    if not asked["callback_url"].lower().startswith("https://") and not site.plain_callbacks:
        raise Denied("The callback_url needs to be over SSL")
    return asked


def _ask(site: Site, asked: Fields, nonce: str) -> str:
    app, shop = (html.escape(text.clean(words)) for words in (asked["app_name"], site.name))
    granted = html.escape(f"/wc-auth/v1/access_granted/?{urlencode({**asked, 'wc_auth_nonce': nonce})}")
    denied = html.escape(_address(asked, success=False))
    return (
        f"<title>Application authentication request</title><h1>{app} would like to connect to your store</h1>"
        f'<p>This will give "{app}" <strong>{_SCOPES[asked["scope"]]}</strong> access which will allow it to '
        f"manage products, orders and webhooks of {shop}.</p>"
        f'<p class="wc-auth-actions"><a href="{granted}" class="button button-primary wc-auth-approve">Approve</a> '
        f'<a href="{denied}" class="button wc-auth-deny">Deny</a></p>'
    )


def _granted(site: Site, keys: Keys, asked: Fields) -> Answer:
    """The keys are made, sent to `callback_url`, and taken back when it does not answer 200."""
    made_at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(site.now()))
    description = f"{text.clean(asked['app_name'])[:170]} - API ({made_at})"
    made = keys.grant(asked["scope"], description)
    told = {
        "key_id": made["id"],
        "user_id": asked["user_id"],
        "consumer_key": made["key"],
        "consumer_secret": made["secret"],
        "key_permissions": made["permissions"],
    }
    try:
        _tell(asked["callback_url"], encode(told))
    except Denied:
        keys.revoke(made["key"])
        raise
    return _back(asked, success=True)


def _tell(address: str, body: bytes) -> None:
    """Certificates are not looked at: nothing leaves this machine."""
    parts = urlsplit(address)
    if not loopback(parts.hostname):
        raise Denied("A valid URL was not provided.")
    line: http.client.HTTPConnection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    if parts.scheme == "https":
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        line = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=trusting)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        line.request("POST", target, body, {"Content-Type": "application/json;charset=UTF-8"})
        status = line.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Denied(f"cURL error 7: Failed to connect to {parts.hostname}") from error
    finally:
        line.close()
    if status != 200:
        raise Denied(_SENT_BADLY)


def _nonce(site: Site) -> str:
    with site.store.work():
        known = site.store.fact("auth nonce")
        if known is None:
            known = secrets.token_hex(5)
            site.store.remember("auth nonce", known)
        return known


def _back(asked: Fields, *, success: bool) -> Answer:
    return Answer(302, b"", {"Location": _address(asked, success=success)}, HTML, "page")


def _address(asked: Fields, *, success: bool) -> str:
    address = asked["return_url"]
    added = urlencode({"success": int(success), "user_id": asked["user_id"]})
    return f"{address}{'&' if '?' in address else '?'}{added}"


def _page(body: str, status: int) -> Answer:
    page = f'<!doctype html><html lang="en"><meta charset="utf-8">{body}</html>'
    return Answer(status, page.encode(), content_type=HTML, envelope="page")
