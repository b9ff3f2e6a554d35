"""The Overview's figures: what runs, what is in step, what waits for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, case, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from core.clock import now
from core.database import UnitOfWork
from core.queues import QueueDepth, count_dead_letters, queue_depths, step_minutes
from core.tables import DeadLetter
from models.companies import Company
from models.orders import OrderLine
from models.purchasing import PurchaseOrder
from models.settlement import BankEntry, BankStatementFile, SettlementRun
from models.shops import Listing, Push, Shop
from models.suppliers import Feed, FeedRun
from web.charts import Spark, spark
from web.queries.money import deposit_rows, payable_rows
from web.queries.privacy import open_requests
from web.queries.settlement import run_rows
from web.queries.undecided import undecided_shops
from web.tables import Statement, tally

IN_REACH = ("waiting", "sent", "live", "drifted", "refused")
"""Listing states in which we want something in the shop; blocked ones we hold back ourselves."""
WAITING = ("submit_unknown", "rejected", "awaiting_deposit", "awaiting_stock", "cancel_requested")
"""States in which an order line does not go on by itself at once."""
OPEN_RUNS = ("draft", "locked", "approved", "exported", "partly")
HOURS, MINUTES = 24, 60


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that waits for a person: where it is, since when, and what about it."""

    picture: str
    tone: str
    words: str
    under: str
    address: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the page shows. Counts are of the last 24 hours where the page says so."""

    runs: dict[str, int]
    runs_spark: Spark
    listings: dict[str, int]
    depths: list[QueueDepth]
    steps: int
    failed: int
    steps_spark: Spark
    dead: int
    dead_spark: Spark
    newest_dead: Any
    tasks: list[Task]
    recent: Sequence[Any]
    shops: Sequence[Any]
    companies: int
    currency: str
    orders_waiting: int
    lines_waiting: dict[str, int]
    risky: list[dict[str, Any]]
    run: dict[str, Any] | None
    payable: int

    @property
    def oldest(self) -> float | None:
        """Seconds that the message due longest has been due; None where none is."""
        return max((depth.oldest_due for depth in self.depths if depth.oldest_due is not None), default=None)

    @property
    def in_step(self) -> int:
        """Listings read back equal."""
        return self.listings.get("live", 0)

    @property
    def in_reach(self) -> int:
        """Listings that should be there."""
        return sum(self.listings.get(state, 0) for state in IN_REACH)


def overview(uow: UnitOfWork, currency: str) -> Overview:
    """The Overview as it stands now; money in `currency`, `payable` in its minor units."""
    session, present = uow.session, now()
    since = present - timedelta(hours=HOURS)
    depths, minutes = queue_depths(uow), step_minutes(uow, MINUTES)
    by_minute: dict[datetime, int] = {}
    for entry in minutes:
        by_minute[entry.minute] = by_minute.get(entry.minute, 0) + entry.count
    start = present.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    steps = [by_minute.get(start + timedelta(minutes=minute), 0) for minute in range(MINUTES)]
    runs = tally(
        session, select(FeedRun.state, func.count()).where(FeedRun.landed_at > since).group_by(FeedRun.state)
    )
    listings = tally(session, select(Listing.state, func.count()).group_by(Listing.state))
    by_hour = hourly(session, FeedRun.landed_at, true(), since)
    waiting = tally(
        session,
        select(OrderLine.state, func.count()).where(OrderLine.state.in_(WAITING)).group_by(OrderLine.state),
    )
    last = next(iter(run_rows(session, 1)), None)
    dead_by_hour = hourly(session, DeadLetter.died_at, true(), since)
    return Overview(
        runs=runs,
        runs_spark=spark(by_hour, f"Feed runs an hour over the last {HOURS} hours, at most {max(by_hour)}"),
        listings=listings,
        depths=depths,
        steps=sum(steps),
        failed=sum(entry.failed for entry in minutes),
        steps_spark=spark(steps, f"Steps a minute over the last hour, at most {max(steps)}"),
        dead=count_dead_letters(uow),
        dead_spark=spark(dead_by_hour, f"Dead letters an hour over the last {HOURS} hours, at most {max(dead_by_hour)}"),
        newest_dead=session.execute(
            select(DeadLetter.id, DeadLetter.error, DeadLetter.died_at)
            .where(DeadLetter.replayed_at.is_(None)).order_by(DeadLetter.id.desc()).limit(1)
        ).first(),
        tasks=tasks(session),
        recent=session.execute(recent_runs(4)).mappings().all(),
        shops=session.execute(shops_by_trouble(4)).mappings().all(),
        companies=session.scalar(select(func.count()).where(Company.kind != "hub")) or 0,
        currency=currency,
        orders_waiting=session.scalar(
            select(func.count(OrderLine.order_id.distinct())).where(OrderLine.state.in_(WAITING))
        ) or 0,
        lines_waiting={state: waiting[state] for state in WAITING if state in waiting},
        risky=at_risk(deposit_rows(uow, currency)),
        run=last if last and last["state"] in OPEN_RUNS else None,
        payable=sum(row["available_minor"] for row in payable_rows(uow, currency)),
    )  # fmt: skip


def at_risk(deposits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The deposits that hold orders up or owe the hub something, those that hold up most first."""
    risky = [row for row in deposits if row["lines_waiting"] or row["owed_minor"] > 0]
    return sorted(risky, key=lambda row: (-row["lines_waiting"], -row["owed_minor"], row["seller_id"]))


def hourly(session: Session, moment: Any, condition: ColumnElement[bool], since: datetime) -> list[int]:
    """How many rows fall into each of the last HOURS hours, the oldest first."""
    hour = func.floor(func.extract("epoch", moment - since) / 3600)
    found = {
        int(at): number
        for at, number in session.execute(
            select(hour, func.count()).where(moment > since, condition).group_by(hour)
        )
    }
    return [found.get(at, 0) for at in range(HOURS)]


def recent_runs(limit: int) -> Statement:
    """The newest runs of all feeds."""
    return (
        select(
            FeedRun.id, FeedRun.state, FeedRun.landed_at, FeedRun.summary, FeedRun.plan, FeedRun.records_done,
            Feed.name.label("feed"), Company.name.label("supplier"),
        )
        .join(Feed, Feed.id == FeedRun.feed_id).join(Company, Company.id == Feed.supplier_id)
        .order_by(FeedRun.id.desc()).limit(limit)
    )  # fmt: skip


def shops_by_trouble(limit: int) -> Statement:
    """Shops with how many of their listings are in step; those in trouble first, then those least in step."""
    live = func.count().filter(Listing.state == "live")
    reach = func.count().filter(Listing.state.in_(IN_REACH))
    drifted = func.count().filter(Listing.state == "drifted")
    return (
        select(
            Shop.id, Shop.name, Shop.problem, Shop.live_since, Shop.checked_at, Company.name.label("seller"),
            live.label("live"), reach.label("reach"), drifted.label("drifted"),
        )
        .join(Company, Company.id == Shop.seller_id).outerjoin(Listing, Listing.shop_id == Shop.id)
        .group_by(Shop.id, Company.name)
        .order_by(Shop.problem.is_(None), case((reach > 0, live * 1.0 / func.nullif(reach, 0)), else_=1), Shop.id).limit(limit)
    )  # fmt: skip


def tasks(session: Session, limit: int = 20) -> list[Task]:
    """What only a person can let go on, the oldest first."""
    later = aliased(FeedRun)
    newest = ~select(later.id).where(later.feed_id == FeedRun.feed_id, later.id > FeedRun.id).exists()
    runs = session.execute(
        select(FeedRun.id, FeedRun.state, FeedRun.plan, FeedRun.problem, FeedRun.landed_at, Feed.name.label("feed"))
        .join(Feed, Feed.id == FeedRun.feed_id)
        .where(or_(FeedRun.state == "waiting", (FeedRun.state == "refused") & newest))
        .order_by(FeedRun.state.desc(), FeedRun.id).limit(limit)
    ).all()  # fmt: skip
    pushes = session.execute(
        select(Push.id, Push.plan, Push.started_at, Push.shop_id, Shop.name)
        .join(Shop, Shop.id == Push.shop_id).where(Push.state == "waiting").order_by(Push.id).limit(limit)
    ).all()  # fmt: skip
    shops = session.execute(
        select(Shop.id, Shop.name, Shop.problem, Shop.checked_at)
        .where(Shop.problem.is_not(None))
        .order_by(Shop.id)
        .limit(limit)
    ).all()
    found = [
        Task("file-text", "wait", f"{run.feed}: a run waits for approval", (run.plan or {}).get("limits", [""])[0], f"/runs/{run.id}", run.landed_at)
        if run.state == "waiting"
        else Task("circle-x", "bad", f"{run.feed}: its last file was refused", run.problem or "", f"/runs/{run.id}", run.landed_at)
        for run in runs
    ]  # fmt: skip
    found += [
        Task("send", "wait", f"{push.name}: a push waits for approval", push.plan.get("limits", [""])[0], f"/shops/{push.shop_id}/plan", push.started_at)
        for push in pushes
    ]  # fmt: skip
    found += [
        Task(
            "building-store",
            "bad",
            f"{shop.name}: trouble with the shop",
            shop.problem,
            f"/shops/{shop.id}",
            shop.checked_at,
        )
        for shop in shops
    ]
    found += [
        Task("plug-connected", "bad", f"{feed.name}: its source fails", feed.source_state["problem"], f"/feeds/{feed.id}/source", datetime.fromisoformat(feed.source_state["since"]))
        for feed in session.execute(
            select(Feed.id, Feed.name, Feed.source_state)
            .where(Feed.source_state["problem"].astext.is_not(None), Feed.source_state["failures"].astext.cast(Integer) > 2)
            .order_by(Feed.id).limit(limit)
        )
    ]  # fmt: skip
    found += [
        Task(
            "help", "wait", f"{shop.listings:,} {'listing' if shop.listings == 1 else 'listings'} of {shop.name} {'waits' if shop.listings == 1 else 'wait'} for your word",
            "The shop has them already: adopt them or leave them.", f"/shops/{shop.id}/adoption", shop.looked_at,
        )
        for shop in undecided_shops(session, limit)
    ]  # fmt: skip
    if asking := open_requests(session):
        first, many = asking[0], len(asking) > 1
        words = (
            f"{len(asking)} buyers ask for their data"
            if many
            else f"{first['shop']}: a buyer asks for his data"
        )
        tone = "bad" if first["due_at"] < now() else "wait"
        address = "/privacy?state=open" if many else f"/privacy/{first['id']}"
        found.append(
            Task(
                "lock",
                tone,
                words,
                f"To be answered until {first['due_at']:%Y-%m-%d}.",
                address,
                first["received_at"],
            )
        )
    return sorted(found + trade_tasks(session, limit), key=lambda task: task.since or now())[:limit]


def trade_tasks(session: Session, limit: int) -> list[Task]:
    """What only a person can decide of orders and money: unknown purchase orders, unknown money, runs to lock and approve."""
    doubted = session.execute(
        select(PurchaseOrder.id, PurchaseOrder.reference, PurchaseOrder.reason, PurchaseOrder.asked_at, Company.name)
        .join(Company, Company.id == PurchaseOrder.supplier_id)
        .where(PurchaseOrder.state == "unknown").order_by(PurchaseOrder.id).limit(limit)
    ).all()  # fmt: skip
    lines = session.execute(
        select(BankEntry.id, BankEntry.counterparty, BankEntry.problem, BankStatementFile.received_at)
        .join(BankStatementFile, BankStatementFile.id == BankEntry.bank_statement_id)
        .where(BankEntry.state == "unallocated").order_by(BankEntry.id).limit(limit)
    ).all()  # fmt: skip
    runs = session.execute(
        select(SettlementRun.id, SettlementRun.state, SettlementRun.made_at)
        .where(SettlementRun.state.in_(("draft", "locked"))).order_by(SettlementRun.id).limit(limit)
    ).all()  # fmt: skip
    return [
        *(Task("package", "bad", f"{po.reference}: does {po.name} have it?", po.reason or "His system did not answer clearly.", f"/purchase-orders/{po.id}", po.asked_at) for po in doubted),
        *(Task("building-bank", "wait", f"Whose money is it? {line.counterparty}", line.problem or "", f"/money/bank?state=unallocated#line-{line.id}", line.received_at) for line in lines),
        *(Task("receipt", "wait", f"Settlement run {run.id} waits to be {'locked' if run.state == 'draft' else 'approved'}", "Look at its statements first.", f"/money/settlements/{run.id}", run.made_at) for run in runs),
    ]  # fmt: skip
