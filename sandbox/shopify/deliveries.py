"""Sends what webhooks are waiting to tell: signed, by itself, again when it is not taken, and unreliably on wish.

As shopify.md says: a delivery not answered with 2xx within 5 seconds is tried again, eight times, unchanged; eight
failures in a row delete the subscription. Nothing is ever sent off this machine.
"""

import base64
import hashlib
import hmac
import random

from sandbox.shopify.answers import Fields
from sandbox.shopify.site import VERSION, Site, time_text
from sandbox.shops.post import Post, deliver

TRIES = 9  # the first and eight more
FAILURES_ALLOWED = 7


class Deliveries(Post):
    """`wake()` after anything happened; `control` makes the post unreliable."""

    def __init__(self, site: Site, retry_seconds: float) -> None:
        """`retry_seconds` is the wait before the second try; each later one waits twice as long, at most a minute."""
        super().__init__()
        self._site, self._retry = site, retry_seconds
        self._random = random.Random()
        self.wish: Fields = {"lose": 0, "double": 0, "shuffle": False, "hold": False, "late": 0}
        self.lost = self.doubled = self.sent = 0

    def control(self, wish: Fields) -> None:
        """`{"lose": %, "double": %, "shuffle": bool, "hold": bool, "late": seconds, "seed": n}`; what is not named stays. Raises
        ValueError for an unknown name."""
        unknown = set(wish) - {*self.wish, "seed"}
        if unknown:
            raise ValueError(f"Deliveries know nothing of {', '.join(sorted(unknown))}.")
        if "seed" in wish:
            self._random.seed(wish["seed"])
        self.wish |= {name: value for name, value in wish.items() if name != "seed"}
        self.wake()

    def status(self) -> Fields:
        with self._site.lock:
            waiting = self._site.store.count("kind = ?", ("Delivery",))
        return {
            **self.wish,
            "waiting": waiting,
            "sent": self.sent,
            "lost": self.lost,
            "doubled": self.doubled,
        }

    def run(self, *, early: bool = False) -> None:
        """Sends what is due; with `early` also what waits for another try."""
        with self._turn:
            if early:
                with self._site.lock, self._site.store.work():
                    for one in self._site.all("Delivery", "modified > ?", self._site.clock()):
                        self._site.put("Delivery", {**one, "modified": 0})
            while not self._stopped.is_set() and not self.wish["hold"]:
                due = self._next(early=early)
                if not due:
                    return
                for one in due:
                    if self._stopped.is_set() or self.wish["hold"]:
                        return
                    self._send(one["id"])

    def _next(self, *, early: bool) -> list[Fields]:
        """The oldest fifty that are due, or any one of them."""
        with self._site.lock:
            due = self._site.store.find(
                "kind = 'Delivery' AND modified <= ? AND created <= ?",
                (self._site.clock(), self._site.clock() - (0 if early else self.wish["late"])),
                "ORDER BY id LIMIT 50",
            )
        return [self._random.choice(due)] if due and self.wish["shuffle"] else due

    def _patience(self) -> float | None:
        return self._retry

    def _send_due(self) -> None:
        self.run()

    def _send(self, number: int) -> None:
        """As it is now: it may have been changed since it was found to be due."""
        with self._site.lock:
            one = self._site.one("Delivery", number)
            if one is None:
                return
            subscription = self._site.one("WebhookSubscription", one["parent"]) if one["parent"] else None
        if subscription is None and not one["lasting"]:
            self._settle(one, None, taken=True)
            return
        if not one["attempt"] and self._random.random() * 100 < self.wish["lose"]:
            self.lost += 1
            self._settle(one, None, taken=True)
            return
        uri = subscription["uri"] if subscription else one["uri"]
        taken = self._post(uri, one)
        self.sent += 1
        if taken and self._random.random() * 100 < self.wish["double"]:
            self.doubled += 1
            self._post(uri, one)
        self._settle(one, subscription, taken=taken)

    def _post(self, uri: str, one: Fields) -> bool:
        body = one["body"].encode()
        secret = self._site.fact("client_secret").encode()
        headers = {
            "User-Agent": "Shopify-Captain-Hook",
            "Accept": "*/*",
            "Content-Type": "application/json",
            "X-Shopify-Topic": one["topic"],
            "X-Shopify-Shop-Domain": self._site.domain,
            "X-Shopify-API-Version": VERSION,
            "X-Shopify-Webhook-Id": one["webhookId"],
            "X-Shopify-Event-Id": one["eventId"],
            "X-Shopify-Triggered-At": time_text(one["triggered"]) or "",
            "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(secret, body, hashlib.sha256)).decode(),
            "Connection": "close",
        }
        return deliver(uri, body, headers)

    def _settle(self, one: Fields, subscription: Fields | None, *, taken: bool) -> None:
        site = self._site
        with site.lock, site.store.work():
            attempt = one["attempt"] + 1
            if taken or attempt >= TRIES:
                site.store.drop("Delivery", one["id"])
            else:
                wait = min(60.0, self._retry * 2 ** (attempt - 1))
                site.put("Delivery", {**one, "attempt": attempt, "modified": site.clock() + wait})
            if subscription is None or (taken and not subscription["failures"]):
                return
            held = site.one("WebhookSubscription", subscription["id"])
            if held is None:
                return
            held["failures"] = 0 if taken else held["failures"] + 1
            if held["failures"] > FAILURES_ALLOWED:
                site.store.drop("WebhookSubscription", held["id"])
            else:
                site.put("WebhookSubscription", held)
