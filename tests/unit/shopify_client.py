"""A client of the sandbox's Shopify shop that knows nothing of the hub: raw documents over checked https."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.shopify import Shop

PATH = "/admin/api/2026-10/graphql.json"
FIRST_PRODUCT = {
    "title": "Ceramic Bowl",
    "status": "ACTIVE",
    "productOptions": [{"name": "Colour", "values": [{"name": "Blue"}, {"name": "Red"}]}],
    "variants": [
        {"optionValues": [{"optionName": "Colour", "name": "Blue"}], "sku": "BOWL-B", "price": "10.00"},
        {"optionValues": [{"optionName": "Colour", "name": "Red"}], "sku": "BOWL-R", "price": "12.5"},
    ],
}
SET = """mutation($identifier: ProductSetIdentifiers, $input: ProductSetInput!) {
  productSet(identifier: $identifier, input: $input, synchronous: true) {
    product { id handle title status tags
      media(first: 10) { nodes { id alt ... on MediaImage { originalSource { url } } } }
      variants(first: 100) { nodes { id sku price barcode inventoryItem { id tracked } } } }
    userErrors { code field message } } }"""
SET_STOCK = """mutation($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id changes { name delta item { id } } } userErrors { code field message } } }"""
ACTIVATE = """mutation($item: ID!, $place: ID!, $available: Int, $key: String!) {
  inventoryActivate(inventoryItemId: $item, locationId: $place, available: $available) @idempotent(key: $key) {
    inventoryLevel { id quantities(names: ["available"]) { quantity } } userErrors { field message } } }"""


class Client:
    """Keeps one connection, as a hub would."""

    def __init__(self, description: dict[str, str], *, timeout: float = 10) -> None:
        self.known = description
        self.token = description["access_token"]
        trust = ssl.create_default_context(cafile=description["ca_file"])
        netloc = urlsplit(description["url"]).netloc
        self.line = http.client.HTTPSConnection(netloc, context=trust, timeout=timeout)

    def raw(
        self, method: str, target: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        kind = {"Content-Type": "application/json", "X-Shopify-Access-Token": self.token}
        text = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        self.line.request(method, target, text, kind | headers)
        reply = self.line.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()

    def whole(self, document: str, **variables: Any) -> Any:
        """The body of a GraphQL answer, errors and cost included."""
        status, _, body = self.raw("POST", PATH, {"query": document, "variables": variables})
        assert status == 200, body
        return json.loads(body)

    def ask(self, document: str, **variables: Any) -> Any:
        """The data of an answer that has no errors."""
        found = self.whole(document, **variables)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def change(self, document: str, **variables: Any) -> Any:
        """The payload of the one mutation in the document, userErrors included."""
        return next(iter(self.ask(document, **variables).values()))

    def refused(self, document: str, **variables: Any) -> str:
        """The code of the first error of the whole answer."""
        return str(self.whole(document, **variables)["errors"][0]["extensions"]["code"])

    def switch(self, method: str, name: str, **wish: Any) -> Any:
        status, body = self.wish(method, name, **wish)
        assert status == 200, body
        return body

    def wish(self, method: str, name: str, **wish: Any) -> tuple[int, Any]:
        """What one of the sandbox's own switches answers, with its status."""
        token = f"Bearer {self.known['admin_token']}"
        status, _, body = self.raw(method, f"/sandbox/{name}", wish or None, Authorization=token)
        return status, json.loads(body)

    def place(self) -> str:
        """The first location."""
        return str(
            self.ask("{ locations(first: 1, sortKey: ID) { nodes { id } } }")["locations"]["nodes"][0]["id"]
        )

    def offered(self, stock: int = 10, **changes: Any) -> Any:
        """FIRST_PRODUCT on sale, each variant tracked with so much in stock; the product."""
        place = self.place()
        variants = [
            {**one, "inventoryItem": {"tracked": True}, "inventoryQuantities": [{"locationId": place, "name": "available", "quantity": stock}]}
            for one in FIRST_PRODUCT["variants"]
        ]  # fmt: skip
        product = self.change(SET, input={**FIRST_PRODUCT, "variants": variants, **changes})["product"]
        channel = self.ask("{ publications(first: 1) { nodes { id } } }")["publications"]["nodes"][0]["id"]
        publish = "mutation($id: ID!, $to: [PublicationInput!]!) { publishablePublish(id: $id, input: $to) { userErrors { message } } }"
        assert self.change(publish, id=product["id"], to=[{"publicationId": channel}])["userErrors"] == []
        return product

    def stock(self) -> dict[str, int]:
        """SKU → how many may be sold, as the back office shows it."""
        return {
            one["sku"]: one["stock"]
            for product in self.switch("GET", "products")
            for one in product["variants"]
        }


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator[tuple[Shop, Client]]:
    """A shop in `folder` and a client of it, until the block ends."""
    with Shop(folder, **options) as shop:
        client = Client(shop.description())
        try:
            yield shop, client
        finally:
            client.line.close()
