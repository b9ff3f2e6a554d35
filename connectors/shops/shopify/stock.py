"""Sets absolute stock at our location: reads, compares and swaps, reads again where somebody was faster."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.http import ATTEMPTS
from connectors.shops.shopify import mapping
from connectors.shops.shopify.client import Fields, GraphQL, refusals, sentence
from connectors.shops.shopify.facts import Facts
from core.errors import EntrepotError, Unknown

PAGE = 100
"""Variants of one call: 250 are allowed, but reading as many would cost more than one query may."""
AGAIN = {
    "CHANGE_FROM_QUANTITY_STALE",
    "IDEMPOTENCY_CONCURRENT_REQUEST",
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
}
"""Refusals after which a new look and another attempt help (InventorySetQuantitiesUserErrorCode)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem` is None where the shop holds the wanted stock; `unknown` where it may hold it, `gone` where there is no
    such variant."""

    problem: str | None = None
    unknown: bool = False
    gone: bool = False


class Stock:
    """Sales lower the same number meanwhile: a write only counts where the shop still holds what was read."""

    def __init__(self, graphql: GraphQL, facts: Facts) -> None:
        self._graphql, self._facts = graphql, facts

    def settle(self, wanted: Mapping[str, int]) -> Iterator[tuple[str, Outcome]]:
        """(variant id, outcome) for each of `wanted`, page by page.

        Raises what a look raises; where a write was lost before it, its variants are told as unknown first.
        """
        numbers = list(wanted)
        for start in range(0, len(numbers), PAGE):
            some = {number: wanted[number] for number in numbers[start : start + PAGE]}
            yield from self._page(some)

    def _page(self, wanted: dict[str, int]) -> Iterator[tuple[str, Outcome]]:
        lost: Unknown | None = None
        for _ in range(ATTEMPTS):
            try:
                held = self._held(list(wanted))
            except EntrepotError:
                if lost is not None:
                    yield from ((number, Outcome(str(lost), unknown=True)) for number in wanted)
                raise
            for number in [number for number in wanted if number not in held]:
                del wanted[number]
                yield number, Outcome(f"The variant {number} is no longer in the shop.", gone=True)
            lost = None
            try:
                refused = self._write(wanted, held)
            except Unknown as error:
                lost = error
                continue
            for number in list(wanted):
                if number not in refused or refused[number].problem:
                    del wanted[number]
                    yield number, refused.get(number, Outcome())
            if not wanted:
                return
        for number in wanted:
            if lost is not None:
                yield number, Outcome(str(lost), unknown=True)
            else:
                yield (
                    number,
                    Outcome(f"The stock of {number} changes too fast to be set; it is sent again later."),
                )

    def _write(self, wanted: Mapping[str, int], held: Mapping[str, Fields]) -> dict[str, Outcome]:
        """What was not done: with a problem for good, without one another attempt helps. Raises Unknown."""
        refused: dict[str, Outcome] = {}
        swaps: list[tuple[str, Fields]] = []
        for number, stock in wanted.items():
            item = held[number]["inventoryItem"]
            before = mapping.available(held[number])
            if before is None:
                errors = self._activate(str(item["id"]), stock)
                if errors:
                    refused[number] = Outcome(sentence(errors))
            elif before != stock:
                swap = {
                    "inventoryItemId": item["id"],
                    "locationId": self._facts.location,
                    "quantity": stock,
                    "changeFromQuantity": before,
                }
                swaps.append((number, swap))
        return refused | (self._swap(swaps) if swaps else {})

    def _swap(self, swaps: Sequence[tuple[str, Fields]]) -> dict[str, Outcome]:
        quantities = [swap for _, swap in swaps]
        payload = self._graphql.change(
            "SetStock",
            input={"name": "available", "reason": "correction", "quantities": quantities},
            idempotency=_key(),
        )
        errors = refusals(payload)
        refused: dict[str, Outcome] = {}
        for error in errors:
            place = next((int(part) for part in error["field"] if part.isdecimal()), None)
            if error["code"] in AGAIN or (place is not None and place >= len(swaps)):
                continue
            for number in [swaps[place][0]] if place is not None else [number for number, _ in swaps]:
                refused[number] = Outcome(sentence([error]))
        # One refusal refuses the whole call: the others are sent again without it.
        return {number: refused.get(number, Outcome()) for number, _ in swaps} if errors else {}

    def _activate(self, item: str, stock: int) -> list[Fields]:
        payload = self._graphql.change(
            "Activate",
            item=item,
            location=self._facts.location,
            available=stock,
            idempotency=_key(),
        )
        return refusals(payload)

    def _held(self, numbers: Sequence[str]) -> dict[str, Fields]:
        asked = [number for number in numbers if number.startswith("gid://")]
        if not asked:
            return {}
        found = self._graphql.read("Stock", ids=asked, location=self._facts.location)["nodes"]
        return {str(one["id"]): one for one in found if one and "inventoryItem" in one}


def _key() -> str:
    """A key of its own for each write: the same while a throttled call is sent again, never that of an earlier write
    with the same content, which Shopify would answer without doing it."""
    return str(uuid.uuid4())
