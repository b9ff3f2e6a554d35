"""Long Shopify orders and many of them are read to their end, page by page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.orders import ShipmentReport
from connectors.shops.shopify.facts import number_of
from core.errors import Misconfigured, Refused
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import Make, push


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def sku(rig: ShopifyRig, make: Make) -> str:
    draft = make.simple(1, stock=1000)
    push(rig.connect(), draft)
    rig.tidy("")
    return draft.variants[0].sku


def test_an_order_of_many_lines_is_read_to_its_end(rig: ShopifyRig, sku: str) -> None:
    made = rig.switch("order", lines=[{"sku": sku, "quantity": 1} for _ in range(130)])
    ids = [line["id"] for line in made["lines"]]
    assert len(set(ids)) == 130
    back = [{"line": line, "quantity": 1} for line in ids[:30]]
    rig.switch("order/refund", order=made["id"], lines=back)
    order = rig.connect().order(made["id"])
    assert order is not None
    assert [line.external_id for line in order.lines] == ids
    (refund,) = order.refunds
    assert refund.lines == tuple((line, 1) for line in ids[:30])
    assert {line.removed for line in order.lines} == {0}


def test_the_last_of_many_lines_can_be_shipped(rig: ShopifyRig, sku: str) -> None:
    made = rig.switch("order", lines=[{"sku": sku, "quantity": 1} for _ in range(130)])
    last = made["lines"][-1]["id"]
    number = rig.connect().report_shipment(made["id"], ShipmentReport("k", ((last, 1),), "DHL", "N-1"))
    (shown,) = rig.switch("order/edit", order=made["id"], lines=[])["shipments"]
    assert (shown["id"], shown["lines"]) == (number, [{"line": last, "quantity": 1}])


def test_many_orders_come_page_by_page(rig: ShopifyRig, sku: str) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    made = [rig.switch("order", lines=[{"sku": sku, "quantity": 1}])["id"] for _ in range(60)]
    rig.tidy("")
    found = [order.external_id for order in rig.connect().orders_since(start)]
    assert [number for number in found if number in made] == made and len(set(found)) == len(found)
    assert sum("orders" in call["fields"] for call in rig.calls()) == -(-len(found) // 25)


def test_a_bundle_is_ordered_as_what_it_is_made_of(rig: ShopifyRig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    cup, plate, both = (make.simple(number, stock=50) for number in (1, 2, 3))
    results = push(shop, cup, plate, both)
    parts = [{"sku": f"{prefix}-1", "quantity": 2}, {"sku": f"{prefix}-2", "quantity": 1}]
    rig.switch("bundle", sku=f"{prefix}-3", components=parts)
    number = rig.switch("order", lines=[{"sku": f"{prefix}-3", "quantity": 3}])["id"]
    order = shop.order(number)
    assert order is not None
    told = [(line.variant_id, line.sku, line.quantity) for line in order.lines]
    assert told == [
        (results[cup.key].variant_ids["v1"], f"{prefix}-1", 6),
        (results[plate.key].variant_ids["v2"], f"{prefix}-2", 3),
    ]


def test_a_buyers_own_currency_is_not_the_shops(rig: ShopifyRig, sku: str) -> None:
    dollars = {"currency": "USD", "rate": "1.10"}
    number = rig.switch("order", lines=[{"sku": sku, "quantity": 2}], presentment=dollars)["id"]
    here = rig.switch("order", lines=[{"sku": sku, "quantity": 2}])["id"]
    shop = rig.connect()
    abroad, home = shop.order(number), shop.order(here)
    assert abroad is not None and home is not None
    assert (abroad.currency, abroad.total) == (home.currency, home.total)
    assert abroad.lines[0].unit_price == home.lines[0].unit_price
    rig.switch("order/refund", order=number, lines=[{"line": abroad.lines[0].external_id, "quantity": 1}])
    again = shop.order(number)
    assert again is not None and again.refunds[0].amount.currency == home.currency


def test_a_draft_is_no_order_until_it_is_completed(rig: ShopifyRig, sku: str) -> None:
    shop = rig.connect()
    start = datetime.now(UTC) - timedelta(hours=1)
    before = {order.external_id for order in shop.orders_since(start)}
    draft = rig.switch("draft", lines=[{"sku": sku, "quantity": 1}, {"title": "Wrapping", "price": "2.00", "quantity": 1}])["id"]  # fmt: skip
    assert {order.external_id for order in shop.orders_since(start)} == before
    made = rig.switch("draft/complete", draft=draft, paid=False)["id"]
    order = shop.order(made)
    assert order is not None and order.standing == "unpaid"
    assert [(line.sku, line.variant_id is None) for line in order.lines] == [(sku, False), ("", True)]


def test_a_test_order_says_so(rig: ShopifyRig, sku: str) -> None:
    number = rig.switch("order", lines=[{"sku": sku, "quantity": 1}], test=True)["id"]
    order = rig.connect().order(number)
    assert order is not None and order.test is True


def test_a_product_that_was_deleted_since_has_a_line_without_a_variant(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    shop = rig.connect()
    draft = make.simple(1, stock=5)
    result = push(shop, draft)[draft.key]
    number = rig.switch("order", lines=[{"sku": f"{prefix}-1", "quantity": 2}])["id"]
    rig.delete(str(result.external_id))
    order = shop.order(number)
    assert order is not None
    (line,) = order.lines
    assert (line.variant_id, line.sku, line.quantity) == (None, f"{prefix}-1", 2)


@pytest.mark.parametrize("restock", ["RETURN", "CANCEL", "NO_RESTOCK"])
def test_a_refund_is_one_whatever_becomes_of_the_pieces(rig: ShopifyRig, sku: str, restock: str) -> None:
    made = rig.switch("order", lines=[{"sku": sku, "quantity": 3}])
    line = made["lines"][0]["id"]
    rig.switch("order/refund", order=made["id"], lines=[{"line": line, "quantity": 2, "restock": restock}])
    order = rig.connect().order(made["id"])
    assert order is not None
    assert [one.lines for one in order.refunds] == [((line, 2),)]
    assert (order.lines[0].quantity, order.lines[0].removed) == (3, 0)


def shipments(rig: ShopifyRig, order: str) -> list[tuple[str, int]]:
    """(id, pieces) of each fulfilment."""
    shown = rig.switch("order/edit", order=order, lines=[])["shipments"]
    return [(one["id"], sum(line["quantity"] for line in one["lines"])) for one in shown]


def test_an_order_in_many_parts_is_shipped_whole(rig: ShopifyRig, sku: str) -> None:
    made = rig.switch("order", lines=[{"sku": sku, "quantity": 15}])
    line = made["lines"][0]["id"]
    for _ in range(12):
        rig.switch("order/split", order=made["id"], lines=[{"line": line, "quantity": 1}])
    report = ShipmentReport("k", ((line, 15),), "DHL", "N-1")
    number = rig.connect().report_shipment(made["id"], report)
    assert shipments(rig, made["id"]) == [(number, 15)]
    assert rig.connect().report_shipment(made["id"], report) == number
    assert shipments(rig, made["id"]) == [(number, 15)]


def test_an_order_that_leaves_from_two_places_has_a_fulfilment_each(rig: ShopifyRig, sku: str) -> None:
    made = rig.switch("order", lines=[{"sku": sku, "quantity": 5}])
    line = made["lines"][0]["id"]
    rig.switch("order/split", order=made["id"], lines=[{"line": line, "quantity": 2}], place="Boutique")
    report = ShipmentReport("k", ((line, 5),), "DHL", "N-1")
    number = rig.connect().report_shipment(made["id"], report)
    found = shipments(rig, made["id"])
    assert [pieces for _, pieces in found] == [3, 2] and found[-1][0] == number
    assert rig.connect().report_shipment(made["id"], report) == number
    assert shipments(rig, made["id"]) == found


def test_what_lies_with_a_fulfilment_service_needs_its_scope(rig: ShopifyRig, sku: str) -> None:
    site = rig.shop.site
    with site.lock, site.store.work():
        place = {"name": "Service", "isActive": True, "fulfillsOnlineOrders": True, "service": True}
        site.put("Location", site.new("Location", **place))
    made = rig.switch("order", lines=[{"sku": sku, "quantity": 2}])
    line = made["lines"][0]["id"]
    rig.switch("order/split", order=made["id"], lines=[{"line": line, "quantity": 1}], place="Service")
    report = ShipmentReport("k", ((line, 2),), "DHL", "N-1")
    with pytest.raises(Refused, match="write_third_party_fulfillment_orders"):
        rig.connect().report_shipment(made["id"], report)
    assert shipments(rig, made["id"]) == [], "nothing is told by halves"
    rig.switch("settings", scopes=[*site.scopes, "write_third_party_fulfillment_orders"])
    rig.connect().report_shipment(made["id"], report)
    assert [pieces for _, pieces in shipments(rig, made["id"])] == [1, 1]


def test_an_app_that_may_not_see_buyers_says_what_to_ask_for(rig: ShopifyRig, sku: str) -> None:
    number = rig.switch("order", lines=[{"sku": sku, "quantity": 1}])["id"]
    rig.switch("settings", customer_data=False)
    try:
        with pytest.raises(Misconfigured, match=r"protected customer data \(name, address, email, phone\)"):
            rig.connect().order(number)
        with pytest.raises(Misconfigured, match="does not let the hub's app see the buyers"):
            list(rig.connect().orders_since(datetime.now(UTC) - timedelta(hours=1)))
        (warning,) = rig.connect().check().warnings
        assert "protected customer data" in warning, "told when the shop is connected, where it has an order"
    finally:
        rig.switch("settings", customer_data=True)
    order = rig.connect().order(number)
    assert order is not None and order.lines[0].sku == sku


def test_an_order_that_is_too_old_to_be_shown_is_not_taken_for_deleted(rig: ShopifyRig, sku: str) -> None:
    """Else a refund after 60 days would cancel the whole order in the hub."""
    site = rig.shop.site
    old, new, gone = (rig.switch("order", lines=[{"sku": sku, "quantity": 1}])["id"] for _ in range(3))
    with site.lock, site.store.work():
        for one in site.all("Order"):
            if one["id"] <= number_of(old):
                site.put("Order", {**one, "created": one["created"] - 61 * 86400})
    rig.switch("order/delete", order=gone)
    scopes = [scope for scope in site.scopes if scope != "read_all_orders"]
    rig.switch("settings", scopes=scopes)
    shop = rig.connect()
    with pytest.raises(Refused, match="scope read_all_orders") as caught:
        shop.order(old)
    assert caught.value.rule == "hidden"
    assert shop.order(gone) is None, "it came after the first that is shown"
    found = shop.order(new)
    assert found is not None and found.external_id == new
    rig.switch("settings", scopes=[*scopes, "read_all_orders"])
    sees = rig.connect()
    found = sees.order(old)
    assert found is not None and found.external_id == old
    rig.switch("order/delete", order=old)
    assert rig.connect().order(old) is None
    rig.switch("settings", scopes=None)
