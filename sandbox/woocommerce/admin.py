"""The sandbox's own switches under /sandbox/: faults, what was asked, what the shop holds, a meddling hand."""

from collections.abc import Callable
from typing import Any

from sandbox.shops.faults import Faults, Record
from sandbox.shops.meter import Meter
from sandbox.shops.switches import common, turned
from sandbox.woocommerce import desk, orders, product_view, products, schema
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal
from sandbox.woocommerce.deliveries import Deliveries, Way
from sandbox.woocommerce.faults import Fault
from sandbox.woocommerce.keys import Keys
from sandbox.woocommerce.latency import Latency
from sandbox.woocommerce.site import IMAGE_POLICIES, Site


class Admin:
    """Answers `/sandbox/…`; each request carries `Authorization: Bearer <admin_token>`."""

    def __init__(
        self,
        site: Site,
        keys: Keys,
        switches: Faults[Fault],
        record: Record,
        deliveries: Deliveries,
        latency: Latency,
        meter: Meter,
    ) -> None:
        self._site, self._token, self._latency = site, keys.admin_token, latency
        self._acts: dict[str, Callable[[Fields], Any]] = {
            **common(switches, record),
            "GET meter": lambda _: meter.figures(),
            "DELETE meter": lambda _: meter.clear(),
            "GET keys": lambda _: keys.granted(),
            "DELETE keys": lambda wish: keys.revoke(str(wish["key"])),
            "GET deliveries": lambda _: deliveries.told(),
            "POST deliveries": lambda wish: setattr(deliveries, "way", Way(**wish)),
            "POST cron": lambda _: deliveries.run(),
            "POST settings": self._settings,
        }

    def answer(self, call: Call) -> Answer:
        """JSON always: 401 without the token, 400 with the reason for a request that cannot be followed."""
        site = self._site
        here: dict[str, Callable[[Fields], Any]] = {
            "GET products": lambda _: self._everything(call),
            "POST edit": lambda wish: self._edit(call, wish),
            "POST order": lambda wish: self._buy(call, wish),
            "POST order/act": lambda wish: desk.act(site, call, wish),
        }
        try:
            status, found = turned(self._acts | here, call, self._token, (NotSimulated,))
        except Refusal as refusal:
            status, found = refusal.status, refusal.as_json()
        bought = status == 200 and call.path == "/sandbox/order"
        return Answer(201 if bought else status, found, envelope="page")

    def _buy(self, call: Call, wish: Fields) -> Fields:
        with self._site.store.work():
            return orders.buy(self._site, call, wish)

    def _everything(self, call: Call) -> list[Fields]:
        """All products with their variations, trashed ones too, in the order they were made."""
        with self._site.store.work():
            found = self._site.store.find("kind IN ('product', 'variation')", ())
            return [
                product_view.variation(self._site, call, doc)
                if doc["type"] == "variation"
                else product_view.product(self._site, call, doc)
                for doc in found
            ]

    def _edit(self, call: Call, wish: Fields) -> Fields:
        """`{"sku" | "id", "set": {…}}` as by a person in the shop's back office; or `"trash"` / `"delete": true`."""
        site = self._site
        with site.store.work():
            doc = _named(site, wish)
            if wish.get("delete") or wish.get("trash"):
                if doc["type"] == "variation":
                    return products.delete_variation(site, call, doc["parent"], doc["id"])
                return products.delete_product(site, call, doc["id"], force=bool(wish.get("delete")))
            fields = {**wish["set"], "id": doc["id"]}
            if doc["type"] == "variation":
                schema.check(fields, schema.VARIATION)
                return products.update_variation(site, call, doc["parent"], fields)
            schema.check(fields, schema.PRODUCT)
            return products.update_product(site, call, fields)

    def _settings(self, wish: Fields) -> None:
        """`{"images", "latency": factor, "plain_callbacks": bool, "race_seconds"}`; what is not named stays."""
        unknown = set(wish) - {"images", "latency", "plain_callbacks", "race_seconds"}
        if unknown or not wish:
            raise ValueError(f"There is no setting {', '.join(sorted(unknown)) or 'without a name'}.")
        if wish.get("images", IMAGE_POLICIES[0]) not in IMAGE_POLICIES:
            raise ValueError(f"images is one of {', '.join(IMAGE_POLICIES)}.")
        if min(wish.get("latency", 0), wish.get("race_seconds", 0)) < 0:
            raise ValueError("latency and race_seconds are 0 or more.")
        site = self._site
        site.images = wish.get("images", site.images)
        site.plain_callbacks = bool(wish.get("plain_callbacks", site.plain_callbacks))
        site.race_seconds = float(wish.get("race_seconds", site.race_seconds))
        self._latency.factor = float(wish.get("latency", self._latency.factor))


def _named(site: Site, wish: Fields) -> Fields:
    if "sku" in wish:
        where, value = "sku = ?", str(wish["sku"]).casefold()
    else:
        where, value = "id = ?", wish["id"]
    found = site.store.find(f"{where} AND kind IN ('product', 'variation')", (value,))
    if not found:
        raise ValueError(f"No product has {where.partition(' ')[0]} {value!r}.")
    return found[0]
