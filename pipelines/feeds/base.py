"""Which earlier run a file is read against, and where the records that runs know are kept."""

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from core.settings import Settings
from models.modes import PARTIAL, mode_of
from models.runs import last_applied
from models.suppliers import Feed, FeedRun
from pipelines.feeds.known_head import usable


def known_path(settings: Settings, run_id: int) -> Path:
    """The file of the records that this run knows."""
    return settings.data / "known" / f"{run_id}.bin"


def base_of(
    session: Session, settings: Settings, feed: Feed, run: FeedRun, document: dict[str, Any] | None
) -> int | None:
    """The run that the feed's offers show, where records that are still the same need no second look; else None.

    It must have read whole files by the same settings and the same mapping, and nothing was undone since.
    """
    if mode_of(feed) in PARTIAL:  # a number nobody offered then may be offered now
        return None
    shown = last_applied(session, feed.id)
    if shown is None or shown.id >= run.id or run.mends is not None or shown.mends is not None:
        return None
    undone = session.query(FeedRun.id).filter(
        FeedRun.feed_id == feed.id, FeedRun.state == "undone", FeedRun.id > shown.id
    )
    same = (shown.facts or {}).get("settings") == feed.settings and _means(shown.document) == _means(document)
    if not same or undone.first() is not None or not usable(known_path(settings, shown.id)):
        return None
    return shown.id


def forget(session: Session, settings: Settings, feed: Feed) -> None:
    """Deletes what the runs before the one that the offers show knew: nobody asks for it any more."""
    shown = last_applied(session, feed.id)
    folder = settings.data / "known"
    if shown is None or not folder.is_dir():
        return
    files: dict[int, list[Path]] = {}
    for file in folder.iterdir():
        number = file.name.partition(".")[0].partition("-")[0]
        if number.isdigit():
            files.setdefault(int(number), []).append(file)
    old = session.query(FeedRun.id).filter(
        FeedRun.feed_id == feed.id, FeedRun.id < shown.id, FeedRun.id.in_(list(files))
    )
    for (run_id,) in old.all():
        for file in files[run_id]:
            file.unlink(missing_ok=True)


def _means(document: dict[str, Any] | None) -> dict[str, Any] | None:
    """The document without the policy, which stands among the settings."""
    return {name: value for name, value in document.items() if name != "policy"} if document else None
