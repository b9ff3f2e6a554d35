"""What the Feeds pages and the API show of feeds and their runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String, cast, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.tables import DeadLetter
from models.catalogue import Offer
from models.companies import Company
from models.suppliers import Feed, FeedMapping, FeedRun, Reject
from web.tables import ROWS, Ask, Column, Rows, Statement, paged, tally

BUSY = ("landed", "staged", "approved")
"""States in which a run goes on by itself: its page is read again until it does not."""
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

_last = select(func.max(FeedRun.id)).where(FeedRun.feed_id == Feed.id).correlate(Feed).scalar_subquery()
_Last = aliased(FeedRun)
_offers = (
    select(func.count())
    .where(Offer.feed_id == Feed.id, Offer.state == "offered")
    .correlate(Feed)
    .scalar_subquery()
)
_state = func.coalesce(_Last.state, "none")

FEED_COLUMNS = {
    "feed": Column(func.lower(Feed.name, type_=String)),
    "supplier": Column(func.lower(Company.name, type_=String)),
    "offers": Column(func.coalesce(_offers, 0, type_=Integer), "-"),
    "rejects": Column(
        func.coalesce(
            cast(_Last.summary["rejected"].astext, Integer)
            + cast(_Last.summary["quarantined"].astext, Integer),
            0,
            type_=Integer,
        ),
        "-",
    ),
    "came": Column(func.coalesce(_Last.landed_at, EPOCH), "-"),
}
RUN_COLUMNS = {"run": Column(FeedRun.id, "-")}
REJECT_COLUMNS = {"place": Column(Reject.place)}


def _feeds(*columns: Any) -> Statement:
    return (
        select(*columns)
        .select_from(Feed)
        .join(Company, Company.id == Feed.supplier_id)
        .outerjoin(_Last, _Last.id == _last)
    )


def feed_rows(session: Session, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of feeds, each with its last run."""
    statement = _feeds(
        Feed.id, Feed.name, Feed.source, Feed.source_state, Company.name.label("supplier"), Company.code, _offers.label("offers"), _state.label("state"),
        _Last.id.label("run_id"), _Last.landed_at, _Last.summary, _Last.problem, _Last.records_done,
    )  # fmt: skip
    if ask["state"]:
        statement = statement.where(_state == ask["state"])
    if ask["q"]:
        statement = statement.where(
            or_(
                Feed.name.icontains(ask["q"], autoescape=True),
                Company.name.icontains(ask["q"], autoescape=True),
            )
        )
    return paged(session, statement, FEED_COLUMNS, Feed.id, ask, limit)


def feed_states(session: Session) -> dict[str, int]:
    """How many feeds have a last run in each state."""
    return tally(session, _feeds(_state, func.count()).group_by(_state))


def one_feed(session: Session, feed_id: int) -> Any:
    """A feed with its supplier and counts, or None."""
    sellable = (
        select(func.count())
        .where(Offer.feed_id == Feed.id, Offer.state == "offered", Offer.free > 0)
        .correlate(Feed)
        .scalar_subquery()
    )
    return session.execute(
        _feeds(Feed, Company.name.label("supplier"), _offers.label("offers"), sellable.label("sellable"), _Last.id.label("run_id"), _Last.state, _Last.landed_at, _Last.file_name)
        .where(Feed.id == feed_id)
    ).mappings().one_or_none()  # fmt: skip


def other_feeds(session: Session, feed: Feed) -> dict[int, str]:
    """The supplier's other feeds by number: one of them may be the one that this speaks of."""
    rows = session.execute(
        select(Feed.id, Feed.name)
        .where(Feed.supplier_id == feed.supplier_id, Feed.id != feed.id)
        .order_by(Feed.name)
    )
    return {row.id: row.name for row in rows}


def run_rows(session: Session, feed_id: int, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of a feed's runs, the newest first."""
    statement = select(
        FeedRun.id, FeedRun.state, FeedRun.file_name, FeedRun.file_bytes, FeedRun.summary, FeedRun.plan, FeedRun.problem,
        FeedRun.landed_at, FeedRun.records_done,
    ).where(FeedRun.feed_id == feed_id)  # fmt: skip
    if ask["state"]:
        statement = statement.where(FeedRun.state == ask["state"])
    return paged(session, statement, RUN_COLUMNS, FeedRun.id, ask, limit)


def run_states(session: Session, feed_id: int) -> dict[str, int]:
    """How many of a feed's runs are in each state."""
    return tally(
        session, select(FeedRun.state, func.count()).where(FeedRun.feed_id == feed_id).group_by(FeedRun.state)
    )


def one_run(session: Session, run_id: int) -> Any:
    """A run with its feed and supplier, or None. `expected` is how many records the feed's last read file had."""
    earlier = aliased(FeedRun)
    expected = (
        select(earlier.summary["records"].astext.cast(Integer))
        .where(earlier.feed_id == FeedRun.feed_id, earlier.id < FeedRun.id, earlier.summary.is_not(None))
        .order_by(earlier.id.desc()).limit(1).correlate(FeedRun).scalar_subquery()
    )  # fmt: skip
    return session.execute(
        select(FeedRun, Feed, Company.name.label("supplier"), expected.label("expected"))
        .join(Feed, Feed.id == FeedRun.feed_id).join(Company, Company.id == Feed.supplier_id).where(FeedRun.id == run_id)
    ).mappings().one_or_none()  # fmt: skip


def rejects(session: Session, run_id: int, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of a run's rejects in file order; filtered by rule."""
    statement = select(
        Reject.place,
        Reject.locator,
        Reject.verdict,
        Reject.reasons,
        Reject.supplier_sku,
        Reject.message,
        Reject.raw,
    ).where(Reject.run_id == run_id)
    if ask["rule"]:
        statement = statement.where(Reject.reasons.contains([ask["rule"]]))
    return paged(session, statement, REJECT_COLUMNS, Reject.place, ask, limit)


def mapping_versions(session: Session, feed_id: int, limit: int = 50) -> list[Any]:
    """The versions of a feed's mapping, the newest first."""
    return list(
        session.execute(
            select(FeedMapping.version, FeedMapping.author, FeedMapping.note, FeedMapping.created_at)
            .where(FeedMapping.feed_id == feed_id).order_by(FeedMapping.version.desc()).limit(limit)
        ).mappings()
    )  # fmt: skip


def letters_of_run(session: Session, run_id: int) -> list[Any]:
    """Dead letters of this run's messages, the newest first."""
    return list(
        session.execute(
            select(DeadLetter.id, DeadLetter.step, DeadLetter.error, DeadLetter.died_at, DeadLetter.replayed_at)
            .where(DeadLetter.payload["run_id"].astext.cast(Integer) == run_id, DeadLetter.replayed_at.is_(None))
            .order_by(DeadLetter.id.desc()).limit(5)
        ).mappings()
    )  # fmt: skip
