"""Signs calls by OAuth 1.0a (RFC 5849): the only way WooCommerce takes a key over http, since the secret stays at home."""

import hashlib
import hmac
import secrets
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote

from connectors.http import Query, Sign
from core.clock import now


def signer(key: str, secret: str) -> Sign:
    """Adds the oauth_* fields to a call's query. A body is not signed (a JSON body is not part of it, section 3.4.1.3.1),
    so whoever is on the way could change it: http stays the operator's exception."""

    def sign(method: str, address: str, query: Query) -> Query:
        fields = {
            **query,
            "oauth_consumer_key": key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": int(now().timestamp()),
            "oauth_version": "1.0",
        }
        return {**fields, "oauth_signature": signature(method, address, fields, secret)}

    return sign


def signature(method: str, address: str, fields: Mapping[str, str | int], secret: str) -> str:
    """The signature over a method, an address without its query, and all fields of the query, as WooCommerce computes it
    (class-wc-rest-authentication.php, check_oauth_signature; recorded: oauth1_get_over_http). There is no token secret."""
    pairs = sorted((_encoded(name), _encoded(str(value))) for name, value in fields.items())
    query = "&".join(f"{name}={value}" for name, value in pairs)
    text = "&".join((method.upper(), _encoded(address), _encoded(query)))
    return b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha256).digest()).decode()


def _encoded(text: str) -> str:
    """RFC 3986: everything but letters, digits and -._~"""
    return quote(text, safe="~")
