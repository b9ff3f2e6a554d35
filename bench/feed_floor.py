"""The floor under the feed benchmark: csv.reader, a hash of each row, COPY into unlogged staging, and a merge by hash."""

import csv
import time
from hashlib import blake2b
from pathlib import Path

import psycopg

from bench.feed_files import HEADER

_COLUMNS = ", ".join(HEADER)
_SETUP = f"""
DROP TABLE IF EXISTS floor_offer;
CREATE TABLE floor_offer (hash text NOT NULL, {", ".join(f"{name} text" for name in HEADER)}, PRIMARY KEY (sku))"""
_CHANGED = f"""
UPDATE floor_offer o SET (hash, {_COLUMNS}) = (s.hash, {", ".join(f"s.{name}" for name in HEADER)})
FROM floor_staged s WHERE s.sku = o.sku AND s.hash <> o.hash"""
_NEW = f"""
INSERT INTO floor_offer (hash, {_COLUMNS}) SELECT hash, {_COLUMNS} FROM floor_staged s
WHERE NOT EXISTS (SELECT FROM floor_offer o WHERE o.sku = s.sku)"""


def prepare(url: str) -> None:
    """An empty table, plain and logged, with the own number as its key."""
    with psycopg.connect(url) as connection:
        connection.execute(_SETUP)


def merge(url: str, file: Path) -> float:
    """Seconds the raw path takes for one file; what lies in the table already is compared by hash.

    What was staged is thrown away behind the clock, as the hub does: half a gigabyte of pages that the next would write.
    """
    began = time.monotonic()
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS floor_staged")
        connection.execute(
            f"CREATE UNLOGGED TABLE floor_staged (hash text, {', '.join(f'{name} text' for name in HEADER)})"
        )
        with file.open(encoding="utf-8", newline="") as source, connection.cursor() as cursor:
            rows = csv.reader(source, delimiter=";")
            next(rows)
            with cursor.copy(f"COPY floor_staged (hash, {_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row((blake2b("\x1f".join(row).encode(), digest_size=16).hexdigest(), *row))
        connection.execute(_CHANGED)
        connection.execute(_NEW)
        connection.commit()
        seconds = time.monotonic() - began
        connection.execute("DROP TABLE floor_staged")
    return seconds


def iterparse(file: Path, tag: str) -> float:
    """Seconds bare lxml needs to walk over the elements `tag` of a file."""
    from lxml import etree

    began = time.monotonic()
    for _, element in etree.iterparse(str(file), tag=tag, resolve_entities=False, no_network=True):
        element.clear()
        while (parent := element.getparent()) is not None and element.getprevious() is not None:
            del parent[0]
    return time.monotonic() - began
