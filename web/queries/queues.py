"""What the Queues and Dead letters pages show: depths and lanes with their names, steps of the last hour, letters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.clock import now
from core.database import UnitOfWork
from core.events import Route
from core.queues import LaneDepth, StepMinute, lane_depths, step_minutes
from core.tables import DeadLetter, Message
from models.companies import Company
from models.shops import Shop
from models.suppliers import Feed
from web.charts import Spark, spark
from web.tables import Ask, Column, Rows, Statement, paged, tally

MINUTES, RATE_MINUTES = 60, 5
LETTER_COLUMNS = {
    "died": Column(DeadLetter.died_at, "-"),
    "step": Column(DeadLetter.step),
    "attempts": Column(DeadLetter.attempts, "-"),
}


@dataclass(frozen=True, slots=True)
class QueueView:
    """One queue: its depth now, and how many steps a minute it worked off lately."""

    name: str
    waiting: int
    delayed: int
    running: int
    oldest: float | None
    rate: int | float
    failed: int
    spark: Spark


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane of a queue, by the name of what it belongs to; `error` is the last one of a message that will be retried."""

    depth: LaneDepth
    words: str
    address: str
    error: str | None


@dataclass(frozen=True, slots=True)
class StepView:
    """How one step fared in the last hour; times in seconds."""

    name: str
    queue: str
    count: int
    failed: int
    mean: float
    slowest: float
    spark: Spark


@dataclass(frozen=True, slots=True)
class Queues:
    """The whole page at one moment."""

    queues: list[QueueView]
    lanes: list[LaneView]
    lanes_whole: int
    steps: list[StepView]


def queues_now(uow: UnitOfWork, routes: Iterable[Route], only: str = "", limit: int = 50) -> Queues:
    """Every queue of the map and every lane that has messages; lanes of one queue where `only` names it."""
    where = {route.name: route.queue for route in routes}
    depths, minutes = lane_depths(uow), step_minutes(uow, MINUTES)
    names = list(dict.fromkeys([*where.values(), *(depth.queue for depth in depths)]))
    shown = [depth for depth in depths if only in ("", depth.queue)]
    steps = sorted(
        {entry.step for entry in minutes} | set(where),
        key=lambda step: (list(where).index(step) if step in where else 99, step),
    )
    return Queues(
        queues=[
            _queue(
                name,
                [d for d in depths if d.queue == name],
                [m for m in minutes if where.get(m.step) == name],
            )
            for name in names
        ],
        lanes=_lanes(uow.session, shown[:limit]),
        lanes_whole=len(shown),
        steps=[_step(step, where.get(step, ""), [m for m in minutes if m.step == step]) for step in steps],
    )


def named_lanes(session: Session, lanes: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Lane → (words, address): "feed:3" → ("Preisliste", "/feeds/3"); a lane of anything else is its own name."""
    ids: dict[str, set[int]] = {"feed": set(), "shop": set()}
    for lane in set(lanes):
        kind, _, number = lane.partition(":")
        if kind in ids and number.isdigit():
            ids[kind].add(int(number))
    found: dict[str, tuple[str, str]] = {}
    for row in session.execute(select(Feed.id, Feed.name).where(Feed.id.in_(ids["feed"]))):
        found[f"feed:{row.id}"] = (row.name, f"/feeds/{row.id}")
    for row in session.execute(select(Shop.id, Shop.name).where(Shop.id.in_(ids["shop"]))):
        found[f"shop:{row.id}"] = (row.name, f"/shops/{row.id}")
    return found


def letter_rows(session: Session, ask: Ask) -> Rows:
    """One page of dead letters; those that wait for a person where the address asks for nothing else."""
    statement = _letters(ask, select(
        DeadLetter.id, DeadLetter.step, DeadLetter.lane, DeadLetter.error, DeadLetter.attempts, DeadLetter.died_at, DeadLetter.replayed_at,
        Company.name.label("company"),
    )).outerjoin(Company, Company.id == DeadLetter.tenant)  # fmt: skip
    if ask["step"]:
        statement = statement.where(DeadLetter.step == ask["step"])
    return paged(session, statement, LETTER_COLUMNS, DeadLetter.id, ask)


def letter_counts(session: Session, ask: Ask) -> tuple[dict[str, int], dict[str, int]]:
    """How many wait and how many were replayed; and of those the address asks for, how many by step."""
    waiting = func.count().filter(DeadLetter.replayed_at.is_(None))
    both = session.execute(select(waiting, func.count() - waiting)).one()
    steps = tally(
        session,
        _letters(ask, select(DeadLetter.step, func.count()))
        .group_by(DeadLetter.step)
        .order_by(DeadLetter.step),
    )
    return {"dead": both[0], "replayed": both[1]}, steps


def letter(session: Session, letter_id: int) -> Any:
    """A dead letter with its company's name, or None."""
    statement = select(DeadLetter, Company.name.label("company")).outerjoin(
        Company, Company.id == DeadLetter.tenant
    )
    return session.execute(statement.where(DeadLetter.id == letter_id)).mappings().one_or_none()


def _letters(ask: Ask, statement: Statement) -> Statement:
    if ask["state"] != "all":
        replayed = ask["state"] == "replayed"
        statement = statement.where(
            DeadLetter.replayed_at.is_not(None) if replayed else DeadLetter.replayed_at.is_(None)
        )
    if ask["q"]:
        statement = statement.where(
            or_(DeadLetter.error.icontains(ask["q"], autoescape=True), DeadLetter.lane == ask["q"])
        )
    return statement


def _queue(name: str, depths: Sequence[LaneDepth], minutes: Sequence[StepMinute]) -> QueueView:
    counts = _by_minute(minutes)
    return QueueView(
        name,
        waiting=sum(depth.waiting for depth in depths),
        delayed=sum(depth.delayed for depth in depths),
        running=sum(depth.sent + depth.running for depth in depths),
        oldest=max((depth.oldest_due for depth in depths if depth.oldest_due is not None), default=None),
        rate=_few_places(sum(counts[-RATE_MINUTES:]) / RATE_MINUTES),
        failed=sum(minute.failed for minute in minutes),
        spark=spark(counts, f"Steps a minute over the last hour, at most {max(counts)}"),
    )


def _lanes(session: Session, depths: Sequence[LaneDepth]) -> list[LaneView]:
    names = named_lanes(session, (depth.lane for depth in depths))
    errors: dict[tuple[str, str], str] = {}
    for row in session.execute(
        select(Message.queue, Message.lane, Message.last_error)
        .where(Message.last_error.is_not(None), Message.lane.in_({depth.lane for depth in depths})).order_by(Message.id).limit(1000)
    ):  # fmt: skip
        errors[row.queue, row.lane] = row.last_error
    return [
        LaneView(depth, *names.get(depth.lane, (depth.lane, "")), errors.get((depth.queue, depth.lane)))
        for depth in depths
    ]


def _step(step: str, queue: str, minutes: Sequence[StepMinute]) -> StepView:
    count = sum(minute.count for minute in minutes)
    total = sum(minute.mean_ms * minute.count for minute in minutes)
    counts = _by_minute(minutes)
    return StepView(
        step, queue, count, sum(minute.failed for minute in minutes), total / count / 1000 if count else 0.0,
        max((minute.max_ms for minute in minutes), default=0) / 1000, spark(counts, f"Runs a minute over the last hour, at most {max(counts)}"),
    )  # fmt: skip


def _by_minute(minutes: Sequence[StepMinute]) -> list[int]:
    start = now().replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    found: dict[datetime, int] = {}
    for minute in minutes:
        found[minute.minute] = found.get(minute.minute, 0) + minute.count
    return [found.get(start + timedelta(minutes=place), 0) for place in range(MINUTES)]


def _few_places(rate: float) -> int | float:
    return round(rate) if rate >= 10 or rate == round(rate) else round(rate, 1)
