"""Dead letters: messages given up, with their reason; put back or dropped, one by one or together."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core import queues
from core.errors import Refused, Thing, there_is
from core.tables import DeadLetter
from web.deps import CheckedForm, Db, Session, go, local_address, page
from web.queries.queues import LETTER_COLUMNS, letter, letter_counts, letter_rows, named_lanes
from web.stories import story_of_letter
from web.tables import Ask

router = APIRouter(prefix="/dead-letters")
Chosen = Annotated[list[int], Form(default_factory=list)]


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """Those that wait for a person, the newest first."""
    ask = Ask(request, ("state", "step", "q"), default="-died")
    with db.unit_of_work() as uow:
        rows, (states, steps) = letter_rows(uow.session, ask), letter_counts(uow.session, ask)
        names = named_lanes(uow.session, (row["lane"] for row in rows.rows))
    return page(
        request,
        "dead_letters.html",
        title="Dead letters",
        ask=ask,
        rows=rows,
        states=states,
        steps=steps,
        names=names,
        columns=LETTER_COLUMNS,
    )


@router.post("/replay")
def replay(
    request: Request,
    db: Db,
    session: CheckedForm,
    chosen: Chosen,
    back: Annotated[str, Form()] = "/dead-letters",
) -> Response:
    """Puts the chosen ones back into their queues; all of them or none."""
    if not chosen:
        raise Refused("No dead letter was selected: select those to put back.", rule="missing")
    with db.unit_of_work() as uow:
        for number in sorted(set(chosen)):
            queues.replay(uow, _there(uow.session.get(DeadLetter, number), number).id)
    return go(local_address(back), "replayed")


@router.post("/drop")
def drop(
    request: Request, db: Db, session: CheckedForm, chosen: Chosen, sure: Annotated[bool, Form()] = False,
    back: Annotated[str, Form()] = "/dead-letters",
) -> Response:  # fmt: skip
    """Asks once, then deletes the chosen ones for good."""
    if not chosen:
        raise Refused("No dead letter was selected: select those to drop.", rule="missing")
    numbers = sorted(set(chosen))
    if not sure:
        return page(request, "drop.html", title="Drop dead letters", chosen=numbers, back=local_address(back))
    with db.unit_of_work() as uow:
        for number in numbers:
            queues.drop(uow, _there(uow.session.get(DeadLetter, number), number).id)
    return go("/dead-letters", "dropped")


@router.get("/{letter_id}")
def show(request: Request, db: Db, session: Session, letter_id: int) -> Response:
    """One dead letter: what it was to do, why it was given up, and its traceback."""
    with db.unit_of_work() as uow:
        found = _there(letter(uow.session, letter_id), letter_id)
        dead: DeadLetter = found["DeadLetter"]
        name = named_lanes(uow.session, [dead.lane]).get(dead.lane, (dead.lane, ""))
    run_id = dead.payload.get("run_id")
    return page(
        request, "dead_letter.html", title=f"Dead letter {letter_id}", letter=dead, company=found["company"], name=name,
        run_id=run_id if isinstance(run_id, int) else None, story=story_of_letter(dead),
    )  # fmt: skip


def _there(found: Thing | None, number: int) -> Thing:
    return there_is(found, f"Dead letter {number}")
