"""What every shop connector must keep where nothing goes wrong; `shops.py` says against which shops."""

from dataclasses import replace

import pytest

from connectors.base import ProductDraft, ShopListing, StockLevel, VariantDraft
from core.errors import Misconfigured
from core.money import Money
from tests.contract.shops import Make, Rig, assert_no_doubles, assert_true, expected, known, last, push, read


def test_a_shop_tells_who_it_is(rig: Rig) -> None:
    facts = rig.connect().check()
    assert len(facts.currency) == 3 and facts.currency.isupper()
    assert facts.name and facts.version


def test_new_products_appear_as_they_were_wanted(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    drafts = [
        make.simple(
            1, description="<p>Blue</p>", brand="Acme", category=(f"{prefix} Kitchen", f"{prefix} Mugs")
        ),
        make.variable(2, brand="Acme"),
        make.simple(3, kind="service", stock=0, gtin=make.gtin()),
    ]
    results = list(shop.push(drafts))
    assert [result.key for result in results].count(drafts[1].key) == 2, (
        "ids of the product, then of its variants"
    )
    first = next(result for result in results if result.key == drafts[1].key)
    assert first.external_id and first.variant_ids == {}
    assert_true(shop, drafts, last(results))
    assert_no_doubles(rig, prefix, {v.sku for draft in drafts for v in draft.variants})


def test_a_change_reaches_the_same_product(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    drafts = [make.simple(1), make.variable(2)]
    before = push(shop, *drafts)
    changed = [known(draft, before[draft.key]) for draft in drafts]
    changed[0] = replace(
        changed[0],
        title="Renamed",
        variants=(replace(changed[0].variants[0], price=make.money("0.99"), stock=0),),
    )
    extra = VariantDraft(
        "v2X", f"{prefix}-2-X", make.money("25.00"), 4, options=(("Size", "X"), ("Fit", "wide"))
    )
    changed[1] = replace(changed[1], variants=(*changed[1].variants[1:], extra))
    after = push(shop, *changed)
    assert_true(shop, changed[:1], after)
    assert after[changed[1].key].external_id == before[changed[1].key].external_id
    for key, number in before[drafts[1].key].variant_ids.items():
        assert after[drafts[1].key].variant_ids.get(key, number) == number
    held = read(shop, after[changed[1].key].external_id)
    assert {sku: held[sku] for sku in expected(changed[1], after[changed[1].key])} == expected(
        changed[1], after[changed[1].key]
    )


def test_the_same_push_again_changes_nothing_and_doubles_nothing(rig: Rig, make: Make, prefix: str) -> None:
    """Also where the hub lost every id: its own key in the shop finds them."""
    drafts = [make.simple(1), make.variable(2)]
    first = push(rig.connect(), *drafts)
    again = push(rig.connect(), *drafts)
    assert {key: (r.external_id, r.variant_ids) for key, r in again.items()} == {
        key: (r.external_id, r.variant_ids) for key, r in first.items()
    }
    assert_true(rig.connect(), drafts, again)
    assert_no_doubles(rig, prefix, {v.sku for draft in drafts for v in draft.variants})


def test_a_refusal_is_a_value_and_the_others_go_in(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    good = make.simple(1)
    bad = [
        make.simple(2, title=""),
        make.simple(3, stock=-1),
        make.simple(4, price=Money(1, "XTS")),
        make.simple(5, sku=""),
        make.simple(6, variants=()),
    ]
    results = push(shop, *bad, good)
    for draft in bad:
        result = results[draft.key]
        assert result.problem and result.external_id is None and result.variant_ids == {}
    assert_true(shop, [good], {good.key: results[good.key]})


def test_one_bad_variant_does_not_keep_its_product_out(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    draft = make.variable(1)
    draft = replace(draft, variants=(*draft.variants[:2], replace(draft.variants[2], stock=-5)))
    result = push(shop, draft)[draft.key]
    assert result.problem is None
    assert set(result.variant_ids) == {"v1S", "v1M"}
    assert list(result.problems) == ["v1L"] and "-5" in result.problems["v1L"]


def test_a_strangers_product_is_never_taken_over(rig: Rig, make: Make, prefix: str) -> None:
    if not rig.unique_skus:
        pytest.skip("a SKU is no name in this channel")
    shop = rig.connect()
    theirs = rig.stranger(f"{prefix}-1")
    also = rig.stranger(f"{prefix}-2-M".lower())

    def untouched() -> list[tuple[str, ...]]:
        names = ("id", "sku", "name", "status", "regular_price", "date_modified_gmt", "meta_data")
        return [
            tuple(str(t[name]) for name in names) for t in rig.held(prefix) if str(t["id"]) in {theirs, also}
        ]

    before = untouched()
    assert len(before) == 2
    simple, variable = make.simple(1), make.variable(2)
    results = push(shop, simple, variable)
    assert results[simple.key].external_id is None
    problem = results[simple.key].problem or ""
    assert f"SKU {prefix}-1 is already used by another product" in problem and theirs in problem
    assert set(results[variable.key].variant_ids) == {"v2S", "v2L"}
    assert also in results[variable.key].problems["v2M"]
    assert untouched() == before


def test_stock_alone_is_set(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    drafts = [make.simple(1), make.simple(2), make.variable(3)]
    results = push(shop, *drafts)
    ids = {key: number for result in results.values() for key, number in result.variant_ids.items()}
    parent = results[drafts[2].key].external_id
    levels = [
        StockLevel("v1", ids["v1"], None, 0),
        StockLevel("v3M", ids["v3M"], parent, 41),
        StockLevel("v2", ids["v2"], None, 3),
        StockLevel("v3L", ids["v3L"], parent, 5),
        StockLevel("gone", "999999999", None, 5),
        StockLevel("bad", ids["v1"], None, -1),
    ]
    answers = last(list(shop.set_stock(levels)))
    assert {key for key, answer in answers.items() if answer.problem} == {"gone", "bad"}
    assert len(answers) == len(levels)
    wanted = {"v1": 0, "v2": 3, "v3M": 41, "v3L": 5}
    for draft in drafts:
        now = replace(
            draft, variants=tuple(replace(v, stock=wanted.get(v.key, v.stock)) for v in draft.variants)
        )
        assert read(shop, results[draft.key].external_id) == expected(now, results[draft.key])


def test_withdrawn_things_leave_the_sale_and_come_back_the_same(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    simple, variable = make.simple(1), make.variable(2)
    variable = replace(variable, variants=tuple(replace(one, stock=5) for one in variable.variants))
    results = push(shop, simple, variable)
    product, parent = results[simple.key].external_id, results[variable.key].external_id
    small = f"{parent}/{results[variable.key].variant_ids['v2S']}"
    targets = [str(product), small, "999999999"]
    answers = list(shop.withdraw(targets))
    assert sorted((answer.key, answer.problem) for answer in answers) == sorted(
        (target, None) for target in targets
    )
    held = read(shop, product, parent)
    assert {sku.rpartition("-")[2]: listing.status for sku, listing in held.items()} == {
        "1": "draft",
        "S": "draft" if rig.hides_variants else "live",
        "M": "live",
        "L": "live",
    }
    assert rig.hides_variants or held[variable.variants[0].sku].stock == 0
    drafts = [known(draft, results[draft.key]) for draft in (simple, variable)]
    back = push(shop, *drafts)
    assert_true(shop, drafts, back)
    assert back[simple.key].external_id == product


def test_a_whole_product_withdrawn_takes_its_variants_along(rig: Rig, make: Make) -> None:
    shop = rig.connect()
    draft = make.variable(1)
    result = push(shop, draft)[draft.key]
    assert [answer.problem for answer in shop.withdraw([str(result.external_id)])] == [None]
    assert read(shop, result.external_id) == expected(draft, result, status="draft")


def test_what_is_gone_is_told_and_made_anew(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    drafts = [make.simple(1), make.variable(2)]
    before = push(shop, *drafts)
    for draft in drafts:
        rig.delete(str(before[draft.key].external_id))
    gone = [str(before[draft.key].external_id) for draft in drafts]
    assert list(shop.read_back(gone)) == [ShopListing(number, None, "missing") for number in gone]
    wanted = [known(draft, before[draft.key]) for draft in drafts]
    after = push(shop, *wanted)
    assert_true(shop, drafts, after)
    assert not set(gone) & {result.external_id for result in after.values()}
    assert_no_doubles(rig, prefix, {v.sku for draft in drafts for v in draft.variants})


def test_our_product_in_the_trash_is_restored(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    drafts = [make.simple(1), make.variable(2)]
    before = push(shop, *drafts)
    for draft in drafts:
        rig.trash(str(before[draft.key].external_id))
    held = read(shop, *(result.external_id for result in before.values()))
    assert {listing.status for listing in held.values()} == {"trash"}
    again = push(shop, *drafts)
    assert {key: (r.external_id, r.variant_ids) for key, r in again.items()} == {
        key: (r.external_id, r.variant_ids) for key, r in before.items()
    }
    assert_true(shop, drafts, again)
    assert_no_doubles(rig, prefix, {v.sku for draft in drafts for v in draft.variants})


def test_a_strangers_product_in_the_trash_stays_there(rig: Rig, make: Make, prefix: str) -> None:
    if not rig.unique_skus:
        pytest.skip("a SKU is no name in this channel")
    theirs = rig.stranger(f"{prefix}-1")
    rig.trash(theirs)
    result = push(rig.connect(), make.simple(1))[make.simple(1).key]
    assert result.external_id is None
    assert "in this shop's trash" in (result.problem or "") and theirs in (result.problem or "")
    assert [(str(thing["id"]), thing["status"]) for thing in rig.held(prefix)] == [(theirs, "trash")]


def test_a_wrong_key_is_told_in_the_owners_words(rig: Rig) -> None:
    shop = rig.connect(secret="cs_canary_wrong")
    for attempt in (shop.check, lambda: list(shop.push([make_any()])), lambda: list(shop.read_back(["1"]))):
        with pytest.raises(Misconfigured, match="does not accept the key") as caught:
            attempt()
        assert "canary" not in str(caught.value)
    assert "canary" not in repr(shop)


def make_any() -> ProductDraft:
    return ProductDraft("k", "T", (VariantDraft("v", "S", Money(1, "EUR"), 1),))


def test_a_host_that_nobody_allowed_is_not_asked(rig: Rig) -> None:
    if not rig.can_fail:
        pytest.skip("a live shop may be public")
    before = len(rig.calls())
    with pytest.raises(Misconfigured, match="not a public address"):
        rig.connect(private_hosts=frozenset()).check()
    assert len(rig.calls()) == before
