"""One unit of work: everything in its block is stored together with the events it emits, or nothing is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import orjson
import psycopg
import sqlalchemy.exc
from psycopg.pq import TransactionStatus
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from core.errors import Permanent, Temporary, Unknown
from core.events import Event, Route

CHANNEL = "message"  # where NOTIFY tells which queue has something new

EMIT = """
INSERT INTO message (tenant, lane, queue, step, event, payload)
SELECT tenant, lane, queue, step, event, payload::jsonb
FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
  AS new (tenant, lane, queue, step, event, payload)"""

# A commit that notifies takes a lock of the whole database; not waiting for the disk keeps that short.
NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, queue) FROM unnest(%s::text[]) AS queue"

SET_SECONDS = 540.0
"""What a step over a whole feed, catalogue or shop may `allow` itself; a step's own limit is 600."""

RoutesOf = Callable[[type[Event]], Sequence[Route]]


class UnitOfWork:
    """Commits at the end of its `with` block, rolls back where the block raises.

    A database that is away or too busy raises Temporary; one that broke off during the commit, Unknown.
    """

    def __init__(self, engine: Engine, routes_of: RoutesOf) -> None:
        self._engine = engine
        self._routes_of = routes_of
        self._emitted: list[tuple[Event, Route]] = []
        self._ring: set[str] = set()
        self._session: Session | None = None
        self._connection: Connection | None = None
        self._lent: PoolProxiedConnection | None = None
        self._driver: psycopg.Connection[Any] | None = None

    @property
    def session(self) -> Session:
        """The SQLAlchemy session of this unit of work, made when first asked for."""
        if self._session is None:
            self._raw()
            self._connection = Connection(self._engine, self._lent)
            self._connection.begin()  # so that session.commit() cannot end the unit of work early
            self._session = Session(bind=self._connection, expire_on_commit=False)
        return self._session

    def cursor(self) -> psycopg.Cursor[Any]:
        """A psycopg cursor in the same unit of work: plain SQL and COPY at full speed."""
        return self._raw().cursor()

    @contextmanager
    def alone(self) -> Iterator[psycopg.Cursor[Any]]:
        """A cursor whose every statement is stored at once: for what must not wait for the block's end."""
        raw = self._raw()
        raw.autocommit = True
        try:
            yield raw.cursor()
        finally:
            if not raw.closed and raw.info.transaction_status == TransactionStatus.IDLE:
                raw.autocommit = False
            else:
                raw.close()  # interrupted in the middle of a statement

    def allow(self, seconds: float) -> None:
        """Lets each statement, and each wait for a lock, of this unit of work take so long: for what treats a whole feed."""
        limits = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
        self.cursor().execute(limits, [f"{seconds * 1000:.0f}"] * 2)

    def emit(self, event: Event) -> None:
        """Stores the event for each of its routes, together with this unit of work. Without a route: Permanent."""
        routes = self._routes_of(type(event))
        if not routes:
            raise Permanent(f"The event {type(event).__name__} has no route; add one to pipelines/routes.py.")
        self._emitted += [(event, route) for route in routes]

    def ring(self, queue: str) -> None:
        """Tells the workers of `queue`, after the commit, that it has something new."""
        self._ring.add(queue)

    def __enter__(self) -> Self:
        try:
            self._lent = self._engine.raw_connection()
        except (psycopg.OperationalError, sqlalchemy.exc.SQLAlchemyError) as error:
            raise Temporary(f"The database cannot be reached: {_first_line(error)}. Try again.") from error
        driver = self._lent.driver_connection
        assert isinstance(driver, psycopg.Connection)
        self._driver = driver
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._commit()
            else:
                self._roll_back()
                self._translate(error)
        finally:
            self._give_back()

    def _commit(self) -> None:
        raw = self._raw()
        try:
            if self._session is not None:
                self._session.flush()
            if self._emitted:
                self._insert_emitted(raw)
        except BaseException as error:
            self._roll_back()
            self._translate(error)
            raise
        try:
            if self._connection is not None:
                self._connection.commit()
            else:
                raw.commit()
        except (psycopg.Error, sqlalchemy.exc.DBAPIError) as error:
            if raw.closed:
                raise Unknown(
                    f"The database broke off while it stored the work: {_first_line(error)}. Look before repeating."
                ) from error
            self._translate(error)
            raise
        if self._ring:
            self._notify()

    def _insert_emitted(self, raw: psycopg.Connection[Any]) -> None:
        rows = [
            (
                event.tenant,
                event.lane,
                route.queue,
                route.name,
                type(event).__name__,
                orjson.dumps(event.payload()),
            )
            for event, route in self._emitted
        ]
        raw.execute(
            EMIT,
            [list(column) for column in zip(*((*row[:5], row[5].decode()) for row in rows), strict=True)],
        )
        self._ring |= {route.queue for _, route in self._emitted}

    def _notify(self) -> None:
        """After the commit, so that commits do not wait for each other. Lost here, the poll finds the message."""
        with suppress(psycopg.OperationalError), self.alone() as cursor:
            cursor.execute(NOTIFY, (CHANNEL, sorted(self._ring)))

    def _translate(self, error: BaseException) -> None:
        """Raises Temporary where the error is the database's own trouble: away, lock, time-out, deadlock."""
        busy = isinstance(error, psycopg.OperationalError | sqlalchemy.exc.OperationalError)
        gone = isinstance(error, psycopg.Error | sqlalchemy.exc.DBAPIError) and self._raw().closed
        if busy or gone:
            raise Temporary(f"The database could not finish: {_first_line(error)}. Try again.") from error

    def _roll_back(self) -> None:
        raw = self._raw()
        try:
            if self._session is not None:
                self._session.rollback()
            if self._connection is not None:
                self._connection.rollback()
            raw.rollback()
        except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError):
            raw.close()  # the server rolls back by itself

    def _give_back(self) -> None:
        assert self._lent is not None
        if self._session is not None:
            self._session.close()
        if self._raw().closed and self._lent.is_valid:
            self._lent.invalidate()
        self._lent.close()
        self._lent = self._driver = self._session = self._connection = None

    def _raw(self) -> psycopg.Connection[Any]:
        if self._driver is None:
            raise Permanent("A unit of work is only usable inside its own `with` block.")
        return self._driver


def _first_line(error: BaseException) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
