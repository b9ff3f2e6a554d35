"""Runs the migrations on the connection that core.migrating hands over, or on the one `alembic -x url=…` names."""

import psycopg
from alembic import context
from sqlalchemy import create_engine

import models  # noqa: F401 - importing them fills the metadata
from core.tables import Base

connection = context.config.attributes.get("connection")
if connection is None:
    url = context.get_x_argument(as_dictionary=True)["url"]
    connection = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url)).connect()
context.configure(
    connection=connection, target_metadata=Base.metadata, compare_type=True, compare_server_default=False
)
with context.begin_transaction():
    context.run_migrations()
