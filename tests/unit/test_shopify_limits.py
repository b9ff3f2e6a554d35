"""What a Shopify does not take is told before anything is sent; names of collections are found again."""

from dataclasses import replace

import pytest

from connectors.base import ProductDraft, VariantDraft
from connectors.shops.shopify import limits
from connectors.shops.shopify.collections import handle_of
from core.money import Money

ONE = VariantDraft("v", "SKU", Money(1250, "EUR"), 3)
MUG = ProductDraft("1", "Mug", (ONE,))


def sized(number: int) -> ProductDraft:
    return replace(
        MUG,
        variants=tuple(
            replace(ONE, key=str(at), sku=f"S{at}", options=(("Size", str(at)),)) for at in range(number)
        ),
    )


@pytest.mark.parametrize(
    ("draft", "words"),
    [
        (sized(250), None),
        (sized(251), "The option Size has 251 values; the shop takes at most 250"),
        (sized(2049), "has 2049 variants; the shop takes at most 2048"),
        (replace(MUG, tags=("new", "a,b")), "A tag is empty, has a comma"),
        (replace(MUG, tags=(" ",)), "A tag is empty"),
        (replace(MUG, tags=tuple(str(at) for at in range(251))), "more than the 250 tags"),
        (replace(MUG, handle="x" * 256), "end of the page's address is longer"),
        (replace(MUG, handle="blue-mug", tags=("new",)), None),
    ],
)
def test_what_a_page_may_not_be(draft: ProductDraft, words: str | None) -> None:
    told = limits.why_not(draft)
    assert told is None if words is None else words in (told or "")


def test_a_struck_price_is_in_the_shops_currency() -> None:
    dear = replace(ONE, compare_at=Money(1500, "USD"))
    assert "The struck price of SKU is in USD" in (limits.why_not_variant(dear, "EUR") or "")
    assert limits.why_not_variant(replace(ONE, compare_at=Money(1500, "EUR")), "EUR") is None


@pytest.mark.parametrize(
    ("code", "origin", "fields", "words"),
    [
        (None, None, {}, None),
        ("8518.30.00", " de ", {"harmonizedSystemCode": "85183000", "countryCodeOfOrigin": "DE"}, None),
        ("85183", "XX", {}, "'85183' has not 6 to 13 digits and the country of origin 'XX' is no ISO code"),
        ("８５１８３０", "DE", {"countryCodeOfOrigin": "DE"}, "has not 6 to 13 digits"),
    ],
)
def test_customs_are_told_only_what_they_understand(
    code: str | None, origin: str | None, fields: dict[str, str], words: str | None
) -> None:
    told, remark = limits.customs(replace(ONE, hs_code=code, origin=origin))
    assert told == fields
    assert remark is None if words is None else words in (remark or "")


def test_a_collection_has_one_name_for_a_category_and_no_two_share_it() -> None:
    assert handle_of(("Kitchen & Co", "Mugs")) == "kitchen-co-mugs"
    assert handle_of(("Küche",)) == handle_of((" küche ",)) == "kuche"
    japanese, other = handle_of(("カップ",)), handle_of(("皿",))
    assert japanese != other and japanese.isascii() and len(japanese) == 8
    assert handle_of(("Tee 茶",)).startswith("tee-") and handle_of(()) == handle_of((" ",)) == ""
