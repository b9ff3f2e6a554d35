"""Every page on every kind of hub: it answers, holds no inline script or style, and its lists page without gaps."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from core.clock import now
from tests import builders as make
from tests.browser import scenes, trading
from tests.console import Console, console
from tests.stepping import one

PAGES = (
    "/",
    "/queues",
    "/feeds",
    "/feeds/new",
    "/shops",
    "/shops/new",
    "/dead-letters",
    "/search",
    "/search?q=a",
    "/api/v1/docs",
    "/queues/messages",
    "/orders",
    "/orders?state=shipped&sort=number&q=e",
    "/orders?state=nonsense&shop=x&after=nonsense",
    "/purchase-orders",
    "/purchase-orders?supplier=x&state=nonsense",
    "/money",
    "/money/settlements",
    "/money/settlements?before=x",
    "/money/bank",
    "/money/bank?state=unallocated&q=e",
    "/money/accounts",
    "/money/proof",
)
THINGS = (
    "/feeds/1", "/runs/1", "/shops/1", "/shops/1/plan", "/shops/1/settings", "/shops/1/adoption", "/shops/1/listings/1", "/dead-letters/1", "/queues?queue=feeds",
    "/queues/messages?lane=shop:1", "/feeds?state=waiting&q=e&sort=-offers", "/shops?state=trouble&sort=seller",
    "/shops/1?state=drifted&sort=sku&q=l", "/runs/1?rule=missing_price", "/dead-letters?state=all&q=shop&sort=attempts",
    "/feeds?after=nonsense&sort=nonsense", "/feeds/1?before=%00", "/shops/1/plan?kind=create&after=x",
    "/orders/1", "/purchase-orders/1", "/money/settlements/1", "/money/statements/1", "/money/accounts/bank", "/money/entries/1",
)  # fmt: skip


class Inline(HTMLParser):
    """Collects whatever a strict policy would forbid, and forms that change something without a token."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.form = ""
        self.tokens = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(tag)
        self.found += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action", "formaction"):
            value = given.get(name) or ""
            if value.startswith(("javascript:", "http:", "//")) or (
                value.startswith("https:") and tag != "a"
            ):
                self.found.append(f"{tag} {name}={value}")
        if tag == "form":
            self.form, self.tokens = (given.get("method") or "get").lower(), 0
        if tag == "input" and given.get("name") == "csrf" and given.get("value"):
            self.tokens += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.form == "post" and self.tokens != 1:
            self.found.append("form without its token")


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Console]:
    with console(database_url, tmp_path) as made:
        yield made


@pytest.mark.parametrize("scene", ["rich", "long_names", "empty"])
def test_every_page_answers_and_is_free_of_inline_code(opened: Console, scene: str) -> None:
    with opened.db.unit_of_work() as uow:
        getattr(scenes, scene)(uow.session)
    if traded := getattr(trading, scene, None):
        traded(opened.db)
    statuses = {}
    for address in PAGES + THINGS:
        answer = opened.get(address)
        statuses[address] = answer.status_code
        parser = Inline()
        parser.feed(answer.text)
        assert parser.found == [], address
        assert "None" not in re.sub(r"<[^>]*>", " ", answer.text).replace("None selected", ""), address
    missing = {address for address, status in statuses.items() if status == 404}
    things = {
        address
        for address in THINGS
        if re.match(
            r"/(feeds|runs|shops|dead-letters|orders|purchase-orders|money/[a-z]+)/(\d|bank)", address
        )
    }
    assert missing == (things if scene == "empty" else set())
    assert set(statuses.values()) <= {200, 404}


@pytest.mark.parametrize(
    "address",
    ["/feeds/1", "/runs/1", "/shops/1", "/shops/1/listings/7", "/dead-letters/1", "/feeds/abc", "/nowhere"],
)
def test_what_is_not_there_is_told_in_the_frame(opened: Console, address: str) -> None:
    answer = opened.get(address)
    assert answer.status_code == 404
    assert "is not there" in answer.text or "There is no page" in answer.text
    assert 'aria-label="Pages"' in answer.text


def follow(opened: Console, start: str, rel: str = "next") -> list[list[str]]:
    """The names of the rows of each page, from the first to the last."""
    pages, address = [], start
    while address:
        text = opened.get(address).text
        pages.append(re.findall(r'href="/dead-letters/(\d+)"', text))
        found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
        address = found[1].replace("&amp;", "&") if found else ""
    return pages


@pytest.mark.parametrize("sort", ["-died", "died", "step", "-attempts"])
def test_lists_page_without_gaps_forwards_and_backwards(opened: Console, sort: str) -> None:
    moment = now()
    with opened.db.unit_of_work() as uow:
        for number in range(120):  # many share their moment, step and attempts: the id tells them apart
            make.dead_letter(
                uow.session,
                died_at=moment - timedelta(minutes=number // 40),
                step=f"step.{number % 3}",
                attempts=number % 2,
            )
    pages = follow(opened, f"/dead-letters?sort={sort}")
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({row for page in pages for row in page}) == 120
    text = opened.get(f"/dead-letters?sort={sort}").text
    second = re.search(r'rel="next" href="([^"]+)"', text)[1].replace("&amp;", "&")
    third = re.search(r'rel="next" href="([^"]+)"', opened.get(second).text)[1].replace("&amp;", "&")
    back = follow(opened, third, rel="prev")
    assert back == [pages[2], pages[1], pages[0]]


def test_what_comes_in_meanwhile_shifts_nothing(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        for _ in range(60):
            make.dead_letter(uow.session)
    first = opened.get("/dead-letters").text
    with opened.db.unit_of_work() as uow:
        for _ in range(10):
            make.dead_letter(uow.session, died_at=now() + timedelta(minutes=1))
    rows = set(re.findall(r'href="/dead-letters/(\d+)"', first))
    following = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    rest = set(re.findall(r'href="/dead-letters/(\d+)"', opened.get(following).text))
    assert rows & rest == set()
    assert len(rows | rest) == 60


def test_filters_stand_in_the_address_and_have_counts(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        scenes.rich(uow.session)
    text = opened.get("/shops/1?q=Lamp&sort=sku").text
    chips = dict(re.findall(r'<a href="([^"]+)"[^>]*>(?:All|[a-z]+) <span>(\d+)</span></a>', text))
    drifted = next(address for address in chips if "state=drifted" in address)
    assert chips[drifted] == "2"
    assert parse_qs(urlsplit(drifted.replace("&amp;", "&")).query) == {
        "state": ["drifted"],
        "q": ["Lamp"],
        "sort": ["sku"],
    }
    only = opened.get("/shops/1?state=drifted").text
    assert len(re.findall(r"<tr data-row>", only)) == 2


def test_numbers_follow_the_browser(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        run = make.run(uow.session, make.feed(uow.session), records=1_234_567)
        address = f"/runs/{run.id}"
    assert "1,234,567" in opened.get(address).text
    german = opened.client.get(address, headers={"Accept-Language": "de-AT,de;q=0.9"}).text
    assert "1.234.567" in german
    assert "1,234,567" not in re.sub(r"<ol.*</ol>", "", german, flags=re.DOTALL)


def test_static_files_may_be_kept_for_ever(opened: Console) -> None:
    text = opened.get("/").text
    (stylesheet,) = re.findall(r'href="(/static/[0-9a-f]{12}/console\.css)"', text)
    answer = opened.get(stylesheet)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert opened.get("/static/000000000000/console.css").status_code == 404
    assert opened.get(stylesheet.replace("console.css", "../app.py")).status_code == 404


def test_a_page_is_readable_without_the_assets_and_says_so(
    opened: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web import rendering

    rendering.environment.cache_clear()
    monkeypatch.setattr(rendering, "assets_there", lambda: False)
    try:
        text = opened.get("/").text
    finally:
        rendering.environment.cache_clear()
    assert text.count("The console's stylesheet and icons are missing") == 1
    assert "tabler.css" not in text
    assert "console.css" in text


def test_theme_is_kept_and_checked(opened: Console) -> None:
    assert "data-bs-theme" not in opened.get("/").text
    kept = opened.post("/theme", theme="dark", back="/queues")
    assert kept.headers["location"] == "/queues"
    assert '<html lang="en" data-bs-theme="dark">' in opened.get("/").text
    opened.post("/theme", theme='"><script>', back="https://evil.example")
    assert "data-bs-theme" not in opened.get("/").text


def test_polling_leaves_nothing_behind(opened: Console) -> None:
    for _ in range(3):
        assert opened.get("/queues").status_code == 200
    assert one(opened.db, "SELECT count(*) FROM message") == 0
