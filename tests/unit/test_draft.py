"""What a shop should hold, as values: options that tell variants apart, drafts, and the drift field by field."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ShopListing
from core.errors import Refused
from core.money import Money
from pipelines.listings.draft import (
    CHOICE,
    distinct_options,
    draft,
    drift,
    seen,
    shown_pictures,
    wanted_product,
    wanted_variant,
)
from pipelines.listings.settings import ShopSettings
from pipelines.listings.templates import cut, slug


def variants(*options: dict[str, str]) -> list[dict[str, Any]]:
    return [{"sku": f"N-{number}", "options": dict(each)} for number, each in enumerate(options)]


def test_a_single_variant_keeps_its_options() -> None:
    one = variants({})
    distinct_options(one)
    assert one[0]["options"] == {}


def test_missing_options_are_filled_so_that_every_variant_names_every_choice() -> None:
    two = variants({"Farbe": "Rot", "Größe": "M"}, {"Farbe": "Blau"})
    distinct_options(two)
    assert [each["options"] for each in two] == [
        {"Farbe": "Rot", "Größe": "M"},
        {"Farbe": "Blau", "Größe": "–"},
    ]


def test_variants_alike_but_for_case_are_told_apart_by_their_sku() -> None:
    two = variants({"Farbe": "Rot"}, {"Farbe": "ROT"})
    distinct_options(two)
    assert [each["options"][CHOICE] for each in two] == ["N-0", "N-1"]


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["Farbe", "farbe ", "Größe", "artikel"]), st.text(max_size=3)),
        min_size=2,
        max_size=6,
    )
)
def test_no_two_variants_of_a_product_ever_look_alike(options: list[dict[str, str]]) -> None:
    several = variants(*options)
    distinct_options(several)
    shapes = {tuple(value.strip().casefold() for value in each["options"].values()) for each in several}
    assert len(shapes) == len(several)
    (names,) = {tuple(each["options"]) for each in several}
    assert len({name.strip().casefold() for name in names}) == len(names) <= 3
    assert all(value.strip() for each in several for value in each["options"].values())


def test_what_fills_all_options_of_a_shop_is_told_apart_in_the_last() -> None:
    alike = {"Farbe": "Rot", "Größe": "M", "Maß": "1"}
    two = variants(alike, alike)
    distinct_options(two)
    assert [each["options"] for each in two] == [{**alike, "Maß": "1 · N-0"}, {**alike, "Maß": "1 · N-1"}]


PAGE = {
    "title": "Schirm",
    "description": "",
    "brand": None,
    "category": ["Haus"],
    "images": [],
    "kind": "goods",
}
WANTED = {
    "sku": "N-1",
    "price": "12.90",
    "currency": "EUR",
    "stock": 3,
    "gtin": None,
    "options": {},
    "weight_g": None,
    "image": None,
}


def test_a_draft_carries_what_is_wanted() -> None:
    made = draft(
        PAGE, "77", {"https://i.example/1": "9"}, "5", [{"key": "8", "external_id": "77", "wanted": WANTED}]
    )
    assert made.simple
    assert (made.key, made.external_id, made.title, made.category) == ("5", "77", "Schirm", ("Haus",))
    assert made.variants[0].price == Money(1290, "EUR")
    assert made.variants[0].stock == 3


def test_drift_names_each_field_that_differs() -> None:
    true = seen(ShopListing("77", None, "live", "N-1", "Schirm", Money(1290, "EUR"), 3))
    assert drift("Schirm", WANTED, true) == []
    other = seen(ShopListing("77", None, "trash", "N-1", "Schirm!", Money(1, "EUR"), None))
    assert drift("Schirm", WANTED, other) == [
        ["status", "live", "trash"], ["title", "Schirm", "Schirm!"], ["price", "12.90", "0.01"], ["stock", 3, None],
    ]  # fmt: skip


def test_a_tag_of_ours_that_is_gone_from_its_page_is_drift() -> None:
    there = ShopListing("77", "7", "live", "N-1", "Schirm", Money(1290, "EUR"), 3, tags=("His", "SALE  now"))
    assert drift("Schirm", WANTED, seen(there, ["Sale now"])) == []
    assert drift("Schirm", WANTED, seen(there, ["Sale now", "new", "blue"])) == [["tags", "new, blue", None]]
    untold = replace(there, tags=None)
    assert "tags" not in seen(untold, ["new"]), "a channel that does not tell tags as they were sent"


def test_a_picture_of_ours_that_could_not_be_fetched_is_drift() -> None:
    there = ShopListing("77", "7", "live", "N-1", "Schirm", Money(1290, "EUR"), 3, failed_images=("m1", "m9"))
    held = seen(there, (), {"https://i.example/a": "m1", "https://i.example/b": "m2"})
    assert drift("Schirm", WANTED, held) == [["pictures", "https://i.example/a", None]]
    assert drift("Schirm", WANTED, seen(there)) == [], "the owner's own"


# ---------------------------------------------------------------- a shop's own texts
ROW = {
    "product_title": "Lampe Oslo", "description": "Hell & warm\nFür <2 m", "brand": "Norden", "category": "Licht > Tisch > Klein",
    "product_images": ["https://i.example/1"], "kind": "goods", "sku": "N-1", "gtin": "4006381333931", "supplier": "Nordlicht",
    "free": 3, "options": {}, "weight_g": 500, "variant_images": [],
}  # fmt: skip


def page(**settings: Any) -> dict[str, Any]:
    return wanted_product(ROW, ShopSettings.read(settings))


def test_without_settings_a_page_is_as_the_supplier_writes_it() -> None:
    assert wanted_product(ROW) == page() == {
        "title": "Lampe Oslo", "description": "Hell & warm\nFür <2 m", "brand": "Norden", "category": ["Licht", "Tisch", "Klein"],
        "images": ["https://i.example/1"], "kind": "goods",
    }  # fmt: skip


def test_patterns_write_title_description_handle_and_tags() -> None:
    made = page(
        title_template="{brand|upper}: {title|8}[ ({gtin})]", handle_template="{title} {sku}", tags=["{category|last}", "{brand}", "{brand}"],
        description_template='<h2 onclick="x()">{title}</h2>{description}<script>alert(1)</script><a href="javascript:x()">{supplier}</a>',
    )  # fmt: skip
    assert made["title"] == "NORDEN: Lampe… (4006381333931)"
    assert made["handle"] == "lampe-oslo-n-1"
    assert made["tags"] == ["Klein", "Norden"]
    assert made["description"] == "<h2>Lampe Oslo</h2>Hell &amp; warm<br>Für &lt;2 m<a>Nordlicht</a>"


def test_a_title_that_a_pattern_leaves_empty_is_the_suppliers() -> None:
    bare = {**ROW, "brand": None}
    assert wanted_product(bare, ShopSettings.read({"title_template": "[{brand}]"}))["title"] == "Lampe Oslo"


def test_the_longest_head_of_a_category_that_the_shop_names_counts() -> None:
    named = {"Licht": "Lights", "Licht > Tisch": "Home > Table lamps", "Tisch": "Never"}
    assert page(categories=named)["category"] == ["Home", "Table lamps"]
    assert page(categories={"Licht": "Lights"}, category_default="Rest")["category"] == ["Lights"]
    assert page(categories={"Haus": "Home"}, category_default="Rest")["category"] == ["Rest"]
    assert page(categories={"Haus": "Home"})["category"] == ["Licht", "Tisch", "Klein"]
    assert wanted_product({**ROW, "category": None}, ShopSettings.read({"category_default": "Rest"}))[
        "category"
    ] == ["Rest"]


def test_a_draft_carries_customs_the_struck_price_and_what_the_shop_would_show() -> None:
    row = {**ROW, "hs_code": "94052190", "origin": "SE"}
    wanted = wanted_variant(row, Money(1290, "EUR"), Money(1500, "EUR"))
    assert wanted["price"] == "12.90"
    content = {**wanted_product(ROW), "handle": "lampe", "tags": ["Neu"]}
    variant = {"key": "8", "external_id": "77", "wanted": wanted, "sent": {"stock": 7}}
    made = draft(content, "7", {}, "5", [variant], trade_only=True)
    assert (made.handle, made.tags, made.trade_only) == ("lampe", ("Neu",), True)
    one = made.variants[0]
    assert (one.before, one.stock, one.hs_code, one.origin, one.compare_at) == (
        7,
        3,
        "94052190",
        "SE",
        Money(1500, "EUR"),
    )
    unknown = draft(content, "7", {}, "5", [{**variant, "sent": None}]).variants[0]
    assert unknown.before is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_supplier_writes_stays_text_in_a_pattern(title: str, brand: str) -> None:
    row = {**ROW, "product_title": title, "brand": brand, "description": title}
    made = wanted_product(row, ShopSettings.read({"description_template": "<p>{title}</p><p>{brand}</p>"}))
    assert made["description"].count("<") == 4
    slugged = wanted_product(row, ShopSettings.read({"handle_template": "{title}-{brand}"}))
    assert slugged.get("handle", "") == slug(f"{' '.join(f'{title}-{brand}'.split())}")


@given(st.text(max_size=60), st.integers(1, 30))
def test_a_text_is_never_longer_than_it_may_be(text: str, most: int) -> None:
    assert len(cut(text, most)) <= most
    assert cut(text, most) == text or cut(text, most).endswith("…")


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("{titel}", "no name that can be filled in"), ("{title|shout}", "'shout' behind {title} is unknown"), ("{title|0}", "unknown"),
        ("a]", "no partner"), ("[a", "no partner"), ("{title", "no partner"), ("{title.__class__}", "no name"), ("{}", "no name"),
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_be_filled_is_refused_when_it_is_stored(pattern: str, word: str) -> None:
    with pytest.raises(Refused, match="title_template") as caught:
        ShopSettings.read({"title_template": pattern})
    assert word in str(caught.value)


def test_doubled_brackets_are_meant_themselves() -> None:
    assert page(title_template="{title} [[neu]] {{x}}")["title"] == "Lampe Oslo [neu] {x}"


def test_a_page_has_the_pictures_of_the_variants_that_are_sold() -> None:
    every = [f"https://i.example/{name}" for name in "abcd"]
    a, b, c, d = every
    red = {"product_images": every, "variant_images": [c, a]}
    blue = {"product_images": every, "variant_images": [d, c, "https://i.example/unknown"]}
    assert shown_pictures(red) == [a, c]
    assert shown_pictures(blue, shown_pictures(red)) == [a, c, d]
    assert shown_pictures({**red, "variant_images": []}) == []
    assert b in every and b not in shown_pictures(blue, shown_pictures(red)), "another variant's alone"
