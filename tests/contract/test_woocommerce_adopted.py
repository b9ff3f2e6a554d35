"""Products that a WooCommerce's owner made before the hub came: some stay his, some become ours, none is doubled."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ProductDraft, ShopListing, VariantDraft
from connectors.shops.woocommerce.mapping import OUR_KEY
from tests.contract.shops import LOST, PATIENCE, Make, WooRig, push, read

CHANNEL = "woocommerce"
pytestmark = pytest.mark.usefixtures("woo")


@pytest.fixture
def theirs(woo: WooRig, prefix: str) -> dict[str, ShopListing]:
    """The owner's own shirt in two sizes, with a SKU of its own, by SKU."""
    sizes = {"name": "Size", "visible": True, "variation": True, "options": ["S", "M"]}
    fields = {"name": "Own shirt", "type": "variable", "sku": f"{prefix}-OWN", "attributes": [sizes]}
    number = woo.rest("POST", "products", json=fields)["id"]
    for size in "SM":
        row = {"sku": f"{prefix}-{size}", "regular_price": "5.00"}
        choice = [{"name": "Size", "option": size}]
        woo.rest("POST", f"products/{number}/variations", json={**row, "attributes": choice})
    return read(woo.connect(), str(number))


def draft(make: Make, *held: ShopListing, **changes: Any) -> ProductDraft:
    variants = tuple(
        VariantDraft(f"a{one.sku[-1]}", one.sku, make.money("8.00"), 6, external_id=one.external_id, options=one.options)
        for one in held
    )  # fmt: skip
    return replace(ProductDraft(f"{make.prefix}-k", "Hub shirt", variants, external_id=held[0].parent_id), **changes)  # fmt: skip


def test_one_size_of_the_owners_shirt_is_traded_and_nothing_else_changes(
    woo: WooRig, make: Make, prefix: str, theirs: dict[str, ShopListing]
) -> None:
    """To the hub it is a product without a choice."""
    small, medium = theirs[f"{prefix}-S"], theirs[f"{prefix}-M"]
    before = {one["sku"]: one for one in woo.held(prefix)}
    single = draft(make, replace(small, options=()), trade_only=True)
    assert single.simple
    result = push(woo.connect(), single)[single.key]
    assert (result.problem, result.problems, result.variant_ids) == (None, {}, {"aS": small.external_id})
    held = {one["sku"]: one for one in woo.held(prefix)}
    now = held[small.sku]
    assert (now["regular_price"], now["manage_stock"], now["stock_quantity"]) == ("8.00", True, 6)
    kept = ("status", "attributes", "meta_data", "weight", "description", "global_unique_id")
    assert {name: now[name] for name in kept} == {name: before[small.sku][name] for name in kept}
    assert held[medium.sku] == before[medium.sku]
    named = ("name", "sku", "status", "slug", "tags", "categories", "attributes", "meta_data")
    own = f"{prefix}-OWN"
    assert {name: held[own][name] for name in named} == {name: before[own][name] for name in named}


def test_a_size_the_owners_shirt_has_not_is_told_and_not_made(
    woo: WooRig, make: Make, prefix: str, theirs: dict[str, ShopListing]
) -> None:
    both = draft(make, *theirs.values(), trade_only=True)
    extra = VariantDraft("aL", f"{prefix}-L", make.money("8.00"), 6, options=(("Size", "L"),))
    result = push(woo.connect(), replace(both, variants=(*both.variants, extra)))[both.key]
    assert set(result.variant_ids) == {"aS", "aM"} and result.problem is None
    assert "whose page is its owner's" in result.problems["aL"]
    assert {one["sku"] for one in woo.held(prefix)} == {f"{prefix}-OWN", f"{prefix}-S", f"{prefix}-M"}


def test_the_owners_shirt_becomes_ours_and_keeps_its_sku(
    woo: WooRig, make: Make, prefix: str, theirs: dict[str, ShopListing]
) -> None:
    ours = draft(make, *theirs.values())
    result = push(woo.connect(), ours)[ours.key]
    assert result.problem is None and set(result.variant_ids.values()) == {
        one.external_id for one in theirs.values()
    }
    held = {one["sku"]: one for one in woo.held(prefix)}
    assert set(held) == {f"{prefix}-OWN", f"{prefix}-S", f"{prefix}-M"}
    assert held[f"{prefix}-OWN"]["name"] == "Hub shirt"
    keys = {
        sku: [meta["value"] for meta in one["meta_data"] if meta["key"] == OUR_KEY]
        for sku, one in held.items()
    }
    assert keys == {f"{prefix}-OWN": [ours.key], f"{prefix}-S": ["aS"], f"{prefix}-M": ["aM"]}


def test_what_sells_nothing_is_not_offered_for_adoption(woo: WooRig, prefix: str) -> None:
    """A variable product without variations sells nothing; other kinds: tests/unit/test_woocommerce_shelf.py."""
    own = {"name": "Own", "regular_price": "5.00"}
    woo.rest("POST", "products", json={**own, "sku": f"{prefix}-V", "type": "variable"})
    draft = woo.rest("POST", "products", json={**own, "sku": f"{prefix}-D", "status": "draft"})
    found = [one for one in woo.connect().everything() if one.sku.startswith(prefix)]
    assert [(one.external_id, one.status) for one in found] == [(str(draft["id"]), "draft")]


@pytest.mark.parametrize("kind", [*LOST[:4], "drop_before"])
def test_a_lost_answer_about_an_owners_product_changes_nothing_else(
    woo: WooRig, make: Make, prefix: str, kind: str
) -> None:
    if not woo.can_fail:
        pytest.skip("a live shop's faults cannot be switched")
    number = woo.stranger(f"{prefix}-1")
    (held,) = read(woo.connect(), number).values()
    single = ProductDraft(
        "t", "Hub", (VariantDraft("a", held.sku, make.money("8.00"), 6, external_id=number),), number,
        trade_only=True,
    )  # fmt: skip
    woo.fail(kind)
    result = push(woo.connect(patience=PATIENCE), single)["t"]
    assert (result.problem, result.variant_ids) == (None, {"a": number})
    (now,) = read(woo.connect(), number).values()
    assert now == replace(held, price=make.money("8.00"), stock=6)
    assert [one["meta_data"] for one in woo.held(prefix)] == [[]]
