"""Orders of the sandbox shop through its API: made, edited, refunded, thrown away; bundles; other currencies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.woocommerce import Shop
from tests.unit.test_sandbox_shop import Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Shop(tmp_path) as shop:
        made = Client(shop.description())
        yield made
        made.line.close()


def product(client: Client, sku: str, price: str = "10.00") -> int:
    fields = {"name": sku, "sku": sku, "regular_price": price, "manage_stock": True, "stock_quantity": 10}
    return int(client.ask("POST", "/products", fields)[1]["id"])


def stock(client: Client, number: int) -> int:
    return int(client.ask("GET", f"/products/{number}")[1]["stock_quantity"])


def order(client: Client, *lines: dict[str, Any], **fields: Any) -> Any:
    status, made = client.ask(
        "POST", "/orders", {"line_items": list(lines), "status": "processing", **fields}
    )
    assert status == 201
    return made


def test_another_quantity_moves_the_stock_and_leaves_the_amounts(client: Client) -> None:
    mug = product(client, "MUG")
    made = order(client, {"product_id": mug, "quantity": 3})
    line = made["line_items"][0]
    assert (line["total"], stock(client, mug)) == ("30.00", 7)
    _, changed = client.ask(
        "PUT", f"/orders/{made['id']}", {"line_items": [{"id": line["id"], "quantity": 1}]}
    )
    assert (changed["line_items"][0]["quantity"], changed["line_items"][0]["total"]) == (1, "30.00")
    assert stock(client, mug) == 9
    wish = {"id": line["id"], "quantity": 2, "total": "20.00", "subtotal": "20.00", "name": "Cup"}
    _, priced = client.ask("PUT", f"/orders/{made['id']}", {"line_items": [wish]})
    assert [priced["line_items"][0][name] for name in ("name", "total", "total_tax")] == [
        "Cup",
        "20.00",
        "3.80",
    ]
    assert priced["total"] == "23.80"
    _, emptied = client.ask(
        "PUT", f"/orders/{made['id']}", {"line_items": [{"id": line["id"], "quantity": 0}]}
    )
    assert (emptied["line_items"], stock(client, mug)) == ([], 10)


def test_a_line_of_another_order_is_refused(client: Client) -> None:
    mug = product(client, "MUG")
    first, second = (order(client, {"product_id": mug, "quantity": 1}) for _ in range(2))
    wish = {"line_items": [{"id": first["line_items"][0]["id"], "quantity": 5}]}
    status, refused = client.ask("PUT", f"/orders/{second['id']}", wish)
    assert (status, refused["code"]) == (400, "woocommerce_rest_invalid_item_id")
    assert stock(client, mug) == 8


def test_refunds_with_and_without_the_goods(client: Client) -> None:
    mug = product(client, "MUG")
    made = order(client, {"product_id": mug, "quantity": 4})
    line = made["line_items"][0]["id"]
    address = f"/orders/{made['id']}/refunds"
    wish = {
        "amount": "5.00",
        "api_refund": False,
        "line_items": [{"id": line, "quantity": 1, "refund_total": 5}],
    }
    _, back = client.ask("POST", address, wish)
    assert stock(client, mug) == 7
    client.ask("POST", address, {**wish, "api_restock": False})
    assert stock(client, mug) == 7
    assert client.ask("GET", f"{address}/{back['id']}")[1]["amount"] == "5.00"
    assert client.ask("DELETE", f"{address}/{back['id']}")[0] == 501
    assert client.ask("DELETE", f"{address}/{back['id']}?force=true")[0] == 200
    assert client.ask("GET", f"{address}/{back['id']}")[0] == 404
    assert len(client.ask("GET", address)[1]) == 1
    assert stock(client, mug) == 7


def test_the_trash_and_the_end_of_an_order_leave_the_stock(client: Client) -> None:
    mug = product(client, "MUG")
    made = order(client, {"product_id": mug, "quantity": 2})
    status, before = client.ask("DELETE", f"/orders/{made['id']}")
    assert (status, before["status"]) == (200, "processing")
    assert client.ask("GET", "/orders")[1] == []
    assert client.ask("GET", f"/orders/{made['id']}")[1]["status"] == "trash"
    status, refused = client.ask("DELETE", f"/orders/{made['id']}")
    assert (status, refused["code"]) == (410, "woocommerce_rest_already_trashed")
    assert client.ask("DELETE", f"/orders/{made['id']}?force=true")[0] == 200
    assert client.ask("GET", f"/orders/{made['id']}")[0] == 404
    assert stock(client, mug) == 8


def test_an_order_in_another_currency(client: Client) -> None:
    mug = product(client, "MUG")
    made = order(client, {"product_id": mug, "quantity": 1}, currency="USD")
    assert (made["currency"], made["currency_symbol"], made["total"]) == ("USD", "$", "11.90")
    status, refused = client.ask("POST", "/orders", {"currency": "XXX"})
    assert (status, refused["code"]) == (400, "rest_invalid_param")


def test_a_bundle_is_one_line_with_a_price_and_lines_without(client: Client) -> None:
    product(client, "SET", "50.00")
    mug, tea = product(client, "MUG"), product(client, "TEA")
    bundle = [{"sku": "MUG", "quantity": 2}, {"sku": "TEA"}]
    token = f"Bearer {client.known['admin_token']}"
    wish = {"lines": [{"sku": "SET", "quantity": 2, "bundle": bundle}], "currency": "USD"}
    status, _ = client.raw("POST", "/sandbox/order", wish, Authorization=token)
    assert status == 201
    [made] = client.ask("GET", "/orders")[1]
    whole, cups, leaves = made["line_items"]
    assert [(one["sku"], one["quantity"], one["total"]) for one in made["line_items"]] == [
        ("SET", 2, "100.00"),
        ("MUG", 4, "0.00"),
        ("TEA", 2, "0.00"),
    ]
    assert whole["bundled_items"] == [cups["id"], leaves["id"]]
    assert cups["bundled_by"] == leaves["bundled_by"] == whole["id"]
    assert {"key": "_bundled_by", "value": str(whole["id"])}.items() <= cups["meta_data"][0].items()
    assert (stock(client, mug), stock(client, tea), made["currency"]) == (6, 8, "USD")


def test_fees_count_with_their_tax_and_may_be_below_zero(client: Client) -> None:
    mug = product(client, "MUG")
    fees = [{"name": "Gift wrap", "total": "2.50"}, {"name": "Loyalty", "total": "-1.00"}]
    made = order(client, {"product_id": mug, "quantity": 1}, fee_lines=fees)
    assert [(fee["name"], fee["total"], fee["total_tax"]) for fee in made["fee_lines"]] == [
        ("Gift wrap", "2.50", "0.48"),
        ("Loyalty", "-1.00", "-0.19"),
    ]
    assert (made["total"], made["total_tax"], made["cart_tax"]) == ("13.69", "2.19", "2.19")
    assert made["discount_total"] == "0.00"


def test_an_extension_has_words_of_its_own_for_where_an_order_stands(client: Client) -> None:
    mug = product(client, "MUG")
    made = order(client, {"product_id": mug, "quantity": 1})
    moved = client.switch("POST", "order/act", {"id": made["id"], "act": "status", "status": "in-transit"})
    assert moved["status"] == "in-transit"
    assert [one["status"] for one in client.ask("GET", "/orders")[1]] == ["in-transit"]
    assert stock(client, mug) == 9


def test_who_only_sets_the_status_gives_back_the_rest_by_amount_alone(client: Client) -> None:
    mug = product(client, "MUG")
    made = order(client, {"product_id": mug, "quantity": 2})
    client.ask("POST", f"/orders/{made['id']}/refunds", {"amount": "3.80", "api_refund": False})
    for _ in range(2):
        _, refunded = client.ask("PUT", f"/orders/{made['id']}", {"status": "refunded"})
        assert refunded["status"] == "refunded"
    found = client.ask("GET", f"/orders/{made['id']}/refunds")[1]
    assert sorted((one["amount"], len(one["line_items"])) for one in found) == [("20.00", 0), ("3.80", 0)]
    assert stock(client, mug) == 8
