"""Brings a database to this version's schema, and tells when somebody has to."""

from typing import Any

import psycopg
from sqlalchemy import create_engine, text

from core.errors import Misconfigured, Temporary
from core.settings import CHECKOUT

MIGRATIONS = CHECKOUT / "migrations"
LOCK = 6_303_420  # the advisory lock of migrations: any number nobody else uses


def migrate(url: str) -> None:
    """Runs the migrations that are missing. Several may call it at once: one works, the others wait for it.

    migrations/env.py finds its connection in `context.config.attributes["connection"]`.
    """
    url = url.replace("+psycopg", "", 1)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url, connect_timeout=10))
    try:
        with engine.connect() as lock, engine.connect() as work:
            if _revision(work.connection.driver_connection) == head():
                return
            from alembic import command  # a fifth of a second that only this moment needs
            from alembic.config import Config

            work.rollback()
            lock.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
            work.execute(text("SET lock_timeout = '10s'"))  # a migration must not queue in front of the work
            work.commit()
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = work
            command.upgrade(config, "head")
            work.commit()
    except psycopg.OperationalError as error:
        raise Temporary(f"The database cannot be reached to migrate it: {error}") from None
    finally:
        engine.dispose()


def check_current(connection: psycopg.Connection[Any]) -> None:
    """Raises Misconfigured where migrations are missing. A database newer than this version is fine."""
    revision = _revision(connection)
    if revision is not None and revision >= head():
        return  # a later version's schema is one that this version can use
    raise Misconfigured(
        f"The database is at revision {revision or 'none'}, this version needs {head()}: run entrepot migrate."
    )


def _revision(connection: Any) -> str | None:
    found = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if found[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def head() -> str:
    """The newest revision: migrations are numbered in one row, and a file's name begins with its number."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
