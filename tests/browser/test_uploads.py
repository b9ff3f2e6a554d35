"""A large file sent from a browser: the bar moves, a lost connection is waited for, and a new visit goes on where the old one stopped."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Hub, Sight
from tests.stepping import one, rows

PIECE = 8 * 1024 * 1024


def test_a_file_goes_on_after_a_break_and_after_a_new_visit(
    hub_of: Callable[[str], Hub], look: Callable[..., Sight], tmp_path: Path
) -> None:
    hub = hub_of("rich:pieces")
    db = hub.console.db
    file = tmp_path / "large.csv"
    file.write_bytes(b"sku;title;cost\n" + b"A;Lampe;1,50\n" * 2_000_000)  # 26 MB: four pieces
    page = look(hub).go("/feeds/1")
    before = one(db, "SELECT count(*) FROM feed_run")
    sent: list[int] = []

    def first_visit(route: Any) -> None:
        """The first piece arrives; then the connection is lost for good."""
        sent.append(int(route.request.headers["upload-offset"]))
        route.continue_() if len(sent) == 1 else route.abort()

    page.route("**/uploads/*/file", first_visit)
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_text("Broken off: the connection was lost. Going on in")).to_be_visible(timeout=15_000)
    assert (
        page.locator("[data-progress] progress").evaluate("bar => bar.value / bar.max")
        == PIECE / file.stat().st_size
    )
    assert rows(db, "SELECT received, size FROM upload") == [(PIECE, file.stat().st_size)]

    page.unroute("**/uploads/*/file")
    page.goto(f"{hub.url}/feeds/1")  # another visit: what the page knew is gone
    assert sent[0] == 0 and set(sent[1:]) == {PIECE}
    page.on(
        "request",
        lambda asked: sent.append(int(asked.headers["upload-offset"])) if asked.method == "PATCH" else None,
    )
    sent.clear()
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="Take it in").click()
    page.wait_for_url("**/runs/*", timeout=30_000)
    assert sent == [PIECE, 2 * PIECE, 3 * PIECE], "what was there is not sent again"
    assert one(db, "SELECT count(*) FROM feed_run") == before + 1
    assert (
        one(db, "SELECT file_sha256 FROM feed_run ORDER BY id DESC LIMIT 1")
        == hashlib.sha256(file.read_bytes()).hexdigest()
    )
    expect(page.get_by_role("status")).to_contain_text("The file is in the archive")


def test_a_file_that_is_too_large_is_told_and_can_be_chosen_anew(
    hub_of: Callable[[str], Hub], look: Callable[..., Sight], tmp_path: Path
) -> None:
    hub = hub_of("rich:pieces")
    page = look(hub).go("/feeds/1")
    page.route(
        "**/feeds/1/uploads",
        lambda route: route.fulfill(
            status=422,
            json={"error": {"rule": "too_large", "message": "The file has 9 bytes; the most is 1 MB."}},
        ),
    )
    small = tmp_path / "small.csv"
    small.write_bytes(b"sku;title")
    page.set_input_files("#file", str(small))
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_text("The file has 9 bytes; the most is 1 MB.")).to_be_visible()
    expect(page.get_by_role("button", name="Take it in")).to_be_enabled()
