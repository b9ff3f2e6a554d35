"""Sets stock at our location: compares and swaps from what the shop should show, and looks only where it shows something else."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.shops.shopify import mapping
from connectors.shops.shopify.client import Fields, GraphQL, refusals, sentence
from connectors.shops.shopify.facts import Facts
from core.errors import EntrepotError, Unknown

PAGE = 250
"""Quantities of one call, the most that Shopify takes in a list."""
LOOK = 200
"""Variants of one look: as many as one query may cost."""
ROUNDS = 6
"""Writes of one page in all; each that is refused as stale is followed by a look."""
REPEATS = 2
"""How often a write whose answer was lost is sent again under its key, which makes it count once."""
STALE = "CHANGE_FROM_QUANTITY_STALE"
RUNNING = "IDEMPOTENCY_CONCURRENT_REQUEST"
FAILED = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
AGAIN = {STALE, RUNNING, FAILED}
"""Refusals after which a new look and another attempt help (InventorySetQuantitiesUserErrorCode)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A variant's stock; `before` and `stock_id` as in StockLevel, so that no look is needed where both are known."""

    stock: int
    before: int | None = None
    stock_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem` is None where the shop holds the wanted stock; `unknown` where it may hold it, `gone` where there is no
    such variant. `stock_id` is its inventory item, as far as it was told."""

    problem: str | None = None
    unknown: bool = False
    gone: bool = False
    stock_id: str | None = None


@dataclass(slots=True)
class Place:
    """One variant on its way: `shown` is what the shop should hold, or held when it was `looked` at; None where it is to
    be looked at. Not `stocked`: the shop keeps no count of it at our location yet."""

    wish: Wish
    item: str | None
    shown: int | None
    looked: bool = False
    stocked: bool = True


def target(wish: Wish, shown: int) -> int:
    """What is to be set where the shop shows `shown`: less than `before` was sold there and not seen yet."""
    sold = 0 if wish.before is None else max(0, wish.before - shown)
    return max(0, wish.stock - sold)


class Stock:
    """Sales lower the same number meanwhile: a write only counts where the shop still holds what was thought or read."""

    def __init__(self, graphql: GraphQL, facts: Facts) -> None:
        self._graphql, self._facts = graphql, facts

    def settle(self, wanted: Mapping[str, Wish]) -> Iterator[tuple[str, Outcome]]:
        """(variant id, outcome) for each of `wanted`, page by page.

        Raises what a look raises; where a write was lost before it, its variants are told as unknown first.
        """
        numbers = list(wanted)
        for start in range(0, len(numbers), PAGE):
            yield from self._page({number: wanted[number] for number in numbers[start : start + PAGE]})

    def _page(self, wanted: Mapping[str, Wish]) -> Iterator[tuple[str, Outcome]]:
        left = {
            number: Place(wish, wish.stock_id, wish.before if wish.stock_id else None)
            for number, wish in wanted.items()
        }
        for attempt in range(ROUNDS):
            for number in self._look(left):
                del left[number]
                yield number, Outcome(f"The variant {number} is no longer in the shop.", gone=True)
            try:
                refused = self._write(left)
            except Unknown as error:
                for number, place in left.items():
                    yield number, Outcome(str(error), unknown=True, stock_id=place.item)
                return
            for number, place in list(left.items()):
                if number not in refused or refused[number] is not None:
                    del left[number]
                    yield number, Outcome(refused.get(number), stock_id=place.item)
            if not left:
                return
            if attempt:
                # The shop may name one stale quantity at a time: now all are looked at.
                for place in left.values():
                    place.shown = None
        for number in left:
            yield (
                number,
                Outcome(f"The stock of {number} changes too fast to be set; it is sent again later."),
            )

    def _look(self, left: Mapping[str, Place]) -> list[str]:
        """Reads what the shop shows where it is not known; the variants that are gone."""
        numbers = [number for number, place in left.items() if place.shown is None]
        asked = [number for number in numbers if number.startswith("gid://")]
        found: dict[str, Fields] = {}
        for start in range(0, len(asked), LOOK):
            some = asked[start : start + LOOK]
            nodes = self._graphql.read("Stock", ids=some, location=self._facts.location)["nodes"]
            found |= {str(one["id"]): one for one in nodes if one and "inventoryItem" in one}
        for number in numbers:
            if number in found:
                place, shown = left[number], mapping.available(found[number])
                place.item = str(found[number]["inventoryItem"]["id"])
                place.shown, place.stocked, place.looked = shown or 0, shown is not None, True
        return [number for number in numbers if number not in found]

    def _write(self, left: Mapping[str, Place]) -> dict[str, str | None]:
        """What was not done: with a sentence for good, with None where another attempt helps. Raises Unknown."""
        refused: dict[str, str | None] = {}
        swaps: list[tuple[str, Fields]] = []
        for number, place in left.items():
            shown = place.shown or 0
            wanted = target(place.wish, shown)
            if not place.stocked:
                errors = self._activate(str(place.item), wanted)
                if errors:
                    refused[number] = sentence(errors)
            elif shown != wanted:
                swap = {
                    "inventoryItemId": place.item,
                    "locationId": self._facts.location,
                    "quantity": wanted,
                    "changeFromQuantity": shown,
                }
                swaps.append((number, swap))
        return refused | (self._swap(left, swaps) if swaps else {})

    def _swap(self, left: Mapping[str, Place], swaps: Sequence[tuple[str, Fields]]) -> dict[str, str | None]:
        quantities = [swap for _, swap in swaps]
        written = {"name": "available", "reason": "correction", "quantities": quantities}
        errors = self._once(lambda key: self._graphql.change("SetStock", input=written, idempotency=key))
        refused: dict[str, str | None] = {}
        for error in errors:
            place = next((int(part) for part in error["field"] if part.isdecimal()), None)
            if place is None or place >= len(swaps):
                if error["code"] not in AGAIN:
                    refused |= {number: sentence([error]) for number, _ in swaps}
                continue
            number = swaps[place][0]
            if error["code"] in AGAIN or not left[number].looked:
                # What was only thought is looked at: the item may have another id now, or have left our location.
                left[number].shown, refused[number] = None, None
            else:
                refused[number] = sentence([error])
        # One refusal refuses the whole call: the others are sent again without it.
        return {number: refused.get(number) for number, _ in swaps} if errors else {}

    def _activate(self, item: str, stock: int) -> list[Fields]:
        return self._once(
            lambda key: self._graphql.change(
                "Activate", item=item, location=self._facts.location, available=stock, idempotency=key
            )
        )

    def _once(self, write: Callable[[str], Fields]) -> list[Fields]:
        """The refusals of a write under a key of its own: one whose answer was lost is sent again as it was, and Shopify
        tells what became of it. Raises Unknown where that is lost too."""
        key, lost = _key(), 0
        while True:
            try:
                errors = refusals(write(key))
            except Unknown:
                lost += 1
                if lost > REPEATS:
                    raise
                continue
            except EntrepotError as error:
                if lost:
                    raise Unknown(f"What became of a change of stock is not known: {error}") from None
                raise
            codes = {error["code"] for error in errors}
            if lost and RUNNING in codes:
                lost += 1
                if lost > REPEATS:
                    raise Unknown("The shop is still busy with a change of stock whose answer was lost.")
                self._graphql.wait(1.0)
            elif lost and FAILED in codes:
                key, lost = _key(), 0  # it was refused and nothing was done: asked anew, the shop says why
            else:
                return errors


def _key() -> str:
    """A key of its own for each write: the same while it is sent again, never that of an earlier write with the same
    content, which Shopify would answer without doing it."""
    return str(uuid.uuid4())
