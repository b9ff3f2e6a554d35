"""What a shop tells of itself, asked once: its currency, the app's scopes, where stock is kept and where products show."""

from collections.abc import Iterator
from functools import cached_property

from connectors.base import ShopFacts
from connectors.shops.shopify import limits
from connectors.shops.shopify.client import VERSION, Fields, GraphQL
from core.errors import Misconfigured

PRODUCT_SCOPES = {
    "write_products": "create and change products",
    "write_inventory": "set the stock",
    "read_locations": "see where the stock is kept",
    "write_publications": "show products in the online store",
}
"""Without these nothing can be pushed."""
ORDER_SCOPES = {"read_orders": "read orders"}
SHIPMENT_SCOPES = (
    "write_merchant_managed_fulfillment_orders",
    "write_third_party_fulfillment_orders",
    "write_assigned_fulfillment_orders",
)
"""One of these lets the hub report a parcel."""
UNITS = {"KILOGRAMS": "kg", "GRAMS": "g", "POUNDS": "lbs", "OUNCES": "oz"}
ONLINE_STORE = {
    "online store",
    "onlineshop",
    "online-shop",
    "boutique en ligne",
    "tienda online",
    "negozio online",
    "webwinkel",
    "onlinewinkel",
    "loja virtual",
    "sklep online",
}
"""What Shopify calls the publication of the shop's own pages, in the languages a shop may be kept in."""
ONLINE_STORE_APP, ONLINE_STORE_HANDLE = "gid://shopify/App/580111", "online_store"
"""The app behind it, in any language: its number is the `app_id` of the store's orders (shopify.dev, REST order)."""


class Facts:
    """Asked when first needed and kept as long as the connector lives. `kept` is the id of the location that was the hub's
    until now, None before the first time."""

    def __init__(self, graphql: GraphQL, kept: str | None = None) -> None:
        self._graphql, self._kept = graphql, kept

    def check(self) -> ShopFacts:
        """Everything at once. Raises Misconfigured with a sentence for each scope without which nothing works."""
        missing = [
            f"The scope {scope} is missing, so the hub cannot {purpose}."
            for scope, purpose in PRODUCT_SCOPES.items()
            if not self._has(scope)
        ]
        if missing:
            raise Misconfigured(
                f"{' '.join(missing)} Add what is missing to the app of the shop {self._graphql.host} in Shopify and "
                "connect the shop again."
            )
        place = self.place
        shop: Fields = self._shop["shop"]
        plan = str((shop.get("plan") or {}).get("publicDisplayName") or "")
        return ShopFacts(
            name=str(shop["name"] or self._graphql.host),
            version=f"{VERSION} ({plan})" if plan else VERSION,
            currency=self.currency,
            prices_include_tax=shop["taxesIncluded"] is True,
            weight_unit=UNITS.get(str(shop["weightUnit"]), ""),
            timezone=str(shop["ianaTimezone"]),
            warnings=tuple(self._warnings(place)),
            locations=tuple(str(one["name"]) for one in self._places_to_keep),
            location_ids=tuple(str(one["id"]) for one in self._places_to_keep),
            scopes=tuple(
                sorted(str(one["handle"]) for one in self._shop["currentAppInstallation"]["accessScopes"])
            ),
            limits=self._limits(),
        )

    @cached_property
    def currency(self) -> str:
        """The shop's own currency, ISO 4217: what prices are sent in."""
        return str(self._shop["shop"]["currencyCode"])

    @property
    def location(self) -> str:
        """The id of the location whose stock is ours to set."""
        return str(self.place["id"])

    @cached_property
    def place(self) -> Fields:
        """Of the active locations that fulfil online orders the one that is the hub's already, else the one that was made
        first; no fulfilment service's, since that sets its own stock. Raises Misconfigured where there is none."""
        if not self._places_to_keep:
            raise Misconfigured(
                f"The shop {self._graphql.host} has no active location that fulfils online orders. Switch that on for one "
                "under Settings → Locations."
            )
        return self._places_to_keep[0]

    @cached_property
    def publication(self) -> str:
        """The id of the online store's publication. Raises Misconfigured where the shop has no online store."""
        for found in self._places["publications"]["nodes"]:
            if str((found.get("catalog") or {}).get("title") or "").strip().casefold() in ONLINE_STORE:
                return str(found["id"])
        for found in self._graphql.read("Channels")["publications"]["nodes"]:
            for app in ((found.get("catalog") or {}).get("apps") or {}).get("nodes") or []:
                if app["id"] == ONLINE_STORE_APP or app["handle"] == ONLINE_STORE_HANDLE:
                    return str(found["id"])
        raise Misconfigured(
            f"The shop {self._graphql.host} has no sales channel “Online Store”. Add it under Settings → Apps and sales "
            "channels."
        )

    @property
    def sees_old_orders(self) -> bool:
        """Whether orders older than 60 days are shown too."""
        return self._has("read_all_orders")

    @cached_property
    def _shop(self) -> Fields:
        return self._graphql.read("Shop")

    @cached_property
    def _places(self) -> Fields:
        return self._graphql.read("Places")

    @cached_property
    def _places_to_keep(self) -> list[Fields]:
        found = [
            one
            for one in self._places["locations"]["nodes"]
            if one["isActive"] and one["fulfillsOnlineOrders"] and not one["isFulfillmentService"]
        ]
        # Stock that was set once stays sold there: another location would be sold on top of it.
        return sorted(found, key=lambda one: (one["id"] != self._kept, number_of(str(one["id"]))))

    def _has(self, scope: str) -> bool:
        given = {str(one["handle"]) for one in self._shop["currentAppInstallation"]["accessScopes"]}
        return scope in given or scope.replace("read_", "write_", 1) in given

    def _limits(self) -> dict[str, str]:
        bucket = self._graphql.bucket
        speed = (
            {
                "points a second": f"{bucket['restoreRate']:,.0f}",
                "points at once": f"{bucket['maximumAvailable']:,.0f}",
            }
            if bucket
            else {}
        )
        return {
            "variants of a product": f"{limits.MOST_VARIANTS:,}",
            "options of a product": f"{limits.MOST_OPTIONS}",
            "pictures of a product": f"{limits.MOST_FILES}",
            **speed,
        }

    def _warnings(self, place: Fields) -> Iterator[str]:
        for scope, purpose in ORDER_SCOPES.items():
            if not self._has(scope):
                yield f"The scope {scope} is missing, so the hub cannot {purpose}."
        if self._has("read_orders"):
            try:
                self._graphql.read("Buyers")
            except Misconfigured as error:
                yield str(error)
        if not any(self._has(scope) for scope in SHIPMENT_SCOPES):
            yield f"The scope {SHIPMENT_SCOPES[0]} is missing, so the hub cannot report parcels."
        if len(self._places_to_keep) > 1:
            yield (
                f"The hub keeps its stock at the location {place['name']}; what other locations hold is sold on top of it."
            )
        _ = self.publication


def number_of(gid: str) -> int:
    """The number at the end of a gid ("gid://shopify/Product/7" is 7); 0 where there is none."""
    tail = gid.rpartition("/")[2].partition("?")[0]
    return int(tail) if tail.isdecimal() else 0
