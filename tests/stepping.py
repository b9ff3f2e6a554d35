"""Runs the hub's messages one after the other in the test's own process: the steps as they are, no broker, no waiting."""

from typing import Any

from psycopg.rows import dict_row

from core.database import Database

LIMIT = 500


def pending(db: Database) -> list[dict[str, Any]]:
    """Every message there is, the oldest first."""
    with db.unit_of_work() as uow:
        cursor = uow.cursor().connection.cursor(row_factory=dict_row)
        return cursor.execute(
            "SELECT id, tenant, lane, step, event, payload FROM message ORDER BY id"
        ).fetchall()


def run_message(db: Database, message: dict[str, Any]) -> None:
    """Runs one message's step, then forgets the message."""
    route = next(
        route
        for route in db.routes
        if route.name == message["step"] and route.event.__name__ == message["event"]
    )
    route.step(route.event(tenant=message["tenant"], lane=message["lane"], **message["payload"]), db)
    with db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM message WHERE id = %s", [message["id"]])


def run_all(db: Database, *, twice: bool = False) -> list[str]:
    """Runs messages until there are none, each step `twice` where asked; the names of the steps in their order.

    What a second run emits is run as well: a step must be right however often its message comes.
    """
    ran: list[str] = []
    while messages := pending(db):
        for message in messages:
            assert len(ran) < LIMIT, f"the steps go round in circles: {ran[-12:]}"
            if twice and not message["payload"].get("again"):
                route = next(
                    r for r in db.routes if r.name == message["step"] and r.event.__name__ == message["event"]
                )
                route.step(
                    route.event(tenant=message["tenant"], lane=message["lane"], **message["payload"]), db
                )
            run_message(db, message)
            ran.append(message["step"])
    return ran


def rows(db: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, in a unit of work of their own."""
    with db.unit_of_work() as uow:
        return uow.cursor().execute(query, values).fetchall()


def one(db: Database, query: str, *values: Any) -> Any:
    """The only value of the only row of a query."""
    ((value,),) = rows(db, query, *values)
    return value
