"""A Shopify order read into the hub's values, a shipment's lines found, and webhooks told from forgeries."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.orders import Buyer, Notice, ShopOrder, ShopOrderLine, ShopRefund
from connectors.shops.shopify import shipments, webhooks
from connectors.shops.shopify.connector import ShopifyShop
from connectors.shops.shopify.order_mapping import shop_order, standing
from core.errors import Refused, Temporary
from core.money import Money

SECRET = "shpss_canary_secret"


def bag(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "EUR"}}


def line(number: int, quantity: int, current: int, price: str = "19.50", off: str = "") -> dict[str, Any]:
    return {
        "id": f"L{number}", "sku": f"SKU-{number}", "title": f"Thing {number}", "quantity": quantity, "currentQuantity": current,
        "variant": {"id": f"V{number}"}, "originalUnitPriceSet": bag(price),
        "discountAllocations": [{"allocatedAmountSet": bag(off)}] if off else [],
    }  # fmt: skip


def refund(number: int, amount: str, *lines: tuple[str, int], pays: bool = True) -> dict[str, Any]:
    nodes = [{"quantity": quantity, "lineItem": {"id": name}} for name, quantity in lines]
    payments = {"nodes": [{"id": "T"}] if pays else []}
    return {
        "id": f"R{number}",
        "totalRefundedSet": bag(amount),
        "transactions": payments,
        "refundLineItems": {"nodes": nodes},
    }


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "gid://shopify/Order/1", "name": "#1001", "createdAt": "2026-11-26T10:00:00Z", "updatedAt": "2026-11-26T11:00:00Z",
        "cancelledAt": None, "test": False, "email": "ada@example.test", "phone": None, "currencyCode": "EUR",
        "displayFinancialStatus": "PAID", "totalPriceSet": bag("44.0"), "shippingAddress": None, "billingAddress": None,
        "lineItems": {"nodes": [line(1, 2, 2)]}, "refunds": [], **changes,
    }  # fmt: skip


ADDRESS = {
    "name": "Ada Beispiel", "company": "Beispiel GmbH", "phone": "+491", "address1": "Weg 2", "address2": None,
    "zip": "80331", "city": "München", "province": "Bayern", "countryCodeV2": "DE",
}  # fmt: skip


def test_an_order_is_read_whole() -> None:
    found = order(
        shippingAddress=ADDRESS,
        lineItems={"nodes": [line(1, 2, 2), {**line(2, 1, 1), "variant": None, "sku": None}]},
    )
    assert shop_order(found) == ShopOrder(
        external_id="gid://shopify/Order/1",
        number="#1001",
        currency="EUR",
        standing="open",
        placed_at=datetime(2026, 11, 26, 10, tzinfo=UTC),
        updated_at=datetime(2026, 11, 26, 11, tzinfo=UTC),
        total=Money(4400, "EUR"),
        lines=(
            ShopOrderLine("L1", "V1", "SKU-1", "Thing 1", 2, 0, Money(1950, "EUR")),
            ShopOrderLine("L2", None, "", "Thing 2", 1, 0, Money(1950, "EUR")),
        ),
        buyer=Buyer(
            "Ada Beispiel",
            "Beispiel GmbH",
            "ada@example.test",
            "+491",
            "Weg 2",
            "",
            "80331",
            "München",
            "Bayern",
            "DE",
        ),
    )


def test_without_parcels_the_bill_names_the_buyer() -> None:
    found = shop_order(order(billingAddress=ADDRESS, phone="+492", test=True))
    assert (found.buyer.name, found.buyer.phone, found.test) == ("Ada Beispiel", "+491", True)
    assert shop_order(order(phone="+492")).buyer == Buyer(email="ada@example.test", phone="+492")


def test_what_an_edit_took_out_is_removed_and_what_a_refund_paid_back_is_not() -> None:
    found = shop_order(
        order(
            lineItems={"nodes": [line(1, 5, 2), line(2, 3, 3), line(3, 1, 0)]},
            refunds=[refund(1, "19.50", ("L1", 1)), refund(2, "5.00")],
        )
    )
    assert [(one.quantity, one.removed) for one in found.lines] == [(5, 2), (3, 0), (1, 1)]
    assert found.refunds == (
        ShopRefund("R1", Money(1950, "EUR"), (("L1", 1),)),
        ShopRefund("R2", Money(500, "EUR")),
    )


def test_pieces_that_came_back_without_a_payment_are_a_refund() -> None:
    """An exchange, or credit for a later purchase: the pieces had left, so nothing was taken out of the order."""
    swapped = refund(1, "0.0", ("L1", 2), pays=False)
    swapped["refundLineItems"]["nodes"][0]["restockType"] = "RETURN"
    found = shop_order(order(lineItems={"nodes": [line(1, 3, 1)]}, refunds=[swapped]))
    assert found.lines[0].removed == 0
    assert found.refunds == (ShopRefund("R1", Money(0, "EUR"), (("L1", 2),)),)


def test_a_refund_without_a_payment_is_an_edit() -> None:
    lines = {"nodes": [line(1, 3, 1)]}
    edited = shop_order(order(lineItems=lines, refunds=[refund(1, "0.0", ("L1", 2), pays=False)]))
    assert (edited.lines[0].removed, edited.refunds) == (2, ())
    pending = shop_order(order(lineItems=lines, refunds=[refund(1, "0.0", ("L1", 2))]))
    assert (pending.lines[0].removed, [one.lines for one in pending.refunds]) == (0, [(("L1", 2),)])


@pytest.mark.parametrize(
    ("price", "quantity", "off", "each"),
    [("10.00", 3, "", 1000), ("10.00", 3, "3.00", 900), ("10.00", 3, "1.00", None), ("0.01", 1, "0.01", 0)],
)
def test_a_price_that_does_not_come_out_even_is_not_told(
    price: str, quantity: int, off: str, each: int | None
) -> None:
    found = shop_order(order(lineItems={"nodes": [line(1, quantity, quantity, price, off)]})).lines[0]
    assert found.unit_price == (None if each is None else Money(each, "EUR"))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("PAID", "open"), ("AUTHORIZED", "open"), ("PARTIALLY_REFUNDED", "open"), ("REFUNDED", "open"),
        ("PENDING", "unpaid"), ("PARTIALLY_PAID", "unpaid"), ("EXPIRED", "unpaid"), ("VOIDED", "unpaid"), (None, "unpaid"),
    ],
)  # fmt: skip
def test_only_money_that_is_there_opens_an_order(status: str | None, said: str) -> None:
    assert standing(order(displayFinancialStatus=status)) == said
    assert standing(order(displayFinancialStatus=status, cancelledAt="2026-11-26T12:00:00Z")) == "cancelled"


# ---------------------------------------------------------------- shipments
def entry(number: int, remaining: int) -> dict[str, Any]:
    return {"id": f"FOL{number}", "remainingQuantity": remaining, "lineItem": {"id": f"L{number}"}}


def part(number: int, place: str, *entries: dict[str, Any], status: str = "OPEN") -> dict[str, Any]:
    return {
        "id": f"FO{number}", "status": status, "assignedLocation": {"location": {"id": place}},
        "lineItems": {"nodes": list(entries)},
    }  # fmt: skip


def shipped(number: str, status: str, *lines: tuple[str, int]) -> dict[str, Any]:
    nodes = [{"quantity": quantity, "lineItem": {"id": name}} for name, quantity in lines]
    return {"id": f"F-{number}", "status": status, "trackingInfo": [{"number": number}], "fulfillmentLineItems": {"nodes": nodes}}  # fmt: skip


def test_a_shipment_is_known_by_its_number_and_its_lines() -> None:
    held = {"fulfillments": [shipped("OTHER", "SUCCESS", ("L1", 2)), shipped("T1", "SUCCESS", ("L1", 2))]}
    assert shipments._look(held, "T1", [("L1", 2)]) == ("F-T1", {})
    assert shipments._look(held, "T1", [("L1", 3), ("L2", 1)]) == ("F-T1", {"L1": 1, "L2": 1})
    assert shipments._look(held, "T2", [("L1", 1)]) == ("", {"L1": 1})
    cancelled = {"fulfillments": [shipped("T1", "CANCELLED", ("L1", 2))]}
    assert shipments._look(cancelled, "T1", [("L1", 2)]) == ("", {"L1": 2})


def test_one_parcel_leaves_from_one_place() -> None:
    parts = [part(1, "A", entry(1, 2)), part(2, "B", entry(1, 5), entry(2, 1)), part(3, "A", entry(3, 1))]
    made = list(shipments._parcels({"fulfillmentOrders": {"nodes": parts}}, "O", {"L1": 3, "L3": 1}))
    assert made == [
        [
            {"fulfillmentOrderId": "FO1", "fulfillmentOrderLineItems": [{"id": "FOL1", "quantity": 2}]},
            {"fulfillmentOrderId": "FO3", "fulfillmentOrderLineItems": [{"id": "FOL3", "quantity": 1}]},
        ],
        [{"fulfillmentOrderId": "FO2", "fulfillmentOrderLineItems": [{"id": "FOL1", "quantity": 1}]}],
    ]


def test_more_than_is_left_is_refused_and_what_is_held_back_waits() -> None:
    closed = {
        "fulfillmentOrders": {
            "nodes": [part(1, "A", entry(1, 1)), part(2, "A", entry(1, 9), status="CLOSED")]
        }
    }
    with pytest.raises(Refused, match="no longer lets L1 of the order O be shipped"):
        list(shipments._parcels(closed, "O", {"L1": 2}))
    held = {"fulfillmentOrders": {"nodes": [part(1, "A", entry(1, 2), status="ON_HOLD")]}}
    with pytest.raises(Temporary, match="holds the order O back"):
        list(shipments._parcels(held, "O", {"L1": 2}))


# ---------------------------------------------------------------- webhooks
def shop(url: str = "https://lampen.myshopify.com") -> ShopifyShop:
    return ShopifyShop(url, "shpat_x", f" {SECRET} ")


def call(topic: str, body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    return {
        "x-shopify-hmac-sha256": webhooks.signature(secret, body), "x-shopify-topic": topic,
        "x-shopify-webhook-id": "w-1", "x-shopify-shop-domain": "lampen.myshopify.com", **more,
    }  # fmt: skip


def test_the_signature_is_the_one_shopify_makes() -> None:
    """As `printf '{"id":1}' | openssl dgst -sha256 -hmac hush -binary | base64` says."""
    assert webhooks.signature("hush", b'{"id":1}') == KNOWN


KNOWN = "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY="


@pytest.mark.parametrize(
    ("topic", "body", "kind", "number"),
    [
        ("orders/create", b'{"id":820982911946154508}', "order", "gid://shopify/Order/820982911946154508"),
        ("orders/cancelled", b'{"id":7,"email":"a@b.test"}', "order", "gid://shopify/Order/7"),
        ("refunds/create", b'{"id":9,"order_id":7}', "order", "gid://shopify/Order/7"),
        ("app/uninstalled", b'{"id":5}', "uninstalled", None),
        ("products/update", b'{"id":5}', "product", "gid://shopify/Product/5"),
        ("products/delete", b'{"id":5}', "product", "gid://shopify/Product/5"),
        (
            "inventory_levels/update",
            b'{"inventory_item_id":6,"location_id":2}',
            "stock",
            "gid://shopify/InventoryItem/6",
        ),
        ("inventory_levels/update", b'{"id":5}', "other", None),
        ("themes/update", b'{"id":5}', "other", None),
        ("orders/create", b'{"id":"7"}', "other", None),
        ("orders/create", b'[{"id":7}]', "other", None),
        ("orders/create", b"not JSON", "other", None),
    ],
)
def test_a_signed_call_is_read(topic: str, body: bytes, kind: Any, number: str | None) -> None:
    assert shop().read_webhook(call(topic, body), body) == Notice("w-1", topic, kind, number)


def test_anything_else_is_refused_without_a_word_of_the_secret() -> None:
    body = b'{"id":7}'
    good = call("orders/create", body)
    forged = [
        ({**good, "x-shopify-hmac-sha256": ""}, body),
        ({name: value for name, value in good.items() if "hmac" not in name}, body),
        (good, b'{"id":8}'),
        (call("orders/create", body, secret="another"), body),
        ({**good, "x-shopify-shop-domain": "other.myshopify.com"}, body),
        ({**good, "x-shopify-hmac-sha256": "ü"}, body),
    ]
    for headers, sent in forged:
        with pytest.raises(Refused, match="does not carry the signature") as caught:
            shop().read_webhook(headers, sent)
        assert caught.value.rule == "signature" and "canary" not in str(caught.value)
    assert "canary" not in repr(shop())


def test_a_call_without_an_id_is_known_by_its_content() -> None:
    body = b'{"id":7}'
    bare = {name: value for name, value in call("orders/create", body).items() if "webhook-id" not in name}
    first, again = shop().read_webhook(bare, body), shop().read_webhook(bare, body)
    other = b'{"id":7 }'
    third = shop().read_webhook({**bare, "x-shopify-hmac-sha256": webhooks.signature(SECRET, other)}, other)
    assert first.delivery_id == again.delivery_id != third.delivery_id
