"""Orders: the list, and one order with what is covered, bought and shipped of it, its answers to "why", and its story."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import select

from core.errors import Refused, there_is
from core.settings import load
from core.unit_of_work import UnitOfWork
from ledger.why import why_fee, why_hold
from models.orders import LINE_STATES, OrderLine
from models.shops import Shop
from pipelines.paying import refund
from web.deps import CheckedForm, Db, Session, go, page
from web.queries.orders import ORDER_COLUMNS, one_order, order_rows
from web.queries.trade import URGENCY, first_state, order_counts
from web.queries.why import why_price
from web.stories import story_of_order
from web.tables import Ask

router = APIRouter(prefix="/orders")
EXPLAINED = 20
"""Lines of an order whose "why" stands on its page; the others have it on their own."""


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """Every order, what its lines wait for, and where it goes to: town and country alone."""
    ask = Ask(request, ("state", "shop", "q"), default="-placed")
    if ask["state"] not in LINE_STATES:
        ask.filters.pop("state", None)
    with db.unit_of_work() as uow:
        rows = order_rows(uow.session, ask)
        shop = ask["shop"]
        shop_id = int(shop) if shop.isdecimal() else None
        name = uow.session.scalar(select(Shop.name).where(Shop.id == shop_id)) if shop_id else None
        count, states = order_counts(uow.session, shop_id)
    return page(
        request, "orders.html", title="Orders", ask=ask, rows=rows, count=count, states=states, columns=ORDER_COLUMNS, order=URGENCY,
        first_state=first_state, shop=name,
    )  # fmt: skip


@router.get("/{order_id}")
def show(request: Request, db: Db, session: Session, order_id: int) -> Response:
    """One order."""
    with db.unit_of_work() as uow:
        found = there_is(one_order(uow.session, order_id), f"Order {order_id}")
        whys = {line["id"]: why(uow, found["shop_id"], line) for line in found["lines"][:EXPLAINED]}
    return page(
        request, "order.html", title=f"Order {found['number']}", order=found, whys=whys, facts=facts(found), state=shown_state(found),
        story=story_of_order(found["story"]), key=secrets.token_urlsafe(12), place=place(found["buyer"]),
    )  # fmt: skip


@router.get("/{order_id}/lines/{line_id}")
def show_line(request: Request, db: Db, session: Session, order_id: int, line_id: int) -> Response:
    """Why one line costs, holds and is charged what it is."""
    with db.unit_of_work() as uow:
        found = there_is(one_order(uow.session, order_id), f"Order {order_id}")
        line = there_is(
            next((each for each in found["lines"] if each["id"] == line_id), None), f"Line {line_id}"
        )
        answers = why(uow, found["shop_id"], line)
    return page(
        request, "order_line.html", title=line["title"], order=found, line=line, why=answers, key=secrets.token_urlsafe(12)
    )  # fmt: skip


@router.post("/{order_id}/lines/{line_id}/refund")
def give_back(
    db: Db, session: CheckedForm, order_id: int, line_id: int, quantity: Annotated[str, Form()] = "", key: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Shipped pieces came back: the seller gets his money for them."""
    with db.unit_of_work() as uow:
        there_is(
            uow.session.query(OrderLine.id).filter_by(id=line_id, order_id=order_id).first(), f"Line {line_id}"
        )  # fmt: skip
        refund(uow, line_id, pieces(quantity), key)
    return go(f"/orders/{order_id}", "refunded")


def pieces(text: str) -> int:
    """A number of pieces from a form. Raises Refused ("quantity") where it is none."""
    plain = text.strip()
    if not (plain.isascii() and plain.isdecimal() and 0 < int(plain[:12]) < 2**31):
        raise Refused(f"{text[:40]!r} is not a number of pieces; write it like 2.", rule="quantity")
    return int(plain[:12])


def why(uow: UnitOfWork, shop_id: int, line: dict[str, Any]) -> list[tuple[str, list[str], list[int]]]:
    """(question, sentences, journal entries) of a line: its price, what is set aside for it, and the fee on it."""
    price = why_price(uow.session, shop_id, line["sku"])
    found: list[tuple[str, list[str], list[int]]] = []
    if price:
        found.append(("Why this price?", price["sentences"], []))
    for question, ask in (
        ("Why is this much set aside?", why_hold),
        ("Why this commission?", why_fee),
    ):
        try:
            told = ask(uow, line["id"])
        except Refused as error:
            if error.rule != "no_hold":
                raise
            return [*found, (question, [str(error)], [])]
        found.append((question, told.sentences, told.entries))
    return found


def facts(order: dict[str, Any]) -> dict[str, Any]:
    """The order's pieces by how far they are, and what is still held for it in minor units."""
    lines = order["lines"]
    sums = {
        name: sum(line[name] for line in lines)
        for name in ("ordered", "wanted", "covered", "shipped", "refunded")
    }
    bought = sum(
        line["open"] for po in order["purchase_orders"] for line in po["lines"] if po["state"] not in ENDED
    )
    held = sum(hold["open_minor"] for hold in order["holds"])
    spent = sum(hold["captured_minor"] - hold["refunded_minor"] for hold in order["holds"])
    # The hub's money, whatever the buyer paid in.
    return {**sums, "bought": bought, "held": held, "spent": spent, "currency": load().currency}


ENDED = ("rejected", "cancelled", "shipped")


def shown_state(order: dict[str, Any]) -> str:
    """The state in the title: the most urgent one of its lines."""
    return first_state([line["state"] for line in order["lines"]])


def place(buyer: dict[str, Any] | None) -> str:
    """Town and country of a buyer; all that the console shows of him."""
    return ", ".join(part for part in ((buyer or {}).get("city"), (buyer or {}).get("country")) if part)
