"""One product or variation on its way into the shop: what is sent next, and what an answer means for it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from connectors.http import plain
from connectors.shops.woocommerce import sorting
from connectors.shops.woocommerce.mapping import key_of, our_sale, without_sale

Fields = dict[str, Any]
Verdict = Literal["done", "again", "taken"]

ROUNDS = 8
"""Times an entry is sent, beside once for each of its pictures, before it is given up."""


@dataclass(slots=True)
class Entry:
    """`fields` are what is wanted; `creation` and what `making` then finds out are sent only when the thing is made, `making` again
    where `place`, its category's path, is another than the one we put it in. `parent` is the product of a variation. `picture_ids` are the shop's own ids by URL; `problems` are sentences by key. `tags` are ids that the
    product must have beside its owner's; `not_skus` SKUs (lower case) that must not stay on it. With `owners` the thing is its owner's: where it is gone it is not made again."""

    key: str
    sku: str
    fields: Fields
    creation: Fields = field(default_factory=dict)
    making: Callable[[], Fields] = dict
    place: str = ""
    gtin: str | None = None
    gtin_key: str = ""
    tags: tuple[int, ...] = ()
    not_skus: frozenset[str] = frozenset()
    owners: bool = False
    pictures: tuple[str, ...] = ()
    picture_ids: dict[str, str] = field(default_factory=dict)
    parent: int | None = None
    id: int | None = None
    problem: str | None = None
    problems: dict[str, str] = field(default_factory=dict)
    unknown: bool = False
    lost: int = 0
    """How many answers about it were lost."""
    counted: bool = False
    """Whether the shop keeps count of it, by the last answer."""
    childless: bool = False
    """Whether it was there before and has no variations, by the last answer."""
    made_again: bool = False
    """Whether what was known by its id was gone and had to be made anew."""
    stale: set[str] = field(default_factory=set)
    """Ids of pictures that the shop has no longer."""
    _rounds: int = 0
    _theirs: list[int] | None = None
    """The owner's pictures, where the list is to be sent; None before that is known."""
    _dead: set[str] = field(default_factory=set)
    _later: list[str] = field(default_factory=list)
    _written: bool = False
    _sorted: bool = False
    _pictured: bool = False

    def fresh(self) -> list[str]:
        """The pictures the next wish asks the shop to fetch."""
        return [url for url in self._shown() if url not in self.picture_ids]

    def wish(self) -> Fields:
        """The fields to send now. Pictures the shop has go by id: the same address again would double them."""
        fields = dict(self.fields)
        if self.id is None:
            fields = sorting.at_making(fields | self.creation | self.making(), self.tags, self.place)
        else:
            fields["id"] = self.id
        if self.gtin:
            fields["global_unique_id"] = self.gtin
        pictures: list[Fields] = [
            {"id": int(self.picture_ids[url])} if url in self.picture_ids else {"src": url}
            for url in self._shown()
        ]
        if self.parent is not None:
            return fields | ({"image": pictures[0]} if pictures else {})
        if self._theirs is not None:
            return fields | {"images": [*pictures, *({"id": number} for number in self._theirs)]}
        return fields | ({"images": pictures} if pictures and self.id is None else {})

    def take(self, answer: Fields) -> Verdict:
        """Learns from the shop's answer to the last wish.

        "again": mended, send once more; "taken": something in the shop or its trash holds the SKU.
        """
        self._rounds += 1
        if "error" not in answer:
            self.childless = self.id is not None and answer.get("variations") == []
            if self.id is None or self.parent is not None or self._theirs is not None:
                self._learn(_images(answer), len(self._theirs or ()))
            if self.id is None:
                self._pictured, self._theirs = True, [] if self.pictures else None
            self.id, self._written = int(answer["id"]), True
            self.counted = answer.get("manage_stock") is True
            return "again" if self._lacks(answer) else self._next_picture()
        error = answer["error"]
        code, words = str(error.get("code")), plain(str(error.get("message")))
        facts = error.get("data") if isinstance(error.get("data"), dict) else {}
        if self._rounds > ROUNDS + len(self.pictures):
            return self.give_up(f"The shop keeps refusing {self.sku}: {words}")
        if code == "product_invalid_sku" or (code.endswith("_not_created") and "lookup table" in words):
            return "taken"
        if code == "product_invalid_global_unique_id" and self.gtin:
            return self._without_gtin(facts.get("resource_id"))
        if "image" in code and (self._shown() or self._theirs):
            return self._without_picture(words)
        if code.endswith("_invalid_id") and self.owners:
            return self.give_up(
                f"Product {self.id} is gone from the shop; its owner made it, so it is not made again"
            )
        if code.endswith("_invalid_id") and self.id is not None and not self.made_again:
            # Deleted in the shop for good: what is wanted is made anew, with the pictures that are still there.
            self.id, self.made_again = None, True
            return "again"
        self.unknown = int(facts.get("status") or 0) >= 500
        return self.give_up(f"The shop refused {self.sku}: {words or code}")

    def adopt(self, found: Fields) -> bool:
        """Takes over what the shop holds already, where our key on it says that it is this very thing.

        Its pictures are taken over as well where they bear the names of those wanted.
        """
        if key_of(found) != self.key or (self.parent or 0) != int(found.get("parent_id") or 0):
            return False
        self.id = int(found["id"])
        images = _images(found)
        if all(_same(url, str(image.get("src"))) for url, image in zip(self._shown(), images, strict=False)):
            self._learn(images)
        return True

    def half_made(self, found: Fields | None) -> bool:
        """True where an earlier call whose answer was lost may be making it just now: the SKU is taken at once, the
        product can be found a moment later, and our key is written last."""
        return self.lost > 0 and (found is None or key_of(found) is None) and self._rounds < ROUNDS

    def give_up(self, problem: str) -> Verdict:
        """Settles it with a sentence."""
        self.problem = problem if problem.endswith(".") else f"{problem}."
        return "done"

    def refuse_picture(self, url: str, words: str) -> None:
        """One dead picture does not keep a product out; the sentence tells it."""
        self._dead.add(url)
        self.problems[f"image:{url}"] = words if url in words else f"The picture {url} was left out: {words}"

    def _shown(self) -> list[str]:
        return [url for url in self.pictures if url not in self._dead and url not in self._later]

    def _learn(self, images: list[Fields], theirs: int = 0) -> None:
        """Picture ids, by place: the shop answers pictures in the order they were sent, so many of `theirs` behind ours."""
        shown = self._shown()
        if len(images) == len(shown) + theirs:
            self.picture_ids |= {url: str(image["id"]) for url, image in zip(shown, images, strict=False)}

    def _mispictured(self, answer: Fields) -> bool:
        """Whether the list of pictures is to be sent: it replaces the owner's, so his go along, behind ours. He may put his
        between ours. Without any id of ours nothing is known to be his, and the list is ours."""
        held = [int(image["id"]) for image in _images(answer)]
        ours = {int(number) for number in self.picture_ids.values()}
        wanted = [self.picture_ids.get(url) for url in self._shown()]
        if [str(number) for number in held if number in ours] == wanted or not (ours or wanted):
            return False
        self._theirs = [number for number in held if ours and number not in ours]
        return True

    def _lacks(self, answer: Fields) -> bool:
        """What only an answer tells: lists of tags, categories and pictures replace the owner's, so ours are changed among those it
        shows; a sale of ours that is over must be ended, while one of the owner's stays; and a SKU of its own is left to
        the owner."""
        before, mispictured = self.fields, False
        if not self.owners and self.parent is None and not self._pictured:
            self._pictured = True
            mispictured = self._mispictured(answer)
        if not self.owners and self.parent is None and not self._sorted:
            self._sorted = True
            self.fields = sorting.tagged(self.fields, answer, self.tags)
            if sorting.misplaced(answer, self.place):
                self._move(answer)
        over = "sale_price" not in self.fields and our_sale(answer)
        if over:
            self.fields = without_sale(self.fields)
        misnamed = "sku" not in self.fields and str(answer.get("sku") or "").casefold() in self.not_skus
        if misnamed:
            self.fields = {**self.fields, "sku": self.sku}
        return mispictured or self.fields is not before

    def _move(self, answer: Fields) -> None:
        """Into the category that is wanted now; where the shop will not have it, it stays where it is."""
        found = self.making().get("categories", ())
        if found or not self.place:
            self.fields = sorting.moved(
                self.fields, answer, self.place, int(found[0]["id"]) if found else None
            )

    def _next_picture(self) -> Verdict:
        if not self._later:
            return "done"
        self._later.pop(0)
        return "again"

    def _without_gtin(self, holder: Any) -> Verdict:
        self.problems[self.gtin_key] = (
            f"The GTIN {self.gtin} is invalid or used by another product (id {holder}) in this shop; {self.sku} went without it."
        )
        self.gtin = None
        return "again"

    def _without_picture(self, words: str) -> Verdict:
        """The whole wish was refused for a picture, and the shop does not always say which.

        With one candidate it is that one. Else the thing goes without new pictures first and then takes them one at
        a time, so that each good one is fetched at most twice.
        """
        stale = re.search(r"#(\d+) is an invalid image ID", words)
        if stale:
            self.stale.add(stale[1])
            self.picture_ids = {url: number for url, number in self.picture_ids.items() if number != stale[1]}
            if self._theirs is not None:
                self._theirs = [number for number in self._theirs if str(number) != stale[1]]
            return "again"
        fresh = self.fresh()
        if len(fresh) > 1:
            self._later = fresh
            return "again"
        for url in fresh or self._shown():
            self.refuse_picture(url, words)
        return self._next_picture() if self._written else "again"


def _images(found: Fields) -> list[Fields]:
    """A product's pictures, or a variation's one."""
    images = found["images"] if "images" in found else [found.get("image")]
    return [image for image in images or [] if image]


def _same(url: str, src: str) -> bool:
    """Whether the shop's picture `src` may be a copy of `url`: it keeps the name and adds a number or “scaled”."""
    wanted, kept = _stem(url), _stem(src).removesuffix("scaled")
    return kept.startswith(wanted) and (kept == wanted or kept.removeprefix(wanted).isdigit())


def _stem(address: str) -> str:
    name = unquote(urlsplit(address).path).rpartition("/")[2].rpartition(".")[0]
    return re.sub(r"[^a-z0-9]", "", name.lower())
