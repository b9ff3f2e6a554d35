"""What only a Shopify has: publishing, its own words for none, the owner's variants and pictures, locations, subscriptions."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ProductDraft, StockLevel, VariantDraft
from core.errors import Misconfigured, Permanent
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import Make, assert_true, known, push, read

A, B, C = (f"https://img.test/{name}.jpg" for name in "abc")
ADD = """mutation ($id: ID!, $variants: [ProductVariantSetInput!]!, $options: [OptionSetInput!]!, $files: [FileSetInput!]) {
  productSet(identifier: {id: $id}, input: {variants: $variants, productOptions: $options, files: $files}, synchronous: true) {
    product { id } userErrors { message } } }"""
LOOK = """query ($id: ID!) { product(id: $id) { status vendor productType tags handle descriptionHtml
  media(first: 20) { nodes { id } } options { name optionValues { name } }
  metafields(first: 20) { nodes { namespace key value type } }
  variants(first: 100) { nodes { id sku price compareAtPrice inventoryPolicy barcode
    inventoryItem { tracked requiresShipping measurement { weight { value unit } } } } } } }"""
TAG = "mutation ($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { userErrors { message } } }"
FIELD = "mutation ($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { userErrors { message } } }"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def rig(running: ShopifyRig) -> Iterator[ShopifyRig]:
    yield running
    running.tidy("")


def test_what_a_push_writes(rig: ShopifyRig, make: Make, prefix: str) -> None:
    mug = make.simple(
        1,
        brand="Acme",
        category=("Kitchen", "Mugs"),
        description="<p>Blue</p>",
        weight_g=350,
        gtin=make.gtin(),
    )
    course = make.simple(2, kind="service", weight_g=5)
    results = push(rig.connect(), mug, course)
    held = rig.graphql(LOOK, id=results[mug.key].external_id)
    assert (held["status"], held["vendor"], held["productType"], held["descriptionHtml"]) == (
        "ACTIVE",
        "Acme",
        "Mugs",
        "<p>Blue</p>",
    )
    key, note = held["metafields"]["nodes"]
    assert key == {"namespace": "entrepot", "key": "key", "value": mug.key, "type": "id"}
    assert (note["namespace"], note["key"], note["type"]) == ("entrepot", "sorting", "json")
    kept = {one: value for one, value in json.loads(note["value"]).items() if one != "collection"}
    assert kept == {"key": mug.key, "tags": [], "category": ["Kitchen", "Mugs"]}
    (variant,) = held["variants"]["nodes"]
    assert (variant["price"], variant["inventoryPolicy"], variant["barcode"]) == (
        "12.50",
        "DENY",
        mug.variants[0].gtin,
    )
    assert variant["inventoryItem"] == {
        "tracked": True, "requiresShipping": True, "measurement": {"weight": {"value": 350.0, "unit": "GRAMS"}},
    }  # fmt: skip
    (variant,) = rig.graphql(LOOK, id=results[course.key].external_id)["variants"]["nodes"]
    assert variant["inventoryItem"] == {
        "tracked": True,
        "requiresShipping": False,
        "measurement": {"weight": None},
    }


def test_a_push_leaves_the_owners_things_alone(rig: ShopifyRig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    draft = make.variable(1, images=(A,), category=("Shirts",))
    first = push(shop, draft)[draft.key]
    number = str(first.external_id)
    rig.graphql(TAG, id=number, tags=["Sommer"])
    rig.edit(number, productType="Hemden")
    rig.graphql(
        FIELD,
        m=[
            {
                "ownerId": number,
                "namespace": "care",
                "key": "wash",
                "type": "single_line_text_field",
                "value": "30",
            }
        ],
    )
    sizes = [{"name": name} for name in ("S", "M", "L", "Kids")]
    own = {"optionValues": [{"optionName": "Size", "name": "Kids"}, {"optionName": "Fit", "name": "slim"}], "sku": f"{prefix}-own", "price": "9.00"}  # fmt: skip
    ours = [
        {"id": first.variant_ids[one.key], "optionValues": [{"optionName": name, "name": value} for name, value in one.options]}
        for one in draft.variants
    ]  # fmt: skip
    rig.graphql(
        ADD, id=number, variants=[*ours, own], options=[{"name": "Size", "values": sizes}, {"name": "Fit", "values": [{"name": "slim"}]}],
        files=[{"id": first.image_ids[A]}, {"originalSource": "https://own.test/x.jpg"}],
    )  # fmt: skip
    before = rig.graphql(LOOK, id=number)
    theirs = next(one for one in before["variants"]["nodes"] if one["sku"] == f"{prefix}-own")
    changed = replace(known(draft, first), title="Renamed", images=(B, A), category=("Other",))
    after = push(shop, changed)[draft.key]
    assert (after.problem, after.problems, after.variant_ids) == (None, {}, first.variant_ids)
    held = rig.graphql(LOOK, id=number)
    assert (
        held["tags"] == ["Sommer"] and held["productType"] == "Hemden" and held["handle"] == before["handle"]
    )
    assert {"namespace": "care", "key": "wash", "value": "30", "type": "single_line_text_field"} in held[
        "metafields"
    ]["nodes"]
    assert theirs in held["variants"]["nodes"] and len(held["variants"]["nodes"]) == 4
    picture = before["media"]["nodes"][1]["id"]
    assert [one["id"] for one in held["media"]["nodes"]] == [after.image_ids[B], first.image_ids[A], picture]
    assert after.image_ids == {A: first.image_ids[A], B: after.image_ids[B]}


def test_a_strangers_product_with_our_sku_stays_as_it_is(rig: ShopifyRig, make: Make, prefix: str) -> None:
    theirs = rig.stranger(f"{prefix}-1")
    before = rig.graphql(LOOK, id=theirs)
    draft = make.simple(1)
    result = push(rig.connect(), draft)
    assert_true(rig.connect(), [draft], result)
    assert result[draft.key].external_id != theirs
    assert rig.graphql(LOOK, id=theirs) == before


def test_a_variant_that_is_not_wanted_any_more_stays_with_its_orders(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.variable(1)
    first = push(shop, draft)[draft.key]
    number = f"{first.external_id}/{first.variant_ids['v1S']}"
    assert [answer.problem for answer in shop.withdraw([number])] == [None]
    less = known(draft, first)
    less = replace(less, variants=less.variants[1:])
    push(shop, less)
    held = read(shop, first.external_id)
    assert (
        held[draft.variants[0].sku].external_id == first.variant_ids["v1S"]
        and held[draft.variants[0].sku].stock == 0
    )
    back = push(shop, replace(draft, external_id=first.external_id))[draft.key]
    assert back.variant_ids == first.variant_ids
    assert_true(shop, [draft], {draft.key: back})


def test_what_is_not_stocked_at_our_place_is_stocked_there(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.simple(1, stock=7)
    first = push(shop, draft)[draft.key]
    site, number = rig.shop.site, first.variant_ids["v1"]
    for stock, write in ((4, "set"), (6, "push")):
        with site.lock, site.store.work():
            variant = site.any(number)
            assert variant is not None
            item = site.one("InventoryItem", variant["itemId"])
            assert item is not None
            site.put("InventoryItem", {**item, "levels": {}})
        assert read(shop, first.external_id)[draft.variants[0].sku].stock is None
        wanted = replace(draft, variants=(replace(draft.variants[0], stock=stock),))
        if write == "set":
            (answer,) = shop.set_stock([StockLevel("v1", number, first.external_id, stock)])
            assert answer.problem is None
        assert_true(
            shop, [wanted], {draft.key: first} if write == "set" else push(shop, known(wanted, first))
        )


def test_a_variant_is_withdrawn_by_its_own_id_too(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.variable(1)
    first = push(shop, draft)[draft.key]
    gone = f"{first.external_id}/gid://shopify/ProductVariant/1"
    assert [(answer.key, answer.problem) for answer in shop.withdraw([gone])] == [(gone, None)]
    number = first.variant_ids["v1L"]
    assert [(answer.key, answer.problem) for answer in shop.withdraw([number])] == [(number, None)]
    stock = {sku[-1]: listing.stock for sku, listing in read(shop, first.external_id).items()}
    assert stock == {"S": 0, "M": 1, "L": 0}


def test_a_product_becomes_variable_and_simple_again(rig: ShopifyRig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    simple = make.simple(1)
    first = push(shop, simple)[simple.key]
    options = (("Size", "S"),)
    both = ProductDraft(
        simple.key,
        simple.title,
        (replace(simple.variants[0], options=options), VariantDraft("w", f"{prefix}-w", make.money("5.00"), 2, options=(("Size", "M"),))),
    )  # fmt: skip
    second = push(shop, known(both, first))
    assert_true(shop, [both], second)
    assert second[both.key].external_id == first.external_id
    assert second[both.key].variant_ids["v1"] == first.variant_ids["v1"], "the same thing keeps its id"
    third = push(shop, known(simple, second[both.key]))
    assert_true(shop, [simple], third)
    assert set(read(shop, first.external_id)) == {simple.variants[0].sku}


def test_what_is_active_but_not_published_is_no_longer_live_until_the_next_push(
    rig: ShopifyRig, make: Make
) -> None:
    shop = rig.connect()
    draft = make.simple(1)
    result = push(shop, draft)[draft.key]
    wish = [{"publicationId": "gid://shopify/Publication/1000000001"}]
    rig.graphql("mutation ($id: ID!, $i: [PublicationInput!]!) { publishableUnpublish(id: $id, input: $i) { userErrors { message } } }", id=result.external_id, i=wish)  # fmt: skip
    assert read(shop, result.external_id)[draft.variants[0].sku].status == "draft"
    assert_true(shop, [draft], push(shop, known(draft, result)))


def test_a_variant_the_shop_refuses_does_not_keep_the_others_out(rig: ShopifyRig, make: Make) -> None:
    """The sandbox refuses a price of 10^15 and more; the hub knows no such limit and learns it from the answer."""
    draft = make.variable(1)
    dear = replace(draft.variants[1], price=make.money("1000000000000000"))
    draft = replace(draft, variants=(draft.variants[0], dear, draft.variants[2]))
    result = push(rig.connect(), draft)[draft.key]
    assert result.problem is None and set(result.variant_ids) == {"v1S", "v1L"}
    assert list(result.problems) == ["v1M"] and "Price must be" in result.problems["v1M"]


def test_a_picture_without_an_address_is_told_and_the_rest_goes_in(rig: ShopifyRig, make: Make) -> None:
    draft = make.simple(1, images=(A, "pictures/b.jpg"))
    result = push(rig.connect(), draft)[draft.key]
    assert result.problem is None and set(result.variant_ids) == {"v1"}
    assert list(result.problems) == ["image:pictures/b.jpg"] and set(result.image_ids) == {A}
    assert read(rig.connect(), result.external_id)[draft.variants[0].sku].image_count == 1


def test_a_picture_is_sent_once(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.simple(1, images=(A, B))
    first = push(shop, draft)[draft.key]
    second = push(shop, replace(known(draft, first), images=(C, B, A)))[draft.key]
    assert {url: second.image_ids[url] for url in (A, B)} == first.image_ids
    assert set(second.image_ids) == {A, B, C}
    third = push(shop, replace(known(draft, second), images=(B,), image_ids=second.image_ids))[draft.key]
    assert third.image_ids == {B: first.image_ids[B]}
    assert read(shop, first.external_id)[draft.variants[0].sku].image_count == 1


def test_a_picture_the_shop_could_not_fetch_is_told_and_tried_again(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.simple(1, images=(A, B))
    first = push(shop, draft)[draft.key]
    site = rig.shop.site
    with site.lock, site.store.work():
        dead = site.any(first.image_ids[B])
        assert dead is not None
        site.put("MediaImage", {**dead, "status": "FAILED"})
    assert read(shop, first.external_id)[draft.variants[0].sku].image_count == 1
    second = push(shop, known(draft, first))[draft.key]
    assert second.problems == {
        f"image:{B}": f"Shopify could not fetch the picture {B}; it is tried again with the next push."
    }
    assert second.image_ids == {A: first.image_ids[A]} and set(second.variant_ids) == {"v1"}
    third = push(shop, known(draft, first))[draft.key]
    assert third.problems == {} and third.image_ids[A] == first.image_ids[A]
    assert third.image_ids[B] != first.image_ids[B]
    assert read(shop, first.external_id)[draft.variants[0].sku].image_count == 2


def test_only_news_are_told_before_the_last_word(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    draft = make.variable(1)
    bad = replace(draft, variants=(*draft.variants[:2], replace(draft.variants[2], stock=-1)))
    early, final = shop.push([bad])
    assert (early.external_id, early.variant_ids, early.problems) == (final.external_id, {}, {})
    assert set(final.problems) == {"v1L"}
    (only,) = shop.push([known(draft, final)])
    assert set(only.variant_ids) == {"v1S", "v1M", "v1L"}


def test_variants_share_a_picture_that_is_sent_once(rig: ShopifyRig, make: Make) -> None:
    draft = make.variable(1, images=(A,))
    looks = (B, B, A)
    draft = replace(
        draft, variants=tuple(replace(v, image=look) for v, look in zip(draft.variants, looks, strict=True))
    )
    with rig.shop.site.lock:
        before = len(rig.shop.site.all("MediaImage"))
    result = push(rig.connect(), draft)[draft.key]
    assert (result.problem, result.problems, set(result.image_ids)) == (None, {}, {A, B})
    with rig.shop.site.lock:
        assert len(rig.shop.site.all("MediaImage")) - before == 2


def test_many_variants_are_read_page_by_page(rig: ShopifyRig, make: Make) -> None:
    shop = rig.connect()
    sizes = "".join(chr(0x4E00 + place) for place in range(230))
    draft = make.variable(1, sizes=sizes)
    result = push(shop, draft)
    assert_true(shop, [draft], result)
    again = push(shop, known(replace(draft, title="Renamed"), result[draft.key]))
    assert again[draft.key].variant_ids == result[draft.key].variant_ids
    assert_true(shop, [replace(draft, title="Renamed")], again)


def test_without_a_place_or_a_store_nothing_can_be_sold(rig: ShopifyRig) -> None:
    site = rig.shop.site
    with site.lock, site.store.work():
        place = site.all("Location")[0]
        site.put("Location", {**place, "fulfillsOnlineOrders": False})
    with pytest.raises(Misconfigured, match="no active location that fulfils online orders"):
        rig.connect().check()
    with site.lock, site.store.work():
        site.put("Location", place)
        channel = site.all("Publication")[0]
        site.put("Publication", {**channel, "title": "Point of Sale", "app": {"id": 129785, "handle": "pos"}})
    with pytest.raises(Misconfigured, match="no sales channel “Online Store”"):
        rig.connect().check()
    with site.lock, site.store.work():
        site.put("Publication", {**channel, "title": "Verkkokauppa"})
    assert rig.connect().check().warnings == (), "known by its app in a language that the hub has no word of"
    with site.lock, site.store.work():
        site.put("Publication", channel)
    assert rig.connect().check().warnings == ()


def test_stock_stays_at_the_place_that_was_the_hubs(rig: ShopifyRig) -> None:
    site = rig.shop.site
    with site.lock, site.store.work():
        old, new = site.all("Location")[:2]
        site.put("Location", {**new, "fulfillsOnlineOrders": True})
        for number in range(60):  # the shop tells places by their names
            place = {"name": f"A {number}", "isActive": True, "fulfillsOnlineOrders": False}
            site.put("Location", site.new("Location", **place))
        service = {"name": "A service", "isActive": True, "fulfillsOnlineOrders": True, "service": True}
        site.put("Location", site.new("Location", **service))
    first = rig.connect().check()
    assert first.locations == (old["name"], new["name"])
    kept = rig.connect(location=first.location_ids[1]).check()
    assert kept.locations == (new["name"], old["name"]) and kept.location_ids == first.location_ids[::-1]
    assert "keeps its stock at the location Boutique" in kept.warnings[0]
    with site.lock, site.store.work():
        site.put("Location", {**new, "fulfillsOnlineOrders": False})
    moved = rig.connect(location=first.location_ids[1]).check()
    assert moved.location_ids == first.location_ids[:1]
    with site.lock, site.store.work():
        for other in site.all("Location")[2:]:
            site.store.drop("Location", other["id"])


def test_a_shop_tells_its_places_scopes_and_limits(rig: ShopifyRig) -> None:
    facts = rig.connect().check()
    with rig.shop.site.lock:
        names = [one["name"] for one in rig.shop.site.all("Location")]
        scopes = sorted(rig.shop.site.scopes)
    assert list(facts.locations) == names[:1] and sorted(facts.scopes) == scopes
    assert facts.limits == {
        "variants of a product": "2,048",
        "options of a product": "3",
        "pictures of a product": "250",
        "points a second": "2,000",
        "points at once": "40,000",
    }


def test_a_product_that_is_not_understood_keeps_no_other_back(
    rig: ShopifyRig, make: Make, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = rig.connect()
    drafts = [make.simple(number) for number in (1, 2, 3)]
    change = shop._graphql.change

    def stumbles(name: str, **variables: Any) -> Any:
        if name == "ProductSet" and f"{prefix}-2" in str(variables):
            raise Permanent("The shop does not understand the hub's call: Variable $input.")
        return change(name, **variables)

    monkeypatch.setattr(shop._graphql, "change", stumbles)
    results = push(shop, *drafts)
    assert "does not understand" in (results[drafts[1].key].problem or "")
    assert_true(shop, [drafts[0], drafts[2]], results)
