"""Sends what webhooks are waiting to tell: signed, once, in the background, after somebody visited the shop.

As recorded: no second try; the seventh failure in a row disables a webhook. Nothing is ever sent off this
machine: an address that is not a loopback address counts as a failure.
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import secrets
import threading
from urllib.parse import urlsplit

from sandbox.woocommerce import order_view, product_view
from sandbox.woocommerce.answers import Call, Fields, encode
from sandbox.woocommerce.site import WOOCOMMERCE, WORDPRESS, Site

FAILURES_ALLOWED = 6
TIMEOUT = 5.0  # seconds
AGENT = f"WooCommerce/{WOOCOMMERCE} Hookshot (WordPress/{WORDPRESS})"


class Deliveries:
    """The shop's cron: `wake()` after a visit; `run()` sends everything that waits, now."""

    def __init__(self, site: Site, base: str) -> None:
        self._site = site
        self._call = Call("GET", "/", headers={"host": urlsplit(base).netloc})
        self._wake, self._stopped, self._turn = threading.Event(), threading.Event(), threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()
        with self._turn:  # what is being sent is finished first
            return

    def wake(self) -> None:
        self._wake.set()

    def run(self) -> None:
        with self._turn:
            while not self._stopped.is_set():
                with self._site.store.work():
                    waiting = self._site.store.find("kind = 'delivery'", (), "ORDER BY id LIMIT 1")
                    if not waiting:
                        return
                    self._site.store.drop("delivery", waiting[0]["id"])
                    webhook = self._site.store.get("webhook", waiting[0]["parent"])
                    payload = self._payload(waiting[0])
                if webhook is None or webhook["status"] != "active":
                    continue
                if waiting[0]["resource"] == "ping":
                    self._post(webhook, f"webhook_id={webhook['id']}".encode(), {})
                elif payload is not None:
                    self._settle(webhook["id"], self._post(webhook, payload, self._headers(webhook, payload)))

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            if not self._stopped.is_set():
                self.run()

    def _payload(self, waiting: Fields) -> bytes | None:
        """The latest state, not the one that fired; of what is gone only its id."""
        site, number = self._site, waiting["number"]
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
        parts = urlsplit(webhook["delivery_url"])
        if not _loopback(parts.hostname):
            return False
        kind = "application/json" if extra else "application/x-www-form-urlencoded"
        headers = {
            "User-Agent": AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "deflate, gzip, br, zstd",
            "Content-Type": kind,
            **extra,
            "Connection": "close",
        }
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
        try:
            line.request("POST", target, body, headers)
            return 200 <= line.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

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


def _loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
