"""What a shop has under some SKUs and GTINs, ours and its owner's: nothing is made a second time beside it."""

from dataclasses import replace

from connectors.base import ShopConnector, ShopListing
from tests.contract.shops import Make, Rig, known, push


def held(shop: ShopConnector, skus: list[str], gtins: list[str]) -> dict[str, ShopListing]:
    """By SKU; a search may tell of others that only begin alike."""
    found = {one.sku: one for one in shop.holders(skus, gtins)}
    asked = {sku.casefold() for sku in skus}
    return {
        sku: one for sku, one in found.items() if sku.casefold() in asked or (one.gtin and one.gtin in gtins)
    }


def test_ours_bear_our_key_and_the_owners_none(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    simple, shirt = make.simple(1, gtin=make.gtin()), make.variable(2)
    results = push(shop, simple, shirt)
    own = rig.stranger(f"{make.prefix}-own")
    skus = [variant.sku.lower() for draft in (simple, shirt) for variant in draft.variants]
    found = held(shop, [*skus, f"{make.prefix}-OWN", f"{make.prefix}-nobody's"], [])
    assert set(found) == {v.sku for draft in (simple, shirt) for v in draft.variants} | {f"{make.prefix}-own"}
    assert (found[f"{make.prefix}-own"].key, found[f"{make.prefix}-own"].status) == (None, "live")
    assert own in (found[f"{make.prefix}-own"].external_id, found[f"{make.prefix}-own"].parent_id)
    for draft in (simple, shirt):
        ours = known(draft, results[draft.key])
        for variant in ours.variants:
            one = found[variant.sku]
            assert one.external_id == variant.external_id and one.key in (draft.key, variant.key)
            page = ours.external_id if one.external_id != ours.external_id else None
            assert one.parent_id == page


def test_a_variant_is_read_by_its_id_whatever_its_sku_became(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    simple, shirt = make.simple(1), make.variable(2)
    results = push(shop, simple, shirt)
    rig.stranger(f"{make.prefix}-own")
    own = held(shop, [f"{make.prefix}-own"], [])[f"{make.prefix}-own"]
    renamed = replace(simple.variants[0], sku=f"{make.prefix}-renamed")
    push(shop, known(replace(simple, variants=(renamed,)), results[simple.key]))
    ids = {result.variant_ids[key]: draft.key for draft in (simple, shirt) for result in [results[draft.key]]
           for key in result.variant_ids}  # fmt: skip
    gone = "gid://shopify/ProductVariant/9" if own.external_id.startswith("gid") else "999999999"
    found = {one.external_id: one for one in shop.variants([*ids, own.external_id, gone])}
    assert set(found) == {*ids, own.external_id}
    assert found[own.external_id] == own and own.key is None
    for name, key in ids.items():
        assert found[name].key == key or found[name].key in {v.key for v in shirt.variants}
    assert [one.sku for one in found.values() if one.sku.endswith("renamed")] == [f"{make.prefix}-renamed"]
    assert list(shop.variants([])) == []


def test_what_bears_a_gtin_is_found_under_any_sku(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    simple = make.simple(1, gtin=make.gtin())
    push(shop, simple)
    gtin = str(simple.variants[0].gtin)
    assert set(held(shop, [], [gtin, make.gtin()])) == {simple.variants[0].sku}
    assert set(held(shop, [f"{make.prefix}-none"], [])) == set()
    assert list(shop.holders([], [])) == []


def test_everything_tells_whose_it_is(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    push(shop, make.simple(1), make.variable(2))
    rig.stranger(f"{make.prefix}-own")
    keys = {one.sku: one.key for one in shop.everything() if one.sku.startswith(make.prefix)}
    assert keys.pop(f"{make.prefix}-own") is None
    assert len(keys) == 4 and all(keys.values())


def test_a_word_that_a_search_would_read_otherwise_is_taken_literally(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    odd = f'{make.prefix}-"OR" a:b (c)'
    push(shop, replace(make.simple(1), variants=(replace(make.simple(1).variants[0], sku=odd),)))
    assert set(held(shop, [odd], [])) == {odd}
