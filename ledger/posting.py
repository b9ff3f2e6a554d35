"""The only place that writes journal entries: accounts locked in order, one key once, balances never below their floor."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import psycopg

from core.clock import now
from core.errors import Refused, there_is
from core.money import Money
from core.unit_of_work import UnitOfWork
from ledger import chart, rules
from ledger.rules import Move
from models.ledger import JournalEntry

OF_HOLDS = frozenset({"hold", "release", "capture", "mature", "refund"})
"""Rules whose entries stand beside rows of holds: mirroring them alone would part the two."""

# Nothing is locked here: an account that is there is only looked at.
CREATE = """
INSERT INTO account (name, currency, kind, guarded, company_id)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bool[], %s::int[])
    AS new (name, currency, kind, guarded, company_id)
WHERE NOT EXISTS (SELECT FROM account WHERE account.name = new.name AND account.currency = new.currency)
ORDER BY name, currency
ON CONFLICT DO NOTHING"""

# In a statement of its own and by id: locking together with the inserts was measured to deadlock.
LOCK = """
SELECT account.name, account.currency, id, balance, version, guarded FROM account
JOIN unnest(%s::text[], %s::text[]) AS wanted (name, currency)
    ON account.name = wanted.name AND account.currency = wanted.currency
ORDER BY id FOR NO KEY UPDATE OF account"""

FIND = """
SELECT id, key, content_hash, rule, refs, reverses, happened_at, posted_at FROM journal_entry WHERE key = ANY(%s)"""

WRITE = """
WITH entry AS (
    -- The clock and not the beginning of the unit of work: under the locks, an account's lines are in the order of time.
    INSERT INTO journal_entry (key, content_hash, rule, refs, reverses, happened_at, posted_at)
    SELECT key, content_hash, rule, refs::jsonb, reverses, happened_at, clock_timestamp()
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[])
        WITH ORDINALITY AS new (key, content_hash, rule, refs, reverses, happened_at, n) ORDER BY n
    RETURNING id, key, posted_at
), moved AS (
    INSERT INTO posting (entry_id, place, source_id, destination_id, amount, part,
        source_version, source_balance, destination_version, destination_balance)
    SELECT entry.id, place, source_id, destination_id, amount, part,
        source_version, source_balance, destination_version, destination_balance
    FROM unnest(%s::text[], %s::int[], %s::int[], %s::int[], %s::bigint[], %s::text[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
        WITH ORDINALITY AS new (key, place, source_id, destination_id, amount, part,
            source_version, source_balance, destination_version, destination_balance, n)
    JOIN entry USING (key) ORDER BY n
), changed AS (
    UPDATE account SET balance = new.balance, version = new.version
    FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS new (id, balance, version) WHERE account.id = new.id
)
SELECT id, key, posted_at FROM entry"""


@dataclass(slots=True)
class Pot:
    """A locked account: its state as it is, or as this unit of work is about to leave it."""

    name: str
    currency: str
    id: int
    balance: int
    version: int
    guarded: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry to be. `happened_at` is no part of what makes it the same: a repeated command reads the clock anew."""

    key: str
    rule: str
    moves: Sequence[Move]
    happened_at: datetime
    refs: Mapping[str, Any] = field(default_factory=dict)
    reverses: int | None = None

    @property
    def content_hash(self) -> str:
        """SHA-256 over rule, moves in their order, refs, and the entry it reverses."""
        moves = [
            (move.source, move.destination, move.amount.minor, move.amount.currency, move.part)
            for move in self.moves
        ]
        content = orjson.dumps([self.rule, moves, self.refs, self.reverses], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()


def post(
    uow: UnitOfWork,
    key: str,
    rule: str,
    moves: Sequence[Move],
    happened_at: datetime,
    refs: Mapping[str, Any] | None = None,
) -> JournalEntry:
    """One entry, stored with the unit of work. The same key and content again is the first entry again.

    Raises Refused: "key_reused" where the key has other content, "too_little" where a guarded account would go below
    zero, "nothing" without a move or with one that moves nothing.
    """
    return post_all(uow, [Draft(key, rule, moves, happened_at, refs or {})])[0]


def post_all(uow: UnitOfWork, drafts: Sequence[Draft]) -> list[JournalEntry]:
    """Several entries in one go, in their order; all their accounts are locked at once. Raises as `post` does."""
    for draft in drafts:
        _refuse_nothing(draft)
    pots = lock(uow, _accounts(drafts))
    # Only now: who waited for the lock sees what the other has stored meanwhile.
    entries = _found(uow, [draft.key for draft in drafts])
    new: list[Draft] = []
    for draft in drafts:
        if (first := entries.get(draft.key)) is None:
            new.append(draft)
            entries[draft.key] = JournalEntry(
                key=draft.key,
                content_hash=draft.content_hash,
                rule=draft.rule,
                refs=dict(draft.refs),
                reverses=draft.reverses,
                happened_at=draft.happened_at,
            )
        elif first.content_hash != draft.content_hash:
            raise _reused(draft.key)
    if new:
        _write(uow, new, pots, entries)
    return [entries[draft.key] for draft in drafts]


def posted(uow: UnitOfWork, key: str, rule: str, refs: Mapping[str, Any]) -> JournalEntry | None:
    """The entry `key` made earlier, for commands whose moves follow from balances. None: not yet.

    Look after locking. Raises Refused ("key_reused") where the key is another rule's or about something else.
    """
    first = _found(uow, [key]).get(key)
    if first is not None and (first.rule != rule or first.refs != dict(refs)):
        raise _reused(key)
    return first


def reverse(
    uow: UnitOfWork, key: str, entry: JournalEntry, happened_at: datetime | None = None
) -> JournalEntry:
    """The mirror of `entry`; at most one, and the same key again is the first one again.

    Raises Refused: "reversed" where it was mirrored under another key, "not_reversible" where rows of holds stand
    behind it (release or refund those), and as `post` does.
    """
    if entry.rule in OF_HOLDS or entry.reverses is not None:
        raise Refused(
            f"Entry {entry.id} ({entry.rule}) cannot be reversed by itself: release or refund the hold instead.",
            rule="not_reversible",
        )
    mirrored = rules.reverse(_moves_of(uow, entry.id))
    draft = Draft(key, "reverse", mirrored, happened_at or now(), entry.refs, reverses=entry.id)
    lock(uow, _accounts([draft]))
    cursor = uow.cursor()
    cursor.execute("SELECT key FROM journal_entry WHERE reverses = %s AND key <> %s", [entry.id, key])
    if (other := cursor.fetchone()) is not None:
        raise Refused(
            f"Entry {entry.id} was reversed already (by {other[0]}); an entry is reversed once.",
            rule="reversed",
        )
    return post_all(uow, [draft])[0]


def lock(uow: UnitOfWork, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Pot]:
    """The accounts (name, currency), made where they are missing, locked by id until the unit of work ends.

    Raises Permanent where the chart has no such name.
    """
    pairs = sorted(wanted)
    names, currencies = [name for name, _ in pairs], [currency for _, currency in pairs]
    characters = [chart.character(name) for name in names]
    cursor = uow.cursor()
    cursor.execute(
        CREATE,
        [
            names,
            currencies,
            [character.kind for character in characters],
            [character.guarded for character in characters],
            [chart.company_of(name) for name in names],
        ],
    )
    cursor.execute(LOCK, [names, currencies])
    return {(row[0], row[1]): Pot(*row) for row in cursor.fetchall()}


def balances_of(uow: UnitOfWork, currency: str, *names: str) -> list[int]:
    """The locked accounts' balances in minor units, in the order of `names`."""
    pots = lock(uow, {(name, currency) for name in names})
    return [pots[name, currency].balance for name in names]


def _accounts(drafts: Sequence[Draft]) -> set[tuple[str, str]]:
    return {
        (name, move.amount.currency)
        for draft in drafts
        for move in draft.moves
        for name in (move.source, move.destination)
    }


def _write(
    uow: UnitOfWork,
    drafts: Sequence[Draft],
    pots: dict[tuple[str, str], Pot],
    entries: dict[str, JournalEntry],
) -> None:
    postings = [
        (draft.key, place, *_applied(draft, move, pots))
        for draft in drafts
        for place, move in enumerate(draft.moves)
    ]
    touched = {pot.id: pot for pot in pots.values()}
    heads = [
        (
            draft.key,
            entries[draft.key].content_hash,
            draft.rule,
            orjson.dumps(dict(draft.refs)).decode(),
            draft.reverses,
            draft.happened_at,
        )
        for draft in drafts
    ]
    cursor = uow.cursor()
    values = [
        *(list(column) for column in zip(*heads, strict=True)),
        *(list(column) for column in zip(*postings, strict=True)),
        list(touched),
        [pot.balance for pot in touched.values()],
        [pot.version for pot in touched.values()],
    ]
    try:
        cursor.execute(WRITE, values)
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "uq_journal_entry_key":
            raise
        raise _reused(", ".join(draft.key for draft in drafts)) from error
    for entry_id, key, posted_at in cursor.fetchall():
        entries[key].id, entries[key].posted_at = entry_id, posted_at


def _applied(draft: Draft, move: Move, pots: dict[tuple[str, str], Pot]) -> tuple[Any, ...]:
    """The move as a row of posting, made on the locked accounts."""
    source = pots[move.source, move.amount.currency]
    destination = pots[move.destination, move.amount.currency]
    for pot, minor in ((source, -move.amount.minor), (destination, move.amount.minor)):
        if pot.guarded and pot.balance + minor < 0:
            raise Refused(
                f"{draft.key}: {chart.in_words(pot.name)} has {Money(pot.balance, pot.currency)}, "
                f"which does not cover {Money(-minor, pot.currency)}; nothing was posted.",
                rule="too_little",
            )
        pot.balance += minor
        pot.version += 1
    return (
        source.id, destination.id, move.amount.minor, move.part,
        source.version, source.balance, destination.version, destination.balance,
    )  # fmt: skip


def _found(uow: UnitOfWork, keys: list[str]) -> dict[str, JournalEntry]:
    cursor = uow.cursor()
    cursor.execute(FIND, [keys])
    columns = [column.name for column in cursor.description or ()]
    return {row[1]: JournalEntry(**dict(zip(columns, row, strict=True))) for row in cursor.fetchall()}


def _moves_of(uow: UnitOfWork, entry_id: int) -> list[Move]:
    cursor = uow.cursor()
    cursor.execute(
        "SELECT source.name, destination.name, amount, source.currency, part FROM posting"
        " JOIN account AS source ON source.id = source_id JOIN account AS destination ON destination.id = destination_id"
        " WHERE entry_id = %s ORDER BY place",
        [entry_id],
    )
    moves = [Move(row[0], row[1], Money(row[2], row[3]), row[4]) for row in cursor.fetchall()]
    return there_is(moves or None, f"Entry {entry_id}")


def _refuse_nothing(draft: Draft) -> None:
    if not draft.moves or any(move.amount.minor <= 0 for move in draft.moves):
        raise Refused(
            f"{draft.key} ({draft.rule}) has nothing to post: every amount must be above zero.",
            rule="nothing",
        )


def _reused(key: str) -> Refused:
    return Refused(
        f"The key {key} was used for another entry; a new command needs a new key.", rule="key_reused"
    )
