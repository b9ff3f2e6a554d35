"""What the supplier remembers, in one SQLite file: orders, and how often each reference was asked for."""

import json
import secrets
import sqlite3
import threading
from pathlib import Path
from typing import Any

Fields = dict[str, Any]

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS orders_reference ON orders (reference);
CREATE TABLE IF NOT EXISTS asked (reference TEXT PRIMARY KEY, times INTEGER NOT NULL);
"""
_FIRST = 10_000


class Store:
    """One supplier's memory; a kill never leaves half an order."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    def secret(self, name: str) -> str:
        """A secret made once: a restart keeps it."""
        with self._lock:
            self._db.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO NOTHING", (name, secrets.token_hex(16))
            )
            return str(self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0])

    def place(self, body: Fields, *, twice: bool) -> tuple[Fields, bool]:
        """The order and whether it is new. `twice`: a supplier who makes an order each time he is asked."""
        reference = body["reference"]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(
                    "INSERT INTO asked VALUES (?, 1) ON CONFLICT (reference) DO UPDATE SET times = times + 1",
                    (reference,),
                )
                known = self._find("reference = ?", reference)
                new = twice or not known
                if new:
                    self._db.execute(
                        "INSERT INTO orders (reference, state, body) VALUES (?, 'open', ?)",
                        (reference, json.dumps(body)),
                    )
                    known = self._find("id = last_insert_rowid()")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            return known[0], new

    def find(self, reference: str) -> list[Fields]:
        """Every order of this reference."""
        with self._lock:
            return self._find("reference = ?", reference)

    def everything(self) -> list[Fields]:
        """All orders in the order they were made; `asked` counts how often their reference was asked for."""
        with self._lock:
            return self._find("true")

    def move(self, number: str, state: str, *, unless: str) -> Fields | None:
        """The order after its move to `state`, which it does not make where it is `unless`; None: no such order."""
        key = int(number) - _FIRST if number.isascii() and number.isdigit() else 0
        with self._lock:
            self._db.execute("UPDATE orders SET state = ? WHERE id = ? AND state <> ?", (state, key, unless))
            found = self._find("id = ?", key)
        return found[0] if found else None

    def _find(self, where: str, *values: str | int) -> list[Fields]:
        rows = self._db.execute(
            f"SELECT o.id, o.state, o.body, a.times FROM orders o JOIN asked a USING (reference) "
            f"WHERE {where} ORDER BY o.id",
            values,
        ).fetchall()
        return [
            {**json.loads(body), "number": str(_FIRST + key), "state": state, "asked": times}
            for key, state, body, times in rows
        ]
