"""How a seller lets the hub into his WooCommerce shop: its page /wc-auth/v1/authorize, and the keys it then sends.

Source: WooCommerce REST API documentation, "Authentication endpoint", and includes/class-wc-auth.php of
github.com/woocommerce/woocommerce.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

from core.errors import Refused

SCOPE = "read_write"


@dataclass(frozen=True, slots=True)
class Keys:
    """A REST key of its own that the shop made for the hub."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


def authorize_url(shop: str, *, app_name: str, state: str, return_url: str, callback_url: str) -> str:
    """The shop's page on which its owner agrees. The shop then sends the keys to `callback_url`, which must be https,
    and the owner to `return_url` with `success` and `user_id`, our `state`."""
    asked = {
        "app_name": app_name, "scope": SCOPE, "user_id": state, "return_url": return_url, "callback_url": callback_url,
    }  # fmt: skip
    return f"{shop.rstrip('/')}/wc-auth/v1/authorize?{urlencode(asked)}"


def keys_of(body: bytes, state: str) -> Keys:
    """The keys in the shop's call. Raises Refused where it is none, is not about `state`, or may not write."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict) or str(told.get("user_id")) != state:
        raise Refused("This is not the call of a shop that was asked for its keys.", rule="grant")
    key, secret = str(told.get("consumer_key") or ""), str(told.get("consumer_secret") or "")
    if not re.fullmatch(r"ck_\w{8,100}", key) or not re.fullmatch(r"cs_\w{8,100}", secret):
        raise Refused("The shop sent no keys.", rule="grant")
    if told.get("key_permissions") != SCOPE:
        raise Refused(
            "The key may not both read and write. Connect the shop anew and approve what it shows.",
            rule="grant",
        )
    return Keys(key, secret)
