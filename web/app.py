"""The web application: pages, REST API and static files around one database."""

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from core.database import Database
from core.settings import Settings
from web import errors
from web.auth import Attempts
from web.pages import feeds, login, overview, runs, shops
from web.rendering import STATIC, static_version
from web.security import Guard


def create_app(db: Database, settings: Settings) -> FastAPI:
    """The application. It opens nothing by itself: whoever made `db` closes it."""
    app = FastAPI(title="Entrepot", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.db, app.state.settings, app.state.attempts = db, settings, Attempts()
    errors.install(app)
    for module in (login, overview, feeds, runs, shops):
        app.include_router(module.router, include_in_schema=False)
    app.mount(f"/static/{static_version()}", Versioned(directory=STATIC), name="static")
    app.add_middleware(Guard, upload_limit=1 << 30)
    return app


class Versioned(StaticFiles):
    """Static files whose address has their version: a browser may keep them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file."""
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
