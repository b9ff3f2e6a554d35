"""Shops: the list, one shop with its listings, its plan and push, its selections, and connecting one."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import select

from connectors.shops.shopify.grant import missing_scopes
from core.errors import there_is
from models.companies import Company
from models.events import VerifyDue
from models.shops import Listing, Meter, Shop
from pipelines.connecting import AWAY
from pipelines.listings.draft import drift
from pipelines.listings.plan import KINDS
from pipelines.listings.pricing.explained import told
from pipelines.listings.settings import settings_of
from pipelines.making import (
    NewSelection,
    NewShop,
    asked_for,
    connect_shop,
    end_selection,
    let_push,
    make_selection,
)
from web.deps import Authority, CheckedForm, Db, Session, go, page
from web.deps import settings_of as hub_settings
from web.plans import plan_of
from web.queries.adoption import adoption_states, still_open
from web.queries.privacy import open_requests
from web.queries.shops import (
    LISTING_COLUMNS,
    SHOP_COLUMNS,
    SHOWN_ORDER,
    failed_connections,
    last_pushes,
    listing_rows,
    offer_behind,
    one_listing,
    one_shop,
    page_adopted,
    selections,
    shop_rows,
    shop_states,
    shown_states,
    undoable_pushes,
    unread_orders,
)  # fmt: skip
from web.queries.undecided import could_show, undecided_of, waits_for_word
from web.stories import story_of_listing, story_of_shop
from web.tables import Ask

router = APIRouter(prefix="/shops")
STATES = ("trouble", "live", "new")


@router.get("")
def show_all(request: Request, db: Db, session: Session) -> Response:
    """Every shop, and how much of it is in step."""
    ask = Ask(request, ("state", "q"), default="step")
    with db.unit_of_work() as uow:
        rows, states = shop_rows(uow.session, ask), shop_states(uow.session)
        failed = failed_connections(uow.session)
    return page(
        request,
        "shops.html",
        title="Shops",
        ask=ask,
        rows=rows,
        states=states,
        failed=failed,
        columns=SHOP_COLUMNS,
        order=STATES,
    )


@router.get("/new")
def begin(request: Request, db: Db, session: Session) -> Response:
    """The form that connects a shop."""
    with db.unit_of_work() as uow:
        sellers = uow.session.execute(
            select(Company.id, Company.name).where(Company.kind == "seller").order_by(Company.name).limit(500)
        ).all()
    app = bool(hub_settings(request).shopify_client_id)
    return page(request, "shop_new.html", title="Connect a shop", sellers=sellers, app=app)


@router.post("")
def add(
    request: Request, db: Db, session: CheckedForm, name: Annotated[str, Form()] = "", url: Annotated[str, Form()] = "",
    key: Annotated[str, Form()] = "", secret: Annotated[str, Form()] = "", seller: Annotated[str, Form()] = "",
    new_seller: Annotated[str, Form()] = "", channel: Annotated[str, Form()] = "woocommerce", authority: Authority = None,
) -> Response:  # fmt: skip
    """Asks the shop who it is, and stores its key sealed."""
    given = {
        "name": name, "url": url, "key": key, "secret": secret, "seller": new_seller.strip() or seller, "channel": channel, "ca_pem": authority,
    }  # fmt: skip
    asked = asked_for(NewShop, given)
    shop_id = connect_shop(db, hub_settings(request), asked, new_seller=bool(new_seller.strip()))
    return go(f"/shops/{shop_id}", "connected")


@router.get("/{shop_id}")
def show(request: Request, db: Db, session: Session, shop_id: int) -> Response:
    """One shop: its listings, what was chosen for it, and its story."""
    ask = Ask(request, ("state", "q"), default="state")
    with db.unit_of_work() as uow:
        found = there_is(one_shop(uow.session, shop_id), f"Shop {shop_id}")
        shop: Shop = found["Shop"]
        rows, states = listing_rows(uow.session, shop_id, ask), shown_states(uow.session, shop_id)
        chosen, pushes = selections(uow.session, shop_id), last_pushes(uow.session, shop_id)
        meter, already = uow.session.get(Meter, shop_id), still_open(adoption_states(uow.session, shop_id))
        undecided = undecided_of(uow.session, shop_id)
        unread = unread_orders(uow.session, shop_id)
        privacy = open_requests(uow.session, shop_id)
        undoable = undoable_pushes(uow.session, [push.id for push in pushes])
        suppliers = uow.session.execute(
            select(Company.id, Company.name)
            .where(Company.kind == "supplier")
            .order_by(Company.name)
            .limit(500)
        ).all()
    return page(
        request, "shop.html", title=shop.name, found=found, shop=shop, ask=ask, rows=rows, states=states, columns=LISTING_COLUMNS, order=SHOWN_ORDER,
        chosen=chosen, pushes=pushes, suppliers=suppliers, story=story_of_shop(shop, pushes), drifted=drifted,
        busy=any(push.state == "running" for push in pushes), meter=meter, already=already, undoable=undoable, away=shop.problem in AWAY,
        privacy=privacy, unread=unread, undecided=undecided,
        missing=missing_scopes(shop.facts.get("scopes", ())) if shop.renews_at else (),
    )  # fmt: skip


@router.get("/{shop_id}/listings/{listing_id}")
def show_listing(request: Request, db: Db, session: Session, shop_id: int, listing_id: int) -> Response:
    """One listing: what we want there, what we sent, what we read back, and why at this price."""
    with db.unit_of_work() as uow:
        found = there_is(one_listing(uow.session, shop_id, listing_id), f"Listing {listing_id}")
        shop = uow.session.get_one(Shop, shop_id)
        listing: Listing = found["Listing"]
        offer = offer_behind(uow.session, listing.why.get("offer"))
        adopted = page_adopted(uow.session, shop_id, found["ShopProduct"])
        taken = adopted and listing.state == "waiting"
        waits = waits_for_word(listing)
        could = could_show(settings_of(shop), offer["free"] if offer else None)
    return page(
        request, "listing.html", title=found["Variant"].title, shop=shop, listing=listing, variant=found["Variant"],
        product=found["Product"], there=found["ShopProduct"], offer=offer, adopted=adopted, taken=taken, waits=waits, could=could, fields=fields(found), steps=told(listing.why, shop.currency), story=story_of_listing(listing, offer, taken=taken, waits=waits),
    )  # fmt: skip


@router.get("/{shop_id}/plan")
def show_plan(request: Request, db: Db, session: Session, shop_id: int) -> Response:
    """What a push would do now."""
    ask = Ask(request, ("kind",))
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        plan = plan_of(uow, shop, ask["kind"] if ask["kind"] in KINDS else "", ask.after or "")
        pushes = last_pushes(uow.session, shop_id, 1)
    return page(
        request,
        "plan.html",
        title=f"Plan of {shop.name}",
        shop=shop,
        plan=plan,
        ask=ask,
        kinds=KINDS,
        last=pushes[0] if pushes else None,
    )


@router.post("/{shop_id}/push")
def push(request: Request, db: Db, session: CheckedForm, shop_id: int) -> Response:
    """Lets the present plan go, whatever its limits say: a person has looked."""
    with db.unit_of_work() as uow:
        started = let_push(uow, shop_id)
    return go(f"/shops/{shop_id}", "pushing" if started else "true")


@router.post("/{shop_id}/verify")
def verify(request: Request, db: Db, session: CheckedForm, shop_id: int) -> Response:
    """Has everything read back that the shop holds."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        uow.emit(VerifyDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return go(f"/shops/{shop_id}", "verifying")


@router.post("/{shop_id}/selections")
def choose(
    request: Request, db: Db, session: CheckedForm, shop_id: int, margin: Annotated[str, Form()] = "", supplier: Annotated[str, Form()] = "",
    category: Annotated[str, Form()] = "", skus: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Chooses products by supplier, category or SKUs, with a margin."""
    given = {
        "margin_percent": margin.replace(",", ".").strip().rstrip("% "), "supplier": supplier or None, "category": category.strip() or None,
        "skus": skus.split() or None,
    }  # fmt: skip
    asked = asked_for(NewSelection, given)
    with db.unit_of_work() as uow:
        make_selection(uow, shop_id, asked)
    return go(f"/shops/{shop_id}", "chosen")


@router.post("/{shop_id}/selections/{selection_id}/end")
def unchoose(request: Request, db: Db, session: CheckedForm, shop_id: int, selection_id: int) -> Response:
    """Ends a selection."""
    with db.unit_of_work() as uow:
        end_selection(uow, shop_id, selection_id)
    return go(f"/shops/{shop_id}", "unchosen")


def drifted(row: Any) -> list[list[Any]]:
    """Where the shop holds something else than we sent: [field, sent, held]."""
    there = row["state"] == "drifted" and row["sent"] and row["seen"]
    found = drift(row["sent_title"], row["sent"], row["seen"]) if there else []
    return [one for one in found if not row["trade_only"] or one[0] in ("price", "stock")]


def fields(found: Any) -> list[dict[str, Any]]:
    """Field by field: wanted, sent and read back; `differs` where the shop holds something else than was sent."""
    listing, there = found["Listing"], found["ShopProduct"]
    pages = {"wanted": there.wanted if there else {}, "sent": (there.sent if there else None) or {}}
    wanted, sent = listing.wanted or {}, listing.sent or {}
    owners = bool(there and there.trade_only)
    rows = [{"name": "title", "wanted": pages["wanted"].get("title"), "sent": pages["sent"].get("title")}]
    rows += [
        {"name": name, "wanted": wanted.get(name), "sent": sent.get(name)}
        for name in ("price", "stock", "sku", "gtin", "weight_g")
    ]
    if owners:  # nothing but these is sent there
        rows = [row for row in rows if row["name"] in ("price", "stock")]
    rows.append(
        {"name": "status", "wanted": "live" if wanted else "withdrawn", "sent": "live" if sent else None}
    )
    for row in rows:
        read = listing.seen is not None and row["name"] in listing.seen
        row["seen"] = listing.seen[row["name"]] if read else None
        row["differs"] = bool(
            read
            and sent
            and row["sent"] is not None
            and row["seen"] != row["sent"]
            and not (owners and row["seen"] == "draft")
        )
    return rows
