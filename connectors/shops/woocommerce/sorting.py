"""Which tags and category of a product are ours, and how they change among its owner's: pure.

WooCommerce replaces the whole list of either, and does not say who put a product where. So the product itself keeps in two
meta fields what we gave it, as it does with our sale price. What is ours and no longer wanted goes, what its owner added stays,
and a product that he took out of our category stays where he put it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.shops.woocommerce.mapping import meta_of

Fields = dict[str, Any]

OUR_TAGS = "_entrepot_tags"
"""The ids of the tags that are ours: "12,15"."""
OUR_PLACE = "_entrepot_category"
"""The id of the category that is ours, and its path when we chose it: "12 Kitchen > Mugs"; "0 " where we took it out again."""

NOWHERE = 0


def written(path: Sequence[str]) -> str:
    """A category's path as it is kept, "" for none."""
    return " > ".join(path)


def at_making(fields: Fields, tags: Sequence[int], place: str) -> Fields:
    """The fields of a product that is made now, with its tags and with what is noted of them and of its category."""
    notes = [_place(int(one["id"]), place) for one in fields.get("categories", ())]
    if tags:
        fields = {**fields, "tags": _ids(tags)}
        notes.append(_tags(tags))
    return _noted(fields, notes)


def tagged(fields: Fields, answer: Fields, tags: Sequence[int]) -> Fields:
    """The fields with the tags that the product should have, where by this answer it has others. One that its owner gave it
    before us stays his."""
    held, ours = _held(answer, "tags"), _our_tags(answer)
    right = (held - (ours - {*tags})) | {*tags}
    mine = {tag for tag in tags if tag in ours or tag not in held}
    if right == held and ours == mine:
        return fields
    return _noted({**fields, "tags": _ids(sorted(right))}, [_tags(mine)])


def misplaced(answer: Fields, place: str) -> bool:
    """Whether the product stands in a category that we put it in, and another is wanted."""
    number, path = _our_place(answer)
    return number in _held(answer, "categories") | {NOWHERE} and path != place


def moved(fields: Fields, answer: Fields, place: str, number: int | None) -> Fields:
    """The fields with our category replaced by this one, or by none. One that its owner put it in before us stays his."""
    old, _ = _our_place(answer)
    held = _held(answer, "categories")
    right = [one for one in sorted(held) if one not in (old, number)]
    right += [] if number is None else [number]
    ours = None if number in held and number != old else number
    return _noted({**fields, "categories": _ids(right)}, [_place(ours, place)])


def _noted(fields: Fields, notes: list[Fields]) -> Fields:
    return {**fields, "meta_data": [*fields.get("meta_data", ()), *notes]} if notes else fields


def _ids(numbers: Iterable[int]) -> list[Fields]:
    return [{"id": number} for number in numbers]


def _held(answer: Fields, name: str) -> set[int]:
    return {int(one["id"]) for one in answer.get(name) or []}


def _tags(tags: Iterable[int]) -> Fields:
    return {"key": OUR_TAGS, "value": ",".join(map(str, sorted(tags)))}


def _our_tags(found: Fields) -> set[int]:
    return {int(number) for number in (meta_of(found, OUR_TAGS) or "").split(",") if number.isdecimal()}


def _place(number: int | None, path: str) -> Fields:
    return {"key": OUR_PLACE, "value": f"{number or NOWHERE} {path}"}


def _our_place(found: Fields) -> tuple[int | None, str]:
    number, _, path = (meta_of(found, OUR_PLACE) or "").partition(" ")
    return (int(number), path) if number.isdecimal() else (None, "")
