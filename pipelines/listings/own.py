"""Finds in what a shop sells already the things that are ours, so that they are adopted instead of doubled."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.base import ShopListing

GTIN_LENGTHS = (8, 12, 13, 14)
WORDS = {"sku": "SKU", "gtin": "GTIN", "code": "supplier's number"}
"""By what something is found (models.shops.Adoption.reason), the surest first."""
RANK = {reason: place for place, reason in enumerate(WORDS)}


@dataclass(frozen=True, slots=True)
class Ours:
    """A listing that is wanted in the shop, or is there. `external_id` and `page` (its product's) are None until it is.

    `numbers` are those that its suppliers know it by: (the supplier's code, his own number).
    """

    variant_id: int
    product_id: int
    sku: str
    gtin: str | None
    title: str
    external_id: str | None = None
    page: str | None = None
    numbers: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """One of the shop's variants and which of ours it is. With a `problem` it is not clear, and why.

    `variant_id` is None where no choice of a person can mend it here; `fits` are all that it may be. `variants` is how many
    the shop's product has.
    """

    held: ShopListing
    reason: str
    variants: int
    variant_id: int | None = None
    problem: str | None = None
    fits: tuple[int, ...] = ()

    @property
    def page(self) -> str:
        """The shop's id of the product."""
        return self.held.parent_id or self.held.external_id

    @property
    def seen(self) -> dict[str, Any]:
        """What a person needs to know it by: models.shops.Adoption.seen."""
        held = self.held
        return {
            "title": held.title, "sku": held.sku, "gtin": held.gtin, "status": held.status, "stock": held.stock,
            "price": str(held.price.amount) if held.price else None, "variants": self.variants,
            "options": dict(held.options), "alone": held.parent_id is None or (self.variants == 1 and not held.options),
        }  # fmt: skip


def matches(ours: Sequence[Ours], theirs: Iterable[ShopListing]) -> list[Match]:
    """Pure: by SKU without regard to case, else by a valid GTIN, else by the supplier's own number as a SKU, which is never
    clear and nothing where the GTINs differ. What we hold there already is left out, what bears our key
    of what it fits (a call whose answer got lost made it), and what fits nothing. Several that fit one another, and
    products that are cut otherwise there, are not clear."""
    held = list(theirs)
    pages: dict[str, int] = defaultdict(int)
    for there in held:
        pages[there.parent_id or there.external_id] += 1
    known = {one.external_id for one in ours if one.external_id}
    by_sku: dict[str, list[Ours]] = defaultdict(list)
    by_gtin: dict[str, list[Ours]] = defaultdict(list)
    by_number: dict[str, list[Ours]] = defaultdict(list)
    for one in ours:
        if one.external_id is None:
            by_sku[one.sku.strip().casefold()].append(one)
            if gtin := whole_gtin(one.gtin):
                by_gtin[gtin].append(one)
            for name in {name.strip().casefold() for _, name in one.numbers}:
                by_number[name].append(one)
    found: list[Match] = []
    for there in held:
        if there.external_id in known or there.status in ("trash", "missing"):
            continue
        number = pages[there.parent_id or there.external_id]
        sku = there.sku.strip().casefold()
        gtin = whole_gtin(there.gtin)
        reason, fits = (
            ("sku", by_sku[sku]) if sku and sku in by_sku else ("gtin", by_gtin.get(gtin or "", []))
        )
        if not fits and sku:
            fits = [
                one for one in by_number.get(sku, []) if whole_gtin(one.gtin) in (None, gtin) or gtin is None
            ]
            reason = "code"
        if fits and not any(there.key in (str(one.product_id), str(one.variant_id)) for one in fits):
            found.append(_one_of(fits, there, reason, number))
    return _by_page(_by_variant(found), {one.variant_id: one for one in ours}, ours)


def whole_gtin(text: str | None) -> str | None:
    """Its fourteen digits where the check digit holds; None for all else, which is never a key."""
    digits = (text or "").strip()
    if (
        not digits.isascii()
        or not digits.isdigit()
        or len(digits) not in GTIN_LENGTHS
        or not digits.strip("0")
    ):
        return None
    whole = digits.zfill(14)
    weighed = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(whole))
    return whole if weighed % 10 == 0 else None


def gtin_forms(text: str | None) -> list[str]:
    """All the ways in which the same GTIN may be written, shortest last; none of what is no valid one."""
    whole = whole_gtin(text)
    if whole is None:
        return []
    return [whole[14 - length :] for length in reversed(GTIN_LENGTHS) if not whole[: 14 - length].strip("0")]


def _one_of(ours: list[Ours], there: ShopListing, reason: str, variants: int) -> Match:
    fits = tuple(one.variant_id for one in ours)
    if len(ours) == 1:
        problem = _whose_number(ours[0], there) if reason == "code" else None
        return Match(there, reason, variants, ours[0].variant_id, problem, fits)
    names = ", ".join(one.sku for one in ours[:3]) + (" …" if len(ours) > 3 else "")
    word = "SKU as a supplier's number" if reason == "code" else WORDS[reason]
    return Match(
        there,
        reason,
        variants,
        problem=f"Its {word} is that of {len(ours)} of our products ({names}): give it the SKU of the one it is.",
        fits=fits,
    )


def _whose_number(one: Ours, there: ShopListing) -> str:
    sku = there.sku.strip().casefold()
    code = next(code for code, number in one.numbers if number.strip().casefold() == sku)
    return f"Its SKU is {code}'s own number of {one.sku}: adopt it if it is the same."


def _by_variant(found: list[Match]) -> list[Match]:
    """Several of the shop's for one of ours: the SKU counts more than the GTIN, and that more than a number; else a person
    chooses one."""
    rivals: dict[int, list[Match]] = defaultdict(list)
    for match in found:
        if match.variant_id is not None:
            rivals[match.variant_id].append(match)
    kept: list[Match] = []
    for match in found:
        if match.variant_id is None:
            kept.append(match)
            continue
        others = rivals[match.variant_id]
        if any(RANK[other.reason] < RANK[match.reason] for other in others):
            continue
        equal = sum(other.reason == match.reason for other in others)
        several = f"The shop has {equal} things with this {WORDS[match.reason]}: choose the one to be ours."
        kept.append(replace(match, problem=several) if equal > 1 else match)
    return kept


def _by_page(found: list[Match], by_variant: dict[int, Ours], ours: Sequence[Ours]) -> list[Match]:
    """One product of ours is one product of the shop's; where it is cut otherwise, nothing of it is adopted."""
    products: dict[str, set[int]] = defaultdict(set)
    places: dict[int, set[str]] = defaultdict(set)
    for one in ours:
        if one.page:
            products[one.page].add(one.product_id)
            places[one.product_id].add(one.page)
    for match in found:
        if match.variant_id is not None and match.problem is None:
            product = by_variant[match.variant_id].product_id
            products[match.page].add(product)
            places[product].add(match.page)
    return [_fitting(match, by_variant, products, places) for match in found]


def _fitting(
    match: Match, by_variant: dict[int, Ours], products: dict[str, set[int]], places: dict[int, set[str]]
) -> Match:
    if match.variant_id is None or match.problem is not None:
        return match
    one = by_variant[match.variant_id]
    problem = None
    if len(products[match.page]) > 1:
        problem = (
            f"The shop sells as variants of one product what are {len(products[match.page])} products here: give them one "
            "group in the supplier's list, or split the shop's product."
        )
    elif len(places[one.product_id]) > 1:
        problem = (
            f"{one.title} is one product here and {len(places[one.product_id])} products in the shop: join them there, or "
            "leave them and sell ours under other SKUs."
        )
    return match if problem is None else replace(match, variant_id=None, problem=problem)
