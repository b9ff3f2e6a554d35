"""The hands and eyes of people outside the hub in two sandbox shops: owners, visitors and whatever makes a shop fail.

They speak to the shops themselves, never through the hub's connectors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tests.contract.shopify_rig import MAKE, PUBLISHED, ShopifyOrderRig
from tests.contract.woocommerce_order_rig import WooOrderRig

EYES = f"""query ($after: String) {{ products(first: 50, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{
  id title status {PUBLISHED} variants(first: 20) {{ nodes {{ sku price inventoryQuantity selectedOptions {{ name value }} }} }} }} }} }}"""
FULFILLED = """query ($id: ID!) { order(id: $id) { fulfillments(first: 50) { status trackingInfo(first: 5) { number }
  fulfillmentLineItems(first: 20) { nodes { quantity lineItem { sku } } } } } }"""
ONE_ONLY = ("Title", "Default Title")
"""What Shopify calls the choice of a product that has none."""
Parcel = tuple[str, dict[str, int]]
"""What a buyer is told of a parcel: its number, and the pieces of each SKU; {} where the shop names no pieces."""


@dataclass(frozen=True)
class Shown:
    """Something to buy as a visitor of the shop sees it; `page` is its product's id, `on_sale` False for a draft."""

    title: str
    price: str
    stock: int
    on_sale: bool
    options: tuple[tuple[str, str], ...]
    page: str


class Hands(Protocol):
    """One sandbox shop, moved and looked at from outside. `keeps_gone`: what is no longer sold stays to be seen, without stock.
    `unique_skus`: no two things there have the same."""

    rig: Any
    faults: tuple[str, ...]
    keeps_gone: bool
    unique_skus: bool

    @property
    def told(self) -> dict[str, Any]: ...
    def look(self, prefix: str) -> list[tuple[str, Shown]]: ...
    def pages(self) -> list[str]: ...
    def clear(self) -> None: ...
    def recount(self, sku: str, stock: int) -> None: ...
    def edit(self, sku: str, what: str) -> None: ...
    def takes_out(self, order: str, line: str, wanted: int) -> None: ...
    def own(self, title: str, price: str, skus: dict[str, str]) -> str: ...
    def parcels(self, order: str) -> list[Parcel]: ...
    def fail(self, kind: str, *, stock: bool) -> None: ...
    def calm(self) -> None: ...


class WooHands:
    """A WooCommerce."""

    faults = ("hang", "late", "drop_before", "drop_after", "stray", "cut", "php_fatal", "maintenance")
    keeps_gone = False
    unique_skus = True

    def __init__(self, rig: WooOrderRig) -> None:
        self.rig, self._rest = rig, rig.woo.rest

    @property
    def told(self) -> dict[str, Any]:
        return self.rig.shop.description()

    def _products(self) -> Iterator[dict[str, Any]]:
        page: list[dict[str, Any]] = self._rest("GET", "products", params={"per_page": 100, "status": "any"})
        assert len(page) < 100
        yield from page

    def look(self, prefix: str) -> list[tuple[str, Shown]]:
        found = []
        for one in self._products():
            things = [one]
            if one["type"] == "variable":
                things = self._rest("GET", f"products/{one['id']}/variations", params={"per_page": 100})
            for thing in things:
                if thing["sku"].lower().startswith(prefix.lower()):
                    sold = one["status"] == thing["status"] == "publish"
                    choice = () if thing is one else thing["attributes"]
                    options = tuple((each["name"], each["option"]) for each in choice)
                    shown = Shown(one["name"], thing["regular_price"], thing["stock_quantity"] or 0, sold, options, str(one["id"]))  # fmt: skip
                    found.append((thing["sku"], shown))
        return found

    def pages(self) -> list[str]:
        return [str(one["id"]) for one in self._products()]

    def clear(self) -> None:
        for one in self._products():
            self.rig.woo.delete(str(one["id"]))

    def recount(self, sku: str, stock: int) -> None:
        self.rig.woo.recount(sku, stock)

    def edit(self, sku: str, what: str) -> None:
        (thing,) = self._rest("GET", "products", params={"sku": sku, "status": "any"})
        of = thing["parent_id"]
        if what == "title":
            self.rig.woo.edit(str(of or thing["id"]), name="Mine")
        else:
            below = f"{of}/variations/" if of else ""
            self._rest("PUT", f"products/{below}{thing['id']}", json={"regular_price": "1.00"})

    def takes_out(self, order: str, line: str, wanted: int) -> None:
        """One piece out of an order of which `wanted` are wanted still; what was refunded stays in its figure."""
        found = self._rest("GET", f"orders/{order}")["line_items"]
        (there,) = (each["quantity"] for each in found if str(each["id"]) == line)
        self.rig.edit(order, line, there - 1)

    def own(self, title: str, price: str, skus: dict[str, str]) -> str:
        """A product of the owner's own, by SKU the colour it comes in ("": it has no choice); its id."""
        kept = {"manage_stock": True, "stock_quantity": 4}
        if "" in skus.values():
            (sku,) = skus
            return str(self._rest("POST", "products", json={"name": title, "sku": sku, "regular_price": price, **kept})["id"])  # fmt: skip
        choice = {"name": "Farbe", "variation": True, "options": list(skus.values())}
        made = self._rest("POST", "products", json={"name": title, "type": "variable", "attributes": [choice]})  # fmt: skip
        for sku, colour in skus.items():
            chosen = {"sku": sku, "regular_price": price, "attributes": [{"name": "Farbe", "option": colour}], **kept}  # fmt: skip
            self._rest("POST", f"products/{made['id']}/variations", json=chosen)
        return str(made["id"])

    def parcels(self, order: str) -> list[Parcel]:
        return [(one["number"], {}) for one in self.rig.shipments(order)]

    def fail(self, kind: str, *, stock: bool) -> None:
        self.rig.woo.fail(kind)

    def calm(self) -> None:
        self.rig.shop.faults.clear()


class ShopifyHands:
    """A Shopify."""

    faults = ("hang", "late", "drop_before", "drop_after", "cut", "throttled", "internal", "html")
    keeps_gone = True
    unique_skus = False

    def __init__(self, rig: ShopifyOrderRig) -> None:
        self.rig, self._rig = rig, rig.rig

    @property
    def told(self) -> dict[str, Any]:
        return self._rig.told

    def _nodes(self) -> Iterator[dict[str, Any]]:
        after = None
        while True:
            page = self._rig.graphql(EYES, after=after)
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def look(self, prefix: str) -> list[tuple[str, Shown]]:
        found = []
        for one in self._nodes():
            for thing in one["variants"]["nodes"]:
                if (thing["sku"] or "").lower().startswith(prefix.lower()):
                    options = tuple((each["name"], each["value"]) for each in thing["selectedOptions"])
                    chosen = () if options == (ONE_ONLY,) else options
                    sold = one["status"] == "ACTIVE" and one["publishedOnPublication"]
                    shown = Shown(one["title"], thing["price"], thing["inventoryQuantity"], sold, chosen, one["id"])  # fmt: skip
                    found.append((thing["sku"], shown))
        return found

    def pages(self) -> list[str]:
        return [one["id"] for one in self._nodes()]

    def clear(self) -> None:
        for number in self.pages():
            self._rig.delete(number)

    def recount(self, sku: str, stock: int) -> None:
        self._rig.recount(sku, stock)

    def edit(self, sku: str, what: str) -> None:
        self._rig.switch("edit", sku=sku, set={"title": "Mine"} if what == "title" else {"price": "1.00"})

    def takes_out(self, order: str, line: str, wanted: int) -> None:
        """One piece out of an order of which `wanted` are wanted still: what was refunded is in it no longer."""
        self.rig.edit(order, line, wanted - 1)

    def own(self, title: str, price: str, skus: dict[str, str]) -> str:
        """A product of the owner's own, by SKU the colour it comes in ("": it has no choice); its id."""
        name, only = ("Farbe", None) if "" not in skus.values() else ONE_ONLY
        variants = [
            {"sku": sku, "price": price, "optionValues": [{"optionName": name, "name": only or colour}]}
            for sku, colour in skus.items()
        ]
        values = [{"name": only or colour} for colour in skus.values()]
        fields = {"title": title, "productOptions": [{"name": name, "values": values}], "variants": variants}
        number = str(self._rig.graphql(MAKE, input=fields)["product"]["id"])
        for sku in skus:
            self._rig.switch("edit", sku=sku, set={"stock": 4, "published": True})
        return number

    def parcels(self, order: str) -> list[Parcel]:
        told = []
        for one in self._rig.graphql(FULFILLED, id=order)["fulfillments"]:
            if one["status"] != "CANCELLED":
                pieces = {each["lineItem"]["sku"]: each["quantity"] for each in one["fulfillmentLineItems"]["nodes"]}  # fmt: skip
                told += [(track["number"], pieces) for track in one["trackingInfo"]]
        return told

    def fail(self, kind: str, *, stock: bool) -> None:
        field: dict[str, Any] = {"field": "inventorySetQuantities"} if stock else {}
        self._rig.fail(kind, **field)

    def calm(self) -> None:
        self._rig.shop.faults.clear()
