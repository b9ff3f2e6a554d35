"""Makes the shop call the hub when an order, a product or a stock changes, mends that where it has ended, and verifies the calls."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from connectors.orders import Notice
from connectors.shops.shopify.client import Fields, GraphQL, refusals, sentence
from core.errors import Misconfigured, Refused, Temporary, Unknown

TOPICS = {
    "ORDERS_CREATE": "orders/create",
    "ORDERS_UPDATED": "orders/updated",
    "ORDERS_CANCELLED": "orders/cancelled",
    "REFUNDS_CREATE": "refunds/create",
    "PRODUCTS_UPDATE": "products/update",
    "PRODUCTS_DELETE": "products/delete",
    "INVENTORY_LEVELS_UPDATE": "inventory_levels/update",
    "APP_UNINSTALLED": "app/uninstalled",
}
"""The API's name of each topic and the one its calls carry."""
NAMES: dict[str, tuple[Literal["order", "product", "stock"], str, str]] = {
    "orders": ("order", "id", "Order"),
    "refunds": ("order", "order_id", "Order"),
    "products": ("product", "id", "Product"),
    "inventory_levels": ("stock", "inventory_item_id", "InventoryItem"),
}
"""What a topic's calls are about: the notice's kind, the field of the body with its number, and its type. Nothing else of
a body is read, so nothing else is asked for: no buyer's data travels."""


class Webhooks:
    """The app's webhooks in one shop. Shopify signs them with the app's client secret and shows an app only its own."""

    def __init__(self, graphql: GraphQL, secret: str) -> None:
        self._graphql, self._secret = graphql, secret.strip()

    def subscribe(self, url: str) -> Sequence[str]:
        """Makes or mends what `url` needs; the topics that were not as they should be.

        A subscription of the same topic to the same path elsewhere is ours from before the hub moved, one that tells more
        than we read from before the hub asked for less; others stay.
        """
        held = list(self._held())
        mended = []
        for name, topic in TOPICS.items():
            wish: Fields = {"uri": url}
            if topic.partition("/")[0] in NAMES:
                wish["includeFields"] = [NAMES[topic.partition("/")[0]][1]]
            of_topic = [hook for hook in held if hook["topic"] == name]
            there = [hook for hook in of_topic if hook["uri"] == url]
            if there and list(there[0].get("includeFields") or []) == wish.get("includeFields", []):
                continue
            moved = there or [hook for hook in of_topic if _path(str(hook["uri"])) == _path(url)]
            if moved:
                self._change("HookUpdate", id=moved[0]["id"], hook=wish)
            else:
                self._change("HookCreate", topic=name, hook={**wish, "format": "JSON"})
            mended.append(topic)
        return mended

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """The notice in a call. Raises Refused with the rule "signature" where this shop's app did not sign it.

        All shops of an app share its secret, so a call must also name this shop.
        """
        given = headers.get("x-shopify-hmac-sha256", "")
        if not hmac.compare_digest(given.encode(), signature(self._secret, body).encode()) or self._others(
            headers
        ):
            raise Refused(
                f"The webhook does not carry the signature of the shop {self._graphql.host}; it was not read. Where the "
                "client secret was renewed in Shopify, connect the shop again.",
                rule="signature",
            )
        topic = headers.get("x-shopify-topic", "")
        kind, number = _named(topic, body)
        return Notice(
            delivery_id=headers.get("x-shopify-webhook-id") or hashlib.sha256(body).hexdigest(),
            topic=topic,
            kind="uninstalled" if topic == "app/uninstalled" else kind,
            external_id=number,
            told_at=_time(headers.get("x-shopify-triggered-at", "")),
        )

    def _others(self, headers: Mapping[str, str]) -> bool:
        """True where the call names another shop; told only where ours is known by Shopify's own name for it."""
        ours = self._graphql.host.casefold()
        named = headers.get("x-shopify-shop-domain", "").casefold()
        return ours.endswith(".myshopify.com") and named != ours

    def _held(self) -> Iterator[Fields]:
        after = None
        while True:
            page = self._graphql.read("Hooks", after=after)["webhookSubscriptions"]
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def _change(self, name: str, **wish: Any) -> None:
        try:
            errors = refusals(self._graphql.change(name, **wish))
        except Unknown as error:
            # The next look tells whether it is there: nothing can be doubled by coming back.
            raise Temporary(f"A webhook may not have been made: {error}") from None
        if errors:
            raise Misconfigured(f"The shop {self._graphql.host} takes no webhook. {sentence(errors)}")


def signature(secret: str, body: bytes) -> str:
    """Base64 of the SHA-256 HMAC over the raw body (shopify.dev, "Verify webhooks")."""
    return b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def _time(text: str) -> datetime | None:
    """Shopify's time with its zone; None where the header is missing or is none."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    return told if told.tzinfo else None


def _named(topic: str, body: bytes) -> tuple[Literal["order", "product", "stock", "other"], str | None]:
    """(kind, gid) of what a call is about; its body has the REST API's shape."""
    about = NAMES.get(topic.partition("/")[0])
    if about is None:
        return "other", None
    kind, name, of_type = about
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "other", None
    number = told.get(name) if isinstance(told, dict) else None
    if type(number) is not int or number <= 0:
        return "other", None
    return kind, f"gid://shopify/{of_type}/{number}"


def _path(uri: str) -> str:
    return urlsplit(uri).path
