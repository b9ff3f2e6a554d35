"""One product on its way into the shop: each answer of the shop and what is sent next."""

from typing import Any

import pytest

from connectors.shops.woocommerce.entry import Entry


def entry(**changes: Any) -> Entry:
    return Entry(**{"key": "p1", "sku": "MUG-1", "fields": {"sku": "MUG-1"}, **changes})


def refusal(code: str, message: str = "", **facts: Any) -> dict[str, Any]:
    return {"id": 0, "error": {"code": code, "message": message, "data": {"status": 400, **facts}}}


URLS = tuple(f"https://img.example/{name}.jpg" for name in "abc")
PICTURE_ERROR = "woocommerce_product_image_upload_error"


def test_pictures_go_by_id_once_they_are_known() -> None:
    one = entry(pictures=URLS, picture_ids={URLS[1]: "7"})
    assert one.wish()["images"] == [{"src": URLS[0]}, {"id": 7}, {"src": URLS[2]}]
    assert one.fresh() == [URLS[0], URLS[2]]
    assert one.take({"id": 5, "images": [{"id": 8}, {"id": 7}, {"id": 9}]}) == "done"
    assert one.picture_ids == {URLS[0]: "8", URLS[1]: "7", URLS[2]: "9"}
    assert one.wish() == {"sku": "MUG-1", "id": 5, "images": [{"id": 8}, {"id": 7}, {"id": 9}]}


def test_what_belongs_to_the_making_is_not_sent_again() -> None:
    one = entry(creation={"categories": [{"id": 3}]}, place="Kitchen > Mugs")
    note = {"key": "_entrepot_category", "value": "3 Kitchen > Mugs"}
    assert one.wish() == {"sku": "MUG-1", "categories": [{"id": 3}], "meta_data": [note]}
    one.take({"id": 5, "images": []})
    assert one.wish() == {"sku": "MUG-1", "id": 5}


def test_tags_of_the_owner_stay_and_ours_are_added_once() -> None:
    one = entry(tags=(3, 4))
    assert one.wish()["tags"] == [{"id": 3}, {"id": 4}]
    known = entry(tags=(3, 4), id=5)
    assert "tags" not in known.wish(), "a list would replace the owner's"
    assert known.take({"id": 5, "tags": [{"id": 9}, {"id": 3}]}) == "again"
    note = {"key": "_entrepot_tags", "value": "4"}
    tags = [{"id": 3}, {"id": 4}, {"id": 9}]
    assert known.wish() == {"sku": "MUG-1", "id": 5, "tags": tags, "meta_data": [note]}
    assert known.take({"id": 5, "tags": [{"id": 9}]}) == "done", (
        "a shop that does not keep them is not asked for ever"
    )
    told = {"id": 5, "tags": [{"id": 3}, {"id": 8}]}
    assert entry(tags=(3,), id=5).take({**told, "meta_data": [{**note, "value": "3"}]}) == "done"
    assert entry(tags=(3,), id=5).take(told) == "done", "its owner gave it that before us"
    assert entry(tags=(3,), id=5, owners=True).take(told) == "done"


@pytest.mark.parametrize(
    ("held", "ours", "wanted", "right"),
    [((1, 9), "1,2", (2,), (2, 9)), ((1, 9), "1", (), (9,)), ((9,), "1", (), (9,)), ((1,), "", (), None), ((1, 2), "2,1", (1, 2), None)],
)  # fmt: skip
def test_tags_that_were_ours_go_and_those_of_the_owner_stay(
    held: tuple[int, ...], ours: str, wanted: tuple[int, ...], right: tuple[int, ...] | None
) -> None:
    one = entry(tags=wanted, id=5)
    note = [{"key": "_entrepot_tags", "value": ours}]
    verdict = one.take({"id": 5, "tags": [{"id": number} for number in held], "meta_data": note})
    assert verdict == ("done" if right is None else "again")
    assert [tag["id"] for tag in one.wish().get("tags", ())] == list(right or ())


@pytest.mark.parametrize(
    ("held", "note", "place", "right"),
    [
        ((3, 8), "3 Mugs", "Mugs", None),
        ((3, 8), "3 Mugs", "Bar", (8, 4)),
        ((3, 8), "3 Mugs", "", (8,)),
        ((8,), "3 Mugs", "Bar", None),
        ((8,), "0 ", "Bar", (8, 4)),
        ((8,), "0 ", "", None),
        ((8,), "", "Bar", None),
    ],
)
def test_a_product_is_moved_out_of_our_category_only(
    held: tuple[int, ...], note: str, place: str, right: tuple[int, ...] | None
) -> None:
    asked = []

    def making() -> dict[str, Any]:
        asked.append(place)
        return {"categories": [{"id": 4}]} if place else {}

    one = entry(id=5, place=place, making=making)
    notes = [{"key": "_entrepot_category", "value": note}] if note else []
    one.take({"id": 5, "categories": [{"id": number} for number in held], "meta_data": notes})
    assert [found["id"] for found in one.wish().get("categories", ())] == list(right or ())
    assert asked == ([] if right is None else [place]), "no category is made that nothing stands in"
    if right is not None:
        assert one.wish()["meta_data"] == [
            {"key": "_entrepot_category", "value": f"{4 if place else 0} {place}"}
        ]


def test_where_the_shop_will_not_have_the_category_the_product_stays() -> None:
    one = entry(id=5, place="Bar", making=dict)
    note = [{"key": "_entrepot_category", "value": "3 Mugs"}]
    assert one.take({"id": 5, "categories": [{"id": 3}], "meta_data": note}) == "done"


def test_our_sale_is_ended_and_the_owners_is_not() -> None:
    ours = {"id": 5, "sale_price": "9.00", "meta_data": [{"key": "_entrepot_sale", "value": "9.00"}]}
    one = entry(id=5)
    assert one.take(ours) == "again"
    assert (one.wish()["sale_price"], one.wish()["meta_data"]) == (
        "",
        [{"key": "_entrepot_sale", "value": ""}],
    )
    assert one.take({"id": 5, "sale_price": ""}) == "done"
    assert entry(id=5).take({**ours, "sale_price": "8.00"}) == "done"
    assert entry(id=5, fields={"sale_price": "9.00"}).take(ours) == "done"


@pytest.mark.parametrize(("sku", "verdict"), [("S-1", "again"), ("", "again"), ("OWNERS-OWN", "done")])
def test_a_product_keeps_its_owners_sku_but_none_of_its_variations(sku: str, verdict: str) -> None:
    one = entry(id=5, fields={"type": "variable"}, sku="entrepot-p1", not_skus=frozenset({"", "s-1"}))
    assert "sku" not in one.wish()
    assert one.take({"id": 5, "sku": sku}) == verdict
    assert one.wish().get("sku") == ("entrepot-p1" if verdict == "again" else None)


def test_what_is_its_owners_is_not_made_again() -> None:
    one = entry(id=5, owners=True)
    assert one.take(refusal("woocommerce_rest_product_invalid_id", "Invalid ID.")) == "done"
    assert one.id == 5 and "not made again" in (one.problem or "")


def test_one_dead_picture_among_three_costs_only_itself() -> None:
    one = entry(pictures=URLS)
    assert one.take(refusal(PICTURE_ERROR, "Invalid image: not allowed.")) == "again"
    assert "images" not in one.wish()
    assert one.take({"id": 5, "images": []}) == "again"
    assert one.wish()["images"] == [{"src": URLS[0]}]
    assert one.take({"id": 5, "images": [{"id": 11}]}) == "again"
    assert one.wish()["images"] == [{"id": 11}, {"src": URLS[1]}]
    assert one.take(refusal(PICTURE_ERROR, "Invalid image: not allowed.")) == "again"
    assert one.wish()["images"] == [{"id": 11}, {"src": URLS[2]}]
    assert one.take({"id": 5, "images": [{"id": 11}, {"id": 13}]}) == "done"
    assert one.picture_ids == {URLS[0]: "11", URLS[2]: "13"}
    assert one.problems == {
        f"image:{URLS[1]}": f"The picture {URLS[1]} was left out: Invalid image: not allowed."
    }
    assert one.problem is None


def test_the_last_picture_dead_ends_the_matter() -> None:
    one = entry(pictures=URLS[:2], id=5)
    assert one.take(refusal(PICTURE_ERROR, "x")) == "again"
    assert one.take({"id": 5, "images": []}) == "again"
    assert one.take(refusal(PICTURE_ERROR, "x")) == "again"
    assert one.take(refusal(PICTURE_ERROR, "x")) == "done"
    assert sorted(one.problems) == [f"image:{url}" for url in URLS[:2]]
    assert one.problem is None


def test_an_only_picture_dead_goes_without_it_at_once() -> None:
    one = entry(pictures=URLS[:1], parent=9)
    assert one.wish()["image"] == {"src": URLS[0]}
    assert (
        one.take(
            refusal("woocommerce_variation_image_upload_error", f"Error getting remote image {URLS[0]}.")
        )
        == "again"
    )
    assert one.wish() == {"sku": "MUG-1"}
    assert one.problems == {f"image:{URLS[0]}": f"Error getting remote image {URLS[0]}."}


def test_a_picture_id_the_shop_lost_is_sent_as_an_address_again() -> None:
    one = entry(pictures=URLS[:2], picture_ids={URLS[0]: "7", URLS[1]: "8"}, id=5)
    assert "images" not in one.wish(), "a list would replace the owner's"
    assert one.take({"id": 5, "images": [{"id": 9}, {"id": 8}]}) == "again"
    assert one.wish()["images"] == [{"id": 7}, {"id": 8}, {"id": 9}]
    assert one.take(refusal("woocommerce_product_invalid_image_id", "#7 is an invalid image ID.")) == "again"
    assert one.wish()["images"] == [{"src": URLS[0]}, {"id": 8}, {"id": 9}]
    assert one.take(refusal("woocommerce_product_invalid_image_id", "#9 is an invalid image ID.")) == "again"
    assert one.wish()["images"] == [{"src": URLS[0]}, {"id": 8}]


def test_a_gtin_in_use_is_left_out_and_told() -> None:
    one = entry(gtin="4006381333931", gtin_key="v1")
    assert one.wish()["global_unique_id"] == "4006381333931"
    assert one.take(refusal("product_invalid_global_unique_id", resource_id=10)) == "again"
    assert "global_unique_id" not in one.wish()
    assert "used by another product (id 10)" in one.problems["v1"]


def test_a_thing_deleted_for_good_is_made_anew_once() -> None:
    one = entry(id=5)
    assert one.take(refusal("woocommerce_rest_product_invalid_id", "Invalid ID.")) == "again"
    assert "id" not in one.wish()


def test_only_our_own_key_is_adopted() -> None:
    ours = {"id": 9, "parent_id": 0, "meta_data": [{"key": "_entrepot_key", "value": "p1"}], "images": []}
    for stranger in (
        {**ours, "meta_data": []},
        {**ours, "meta_data": [{"key": "_entrepot_key", "value": "p2"}]},
        {**ours, "meta_data": [{"key": "other", "value": "p1"}]},
        {**ours, "parent_id": 4},
    ):
        one = entry()
        assert one.adopt(stranger) is False
        assert one.id is None
    one = entry()
    assert one.adopt(ours) is True
    assert one.id == 9


@pytest.mark.parametrize(
    ("src", "same"),
    [
        ("https://s/up/a.jpg", True),
        ("https://s/up/a-1.jpg", True),
        ("https://s/up/a-2-scaled.jpg", True),
        ("https://s/up/b.jpg", False),
    ],
)
def test_pictures_of_an_adopted_product_are_its_own_only_by_name(src: str, same: bool) -> None:
    one = entry(pictures=URLS[:1])
    one.adopt(
        {"id": 9, "meta_data": [{"key": "_entrepot_key", "value": "p1"}], "images": [{"id": 4, "src": src}]}
    )
    assert one.picture_ids == ({URLS[0]: "4"} if same else {})


def test_an_entry_that_is_always_refused_ends() -> None:
    one = entry()
    verdicts = [one.take(refusal("product_invalid_sku")) for _ in range(9)]
    assert verdicts == ["taken"] * 8 + ["done"]
    assert one.problem is not None


def test_an_error_of_the_shops_own_program_leaves_the_outcome_open() -> None:
    one = entry()
    assert (
        one.take({"id": 0, "error": {"code": "internal", "message": "boom", "data": {"status": 500}}})
        == "done"
    )
    assert one.unknown is True
