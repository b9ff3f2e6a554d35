"""What else an order of the sandbox's Shopify may be: of a bundle, in another currency, a draft's, of what is gone since."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.shopify_client import SET, SET_STOCK, Client, opened

BOTH = "shopMoney { amount currencyCode } presentmentMoney { amount currencyCode }"
ORDER = f"""query($id: ID!) {{ order(id: $id) {{
  sourceName currencyCode presentmentCurrencyCode totalPriceSet {{ {BOTH} }} totalTaxSet {{ {BOTH} }}
  lineItems(first: 10) {{ nodes {{ sku title quantity variant {{ id }} product {{ id }} requiresShipping
    originalUnitPriceSet {{ {BOTH} }} taxLines {{ priceSet {{ {BOTH} }} }}
    lineItemGroup {{ title quantity variantSku }} }} }}
  transactions {{ amountSet {{ {BOTH} }} }} refunds {{ totalRefundedSet {{ {BOTH} }} }} }} }}"""
REFUND = f"query($id: ID!) {{ refund(id: $id) {{ totalRefundedSet {{ {BOTH} }} refundLineItems(first: 1) {{ nodes {{ subtotalSet {{ {BOTH} }} }} }} }} }}"
DELETE = "mutation($id: ID!) { productDelete(input: {id: $id}) { deletedProductId userErrors { message } } }"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with opened(tmp_path) as (_, made):
        made.offered()
        yield made


def look(client: Client, made: Any) -> Any:
    return client.ask(ORDER, id=made["id"])["order"]


def money(eur: str, usd: str) -> dict[str, Any]:
    return {
        "shopMoney": {"amount": eur, "currencyCode": "EUR"},
        "presentmentMoney": {"amount": usd, "currencyCode": "USD"},
    }


def test_a_bundle_is_sold_as_its_components_and_they_cost_what_it_costs(client: Client) -> None:
    choice = [{"optionName": "Title", "name": "Default Title"}]
    wish: dict[str, Any] = {
        "title": "Pair of bowls",
        "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
        "variants": [{"sku": "PAIR", "price": "20.00", "optionValues": choice}],
    }
    pair = client.change(SET, input=wish)["product"]["id"]
    client.change("mutation($id: ID!) { publishablePublish(id: $id, input: [{publicationId: \"gid://shopify/Publication/1000000001\"}]) { userErrors { message } } }", id=pair)  # fmt: skip
    client.switch(
        "POST",
        "bundle",
        sku="PAIR",
        components=[{"sku": "BOWL-B", "quantity": 1}, {"sku": "BOWL-R", "quantity": 1}],
    )
    order = look(client, client.switch("POST", "order", lines=[{"sku": "PAIR", "quantity": 2}]))
    group = {"title": "Pair of bowls", "quantity": 2, "variantSku": "PAIR"}
    lines = order["lineItems"]["nodes"]
    assert [(one["sku"], one["quantity"], one["lineItemGroup"]) for one in lines] == [
        ("BOWL-B", 2, group),
        ("BOWL-R", 2, group),
    ]
    # 20.00 shared as 10.00 : 12.50
    assert [one["originalUnitPriceSet"]["shopMoney"]["amount"] for one in lines] == ["8.89", "11.11"]
    assert client.stock() == {"BOWL-B": 8, "BOWL-R": 8, "PAIR": None}
    item = client.ask('{ inventoryItems(first: 1, query: "sku:PAIR") { nodes { id } } }')["inventoryItems"][
        "nodes"
    ][0]["id"]
    row = {"inventoryItemId": item, "locationId": client.place(), "quantity": 1, "changeFromQuantity": None}
    wish = {"name": "available", "reason": "correction", "quantities": [row]}
    assert (
        client.change(SET_STOCK, input=wish, key="a")["userErrors"][0]["code"] == "NON_MUTABLE_INVENTORY_ITEM"
    )
    wish["referenceDocumentUri"] = "no address"
    assert (
        client.change(SET_STOCK, input=wish, key="b")["userErrors"][0]["code"] == "INVALID_REFERENCE_DOCUMENT"
    )


def test_a_buyer_pays_in_his_own_currency_and_the_shop_counts_in_its(client: Client) -> None:
    made = client.switch(
        "POST",
        "order",
        lines=[{"sku": "BOWL-B", "quantity": 2}],
        presentment={"currency": "USD", "rate": "1.10"},
    )
    back = client.switch("POST", "order/refund", order=made["id"], lines=[{"sku": "BOWL-B", "quantity": 1}])
    order = look(client, made)
    assert (order["currencyCode"], order["presentmentCurrencyCode"]) == ("EUR", "USD")
    assert order["totalPriceSet"] == money("23.80", "26.18")
    line = order["lineItems"]["nodes"][0]
    assert line["originalUnitPriceSet"] == money("10.00", "11.00")
    assert line["taxLines"] == [{"priceSet": money("3.80", "4.18")}]
    assert order["transactions"] == [
        {"amountSet": money("23.80", "26.18")},
        {"amountSet": money("11.90", "13.09")},
    ]
    assert order["refunds"] == [{"totalRefundedSet": money("11.90", "13.09")}]
    alone = client.ask(REFUND, id=back["refund"])["refund"]
    assert alone["refundLineItems"]["nodes"] == [{"subtotalSet": money("10.00", "11.00")}]
    plain = look(client, client.switch("POST", "order", lines=[{"sku": "BOWL-B", "quantity": 1}]))
    assert plain["totalPriceSet"]["presentmentMoney"] == {"amount": "11.90", "currencyCode": "EUR"}


def test_a_draft_is_no_order_and_takes_nothing_until_it_is_completed(client: Client) -> None:
    lines = [{"sku": "BOWL-B", "quantity": 12}, {"title": "Engraving", "price": "5.00", "quantity": 1}]
    draft = client.switch("POST", "draft", lines=lines)["id"]
    assert client.stock() == {"BOWL-B": 10, "BOWL-R": 10}
    assert client.switch("GET", "orders") == []
    order = look(client, client.switch("POST", "draft/complete", draft=draft))
    assert client.wish("POST", "draft/complete", draft=draft)[0] == 400
    assert order["sourceName"] == "shopify_draft_order"
    engraving = order["lineItems"]["nodes"][1]
    assert (engraving["sku"], engraving["title"], engraving["variant"], engraving["product"]) == (
        None,
        "Engraving",
        None,
        None,
    )
    assert client.stock() == {"BOWL-B": -2, "BOWL-R": 10}
    assert client.wish("POST", "order", lines=lines[1:])[0] == 400
    made = client.switch("GET", "orders")[0]["id"]
    client.switch("POST", "order/cancel", order=made)
    assert client.stock() == {"BOWL-B": 10, "BOWL-R": 10}


def test_a_line_keeps_its_sku_when_its_product_is_gone(client: Client) -> None:
    made = client.switch("POST", "order", lines=[{"sku": "BOWL-B", "quantity": 2}])
    product = look(client, made)["lineItems"]["nodes"][0]["product"]["id"]
    assert client.change(DELETE, id=product) == {"deletedProductId": product, "userErrors": []}
    line = look(client, made)["lineItems"]["nodes"][0]
    assert (line["sku"], line["variant"], line["product"]) == ("BOWL-B", None, None)
    client.switch(
        "POST",
        "order/refund",
        order=made["id"],
        lines=[{"sku": "BOWL-B", "quantity": 1, "restock": "CANCEL"}],
    )
    client.switch("POST", "order/cancel", order=made["id"])
    assert client.switch("GET", "orders")[0]["cancelled"] is True


@pytest.mark.parametrize(("restock", "left"), [(True, 10), (False, 7)])
def test_who_cancels_says_whether_the_goods_come_back(client: Client, restock: bool, left: int) -> None:
    made = client.switch("POST", "order", lines=[{"sku": "BOWL-B", "quantity": 3}])
    client.switch("POST", "order/cancel", order=made["id"], restock=restock)
    assert client.stock()["BOWL-B"] == left


def test_a_comma_in_a_search_means_or_unless_it_is_quoted(client: Client) -> None:
    client.switch("POST", "edit", sku="BOWL-B", set={"status": "DRAFT"})
    for query, many in (
        ("status:active,draft", 1),
        ("status:active,archived", 0),
        ("status:'active,draft'", 0),
    ):
        found = client.ask("query($q: String) { products(first: 5, query: $q) { nodes { id } } }", q=query)
        assert len(found["products"]["nodes"]) == many, query


def test_the_same_thing_may_be_asked_for_under_many_names_and_each_costs(client: Client) -> None:
    names = "".join(
        f'k{n}: productByIdentifier(identifier: {{handle: "ceramic-bowl"}}) {{ id }} ' for n in range(20)
    )
    found = client.whole(f"{{ {names} }}")
    assert len({one["id"] for one in found["data"].values()}) == 1
    assert found["extensions"]["cost"]["requestedQueryCost"] == 20
