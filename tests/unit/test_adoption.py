"""Which of a shop's own things are ours: by SKU, else by a valid GTIN, and never by a guess."""

from typing import Any

import pytest

from connectors.base import ShopListing
from core.money import Money
from pipelines.listings.own import Match, Ours, gtin_forms, matches, whole_gtin

GTIN = "4006381333931"


def ours(
    variant: int, sku: str, *, product: int | None = None, gtin: str | None = None, **there: Any
) -> Ours:
    return Ours(variant, product or variant, sku, gtin, f"Thing {product or variant}", **there)


def held(number: str, sku: str = "", parent: str | None = None, **facts: object) -> ShopListing:
    return ShopListing(number, parent, **{"status": "live", "sku": sku, **facts})  # type: ignore[arg-type]


def plain(found: list[Match]) -> list[tuple[str, int | None, str, str | None]]:
    return [(match.held.external_id, match.variant_id, match.reason, match.problem) for match in found]


def test_a_sku_fits_without_regard_to_case_and_the_rest_is_left_alone() -> None:
    found = matches(
        [ours(1, "NORD-a"), ours(2, "NORD-b")], [held("10", "nord-A "), held("11", "OTHER"), held("12")]
    )
    assert plain(found) == [("10", 1, "sku", None)]


def test_a_gtin_fits_in_any_length_but_a_false_one_never_does() -> None:
    there = [
        held("10", "X", gtin="0" + GTIN),
        held("11", "Y", gtin="4006381333932"),
        held("12", "Z", gtin=""),
    ]
    found = matches([ours(1, "A", gtin=GTIN), ours(2, "B", gtin="4006381333932")], there)
    assert plain(found) == [("10", 1, "gtin", None)]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (GTIN, "0" + GTIN), ("96385074", "00000096385074"), ("036000291452", "00036000291452"), ("4006381333932", None),
        ("400638133393", None), ("00000000000000", None), ("٤٠٠٦٣٨١٣٣٣٩٣١", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_a_gtin_counts_only_with_its_check_digit(text: str | None, whole: str | None) -> None:
    assert whole_gtin(text) == whole


def test_all_ways_of_writing_a_gtin_are_told() -> None:
    assert gtin_forms(GTIN) == ["0" + GTIN, GTIN]
    assert gtin_forms("96385074") == ["00000096385074", "0000096385074", "000096385074", "96385074"]
    assert gtin_forms("036000291452") == ["00036000291452", "0036000291452", "036000291452"]
    assert gtin_forms("4006381333932") == gtin_forms(None) == []


NUMBERED: dict[str, Any] = {"numbers": (("NORDEN", "L-0"), ("SÜD", "77"))}


@pytest.mark.parametrize(("code", "sku"), [("NORDEN", "l-0 "), ("SÜD", "77")])
def test_a_suppliers_number_is_never_clear(code: str, sku: str) -> None:
    found = matches([ours(1, "NORDEN-L-0", **NUMBERED), ours(2, "B")], [held("10", sku)])
    assert plain(found) == [
        ("10", 1, "code", f"Its SKU is {code}'s own number of NORDEN-L-0: adopt it if it is the same.")
    ]
    assert found[0].fits == (1,)


def test_a_gtin_settles_what_a_suppliers_number_leaves_open() -> None:
    mine = [ours(1, "NORDEN-L-0", gtin=GTIN, **NUMBERED)]
    assert plain(matches(mine, [held("10", "L-0", gtin=GTIN)])) == [("10", 1, "gtin", None)]
    assert matches(mine, [held("10", "L-0", gtin="96385074")]) == []  # it is something else
    assert [match.reason for match in matches(mine, [held("10", "L-0", gtin="not one")])] == ["code"]


def test_a_suppliers_number_counts_least_and_twins_wait_for_a_person() -> None:
    mine = [ours(1, "NORDEN-L-0", gtin=GTIN, **NUMBERED)]
    assert [match.held.external_id for match in matches(mine, [held("10", "L-0"), held("11", "X", gtin=GTIN)])] == ["11"]  # fmt: skip
    several = "The shop has 2 things with this supplier's number: choose the one to be ours."
    assert plain(matches(mine, [held("10", "L-0"), held("11", "l-0")])) == [
        ("10", 1, "code", several), ("11", 1, "code", several),
    ]  # fmt: skip
    both = [*mine, ours(2, "WEST-L-0", numbers=(("WEST", "l-0"),))]
    (found,) = matches(both, [held("10", "L-0")])
    assert (found.variant_id, found.fits) == (None, (1, 2))
    assert found.problem == (
        "Its SKU as a supplier's number is that of 2 of our products (NORDEN-L-0, WEST-L-0): give it the SKU of the one it is."
    )


def test_the_sku_counts_more_than_the_gtin() -> None:
    found = matches([ours(1, "A", gtin=GTIN)], [held("10", "X", gtin=GTIN), held("11", "a")])
    assert plain(found) == [("11", 1, "sku", None)]


def test_two_there_for_one_of_ours_wait_for_a_person() -> None:
    found = matches([ours(1, "A")], [held("10", "A"), held("11", "a")])
    sentence = "The shop has 2 things with this SKU: choose the one to be ours."
    assert plain(found) == [("10", 1, "sku", sentence), ("11", 1, "sku", sentence)]


def test_two_of_ours_for_one_there_are_unclear_and_name_themselves() -> None:
    found = matches([ours(1, "A", gtin=GTIN), ours(2, "B", gtin=GTIN)], [held("10", "X", gtin=GTIN)])
    assert plain(found) == [
        (
            "10",
            None,
            "gtin",
            "Its GTIN is that of 2 of our products (A, B): give it the SKU of the one it is.",
        )
    ]


def test_what_we_hold_already_and_what_lies_in_the_trash_is_no_match() -> None:
    mine = [ours(1, "A", external_id="10", page="10"), ours(2, "B")]
    assert matches(mine, [held("10", "B"), held("11", "A"), held("12", "B", status="trash")]) == []


def test_one_product_here_that_is_several_there_is_unclear() -> None:
    mine = [ours(1, "A", product=7), ours(2, "B", product=7), ours(3, "C")]
    found = matches(mine, [held("10", "A"), held("11", "B"), held("12", "C")])
    assert [(match.held.external_id, match.variant_id) for match in found] == [
        ("10", None),
        ("11", None),
        ("12", 3),
    ]
    assert found[0].problem == (
        "Thing 7 is one product here and 2 products in the shop: join them there, or leave them and sell ours under other SKUs."
    )


def test_several_products_here_that_are_one_there_are_unclear() -> None:
    there = [held("11", "A", "10"), held("12", "B", "10")]
    assert [match.variant_id for match in matches([ours(1, "A"), ours(2, "B")], there)] == [None, None]
    # … also where one of them is there already
    mine = [ours(1, "A", external_id="11", page="10"), ours(2, "B")]
    assert [match.variant_id for match in matches(mine, there)] == [None]


def test_a_variant_joins_the_page_that_its_product_has_there() -> None:
    mine = [ours(1, "A", product=7, external_id="11", page="10"), ours(2, "B", product=7)]
    assert plain(matches(mine, [held("11", "A", "10"), held("12", "B", "10")])) == [("12", 2, "sku", None)]


def test_what_is_shown_says_how_the_shop_cuts_the_product() -> None:
    there = [
        held(
            "11",
            "A",
            "10",
            title="Umbrella",
            price=Money.of("9.90", "EUR"),
            stock=3,
            options=(("Colour", "Red"),),
        ),
        held("12", "B", "10", title="Umbrella", options=(("Colour", "Blue"),)),
    ]
    (match,) = matches([ours(1, "A")], there)
    assert match.page == "10"
    assert match.seen == {
        "title": "Umbrella", "sku": "A", "gtin": None, "status": "live", "stock": 3, "price": "9.90", "variants": 2,
        "options": {"Colour": "Red"}, "alone": False,
    }  # fmt: skip


def test_what_bears_our_key_of_what_it_fits_is_no_match_and_another_hubs_key_is_nothing() -> None:
    mine = [ours(1, "A", product=7), ours(2, "B", product=8)]
    there = [held("10", "a", key="7"), held("11", "b", key="2"), held("12", "b", key="99")]
    assert plain(matches(mine, there)) == [("12", 2, "sku", None)]


def test_all_that_a_thing_may_be_is_told_also_where_it_is_not_clear() -> None:
    mine = [
        ours(1, "A", gtin=GTIN),
        ours(2, "B", gtin=GTIN),
        ours(3, "C", product=9),
        ours(4, "D", product=9),
    ]
    found = matches(mine, [held("10", "X", gtin=GTIN), held("11", "C"), held("12", "D"), held("13", "A")])
    assert [(match.held.external_id, match.variant_id, match.fits) for match in found] == [
        ("10", None, (1, 2)), ("11", None, (3,)), ("12", None, (4,)), ("13", 1, (1,)),
    ]  # fmt: skip
