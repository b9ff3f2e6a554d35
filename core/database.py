"""The door to PostgreSQL: a pool of connections, units of work, and the one place that knows embedded from given."""

import os
import select
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from core.errors import Misconfigured, Temporary
from core.events import Event, Route, Step, on
from core.migrating import check_current, migrate
from core.settings import Settings
from core.unit_of_work import CHANNEL, SET_SECONDS, UnitOfWork

if TYPE_CHECKING:
    from core.postgres import EmbeddedPostgres

__all__ = [
    "CHANNEL",
    "SET_SECONDS",
    "Database",
    "Event",
    "Route",
    "Step",
    "UnitOfWork",
    "connect",
    "migrate",
    "on",
]

Routes = Sequence[Route] | Callable[[], Sequence[Route]]


class Database:
    """Units of work on one PostgreSQL. It knows the routes it is given, so that emit() can find them; where a function tells
    them, it is called when they are first asked for.

    `pool_size` connections are kept. In seconds: `statement_timeout`, `lock_timeout`, and the `silence` between two
    statements of a unit of work after which PostgreSQL ends it, so that a frozen process keeps no locks.
    """

    def __init__(
        self,
        url: str,
        routes: Routes,
        *,
        pool_size: int = 5,
        statement_timeout: float = 60,
        lock_timeout: float = 10,
        silence: float = 60,
        embedded: "EmbeddedPostgres | None" = None,
    ) -> None:
        self.url = url
        self._told = routes
        self._embedded = embedded
        self._limits = {
            "statement_timeout": statement_timeout,
            "lock_timeout": lock_timeout,
            "idle_in_transaction_session_timeout": silence,
        }
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=self.connection,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_use_lifo=True,
            hide_parameters=True,  # a failed statement is logged; what it was given may be a secret
        )
        event.listen(self._engine, "checkout", _refuse_hung_up)

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The map."""
        return tuple(self._told() if callable(self._told) else self._told)

    def unit_of_work(self, *, last: bool = False) -> UnitOfWork:
        """A unit of work as a context manager. `last` matters only to the face a running step gets."""
        return UnitOfWork(self._engine, self._routes_of)

    def run(self, statement: LiteralString, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement that is a unit of work by itself, in one round trip; its rows, if it returns any."""
        with self.unit_of_work() as uow, uow.alone() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def connection(self, *, autocommit: bool = False) -> psycopg.Connection[Any]:
        """A new connection of one's own, outside the pool, with this database's time limits.

        An embedded PostgreSQL that was killed is started again. Raises psycopg.OperationalError where there is none.
        """
        try:
            return self._connected(autocommit)
        except psycopg.OperationalError:
            if self._embedded is None:
                raise
            self._embedded.attach()
            return self._connected(autocommit)

    def close(self) -> None:
        """Closes the pool, and lets the embedded PostgreSQL go where this Database attached to it."""
        self._engine.dispose()
        if self._embedded is not None:
            self._embedded.release()
            self._embedded = None

    def _routes_of(self, event: type[Event]) -> Sequence[Route]:
        return self._by_event.get(event, ())

    @cached_property
    def _by_event(self) -> dict[type[Event], list[Route]]:
        found: dict[type[Event], list[Route]] = {}
        for route in self.routes:
            found.setdefault(route.event, []).append(route)
        return found

    def _connected(self, autocommit: bool) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(
                self.url,
                autocommit=autocommit,
                connect_timeout=10,
                keepalives_idle=30,
                tcp_user_timeout=30_000,
                application_name=f"entrepot {os.getpid()}",
                options=" ".join(
                    f"-c {name}={int(seconds * 1000)}" for name, seconds in self._limits.items()
                ),
            )
        except psycopg.ProgrammingError as error:
            raise Misconfigured(
                f"ENTREPOT_DATABASE_URL is not a PostgreSQL address ({error}); "
                "write it like postgresql://user:password@host/name."
            ) from None


def connect(settings: Settings, routes: Routes, *, pool_size: int = 5, silence: float = 60) -> Database:
    """The hub's database. Without ENTREPOT_DATABASE_URL: the embedded one, started and migrated as needed.

    Raises Misconfigured where a given database has not been migrated, Temporary where it cannot be reached.
    """
    if not settings.database_url:
        from core.postgres import EmbeddedPostgres

        embedded = EmbeddedPostgres(settings.data)
        url = embedded.attach()
        try:
            migrate(url)
        except BaseException:
            embedded.release()
            raise
        return Database(url, routes, pool_size=pool_size, silence=silence, embedded=embedded)
    url = settings.database_url.replace("+psycopg", "", 1)
    database = Database(url, routes, pool_size=pool_size, silence=silence)
    try:
        with database.connection() as connection:
            check_current(connection)
    except psycopg.OperationalError as error:
        raise Temporary(f"The database named by ENTREPOT_DATABASE_URL cannot be reached: {error}") from None
    return database


def _refuse_hung_up(connection: Any, record: Any, proxy: Any) -> None:
    """Keeps a step from getting a connection whose server has restarted: a look at the socket, no round trip.

    Between units of work a server has nothing to say; if it did, it said goodbye.
    """
    watch = select.poll()
    try:
        watch.register(connection.fileno(), select.POLLIN)
    except psycopg.OperationalError:
        raise InvalidatePoolError from None
    if watch.poll(0):
        raise InvalidatePoolError
