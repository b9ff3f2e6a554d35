"""Stock in the sandbox shop: set, changed by a delta, kept by itself, by its parent or by nobody; and raced for."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.woocommerce import Shop
from tests.unit.test_sandbox_shop import Client


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path) as running:
        yield running


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    made = Client(shop.description())
    yield made
    made.line.close()


def mug(client: Client, **fields: Any) -> int:
    plain = {"name": "Mug", "sku": "MUG", "regular_price": "5.00", "manage_stock": True, "stock_quantity": 10}
    return int(client.ask("POST", "/products", {**plain, **fields})[1]["id"])


def shirt(client: Client, **parent: Any) -> tuple[int, int]:
    attribute = {"name": "Size", "variation": True, "options": ["S"]}
    fields = {"name": "Shirt", "type": "variable", "attributes": [attribute], **parent}
    _, above = client.ask("POST", "/products", fields)
    wish = {"sku": "S-1", "regular_price": "9.00", "attributes": [{"name": "Size", "option": "S"}]}
    _, below = client.ask("POST", f"/products/{above['id']}/variations", wish)
    return above["id"], below["id"]


def after(client: Client, path: str, fields: Any) -> tuple[Any, Any]:
    status, found = client.ask("PUT", path, fields)
    assert status == 200
    return found["manage_stock"], found["stock_quantity"]


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"inventory_delta": -3}, 7),
        ({"inventory_delta": "4"}, 14),
        ({"inventory_delta": -12}, -2),
        ({"inventory_delta": -3, "stock_quantity": 5}, 5),
        ({"inventory_delta": "abc"}, 10),
    ],
)
def test_a_delta_counts_from_what_is_there_unless_a_quantity_is_given(
    client: Client, fields: dict[str, Any], left: int
) -> None:
    number = mug(client)
    assert after(client, f"/products/{number}", fields) == (True, left)
    _, batch = client.ask("POST", "/products/batch", {"update": [{"id": number, "inventory_delta": 1}]})
    assert batch["update"][0]["stock_quantity"] == left + 1


def test_who_counts_nothing_ignores_a_delta(client: Client) -> None:
    number = mug(client, manage_stock=False)
    assert after(client, f"/products/{number}", {"inventory_delta": 5}) == (False, None)
    assert after(client, f"/products/{number}", {"manage_stock": True, "inventory_delta": 5}) == (True, 5)
    assert after(client, f"/products/{number}", {"manage_stock": False, "inventory_delta": 5}) == (
        False,
        None,
    )


def test_a_variation_counted_by_its_parent_ignores_it_until_it_counts_itself(client: Client) -> None:
    above, below = shirt(client, manage_stock=True, stock_quantity=9)
    address = f"/products/{above}/variations"
    assert after(client, f"{address}/{below}", {"inventory_delta": -2}) == ("parent", 9)
    _, batch = client.ask("POST", f"{address}/batch", {"update": [{"id": below, "inventory_delta": -2}]})
    assert batch["update"][0]["stock_quantity"] == 9
    assert client.ask("GET", f"/products/{above}")[1]["stock_quantity"] == 9
    own = {"update": [{"id": below, "manage_stock": True, "stock_quantity": 4}]}
    client.ask("POST", f"{address}/batch", own)
    _, batch = client.ask("POST", f"{address}/batch", {"update": [{"id": below, "inventory_delta": -1}]})
    assert (batch["update"][0]["manage_stock"], batch["update"][0]["stock_quantity"]) == (True, 3)


def test_what_happens_while_a_delta_is_counted_is_lost(shop: Shop, client: Client) -> None:
    number = mug(client)
    client.switch("POST", "settings", {"race_seconds": 0.5})
    both = threading.Barrier(2)

    def change() -> None:
        own = Client(shop.description())
        own.switch("GET", "meter")  # the connection stands before the race begins
        both.wait()
        own.ask("POST", "/products/batch", {"update": [{"id": number, "inventory_delta": -1}]})

    racers = [threading.Thread(target=change) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert client.ask("GET", f"/products/{number}")[1]["stock_quantity"] == 9
    client.switch("POST", "settings", {"race_seconds": 0})
    assert after(client, f"/products/{number}", {"inventory_delta": -1}) == (True, 8)


def test_many_at_once_lose_nothing_where_no_race_was_asked_for(shop: Shop, client: Client) -> None:
    """Threads that change stock, sell, read and turn the switches neither block each other nor lose a change."""
    number, failed = mug(client, stock_quantity=1000), list[Any]()

    def work(kind: int) -> None:
        own = Client(shop.description())
        token = f"Bearer {own.known['admin_token']}"
        for turn in range(10):
            if kind % 3 == 0:
                status, _ = own.ask("PUT", f"/products/{number}", {"inventory_delta": -1})
            elif kind % 3 == 1:
                lines = {"lines": [{"sku": "MUG", "quantity": 2}]}
                status, _ = own.raw("POST", "/sandbox/order", lines, Authorization=token)
            else:
                own.switch("GET", "requests")
                status, _ = own.ask("GET", f"/orders?page={turn + 1}&per_page=5")
            if status >= 300:
                failed.append((kind, status))

    threads = [threading.Thread(target=work, args=(kind,)) for kind in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failed == []
    assert client.ask("GET", f"/products/{number}")[1]["stock_quantity"] == 1000 - 3 * 10 - 3 * 10 * 2
