"""Tags, collections and product types of ours that are no longer wanted go from a Shopify page, its owner's stay."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ProductDraft, PushResult
from core.errors import Permanent, Temporary
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import PATIENCE, Make, known, push, read

LOOK = """query ($id: ID!) { product(id: $id) { tags productType collections(first: 10) { nodes { id title } } } }"""
SHELF = """mutation ($product: ProductUpdateInput!) { productUpdate(product: $product) { userErrors { message } } }"""
FIELD = "mutation ($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { userErrors { message } } }"
UNSHELVE = (
    "mutation ($input: CollectionDeleteInput!) { collectionDelete(input: $input) { userErrors { message } } }"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def rig(running: ShopifyRig) -> Iterator[ShopifyRig]:
    yield running
    running.tidy("")


def fields(rig: ShopifyRig) -> list[str]:
    """What was asked for since the last time, each call's first field."""
    asked = [call["fields"][0] for call in rig.calls() if call["fields"]]
    rig.tidy("")
    return asked


def sorted_as(rig: ShopifyRig, result: PushResult) -> tuple[set[str], set[str], str]:
    """(tags, titles of collections, product type) as the shop has them."""
    found = rig.graphql(LOOK, id=result.external_id)
    return set(found["tags"]), {one["title"] for one in found["collections"]["nodes"]}, found["productType"]


def shelf(rig: ShopifyRig, result: PushResult, title: str) -> str:
    nodes = rig.graphql(LOOK, id=result.external_id)["collections"]["nodes"]
    return next(str(one["id"]) for one in nodes if one["title"] == title)


def first_push(rig: ShopifyRig, draft: ProductDraft) -> tuple[ProductDraft, PushResult]:
    """The draft as the hub knows it afterwards, its stock unchanged."""
    result = push(rig.connect(), draft)[draft.key]
    assert (result.problem, result.problems) == (None, {})
    after = known(draft, result)
    return replace(after, variants=tuple(replace(one, before=one.stock) for one in after.variants)), result


def test_a_product_leaves_our_collection_and_stays_in_its_owners(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    one, two = f"{prefix} One", f"{prefix} Two"
    draft, first = first_push(rig, make.simple(1, category=("Home", one), tags=("old", "Both")))
    his = rig.switch("collection", title=f"{prefix} His")["id"]
    rig.graphql(SHELF, product={"id": first.external_id, "collectionsToJoin": [his]})
    rig.tag(str(first.external_id), "gift")
    assert sorted_as(rig, first) == ({"old", "Both", "gift"}, {one, f"{prefix} His"}, one)
    moved = replace(draft, category=("Home", two), tags=("both", "new"))
    shop = rig.connect()
    assert push(shop, moved)[draft.key].problems == {}
    assert sorted_as(rig, first) == ({"Both", "gift", "new"}, {two, f"{prefix} His"}, two)
    fields(rig)
    assert push(shop, replace(moved, title="Renamed"))[draft.key].problems == {}
    assert fields(rig) == ["product", "productSet"], "what is sorted right costs no call"
    bare = replace(moved, category=(), tags=())
    assert push(shop, bare)[draft.key].problems == {}
    assert sorted_as(rig, first) == ({"gift"}, {f"{prefix} His"}, "")


def test_a_product_its_owner_sorted_anew_stays_where_he_put_it(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    draft, first = first_push(rig, make.simple(1, category=(f"{prefix} Ours",), tags=("ours",)))
    ours = shelf(rig, first, f"{prefix} Ours")
    change = {"collectionsToLeave": [ours], "productType": "His type"}
    rig.graphql(SHELF, product={"id": first.external_id, **change})
    for place in (f"{prefix} Ours", f"{prefix} Other", f"{prefix} Third"):
        moved = replace(draft, category=(place,))
        assert push(rig.connect(), moved)[draft.key].problems == {}
        assert sorted_as(rig, first) == ({"ours"}, set(), "His type")


def test_what_the_owner_gave_it_before_us_is_never_taken_for_ours(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    theirs = rig.stranger(f"{prefix}-1")
    his = rig.switch("collection", title=f"{prefix} His")["id"]
    rig.graphql(SHELF, product={"id": theirs, "collectionsToJoin": [his], "tags": ["His", "sale"]})
    (held,) = read(rig.connect(), theirs).values()
    draft = make.simple(1, category=(f"{prefix} His",), tags=("Sale", "hub"))
    taken = replace(draft.variants[0], external_id=held.external_id)
    ours = replace(draft, external_id=theirs, variants=(taken,))
    result = push(rig.connect(), ours)[draft.key]
    assert (result.problem, result.problems) == (None, {})
    assert sorted_as(rig, result)[:2] == ({"His", "sale", "hub"}, {f"{prefix} His"})
    assert push(rig.connect(), replace(ours, category=(), tags=()))[draft.key].problems == {}
    assert sorted_as(rig, result)[:2] == ({"His", "sale"}, {f"{prefix} His"})


def test_a_collection_of_ours_that_is_gone_keeps_no_product_back(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    draft, first = first_push(rig, make.simple(1, category=(f"{prefix} Gone",)))
    rig.graphql(UNSHELVE, input={"id": shelf(rig, first, f"{prefix} Gone")})
    rig.switch("collection", title=f"{prefix} Rules", smart=True)
    rules = replace(draft, category=(f"{prefix} Rules",))
    assert push(rig.connect(), rules)[draft.key].problems == {}
    assert sorted_as(rig, first)[1] == set(), "as where its owner took it out of our collection"


def test_a_collection_with_rules_is_remarked_and_the_old_one_left(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    draft, first = first_push(rig, make.simple(1, category=(f"{prefix} Old",)))
    rig.switch("collection", title=f"{prefix} Rules", smart=True)
    problems = push(rig.connect(), replace(draft, category=(f"{prefix} Rules",)))[draft.key].problems
    assert list(problems) == ["collection"] and "stands in no collection of the hub" in problems["collection"]
    assert sorted_as(rig, first)[1] == set()
    back = replace(draft, category=(f"{prefix} Old",))
    assert push(rig.connect(), back)[draft.key].problems == {}
    assert sorted_as(rig, first)[1] == {f"{prefix} Old"}


@pytest.mark.parametrize("field", ["tagsRemove", "productUpdate", "tagsAdd"])
def test_sorting_broken_off_anywhere_forgets_nothing_that_is_ours(
    rig: ShopifyRig, make: Make, prefix: str, field: str
) -> None:
    """Cut off for good at one step, then wanted otherwise again: nothing of the hub's is left behind."""
    draft, first = first_push(rig, make.simple(1, category=(f"{prefix} A",), tags=("a",)))
    rig.fail("drop_before", field=field, times=9)
    with pytest.raises(Temporary):
        push(rig.connect(patience=PATIENCE), replace(draft, category=(f"{prefix} B",), tags=("b",)))
    rig.shop.faults.clear()
    last = replace(draft, category=(f"{prefix} C",), tags=("c",))
    assert push(rig.connect(), last)[draft.key].problems == {}
    assert sorted_as(rig, first) == ({"c"}, {f"{prefix} C"}, f"{prefix} C")


@pytest.mark.parametrize("field", ["tagsRemove", "productUpdate", "tagsAdd"])
def test_one_lost_answer_is_looked_up_and_nothing_more(
    rig: ShopifyRig, make: Make, prefix: str, field: str
) -> None:
    draft, first = first_push(rig, make.simple(1, category=(f"{prefix} A",), tags=("a",)))
    rig.fail("drop_after", field=field)
    moved = replace(draft, category=(f"{prefix} B",), tags=("b",))
    assert push(rig.connect(patience=PATIENCE), moved)[draft.key].problems == {}
    assert sorted_as(rig, first) == ({"b"}, {f"{prefix} B"}, f"{prefix} B")
    assert fields(rig).count(field) == 1


def test_a_note_that_its_owner_spoiled_is_no_note(rig: ShopifyRig, make: Make, prefix: str) -> None:
    """What cannot be told to be ours is the owner's; the note is written anew."""
    draft, first = first_push(rig, make.simple(1, category=(f"{prefix} A",), tags=("a",)))
    note = {"namespace": "entrepot", "key": "sorting", "type": "json", "value": "[1]"}
    rig.graphql(FIELD, m=[{"ownerId": first.external_id, **note}])
    moved = replace(draft, category=(f"{prefix} B",), tags=("b",))
    assert push(rig.connect(), moved)[draft.key].problems == {}
    assert sorted_as(rig, first)[:2] == ({"a", "b"}, {f"{prefix} A", f"{prefix} B"})
    assert push(rig.connect(), replace(moved, category=(), tags=()))[draft.key].problems == {}
    assert sorted_as(rig, first)[:2] == ({"a"}, {f"{prefix} A"})


def test_a_key_that_another_product_bears_keeps_no_sorting_back(
    rig: ShopifyRig, make: Make, prefix: str
) -> None:
    draft, first = first_push(rig, make.simple(1, tags=("hub",)))
    theirs = rig.stranger(f"{prefix}-2")
    (held,) = read(rig.connect(), theirs).values()
    taken = replace(make.simple(2).variants[0], external_id=held.external_id)
    ours = replace(draft, external_id=theirs, variants=(taken,), tags=("new",))
    for _ in range(2):
        result = push(rig.connect(), ours)[draft.key]
        assert result.problem is None and list(result.problems) == ["key"]
        assert "already assigned" in result.problems["key"]
        assert sorted_as(rig, result)[0] == {"new"}
    rig.delete(str(first.external_id))
    assert push(rig.connect(), ours)[draft.key].problems == {}
    assert push(rig.connect(), replace(ours, external_id=None))[draft.key].external_id == theirs


def test_sorting_that_is_not_understood_keeps_nothing_back(
    rig: ShopifyRig, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, _ = first_push(rig, make.simple(1, tags=("hub",)))
    other, _ = first_push(rig, make.simple(2))
    shop = rig.connect()
    change = shop._graphql.change

    def stumbles(name: str, **variables: Any) -> Any:
        if name == "Sort":
            raise Permanent("The shop does not understand the hub's call.")
        return change(name, **variables)

    monkeypatch.setattr(shop._graphql, "change", stumbles)
    results = push(shop, replace(draft, tags=("new",), title="Renamed"), replace(other, title="Renamed"))
    assert results[draft.key].problems == {"sorting": "The shop does not understand the hub's call."}
    assert set(results[draft.key].variant_ids) == {"v1"} and results[other.key].problems == {}
