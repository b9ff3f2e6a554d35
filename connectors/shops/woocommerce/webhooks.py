"""Makes the shop call the hub when an order or a product changes, mends that where it has ended, and verifies the calls."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from connectors.orders import Notice
from connectors.shops.woocommerce.client import Fields, Rest
from core.errors import Refused

TOPICS = ("order.created", "order.updated", "order.deleted", "product.updated", "product.deleted")
"""order.deleted tells what no list does: an order in the trash vanishes from all of them. A product tells of every change,
the hub's own and each sale included."""
_KINDS: dict[str, Literal["order", "product"]] = {"order": "order", "product": "product"}
NAME = "Entrepot"
"""Begins the name of our webhooks in the shop; others are left alone."""


class Webhooks:
    """The hub's webhooks in one shop. Their secret is derived from that of the REST key: nothing more need be kept."""

    def __init__(self, rest: Rest, rest_secret: str) -> None:
        self._rest = rest
        self._secret = derived_secret(rest_secret)

    def subscribe(self, url: str) -> Sequence[str]:
        """Makes or mends what `url` needs; the topics that were not as they should be.

        The shop never shows a secret, so our webhooks carry its fingerprint in their name: after the REST key was
        replaced theirs is replaced too. The shop itself disables a webhook at the seventh failure in a row.
        """
        held = [hook for hook in self._rest.pages("webhooks") if _ours(hook, url)]
        mended = []
        for topic in TOPICS:
            of_topic = [hook for hook in held if hook.get("topic") == topic]
            wish = self._wish(topic, url)
            if any(_as_wished(hook, wish) for hook in of_topic):
                continue
            if of_topic:
                self._rest.change(
                    f"webhooks/{of_topic[0]['id']}", {k: v for k, v in wish.items() if k != "topic"}
                )
            else:
                self._rest.change("webhooks", wish)
            mended.append(topic)
        return mended

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """The notice in a call. Raises Refused with the rule "signature" where this shop did not sign it.

        The ping at the creation of a webhook is a form without a signature (recorded: webhook_ping) and says nothing.
        """
        ping = re.fullmatch(rb"webhook_id=(\d{1,20})", body.strip())
        given = headers.get("x-wc-webhook-signature", "")
        if ping and not given:
            return Notice(delivery_id=f"ping-{ping[1].decode()}", topic="", kind="ping")
        if not hmac.compare_digest(given.encode(), signature(self._secret, body).encode()):
            raise Refused(
                f"The webhook does not carry the signature of the shop {self._rest.host}; it was not read. "
                "Where it is the shop's own, the hub renews its webhooks within the hour.",
                rule="signature",
            )
        topic = headers.get("x-wc-webhook-topic", "")
        kind = _KINDS.get(topic.partition(".")[0])
        number = _number(body) if kind else None
        return Notice(
            delivery_id=headers.get("x-wc-webhook-delivery-id") or hashlib.sha256(body).hexdigest(),
            topic=topic,
            kind="other" if kind is None or number is None else kind,
            external_id=number,
        )

    def _wish(self, topic: str, url: str) -> Fields:
        mark = hashlib.sha256(self._secret.encode()).hexdigest()[:8]
        name = f"{NAME} {topic} {mark}"
        return {"name": name, "topic": topic, "delivery_url": url, "status": "active", "secret": self._secret}


def derived_secret(rest_secret: str) -> str:
    """The secret of the hub's webhooks: HMAC-SHA256 of a fixed text under the REST key's secret, in hex."""
    return hmac.new(rest_secret.strip().encode(), b"entrepot webhook", hashlib.sha256).hexdigest()


def signature(secret: str, body: bytes) -> str:
    """X-WC-Webhook-Signature of a raw body (recorded: webhook_delivery_order)."""
    return b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def _ours(hook: Fields, url: str) -> bool:
    return hook.get("delivery_url") == url or str(hook.get("name")).startswith(f"{NAME} ")


def _as_wished(hook: Fields, wish: Fields) -> bool:
    return all(hook.get(name) == wish[name] for name in ("name", "delivery_url", "status"))


def _number(body: bytes) -> str | None:
    """The id of what it is about; a variation's change is one of its product."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict):
        return None
    number = found.get("parent_id") if found.get("type") == "variation" else found.get("id")
    return str(number) if type(number) is int else None
