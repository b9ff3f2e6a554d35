"""The sandbox's Shopify changes what it was asked to and nothing beside it: collections, tags, variants, stock by the hundred."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.shopify_client import FIRST_PRODUCT, SET, SET_STOCK, Client, opened

MAKE = """mutation($collection: CollectionCreateInput!) { collectionCreate(collection: $collection) {
  collection { id handle sources { id title } } userErrors { field message } } }"""
UPDATE = """mutation($collection: CollectionUpdateInput!) { collectionUpdate(collection: $collection) {
  collection { id products(first: 10) { nodes { id } } } job { done } userErrors { message } } }"""
BY_HANDLE = """query($handle: String!) { collectionByIdentifier(identifier: {handle: $handle}) {
  id title productsCount { count } products(first: 10) { nodes { id } } } }"""
JOIN = "mutation($product: ProductUpdateInput!) { productUpdate(product: $product) { product { collections(first: 9) { nodes { handle } } } userErrors { field message } } }"
VARIANTS = """mutation($id: ID!, $variants: [ProductVariantsBulkInput!]!, $part: Boolean) {
  productVariantsBulkUpdate(productId: $id, variants: $variants, allowPartialUpdates: $part) {
    product { id } productVariants { id price compareAtPrice } userErrors { code field } } }"""
READ = """query($id: ID!) { product(id: $id) { tags collections(first: 9) { nodes { handle } }
  variants(first: 9) { nodes { sku price compareAtPrice barcode inventoryItem { id countryCodeOfOrigin harmonizedSystemCode } } } } }"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with opened(tmp_path) as (_, made):
        yield made


def handles(client: Client, product: str) -> list[str]:
    return [one["handle"] for one in client.ask(READ, id=product)["product"]["collections"]["nodes"]]


def quantity(item: str, place: str, quantity: int, before: int | None) -> dict[str, Any]:
    return {"inventoryItemId": item, "locationId": place, "quantity": quantity, "changeFromQuantity": before}


def test_a_collection_is_made_once_found_by_its_handle_and_joined_by_hand(client: Client) -> None:
    product = client.change(SET, input=FIRST_PRODUCT)["product"]["id"]
    made = client.change(MAKE, collection={"title": "Table & Kitchen"})["collection"]
    assert made["handle"] == "table-kitchen"
    assert (
        client.change(MAKE, collection={"title": "Table & Kitchen"})["collection"]["handle"]
        == "table-kitchen-1"
    )
    taken = client.change(MAKE, collection={"title": "Other", "handle": "table-kitchen"})
    assert (taken["collection"], taken["userErrors"][0]["field"]) == (None, ["collection", "handle"])
    add = {"id": made["sources"][0]["id"], "inclusion": {"selectionsToAdd": [{"productId": product}]}}
    wish = {"id": made["id"], "sourcesToUpdate": [{"condition": add}]}
    for _ in range(2):
        joined = client.change(UPDATE, collection=wish)
        assert (joined["job"], joined["userErrors"]) == ({"done": True}, [])
    found = client.ask(BY_HANDLE, handle="table-kitchen")["collectionByIdentifier"]
    assert found == {
        "id": made["id"], "title": "Table & Kitchen", "productsCount": {"count": 1},
        "products": {"nodes": [{"id": product}]},
    }  # fmt: skip
    assert client.ask(BY_HANDLE, handle="no-such")["collectionByIdentifier"] is None


def test_joining_leaves_the_owner_s_collections_and_product_set_does_not(client: Client) -> None:
    product = client.change(SET, input=FIRST_PRODUCT)["product"]["id"]
    owner, ours, smart = (
        client.switch("POST", "collection", title=title, smart=title == "Smart")["id"]
        for title in ("Owner", "Ours", "Smart")
    )
    assert client.change(JOIN, product={"id": product, "collectionsToJoin": [owner]})["userErrors"] == []
    joined = client.change(JOIN, product={"id": product, "collectionsToJoin": [ours]})["product"]
    assert [one["handle"] for one in joined["collections"]["nodes"]] == ["owner", "ours"]
    refused = client.change(JOIN, product={"id": product, "collectionsToJoin": [smart]})["userErrors"]
    assert refused[0]["message"] == "Can't manually add products to a smart collection"
    client.change(SET, identifier={"id": product}, input={**FIRST_PRODUCT, "title": "B"})
    assert handles(client, product) == ["owner", "ours"]
    client.change(SET, identifier={"id": product}, input={**FIRST_PRODUCT, "collections": [ours]})
    assert handles(client, product) == ["ours"]


def test_tags_are_added_and_taken_away_beside_the_owner_s(client: Client) -> None:
    product = client.change(SET, input={**FIRST_PRODUCT, "tags": ["Mine", "old"]})["product"]["id"]
    client.change("mutation($id: ID!) { tagsAdd(id: $id, tags: [\"new\", \"mine\"]) { userErrors { message } } }", id=product)  # fmt: skip
    client.change("mutation($id: ID!) { tagsRemove(id: $id, tags: [\"OLD\", \"never\"]) { userErrors { message } } }", id=product)  # fmt: skip
    assert client.ask(READ, id=product)["product"]["tags"] == ["Mine", "new"]


def test_variants_are_changed_alone_and_what_is_wrong_stops_the_others_unless_allowed(client: Client) -> None:
    product = client.offered()
    blue, red = (one["id"] for one in product["variants"]["nodes"])
    before = client.ask(READ, id=product["id"])["product"]
    wish = [
        {"id": blue, "price": "7.5", "compareAtPrice": "9.00", "inventoryItem": {"harmonizedSystemCode": "691110", "countryCodeOfOrigin": "DE"}},
        {"id": red, "price": "-1"},
    ]  # fmt: skip
    whole = client.change(VARIANTS, id=product["id"], variants=wish)
    assert whole == {
        "product": None, "productVariants": None,
        "userErrors": [{"code": "NEGATIVE_PRICE_VALUE", "field": ["variants", "1", "price"]}],
    }  # fmt: skip
    assert client.ask(READ, id=product["id"])["product"] == before
    part = client.change(VARIANTS, id=product["id"], variants=wish, part=True)
    assert part["productVariants"] == [{"id": blue, "price": "7.50", "compareAtPrice": "9.00"}]
    first, second = client.ask(READ, id=product["id"])["product"]["variants"]["nodes"]
    assert (first["price"], first["sku"], first["inventoryItem"]["harmonizedSystemCode"]) == (
        "7.50",
        "BOWL-B",
        "691110",
    )
    assert second == before["variants"]["nodes"][1]
    assert client.stock() == {"BOWL-B": 10, "BOWL-R": 10}
    stock = [{"id": blue, "inventoryQuantities": [{"locationId": client.place(), "availableQuantity": 3}]}]
    refused = client.change(VARIANTS, id=product["id"], variants=stock)["userErrors"]
    assert refused[0]["code"] == "NO_INVENTORY_QUANTITIES_ON_VARIANTS_UPDATE"


def test_250_quantities_are_set_together_or_each_that_is_stale_is_named(client: Client) -> None:
    place = client.place()
    names = [str(n) for n in range(250)]
    wish = {
        "title": "Many",
        "productOptions": [{"name": "Size", "values": [{"name": name} for name in names]}],
        "variants": [
            {
                "sku": name, "price": "1", "optionValues": [{"optionName": "Size", "name": name}],
                "inventoryItem": {"tracked": True},
                "inventoryQuantities": [{"locationId": place, "name": "available", "quantity": 5}],
            }
            for name in names
        ],
    }  # fmt: skip
    product = client.change(SET, input=wish)["product"]["id"]
    many = READ.replace("first: 9) { nodes { sku", "first: 250) { nodes { sku")
    nodes = client.ask(many, id=product)["product"]["variants"]["nodes"]
    items = [one["inventoryItem"]["id"] for one in nodes]
    stale = [quantity(item, place, 4, 6 if at in (3, 249) else 5) for at, item in enumerate(items)]
    given = {"name": "available", "reason": "correction", "quantities": stale}
    refused = client.change(SET_STOCK, input=given, key="one")
    assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [
        ("CHANGE_FROM_QUANTITY_STALE", ["input", "quantities", at, "changeFromQuantity"])
        for at in ("3", "249")
    ]
    assert set(client.stock().values()) == {5}
    given["quantities"] = [quantity(item, place, 4, 5) for item in items]
    first = client.change(SET_STOCK, input=given, key="two")
    assert first["userErrors"] == [] and len(first["inventoryAdjustmentGroup"]["changes"]) == 500
    assert client.change(SET_STOCK, input=given, key="two") == first
    assert set(client.stock().values()) == {4}
    given["quantities"] = [*given["quantities"], quantity(items[0], place, 1, 4)]
    assert client.refused(SET_STOCK, input=given, key="three") == "MAX_INPUT_SIZE_EXCEEDED"


def test_stock_items_are_found_by_sku(client: Client) -> None:
    client.offered()
    found = client.ask(
        '{ inventoryItems(first: 5, query: "sku:BOWL-R") { nodes { sku variant { price } } } }'
    )
    assert found["inventoryItems"]["nodes"] == [{"sku": "BOWL-R", "variant": {"price": "12.50"}}]


@pytest.mark.parametrize(
    ("wish", "where"),
    [
        ({"tags": ["x" * 256]}, ["input", "tags"]),
        ({"tags": [str(n) for n in range(250)] + ["more"]}, ["MAX_INPUT_SIZE_EXCEEDED"]),
        ({"handle": "x" * 256}, ["input", "handle"]),
        ({"variants": [{"sku": "x" * 256}]}, ["input", "variants", "0", "sku"]),
        ({"variants": [{"inventoryItem": {"harmonizedSystemCode": "6911"}}]}, ["input", "variants", "0", "inventoryItem", "harmonizedSystemCode"]),
        ({"productOptions": [{"name": "Colour", "values": [{"name": "x" * 256}]}]}, ["input", "productOptions", "0", "name"]),
    ],
)  # fmt: skip
def test_what_is_too_long_is_refused_and_nothing_is_made(
    client: Client, wish: dict[str, Any], where: list[str]
) -> None:
    choice = {"optionValues": [{"optionName": "Colour", "name": "Blue"}]}
    wish = {**FIRST_PRODUCT, **wish}
    wish["variants"] = [{**choice, **one} for one in wish["variants"]]
    if where[0] == "MAX_INPUT_SIZE_EXCEEDED":
        assert client.refused(SET, input=wish) == where[0]
    else:
        assert client.change(SET, input=wish)["userErrors"][0]["field"] == where
    assert client.switch("GET", "products") == []


def test_a_person_in_the_back_office_changes_and_deletes_what_he_likes(client: Client) -> None:
    product = client.offered()["id"]
    wish = {
        "sku": "MINE",
        "compareAtPrice": "15",
        "barcode": "4006381333931",
        "handle": "mine",
        "published": False,
    }
    edited = client.switch("POST", "edit", sku="BOWL-B", set=wish)
    assert ([one["sku"] for one in edited["variants"]], edited["published"]) == (["MINE", "BOWL-R"], False)
    found = client.ask(READ, id=product)["product"]["variants"]["nodes"][0]
    assert (found["sku"], found["compareAtPrice"], found["barcode"]) == ("MINE", "15.00", "4006381333931")
    assert client.wish("POST", "order", lines=[{"sku": "BOWL-R", "quantity": 1}])[0] == 400
    left = client.switch("POST", "edit", sku="MINE", delete="variant")
    assert [one["sku"] for one in left["variants"]] == ["BOWL-R"]
    assert client.wish("POST", "edit", sku="BOWL-R", delete="variant")[0] == 400
    client.switch("POST", "edit", sku="BOWL-R", delete=True)
    assert client.switch("GET", "products") == []


def test_a_picture_may_come_later_or_never(client: Client) -> None:
    client.switch("POST", "pictures", fail="broken", later=True)
    files = [{"originalSource": f"https://pictures.example/{name}.jpg"} for name in ("good", "broken")]
    made = client.change(SET, input={**FIRST_PRODUCT, "files": files})["product"]["id"]
    look = (
        "query($id: ID!) { product(id: $id) { media(first: 5) { nodes { status mediaErrors { code } } } } }"
    )

    def seen() -> list[tuple[str, int]]:
        nodes = client.ask(look, id=made)["product"]["media"]["nodes"]
        return [(one["status"], len(one["mediaErrors"])) for one in nodes]

    assert seen() == [("PROCESSING", 0), ("FAILED", 1)]
    client.switch("POST", "pictures", later=False, ready=True)
    assert seen() == [("READY", 0), ("FAILED", 1)]
