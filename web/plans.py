"""A push's plan as a person reads it: counts first, the unusual first, and each difference old → new."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.database import UnitOfWork
from models.shops import Shop
from pipelines.listings.draft import drift
from pipelines.listings.guard import reasons_to_wait
from pipelines.listings.plan import counts, differences
from web.formats import move
from web.queries.shops import listing_states

KINDS = ("withdraw", "create", "update", "stock")
"""The unusual first."""
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
    """What a push would do now. `rows` is one page of it, `after` the id to go on from."""

    counts: dict[str, int]
    limits: list[str]
    live: int
    rows: Sequence[Difference]
    after: str | None

    @property
    def whole(self) -> int:
        """How many listings differ."""
        return sum(self.counts.values())


def plan_of(uow: UnitOfWork, shop: Shop, kind: str = "", after: str = "", limit: int = ROWS) -> Plan:
    """The plan of a shop as it stands now; only differences of `kind` where one is given."""
    rows = differences(uow.cursor(), shop.id)
    numbers = counts(rows)
    states = listing_states(uow.session, shop.id)
    live = sum(states.get(state, 0) for state in ("sent", "live", "drifted"))
    shown = sorted((difference(row) for row in rows if kind in ("", row["difference"])), key=unusual)
    start = next((place + 1 for place, row in enumerate(shown) if str(row.id) == after), 0)
    piece = shown[start : start + limit]
    return Plan(
        numbers,
        reasons_to_wait(uow, shop, numbers),
        live,
        piece,
        str(piece[-1].id) if len(shown) > start + limit else None,
    )


def difference(row: dict[str, Any]) -> Difference:
    """One row of pipelines.listings.plan.differences."""
    wanted, sent = row["wanted"] or {}, row["sent"] or {}
    fields: dict[str, list[Any]] = {}
    if row["difference"] in ("update", "stock"):
        fields = {name: [sent.get(name), value] for name, value in wanted.items() if sent.get(name) != value}
        if row["state"] == "drifted" and row["seen"] and sent:
            held = {name: value for name, _, value in drift(row["seen"].get("title", ""), sent, row["seen"])}
            fields |= {name: [value, wanted.get(name, "live")] for name, value in held.items()}
    return Difference(
        row["id"], row["difference"], (wanted or sent).get("sku", ""), row["title"], fields, row["wanted"]
    )


def unusual(row: Difference) -> tuple[int, float, int]:
    """Sorts by kind, then by how far the price moves, then as they came."""
    return KINDS.index(row.kind), -abs(move(*row.fields.get("price", [None, None])) or 0), row.id
