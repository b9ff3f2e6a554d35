"""Who is asking: basic authentication over https, OAuth 1.0a over http, and how each failure sounds."""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from sandbox.woocommerce.answers import Call, NotSimulated, Refusal
from sandbox.woocommerce.store import Store

_DIGESTS = {"HMAC-SHA256": hashlib.sha256, "HMAC-SHA1": hashlib.sha1}
_NAMES = ("key", "secret", "readonly_key", "readonly_secret", "admin_token")


@dataclass(frozen=True)
class Keys:
    """The shop's two pairs of keys and the token of the sandbox's own switches."""

    key: str
    secret: str
    readonly_key: str
    readonly_secret: str
    admin_token: str

    def secret_of(self, key: str) -> str | None:
        return {self.key: self.secret, self.readonly_key: self.readonly_secret}.get(key)


def of(store: Store) -> Keys:
    """The keys this shop was born with; a restarted shop has the same."""
    with store.work():
        found = {name: store.fact(name) for name in _NAMES}
        if found["key"] is None:
            found = {
                name: ("cs_" if "secret" in name else "ck_" if "key" in name else "") + secrets.token_hex(20)
                for name in _NAMES
            }
            for name, value in found.items():
                store.remember(name, value or "")
        return Keys(**{name: value or "" for name, value in found.items()})


def check(keys: Keys, call: Call, *, purpose: str) -> None:
    """Raises Refusal 401 unless the request carries keys that may do what it asks.

    `purpose` is what the route does (list, view, create, edit, delete, batch): it decides how the refusal of
    a request without usable keys sounds.
    """
    if "consumer_key" in call.query:
        raise NotSimulated("keys in the query string over https")
    pair = _basic(call) if call.secure else _oauth(keys, call)
    if pair is None:
        raise _stranger(purpose)
    key, given = pair
    secret = keys.secret_of(key)
    if secret is None:
        raise _failure("Consumer key is invalid.")
    if given is not None and not hmac.compare_digest(secret, given):
        raise _failure("Consumer secret is invalid.")
    if key == keys.readonly_key and call.method not in ("GET", "HEAD", "OPTIONS"):
        raise _failure("The API key provided does not have write permissions.", envelope="rest unallowed")


def oauth_signature(method: str, url: str, parameters: dict[str, str], secret: str, digest: str) -> str:
    """The OAuth 1.0a signature over everything but itself; there are no tokens, so the key ends in `&`."""
    pairs = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in parameters.items())
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join(quote(part, safe="~") for part in (method.upper(), url, joined))
    found = hmac.new(f"{secret}&".encode(), base.encode(), _DIGESTS[digest])
    return base64.b64encode(found.digest()).decode()


def _basic(call: Call) -> tuple[str, str] | None:
    scheme, _, credentials = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, colon, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (key, secret) if colon and key and secret else None


def _oauth(keys: Keys, call: Call) -> tuple[str, None] | None:
    parameters = {}
    for part in call.raw_query.split("&"):
        name, _, value = part.partition("=")
        parameters[unquote_plus(name)] = unquote_plus(value)
    key, signature = parameters.get("oauth_consumer_key"), parameters.pop("oauth_signature", None)
    if key is None or signature is None:
        return None
    secret = keys.secret_of(key)
    if secret is None:
        raise _failure("Consumer key is invalid.")
    method = parameters.get("oauth_signature_method", "")
    if method not in _DIGESTS:
        raise _failure("Invalid signature - signature method is invalid.")
    wanted = oauth_signature(call.method, call.base + call.path, parameters, secret, method)
    if not hmac.compare_digest(wanted, signature):
        raise _failure("Invalid signature - provided signature does not match.")
    return key, None


def _failure(message: str, envelope: str = "rest stranger") -> Refusal:
    return Refusal("woocommerce_rest_authentication_error", message, 401, envelope=envelope)


def _stranger(purpose: str) -> Refusal:
    verb, message = {
        "list": ("view", "Sorry, you cannot list resources."),
        "view": ("view", "Sorry, you cannot view this resource."),
        "create": ("create", "Sorry, you are not allowed to create resources."),
        "edit": ("edit", "Sorry, you are not allowed to edit this resource."),
        "delete": ("delete", "Sorry, you are not allowed to delete this resource."),
        "batch": ("batch", "Sorry, you are not allowed to batch manipulate this resource."),
    }[purpose]
    return Refusal(f"woocommerce_rest_cannot_{verb}", message, 401, envelope="rest stranger")
