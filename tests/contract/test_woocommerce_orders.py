"""Orders and shipments of a WooCommerce shop beyond what every channel must keep, and its till under a rush."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest

from connectors.orders import ShipmentReport, ShopOrder
from connectors.shops.woocommerce import client
from core.errors import Refused, Unknown
from core.money import Money
from tests.contract.shops import Make, push
from tests.contract.woocommerce_order_rig import WooOrderRig, order_rig

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
MUG, SHIRT = "CT-1", "CT-2-S"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WooOrderRig]:
    with order_rig(tmp_path_factory.mktemp("orders")) as rig:
        make = Make("CT", "EUR")
        push(rig.connect(), make.simple(1, stock=1000), make.variable(2))
        rig.woo.rest("POST", "products", json={"name": "Own", "sku": "CT-OWN", "regular_price": "5.00"})
        for thing in rig.woo.held("CT"):
            if not thing["sku"].startswith("CT-2-"):
                continue
            path = f"products/{thing['parent_id']}/variations/{thing['id']}"
            rig.woo.rest("PUT", path, json={"stock_quantity": 1000})
        yield rig


@pytest.fixture
def rig(opened: WooOrderRig) -> Iterator[WooOrderRig]:
    opened.tidy()
    yield opened
    opened.tidy()


def read(rig: WooOrderRig, order_id: str) -> ShopOrder:
    found = rig.connect().order(order_id)
    assert found is not None
    return found


def lines(rig: WooOrderRig, order_id: str) -> tuple[tuple[str, int], ...]:
    return tuple((line.external_id, line.quantity) for line in read(rig, order_id).lines)


def stock(rig: WooOrderRig, sku: str) -> int:
    return next(int(one["stock_quantity"]) for one in rig.woo.held("CT") if one["sku"] == sku)


# ---------------------------------------------------------------- reading


def test_a_variation_is_named_as_its_listing_is_and_a_price_is_what_the_buyer_pays(rig: WooOrderRig) -> None:
    found = read(rig, rig.buy([(MUG, 2), (SHIRT, 1)]))
    ids = {one["sku"]: str(one["id"]) for one in rig.woo.held("CT")}
    assert [(line.sku, line.variant_id, line.unit_price) for line in found.lines] == [
        (MUG, ids[MUG], Money(1250, "EUR")),
        (SHIRT, ids[SHIRT], Money(1950, "EUR")),
    ]
    assert found.total == Money(4450, "EUR") and found.standing == "open" and found.refunds == ()


@pytest.mark.parametrize(
    ("status", "standing"),
    [("pending", "unpaid"), ("failed", "unpaid"), ("on-hold", "unpaid"), ("checkout-draft", "unpaid"), ("completed", "open"), ("cancelled", "cancelled")],
)  # fmt: skip
def test_every_status_has_a_standing(rig: WooOrderRig, status: str, standing: str) -> None:
    number = rig.buy([(MUG, 1)])
    rig.woo.rest("PUT", f"orders/{number}", json={"status": status})
    assert read(rig, number).standing == standing


def test_an_order_in_the_trash_is_not_to_be_shipped_and_in_no_list(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 1)])
    rig.desk(number, "trash")
    assert read(rig, number).standing == "cancelled"
    assert number not in {one.external_id for one in rig.connect().orders_since(EPOCH)}
    with pytest.raises(Refused, match="in the trash"):
        rig.connect().report_shipment(number, ShipmentReport("t", ()))


def test_an_order_back_from_the_trash_is_told_again(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 1)])
    rig.desk(number, "trash")
    rig.woo.rest("PUT", f"orders/{number}", json={"status": "processing"})
    assert read(rig, number).standing == "open"
    assert number in {one.external_id for one in rig.connect().orders_since(EPOCH)}


def test_an_order_in_another_currency_keeps_it(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 2)])
    rig.woo.rest("PUT", f"orders/{number}", json={"currency": "USD"})
    found = read(rig, number)
    assert (found.currency, found.total) == ("USD", Money(2500, "USD"))
    assert found.lines[0].unit_price == Money(1250, "USD")


@pytest.mark.parametrize("number", ["999999", "", "12x", "../products"])
def test_what_is_no_order_is_none(rig: WooOrderRig, number: str) -> None:
    assert rig.connect().order(number) is None


def test_the_product_that_is_gone_is_still_known_by_its_id(rig: WooOrderRig) -> None:
    made = rig.woo.rest("POST", "products", json={"name": "Brief", "sku": "CT-GONE", "regular_price": "2.00"})
    number = rig.buy([("CT-GONE", 1)])
    rig.woo.delete(str(made["id"]))
    (line,) = read(rig, number).lines
    assert (line.variant_id, line.sku, line.title) == (str(made["id"]), "", "Brief")


def test_a_refund_by_line_and_one_by_amount(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 3), (SHIRT, 1)])
    mug = lines(rig, number)[0][0]
    first, second = rig.refund(number, [(mug, 2)]), rig.refund(number, [], "5.00")
    found = read(rig, number)
    assert [(one.external_id, one.amount, one.lines) for one in found.refunds] == [
        (first, Money(2500, "EUR"), ((mug, 2),)),
        (second, Money(500, "EUR"), ()),
    ]
    assert found.total == Money(5700, "EUR"), "the total stays after refunds"


def test_only_orders_with_refunds_cost_a_second_call(rig: WooOrderRig) -> None:
    plain, refunded = rig.buy([(MUG, 1)]), rig.buy([(MUG, 2)])
    rig.refund(refunded, [(lines(rig, refunded)[0][0], 1)])
    moment = read(rig, plain).updated_at
    rig.woo.tidy("")
    found = [one.external_id for one in rig.connect().orders_since(moment)]
    asked = [call["path"] for call in rig.woo.calls()]
    assert {plain, refunded} <= set(found)
    assert asked.count(f"/wp-json/wc/v3/orders/{refunded}/refunds") == 1
    assert f"/wp-json/wc/v3/orders/{plain}/refunds" not in asked


def test_the_second_itself_is_in_the_window_whatever_zone_the_caller_writes(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 1)])
    moment = read(rig, number).updated_at
    for same in (
        moment,
        moment + timedelta(microseconds=999_999),
        moment.astimezone(timezone(timedelta(hours=5))),
    ):
        assert number in {one.external_id for one in rig.connect().orders_since(same)}
    assert number not in {
        one.external_id for one in rig.connect().orders_since(moment + timedelta(seconds=3))
    }


def test_no_order_is_missed_while_others_change_between_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page is followed by a change of an order on it; counted pages would then skip one each time."""
    monkeypatch.setattr(client, "PAGE", 4)
    with order_rig(tmp_path) as rig:
        push(rig.connect(), Make("CT", "EUR").simple(1, stock=1000))
        tick, clock = 1_800_000_000, rig.shop.site
        bought = []
        for second in (0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9):
            clock.clock = partial(float, tick + second)
            bought.append(rig.buy([(MUG, 1)]))
        seen: list[tuple[str, datetime]] = []
        for place, one in enumerate(rig.connect().orders_since(EPOCH)):
            assert isinstance(one, ShopOrder)
            seen.append((one.external_id, one.updated_at))
            if place in (3, 11):
                clock.clock = partial(float, tick + 100 + place)
                rig.woo.rest("PUT", f"orders/{bought[place - 3]}", json={"customer_note": "changed"})
        assert {number for number, _ in seen} == set(bought)
        assert len(seen) == len(set(seen)), "a state came twice"
        assert [moment for _, moment in seen] == sorted(moment for _, moment in seen)
        assert Counter(number for number, _ in seen).most_common(1)[0][1] == 2, (
            "the changed came again, as changed"
        )


def test_a_page_that_is_short_is_not_the_last(rig: WooOrderRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop leaves out what a plugin spoilt; what stands behind it is as due as ever."""
    monkeypatch.setattr(client, "PAGE", 3)
    bought = [rig.buy([(MUG, 1)]) for _ in range(7)]
    spoilt = {int(bought[1]), int(bought[3]), int(bought[4]), int(bought[5])}
    moment = read(rig, bought[0]).placed_at
    rig.shop.site.unloadable |= spoilt
    try:
        found = {one.external_id for one in rig.connect().orders_since(moment)}
        listed = [
            str(one["id"])
            for one in rig.connect()._rest.pages("orders", include=",".join(bought), **client.BY_ID)
        ]
    finally:
        rig.shop.site.unloadable.clear()
    assert {bought[0], bought[2], bought[6]} == found & set(bought)
    assert listed == [bought[0], bought[2], bought[6]]


# ---------------------------------------------------------------- shipments


def test_the_last_piece_completes_the_order_and_each_parcel_is_told_once(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 3), (SHIRT, 1)])
    (mug, _), (shirt, _) = lines(rig, number)
    shop = rig.connect()
    first = ShipmentReport("s-1", ((mug, 2),), "DHL", "0034", "https://track.example/?n=0034&l=de")
    second = ShipmentReport("s-2", ((mug, 1), (shirt, 1)), "DPD", "77", "")
    assert shop.report_shipment(number, first) == "s-1"
    assert rig.woo.rest("GET", f"orders/{number}")["status"] == "processing"
    for report in (second, first, second):
        assert shop.report_shipment(number, report) == report.key
    assert rig.woo.rest("GET", f"orders/{number}")["status"] == "completed"
    assert rig.shipments(number) == [
        {"number": "0034", "carrier": "DHL", "url": "https://track.example/?n=0034&l=de"},
        {"number": "77", "carrier": "DPD", "url": ""},
    ]
    assert rig.notes(number) == [
        "Shipped: 1 × Mug 1 & <Cup>, 1 × Shirt 2 - S, slim. DPD 77 (Reference s-2)",
        "Shipped: 2 × Mug 1 & <Cup>. DHL 0034 https://track.example/?n=0034&l=de (Reference s-1)",
    ]


def test_reported_again_nothing_is_written_whatever_became_of_the_order(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 2)])
    ((mug, _),) = lines(rig, number)
    report = ShipmentReport("a-1", ((mug, 1),), "DHL", "1")
    rig.connect().report_shipment(number, report)
    rig.cancel(number)
    rig.woo.tidy("")
    assert rig.connect().report_shipment(number, report) == "a-1"
    assert {call["method"] for call in rig.woo.calls()} == {"GET"}
    assert rig.woo.rest("GET", f"orders/{number}")["status"] == "cancelled"


def test_what_was_refunded_need_not_be_shipped(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 3)])
    ((mug, _),) = lines(rig, number)
    rig.refund(number, [(mug, 1)])
    rig.connect().report_shipment(number, ShipmentReport("r-1", ((mug, 2),), "DHL", "1"))
    assert rig.woo.rest("GET", f"orders/{number}")["status"] == "completed"


def test_the_sellers_own_line_keeps_the_order_open(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 1), ("CT-OWN", 1)])
    (mug, _), _ = lines(rig, number)
    rig.connect().report_shipment(number, ShipmentReport("o-1", ((mug, 1),), "DHL", "1"))
    assert rig.woo.rest("GET", f"orders/{number}")["status"] == "processing"


def test_a_service_is_told_as_completed(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 1)])
    rig.connect().report_shipment(number, ShipmentReport("v-1", lines(rig, number)))
    assert rig.notes(number) == ["Completed: 1 × Mug 1 & <Cup>. (Reference v-1)"]


@pytest.mark.parametrize("broken", ["", "/notes"])
@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "stray", "php_fatal"])
def test_a_report_that_broke_off_is_taken_up_again(rig: WooOrderRig, broken: str, kind: str) -> None:
    number = rig.buy([(MUG, 1)])
    report = ShipmentReport("b-1", lines(rig, number), "DHL", "1")
    rig.woo.fail(kind, path=f"/orders/{number}{broken}")
    with pytest.raises(Unknown):
        rig.connect().report_shipment(number, report)
    rig.connect().report_shipment(number, report)
    assert len(rig.shipments(number)) == len(rig.notes(number)) == 1
    assert rig.woo.rest("GET", f"orders/{number}")["status"] == "completed"


@pytest.mark.parametrize(
    ("act", "why"),
    [("cancel", "is cancelled"), ("delete", "no longer in the shop"), ("refund", "is refunded")],
)
def test_what_the_shop_will_not_have_shipped_is_refused(rig: WooOrderRig, act: str, why: str) -> None:
    number = rig.buy([(MUG, 1)])
    bought = lines(rig, number)
    rig.desk(number, act, **({"lines": [list(line) for line in bought]} if act == "refund" else {}))
    with pytest.raises(Refused, match=why):
        rig.connect().report_shipment(number, ShipmentReport("c-1", bought, "DHL", "1"))
    if act != "delete":
        assert rig.shipments(number) == [] and rig.notes(number) == []


def test_more_than_is_still_ordered_is_refused(rig: WooOrderRig) -> None:
    number = rig.buy([(MUG, 3), (SHIRT, 1)])
    (mug, _), (shirt, _) = lines(rig, number)
    rig.edit(number, mug, 1)
    rig.edit(number, shirt, 0)
    with pytest.raises(Refused, match=f"Only 1 of line {mug} .* not 3"):
        rig.connect().report_shipment(number, ShipmentReport("m-1", ((mug, 3),)))
    with pytest.raises(Refused, match=f"Line {shirt} is no longer"):
        rig.connect().report_shipment(number, ShipmentReport("m-2", ((shirt, 1),)))
    assert rig.shipments(number) == []


# ---------------------------------------------------------------- the sandbox itself


def test_two_hundred_buyers_for_twenty_pieces(rig: WooOrderRig) -> None:
    made = rig.woo.rest(
        "POST",
        "products",
        json={
            "name": "Rush",
            "sku": "CT-RUSH",
            "regular_price": "9.00",
            "manage_stock": True,
            "stock_quantity": 20,
        },
    )
    seed = random.getrandbits(32)
    print("seed", seed)
    wanted = random.Random(seed).choices([1, 2], k=200)

    def buyer(quantity: int) -> int:
        wish = {"lines": [{"sku": "CT-RUSH", "quantity": quantity}], "payment_method": "card"}
        answer = rig.switch("order", wish)
        assert answer.status_code in (201, 400), answer.text
        return quantity if answer.status_code == 201 else 0

    with ThreadPoolExecutor(20) as pool:
        sold = sum(pool.map(buyer, wanted))
    assert sold == 20
    assert rig.woo.rest("GET", f"products/{made['id']}")["stock_quantity"] == 0
    answer = rig.switch("order", {"lines": [{"sku": "CT-RUSH", "quantity": 1}]})
    assert (answer.status_code, answer.json()["code"]) == (400, "sandbox_out_of_stock")


def test_the_same_thing_twice_in_a_basket_is_asked_for_as_a_whole(rig: WooOrderRig) -> None:
    before = stock(rig, MUG)
    half = {"sku": MUG, "quantity": before // 2 + 1}
    assert rig.switch("order", {"lines": [half, half]}).status_code == 400
    assert stock(rig, MUG) == before


def test_the_stock_follows_what_the_seller_does_to_an_order(rig: WooOrderRig) -> None:
    before = stock(rig, MUG)
    number = rig.buy([(MUG, 5)])
    ((mug, _),) = lines(rig, number)
    levels = [stock(rig, MUG)]
    for act in (
        lambda: rig.edit(number, mug, 3),
        lambda: rig.refund(number, [(mug, 1)]),
        lambda: rig.cancel(number),
    ):
        act()
        levels.append(stock(rig, MUG))
    assert levels == [before - 5, before - 3, before - 2, before]
