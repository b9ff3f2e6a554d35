"""Purchase orders as a CSV file for a supplier to fill in, and his filled-in file taken down row by row."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import select

from connectors.orders import Buyer
from core.database import Database, UnitOfWork
from core.errors import Refused, Temporary, there_is
from core.money import exact
from models.orders import OrderEvent
from models.purchasing import PurchaseOrder, PurchaseOrderLine
from pipelines.orders import answers
from pipelines.orders.answer_rows import AnswerRow, answer_rows, parcel_key, safe
from pipelines.orders.ship import ship

SHIP_TO = tuple(field.name for field in fields(Buyer))
TO_FILL = (
    "confirmed",
    "number",
    "cancelled",
    "reason",
    "shipped",
    "carrier",
    "tracking",
    "tracking_url",
    "parcel",
)
HEADER = (
    "reference", "line", "supplier_sku", "title", "quantity", "to_cancel", "unit_cost", "currency",
    *(f"ship_{name}" for name in SHIP_TO), "state", *TO_FILL,
)  # fmt: skip

OPEN = """
SELECT p.reference, l.id, b.supplier_sku, l.title, b.quantity - b.shipped,
  CASE WHEN l.state = 'cancel_requested' THEN least(b.quantity - b.shipped, greatest(0, l.covered - l.refunded - l.wanted - l.overruled)) ELSE 0 END,
  b.unit_cost, p.currency, a.address, p.state
FROM purchase_order p
JOIN purchase_order_line b ON b.purchase_order_id = p.id
JOIN order_line l ON l.id = b.line_id
LEFT JOIN order_buyer a ON a.order_id = p.order_id
WHERE p.supplier_id = coalesce(%s, p.supplier_id) AND p.state IN ('placed', 'accepted', 'cancel_requested') AND b.quantity > b.shipped
ORDER BY p.id, l.id"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row: taken, unchanged (it was known), empty (it says nothing) or refused, and why."""

    row: int
    reference: str
    verdict: str
    message: str


@dataclass(frozen=True, slots=True)
class Act:
    """One answer that some rows of a file give together."""

    rows: tuple[AnswerRow, ...]
    told: str
    give: Callable[[UnitOfWork, PurchaseOrder, Mapping[int, int]], object]
    """Called with the purchase order and how much of each of its lines is open."""


def open_orders(uow: UnitOfWork, supplier_id: int | None) -> str:
    """What a supplier (None: every one) has to ship, a row a line, with empty columns for his answers.

    `quantity` is what is open. Text that a spreadsheet would take for a formula begins with an apostrophe; reading it back takes it away.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for reference, line, sku, title, quantity, to_cancel, cost, currency, address, state in (
        uow.cursor().execute(OPEN, [supplier_id]).fetchall()
    ):
        to = address or {}
        writer.writerow(
            [
                reference, line, safe(sku), safe(title), quantity, to_cancel, exact(cost, currency), currency,
                *(safe(to.get(name, "")) for name in SHIP_TO), state, *("" for _ in TO_FILL),
            ]
        )  # fmt: skip
    return out.getvalue()


def take_answers(db: Database, supplier_id: int | None, content: bytes) -> list[Verdict]:
    """Takes a supplier's file down: each answer in a unit of work of its own, a verdict for each row in the file's order.

    None is the operator, who may answer for every supplier; another one's purchase order is not there for him.
    The same file again changes nothing. Raises Refused for a file that is none: see `answer_rows`.
    """
    rows = answer_rows(content)
    outcomes: dict[int, list[tuple[str, str]]] = defaultdict(list)
    groups: dict[str, list[AnswerRow]] = defaultdict(list)
    for row in rows:
        if row.fault or row.empty:
            outcomes[row.place].append(
                ("refused", row.fault) if row.fault else ("empty", "It answers nothing.")
            )
        else:
            groups[row.reference].append(row)
    for reference, group in groups.items():
        for act in acts(group):
            outcome = _outcome(db, supplier_id, reference, act)
            for row in act.rows:
                outcomes[row.place].append(outcome)
    return [_verdict(row, outcomes[row.place]) for row in rows]


def acts(rows: Sequence[AnswerRow]) -> list[Act]:
    """What the rows of one purchase order say together, in the order in which it is taken down."""
    found: list[Act] = []
    accepted = tuple(row for row in rows if row.confirmed is True)
    refused = tuple(row for row in rows if row.confirmed is False)
    if accepted and refused:
        found.append(Act(accepted + refused, "", _contradiction))
    elif accepted:
        found.append(Act(accepted, "confirmed", _confirm(accepted)))
    elif refused:
        found.append(Act(refused, "rejected", _reject(refused)))
    parcels: dict[tuple[str, str], list[AnswerRow]] = defaultdict(list)
    for row in rows:
        if row.shipped:
            parcels[row.parcel or row.tracking, row.carrier].append(row)
    found += [Act(tuple(parcel), "shipped", _ship(parcel)) for parcel in parcels.values()]
    for said in (True, False):
        if told := tuple(row for row in rows if row.cancelled is said):
            found.append(Act(told, "cancelled" if said else "kept", _cancel(told, said)))
    return found


def _outcome(db: Database, supplier_id: int | None, reference: str, act: Act) -> tuple[str, str]:
    try:
        with db.unit_of_work() as uow:
            found = uow.session.scalars(select(PurchaseOrder).filter_by(reference=reference)).one_or_none()
            his = found if found and supplier_id in (None, found.supplier_id) else None
            po = there_is(his, f"Purchase order {reference[:40]}")
            before = po.version
            open_ = {
                line.line_id: line.quantity - line.shipped
                for line in uow.session.scalars(select(PurchaseOrderLine).filter_by(purchase_order_id=po.id))
            }
            act.give(uow, po, open_)
            known = po.version == before
    except (Refused, Temporary) as error:
        return "refused", str(error)
    return (
        ("unchanged", f"{reference} was {act.told} before.")
        if known
        else ("taken", f"{reference} {act.told}.")
    )


def _verdict(row: AnswerRow, outcomes: list[tuple[str, str]]) -> Verdict:
    verdicts = [verdict for verdict, _ in outcomes]
    worst = next(name for name in ("refused", "taken", "unchanged", "empty") if name in verdicts)
    return Verdict(row.place, row.reference, worst, " ".join(message for _, message in outcomes))


def _contradiction(uow: UnitOfWork, po: PurchaseOrder, open_: Mapping[int, int]) -> None:
    raise Refused(
        f"{po.reference} is both confirmed and rejected: a purchase order is answered whole.",
        rule="contradiction",
    )


def _confirm(rows: tuple[AnswerRow, ...]) -> Callable[..., object]:
    number = next((row.number for row in rows if row.number), None)
    return lambda uow, po, open_: answers.confirm(uow, po.id, number)


def _reject(rows: tuple[AnswerRow, ...]) -> Callable[..., object]:
    named = {row.line for row in rows}
    reason = next((row.reason for row in rows if row.reason), "")

    def give(uow: UnitOfWork, po: PurchaseOrder, open_: Mapping[int, int]) -> object:
        if None not in named and not set(open_) <= named:
            raise Refused(
                f"{po.reference} is answered whole: say no in each of its {len(open_)} rows, or in one without a line.",
                rule="part",
            )
        return answers.reject(uow, po.id, reason)

    return give


def _cancel(rows: tuple[AnswerRow, ...], said: bool) -> Callable[..., object]:
    reason = next((row.reason for row in rows if row.reason), "")
    if said:
        return lambda uow, po, open_: None if _cancelled_before(uow, po) else answers.cancelled(uow, po.id)
    return lambda uow, po, open_: answers.cancel_refused(uow, po.id, reason)


def _cancelled_before(uow: UnitOfWork, po: PurchaseOrder) -> bool:
    """Whether he cancelled a part of it already and nothing is asked of him now: his file came again."""
    told = select(OrderEvent.id).filter_by(order_id=po.order_id, what="cancelled", link=f"po:{po.id}")
    return po.state != "cancel_requested" and uow.session.scalar(told.limit(1)) is not None


def _ship(rows: list[AnswerRow]) -> Callable[..., object]:
    def give(uow: UnitOfWork, po: PurchaseOrder, open_: Mapping[int, int]) -> Any:
        lines: dict[int, int] = defaultdict(int)
        for row in rows:
            if row.line is None and len(open_) > 1:
                raise Refused(f"{po.reference} has several lines: say which one was shipped.", rule="no_line")
            lines[next(iter(open_)) if row.line is None else row.line] += row.shipped or 0
        url = next((row.tracking_url for row in rows if row.tracking_url), "")
        return ship(uow, po.id, parcel_key(rows), lines, rows[0].carrier, rows[0].tracking, url)

    return give
