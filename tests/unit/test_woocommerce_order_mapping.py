"""What WooCommerce's recorded orders, refunds and webhooks mean, and the amounts and dates it must not be trusted with."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.orders import Buyer, Notice, ShipmentReport, ShopOrder, ShopOrderLine, ShopRefund
from connectors.shops.woocommerce import order_mapping, shipments
from connectors.shops.woocommerce.client import Rest
from connectors.shops.woocommerce.webhooks import Webhooks, derived_secret, signature
from core.errors import Refused
from core.guard import Guard
from core.money import Money

TRANSCRIPTS = Path(__file__).resolve().parents[2].parent / "shared" / "woocommerce" / "transcripts"


def recorded(name: str) -> Any:
    """As the HTTP client reads it: fractions are Decimal."""
    return json.loads((TRANSCRIPTS / f"{name}.json").read_text("utf-8"), parse_float=Decimal)


def answer(name: str) -> dict[str, Any]:
    found: dict[str, Any] = recorded(name)["response"]["json"]
    return found


def euro(minor: int) -> Money:
    return Money(minor, "EUR")


# ---------------------------------------------------------------- orders


def test_a_recorded_order_with_its_recorded_refund() -> None:
    order = order_mapping.order(answer("order_create_api"), [answer("refund_create_partial")])
    assert order == ShopOrder(
        external_id="548",
        number="548",
        currency="EUR",
        standing="open",
        placed_at=datetime(2026, 11, 22, 22, 5, 10, tzinfo=UTC),
        updated_at=datetime(2026, 11, 22, 22, 5, 10, tzinfo=UTC),
        total=euro(7507),
        lines=(
            # 29.48 + 5.60 for three and 29.49 + 5.60 for two do not divide into cents.
            ShopOrderLine("369", "10", "HUB-1", "Hub Mug", 3, taken=3),
            ShopOrderLine("370", "15", "SHIRT-S-slim", "Hub Shirt - S, slim", 2, taken=2),
        ),
        refunds=(ShopRefund("553", euro(1169), (("369", 1),)),),
        buyer=Buyer(
            name="Erika Muster",
            email="erika@example.test",
            phone="+4930123",
            street="Weg 1",
            postcode="10115",
            city="Berlin",
            country="DE",
        ),
    )


def test_the_price_of_one_is_the_lines_amount_divided_and_never_its_float() -> None:
    line = {"quantity": 2, "total": "21.01", "total_tax": "3.99", "price": 10.504202}
    assert order_mapping.unit_price(line, "EUR") == euro(1250)
    assert order_mapping.unit_price({**line, "total": "21.00"}, "EUR") is None, "24.99 has no half"
    assert order_mapping.unit_price({**line, "total": "21.005", "total_tax": "0"}, "EUR") is None
    assert order_mapping.unit_price({**line, "total": "nothing"}, "EUR") is None
    assert order_mapping.unit_price({**line, "quantity": 0}, "EUR") is None
    assert order_mapping.unit_price({"quantity": 2, "total": "300.00"}, "JPY") == Money(150, "JPY")
    assert order_mapping.unit_price({"quantity": 2, "total": "300.50"}, "JPY") is None
    assert order_mapping.unit_price({"quantity": 3, "total": "0.00"}, "EUR") == euro(0)


@given(st.integers(0, 10**9), st.integers(1, 999), st.integers(0, 10**9))
def test_a_unit_price_is_exact_or_missing(net: int, quantity: int, tax: int) -> None:
    line = {"quantity": quantity, "total": str(euro(net).amount), "total_tax": str(euro(tax).amount)}
    found = order_mapping.unit_price(line, "EUR")
    if (net + tax) % quantity:
        assert found is None
    else:
        assert found == euro((net + tax) // quantity)


@pytest.mark.parametrize(
    ("status", "paid", "standing"),
    [
        ("processing", None, "open"),
        ("refunded", None, "open"),
        ("on-hold", "2026-11-22T22:05:10", "unpaid"),
        ("trash", "2026-11-22T22:05:10", "cancelled"),
        ("cancelled", "2026-11-22T22:05:10", "cancelled"),
        ("at-packing", "2026-11-22T22:05:10", "open"),
        ("at-packing", None, "unpaid"),
    ],
)
def test_a_status_says_whether_to_ship(status: str, paid: str | None, standing: str) -> None:
    assert order_mapping.standing({"status": status, "date_paid_gmt": paid}) == standing


def test_a_part_of_a_piece_is_nothing_the_hub_ever_sold() -> None:
    given_line = {"id": 1, "product_id": 10, "variation_id": 0, "quantity": Decimal("2.5"), "total": "5.00", "sku": "K", "name": "K&#228;se"}  # fmt: skip
    assert order_mapping.line(given_line, "EUR") == ShopOrderLine("1", None, "K", "Käse", 3, taken=0)
    assert order_mapping.line({**given_line, "quantity": 2, "product_id": 0}, "EUR").variant_id is None


@pytest.mark.parametrize(
    ("written", "told"), [(None, 0), ("2", 2), (3, 3), ("", 0), ("1.5", 2), ("NaN", None), ("two", None), ([1], None)]
)  # fmt: skip
def test_what_the_shop_took_off_its_shelf_is_told(written: Any, told: int | None) -> None:
    marks = [] if written is None else [{"key": "_reduced_stock", "value": written}]
    assert order_mapping.taken({"meta_data": marks}) == told


def test_after_a_refund_the_shop_holds_fewer_for_the_line() -> None:
    lines = answer("order_get_after_refund")["line_items"]
    assert [(one["quantity"], order_mapping.taken(one)) for one in lines] == [(3, 2), (2, 2)]


def test_the_parts_of_a_bundle_are_lines_beside_it() -> None:
    """Fields as WooCommerce Product Bundles writes them: the parts cost nothing of their own, or a share."""
    bundle = {"id": 1, "product_id": 70, "variation_id": 0, "quantity": 1, "total": "30.00", "total_tax": "0.00", "sku": "SET", "name": "Set", "bundled_by": "", "bundled_items": [2, 3]}  # fmt: skip
    free = {"id": 2, "product_id": 10, "variation_id": 0, "quantity": 2, "total": "0.00", "total_tax": "0.00", "sku": "HUB-1", "name": "Mug", "bundled_by": 1}  # fmt: skip
    share = {
        **free,
        "id": 3,
        "product_id": 14,
        "variation_id": 15,
        "quantity": 1,
        "total": "10.00",
        "sku": "HUB-2",
    }
    order = order_mapping.order({**answer("order_create_api"), "line_items": [bundle, free, share]})
    assert [(one.variant_id, one.sku, one.quantity, one.unit_price) for one in order.lines] == [
        ("70", "SET", 1, euro(3000)),
        ("10", "HUB-1", 2, euro(0)),
        ("15", "HUB-2", 1, euro(1000)),
    ]


def test_an_order_is_told_in_the_currency_it_was_paid_in() -> None:
    paid = {**answer("order_create_api"), "currency": "JPY", "total": "7507"}
    line = {"id": 1, "product_id": 10, "variation_id": 0, "quantity": 2, "total": "5000", "total_tax": "500", "sku": "HUB-1", "name": "Mug"}  # fmt: skip
    refund = {"id": 2, "amount": "2750", "line_items": []}
    order = order_mapping.order({**paid, "line_items": [line]}, [refund])
    assert (order.currency, order.total) == ("JPY", Money(7507, "JPY"))
    assert order.lines[0].unit_price == Money(2750, "JPY")
    assert order.refunds[0].amount == Money(2750, "JPY")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"currency": None},
        {"total": "a lot"},
        {"line_items": [{"id": 1, "quantity": "some", "total": "1"}]},
        {"line_items": [{"quantity": 1, "total": "1"}]},
        {"line_items": [{"id": 1, "quantity": 1, "total": "1", "product_id": "x"}]},
        {"line_items": ["?"]},
        {"date_created_gmt": None},
    ],
)
def test_an_order_a_plugin_spoilt_is_refused_with_its_number(spoilt: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        order_mapping.order({**answer("order_create_api"), **spoilt})
    whole = {name: value for name, value in answer("order_create_api").items() if name != "total"}
    with pytest.raises(Refused, match="Order 548 cannot be read"):
        order_mapping.order(whole)


def test_the_address_is_taken_whole_from_one_place() -> None:
    billing = {"first_name": "Bea", "last_name": "Bill", "company": "Bill AG", "address_1": "B 1", "city": "Bonn", "country": "DE", "email": "b@example.test", "phone": "1"}  # fmt: skip
    shipping = {"first_name": "Sam", "last_name": "", "address_1": "S 1", "address_2": "hinten", "postcode": "75001", "city": "Paris", "state": "IDF", "country": "FR"}  # fmt: skip
    there = order_mapping.buyer({"billing": billing, "shipping": shipping})
    assert there == Buyer("Sam", "", "b@example.test", "1", "S 1", "hinten", "75001", "Paris", "IDF", "FR")
    empty = dict.fromkeys(shipping, "") | {"country": "FR"}
    assert order_mapping.buyer({"billing": billing, "shipping": empty}).name == "Bea Bill"
    assert order_mapping.buyer({}) == Buyer()


def test_of_an_order_paid_back_in_one_sum_nothing_is_left_to_send() -> None:
    part = answer("refund_create_partial")
    whole = {"id": 560, "amount": "63.38", "line_items": []}
    refunded = {**answer("order_create_api"), "status": "refunded"}
    order = order_mapping.order(refunded, [whole, part])
    assert [(one.external_id, one.lines) for one in order.refunds] == [
        ("553", (("369", 1),)),
        ("560", (("369", 2), ("370", 2))),
    ]
    assert shipments.still_due(order) == {"369": 0, "370": 0}
    goodwill = order_mapping.order({**refunded, "status": "processing"}, [whole, part])
    assert shipments.still_due(goodwill) == {"369": 2, "370": 2}


def test_a_date_that_is_none_is_refused_not_guessed() -> None:
    with pytest.raises(Refused, match="where a date belongs"):
        order_mapping.moment("gestern")


# ---------------------------------------------------------------- shipments


def ordered(*quantities: int) -> ShopOrder:
    lines = tuple(
        ShopOrderLine(str(place), str(place), "", f"Thing {place}", quantity)
        for place, quantity in enumerate(quantities)
    )
    return replace(order_mapping.order(answer("order_create_api")), lines=lines)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=4), st.randoms())
def test_an_order_is_complete_with_its_last_piece_and_not_before(
    lines: list[tuple[int, int]], chance: Any
) -> None:
    """Parcels of one piece each, in any order; what was refunded is waited for by nobody."""
    refunds = tuple((str(place), min(back, quantity)) for place, (quantity, back) in enumerate(lines) if back)
    order = replace(
        ordered(*(quantity for quantity, _ in lines)), refunds=(ShopRefund("1", euro(1), refunds),)
    )
    pieces = [name for name, due in shipments.still_due(order).items() for _ in range(due)]
    chance.shuffle(pieces)
    shown: dict[str, Any] = {}
    for piece in pieces:
        assert not shipments.complete(order, shown)
        shown[f"s-{len(shown)}"] = {"lines": [[piece, 1]]}
    assert shipments.complete(order, shown)


def test_what_is_shown_is_read_back_though_somebody_spoilt_a_field() -> None:
    report = ShipmentReport("a", (("369", 2),), 'D"H\\L', "1", "https://x.example/?a=1&b=2")
    kept = json.dumps(shipments.as_shown(report))
    fields = [
        {"id": 9, "key": "_entrepot_shipment_b", "value": "spoilt"},
        {"id": 7, "key": "_entrepot_shipment_a", "value": kept},
        {"id": 8, "key": "_entrepot_shipment_c", "value": shipments.as_shown(report)},
        {"id": 1, "key": "other", "value": kept},
    ]
    shown = shipments.shown({"meta_data": fields})
    assert list(shown) == ["a", "c", "b"]
    assert shown["a"] == shown["c"] == shipments.as_shown(report) and shown["b"] == {}
    assert not shipments.complete(ordered(1), {"b": shown["b"]})


# ---------------------------------------------------------------- webhooks


@cache
def reader(secret: str = "cs_canary") -> Webhooks:
    rest = Rest("https://shop.example", "ck", secret, guard=Guard(frozenset()), ca_file=None, patience=1)
    return Webhooks(rest, secret)


def delivery() -> tuple[dict[str, str], bytes, str]:
    found = recorded("webhook_delivery_order")
    headers = {name.lower(): value for name, value in found["request"]["headers"]}
    return headers, found["request"]["raw_body"].encode(), found["secret"]


def test_the_recorded_signature_is_ours() -> None:
    headers, body, secret = delivery()
    assert signature(secret, body) == headers["x-wc-webhook-signature"]


def test_a_signed_order_is_a_notice_and_the_ping_says_nothing() -> None:
    headers, body, _ = delivery()
    signed = headers | {"x-wc-webhook-signature": signature(derived_secret("cs_canary"), body)}
    assert reader().read(signed, body) == Notice(
        headers["x-wc-webhook-delivery-id"], "order.created", "order", "667"
    )
    ping = recorded("webhook_ping")["request"]
    given_headers = {name.lower(): value for name, value in ping["headers"]}
    assert reader().read(given_headers, ping["raw_body"].encode()) == Notice("ping-2", "", "ping")


@pytest.mark.parametrize(
    ("topic", "body", "kind", "number"),
    [
        ("order.deleted", b'{"id":5}', "order", "5"),
        ("product.updated", b'{"id":5}', "product", "5"),
        ("product.updated", b'{"id":6,"type":"variation","parent_id":5}', "product", "5"),
        ("product.deleted", b'{"id":5}', "product", "5"),
        ("coupon.updated", b'{"id":5}', "other", None),
        ("order.updated", b'{"id":true}', "other", None),
        ("order.updated", b"[]", "other", None),
        ("order.updated", b"<br>", "other", None),
        ("order.updated", b'{"id":"5"}', "other", None),
        ("", b'{"id":5}', "other", None),
    ],
)
def test_what_was_signed_is_read_without_trusting_its_shape(
    topic: str, body: bytes, kind: str, number: str | None
) -> None:
    headers = {
        "x-wc-webhook-signature": signature(derived_secret("cs_canary"), body),
        "x-wc-webhook-topic": topic,
    }
    notice = reader().read(headers, body)
    assert (notice.kind, notice.external_id) == (kind, number)
    assert len(notice.delivery_id) == 64, "without an id of its own the same body is the same notice"


@given(st.binary(max_size=80), st.text(max_size=60))
def test_nothing_unsigned_is_ever_read(body: bytes, given_signature: str) -> None:
    with pytest.raises(Refused) as refused:
        reader().read({"x-wc-webhook-signature": given_signature or "x"}, body)
    assert refused.value.rule == "signature" and "canary" not in str(refused.value)


def test_the_secret_is_derived_and_does_not_tell_the_key() -> None:
    assert derived_secret(" cs_canary\n") == derived_secret("cs_canary") != derived_secret("cs_other")
    assert len(derived_secret("cs_canary")) == 64 and "canary" not in derived_secret("cs_canary")
