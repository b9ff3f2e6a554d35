"""Orders of the sandbox's Shopify as an app writes them: what each of its mutations does, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.shopify.site import SCOPES
from tests.contract import shopify_live_rig as written
from tests.unit.shopify_client import Client, opened

ORDER = """query($id: ID!) { order(id: $id) { test email cancelledAt closedAt displayFinancialStatus taxesIncluded
  totalPriceSet { shopMoney { amount } } totalTaxSet { shopMoney { amount } } shippingAddress { name countryCodeV2 }
  lineItems(first: 5) { nodes { id sku quantity currentQuantity } }
  transactions(first: 5) { id kind gateway } refunds(first: 5) { totalRefundedSet { shopMoney { amount } } } } }"""
STOCK = """query($sku: String!) { productVariants(first: 1, query: $sku) { nodes { inventoryQuantity } } }"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with opened(tmp_path) as (_, made):
        made.offered()
        made.switch("POST", "settings", scopes=[*SCOPES, *written.NEEDED])
        yield made


def wish(client: Client, quantity: int = 2, **more: Any) -> dict[str, Any]:
    (bowl,) = client.ask(written.PRICED, sku="sku:BOWL-B")["productVariants"]["nodes"]
    row = {"variantId": bowl["id"], "quantity": quantity, "requiresShipping": True}
    return {"lineItems": [row], "test": True, "email": "k@example.test", **more}


def paid(amount: str, gateway: str = "manual") -> list[dict[str, Any]]:
    money = {"shopMoney": {"amount": amount, "currencyCode": "EUR"}}
    return [{"kind": "SALE", "status": "SUCCESS", "gateway": gateway, "amountSet": money}]


def buy(client: Client, **more: Any) -> str:
    made = client.change(written.BUY, order=wish(client, **more))
    assert made["userErrors"] == []
    return str(made["order"]["id"])


def look(client: Client, order: str) -> Any:
    return client.ask(ORDER, id=order)["order"]


def stock(client: Client) -> int:
    (bowl,) = client.ask(STOCK, sku="sku:BOWL-B")["productVariants"]["nodes"]
    return int(bowl["inventoryQuantity"])


def words(payload: Any) -> list[str]:
    return [error["message"] for error in payload["userErrors"]]


def test_an_app_writes_an_order_and_it_takes_stock(client: Client) -> None:
    before = stock(client)
    order = look(client, buy(client, transactions=paid("20.00")))
    assert (order["test"], order["email"], order["displayFinancialStatus"]) == (
        True,
        "k@example.test",
        "PAID",
    )
    assert order["totalPriceSet"]["shopMoney"]["amount"] == "20.00"
    assert order["totalTaxSet"]["shopMoney"]["amount"] == "0.00", "taxes are only those given"
    assert stock(client) == before - 2


def test_what_is_not_in_stock_is_not_written(client: Client) -> None:
    before = stock(client)
    assert words(client.change(written.BUY, order=wish(client, before + 1))) == ["BOWL-B is out of stock."]
    assert stock(client) == before and client.switch("GET", "orders") == []


def test_an_order_that_waits_for_its_money_is_marked_as_paid_once(client: Client) -> None:
    number = buy(client, financialStatus="PENDING")
    assert look(client, number)["displayFinancialStatus"] == "PENDING"
    assert words(client.change(written.PAY, id=number)) == []
    assert look(client, number)["displayFinancialStatus"] == "PAID"
    assert words(client.change(written.PAY, id=number)) == ["The order is paid already."]


def test_an_edit_counts_when_it_is_committed(client: Client) -> None:
    before, number = stock(client), buy(client, transactions=paid("20.00"))
    draft = client.change(written.BEGIN, id=number)["calculatedOrder"]
    (line,) = draft["lineItems"]["nodes"]
    assert (line["sku"], line["quantity"]) == ("BOWL-B", 2)
    client.change(written.SET, edit=draft["id"], line=line["id"], quantity=1)
    assert look(client, number)["lineItems"]["nodes"][0]["currentQuantity"] == 2
    assert words(client.change(written.COMMIT, edit=draft["id"])) == []
    assert look(client, number)["lineItems"]["nodes"][0]["currentQuantity"] == 1
    assert stock(client) == before - 1
    assert words(client.change(written.COMMIT, edit=draft["id"])) == ["The calculated order does not exist."]


def test_a_refund_is_made_once_under_its_key(client: Client) -> None:
    number = buy(client, transactions=paid("20.00"))
    order = look(client, number)
    (sale,) = order["transactions"]
    rows = [{"lineItemId": order["lineItems"]["nodes"][0]["id"], "quantity": 1, "restockType": "NO_RESTOCK"}]
    back = {"orderId": number, "kind": "REFUND", "gateway": "manual", "amount": "10.00"}
    given = {"orderId": number, "refundLineItems": rows, "transactions": [back | {"parentId": sale["id"]}]}
    first, again = (client.change(written.REFUND, input=given, key="k1") for _ in range(2))
    assert first == again
    assert [one["totalRefundedSet"]["shopMoney"]["amount"] for one in look(client, number)["refunds"]] == [
        "10.00"
    ]
    bare = written.REFUND.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    assert client.refused(bare, input=given) == "BAD_REQUEST"


def test_only_what_is_cancelled_or_archived_is_deleted(client: Client) -> None:
    open_one, cancelled = (buy(client, transactions=paid("20.00")) for _ in range(2))
    refused = ["Order must be cancelled or archived before it can be deleted."]
    assert words(client.change(written.DELETE, id=open_one)) == refused
    client.change(written.CLOSE, id=open_one)
    client.change(written.CANCEL, id=cancelled)
    assert look(client, cancelled)["cancelledAt"] and look(client, open_one)["closedAt"]
    for number in (open_one, cancelled):
        assert words(client.change(written.DELETE, id=number)) == []
        assert look(client, number) is None
    assert words(client.change(written.CANCEL, id=cancelled)) == ["Order does not exist"]


def test_what_a_gateway_was_paid_for_is_kept(client: Client) -> None:
    number = buy(client, transactions=paid("20.00", "shopify_payments"), test=False)
    client.change(written.CLOSE, id=number)
    assert words(client.change(written.DELETE, id=number)) == ["Cannot delete orders brokered by Shopify"]
    assert look(client, number) is not None


def test_orders_are_not_written_without_the_scope(client: Client) -> None:
    client.switch("POST", "settings", scopes=None)
    assert client.refused(written.BUY, order=wish(client)) == "ACCESS_DENIED"
    assert client.refused(written.BEGIN, id="gid://shopify/Order/1") == "ACCESS_DENIED"
    assert client.switch("GET", "orders") == []
