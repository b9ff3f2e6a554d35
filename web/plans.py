"""A push's plan as a person reads it: counts first, the unusual first, and each difference old → new."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.database import UnitOfWork
from models.shops import Shop
from pipelines.listings.draft import drift
from pipelines.listings.guard import reasons_to_wait
from pipelines.listings.plan import count_differences, page_of_differences
from web.queries.adoption import adoption_states, still_open
from web.queries.shops import listing_states
from web.queries.undecided import undecided_of

ROWS = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """One listing of the plan; `fields` maps a field's name to [what is there, wanted]."""

    id: int
    kind: str
    sku: str
    title: str
    fields: dict[str, list[Any]]
    wanted: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push would do now. `rows` is one page of it, `after` how many rows lie before the next.

    `already` things in the shop wait to be adopted or left, and `undecided` listings for that; `refused` ones the shop said
    no to.
    """

    counts: dict[str, int]
    limits: list[str]
    live: int
    rows: Sequence[Difference]
    after: str | None
    already: int = 0
    undecided: int = 0
    refused: int = 0

    @property
    def whole(self) -> int:
        """How many listings differ."""
        return sum(self.counts.values())


def plan_of(uow: UnitOfWork, shop: Shop, kind: str = "", after: str = "", limit: int = ROWS) -> Plan:
    """The plan of a shop as it stands now; only differences of `kind` where one is given."""
    cursor = uow.cursor()
    numbers = count_differences(cursor, shop.id)
    states = listing_states(uow.session, shop.id)
    skipped = int(after) if after.isdecimal() and len(after) < 10 else 0
    rows = page_of_differences(cursor, shop.id, kind=kind, limit=limit + 1, skipped=skipped)
    return Plan(
        numbers,
        reasons_to_wait(uow, shop, numbers),
        sum(states.get(state, 0) for state in ("sent", "live", "drifted")),
        [difference(row) for row in rows[:limit]],
        str(skipped + limit) if len(rows) > limit else None,
        still_open(adoption_states(uow.session, shop.id)),
        undecided_of(uow.session, shop.id),
        states.get("refused", 0),
    )


def held_by(uow: UnitOfWork, shop: Shop) -> list[str]:
    """Why the push that follows by itself would wait for a person as things stand; [] where it goes, or none follows."""
    if shop.live_since is None:
        return []
    return reasons_to_wait(uow, shop, count_differences(uow.cursor(), shop.id))


def difference(row: dict[str, Any]) -> Difference:
    """One row of pipelines.listings.plan.differences."""
    wanted, sent = row["wanted"] or {}, row["sent"] or {}
    fields: dict[str, list[Any]] = {}
    if row["difference"] in ("update", "stock"):
        fields = {name: [sent.get(name), value] for name, value in wanted.items() if sent.get(name) != value}
        if row["state"] == "drifted" and row["seen"] and sent:
            found = drift(row["seen"].get("title", ""), sent, row["seen"])
            fields |= {name: [held, wanted.get(name, was)] for name, was, held in found}
    return Difference(
        row["id"], row["difference"], (wanted or sent).get("sku", ""), row["title"], fields, row["wanted"]
    )
