"""The lock of the catalogue: one matcher or merger at a time."""

from typing import Any

from psycopg import Cursor

CATALOGUE_LOCK = 0x656E7472
"""Two suppliers' files with the same GTIN make one variant, not two. Whoever waits is served in the order of coming."""


def lock_catalogue(cursor: Cursor[Any]) -> None:
    """Holds the catalogue until the unit of work ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOGUE_LOCK])


def share_catalogue(cursor: Cursor[Any]) -> None:
    """Holds the catalogue together with others who also only add what nobody has; unique keys keep them apart."""
    cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [CATALOGUE_LOCK])
