"""The sandbox shop files products under tags, categories and addresses by the rules of WordPress."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.woocommerce import Shop
from tests.unit.test_sandbox_shop import Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Shop(tmp_path) as shop:
        made = Client(shop.description())
        yield made
        made.line.close()


def names(client: Client, path: str) -> list[str]:
    status, found = client.ask("GET", path)
    assert status == 200
    return [one["name"] for one in found]


def test_tags_are_made_by_name_and_replace_the_list(client: Client) -> None:
    _, made = client.ask(
        "POST", "/products", {"name": "Mug", "tags": [{"name": "Red & Blue"}, {"name": "Art"}]}
    )
    assert [(tag["name"], tag["slug"]) for tag in made["tags"]] == [
        ("Art", "art"),
        ("Red &amp; Blue", "red-blue"),
    ]
    art = made["tags"][0]["id"]
    wishes = [{"name": "ART"}, {"id": art}, {"id": 999}, {"name": "New"}]
    _, changed = client.ask("PUT", f"/products/{made['id']}", {"tags": wishes})
    assert [tag["name"] for tag in changed["tags"]] == ["Art", "New"]
    assert changed["tags"][0]["id"] == art
    _, untouched = client.ask("PUT", f"/products/{made['id']}", {"name": "Cup"})
    assert untouched["tags"] == changed["tags"]
    _, batch = client.ask("POST", "/products/batch", {"update": [{"id": made["id"], "tags": []}]})
    assert batch["update"][0]["tags"] == []
    assert names(client, "/products/tags?per_page=100") == ["Art", "New", "Red &amp; Blue"]


def test_tags_at_their_own_address(client: Client) -> None:
    status, made = client.ask("POST", "/products/tags", {"name": "Leather Shoes"})
    assert (status, made["slug"], made["count"]) == (201, "leather-shoes", 0)
    client.ask("POST", "/products", {"name": "Boot", "tags": [{"id": made["id"]}]})
    assert client.ask("GET", f"/products/tags/{made['id']}")[1]["count"] == 1
    status, refused = client.ask("POST", "/products/tags", {"name": "leather shoes"})
    assert (status, refused["code"], refused["data"]["resource_id"]) == (400, "term_exists", made["id"])
    assert names(client, "/products/tags?search=shoes") == ["Leather Shoes"]
    assert names(client, "/products/tags?slug=boots") == []
    assert client.ask("DELETE", f"/products/tags/{made['id']}")[0] == 501
    assert client.ask("DELETE", f"/products/tags/{made['id']}?force=true")[0] == 200
    status, missing = client.ask("GET", f"/products/tags/{made['id']}")
    assert (status, missing["code"]) == (404, "woocommerce_rest_term_invalid")


def test_a_category_that_goes_leaves_its_products_uncategorized(client: Client) -> None:
    _, above = client.ask("POST", "/products/categories", {"name": "Clothes"})
    _, below = client.ask("POST", "/products/categories", {"name": "Shirts", "parent": above["id"]})
    _, made = client.ask("POST", "/products", {"name": "Shirt", "categories": [{"id": above["id"]}]})
    assert client.ask("GET", f"/products/categories/{above['id']}")[1]["count"] == 1
    assert client.ask("DELETE", f"/products/categories/{above['id']}?force=true")[0] == 200
    assert [one["name"] for one in client.ask("GET", f"/products/{made['id']}")[1]["categories"]] == [
        "Uncategorized"
    ]
    assert client.ask("GET", f"/products/categories/{below['id']}")[1]["parent"] == 0
    status, refused = client.ask("DELETE", "/products/categories/15?force=true")
    assert (status, refused["code"]) == (500, "woocommerce_rest_cannot_delete")
    _, moved = client.ask("PUT", f"/products/categories/{below['id']}", {"name": "Tops"})
    assert (moved["name"], moved["slug"]) == ("Tops", "shirts")


def slug(client: Client, **fields: object) -> tuple[int, str]:
    _, made = client.ask("POST", "/products", {"name": "Blue mug", **fields})
    return made["id"], made["slug"]


def test_addresses_are_unique_but_among_drafts_and_the_trash(client: Client) -> None:
    first, _ = slug(client)
    assert [slug(client)[1], slug(client, slug="Blue MUG")[1]] == ["blue-mug-2", "blue-mug-3"]
    draft, given = slug(client, status="draft", slug="blue-mug")
    assert given == "blue-mug"
    assert slug(client, status="draft")[1] == ""
    assert client.ask("PUT", f"/products/{draft}", {"status": "publish"})[1]["slug"] == "blue-mug-4"

    client.ask("DELETE", f"/products/{first}")
    assert client.ask("GET", f"/products/{first}")[1]["slug"] == "blue-mug__trashed"
    assert slug(client)[1] == "blue-mug"
    assert client.ask("PUT", f"/products/{first}", {"status": "publish"})[1]["slug"] == "blue-mug-5"
    found = client.ask("GET", "/products?slug=blue-mug-5")[1]
    assert [one["id"] for one in found] == [first]


def test_a_product_goes_to_the_trash_once_and_only_the_trash_is_told(client: Client) -> None:
    number, _ = slug(client)
    hook = {"topic": "product.deleted", "delivery_url": "https://nowhere.example/x", "secret": "s"}
    client.ask("POST", "/webhooks", hook)
    client.switch("POST", "cron")
    before = client.switch("GET", "deliveries")["sent"]
    other, _ = slug(client)
    client.ask("DELETE", f"/products/{other}?force=true")
    client.switch("POST", "cron")
    assert client.switch("GET", "deliveries")["sent"] == before
    client.ask("DELETE", f"/products/{number}")
    status, refused = client.ask("DELETE", f"/products/{number}")
    assert (status, refused["code"]) == (410, "woocommerce_rest_already_trashed")
    client.switch("POST", "cron")
    assert client.switch("GET", "deliveries")["sent"] == before + 1


def test_products_are_found_by_their_gtin_variations_too(client: Client) -> None:
    attribute = {"name": "Size", "variation": True, "options": ["S"]}
    _, parent = client.ask(
        "POST", "/products", {"name": "Shirt", "type": "variable", "attributes": [attribute]}
    )
    _, child = client.ask(
        "POST", f"/products/{parent['id']}/variations", {"sku": "S-1", "global_unique_id": "4006381333931"}
    )
    found = client.ask("GET", "/products?global_unique_id=4006381333931")[1]
    assert [one["id"] for one in found] == [child["id"]]
    assert client.ask("GET", "/products?global_unique_id=1") == (200, [])
