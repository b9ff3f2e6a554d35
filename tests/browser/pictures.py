"""Takes the README's pictures of the busy hub anew: `python -m tests.browser.pictures`."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from core.database import migrate
from core.postgres import EmbeddedPostgres
from tests.browser import scenes, trading
from tests.browser.conftest import FLAGS
from tests.console import console, served
from tests.stepping import one

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
PICTURES = {
    "overview": "/", "run": "/runs/25", "shop": "/shops/1", "order": "/orders/{order}", "money": "/money", "settlement": "/money/settlements/1",
}  # fmt: skip


def main() -> None:
    """One picture a page, 1280 x 800 points, in docs/pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ep-", dir="/tmp") as folder:
        with EmbeddedPostgres(Path(folder)) as url:
            migrate(url)
            take(url, Path(folder))
        shutil.rmtree((Path(folder) / "postgres").resolve(), ignore_errors=True)  # as root it lies elsewhere


def take(url: str, data: Path) -> None:
    """The pictures, on a database that is migrated and empty."""
    with console(url, data) as opened, served(opened) as address, sync_playwright() as playwright:
        with opened.db.unit_of_work() as uow:
            scenes.rich(uow.session)
        trading.rich(opened.db)
        order = one(opened.db, "SELECT max(order_id) FROM purchase_order WHERE state = 'cancel_requested'")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        page = browser.new_page(
            viewport={"width": 1280, "height": 800}, locale="en-GB", device_scale_factor=1.5
        )
        page.goto(f"{address}/login")
        page.get_by_label("Operator's password").fill(opened.made.password)
        page.get_by_role("button", name="Sign in").click()
        for name, where in PICTURES.items():
            page.goto(address + where.format(order=order))
            page.wait_for_timeout(400)  # the proof comes a moment after the page
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
