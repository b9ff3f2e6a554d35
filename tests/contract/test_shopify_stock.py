"""The law of stock on a Shopify: what was sold unseen is taken off, nothing is looked at without need, nothing counts twice."""

import random
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ProductDraft, PushResult, StockLevel
from core.errors import Unknown
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import PATIENCE, Make, last, push, read


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def rig(running: ShopifyRig) -> Iterator[ShopifyRig]:
    yield running
    running.switch("settings", scopes=None, plan="enterprise", state=200)
    running.tidy("")


def fields(rig: ShopifyRig) -> list[str]:
    """What the connector asked for, in its order."""
    return [field for call in rig.calls() for field in call["fields"]]


def sell(rig: ShopifyRig, sku: str, quantity: int) -> None:
    rig.switch("order", lines=[{"sku": sku, "quantity": quantity}])


def stocks(rig: ShopifyRig, result: PushResult) -> dict[str, int | None]:
    return {sku: held.stock for sku, held in read(rig.connect(), result.external_id).items()}


@pytest.fixture
def listed(rig: ShopifyRig, make: Make) -> tuple[ProductDraft, PushResult, dict[str, str]]:
    """A product of three sizes with 10 of each, and the ids of their stock."""
    draft = make.variable(1)
    result = push(rig.connect(), draft)[draft.key]
    levels = [StockLevel(key, number, result.external_id, 10) for key, number in result.variant_ids.items()]
    answers = list(rig.connect().set_stock(levels))
    ids = {key: number for answer in answers for key, number in answer.stock_ids.items()}
    assert {answer.problem for answer in answers} == {None} and set(ids) == {"v1S", "v1M", "v1L"}
    rig.tidy("")
    return draft, result, ids


Listed = tuple[ProductDraft, PushResult, dict[str, str]]


def levels_of(listed: Listed, before: int | None, **stock: int) -> list[StockLevel]:
    _, result, ids = listed
    return [
        StockLevel(key, result.variant_ids[key], result.external_id, wanted, before, ids[key])
        for key, wanted in stock.items()
    ]


def test_what_is_known_is_set_without_a_look(rig: ShopifyRig, listed: Listed) -> None:
    _, result, ids = listed
    shop = rig.connect()
    shop.check()
    rig.tidy("")
    answers = last(list(shop.set_stock(levels_of(listed, 10, v1S=4, v1M=12, v1L=10))))
    assert {key: (answer.problem, answer.unknown) for key, answer in answers.items()} == dict.fromkeys(ids, (None, False))  # fmt: skip
    assert {key: answer.stock_ids for key, answer in answers.items()} == {key: {key: ids[key]} for key in ids}
    assert fields(rig) == ["inventorySetQuantities"]
    assert list(stocks(rig, result).values()) == [4, 12, 10]


def test_where_nothing_changes_nothing_is_asked(rig: ShopifyRig, listed: Listed) -> None:
    shop = rig.connect()
    answers = list(shop.set_stock(levels_of(listed, 10, v1S=10, v1M=10)))
    assert [answer.problem for answer in answers] == [None, None] and fields(rig) == []


@pytest.mark.parametrize(
    ("sold", "wanted", "left"), [(3, 8, 5), (3, 2, 0), (3, 20, 17), (10, 10, 0), (0, 8, 8)]
)
def test_what_was_sold_unseen_is_taken_off(
    rig: ShopifyRig, listed: Listed, sold: int, wanted: int, left: int
) -> None:
    draft, result, _ = listed
    if sold:
        sell(rig, draft.variants[0].sku, sold)
    (answer,) = rig.connect().set_stock(levels_of(listed, 10, v1S=wanted))
    assert (answer.problem, answer.unknown) == (None, False)
    if wanted != 10:
        assert stocks(rig, result)[draft.variants[0].sku] == left
    else:
        assert stocks(rig, result)[draft.variants[0].sku] == 10 - sold, "nothing was sent"


def test_one_that_was_sold_does_not_keep_the_others_back(rig: ShopifyRig, listed: Listed) -> None:
    draft, result, _ = listed
    sell(rig, draft.variants[1].sku, 4)
    sell(rig, draft.variants[2].sku, 1)
    answers = last(list(rig.connect().set_stock(levels_of(listed, 10, v1S=1, v1M=9, v1L=0))))
    assert {answer.problem for answer in answers.values()} == {None}
    assert stocks(rig, result) == {
        draft.variants[0].sku: 1,
        draft.variants[1].sku: 5,
        draft.variants[2].sku: 0,
    }


def test_what_the_owner_raised_is_set_to_what_is_wanted(rig: ShopifyRig, listed: Listed) -> None:
    draft, result, _ = listed
    list(rig.connect().set_stock(levels_of(listed, None, v1S=50)))
    (answer,) = rig.connect().set_stock(levels_of(listed, 10, v1S=7))
    assert answer.problem is None and stocks(rig, result)[draft.variants[0].sku] == 7


def test_a_sale_between_the_look_and_the_swap_is_taken_off_too(
    rig: ShopifyRig, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, result, _ = listed
    sell(rig, draft.variants[0].sku, 2)
    shop = rig.connect()
    change = shop._graphql.change
    sold: list[str] = []

    def sells_once_more(name: str, **variables: Any) -> dict[str, Any]:
        if name == "SetStock" and len(sold) < 2:
            sold.append(name)
            if len(sold) == 2:
                sell(rig, draft.variants[0].sku, 3)
        return change(name, **variables)

    monkeypatch.setattr(shop._graphql, "change", sells_once_more)
    (answer,) = shop.set_stock(levels_of(listed, 10, v1S=8))
    assert answer.problem is None and len(sold) == 2
    assert stocks(rig, result)[draft.variants[0].sku] == 3


@pytest.mark.parametrize("kind", ["late", "drop_after", "cut", "drop_before", "hang"])
def test_a_sale_behind_a_lost_answer_is_not_sold_twice(
    rig: ShopifyRig, listed: Listed, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Raised from 10 to 13, the answer lost, then 10 sold: seen alone, the 3 left would look like 7 sold of 10."""
    draft, result, _ = listed
    shop = rig.connect(patience=PATIENCE)
    change = shop._graphql.change
    lost: list[str] = []

    def sells_after(name: str, **variables: Any) -> dict[str, Any]:
        try:
            return change(name, **variables)
        except Unknown:
            if not lost:
                lost.append(name)
                sell(rig, draft.variants[0].sku, 10)
            raise

    monkeypatch.setattr(shop._graphql, "change", sells_after)
    rig.fail(kind, field="inventorySetQuantities")
    (answer,) = shop.set_stock(levels_of(listed, 10, v1S=13))
    assert (answer.problem, answer.unknown) == (None, False) and lost == ["SetStock"]
    assert stocks(rig, result)[draft.variants[0].sku] == 3


def test_a_write_that_is_lost_again_and_again_is_told_as_unknown(rig: ShopifyRig, listed: Listed) -> None:
    draft, result, _ = listed
    rig.fail("drop_before", field="inventorySetQuantities", times=20)
    (answer,) = rig.connect(patience=PATIENCE).set_stock(levels_of(listed, 10, v1S=8))
    assert answer.unknown is True and fields(rig).count("inventorySetQuantities") == 3
    rig.tidy("")
    assert stocks(rig, result)[draft.variants[0].sku] == 10


def test_a_stock_that_left_our_place_is_found_by_a_look(rig: ShopifyRig, listed: Listed) -> None:
    draft, result, ids = listed
    site = rig.shop.site
    with site.lock, site.store.work():
        item = site.any(ids["v1S"])
        assert item is not None
        site.put("InventoryItem", {**item, "levels": {}})
    (answer,) = rig.connect().set_stock(levels_of(listed, 10, v1S=12))
    assert answer.problem is None
    assert stocks(rig, result)[draft.variants[0].sku] == 2, "the ten may have been sold before"


def test_a_place_that_was_closed_meanwhile_is_told_and_another_is_taken(
    rig: ShopifyRig, listed: Listed
) -> None:
    shop, site = rig.connect(), rig.shop.site
    kept = shop.check().location_ids[0]
    with site.lock, site.store.work():
        old, new = site.all("Location")[:2]
        site.put("Location", {**old, "isActive": False})
        site.put("Location", {**new, "fulfillsOnlineOrders": True})
    try:
        answers = list(shop.set_stock(levels_of(listed, 10, v1S=4, v1M=4, v1L=4)))
        assert {answer.problem for answer in answers} == {
            "The shop says: The specified location could not be found."
        }
        assert not any(answer.unknown for answer in answers)
        later = rig.connect(location=kept)
        answers = list(later.set_stock(levels_of(listed, None, v1S=4, v1M=4, v1L=4)))
        assert {answer.problem for answer in answers} == {None}
        assert set(stocks(rig, listed[1]).values()) == {4}
    finally:
        with site.lock, site.store.work():
            site.put("Location", old)
            site.put("Location", new)


def test_one_that_is_gone_is_told_and_the_others_are_set(rig: ShopifyRig, listed: Listed) -> None:
    draft, result, _ = listed
    gone = StockLevel("x", "gid://shopify/ProductVariant/1", result.external_id, 5, 9, "gid://shopify/InventoryItem/1")  # fmt: skip
    answers = last(list(rig.connect().set_stock([gone, *levels_of(listed, 10, v1S=6)])))
    assert "is no longer in the shop" in (answers["x"].problem or "") and answers["v1S"].problem is None
    assert stocks(rig, result)[draft.variants[0].sku] == 6


def test_a_push_of_what_is_known_keeps_the_law(rig: ShopifyRig, listed: Listed, make: Make) -> None:
    draft, result, _ = listed
    sell(rig, draft.variants[0].sku, 4)
    wanted = {"v1S": 7, "v1M": 10, "v1L": 11}
    known = replace(
        draft,
        title="Renamed",
        external_id=result.external_id,
        variants=tuple(
            replace(one, external_id=result.variant_ids[one.key], before=10, stock=wanted[one.key])
            for one in draft.variants
        ),
    )
    answer = push(rig.connect(), known)[draft.key]
    assert (answer.problem, answer.problems) == (None, {})
    assert list(stocks(rig, result).values()) == [3, 10, 11]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_variant_whose_making_was_not_answered_is_not_sold_twice(
    rig: ShopifyRig, make: Make, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is on sale from the moment it is made: what was sold before the look is gone."""
    shop = rig.connect(patience=PATIENCE)
    one = make.variable(1, sizes="A")
    first = push(shop, one)[one.key]
    two = make.variable(1, sizes="AB")
    new = replace(two.variants[1], stock=5)
    change = shop._graphql.change
    lost: list[str] = []

    def sells_after(name: str, **variables: Any) -> dict[str, Any]:
        try:
            return change(name, **variables)
        except Unknown:
            if kind == "drop_after":
                sell(rig, new.sku, 2)
            lost.append(name)
            raise

    monkeypatch.setattr(shop._graphql, "change", sells_after)
    rig.fail(kind)
    old = replace(two.variants[0], external_id=first.variant_ids["v1A"])
    result = push(shop, replace(two, external_id=first.external_id, variants=(old, new)))[two.key]
    assert (result.problem, result.problems, lost) == (None, {}, ["ProductSet"])
    assert stocks(rig, result)[new.sku] == (3 if kind == "drop_after" else 5)


def test_whatever_comes_between_no_unit_is_shown_twice(rig: ShopifyRig, make: Make) -> None:
    """Buyers, orders that are seen late, new figures and lost answers in any order: what the shop shows and what was sold
    never exceed what there is, and the hub's figure is the shop's as soon as all orders are seen."""
    seed = secrets.randbelow(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    have = 60
    draft = make.simple(1, stock=20)
    shop = rig.connect(patience=PATIENCE)
    result = push(shop, draft)[draft.key]
    sku, number, stock_id = draft.variants[0].sku, result.variant_ids["v1"], result.stock_ids["v1"]
    sent = shown = 20
    sold = unseen = 0
    for _ in range(60):
        act = chance.choice(("sell", "sell", "see", "set", "set", "fail"))
        if act == "sell" and shown:
            some = chance.randint(1, min(4, shown))
            sell(rig, sku, some)
            sold, unseen, shown = sold + some, unseen + some, shown - some
        elif act == "see":
            sent, unseen = sent - unseen, 0
        else:
            # Fewer than were sold unseen is the one case that the shop alone cannot keep: the hub reads it back.
            wanted = chance.randint(unseen, max(unseen, min(20, have - (sold - unseen))))
            if act == "fail":
                rig.fail(chance.choice(("drop_after", "drop_before", "cut")), field="inventorySetQuantities")
            (answer,) = shop.set_stock([StockLevel("v1", number, result.external_id, wanted, sent, stock_id)])
            assert (answer.problem, answer.unknown) == (None, False)
            sent = wanted
            rig.shop.faults.clear()
            shown = stocks(rig, result)[sku] or 0
            assert shown == sent - unseen
        assert shown + sold <= have
