"""The tables the machinery itself needs: messages, what became of them, claimed slots of the clock, and what people did by hand."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

WAITING, SENT, RUNNING = 0, 1, 2  # Message.state

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of the hub derives from this; constraints get names, so that migrations can name them."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


class Message(Base):
    """An event on its way to one step: outbox, queue entry and inbox record in one row.

    `due_at` is also the lease: a row that was taken and whose lease passed is simply due again. `fence` grows
    with every take, claim and failure; whoever holds an older one finds nothing.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index(None, "queue", "lane", "due_at"),
        {"postgresql_with": {"fillfactor": 70}},  # taking updates in place
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant: Mapped[int] = mapped_column(Integer)
    lane: Mapped[str]
    queue: Mapped[str]
    step: Mapped[str]
    event: Mapped[str]
    payload: Mapped[dict[str, Any]]
    due_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    state: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    fence: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class DeadLetter(Base):
    """A message given up, kept with its reason, replayable. `message_id` is the id it had while it lived."""

    __tablename__ = "dead_letter"
    __table_args__ = (UniqueConstraint("message_id"), Index(None, "died_at"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    message_id: Mapped[int] = mapped_column(BigInteger)
    tenant: Mapped[int] = mapped_column(Integer)
    lane: Mapped[str]
    queue: Mapped[str]
    step: Mapped[str]
    event: Mapped[str]
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(SmallInteger)
    error: Mapped[str]
    traceback: Mapped[str]
    created_at: Mapped[datetime]
    died_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    replayed_at: Mapped[datetime | None]


class StepRun(Base):
    """How one step fared in one minute, added up over all workers. Times are in milliseconds."""

    __tablename__ = "step_run"

    minute: Mapped[datetime] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    total_ms: Mapped[int] = mapped_column(BigInteger)
    max_ms: Mapped[int] = mapped_column(Integer)


class JobRun(Base):
    """A slot of the timetable that some scheduler claimed; the primary key lets only one of them."""

    __tablename__ = "job_run"

    job: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    claimed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class AuditRecord(Base):
    """What a person changed by hand: who, when, and what it was before and after. Rows are only added.

    `act` is a verb phrase ("offer moved"), `subject` what it was done to ("offer:12", "run:7"), `words` one sentence
    for people, `facts` the same for programs.
    """

    __tablename__ = "audit_record"
    __table_args__ = (Index(None, "subject", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    actor: Mapped[str]
    act: Mapped[str]
    subject: Mapped[str]
    words: Mapped[str]
    facts: Mapped[dict[str, Any]]
