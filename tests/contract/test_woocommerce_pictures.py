"""Which pictures of a WooCommerce page are ours: they change among its owner's, and cost no call where they are right."""

from dataclasses import replace

import pytest

from connectors.base import ProductDraft, PushResult
from tests.contract.shops import LOST, PATIENCE, Make, WooRig, known, push

CHANNEL = "woocommerce"
pytestmark = pytest.mark.usefixtures("sandbox")
A, B, C, HIS = (f"https://img.test/{name}.jpg" for name in ("a", "b", "c", "his"))


def shown(woo: WooRig, result: PushResult) -> list[str]:
    """The names of the page's pictures in their order."""
    images = woo.rest("GET", f"products/{result.external_id}")["images"]
    return [str(image["name"]) for image in images]


def sends(woo: WooRig) -> int:
    """Calls that changed the product since the last time."""
    asked = [call for call in woo.calls() if call["path"].endswith("/products/batch")]
    woo.tidy("")
    return len(asked)


def first_push(woo: WooRig, draft: ProductDraft) -> tuple[ProductDraft, PushResult]:
    """The draft as the hub knows it afterwards, after its owner put his own picture first."""
    result = push(woo.connect(), draft)[draft.key]
    assert (result.problem, result.problems) == (None, {})
    there = woo.rest("GET", f"products/{result.external_id}")["images"]
    woo.edit(str(result.external_id), images=[{"src": HIS}, *({"id": one["id"]} for one in there)])
    woo.tidy("")
    return known(draft, result), result


def test_pictures_that_are_right_are_not_sent_and_his_may_be_the_first(woo: WooRig, make: Make) -> None:
    draft, first = first_push(woo, make.simple(1, images=(A, B)))
    assert push(woo.connect(), replace(draft, title="Renamed"))[draft.key].problems == {}
    assert sends(woo) == 1
    assert shown(woo, first) == ["his", "a", "b"]


def test_ours_change_and_his_stays_behind_them(woo: WooRig, make: Make) -> None:
    draft, first = first_push(woo, make.simple(1, images=(A, B)))
    result = push(woo.connect(), replace(draft, images=(C, A)))[draft.key]
    assert sends(woo) == 2
    assert shown(woo, first) == ["c", "a", "his"]
    assert result.image_ids[A] == first.image_ids[A] and result.image_ids[C] != first.image_ids[B]
    later = known(draft, result)
    assert push(woo.connect(), replace(later, images=()))[draft.key].problems == {}
    assert shown(woo, first) == ["his"]


def test_a_dead_picture_among_them_keeps_neither_his_nor_ours_out(woo: WooRig, make: Make) -> None:
    draft, first = first_push(woo, make.simple(1, images=(A,)))
    dead = "https://127.0.0.1:1/dead.jpg"
    result = push(woo.connect(), replace(draft, images=(A, dead, B)))[draft.key]
    assert list(result.problems) == [f"image:{dead}"]
    assert shown(woo, first) == ["a", "b", "his"]


def test_a_picture_that_he_deleted_from_the_library_is_fetched_again(woo: WooRig, make: Make) -> None:
    draft, first = first_push(woo, make.simple(1, images=(A, B)))
    stale = replace(draft, image_ids={**draft.image_ids, B: "999999"})
    assert push(woo.connect(), stale)[draft.key].problems == {}
    assert shown(woo, first) == ["a", "b", "his", "b"], "the old one, whose id nobody knows, counts as his"


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_costs_him_no_picture(woo: WooRig, make: Make, kind: str) -> None:
    draft, first = first_push(woo, make.simple(1, images=(A, B)))
    woo.fail(kind)
    result = push(woo.connect(patience=PATIENCE), replace(draft, images=(B,)))[draft.key]
    assert (result.problem, result.problems) == (None, {})
    assert shown(woo, first) == ["b", "his"]
