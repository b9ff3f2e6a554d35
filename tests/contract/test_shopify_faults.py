"""What the Shopify connector keeps where the shop fails: lost answers, empty buckets, ended tokens, missing scopes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import PushResult, StockLevel
from connectors.orders import ShipmentReport
from core.errors import Misconfigured, Refused, Temporary, Unknown
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import PATIENCE, Make, assert_true, known, last, push, read

DONE = ("late", "drop_after", "cut")
"""Faults after which the change was made, and nobody told."""
LOST = (*DONE, "drop_before", "hang")
A, B, C = (f"https://img.test/{name}.jpg" for name in "abc")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def rig(running: ShopifyRig) -> Iterator[ShopifyRig]:
    yield running
    running.switch("settings", scopes=None, plan="enterprise", state=200)
    running.tidy("")


def skus(rig: ShopifyRig, prefix: str) -> list[str]:
    return sorted(thing["sku"] for thing in rig.held(prefix))


def asked(rig: ShopifyRig, field: str) -> int:
    return sum(field in call["fields"] for call in rig.calls())


def pictures(rig: ShopifyRig) -> int:
    """How many files the shop was ever made to fetch."""
    with rig.shop.site.lock:
        return len(rig.shop.site.all("MediaImage"))


# ---------------------------------------------------------------- lost answers
@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_ends_with_the_ids_and_no_doubles(
    rig: ShopifyRig, make: Make, prefix: str, kind: str
) -> None:
    drafts = [make.simple(1, images=(A, B)), make.variable(2)]
    before = pictures(rig)
    rig.fail(kind)
    results = push(rig.connect(patience=PATIENCE), *drafts)
    assert_true(rig.connect(), drafts, results)
    assert skus(rig, prefix) == sorted(variant.sku for draft in drafts for variant in draft.variants)
    assert set(results[drafts[0].key].image_ids) == {A, B}
    assert pictures(rig) - before == 2


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_about_more_variants_and_pictures(
    rig: ShopifyRig, make: Make, prefix: str, kind: str
) -> None:
    shop = rig.connect(patience=PATIENCE)
    draft = make.variable(1, sizes="S", images=(A,))
    first = push(shop, draft)[draft.key]
    more = replace(known(make.variable(1, sizes="SMLX", images=(A, B)), first), external_id=first.external_id)
    before = pictures(rig)
    rig.fail(kind)
    results = push(shop, more)
    assert_true(rig.connect(), [more], results)
    assert results[draft.key].variant_ids["v1S"] == first.variant_ids["v1S"]
    assert results[draft.key].image_ids[A] == first.image_ids[A]
    assert pictures(rig) - before == 1
    assert skus(rig, prefix) == sorted(variant.sku for variant in more.variants)


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("field", ["publishablePublish", "metafieldDefinitionCreate"])
def test_a_lost_answer_beside_the_product_is_no_loss(
    rig: ShopifyRig, make: Make, prefix: str, kind: str, field: str
) -> None:
    draft = make.simple(1)
    rig.fail(kind, field=field)
    shop = rig.connect(patience=PATIENCE)
    try:
        results = push(shop, draft)
    except Temporary:
        results = push(rig.connect(), draft)
    assert_true(rig.connect(), [draft], results)
    assert skus(rig, prefix) == [f"{prefix}-1"]


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_about_stock_is_asked_for_again_under_its_key(
    rig: ShopifyRig, make: Make, kind: str
) -> None:
    shop = rig.connect(patience=PATIENCE)
    draft = make.simple(1)
    result = push(shop, draft)[draft.key]
    number = result.variant_ids["v1"]
    rig.fail(kind, field="inventorySetQuantities")
    (answer,) = shop.set_stock([StockLevel("v1", number, result.external_id, 55)])
    assert (answer.problem, answer.unknown) == (None, False)
    assert read(rig.connect(), result.external_id)[draft.variants[0].sku].stock == 55
    assert asked(rig, "inventorySetQuantities") == 2


def test_a_withdrawal_whose_answer_is_lost_is_asked_again(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect(patience=PATIENCE)
    draft = make.simple(1)
    result = push(shop, draft)[draft.key]
    rig.fail("drop_after", field="productUpdate")
    (answer,) = shop.withdraw([str(result.external_id)])
    assert (answer.problem, answer.unknown) == (None, False)
    assert read(shop, result.external_id)[draft.variants[0].sku].status == "draft"


def test_a_shop_that_loses_every_answer_is_told_as_unknown(rig: ShopifyRig, make: Make, prefix: str) -> None:
    shop = rig.connect(patience=PATIENCE)
    draft = make.simple(1)
    rig.fail("drop_before", times=20)
    result = push(shop, draft)[draft.key]
    assert result.unknown is True and "not known" in (result.problem or "")
    assert asked(rig, "productSet") == 3
    rig.tidy("")
    assert_true(rig.connect(), [draft], push(shop, draft))
    assert skus(rig, prefix) == [f"{prefix}-1"]


def test_a_shop_that_falls_silent_leaves_an_unknown_and_raises(
    rig: ShopifyRig, make: Make, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost and the look-up fails as well: what may have happened is told before the error is."""
    shop = rig.connect(patience=PATIENCE)
    change = shop._graphql.change

    def fall_silent(name: str, **variables: Any) -> dict[str, Any]:
        if name == "ProductSet":
            rig.fail("drop_after")
            rig.fail("status", field="productByIdentifier", status=502, times=3)
        return change(name, **variables)

    monkeypatch.setattr(shop._graphql, "change", fall_silent)
    drafts = [make.simple(1), make.simple(2)]
    results: list[PushResult] = []
    with pytest.raises(Temporary, match="502"):
        results.extend(shop.push(drafts))
    assert [(result.key, result.unknown) for result in results] == [(drafts[0].key, True)]
    rig.tidy("")
    assert_true(rig.connect(), drafts, push(rig.connect(), *drafts))
    assert skus(rig, prefix) == [f"{prefix}-1", f"{prefix}-2"]


# ---------------------------------------------------------------- limits
def test_an_empty_bucket_is_waited_for(rig: ShopifyRig, make: Make, prefix: str) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        rig.switch("settings", plan="enterprise")

    shop = rig.connect(sleep=wait)
    shop.check()
    rig.switch("settings", plan="basic", points=0)
    draft = make.simple(1)
    assert_true(rig.connect(), [draft], push(shop, draft))
    assert len(waits) == 1 and 0 < waits[0] < 5
    assert skus(rig, prefix) == [f"{prefix}-1"]


def test_a_throttled_change_is_made_once(rig: ShopifyRig, make: Make, prefix: str) -> None:
    rig.fail("throttled", times=2)
    draft = make.simple(1)
    assert_true(rig.connect(), [draft], push(rig.connect(), draft))
    assert skus(rig, prefix) == [f"{prefix}-1"] and asked(rig, "productSet") == 3


def test_a_shop_that_throttles_for_ever_is_left_for_later(rig: ShopifyRig, make: Make, prefix: str) -> None:
    rig.fail("throttled", times=20)
    with pytest.raises(Temporary, match="no calls left") as caught:
        push(rig.connect(), make.simple(1))
    assert caught.value.retry_after is not None
    assert skus(rig, prefix) == [] and asked(rig, "productSet") == 3


def test_too_many_requests_are_waited_for(rig: ShopifyRig, make: Make) -> None:
    waits: list[float] = []
    rig.fail("status", status=429, retry_after=2.0)
    draft = make.simple(1)
    assert_true(rig.connect(), [draft], push(rig.connect(sleep=waits.append), draft))
    assert len(waits) == 1 and waits[0] >= 2.0


def test_no_query_costs_more_than_one_may(rig: ShopifyRig, make: Make) -> None:
    """A hundred variants in each of twelve products: read back and set in few calls, none refused for its cost."""
    shop = rig.connect()
    draft = make.variable(1, sizes="".join(chr(0x4E00 + place) for place in range(101)))
    result = push(shop, draft)[draft.key]
    assert_true(shop, [draft], {draft.key: result})
    rig.tidy("")
    levels = [StockLevel(key, number, result.external_id, 77) for key, number in result.variant_ids.items()]
    answers = last(list(shop.set_stock(levels)))
    assert {answer.problem for answer in answers.values()} == {None} and len(answers) == 101
    assert asked(rig, "inventorySetQuantities") == 1
    held = list(shop.read_back([str(result.external_id)] * 12))
    assert [listing.stock for listing in held] == [77] * 101 * 12
    assert all(call["status"] == 200 for call in rig.calls())


# ---------------------------------------------------------------- keys and scopes
def test_an_expired_token_is_told_in_the_owners_words(rig: ShopifyRig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    shop.check()
    rig.switch("token", expire=True)
    try:
        for attempt in (
            rig.connect().check,
            lambda: push(shop, make.simple(1)),
            lambda: shop.order("gid://shopify/Order/1"),
        ):
            with pytest.raises(Misconfigured, match=r"expired or was revoked\. Connect the shop again"):
                attempt()
    finally:
        rig.told["access_token"] = rig.switch("token", renew=True)["access_token"]
    assert skus(rig, prefix) == []
    rig.connect().check()


def test_a_token_that_ends_during_a_load_is_renewed(rig: ShopifyRig, make: Make, prefix: str) -> None:
    renewed: list[str] = []

    def renew() -> str:
        renewed.append(rig.switch("token", renew=True)["access_token"])
        rig.told["access_token"] = renewed[-1]
        return renewed[-1]

    shop = rig.connect(renew=renew)
    shop.check()
    rig.switch("token", expire=True)
    drafts = [make.simple(1), make.simple(2)]
    results = push(shop, *drafts)
    assert len(renewed) == 1
    assert_true(shop, drafts, results)
    assert skus(rig, prefix) == [f"{prefix}-1", f"{prefix}-2"]


def test_a_token_that_stays_refused_is_told(rig: ShopifyRig) -> None:
    old = rig.told["access_token"]
    shop = rig.connect(renew=lambda: old)
    rig.switch("token", expire=True)
    try:
        with pytest.raises(Misconfigured, match="expired or was revoked"):
            shop.check()
    finally:
        rig.told["access_token"] = rig.switch("token", renew=True)["access_token"]


@pytest.mark.parametrize(
    ("state", "words"), [(402, "bill is unpaid"), (423, "locked"), (403, "closes its door")]
)
def test_a_closed_shop_is_told_as_closed(rig: ShopifyRig, state: int, words: str) -> None:
    rig.switch("settings", state=state)
    with pytest.raises(Misconfigured, match=words):
        rig.connect().check()


def test_each_missing_scope_has_its_sentence(rig: ShopifyRig, make: Make, prefix: str) -> None:
    rig.switch("settings", scopes=["write_products", "read_locations"])
    with pytest.raises(Misconfigured) as caught:
        rig.connect().check()
    for words in (
        "write_inventory is missing, so the hub cannot set the stock",
        "write_publications is missing",
    ):
        assert words in str(caught.value)
    assert "write_products is missing" not in str(caught.value)
    with pytest.raises(Misconfigured, match="read_publications is missing"):
        push(rig.connect(), make.simple(1))
    assert skus(rig, prefix) == []


def test_missing_order_scopes_are_warnings(rig: ShopifyRig) -> None:
    assert rig.connect().check().warnings == ()
    rig.switch(
        "settings", scopes=["write_products", "write_inventory", "read_locations", "write_publications"]
    )
    warnings = rig.connect().check().warnings
    assert [sentence.split(" is missing")[0] for sentence in warnings] == [
        "The scope read_orders",
        "The scope write_merchant_managed_fulfillment_orders",
    ]


# ---------------------------------------------------------------- others at work
def test_a_sale_between_look_and_write_is_seen(
    rig: ShopifyRig, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = rig.connect()
    draft = make.simple(1, stock=10)
    result = push(shop, draft)[draft.key]
    number = result.variant_ids["v1"]
    graphql = shop._graphql
    change = graphql.change
    sold: list[Any] = []

    def sells_first(name: str, **variables: Any) -> dict[str, Any]:
        if name == "SetStock" and not sold:
            sold.append(rig.switch("order", lines=[{"sku": draft.variants[0].sku, "quantity": 1}]))
        return change(name, **variables)

    monkeypatch.setattr(graphql, "change", sells_first)
    rig.tidy("")
    (answer,) = shop.set_stock([StockLevel("v1", number, result.external_id, 4)])
    assert answer.problem is None and len(sold) == 1
    assert asked(rig, "inventorySetQuantities") == 2, "the first was refused as stale"
    assert read(shop, result.external_id)[draft.variants[0].sku].stock == 4


def test_the_same_stock_may_be_set_again_later(rig: ShopifyRig, make: Make) -> None:
    """Within one second, too: a key made from the content would have answered without doing it."""
    shop = rig.connect()
    draft = make.simple(1, stock=7)
    result = push(shop, draft)[draft.key]
    for stock in (5, 7, 5, 7, 5):
        (answer,) = shop.set_stock([StockLevel("v1", result.variant_ids["v1"], result.external_id, stock)])
        assert answer.problem is None
        assert read(shop, result.external_id)[draft.variants[0].sku].stock == stock


def test_a_stock_that_is_right_already_is_not_sent(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.simple(1, stock=7)
    result = push(shop, draft)[draft.key]
    rig.tidy("")
    (answer,) = shop.set_stock([StockLevel("v1", result.variant_ids["v1"], result.external_id, 7)])
    assert answer.problem is None and asked(rig, "inventorySetQuantities") == 0


@pytest.mark.parametrize("kind", ["drop_after", "cut"])
def test_a_shipment_whose_answer_is_lost_is_looked_up_at_once(rig: ShopifyRig, make: Make, kind: str) -> None:
    shop = rig.connect(patience=PATIENCE)
    draft = make.simple(1, stock=7)
    push(shop, draft)
    made = rig.switch("order", lines=[{"sku": draft.variants[0].sku, "quantity": 2}])
    report = ShipmentReport("k", ((made["lines"][0]["id"], 2),), "DHL", "N-1")
    rig.fail(kind, field="fulfillmentCreate")
    number = shop.report_shipment(made["id"], report)
    (shown,) = rig.switch("order/edit", order=made["id"], lines=[])["shipments"]
    assert shown["id"] == number and shown["notified"] is True
    assert asked(rig, "fulfillmentCreate") == 1


def test_a_cancelled_order_is_named_as_the_reason(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.simple(1, stock=7)
    push(shop, draft)
    made = rig.switch("order", lines=[{"sku": draft.variants[0].sku, "quantity": 1}])
    rig.switch("order/cancel", order=made["id"])
    with pytest.raises(Refused, match="was cancelled in the shop"):
        shop.report_shipment(made["id"], ShipmentReport("k", ((made["lines"][0]["id"], 1),), "DHL", "N-1"))
    assert asked(rig, "fulfillmentCreate") == 0


def test_unknown_is_what_a_lost_shipment_is_where_it_cannot_be_looked_up(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect(patience=PATIENCE)
    draft = make.simple(1, stock=7)
    push(shop, draft)
    number = rig.switch("order", lines=[{"sku": draft.variants[0].sku, "quantity": 2}])["id"]
    order = shop.order(number)
    assert order is not None
    report = ShipmentReport("k", ((order.lines[0].external_id, 1),), "DHL", "N-1")
    rig.fail("drop_before", field="fulfillmentCreate")
    with pytest.raises(Unknown):
        shop.report_shipment(number, report)
    assert shop.report_shipment(number, report) == shop.report_shipment(number, report)
    again = shop.order(number)
    assert again is not None and again.lines == order.lines
