"""The web application: pages, REST API and static files around one database."""

from typing import Any

from fastapi import Depends, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from core.database import Database
from core.settings import Settings
from web import errors, hooks
from web.api import adoption as adoption_api
from web.api import bank as bank_api
from web.api import catalogue, companies, docs, messages
from web.api import feed_mapping as mapping_api
from web.api import feed_runs as feed_runs_api
from web.api import feed_sources as feed_sources_api
from web.api import feeds as feeds_api
from web.api import lineage as lineage_api
from web.api import money as money_api
from web.api import orders as orders_api
from web.api import prices as prices_api
from web.api import privacy as privacy_api
from web.api import purchasing as purchasing_api
from web.api import settlement as settlement_api
from web.api import shops as shops_api
from web.api import taxonomy as taxonomy_api
from web.api import uploads as uploads_api
from web.api.keys import Failure, checked_key
from web.auth import Attempts
from web.pages import (
    adoption,
    bank,
    categories,
    connect,
    dead_letters,
    feed_mapping,
    feed_sources,
    feeds,
    login,
    money,
    orders,
    overview,
    prices,
    privacy,
    products,
    purchasing,
    queues,
    run_acts,
    runs,
    search,
    settlement,
    shop_acts,
    shop_settings,
    shops,
    uploads,
)
from web.rendering import STATIC, static_version
from web.security import Guard

FAILURES: dict[int | str, dict[str, Any]] = {
    401: {"model": Failure, "description": "No valid key."},
    404: {"model": Failure, "description": "Not there."},
    422: {"model": Failure, "description": "Refused: the message says what to change."},
}


def create_app(db: Database, settings: Settings) -> FastAPI:
    """The application. It opens nothing by itself: whoever made `db` closes it."""
    app = FastAPI(
        title="Entrepot", version="1", summary="A hub between many suppliers and many sellers' web shops.", docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )  # fmt: skip
    app.state.db, app.state.settings, app.state.attempts = db, settings, Attempts()
    errors.install(app)
    pages = (
        login,
        overview,
        feed_mapping,
        feed_sources,
        uploads,
        feeds,
        runs,
        run_acts,
        categories,  # before products, whose addresses would take it for a product
        products,
        prices,  # before shops, whose addresses would take it for a shop
        shops,
        shop_acts,
        shop_settings,
        adoption,
        connect,
        orders,
        privacy,
        purchasing,
        money,
        bank,
        settlement,
        queues,
        dead_letters,
        search,
    )
    for module in pages:
        app.include_router(module.router, include_in_schema=False)
    for module in (
        companies, feeds_api, feed_sources_api, uploads_api, mapping_api, feed_runs_api, catalogue, lineage_api, taxonomy_api, shops_api, prices_api, adoption_api, orders_api, privacy_api, purchasing_api, money_api, settlement_api, bank_api, messages,
    ):  # fmt: skip
        app.include_router(
            module.router, prefix="/api/v1", dependencies=[Depends(checked_key)], responses=FAILURES
        )
    app.include_router(docs.router, include_in_schema=False)
    app.include_router(hooks.router, include_in_schema=False)
    app.mount(f"/static/{static_version()}", Versioned(directory=STATIC), name="static")
    app.add_middleware(Guard, upload_limit=settings.upload_limit_mb * 1_000_000)
    return app


class Versioned(StaticFiles):
    """Static files whose address has their version: a browser may keep them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file."""
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
