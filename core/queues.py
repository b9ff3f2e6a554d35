"""What an operator sees and does: how deep the queues are, how the steps fare, messages, dead letters, replay."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeVar

from psycopg.rows import class_row

from core.database import UnitOfWork
from core.errors import Refused

T = TypeVar("T")
STATES = ("waiting", "sent", "running")  # by Message.state


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One queue. `waiting` counts the `delayed` too, whose time has not come. `oldest_due` is the age in seconds of
    the message that has been due longest, None where none is due."""

    queue: str
    waiting: int
    delayed: int
    sent: int
    running: int
    oldest_due: float | None


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """One lane of a queue; fields as in QueueDepth."""

    queue: str
    lane: str
    waiting: int
    delayed: int
    sent: int
    running: int
    oldest_due: float | None


@dataclass(frozen=True, slots=True)
class StepMinute:
    """How a step fared in one minute, over all workers; times in milliseconds."""

    step: str
    minute: datetime
    count: int
    failed: int
    mean_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as its row says; `state` is one of STATES."""

    id: int
    tenant: int
    lane: str
    queue: str
    step: str
    event: str
    payload: dict[str, Any]
    state: str
    due_at: datetime
    attempts: int
    last_error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A message given up. `message_id` is the id it had; `replayed_at` tells when it was put back, if it was."""

    id: int
    message_id: int
    tenant: int
    lane: str
    queue: str
    step: str
    event: str
    payload: dict[str, Any]
    attempts: int
    error: str
    traceback: str
    created_at: datetime
    died_at: datetime
    replayed_at: datetime | None


_LANES = """SELECT queue, lane, count(*) FILTER (WHERE state = 0) AS waiting,
  count(*) FILTER (WHERE state = 0 AND due_at > now()) AS delayed,
  count(*) FILTER (WHERE state = 1) AS sent, count(*) FILTER (WHERE state = 2) AS running,
  extract(epoch FROM now() - min(due_at) FILTER (WHERE due_at <= now()))::float AS oldest_due
FROM message WHERE %(queue)s::text IS NULL OR queue = %(queue)s
GROUP BY queue, lane ORDER BY oldest_due DESC NULLS LAST, queue, lane"""

_MESSAGE = """SELECT id, tenant, lane, queue, step, event, payload,
  CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'sent' ELSE 'running' END AS state,
  due_at, attempts, last_error, created_at FROM message"""

_DEAD_LETTER = """SELECT id, message_id, tenant, lane, queue, step, event, payload, attempts, error, traceback,
  created_at, died_at, replayed_at FROM dead_letter"""


def queue_depths(uow: UnitOfWork) -> list[QueueDepth]:
    """Every queue that has messages, by name."""
    by_queue: dict[str, list[LaneDepth]] = {}
    for lane in lane_depths(uow):
        by_queue.setdefault(lane.queue, []).append(lane)
    return [
        QueueDepth(
            queue,
            waiting=sum(lane.waiting for lane in lanes),
            delayed=sum(lane.delayed for lane in lanes),
            sent=sum(lane.sent for lane in lanes),
            running=sum(lane.running for lane in lanes),
            oldest_due=lanes[0].oldest_due,  # they come with the oldest first
        )
        for queue, lanes in sorted(by_queue.items())
    ]


def lane_depths(uow: UnitOfWork, queue: str | None = None) -> list[LaneDepth]:
    """Every lane that has messages, of one queue or of all, the one due longest first."""
    return _read(uow, LaneDepth, _LANES, queue=queue)


def step_minutes(uow: UnitOfWork, minutes: int = 60, step: str | None = None) -> list[StepMinute]:
    """The last `minutes` minutes of all steps or one, oldest first; a minute without runs has no entry."""
    return _read(
        uow,
        StepMinute,
        "SELECT step, minute, count, failed, (total_ms / count)::int AS mean_ms, max_ms FROM step_run "
        "WHERE minute > now() - make_interval(mins => %(minutes)s) AND (%(step)s::text IS NULL OR step = %(step)s) "
        "ORDER BY minute, step",
        minutes=minutes,
        step=step,
    )


def messages(
    uow: UnitOfWork,
    *,
    queue: str | None = None,
    lane: str | None = None,
    step: str | None = None,
    state: str | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[MessageView]:
    """Messages, the oldest first; `after` is the last id of the page before. Raises Refused for an unknown state."""
    if state is not None and state not in STATES:
        raise Refused(f"{state!r} is no state of a message; say one of {', '.join(STATES)}.")
    return _read(
        uow,
        MessageView,
        _MESSAGE + " WHERE id > %(after)s AND (%(queue)s::text IS NULL OR queue = %(queue)s) "
        "AND (%(lane)s::text IS NULL OR lane = %(lane)s) AND (%(step)s::text IS NULL OR step = %(step)s) "
        "AND (%(state)s::int IS NULL OR state = %(state)s) ORDER BY id LIMIT %(limit)s",
        queue=queue,
        lane=lane,
        step=step,
        state=None if state is None else STATES.index(state),
        after=after,
        limit=limit,
    )


def message(uow: UnitOfWork, message_id: int) -> MessageView:
    """One message. Raises Refused where there is none (any more)."""
    found = _read(uow, MessageView, _MESSAGE + " WHERE id = %(id)s", id=message_id)
    if not found:
        raise Refused(f"There is no message {message_id}: it is finished, or it became a dead letter.")
    return found[0]


def dead_letters(
    uow: UnitOfWork,
    *,
    step: str | None = None,
    replayed: bool | None = False,
    before: int | None = None,
    limit: int = 50,
) -> list[DeadLetterView]:
    """Dead letters, the newest first; `replayed` None shows all; `before` is the last id of the page before."""
    return _read(
        uow,
        DeadLetterView,
        _DEAD_LETTER + " WHERE (%(before)s::bigint IS NULL OR id < %(before)s) "
        "AND (%(step)s::text IS NULL OR step = %(step)s) "
        "AND (%(replayed)s::bool IS NULL OR (replayed_at IS NOT NULL) = %(replayed)s) ORDER BY id DESC LIMIT %(limit)s",
        before=before,
        step=step,
        replayed=replayed,
        limit=limit,
    )


def dead_letter(uow: UnitOfWork, dead_letter_id: int) -> DeadLetterView:
    """One dead letter. Raises Refused where there is none."""
    found = _read(uow, DeadLetterView, _DEAD_LETTER + " WHERE id = %(id)s", id=dead_letter_id)
    if not found:
        raise Refused(f"There is no dead letter {dead_letter_id}.")
    return found[0]


def count_dead_letters(uow: UnitOfWork) -> int:
    """How many wait for a person: neither replayed nor dropped."""
    ((count,),) = (
        uow.cursor().execute("SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL").fetchall()
    )
    return int(count)


def replay(uow: UnitOfWork, dead_letter_id: int) -> int:
    """Puts a dead letter's message back, its attempts forgotten; the new message's id. Once only: else Refused."""
    row = (
        uow.cursor()
        .execute(
            "WITH chosen AS (UPDATE dead_letter SET replayed_at = now() WHERE id = %s AND replayed_at IS NULL RETURNING *) "
            "INSERT INTO message (tenant, lane, queue, step, event, payload) "
            "SELECT tenant, lane, queue, step, event, payload FROM chosen RETURNING id, queue",
            (dead_letter_id,),
        )
        .fetchone()
    )
    if row is None:
        replayed = dead_letter(uow, dead_letter_id).replayed_at
        raise Refused(
            f"Dead letter {dead_letter_id} was replayed already, at {replayed:%Y-%m-%d %H:%M:%S} UTC."
        )
    uow.ring(row[1])
    return int(row[0])


def drop(uow: UnitOfWork, dead_letter_id: int) -> None:
    """Deletes a dead letter for good. Raises Refused where there is none."""
    if uow.cursor().execute("DELETE FROM dead_letter WHERE id = %s", (dead_letter_id,)).rowcount != 1:
        raise Refused(f"There is no dead letter {dead_letter_id}.")


def _read(uow: UnitOfWork, kind: type[T], query: LiteralString, **values: Any) -> list[T]:
    with uow.cursor().connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, values).fetchall()
