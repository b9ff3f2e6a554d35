"""One feed run: its file, its counts, its plan, its rejects and its report; and the approval of one that waits."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.clock import now
from core.errors import there_is
from models.suppliers import Feed, FeedRun
from pipelines.feeds.plan import approve
from pipelines.feeds.undo import why_not
from pipelines.making import read_again
from web.deps import CheckedForm, Db, Session, go, page, settings_of
from web.queries.feeds import BUSY, REJECT_COLUMNS, letters_of_run, mapping_versions, one_run, rejects
from web.reports import download
from web.stories import story_of_run
from web.tables import Ask

router = APIRouter(prefix="/runs")
USUAL = (
    "supplier_sku",
    "gtin",
    "mpn",
    "brand",
    "title",
    "cost",
    "price",
    "rrp",
    "currency",
    "stock",
    "availability",
    "category",
    "images",
)


@router.get("/{run_id}")
def show(request: Request, db: Db, session: Session, run_id: int) -> Response:
    """One run; while it goes on by itself the page reads itself again."""
    ask = Ask(request, ("rule",), default="place")
    with db.unit_of_work() as uow:
        found = there_is(one_run(uow.session, run_id), f"Run {run_id}")
        run: FeedRun = found["FeedRun"]
        rows = rejects(uow.session, run_id, ask)
        letters = letters_of_run(uow.session, run_id)
        kept = why_not(uow, run)
        versions = mapping_versions(uow.session, run.feed_id)
    return page(
        request, "run.html", title=f"Run {run_id}", found=found, run=run, feed=found["Feed"], ask=ask, rows=rows, kept=kept, versions=versions,
        busy=run.state in BUSY, progress=progress(run, found["expected"]), story=story_of_run(run, letters), columns=REJECT_COLUMNS, in_file_order=in_file_order, in_usual_order=in_usual_order,
    )  # fmt: skip


@router.post("/{run_id}/approve")
def let_pass(request: Request, db: Db, session: CheckedForm, run_id: int) -> Response:
    """Lets a waiting run pass."""
    with db.unit_of_work() as uow:
        run = there_is(uow.session.get(FeedRun, run_id, with_for_update={"key_share": True}), f"Run {run_id}")
        approve(uow, run, uow.session.get_one(Feed, run.feed_id))
    return go(f"/runs/{run_id}", "approved")


@router.post("/{run_id}/again")
def again(request: Request, db: Db, session: CheckedForm, run_id: int) -> Response:
    """Reads the same file once more, by the feed's present settings."""
    with db.unit_of_work() as uow:
        made = read_again(uow, settings_of(request), run_id)
    return go(f"/runs/{made.id}", "unchanged" if made.state == "unchanged" else "landed")


@router.get("/{run_id}/report.{kind}")
def get_report(
    request: Request, db: Db, session: Session, run_id: int, kind: Literal["csv", "xlsx"]
) -> Response:
    """Every record in the supplier's own columns, with its verdict and advice."""
    return download(db, settings_of(request), run_id, kind)


def in_file_order(run: FeedRun, raw: Mapping[str, Any]) -> dict[str, Any]:
    """A record's cells in the order of the file's columns, which JSON in the database does not keep."""
    header = (run.document or {}).get("dialect", {}).get("header") or []
    place = {name: number for number, name in enumerate(header)}
    return dict(sorted(raw.items(), key=lambda cell: place.get(cell[0], len(place))))


def in_usual_order(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping's fields: what identifies first, then what is sold, then the rest by name."""
    return dict(
        sorted(
            mapping.items(),
            key=lambda field: (USUAL.index(field[0]) if field[0] in USUAL else len(USUAL), field[0]),
        )
    )


def progress(run: FeedRun, expected: int | None) -> dict[str, Any]:
    """How far reading is: records done, of how many where the last file tells, the rate, and seconds left."""
    seconds = max((now() - run.landed_at).total_seconds(), 0.001)
    rate = run.records_done / seconds
    whole = expected if expected and expected >= run.records_done else None
    left = (whole - run.records_done) / rate if whole and rate else None
    return {"done": run.records_done, "whole": whole, "rate": round(rate), "left": left}
