"""Which run of a feed has the last word: what its offers show, what waits for a person, and what comes too late."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from models.suppliers import FeedRun


def last_applied(session: Session, feed_id: int) -> FeedRun | None:
    """The run that the feed's offers show."""
    applied = session.query(FeedRun).filter_by(feed_id=feed_id, state="applied")
    return applied.order_by(FeedRun.applied_at.desc(), FeedRun.id.desc()).first()


def held(session: Session, run: FeedRun) -> list[str]:
    """Why a run waits for a person whatever its plan says: somebody replays it, or newer figures are shown already."""
    if run.replay_of is not None:
        by = f"mapping version {run.mapping_version}" if run.mapping_version else "another mapping"
        return [f"This reads the file of run {run.replay_of} again with {by}: look at what it would change."]
    shown = last_applied(session, run.feed_id)
    if shown is not None and shown.id < run.id and run.as_of < shown.as_of:
        return [
            f"The figures are of {run.as_of:%Y-%m-%d %H:%M} UTC; the offers show run {shown.id}, of {shown.as_of:%Y-%m-%d %H:%M} UTC: they are older."
        ]
    return []


def overtaken(session: Session, run: FeedRun) -> bool:
    """Whether an approved run comes too late: a later one was applied, or one with newer figures, and no person let it pass."""
    later = session.query(FeedRun.id).filter(
        FeedRun.feed_id == run.feed_id, FeedRun.id > run.id, FeedRun.state == "applied"
    )
    if later.first() is not None:
        return True
    looked_at = bool((run.plan or {}).get("limits"))
    shown = last_applied(session, run.feed_id)
    return not looked_at and shown is not None and run.as_of < shown.as_of


def policy_of(run: FeedRun, policy: Mapping[str, Any]) -> dict[str, Any]:
    """The feed's policy as it counts for this run: a file of mended rejects, of differences or of part of the facts says
    nothing about what is not in it."""
    only_adds = run.mends is not None or policy.get("mode", "full") != "full"
    return {**policy, **({"absence": "keep", "min_offers_percent": 0} if only_adds else {})}
