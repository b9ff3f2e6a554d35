"""The sandbox's own switches under /sandbox/: buyers, a meddling hand, faults, webhooks, the token, what was asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.shopify import (
    buying,
    collections,
    fulfilment,
    inventory,
    media,
    money,
    privacy,
    products,
    selling,
    tokens,
    variants,
)
from sandbox.shopify.answers import Answer, Call, Fields, UserError
from sandbox.shopify.api import CLOSED
from sandbox.shopify.bulk import Bulk
from sandbox.shopify.deliveries import Deliveries
from sandbox.shopify.faults import Faults, Record
from sandbox.shopify.site import SCOPES, Site, gid, new_token
from sandbox.shops.switches import common, turned


class Admin:
    """Answers `/sandbox/…`; each request carries `Authorization: Bearer <admin_token>`."""

    def __init__(
        self, site: Site, switches: Faults, record: Record, deliveries: Deliveries, operations: Bulk
    ) -> None:
        self._site, self._deliveries = site, deliveries
        self._acts: dict[str, Callable[[Fields], Any]] = {
            **common(switches, record),
            "GET products": lambda _: [self._product(one) for one in site.all("Product")],
            "GET orders": lambda _: [self._order(one) for one in site.all("Order")],
            "POST edit": self._edit,
            "POST collection": self._collection,
            "POST order": lambda wish: self._order(buying.buy(site, wish)),
            "POST draft": lambda wish: {"id": gid("DraftOrder", buying.draft(site, wish)["id"])},
            "POST draft/complete": lambda wish: self._order(buying.complete(site, wish)),
            "POST bundle": lambda wish: selling.bundle(site, wish),
            "POST order/pay": lambda wish: self._changed(wish, lambda one: buying.pay(site, one)),
            "POST order/edit": lambda wish: self._changed(
                wish, lambda one: buying.edit(site, one, wish["lines"])
            ),
            "POST order/refund": self._refund,
            "POST order/cancel": lambda wish: self._changed(wish, lambda one: buying.cancel(site, one, wish)),
            "POST order/ship": lambda wish: self._changed(
                wish, lambda one: fulfilment.by_hand(site, one, wish)
            ),
            "POST order/hold": lambda wish: self._changed(
                wish, lambda one: fulfilment.hold(site, one, on=bool(wish.get("on", True)))
            ),
            "POST order/split": lambda wish: self._changed(
                wish, lambda one: fulfilment.split(site, one, wish)
            ),
            "POST order/delete": self._delete,
            "GET webhooks": lambda _: deliveries.status(),
            "POST webhooks": deliveries.control,
            "POST webhooks/run": lambda _: None,
            "POST bulk": operations.control,
            "POST token": self._token,
            "GET bucket": lambda _: site.bucket.figures(),
            "POST settings": self._settings,
            "POST app": self._app,
            "POST pictures": lambda wish: media.control(site, wish),
            "POST privacy": lambda wish: privacy.ask(site, wish),
            "POST uninstall": lambda _: self._uninstall(),
        }

    def answer(self, call: Call) -> Answer:
        """JSON always: 401 without the token, 400 with the reason for a request that cannot be followed."""
        token = self._site.fact("admin_token")
        status, found = turned(self._acts, call, token, (UserError,), self._together)
        if status != 200:
            return Answer(status, found)
        if call.path == "/sandbox/webhooks/run":
            self._deliveries.run(early=True)
        self._deliveries.wake()
        return Answer(200, found)

    @contextmanager
    def _together(self) -> Iterator[None]:
        with self._site.lock, self._site.store.work():
            yield

    def _changed(self, wish: Fields, act: Callable[[Fields], Any]) -> Fields:
        order = buying.found(self._site, wish["order"])
        act(order)
        return self._order(buying.found(self._site, order["id"]))

    def _refund(self, wish: Fields) -> Fields:
        order = buying.found(self._site, wish["order"])
        made = buying.refund(self._site, order, wish)
        return {"refund": gid("Refund", made["id"]), "amount": made["amount"], "order": self._order(order)}

    def _delete(self, wish: Fields) -> None:
        self._site.store.drop("Order", buying.found(self._site, wish["order"])["id"])

    def _edit(self, wish: Fields) -> Fields:
        """`{"sku", "set": {"price", "stock", "sku", "barcode", "compareAtPrice", "title", "status", "tags", "handle",
        "descriptionHtml", "published": bool}}` as by a person in the back office; or `"delete": true` for the product
        of that SKU, `"delete": "variant"` for it alone."""
        site = self._site
        rows = site.all("ProductVariant", "sku = ?", str(wish["sku"]).casefold())
        rows = sorted(
            rows, key=lambda one: one["sku"] != wish["sku"]
        )  # of several the one that is spelled so
        if not rows:
            raise ValueError(f"No product has the SKU {wish['sku']!r}.")
        variant = rows[0]
        product = site.one("Product", variant["parent"])
        assert product is not None
        if wish.get("delete") == "variant":
            if len(products.variants_of(site, product)) == 1:
                raise ValueError("A product keeps its last variant.")
            products.remove_variant(site, variant)
            products.changed(site, product)
            return self._product(product)
        if wish.get("delete"):
            products.remove(site, product)
            return {"done": True}
        fields = dict(wish["set"])
        own = {
            name: fields.pop(name) for name in ("price", "compareAtPrice", "sku", "barcode") if name in fields
        }
        if own:
            variants.by_hand(site, variant, own)
        if "published" in fields:
            channels = [one["id"] for one in site.all("Publication")]
            product["published"] = channels if fields.pop("published") else []
        if "stock" in fields:
            item = products.item_of(site, variant)
            place = int(next(iter(item["levels"]), site.all("Location")[0]["id"]))
            inventory.stock_at(site, item, place, int(fields.pop("stock")))
        unknown = set(fields) - {"title", "status", "tags", "handle", "descriptionHtml"}
        if unknown:
            raise ValueError(f"Nobody changes {', '.join(sorted(unknown))} by hand here.")
        products.write_plain(site, product, fields)
        products.changed(site, product)
        return self._product(product)

    def _collection(self, wish: Fields) -> Fields:
        """`{"title", "smart"?: true}`: one of the shop's own people makes a collection."""
        made = collections.make(self._site, str(wish["title"]), smart=bool(wish.get("smart")))
        return {"id": gid("Collection", made["id"]), "handle": made["handle"]}

    def _token(self, wish: Fields) -> Fields:
        """`{"expire": true}` makes the access tokens of now no longer good, `{"revoke": true}` refresh tokens too;
        `{"renew": true}` makes another that does not end."""
        site = self._site
        if wish.get("expire"):
            tokens.expire(site)
        if wish.get("revoke"):
            tokens.revoke(site)
        if wish.get("renew"):
            site.store.remember("access_token", new_token())
        return {
            "access_token": site.fact("access_token"),
            "expired": site.store.fact("expired") == site.fact("access_token"),
        }

    def _settings(self, wish: Fields) -> None:
        """`{"plan", "rate", "points", "scopes", "chatty", "orders_a_minute", "customer_data", "latency", "state": 200 | 402 | 403 | 423 | 503}`; `rate` is points a second in place
        of the plan's and holds until the shop is started again."""
        site = self._site
        if "plan" in wish or "rate" in wish:
            site.bucket.refill(wish.get("plan", site.bucket.plan), wish.get("rate"))
            site.store.remember("plan", site.bucket.plan)
        if "points" in wish:
            site.bucket.drain(float(wish["points"]))
        site.latency = float(wish.get("latency", site.latency))
        if "orders_a_minute" in wish:
            site.store.remember("orders_a_minute", str(wish["orders_a_minute"] or ""))
        if "customer_data" in wish:
            site.store.remember("customer data", "yes" if wish["customer_data"] else "no")
        if "chatty" in wish:
            site.chatty = bool(wish["chatty"])
        if "scopes" in wish:
            site.scopes[:] = SCOPES if wish["scopes"] is None else wish["scopes"]
            site.store.remember("scopes", " ".join(site.scopes))
        if "state" in wish:
            if wish["state"] not in (200, *CLOSED):
                raise ValueError(f"state is 200 or one of {', '.join(map(str, CLOSED))}.")
            site.store.remember("state", str(wish["state"]))

    def _uninstall(self) -> None:
        """The merchant removes the app: what waited is told and that, then no token is good and no subscription left."""
        self._site.fired("APP_UNINSTALLED", "Shop", 1)
        for one in self._site.all("Delivery"):
            self._site.put("Delivery", {**one, "lasting": True})
        for one in self._site.all("WebhookSubscription"):
            self._site.store.drop("WebhookSubscription", one["id"])
        tokens.revoke(self._site)

    def _app(self, wish: Fields) -> None:
        """`{"redirects": [address, …], "compliance": address}`: what the app's configuration at Shopify says."""
        unknown = set(wish) - {"redirects", "compliance"}
        if unknown:
            raise ValueError(f"An app is not configured by {', '.join(sorted(unknown))}.")
        if "redirects" in wish:
            self._site.store.remember("redirects", json.dumps(wish["redirects"]))
        if "compliance" in wish:
            self._site.store.remember("compliance", str(wish["compliance"] or ""))

    def _product(self, product: Fields) -> Fields:
        site = self._site
        return {
            "id": gid("Product", product["id"]),
            "title": product["title"],
            "status": product["status"],
            "published": bool(product["published"]),
            "variants": [
                {
                    "id": gid("ProductVariant", one["id"]),
                    "sku": one["sku"],
                    "price": one["price"],
                    "stock": self._stock(one),
                }
                for one in products.variants_of(site, product)
            ],
        }

    def _stock(self, variant: Fields) -> int | None:
        item = products.item_of(self._site, variant)
        return inventory.total(item) if item["levels"] else None

    def _order(self, order: Fields) -> Fields:
        return {
            "id": gid("Order", order["id"]),
            "name": order["name"],
            "financial_status": money.financial_status(order),
            "fulfillment_status": money.fulfillment_status(order),
            "cancelled": bool(order["cancelledAt"]),
            "total": money.cents(money.totals(order, current=True)["total"]),
            "lines": [
                {
                    "id": gid("LineItem", one["id"]),
                    "sku": one["sku"],
                    "quantity": one["quantity"],
                    "current": one["current"],
                }
                for one in order["lines"]
            ],
            "shipments": [
                {
                    "id": gid("Fulfillment", one["id"]),
                    "tracking": one["tracking"],
                    "notified": one["notified"],
                    "lines": [
                        {"line": gid("LineItem", row["line"]), "quantity": row["quantity"]}
                        for row in one["lines"]
                    ],
                }
                for one in order["fulfillments"]
            ],
        }
