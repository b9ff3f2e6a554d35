"""/api/v1: messages under way, and dead letters."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from core import queues
from core.errors import there_is
from core.tables import DeadLetter
from web.api.keys import Limit
from web.deps import Db

router = APIRouter(tags=["Messages"])


class QueueView(BaseModel):
    """How deep a queue is; `oldest_due` in seconds, null where nothing is due."""

    model_config = ConfigDict(from_attributes=True)
    queue: str
    waiting: int
    delayed: int
    sent: int
    running: int
    oldest_due: float | None


class MessageView(BaseModel):
    """An event on its way to one step."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    tenant: int
    lane: str
    queue: str
    step: str
    event: str
    payload: dict[str, Any]
    state: Literal["waiting", "sent", "running"]
    due_at: datetime
    attempts: int
    last_error: str | None
    created_at: datetime


class Messages(BaseModel):
    """The oldest messages first; ask again with the last id as `after`."""

    queues: list[QueueView]
    messages: list[MessageView]
    after: int | None


class LetterView(BaseModel):
    """A message given up, with its reason."""

    model_config = ConfigDict(from_attributes=True)
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


class Letters(BaseModel):
    """The newest first; `waiting` counts all that were not replayed. Ask again with the last id as `before`."""

    waiting: int
    dead_letters: list[LetterView]
    before: int | None


class Replayed(BaseModel):
    """The new message."""

    message_id: int


@router.get("/messages")
def list_messages(
    db: Db, queue: str | None = None, lane: str | None = None, step: str | None = None,
    state: Literal["waiting", "sent", "running"] | None = None, limit: Limit = 50, after: int = 0,
) -> Messages:  # fmt: skip
    """What waits or runs; what is done is gone."""
    with db.unit_of_work() as uow:
        depths = queues.queue_depths(uow)
        found = queues.messages(
            uow, queue=queue, lane=lane, step=step, state=state, after=after, limit=limit + 1
        )
    return Messages(
        queues=[QueueView.model_validate(depth) for depth in depths],
        messages=[MessageView.model_validate(each) for each in found[:limit]],
        after=found[limit - 1].id if len(found) > limit else None,
    )


@router.get("/dead-letters")
def list_letters(
    db: Db, step: str | None = None, replayed: bool = False, limit: Limit = 50, before: int | None = None
) -> Letters:
    """Those that wait for a person, or with `replayed` those that were put back."""
    with db.unit_of_work() as uow:
        found = queues.dead_letters(uow, step=step, replayed=replayed, before=before, limit=limit + 1)
        waiting = queues.count_dead_letters(uow)
    letters = [LetterView.model_validate(each) for each in found[:limit]]
    return Letters(
        waiting=waiting, dead_letters=letters, before=letters[-1].id if len(found) > limit else None
    )


@router.get("/dead-letters/{letter_id}")
def get_letter(db: Db, letter_id: int) -> LetterView:
    """One dead letter."""
    with db.unit_of_work() as uow:
        return LetterView.model_validate(
            there_is(uow.session.get(DeadLetter, letter_id), f"Dead letter {letter_id}")
        )


@router.post("/dead-letters/{letter_id}/replay", status_code=202)
def replay(db: Db, letter_id: int) -> Replayed:
    """Puts its message back, its attempts forgotten; once only."""
    with db.unit_of_work() as uow:
        there_is(uow.session.get(DeadLetter, letter_id), f"Dead letter {letter_id}")
        return Replayed(message_id=queues.replay(uow, letter_id))


@router.delete("/dead-letters/{letter_id}", status_code=204)
def drop(db: Db, letter_id: int) -> None:
    """Deletes it for good."""
    with db.unit_of_work() as uow:
        there_is(uow.session.get(DeadLetter, letter_id), f"Dead letter {letter_id}")
        queues.drop(uow, letter_id)
