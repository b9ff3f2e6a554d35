"""The console's and the API's way to a source: the form of each kind, the test whose answer is shown at once, the problem."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.vault import load_vault
from models.events import FeedDue
from pipelines.feeds.land import land
from tests import builders as make
from tests.console import Console, console
from tests.file_server import FileHost, file_host, status
from tests.sftp_server import PASSWORD, USER, sftp_host
from tests.stepping import one, pending, rows

LIST = b"sku;title;cost;stock;currency\nA;Lamp;1,50;3;EUR\n"
CANARY = "canary-web-secret"


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    with console(database_url, tmp_path, private_hosts="127.0.0.1") as made:
        yield made


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FileHost]:
    with file_host(tmp_path) as made:
        made.content = LIST
        yield made


@pytest.fixture
def feed_id(opened: Console) -> int:
    with opened.db.unit_of_work() as uow:
        return make.feed(uow.session).id


def text_of(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def test_an_address_is_stored_tested_and_shown_without_its_secret(
    opened: Console, host: FileHost, feed_id: int
) -> None:
    address = f"/feeds/{feed_id}/source"
    host.needs = {"Authorization": f"Bearer {CANARY}"}
    form = {
        "kind": "url",
        "url": host.url(),
        "ca_file": str(host.ca_file),
        "auth_kind": "bearer",
        "secret": CANARY,
        "cron": "7 * * * *",
    }
    tested = opened.post(address, **form, then="test")
    assert tested.status_code == 200
    said = text_of(tested)
    assert (
        "The source answers" in said
        and "list.csv" in said
        and "text, such as CSV" in said
        and "sku;title;cost" in said
    )
    assert rows(opened.db, "SELECT source->>'kind', cron FROM feed") == [("url", "7 * * * *")]
    assert rows(opened.db, "SELECT id FROM feed_run") == [], "a test lands nothing"
    shown = opened.get(address)
    assert CANARY not in shown.text + tested.text and "stored; leave empty to keep it" in text_of(shown)
    assert "hour" in text_of(shown)
    stored = opened.post(address, **{**form, "secret": ""})
    assert (stored.status_code, stored.headers["location"]) == (303, f"{address}?said=sourced")
    sealed = one(opened.db, "SELECT secret FROM feed")
    assert load_vault(opened.settings).open(bytes(sealed)) == {"secret": CANARY}, "an empty field keeps it"


def test_what_goes_wrong_is_said_where_the_button_was_pressed(
    opened: Console, host: FileHost, feed_id: int
) -> None:
    address = f"/feeds/{feed_id}/source"
    host.script = [status(404)] * 4
    form = {"kind": "url", "url": host.url(), "ca_file": str(host.ca_file), "cron_own": "*/20 6-20 * * 1-5"}
    tested = opened.post(address, **form, then="test")
    assert tested.status_code == 200 and "there is nothing at this address" in text_of(tested)
    land(FeedDue(tenant=2, lane=f"feed:{feed_id}", feed_id=feed_id), opened.db)
    assert "its source fails" not in text_of(opened.get("/")), "once may be anything"
    for _ in range(2):
        land(FeedDue(tenant=2, lane=f"feed:{feed_id}", feed_id=feed_id), opened.db)
    for page in (address, f"/feeds/{feed_id}"):
        assert "last look failed" in text_of(opened.get(page))
    assert "there is nothing at this address" in text_of(opened.get(address))
    assert "its source fails" in text_of(opened.get("/")), "three times is a task for a person"
    assert one(opened.db, "SELECT cron FROM feed") == "*/20 6-20 * * 1-5"
    assert "text, such as CSV" in text_of(opened.post(f"{address}/test"))


def test_an_sftp_servers_key_is_shown_and_pinned_by_a_second_press(
    opened: Console, tmp_path: Path, feed_id: int
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    (root / "list.csv").write_bytes(LIST)
    address = f"/feeds/{feed_id}/source"
    with sftp_host(root) as server:
        form = {
            "kind": "sftp",
            "host": "127.0.0.1",
            "port": str(server.port),
            "user": USER,
            "pattern": "*.csv",
            "path": "/",
            "after": "keep",
        }
        first = opened.post(address, **form, secret=PASSWORD, cron="* * * * *", then="test")
        assert (
            server.fingerprint in first.text
            and "Is it the right server?" in first.text
            and server.logins == []
        )
        assert one(opened.db, "SELECT source->>'fingerprint' FROM feed") is None
        pinned = opened.post(f"{address}/test", fingerprint=server.fingerprint)
        assert "list.csv" in text_of(pinned) and server.logins == [(USER, PASSWORD)]
        assert one(opened.db, "SELECT source->>'fingerprint' FROM feed") == server.fingerprint
        assert opened.post(f"{address}/test", fingerprint="SHA256:x").status_code == 422


FIELDS = {
    "upload": set(), "folder": {"path"}, "url": {"url", "auth_kind", "auth_name", "secret", "token_url"},
    "sftp": {"host", "port", "user", "path", "pattern", "private_key", "after"},
    "api": {"url", "records", "paging_kind", "param", "next_at", "per_second"},
}  # fmt: skip


def test_each_kind_has_its_form(opened: Console, feed_id: int) -> None:
    for kind, expected in FIELDS.items():
        shown = opened.get(f"/feeds/{feed_id}/source?kind={kind}")
        names = set(re.findall(r'name="(\w+)"', shown.text))
        assert (shown.status_code, expected <= names, "cron" in names) == (200, True, kind != "upload"), kind
    assert opened.get(f"/feeds/{feed_id}/source?kind=magic").status_code == 200
    assert opened.get("/feeds/999/source").status_code == 404


def test_an_api_with_pages_by_its_form(opened: Console, host: FileHost, feed_id: int) -> None:
    host.content = b'{"sku":"A"}\n{"sku":"B"}\n{"sku":"C"}\n'
    form = {
        "kind": "api", "url": host.url("/pages"), "ca_file": str(host.ca_file), "records": "items", "paging_kind": "cursor",
        "next_at": "meta.cursor", "auth_kind": "header", "auth_name": "X-Key", "secret": CANARY, "cron": "* * * * *",
    }  # fmt: skip
    assert "The first page has 2 records." in text_of(
        opened.post(f"/feeds/{feed_id}/source", **form, then="test")
    )
    land(FeedDue(tenant=2, lane=f"feed:{feed_id}", feed_id=feed_id), opened.db)
    assert rows(opened.db, "SELECT file_name, file_bytes FROM feed_run") == [("127.0.0.1.jsonl", 36)]
    assert {headers["x-key"] for _, headers in host.asked} == {CANARY}


def test_the_api_stores_tests_and_looks(opened: Console, host: FileHost, feed_id: int) -> None:
    address = f"/feeds/{feed_id}/source"
    body = {
        "source": {"kind": "url", "url": host.url(), "ca_file": str(host.ca_file), "auth": {"kind": "bearer"}},
        "secret": {"secret": CANARY}, "cron": "30 4 * * *",
    }  # fmt: skip
    put = opened.api("PUT", address, json=body)
    assert put.status_code == 200
    assert (put.json()["has_secret"], put.json()["cron"], put.json()["problem"]) == (True, "30 4 * * *", None)
    assert opened.api("GET", address).json() == put.json() and CANARY not in put.text
    tested = opened.api("POST", f"{address}/test", json={}).json()
    assert (
        tested["problem"] is None
        and tested["facts"]["bytes"] == len(LIST)
        and tested["facts"]["looks"] == "text, such as CSV"
    )
    host.needs = {"Authorization": "another"}
    tested = opened.api("POST", f"{address}/test").json()
    assert tested["facts"] is None and "answered 401" in tested["problem"]
    assert opened.api("POST", f"/feeds/{feed_id}/look").status_code == 202
    assert [message["event"] for message in pending(opened.db)] == ["FeedDue"]
    for wrong in (
        {"source": {"kind": "magic"}},
        {"source": {"kind": "url", "url": "http://"}},
        {"cron": "x"},
        {"colour": 1},
    ):
        assert opened.api("PUT", address, json=wrong).status_code == 422
    assert opened.api("GET", address).json()["source"] == put.json()["source"]
    assert opened.api("PUT", "/feeds/999/source", json={}).status_code == 404
    assert CANARY not in json.dumps(opened.api("GET", f"/feeds/{feed_id}").json())


def test_nothing_is_stored_or_tested_without_the_forms_token(
    opened: Console, host: FileHost, feed_id: int
) -> None:
    for address in (f"/feeds/{feed_id}/source", f"/feeds/{feed_id}/source/test"):
        form = {"csrf": "wrong", "kind": "url", "url": host.url()}
        assert opened.client.post(address, data=form).status_code == 403
    assert one(opened.db, "SELECT source FROM feed") == {"kind": "upload"} and host.asked == []
