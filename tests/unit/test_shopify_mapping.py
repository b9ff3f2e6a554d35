"""Drafts into productSet's input and answers into listings, value by value."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ProductDraft, ShopListing, VariantDraft
from connectors.shops.shopify import limits, mapping
from core.money import Money

PRICE = Money(1950, "EUR")
A, B, C = (f"https://img.test/{name}.jpg" for name in "abc")
SHIRT = ProductDraft(
    "17",
    "Shirt",
    (
        VariantDraft("1", "SH-S", PRICE, 3, options=(("Size", "S"), ("Fit", "slim")), gtin="4006381333931", weight_g=180),
        VariantDraft("2", "SH-M", PRICE, 0, options=(("Size", "M"), ("Fit", "slim"))),
    ),
    brand="Acme",
    category=("Clothes", "Shirts"),
)  # fmt: skip
MUG = ProductDraft("18", "Mug", (VariantDraft("3", "MUG", Money(1250, "EUR"), 7),))


def held(
    number: str, sku: str, *options: tuple[str, str], stock: int | None = 4, **more: Any
) -> dict[str, Any]:
    level = (
        None
        if stock is None
        else {"updatedAt": "x", "quantities": [{"name": "available", "quantity": stock}]}
    )
    return {
        "id": number, "sku": sku, "price": "19.50", "barcode": None,
        "selectedOptions": [{"name": name, "value": value} for name, value in options],
        "inventoryItem": {"id": f"item-{number}", "tracked": True, "inventoryLevel": level}, **more,
    }  # fmt: skip


def test_a_new_product_is_sent_whole() -> None:
    assert mapping.set_input(SHIRT, {}, [], None, location="L") == {
        "title": "Shirt",
        "descriptionHtml": "",
        "status": "ACTIVE",
        "vendor": "Acme",
        "productOptions": [
            {"name": "Size", "position": 1, "values": [{"name": "S"}, {"name": "M"}]},
            {"name": "Fit", "position": 2, "values": [{"name": "slim"}]},
        ],
        "variants": [
            {
                "optionValues": [{"optionName": "Size", "name": "S"}, {"optionName": "Fit", "name": "slim"}],
                "sku": "SH-S",
                "price": "19.50",
                "compareAtPrice": None,
                "barcode": "4006381333931",
                "inventoryPolicy": "DENY",
                "inventoryItem": {
                    "tracked": True,
                    "requiresShipping": True,
                    "sku": "SH-S",
                    "measurement": {"weight": {"value": 180, "unit": "GRAMS"}},
                },
                "inventoryQuantities": [{"locationId": "L", "name": "available", "quantity": 3}],
            },
            {
                "optionValues": [{"optionName": "Size", "name": "M"}, {"optionName": "Fit", "name": "slim"}],
                "sku": "SH-M",
                "price": "19.50",
                "compareAtPrice": None,
                "barcode": "",
                "inventoryPolicy": "DENY",
                "inventoryItem": {"tracked": True, "requiresShipping": True, "sku": "SH-M"},
                "inventoryQuantities": [{"locationId": "L", "name": "available", "quantity": 0}],
            },
        ],
    }


def test_a_change_sends_no_list_of_the_owners_and_no_stock() -> None:
    theirs = held("gid-9", "OWN", ("Size", "XXL"), ("Fit", "wide"))
    fields = mapping.set_input(SHIRT, {"1": "gid-1", "2": "gid-2"}, [theirs], None, location="L")
    assert not {"metafields", "productType", "tags", "collections", "files", "handle"} & set(fields)
    assert [variant["id"] for variant in fields["variants"]] == ["gid-1", "gid-2", "gid-9"]
    assert all("inventoryQuantities" not in variant for variant in fields["variants"])
    assert fields["variants"][2] == {
        "id": "gid-9",
        "optionValues": [{"optionName": "Size", "name": "XXL"}, {"optionName": "Fit", "name": "wide"}],
    }
    assert fields["productOptions"][0]["values"] == [{"name": "S"}, {"name": "M"}, {"name": "XXL"}]


def test_another_spelling_of_an_option_is_the_same_one() -> None:
    """Else the owner's variant would be left out, which deletes it, or the value would stand there twice."""
    theirs = held("gid-9", "OWN", ("size", "XXL"), ("FIT", "Slim"))
    assert mapping.keepable(SHIRT, [theirs]) == [theirs]
    fields = mapping.set_input(SHIRT, {}, [theirs], None, location="L")
    assert [(one["name"], [value["name"] for value in one["values"]]) for one in fields["productOptions"]] == [
        ("Size", ["S", "M", "XXL"]), ("Fit", ["slim"]),
    ]  # fmt: skip
    assert fields["variants"][2]["optionValues"] == [
        {"optionName": "Size", "name": "XXL"}, {"optionName": "Fit", "name": "slim"},
    ]  # fmt: skip


def test_a_service_needs_no_parcel_and_has_no_weight() -> None:
    service = replace(MUG, kind="service", variants=(replace(MUG.variants[0], weight_g=5),))
    fields = mapping.set_input(service, {}, [], [], location="L")
    assert fields["variants"][0]["inventoryItem"] == {
        "tracked": True,
        "requiresShipping": False,
        "sku": "MUG",
    }
    assert fields["productOptions"] == [
        {"name": "Title", "position": 1, "values": [{"name": "Default Title"}]}
    ]


def test_variants_are_matched_by_id_then_sku_then_options() -> None:
    draft = replace(SHIRT, variants=(*SHIRT.variants, VariantDraft("4", "SH-L", PRICE, 1, "gid-4", options=(("Size", "L"), ("Fit", "slim")))))  # fmt: skip
    there = [
        held("gid-4", "renamed", ("Size", "L"), ("Fit", "slim")),
        held("gid-1", "sh-s", ("Size", "Small"), ("Fit", "slim")),
        held("gid-2", "", ("Size", "m"), ("Fit", "Slim")),
        held("gid-9", "OWN", ("Size", "XL"), ("Fit", "slim")),
    ]
    known, others = mapping.match(draft, there)
    assert known == {"4": "gid-4", "1": "gid-1", "2": "gid-2"}
    assert [one["id"] for one in others] == ["gid-9"]


def test_one_held_variant_is_only_one_of_ours() -> None:
    twins = replace(SHIRT, variants=tuple(replace(one, sku="SAME") for one in SHIRT.variants))
    known, others = mapping.match(twins, [held("gid-1", "SAME", ("Size", "S"), ("Fit", "slim"))])
    assert known == {"1": "gid-1"} and others == []


def test_a_sku_that_two_have_tells_nothing() -> None:
    twins = replace(SHIRT, variants=tuple(replace(one, sku="SAME") for one in SHIRT.variants))
    there = [
        held("gid-s", "SAME", ("Size", "S"), ("Fit", "slim")),
        held("gid-m", "same", ("Size", "M"), ("Fit", "slim")),
    ]
    assert mapping.match(twins, there) == ({"1": "gid-s", "2": "gid-m"}, [])


def test_what_cannot_stay_beside_ours_is_not_kept() -> None:
    other_options = held("gid-7", "OLD", ("Title", "Default Title"))
    taken = held("gid-8", "TWIN", ("Size", "s"), ("Fit", "SLIM"))
    stays = held("gid-9", "OWN", ("Size", "XL"), ("Fit", "slim"))
    assert mapping.keepable(SHIRT, [other_options, taken, stays]) == [stays]


def test_pictures_known_go_by_id_new_ones_by_address_and_the_owners_stay_behind() -> None:
    draft = replace(MUG, images=(B, A), image_ids={A: "img-a", C: "img-c"})
    assert mapping.files_of(draft, ["img-a", "img-c", "img-own"], []) == [
        {"url": B, "originalSource": B, "contentType": "IMAGE"},
        {"url": A, "id": "img-a"},
        {"url": "", "id": "img-own"},
    ]
    assert mapping.files_of(draft, [], []) == [
        {"url": B, "originalSource": B, "contentType": "IMAGE"},
        {"url": A, "originalSource": A, "contentType": "IMAGE"},
    ]
    assert mapping.files_of(draft, ["img-a"], [B]) == [{"url": A, "id": "img-a"}]


def test_without_an_id_of_ours_nothing_held_is_known_to_be_the_owners() -> None:
    assert [one["url"] for one in mapping.files_of(replace(MUG, images=(A,)), ["x"], []) or ()] == [A]
    assert mapping.files_of(MUG, ["x"], []) is None
    gone = replace(MUG, image_ids={A: "a"})
    assert mapping.files_of(gone, ["a"], []) == [], "the last of ours goes as well"
    assert mapping.files_of(gone, ["x"], []) is None


def test_ids_of_pictures_are_learned_from_their_order() -> None:
    files = [{"url": A, "originalSource": A}, {"url": B, "id": "b"}, {"url": "", "id": "own"}]
    assert mapping.image_ids(files, ["a", "b", "own"]) == {A: "a", B: "b"}
    assert mapping.image_ids(files, ["b", "a", "own"]) == {}
    assert mapping.image_ids(files, ["b", "own"]) == {}


def test_a_variants_picture_is_the_products_too() -> None:
    draft = replace(SHIRT, images=(A,), variants=(replace(SHIRT.variants[0], image=B), SHIRT.variants[1]))
    files = mapping.files_of(draft, [], [])
    fields = mapping.set_input(draft, {}, [], files, location="L")
    assert [one["originalSource"] for one in fields["files"]] == [A, B]
    assert fields["variants"][0]["file"] == {"originalSource": B, "contentType": "IMAGE"}
    assert "file" not in fields["variants"][1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": " "}, "no title"),
        ({"title": "x" * 256}, "longer than the 255 characters"),
        ({"description": "x" * 500_001}, "longer than 500000 bytes"),
        ({"variants": ()}, "no variant"),
        ({"variants": SHIRT.variants * 1025}, "2050 variants; the shop takes at most 2048"),
        ({"variants": (replace(SHIRT.variants[0], options=tuple((str(n), "x") for n in range(4))),)}, "4 options"),
        ({"variants": (SHIRT.variants[0], replace(SHIRT.variants[1], options=(("Size", "M"),)))}, "same options in the same order"),
        ({"variants": (replace(SHIRT.variants[0], options=(("Size", "S"), ("size ", "M"))),)}, "cannot be told apart"),
        ({"variants": (SHIRT.variants[0], replace(SHIRT.variants[0], options=(("Size", "s "), ("Fit", "SLIM"))))}, "Two variants have the same options"),
        ({"images": tuple(f"https://img.test/{n}" for n in range(251))}, "250 pictures"),
    ],
)  # fmt: skip
def test_what_a_product_may_not_be(change: dict[str, Any], words: str) -> None:
    assert words in (limits.why_not(replace(SHIRT, **change)) or "")


def test_good_drafts_have_no_problem() -> None:
    for draft in (SHIRT, MUG):
        assert limits.why_not(draft) is None
        assert [limits.why_not_variant(one, "EUR") for one in draft.variants] == [None] * len(draft.variants)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sku": ""}, "no SKU"),
        ({"sku": " A"}, "would change the SKU"),
        ({"sku": "x" * 256}, "255 characters"),
        ({"price": Money(1, "CHF")}, "in CHF, but the shop sells in EUR"),
        ({"price": Money(-1, "EUR")}, "negative"),
        ({"stock": -1}, "-1; it must be a whole number"),
        ({"stock": 1_000_000_001}, "1000000001; it must"),
        ({"options": (("Size", " "),)}, "is empty"),
    ],
)
def test_what_a_variant_may_not_be(change: dict[str, Any], words: str) -> None:
    assert words in (limits.why_not_variant(replace(SHIRT.variants[0], **change), "EUR") or "")


def test_a_listing_is_what_the_shop_holds() -> None:
    product = {
        "id": "P", "title": "Shirt", "status": "ACTIVE", "published": True, "tags": ["new"],
        "media": {"nodes": [
            {"id": "1", "status": "READY", "mediaContentType": "IMAGE"},
            {"id": "2", "status": "FAILED", "mediaContentType": "IMAGE"},
            {"id": "3", "status": "READY", "mediaContentType": "VIDEO"},
        ]},
    }  # fmt: skip
    variant = held("V", "SH-S", ("Size", "S"), barcode="4006381333931")
    assert mapping.listing(variant, product, "EUR") == ShopListing(
        "V",
        "P",
        "live",
        "SH-S",
        "Shirt",
        PRICE,
        4,
        "4006381333931",
        (("Size", "S"),),
        1,
        "item-V",
        ("new",),
        ("2",),
    )
    bare = held("V", "", ("Title", "Default Title"), stock=None, price=None)
    assert mapping.listing(bare, product, "EUR") == ShopListing(
        "V", "P", "live", "", "Shirt", image_count=1, stock_id="item-V", tags=("new",), failed_images=("2",)
    )
    loose = held("V", "", stock=4)
    loose["inventoryItem"]["tracked"] = False
    assert mapping.listing(loose, product, "EUR").stock is None


@pytest.mark.parametrize(
    ("status", "published", "said"),
    [
        ("ACTIVE", True, "live"),
        ("ACTIVE", False, "draft"),
        ("DRAFT", True, "draft"),
        ("UNLISTED", True, "draft"),
        ("ARCHIVED", True, "trash"),
    ],
)
def test_live_is_active_and_published(status: str, published: bool, said: str) -> None:
    assert mapping.status({"status": status, "published": published}) == said
