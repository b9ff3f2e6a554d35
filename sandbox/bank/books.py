"""The bank's books in one SQLite file: what it booked, on which of its days, and what it will send back."""

import datetime
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.bank.payment_file import Batch, PaymentFile, Rejected, iban

OUR_IBAN = "DE02120300000000202051"
OUR_HOLDER = "Entrepot"

_TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    iban TEXT PRIMARY KEY, holder TEXT NOT NULL, balance INTEGER NOT NULL DEFAULT 0, day TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, iban TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, batch TEXT,
    statement INTEGER);
CREATE TABLE IF NOT EXISTS parts (
    entry INTEGER NOT NULL, position INTEGER NOT NULL, cents INTEGER NOT NULL, end_to_end_id TEXT NOT NULL,
    name TEXT NOT NULL, iban TEXT NOT NULL, text TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    returned INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (entry, position));
CREATE TABLE IF NOT EXISTS statements (
    iban TEXT NOT NULL, number INTEGER NOT NULL, day TEXT NOT NULL, opening INTEGER NOT NULL, closing INTEGER NOT NULL,
    PRIMARY KEY (iban, number));
CREATE TABLE IF NOT EXISTS files (message_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS returns (iban TEXT, end_to_end_id TEXT, reason TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Part:
    """One single payment of a booking. `cents` is negative where money left; `iban` and `name` are the other side's."""

    cents: int
    end_to_end_id: str = ""
    name: str = ""
    iban: str = ""
    text: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Entry:
    """One booking. `kind`: "topup", "payment", "return" or "fee"; `batch` is the message booked as one sum."""

    number: int
    day: datetime.date
    kind: str
    parts: tuple[Part, ...]
    batch: str | None = None

    @property
    def cents(self) -> int:
        return sum(part.cents for part in self.parts)


@dataclass(frozen=True)
class Statement:
    """One closed day of one account."""

    iban: str
    holder: str
    number: int
    day: datetime.date
    opening: int
    closing: int
    entries: tuple[Entry, ...]


class Books:
    """The books of one folder. Its days are its own: closing a day with a statement begins the next one."""

    def __init__(self, folder: Path, first_day: datetime.date | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._first_day = first_day or datetime.date.today()  # the wall's clock only at the first opening
        self._db = sqlite3.connect(folder / "bank.sqlite", isolation_level=None, timeout=10)
        self._db.executescript(_TABLES)
        if not self._db.execute("SELECT 1 FROM accounts").fetchone():
            self.open(OUR_IBAN, OUR_HOLDER)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def open(self, account: str, holder: str) -> None:
        """A new account with nothing in it; an account that is there stays as it is."""
        self._db.execute(
            "INSERT INTO accounts (iban, holder, day) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (iban(account), holder, self._first_day.isoformat()),
        )

    def balance(self, account: str = OUR_IBAN) -> int:
        """Cents. Raises Rejected for a stranger's account."""
        return int(self._account(account)[1])

    def topup(self, cents: int, reference: str, payer: str, account: str = OUR_IBAN) -> Entry:
        """Somebody paid in."""
        with self._work():
            return self._book(account, "topup", [Part(cents, name=payer, text=reference)])

    def fee(self, cents: int, text: str, account: str = OUR_IBAN) -> Entry:
        """The bank's own charge."""
        with self._work():
            return self._book(account, "fee", [Part(-cents, text=text)])

    def pay(self, file: PaymentFile) -> list[Entry]:
        """Books the whole file or nothing. Raises Rejected: taken before, not our account, not enough money."""
        with self._work():
            try:
                self._db.execute("INSERT INTO files VALUES (?)", (file.message_id,))
            except sqlite3.IntegrityError:
                raise Rejected(
                    f"DU01: the file {file.message_id} was taken before; nothing is paid again."
                ) from None
            booked = [entry for batch in file.batches for entry in self._pay(batch, file.message_id)]
            for account in {batch.debtor_iban for batch in file.batches}:
                if self.balance(account) < 0:
                    raise Rejected(
                        f"AM04: {account} has {-self.balance(account)} cents too little for the file."
                    )
            return booked

    def close_account(self, account: str) -> None:
        """What is paid to this IBAN from now on comes back the next day with AC04 (closed account)."""
        self._db.execute("INSERT INTO returns VALUES (?, NULL, 'AC04')", (iban(account),))

    def send_back(self, end_to_end_id: str, reason: str) -> None:
        """This transfer, paid or yet to be paid, comes back on the day after the next statement."""
        self._db.execute("INSERT INTO returns VALUES (NULL, ?, ?)", (end_to_end_id, reason))

    def close_day(self, account: str = OUR_IBAN) -> Statement:
        """The statement of the day; the next day begins with what comes back."""
        with self._work():
            _, balance, day = self._account(account)
            number, opening = self._db.execute(
                "SELECT coalesce(max(number), 0) + 1, coalesce((SELECT closing FROM statements s WHERE s.iban = ? "
                "ORDER BY number DESC LIMIT 1), 0) FROM statements WHERE iban = ?",
                (account, account),
            ).fetchone()
            self._db.execute(
                "INSERT INTO statements VALUES (?, ?, ?, ?, ?)", (account, number, day, opening, balance)
            )
            self._db.execute(
                "UPDATE entries SET statement = ? WHERE iban = ? AND statement IS NULL", (number, account)
            )
            tomorrow = datetime.date.fromisoformat(day) + datetime.timedelta(days=1)
            self._db.execute("UPDATE accounts SET day = ? WHERE iban = ?", (tomorrow.isoformat(), account))
            self._return(account, number)
        return self.statement(number, account)

    def statement(self, number: int, account: str = OUR_IBAN) -> Statement:
        """A closed day again. Raises Rejected where there is none of this number."""
        found = self._db.execute(
            "SELECT day, opening, closing FROM statements WHERE iban = ? AND number = ?", (account, number)
        ).fetchone()
        if found is None:
            raise Rejected(f"There is no statement {number} of {account}.")
        rows = self._db.execute(
            "SELECT id FROM entries WHERE iban = ? AND statement = ? ORDER BY id", (account, number)
        ).fetchall()
        entries = tuple(self._entry(row[0]) for row in rows)
        day = datetime.date.fromisoformat(found[0])
        return Statement(account, self._account(account)[0], number, day, found[1], found[2], entries)

    def _pay(self, batch: Batch, message_id: str) -> list[Entry]:
        parts = [
            Part(-each.cents, each.end_to_end_id, each.name, each.iban, each.text) for each in batch.transfers
        ]
        if batch.together:
            return [self._book(batch.debtor_iban, "payment", parts, message_id)]
        return [self._book(batch.debtor_iban, "payment", [part]) for part in parts]

    def _return(self, account: str, number: int) -> None:
        """Each payment at most once: to a closed account right after its day, a named one whenever it was paid."""
        rows = self._db.execute(
            "SELECT p.entry, p.position, -p.cents, p.end_to_end_id, p.name, p.iban, p.text, min(r.reason) FROM parts p "
            "JOIN entries e ON e.id = p.entry JOIN returns r ON r.end_to_end_id = p.end_to_end_id "
            "OR (r.iban = p.iban AND e.statement = ?) "
            "WHERE e.iban = ? AND e.kind = 'payment' AND p.returned = 0 "
            "GROUP BY p.entry, p.position ORDER BY p.entry, p.position",
            (number, account),
        ).fetchall()
        for entry, position, *fields in rows:
            self._db.execute(
                "UPDATE parts SET returned = 1 WHERE entry = ? AND position = ?", (entry, position)
            )
            self._book(account, "return", [Part(*fields)])

    def _book(self, account: str, kind: str, parts: list[Part], batch: str | None = None) -> Entry:
        day = self._account(account)[2]
        number = self._db.execute(
            "INSERT INTO entries (iban, day, kind, batch) VALUES (?, ?, ?, ?)", (account, day, kind, batch)
        ).lastrowid
        assert number is not None
        self._db.executemany(
            "INSERT INTO parts (entry, position, cents, end_to_end_id, name, iban, text, reason) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (number, place, part.cents, part.end_to_end_id, part.name, part.iban, part.text, part.reason)
                for place, part in enumerate(parts, start=1)
            ],
        )
        total = sum(part.cents for part in parts)
        self._db.execute("UPDATE accounts SET balance = balance + ? WHERE iban = ?", (total, account))
        return self._entry(number)

    def _entry(self, number: int) -> Entry:
        day, kind, batch = self._db.execute(
            "SELECT day, kind, batch FROM entries WHERE id = ?", (number,)
        ).fetchone()
        rows = self._db.execute(
            "SELECT cents, end_to_end_id, name, iban, text, reason FROM parts WHERE entry = ? ORDER BY position",
            (number,),
        ).fetchall()
        return Entry(number, datetime.date.fromisoformat(day), kind, tuple(Part(*row) for row in rows), batch)

    def _account(self, account: str) -> tuple[str, int, str]:
        found = self._db.execute(
            "SELECT holder, balance, day FROM accounts WHERE iban = ?", (account,)
        ).fetchone()
        if found is None:
            raise Rejected(f"AC01: this bank keeps no account {account}.")
        return found[0], found[1], found[2]

    @contextmanager
    def _work(self) -> Iterator[None]:
        """All or nothing, and one writer at a time."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
