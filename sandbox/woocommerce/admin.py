"""The sandbox's own switches under /sandbox/: faults, what was asked, what the shop holds, a meddling hand."""

import hmac
from typing import Any

from sandbox.shops.meter import Meter
from sandbox.woocommerce import desk, orders, product_view, products, schema
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, decode
from sandbox.woocommerce.deliveries import Deliveries, Way
from sandbox.woocommerce.faults import Faults, Record
from sandbox.woocommerce.keys import Keys
from sandbox.woocommerce.latency import Latency
from sandbox.woocommerce.site import IMAGE_POLICIES, Site


class Admin:
    """Answers `/sandbox/…`; each request carries `Authorization: Bearer <admin_token>`."""

    def __init__(
        self,
        site: Site,
        keys: Keys,
        switches: Faults,
        record: Record,
        deliveries: Deliveries,
        latency: Latency,
        meter: Meter,
    ) -> None:
        self._site, self._keys, self._switches, self._record = site, keys, switches, record
        self._deliveries, self._latency, self._meter = deliveries, latency, meter

    def answer(self, call: Call) -> Answer:
        """JSON always: 401 without the token, 400 with the reason for a request that cannot be followed."""
        given = call.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given, self._keys.admin_token):
            return _no("The admin token is missing or wrong.", 401)
        name = f"{call.method} {call.path.removeprefix('/sandbox/')}"
        wish = _json(call)
        try:
            if name == "GET requests":
                return Answer(200, self._record.seen(), envelope="page")
            if name == "DELETE requests":
                self._record.clear()
                return _yes()
            if name == "GET meter":
                return Answer(200, self._meter.figures(), envelope="page")
            if name == "DELETE meter":
                self._meter.clear()
                return _yes()
            if name == "GET faults":
                return Answer(200, self._switches.waiting(), envelope="page")
            if name == "POST faults":
                self._switches.add(str(wish.pop("kind", "")), **wish)
                return _yes()
            if name == "DELETE faults":
                self._switches.clear()
                return _yes()
            if name == "GET products":
                return Answer(200, self._everything(call), envelope="page")
            if name == "POST edit":
                return Answer(200, self._edit(call, wish), envelope="page")
            if name == "POST order":
                with self._site.store.work():
                    return Answer(201, orders.buy(self._site, call, wish), envelope="page")
            if name == "POST order/act":
                return Answer(200, desk.act(self._site, call, wish), envelope="page")
            if name == "GET keys":
                return Answer(200, self._keys.granted(), envelope="page")
            if name == "DELETE keys":
                self._keys.revoke(str(wish["key"]))
                return _yes()
            if name == "GET deliveries":
                return Answer(200, self._deliveries.told(), envelope="page")
            if name == "POST deliveries":
                self._deliveries.way = Way(**wish)
                return _yes()
            if name == "POST cron":
                self._deliveries.run()
                return _yes()
            if name == "POST settings":
                return self._settings(wish)
        except (ValueError, TypeError, KeyError, NotSimulated) as error:
            return _no(str(error), 400)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.as_json(), envelope="page")
        return _no(f"There is no switch {name}.", 404)

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

    def _settings(self, wish: Fields) -> Answer:
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
        return _yes()


def _named(site: Site, wish: Fields) -> Fields:
    if "sku" in wish:
        where, value = "sku = ?", str(wish["sku"]).casefold()
    else:
        where, value = "id = ?", wish["id"]
    found = site.store.find(f"{where} AND kind IN ('product', 'variation')", (value,))
    if not found:
        raise ValueError(f"No product has {where.partition(' ')[0]} {value!r}.")
    return found[0]


def _json(call: Call) -> Fields:
    found: Any = decode(call.body) if call.body else {}
    return found if isinstance(found, dict) else {}


def _yes() -> Answer:
    return Answer(200, {"done": True}, envelope="page")


def _no(message: str, status: int) -> Answer:
    return Answer(status, {"code": "sandbox", "message": message}, envelope="page")
