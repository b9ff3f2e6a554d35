"""The sandbox's Shopify keeps the rules of products and stock that the schema cannot tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.shopify_client import ACTIVATE, FIRST_PRODUCT, SET, SET_STOCK, Client, opened

PRODUCTS = """query($search: String, $after: String) { products(first: 2, query: $search, after: $after) {
  nodes { title } pageInfo { hasNextPage endCursor } } }"""
NAMED = """query($identifier: ProductIdentifierInput!) { productByIdentifier(identifier: $identifier) { title } }"""
DEFINE = """mutation($definition: MetafieldDefinitionInput!) { metafieldDefinitionCreate(definition: $definition) {
  createdDefinition { id } userErrors { code } } }"""
UPDATE = "mutation($product: ProductUpdateInput!) { productUpdate(product: $product) { product { status } userErrors { message } } }"
KEY = {"namespace": "$app", "key": "code"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with opened(tmp_path) as (_, made):
        yield made


def variants(*values: str, **more: Any) -> dict[str, Any]:
    """productOptions and variants of one option."""
    return {
        "productOptions": [{"name": "Colour", "values": [{"name": value} for value in values]}],
        "variants": [{"optionValues": [{"optionName": "Colour", "name": value}], **more} for value in values],
    }


def codes(payload: Any) -> list[str]:
    return [one["code"] for one in payload["userErrors"]]


def test_product_set_makes_then_changes_the_same_product_and_its_variants(client: Client) -> None:
    made = client.change(SET, identifier={"handle": "bowl"}, input=FIRST_PRODUCT)["product"]
    assert [(one["sku"], one["price"]) for one in made["variants"]["nodes"]] == [
        ("BOWL-B", "10.00"),
        ("BOWL-R", "12.50"),
    ]
    again = client.change(SET, identifier={"handle": "bowl"}, input={**FIRST_PRODUCT, "title": "Bowl"})[
        "product"
    ]
    assert (again["id"], again["title"]) == (made["id"], "Bowl")
    assert [one["id"] for one in again["variants"]["nodes"]] == [
        one["id"] for one in made["variants"]["nodes"]
    ]
    assert len(client.switch("GET", "products")) == 1


def test_what_a_list_leaves_out_is_deleted_and_what_is_not_named_stays(client: Client) -> None:
    files = [
        {"originalSource": "https://pictures.example/1.jpg", "alt": "One"},
        {"originalSource": "https://pictures.example/2.jpg"},
    ]
    first = client.change(SET, input={**FIRST_PRODUCT, "files": files, "tags": ["b", "A", "a"]})["product"]
    assert first["tags"] == ["A", "b"]
    one, two = first["media"]["nodes"]
    named = {"id": first["id"]}
    kept = client.change(SET, identifier=named, input={"files": [{"id": two["id"], "alt": "Two"}]})["product"]
    assert [(media["id"], media["alt"]) for media in kept["media"]["nodes"]] == [(two["id"], "Two")]
    assert [variant["sku"] for variant in kept["variants"]["nodes"]] == ["BOWL-B", "BOWL-R"]
    red = {**FIRST_PRODUCT, "variants": FIRST_PRODUCT["variants"][1:]}
    left = client.change(SET, identifier=named, input=red)["product"]
    assert [variant["sku"] for variant in left["variants"]["nodes"]] == ["BOWL-R"]
    assert client.ask("query($id: ID!) { node(id: $id) { id } }", id=first["variants"]["nodes"][0]["id"]) == {
        "node": None
    }
    taken = {"originalSource": "https://pictures.example/2.jpg"}
    anew = client.change(SET, identifier=named, input={"files": [taken]})["product"]["media"]["nodes"]
    assert anew[0]["id"] not in (one["id"], two["id"])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"title": " "}, "INVALID_PRODUCT"),
        ({"productOptions": [{"name": f"O{n}", "values": [{"name": "x"}]} for n in range(4)]}, "OPTIONS_OVER_LIMIT"),
        ({**variants(*(f"v{n}" for n in range(2049)))}, "VARIANTS_OVER_LIMIT"),
        ({"variants": variants("x")["variants"]}, "PRODUCT_OPTIONS_INPUT_MISSING"),
        ({"productOptions": variants("x")["productOptions"]}, "VARIANTS_INPUT_MISSING"),
        ({**variants("x"), "variants": variants("y")["variants"]}, "OPTION_VALUE_DOES_NOT_EXIST"),
        ({**variants("x"), "variants": variants("x")["variants"] * 2}, "INVALID_VARIANT"),
        ({**variants("x", "X")}, "DUPLICATED_OPTION_VALUE"),
        ({"files": [{"originalSource": "not an address"}]}, "INVALID_INPUT"),
        ({**variants("x", price="cheap")}, "INVALID_VARIANT"),
    ],
)  # fmt: skip
def test_product_set_refuses_and_then_nothing_is_made(
    client: Client, fields: dict[str, Any], code: str
) -> None:
    options = fields.get("productOptions", [])
    if len(options) == 1 and len(options[0]["values"]) > 250:
        options[0]["values"] = options[0]["values"][
            :250
        ]  # the list has its own limit; the variants' is meant
    payload = client.change(SET, input={"title": "Bowl", **fields})
    assert (codes(payload), payload["product"]) == ([code], None)
    assert client.switch("GET", "products") == []


def test_a_list_beyond_250_is_refused_whole(client: Client) -> None:
    assert client.refused(SET, input={"title": "Bowl", "tags": ["x"] * 251}) == "MAX_INPUT_SIZE_EXCEEDED"
    assert client.switch("GET", "products") == []


def test_an_id_must_exist_and_a_handle_is_had_once(client: Client) -> None:
    missing = {"id": "gid://shopify/Product/1"}
    assert codes(client.change(SET, identifier=missing, input=FIRST_PRODUCT)) == ["PRODUCT_DOES_NOT_EXIST"]
    handles = [client.change(SET, input=FIRST_PRODUCT)["product"]["handle"] for _ in range(2)]
    assert handles == ["ceramic-bowl", "ceramic-bowl-1"]
    taken = client.change(SET, input={**FIRST_PRODUCT, "handle": "ceramic-bowl"})
    assert codes(taken) == ["HANDLE_NOT_UNIQUE"]
    other = client.change(SET, identifier={"handle": "a"}, input={**FIRST_PRODUCT, "handle": "b"})
    assert codes(other) == ["INPUT_MISMATCH"]


def test_a_custom_id_finds_its_product_and_is_lost_when_left_out(client: Client) -> None:
    identifier = {"customId": {**KEY, "value": "4711"}}
    assert codes(client.change(SET, identifier=identifier, input=FIRST_PRODUCT)) == ["METAFIELD_MISMATCH"]
    definition = {**KEY, "name": "Code", "type": "id", "ownerType": "PRODUCT"}
    assert codes(client.change(DEFINE, definition=definition)) == []
    assert codes(client.change(DEFINE, definition=definition)) == ["TAKEN"]
    made, again = (
        client.change(SET, identifier=identifier, input=FIRST_PRODUCT)["product"]["id"] for _ in range(2)
    )
    assert made == again
    assert client.ask(NAMED, identifier=identifier) == {"productByIdentifier": {"title": "Ceramic Bowl"}}
    double = {**FIRST_PRODUCT, "metafields": [{**KEY, "type": "id", "value": "4711"}]}
    assert codes(client.change(SET, input=double)) == ["DUPLICATED_METAFIELD_VALUE"]
    client.change(SET, identifier=identifier, input={"metafields": []})
    assert client.ask(NAMED, identifier=identifier) == {"productByIdentifier": None}


def test_products_are_found_page_by_page_and_unknown_searches_are_not_guessed(client: Client) -> None:
    for number in range(5):
        client.change(SET, input={"title": f"P{number}", "tags": ["even"] if number % 2 == 0 else []})
    seen, after = [], None
    while True:
        page = client.ask(PRODUCTS, search="tag:even", after=after)["products"]
        seen += [one["title"] for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == ["P0", "P2", "P4"]
    assert [one["title"] for one in client.ask(PRODUCTS, search="title:P1 OR (title:P3 AND status:active)")["products"]["nodes"]] == ["P1", "P3"]  # fmt: skip
    assert client.refused(PRODUCTS, search="colour:blue") == "NOT_SIMULATED"
    assert client.refused("{ products(first: 251) { nodes { id } } }") == "BAD_REQUEST"


def test_statuses_publishing_and_deleting(client: Client) -> None:
    product = client.offered()
    for status in ("DRAFT", "ARCHIVED", "ACTIVE"):
        assert (
            client.change(UPDATE, product={"id": product["id"], "status": status})["product"]["status"]
            == status
        )
    assert client.switch("GET", "products")[0]["published"] is True
    assert (
        client.change(UPDATE, product={"id": "gid://shopify/Product/1", "status": "DRAFT"})["userErrors"]
        != []
    )
    gone = (
        "mutation($id: ID!) { productDelete(input: {id: $id}) { deletedProductId userErrors { message } } }"
    )
    assert client.change(gone, id=product["id"])["deletedProductId"] == product["id"]
    assert client.switch("GET", "products") == []
    assert len(client.change(gone, id=product["id"])["userErrors"]) == 1


def stock(item: str, place: str, quantity: int, before: int | None, **more: Any) -> dict[str, Any]:
    row = {
        "inventoryItemId": item,
        "locationId": place,
        "quantity": quantity,
        "changeFromQuantity": before,
        **more,
    }
    return {"name": "available", "reason": "correction", "quantities": [row]}


def test_stock_is_set_only_where_activated_with_a_key_and_from_what_was_compared(client: Client) -> None:
    product, place = client.change(SET, input=FIRST_PRODUCT)["product"], client.place()
    item = product["variants"]["nodes"][0]["inventoryItem"]["id"]
    first = stock(item, place, 7, None)
    assert codes(client.change(SET_STOCK, input=first, key="a")) == ["INVALID_LOCATION"]
    assert client.change(ACTIVATE, item=item, place=place, available=3, key="b")["userErrors"] == []
    again = client.change(ACTIVATE, item=item, place=place, available=9, key="c")
    assert again["userErrors"][0]["message"].startswith("Not allowed to set available quantity")
    assert client.stock() == {"BOWL-B": 3, "BOWL-R": None}
    assert codes(client.change(SET_STOCK, input=stock(item, place, 7, 2), key="d")) == [
        "CHANGE_FROM_QUANTITY_STALE"
    ]
    assert client.stock()["BOWL-B"] == 3
    done = client.change(SET_STOCK, input=stock(item, place, 7, 3), key="e")["inventoryAdjustmentGroup"]
    assert [(one["name"], one["delta"]) for one in done["changes"]] == [("available", 4), ("on_hand", 4)]
    assert (
        client.change(SET_STOCK, input=stock(item, place, 7, None), key="f")["inventoryAdjustmentGroup"]
        is None
    )
    row = {"inventoryItemId": item, "locationId": place, "quantity": 1}
    omitted = {"name": "available", "reason": "correction", "quantities": [row]}
    assert codes(client.change(SET_STOCK, input=omitted, key="g")) == ["COMPARE_QUANTITY_REQUIRED"]
    assert codes(client.change(SET_STOCK, input=stock(item, place, -1, None), key="h")) == [
        "INVALID_QUANTITY_NEGATIVE"
    ]
    bare = SET_STOCK.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    assert client.refused(bare, input=first) == "BAD_REQUEST"
    assert client.stock()["BOWL-B"] == 7


def test_a_key_answers_its_own_request_again_and_no_other(client: Client) -> None:
    item, place = client.offered()["variants"]["nodes"][0]["inventoryItem"]["id"], client.place()
    first = client.change(SET_STOCK, input=stock(item, place, 7, 10), key="a")
    client.switch("POST", "edit", sku="BOWL-B", set={"stock": 1})
    assert client.change(SET_STOCK, input=stock(item, place, 7, 10), key="a") == first
    assert client.stock()["BOWL-B"] == 1
    assert codes(client.change(SET_STOCK, input=stock(item, place, 8, 1), key="a")) == [
        "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    ]
    for code in ("CHANGE_FROM_QUANTITY_STALE", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"):
        assert codes(client.change(SET_STOCK, input=stock(item, place, 8, 5), key="b")) == [code]
    assert client.stock()["BOWL-B"] == 1


def test_all_quantities_of_a_request_are_set_or_none(client: Client) -> None:
    nodes, place = client.offered()["variants"]["nodes"], client.place()
    rows = [
        {
            "inventoryItemId": nodes[at]["inventoryItem"]["id"],
            "locationId": place,
            "quantity": 1,
            "changeFromQuantity": before,
        }
        for at, before in enumerate((10, 9))
    ]
    payload = client.change(
        SET_STOCK, input={"name": "available", "reason": "correction", "quantities": rows}, key="a"
    )
    assert payload["userErrors"][0]["field"] == ["input", "quantities", "1", "changeFromQuantity"]
    assert client.stock() == {"BOWL-B": 10, "BOWL-R": 10}
