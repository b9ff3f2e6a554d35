"""What every list page shares: filters and sorting in the address, fifty rows, and cursors that do not slip."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import RowMapping, Select, SQLColumnExpression, and_, or_
from sqlalchemy.orm import Session
from starlette.requests import Request

ROWS = 50
Statement = Select[*tuple[Any, ...]]
"""A SELECT of whatever columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column one can sort by: never null (use coalesce), or rows would be lost between pages.

    `natural` is the direction of the first click: "" upwards, "-" downwards.
    """

    by: SQLColumnExpression[Any]
    natural: str = ""


class Ask:
    """What the address asks of a list: filters, sort order and cursor; makes the addresses of its neighbours."""

    def __init__(self, request: Request, filters: Sequence[str] = (), default: str = "") -> None:
        query = request.query_params
        self.path = request.url.path
        self.filters = {name: value for name in filters if (value := query.get(name, "").strip()[:200])}
        self.default = default
        self.sort = query.get("sort", default)
        self.after, self.before = query.get("after"), query.get("before")

    def __getitem__(self, name: str) -> str:
        return self.filters.get(name, "")

    def link(self, **changes: str | None) -> str:
        """The same list with some things changed; the cursor is dropped, since it belongs to the old order."""
        wanted = {**self.filters, "sort": self.sort if self.sort != self.default else None, **changes}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of a list; `after` and `before` are the cursors of its neighbours, None where there is none."""

    rows: Sequence[RowMapping]
    after: str | None
    before: str | None

    def __len__(self) -> int:
        return len(self.rows)


def paged(
    session: Session,
    statement: Statement,
    columns: Mapping[str, Column],
    key: SQLColumnExpression[Any],
    ask: Ask,
    limit: int = ROWS,
) -> Rows:
    """One page of `statement` in the order that `ask` wants, told apart by the unique `key`.

    A cursor holds the last row's values and not a number of rows: what comes in meanwhile shifts nothing.
    A sort or cursor that makes no sense is taken for none.
    """
    name, descending = ask.sort.removeprefix("-"), ask.sort.startswith("-")
    if name not in columns:
        name, descending = ask.default.removeprefix("-"), ask.default.startswith("-")
    by = columns[name].by
    backwards = ask.before is not None
    start = _unpack(ask.before or ask.after, by, key)
    downwards = descending != backwards
    statement = statement.add_columns(by.label("_by"), key.label("_key"))
    if start is not None:
        value, number = start
        further = by < value if downwards else by > value
        next_key = key < number if downwards else key > number
        statement = statement.where(or_(further, and_(by == value, next_key)))
    order = (by.desc(), key.desc()) if downwards else (by.asc(), key.asc())
    found = list(session.execute(statement.order_by(*order).limit(limit + 1)).mappings())
    more, rows = len(found) > limit, found[:limit]
    if backwards:
        rows.reverse()
    return Rows(
        rows,
        after=_pack(rows[-1]) if rows and (more or backwards) else None,
        before=_pack(rows[0]) if rows and (start is not None if not backwards else more) else None,
    )


def _pack(row: RowMapping) -> str:
    value = row["_by"]
    plain = value.isoformat() if isinstance(value, datetime) else str(value)
    return base64.urlsafe_b64encode(json.dumps([plain, row["_key"]]).encode()).decode().rstrip("=")


def _unpack(
    cursor: str | None, by: SQLColumnExpression[Any], key: SQLColumnExpression[Any]
) -> tuple[Any, Any] | None:
    if not cursor:
        return None
    try:
        plain, last = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        column: Any = by
        kind = column.type.python_type
        value = (
            datetime.fromisoformat(plain)
            if kind is datetime
            else Decimal(plain)
            if kind is Decimal
            else kind(plain)
        )
        unique: Any = key
        return value, unique.type.python_type(last)
    except (ValueError, TypeError, ArithmeticError, binascii.Error, NotImplementedError):
        return None


def tally(session: Session, statement: Statement) -> dict[str, int]:
    """Counts by name, of a statement of two columns."""
    return {str(row[0]): int(row[1]) for row in session.execute(statement)}
