"""The sandbox's Shopify under both contracts: the hands of strangers, buyers and the seller, its faults, its webhooks heard."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from connectors.shops.shopify.client import ENDPOINT
from connectors.shops.shopify.connector import ShopifyShop
from sandbox.shopify.shop import Shop
from tests.contract.shops import PATIENCE
from tests.contract.woocommerce_order_rig import Ear

LOOK = """query ($after: String) { products(first: 50, after: $after) { pageInfo { hasNextPage endCursor } nodes {
  id title status updatedAt publishedOnPublication(publicationId: "gid://shopify/Publication/1000000001")
  media(first: 20) { nodes { id } } variants(first: 100) { nodes { id sku price inventoryItem { requiresShipping } } } } } }"""
MAKE = """mutation ($input: ProductSetInput!) { productSet(input: $input, synchronous: true) {
  product { id } userErrors { message } } }"""
UPDATE = (
    "mutation ($product: ProductUpdateInput!) { productUpdate(product: $product) { userErrors { message } } }"
)
DELETE = "mutation ($input: ProductDeleteInput!) { productDelete(input: $input) { userErrors { message } } }"
SHIPPED = """query ($id: ID!) { order(id: $id) { fulfillments(first: 50) {
  status trackingInfo(first: 5) { number company url } } } }"""


class ShopifyRig:
    """A sandbox shop asked over GraphQL by hands of its own, never by the connector's."""

    can_fail = True
    unique_skus = hides_variants = False

    def __init__(self, shop: Shop) -> None:
        self.shop, self.told = shop, shop.description()
        tls = ssl.create_default_context(cafile=self.told["ca_file"])
        self._http = httpx2.Client(verify=tls, timeout=60, trust_env=False)

    def connect(self, **options: Any) -> ShopifyShop:
        """A wrong secret of the neutral tests is a wrong token here: that is what opens a Shopify."""
        given = {
            "url": self.told["url"],
            "key": options.pop("secret", self.told["access_token"]),
            "secret": options.pop("client_secret", self.told["client_secret"]),
            "ca_file": self.told["ca_file"],
            "private_hosts": frozenset({"127.0.0.1"}),
            "sleep": lambda seconds: None,
        }
        return ShopifyShop(**{**given, **options})

    def graphql(self, text: str, **variables: Any) -> Any:
        """A call by the shop's own staff, which must succeed."""
        answer = self._http.post(
            f"{self.told['url']}/{ENDPOINT}",
            json={"query": text, "variables": variables},
            headers={"X-Shopify-Access-Token": self.told["access_token"]},
        )
        said = answer.json()
        assert answer.status_code == 200 and "errors" not in said, answer.text
        payload = next(iter(said["data"].values()))
        assert not (isinstance(payload, dict) and payload.get("userErrors")), answer.text
        return payload

    def switch(self, name: str, **fields: Any) -> Any:
        """One of the sandbox's own switches."""
        headers = {"Authorization": f"Bearer {self.told['admin_token']}"}
        answer = self._http.post(f"{self.told['url']}/sandbox/{name}", json=fields, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

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
            page = self.graphql(LOOK, after=after)
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

    def fail(self, kind: str, *, parent: str = "", times: int = 1, **more: Any) -> None:
        self.shop.faults.add(kind, times=times, **{"field": "productSet", "seconds": 2.5 * PATIENCE, **more})

    def calls(self) -> list[dict[str, Any]]:
        return self.shop.requests.seen()

    def tidy(self, prefix: str) -> None:
        self.shop.faults.clear()
        self.shop.requests.clear()


class ShopifyOrderRig:
    """Its buyers and its seller by the sandbox's switches; prices include tax, as a buyer sees them."""

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
        found = self.rig.graphql(SHIPPED, id=order_id)["fulfillments"]
        tracks = [track for one in found if one["status"] != "CANCELLED" for track in one["trackingInfo"]]
        return [
            {"number": track["number"], "carrier": track["company"] or "", "url": track["url"] or ""}
            for track in tracks
        ]

    def lose_answer(self) -> None:
        self.rig.fail("drop_after", field="fulfillmentCreate")

    def webhooks(self) -> list[tuple[Mapping[str, str], bytes]]:
        self.rig.switch("webhooks/run")
        heard, self.ear.heard = self.ear.heard, []
        return heard

    @property
    def address(self) -> str:
        return self.ear.url

    def tidy(self) -> None:
        self.rig.tidy("")
        self.ear.heard, self.ear.status = [], 200


@contextmanager
def sandbox_shopify(folder: Path) -> Iterator[ShopifyRig]:
    with Shop(folder) as shop:
        yield ShopifyRig(shop)


@contextmanager
def order_rig(folder: Path) -> Iterator[ShopifyOrderRig]:
    ear = Ear()
    try:
        with Shop(folder, tax_included=True) as shop:
            yield ShopifyOrderRig(ShopifyRig(shop), ear)
    finally:
        ear.close()
