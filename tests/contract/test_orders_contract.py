"""What every shop connector must keep about orders, shipments and webhooks; `order_rig.py` says against which shops."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.orders import Buyer, ShipmentReport, ShopOrder
from core.errors import Refused, Unknown
from core.money import Money
from tests.contract.order_rig import OrderRig, OrderShop, open_rig, order_rigs, shown_is_paid
from tests.contract.shops import Make, push


@pytest.fixture(scope="module", params=list(order_rigs()))
def open_shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderRig]:
    with open_rig(request.param, tmp_path_factory.mktemp("orders")) as rig:
        yield rig


@pytest.fixture
def rig(open_shop: OrderRig) -> Iterator[OrderRig]:
    yield open_shop
    open_shop.tidy()


@pytest.fixture
def shop(rig: OrderRig) -> OrderShop:
    return rig.connect()


class Shelf:
    """A mug at 12.50 and shirts at 19.50 in the shop: SKUs, and the ids the hub stores for them."""

    def __init__(self, rig: OrderRig, shop: OrderShop, prefix: str) -> None:
        facts = shop.check()
        make = Make(prefix, facts.currency)
        mug, shirt = make.simple(1, stock=50), make.variable(2)
        shirt = replace(shirt, variants=tuple(replace(one, stock=50) for one in shirt.variants))
        results = push(shop, mug, shirt)
        self.mug, self.small, self.medium = f"{prefix}-1", f"{prefix}-2-S", f"{prefix}-2-M"
        self.ids = {variant.sku: results[draft.key].variant_ids[variant.key] for draft in (mug, shirt) for variant in draft.variants}  # fmt: skip
        self.currency = make.currency
        self.gross = shown_is_paid(rig, facts)
        """Else what a buyer pays hangs on a live shop's own taxes."""


@pytest.fixture
def shelf(rig: OrderRig, shop: OrderShop) -> Iterator[Shelf]:
    prefix = f"OR{secrets.token_hex(4)}"
    try:
        yield Shelf(rig, shop, prefix)
    finally:  # also where only half of it could be made
        rig.forget(prefix)


@pytest.fixture
def faulty(rig: OrderRig) -> OrderRig:
    if not rig.can_fail:
        pytest.skip("a live shop: no answer is lost on purpose, no webhook reaches a test")
    return rig


def there(shop: OrderShop, order_id: str) -> ShopOrder:
    found = shop.order(order_id)
    assert found is not None
    return found


def line_of(order: ShopOrder, sku: str) -> str:
    return next(line.external_id for line in order.lines if line.sku == sku)


def counts(order: ShopOrder) -> dict[str, tuple[int, int]]:
    return {line.sku: (line.quantity, line.removed) for line in order.lines}


# ---------------------------------------------------------------- orders
def test_an_order_is_read_whole(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    number = rig.buy([(shelf.mug, 2), (shelf.small, 1)])
    order = there(shop, number)
    assert (order.external_id, order.standing, order.currency, order.test) == (
        number,
        "open",
        shelf.currency,
        rig.marks_tests,
    )
    assert order.number and before <= order.placed_at <= order.updated_at <= datetime.now(UTC) + timedelta(
        seconds=5
    )
    assert {line.sku: line.variant_id for line in order.lines} == {
        sku: shelf.ids[sku] for sku in (shelf.mug, shelf.small)
    }
    assert counts(order) == {shelf.mug: (2, 0), shelf.small: (1, 0)}
    assert all(line.title for line in order.lines) and order.refunds == ()
    if shelf.gross:
        assert {line.sku: line.unit_price for line in order.lines} == {
            shelf.mug: Money.of("12.50", shelf.currency),
            shelf.small: Money.of("19.50", shelf.currency),
        }
        assert order.total == Money.of("44.50", shelf.currency)
    buyer = {name: getattr(order.buyer, name) for name in rig.buyer}
    assert buyer == rig.buyer
    assert isinstance(order.buyer, Buyer)


def test_nothing_is_shipped_before_it_is_paid(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 1)], paid=False)
    assert there(shop, number).standing == "unpaid"
    rig.pay(number)
    assert there(shop, number).standing == "open"


def test_an_edit_takes_pieces_out(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 3), (shelf.small, 2)])
    order = there(shop, number)
    rig.edit(number, line_of(order, shelf.mug), 1)
    edited = there(shop, number)
    assert _left(edited) == {shelf.mug: 1, shelf.small: 2}
    rig.edit(number, line_of(order, shelf.small), 0)
    edited = there(shop, number)
    assert _left(edited) == {shelf.mug: 1}
    assert edited.refunds == () and edited.standing == "open"


def test_a_refund_of_lines_is_no_edit(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 3), (shelf.small, 1)])
    line = line_of(there(shop, number), shelf.mug)
    made = rig.refund(number, [(line, 2)])
    order = there(shop, number)
    assert counts(order) == {shelf.mug: (3, 0), shelf.small: (1, 0)}
    (refund,) = order.refunds
    assert (refund.external_id, refund.lines) == (made, ((line, 2),))
    assert not shelf.gross or refund.amount == Money.of("25.00", shelf.currency)
    assert order.standing == "open"


def test_a_refund_by_amount_has_no_lines(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 3)])
    rig.refund(number, [], "5.00")
    (refund,) = there(shop, number).refunds
    assert (refund.amount, refund.lines) == (Money.of("5.00", shelf.currency), ())


def test_an_edit_and_a_refund_of_one_line_are_told_apart(
    rig: OrderRig, shop: OrderShop, shelf: Shelf
) -> None:
    number = rig.buy([(shelf.mug, 5)])
    line = line_of(there(shop, number), shelf.mug)
    rig.edit(number, line, 3)
    rig.refund(number, [(line, 1)])
    order = there(shop, number)
    assert _left(order) == {shelf.mug: 3}
    assert [refund.lines for refund in order.refunds] == [((line, 1),)]


def test_a_cancelled_order_says_so(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 1)])
    rig.cancel(number)
    assert there(shop, number).standing == "cancelled"


def test_an_order_that_is_gone_is_none(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 1)])
    rig.delete(number)
    assert shop.order(number) is None
    assert shop.order("999999999") is None


def test_what_changed_since_comes_in_the_order_of_its_changes(
    rig: OrderRig, shop: OrderShop, shelf: Shelf
) -> None:
    numbers = [rig.buy([(shelf.mug, 1)]) for _ in range(3)]
    start = there(shop, numbers[0]).updated_at
    rig.cancel(numbers[1])
    found = [one for one in shop.orders_since(start) if isinstance(one, ShopOrder)]
    assert set(numbers) <= {order.external_id for order in found}
    moments = [order.updated_at for order in found]
    assert moments == sorted(moments)
    told = {order.external_id: order for order in found}
    assert len(told) == len(found), "none comes twice"
    assert told[numbers[1]] == there(shop, numbers[1])
    assert list(shop.orders_since(datetime.now(UTC) + timedelta(hours=1))) == []


# ---------------------------------------------------------------- shipments
def test_a_shipment_reported_twice_is_shown_once(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 2), (shelf.small, 1)])
    order = there(shop, number)
    report = ShipmentReport(
        "parcel-1",
        ((line_of(order, shelf.mug), 2),),
        "DHL",
        f"JJD{secrets.token_hex(4)}",
        "https://track.test/1",
    )
    first = shop.report_shipment(number, report)
    again = rig.connect().report_shipment(number, report)
    assert first == again != ""
    assert rig.shipments(number) == [
        {"number": report.number, "carrier": "DHL", "url": "https://track.test/1"}
    ]


def test_an_order_leaves_in_several_parcels(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 3), (shelf.small, 1)])
    order = there(shop, number)
    mug, small = line_of(order, shelf.mug), line_of(order, shelf.small)
    parcels = [((mug, 1),), ((mug, 1), (small, 1)), ((mug, 1),)]
    reports = [ShipmentReport(f"p{place}", lines, "DHL", f"N{place}-{secrets.token_hex(3)}") for place, lines in enumerate(parcels)]  # fmt: skip
    ids = [shop.report_shipment(number, report) for report in reports]
    assert len(set(ids)) == 3
    assert [shop.report_shipment(number, report) for report in reports] == ids
    assert [one["number"] for one in rig.shipments(number)] == [report.number for report in reports]


def test_services_are_completed_without_a_number(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 2)])
    line = line_of(there(shop, number), shelf.mug)
    first, second = (ShipmentReport(f"service-{place}", ((line, 1),)) for place in (1, 2))
    ids = [shop.report_shipment(number, report) for report in (first, second, first)]
    assert ids[0] == ids[2] != ids[1]
    assert len(rig.shipments(number)) == 2


def test_a_shipment_whose_answer_is_lost_is_not_shown_twice(
    faulty: OrderRig, shop: OrderShop, shelf: Shelf
) -> None:
    number = faulty.buy([(shelf.mug, 2)])
    report = ShipmentReport("lost", ((line_of(there(shop, number), shelf.mug), 1),), "DHL", "LOST-1")
    faulty.lose_answer()
    try:
        shop.report_shipment(number, report)
    except Unknown:
        assert len(faulty.shipments(number)) == 1, "it was made all the same"
    assert shop.report_shipment(number, report)
    assert [one["number"] for one in faulty.shipments(number)] == ["LOST-1"]


def test_nothing_of_a_cancelled_order_is_shipped(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 1)])
    line = line_of(there(shop, number), shelf.mug)
    rig.cancel(number)
    with pytest.raises(Refused):
        shop.report_shipment(number, ShipmentReport("late", ((line, 1),), "DHL", "N1"))
    assert rig.shipments(number) == []


def test_a_shipment_of_an_order_that_is_gone_is_refused(rig: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    number = rig.buy([(shelf.mug, 1)])
    line = line_of(there(shop, number), shelf.mug)
    rig.delete(number)
    with pytest.raises(Refused):
        shop.report_shipment(number, ShipmentReport("late", ((line, 1),), "DHL", "N1"))


# ---------------------------------------------------------------- webhooks
def test_a_change_of_an_order_is_told_by_webhook(faulty: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    shop.subscribe(faulty.address)
    assert list(shop.subscribe(faulty.address)) == []
    faulty.webhooks()
    number = faulty.buy([(shelf.mug, 1)])
    calls = faulty.webhooks()
    notices = [shop.read_webhook(headers, body) for headers, body in calls]
    assert number in {notice.external_id for notice in notices if notice.kind == "order"}
    assert {notice.external_id for notice in notices if notice.kind == "order"} == {number}
    assert len({notice.delivery_id for notice in notices}) == len(notices)
    faulty.cancel(number)
    later = [shop.read_webhook(headers, body) for headers, body in faulty.webhooks()]
    assert number in {notice.external_id for notice in later if notice.kind == "order"}
    assert not {notice.delivery_id for notice in later} & {notice.delivery_id for notice in notices}


def test_a_forged_webhook_is_refused(faulty: OrderRig, shop: OrderShop, shelf: Shelf) -> None:
    shop.subscribe(faulty.address)
    faulty.webhooks()
    faulty.buy([(shelf.mug, 1)])
    signed = [(headers, body) for headers, body in faulty.webhooks() if b"webhook_id=" not in body]
    headers, body = signed[0]
    forged = body.replace(b"{", b'{"x":1,', 1)
    assert forged != body
    stranger = faulty.connect(secret="another_canary_secret")
    for reader, sent in ((shop, forged), (stranger, body)):
        with pytest.raises(Refused) as caught:
            reader.read_webhook(headers, sent)
        assert caught.value.rule == "signature" and "canary" not in str(caught.value)


def _left(order: ShopOrder) -> dict[str, int]:
    """What is still wanted; a line taken out whole may be gone from the order."""
    left = {line.sku: line.quantity - line.removed for line in order.lines}
    return {sku: quantity for sku, quantity in left.items() if quantity}
