"""Which tags, collection and product type of a product are ours, and how they change among its owner's.

Shopify does not say who put a product where. So the product keeps in a metafield, beside our key, what we gave it: that goes
where it is no longer wanted, and what its owner added stays. A product that he took out of our collection stays out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from connectors.base import ProductDraft
from connectors.shops.shopify import limits
from connectors.shops.shopify.client import Fields, GraphQL, refusals, sentence
from connectors.shops.shopify.collections import Collections
from core.errors import Refused, Temporary, Unknown

NAMESPACE, KEY, NOTE = "entrepot", "key", "sorting"
"""The metafield KEY holds our own key of a product; its type "id" makes Shopify keep its values unique. NOTE is a `Note`."""
LOST = 2
"""Answers about one product's sorting that may be lost before it is left to the next push."""


@dataclass(frozen=True, slots=True)
class Note:
    """What of a product is ours: its `tags`, its place in a `collection` (an id; None for none, "" where its owner took it out
    of ours and sorts it himself) and the `category` for which that was chosen. `key` is our key on it, "" where another product bears it."""

    key: str = ""
    tags: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a product is to stand from now on: what is noted of it, and the collections it joins and leaves for that."""

    category: tuple[str, ...]
    collection: str | None
    join: str | None = None
    leave: str | None = None


def note_of(held: Mapping[str, Any]) -> Note | None:
    """What a product says of itself; None where nothing of it was ever ours, or its owner deleted the metafield."""
    try:
        said = orjson.loads(str((held.get("sorting") or {}).get("value") or ""))
        return Note(str(said["key"]), (*map(str, said["tags"]),), (*map(str, said["category"]),), said["collection"])  # fmt: skip
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def key_field(key: str) -> Fields:
    """The metafield with our key."""
    return {"namespace": NAMESPACE, "key": KEY, "type": "id", "value": key}


def note_field(note: Note, number: str | None = None) -> Fields:
    """The metafield with the note, by its own id where there is one."""
    value = {
        "key": note.key, "tags": list(note.tags), "category": list(note.category), "collection": note.collection,
    }  # fmt: skip
    place = {"id": number} if number else {"namespace": NAMESPACE, "key": NOTE}
    return {**place, "type": "json", "value": orjson.dumps(value).decode()}


def at_making(draft: ProductDraft, collection: str | None) -> Fields:
    """What productSet is told of a product that is made: everything of it is ours."""
    tags = tuple(dict.fromkeys(tag.strip() for tag in draft.tags))
    note = Note(draft.key, tags, draft.category, collection)
    fields: Fields = {"metafields": [key_field(draft.key), note_field(note)]}
    if tags:
        fields["tags"] = list(tags)
    if collection:
        fields["collections"] = [collection]
    if draft.category:
        fields["productType"] = type_of(draft.category)
    return fields


def type_of(category: tuple[str, ...]) -> str:
    """The product type for a category, "" for none."""
    return category[-1][: limits.LONGEST] if category else ""


def alike(tag: str) -> str:
    """What makes two tags the same one to Shopify."""
    return " ".join(tag.split()).casefold()


def retagged(
    draft: ProductDraft, held: Mapping[str, Any], note: Note | None
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """(tags to take off, tags to put on, those that are ours then). A tag that its owner gave it before us stays his."""
    has = {alike(str(tag)): str(tag) for tag in held.get("tags") or []}
    ours = {alike(tag) for tag in (note.tags if note else ())}
    wanted = {alike(tag): tag.strip() for tag in draft.tags}
    gone = [has[tag] for tag in has if tag in ours and tag not in wanted]
    missing = [wanted[tag] for tag in wanted if tag not in has]
    return gone, missing, tuple(wanted[tag] for tag in wanted if tag in ours or tag not in has)


class Sorting:
    """Sees to a known product's sorting after it was set: without a call where it is as it should be."""

    def __init__(self, graphql: GraphQL, collections: Collections) -> None:
        self._graphql, self._collections = graphql, collections

    def settle(self, draft: ProductDraft, held: Fields) -> dict[str, str]:
        """Sentences about what the shop would not do. `held` is the product as it was looked at.

        Raises Temporary where answers were lost: what was not noted yet is seen to when the product is sent again.
        """
        lost: Unknown | None = None
        for _ in range(LOST + 1):
            try:
                return self._once(draft, held)
            except Unknown as error:
                lost = error
            found = self._graphql.read("Product", id=held["id"])["product"]
            if found is None:
                raise Temporary(f"The product {held['id']} was deleted while it was sorted.")
            held = found
        raise Temporary(f"A product may not stand where it should: {lost}")

    def _once(self, draft: ProductDraft, held: Fields) -> dict[str, str]:
        """First what goes, then the note with the collections, then what comes: broken off anywhere, the note still names all
        that is ours."""
        number, note, remarks = str(held["id"]), note_of(held), dict[str, str]()
        gone, missing, ours = retagged(draft, held, note)
        try:
            place = self._place(number, note, draft.category)
        except Refused as error:
            remarks["collection"] = str(error)
            place = Place(note.category if note else (), note.collection if note else None)
        if gone:
            self._change(remarks, "tags", "RemoveTags", id=number, tags=gone)
        right = Note(self._key(draft.key, number, note, remarks), ours, place.category, place.collection)
        if right != note:
            kind = type_of(right.category)
            moved = note is not None and held["productType"] == type_of(note.category) != kind
            self._sort(held, right, place, remarks, {"productType": kind} if moved else {})
        if missing:
            self._change(remarks, "tags", "AddTags", id=number, tags=missing)
        return remarks

    def _key(self, key: str, product: str, note: Note | None, remarks: dict[str, str]) -> str:
        """Our key as the product bears it now: one that was its owner's gets it, unless another product has it."""
        if note is not None and note.key == key:
            return key
        self._change(remarks, "key", "SetKey", metafields=[{"ownerId": product, **key_field(key)}])
        return "" if "key" in remarks else key

    def _place(self, product: str, note: Note | None, wanted: tuple[str, ...]) -> Place:
        """Nothing is asked where the category is the one that was chosen for."""
        if note is not None and (note.category == wanted or note.collection == ""):
            return Place(wanted, note.collection)
        ours, target = note.collection if note else None, self._collections.of(wanted)
        first, second = ours or target, target or ours
        if first is None:
            return Place(wanted, None)
        there = self._graphql.read("Joined", id=product, ours=first, target=second)["product"] or {}
        if ours is not None and not there.get("ours"):
            return Place(wanted, "")
        if ours == target:
            return Place(wanted, ours)
        if there.get("target") and target is not None:
            return Place(wanted, None, leave=ours)  # its owner put it there before us
        return Place(wanted, target, join=target, leave=ours)

    def _sort(self, held: Fields, right: Note, place: Place, remarks: dict[str, str], kind: Fields) -> None:
        """One call changes all of it or nothing, with the product type where the one we chose is still there; what the shop refuses of it is left out of the next."""
        kept = (held.get("sorting") or {}).get("id")
        for _ in range(3):
            fields: Fields = {"id": held["id"], "metafields": [note_field(right, kept)], **kind}
            for name, collection in (("collectionsToJoin", place.join), ("collectionsToLeave", place.leave)):
                if collection:
                    fields[name] = [collection]
            errors = refusals(self._graphql.change("Sort", product=fields))
            refused = {part for error in errors for part in error["field"]}
            if "collectionsToJoin" in refused and place.join:
                remarks["collection"] = f"It stands in no collection of the hub. {sentence(errors)}"
                place, right = replace(place, join=None), replace(right, collection=None)
            elif "collectionsToLeave" in refused and place.leave:
                place = replace(
                    place, leave=None
                )  # the collection is gone, or its owner fills it by rules now
            else:
                if errors:
                    remarks["sorting"] = sentence(errors)
                return

    def _change(self, remarks: dict[str, str], name: str, document: str, **variables: object) -> None:
        errors = refusals(self._graphql.change(document, **variables))
        if errors:
            remarks[name] = sentence(errors)
