"""The sandbox's Shopify under both contracts: the hands of strangers, buyers and the seller, its faults, its webhooks heard."""

import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from connectors.shops.shopify.client import ENDPOINT
from connectors.shops.shopify.connector import ShopifyShop
from core.money import Money
from sandbox.shopify.shop import Shop
from tests.conftest import GIVEN
from tests.contract.shops import LIVE_SHOPIFY, PATIENCE, Page
from tests.contract.woocommerce_order_rig import Ear

PUBLISHED = 'publishedOnPublication(publicationId: "gid://shopify/Publication/1000000001")'
LOOK = f"""query ($after: String) {{ products(first: 50, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{
  id title status updatedAt {PUBLISHED}
  media(first: 20) {{ nodes {{ id }} }} variants(first: 100) {{ nodes {{ id sku price inventoryItem {{ requiresShipping }} }} }} }} }} }}"""
MAKE = """mutation ($input: ProductSetInput!) { productSet(input: $input, synchronous: true) {
  product { id } userErrors { message } } }"""
UPDATE = (
    "mutation ($product: ProductUpdateInput!) { productUpdate(product: $product) { userErrors { message } } }"
)
DELETE = "mutation ($input: ProductDeleteInput!) { productDelete(input: $input) { userErrors { message } } }"
PAGE = """query ($id: ID!) { product(id: $id) { title descriptionHtml handle tags
  collections(first: 50) { nodes { title } } variants(first: 100) { nodes { sku price compareAtPrice } } } }"""
STOCKED = """query ($sku: String!) { productVariants(first: 2, query: $sku) { nodes { sku inventoryItem {
  id inventoryLevels(first: 1) { nodes { location { id } quantities(names: ["available"]) { quantity } } } } } } }"""
SHELVES = "query ($title: String!) { collections(first: 100, query: $title) { nodes { id title } } }"
UNSHELVE = (
    "mutation ($input: CollectionDeleteInput!) { collectionDelete(input: $input) { userErrors { message } } }"
)
RECOUNT = """mutation ($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { message } } }"""
KEYS = """query ($namespace: String!, $key: String!) {
  metafieldDefinitions(first: 1, ownerType: PRODUCT, namespace: $namespace, key: $key) { nodes { id } } }"""
FORGET_KEY = """mutation ($id: ID!) { metafieldDefinitionDelete(id: $id, deleteAllAssociatedMetafields: true) {
  userErrors { message } } }"""
KEY = {"namespace": "entrepot", "key": "key"}
SHIPPED = """query ($id: ID!) { order(id: $id) { fulfillments(first: 50) {
  status trackingInfo(first: 5) { number company url } } } }"""


class ShopifyRig:
    """A shop asked over GraphQL by hands of its own, never by the connector's; `shop` is the sandbox's. A live one has
    none (nobody here could run it yet): what is only done by the sandbox's switches is not done there."""

    unique_skus = hides_variants = False

    def __init__(self, shop: Shop | None, told: dict[str, Any]) -> None:
        self._shop, self.told, self.can_fail = shop, told, shop is not None
        tls = ssl.create_default_context(cafile=self.told["ca_file"])
        self._http = httpx2.Client(verify=tls, timeout=60, trust_env=False)

    @property
    def shop(self) -> Shop:
        """The sandbox's shop behind it."""
        assert self._shop is not None
        return self._shop

    def connect(self, **options: Any) -> ShopifyShop:
        """A wrong secret of the neutral tests is a wrong token here: that is what opens a Shopify."""
        given = {
            "url": self.told["url"],
            "key": options.pop("secret", self.told["access_token"]),
            "secret": options.pop("client_secret", self.told["client_secret"]),
            "ca_file": self.told["ca_file"],
            "private_hosts": frozenset({"127.0.0.1"}),
            "sleep": (lambda seconds: None) if self.can_fail else time.sleep,
        }
        return ShopifyShop(**{**given, **options})

    def graphql(self, text: str, **variables: Any) -> Any:
        """A call by the shop's own staff, which must succeed."""
        payload = self.asked(text, **variables)
        assert not (isinstance(payload, dict) and payload.get("userErrors")), payload
        return payload

    def asked(self, text: str, **variables: Any) -> Any:
        """What the first field of a call says, `userErrors` and all."""
        answer = self._http.post(
            f"{self.told['url']}/{ENDPOINT}",
            json={"query": text, "variables": variables},
            headers={"X-Shopify-Access-Token": self.told["access_token"]},
        )
        said = answer.json()
        assert answer.status_code == 200 and "errors" not in said, answer.text
        return next(iter(said["data"].values()))

    def switch(self, name: str, **fields: Any) -> Any:
        """One of the sandbox's own switches."""
        headers = {"Authorization": f"Bearer {self.told['admin_token']}"}
        answer = self._http.post(f"{self.told['url']}/sandbox/{name}", json=fields, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def kept(self, name: str) -> Any:
        """One of the sandbox's own lists."""
        headers = {"Authorization": f"Bearer {self.told['admin_token']}"}
        return self._http.get(f"{self.told['url']}/sandbox/{name}", headers=headers).json()

    def stranger(self, sku: str) -> str:
        choice = {"optionName": "Title", "name": "Default Title"}
        fields = {
            "title": f"Seller's own {sku}",
            "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
            "variants": [{"sku": sku, "price": "5.00", "optionValues": [choice]}],
        }
        return str(self.graphql(MAKE, input=fields)["product"]["id"])

    def edit(self, external_id: str, **changes: Any) -> None:
        self.graphql(UPDATE, product={"id": external_id, **changes})

    def trash(self, external_id: str) -> None:
        self.edit(external_id, status="ARCHIVED")

    def delete(self, external_id: str) -> None:
        self.graphql(DELETE, input={"id": external_id})

    def products(self) -> Iterator[dict[str, Any]]:
        after = None
        while True:
            page = self.graphql(LOOK if self.can_fail else LOOK.replace(PUBLISHED, ""), after=after)
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def held(self, prefix: str) -> list[dict[str, Any]]:
        return [
            {**variant, "product": product}
            for product in self.products()
            for variant in product["variants"]["nodes"]
            if prefix.lower() in str(variant["sku"]).lower()
        ]

    def page(self, external_id: str, currency: str) -> Page:
        """The title, the texts and the prices as the shop has them."""
        found = self.graphql(PAGE, id=external_id)
        return Page(
            title=found["title"],
            description=found["descriptionHtml"].strip(),
            handle=found["handle"],
            tags=frozenset(found["tags"]),
            places=frozenset(one["title"] for one in found["collections"]["nodes"]),
            prices={one["sku"]: _prices(one, currency) for one in found["variants"]["nodes"]},
        )

    def tag(self, external_id: str, *names: str) -> None:
        self.edit(external_id, tags=sorted({*self.graphql(PAGE, id=external_id)["tags"], *names}))

    def sell(self, sku: str, quantity: int) -> None:
        """In a live shop, which lets nobody pay by its API, the number falls as a sale lets it fall."""
        if self.can_fail:
            self.switch("order", lines=[{"sku": sku, "quantity": quantity}])
        else:
            self._write_stock(sku, lambda shown: shown - quantity)

    def recount(self, sku: str, stock: int) -> None:
        if self.can_fail:
            self.switch("edit", sku=sku, set={"stock": stock})
        else:
            self._write_stock(sku, lambda _: stock)

    def _write_stock(self, sku: str, wanted: Callable[[int], int]) -> None:
        (variant,) = self.graphql(STOCKED, sku=f"sku:'{sku}'")["nodes"]
        item = variant["inventoryItem"]
        (level,) = item["inventoryLevels"]["nodes"]
        shown = level["quantities"][0]["quantity"]
        row = {"inventoryItemId": item["id"], "locationId": level["location"]["id"]}
        row |= {"quantity": wanted(shown), "changeFromQuantity": shown}
        fields = {"name": "available", "reason": "correction", "quantities": [row]}
        self.graphql(RECOUNT, input=fields, key=secrets.token_hex(16))

    def fail_stock(self, kind: str, *, parent: str = "") -> None:
        self.fail(kind, field="inventorySetQuantities")

    def fail(self, kind: str, *, parent: str = "", times: int = 1, **more: Any) -> None:
        self.shop.faults.add(kind, times=times, **{"field": "productSet", "seconds": 2.5 * PATIENCE, **more})

    def calls(self) -> list[dict[str, Any]]:
        return self.shop.requests.seen()

    def tidy(self, prefix: str) -> None:
        if self.can_fail:
            self.shop.faults.clear()
            self.shop.requests.clear()
            return
        for number in {thing["product"]["id"] for thing in self.held(prefix)}:
            self.delete(number)
        for shelf in self.graphql(SHELVES, title=f"title:{prefix}*")["nodes"]:
            if prefix in shelf["title"]:
                self.graphql(UNSHELVE, input={"id": shelf["id"]})


def _prices(variant: Mapping[str, Any], currency: str) -> tuple[Money, Money | None]:
    struck = variant["compareAtPrice"]
    return Money.of(variant["price"], currency), Money.of(struck, currency) if struck else None


class ShopifyOrderRig:
    """Its buyers and its seller by the sandbox's switches; prices include tax, as a buyer sees them."""

    can_fail = True
    marks_tests = False
    buyer: Mapping[str, str] = {
        "name": "Käthe O'Neil",
        "street": "Weg 2",
        "postcode": "80331",
        "city": "München",
        "country": "DE",
        "email": "kaethe@example.test",
    }

    def __init__(self, rig: ShopifyRig, ear: Ear) -> None:
        self.rig, self.ear = rig, ear

    def connect(self, **options: Any) -> ShopifyShop:
        """Here `secret` is what it is to Shopify: what webhooks are signed with."""
        given = {"secret": self.rig.told["client_secret"], **options}
        return self.rig.connect(client_secret=given.pop("secret"), patience=PATIENCE, **given)

    def buy(self, lines: Sequence[tuple[str, int]], *, paid: bool = True) -> str:
        first, _, last = self.buyer["name"].partition(" ")
        address = {
            "firstName": first,
            "lastName": last,
            "address1": self.buyer["street"],
            "zip": self.buyer["postcode"],
            "city": self.buyer["city"],
            "countryCodeV2": self.buyer["country"],
        }
        rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        made = self.rig.switch("order", lines=rows, email=self.buyer["email"], address=address, paid=paid)
        return str(made["id"])

    def pay(self, order_id: str) -> None:
        self.rig.switch("order/pay", order=order_id)

    def edit(self, order_id: str, line_id: str, quantity: int) -> None:
        self.rig.switch("order/edit", order=order_id, lines=[{"line": line_id, "quantity": quantity}])

    def refund(self, order_id: str, lines: Sequence[tuple[str, int]], amount: str = "") -> str:
        rows = [{"line": line, "quantity": quantity} for line, quantity in lines]
        return str(self.rig.switch("order/refund", order=order_id, lines=rows, amount=amount)["refund"])

    def cancel(self, order_id: str) -> None:
        self.rig.switch("order/cancel", order=order_id)

    def delete(self, order_id: str) -> None:
        self.rig.switch("order/delete", order=order_id)

    def shipments(self, order_id: str) -> list[Mapping[str, Any]]:
        return shown_shipments(self.rig, order_id)

    def lose_answer(self) -> None:
        self.rig.fail("drop_after", field="fulfillmentCreate")

    def webhooks(self) -> list[tuple[Mapping[str, str], bytes]]:
        self.rig.switch("webhooks/run")
        heard, self.ear.heard = self.ear.heard, []
        return heard

    @property
    def address(self) -> str:
        return self.ear.url

    def forget(self, prefix: str) -> None: ...

    def tidy(self) -> None:
        self.rig.tidy("")
        self.ear.heard, self.ear.status = [], 200


def shown_shipments(rig: ShopifyRig, order_id: str) -> list[Mapping[str, Any]]:
    """What an order shows as shipped, the oldest first."""
    found = rig.graphql(SHIPPED, id=order_id)["fulfillments"]
    tracks = [track for one in found if one["status"] != "CANCELLED" for track in one["trackingInfo"]]
    return [
        {"number": track["number"], "carrier": track["company"] or "", "url": track["url"] or ""}
        for track in tracks
    ]


@contextmanager
def sandbox_shopify(folder: Path) -> Iterator[ShopifyRig]:
    with Shop(folder) as shop:
        yield ShopifyRig(shop, shop.description())


@contextmanager
def live_shopify(folder: Path) -> Iterator[ShopifyRig]:
    """The definition of the hub's key goes again where no hub had made one before."""
    url, token, secret = (GIVEN[f"{LIVE_SHOPIFY}{name}"] for name in ("URL", "TOKEN", "SECRET"))
    told: dict[str, Any] = {"url": url.rstrip("/"), "access_token": token, "client_secret": secret}
    told["ca_file"] = GIVEN.get(f"{LIVE_SHOPIFY}CA")
    rig = ShopifyRig(None, told)
    before = rig.graphql(KEYS, **KEY)["nodes"]
    yield rig
    for one in rig.graphql(KEYS, **KEY)["nodes"]:
        if one not in before:
            rig.graphql(FORGET_KEY, id=one["id"])


@contextmanager
def order_rig(folder: Path) -> Iterator[ShopifyOrderRig]:
    ear = Ear()
    try:
        with Shop(folder, tax_included=True) as shop:
            yield ShopifyOrderRig(ShopifyRig(shop, shop.description()), ear)
    finally:
        ear.close()
