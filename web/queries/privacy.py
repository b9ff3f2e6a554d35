"""What pages, API and command line show of privacy requests, and the data kept of a buyer as a file."""

from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import Float, case, cast, func, select
from sqlalchemy.orm import Session

from core.errors import there_is
from models.companies import Company
from models.orders import Order
from models.privacy import DAYS, PrivacyRequest
from models.shops import Shop
from web.queries.money import in_major
from web.queries.orders import one_order
from web.tables import ROWS, Ask, Column, Rows, Statement, paged

due = PrivacyRequest.received_at + timedelta(days=DAYS)
_received = cast(func.extract("epoch", PrivacyRequest.received_at), Float)
PRIVACY_COLUMNS = {
    "received": Column(PrivacyRequest.received_at, "-"),
    "urgent": Column(case((PrivacyRequest.answered_at.is_(None), _received), else_=1e12 - _received)),
}
"""By "urgent": what waits, the one due first at the head, then what was answered, the newest first."""
LINE = ("sku", "title", "ordered", "wanted", "shipped", "refunded", "state")


def privacy_rows(session: Session, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of requests, those that wait first. Filters: `state` ("open" or "done") and `shop` (its number)."""
    statement = _requests()
    if ask["state"] in ("open", "done"):
        waits = PrivacyRequest.answered_at.is_(None)
        statement = statement.where(waits if ask["state"] == "open" else ~waits)
    if ask["shop"].isdecimal():
        statement = statement.where(PrivacyRequest.shop_id == int(ask["shop"]))
    return paged(session, statement, PRIVACY_COLUMNS, PrivacyRequest.id, ask, limit)


def privacy_counts(session: Session) -> dict[str, int]:
    """How many requests wait for a person ("open") and how many were answered ("done")."""
    waits = func.count().filter(PrivacyRequest.answered_at.is_(None))
    both = session.execute(select(waits, func.count() - waits).select_from(PrivacyRequest)).one()
    return {"open": both[0], "done": both[1]}


def open_requests(session: Session, shop_id: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Those that wait for a person, of one shop or of all, the one that is due first at the head."""
    statement = (
        _requests()
        .where(PrivacyRequest.answered_at.is_(None))
        .order_by(PrivacyRequest.received_at, PrivacyRequest.id)
        .limit(limit)
    )
    if shop_id is not None:
        statement = statement.where(PrivacyRequest.shop_id == shop_id)
    return [dict(row) for row in session.execute(statement).mappings()]


def all_requests(session: Session, limit: int) -> list[dict[str, Any]]:
    """Every request, the newest first."""
    statement = _requests().order_by(PrivacyRequest.id.desc()).limit(limit)
    return [dict(row) for row in session.execute(statement).mappings()]


def one_request(session: Session, request_id: int) -> dict[str, Any]:
    """One request. Raises Refused ("not_found") where there is none."""
    row = session.execute(_requests().where(PrivacyRequest.id == request_id)).mappings().one_or_none()
    return dict(there_is(row, f"Privacy request {request_id}"))


def kept_of(session: Session, request_id: int) -> dict[str, Any]:
    """All that is kept of the buyer who asks, for the shop's owner to pass on: of each order named its lines, whom it went
    to, who was given that address, and its parcels. `not_kept` are orders of which the hub has nothing."""
    request = one_request(session, request_id)
    found = dict(
        session.execute(
            select(Order.external_id, Order.id).where(
                Order.shop_id == request["shop_id"], Order.external_id.in_(request["orders"])
            )
        ).all()
    )
    return {
        "request": request_id, "kind": request["kind"], "shop": request["shop"], "shop_url": request["url"],
        "seller": request["seller"], "asked_at": request["received_at"], "due_at": request["due_at"],
        "orders": [_of_order(session, found[number]) for number in request["orders"] if number in found],
        "not_kept": [number for number in request["orders"] if number not in found],
    }  # fmt: skip


def as_file(kept: dict[str, Any]) -> bytes:
    """The same as JSON, indented: people read it too."""
    return orjson.dumps(kept, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _of_order(session: Session, order_id: int) -> dict[str, Any]:
    order = in_major(there_is(one_order(session, order_id), f"Order {order_id}"))
    names = ("number", "external_id", "placed_at", "standing", "currency", "total", "buyer")
    parcels = ("carrier", "number", "url", "shipped_at")
    return {
        **{name: order[name] for name in names},
        "buyer_forgotten_at": session.get_one(Order, order_id).buyer_forgotten_at,
        "lines": [{name: line[name] for name in LINE} for line in order["lines"]],
        "address_given_to": sorted({po["supplier"] for po in order["purchase_orders"] if po["placed_at"]}),
        "parcels": [{name: parcel[name] for name in parcels} for parcel in order["shipments"]],
    }


def _requests() -> Statement:
    return (
        select(
            PrivacyRequest.id, PrivacyRequest.shop_id, Shop.name.label("shop"), Shop.url, Company.name.label("seller"), PrivacyRequest.kind,
            PrivacyRequest.orders, PrivacyRequest.received_at, due.label("due_at"), PrivacyRequest.answered_at, PrivacyRequest.answered_by,
        )
        .select_from(PrivacyRequest)
        .join(Shop, Shop.id == PrivacyRequest.shop_id)
        .join(Company, Company.id == Shop.seller_id)
    )  # fmt: skip
