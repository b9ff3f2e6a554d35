"""The statements that move a message through its life: take, claim, renew, finish, fail, give back, bury.

Each is one statement guarded by (id, fence): of two who believe they hold a message, one finds nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from core.database import Database

# Losing a take, a claim or a renewal in a crash of PostgreSQL only means that it is done again: they do not wait for
# the disk ("quick"). What finishes work always does.

# A loose index scan finds each lane with its oldest row; the lanes after the one served last come first; each gives its
# oldest due rows.
_TAKE = """
WITH RECURSIVE lanes AS (
  (SELECT lane, due_at FROM message WHERE queue = %(queue)s ORDER BY lane, due_at LIMIT 1)
  UNION ALL
  SELECT following.* FROM lanes CROSS JOIN LATERAL (
    SELECT lane, due_at FROM message WHERE queue = %(queue)s AND lane > lanes.lane
    ORDER BY lane, due_at LIMIT 1) AS following
), due AS (
  SELECT lane FROM lanes WHERE due_at <= statement_timestamp() ORDER BY lane <= %(after)s, lane LIMIT %(count)s
), picked AS MATERIALIZED (
  SELECT m.* FROM due CROSS JOIN LATERAL (
    SELECT id, state, due_at FROM message
    WHERE queue = %(queue)s AND lane = due.lane AND due_at <= statement_timestamp()
    ORDER BY due_at LIMIT greatest(1, %(count)s / (SELECT count(*) FROM due)) FOR UPDATE SKIP LOCKED) AS m
)
UPDATE message AS m
SET state = 1, fence = m.fence + 1, due_at = clock_timestamp() + make_interval(secs => %(lease)s)
FROM picked, (SELECT set_config('synchronous_commit', 'off', true)) AS quick WHERE m.id = picked.id
RETURNING m.id, m.fence, m.lane, m.step, m.event, picked.state > 0, picked.due_at"""

_CLAIM = """
UPDATE message SET state = 2, fence = fence + 1, attempts = attempts + 1,
  due_at = clock_timestamp() + make_interval(secs => %s)
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS quick WHERE id = %s AND fence = %s AND state = 1
RETURNING fence, attempts, tenant, lane, step, event, payload"""

_CLAIM_AND_FINISH = """
DELETE FROM message WHERE id = %s AND fence = %s
RETURNING fence, attempts + 1, tenant, lane, step, event, payload"""

_FINISH = "DELETE FROM message WHERE id = %s AND fence = %s"

_RENEW = """
UPDATE message AS m SET due_at = clock_timestamp() + make_interval(secs => %s)
FROM (SELECT id FROM message JOIN unnest(%s::bigint[], %s::int[]) AS held (id, fence) USING (id, fence)
      FOR UPDATE OF message SKIP LOCKED) AS mine, (SELECT set_config('synchronous_commit', 'off', true)) AS quick
WHERE m.id = mine.id RETURNING m.id"""

_GIVE_BACK = """
UPDATE message AS m SET state = 0, fence = m.fence + 1, due_at = clock_timestamp(),
  attempts = m.attempts - CASE WHEN m.state = 2 THEN 1 ELSE 0 END
FROM (SELECT id FROM message JOIN unnest(%s::bigint[], %s::int[]) AS held (id, fence) USING (id, fence)
      FOR UPDATE OF message SKIP LOCKED) AS mine
WHERE m.id = mine.id RETURNING m.id"""

_POSTPONE = """
UPDATE message SET state = 0, fence = fence + 1, attempts = %s, last_error = %s,
  due_at = clock_timestamp() + make_interval(secs => %s)
WHERE id = %s AND fence = %s RETURNING id"""

_BURY = """
WITH dead AS (DELETE FROM message WHERE id = %s AND fence = %s RETURNING *)
INSERT INTO dead_letter
  (message_id, tenant, lane, queue, step, event, payload, attempts, error, traceback, created_at)
SELECT id, tenant, lane, queue, step, event, payload, %s, %s, %s, created_at FROM dead RETURNING message_id"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message somebody took: what a delivery carries. `again` tells that a former taker never finished it."""

    id: int
    fence: int
    lane: str
    step: str
    event: str
    again: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is being run. `attempts` counts this run."""

    fence: int
    attempts: int
    tenant: int
    lane: str
    step: str
    event: str
    payload: dict[str, Any]


def take(
    connection: psycopg.Connection[Any], queue: str, count: int, lease: float, after: str
) -> list[Taken]:
    """Up to `count` due messages of `queue`, its lanes in turns, beginning with the lane that follows `after`.

    `connection` is in autocommit; `lease` is in seconds. The result is in the order to run them: the oldest of
    each lane, then the second of each, and so on; no lane gets more than `count` / lanes.
    """
    rows = connection.execute(
        _TAKE, {"queue": queue, "count": count, "lease": lease, "after": after}, prepare=True
    ).fetchall()
    rows.sort(key=lambda row: (row[6], row[0]))
    turns: dict[str, int] = {}
    order: list[tuple[int, bool, str, Taken]] = []
    for row in rows:
        taken = Taken(*row[:6])
        turns[taken.lane] = turn = turns.get(taken.lane, 0) + 1
        order.append((turn, taken.lane <= after, taken.lane, taken))
    return [entry[3] for entry in sorted(order, key=lambda entry: entry[:3])]


def claim(database: Database, message_id: int, fence: int, lease: float) -> Claimed | None:
    """Marks a taken message as running, before a step that takes its time; None where somebody else has it."""
    rows = database.run(_CLAIM, (lease, message_id, fence))
    return Claimed(*rows[0]) if rows else None


def claim_and_finish(cursor: psycopg.Cursor[Any], message_id: int, fence: int) -> Claimed | None:
    """For a step that is one unit of work: removes the message in it. None where somebody else has it."""
    row = cursor.execute(_CLAIM_AND_FINISH, (message_id, fence)).fetchone()
    return Claimed(*row) if row else None


def finish(cursor: psycopg.Cursor[Any], message_id: int, fence: int) -> bool:
    """Removes a claimed message in the step's last unit of work; False where somebody else has it by now."""
    return cursor.execute(_FINISH, (message_id, fence)).rowcount == 1


def renew(database: Database, held: Iterable[tuple[int, int]], lease: float) -> set[int]:
    """Extends the leases of (id, fence) pairs; the ids that are still ours. Rows locked by a running step are ours
    anyway and are skipped."""
    return {row[0] for row in database.run(_RENEW, (lease, *_columns(held)))}


def give_back(database: Database, held: Iterable[tuple[int, int]]) -> set[int]:
    """Makes messages due again at once, without counting an attempt; the ids that were still ours."""
    return {row[0] for row in database.run(_GIVE_BACK, _columns(held))}


def postpone(
    database: Database, message_id: int, fence: int, attempts: int, error: str, delay: float
) -> bool:
    """After a failure: due again in `delay` seconds. False where somebody else has it by now."""
    return bool(database.run(_POSTPONE, (attempts, error, delay, message_id, fence)))


def bury(database: Database, message_id: int, fence: int, attempts: int, error: str, traceback: str) -> bool:
    """Turns a message into a dead letter. False where somebody else has it by now."""
    return bool(database.run(_BURY, (message_id, fence, attempts, error, traceback)))


def _columns(held: Iterable[tuple[int, int]]) -> Sequence[list[int]]:
    pairs = list(held)
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
