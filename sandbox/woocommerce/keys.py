"""Who is asking: basic authentication over https, OAuth 1.0a over http, and how each failure sounds."""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from sandbox.shops.store import Store
from sandbox.woocommerce.answers import Call, Fields, NotSimulated, Refusal

_DIGESTS = {"HMAC-SHA256": hashlib.sha256, "HMAC-SHA1": hashlib.sha1}
_OAUTH = (
    "oauth_consumer_key",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
)
_WINDOW = 15 * 60  # seconds
_NAMES = ("key", "secret", "readonly_key", "readonly_secret", "admin_token")


@dataclass(frozen=True)
class Keys:
    """The two pairs of keys the shop was born with, those its owner granted since, and the token of the switches."""

    store: Store
    key: str
    secret: str
    readonly_key: str
    readonly_secret: str
    admin_token: str

    def known(self, key: str) -> tuple[str, str] | None:
        """The secret of a key and what it may: `read`, `write` or `read_write`; None once it was revoked."""
        born = {
            self.key: (self.secret, "read_write"),
            self.readonly_key: (self.readonly_secret, "read"),
        }
        with self.store.work():
            if self.store.fact(f"revoked {key}"):
                return None
            granted = [] if key in born else self.store.find("kind = 'key' AND slug = ?", (key,))
        return (granted[0]["secret"], granted[0]["permissions"]) if granted else born.get(key)

    def grant(self, permissions: str, description: str) -> Fields:
        """Another pair: `id`, `key`, `secret`, `permissions`, `description`."""
        key, secret = f"ck_{secrets.token_hex(20)}", f"cs_{secrets.token_hex(20)}"
        made: Fields = {"slug": key, "key": key, "secret": secret}
        made |= {"permissions": permissions, "description": description}
        with self.store.work():
            made["id"] = self.store.next("key")
            self.store.put("key", made)
        return made

    def granted(self) -> list[Fields]:
        """Those that were granted and not revoked since."""
        with self.store.work():
            found = self.store.find("kind = 'key'", ())
            return [one for one in found if not self.store.fact(f"revoked {one['key']}")]

    def revoke(self, key: str) -> None:
        """As by the owner in the back office: from now on it is no key of this shop. Raises ValueError for one it
        does not have."""
        if self.known(key) is None:
            raise ValueError(f"The shop has no key {key!r}.")
        with self.store.work():
            self.store.remember(f"revoked {key}", "yes")


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
        return Keys(store, **{name: value or "" for name, value in found.items()})


def check(keys: Keys, call: Call, *, purpose: str, now: int) -> None:
    """Raises Refusal 401 unless the request carries keys that may do what it asks.

    `purpose` is what the route does (list, view, create, edit, delete, batch): it decides how the refusal of
    a request without usable keys sounds. `now` in seconds since 1970.
    """
    if "consumer_key" in call.query:
        raise NotSimulated("keys in the query string over https")
    pair = _basic(call) if call.secure else _oauth(keys, call, now)
    if pair is None:
        raise _stranger(purpose)
    key, given = pair
    known = keys.known(key)
    if known is None and call.secure:
        # Only signatures are judged by the key's name: perform_basic_authentication in WooCommerce's
        # class-wc-rest-authentication.php lets an unknown one pass, and then nobody is asking.
        raise _stranger(purpose)
    if known is None:
        raise _failure("Consumer key is invalid.")
    secret, permissions = known
    if given is not None and not hmac.compare_digest(secret, given):
        raise _failure("Consumer secret is invalid.")
    verb = "read" if call.method in ("GET", "HEAD") else "write"
    if verb not in permissions and call.method != "OPTIONS":
        message = f"The API key provided does not have {verb} permissions."
        raise _failure(message, envelope="rest unallowed")


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


def _oauth(keys: Keys, call: Call, now: int) -> tuple[str, None] | None:
    """From the query or the header; as in WooCommerce's includes/class-wc-rest-authentication.php."""
    parameters = {}
    for part in call.raw_query.split("&") if call.raw_query else []:
        name, _, value = part.partition("=")
        parameters[unquote_plus(name)] = unquote_plus(value)
    scheme, _, listed = call.headers.get("authorization", "").partition(" ")
    if scheme == "OAuth":
        found = re.findall(r'(oauth_[a-z_-]*)="?([^",]*)"?', listed)
        parameters |= {name: unquote_plus(value) for name, value in found}
    missing = [name for name in _OAUTH if not parameters.get(name)]
    if len(missing) == len(_OAUTH):
        return None
    if missing:
        message = f"Missing OAuth parameter{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        code = "woocommerce_rest_authentication_missing_parameter"
        raise Refusal(code, message, 401, envelope="rest stranger")
    key, signature = parameters["oauth_consumer_key"], parameters.pop("oauth_signature")
    known = keys.known(key)
    if known is None:
        raise _failure("Consumer key is invalid.")
    method = parameters["oauth_signature_method"]
    if method not in _DIGESTS:
        raise _failure("Invalid signature - signature method is invalid.")
    wanted = oauth_signature(call.method, call.base + call.path, parameters, known[0], method)
    if not hmac.compare_digest(wanted.encode(), signature.replace(" ", "+").encode()):
        raise _failure("Invalid signature - provided signature does not match.")
    _fresh(keys.store, key, parameters["oauth_timestamp"], parameters["oauth_nonce"], now)
    return key, None


def _fresh(store: Store, key: str, stamp: str, nonce: str, now: int) -> None:
    """A request counts for a quarter of an hour, and once."""
    moment = int(stamp) if stamp.isdecimal() else 0
    if abs(now - moment) > _WINDOW:
        raise _failure("Invalid timestamp.")
    name = f"nonces {key}"
    with store.work():
        used: Fields = json.loads(store.fact(name) or "{}")
        if nonce in used.values():
            raise _failure("Invalid nonce - nonce has already been used.")
        # As the real shop keeps them: of one second only the last one.
        used = {at: one for at, one in used.items() if int(at) >= now - _WINDOW} | {str(moment): nonce}
        store.remember(name, json.dumps(used))


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
