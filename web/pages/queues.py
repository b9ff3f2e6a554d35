"""Queues: how deep each is, whose turn it is, and how the steps fare; live while it is looked at."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core import queues as core_queues
from web.deps import Db, Session, page
from web.queries.queues import named_lanes, queues_now
from web.tables import Ask

router = APIRouter(prefix="/queues")


@router.get("")
def show(request: Request, db: Db, session: Session) -> Response:
    """Every queue, its lanes, and the steps of the last hour."""
    ask = Ask(request, ("queue",))
    with db.unit_of_work() as uow:
        found = queues_now(uow, db.routes, ask["queue"])
    return page(request, "queues.html", title="Queues", ask=ask, found=found)


@router.get("/messages")
def show_messages(request: Request, db: Db, session: Session) -> Response:
    """The messages of a lane, the oldest first."""
    ask = Ask(request, ("lane", "queue"))
    after = int(ask.after) if ask.after and ask.after.isdigit() else 0
    with db.unit_of_work() as uow:
        rows = core_queues.messages(
            uow, lane=ask["lane"] or None, queue=ask["queue"] or None, after=after, limit=51
        )
        name = named_lanes(uow.session, [ask["lane"]]).get(ask["lane"], (ask["lane"] or "all lanes", ""))
    return page(
        request, "messages.html", title="Messages", ask=ask, rows=rows[:50], more=len(rows) > 50, name=name
    )
