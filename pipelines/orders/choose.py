"""Chooses which offer covers which line: a pure function of what is wanted and what is free."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Ask:
    """A line that wants cover. `reserved_offer` is set where its whole quantity is set aside already.

    `refused_by` are the suppliers who rejected this line before.
    """

    line_id: int
    variant_id: int
    quantity: int
    reserved_offer: int | None = None
    refused_by: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sellable offer. `cost` in major units of the hub's currency for one piece; `asked` is what its supplier asks where
    that is another, in words."""

    offer_id: int
    variant_id: int
    supplier_id: int
    free: int
    cost: Decimal
    asked: str = ""


def choose(asks: Sequence[Ask], candidates: Iterable[Candidate]) -> Mapping[int, Candidate]:
    """Line id -> the offer that covers it whole: the cheapest with enough free, then the oldest; absent where none has.

    What is set aside for a line already stays with its offer. Lines come in the order given, each leaving less free.
    """
    offers = sorted(candidates, key=lambda each: (each.cost, each.offer_id))
    free = {each.offer_id: each.free for each in offers}
    chosen: dict[int, Candidate] = {}
    for ask in asks:
        for each in offers:
            mine = each.offer_id == ask.reserved_offer
            fits = mine or (ask.reserved_offer is None and free[each.offer_id] >= ask.quantity)
            if each.variant_id == ask.variant_id and each.supplier_id not in ask.refused_by and fits:
                chosen[ask.line_id] = each
                free[each.offer_id] -= 0 if mine else ask.quantity
                break
    return chosen
