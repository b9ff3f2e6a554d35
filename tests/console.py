"""The web application on a test's own database, and a browser's part of talking to it."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi.testclient import TestClient

from core import log
from core.database import Database
from core.settings import Settings
from pipelines.routes import ROUTES
from web.app import create_app
from web.auth import Credentials, first_start


class Console:
    """`get` and `post` speak as a signed-in browser that follows no redirect; `api` as a program with the key."""

    def __init__(self, db: Database, settings: Settings, made: Credentials, client: TestClient) -> None:
        self.db, self.settings, self.made, self.client = db, settings, made, client

    def visit_token(self) -> str:
        """The token of a fresh sign-in form."""
        return token_in(self.client.get("/login").text)

    def sign_in(self, password: str | None = None, **fields: str) -> Any:
        """Sends the sign-in form."""
        form = {"csrf": self.visit_token(), "password": password or self.made.password, **fields}
        return self.client.post("/login", data=form)

    def get(self, address: str) -> Any:
        """A page."""
        return self.client.get(address)

    def post(self, address: str, _from: str = "/feeds/new", **fields: Any) -> Any:
        """A form with the session's token; `_from` is a page that has one."""
        return self.client.post(address, data={"csrf": token_in(self.get(_from).text), **fields})

    def api(self, method: str, address: str, key: str | None = None, **more: Any) -> Any:
        """A call of the API."""
        headers = {"Authorization": f"Bearer {key or self.made.api_key}", **more.pop("headers", {})}
        return self.client.request(method, f"/api/v1{address}", headers=headers, **more)


def token_in(page: str) -> str:
    """The first form token of a page."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page[:2000]
    return found[1]


@contextmanager
def console(database_url: str, data: Path, *, sign_in: bool = True, **settings: Any) -> Iterator[Console]:
    """The application around a fresh database, with its operator made and signed in."""
    log.configure()  # as `python -m web` does: structlog's own default prints every local variable
    db = Database(database_url, ROUTES)
    chosen = Settings(data=data, database_url=database_url, **settings)
    with db.unit_of_work() as uow:
        made = first_start(uow)
    assert made is not None
    try:
        with TestClient(
            create_app(db, chosen), follow_redirects=False, raise_server_exceptions=False
        ) as client:
            opened = Console(db, chosen, made, client)
            if sign_in:
                assert opened.sign_in().status_code == 303
            yield opened
    finally:
        db.close()


@contextmanager
def served(opened: Console) -> Iterator[str]:
    """The application on a port of its own, as uvicorn serves it; its address without a slash at the end."""
    config = uvicorn.Config(
        opened.client.app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, "the server listens")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Looks until `condition` holds; fails after so many seconds."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s not yet: {what}"
        pause.wait(0.02)
