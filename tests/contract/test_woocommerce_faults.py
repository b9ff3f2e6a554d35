"""What the WooCommerce connector must keep where the shop fails: lost answers, outages, limits, dead pictures."""

import time
from dataclasses import replace

import pytest

from connectors.base import PushResult, StockLevel
from connectors.shops.woocommerce import upsert
from core.errors import Temporary
from tests.contract.shops import (
    LOST,
    PATIENCE,
    Make,
    Rig,
    WooRig,
    assert_no_doubles,
    assert_true,
    known,
    push,
    read,
)
from tests.workers import until

CHANNEL = "woocommerce"
pytestmark = pytest.mark.usefixtures("woo")


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_ends_with_the_ids_and_no_doubles(
    faulty: Rig, make: Make, prefix: str, kind: str
) -> None:
    shop = faulty.connect(patience=PATIENCE)
    drafts = [
        make.simple(1),
        make.variable(2),
        make.simple(3, images=("https://img.test/a.jpg", "https://img.test/b.jpg")),
    ]
    before = pictures_sent(faulty)
    faulty.fail(kind)
    results = push(shop, *drafts)
    assert_true(faulty.connect(), drafts, results)
    assert pictures_sent(faulty) - before == 2
    assert_no_doubles(faulty, prefix, {v.sku for draft in drafts for v in draft.variants})
    assert set(results[drafts[2].key].image_ids) == set(drafts[2].images)


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_about_variants_ends_the_same_way(
    faulty: Rig, make: Make, prefix: str, kind: str
) -> None:
    shop = faulty.connect(patience=PATIENCE)
    draft = make.variable(1, sizes="S")
    before = push(shop, draft)[draft.key]
    more = known(make.variable(1, sizes="SMLX"), before)
    faulty.fail(kind, parent=str(before.external_id))
    results = push(shop, more)
    assert_true(faulty.connect(), [more], results)
    assert results[draft.key].variant_ids["v1S"] == before.variant_ids["v1S"]
    assert_no_doubles(faulty, prefix, {v.sku for v in more.variants})


def test_a_shop_that_works_on_after_it_was_given_up_doubles_no_variation(
    faulty: Rig, make: Make, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both calls are at the same variations, and the shop keeps no lock on their SKUs."""
    assert isinstance(faulty, WooRig) and faulty.sandbox is not None
    monkeypatch.setattr(upsert, "STILL", 1.0)
    shop = faulty.connect(patience=PATIENCE, sleep=time.sleep)
    draft = make.variable(1, sizes="S")
    before = push(shop, draft)[draft.key]
    more = known(make.variable(1, sizes="SABCDEFGH"), before)
    monkeypatch.setattr(faulty.sandbox.site, "race_seconds", 0.1)
    faulty.fail("slow", parent=str(before.external_id))
    results = push(shop, more)
    until(lambda: all(call["seconds"] is not None for call in faulty.calls()))
    made = faulty.sandbox.site.store.count(
        "kind = 'variation' AND parent = ?", (int(before.external_id or 0),)
    )
    assert made == 9
    assert_true(faulty.connect(), [more], results)
    assert_no_doubles(faulty, prefix, {v.sku for v in more.variants})


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_about_stock_is_asked_again(faulty: Rig, make: Make, kind: str) -> None:
    shop = faulty.connect(patience=PATIENCE)
    draft = make.simple(1)
    result = push(shop, draft)[draft.key]
    faulty.fail(kind)
    answers = list(shop.set_stock([StockLevel("v1", result.variant_ids["v1"], None, 55)]))
    assert [(answer.key, answer.problem, answer.unknown) for answer in answers] == [("v1", None, False)]
    assert read(shop, result.external_id)[draft.variants[0].sku].stock == 55


def test_a_shop_that_loses_every_answer_is_told_as_unknown(faulty: Rig, make: Make, prefix: str) -> None:
    shop = faulty.connect(patience=PATIENCE)
    draft = make.simple(1)
    faulty.fail("drop_after", times=20)
    result = push(shop, draft)[draft.key]
    assert result.unknown is True and "not known" in (result.problem or "")
    faulty.tidy(prefix)
    after = push(shop, draft)
    assert_true(shop, [draft], after)
    assert_no_doubles(faulty, prefix, {draft.variants[0].sku})


def test_a_shop_that_falls_silent_leaves_unknowns_and_raises(faulty: Rig, make: Make, prefix: str) -> None:
    """The answer is lost and the look-up fails as well: what may have happened is told before the error is."""
    assert isinstance(faulty, WooRig)
    shop = faulty.connect(patience=PATIENCE)
    drafts = [make.simple(1), make.simple(2)]
    shop.check()
    faulty.fail("drop_after")
    faulty.fail("status", method="GET", path="/products", times=3, status=502)
    results: list[PushResult] = []
    with pytest.raises(Temporary):
        results.extend(shop.push(drafts))
    assert [(result.key, result.unknown) for result in results] == [(draft.key, True) for draft in drafts]
    faulty.tidy(prefix)
    assert_true(shop, drafts, push(shop, *drafts))
    assert_no_doubles(faulty, prefix, {v.sku for draft in drafts for v in draft.variants})


def test_a_shop_under_maintenance_is_left_alone_as_long_as_it_asks(
    faulty: Rig, make: Make, prefix: str
) -> None:
    assert isinstance(faulty, WooRig)
    shop = faulty.connect()
    faulty.fail("maintenance")
    with pytest.raises(Temporary, match="Briefly unavailable for scheduled maintenance") as caught:
        push(shop, make.simple(1))
    assert caught.value.retry_after == 600
    assert faulty.held(prefix) == []
    faulty.fail("maintenance", method="GET", path="/data")
    with pytest.raises(Temporary):
        faulty.connect().check()


def test_large_lists_go_in_batches(faulty: Rig, make: Make, prefix: str) -> None:
    shop = faulty.connect()
    drafts = [make.simple(number) for number in range(1, 231)]
    results = push(shop, *drafts)
    assert len({result.external_id for result in results.values()}) == 230
    sizes = [
        call["batch"] for call in faulty.calls() if call["path"].endswith("products/batch") and call["batch"]
    ]
    assert [size.get("create") for size in sizes] == [100, 100, 30]
    faulty.tidy(prefix)
    levels = [StockLevel(r.key, str(r.external_id), None, 9) for r in results.values()]
    assert {answer.problem for answer in shop.set_stock(levels)} == {None}
    assert len(faulty.calls()) == 3
    faulty.tidy(prefix)
    held = list(shop.read_back([str(result.external_id) for result in results.values()]))
    assert [listing.stock for listing in held] == [9] * 230
    assert len(faulty.calls()) == 3


def test_results_come_while_the_list_is_still_going(faulty: Rig, make: Make) -> None:
    """So that ids are stored at once, whatever becomes of the rest."""
    shop = faulty.connect()
    stream = iter(shop.push([make.simple(number) for number in range(1, 151)]))
    first = next(stream)
    assert first.external_id
    assert (
        sum(call["path"].endswith("products/batch") and bool(call["batch"]) for call in faulty.calls()) == 1
    )


# ---------------------------------------------------------------- pictures

A, B, C = (f"https://img.test/{name}.jpg" for name in "abc")
DEAD = "https://img.test:8443/dead.jpg"
"""The sandbox takes every address but odd ports, as a real shop refuses those."""


def pictures_sent(rig: Rig) -> int:
    assert isinstance(rig, WooRig) and rig.sandbox is not None
    return rig.sandbox.site.store.count("kind = 'media'", ())


def test_a_picture_is_sent_once(faulty: Rig, make: Make) -> None:
    shop = faulty.connect()
    before = pictures_sent(faulty)
    draft = make.simple(1, images=(A, B))
    first = push(shop, draft)
    assert_true(shop, [draft], first)
    assert set(first[draft.key].image_ids) == {A, B}
    again = replace(known(draft, first[draft.key]), title="New title", images=(B, A, C))
    second = push(shop, again)
    assert_true(shop, [again], second)
    assert second[draft.key].image_ids[A] == first[draft.key].image_ids[A]
    assert pictures_sent(faulty) - before == 3


def test_a_dead_picture_does_not_keep_a_product_out(faulty: Rig, make: Make) -> None:
    shop = faulty.connect()
    drafts = [
        make.simple(1, images=(A, DEAD, C)),
        make.simple(2, images=(DEAD,)),
        make.simple(3, images=(B,)),
    ]
    results = push(shop, *drafts)
    for draft, count in zip(drafts, (2, 0, 1), strict=True):
        result = results[draft.key]
        assert result.problem is None and set(result.variant_ids) == {draft.variants[0].key}
        assert read(shop, result.external_id)[draft.variants[0].sku].image_count == count
        told = {f"image:{DEAD}"} if DEAD in draft.images else set()
        assert set(result.problems) == told
        assert all(DEAD in sentence for sentence in result.problems.values())
    assert set(results[drafts[0].key].image_ids) == {A, C}


def test_variants_share_a_picture_that_is_fetched_once(faulty: Rig, make: Make, prefix: str) -> None:
    shop = faulty.connect()
    draft = make.variable(1, images=(A,))
    looks = (B, B, A)
    draft = replace(
        draft, variants=tuple(replace(v, image=look) for v, look in zip(draft.variants, looks, strict=True))
    )
    before = pictures_sent(faulty)
    result = push(shop, draft)[draft.key]
    assert (result.problem, result.problems) == (None, {})
    assert set(result.image_ids) == {A, B}
    assert pictures_sent(faulty) - before == 2
    images = {
        thing["sku"][-1]: str(thing["image"]["id"])
        for thing in faulty.held(prefix)
        if thing["type"] == "variation"
    }
    assert images == {"S": result.image_ids[B], "M": result.image_ids[B], "L": result.image_ids[A]}


def test_a_dead_picture_of_a_variant(faulty: Rig, make: Make) -> None:
    shop = faulty.connect()
    draft = make.variable(1)
    draft = replace(draft, variants=(replace(draft.variants[0], image=DEAD), *draft.variants[1:]))
    result = push(shop, draft)[draft.key]
    assert set(result.variant_ids) == {"v1S", "v1M", "v1L"}
    assert list(result.problems) == [f"image:{DEAD}"]
