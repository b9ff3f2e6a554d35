"""What a shop should hold, as values: options that tell variants apart, drafts, and the drift field by field."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ShopListing
from core.money import Money
from pipelines.listings.draft import CHOICE, distinct_options, draft, drift, seen


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
        st.dictionaries(st.sampled_from(["Farbe", "Größe"]), st.text(max_size=3)), min_size=2, max_size=6
    )
)
def test_no_two_variants_of_a_product_ever_look_alike(options: list[dict[str, str]]) -> None:
    several = variants(*options)
    distinct_options(several)
    shapes = {tuple(value.casefold() for value in each["options"].values()) for each in several}
    assert len(shapes) == len(several)
    assert len({tuple(each["options"]) for each in several}) == 1


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
