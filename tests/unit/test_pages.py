"""Whose an adopted page is: what is told before it becomes ours, and what keeps it from becoming so."""

import re
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ShopListing
from pipelines.listings.pages import Difference, becoming_ours, staying

PAGE: dict[str, Any] = {
    "title": "Lampe Oslo", "description": "<p>Hell</p>", "brand": "NORD", "category": [], "images": ["https://x/1.jpg"],
    "kind": "goods",
}  # fmt: skip
FOUND = {"external_id": "20", "wanted": PAGE, "product_id": 1, "trade_only": True}
THERE = ShopListing("20", None, "live", "old-1", "Oslo lamp", gtin="4006381333931", image_count=4)
RED = ShopListing("21", "20", "live", "S-R", "Lampe Oslo", options=(("Colour", "Red"),), image_count=0)


def ours(
    number: str | None, sku: str, options: dict[str, str] | None = None, **wanted: Any
) -> dict[str, Any]:
    return {
        "external_id": number,
        "sku": sku,
        "wanted": {"sku": sku, "gtin": None, "options": options or {}, **wanted},
    }


def test_each_field_that_differs_is_told_and_what_is_equal_is_not() -> None:
    plan = becoming_ours(FOUND, [ours("20", "NORD-1", gtin="4006381333931")], [THERE])
    assert (plan.problem, plan.becomes, plan.title) == (None, "ours", "Oslo lamp")
    assert plan.differences == (
        Difference("", "title", "Oslo lamp", "Lampe Oslo"), Difference("", "pictures", "4", "1"),
        Difference("NORD-1", "SKU", "old-1", "NORD-1"),
    )  # fmt: skip
    assert plan.sentences == (
        "The description becomes the hub's.", "The list of pictures becomes the hub's: those that the owner put there go.",
        "The brand becomes NORD.", "Its address, category, tax and shipping classes stay.",
        "Where it is wanted no more the page is taken out of sale.",
    )  # fmt: skip


def test_without_pictures_tags_and_texts_the_sentences_say_so() -> None:
    page = {**PAGE, "images": [], "description": "", "brand": None, "tags": ["neu", "lampe"]}
    plan = becoming_ours({**FOUND, "wanted": page}, [ours("20", "old-1")], [replace(THERE, status="draft")])
    assert plan.differences == (
        Difference("", "title", "Oslo lamp", "Lampe Oslo"), Difference("", "status", "draft", "live"),
    )  # fmt: skip
    assert plan.sentences[:3] == (
        "The description becomes empty.", "The supplier has no pictures: the owner's stay.",
        "The tags neu, lampe are added; the owner's stay.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("listed", "held", "words"),
    [
        ([ours("21", "S-R")], [], "the product no longer"),
        ([ours("20", "S")], [ShopListing("20", None, "missing")], "the product no longer"),
        ([{**ours("20", "S"), "wanted": None}], [THERE], "Nothing of it is wanted"),
        (
            [ours("21", "S-R", {"Colour": "Red"})],
            [RED, replace(RED, external_id="22", sku="OWN"), replace(RED, external_id="23", sku="")],
            r"variants that are not ours \(OWN, one without a SKU\)",
        ),
        (
            [ours("21", "S-R", {"Colour": "Red"}), ours(None, "S-B", {"Colour": "Blue"})],
            [RED],
            r"not all that is ours of it \(S-B\)",
        ),
        ([ours("21", "S-R")], [RED], "without a choice and the shop with one"),
        ([ours("20", "S", {"Colour": "Red"})], [THERE], "with a choice and the shop without one"),
    ],
)  # fmt: skip
def test_what_a_push_would_break_cannot_become_ours(
    listed: list[dict[str, Any]], held: list[ShopListing], words: str
) -> None:
    plan = becoming_ours(FOUND, listed, held)
    assert (plan.differences, plan.sentences) == ((), ())
    assert plan.problem is not None and re.search(words, plan.problem), plan.problem


def test_what_goes_back_to_its_owner_changes_nothing_now() -> None:
    plan = staying(FOUND)
    assert (plan.differences, plan.problem, plan.becomes) == ((), None, "stays")
    assert plan.sentences[0] == "Nothing of the page changes now: its texts and pictures stay as they are."
