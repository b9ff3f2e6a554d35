"""What the sandbox shop tells of orders and products, and when: only after somebody visited it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.woocommerce import Shop
from tests.unit.test_sandbox_shop import Client
from tests.unit.test_sandbox_shop_consent import Hub, listening
from tests.workers import until


@pytest.fixture
def hub() -> Iterator[Hub]:
    with listening() as made:
        yield made


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Shop(tmp_path) as shop:
        made = Client(shop.description())
        yield made
        made.line.close()


def subscribe(client: Client, hub: Hub, *topics: str) -> None:
    for topic in topics:
        address = f"http://127.0.0.1:{hub.server_port}/{topic}"
        client.ask("POST", "/webhooks", {"topic": topic, "delivery_url": address, "secret": "s"})
    client.switch("POST", "cron")
    hub.told.clear()  # the pings


def told(client: Client, hub: Hub) -> list[tuple[str, int]]:
    client.switch("POST", "cron")
    found = sorted((path.strip("/"), body["id"]) for _, path, body in hub.told)
    hub.told.clear()
    return found


def product(client: Client, **fields: Any) -> int:
    plain = {"name": "Mug", "regular_price": "5.00", "manage_stock": True, "stock_quantity": 10}
    return int(client.ask("POST", "/products", {**plain, **fields})[1]["id"])


def order(client: Client, **line: int) -> int:
    fields = {"status": "processing", "line_items": [{"quantity": 1, **line}]}
    return int(client.ask("POST", "/orders", fields)[1]["id"])


def test_a_new_order_tells_of_itself_twice_and_of_what_it_sold(client: Client, hub: Hub) -> None:
    mug = product(client)
    subscribe(client, hub, "order.created", "order.updated", "order.deleted", "product.updated")
    number = order(client, product_id=mug)
    assert told(client, hub) == [
        ("order.created", number),
        ("order.updated", number),
        ("product.updated", mug),
    ]
    client.ask("PUT", f"/products/{mug}", {"stock_quantity": 3})
    client.ask("PUT", f"/products/{mug}", {"stock_quantity": 4})
    assert told(client, hub) in ([("product.updated", mug)], [("product.updated", mug)] * 2)
    client.ask("DELETE", f"/orders/{number}")
    assert told(client, hub) == [("order.deleted", number)]


def test_a_sold_variation_tells_of_its_parent_too(client: Client, hub: Hub) -> None:
    attribute = {"name": "Size", "variation": True, "options": ["S"]}
    parent = product(client, type="variable", attributes=[attribute], manage_stock=False)
    wish = {"regular_price": "9.00", "manage_stock": True, "stock_quantity": 4}
    child = client.ask("POST", f"/products/{parent}/variations", wish)[1]["id"]
    subscribe(client, hub, "product.updated")
    order(client, product_id=parent, variation_id=child)
    assert told(client, hub) == [("product.updated", parent), ("product.updated", child)]


def test_nothing_is_told_before_somebody_visits(client: Client, hub: Hub) -> None:
    product(client, sku="MUG")
    subscribe(client, hub, "order.created")
    token = f"Bearer {client.known['admin_token']}"
    assert client.raw("POST", "/sandbox/order", {"lines": [{"sku": "MUG"}]}, Authorization=token)[0] == 201
    assert client.switch("GET", "deliveries")["waiting"] == 1
    assert hub.told == []
    client.ask("GET", "/webhooks")
    until(lambda: [path for _, path, _ in hub.told] == ["/order.created"])
