"""What is sent to WooCommerce and what its answers mean; the silent corruptions are stopped before the wire."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.base import ProductDraft, ShopListing, VariantDraft
from connectors.shops.woocommerce import mapping
from connectors.shops.woocommerce.client import _portions, site_of
from core.errors import Misconfigured
from core.money import Money

TRANSCRIPTS = Path(__file__).resolve().parents[2].parent / "shared" / "woocommerce" / "transcripts"


def variant(**changes: Any) -> VariantDraft:
    return replace(VariantDraft(key="v1", sku="MUG-1", price=Money(1250, "EUR"), stock=7), **changes)


def product(*variants: VariantDraft, **changes: Any) -> ProductDraft:
    return replace(ProductDraft(key="p1", title="Mug", variants=variants or (variant(),)), **changes)


def floats(value: Any) -> list[float]:
    """Every JSON number with a fraction in a payload: there must be none."""
    if isinstance(value, dict):
        return [found for inner in value.values() for found in floats(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in floats(inner)]
    return [value] if isinstance(value, float) else []


def test_a_simple_product_as_it_is_sent() -> None:
    draft = product(
        variant(weight_g=350, gtin="4006381333931"),
        brand="Acme",
        description="<p>Blue</p>",
        category=("Kitchen",),
    )
    assert mapping.product_fields(draft, "kg") == {
        "name": "Mug",
        "status": "publish",
        "description": "<p>Blue</p>",
        "virtual": False,
        "type": "simple",
        "sku": "MUG-1",
        "regular_price": "12.50",
        "manage_stock": True,
        "stock_quantity": 7,
        "weight": "0.35",
        "attributes": [{"name": "Brand", "visible": True, "variation": False, "options": ["Acme"]}],
        "meta_data": [{"key": "_entrepot_key", "value": "p1"}],
    }


def test_a_variable_product_and_its_variations_as_they_are_sent() -> None:
    draft = product(
        variant(key="v1", sku="S-1", options=(("Size", "S"), ("Fit", "slim"))),
        variant(key="v2", sku="M-1", options=(("Size", "M"), ("Fit", "slim")), stock=0),
        brand="Acme",
    )
    fields = mapping.product_fields(draft, "kg")
    assert fields["attributes"] == [
        {"name": "Size", "position": 0, "visible": True, "variation": True, "options": ["S", "M"]},
        {"name": "Fit", "position": 1, "visible": True, "variation": True, "options": ["slim"]},
        {"name": "Brand", "visible": True, "variation": False, "options": ["Acme"], "position": 2},
    ]
    assert (fields["type"], fields["manage_stock"], "sku" in fields) == ("variable", False, False)
    assert mapping.at_making(draft) == {"sku": "entrepot-p1"}
    assert mapping.not_its_skus(draft) == {"", "s-1", "m-1"}
    assert "regular_price" not in fields and "stock_quantity" not in fields
    assert mapping.variation_fields(draft.variants[1], draft, "kg") == {
        "status": "publish",
        "virtual": False,
        "attributes": [{"name": "Size", "option": "M"}, {"name": "Fit", "option": "slim"}],
        "sku": "M-1",
        "regular_price": "12.50",
        "manage_stock": True,
        "stock_quantity": 0,
        "meta_data": [{"key": "_entrepot_key", "value": "v2"}],
    }


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [(1250, "EUR", "12.50"), (0, "EUR", "0.00"), (5, "EUR", "0.05"), (123456789012, "EUR", "1234567890.12"),
     (1250, "JPY", "1250"), (1250, "KWD", "1.250"), (10**15, "JPY", "1000000000000000")],
)  # fmt: skip
def test_money_is_a_string_with_a_dot(minor: int, currency: str, written: str) -> None:
    fields = mapping.product_fields(product(variant(price=Money(minor, currency))), "")
    assert fields["regular_price"] == written
    assert floats(fields) == []


@pytest.mark.parametrize(
    ("grams", "unit", "written"),
    [(350, "kg", "0.35"), (1, "kg", "0.001"), (1000, "kg", "1"), (350, "g", "350"), (10_000_000, "g", "10000000"),
     (454, "lbs", "1.0009"), (28, "oz", "0.9877"), (0, "kg", "0")],
)  # fmt: skip
def test_weight_in_the_shops_unit(grams: int, unit: str, written: str) -> None:
    assert mapping.weight(grams, unit) == written


def test_no_weight_where_the_unit_is_unknown_and_none_for_a_service() -> None:
    heavy = variant(weight_g=350)
    assert "weight" not in mapping.product_fields(product(heavy), "")
    service = mapping.product_fields(product(heavy, kind="service"), "kg")
    assert service["virtual"] is True
    assert "weight" not in service
    assert mapping.product_fields(product(kind="digital"), "kg")["virtual"] is True


@pytest.mark.parametrize(
    ("title", "sent"), [("Tom & Jerry", "Tom &amp; Jerry"), ("Cable <2 m>", "Cable &lt;2 m&gt;"), ("A &amp; B", "A &amp;amp; B"), ('5" "x"', '5" "x"')]
)  # fmt: skip
def test_a_title_survives_the_shops_html_filter(title: str, sent: str) -> None:
    assert mapping.product_fields(product(title=title), "")["name"] == sent
    held = {"id": 1, "name": sent, "status": "publish"}
    assert mapping.listing(held, "EUR").title == title


@pytest.mark.parametrize(
    ("value", "kept"),
    [("a|b", "a/b"), ("a\\b", "a/b"), ("100%Baumwolle", "100% Baumwolle"), ("50% Wool", "50% Wool"), ("  a \n b ", "a b"), ("<5 mm", "‹5 mm")],
)  # fmt: skip
def test_options_are_written_so_that_the_shop_keeps_them(value: str, kept: str) -> None:
    assert mapping.option(value) == kept
    draft = product(variant(options=(("Kind", value),)))
    assert mapping.product_fields(draft, "")["attributes"][0]["options"] == [kept]
    assert mapping.variation_fields(draft.variants[0], draft, "")["attributes"] == [
        {"name": "Kind", "option": kept}
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": "  "}, "no title"),
        ({"title": "ü" * 32_768}, "title is longer than 65535 bytes"),
        ({"title": "&" * 14_000}, "title is longer than 65535 bytes"),
        ({"description": "x" * 500_001}, "description is longer"),
        ({"variants": ()}, "no variant"),
        (
            {"variants": (variant(options=(("A", "1"),)), variant(options=(("B", "1"),)))},
            "same options in the same order",
        ),
        ({"variants": (variant(options=(("Größe", "1"), ("GROSSE", "2"))),)}, "cannot be told apart"),
        ({"variants": (variant(options=(("Size", "1"), ("size!", "2"))),)}, "cannot be told apart"),
        ({"variants": (variant(options=(("", "1"),)),)}, "cannot be told apart"),
        (
            {"variants": (variant(options=(("A", "x"),)), variant(options=(("A", "X "),)))},
            "Two variants have the same options",
        ),
        ({"variants": (variant(), variant())}, "Two variants have the same options"),
        ({}, None),
    ],
)
def test_products_the_shop_would_corrupt_are_not_sent(changes: dict[str, Any], words: str | None) -> None:
    told = mapping.why_not(product(**changes))
    assert told is None if words is None else words in (told or "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sku": ""}, "no SKU"),
        ({"sku": "x" * 101}, "longer than the 100 characters"),
        ({"gtin": "1" * 101}, "longer than the 100 characters"),
        ({"sku": " A"}, "would change the SKU"),
        ({"sku": "A  B"}, "would change the SKU"),
        ({"sku": "A\tB"}, "would change the SKU"),
        ({"sku": "A<b>"}, "would change the SKU"),
        ({"sku": "50%ABC"}, "would change the SKU"),
        ({"sku": "A\x00"}, "would change the SKU"),
        ({"sku": "Ä/1,5 #7 & 50%"}, None),
        ({"price": Money(1, "USD")}, "is in USD, but the shop sells in EUR"),
        ({"price": Money(-1, "EUR")}, "negative"),
        ({"stock": -1}, "whole number from 0"),
        ({"stock": 2.5}, "whole number from 0"),
        ({"stock": "7"}, "whole number from 0"),
        ({"stock": True}, "whole number from 0"),
        ({"stock": None}, "whole number from 0"),
        ({"options": (("Size", " "),)}, "option of MUG-1 is empty"),
        ({"compare_at": Money(2000, "USD")}, "is in USD, but the shop sells in EUR"),
        ({}, None),
    ],
)
def test_variants_the_shop_would_corrupt_are_not_sent(changes: dict[str, Any], words: str | None) -> None:
    told = mapping.why_not_variant(variant(**changes), "EUR")
    assert told is None if words is None else words in (told or "")


@pytest.mark.parametrize(
    ("name", "good"), [("Größe", True), ("ж" * 40, True), ("ж" * 41, False), ("x" * 245, False)]
)
def test_an_options_name_must_fit_into_the_shops_own_key(name: str, good: bool) -> None:
    told = mapping.why_not(product(variant(options=((name, "S"),))))
    assert told is None if good else "longer than the shop keeps" in (told or "")


def test_stock_never_goes_without_managing_it() -> None:
    assert mapping.stock_fields(variant(stock=0)) == {"manage_stock": True, "stock_quantity": 0}


@pytest.mark.parametrize(("amount", "price"), [("12.50", Money(1250, "EUR")), ("", None), (None, None), ("abc", None), ("0", Money(0, "EUR")), (Decimal("4.5"), Money(450, "EUR"))])  # fmt: skip
def test_prices_read_back(amount: Any, price: Money | None) -> None:
    assert mapping.listing({"id": 1, "regular_price": amount}, "EUR").price == price


@pytest.mark.parametrize(
    ("own", "above", "told"),
    [("publish", "publish", "live"), ("publish", "draft", "draft"), ("publish", "trash", "trash"), ("private", "publish", "draft"), ("pending", None, "draft"), ("trash", None, "trash")],
)  # fmt: skip
def test_a_variation_is_only_as_live_as_its_product(own: str, above: str | None, told: str) -> None:
    parent = {"id": 1, "status": above, "name": "P"} if above else None
    assert mapping.listing({"id": 2, "status": own}, "EUR", parent).status == told


def test_the_sellers_sale_price_is_his_own() -> None:
    held = {"id": 1, "status": "publish", "regular_price": "12.50", "sale_price": "9.00", "price": "9.00"}
    assert mapping.listing(held, "EUR").price == Money(1250, "EUR")


def test_a_price_struck_through_makes_a_sale_of_ours() -> None:
    cheap = variant(compare_at=Money(1500, "EUR"))
    fields = mapping.product_fields(product(cheap), "")
    assert (fields["regular_price"], fields["sale_price"]) == ("15.00", "12.50")
    assert fields["meta_data"] == [
        {"key": "_entrepot_key", "value": "p1"},
        {"key": "_entrepot_sale", "value": "12.50"},
    ]
    held = {"id": 1, **fields}
    assert mapping.our_sale(held) and mapping.listing(held, "EUR").price == Money(1250, "EUR")
    changed = {**held, "sale_price": "11.00"}
    assert not mapping.our_sale(changed), "the owner set another"
    assert mapping.trade_fields(cheap) == {
        "regular_price": "15.00",
        "sale_price": "12.50",
        "meta_data": [{"key": "_entrepot_sale", "value": "12.50"}],
    }


@pytest.mark.parametrize("above", [None, Money(1250, "EUR"), Money(900, "EUR")])
def test_a_sale_that_saves_nothing_is_none(above: Money | None) -> None:
    fields = mapping.product_fields(product(variant(compare_at=above)), "")
    assert fields["regular_price"] == "12.50" and "sale_price" not in fields
    assert mapping.trade_fields(variant(compare_at=above)) == {"regular_price": "12.50"}


def test_the_end_of_a_sale_keeps_our_key() -> None:
    fields = mapping.product_fields(product(), "")
    assert mapping.without_sale(fields) == {
        **fields,
        "sale_price": "",
        "meta_data": [{"key": "_entrepot_key", "value": "p1"}, {"key": "_entrepot_sale", "value": ""}],
    }


def test_stock_that_the_shop_counts_already_is_set_apart() -> None:
    """A figure among the other fields would undo what was sold meanwhile."""
    seen = variant(external_id="5", before=9)
    assert "stock_quantity" not in mapping.product_fields(product(seen), "")
    assert mapping.product_fields(product(variant(before=9)), "")["stock_quantity"] == 7
    assert mapping.product_fields(product(variant(external_id="5")), "")["stock_quantity"] == 7


def test_the_address_of_a_page_is_given_at_its_making() -> None:
    assert mapping.at_making(product(handle="blue-mug")) == {"slug": "blue-mug"}
    assert mapping.at_making(product()) == {}
    assert "slug" not in mapping.product_fields(product(handle="blue-mug"), "")


def recorded(name: str) -> Any:
    path = TRANSCRIPTS / f"{name}.json"
    if not path.exists():
        pytest.skip("../shared is absent")
    return json.loads(path.read_text(), parse_float=Decimal)["response"]["json"]


def test_the_recorded_products_are_understood() -> None:
    assert mapping.listing(recorded("product_create_simple"), "EUR") == ShopListing(
        external_id="10", parent_id=None, status="live", sku="HUB-1", title="Hub Mug", price=Money(1299, "EUR"),
        stock=7, gtin="4006381333931",
    )  # fmt: skip
    parent = recorded("product_get_variable")
    assert mapping.listing(parent, "EUR").price is None
    assert mapping.listing(recorded("variation_get"), "EUR", parent) == ShopListing(
        external_id="15", parent_id="14", status="live", sku="SHIRT-S-slim", title="Hub Shirt",
        price=Money(1950, "EUR"), stock=3, options=(("Size", "S"), ("Fit", "slim")),
    )  # fmt: skip
    assert mapping.listing(recorded("variation_stock_managed_by_parent"), "EUR", parent).stock is None
    assert mapping.listing(recorded("product_create_with_image"), "EUR").image_count == 1


@pytest.mark.parametrize(
    ("entered", "site"),
    [
        ("https://shop.example", "https://shop.example"),
        (" shop.example/ ", "https://shop.example"),
        ("https://shop.example:8443/sub/", "https://shop.example:8443/sub"),
        ("https://shop.example/wp-admin/index.php?x=1", "https://shop.example"),
        ("https://shop.example/shop/wp-json/wc/v3", "https://shop.example/shop"),
    ],
)
def test_what_owners_enter_as_their_address(entered: str, site: str) -> None:
    assert site_of(entered) == site


@pytest.mark.parametrize(
    "entered",
    ["http://shop.example", "ftp://shop.example", "https://", "https://ck:cs_canary@shop.example", ""],
)
def test_addresses_that_will_not_do(entered: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        site_of(entered)
    assert "canary" not in str(caught.value)


def test_lists_of_skus_fit_into_an_address() -> None:
    skus = [f"{number:04}-{'x' * 60}" for number in range(120)] + ["with,comma", "last"]
    portions = list(_portions(skus))
    assert max(map(len, portions)) <= 1500
    assert "with,comma" in portions
    assert [sku for portion in portions if portion != "with,comma" for sku in portion.split(",")] == [
        s for s in skus if "," not in s
    ]
