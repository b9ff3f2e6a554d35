"""What a product's page shows in every channel, what of it is its owner's, and how the shop's own products are found."""

from dataclasses import replace

import pytest

from connectors.base import ProductDraft, ShopConnector, ShopListing, VariantDraft
from core.errors import Temporary
from core.money import Money
from tests.contract.shops import Make, Rig, assert_no_doubles, assert_true, expected, known, push, read


def test_a_page_has_its_address_tags_and_place(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    handle = f"{prefix.lower()}-blue-mug"
    path = (f"{prefix} Kitchen & Co", f"{prefix} Mugs")
    draft = make.simple(1, handle=handle, tags=(f"{prefix} new", f"{prefix} blue"), category=path)
    result = push(shop, draft)[draft.key]
    page = rig.page(str(result.external_id), make.currency)
    assert (page.title, page.handle) == (draft.title, handle)
    assert page.tags == {f"{prefix} new", f"{prefix} blue"}
    assert path[-1] in page.places


def test_an_address_people_know_stays(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    draft = make.simple(1, handle=f"{prefix.lower()}-mug")
    result = push(shop, draft)[draft.key]
    again = replace(known(draft, result), handle=f"{prefix.lower()}-other", title="Renamed")
    assert push(shop, again)[draft.key].problem is None
    page = rig.page(str(result.external_id), make.currency)
    assert (page.handle, page.title) == (f"{prefix.lower()}-mug", "Renamed")


def test_two_products_of_one_address_get_two(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    drafts = [make.simple(number, handle=f"{prefix.lower()}-mug") for number in (1, 2)]
    results = push(shop, *drafts)
    assert [one.problem for one in results.values()] == [None, None]
    handles = {rig.page(str(one.external_id), make.currency).handle for one in results.values()}
    assert len(handles) == 2 and f"{prefix.lower()}-mug" in handles


def test_the_owners_tags_stay_and_ours_are_added(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    draft = make.simple(1, tags=(f"{prefix} new",))
    result = push(shop, draft)[draft.key]
    rig.tag(str(result.external_id), f"{prefix} gift")
    again = replace(known(draft, result), tags=(f"{prefix} new", f"{prefix} blue"))
    assert push(shop, again)[draft.key].problem is None
    tags = rig.page(str(result.external_id), make.currency).tags
    assert tags == {f"{prefix} new", f"{prefix} gift", f"{prefix} blue"}


def test_a_price_is_struck_through_and_no_longer(rig: Rig, make: Make) -> None:
    """The wanted price is what is paid, with another above it or without."""
    shop = rig.connect()
    drafts = [make.simple(1, compare_at=make.money("15.00")), make.variable(2, sizes="S")]
    drafts[1] = replace(
        drafts[1],
        variants=(replace(drafts[1].variants[0], compare_at=make.money("25.00")),),
    )
    results = push(shop, *drafts)
    assert prices(rig, make, results[drafts[0].key].external_id) == [("12.50", "15.00")]
    assert prices(rig, make, results[drafts[1].key].external_id) == [("19.50", "25.00")]
    for draft in drafts:
        assert read(shop, results[draft.key].external_id) == expected(draft, results[draft.key])
    over = [known(draft, results[draft.key]) for draft in drafts]
    over = [replace(one, variants=(replace(one.variants[0], compare_at=None),)) for one in over]
    after = push(shop, *over)
    assert prices(rig, make, after[drafts[0].key].external_id) == [("12.50", None)]
    assert prices(rig, make, after[drafts[1].key].external_id) == [("19.50", None)]
    for draft in over:
        assert read(shop, after[draft.key].external_id) == expected(draft, results[draft.key])


def test_of_an_owners_product_only_price_and_stock_are_changed(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    theirs = rig.stranger(f"{prefix}-1")
    rig.tag(theirs, f"{prefix} gift")
    before = rig.page(theirs, make.currency)
    (held,) = read(shop, theirs).values()
    draft = adopted(make, held)
    result = push(shop, draft)[draft.key]
    assert (result.problem, result.problems, result.unknown) == (None, {}, False)
    assert result.variant_ids == {"a": held.external_id}
    after = rig.page(theirs, make.currency)
    assert after == replace(before, prices={f"{prefix}-1": (make.money("8.00"), make.money("9.50"))})
    (now,) = read(shop, theirs).values()
    assert now == replace(held, price=make.money("8.00"), stock=6, stock_id=now.stock_id)


def test_an_owners_product_becomes_ours_where_he_gives_it(rig: Rig, make: Make, prefix: str) -> None:
    """From then on it bears our key: also where the hub lost its number it is found, and not doubled."""
    shop = rig.connect()
    theirs = rig.stranger(f"{prefix}-1")
    (held,) = read(shop, theirs).values()
    draft = make.simple(1)
    given = replace(
        draft,
        external_id=held.parent_id or held.external_id,
        variants=(replace(draft.variants[0], external_id=held.external_id),),
    )
    result = push(shop, given)[draft.key]
    assert_true(shop, [draft], {draft.key: result})
    assert result.external_id == theirs
    assert push(rig.connect(), draft)[draft.key].external_id == theirs
    assert_no_doubles(rig, prefix, {f"{prefix}-1"})


def test_an_owners_product_that_is_gone_is_not_made_again(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    theirs = rig.stranger(f"{prefix}-1")
    draft = adopted(make, next(iter(read(shop, theirs).values())))
    rig.delete(theirs)
    result = push(shop, draft)[draft.key]
    assert result.problem or result.problems
    assert rig.held(prefix) == []


def test_everything_the_shop_sells_is_told_whoever_made_it(rig: Rig, make: Make, prefix: str) -> None:
    shop = rig.connect()
    theirs, thrown = rig.stranger(f"{prefix}-T"), rig.stranger(f"{prefix}-X")
    ours = [make.simple(1), make.variable(2)]
    results = push(shop, *ours)
    rig.trash(thrown)
    found = everything(shop, prefix)
    (stranger,) = read(shop, theirs).values()
    wanted = {f"{prefix}-T": stranger}
    for draft in ours:
        wanted |= expected(draft, results[draft.key])
    assert set(found) == set(wanted)
    for sku, listing in wanted.items():
        assert replace(found[sku], stock_id=None, tags=None, key=None) == replace(listing, stock_id=None)


class Meter:
    """A pace that counts, and refuses where it is told to."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.ends: list[bool] = []
        self.refuses = False

    def take(self, cost: float) -> None:
        if self.refuses:
            raise Temporary("The shop is left alone for a while.", retry_after=60)
        self.taken.append(cost)

    def told(self, *, left: float, most: float, a_second: float) -> None: ...

    def pause(self, seconds: float) -> None: ...

    def ended(self, *, well: bool) -> None:
        self.ends.append(well)


def test_the_pace_is_asked_before_every_call(faulty: Rig, make: Make) -> None:
    meter = Meter()
    shop = faulty.connect(pace=meter)
    before = len(faulty.calls())
    draft = make.variable(1)
    result = push(shop, draft)[draft.key]
    read(shop, result.external_id)
    calls = len(faulty.calls()) - before
    assert len(meter.taken) == len(meter.ends) == calls >= 3
    assert all(cost > 0 for cost in meter.taken) and all(meter.ends)
    meter.refuses = True
    with pytest.raises(Temporary, match="left alone") as caught:
        list(shop.everything())
    assert caught.value.retry_after == 60
    assert len(faulty.calls()) - before == calls, "nothing was sent"


def adopted(make: Make, held: ShopListing) -> ProductDraft:
    """The hub's own words for a product whose page is its owner's: none of them may get into the shop."""
    variant = VariantDraft(
        "a", held.sku, make.money("8.00"), 6, external_id=held.external_id, gtin=make.gtin(),
        weight_g=100, compare_at=make.money("9.50"),
    )  # fmt: skip
    return ProductDraft(
        "t", "Hub's own words", (variant,), external_id=held.parent_id or held.external_id, description="Hub",
        brand="Hub", category=("Hub",), handle="hub", tags=("hub",), trade_only=True,
    )  # fmt: skip


def prices(rig: Rig, make: Make, external_id: str | None) -> list[tuple[str, str | None]]:
    def written(money: Money | None) -> str | None:
        return None if money is None else format(money.amount, "f")

    found = rig.page(str(external_id), make.currency).prices.values()
    return [(str(written(price)), written(struck)) for price, struck in found]


def everything(shop: ShopConnector, prefix: str) -> dict[str, ShopListing]:
    return {one.sku: one for one in shop.everything() if one.sku.startswith(prefix)}
