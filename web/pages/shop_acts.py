"""What a person does to a shop as a whole: asks it, holds and releases it, takes a push back, disconnects it."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core.clock import now
from core.errors import there_is
from models.shops import Push, Shop
from pipelines.connecting import disconnect
from pipelines.making import hold_shop, release_shop, undo_push
from pipelines.opening import connect
from web.deps import CheckedForm, Db, Session, go, page
from web.queries.shops import changes_of, undoable_pushes

router = APIRouter(prefix="/shops/{shop_id}")


@router.post("/check")
def check(request: Request, db: Db, session: CheckedForm, shop_id: int) -> Response:
    """Asks the shop who it is, and stores what it tells."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        uow.session.expunge_all()
    facts = connect(db, shop).check()
    with db.unit_of_work() as uow:
        stored = uow.session.get_one(Shop, shop_id)
        stored.facts, stored.currency, stored.problem, stored.checked_at = (
            asdict(facts),
            facts.currency,
            None,
            now(),
        )
    return go(f"/shops/{shop_id}", "checked")


@router.post("/hold")
def hold(
    request: Request, db: Db, session: CheckedForm, shop_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """Nothing but stock goes there by itself."""
    with db.unit_of_work() as uow:
        hold_shop(uow, shop_id, why)
    return go(f"/shops/{shop_id}", "held")


@router.post("/release")
def release(request: Request, db: Db, session: CheckedForm, shop_id: int) -> Response:
    """The hub keeps the shop true by itself again."""
    with db.unit_of_work() as uow:
        release_shop(uow, shop_id)
    return go(f"/shops/{shop_id}", "released")


@router.get("/pushes/{push_id}/undo")
def ask_first(request: Request, db: Db, session: Session, shop_id: int, push_id: int) -> Response:
    """What putting the shop back as it was before a push would do, asked once."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        push = uow.session.get(Push, push_id)
        push = there_is(push if push and push.shop_id == shop_id else None, f"Push {push_id}")
        brought, changed = changes_of(uow.session, push_id)
        possible = push_id in undoable_pushes(uow.session, [push_id])
    return page(
        request, "push_undo.html", title=f"Put back push {push_id}", shop=shop, push=push, brought=brought, changed=changed,
        possible=possible,
    )  # fmt: skip


@router.post("/pushes/{push_id}/undo")
def take_back(request: Request, db: Db, session: CheckedForm, shop_id: int, push_id: int) -> Response:
    """Has the shop put back as it was before a push."""
    with db.unit_of_work() as uow:
        undo_push(uow, shop_id, push_id)
    return go(f"/shops/{shop_id}", "taking_back")


@router.post("/disconnect")
def let_go(request: Request, db: Db, session: CheckedForm, shop_id: int) -> Response:
    """Forgets the shop's key."""
    with db.unit_of_work() as uow:
        disconnect(uow, shop_id)
    return go(f"/shops/{shop_id}", "disconnected")
