"""A real Chromium on real pages: hubs of each scene, served once, and pages that collect what goes wrong."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from psycopg import sql

from core.database import Database
from tests.browser import scenes, trading
from tests.console import Console, console, served
from web.rendering import assets_there

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, PHONE = 1280, 390


@dataclass
class Sight:
    """A page under test; `wrong` collects console errors, broken policies, failed and foreign requests."""

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)

    def go(self, address: str) -> Page:
        """Opens a page of the console."""
        self.page.goto(self.url + address)
        return self.page

    def too_wide(self) -> int:
        """By how many pixels the page is wider than its window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@dataclass
class Hub:
    """A served hub of one scene."""

    console: Console
    url: str


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it, or without the console's assets, these tests skip."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: apt-get install chromium")
    if not assets_there():
        pytest.skip("the console's assets are missing: ./run fetches them")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def hub_of(
    postgres_url: str, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Hub]]:
    """A hub of a scene by its name. Tests that only look share one; those that act ask for a name of their own: "rich:approve"."""
    with ExitStack() as stack:
        seeded: dict[str, str] = {}
        made: dict[str, Hub] = {}

        def seed(scene: str) -> str:
            if scene not in seeded:
                url = stack.enter_context(_database(postgres_url, _template))
                db = Database(url, ())
                with db.unit_of_work() as uow:
                    getattr(scenes, scene)(uow.session)
                if traded := getattr(trading, scene, None):
                    traded(db)
                db.close()  # a database that somebody uses cannot be copied
                seeded[scene] = urlsplit(url).path.removeprefix("/")
            return seeded[scene]

        def hub(name: str) -> Hub:
            if name not in made:
                url = stack.enter_context(_database(postgres_url, seed(name.partition(":")[0])))
                opened = stack.enter_context(console(url, tmp_path_factory.mktemp("hub"), sign_in=False))
                made[name] = Hub(opened, stack.enter_context(served(opened)))
            return made[name]

        yield hub


class _database:
    """A copy of the migrated database for as long as the block lasts."""

    def __init__(self, postgres_url: str, template: str) -> None:
        self.admin, self.template, self.name = (
            postgres_url,
            template,
            f"entrepot_look_{uuid.uuid4().hex[:12]}",
        )

    def __enter__(self) -> str:
        self._run("CREATE DATABASE {} TEMPLATE {}", self.name, self.template)
        return urlsplit(self.admin)._replace(path=f"/{self.name}").geturl()

    def __exit__(self, *_: object) -> None:
        try:
            self._run("DROP DATABASE {} WITH (FORCE)", self.name)
        except psycopg.errors.InsufficientPrivilege:  # an autovacuum worker, which a plain DROP sends away
            self._run("DROP DATABASE {}", self.name)

    def _run(self, statement: Any, *names: str) -> None:
        with psycopg.connect(self.admin, autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Sight]]:
    """Opens a window on a hub: look(hub, width=390, theme="dark", script=False, signed_in=True)."""
    with ExitStack() as stack:

        def window(
            hub: Hub, width: int = WIDE, theme: str = "light", script: bool = True, signed_in: bool = True
        ) -> Sight:
            context = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=theme,
                java_script_enabled=script,
                locale="en-GB",
                has_touch=width == PHONE,
            )
            stack.callback(context.close)
            context.set_default_timeout(15_000)
            if signed_in:
                context.add_cookies(
                    [{"name": _cookie(hub.url), "value": _session(hub.console), "url": hub.url}]
                )
            sight = Sight(context.new_page(), hub.url)
            sight.page.on(
                "console",
                lambda said: (
                    sight.wrong.append(f"{said.type}: {said.text}")
                    if said.type in ("error", "warning")
                    else None
                ),
            )
            sight.page.on("pageerror", lambda error: sight.wrong.append(f"page: {error}"))
            sight.page.on(
                "request",
                lambda asked: (
                    None
                    if asked.url.startswith((hub.url, "data:"))
                    else sight.wrong.append(f"foreign: {asked.url}")
                ),
            )
            return sight

        yield window


def _cookie(url: str) -> str:
    return f"entrepot-{urlsplit(url).port}"


def _session(opened: Console) -> str:
    from web.auth import open_session

    with opened.db.unit_of_work() as uow:
        return open_session(uow.session)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for each in items:
        if here in each.path.parents:
            each.add_marker(pytest.mark.browser)
