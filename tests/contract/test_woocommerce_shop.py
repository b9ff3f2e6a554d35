"""What a WooCommerce shop, a live one too, is asked beyond what every channel must keep: pictures, long lists, webhooks."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import StockLevel
from connectors.shops.woocommerce.webhooks import TOPICS
from tests.contract.shops import Make, WooRig, known, push, read

CHANNEL = "woocommerce"


def test_a_picture_the_shop_cannot_fetch_is_left_out_and_told(woo: WooRig, make: Make, prefix: str) -> None:
    """Also a live shop refuses this address at once: no shop fetches from its own machine through an odd port."""
    dead = "https://127.0.0.1:1/dead.jpg"
    shop = woo.connect()
    mug, shirt = make.simple(1, images=(dead,)), make.variable(2, sizes="SM")
    shirt = replace(shirt, variants=(replace(shirt.variants[0], image=dead), shirt.variants[1]))
    results = push(shop, mug, shirt)
    for draft in (mug, shirt):
        result = results[draft.key]
        assert (result.problem, list(result.problems)) == (None, [f"image:{dead}"])
        assert dead in result.problems[f"image:{dead}"]
        assert set(result.variant_ids) == {variant.key for variant in draft.variants}
        assert {one.image_count for one in read(shop, result.external_id).values()} == {0}


def test_a_tag_of_ours_that_is_no_longer_wanted_goes(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    drafts = [
        make.simple(1, tags=(f"{prefix} new", f"{prefix} blue")),
        make.variable(2, tags=(f"{prefix} new",)),
    ]
    first = push(shop, *drafts)
    for draft in drafts:
        woo.tag(str(first[draft.key].external_id), f"{prefix} gift{draft.key}")
    later = [
        replace(known(drafts[0], first[drafts[0].key]), tags=(f"{prefix} blue", f"{prefix} sale")),
        replace(known(drafts[1], first[drafts[1].key]), tags=()),
    ]
    for _ in range(2):
        results = push(woo.connect(), *later)
        assert [(one.problem, one.problems) for one in results.values()] == [(None, {})] * 2
        tags = [woo.page(str(results[draft.key].external_id), make.currency).tags for draft in later]
        assert tags == [
            {f"{prefix} blue", f"{prefix} sale", f"{prefix} gift{drafts[0].key}"},
            {f"{prefix} gift{drafts[1].key}"},
        ]


def test_a_product_leaves_the_category_that_we_put_it_in(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    draft = make.simple(1, category=(f"{prefix} Kitchen", f"{prefix} Mugs"))
    result = push(shop, draft)[draft.key]
    own = woo.rest("POST", "products/categories", json={"name": f"{prefix} Gifts"})
    (held,) = woo.held(prefix)
    woo.edit(
        str(held["id"]), categories=[*({"id": one["id"]} for one in held["categories"]), {"id": own["id"]}]
    )

    def places(category: tuple[str, ...]) -> set[str]:
        moved = replace(known(draft, result), category=category)
        assert push(woo.connect(), moved)[draft.key].problem is None
        return set(woo.page(str(result.external_id), make.currency).places)

    gifts = f"{prefix} Gifts"
    assert places((f"{prefix} Kitchen", f"{prefix} Mugs")) == {f"{prefix} Mugs", gifts}
    assert places((f"{prefix} Bar & Co",)) == {f"{prefix} Bar & Co", gifts}
    assert places((f"{prefix} Bar & Co", f"{prefix} Mugs")) == {f"{prefix} Mugs", gifts}
    assert places(()) == {gifts}
    assert places((f"{prefix} Bar & Co",)) == {f"{prefix} Bar & Co", gifts}
    woo.edit(str(result.external_id), categories=[{"id": own["id"]}])
    assert places((f"{prefix} Kitchen",)) == {gifts}, "taken out of ours, it is its owner's to sort"


def test_more_than_one_call_takes_goes_in_several(woo: WooRig, make: Make) -> None:
    shop = woo.connect()
    drafts = [make.simple(number) for number in range(1, 102)]
    results = push(shop, *drafts)
    assert {(one.problem, len(one.problems)) for one in results.values()} == {(None, 0)}
    ids = [str(results[draft.key].external_id) for draft in drafts]
    levels = [StockLevel(number, number, None, 9, 7) for number in ids]
    assert [(one.key, one.problem) for one in shop.set_stock(levels)] == [(number, None) for number in ids]
    held = {one.external_id: (one.sku, one.stock) for one in shop.read_back(ids)}
    assert held == {number: (draft.variants[0].sku, 9) for number, draft in zip(ids, drafts, strict=True)}


def test_webhooks_are_made_mended_and_known_again(woo: WooRig, prefix: str) -> None:
    """Nothing arrives at this address: a live shop refuses it, and takes the webhook all the same."""
    owners = {hook["id"]: hook for hook in woo.pages("webhooks", status="all")}
    if any(hook["name"].startswith("Entrepot ") for hook in owners.values()):
        pytest.skip("a hub is connected to this shop; its webhooks are left alone")
    shop, address = woo.connect(), f"http://127.0.0.1:9/{prefix}"

    def ours() -> list[dict[str, Any]]:
        return [hook for hook in woo.pages("webhooks", status="all") if hook["delivery_url"] == address]

    try:
        assert list(shop.subscribe(address)) == list(TOPICS)
        assert list(shop.subscribe(address)) == []
        first, second, *_ = made = ours()
        assert [(hook["topic"], hook["status"]) for hook in made] == [(topic, "active") for topic in TOPICS]
        woo.rest("PUT", f"webhooks/{first['id']}", json={"status": "paused"})
        woo.rest("DELETE", f"webhooks/{second['id']}", params={"force": "true"})
        assert list(shop.subscribe(address)) == list(TOPICS[:2])
        assert sorted((hook["topic"], hook["status"]) for hook in ours()) == sorted(
            (topic, "active") for topic in TOPICS
        )
    finally:
        for hook in ours():
            woo.rest("DELETE", f"webhooks/{hook['id']}", params={"force": "true"})
    assert {hook["id"]: hook for hook in woo.pages("webhooks", status="all")} == owners
