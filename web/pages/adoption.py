"""What a shop has already: the plan of an adoption as a table, and a person's choice."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from core.database import UnitOfWork
from core.errors import there_is
from models.events import AdoptionDue
from models.shops import Shop
from pipelines.listings.adopt import adopt, leave
from pipelines.listings.pages import change_page, plan_page
from pipelines.listings.settings import settings_of
from web.deps import CheckedForm, Db, Session, go, page
from web.plans import held_by
from web.queries.adoption import ORDER, adoption_rows, adoption_states, not_found
from web.queries.undecided import could_show, free_behind
from web.tables import Ask

router = APIRouter(prefix="/shops/{shop_id}/adoption")

UNDER_WAY = "SELECT EXISTS (SELECT FROM message WHERE event = 'AdoptionDue' AND lane = %s)"


@router.get("")
def show(request: Request, db: Db, session: Session, shop_id: int) -> Response:
    """What was found in the shop and which of ours it is, those that need a look first."""
    ask = Ask(request, ("state",), default="state")
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        rows, states = adoption_rows(uow.session, shop_id, ask), adoption_states(uow.session, shop_id)
        free = free_behind(uow.session, [row["listing_id"] for row in rows.rows if row["undecided"]])
        settings = settings_of(shop)
        could = {listing_id: could_show(settings, pieces) for listing_id, pieces in free.items()}
        busy = is_looking(uow, shop)
    return page(
        request, "adoption.html", title=f"Already in {shop.name}", shop=shop, ask=ask, rows=rows, states=states, order=ORDER, busy=busy,
        could=could,
    )  # fmt: skip


@router.post("")
def look(request: Request, db: Db, session: CheckedForm, shop_id: int) -> Response:
    """Has everything read that the shop sells."""
    with db.unit_of_work() as uow:
        shop = there_is(
            uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}"
        )
        if not is_looking(uow, shop):
            uow.emit(AdoptionDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return go(f"/shops/{shop_id}/adoption", "comparing")


@router.post("/apply")
def take_over(
    request: Request, db: Db, session: CheckedForm, shop_id: int, chosen: Annotated[list[str] | None, Form()] = None,
    everything: Annotated[str, Form()] = "", becomes: Annotated[Literal["stays", "ours"], Form()] = "stays",
) -> Response:  # fmt: skip
    """Takes over what was chosen, or all that is proposed; what cannot be is passed over, and the page says so."""
    if not chosen and not everything:
        return go(f"/shops/{shop_id}/adoption", "none_chosen")
    with db.unit_of_work() as uow:
        still, gone = still_there(uow, shop_id, [] if everything else chosen or [])
        if not still and not everything:
            return go(f"/shops/{shop_id}/adoption", "plan_moved")
        taken = adopt(uow, shop_id, None if everything else still, becomes)
        held = bool(held_by(uow, uow.session.get_one(Shop, shop_id)))
    return go(f"/shops/{shop_id}/adoption", said_of(taken, gone=gone, held=held))


@router.post("/leave")
def let_be(
    request: Request,
    db: Db,
    session: CheckedForm,
    shop_id: int,
    chosen: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Notes that the chosen ones are none of ours."""
    if not chosen:
        return go(f"/shops/{shop_id}/adoption", "none_chosen")
    with db.unit_of_work() as uow:
        still, gone = still_there(uow, shop_id, chosen)
        if still:
            leave(uow, shop_id, still)
    return go(f"/shops/{shop_id}/adoption", "plan_moved" if gone else "left")


@router.get("/page")
def show_page(
    request: Request, db: Db, session: Session, shop_id: int, becomes: Literal["stays", "ours"], product: str = "", listing: int = 0
) -> Response:  # fmt: skip
    """What would change where an adopted product's page becomes ours, or its owner's again."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        uow.session.expunge_all()
    plan = plan_page(db, shop_id, product, becomes)
    return page(
        request, "page_change.html", title=f"The page of {plan.title}", shop=shop, plan=plan, product=product,
        back=back_to(shop_id, listing), listing=listing,
    )  # fmt: skip


@router.post("/page")
def set_page(
    request: Request, db: Db, session: CheckedForm, shop_id: int, becomes: Annotated[Literal["stays", "ours"], Form()],
    product: Annotated[str, Form()] = "", listing: Annotated[int, Form()] = 0,
) -> Response:  # fmt: skip
    """A person has looked: it becomes so."""
    change_page(db, shop_id, product, becomes)
    return go(back_to(shop_id, listing), "page_ours" if becomes == "ours" else "page_stays")


def back_to(shop_id: int, listing: int) -> str:
    """The listing's page where one was come from, else what was found in the shop."""
    return f"/shops/{shop_id}/listings/{listing}" if listing else f"/shops/{shop_id}/adoption"


def still_there(uow: UnitOfWork, shop_id: int, chosen: list[str]) -> tuple[list[str], bool]:
    """Those of the chosen that are still in the plan, and whether some are not: it is written anew each hour, and the form
    may be older."""
    gone = set(not_found(uow.session, shop_id, chosen))
    return [each for each in chosen if each not in gone], bool(gone)


def said_of(taken: dict[str, int], *, gone: bool, held: bool) -> str:
    """Pure: the key of what the page says of an adoption (web.deps.SAYINGS)."""
    if gone:
        return "plan_moved"
    if taken["passed"]:
        return "adopted_some" if taken["adopted"] else "adopted_none"
    return "adopted_held" if held else "adopted"


def is_looking(uow: UnitOfWork, shop: Shop) -> bool:
    """Whether the shop is being read just now, or waits for it."""
    ((found,),) = uow.cursor().execute(UNDER_WAY, [shop.lane]).fetchall()
    return bool(found)
