"""Where shops call: the signature over the raw body is the key, the call is stored, and the answer is 200 at once."""

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from core.database import Database
from core.errors import Refused
from models.shops import Shop
from pipelines.opening import connect
from pipelines.orders.receive import receive
from web.deps import Db

router = APIRouter()

GREATEST = 2**31 - 1
"""No shop has a greater number: PostgreSQL's integer ends there."""


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
        notice = connect(db, shop).read_webhook(headers, body)
    except Refused as error:
        if error.rule != "signature":
            raise
        return 401
    with db.unit_of_work() as uow:
        receive(uow, uow.session.get_one(Shop, shop_id), notice)
    return 200
