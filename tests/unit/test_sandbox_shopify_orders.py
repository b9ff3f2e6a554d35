"""Orders of the sandbox's Shopify: stock, money to the cent, edits, refunds, cancellations and what is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.shopify_client import SET_STOCK, Client, opened

MONEY = "shopMoney { amount currencyCode }"
ORDER = f"""query($id: ID!) {{ order(id: $id) {{
  name email test tags cancelledAt displayFinancialStatus displayFulfillmentStatus
  shippingAddress {{ name city countryCodeV2 }} customer {{ id }}
  totalPriceSet {{ {MONEY} }} currentTotalPriceSet {{ {MONEY} }} totalRefundedSet {{ {MONEY} }}
  lineItems(first: 10) {{ nodes {{ id sku quantity currentQuantity
    discountAllocations {{ allocatedAmountSet {{ {MONEY} }} }} taxLines {{ rate priceSet {{ {MONEY} }} }} }} }}
  refunds {{ id totalRefundedSet {{ {MONEY} }} refundLineItems(first: 5) {{ nodes {{ quantity restockType lineItem {{ sku }} }} }}
    orderAdjustments(first: 5) {{ nodes {{ reason amountSet {{ {MONEY} }} }} }} }}
  transactions {{ kind status fees {{ amount {{ amount }} }} amountSet {{ {MONEY} }} parentTransaction {{ kind }} }}
  fulfillments {{ id status trackingInfo {{ company number url }} fulfillmentLineItems(first: 5) {{ nodes {{ quantity lineItem {{ sku }} }} }} }}
  fulfillmentOrders(first: 5) {{ nodes {{ id status lineItems(first: 10) {{ nodes {{ id totalQuantity remainingQuantity lineItem {{ sku }} }} }} }} }}
}} }}"""
FULFIL = """mutation($fulfillment: FulfillmentInput!) { fulfillmentCreate(fulfillment: $fulfillment) {
  fulfillment { id } userErrors { message } } }"""
ORDERS = """query($search: String!, $after: String) { orders(first: 2, query: $search, sortKey: UPDATED_AT, after: $after) {
  nodes { name } pageInfo { hasNextPage endCursor } } }"""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(tmp_path: Path, clock: Clock) -> Iterator[Client]:
    with opened(tmp_path, clock=clock) as (_, made):
        made.offered()
        yield made


def buy(client: Client, *lines: tuple[str, int], **wish: Any) -> str:
    rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    return str(client.switch("POST", "order", lines=rows, **wish)["id"])


def look(client: Client, order: str) -> Any:
    return client.ask(ORDER, id=order)["order"]


def send(client: Client, order: str, sku: str, quantity: int, **tracking: Any) -> list[str]:
    """The messages of the userErrors."""
    for part in look(client, order)["fulfillmentOrders"]["nodes"]:
        for row in part["lineItems"]["nodes"]:
            if row["lineItem"]["sku"] == sku:
                lines = [{"id": row["id"], "quantity": quantity}]
                wish = {
                    "lineItemsByFulfillmentOrder": [
                        {"fulfillmentOrderId": part["id"], "fulfillmentOrderLineItems": lines}
                    ]
                }
                payload = client.change(FULFIL, fulfillment={**wish, "trackingInfo": tracking})
                return [one["message"] for one in payload["userErrors"]]
    raise AssertionError(f"{order} has no {sku} to send")


def amount(money: Any) -> str:
    assert money["shopMoney"]["currencyCode"] == "EUR"
    return str(money["shopMoney"]["amount"])


def test_an_order_takes_stock_and_shows_its_money(client: Client) -> None:
    lines = [{"sku": "BOWL-B", "quantity": 3, "discount": "5.00"}, {"sku": "BOWL-R", "quantity": 1}]
    wish = {
        "shipping": "4.90",
        "fee": "1.13",
        "email": "b@example.com",
        "tags": ["web"],
        "test": True,
        "address": {"city": "Köln"},
    }
    order = str(client.switch("POST", "order", lines=lines, **wish)["id"])
    found = look(client, order)
    assert client.stock() == {"BOWL-B": 7, "BOWL-R": 9}
    assert (found["name"], found["email"], found["test"], found["tags"]) == (
        "#1001",
        "b@example.com",
        True,
        ["web"],
    )
    assert found["shippingAddress"] == {"name": "Erika Muster", "city": "Köln", "countryCodeV2": "DE"}
    # 30 - 5 + 12.50 + 4.90 = 42.40 net; 4.75 + 2.38 + 0.93 tax
    assert amount(found["totalPriceSet"]) == "50.46"
    first, second = found["lineItems"]["nodes"]
    assert [amount(one["allocatedAmountSet"]) for one in first["discountAllocations"]] == ["5.00"]
    assert [amount(one["taxLines"][0]["priceSet"]) for one in (first, second)] == ["4.75", "2.38"]
    assert second["discountAllocations"] == []
    sale = found["transactions"][0]
    assert (sale["kind"], amount(sale["amountSet"]), sale["fees"]) == (
        "SALE",
        "50.46",
        [{"amount": {"amount": "1.13"}}],
    )
    assert (found["displayFinancialStatus"], found["displayFulfillmentStatus"]) == ("PAID", "UNFULFILLED")


def test_taxes_can_be_within_the_price(tmp_path: Path) -> None:
    with opened(tmp_path, tax_included=True) as (_, client):
        client.offered()
        found = look(client, buy(client, ("BOWL-B", 3)))
    assert amount(found["totalPriceSet"]) == "30.00"
    assert amount(found["lineItems"]["nodes"][0]["taxLines"][0]["priceSet"]) == "4.79"


def test_what_is_not_in_stock_or_not_on_sale_is_not_sold(client: Client) -> None:
    for lines, reason in (([("BOWL-R", 1), ("BOWL-B", 11)], "out of stock"), ([("NONE", 1)], "not on sale")):
        rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        status, body = client.wish("POST", "order", lines=rows)
        assert status == 400
        assert reason in body["message"]
    assert client.stock() == {"BOWL-B": 10, "BOWL-R": 10}
    assert client.switch("GET", "orders") == []
    client.switch("POST", "edit", sku="BOWL-B", set={"status": "DRAFT"})
    assert client.wish("POST", "order", lines=[{"sku": "BOWL-B", "quantity": 1}])[0] == 400


def test_a_pending_order_is_paid_once(client: Client) -> None:
    order = buy(client, ("BOWL-B", 1), paid=False)
    assert (look(client, order)["displayFinancialStatus"], look(client, order)["transactions"]) == (
        "PENDING",
        [],
    )
    client.switch("POST", "order/pay", order=order)
    assert look(client, order)["displayFinancialStatus"] == "PAID"
    assert client.wish("POST", "order/pay", order=order)[0] == 400


def test_an_edit_keeps_what_was_bought_and_changes_what_is_left(client: Client) -> None:
    order = buy(client, ("BOWL-B", 3))
    client.switch(
        "POST",
        "order/edit",
        order=order,
        lines=[{"sku": "BOWL-B", "quantity": 1}, {"sku": "BOWL-R", "quantity": 2}],
    )
    found = look(client, order)
    assert [(one["sku"], one["quantity"], one["currentQuantity"]) for one in found["lineItems"]["nodes"]] == [("BOWL-B", 3, 1), ("BOWL-R", 2, 2)]  # fmt: skip
    assert client.stock() == {"BOWL-B": 9, "BOWL-R": 8}
    rows = found["fulfillmentOrders"]["nodes"][0]["lineItems"]["nodes"]
    assert [(row["lineItem"]["sku"], row["remainingQuantity"]) for row in rows] == [
        ("BOWL-B", 1),
        ("BOWL-R", 2),
    ]
    assert amount(found["currentTotalPriceSet"]) == "41.65"


def test_a_refund_gives_stock_and_money_back_with_its_kind(client: Client) -> None:
    order = buy(client, ("BOWL-B", 3), shipping="4.90")
    assert send(client, order, "BOWL-B", 1) == []
    client.switch(
        "POST", "order/refund", order=order, lines=[{"sku": "BOWL-B", "quantity": 2}], shipping="4.90"
    )
    client.switch(
        "POST",
        "order/refund",
        order=order,
        lines=[{"sku": "BOWL-B", "quantity": 1, "restock": "NO_RESTOCK"}],
        amount="5.00",
    )
    found = look(client, order)
    first, second = found["refunds"]
    assert [amount(one["totalRefundedSet"]) for one in (first, second)] == ["29.63", "5.00"]
    assert first["refundLineItems"]["nodes"] == [
        {"quantity": 2, "restockType": "CANCEL", "lineItem": {"sku": "BOWL-B"}}
    ]
    assert second["refundLineItems"]["nodes"][0]["restockType"] == "NO_RESTOCK"
    assert [(one["reason"], amount(one["amountSet"])) for one in second["orderAdjustments"]["nodes"]] == [("REFUND_DISCREPANCY", "6.90")]  # fmt: skip
    assert [(one["kind"], one["parentTransaction"]) for one in found["transactions"][1:]] == [
        ("REFUND", {"kind": "SALE"})
    ] * 2
    assert (found["displayFinancialStatus"], amount(found["totalRefundedSet"])) == (
        "PARTIALLY_REFUNDED",
        "34.63",
    )
    assert client.stock()["BOWL-B"] == 9
    status, body = client.wish("POST", "order/refund", order=order, amount="7.00")
    assert (status, body["message"]) == (400, "More than was paid cannot be paid back.")


def test_a_cancellation_undoes_everything_unless_something_left(client: Client) -> None:
    order, sent = buy(client, ("BOWL-B", 2)), buy(client, ("BOWL-R", 2))
    client.switch("POST", "order/cancel", order=order)
    found = look(client, order)
    assert found["cancelledAt"] == "2027-01-15T08:00:00Z"
    assert (found["displayFinancialStatus"], found["lineItems"]["nodes"][0]["currentQuantity"]) == (
        "REFUNDED",
        0,
    )
    assert found["fulfillmentOrders"]["nodes"][0]["status"] == "CLOSED"
    send(client, sent, "BOWL-R", 1)
    assert client.wish("POST", "order/cancel", order=sent)[0] == 400
    assert client.stock() == {"BOWL-B": 10, "BOWL-R": 8}


def test_a_fulfilment_in_parts_never_sends_more_than_is_left(client: Client) -> None:
    order = buy(client, ("BOWL-B", 3), ("BOWL-R", 1))
    assert send(client, order, "BOWL-B", 2, company="DHL", number="1", url="https://dhl.example/1") == []
    found = look(client, order)
    assert found["displayFulfillmentStatus"] == "PARTIALLY_FULFILLED"
    assert found["fulfillmentOrders"]["nodes"][0]["status"] == "IN_PROGRESS"
    assert found["fulfillments"][0]["trackingInfo"] == [
        {"company": "DHL", "number": "1", "url": "https://dhl.example/1"}
    ]
    assert send(client, order, "BOWL-B", 2) == ["Invalid fulfillment order line item quantity requested."]
    assert len(look(client, order)["fulfillments"]) == 1
    part = found["fulfillmentOrders"]["nodes"][0]["id"]
    rest = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": part}]}
    assert client.change(FULFIL, fulfillment=rest)["userErrors"] == []
    ended = look(client, order)
    assert ended["displayFulfillmentStatus"] == "FULFILLED"
    sent = ended["fulfillments"][1]["fulfillmentLineItems"]["nodes"]
    assert [(one["lineItem"]["sku"], one["quantity"]) for one in sent] == [("BOWL-B", 1), ("BOWL-R", 1)]
    refused = client.change(FULFIL, fulfillment=rest)["userErrors"]
    assert refused[0]["message"].endswith("has an unfulfillable status= closed.")


def test_fulfilment_orders_of_two_orders_do_not_mix(client: Client) -> None:
    parts = [
        look(client, buy(client, ("BOWL-B", 1)))["fulfillmentOrders"]["nodes"][0]["id"] for _ in range(2)
    ]
    wish = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": part} for part in parts]}
    payload = client.change(FULFIL, fulfillment=wish)
    assert payload["userErrors"] == [{"message": "All fulfillment orders must belong to the same order."}]
    assert [one["shipments"] for one in client.switch("GET", "orders")] == [[], []]


def test_what_is_promised_to_buyers_counts_as_on_hand(client: Client) -> None:
    buy(client, ("BOWL-B", 4))
    product = client.ask(
        "{ products(first: 1) { nodes { variants(first: 1) { nodes { inventoryItem { id } } } } } }"
    )
    item = product["products"]["nodes"][0]["variants"]["nodes"][0]["inventoryItem"]["id"]
    row = {"inventoryItemId": item, "locationId": client.place(), "quantity": 20, "changeFromQuantity": 10}
    wish = {"name": "on_hand", "reason": "correction", "quantities": [row]}
    assert client.change(SET_STOCK, input=wish, key="a")["userErrors"] == []
    assert client.stock()["BOWL-B"] == 16


def test_orders_are_swept_by_when_they_changed(client: Client, clock: Clock) -> None:
    first = buy(client, ("BOWL-B", 1))
    for _ in range(3):
        clock.now += 60
        buy(client, ("BOWL-B", 1))
    clock.now += 60
    client.switch("POST", "order/refund", order=first, amount="1.00")
    seen, after = [], None
    while True:
        page = client.ask(ORDERS, search="updated_at:>='2027-01-15T08:02:00Z'", after=after)["orders"]
        seen += [one["name"] for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == ["#1003", "#1004", "#1001"]
    assert client.ask(ORDERS, search="updated_at:>='2028-01-01T00:00:00Z'")["orders"]["nodes"] == []


def test_an_order_of_two_months_is_shown_to_who_may_read_all(client: Client, clock: Clock) -> None:
    order, search = buy(client, ("BOWL-B", 1)), "updated_at:>='2020-01-01T00:00:00Z'"
    clock.now += 60 * 86400
    assert look(client, order)["name"] == "#1001"
    clock.now += 1
    assert look(client, order) is None
    assert client.ask(ORDERS, search=search)["orders"]["nodes"] == []
    client.switch(
        "POST",
        "settings",
        scopes=["read_orders", "read_all_orders", "write_merchant_managed_fulfillment_orders"],
    )
    assert look(client, order)["name"] == "#1001"
    assert client.ask(ORDERS, search=search)["orders"]["nodes"] == [{"name": "#1001"}]


def test_the_shop_s_own_people_send_and_hold_as_well(client: Client) -> None:
    order = buy(client, ("BOWL-B", 3), ("BOWL-R", 1))
    client.switch("POST", "order/hold", order=order)
    refused = send(client, order, "BOWL-B", 1)
    assert len(refused) == 1 and "on_hold" in refused[0]
    client.switch("POST", "order/hold", order=order, on=False)
    sent = client.switch(
        "POST", "order/ship", order=order, lines=[{"sku": "BOWL-B", "quantity": 2}], tracking={"number": "Z1"}
    )
    assert (sent["fulfillment_status"], sent["shipments"][0]["lines"][0]["quantity"]) == (
        "PARTIALLY_FULFILLED",
        2,
    )
    assert send(client, order, "BOWL-B", 2) == ["Invalid fulfillment order line item quantity requested."]
    assert client.wish("POST", "order/ship", order=order, lines=[{"sku": "BOWL-X", "quantity": 1}])[0] == 400
    assert client.switch("POST", "order/ship", order=order)["fulfillment_status"] == "FULFILLED"
    assert [one["trackingInfo"] for one in look(client, order)["fulfillments"]] == [
        [{"company": None, "number": "Z1", "url": None}],
        [],
    ]
