"""What a Shopify page gets beside title and price, what stays its owner's, and how few calls that takes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ProductDraft, PushResult, VariantDraft
from core.errors import Temporary
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import PATIENCE, Make, assert_true, known, push, read

LOOK = """query ($id: ID!) { product(id: $id) { title handle tags status descriptionHtml
  collections(first: 10) { nodes { title handle } } metafields(first: 5) { nodes { key value } }
  variants(first: 10) { nodes { id sku price compareAtPrice barcode inventoryPolicy
    inventoryItem { tracked requiresShipping harmonizedSystemCode countryCodeOfOrigin } } } } }"""

PICTURE = "https://img.test/a.jpg"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def rig(running: ShopifyRig) -> Iterator[ShopifyRig]:
    yield running
    running.tidy("")


def fields(rig: ShopifyRig) -> list[str]:
    """What was asked for, each call's first field."""
    return [call["fields"][0] for call in rig.calls() if call["fields"]]


def look(rig: ShopifyRig, result: PushResult) -> Any:
    return rig.graphql(LOOK, id=result.external_id)


def adopted(make: Make, number: str, variant: str, sku: str, **changes: Any) -> ProductDraft:
    one = VariantDraft("a", sku, make.money("8.00"), 6, external_id=variant)
    return replace(ProductDraft("adopted", "Ours", (one,), external_id=number, trade_only=True), **changes)


def test_new_products_are_set_and_shown_without_a_look_each(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    push(shop, make.simple(0))
    rig.tidy("")
    drafts = [make.simple(number, stock=number) for number in range(1, 25)]
    results = push(shop, *drafts)
    keys, calls = "productByIdentifier", fields(rig)
    assert calls.count(keys) == 2 and len(calls) == 2 + 2 * 24
    assert_true(shop, drafts[:1], results)


def test_what_is_known_is_looked_at_and_set(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.variable(1)
    first = push(shop, draft)[draft.key]
    rig.tidy("")
    same = replace(known(draft, first), title="Renamed")
    same = replace(same, variants=tuple(replace(one, before=one.stock) for one in same.variants))
    assert push(shop, same)[draft.key].problem is None
    assert fields(rig) == ["product", "productSet"]
    rig.tidy("")
    trade = replace(same, trade_only=True)
    assert push(shop, trade)[draft.key].stock_ids == first.stock_ids
    assert fields(rig) == ["productVariantsBulkUpdate"]


def test_customs_are_told_what_is_right_and_the_rest_is_remarked(rig: ShopifyRig, make: Make) -> None:
    good = make.simple(1, hs_code="8518.30 00", origin="de")
    bad = make.simple(2, hs_code="hat", origin="Germany")
    service = make.simple(3, hs_code="851830", origin="DE", kind="service")
    results = push(rig.connect(), good, bad, service)
    told = [look(rig, results[one.key])["variants"]["nodes"][0]["inventoryItem"] for one in (good, bad, service)]  # fmt: skip
    assert [(one["harmonizedSystemCode"], one["countryCodeOfOrigin"], one["requiresShipping"]) for one in told] == [
        ("85183000", "DE", True), (None, None, True), (None, None, False),
    ]  # fmt: skip
    assert results[good.key].problems == {}
    (words,) = results[bad.key].problems.values()
    assert "'hat' has not 6 to 13 digits" in words and "'Germany' is no ISO code" in words
    assert results[bad.key].variant_ids and results[bad.key].problem is None


def test_a_category_is_a_collection_made_once(rig: ShopifyRig, make: Make, prefix: str) -> None:
    path = (f"{prefix} Küche", "Tassen & Becher")
    drafts = [make.simple(number, category=path) for number in (1, 2)]
    shop = rig.connect()
    results = push(shop, *drafts)
    handle = f"{prefix.lower()}-kuche-tassen-becher"
    found = [look(rig, results[one.key])["collections"]["nodes"] for one in drafts]
    assert found == [[{"title": "Tassen & Becher", "handle": handle}]] * 2
    assert fields(rig).count("collectionCreate") == 1
    rig.tidy("")
    later = make.simple(3, category=path)
    push(rig.connect(), later)
    assert fields(rig).count("collectionCreate") == 0


def test_an_owners_collection_is_joined_and_left_to_him(rig: ShopifyRig, make: Make, prefix: str) -> None:
    rig.switch("collection", title=f"{prefix} Mugs")
    rig.switch("collection", title=f"{prefix} Sale", smart=True)
    mug = make.simple(1, category=(f"{prefix} Mugs",))
    sale = make.simple(2, category=(f"{prefix} Sale",))
    results = push(rig.connect(), mug, sale)
    assert look(rig, results[mug.key])["collections"]["nodes"] == [
        {"title": f"{prefix} Mugs", "handle": f"{prefix.lower()}-mugs"}
    ]
    assert look(rig, results[sale.key])["collections"]["nodes"] == []
    assert results[sale.key].problem is None and set(results[sale.key].variant_ids) == {"v2"}
    assert "It stands in no collection of the hub" in results[sale.key].problems["collection"]
    assert fields(rig).count("collectionCreate") == 0


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_collection_whose_making_was_not_answered_is_made_once(
    rig: ShopifyRig, make: Make, prefix: str, kind: str
) -> None:
    rig.fail(kind, field="collectionCreate")
    draft = make.simple(1, category=(f"{prefix} Lamps",))
    shop = rig.connect(patience=PATIENCE)
    try:
        result = push(shop, draft)[draft.key]
    except Temporary:
        result = push(shop, draft)[draft.key]
    handles = [one["handle"] for one in look(rig, result)["collections"]["nodes"]]
    assert handles == [f"{prefix.lower()}-lamps"]


def test_a_page_that_becomes_ours_gets_our_key(rig: ShopifyRig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    theirs = rig.stranger(f"{prefix}-1")
    (held,) = read(shop, theirs).values()
    draft = make.simple(1)
    taken = replace(draft.variants[0], external_id=held.external_id)
    result = push(shop, replace(draft, external_id=theirs, variants=(taken,)))[draft.key]
    assert (result.external_id, result.variant_ids) == (theirs, {"v1": held.external_id})
    assert {"key": "key", "value": draft.key} in look(rig, result)["metafields"]["nodes"]
    assert push(shop, draft)[draft.key].external_id == theirs, "found by our key where its id was lost"


def test_of_an_owners_page_nothing_but_price_and_stock_is_touched(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    shop = rig.connect()
    theirs = rig.stranger(f"{prefix}-1")
    (held,) = read(shop, theirs).values()
    before = rig.graphql(LOOK, id=theirs)
    draft = adopted(make, theirs, held.external_id, f"{prefix}-1", tags=("new",), handle="other", category=("A",))  # fmt: skip
    result = push(shop, draft)["adopted"]
    assert (result.problem, result.problems) == (None, {}) and result.stock_ids == {"a": held.stock_id}
    after = rig.graphql(LOOK, id=theirs)
    (variant,) = after["variants"]["nodes"]
    assert (variant["price"], variant["inventoryPolicy"], variant["inventoryItem"]["tracked"]) == ("8.00", "DENY", True)  # fmt: skip
    mended = {**before["variants"]["nodes"][0], "price": "8.00", "inventoryPolicy": "DENY"}
    mended["inventoryItem"] = {**mended["inventoryItem"], "tracked": True}
    assert after == {**before, "variants": {"nodes": [mended]}}


def test_a_variant_is_never_added_to_an_owners_page(rig: ShopifyRig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    theirs = rig.stranger(f"{prefix}-1")
    (held,) = read(shop, theirs).values()
    draft = adopted(make, theirs, held.external_id, f"{prefix}-1")
    more = VariantDraft("b", f"{prefix}-2", make.money("9.00"), 3)
    gone = VariantDraft("c", f"{prefix}-3", make.money("9.00"), 3, external_id="gid://shopify/ProductVariant/1")  # fmt: skip
    result = push(shop, replace(draft, variants=(*draft.variants, more, gone)))["adopted"]
    assert result.problem is None and set(result.variant_ids) == {"a"}
    assert "add the variant there and adopt it" in result.problems["b"] and "c" in result.problems
    assert [one["sku"] for one in rig.held(prefix)] == [f"{prefix}-1"]


@pytest.mark.parametrize("kind", ["late", "drop_after", "cut", "drop_before", "hang"])
def test_a_lost_answer_about_a_price_is_asked_for_again(
    rig: ShopifyRig, make: Make, prefix: str, kind: str
) -> None:
    shop = rig.connect(patience=PATIENCE)
    theirs = rig.stranger(f"{prefix}-1")
    (held,) = read(shop, theirs).values()
    rig.fail(kind, field="productVariantsBulkUpdate")
    result = push(shop, adopted(make, theirs, held.external_id, f"{prefix}-1"))["adopted"]
    assert (result.problem, result.unknown) == (None, False)
    (now,) = read(rig.connect(), theirs).values()
    assert (now.price, now.stock) == (make.money("8.00"), 6)


def test_two_variants_of_one_sku_are_told_apart_by_their_options(rig: ShopifyRig, make: Make, prefix: str) -> None:  # fmt: skip
    draft = make.variable(1)
    draft = replace(draft, variants=tuple(replace(one, sku=f"{prefix}-same") for one in draft.variants))
    shop = rig.connect()
    result = push(shop, draft)[draft.key]
    assert (result.problem, result.problems) == (None, {})
    held = {one.options: one.external_id for one in shop.read_back([str(result.external_id)])}
    assert {one.key: held[one.options] for one in draft.variants} == result.variant_ids


def test_a_picture_that_is_not_ready_keeps_no_variant_out(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.variable(1, images=(PICTURE,))
    rig.switch("pictures", later=True)
    first = push(shop, draft)[draft.key]
    rig.switch("pictures", later=False)
    small, *others = known(draft, first).variants
    with_picture = replace(known(draft, first), variants=(replace(small, image=PICTURE), *others))
    second = push(shop, with_picture)[draft.key]
    assert second.problem is None and set(second.variant_ids) == {"v1S", "v1M", "v1L"}
    assert list(second.problems) == ["pictures"] and "not ready" in second.problems["pictures"]
    rig.switch("pictures", ready=True)
    assert push(shop, with_picture)[draft.key].problems == {}
    site = rig.shop.site
    with site.lock:
        shown = {one["sku"]: one["mediaId"] for one in site.all("ProductVariant", "parent = ?", int(str(first.external_id).rpartition("/")[2]))}  # fmt: skip
    assert {sku[-1]: number is not None for sku, number in shown.items()} == {
        "S": True,
        "M": False,
        "L": False,
    }
