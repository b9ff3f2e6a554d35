"""Where shops call: the signature over the raw body is the key, the call is stored, and the answer is 200 at once."""

from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from connectors.shops.shopify.privacy import notices
from core.database import Database
from core.errors import Misconfigured, Refused
from core.settings import Settings
from models.shops import Shop
from pipelines.opening import connect
from pipelines.orders.receive import receive
from pipelines.privacy import note
from web.deps import Db, settings_of

router = APIRouter()

GREATEST = 2**31 - 1
"""No shop has a greater number: PostgreSQL's integer ends there."""


@router.post("/hooks/shopify")
async def take_app_call(request: Request, db: Db) -> Response:
    """What Shopify sends to the app as a whole: a buyer's or a shop's data must go, or is asked for."""
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    status = await run_sync(answer_app, db, settings_of(request), headers, body)
    return PlainTextResponse("" if status == 200 else "The signature is not this app's.", status)


@router.post("/hooks/{shop_id}")
async def take_call(request: Request, shop_id: int, db: Db) -> Response:
    """A shop's webhook. What is sent beyond web/security.py's SMALL is refused there, while it comes in."""
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    status = await run_sync(answer, db, shop_id, headers, body)
    words = {200: "", 401: "The signature is not this shop's."}
    return PlainTextResponse(words[status], status)


def answer(db: Database, shop_id: int, headers: dict[str, str], body: bytes) -> int:
    """200 once the delivery is stored, 401 where it is not the shop's own or there is none: a stranger counts no shops."""
    with db.unit_of_work() as uow:
        shop = uow.session.get(Shop, shop_id) if 0 < shop_id <= GREATEST else None
        uow.session.expunge_all()
    if shop is None:
        return 401
    try:
        notice = connect(db, shop, renew=False).read_webhook(headers, body)
    except Refused as error:
        if error.rule != "signature":
            raise
        return 401
    except Misconfigured:
        if shop.credentials:
            raise
        return 401  # disconnected: nothing is there to verify it with
    with db.unit_of_work() as uow:
        receive(uow, uow.session.get_one(Shop, shop_id), notice)
    return 200


def answer_app(db: Database, settings: Settings, headers: dict[str, str], body: bytes) -> int:
    """200 once it is stored for every shop of that name, also where there is none: then nothing of it is here. 401 where
    the app's secret did not sign it."""
    try:
        told = notices(headers, body, settings.shopify_client_secret)
    except Refused as error:
        if error.rule != "signature":
            raise
        return 401
    named = headers.get("x-shopify-shop-domain", "").casefold()
    with db.unit_of_work() as uow:
        for shop in uow.session.query(Shop).filter_by(channel="shopify").order_by(Shop.id):
            if named and urlsplit(shop.url).netloc.casefold() == named:
                note(uow, shop, told)
                for notice in told:
                    receive(uow, shop, notice)
    return 200
