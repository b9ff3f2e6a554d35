"""A first load in bulk: quicker than a call each, told product by product, and never doubled however it is interrupted."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ProductDraft
from connectors.shops.shopify import bulk
from core.errors import Misconfigured, Temporary
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import PATIENCE, Make, assert_true, known, push

A, B = (f"https://img.test/{name}.jpg" for name in "ab")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def rig(running: ShopifyRig, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShopifyRig]:
    monkeypatch.setattr(bulk, "FROM", 4)
    yield running
    running.switch("bulk", hold=False, fail_after=None)
    running.tidy("")


def asked(rig: ShopifyRig, field: str) -> int:
    return sum(field in call["fields"] for call in rig.calls())


def skus(rig: ShopifyRig, prefix: str) -> list[str]:
    return sorted(thing["sku"] for thing in rig.held(prefix))


@pytest.fixture
def drafts(make: Make) -> list[ProductDraft]:
    mugs = [make.simple(number, stock=number, images=(A, B)[:number]) for number in range(3)]
    return [*mugs, make.variable(3), make.variable(4, tags=("new",), category=(f"{make.prefix} Shirts",))]


def test_a_load_goes_in_whole(rig: ShopifyRig, drafts: list[ProductDraft], prefix: str) -> None:
    shop = rig.connect()
    results = list(shop.push(drafts))
    early, final = results[:5], {result.key: result for result in results}
    assert [(one.key, one.variant_ids) for one in early] == [(draft.key, {}) for draft in drafts]
    assert all(one.external_id == final[one.key].external_id for one in early)
    assert asked(rig, "productSet") == 0 and asked(rig, "bulkOperationRunMutation") == 2
    assert asked(rig, "publishablePublish") == 1, "that of the new collection"
    assert_true(shop, drafts, final)
    assert [set(final[draft.key].image_ids) for draft in drafts] == [set(), {A}, {A, B}, set(), set()]
    assert skus(rig, prefix) == sorted(one.sku for draft in drafts for one in draft.variants)
    for draft in drafts:
        again = push(shop, known(draft, final[draft.key]))[draft.key]
        assert again.image_ids == final[draft.key].image_ids


def test_what_a_load_refuses_is_told_and_the_rest_goes_in(
    rig: ShopifyRig, make: Make, drafts: list[ProductDraft]
) -> None:
    """The sandbox refuses a price of 10^15 and more."""
    dear = replace(drafts[3].variants[1], price=make.money("1000000000000000"))
    spoiled = replace(drafts[3], variants=(drafts[3].variants[0], dear, drafts[3].variants[2]))
    few = [*drafts[:3], spoiled, drafts[4]]
    shop = rig.connect()
    results = push(shop, *few)
    assert results[spoiled.key].problem is None and set(results[spoiled.key].variant_ids) == {"v3S", "v3L"}
    assert list(results[spoiled.key].problems) == ["v3M"]
    assert_true(shop, [*drafts[:3], drafts[4]], results)
    assert asked(rig, "productSet") >= 1


def test_what_is_there_already_is_not_loaded(
    rig: ShopifyRig, drafts: list[ProductDraft], prefix: str
) -> None:
    shop = rig.connect()
    first = push(shop, drafts[0])[drafts[0].key]
    assert asked(rig, "bulkOperationRunMutation") == 0
    results = push(shop, *drafts)
    assert results[drafts[0].key].external_id == first.external_id
    assert_true(shop, drafts, results)
    assert skus(rig, prefix) == sorted(one.sku for draft in drafts for one in draft.variants)


def test_a_load_that_breaks_off_is_ended_one_by_one(
    rig: ShopifyRig, drafts: list[ProductDraft], prefix: str
) -> None:
    rig.switch("bulk", fail_after=2)
    shop = rig.connect()
    results = push(shop, *drafts)
    assert_true(shop, drafts, results)
    assert asked(rig, "productSet") == 3
    assert skus(rig, prefix) == sorted(one.sku for draft in drafts for one in draft.variants)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_load_whose_start_was_not_answered_is_not_begun_twice(
    rig: ShopifyRig, drafts: list[ProductDraft], prefix: str, kind: str
) -> None:
    rig.fail(kind, field="bulkOperationRunMutation")
    shop = rig.connect(patience=PATIENCE)
    try:
        results = push(shop, *drafts)
    except Temporary:
        results = push(shop, *drafts)
    assert_true(shop, drafts, results)
    assert skus(rig, prefix) == sorted(one.sku for draft in drafts for one in draft.variants)


def test_a_load_that_takes_long_is_come_back_for(
    rig: ShopifyRig, drafts: list[ProductDraft], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.switch("bulk", hold=True)
    monkeypatch.setattr(bulk, "LONGEST", 0.0)
    with pytest.raises(Temporary, match="comes back for it") as caught:
        push(rig.connect(), *drafts)
    assert caught.value.retry_after == 60.0
    monkeypatch.setattr(bulk, "LONGEST", 60.0)
    shop = rig.connect()
    looked: list[Any] = []
    read = shop._graphql.read

    def lets_go(name: str, **variables: Any) -> Any:
        if name == "Bulk" and not looked:
            looked.append(rig.switch("bulk", hold=False))
        return read(name, **variables)

    monkeypatch.setattr(shop._graphql, "read", lets_go)
    results = push(shop, *drafts)
    assert len(looked) == 1, "what was under way was waited for"
    assert_true(shop, drafts, results)
    assert skus(rig, prefix) == sorted(one.sku for draft in drafts for one in draft.variants)


def test_a_place_that_leads_into_the_own_network_is_not_written_to(
    rig: ShopifyRig, drafts: list[ProductDraft], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = rig.connect()
    change = shop._graphql.change
    evil = {"url": "http://169.254.169.254/latest", "parameters": [{"name": "key", "value": "x"}]}

    def elsewhere(name: str, **variables: Any) -> Any:
        return {"stagedTargets": [evil], "userErrors": []} if name == "Staged" else change(name, **variables)

    monkeypatch.setattr(shop._graphql, "change", elsewhere)
    with pytest.raises(Misconfigured, match="only https is safe"):
        push(shop, *drafts)
