"""Sends what webhooks are waiting to tell: signed, once, in the background, after somebody visited the shop.

The way to the other side may be made a bad one: deliveries lost, doubled, late and so out of order.
As recorded: no second try; the seventh failure in a row disables a webhook. Nothing is ever sent off this
machine: an address that is not a loopback address counts as a failure.
"""

import base64
import hashlib
import hmac
import random
import secrets
import time
from collections import Counter
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from sandbox.shops.post import Post, deliver
from sandbox.woocommerce import order_view, product_view
from sandbox.woocommerce.answers import Call, Fields, encode
from sandbox.woocommerce.site import WOOCOMMERCE, WORDPRESS, Site

FAILURES_ALLOWED = 6
AGENT = f"WooCommerce/{WOOCOMMERCE} Hookshot (WordPress/{WORDPRESS})"


@dataclass(frozen=True)
class Way:
    """What becomes of deliveries between the shop and the other side; shares in percent of all orders and products.

    `lost`: taken by something on the way that answers 200, so the shop believes it arrived. `late`: held for up to
    `late_seconds`, with the state of when it was sent. `doubled`: the same delivery arrives twice.
    """

    lost: float = 0
    doubled: float = 0
    late: float = 0
    late_seconds: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class _Ready:
    webhook: Fields
    payload: bytes
    headers: dict[str, str]
    due: float = 0.0


class Deliveries(Post):
    """The shop's cron: `wake()` after a visit; `run()` sends everything that waits, now, what is held up too."""

    def __init__(self, site: Site, base: str) -> None:
        super().__init__()
        self._site = site
        self._call = Call("GET", "/", headers={"host": urlsplit(base).netloc}, below=urlsplit(base).path)
        self._held: list[_Ready] = []
        self._count = Counter[str]()
        self.way = Way()

    @property
    def way(self) -> Way:
        return self._way

    @way.setter
    def way(self, way: Way) -> None:
        self._way = way
        self._dice = random.Random(way.seed)

    def told(self) -> dict[str, int]:
        """How many were sent, lost, doubled and late since the start, and how many still wait."""
        with self._site.store.work():
            waiting = self._site.store.count("kind = 'delivery'", ())
        names = ("sent", "lost", "doubled", "late")
        return {**{name: self._count[name] for name in names}, "waiting": waiting + len(self._held)}

    def run(self) -> None:
        with self._turn:
            self._send_waiting()
            self._send_held(float("inf"))

    def _send_waiting(self) -> None:
        while not self._stopped.is_set():
            with self._site.store.work():
                waiting = self._site.store.find("kind = 'delivery'", (), "ORDER BY id LIMIT 1")
                if not waiting:
                    return
                self._site.store.drop("delivery", waiting[0]["id"])
                webhook = self._site.store.get("webhook", waiting[0]["parent"])
                payload = self._payload(waiting[0], webhook)
            if webhook is None or webhook["status"] != "active":
                continue
            if waiting[0]["resource"] == "ping":
                self._post(webhook, f"webhook_id={webhook['id']}".encode(), {})
            elif payload is not None:
                self._let_go(_Ready(webhook, payload, self._headers(webhook, payload)))

    def _let_go(self, ready: _Ready) -> None:
        """Upon its way, which may be a bad one."""
        if self._hit(self._way.lost):
            self._count["lost"] += 1
            self._settle(ready.webhook["id"], True)
        elif self._hit(self._way.late):
            self._count["late"] += 1
            due = time.monotonic() + self._dice.uniform(0, self._way.late_seconds)
            self._held.append(replace(ready, due=due))
        else:
            self._send(ready)

    def _send(self, ready: _Ready) -> None:
        times = 2 if self._hit(self._way.doubled) else 1
        self._count["doubled"] += times - 1
        for _ in range(times):
            self._count["sent"] += 1
            self._settle(ready.webhook["id"], self._post(ready.webhook, ready.payload, ready.headers))

    def _send_held(self, until: float) -> None:
        due = sorted((one for one in self._held if one.due <= until), key=lambda one: one.due)
        self._held = [one for one in self._held if one.due > until]
        for one in due:
            if not self._stopped.is_set():
                self._send(one)

    def _hit(self, percent: float) -> bool:
        return self._dice.uniform(0, 100) < percent

    def _patience(self) -> float | None:
        with self._turn:
            first = min((one.due for one in self._held), default=None)
        return None if first is None else max(0.0, first - time.monotonic())

    def _send_due(self) -> None:
        with self._turn:
            self._send_waiting()
            self._send_held(time.monotonic())

    def _payload(self, waiting: Fields, webhook: Fields | None) -> bytes | None:
        """The latest state, not the one that fired; of what is gone, or was thrown away, only its id."""
        site, number = self._site, waiting["number"]
        if webhook is not None and webhook["topic"].endswith(".deleted") and waiting["resource"] != "ping":
            return encode({"id": number})
        if waiting["resource"] == "order":
            order = site.store.get("order", number)
            return encode(order_view.order(site, self._call, order) if order else {"id": number})
        if waiting["resource"] == "product":
            product = site.store.get("product", number) or site.store.get("variation", number)
            return encode(product_view.product(site, self._call, product) if product else {"id": number})
        return None

    def _headers(self, webhook: Fields, payload: bytes) -> dict[str, str]:
        resource, _, event = webhook["topic"].partition(".")
        signature = hmac.new(webhook["secret"].encode(), payload, hashlib.sha256).digest()
        return {
            "X-WC-Webhook-Source": f"{self._call.base}/",
            "X-WC-Webhook-Topic": webhook["topic"],
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-WC-Webhook-ID": str(webhook["id"]),
            "X-WC-Webhook-Delivery-ID": secrets.token_hex(16),
        }

    def _post(self, webhook: Fields, body: bytes, extra: dict[str, str]) -> bool:
        headers = {
            "User-Agent": AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "deflate, gzip, br, zstd",
            "Content-Type": "application/json" if extra else "application/x-www-form-urlencoded",
            **extra,
            "Connection": "close",
        }
        return deliver(webhook["delivery_url"], body, headers)

    def _settle(self, number: int, taken: bool) -> None:
        store = self._site.store
        with store.work():
            webhook = store.get("webhook", number)
            if webhook is None:
                return
            webhook["failures"] = 0 if taken else webhook["failures"] + 1
            if webhook["failures"] > FAILURES_ALLOWED:
                webhook.update(status="disabled", modified=self._site.now())
            store.put("webhook", webhook)
