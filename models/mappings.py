"""Versions of a feed's mapping: only added, never changed; a run names the one it was read with."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import there_is
from models.suppliers import Feed, FeedMapping, FeedRun

HUB = "hub"
"""The author of versions that the hub made by itself."""


def add_version(session: Session, feed: Feed, document: dict[str, Any], author: str, note: str = "") -> int:
    """Adds a version, which counts from now on; its number. Whoever calls holds the feed's row."""
    newest = session.scalar(select(func.max(FeedMapping.version)).where(FeedMapping.feed_id == feed.id))
    number = (newest or 0) + 1
    session.add(FeedMapping(feed_id=feed.id, version=number, document=document, author=author, note=note))
    feed.document, feed.mapping_version = document, number
    return number


def one_version(session: Session, feed: Feed, version: int) -> FeedMapping:
    """A version by its number. Raises Refused where there is none."""
    return there_is(
        session.get(FeedMapping, (feed.id, version)), f"Version {version} of the mapping of {feed.name}"
    )


def mapping_for(session: Session, feed: Feed, run: FeedRun) -> dict[str, Any] | None:
    """What a run is to be read with: the version that it names, else the feed's present one, which it then names.

    None before the first run pinned anything: the mapping is then proposed from the file.
    """
    if run.mapping_version is None:
        run.mapping_version = feed.mapping_version
    if run.mapping_version is None or run.mapping_version == feed.mapping_version:
        return feed.document
    return one_version(session, feed, run.mapping_version).document


def pin_mapping(session: Session, feed: Feed, run: FeedRun) -> bool:
    """Pins what an applied run was read with; whether the feed's mapping is (or now is) that one.

    The first run's proposal becomes version 1. A file written differently in ways that were let pass becomes a new
    version of the dialect, so that the same drift is told once. A mapping that somebody changed meanwhile stays.
    """
    document = without_policy(run.document)
    if run.mends is not None:
        return False  # people made this file: it tells nothing about how the supplier writes his
    if document is None:
        return feed.document is None
    if feed.mapping_version is None:
        run.mapping_version = add_version(session, feed, document, HUB, f"Proposed for run {run.id}.")
        return True
    if run.mapping_version != feed.mapping_version:
        return document == feed.document
    told = (run.facts or {}).get("dialect") or {}
    written = {
        name: value for name, value in told.items() if name not in ("missingValues", "sheet", "member")
    }
    if written and {**document["dialect"], **written} != document["dialect"]:
        changed = {**document, "dialect": {**document["dialect"], **written}}
        add_version(session, feed, changed, HUB, f"The file is written differently since run {run.id}.")
    return True


def without_policy(document: dict[str, Any] | None) -> dict[str, Any] | None:
    """The mapping document to pin; the policy stays with the feed, where its owner changes it."""
    return {name: value for name, value in document.items() if name != "policy"} if document else None
