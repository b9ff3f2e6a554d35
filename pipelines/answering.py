"""Purchase orders as one CSV file and its answers back, for one supplier or for all of them: by page, API or command line."""

from sqlalchemy import select

from core.database import Database, UnitOfWork
from models.purchasing import PurchaseOrder
from pipelines.orders.answer_rows import answer_rows
from pipelines.orders.purchase_csv import Verdict, open_orders, take_answers

NOBODY = 0
"""A supplier that is none: in his name every reference is unknown, and every row says so."""
OPEN = ("placed", "accepted", "cancel_requested")


def to_fill(uow: UnitOfWork, supplier_id: int | None = None) -> str:
    """What suppliers have to ship, a row a line, with empty columns for their answers; None: of all suppliers."""
    if supplier_id is not None:
        return open_orders(uow, supplier_id)
    waiting = select(PurchaseOrder.supplier_id).where(PurchaseOrder.state.in_(OPEN)).distinct()
    files = [open_orders(uow, supplier) for supplier in sorted(uow.session.scalars(waiting))]
    head = open_orders(uow, NOBODY)
    return head + "".join(file.removeprefix(head) for file in files)


def taken_down(db: Database, content: bytes, supplier_id: int | None = None) -> list[Verdict]:
    """Takes a filled-in file down, each row in the name of the supplier whose purchase order it is; a verdict for each row.

    With `supplier_id` only his count, as when he sends the file himself. Raises Refused for a file that is none.
    """
    if supplier_id is not None:
        return take_answers(db, supplier_id, content)
    named = {row.reference for row in answer_rows(content)}
    with db.unit_of_work() as uow:
        found = select(PurchaseOrder.reference, PurchaseOrder.supplier_id).where(
            PurchaseOrder.reference.in_(named)
        )
        owners = {row.reference: row.supplier_id for row in uow.session.execute(found)}
    verdicts = take_answers(db, NOBODY, content)
    for supplier in sorted(set(owners.values())):
        own = take_answers(db, supplier, content)
        verdicts = [
            mine if owners.get(mine.reference) == supplier else before
            for before, mine in zip(verdicts, own, strict=True)
        ]
    return verdicts
