"""Makes what outlived its return window available to the supplier, piece by piece."""

from datetime import datetime

from core.clock import now
from core.database import Database, UnitOfWork
from ledger import chart, holds
from ledger.posting import lock
from models.companies import HUB
from models.events import MaturityDue

LANE = "settlement"
PIECE = 500
"""Captures matured in one unit of work: a few seconds of locks."""

# Orders before accounts and both by id, as the commands of ledger/holds.py take them.
DUE = """
SELECT o.id FROM shop_order o WHERE o.id IN (
  SELECT h.order_id FROM capture c JOIN hold h ON h.id = c.hold_id WHERE c.id = ANY(%s))
ORDER BY o.id FOR NO KEY UPDATE"""


def mature(event: MaturityDue, db: Database) -> None:
    """One piece of what is due; rings again while there is more."""
    moment = now()
    with db.unit_of_work(last=True) as uow:
        if mature_piece(uow, moment) == PIECE:
            uow.emit(event)


def mature_piece(uow: UnitOfWork, moment: datetime, piece: int = PIECE) -> int:
    """Matures the captures that were due first, `piece` of them at most; how many were found."""
    cursor = uow.cursor()
    cursor.execute(
        "SELECT id, supplier_id FROM capture WHERE matured_at IS NULL AND matures_at <= %s"
        " ORDER BY matures_at, id LIMIT %s",
        [moment, piece],
    )
    due: list[tuple[int, int]] = cursor.fetchall()
    if not due:
        return 0
    captures = [capture_id for capture_id, _ in due]
    cursor.execute(DUE, [captures])
    cursor.execute(
        "SELECT DISTINCT c.supplier_id, h.currency FROM capture c JOIN hold h ON h.id = c.hold_id"
        " WHERE c.id = ANY(%s)",
        [captures],
    )
    lock(
        uow,
        {
            (name, currency)
            for supplier_id, currency in cursor.fetchall()
            for name in (chart.pending(supplier_id), chart.available(supplier_id))
        },
    )
    for capture_id in captures:
        holds.mature(uow, capture_id, moment)
    return len(due)


def ring(uow: UnitOfWork) -> None:
    """Asks for all that is due, as the clock does each hour."""
    uow.emit(MaturityDue(tenant=HUB, lane=LANE))
