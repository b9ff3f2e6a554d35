"""Brings a database to this version's schema, and tells when somebody has to."""

from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, text

from core.errors import Misconfigured, Temporary
from core.settings import CHECKOUT

LOCK = 6_303_420  # the advisory lock of migrations: any number nobody else uses


def migrate(url: str) -> None:
    """Runs the migrations that are missing. Several may call it at once: one works, the others wait for it.

    migrations/env.py finds its connection in `context.config.attributes["connection"]`.
    """
    url = url.replace("+psycopg", "", 1)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url, connect_timeout=10))
    try:
        with engine.connect() as lock, engine.connect() as work:
            if _revision(work.connection.driver_connection) == _scripts().get_current_head():
                return
            work.rollback()
            lock.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
            work.execute(text("SET lock_timeout = '10s'"))  # a migration must not queue in front of the work
            work.commit()
            config = _config()
            config.attributes["connection"] = work
            command.upgrade(config, "head")
            work.commit()
    except psycopg.OperationalError as error:
        raise Temporary(f"The database cannot be reached to migrate it: {error}") from None
    finally:
        engine.dispose()


def check_current(connection: psycopg.Connection[Any]) -> None:
    """Raises Misconfigured where migrations are missing. A database newer than this version is fine."""
    revision, scripts = _revision(connection), _scripts()
    head = scripts.get_current_head()
    if revision == head:
        return
    if revision is not None:
        try:
            scripts.get_revision(revision)
        except CommandError:
            return  # made by a later version, whose schema this version can use
    raise Misconfigured(
        f"The database is at revision {revision or 'none'}, this version needs {head}: run entrepot migrate."
    )


def _revision(connection: Any) -> str | None:
    found = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if found[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "migrations").replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
