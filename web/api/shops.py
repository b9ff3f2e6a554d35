"""/api/v1: shops, their listings, what was chosen for them, plan and push."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from core.errors import there_is
from models.events import VerifyDue
from models.shops import Shop
from pipelines.connecting import disconnect
from pipelines.listings.settings import ShopSettings, change
from pipelines.listings.settings import settings_of as wanted_of
from pipelines.making import (
    NewConnection,
    NewSelection,
    NewShop,
    begin_connection,
    connect_shop,
    end_selection,
    hold_shop,
    let_push,
    make_selection,
    release_shop,
    undo_push,
)
from web.api.keys import After, Limit, Page
from web.deps import Db, settings_of
from web.pages.shops import drifted
from web.plans import plan_of
from web.queries.shops import listing_rows, one_shop, selections, shop_rows, shown_states, unread_orders
from web.queries.undecided import undecided_of
from web.tables import Ask

router = APIRouter(tags=["Shops"])
ShopState = Literal["live", "new", "trouble"]
ListingState = Literal["undecided", "waiting", "blocked", "sent", "live", "drifted", "refused", "withdrawn"]


class ShopRow(BaseModel):
    """A shop in a list; `live` of `reach` listings are read back equal, `undecided` wait for their owner's word: the shop
    has a product with their SKU or GTIN already."""

    id: int
    name: str
    seller: str
    channel: str
    url: str
    state: ShopState
    problem: str | None
    checked_at: datetime | None
    live: int
    reach: int
    drifted: int
    undecided: int


class Shops(Page):
    """A page of shops."""

    shops: list[ShopRow]


class UnreadOrder(BaseModel):
    """An order that cannot be read: until it can, no sweep of the shop's orders counts as whole. `letter`: its dead letter."""

    letter: int
    external_id: str
    number: str
    problem: str
    since: datetime


class ShopView(BaseModel):
    """One shop without its key; `listings` counts them by state, `undecided` of them wait until what the shop has
    already is adopted or left; `settings` are those that differ from the usual."""

    id: int
    seller_id: int
    seller: str
    name: str
    channel: str
    url: str
    currency: str
    state: ShopState
    problem: str | None
    held_why: str | None
    live_since: datetime | None
    checked_at: datetime | None
    swept_at: datetime | None
    renews_at: datetime | None
    warnings: list[str]
    facts: dict[str, Any]
    settings: dict[str, Any]
    listings: dict[str, int]
    undecided: int
    unread_orders: list[UnreadOrder]


class ListingView(BaseModel):
    """One variant in a shop: wanted, sent, read back; `drift` has [field, sent, held] for each difference. `undecided`: the
    shop has it already, and it is adopted or left before anything is sent."""

    id: int
    sku: str
    title: str
    state: ListingState
    wanted: dict[str, Any] | None
    sent: dict[str, Any] | None
    seen: dict[str, Any] | None
    drift: list[list[Any]]
    why: dict[str, Any]
    external_id: str | None
    problem: str | None
    sent_at: datetime | None
    seen_at: datetime | None


class Listings(Page):
    """A page of listings, those that need a look first; `states` counts all of the shop."""

    states: dict[str, int]
    listings: list[ListingView]


class SelectionView(BaseModel):
    """A seller's choice; where several choose a variant, the earliest prices it."""

    id: int
    by: Literal["supplier", "category", "list"]
    what: dict[str, Any]
    margin_percent: Decimal
    created_at: datetime


class Selections(BaseModel):
    """A shop's selections in the order in which they price."""

    selections: list[SelectionView]


class Change(BaseModel):
    """One listing that differs; `fields` maps a name to [there, wanted]."""

    listing_id: int
    difference: Literal["withdraw", "create", "update", "stock"]
    sku: str
    title: str
    fields: dict[str, list[Any]]


class PlanView(Page):
    """What a push would do now, the unusual first. `limits` says why the hub would not do it by itself; `undecided`
    listings are left out until what the shop has already is adopted or left."""

    counts: dict[str, int]
    limits: list[str]
    undecided: int
    changes: list[Change]


class PushView(BaseModel):
    """A push on its way; null where nothing differs."""

    push_id: int | None
    state: str | None


class Way(BaseModel):
    """The shop's own page on which its owner agrees."""

    open: str


class Held(BaseModel):
    """Why the shop is held, for whoever looks at it."""

    why: str = Field("", max_length=500)


class Asked(BaseModel):
    """The hub was asked; it goes on by itself."""

    asked: bool = True


@router.get("/shops")
def list_shops(
    request: Request, db: Db, state: ShopState | None = None, limit: Limit = 50, after: After = None
) -> Shops:
    """Every shop, and how much of it is in step."""
    ask = Ask(request, ("state",), default="shop")
    with db.unit_of_work() as uow:
        rows = shop_rows(uow.session, ask, limit)
    return Shops(shops=[ShopRow.model_validate(dict(row)) for row in rows.rows], after=rows.after)


@router.post("/shops", status_code=201)
def add_shop(request: Request, db: Db, body: NewShop) -> ShopView:
    """Connects a shop: it is asked who it is first. The same name of the same seller replaces the key."""
    return get_shop(db, connect_shop(db, settings_of(request), body))


@router.get("/shops/{shop_id}")
def get_shop(db: Db, shop_id: int) -> ShopView:
    """One shop."""
    with db.unit_of_work() as uow:
        found = there_is(one_shop(uow.session, shop_id), f"Shop {shop_id}")
        shop: Shop = found["Shop"]
        states = shown_states(uow.session, shop_id)
        names = (
            "id",
            "seller_id",
            "name",
            "channel",
            "url",
            "currency",
            "problem",
            "held_why",
            "live_since",
            "checked_at",
            "swept_at",
            "renews_at",
            "settings",
        )
        facts = {name: getattr(shop, name) for name in names}
        return ShopView(
            **facts,
            seller=found["seller"],
            state=found["state"],
            warnings=list(shop.facts.get("warnings", ())),
            facts={name: value for name, value in shop.facts.items() if name != "warnings"},
            listings=states,
            undecided=undecided_of(uow.session, shop_id),
            unread_orders=[UnreadOrder.model_validate(row) for row in unread_orders(uow.session, shop_id)],
        )


@router.get("/shops/{shop_id}/listings")
def list_listings(
    request: Request,
    db: Db,
    shop_id: int,
    state: ListingState | None = None,
    q: str | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Listings:
    """A shop's listings; `q` is the head of a SKU, a GTIN, or words of the title."""
    ask = Ask(request, ("state", "q"), default="state")
    with db.unit_of_work() as uow:
        there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        rows, states = listing_rows(uow.session, shop_id, ask, limit), shown_states(uow.session, shop_id)
    return Listings(
        states=states,
        listings=[ListingView(**dict(row), drift=drifted(row)) for row in rows.rows],
        after=rows.after,
    )


@router.get("/shops/{shop_id}/selections")
def list_selections(db: Db, shop_id: int) -> Selections:
    """What was chosen for a shop."""
    with db.unit_of_work() as uow:
        there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        return Selections(
            selections=[SelectionView.model_validate(dict(row)) for row in selections(uow.session, shop_id)]
        )


@router.post("/shops/{shop_id}/selections", status_code=201)
def add_selection(db: Db, shop_id: int, body: NewSelection) -> SelectionView:
    """Chooses products by exactly one of supplier, category and skus. The same choice again changes its margin."""
    with db.unit_of_work() as uow:
        made = make_selection(uow, shop_id, body)
        uow.session.refresh(made)
        return SelectionView.model_validate(made, from_attributes=True)


@router.delete("/shops/{shop_id}/selections/{selection_id}", status_code=204)
def remove_selection(db: Db, shop_id: int, selection_id: int) -> None:
    """Ends a selection; what no other one chooses leaves the sale with the next push."""
    with db.unit_of_work() as uow:
        end_selection(uow, shop_id, selection_id)


@router.get("/shops/{shop_id}/plan")
def get_plan(
    db: Db,
    shop_id: int,
    kind: Literal["withdraw", "create", "update", "stock"] | None = None,
    limit: Limit = 50,
    after: After = None,
) -> PlanView:
    """What a push would do now."""
    with db.unit_of_work() as uow:
        plan = plan_of(
            uow, there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}"), kind or "", after or "", limit
        )
    changes = [
        Change(listing_id=row.id, difference=row.kind, sku=row.sku, title=row.title, fields=row.fields)
        for row in plan.rows
    ]
    return PlanView(
        counts=plan.counts, limits=plan.limits, undecided=plan.undecided, changes=changes, after=plan.after
    )


@router.post("/shops/{shop_id}/push", status_code=202)
def push(db: Db, shop_id: int) -> PushView:
    """Lets the present plan go, beyond its limits too; from its first push on the hub keeps the shop true by itself."""
    with db.unit_of_work() as uow:
        started = let_push(uow, shop_id)
        return PushView(push_id=started.id if started else None, state=started.state if started else None)


@router.post("/shops/connections", status_code=201)
def begin_to_connect(request: Request, db: Db, body: NewConnection) -> Way:
    """The address that the shop's owner opens to agree; whoever opens it connects his shop, once, within an hour."""
    with db.unit_of_work() as uow:
        return Way(open=begin_connection(uow, settings_of(request), body))


@router.get("/shops/{shop_id}/settings")
def get_settings(db: Db, shop_id: int) -> ShopSettings:
    """What the seller wants of the shop: texts, categories, stock to show, limits."""
    with db.unit_of_work() as uow:
        return wanted_of(there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}"))


@router.put("/shops/{shop_id}/settings")
def put_settings(db: Db, shop_id: int, body: ShopSettings) -> ShopSettings:
    """Puts these settings in the place of all there were; what is left out is as usual. What the shop should hold is planned anew."""
    with db.unit_of_work() as uow:
        return change(uow, shop_id, {**dict.fromkeys(ShopSettings.model_fields), **body.stored()})


@router.post("/shops/{shop_id}/disconnect")
def let_go(db: Db, shop_id: int) -> ShopView:
    """Forgets the shop's key: nothing goes there any more. Listings and orders stay; connecting it anew goes on."""
    with db.unit_of_work() as uow:
        disconnect(uow, shop_id)
    return get_shop(db, shop_id)


@router.post("/shops/{shop_id}/hold")
def hold(db: Db, shop_id: int, body: Held) -> ShopView:
    """Nothing but stock goes into the shop by itself, until a person lets a push go or releases it."""
    with db.unit_of_work() as uow:
        hold_shop(uow, shop_id, body.why)
    return get_shop(db, shop_id)


@router.post("/shops/{shop_id}/release")
def release(db: Db, shop_id: int) -> ShopView:
    """The hub keeps the shop true by itself again; what differs follows."""
    with db.unit_of_work() as uow:
        release_shop(uow, shop_id)
    return get_shop(db, shop_id)


@router.post("/shops/{shop_id}/pushes/{push_id}/undo", status_code=202)
def take_back(db: Db, shop_id: int, push_id: int) -> Asked:
    """Has the listings put back as they were before a push; the shop is then held until a person lets a push go."""
    with db.unit_of_work() as uow:
        undo_push(uow, shop_id, push_id)
    return Asked()


@router.post("/shops/{shop_id}/verify", status_code=202)
def verify(db: Db, shop_id: int) -> Asked:
    """Has everything read back that the shop holds."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        uow.emit(VerifyDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return Asked()
