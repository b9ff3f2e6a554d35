"""/api/v1: what a shop has already, and taking it over."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from core.errors import there_is
from models.events import AdoptionDue
from models.shops import Shop
from pipelines.listings.adopt import adopt, leave
from pipelines.listings.pages import change_page, plan_page
from web.api.keys import After, Limit, Page
from web.api.shops import Asked
from web.deps import Db
from web.queries.adoption import adoption_rows, adoption_states
from web.tables import Ask

router = APIRouter(tags=["Adoption"])
State = Literal["proposed", "unclear", "adopted", "left"]


class MatchView(BaseModel):
    """A variant that the shop has, and which of ours it is; `variant_id` is null where a choice cannot mend it."""

    external_id: str
    product_external_id: str
    state: State
    reason: Literal["sku", "gtin", "code"]
    problem: str | None
    seen: dict[str, Any]
    variant_id: int | None
    sku: str | None
    title: str | None


class Matches(Page):
    """The plan of an adoption; `looked_at` is when the shop was read, null where it never was."""

    looked_at: datetime | None
    states: dict[str, int]
    matches: list[MatchView]


class Choice(BaseModel):
    """The shop's ids; null: all that is proposed."""

    model_config = ConfigDict(extra="forbid")
    external_ids: list[str] | None = Field(None, min_length=1, max_length=10_000)


class AdoptionChoice(Choice):
    """`page` says whether an adopted page stays its owner's (only price and stock are sent) or becomes ours."""

    page: Literal["stays", "ours"] = "stays"


class Adopted(BaseModel):
    """Variants adopted; products whose page becomes ours or stays its owner's; chosen ids that cannot be adopted."""

    adopted: int
    ours: int
    stays: int
    passed: int


class Left(BaseModel):
    """How many were noted as none of ours."""

    left: int


class PageWish(BaseModel):
    """`external_id` is the shop's own id of an adopted product, or of a variant of it."""

    model_config = ConfigDict(extra="forbid")
    external_id: str
    becomes: Literal["stays", "ours"]


class FieldChange(BaseModel):
    """What the shop shows → what the hub would send; `sku` is "" for what belongs to the page as a whole."""

    sku: str
    field: str
    there: str
    wanted: str


class PagePlan(BaseModel):
    """What becomes of the page; with a `problem` it cannot be, and why."""

    external_id: str
    title: str
    becomes: Literal["stays", "ours"]
    differences: list[FieldChange]
    sentences: list[str]
    problem: str | None


@router.get("/shops/{shop_id}/adoption")
def list_matches(
    request: Request, db: Db, shop_id: int, state: State | None = None, limit: Limit = 50, after: After = None
) -> Matches:
    """What the shop has already of what is wanted there, those that need a look first."""
    ask = Ask(request, ("state",), default="state")
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        rows = adoption_rows(uow.session, shop_id, ask, limit)
        return Matches(
            looked_at=shop.looked_at,
            states=adoption_states(uow.session, shop_id),
            matches=[MatchView.model_validate(dict(row)) for row in rows.rows],
            after=rows.after,
        )


@router.post("/shops/{shop_id}/adoption", status_code=202)
def look(db: Db, shop_id: int) -> Asked:
    """Has everything read that the shop sells, to find what of it is ours; nothing is changed there."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        uow.emit(AdoptionDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return Asked()


@router.post("/shops/{shop_id}/adoption/apply")
def take_over(db: Db, shop_id: int, body: AdoptionChoice) -> Adopted:
    """Takes them over; what else is proposed of the same product of the shop's goes with them. The next push sets them."""
    with db.unit_of_work() as uow:
        return Adopted.model_validate(adopt(uow, shop_id, body.external_ids, body.page))


@router.post("/shops/{shop_id}/adoption/leave")
def let_be(db: Db, shop_id: int, body: Choice) -> Left:
    """Notes that these are none of ours."""
    with db.unit_of_work() as uow:
        return Left(left=leave(uow, shop_id, body.external_ids))


@router.post("/shops/{shop_id}/adoption/page/plan")
def plan_of_page(db: Db, shop_id: int, body: PageWish) -> PagePlan:
    """What would change where an adopted page becomes ours, or stays its owner's from now on. Nothing is changed."""
    return PagePlan.model_validate(plan_page(db, shop_id, body.external_id, body.becomes).answer)


@router.post("/shops/{shop_id}/adoption/page")
def set_page(db: Db, shop_id: int, body: PageWish) -> PagePlan:
    """Changes whose the page of an adopted product is; the next push follows it."""
    return PagePlan.model_validate(change_page(db, shop_id, body.external_id, body.becomes).answer)
