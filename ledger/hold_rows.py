"""The rows behind holds: read under the order's lock, counted up by the commands of holds.py and by nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.errors import Refused, there_is
from core.money import Money
from core.unit_of_work import UnitOfWork
from ledger.rules import Quote, Terms, part
from models.ledger import Hold

HOLDS = """
SELECT h.id, h.line_id, h.order_id, h.seller_id, h.supplier_id, h.currency, h.quantity, h.captured, h.released,
    h.refunded, coalesce((SELECT sum(pending_minor) FROM capture WHERE hold_id = h.id), 0)::bigint,
    jsonb_object_agg(p.part, jsonb_build_array(p.total, p.captured, p.released, p.refunded))
FROM hold h JOIN hold_part p ON p.hold_id = h.id WHERE h.line_id = %s GROUP BY h.id ORDER BY h.number"""

MATURED = """
UPDATE capture SET matured_at = %(now)s, pending_minor = 0
FROM (SELECT c.id, c.pending_minor, h.line_id, h.currency FROM capture c JOIN hold h ON h.id = c.hold_id
    WHERE c.id = %(id)s) AS before
WHERE capture.id = before.id AND matured_at IS NULL AND matures_at <= %(now)s
RETURNING supplier_id, line_id, hold_id, before.pending_minor, currency"""

# Out of the oldest captures first, as far as each has something left.
LOWER = """
UPDATE capture SET pending_minor = capture.pending_minor - least(pending_minor, greatest(0, %(amount)s - earlier))
FROM (SELECT id, coalesce(sum(pending_minor) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
    AS earlier FROM capture WHERE hold_id = %(hold)s) AS before
WHERE capture.id = before.id AND %(amount)s > earlier"""


@dataclass(frozen=True, slots=True)
class Open:
    """A hold as it stands. `parts`: component -> [total, captured, released, refunded] in minor units."""

    id: int
    line_id: int
    order_id: int
    seller_id: int
    supplier_id: int
    currency: str
    quantity: int
    captured: int
    released: int
    refunded: int
    pending: int
    """What of its captures is still pending, in minor units."""
    parts: dict[str, list[int]]

    @property
    def open(self) -> int:
        """Pieces neither captured nor released."""
        return self.quantity - self.captured - self.released

    def next_part(self, taken: int) -> dict[str, int]:
        """What the next `taken` pieces are worth, captured or released: together they make exactly the total."""
        gone = self.captured + self.released + taken
        return {
            name: part(total, gone, self.quantity, captured + released)
            for name, (total, captured, released, _) in self.parts.items()
        }

    def next_refund(self, taken: int) -> dict[str, int]:
        """What the next `taken` of the captured pieces give back: all of them together exactly what was captured."""
        # A later capture may round what was refunded before to one unit less: never below zero.
        return {
            name: max(0, part(captured, self.refunded + taken, self.captured, refunded))
            for name, (_, captured, _, refunded) in self.parts.items()
        }


def lock_order(uow: UnitOfWork, order_id: int) -> None:
    """The order's row, until the unit of work ends. Raises Refused where it is not there."""
    cursor = uow.cursor()
    cursor.execute("SELECT id FROM shop_order WHERE id = %s FOR NO KEY UPDATE", [order_id])
    there_is(cursor.fetchone(), f"Order {order_id}")


def lock_line(uow: UnitOfWork, line_id: int) -> list[Open]:
    """The line's holds, the oldest first, under its order's lock. Raises Refused ("no_hold") where it has none."""
    uow.session.flush()
    cursor = uow.cursor()
    cursor.execute(
        "SELECT shop_order.id FROM shop_order JOIN order_line ON order_id = shop_order.id WHERE order_line.id = %s"
        " FOR NO KEY UPDATE OF shop_order",
        [line_id],
    )
    there_is(cursor.fetchone(), f"Order line {line_id}")
    cursor.execute(HOLDS, [line_id])
    holds = [Open(*row) for row in cursor.fetchall()]
    if not holds:
        raise Refused(f"Order line {line_id} has no hold: it was never covered by a deposit.", rule="no_hold")
    return holds


def lock_order_of_capture(uow: UnitOfWork, capture_id: int) -> None:
    """The order's row of a capture. Raises Refused where the capture is not there."""
    uow.session.flush()
    cursor = uow.cursor()
    cursor.execute(
        "SELECT o.id FROM capture c JOIN hold h ON h.id = c.hold_id JOIN shop_order o ON o.id = h.order_id"
        " WHERE c.id = %s FOR NO KEY UPDATE OF o",
        [capture_id],
    )
    there_is(cursor.fetchone(), f"Capture {capture_id}")


def refuse_too_many(uow: UnitOfWork, quantities: Mapping[int, int]) -> None:
    """Raises Refused ("held_already") where a line would have more pieces held than were ordered."""
    cursor = uow.cursor()
    cursor.execute(
        "SELECT l.id, l.ordered, coalesce(sum(h.quantity - h.released), 0)::int FROM order_line l"
        " LEFT JOIN hold h ON h.line_id = l.id WHERE l.id = ANY(%s) GROUP BY l.id ORDER BY l.id",
        [list(quantities)],
    )
    for line_id, ordered, held in cursor.fetchall():
        if held + quantities[line_id] > ordered:
            raise Refused(
                f"Order line {line_id} is of {ordered}, {held} of them are held already: "
                f"{quantities[line_id]} more would be held twice.",
                rule="held_already",
            )


def terms(uow: UnitOfWork, supplier_id: int) -> Terms:
    """The supplier's terms of this moment; without a row no commission and no shipping."""
    cursor = uow.cursor()
    cursor.execute(
        "SELECT commission_percent, shipping_minor, version FROM supplier_terms WHERE supplier_id = %s",
        [supplier_id],
    )
    row = cursor.fetchone()
    return Terms(*row) if row else Terms()


def shipping_carried(uow: UnitOfWork, order_id: int, supplier_id: int, currency: str) -> int:
    """The shipping that holds of this order and supplier carry and did not release, in minor units."""
    cursor = uow.cursor()
    cursor.execute(
        "SELECT coalesce(sum(p.total - p.released), 0)::bigint FROM hold h JOIN hold_part p ON p.hold_id = h.id"
        " WHERE h.order_id = %s AND h.supplier_id = %s AND h.currency = %s AND p.part = 'shipping'",
        [order_id, supplier_id, currency],
    )
    return int(cursor.fetchall()[0][0])


def add(uow: UnitOfWork, hold: Hold, of: Quote) -> Hold:
    """The hold's row with its parts; fills `id` and `number`. The object is not one of a session."""
    cursor = uow.cursor()
    cursor.execute(
        "WITH new AS (INSERT INTO hold (line_id, number, order_id, seller_id, supplier_id, currency, quantity,"
        " unit_cost, commission_percent, vat_percent, terms_version, opened_at)"
        " SELECT %s, coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM hold WHERE line_id = %s"
        " RETURNING id, number), parts AS (INSERT INTO hold_part (hold_id, part, total)"
        " SELECT id, part, total FROM new, unnest(%s::text[], %s::bigint[]) AS of (part, total))"
        " SELECT id, number FROM new",
        [
            hold.line_id, hold.order_id, hold.seller_id, hold.supplier_id, hold.currency, hold.quantity,
            hold.unit_cost, hold.commission_percent, hold.vat_percent, hold.terms_version, hold.opened_at,
            hold.line_id, list(of.parts), list(of.parts.values()),
        ],
    )  # fmt: skip
    hold.id, hold.number = cursor.fetchall()[0]
    hold.captured = hold.released = hold.refunded = 0
    return hold


def add_to(uow: UnitOfWork, hold_id: int, what: str, quantity: int, parts: Mapping[str, int]) -> None:
    """Counts up `what` (captured, released or refunded) of a hold and of its parts. Raises nothing of its own."""
    assert what in ("captured", "released", "refunded")
    cursor = uow.cursor()
    cursor.execute(
        f"WITH whole AS (UPDATE hold SET {what} = {what} + %s WHERE id = %s)"
        f" UPDATE hold_part SET {what} = {what} + minor FROM unnest(%s::text[], %s::bigint[]) AS new (name, minor)"
        " WHERE hold_id = %s AND part = name",
        [quantity, hold_id, list(parts), list(parts.values()), hold_id],
    )


def add_capture(
    uow: UnitOfWork,
    hold: Open,
    shipment_id: int,
    quantity: int,
    minor: int,
    at: datetime,
    matures_at: datetime,
) -> None:
    """The capture's row, `minor` of it pending."""
    uow.cursor().execute(
        "INSERT INTO capture (hold_id, shipment_id, supplier_id, quantity, pending_minor, captured_at, matures_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [hold.id, shipment_id, hold.supplier_id, quantity, minor, at, matures_at],
    )


def lower_pending(uow: UnitOfWork, hold_id: int, minor: int) -> None:
    """Takes `minor` units out of what is pending of a hold's captures."""
    if minor:
        uow.cursor().execute(LOWER, {"amount": minor, "hold": hold_id})


def matured(uow: UnitOfWork, capture_id: int, now: datetime) -> tuple[int, int, int, int, str] | None:
    """Marks a due capture: (supplier, line, hold, what was pending, currency). None: not due, or marked before."""
    cursor = uow.cursor()
    cursor.execute(MATURED, {"id": capture_id, "now": now})
    return cursor.fetchone()


def change(uow: UnitOfWork, key: str) -> tuple[Any, ...] | None:
    """What the command `key` did: line, kind, quantity, minor units, currency, entry."""
    cursor = uow.cursor()
    cursor.execute(
        "SELECT line_id, kind, quantity, amount_minor, currency, entry_id FROM hold_change WHERE key = %s",
        [key],
    )
    return cursor.fetchone()


def remember(
    uow: UnitOfWork,
    key: str,
    line_id: int,
    kind: str,
    quantity: int,
    amount: Money,
    why: str,
    entry_id: int | None,
    at: datetime,
) -> None:
    """What the command `key` did, for its repetition and for whoever asks why."""
    uow.cursor().execute(
        "INSERT INTO hold_change (key, line_id, kind, quantity, amount_minor, currency, why, entry_id, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [key, line_id, kind, quantity, amount.minor, amount.currency, why, entry_id, at],
    )
