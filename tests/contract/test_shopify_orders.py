"""Long Shopify orders and many of them are read to their end, page by page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.orders import ShipmentReport
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
