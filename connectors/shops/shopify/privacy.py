"""What Shopify sends to an app as a whole: a buyer wants to know what is kept of him, or his or a shop's data must go.

Facts: shopify.dev, "Privacy law compliance": the topics customers/data_request, customers/redact and shop/redact are set in
the app's configuration, not subscribed; their bodies name orders by the REST API's numbers.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from connectors.orders import Notice
from connectors.shops.shopify.webhooks import signature
from core.errors import Refused

ORDERS = {"customers/redact": "orders_to_redact", "customers/data_request": "orders_requested"}


def notices(headers: Mapping[str, str], body: bytes, secret: str) -> list[Notice]:
    """One for each order whose buyer is to be forgotten, one without an order for a whole shop, else one that asks for
    nothing. Raises Refused with the rule "signature" where the app's secret did not sign it; header names are lower case."""
    given = headers.get("x-shopify-hmac-sha256", "")
    if not secret or not hmac.compare_digest(given.encode(), signature(secret, body).encode()):
        raise Refused(
            "The call does not carry the signature of the hub's app; it was not read.", rule="signature"
        )
    topic = headers.get("x-shopify-topic", "")
    number = headers.get("x-shopify-webhook-id") or hashlib.sha256(body).hexdigest()
    if topic == "shop/redact":
        return [Notice(number, topic, "redact")]
    orders = [f"gid://shopify/Order/{one}" for one in _numbers(body, ORDERS.get(topic, ""))]
    kind: Any = "redact" if topic == "customers/redact" else "other"
    return [Notice(number, topic, kind, order) for order in orders] or [Notice(number, topic, "other")]


def _numbers(body: bytes, name: str) -> list[int]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    listed = told.get(name) if isinstance(told, dict) else None
    return [one for one in listed if type(one) is int and one > 0] if isinstance(listed, list) else []
