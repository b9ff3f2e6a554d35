"""Feeds: the list, one feed with its runs, taking a file in, looking at the source now, and adding one."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import select
from starlette.datastructures import UploadFile

from core.errors import Refused, there_is
from models.companies import Company
from models.staged import POLICY
from models.suppliers import RUN_STATES, Feed
from pipelines.feeds.land import ask_to_look
from pipelines.feeds.sources import described_source
from pipelines.making import FeedChange, NewFeed, asked_for, change_feed, make_feed, take_in
from web.deps import CheckedForm, Db, Session, check_token, go, page, settings_of
from web.queries.feeds import (
    FEED_COLUMNS,
    RUN_COLUMNS,
    feed_rows,
    feed_states,
    one_feed,
    other_feeds,
    run_rows,
    run_states,
)
from web.tables import Ask

router = APIRouter(prefix="/feeds")


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """Every feed with its last run."""
    ask = Ask(request, ("state", "q"), default="-came")
    with db.unit_of_work() as uow:
        rows, states = feed_rows(uow.session, ask), feed_states(uow.session)
    return page(
        request,
        "feeds.html",
        title="Feeds",
        ask=ask,
        rows=rows,
        states=states,
        columns=FEED_COLUMNS,
        order=("none", *RUN_STATES),
    )


@router.get("/new")
def begin(request: Request, db: Db, session: Session) -> Response:
    """The form for a new feed."""
    with db.unit_of_work() as uow:
        suppliers = uow.session.execute(
            select(Company.id, Company.name)
            .where(Company.kind == "supplier")
            .order_by(Company.name)
            .limit(500)
        ).all()
    return page(request, "feed_new.html", title="New feed", suppliers=suppliers)


@router.post("")
def add(
    request: Request, db: Db, session: CheckedForm, name: Annotated[str, Form()] = "", supplier: Annotated[str, Form()] = "",
    new_supplier: Annotated[str, Form()] = "", folder: Annotated[str, Form()] = "", currency: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Makes a feed, with its supplier where he is new."""
    with db.unit_of_work() as uow:
        asked = asked_for(
            NewFeed,
            {
                "name": name,
                "supplier": new_supplier.strip() or supplier,
                "folder": folder.strip() or None,
                "currency": currency.strip() or None,
            },
        )
        made = make_feed(uow, asked, new_supplier=bool(new_supplier.strip()))
        address = f"/feeds/{made.id}"
    return go(address, "added")


@router.get("/{feed_id}")
def show(request: Request, db: Db, session: Session, feed_id: int) -> Response:
    """One feed: what it is, and its runs."""
    ask = Ask(request, ("state",), default="-run")
    with db.unit_of_work() as uow:
        found = there_is(one_feed(uow.session, feed_id), f"Feed {feed_id}")
        rows, states = run_rows(uow.session, feed_id, ask), run_states(uow.session, feed_id)
        others = other_feeds(uow.session, found["Feed"])
    feed: Feed = found["Feed"]
    told = described_source(feed)
    return page(
        request, "feed.html", title=feed.name, found=found, feed=feed, ask=ask, rows=rows, states=states, columns=RUN_COLUMNS, order=RUN_STATES,
        policy={**POLICY, **feed.policy}, others=others, told=told, often=told["often"],
    )  # fmt: skip


@router.post("/{feed_id}/file")
async def upload(request: Request, db: Db, session: Session, feed_id: int) -> Response:
    """Takes a file in. The session is checked before the file is read, the form's token before it is archived."""
    async with request.form(max_files=1, max_fields=5) as form:
        check_token(session, str(form.get("csrf", "")))
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refused("No file was chosen: choose the supplier's file first.", rule="missing")
        run_id, state = await run_in_threadpool(
            take_in, db, settings_of(request), feed_id, file.file, file.filename
        )
    return go(f"/runs/{run_id}", "unchanged" if state == "unchanged" else "landed")


@router.post("/{feed_id}/settings")
def change(
    request: Request, db: Db, session: CheckedForm, feed_id: int, currency: Annotated[str, Form()] = "", absence: Annotated[str, Form()] = "",
    assumed_stock: Annotated[str, Form()] = "", cost_from: Annotated[str, Form()] = "", cost_minus: Annotated[str, Form()] = "",
    min_offers: Annotated[str, Form()] = "", price_changes: Annotated[str, Form()] = "", zero_stock: Annotated[str, Form()] = "",
    mode: Annotated[str, Form()] = "", of_feed: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """What the feed cannot say by itself; an empty field goes back to what the hub takes where nothing is said."""
    policy = {
        "absence": absence or None, "assumed_stock": assumed_stock or None, "min_offers_percent": min_offers or None,
        "max_price_changes_percent": price_changes or None, "max_zero_stock_percent": zero_stock or None, "mode": mode or None, "of_feed": of_feed or None,
        "cost": {"from": cost_from, "minus_percent": cost_minus.replace(",", ".") or 0} if cost_from else None,
    }  # fmt: skip
    with db.unit_of_work() as uow:
        change_feed(
            uow, feed_id, asked_for(FeedChange, {"currency": currency.strip() or None, "policy": policy})
        )
    return go(f"/feeds/{feed_id}", "changed")


@router.post("/{feed_id}/look")
def look(request: Request, db: Db, session: CheckedForm, feed_id: int) -> Response:
    """Asks the hub to look at the feed's source now."""
    with db.unit_of_work() as uow:
        ask_to_look(uow, there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}"))
    return go(f"/feeds/{feed_id}", "looking")
