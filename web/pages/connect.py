"""Connecting a shop on its own page: its owner is sent there, agrees, and comes back with what opens it."""

from typing import Annotated
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from starlette.responses import PlainTextResponse

from core.errors import EntrepotError, Misconfigured, Permanent, there_is
from models.shops import Shop
from pipelines.connecting import agreed_on_shopify, agreed_on_woocommerce, anew, begin, outcome_of
from pipelines.making import NewConnection, asked_for, begin_connection
from web.auth import SignedIn
from web.deps import Authority, CheckedForm, Db, NotSignedIn, go, page, settings_of, signed_in

router = APIRouter(prefix="/connect")


@router.post("")
def start(
    request: Request, db: Db, session: CheckedForm, channel: Annotated[str, Form()] = "", name: Annotated[str, Form()] = "",
    url: Annotated[str, Form()] = "", seller: Annotated[str, Form()] = "", new_seller: Annotated[str, Form()] = "",
    authority: Authority = None,
) -> Response:  # fmt: skip
    """Shows the way to the shop's own page; from Shopify's only this browser can come back."""
    given = {
        "channel": channel,
        "name": name,
        "url": url,
        "seller": new_seller.strip() or seller,
        "ca_pem": authority,
    }
    asked = asked_for(NewConnection, given)
    new = bool(new_seller.strip())
    with db.unit_of_work() as uow:
        address = begin_connection(uow, settings_of(request), asked, new_seller=new, session=session.digest)
    return _way(request, asked.channel, asked.name, address)


@router.post("/again/{shop_id}")
def start_again(request: Request, db: Db, session: CheckedForm, shop_id: int) -> Response:
    """The same for a shop that is known: its owner agrees to what the hub needs now."""
    settings = settings_of(request)
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        channel, name = shop.channel, shop.name
        address = begin(uow, settings, anew(settings, shop), session.digest)
    return _way(request, channel, name, address)


@router.get("/shopify")
def back_from_shopify(request: Request, db: Db) -> Response:
    """The owner agreed at Shopify, and brings a code."""
    session = _session(request)
    digest = session.digest if session else None
    try:
        shop_id = agreed_on_shopify(db, settings_of(request), dict(request.query_params), digest)
    except Permanent as error:
        return _done(request, str(error), 409 if isinstance(error, Misconfigured) else 422)
    return go(f"/shops/{shop_id}", "connected") if session else _done(request, None)


@router.post("/woocommerce/{token}")
async def take_keys(request: Request, db: Db, token: str) -> Response:
    """The shop itself sends the keys its owner agreed to. It takes them back where the answer is not 200."""
    body = await request.body()
    try:
        await run_sync(agreed_on_woocommerce, db, settings_of(request), token, body)
    except EntrepotError as error:
        return PlainTextResponse(str(error), 422 if isinstance(error, Permanent) else 503)
    return PlainTextResponse("")


@router.get("/woocommerce")
def back_from_woocommerce(request: Request, db: Db, success: str = "", user_id: str = "") -> Response:
    """The owner comes back from his shop; what he agreed to came by the shop's own call."""
    session = _session(request)
    with db.unit_of_work() as uow:
        found = outcome_of(uow, user_id)
    if found is not None and found.shop_id is not None and session:
        return go(f"/shops/{found.shop_id}", "connected")
    if found is not None and found.shop_id is not None:
        return _done(request, None)
    problem = found.problem if found else None
    if problem is None and success == "0":
        problem = "You did not agree on the shop's page, so nothing was connected."
    return _done(
        request, problem or "The shop sent no keys. Its server must reach the hub's address over https."
    )


def _way(request: Request, channel: str, name: str, address: str) -> Response:
    """A link, since a form must not lead to another site (web/security.py)."""
    host = urlsplit(address).netloc
    return page(
        request,
        "shop_way.html",
        title="Connect a shop",
        shop_name=name,
        address=address,
        channel=channel,
        host=host,
    )


def _done(request: Request, problem: str | None, status: int = 422) -> Response:
    return page(
        request, "shop_done.html", status=status if problem else 200, title="Connect a shop", problem=problem
    )


def _session(request: Request) -> SignedIn | None:
    try:
        return signed_in(request)
    except NotSignedIn:
        return None
