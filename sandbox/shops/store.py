"""The shop's memory: one SQLite file, so that a shop killed in the middle keeps what it had committed."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.shops.answers import Fields

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id INTEGER NOT NULL, parent INTEGER, status TEXT, sku TEXT, gtin TEXT, slug TEXT,
    created INTEGER, modified INTEGER, doc TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS records_by_sku ON records (kind, sku, id);
CREATE INDEX IF NOT EXISTS records_by_gtin ON records (kind, gtin, id);
CREATE INDEX IF NOT EXISTS records_by_slug ON records (kind, slug, id);
CREATE INDEX IF NOT EXISTS records_by_parent ON records (kind, parent, id);
CREATE INDEX IF NOT EXISTS records_by_created ON records (kind, created, id);
CREATE INDEX IF NOT EXISTS records_by_modified ON records (kind, modified, id);
CREATE TABLE IF NOT EXISTS shelves (
    category INTEGER NOT NULL, product INTEGER NOT NULL, PRIMARY KEY (category, product));
CREATE INDEX IF NOT EXISTS shelves_by_product ON shelves (product);
"""
# The columns are copies of the document's fields, there only to be searched.
_COLUMNS = ("parent", "status", "sku", "gtin", "slug", "created", "modified")


class Store:
    """Documents by kind and id. Every use stands inside `work()`, which serialises the shop's writers."""

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps everything in memory only."""
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None, timeout=10
        )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(
            "PRAGMA synchronous = NORMAL"
        )  # survives kill -9; only a power cut may lose a second
        self._db.executescript(_TABLES)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def work(self) -> Iterator[None]:
        """All or nothing: commits at the end, rolls back on any exception. May be nested."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    if self._depth == 1:
                        self._db.execute("ROLLBACK")
                    raise
                if self._depth == 1:
                    self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    def put(self, kind: str, doc: Fields) -> None:
        """Write a document; its `id` and searchable fields come from itself."""
        sku = str(doc.get("sku") or "").casefold()
        values = {**{name: doc.get(name) for name in _COLUMNS}, "sku": sku}
        self._db.execute(
            "INSERT OR REPLACE INTO records (kind, id, parent, status, sku, gtin, slug, created, modified, doc)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, doc["id"], *(values[name] for name in _COLUMNS), json.dumps(doc, separators=(",", ":"))),
        )

    def get(self, kind: str, number: int) -> Fields | None:
        row = self._db.execute("SELECT doc FROM records WHERE kind = ? AND id = ?", (kind, number)).fetchone()
        return None if row is None else json.loads(row[0])

    def drop(self, kind: str, number: int) -> None:
        self._db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, number))

    def find(self, where: str, values: tuple[Any, ...], tail: str = "ORDER BY id") -> list[Fields]:
        """Documents by an SQL condition over the columns; `tail` orders and limits."""
        rows = self._db.execute(f"SELECT doc FROM records WHERE {where} {tail}", values)
        return [json.loads(row[0]) for row in rows]

    def count(self, where: str, values: tuple[Any, ...]) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM records WHERE {where}", values).fetchone()[0])

    def shelve(self, product: int, categories: list[int]) -> None:
        """Say in which categories a product stands, replacing what was said before."""
        self._db.execute("DELETE FROM shelves WHERE product = ?", (product,))
        self._db.executemany(
            "INSERT OR IGNORE INTO shelves VALUES (?, ?)", [(category, product) for category in categories]
        )

    def shelf(self, categories: list[int], besides: int, limit: int) -> list[int]:
        """Up to `limit` products in any of the categories, but for `besides`."""
        marks = ",".join("?" * len(categories))
        rows = self._db.execute(
            f"SELECT DISTINCT product FROM shelves WHERE category IN ({marks}) AND product <> ? "
            "ORDER BY product LIMIT ?",
            (*categories, besides, limit),
        )
        return [row[0] for row in rows]

    def on_shelf(self, category: int) -> int:
        row = self._db.execute("SELECT count(*) FROM shelves WHERE category = ?", (category,)).fetchone()
        return int(row[0])

    def fact(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def next(self, counter: str) -> int:
        """The next number of a counter: `post` (products, variations, media, orders), `meta`, `term`, …"""
        number = int(self.fact(f"next {counter}") or 1)
        self.remember(f"next {counter}", str(number + 1))
        return number

    def start_counter(self, counter: str, number: int) -> None:
        """The counter's next number will be this one."""
        self.remember(f"next {counter}", str(number))
